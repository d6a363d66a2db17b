"""Find the dumps in a text: which rows belong together, and what else stands among them.

A dump is a list of rows. `*` becomes a mark on the row after it, and the closing offset of hexdump
and od a row without groups, so that `hexdump` needs no second kind of line.

A line that is no row ends nothing by itself, because another CPU may log in the middle of a dump:
the next row continues the dump if its label and its looks are the same and its offset is
higher. Rows without an offset cannot be matched so, and a new dump begins. The looks of rows
that follow each other directly may not change. A line that resembles the rows around it but is
none, or stands where the next row has to stand, is a damaged row: it is refused, never left out.

Lines of digits alone are no dump, and a log is full of short ones after a colon: they are taken
only where they continue a dump, or have at least 16 bytes, or where nothing else is in the text.
"""

from __future__ import annotations

import re
from itertools import islice, pairwise

from ..errors import InputError
from .dumplines import DumpLine, DumpRow, dump_line, printed

_SHORTEST_TEXT = 4  # bytes of a row whose text, on a line of its own, is no accident
_WIDE = 4  # bytes of a number of which one tells a row
_FIRST = 8  # words of a line among which an offset may be
_OFFSET = re.compile(r"(?<![0-9A-Za-z_])(?:0x)?[0-9a-fA-F]{4,16}\b:?")
_CLOSING = re.compile(r"[0-9a-fA-F]{6,16}")
_NO_DIGIT = re.compile(r"[^0-9a-fA-Fx:\s]")


def only_dump(text: str) -> list[DumpRow] | None:
    """Return the rows of the one dump in *text*, or None if there is none."""
    dumps = _dumps(text.split("\n"))
    if len(dumps) > 1:
        places = ", ".join(str(rows[0].line) for rows in dumps[:20])
        more = ", ..." if len(dumps) > 20 else ""
        raise InputError(f"{len(dumps)} dumps, at lines {places}{more}", help="cut one of them out")
    return dumps[0] if dumps else None


def _dumps(lines: list[str]) -> list[list[DumpRow]]:
    """Return the dumps in *lines*, numbered from 1."""
    candidates = [
        dump_line(number, line)
        for number, line in enumerate(lines, 1)
        if line and not line.isspace()
    ]
    proved = any(_advances(a.row, b.text) for a, b in pairwise(candidates) if a.row)
    search = _Search(alone=all(line.row or line.text.strip() == "*" for line in candidates))
    for line in candidates:
        doubtful = line.row and line.row.doubtful and not proved
        search.take(line._replace(row=None) if doubtful else line)
    search.close()
    strong = [rows for rows in search.dumps if not rows[0].weak]
    for rows in search.dumps if strong else ():
        _check_beside(rows, strong)
    return [rows for rows in search.dumps if not (strong and rows[0].weak and len(rows) == 1)]


def _check_beside(rows: list[DumpRow], strong: list[list[DumpRow]]) -> None:
    """Refuse a row alone right beside a dump, if it has groups like those: its offset is broken."""
    row = rows[0]
    if not row.weak or len(rows) > 1:
        return
    for other in strong:
        first, beside = other[0], row.line in (other[0].line - 1, other[-1].line + 1)
        alike = row.width == first.width and row.numbers == first.numbers
        if alike and beside and (row.width >= _WIDE or 2 * row.size > first.size):
            raise InputError("not a row like those beside it", line=row.line)


def _advances(row: DumpRow, after: str) -> bool:
    """Return whether offsets without a colon, which may be data, count the bytes of *row*."""
    if not row.doubtful or row.offset is None:
        return False
    token = after.split(maxsplit=1)[0]
    if token == "*":
        return True
    if len(token) != len(row.offset) or not _CLOSING.fullmatch(token):
        return False
    missing = row.size - (int(token, 16) - int(row.offset, 16))
    return 0 <= missing < row.width


