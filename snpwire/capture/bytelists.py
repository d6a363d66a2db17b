r"""Read lists of numbers as programs print them, and arrays of bytes that have a name.

A list stands between brackets, braces or `<< >>`; what stands around it (the name of a field, of a
type, `Some(` or `vec!`) is no part of it. Rust prints `[3, 0, 31]` and `{:x?}` as `[3, 0, 1f]`, Go
`[3 0 31]` and `[]byte{0x3, 0x0}`, JSON `[3,0,31]`, Node `Uint8Array(3) [ 3, 0, 31 ]`,
`<Buffer 03 00 1f>`, `{"type":"Buffer","data":[3,0,31]}` and `{"0":3,"1":0,"2":31}`, gdb
`{0x3, 0x0 <repeats 30 times>}`. A list without brackets is read too, if nothing but numbers is
there: a line or a column of a table.

The base is decided in `radix`. A list that says that it is cut is refused, with what is left out:
its bytes would be those of another value. So is one of several lists, unless only one has a size
that fits.
"""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InputError
from . import plainhex, radix
from .decodedtext import DecodedText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LIST = re.compile(
    r"<<([^<>\[\]{}\"']{1,})>>|\[([^\[\]{}]*)\]|\{([^\[\]{}]*)\}|\((\s*-?[0-9]\w*,[^()\[\]{}]*)\)"
)
_BUFFER = re.compile(
    r"(?:<(?:Slow)?Buffer|\[Uint8Contents\]: <(?=\w))((?: ?[0-9a-fA-F]{2})*)([^<>\n]{0,40})>"
)
_OBJECT = re.compile(r'\{\s*"?0"?\s*:\s*\d[^{}\[\]]*\}')
_MEMBER = re.compile(r'\s*"?(\d+)"?\s*:\s*(\d+)\s*(?:,|$)')
_REPEATS = re.compile(r"<repeats ([0-9]{1,8}) times>")
_TOKEN = re.compile(
    r"<repeats [0-9]{1,8} times>|(?:\.\.\.|\u2026)(?: ?[0-9]{1,9} more (?:items?|bytes?))?"
    r"|[^\s,;.\u2026]+|\."
)
_NUMBER = re.compile(r"(0[xX])?(-?[0-9a-fA-F]{1,16})(?:_?[uUiI](?:8|int8)?)?", re.ASCII)
_COUNTED = re.compile(r"\b(?:Uint8Array|Uint8ClampedArray|Buffer|Array|Vec)\(([0-9]{1,9})\)\s*$")
_WIDE_BEFORE = re.compile(
    r"\b(?:(?:Big)?(?:Int|Uint)(?:16|32|64)|Float(?:32|64))Array(?:\([0-9]+\))?\s*$"
    r"|\[[0-9]*\](?:u?int(?:16|32|64)?|float(?:32|64))\s*$|\barray\('[hHiIlLqQfd]',\s*$",
    re.ASCII,
)
_WIDE_AFTER = re.compile(r"\]*,\s*dtype=(?:'[<>=])?(?:u?int(?:16|32|64)|[uif][248]|float\w+)\b")
_JOINT = re.compile(r"[\s,]*")
_FILLED = re.compile(r"\[\s*-?\w+[\s,]+-?\w")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|#[^\n]*", re.DOTALL)
_WORD = re.compile(r"[^\s,;]+")
_NO_PAIR = re.compile(r"(?<![^\s,;])(?:[^\s,;]|[^\s,;]{3,})(?![^\s,;])")
_ALIGNED = re.compile(r"\s*[0-9]{2}(?:(?: {2,3}| *; *|\s*\n\s*)[0-9]{2}){3,}[\s;]*", re.ASCII)
"""Decimal numbers in columns of three or four, which happen to have two digits each."""
_SPACED = str.maketrans(",;", "  ")
_WIDEST = 4  # characters of a byte, which may have a sign
_NEAR = 64  # characters before a list in which its type is named
_ENOUGH = 16  # numbers in which one digit and two are no damage
_LARGEST = 1 << 26  # bytes that repetitions may stand for

_LANGUAGES = (
    (re.compile(r"Uint8(?:Clamped)?Array|\bBuffer\b|Buffer\.from\($"), "JavaScript"),
    (re.compile(r"\b(?:bytes|bytearray)\(\s*$"), "Python"),
    (re.compile(r"\[\d*\](?:byte|uint8)\s*$"), "Go"),
    (re.compile(r"\bvec!\s*$|\[u8; ?\w+\]\s*=\s*&?$|Vec<u8>\s*=\s*$"), "Rust source"),
    (re.compile(r"\b(?:char|u8|uint8_t|byte|BYTE|UCHAR|UINT8)\b[^=\n]*=\s*$"), "source"),
    (re.compile(r'"\w[^"\n]*"\s*:\s*$'), "JSON"),
)


