"""Topics of ``explain`` about TCB versions and mitigations.

A TCB version is a number, its components as tools print them, or eight bytes in memory order. Of a
report all four are explained: who sets each, and what SNP_COMMIT and SNP_CONFIG would do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ...errors import UsageError
from ...numeral import reading
from ...wire.tcb import TcbClassic, TcbLayout, TcbTurin
from ..meaning import word_fields
from ..table import Row
from ..text import int_text
from .topic import Question, Topic, note_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...advisory import Sign
    from ...product import ProductDecision
    from ...wire.report import Report

NAMES = {
    "bl": "boot_loader",
    "bootloader": "boot_loader",
    "tee": "tee",
    "snp": "snp",
    "snpfw": "snp",
    "snpfirmware": "snp",
    "ucode": "microcode",
    "microcode": "microcode",
    "fmc": "fmc",
}
"""Names of components in tools and in addresses of the key server, without marks and ``SPL``."""
ORDER = ("fmc", "boot_loader", "tee", "snp", "microcode")
_PART = re.compile(
    r"([A-Za-z][A-Za-z_ -]{0,24}?)\"?\s{0,24}[:=]\s{0,24}(?:Some\()?"
    r"\"?(0x[0-9a-fA-F]{1,16}|\d{1,20}|[Nn]one|null)\b"
)
_WORDS = re.compile(r"\b([A-Za-z]{2,12}(?:[ _-](?i:svn|spl))?) +(0x[0-9a-fA-F]{1,4}|\d{1,5})\b")
SETTERS = {
    "current": "what runs: firmware of BIOS or DOWNLOAD_FIRMWARE_EX, and the microcode",
    "committed": "the floor: SNP_COMMIT makes it the current one, and nothing lowers it",
    "reported": "the host, by SNP_CONFIG (SNP_SET_CONFIG); 0 there means: as committed",
    "launch": "fixed: what ran when the guest was launched or imported",
}
"""Each TCB version of a report, and who sets it."""


class Spelling(NamedTuple):
    """A TCB version as it was given."""

    value: int
    layout: TcbLayout | None
    """The layout that the form shows; None for a number."""
    notes: tuple[Row, ...] = ()


def tcb(question: Question) -> Iterator[Row]:
    """Explain a TCB version, those of a report, or what advisories want of one.

    Without a product a number is explained in each of the two layouts.
    """
    from ...product import product_named
    from ...wire.tcb import PRODUCTS
    from .advisory import compared_levels, least_levels

    row = product_named(question.product) if question.product else None
    if question.report is not None:
        yield from report_rows(question.report, question.product)
        return
    if not question.text:
        yield from least_levels(row)
        return
    spelling = spelt(question.text, row.layout if row else None)
    yield from spelling.notes
    if row:
        yield from _tcb(spelling.value, row.layout, f"as asked for: {row.name}")
        yield from compared_levels(row, row.layout.word(spelling.value))
        return
    if spelling.layout is None:
        yield _layout_row(spelling.value)
    for layout in [spelling.layout] if spelling.layout else TcbLayout:
        names = " ".join(row.name for row in PRODUCTS if row.layout is layout)
        yield from _tcb(spelling.value, layout, f"if it is {names}")


def _layout_row(value: int) -> Row:
    fitting = [str(layout) for layout in TcbLayout if not layout.word(value).unknown]
    if len(fitting) == 1:
        text = "in the other, reserved bits are set; --product decides"
        return Row("", "", "tcb layout", f"{fitting[0]}, likely", text)
    text = "the number does not show it; use --product"
    return Row("", "", "tcb layout", "unknown", text)


def _tcb(number: int, layout: TcbLayout, reason: str) -> Iterator[Row]:
    value = layout.word(number)
    yield Row("", "", f"tcb layout {layout}", int_text(value, 8), reason)
    yield from (field.row() for field in word_fields(value))


def spelt(text: str, layout: TcbLayout | None) -> Spelling:
    """Return the TCB version that *text* spells. Raises UsageError."""
    found_parts = _PART.findall(text) or _WORDS.findall(text)
    named = {_plain(name): value for name, value in found_parts}
    parts = {NAMES[name]: value for name, value in named.items() if name in NAMES}
    if parts:
        return _of_parts(parts, layout, "by the names of its components")
    pairs = text.split()
    if len(pairs) == 8 and all(re.fullmatch("[0-9a-fA-F]{2}", pair) for pair in pairs):
        value = int.from_bytes(bytes.fromhex("".join(pairs)), "little")
        return Spelling(value, None, (Row("", "", "read as", hex(value), "8 bytes, lowest first"),))
    numbers = re.findall(r"\d+", text)
    if len(numbers) == 8 and re.fullmatch(r"[\s\d,()\[\]]+", text) and max(map(int, numbers)) < 256:
        value = int.from_bytes(bytes(map(int, numbers)), "little")
        note = Row("", "", "read as", hex(value), "8 decimal bytes, lowest first")
        return Spelling(value, None, (note,))
    if len(numbers) in (4, 5) and re.fullmatch(r"[\s\d,./;:()\[\]-]+", text):
        order = ORDER[-len(numbers) :]
        how = f"decimals, in the order {' '.join(order)}"
        return _of_parts(dict(zip(order, numbers, strict=True)), layout, how)
    found = reading(text, possible=possible)
    return Spelling(found.value, None, tuple(note_rows(found)))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower()).removesuffix("svn").removesuffix("spl")


def _of_parts(parts: dict[str, str], layout: TcbLayout | None, how: str) -> Spelling:
    """Return the version of named components. Raises UsageError for one too large."""
    levels = {name: _level(name, text) for name, text in parts.items() if text[:1].isdigit()}
    given = TcbLayout.TURIN if "fmc" in levels else TcbLayout.CLASSIC
    if layout is TcbLayout.CLASSIC and given is TcbLayout.TURIN:
        raise UsageError("the product has no component fmc: Turin and later have")
    chosen = layout or given
    value = chosen.word.of(**levels)
    missing = " ".join(name for name in chosen.word.BITS if name not in levels)
    note = f"{how}; not given, taken as 0: {missing}" if missing else how
    return Spelling(value, chosen, (Row("", "", "read as", int_text(value, 8), note),))


def _level(name: str, text: str) -> int:
    level = int(text, 16 if text[:2].lower() == "0x" else 10)
    if level > 0xFF:
        raise UsageError(f"{name} {text} does not fit 8 bits")
    return level


def possible(value: int) -> bool:
    """Return whether a TCB version of either layout has all its reserved bits zero."""
    return not value & ~TcbClassic.KNOWN or not value & ~TcbTurin.KNOWN


def report_rows(data: bytes, product: str | None) -> Iterator[Row]:
    """Yield the four TCB versions of a report, who sets them, and what can be changed."""
    from ...product import decide
    from ...wire.report import Report

    report = Report.parse(data)
    decision = decide(report, product=product)
    yield Row("", "", "tcb layout", str(decision.layout), decision.reason)
    for name, setter in SETTERS.items():
        value = decision.tcb(getattr(report, f"{name}_tcb"))
        yield Row("", "", f"{name}_tcb", int_text(value, 8), _parts(value))
        yield Row("", "", "  set by", "", setter)
    yield from _changes(report, decision)


def _parts(value: TcbClassic | TcbTurin) -> str:
    fields = sorted(value.BITS.values(), key=lambda field: field.low)
    return " ".join(f"{field.name} {field.value(value)}" for field in fields)


def _changes(report: Report, decision: ProductDecision) -> Iterator[Row]:
    current, committed = decision.tcb(report.current_tcb), decision.tcb(report.committed_tcb)
    raised = _difference(committed, current)
    text = f"committed: {raised}; cannot be undone" if raised else "committed is what runs"
    yield Row("", "", "SNP_COMMIT", "changes" if raised else "changes nothing", text)
    reported = decision.tcb(report.reported_tcb)
    allowed = f"reported: from 0 to {int_text(committed, 8)}, more gives INVALID_PARAM"
    yield Row("", "", "SNP_CONFIG", "may set", allowed)
    lower = _difference(reported, committed)
    if lower:
        yield Row("", "", "  now", "below it", f"{lower} would be possible")
    yield Row("", "", "certificate", "changes", "with reported: another VCEK, to be fetched anew")


def _difference(before: TcbClassic | TcbTurin, after: TcbClassic | TcbTurin) -> str:
    pairs = ((f.name, int(f.value(before)), int(f.value(after))) for f in before.BITS.values())
    return ", ".join(f"{name} {old} to {new}" for name, old, new in pairs if old != new)


def mitigations(question: Question) -> Iterator[Row]:
    """Explain a mitigation vector: its bits, which no source names, and what advisories want."""
    from ...product import product_named

    chosen = product_named(question.product).name if question.product else ""
    value = question.number()
    places = " ".join(str(n) for n in range(64) if value >> n & 1)
    yield Row("", "", "mitigations", int_text(value, 8), f"bits {places}" if places else "none")
    text = "a set: a bit has a meaning for one product alone, and no document names any"
    yield Row("", "", "read", "by bits", text)
    for label, sign in _signs(chosen):
        state = "set" if all(value >> n & 1 for n in sign.least) else "not set"
        yield Row("", "", label, f"{sign.product}: {state}", f"{sign.text}; {sign.source}")


def wanted_mitigations() -> Iterator[Row]:
    """Yield the bits that advisories want, of each product."""
    for label, sign in _signs(""):
        yield Row("", "", label, sign.product, f"{sign.text}; {sign.source}")


def _signs(product: str) -> Iterator[tuple[str, Sign]]:
    from ...advisory import table

    for row in table().advisories:
        for sign in row.signs:
            if sign.what == "mitigations" and product in ("", sign.product):
                yield row.label, sign


TOPICS = {
    "tcb": Topic(
        tcb,
        "a TCB version in any spelling, of --product; of a report: --report FILE",
        optional=True,
        width=64,
        possible=possible,
    ),
    "mit-vector": Topic(
        mitigations,
        "a mitigation vector of a report, of --product",
        width=64,
        base=16,
        rows=wanted_mitigations,
    ),
}
