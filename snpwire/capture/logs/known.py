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
    qemu,
    rmp,
    termination,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .template import Format, Template

ANCHORS = (
    "RMP", "PFN", "SEV", "SNP", "VMPCK", "GHCB", "VMSA", "CPUID", "ASP", "PSC", "PVALIDATE",
    "Additional error", "vmgexit", "vmpck", "vcpu ", "valid_bitmap", "is_valid", "rmpupdate",
    "psmash", "sev command", "(in):", "(out):", "cmdbuff", "dump_invalid", "exit-code",
    "[seqno", "sequence counter", "slots conveyed", "data truncated", "page state", "subfn=",
    "reserved2=", "provided:", "expected:", "fw_error=",
)  # fmt: skip
"""Words of which every format has one: lines without any of them pass by."""

_TEXT = re.compile("|".join(map(re.escape, ANCHORS)))
ANCHOR = re.compile(_TEXT.pattern.encode())

FAMILIES: dict[str, tuple[str, tuple[Format, ...]]] = {
    "rmp": ("entries of the reverse map table, and what failed on them", rmp.FORMATS),
    "boot": ("how SNP was started on a host", boot.FORMATS),
    "ccp": ("commands to the firmware, with their buffers", ccp.FORMATS),
    "kvm": (
        "what KVM refused, and the pages it dumps",
        kvm.FORMATS + kvm_pages.FORMATS + dumps.FORMATS,
    ),
    "term": ("guests that ended themselves", termination.FORMATS),
    "trace": ("KVM's tracepoints", ftrace.FORMATS),
    "guest": ("the guest's kernel and its guest driver", guest.FORMATS + guest_kernel.FORMATS),
    "qemu": ("launches that QEMU could not make", qemu.FORMATS),
    "iommu": ("events of the IOMMU about the RMP", iommu.FORMATS),
}
"""Title and formats of each family."""


class Known(NamedTuple):
    """A wording, where it comes from."""

    family: str
    format: Format
    wording: Template


def _filed() -> dict[str, list[Known]]:
    """Return the wordings under the word that finds each."""
    filed: dict[str, list[Known]] = {word: [] for word in ANCHORS}
    for family, (_, formats) in FAMILIES.items():
        for fmt in formats:
            for wording in fmt.wordings:
                found = _TEXT.search("\0".join(wording.literals))
                if found is None:
                    raise LayoutError(f"no anchor finds {wording.text!r}")
                filed[found[0]].append(Known(family, fmt, wording))
    return filed


_FILED = _filed()


def _candidates(text: str) -> Iterator[Known]:
    """Yield the wordings that *text* may have."""
    for word in dict.fromkeys(_TEXT.findall(text)):
        yield from _FILED[word]


def match(text: str) -> tuple[Known, dict[str, Any]] | None:
    """Return the wording of *text* with its fields, or None if it is none that is known."""
    for known in _candidates(text):
        if known.wording.key in text:
            fields = known.wording.match(text)
            if fields is not None:
                return known, fields
    return None


def breaks_off(text: str) -> bool:
    """Tell whether *text* ends within a known wording."""
    return any(known.wording.broken(text) for known in _candidates(text))