class ByteList(NamedTuple):
    """A list found in a text: where it is, and its numbers."""

    start: int
    """Of its opening bracket."""
    end: int
    body: int
    """Where its numbers begin."""
    words: list[tuple[int, str, str, int]]
    """Place, 0x or nothing, digits and how often, of each number."""
    bracket: str
    more: tuple[int, int] | None = None
    """Where it says that it is cut, and how many it leaves out, 0 if it does not say."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        return sum(word[3] for word in self.words)


def read(
    text: str,
    asked: int = 0,
    sizes: Callable[[int], bool] | None = None,
) -> DecodedText | None:
    """Return the bytes of the one list in *text*, or None if it has none.

    *asked* is the base in which numbers without one are read.
    """
    if _is_array(text):
        opening = text.find("{" if "{" in text else "[")
        _check_width(text, ByteList(opening, len(text), opening + 1, [], text[opening]))
        return None
    found = _buffers(text) or _members(text) or list(_lists(text))
    if not found:
        return _bare(text, asked)
    found = _rows_joined(text, found, sizes)
    visible = len("".join(text.split()))
    if not any(_meant(text, one, sizes, visible) for one in found):
        return None
    lone = found[0] if len(found) == 1 else _fitting(text, found, sizes)
    _check_width(text, lone)
    return _reading(text, lone, asked)


def _rows_joined(
    text: str, found: list[ByteList], sizes: Callable[[int], bool] | None
) -> list[ByteList]:
    """Return one list for the rows of an array of arrays, or for rows that only together fit."""
    first, last = found[0], found[-1]
    apart = any(not _JOINT.fullmatch(text, a.end, b.start) for a, b in pairwise(found))
    if len(found) == 1 or apart or any(one.more or one.bracket not in "[{(" for one in found):
        return found
    sized = {one.size for one in found[:-1]} == {first.size} and last.size <= first.size
    inner = text[: first.start].rstrip()[-1:] in ("[", "{", "(")
    total = sum(one.size for one in found)
    if not sized or not (inner or (sizes and sizes(total) and not sizes(first.size))):
        return found
    words = [word for one in found for word in one.words]
    return [first._replace(end=last.end, words=words)]


def _check_width(text: str, one: ByteList) -> None:
    """Refuse a list whose type says that its elements are wider than bytes."""
    before = _WIDE_BEFORE.search(text[max(0, one.start - _NEAR) : one.start])
    after = _WIDE_AFTER.match(text, one.end)
    if wide := before or after:
        name = wide[0].strip("], \n")
        raise _error(text, one.start, f"{name}: its elements are no bytes", "print it as bytes")


def _is_array(text: str) -> bool:
    """Return whether the reader of hex digits takes the text: one array of numbers with 0x."""
    if "0x" not in text or "<" in text or "..." in text:
        return False
    if "{" in text:
        return text.count("{") == 1 and not _FILLED.search(text)
    return text.lstrip()[:1] == "[" and text.count("[") == 1


def _lists(text: str) -> Iterator[ByteList]:
    """Yield the lists of numbers in *text*; one that is left open is refused."""
    if not any(mark in text for mark in ("[", "{", "<<", "(")):
        return
    end = 0
    for match in _LIST.finditer(text):
        which = match.lastindex or 0
        found = _list_of(match[which], match.start(which))
        end = match.end()
        if found and not _is_index(text, match, found):
            yield found._replace(start=match.start(), end=end, bracket=match[0][0])
    opened = max(text.rfind("["), text.rfind("{"))
    if opened >= end and not re.search(r"[\]}]", text[opened:]):
        cut = _list_of(text[opened + 1 :], opened + 1)
        if cut and len(cut.words) >= 16:
            closing = "]" if text[opened] == "[" else "}"
            raise _error(text, opened, f"no {closing!r} closes this list, which is cut")


def _is_index(text: str, match: re.Match[str], found: ByteList) -> bool:
    """Return whether brackets hold the length of an array or the place of one element."""
    before = text[: match.start()][-1:]
    return match[0][0] == "[" and found.size == 1 and (before.isalnum() or before in ("_", "]"))


def _list_of(body: str, at: int) -> ByteList | None:
    """Return the numbers of a list, if it holds hardly anything else."""
    head = body[:256].split(None, 1)
    if not head or not (head[0][0] in "-/#" or head[0][0] in "0123456789abcdefABCDEF"):
        return None
    if "/*" in body or "//" in body or "#" in body:
        body = _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), body)
    words: list[tuple[int, str, str, int]] = []
    more = None
    wrong = 0
    for token in _TOKEN.finditer(body):
        if number := _NUMBER.fullmatch(token[0]):
            words.append((at + token.start(), number[1] or "", number[2], 1))
        elif repeats := _REPEATS.fullmatch(token[0]):
            if not words or int(repeats[1]) > _LARGEST:
                return None
            words[-1] = (*words[-1][:3], int(repeats[1]))
        elif token[0].startswith(("...", "\u2026")):
            more = (at + token.start(), int("".join(filter(str.isdigit, token[0])) or 0))
        else:
            wrong += 1
            words.append((at + token.start(), "", token[0], 1))
    if not words or 8 * wrong > len(words):
        return None
    return ByteList(0, 0, at, words, "", more)


def _buffers(text: str) -> list[ByteList]:
    """Return what Node prints of its buffers."""
    found = []
    for match in _BUFFER.finditer(text) if "Buffer" in text else ():
        words = [(m.start() + match.start(1), "", m[0], 1) for m in re.finditer(r"\w+", match[1])]
        tail = match[2].strip()
        more = (match.start(2), int("".join(filter(str.isdigit, tail)) or 0)) if tail else None
        if words:
            found.append(ByteList(match.start(), match.end(), match.start(1), words, "<", more))
    return found


def _members(text: str) -> list[ByteList]:
    """Return an object whose members are numbered, as JSON prints an array of JavaScript's."""
    found = []
    for match in _OBJECT.finditer(text) if ":" in text else ():
        body, at = match[0][1:-1], match.start() + 1
        words: list[tuple[int, str, str, int]] = []
        place = 0
        while member := _MEMBER.match(body, place):
            if int(member[1]) != len(words):
                reason = f"member {member[1]} where {len(words)} was expected"
                raise _error(text, at + member.start(1), reason)
            words.append((at + member.start(2), "", member[2], 1))
            place = member.end()
        if body[place:].strip():
            return []
        found.append(ByteList(match.start(), match.end(), at, words, "object"))
    return found


