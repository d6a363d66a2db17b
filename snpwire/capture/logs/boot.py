"""What a host's kernel says of SNP when it starts: its options, and the table's place and size.

A BIOS reserves the table; most of what goes wrong at start-up is its settings.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.rmp import ENTRIES_OFFSET
from .phrase import phrase
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


def _short_segments(fields: dict[str, Any], log: LogState) -> Fact:
    need, have = int(fields["need"]), int(fields["have"])
    return Fact(
        f"segmented RMP for {size_text(have)} of memory, of {size_text(need)}",
        "memory above has no entries",
        consequence=_OFF,
        remedy=_BIOS,
    )


def _kernel(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(f"kernel {fields['release']}", "a machine starts here")


_OPTIONS = re.compile(
    r"(?<!\S)((?:iommu|amd_iommu|mem_encrypt|maxcpus|nosmp|nox2apic|psp_init_on_probe|sev)"
    r"(?:[=.]\S{0,60})?|(?:kvm_amd|kvm-amd|kvm|ccp)\.\S{1,60})"
)
_BARRED = {
    "iommu=pt": "passes devices through",
    "iommu=off": "turns the IOMMU off",
    "iommu.passthrough=1": "passes devices through",
    "amd_iommu=off": "turns the IOMMU off",
    "amd_iommu=pgtbl_v2": "asks for page tables of version 2",
    "kvm_amd.sev=0": "turns SEV off in KVM",
    "kvm_amd.sev_es=0": "turns SEV-ES off in KVM",
    "kvm_amd.sev_snp=0": "turns SNP off in KVM",
}
"""Options with which a host starts without SNP."""


def _options(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret the options of a kernel, of which those count that concern SNP."""
    found = _OPTIONS.findall(fields.pop("options"))
    barring = [name for name in found if name in _BARRED]
    why = "; ".join(f"{name} {_BARRED[name]}" for name in barring)
    return Fact(
        f"options {' '.join(found) or 'none that concern SNP'}",
        f"{why}: SNP cannot start" if why else "",
        remedy=f"start without {' '.join(barring)}" if barring else "",
        fields={"options": found, "against_snp": barring},
    )


FORMATS = (
    form(
        "rmp_segment_table",
        "rmp-segment-table",
        "Segmented RMP base table physical range [0x{base:q} - 0x{end:q}]",
        _segmented,
    ),
    form(
        "rmp_table_range",
        "rmp-table",
        "RMP table physical range [0x{base:q} - 0x{end:q}]",
        _table,
        "RMP table physical address [0x{base:q} - 0x{end:q}]",
        "RMP table physical address 0x{base:q} - 0x{end:q}",
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
    form(
        "rmp_unmapped_part",
        "rmp-missing",
        "Failed to map RMP segment table addr {base:p}",
        phrase("RMP not mapped  {base:#x}", "the kernel could not map this part", consequence=_OFF),
        "Failed to map RMP segment addr {base:p} size {size:p}",
        "Failed to map RMP table addr {base:p} size {size:p}",
        "Failed to map RMP table {base:p}-{end:p}",
        "Failed to map RMP table {base:p}+{size:p}",
    ),
    form(
        "rmp_unmapped",
        "rmp-missing",
        "Failed to map RMP table",
        phrase("RMP not mapped", "the kernel could not map the table", consequence=_OFF),
    ),
    form(
        "rmp_counters_unmapped",
        "rmp-missing",
        "Failed to map RMP bookkeeping area",
        phrase("RMP not mapped", "the kernel could not map its first 16 KiB", consequence=_OFF),
    ),
    form(
        "rmp_segment_short",
        "rmp-short",
        "Segmented RMP does not cover full system RAM (expected 0x{need:x} got 0x{have:x})",
        _short_segments,
    ),
    form(
        "rmp_segment_end",
        "rmp-segment-odd",
        "Segmented RMP enabled but RMP_END MSR is non-zero",
        phrase("RMP_END is not 0", "with segments it means nothing, and the BIOS should clear it"),
    ),
    form(
        "snp_processors_offline",
        "rmp-missing",
        "SNP init failed: not all CPUs online. ({online:s} online <-> {present:s} present masks).",
        phrase(
            "processors offline  online {online}, present {present}",
            "SNP is turned on in every processor, or not at all",
            consequence=_OFF,
            remedy="start without maxcpus= and nosmp; take all processors online",
        ),
    ),
    form("kernel_start", "kernel-start", "Linux version {release:o}", _kernel),
    form(
        "kernel_options",
        "kernel-options",
        "Kernel command line: {options:r}",
        _options,
        "Command line: {options:r}",
    ),
    form(
        "sme_active",
        "memory-encryption",
        "Memory Encryption Features active: AMD SME",
        phrase("SME on", "the kernel encrypts its own memory, which SNP does not need"),
        "AMD Memory Encryption Features active: SME",
        "AMD Secure Memory Encryption (SME) active",
    ),
)
