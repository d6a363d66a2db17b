"""Every format that is known, filed under a word by which its lines are found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import LayoutError
from . import (
    boot,
    ccp,
    dumps,
    ftrace,
    guest,
    guest_kernel,
    guest_tools,
    host_checks,
    hypervisors,
    iommu,
    kvm,
    kvm_module,
    kvm_pages,
    libvirt,
    ovmf,
    pages,
    psp,
    qemu,
    qemu_cpuid,
    qemu_options,
    qemu_run,
    qemu_setup,
    qemu_trace,
    rmp,
    svsm,
    svsm_statements,
    tcb_versions,
    termination,
    tio,
    trace_loss,
    trace_members,
    verifiers,
    vmcb,
)

if TYPE_CHECKING:
    from .template import Format, Template

ANCHORS = (
    "RMP", "PFN", "SEV", "SNP", "VMPCK", "GHCB", "VMSA", "CPUID", "ASP", "PSC", "PVALIDATE",
    "Additional error", "(in):", "(out):", "[seqno", "AMD-Vi", "SFS", "SME", "SSESSION",
    "Stream for class", "TSM ", "CFG/TEE", "Linux version ", "ommand line: ",
    "vmgexit", "vmpck", "exit_reason ", "ghcb_gpa ", "valid_bitmap", "is_valid: ",
    "rmpupdate failed", "psmash", "sev command", "cmdbuff", "dump_invalid", "exit-code 0x",
    "sequence counter", "slots conveyed", "data truncated", "change page state", "reserved=0x",
    "ed: eax:0x", "fw_err", "ccp ", "kvm_amd/param", "gmem_p",
    "KVM", "TCB", "COCONUT", "VMGEXIT", "VMPL", "SVSM", "GPA 0x", "#VC", "Status Code",
    "Alias check", "C-bit loc", "Physical address bit", "Permission Levels", "RAM discard",
    "Required features", "Unsupported features", "Unhandled exit", "Fatal error h", "Soft error h",
    "Alternate inj", "MMIO using", "MMIO opcode", "MMIO region as", "X64 Exception",
    "Failed to Val", "Failed to Inv", "Error Encountered", "KnownSevError", "Skipped bytes",
    "/dev/sev", "sev_", "sev-snp-guest", "kvm run failed", "firmware error", "range policy[0x",
    "mbz range [0x", "info bit(s)", "Expected between", "QEMU binary", "sev supported=",
    "Command Unsuccessful",
    "VMCB", "kvm_rmp_fault", "snp-page ", "snp-command ", "sev_do_cmd_locked", "LOST ", "Lost ",
    "EVENTS DROPPED]",
)  # fmt: skip
"""Every format has one of these words: lines without any of them are skipped."""

_LONGER = {"ccp ": "ccp 0000:", "snp-command ": " t="}
"""What the lines of an anchor have in its place: a longer word is found faster."""
_WORDS = [_LONGER.get(word, word) for word in ANCHORS]
_PIVOTS = "jLqGFM(=C_vSca"
"""Characters at which one expression looks for the words: each has one of them, and a log few."""


def _pivot(word: str) -> int:
    """Return where the first of the rare characters is in *word*."""
    for char in _PIVOTS:
        if (place := word.find(char)) >= 0:
            return place
    raise LayoutError(f"none of {_PIVOTS!r} is in the word {word!r}")


def _search(places: dict[str, int]) -> str:
    """Return an expression that finds words, each by its character at a place.

    One of all words as they are would stop at every second character of a log to try them. This
    one stops at those characters, and looks at what is behind them, and then before them.
    """
    around: dict[str, list[str]] = {}
    for word, place in places.items():
        before = f"(?<={re.escape(word)})" if place else ""
        around.setdefault(word[place], []).append(re.escape(word[place + 1 :]) + before)
    return "|".join(f"{re.escape(char)}(?:{'|'.join(rest)})" for char, rest in around.items())


_TEXT = re.compile(_search(dict.fromkeys(ANCHORS, 0)))
_BYTES = re.compile(_search({word: _pivot(word) for word in _WORDS}).encode())

FAMILIES: dict[str, tuple[str, tuple[Format, ...]]] = {
    "rmp": ("RMP entries, and failures on them", rmp.FORMATS),
    "boot": (
        "SNP initialisation of a host",
        boot.FORMATS + psp.FORMATS + kvm_module.FORMATS,
    ),
    "ccp": ("firmware commands, with their buffers", ccp.FORMATS + psp.OPERATIONS + tio.FORMATS),
    "kvm": (
        "requests that KVM refused, and pages that it dumps",
        kvm.FORMATS + kvm_pages.FORMATS + dumps.FORMATS + vmcb.FORMATS,
    ),
    "term": ("guests that terminated themselves", termination.FORMATS),
    "trace": (
        "KVM tracepoints",
        ftrace.FORMATS + trace_members.FORMATS + trace_loss.FORMATS,
    ),
    "page": ("pages that a capture script prints", pages.FORMATS),
    "guest": ("guest kernel and guest driver", guest.FORMATS + guest_kernel.FORMATS),
    "qemu": (
        "QEMU: launches that failed, and guests that it stopped",
        qemu_cpuid.FORMATS
        + qemu.FORMATS
        + qemu_options.FORMATS
        + qemu_setup.FORMATS
        + qemu_run.FORMATS
        + libvirt.FORMATS,
    ),
    "iommu": ("the IOMMU's part in SNP, and its events about the RMP", iommu.FORMATS),
    "launch": ("QEMU's trace of a launch: what was measured", qemu_trace.FORMATS),
    "svsm": ("an SVSM at VMPL 0", svsm.FORMATS + svsm_statements.FORMATS + svsm.OTHERS),
    "ovmf": ("OVMF, the guest's firmware", ovmf.FORMATS),
    "vmm": ("Cloud Hypervisor, OpenVMM and OpenHCL", hypervisors.FORMATS),
    "tools": (
        "tools of guests and hosts, and verifiers",
        guest_tools.FORMATS + verifiers.FORMATS + tcb_versions.FORMATS + host_checks.FORMATS,
    ),
}
"""Title and formats of each family."""


class IndexEntry(NamedTuple):
    """A wording, with its format and family."""

    family: str
    format: Format
    wording: Template
    anchors: int
    """How many anchors are in it."""


_Index = dict[str, list[tuple[str, IndexEntry]]]


def _index() -> _Index:
    """Return the wordings, each with its longest word, under the last anchor in it."""
    index: _Index = {word: [] for word in ANCHORS}
    for family, (_, formats) in FAMILIES.items():
        for fmt in formats:
            for wording in fmt.wordings:
                found = _TEXT.findall("\0".join(wording.literals))
                if not found:
                    raise LayoutError(f"no anchor finds {wording.text!r}")
                entry = IndexEntry(family, fmt, wording, len(found))
                index[found[-1]].append((wording.key, entry))
    return index


_INDEX = _index()
_LEAST = min(entry.wording.least for row in _INDEX.values() for _, entry in row)
"""Characters of the shortest format."""


class Occurrence(NamedTuple):
    """A format in a text, and where it stands."""

    start: int
    end: int
    entry: IndexEntry
    fields: dict[str, Any]
    alone: bool
    """Whether all anchors of the text may be its own."""


def _occurrence(text: str) -> Occurrence | None:
    """Return a format in *text*, or None if it has none that is known.

    What stands before a format may have anchors of its own, so the last one is tried first.
    """
    words = _TEXT.findall(text)
    words.reverse()
    for word in dict.fromkeys(words):
        for key, entry in _INDEX[word]:
            if key in text and (found := entry.wording.find(text)):
                start, end = found.span()
                alone = len(words) <= entry.anchors
                return Occurrence(start, end, entry, entry.wording.fields(found), alone)
    return None


def occurrences(text: str) -> list[Occurrence]:
    """Return every format in *text*, from left to right."""
    first = _occurrence(text)
    if first is None:
        return []
    if first.alone:
        return [first]
    before, after = text[: first.start], text[first.end :]
    found = [first]
    if len(before) >= _LEAST and _TEXT.search(before):
        found = [*occurrences(before), first]
    if len(after) >= _LEAST and _TEXT.search(after):
        end = first.end
        found += [p._replace(start=p.start + end, end=p.end + end) for p in occurrences(after)]
    return found


def match(text: str) -> tuple[IndexEntry, dict[str, Any]] | None:
    """Return the wording of *text* with its fields, or None if it is none that is known."""
    found = _occurrence(text)
    return None if found is None else (found.entry, found.fields)


def breaks_off(text: str) -> bool:
    """Return whether *text* ends within a known wording."""
    return any(
        entry.wording.broken(text)
        for word in dict.fromkeys(_TEXT.findall(text))
        for _, entry in _INDEX[word]
    )


class Hits:
    """Where the anchors are in a block of bytes."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._place = -1

    def after(self, at: int) -> int:
        """Return the place of the first anchor from *at* on, or the block's size."""
        if self._place < at:
            found = _BYTES.search(self._block, at)
            self._place = found.start() if found else len(self._block)
        return self._place
