r"""Read what a terminal shows of a text: colours taken off, and the cursor's moves carried out.

A transcript holds what was sent to a terminal, not what stood there. Colours and titles show
nothing. A line editor, such as that of QEMU's monitor, writes a line again for every key, moving
the cursor left and erasing; so a line with such moves is written as the terminal does: from where
the cursor is, over what is there.
"""

from __future__ import annotations

import re

ESCAPE, BACKSPACE = "\x1b", "\b"

_SEQUENCE = re.compile(
    r"""\x1b(?:
        \[([0-?]{0,32})[ -/]{0,4}([@-~])         # a control sequence: its numbers, what it does
      | \][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)     # a title or a link
      | [()*+\#%][0-9A-Za-z@]                    # a set of characters
      | [=>78cDEHMNOZ\\]
    )""",
    re.VERBOSE | re.ASCII,
)
_MOVES = re.compile(r"\x1b\[[0-9]{0,4}[CDGKP]|\x08|\r(?!\n)", re.ASCII)
_WIDEST = 4096  # where a cursor can stand


def shown(text: str) -> str:
    """Return *text* without control sequences, its line ends as they are."""
    if ESCAPE not in text and BACKSPACE not in text:
        return text
    return "\n".join(map(_line, text.split("\n")))


def _line(line: str) -> str:
    """Return what one line shows."""
    end = "\r" if line.endswith("\r") else ""
    body = line.removesuffix("\r")
    if not _MOVES.search(body):
        return _SEQUENCE.sub("", line)
    cells: list[str] = []
    place = at = 0
    while at < len(body):
        found = _SEQUENCE.match(body, at)
        if found:
            at, place = found.end(), _moved(cells, place, found[2], found[1])
            continue
        place = _written(cells, place, body[at])
        at += 1
    return "".join(cells) + end


def _written(cells: list[str], place: int, char: str) -> int:
    """Write *char* at the cursor; return where the cursor is then."""
    if char == BACKSPACE:
        return max(place - 1, 0)
    if char == "\r":
        return 0
    cells += " " * (place + 1 - len(cells))
    cells[place] = char
    return place + 1


def _moved(cells: list[str], place: int, action: str | None, numbers: str | None) -> int:
    """Carry out a control sequence; return where the cursor is then."""
    count = int(numbers) if numbers and numbers.isdecimal() else 0
    if action == "D":
        return max(place - (count or 1), 0)
    if action == "C":
        return min(place + (count or 1), _WIDEST)
    if action == "G":
        return min(max(count - 1, 0), _WIDEST)
    if action == "K":
        del cells[0 if count == 2 else place :]
    elif action == "P":
        del cells[place : place + (count or 1)]
    return place
