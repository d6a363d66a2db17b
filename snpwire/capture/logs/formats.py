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
    iommu,
    kvm,
    kvm_pages,
    pages,
    qemu,
    rmp,
    termination,
    trace_loss,
    trace_members,
    vmcb,
)

if TYPE_CHECKING:
    from .template import Format, Template

RARE = (
    "RMP", "PFN", "SEV", "SNP", "VMPCK", "GHCB", "VMSA", "VMCB", "CPUID", "ASP", "PSC", "PVALIDATE",
    "Additional error", "(in):", "(out):", "[seqno",
)  # fmt: skip
"""Words of formats that begin with a character few words of a log begin with."""

OTHERS = (
    "vmgexit", "vmpck", "exit_reason ", "ghcb_gpa ", "valid_bitmap", "is_valid: ", "rmpupdate",
    "psmash", "sev command", "cmdbuff", "dump_invalid", "exit-code", "sequence counter",
    "slots conveyed", "data truncated", "page state", "reserved=0x", "ed: eax:0x", "fw_error=",
    "kvm_rmp_fault", "snp-page ", "snp-command ", "sev_do_cmd_locked",
    "LOST ", "Lost ", "EVENTS DROPPED]",
)  # fmt: skip
"""Words of the formats that have none of those.

One expression of all words would stop at every second character of a log to try them. Of the rare
ones it is cheap; each of the others is found faster by itself. Together that is half the time.
"""

ANCHORS = RARE + OTHERS
"""Every format has one of these words: lines without any of them are skipped."""

_TEXT = re.compile("|".join(map(re.escape, ANCHORS)))
_RARE = re.compile("|".join(map(re.escape, RARE)).encode())
_OTHERS = [word.encode() for word in OTHERS]

FAMILIES: dict[str, tuple[str, tuple[Format, ...]]] = {
    "rmp": ("RMP entries, and failures on them", rmp.FORMATS),
    "boot": ("SNP initialisation of a host", boot.FORMATS),
    "ccp": ("firmware commands, with their buffers", ccp.FORMATS),
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
    "qemu": ("launch failures of QEMU", qemu.FORMATS),
    "iommu": ("IOMMU events about the RMP", iommu.FORMATS),
}
"""Title and formats of each family."""


class IndexEntry(NamedTuple):
    """A wording, with its format and family."""

    family: str
    format: Format
    wording: Template


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
                index[found[-1]].append((wording.key, IndexEntry(family, fmt, wording)))
    return index


_INDEX = _index()


def match(text: str) -> tuple[IndexEntry, dict[str, Any]] | None:
    """Return the wording of *text* with its fields, or None if it is none that is known.

    What stands before a format may have anchors of its own, so the last one is tried first.
    """
    words = _TEXT.findall(text)
    words.reverse()
    for word in dict.fromkeys(words):
        for key, entry in _INDEX[word]:
            if key in text:
                fields = entry.wording.match(text)
                if fields is not None:
                    return entry, fields
    return None


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
        self._rare = -1
        self._others = [-1] * len(_OTHERS)
        self._other = -1  # the first of them

    def after(self, at: int) -> int:
        """Return the place of the first anchor from *at* on, or the block's size."""
        block, size = self._block, len(self._block)
        if self._rare < at:
            found = _RARE.search(block, at)
            self._rare = found.start() if found else size
        if self._other < at:
            for number, place in enumerate(self._others):
                if place < at:
                    further = block.find(_OTHERS[number], at)
                    self._others[number] = size if further < 0 else further
            self._other = min(self._others)
        return min(self._rare, self._other)