class _Search:
    """The dumps found so far, and the state between two lines."""

    def __init__(self, *, alone: bool) -> None:
        self.dumps: list[list[DumpRow]] = []
        self._alone = alone
        self._rows: list[DumpRow] | None = None  # the dump that may continue
        self._passed: list[DumpLine] = []  # lines before the first row of all
        self._before: DumpLine | None = None  # the line before this one, if it was no row
        self._star = 0  # the line of a `*` that no row has followed yet

    def take(self, line: DumpLine) -> None:
        """Read the next line."""
        if self._rows and self._is_mark(self._rows, line.number, line.text.strip()):
            return
        row = line.row and self._with_offset(line.row)
        if row and self._is_row(row):
            self._add(row)
        else:
            if self._rows and self._is_text(self._rows, line):
                return
            if self._rows:
                _check_damaged(line, self._rows[-1], self._rows[0])
            if not self.dumps:
                self._passed.append(line)
            self._before = line

    def close(self) -> None:
        """Refuse a repetition without an end."""
        if self._star:
            raise InputError(
                "nothing follows the * to tell how often the row repeats", line=self._star
            )

    def _is_mark(self, rows: list[DumpRow], number: int, text: str) -> bool:
        """Take a `*` or the closing offset of *rows*."""
        first = rows[0]
        if text == "*" and first.offset is not None:
            self._star = number
            return True
        if first.offset is None or first.mark or not _CLOSING.fullmatch(text):
            return False
        if len(text) - len(rows[-1].offset or "") not in (0, 1):
            return False
        rows.append(DumpRow(number, "", text, "", (), squeezed=bool(self._star)))
        self._rows, self._star, self._before = None, 0, None
        return True

    def _is_text(self, rows: list[DumpRow], line: DumpLine) -> bool:
        """Take the text column of the last row, which something wrapped onto this line."""
        last, text = rows[-1], line.text.strip()
        if self._before or last.ascii is not None or last.size < _SHORTEST_TEXT:
            return False
        if text not in (printed(last.data(words=False)), printed(last.data(words=True))):
            return False
        rows[-1] = last._replace(ascii=text)
        return True

    def _with_offset(self, row: DumpRow) -> DumpRow:
        """Take the first group for the offset it is: od's grow until they are as wide as groups."""
        last = self._rows[-1] if self._rows else None
        if not (row.plain and len(row.groups) > 1 and last and last.offset and not last.mark):
            return row
        if not self._star and not _next_offset([row.groups[0]], last):
            return row
        return row._replace(offset=row.groups[0], groups=row.groups[1:])

    def _is_row(self, row: DumpRow) -> bool:
        """Return whether what looks like a row is one here."""
        first = None if self._before or not self._rows else self._rows[0]
        if row.plain:
            return first is not None and (first.offset is None or row.size >= 8)
        continues = first is not None and first.weak and first.label == row.label
        return not row.weak or self._alone or row.size >= 16 or continues

    def _add(self, row: DumpRow) -> None:
        rows = self._rows
        if rows and _continues(rows, row, interrupted=self._before is not None):
            if self._before:
                _check_damaged(self._before, rows[-1], row)
            rows.append(row._replace(squeezed=bool(self._star)))
        else:
            self.close()
            if self._before:
                _check_damaged(self._before, None, row)
            if not self.dumps and not row.weak:
                _check_passed(self._passed, row)
            self._rows = [row]
            self.dumps.append(self._rows)
        self._before, self._star = None, 0


def _continues(rows: list[DumpRow], row: DumpRow, *, interrupted: bool) -> bool:
    """Return whether *row* belongs to the dump *rows*; refuse one that looks different."""
    first, last = rows[0], rows[-1]
    if row.label != first.label and not row.plain:
        return False
    if _looks(row) != _looks(first):
        if interrupted:
            return False
        raise InputError(
            f"{_words(row)} here, {_words(first)} above: two kinds of dump in one input",
            line=row.line,
            help="give one dump at a time",
        )
    if row.offset is None or first.offset is None or last.offset is None:
        return not interrupted
    if interrupted:
        return int(row.offset, 16) > int(last.offset, 16)
    return len(rows) == 1 or int(row.offset, 16) != int(first.offset, 16)


def _looks(row: DumpRow) -> tuple[bool, str, bool, str]:
    return row.offset is None, row.mark, row.numbers, row.fence


def _words(row: DumpRow) -> str:
    """Describe the looks of a row."""
    mark = " and a colon" if row.mark else ""
    offset = "no offset" if row.offset is None else f"an offset{mark}"
    numbers = ", 0x before each group" if row.numbers else ""
    return offset + numbers + (f", text between {row.fence}" if row.fence else "")


def _check_damaged(other: DumpLine, last: DumpRow | None, model: DumpRow) -> None:
    """Refuse *other* if it was meant as a row after *last*, looking as *model* does."""
    text = other.message.strip().removeprefix(model.label).strip()
    tokens = text.split()
    size = 2 * model.width + 2 * model.numbers
    alike = sum(len(token) == size and not _NO_DIGIT.search(token) for token in tokens)
    enough = 1 if model.numbers and model.width >= _WIDE else 2
    if not _next_offset(tokens, last) and (alike < enough or 2 * alike < len(tokens)):
        return
    sized = [tokens[0], *(token for token in tokens if len(token) == size)]
    wrong = next(filter(None, map(_NO_DIGIT.search, sized)), None)
    what = f"{wrong[0]!r} is not a hex digit" if wrong else "not a row like those around it"
    raise InputError(what, line=other.number, help="every row of a dump has to be whole")


def _check_passed(passed: list[DumpLine], first: DumpRow) -> None:
    """Refuse a line before the *first* row of all that has an offset like it, but a lower one."""
    end = int(first.offset, 16) if first.offset else 0
    cell = re.compile(rf"0x[0-9a-fA-F]{{{2 * first.width}}}\b")
    for line in passed if end and first.offset else ():
        for match in islice(_OFFSET.finditer(line.message.removeprefix(first.label)), _FIRST):
            bare = first.numbers and len(match[0]) == len(
                first.offset or ""
            )  # a name stands behind it
            alike = _is_offset(match[0], first) or (bare and cell.search(line.message, match.end()))
            if alike and int(match[0].strip(":"), 16) < end:
                raise InputError(
                    "not a row like those below it, but with an offset before theirs",
                    line=line.number,
                    help="every row of a dump has to be whole",
                )


def _is_offset(token: str, row: DumpRow) -> bool:
    """Return whether a word looks as the offset of *row* does."""
    digits, mark = token.removesuffix(":"), token[-1:] if token.endswith(":") else ""
    return mark == row.mark and len(digits) == len(row.offset or "")


def _next_offset(tokens: list[str], last: DumpRow | None) -> bool:
    """Return whether a line begins with the offset that comes after *last*."""
    if last is None or last.offset is None or not tokens:
        return False
    token = tokens[0].removesuffix(":")
    for base in (16, 8, 10):
        try:
            if len(token) <= 18 and int(token, base) == int(last.offset, base) + last.size:
                return True
        except ValueError:
            continue
    return False
