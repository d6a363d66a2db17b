"""JSON in a text: all of it, JSON Lines, or objects within what is no JSON (a request, a log)."""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import NamedTuple

from ..errors import InputError, shown

MAX_DEPTH = 100
MAX_OBJECTS = 1000
MAX_BROKEN = 16
"""Most places that look like an object of JSON, and are none, before the search ends."""
_OBJECT = re.compile(r'\{\s*"')


class JsonObject(NamedTuple):
    """An object within a text."""

    line: int
    value: object


def _object(rows: list[tuple[str, object]]) -> dict[str, object]:
    """Return the object of *rows*. Raises InputError for a name that stands for two values."""
    found: dict[str, object] = dict(rows)
    if len(found) < len(rows):
        for name, value in rows:
            if found[name] != value:
                raise InputError(f"the JSON has two members {shown(name)} in one object")
    return found


_DECODER = JSONDecoder(object_pairs_hook=_object)


def parse(text: str) -> object:
    """Return the value of a JSON text; None if it is none, or ``null``.

    A text that begins as an object of JSON does, and is none, is broken. Raises InputError.
    """
    body = text.lstrip()
    if body[:1] not in ("{", "[", '"'):
        return None
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise InputError(f"the JSON is nested deeper than {MAX_DEPTH} levels") from None
    except JSONDecodeError as exc:
        if _OBJECT.match(body) and not exc.msg.startswith("Extra data"):
            reason = f"the JSON breaks off or is broken: {exc.msg}, column {exc.colno}"
            raise InputError(reason, line=exc.lineno) from None
    except ValueError:  # a number of more digits than Python converts
        raise InputError("the JSON has a number of too many digits") from None
    return None


def json_objects(text: str) -> list[JsonObject]:
    """Return the objects of JSON in a text that is no JSON as a whole.

    In the argument of a shell, and in a text within a log, their quotation marks have a backslash.
    """
    if '{\\"' in text:
        text = text.replace('\\"', '"')
    found: list[JsonObject] = []
    at = line = broken = 0
    while broken < MAX_BROKEN and len(found) < MAX_OBJECTS:
        begin = _OBJECT.search(text, at)
        if begin is None:
            break
        line += text.count("\n", at, begin.start())
        at = begin.start()
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            broken += 1
            end = at + 1
        else:
            found.append(JsonObject(line + 1, value))
        line += text.count("\n", at, end)
        at = end
    return found
