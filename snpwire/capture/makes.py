r"""Write the rows of other makes of dump as hexdump, xxd or od would, each on its own line.

hexyl draws frames, and shows in its text column signs of its own for what is not printable;
PowerShell's Format-Hex prints a head, and bytes above 0x7F as letters; WinDbg puts a dash between
two halves and a backquote into addresses and quadwords; UEFI's shell ends rows with `*`; IDA puts
the segment before the address; Wireshark may print an offset of four digits and no text; `od -b`,
`od -t u1`, `od -c` and `xxd -b` print bytes in octal, in decimal, as characters and in binary. A
row that is none of these stays as it is.

The signs of a text column become dots only where the digits say that the byte is not printable, so
that the comparison of both columns keeps its worth.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAIRS = r"(?:[0-9a-fA-F]{2} +)*[0-9a-fA-F]{2}"
_ONLY_PAIRS = re.compile(rf"{_PAIRS} *")
_HEXYL = re.compile(r"^\W{0,8}?[│|]([0-9a-f]{8}|\*) *[│|]([ 0-9a-f┊:│|]{8,}?)[│|]([^\n]*)$")
_HEXYL_EDGE = re.compile(r"^[\s┌┬┐└┴┘├┼┤─╭╮╰╯+-]+$")
_FORMAT_HEX = re.compile(rf"^ *([0-9A-F]{{8}}|[0-9A-F]{{16}})( {{1,3}})({_PAIRS})(?: |$)")
_FORMAT_HEX_HEAD = re.compile(r"00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F")
_FORMAT_HEX_EDGE = re.compile(
    rf" *(?:{_FORMAT_HEX_HEAD.pattern}|Offset Bytes +Ascii|-{{6,}} -+ -+) *"
)
_UEFI = re.compile(
    r"^ *([0-9A-F]{4,16}): ((?:[0-9A-F]{2}[ -])*[0-9A-F]{2})[ -]*\*([^\n]*?)\*? *$", re.ASCII
)
_UEFI_ROW = re.compile(r"^ *[0-9A-F]{4,16}: (?:[0-9A-F]{2}[ -]+)+\*", re.MULTILINE)
_WINDBG = re.compile(r"^ *([0-9a-f]{8}`[0-9a-f]{8}|[0-9a-f]{8})  (\S.*)$")
_WINDBG_BYTES = re.compile(r"([0-9a-f]{2}(?:[ -][0-9a-f]{2}){0,15})(?:$| {2,})")
_WINDBG_WORDS = re.compile(
    r"((?:[0-9a-f]{4}|[0-9a-f]{8}|[0-9a-f]{16})(?: [0-9a-f]{4,16})*)(?:  .*)?"
)
_WINDBG_ROW = re.compile(r"^ *[0-9a-f]{8}(?:`|  (?:[0-9a-f]{2} ){7}[0-9a-f]{2}-)", re.MULTILINE)
_IDA_ROW = re.compile(r"^ *[.\w]{1,32}:[0-9A-F]{8,16} +[0-9A-F]{2} ", re.MULTILINE)
_IDA = re.compile(rf"^ *[\w.]{{1,32}}:([0-9A-F]{{8,16}}) +({_PAIRS})(?:$| {{2,}})", re.ASCII)
_SHORT = re.compile(rf"^ *([0-9a-fA-F]{{4}}) +({_PAIRS}) *$", re.MULTILINE)
_OD = re.compile(
    r"^ *([0-9a-f]{7,12})((?: {3}[0-9]| {2}[0-9]{2}| [0-9]{3})+"
    r"|(?: {4}[0-9]| {3}[0-9]{2}| {3}-[0-9]| {2}-[0-9]{2}| {2}[0-9]{3}| -[0-9]{3})+) *$",
    re.ASCII | re.MULTILINE,
)
_ROW_OF_OD = re.compile(r"^ *[0-9a-f]{7,12} +\S", re.ASCII)
_CELLS = re.compile(r"(?:\b[0-9a-fA-F]{2,16}\b[ `-]+){3}[0-9a-fA-F]{2,16}\b")  # of a broken row
_GLANCE = 1 << 14  # characters in which the first row of a make is looked for
_ENOUGH = 32  # numbers of three digits that differ, among which decimal ones have an 8 or 9
_COLUMN = 49  # from the first digit to the text column, of 16 bytes in pairs
_BITS = re.compile(r"^ *([0-9a-f]{8}): ((?:[01]{8} )*[01]{8})(?:  |$)")
_BITS_ROW = re.compile(r"^ *[0-9a-f]{8}: [01]{8} [01]{8} ", re.MULTILINE)
_CHARACTERS = re.compile(
    r"^ *([0-9a-f]{6,12})((?:   [!-~]|    |  \\[0abfnrtv\\]| [0-3][0-7]{2})+)$", re.MULTILINE
)
_NO_CELL = re.compile(r"[^0-9a-f ]")
_SHORT_ESCAPES = dict(zip("0abfnrtv\\", b"\0\a\b\f\n\r\t\v\\", strict=True))
_CLOSING = re.compile(r"^ *[0-9a-f]{6,12}$|^ *\*$")


class Make(NamedTuple):
    """How one make is known and how its rows are written anew."""

    name: str
    known: Callable[[str], object]
    """Of the whole text: whether it can be of this make."""
    row: Callable[[str], str | None]
    """Returns a line anew; None if it is no row of this make."""
    mark: re.Pattern[str]
    """What a line has that was meant as a row."""


def canonical(text: str) -> tuple[str, str]:
    """Return the text with its rows written anew, and whose they are; nothing if there are none.

    Raises InputError for a line that was meant as a row and is none.
    """
    for make in MAKES:
        if not make.known(text):
            continue
        lines = text.split("\n")
        written = [make.row(line) for line in lines]
        if "Offset Bytes " in text and make.name == "Format-Hex" and not any(written):
            raise InputError("the head of Format-Hex, and no row below it")
        if any(written):
            return "\n".join(_lines(make, lines, written)), make.name
    return "", ""


def _lines(make: Make, lines: list[str], written: list[str | None]) -> Iterator[str]:
    """Yield the lines of a dump, those that are no rows as they are."""
    for number, (line, new) in enumerate(zip(lines, written, strict=True), 1):
        odd = make.mark.search(line) or _CELLS.search(line)
        if new is None and (odd or (make.name == "od" and _ROW_OF_OD.match(line))):
            raise InputError(
                f"not a row of {make.name} like those around it",
                line=number,
                help="every row of a dump has to be whole",
            )
        yield line if new is None else new


def _canonical(offset: str, digits: str, shown: str | None) -> str:
    """Return a row with its text column, in which signs for what is not printable are dots."""
    data = bytes.fromhex(digits)
    if shown is None:
        return f"{offset}: {data.hex(' ')}"
    cells = shown.ljust(len(data))
    text = "".join(
        "." if not 0x20 <= byte < 0x7F and _is_sign(cell) else cell
        for byte, cell in zip(data, cells, strict=False)
    )
    return f"{offset}  {data.hex(' ')}  |{text}{cells[len(data) :].rstrip()}|"


def _is_sign(cell: str) -> bool:
    """Return whether a character may stand for a byte that is not printable."""
    return cell in " .0_" or ord(cell) >= 0x7F


def _hexyl(line: str) -> str | None:
    found = _HEXYL.match(line)
    if not found:
        return "" if _HEXYL_EDGE.match(line) else None
    offset, digits, shown = found[1], re.sub(r"[^0-9a-f]", "", found[2]), found[3]
    if offset == "*" or not digits:
        return offset
    size = len(digits) // 2
    if len(digits) % 2 or len(shown.rstrip(" │|┊")) > size + size // 8:
        return None
    panels = [shown[at : at + 8] for at in range(0, len(shown), 9)]
    text = "".join(panels[: (size + 7) // 8])[:size]
    return _canonical(offset, digits, text)


def _format_hex(line: str) -> str | None:
    found = _FORMAT_HEX.match(line)
    if not found:
        return "" if _FORMAT_HEX_EDGE.fullmatch(line) else None
    start = found.start(3)
    digits, gap = line[start : start + 47], 2 if len(found[1]) == 8 else 1
    if not _ONLY_PAIRS.fullmatch(digits):
        return None
    return _canonical(found[1], "".join(digits.split()), line[start + 47 + gap :])


def _uefi(line: str) -> str | None:
    found = _UEFI.match(line)
    return _canonical(found[1], re.sub("[ -]", "", found[2]), found[3]) if found else None


def _windbg(line: str) -> str | None:
    found = _WINDBG.match(line)
    if not found:
        return None
    offset, body = found[1].replace("`", ""), found[2]
    if row := _WINDBG_BYTES.match(body):
        return _canonical(offset, re.sub("[ -]", "", row[1]), body[_COLUMN:])
    body = body.rstrip()
    words = _WINDBG_WORDS.fullmatch(body.replace("`", ""))
    if words and len({len(word) for word in words[1].split()}) == 1:
        return f"{offset}: " + " ".join(f"0x{word}" for word in words[1].split())
    return None


def _ida(line: str) -> str | None:
    found = _IDA.match(line)
    if not found:
        return None
    return _canonical(found[1], "".join(found[2].split()), line[found.start(2) + _COLUMN :])


def _short(line: str) -> str | None:
    found = _SHORT.match(line)
    return _canonical(found[1], "".join(found[2].split()), None) if found else None


def _all_short(text: str) -> bool:
    """Return whether the lines are offsets of four digits and bytes, or most of them."""
    first = _SHORT.search(text, 0, _GLANCE)
    if not first:
        return False
    lines = sum(not (not line or line.isspace()) for line in text.split("\n"))
    rows = sum(1 for _ in _SHORT.finditer(text))
    return 2 * rows > lines and (lines > 1 or len(first[2]) > 16)


def _od(base: int) -> Callable[[str], str | None]:
    def row(line: str) -> str | None:
        found = _OD.match(line)
        if not found:
            return None
        words = found[2].split()
        if base == 10 and any(len(word) > 1 and word[0] == "0" for word in words):
            return None
        values = [int(word, base) for word in words]
        if not -128 <= min(values) <= max(values) < 256:
            return None
        return f"{found[1]} {bytes(value & 0xFF for value in values).hex(' ')}"

    return row


def _od_words(text: str) -> list[str]:
    """Return the numbers of a text most lines of which are rows of od's in bytes."""
    rows = [found[2].split() for found in _OD.finditer(text)]
    others = sum(
        not (not line or line.isspace() or _CLOSING.match(line)) for line in text.split("\n")
    )
    return [word for row in rows for word in row] if 2 * len(rows) >= others else []


