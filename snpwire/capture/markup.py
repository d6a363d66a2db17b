r"""Take off what mail, web pages, editors and loggers put around a text, keeping its lines.

`plain` takes off what never belongs to bytes. What may belong to them, since the text column of a
dump can hold anything, comes off only in one of `variants`, which are tried where the text as it
stands reads as nothing, or as something broken.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUOTES = re.compile(r"^ *(?:> ?)+", re.MULTILINE)
_FENCE = re.compile(r"^ *(?:```|~~~).*$", re.MULTILINE)
_TYPOGRAPHY = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a", " ")
    | dict.fromkeys("\u202f\u205f\u3000", " ")
    | dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", "")
    | {"\u2026": "...", "\u2028": "\n", "\u2029": "\n"}
)
_TAG = re.compile(
    r"</?(?:pre|code|span|div|p|br|b|i|tt|samp|font|html|body)\b[^<>\n]{0,256}>", re.IGNORECASE
)
_BREAK = re.compile(r"<br ?/?>(?!\n)", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]{1,5}|#[xX][0-9a-fA-F]{1,4}|[a-z]{2,6});")
_GUTTER = re.compile(r"^ *([1-9][0-9]{0,5})(?: *[|\u2502] ?|:|\t)(.*)$")
_LONE_GUTTER = re.compile(r" {0,8}1(?:\t| *[|\u2502] )")
_FRAME = re.compile(r"^[\s\u2500-\u257f]*(?:(?:File|Size): .*)?$")
_ROW = re.compile(r"^ *(?:[0-9a-fA-F]{2} +){7,}(?:[0-9a-fA-F]{2})? *$")
_LAST = re.compile(r"^ *(?:[0-9a-fA-F]{2} *)+$")
_PROMPT = re.compile(
    r"^(?:[\w@.:~/\[\]\\ -]{0,60}[$#%>]|\(\w{1,12}\))(?: [^\n]*)?$", re.ASCII | re.MULTILINE
)
_GROUPS = re.compile(r"(?:(?<![\w.])(?:0x)?[0-9a-fA-F]{2,16}\b[\s`-]*){2}")
_PAIRS = re.compile(r"(?:\b[0-9a-fA-F]{2,}\b[: ]*){3}")
_CALL = re.compile(
    r"""^[^\n("]{0,64}\b(?:p?read(?:64)?|p?write(?:64)?|recv\w*|send\w*|ioctl)\([^"\n]{0,64}?
    ("(?:[^"\\\n]|\\.)*"(?:\.\.\.)?)(?:,\ [^\n"]*)?\)\ +=""",
    re.MULTILINE | re.VERBOSE,
)
_ELEMENT = re.compile(
    r"[ \w.&*>-]{0,64}?[\[({]?[\"']?([0-9]{1,7})[\"']?[\])}]? *(?:=>?|:|,) *"
    r"(?:\(?[\w ]{1,16}\) *)?(?:int\()?((?:0[xX])?[0-9a-fA-F]{1,3}|-[0-9]{1,3})\)?"
    r"(?: +'[^\n]{1,6}')?[,;]? *",
    re.ASCII,
)
_AROUND = 3  # lines before the first and behind the last element of an array
_FEW = 8  # elements of which one has its place by accident
_NUMBER = re.compile(r"(?<![\w(\[])[0-9]")
_CAST = re.compile(r"\( ?(?:unsigned )?(?:byte|char|u?int8_t|u8) ?\) ?|(?<=[0-9])_?[uU]8\b")
_DIRECTIVE = re.compile(r"^ *(?:\.byte|\.db|db|DB|dc\.b) +", re.MULTILINE)
_EACH_QUOTED = re.compile(r"([\"'])((?:0[xX])?[0-9a-fA-F]{1,3})\1(?= *[,\]})\n]| *$)")
_OTHER_BYTES = re.compile(r"(?:\b[0-9a-fA-F]{2}\b[ ,:]+){3}|-----BEGIN ", re.ASCII)
_UNBROKEN = re.compile(r"[0-9A-Za-z+/_=]{24,}")
_HEAD = re.compile(r"\"?[A-Za-z][\w ]{0,32}\"?(?:[,;] ?\"?[A-Za-z][\w ]{0,32}\"?)*")
_LONG = re.compile(r"(?<![0-9A-Za-z+/_=])(?:0[xX]|16#)?([0-9a-fA-F]{32,})(?![0-9A-Za-z+/_=])")
_CONTINUED = re.compile(r" *\\$", re.MULTILINE)
_RETURN = re.compile(r'"return"\s*:\s*("(?:[^"\\]|\\.){8,}")')
_LABEL = re.compile(
    r"""\s*(?:(?:let|const|var|export|val)\s+)?["']?[A-Za-z_][\w.\[\] -]{0,63}["']?\s*"""
    r"""(?::=|=>|[:=])(?!/)\s*(?:[|>][+-]?[0-9]?\s*\n\s*)?(\S.*)""",
    re.ASCII | re.DOTALL,
)
_QUOTED = re.compile(
    r"""\s*+["']?[\w .:=>!()&*\[\]-]{0,100}?["']?\s*+[:=]?\s*+
    (["'])([0-9A-Za-z+/=_\s:,-]{8,})\1(?:\s*,\s*["']\w{1,12}["'])?[\s);,]*""",
    re.VERBOSE | re.ASCII,
)


