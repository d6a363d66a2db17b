"""What a host says of SNP when it starts: the table's place, the firmware's version, what failed.

A BIOS reserves the table; most of what goes wrong at start-up is its settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...wire.rmp import ENTRIES_OFFSET
from ...wire.status import NO_FW_CALL, Status
from .errnos import errno_text
from .operands import status_words
from .record import Fact
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_OFF = "the host starts without SNP"
_BIOS = "in the BIOS, turn on SNP memory coverage (SMEE, SEV-SNP support, RMP coverage of all RAM)"


def covered(size: int) -> int:
    """Return the bytes of memory that a table of *size* bytes has entries for."""
    return max(size - ENTRIES_OFFSET, 0) // 16 << 12


def size_text(size: int) -> str:
    """Return a size in the largest unit that divides it; a long number has a digit of a larger."""
    units = ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB"), (0, "bytes"))
    exact = next((size >> n, unit) for n, unit in units if not size & (1 << n) - 1)
    if exact[0] < 10_000:
        return f"{exact[0]} {exact[1]}"
    shift, unit = next((n, unit) for n, unit in units if size >> n)
    return f"{size / (1 << shift):.1f} {unit}"


def _table(fields: dict[str, Any], log: LogState) -> Fact:
    base, end = int(fields["base"]), int(fields["end"])
    size = end - base + 1
    if size <= 0:
        return Fact(f"RMP {base:#x} to {end:#x}", "the end is below the start")
    return Fact(
        f"RMP {base:#x} to {end:#x}  {size_text(size)}",
        f"covers {size_text(covered(size))} of memory; the first 16 KiB hold counters",
        fields={"size": size, "covers": covered(size)},
    )


def _segmented(fields: dict[str, Any], log: LogState) -> Fact:
    base, end = int(fields["base"]), int(fields["end"])
    return Fact(
        f"segment table {base:#x} to {end - 1:#x}",
        "the RMP is in segments; these are its counters and the list of them",
    )


def _segment_size(fields: dict[str, Any], log: LogState) -> Fact:
    size = fields["size_gb"] << 30
    need = size_text(size >> 8)
    return Fact(f"segments of {fields['size_gb']} GiB", f"each needs {need} for its entries")


def _segment(fields: dict[str, Any], log: LogState) -> Fact:
    first, last = fields["first"], fields["last"]
    low, high = fields["covered_first"], fields["covered_last"]
    entries, memory = last - first + 1, high - low + 1
    fits = "one entry of 16 bytes for each page" if entries << 8 == memory else "sizes do not fit"
    return Fact(
        f"segment {fields['index']}  entries {first:#x} to {last:#x}  of {low:#x} to {high:#x}",
        f"{size_text(max(entries, 0))} for {size_text(max(memory, 0))}: {fits}",
    )


def _mapped(fields: dict[str, Any], log: LogState) -> Fact:
    given, taken = fields["given"], fields["taken"]
    return Fact(
        f"segment {fields['index']}  mapped size {given:#x} taken as {taken:#x}",
        "the segment table claims more memory than a segment covers",
    )


def _bounds(fields: dict[str, Any], log: LogState) -> Fact:
    summary = f"segment size {fields['size']}, allowed {fields['least']} to {fields['most']}"
    return Fact(summary, "RMP_CFG holds a size that CPUID does not offer", consequence=_OFF)


def _wrong_size(fields: dict[str, Any], log: LogState) -> Fact:
    summary = f"segment of {fields['given']:#x} bytes, of at most {fields['segment_size']:#x}"
    return Fact(summary, "the segment table is not as it has to be", consequence=_OFF)


def _wrong_base(fields: dict[str, Any], log: LogState) -> Fact:
    summary = f"segment at {fields['base']:#x}, sized {fields['segment_size']:#x}"
    return Fact(summary, "its base is 0 or out of line", consequence=_OFF)


def _twice(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(f"segment {fields['index']} twice", "two entries of the segment table are for one")


def _optimised(fields: dict[str, Any], log: LogState) -> Fact:
    first, last = int(fields["first"]), int(fields["last"])
    return Fact(f"{first:#x} to {last:#x}", "cores may skip the RMP's checks here (RMPOPT)")


def _unreserved(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact("no RMP", "the BIOS reserved no memory for it", consequence=_OFF, remedy=_BIOS)


def _invalid(fields: dict[str, Any], log: LogState) -> Fact:
    summary = f"RMP {fields['base']:#x} to {fields['end']:#x}"
    return Fact(summary, "the end is below the start", consequence=_OFF, remedy=_BIOS)


def _short(fields: dict[str, Any], log: LogState) -> Fact:
    need, have = int(fields["need"]), int(fields["have"])
    return Fact(
        f"RMP of {size_text(have)}, {size_text(need)} are needed",
        f"it covers {size_text(covered(have))} of memory, not {size_text(covered(need))}",
        consequence=_OFF,
        remedy=_BIOS,
    )


def _aligned(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"2M at {int(fields['address']):#x} reserved",
        "an end of the RMP is in it; a kexec kernel must not use the rest",
    )


def _unmapped(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact("RMP not mapped", "the kernel could not map the table", consequence=_OFF)


def _version(snp: bool) -> Any:
    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        version = f"{fields['major']}.{fields['minor']}"
        what = "SNP" if snp else "SEV"
        old = snp and (fields["major"], fields["minor"]) < (1, 51)
        return Fact(
            f"{what} firmware ABI {version}  build {fields['build']}",
            "older than Linux takes, which is 1.51" if old else f"{what} is started",
        )

    return interpret


def _init_failed(fields: dict[str, Any], log: LogState) -> Fact:
    code = fields["error"] & 0xFFFF_FFFF
    status = Status(code)
    why = "the firmware was not asked" if code == NO_FW_CALL else status_words(code)
    rc = f"  rc {fields['rc']}" if "rc" in fields else ""
    errno = f"; {errno_text(fields['rc'])}" if "rc" in fields else ""
    return Fact(
        f"{fields.get('what', 'INIT')} failed{rc}  error {code:#x}",
        why + errno,
        consequence="no SNP guest can be launched on this host",
        fields={"status": status},
    )


def _asids(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"SNP {fields['state']}  ASIDs {fields['first']} to {fields['last']}",
        f"at most {max(fields['last'] - fields['first'] + 1, 0)} guests of SNP run at once",
    )


FORMATS = (
    form(
        "rmp_segment_table",
        "rmp-segment-table",
        "Segmented RMP base table physical range [0x{base:q} - 0x{end:q}]",
        _segmented,
    ),
    form(
        "rmp_table_range", "rmp-table", "RMP table physical range [0x{base:q} - 0x{end:q}]", _table
    ),
    form(
        "rmp_segment_size",
        "rmp-segment-size",
        "Segmented RMP using {size_gb:d}GB segments",
        _segment_size,
    ),
    form(
        "rmp_segment",
        "rmp-segment",
        "RMP segment {index:d} physical address [0x{first:x} - 0x{last:x}] covering"
        " [0x{covered_first:x} - 0x{covered_last:x}]",
        _segment,
    ),
    form(
        "rmp_segment_mapped",
        "rmp-segment-mapped",
        "RMP segment {index:d} mapped size (0x{given:x}) reduced to 0x{taken:x}",
        _mapped,
    ),
    form(
        "rmp_segment_bounds",
        "rmp-segment-invalid",
        "RMP segment size ({size:d}) is not within advertised bounds (min={least:d}, max={most:d})",
        _bounds,
    ),
    form(
        "rmp_segment_invalid_size",
        "rmp-segment-invalid",
        "Invalid RMP size 0x{given:x} for configured segment size 0x{segment_size:x}",
        _wrong_size,
    ),
    form(
        "rmp_segment_invalid_base",
        "rmp-segment-invalid",
        "Invalid RMP segment base address 0x{base:x} for configured segment size"
        " 0x{segment_size:x}",
        _wrong_base,
    ),
    form(
        "rmp_segment_twice",
        "rmp-segment-invalid",
        "RMP segment descriptor already exists at index {index:d}",
        _twice,
    ),
    form(
        "rmp_optimised",
        "rmp-optimised",
        "RMP optimizations enabled on physical address range @1GB alignment"
        " [0x{first:q} - 0x{last:q}]",
        _optimised,
    ),
    form(
        "rmp_unreserved",
        "rmp-missing",
        "Memory for the RMP table has not been reserved by BIOS",
        _unreserved,
    ),
    form(
        "rmp_invalid",
        "rmp-missing",
        "RMP configuration not valid: base={base:p}, end={end:p}",
        _invalid,
    ),
    form(
        "rmp_short",
        "rmp-short",
        "Memory reserved for the RMP table does not cover full system RAM"
        " (expected 0x{need:x} got 0x{have:x})",
        _short,
    ),
    form(
        "rmp_aligned",
        "rmp-aligned",
        "Reserving start/end of RMP table on a 2MB boundary [0x{address:q}]",
        _aligned,
    ),
    form("rmp_unmapped", "rmp-missing", "Failed to map RMP table", _unmapped),
    form(
        "snp_api",
        "firmware-version",
        "SEV-SNP API:{major:d}.{minor:d} build:{build:d}",
        _version(True),
    ),
    form(
        "sev_api",
        "firmware-version",
        "SEV API:{major:d}.{minor:d} build:{build:d}",
        _version(False),
    ),
    form(
        "snp_init_failed",
        "init-failed",
        "SEV-SNP: failed to INIT rc {rc:d}, error {error:p}",
        _init_failed,
        "SEV: failed to INIT error {error:p}, rc {rc:d}",
        "SEV-SNP: failed to INIT error {error:p}",
    ),
    form(
        "snp_command_failed",
        "init-failed",
        "SEV-SNP: {what:o} failed rc {rc:d}, error {error:p}",
        _init_failed,
        "SEV: {what:o} failed {error:p}, rc {rc:d}",
    ),
    form("kvm_snp_asids", "kvm-snp", "SEV-SNP {state:o} (ASIDs {first:d} - {last:d})", _asids),
)