def _od_octal(text: str) -> bool:
    words = _od_words(text) if _OD.search(text, 0, _GLANCE) else []
    octal = bool(words) and all(len(word) == 3 and not word.strip("01234567") for word in words)
    either = octal and min(words) >= "100" and max(words) <= "255"
    if either and len(set(words)) < _ENOUGH:
        raise InputError(
            f"decimal or octal? nothing decides whether {words[0]} is"
            f" {int(words[0])} or {int(words[0], 8)}",
            help="make the dump with od -A x -t x1",
        )
    return octal


def _od_decimal(text: str) -> bool:
    words = _od_words(text) if _OD.search(text, 0, _GLANCE) else []
    return bool(words) and not _od_octal(text)


def _bits(line: str) -> str | None:
    found = _BITS.match(line)
    if not found:
        return None
    data = bytes(int(word, 2) for word in found[2].split())
    rest = line[found.end(2) :].removeprefix("  ")
    return _canonical(found[1], data.hex(), rest[-len(data) :] if rest[:1] == " " else rest)


def _is_bits(text: str) -> bool:
    """Return whether rows show characters, no more than they have groups of eight digits."""
    if not _BITS_ROW.search(text, 0, _GLANCE):
        return False
    rows = [found for line in text.split("\n") if (found := _BITS.match(line))]
    ends = [len(row.string[row.end(2) :].strip()) for row in rows]
    return any(ends) and all(
        end <= len(row[2].split()) for end, row in zip(ends, rows, strict=True)
    )


