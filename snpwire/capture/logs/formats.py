"""Every format that is known, filed under a word by which its lines are found.

A log has few of the formats, so a module of them is imported once a word of its own is found.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import LayoutError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    "Hash comp", "Hash GUID", "in MEMFD", "discarding of RAM", "SecVirtPrepare(",
    "SystemEvent(", "kvm_amd: unk", "OVMF table", "Error setting a new snp", "VLEK", "VCEK",
    "the Attestat", "by the AMD ", "AMD ARK is", "Unable to fetch cert", "ECDSA ver",
    "product name (", "querying cert",
    "/dev/sev", "sev_", "sev-snp-guest", "kvm run failed", "firmware error", "range policy[0x",
    "mbz range [0x", "info bit(s)", "Expected between", "QEMU binary", "sev supported=",
    "Command Unsuccessful",
    "VMCB", "kvm_rmp_fault", "snp-page ", "snp-command ", "sev_do_cmd_locked", "LOST ", "Lost ",
    "EVENTS DROPPED]",
)  # fmt: skip
"""Every format has one of these words: lines without any of them are skipped."""

_LONGER = {"ccp ": "ccp 0000:", "snp-command ": " t="}
"""What the lines of an anchor have in its place: a longer word is found faster."""
_PIVOTS = "LqGFM(=C_vSca"
"""Characters at which one expression looks for the words: each has one of them, and a log few."""


def _pivot(word: str) -> int:
    """Return where one of those characters is in *word*, at best before others of the word."""
    places = [word.index(char) for char in _PIVOTS if char in word]
    if not places:
        raise LayoutError(f"none of {_PIVOTS!r} is in the word {word!r}")
    return next((place for place in places if place < len(word) - 1), places[0])


def _search(words: Iterable[str]) -> str:
    """Return an expression that finds words, each by its character at a place.

    One of all words as they are would stop at every second character of a log to try them. This
    one stops at those characters, and looks at what is behind them, and then before them.
    """
    around: dict[str, list[str]] = {}
    for word in words:
        place = _pivot(word)
        before = f"(?<={re.escape(word)})" if place else ""
        around.setdefault(word[place], []).append(re.escape(word[place + 1 :]) + before)
    return "|".join(f"{re.escape(char)}(?:{'|'.join(rest)})" for char, rest in around.items())


_TEXT = re.compile(_search(ANCHORS))
_NEXT = 3  # characters next to an anchor, which tell its wordings apart
_FIXED = re.compile(rf"[^\0'\"`]{{{_NEXT}}}")
_FEW = 8  # wordings that are told apart as fast without
_REMEMBERED = 64
_LEAST = 8
"""Characters of the shortest format, at most."""
_BYTES = re.compile(_search(_LONGER.get(word, word) for word in ANCHORS).encode())

WORDS: dict[str, tuple[str, ...]] = {
    "rmp": ("RMP", "PFN", "SNP", "rmpupdate failed"),
    "boot": ("RMP", "SNP", "SME", "Linux version ", "ommand line: "),
    "psp": ("SNP", "SEV", "SME", "ccp "),
    "psp.OPERATIONS": ("SNP", "SEV", "ccp "),
    "kvm_module": ("SNP", "SEV", "kvm_amd/param", "kvm_amd: unk"),
    "ccp": ("sev command", "(in):", "(out):", "cmdbuff"),
    "tio": ("SEV", "SFS", "ccp ", "TSM ", "SSESSION", "Stream for class", "CFG/TEE"),
    "kvm": (
        *("vmgexit", "GHCB", "KVM", "VMSA", "SNP", "SEV", "RMP", "PFN"),
        *("sev_", "fw_err", "gmem_p"),
    ),
    "kvm_pages": ("PFN", "GPA 0x", "psmash"),
    "dumps": ("GHCB", "VMSA"),
    "vmcb": ("VMCB",),
    "termination": ("SEV",),
    "ftrace": ("exit_reason ", "ghcb_gpa ", "psmash"),
    "trace_members": ("vmgexit", "kvm_rmp_fault"),
    "trace_loss": ("LOST ", "Lost ", "EVENTS DROPPED]"),
    "pages": ("snp-page ", "snp-command ", "vmgexit", "sev_"),
    "guest": (
        *("VMPCK", "vmpck", "ASP", "fw_err", "[seqno"),
        *("sequence counter", "slots conveyed", "data truncated"),
    ),
    "guest_kernel": (
        *("SEV", "SNP", "#VC", "PSC", "CPUID", "VMPL", "PVALIDATE"),
        *("exit-code 0x", "change page state", "reserved=0x"),
    ),
    "qemu_cpuid": ("CPUID", "ed: eax:0x"),
    "qemu": ("fw_err",),
    "qemu_options": ("/dev/sev", "sev-snp-guest"),
    "qemu_setup": (
        *("SEV", "SNP", "KVM", "CPUID", "sev_", "sev-snp-guest", "RAM discard"),
        "discarding of RAM",
    ),
    "qemu_run": ("KVM", "GPA 0x", "vmgexit", "kvm run failed"),
    "libvirt": ("QEMU binary", "sev supported="),
    "iommu": ("RMP", "SNP", "SME", "AMD-Vi"),
    "qemu_trace": ("sev_",),
    "svsm": (
        *("SVSM", "GHCB", "SNP", "#VC", "Required features", "Unsupported features"),
        *("Fatal error h", "Soft error h"),
    ),
    "svsm_statements": (
        *("SVSM", "COCONUT", "SEV", "SNP", "RMP", "GHCB", "CPUID", "PVALIDATE"),
        "Alternate inj",
    ),
    "svsm.OTHERS": ("SVSM",),
    "ovmf": (
        *("SEV", "SNP", "VMSA", "SVSM", "MMIO using", "MMIO opcode", "MMIO region as"),
        *("X64 Exception", "Failed to Val", "Failed to Inv", "Hash comp", "Hash GUID", "in MEMFD"),
    ),
    "hypervisors": (
        *("SEV", "SNP", "GHCB", "VMGEXIT", "vmgexit", "/dev/sev", "Unhandled exit"),
        *("SystemEvent(", "SecVirtPrepare(", "KnownSevError"),
    ),
    "host_tools": ("SNP", "VLEK", "Error setting a new snp"),
    "key_server": (
        *(
            "SEV",
            "VCEK",
            "VLEK",
            "TCB",
            "AMD ARK is",
            "by the AMD ",
            "product name (",
            "OVMF table",
        ),
        *("Unable to fetch cert", "ECDSA ver", "querying cert", "the Attestat"),
    ),
    "guest_tools": (
        *("SEV", "/dev/sev", "firmware error", "Status Code", "Command Unsuccessful"),
        *("Error Encountered", "KnownSevError", "Skipped bytes"),
    ),
    "verifiers": (
        *("SEV", "SNP", "range policy[0x", "mbz range [0x", "info bit(s)", "Expected between"),
    ),
    "tcb_versions": ("TCB",),
    "host_checks": (
        *("SEV", "SNP", "SME", "RMP", "KVM", "VMPL", "VMSA", "/dev/sev", "C-bit loc"),
        *("Alias check", "Physical address bit", "Permission Levels"),
    ),
}
"""The formats of each module, here or under another name than ``FORMATS``, and their words.

