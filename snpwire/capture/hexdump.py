"""Read a hex dump: put its rows together by their order, their offsets, their bytes.

How a group of several bytes was printed is decided by the first of these that is conclusive:

1. what the caller asked for;
2. the text column, where it agrees with one byte order on every row and not with the other;
3. the make. xxd and objdump print bytes in memory order, known by eight digits, a colon and one
   blank (xxd) or a text column without a colon (objdump). Everything else prints numbers, and on
   this machine they are little-endian. Groups of 3 or 16 bytes are no
   numbers and in memory order.

Row offsets have to count the bytes. They are hexadecimal behind a colon; hexdump, `od` and `od -Ad`
look alike, so the base in which most rows advance by their own size is taken, then the one that
gives a size the caller wants. Where print_hex_dump shows addresses, Linux since 4.15 hashes each
of them: numbers of 32 bits, padded to 16 digits, unrelated from row to row. Such rows have no
usable order, which a note reports.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from ..errors import InputError
from .decodedtext import DecodedText, order_note
from .dumplines import printed
from .dumps import only_dump

if TYPE_CHECKING:
    from collections.abc import Callable

    from .dumplines import DumpRow

LIMIT = 1 << 28  # bytes that `*` may stand for: a few digits must not take all memory

_FAR = 0x1000  # bytes that no two hashes of addresses are near each other

_FIELD = re.compile(r"[A-Za-z_][\w.]*:", re.ASCII)  # whose value is digits, and no dump
_LOGGED = re.compile(r"[0-9]:[0-9]{2}|[\[=]")  # a time or a bracket: no label of print_hex_dump

_BASES = {16: "hexadecimal", 8: "octal", 10: "decimal"}


def read(
    text: str, words: bool | None = None, sizes: Callable[[int], bool] | None = None
) -> DecodedText | None:
    """Return the bytes of the one dump in *text*, or None; *words* forces how groups are read."""
    rows = only_dump(text)
    if rows is None:
        return None
    _check_sizes(rows)
    base, offset_note = _offsets(rows, sizes)
    words, group_note = _order(rows, base, words)
    _check_text(rows, words=words)
    data = _bytes(rows, base, words=words)
    start = _at(rows[0], base) if base else 0
    start_note = f"offsets start at {start:#x}, taken as the first byte" if start else ""
    notes = tuple(note for note in (group_note, offset_note, start_note) if note)
    return DecodedText(data, _make(rows, base, words=words), notes)


def _check_sizes(rows: list[DumpRow]) -> None:
    """Refuse rows or groups of another size than the first; the last row may be shorter."""
    rows = [row for row in rows if row.groups]
    first, last = rows[0], rows[-1]
    if first.numbers and first.width not in (1, 2, 4, 8, 16):
        raise InputError(f"numbers of {first.width} bytes", line=first.line)
    if first.width == 3 and first.offset and not first.mark and first.ascii is None:
        raise InputError(
            "groups of six digits: od prints octal numbers by default",
            line=first.line,
            help="make the dump with od -A x -t x1",
        )
    for row in rows[:-1]:
        if _is_cut(row):
            raise InputError(
                f"a group of {len(row.groups[-1]) // 2} behind groups of {row.width}", line=row.line
            )
    for row in rows[1:]:
        # print_hex_dump falls back to single bytes in a row that is no whole number of groups
        odd = len(row.groups) == 1 or (row.width == 1 and row.size % first.width)
        odd = odd and not row.numbers and bool(row.mark or not row.offset or row.ascii is not None)
        if row.width != first.width and not (odd and row is last and row.width < first.width):
            raise InputError(
                f"groups of {row.width} where the rows above have groups of {first.width}",
                line=row.line,
            )
        if row.size > first.size or (row.size < first.size and row is not last):
            raise InputError(
                f"{row.size} bytes where the rows above have {first.size}", line=row.line
            )


def _is_cut(row: DumpRow) -> bool:
    """Return whether the last group is short as no program prints it: a number, or no text."""
    short = len(row.groups[-1]) != len(row.groups[0])
    return short and (row.numbers or row.ascii is None)


def _order(rows: list[DumpRow], base: int, asked: bool | None) -> tuple[bool, str]:
    """Return whether groups are little-endian words, and why."""
    width = rows[0].width
    if width == 1:
        return False, ""
    words, why = _evidence(rows, base) if asked is None else (asked, "as asked")
    last = next(row for row in reversed(rows) if row.groups)
    if words and _is_cut(last):
        what = f"a number of {len(last.groups[-1]) // 2} bytes among numbers of {width}: it is cut"
        raise InputError(what, line=last.line)
    return words, order_note(width, why, words=words) if _matters(rows) else ""


def _matters(rows: list[DumpRow]) -> bool:
    """Return whether the order of the bytes in a group changes anything."""
    return any(row.data(words=True) != row.data(words=False) for row in rows)


def _evidence(rows: list[DumpRow], base: int) -> tuple[bool, str]:
    shown = [row for row in rows if row.ascii is not None]
    memory = sum(row.agrees(words=False) for row in shown)
    words = sum(row.agrees(words=True) for row in shown)
    if memory != words:
        return words > memory, "as the text column says"
    first = rows[0]
    memory_order = _is_xxd(first) or _is_objdump(first) or _is_tcpdump(first)
    alone = len(rows) == len(first.groups) == 1 and not (first.offset or first.logged)
    alone = alone and (bool(_FIELD.fullmatch(first.label)) or bool(_LOGGED.search(first.label)))
    usual = first.width in (2, 4, 8) and not (memory_order or alone)
    if _is_xxd(first) and first.width in (4, 8) and _matters(rows):
        what = f"groups of {first.width} in memory order, or as words of xxd -e? nothing decides"
        raise InputError(what, line=first.line, help="--from hex-be or --from hex-le")
    silent = " (the text column does not tell)" if shown else ""
    return usual, f"as {_make(rows, base, words=usual)} prints them{silent}"


def _check_text(rows: list[DumpRow], *, words: bool) -> None:
    """Refuse a text column that contradicts the digits; a missing one stands for blanks."""
    if all(row.ascii is None for row in rows):
        return
    for row in rows:
        if row.groups and not row.agrees(words=words) and not _is_padded(row):
            text = printed(row.data(words=words))
            raise InputError(
                f"the text column says {row.ascii or ''!r}, the digits say {text!r}",
                line=row.line,
                help="the other byte order agrees" if row.agrees(words=not words) else "",
            )


def _is_padded(row: DumpRow) -> bool:
    """Return whether od filled the last group with zeros, which its text column leaves out."""
    data, text = row.data(words=True), row.ascii or ""
    end = len(data) - row.width + 1
    return row.fence == ">" and any(
        printed(data[:size]) == text and not any(data[size:]) for size in range(end, len(data))
    )


def _offsets(rows: list[DumpRow], sizes: Callable[[int], bool] | None) -> tuple[int, str]:
    """Return the base of the offsets, 0 if there are none to go by, and what was decided."""
    first = rows[0]
    if first.offset is None:
        return 0, ""
    if first.mark:
        if _hashed(rows):
            return 0, "row addresses are hashed by the kernel: the order of rows is unchecked"
        decimal = len(rows) > 1 and _steps(rows, 16) < _steps(rows, 10) == len(rows) - 1
        return (10, "offsets read as decimal") if decimal else (16, "")
    only = first.fence == "|" or len(first.offset) == 6  # hexdump -C, od -A x
    votes = {base: _steps(rows, base) for base in _BASES if base == 16 or not only}
    most = max(votes.values())
    likely = [base for base in votes if votes[base] == most]
    fitting = [base for base in likely if sizes and sizes(_length(rows, base))]
    base = (fitting or likely)[0]
    if len({_length(rows, base) for base in likely}) > 1:
        others = [f"{_BASES[b]} {_length(rows, b)}" for b in likely if b != base]
        return base, f"offsets read as {_BASES[base]}: {_length(rows, base)} bytes; as " + (
            " or ".join(others)
        )
    return base, f"offsets read as {_BASES[base]}" if base != 16 else ""


def _hashed(rows: list[DumpRow]) -> bool:
    offsets = [row.offset or "" for row in rows]
    if any(row.squeezed for row in rows) or any(
        len(digits) != 16 or not digits.startswith("0" * 8) for digits in offsets
    ):
        return False
    size, places = rows[0].size, [int(digits, 16) for digits in offsets]
    steps = [b - a for a, b in pairwise(places)]
    return any(step % size for step in steps) and all(abs(step) >= _FAR for step in steps)


def _at(row: DumpRow, base: int) -> int:
    """Return the offset of a row; it is a number, because it counted among the likely bases."""
    return int(row.offset or "0", base)


def _length(rows: list[DumpRow], base: int) -> int:
    """Return how many bytes the offsets stand for."""
    last = rows[-1]
    return _at(last, base) - _at(rows[0], base) + last.size


def _steps(rows: list[DumpRow], base: int) -> int:
    """Count the rows after which the offset is as it has to be; -1 if it is no number at all."""
    try:
        places = [int(row.offset or "", base) for row in rows]
    except ValueError:
        return -1
    return sum(
        not b.squeezed and 0 <= a.size - (there - here) < (1 if b.groups else a.width)
        for (a, b), (here, there) in zip(pairwise(rows), pairwise(places), strict=True)
    )


def _bytes(rows: list[DumpRow], base: int, *, words: bool) -> bytes:
    """Join the rows, checking each offset against the bytes before it."""
    data = bytearray()
    start = _at(rows[0], base) if base else 0
    piece = b""
    for row in rows:
        expected, actual = start + len(data), _at(row, base) if base else start + len(data)
        if row.squeezed:
            data += piece * _repeats(row, actual - expected, len(piece), len(data))
        elif not row.groups and 0 < expected - actual < rows[0].width:
            _drop_padding(data, expected - actual, row, words=words)
        elif actual != expected:
            raise _misplaced(rows, row, expected, base)
        piece = row.data(words=words)
        data += piece
    return bytes(data)


def _repeats(row: DumpRow, gap: int, size: int, before: int) -> int:
    """Return how many rows a `*` stands for."""
    if gap <= 0 or gap % size:
        raise InputError(
            f"the * above stands for {gap} bytes, which is no number of {size}-byte rows",
            line=row.line,
        )
    if before + gap > LIMIT:
        raise InputError(
            f"the * above stands for {gap} bytes: too many, {LIMIT} is the limit",
            line=row.line,
            help="cut out the part that is wanted",
        )
    return gap // size


def _drop_padding(data: bytearray, count: int, row: DumpRow, *, words: bool) -> None:
    """Take off the zeros with which hexdump and od fill the last group."""
    if any(data[-count:]):
        raise InputError(
            f"the dump ends {count} bytes before its last group, which is not zero there",
            line=row.line,
        )
    del data[-count:]


def _misplaced(rows: list[DumpRow], row: DumpRow, expected: int, base: int) -> InputError:
    actual = _at(row, base)
    places = [_at(other, base) for other in rows]
    here = rows.index(row)
    if actual in places[:here]:
        what = "a line is repeated"
    elif expected in places[here + 1 :]:
        what = "lines are out of order"
    else:
        what = "a line is missing" if actual > expected else "offsets run backwards"
    return InputError(f"offset {actual:#x} where {expected:#x} was expected: {what}", line=row.line)


def _is_xxd(row: DumpRow) -> bool:
    own = row.mark and row.offset and not (row.label or row.logged or row.numbers)
    return (
        bool(own)
        and len(row.offset or "") == 8
        and row.ascii is not None
        and (row.gap == 2 or row.size < 16)
    )


def _is_objdump(row: DumpRow) -> bool:
    return row.offset is not None and not row.mark and row.ascii is not None and not row.fence


def _is_tcpdump(row: DumpRow) -> bool:
    return (row.offset or "").startswith("0x") and len(row.offset or "") == 6 and not row.numbers


def _make(rows: list[DumpRow], base: int, *, words: bool) -> str:
    """Name the program that prints such rows."""
    first = rows[0]
    named = {
        "tcpdump": _is_tcpdump(first),
        "objdump -s": _is_objdump(first),
        "hexdump -C": first.fence == "|",
        "od": first.fence == ">" or base in (8, 10) or len(first.offset or "") == 6,
        "gdb x": first.numbers and (first.offset or "").startswith("0x"),
        "xp": first.numbers,
        "xxd": _is_xxd(first),
        "print_hex_dump": first.mark == ":" or first.offset is None,
    }
    name = next((name for name, fits in named.items() if fits), "hexdump")
    return "xxd -e" if name == "xxd" and words else name