def plain(text: str) -> str:
    """Take off what mail, terminals and web pages add."""
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _without_gutter(text) or text
    text = text.replace("\xa0", " ").replace("\t", "    ")
    return _FENCE.sub("", _QUOTES.sub("", text))


def variants(text: str) -> Iterator[str]:
    """Yield *text* without other things that stood around it, each only where it is there."""
    if answer := _monitor_answer(text):
        yield answer
    for straight in _bases(text):
        if straight is not text:
            yield plain(straight)
        for change in CHANGES:
            if changed := change(straight):
                yield plain(changed)


def _bases(text: str) -> Iterator[str]:
    """Yield the text as it is, with plain quote marks and blanks, and without HTML."""
    bases = [text]
    if _TAG.search(text) or _ENTITY.search(text):
        bases.append(html.unescape(_TAG.sub("", _BREAK.sub("\n", text))))
    yield from bases
    for base in bases:
        if not base.isascii() and (straight := base.translate(_TYPOGRAPHY)) != base:
            yield straight


def _monitor_answer(text: str) -> str:
    """Return the text in answers of QEMU's monitor, which are JSON."""
    found = [json_text(match[1]) for match in _RETURN.finditer(text)]
    return plain("\n".join(found)) if found else ""


def json_text(quoted: str) -> str:
    """Return what a quoted JSON string holds; nothing if it is none."""
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:
        return ""


def _without_gutter(text: str) -> str:
    """Take off line numbers, where every line has one and they count; nothing if they do not."""
    start = text[:256].lstrip("\n")
    if not (start and (start.lstrip()[:1].isdecimal() or _FRAME.match(start.split("\n", 1)[0]))):
        return ""
    lines = [(line, _GUTTER.match(line)) for line in text.split("\n")]
    numbers = [int(match[1]) for _, match in lines if match]
    alone = len(numbers) == 1 and any(match and _LONE_GUTTER.match(line) for line, match in lines)
    if (len(numbers) < 2 and not alone) or any(
        not match and not _FRAME.match(line) for line, match in lines
    ):
        return ""
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return ""
    return "\n".join(match[2] if match else "" for _, match in lines)


def _without_backslashes(text: str) -> str:
    """Take off the marks by which a shell continues a line."""
    return _CONTINUED.sub("", text) if "\\\n" in text else ""


def _without_signs(text: str) -> str:
    """Take off the signs that a comparison puts before lines."""
    lines = [line for line in text.split("\n") if line.strip()]
    same = len(lines) > 1 and {line[0] for line in lines} in ({"+"}, {"-"}, {"|"})
    return re.sub(r"^[+|-]", "", text, flags=re.MULTILINE) if same else ""