The word of a wording is the last one in it. A module is imported once one of its words is found.
"""


class Formats:
    """The formats of a family; those of each module are there once they are asked for."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def __iter__(self) -> Iterator[Format]:
        """Yield each of them, importing the modules."""
        for name in self.names:
            yield from _declared(name)


def _declared(name: str) -> tuple[Format, ...]:
    """Return the formats that a module declares, importing it."""
    module, _, variable = name.partition(".")
    formats: tuple[Format, ...]
    formats = getattr(import_module(f".{module}", __package__), variable or "FORMATS")
    return formats


FAMILIES: dict[str, tuple[str, Formats]] = {
    "rmp": ("RMP entries, and failures on them", Formats("rmp")),
    "boot": ("SNP initialisation of a host", Formats("boot", "psp", "kvm_module")),
    "ccp": (
        "firmware commands, with their buffers",
        Formats("ccp", "psp.OPERATIONS", "tio"),
    ),
    "kvm": (
        "requests that KVM refused, and pages that it dumps",
        Formats("kvm", "kvm_pages", "dumps", "vmcb"),
    ),
    "term": ("guests that terminated themselves", Formats("termination")),
    "trace": ("KVM tracepoints", Formats("ftrace", "trace_members", "trace_loss")),
    "page": ("pages that a capture script prints", Formats("pages")),
    "guest": ("guest kernel and guest driver", Formats("guest", "guest_kernel")),
    "qemu": (
        "QEMU: launches that failed, and guests that it stopped",
        Formats("qemu_cpuid", "qemu", "qemu_setup", "qemu_options", "qemu_run", "libvirt"),
    ),
    "iommu": ("the IOMMU's part in SNP, and its events about the RMP", Formats("iommu")),
    "launch": ("QEMU's trace of a launch: what was measured", Formats("qemu_trace")),
    "svsm": ("an SVSM at VMPL 0", Formats("svsm", "svsm_statements", "svsm.OTHERS")),
    "ovmf": ("OVMF, the guest's firmware", Formats("ovmf")),
    "vmm": ("Cloud Hypervisor, OpenVMM and OpenHCL", Formats("hypervisors")),
    "tools": (
        "tools of guests and hosts, and verifiers",
        Formats(
            *("host_tools", "guest_tools", "verifiers", "key_server"),
            *("tcb_versions", "host_checks"),
        ),
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
    mark: str
    """What must follow the last of them, or else precede it: empty if both may vary."""


_Row = tuple[str, IndexEntry]
"""The longest word of a wording, and the wording."""


class _Wordings:
    """The wordings under one anchor, in the order in which they are tried."""

    def __init__(self, word: str, entries: list[IndexEntry]) -> None:
        self.broken: dict[str, list[Template]] = {}
        """Those that begin with a text, by that: a line may break off within them."""
        self._word = word
        self._all = [(entry.wording.key, entry) for entry in entries]
        self._least = min((entry.wording.least for entry in entries), default=0)
        self._marks = frozenset(entry.mark for entry in entries)
        self._chosen = lru_cache(maxsize=_REMEMBERED)(self._with)
        for entry in entries:
            if first := entry.wording.literals[0]:
                self.broken.setdefault(first, []).append(entry.wording)

    def within(self, text: str) -> list[_Row]:
        """Return those that may be in *text*, by what is next to the anchor there."""
        if len(text) < self._least:
            return []
        if len(self._all) < _FEW:
            return self._all
        parts = text.split(self._word)
        if len(parts) == 2:
            return self._chosen(self._marks.intersection((parts[0][-_NEXT:], parts[1][:_NEXT])))
        marks = [part[:_NEXT] for part in parts]
        marks += [part[-_NEXT:] for part in parts]
        return self._chosen(self._marks.intersection(marks))

    def _with(self, marks: frozenset[str]) -> list[_Row]:
        return [row for row in self._all if not row[1].mark or row[1].mark in marks]


class _Index(dict[str, _Wordings]):
    """The wordings under the last anchor in them, as ``_TEXT`` finds it."""

    def __init__(self) -> None:
        self._modules: dict[str, dict[str, list[IndexEntry]]] = {}
        self.places = [
            (family, name) for family, (_, formats) in FAMILIES.items() for name in formats.names
        ]
        """Where wordings come from, in the order in which they are tried."""

    def __missing__(self, piece: str) -> _Wordings:
        """Return the wordings of an anchor, importing the modules that have some."""
        entries: list[IndexEntry] = []
        for family, name in self.places:
            if any(piece in _TEXT.findall(word) for word in WORDS[name]):
                entries += self.module(family, name).get(piece, [])
        self[piece] = _Wordings(_word_of(piece), entries)
        return self[piece]

    def module(self, family: str, name: str) -> dict[str, list[IndexEntry]]:
        """Return the wordings of a module by their anchors. Raises LayoutError if one has none."""
        if name not in self._modules:
            self._modules[name] = _entries(family, name)
        return self._modules[name]


@cache
def _word_of(piece: str) -> str:
    """Return the anchor that ``_TEXT`` finds as *piece*."""
    return next(word for word in ANCHORS if piece in _TEXT.findall(word))


def _entries(family: str, name: str) -> dict[str, list[IndexEntry]]:
    entries: dict[str, list[IndexEntry]] = {_TEXT.findall(word)[-1]: [] for word in WORDS[name]}
    for fmt in _declared(name):
        for wording in fmt.wordings:
            text = "\0".join(wording.literals)
            found = list(_TEXT.finditer(text))
            if not found or (piece := found[-1][0]) not in entries:
                raise LayoutError(f"no anchor of {name} finds {wording.text!r}")
            mark = _mark(text, found[-1].end(), _word_of(piece))
            entries[piece].append(IndexEntry(family, fmt, wording, len(found), mark))
    return entries


def _mark(text: str, end: int, word: str) -> str:
    """Return what is always behind a word of a format that ends there, or else before it."""
    near = text[end : end + _NEXT], text[: end - len(word)][-_NEXT:]
    return next(filter(_FIXED.fullmatch, near), "")


_INDEX = _Index()


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
    for word in dict.fromkeys(words) if len(words) > 1 else words:
        for key, entry in _INDEX[word].within(text):
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
    if len(before) >= _LEAST:
        found = [*occurrences(before), first]
    if len(after) >= _LEAST:
        end = first.end
        found += [p._replace(start=p.start + end, end=p.end + end) for p in occurrences(after)]
    return found


def match(text: str) -> tuple[IndexEntry, dict[str, Any]] | None:
    """Return the wording of *text* with its fields, or None if it is none that is known."""
    found = _occurrence(text)
    return None if found is None else (found.entry, found.fields)


def breaks_off(text: str) -> bool:
    """Return whether *text* ends within a known wording."""
    from .template import BEGUN  # not before there is a line

    tail = text[-BEGUN:]
    for word in dict.fromkeys(_TEXT.findall(text)):
        for first, wordings in _INDEX[word].broken.items():
            begun = first in text or tail in first
            if begun and any(wording.broken(text) for wording in wordings):
                return True
    return False


class Hits:
    """Where the anchors are in a block of bytes."""

    def __init__(self, block: bytes) -> None:
        self._block = block

    def after(self, at: int) -> int:
        """Return the place of the first anchor from *at* on, or the block's size."""
        found = _BYTES.search(self._block, at)
        return found.start() if found else len(self._block)
