"""Decide in which base the numbers of a list are printed, and read them as bytes.

Two digits without a letter are a byte in either base, so one of these has to decide: what the
caller asked for; the language, where its name or its marks stand around the list; a number that
only one base has. Where nothing decides the list is refused with both readings, unless every number
has one digit, which both bases read alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..errors import InputError

NUMBER = re.compile(r"-?[0-9]{1,4}|[0-9a-fA-F]{1,4}", re.ASCII)
BASES = {"decimal": 10, "hex": 16, "octal": 8, "binary": 2}
_NAMES = {base: name for name, base in BASES.items()}


class Numbers(NamedTuple):
    """Numbers as they are printed, without what names their base, and what is known of it."""

    words: Sequence[str]
    fail: Callable[[int, str, str], InputError]
    """Makes an error of the number at an index, a reason and a help."""
    base: int = 0
    """Of the language; 0 if it may print either."""
    usual: int = 0
    """Where nothing else decides; 0 if both are as likely."""
    why: str = ""


def values(numbers: Numbers, asked: int = 0) -> tuple[bytes, str, str]:
    """Return the bytes, the name of the base, and a note if there was something to decide."""
    base, why = (asked, "as asked") if asked else _base(numbers)
    data = bytes(_value(numbers, at, base) for at in range(len(numbers.words)))
    signed = any(word[0] == "-" for word in numbers.words)
    for at, word in enumerate(numbers.words if signed else ()):
        if word[0] != "-" and data[at] > 127:
            raise numbers.fail(at, f"{word} among signed bytes, which go to 127", "")
    told = any(len(word) > 1 for word in numbers.words)
    note = f"{len(data)} numbers read as {_NAMES[base]}, {why}" if told else ""
    return data, _NAMES[base], note


def _base(numbers: Numbers) -> tuple[int, str]:
    """Return the base that something decides, and what. Raises InputError if nothing does."""
    words = numbers.words
    if numbers.base:
        return numbers.base, numbers.why
    if any(word[0] == "-" for word in words):
        return 10, "as some are negative"
    padded = next((word for word in words if len(word) > 1 and word[0] == "0"), "")
    return _by_digits(numbers, padded)


def _by_digits(numbers: Numbers, padded: str) -> tuple[int, str]:
    """Return the base by the digits of the numbers, of which *padded* begins with a zero."""
    words, widest = numbers.words, max(numbers.words, key=len)
    if len(widest) > 2:
        sure = not padded or not _is_octal(words)
        return (10, f"as {widest} has {len(widest)} digits") if sure else _undecided(numbers, 8)
    if padded and (lone := next((at for at, word in enumerate(words) if len(word) == 1), -1)) >= 0:
        reason = f"{words[lone]} has one digit, and {padded} begins with 0: these are no one list"
        raise numbers.fail(lone, reason, "cut the bytes out")
    if letter := next((word for word in words if not word.isdecimal()), ""):
        return 16, f"as {letter} has a letter"
    if padded and numbers.usual != 10:
        return 16, f"as {padded} begins with 0"
    if numbers.usual and not padded:
        return numbers.usual, numbers.why
    return _undecided(numbers, 8 if padded and _is_octal(words) else 16)


def _is_octal(words: Sequence[str]) -> bool:
    return all(not word.strip("01234567") and int(word, 8) < 256 for word in words)


def _undecided(numbers: Numbers, other: int) -> tuple[int, str]:
    """Raise an error that names both readings of a number, if there is one that has two."""
    name = _NAMES[other]
    for at, word in enumerate(numbers.words):
        if int(word) != int(word, other):
            reason = f"decimal or {name}? nothing decides whether {word} is {int(word)}"
            both = f"{reason} or {int(word, other)}"
            raise numbers.fail(at, both, f"--from decimal or --from {name}")
    return 10, f"which {name} agrees with"


def _value(numbers: Numbers, at: int, base: int) -> int:
    """Return one number; a negative one is a signed byte."""
    word = numbers.words[at]
    try:
        value = int(word, base)
    except ValueError:
        raise numbers.fail(at, f"{word!r} is no {_NAMES[base]} number", "") from None
    if not -128 <= value < 256:
        raise numbers.fail(at, f"{word} is no byte, which goes to {_most(base)}", "")
    return value & 0xFF


def _most(base: int) -> str:
    return {10: "255", 16: "ff", 8: "377", 2: "11111111"}[base]
