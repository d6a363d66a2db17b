"""A dump that was damaged on its way is read right or refused, whatever program made it.

What no reader can see is left out: a digit in place of another one, and lines that are missing,
doubled or moved in a dump without offsets. A dump that was cut may be read as far as it goes.
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import pytest
from byteforms import MAKES
from hypothesis import given, settings
from hypothesis import strategies as st

from snpwire.capture import read
from snpwire.errors import InputError

SIZES = st.sampled_from([64, 96, 72])


class Damage(NamedTuple):
    """What happened, to which line, at which column."""

    what: str
    line: int
    column: int
    char: str


WHAT = (
    "missing doubled wrapped quoted cut row-cut twice two char moved joined words digit-lost"
    " offset-lost"
)
DAMAGES = st.builds(
    Damage,
    what=st.sampled_from(WHAT.split()),
    line=st.integers(0, 20),
    column=st.integers(0, 90),
    char=st.sampled_from(" gx.|"),
)
"""``two`` is another dump behind this one, ``row-cut`` one line that ends early."""


def damaged(text, damage, other):
    """Return *text* after what happened to it."""
    lines = text.splitlines()
    at = damage.line % len(lines)
    line, column = lines[at], damage.column % (len(lines[at]) + 1)
    width = 30 + column
    whole = {
        "missing": lambda: lines[:at] + lines[at + 1 :],
        "doubled": lambda: lines[: at + 1] + lines[at:],
        "wrapped": lambda: [
            part[n : n + width] for part in lines for n in range(0, max(len(part), 1), width)
        ],
        "quoted": lambda: ["> " + part for part in lines],
        "cut": lambda: [*lines[:at], line[:column]],
        "twice": lambda: lines + lines,
        "two": lambda: [*lines, "", *other.splitlines()],
        "moved": lambda: lines[:at] + lines[at : at + 2][::-1] + lines[at + 2 :],
        "joined": lambda: [*lines[:at], " ".join(lines[at : at + 2]), *lines[at + 2 :]],
        "words": lambda: [*lines[:at], "some words", *lines[at:]],
    }
    one = {
        "row-cut": line[:column],
        "char": line[:column] + damage.char + line[column + 1 :],
        "digit-lost": line[:column] + line[column + 1 :],
        "offset-lost": line.lstrip().partition(" ")[2],
    }
    if damage.what in whole:
        made = whole[damage.what]()
    else:
        made = [*lines[:at], one[damage.what], *lines[at + 1 :]]
    return "\n".join(made) + "\n"


@pytest.mark.parametrize("make", MAKES)
@settings(max_examples=60)
@given(
    size=SIZES,
    patch=st.binary(min_size=16, max_size=64),
    damage=DAMAGES,
    sized=st.booleans(),
)
def test_a_damaged_dump_is_read_right_or_refused(make, size, patch, damage, sized):
    data = (patch + bytes(range(160, 256)))[:size]
    made = damaged(MAKES[make](data), damage, MAKES[make](data[::-1]))

    found = None
    with contextlib.suppress(InputError):
        found = read(
            made.encode(), "auto" if sized else "hex", sizes=size.__eq__ if sized else None
        )

    unseen = damage.what == "char" and (
        make == "od -c" or (make in ("od -tu1", "od -td1") and damage.char == " ")
    )  # one character becomes another, 110 becomes 10
    if found is None or found.form == "raw" or unseen:
        return
    assert found.data == data or _is_rest(found, damage, data, made), made


def _is_rest(found, damage, data, made):
    """Return whether what was read is all that the damage left, as far as anyone can tell."""
    if damage.what in ("missing", "row-cut") and data.endswith(found.data):
        return any(note.startswith("offsets start at") for note in found.notes)
    stump = len(made.splitlines()) < 5  # hardly a row, and no other tells what it was
    ends = damage.what in ("missing", "row-cut", "cut", "offset-lost", "digit-lost", "char")
    return ends and (stump or data.startswith(found.data))