def _fitting(text: str, found: list[ByteList], sizes: Callable[[int], bool] | None) -> ByteList:
    """Return the only list of a size that fits; refuse several that might be meant."""
    fitting = [one for one in found if sizes and sizes(one.size)]
    if len(fitting) == 1:
        return fitting[0]
    meant = fitting or found
    lines = ", ".join(str(text.count("\n", 0, one.start) + 1) for one in meant[:20])
    more = ", ..." if len(meant) > 20 else ""
    raise InputError(
        f"{len(meant)} lists of bytes, at lines {lines}{more}", help="cut one of them out"
    )


def _meant(text: str, one: ByteList, sizes: Callable[[int], bool] | None, visible: int) -> bool:
    """Return whether the text is there for the list: its size fits, or it is most of the text.

    *visible* is the number of characters of the text that are no blanks.
    """
    if one.more or (sizes and sizes(one.size)) or _stated(text, one):
        return True
    inside = len("".join(text[one.start : one.end].split()))
    around = visible - inside
    return around == 0 or (one.size >= 2 and around < 64 + inside // 4)


def _stated(text: str, one: ByteList) -> re.Match[str] | None:
    """Return where the size of a list is said before it."""
    return _COUNTED.search(text[max(0, one.start - _NEAR) : one.start])


def _reading(text: str, one: ByteList, asked: int) -> DecodedText | None:
    """Return the bytes of a list, or None if it has words with 0x, which another reader takes."""
    if one.more:
        raise _cut(text, one)
    stated = _stated(text, one)
    if stated and int(stated[1]) != one.size:
        reason = f"the list says that it has {stated[1]} bytes, and {one.size} are there"
        raise _error(text, one.start, reason)
    prefixed = sum(bool(word[1]) for word in one.words)
    if prefixed:
        return _prefixed(text, one)
    numbers = _numbers(text, one)
    data, base, note = radix.values(numbers, asked if one.bracket != "<" else 0)
    form = f"{base} list" if one.bracket != "<" else "Buffer"
    return DecodedText(_repeated(data, one), form, (note,) if note else ())


def _prefixed(text: str, one: ByteList) -> DecodedText | None:
    """Read numbers with 0x by the reader of these, with nothing around them."""
    if all(word[3] == 1 for word in one.words):
        if (one.bracket == "{" and text.count("{") == 1) or not text[: one.start].strip():
            return None
        lines = "\n" * text.count("\n", 0, one.body)
        body = " ".join(f"{prefix}{digits}" for _, prefix, digits, _ in one.words)
        return plainhex.read(f"{lines}{{ {body} }}")
    for place, prefix, digits, _ in one.words:
        if not prefix or len(digits) > 2:
            raise _error(text, place, f"{prefix}{digits} among bytes with 0x")
    data = bytes(int(digits, 16) for _, _, digits, _ in one.words)
    return DecodedText(_repeated(data, one), "array")


def _repeated(data: bytes, one: ByteList) -> bytes:
    """Return *data* with each byte as often as the list says."""
    if one.size == len(data):
        return data
    counts = [word[3] for word in one.words]
    return b"".join(data[at : at + 1] * count for at, count in enumerate(counts))


def _numbers(text: str, one: ByteList) -> radix.Numbers:
    """Return the numbers of a list with what is known of their base."""
    before = text[max(0, one.start - 200) : one.start]
    words = [word[2] for word in one.words]

    def fail(at: int, reason: str, help_text: str) -> InputError:
        return _error(text, one.words[at][0], reason, help_text)

    if one.bracket == "<":
        hexed = any(name in text[one.start : one.body] for name in ("Buffer", "Uint8Contents"))
        return radix.Numbers(words, fail, 16 if hexed else 10)
    if one.bracket == "object":
        return radix.Numbers(words, fail, 10, why="as JSON prints numbers")
    for pattern, language in _LANGUAGES:
        if pattern.search(before):
            padded = any(len(word) > 1 and word[0] == "0" for word in words)
            base = 0 if padded else 10
            return radix.Numbers(words, fail, base, 10, f"as {language} prints numbers")
    usual = 10 if one.bracket in "{(" or not _like_rust(text, one) else 0
    return radix.Numbers(words, fail, 0, usual, "as such lists usually are")


def _like_rust(text: str, one: ByteList) -> bool:
    """Return whether commas and blanks stand as Rust prints them, which prints hex so as well."""
    inside = text[one.start + 1 : one.end - 1]
    return inside == inside.strip() and ", " in inside and "\n" not in inside.strip()


def _bare(text: str, asked: int) -> DecodedText | None:
    """Read numbers without brackets, where nothing else is there."""
    first = _WORD.search(text)
    if not first or (len(first[0]) > _WIDEST and asked != 2):
        return None
    if (
        asked not in (2, 8, 10)
        and not _ALIGNED.fullmatch(text)
        and not _looks_bare(text, most=2 if asked else _WIDEST)
    ):
        return None
    words = [(match.start(), match[0]) for match in _WORD.finditer(text)]

    def fail(at: int, reason: str, help_text: str) -> InputError:
        return _error(text, words[at][0], reason, help_text)

    data, base, note = radix.values(radix.Numbers([word for _, word in words], fail), asked)
    return DecodedText(data, f"{base} list", (note,) if note else ())


def _looks_bare(text: str, most: int) -> bool:
    """Return whether these are numbers, and not digits in pairs or a broken row of them."""
    if "," not in text and "\n" not in text.strip():
        with suppress(ValueError):
            return not bytes.fromhex(text)  # digits in pairs
    pairs = not _NO_PAIR.search(text)
    words = text.translate(_SPACED).split()
    if len(words) < 2 or any(
        len(word) > most or not radix.NUMBER.fullmatch(word) for word in words
    ):
        return False
    padded = any(len(word) > 1 and word[0] == "0" for word in words)
    letters = any(not word.lstrip("-").isdecimal() for word in words)
    if pairs:
        alone = "," in text or text.strip().count("\n") == len(words) - 1
        return alone and not padded and not letters
    widths = set(map(len, words))
    if letters:
        return not padded and widths == {1, 2} and len(words) >= _ENOUGH
    if any(not -128 <= int(word) < 256 for word in words):
        return False
    return not padded or widths == {3}


def _cut(text: str, one: ByteList) -> InputError:
    """Return an error that says how much a list leaves out."""
    place, count = one.more or (one.start, 0)
    whole = f" of {one.size + count}" if count else ""
    left = f"{count} more are" if count else "the rest is"
    return _error(
        text,
        place,
        f"the list is cut: {one.size}{whole} bytes are here, {left} left out",
        "print all of it, as hex for example",
    )


def _error(text: str, place: int, reason: str, help_text: str = "") -> InputError:
    column = place - text.rfind("\n", 0, place)
    line = text.count("\n", 0, place) + 1
    return InputError(f"{reason}, column {column}", line=line, help=help_text)
