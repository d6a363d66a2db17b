"""Read the one PEM block in a text: base64 between a BEGIN line and its END line."""

from __future__ import annotations

import re

from ..errors import InputError
from .base64text import parse
from .decodedtext import DecodedText

_ARMOUR = re.compile(r"^[ ]*-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----[ ]*$", re.MULTILINE)


def read(text: str) -> DecodedText | None:
    """Return what the PEM block in *text* holds, or None if there is none."""
    body = _body(text)
    return None if body is None else DecodedText(parse(body), "PEM")


def _body(text: str) -> str | None:
    """Return the lines between BEGIN and END, with the line numbers that they have in *text*."""
    marks = list(_ARMOUR.finditer(text))
    begins = [mark for mark in marks if mark[1] == "BEGIN"]
    if not begins:
        return None
    if [mark[1] for mark in marks[:3]] == ["BEGIN", "END", "BEGIN"]:
        places = ", ".join(str(_line(text, mark.start())) for mark in begins[:20])
        more = ", ..." if len(begins) > 20 else ""
        raise InputError(
            f"{len(begins)} PEM blocks, at lines {places}{more}", help="cut one of them out"
        )
    begin = marks[0]
    if [mark[1] for mark in marks] != ["BEGIN", "END"] or marks[1][2] != begin[2]:
        raise InputError(
            f"the PEM block {begin[2]} has no END line of its own", line=_line(text, begin.start())
        )
    return "\n" * text.count("\n", 0, begin.end()) + text[begin.end() : marks[1].start()]


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
