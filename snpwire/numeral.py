"""Numbers as programs print them: in hex with ``0x`` or without, in decimal, signed, in groups.

One rule for every number that a person gives. What is marked is taken as marked: ``0x``, ``0b``,
``0o``, an ``h`` behind it. Letters without a mark are hex, and so are leading zeros, which only
hex is printed with. Digits alone may be either. They are taken the one way if the number can be
only that one, or if such numbers are always printed so; else they are refused, with both readings.
Nothing is decided in silence: a reading says what it was decided by.

A negative number is the signed print of a register: 64 bits wide, or 32.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .errors import UsageError, cut, shown

if TYPE_CHECKING:
    from collections.abc import Callable

HEX, DECIMAL = 16, 10
_LONGEST = 140
"""More characters than 128 bits need in binary."""
_BEFORE = "([{<=#$\"'`"
_BEHIND = ",;:.)]}>\"'`"
_TYPE = r"_?(?:[ui](?:8|16|32|64|128|size)|u?ll?|llu|lu|u)"
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?)(?:(?P<mark>0x|0b|0o)(?P<marked>[0-9a-f]+?)"
    rf"|(?P<h>[0-9a-f]+)h|(?P<digits>[0-9a-f]+?))(?:{_TYPE})?"
)
_BASES = {"0x": 16, "0b": 2, "0o": 8}


class Reading(NamedTuple):
    """One value that a text may have, and how it is read then."""

    value: int
    form: str
    base: int = 0
    """16 or 10 where the text has no mark of either."""
    other: int | None = None
    """The value in the other base."""

    @property
    def note(self) -> str:
        """Return how the text was read, or nothing where that is beyond doubt."""
        if self.other is None:
            return self.form
        base = "decimal" if self.base == HEX else "hex"
        return f"{self.form}; in {base} it would be {self.other:#x}"


def readings(text: str) -> tuple[Reading, ...]:
    """Return each value that *text* may have, or none if it is no number."""
    found = _NUMBER.fullmatch(_joined(text)) if len(text) <= _LONGEST else None
    if found is None:
        return ()
    digits, mark = found["digits"], found["mark"]
    marked = found["marked"] or found["h"]
    if mark in ("0b", "0o") and not set(marked) <= set("01234567"[: _BASES[mark]]):
        digits, marked = (mark + marked, "") if mark == "0b" else ("", "")
    if found["sign"] == "-":
        if not (digits or marked) or (digits and not digits.isdecimal()):
            return ()  # hex is printed without a sign
        return _negative(int(marked or digits, DECIMAL if digits else _BASES.get(mark, HEX)))
    if marked:
        return (Reading(int(marked, _BASES.get(mark, HEX)), "" if mark else "hex, by its h"),)
    return _unmarked(digits) if digits else ()


def _joined(text: str) -> str:
    """Return *text* without what is around a number and between its groups of digits."""
    bare = text.strip().lstrip(_BEFORE).rstrip(_BEHIND).strip().lower()
    groups = re.split(r"[ _`']", bare)
    if any(groups) and all(groups):
        split = " " in bare and not all(len(group) in (4, 8) for group in groups[1:])
        return bare if split else "".join(groups)
    return bare


def _unmarked(digits: str) -> tuple[Reading, ...]:
    value = int(digits, 16)
    if not digits.isdecimal():
        return (Reading(value, "hex, without 0x"),)
    if digits.startswith("0") and value:
        return (Reading(value, "hex, without 0x, by its leading zeros"),)
    number = int(digits)
    if number == value:
        return (Reading(value, ""),)
    return (
        Reading(value, "hex, without 0x", HEX, number),
        Reading(number, "decimal", DECIMAL, value),
    )


def _negative(size: int) -> tuple[Reading, ...]:
    """Return the register of 64 bits, and of 32, that a signed number was printed of."""
    if not size:
        return (Reading(0, ""),)
    widths = (width for width in (64, 32) if size <= 1 << width - 1)
    return tuple(
        Reading((1 << width) - size, f"a signed number of {width} bits") for width in widths
    )


def reading(
    text: str,
    *,
    width: int = 64,
    base: int = 0,
    possible: Callable[[int], bool] | None = None,
    name: Callable[[int], str] = lambda value: "",
) -> Reading:
    """Return the one value that *text* has.

    *base* is that in which such numbers are always printed, *possible* says whether there is such a
    number, *name* what it is called. Raises UsageError if *text* is no number, too wide, or two
    numbers equally well.
    """
    found = readings(text)
    if not found:
        raise UsageError(f"{shown(text)} is no number")
    fitting = tuple(row for row in found if row.value < 1 << width)
    if not fitting:
        raise UsageError(f"{cut(text)} does not fit {width} bits")
    likely = tuple(row for row in fitting if possible is None or possible(row.value))
    usual = tuple(row for row in likely or fitting if base and row.base == base)
    marked = not any(row.base for row in found)
    for choice in (fitting if marked else (), likely if marked or not base else usual):
        if len(choice) == 1:
            return choice[0]
    raise _doubt(text, found, name)


def _doubt(text: str, found: tuple[Reading, ...], name: Callable[[int], str]) -> UsageError:
    names = [name(row.value) for row in found]
    forms = [
        f"{row.form}: {known}" if known else row.form
        for row, known in zip(found, names, strict=True)
    ]
    texts = " or ".join(f"{row.value:#x} ({form})" for row, form in zip(found, forms, strict=True))
    return UsageError(f"{cut(text)} can be read as two numbers", help=f"write {texts}")


def ascii_text(value: int) -> str:
    """Return what a number spells, least byte first, if all its bytes are text; else nothing."""
    data = value.to_bytes((value.bit_length() + 7) // 8, "little")
    plain = len(data) >= SPELT and all(0x20 <= byte < 0x7F or byte in b"\t\n\r" for byte in data)
    return data.decode("ascii") if plain else ""


SPELT = 6
"""Bytes of a number that must all be text before it is called one: fewer are so by chance."""