def _without_label(text: str) -> str:
    """Take off a name, quote marks, or a call that only says how the digits in it are read."""
    if quoted := _QUOTED.fullmatch(text):
        return "\n" * text.count("\n", 0, quoted.start(2)) + quoted[2]
    found = _LABEL.fullmatch(text)
    if found and _PAIRS.search(text[: found.start(1)]):  # the text column of a row
        return ""
    return "\n" * text.count("\n", 0, found.start(1)) + found[1] if found else ""


def _rows_alone(text: str) -> str:
    """Return the only rows of bytes among other lines; nothing if other lines have bytes too."""
    lines = text.split("\n")
    rows = [at for at, line in enumerate(lines) if _ROW.match(line)]
    if not rows or "Offset Bytes" in text:  # a head of Format-Hex has such a row
        return ""
    if any(line.strip() == "*" for line in lines):  # which leaves rows out
        return ""
    end = rows[-1] + 1
    end += end < len(lines) and bool(_LAST.match(lines[end]))
    kept = range(rows[0], end)
    apart = any(at not in rows and at != end - 1 and lines[at].strip() for at in kept)
    other = any(_PAIRS.search(line) for at, line in enumerate(lines) if at not in kept)
    if apart or other:
        return ""
    return "\n".join(line if at in kept else "" for at, line in enumerate(lines))


def _without_prompts(text: str) -> str:
    """Leave out the lines on which a command stands."""
    found = [match[0] for match in _PROMPT.finditer(text)]
    return "" if not found or any(map(_GROUPS.search, found)) else _PROMPT.sub("", text)


def _strace(text: str) -> str:
    """Return what the only call in a trace of strace has in its buffer; nothing if it has two."""
    found = [match for match in _CALL.finditer(text) if "\\" in match[1]]
    return "\n" * text.count("\n", 0, found[0].start(1)) + found[0][1] if len(found) == 1 else ""


def _elements(text: str) -> str:
    """Return the numbers of an array each element of which is printed with its place."""
    text = re.sub(r"=>\s*\n\s*", "=> ", text)
    lines = [(line, _ELEMENT.fullmatch(line)) for line in text.split("\n") if line.strip()]
    places = [int(match[1]) for _, match in lines if match]
    inner = [match for _, match in lines][_AROUND : -_AROUND or None]
    if len(places) < _FEW or places != list(range(len(places))) or None in inner:
        return ""
    if any(not match and _NUMBER.search(line) for line, match in lines):
        return ""
    return "\n".join(match[2] for _, match in lines if match)


def _without_head(text: str) -> str:
    """Take the names of columns off a table of numbers."""
    head, _, rest = text.lstrip("\n").partition("\n")
    named = _HEAD.fullmatch(head) and not _GROUPS.search(head)
    return "\n" + rest if named and not rest.strip("0123456789xXabcdefABCDEF,; \n") else ""


def _without_marks(text: str) -> str:
    """Take off the marks around each number: quotes, casts, the directives of assemblers."""
    bare = _DIRECTIVE.sub("", _CAST.sub("", text))
    quoted = _EACH_QUOTED.sub(r"\2", bare)
    return quoted if quoted != text and (quoted != bare or bare != text) else ""


def _one_word(text: str) -> str:
    """Return the only long word of hex digits in a text; nothing if there are other bytes."""
    if _OTHER_BYTES.search(text):
        return ""
    found = _LONG.findall(text)
    alone = len(found) == 1 and len(found[0]) % 2 == 0 and len(_UNBROKEN.findall(text)) == 1
    alone = alone and bool(found[0].strip("A")) and text.lstrip()[:1] != ":"  # base64, Intel HEX
    return found[0] if alone else ""


CHANGES = (
    _without_prompts,
    _without_backslashes,
    _without_signs,
    _without_label,
    _rows_alone,
    _strace,
    _elements,
    _without_head,
    _without_marks,
    _one_word,
)
"""What takes one thing off a text; nothing if it is not there."""