def _characters(line: str) -> str | None:
    found = _CHARACTERS.match(line)
    if not found:
        return None
    shown = found[2].rstrip() if found[2].endswith(" " * 8) else found[2]  # hexdump fills a row
    cells = [shown[at : at + 4][1:] for at in range(0, len(shown), 4)]
    values = [_character(cell) for cell in cells]
    return f"{found[1]} " + " ".join(f"{value:02x}" for value in values if value is not None)


def _character(cell: str) -> int | None:
    """Return the byte that a cell of ``od -c`` shows, which is three characters wide."""
    if cell[:2] == "  " or not cell.strip():
        return ord(cell[2:] or " ")
    if cell[:2] == " \\":
        return _SHORT_ESCAPES.get(cell[2:])
    return int(cell, 8) & 0xFF if not cell.strip("01234567") else None


def _is_characters(text: str) -> bool:
    """Return whether the rows are those of ``od -c``, and no cell is anything else."""
    if not _CHARACTERS.search(text, 0, _GLANCE):
        return False
    rows = [found for line in text.split("\n") if (found := _CHARACTERS.match(line))]
    others = sum(
        not (not line or line.isspace() or _CLOSING.match(line)) for line in text.split("\n")
    )
    return len(rows) == others and any(_NO_CELL.search(found[2]) for found in rows)


_OFFSET = re.compile(r"^ *[0-9a-fA-F]{8}")
_OD_MARK = re.compile(
    r"^ *[0-7]{5,12} +[0-9]{1,3} |(?: {1,3}[0-9]{1,3}){4} *$|^ *(?:[0-9]{1,3} +){4}"
    r"|  \\[0abfnrtv](?: |$)"
)

MAKES = (
    Make("hexyl", lambda text: "│" in text or "+--------+-" in text, _hexyl, re.compile("[│┊]")),
    Make("Format-Hex", _FORMAT_HEX_HEAD.search, _format_hex, _OFFSET),
    Make("UEFI shell", lambda text: _UEFI_ROW.search(text, 0, _GLANCE), _uefi, _OFFSET),
    Make(
        "WinDbg",
        lambda text: _WINDBG_ROW.search(text, 0, _GLANCE),
        _windbg,
        re.compile(r"[0-9a-f]{4,8}`[0-9a-f]{4,8}|^ *[0-9a-f]{8}  "),
    ),
    Make(
        "IDA",
        lambda text: _IDA_ROW.search(text, 0, _GLANCE),
        _ida,
        re.compile(r"^ *[.\w]{1,32}:[0-9A-F]{8,16}\b"),
    ),
    Make("Wireshark", _all_short, _short, re.compile("^ *[0-9a-fA-F]{4} ")),
    Make("xxd -b", _is_bits, _bits, _OFFSET),
    Make("od -c", _is_characters, _characters, _OD_MARK),
    Make("od", _od_octal, _od(8), _OD_MARK),
    Make("od", _od_decimal, _od(10), _OD_MARK),
)
"""In this order: the first whose rows a text has."""
