"""``snpwire encode``: JSON and ``--set`` to bytes."""

from __future__ import annotations

import sys
from typing import Any

from ..errors import EncodeError, InputError, SnpwireError, UsageError
from ..view.json import fields_of, loads, place
from ..wire import kind
from .sink import say, write_file
from .source import SourceError, contents, shown_name

ROW = 32


def encode(
    name: str, file: str | None, settings: list[str], *, output: str | None, as_hex: bool
) -> int:
    """Build one value and write it. Nothing is written if it does not build."""
    chosen = kind(name)
    given: Any = {}
    if file is not None or not settings:
        given = _object("-" if file is None else file, chosen.name)
    for setting in settings:
        path, found, value = setting.partition("=")
        if not found:
            raise UsageError(f"--set {setting!r} has no value", help="--set path=value")
        place(given, path.strip(), _value(value))
    try:
        data = chosen.type.from_plain(given).build()
    except EncodeError as exc:
        raise SourceError("--set" if file is None and settings else shown_name(file), exc) from None
    text = "".join(f"{data[n : n + ROW].hex()}\n" for n in range(0, len(data), ROW))
    if output is not None and output != "-":
        write_file(output, text.encode() if as_hex else data)
    elif as_hex:
        say(text.splitlines())
    elif sys.stdout.isatty():
        raise UsageError("these are raw bytes, and this is a terminal", help="-o FILE, or --hex")
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    return 0


def _object(file: str, name: str) -> dict[str, Any]:
    """Read the JSON object of a file or of standard input."""
    shown = shown_name(file)
    try:
        given = fields_of(loads(contents(file).decode("utf-8-sig")), name)
    except UnicodeDecodeError as exc:
        raise InputError(f"{shown}: not UTF-8 at byte {exc.start:#x}, so not JSON") from None
    except SnpwireError as exc:
        raise SourceError(shown, exc) from None
    if not isinstance(given, dict):
        raise InputError(f"{shown}: expected a JSON object of fields")
    return given


def _value(text: str) -> Any:
    """Return what stands behind ``=``: ``@FILE`` is the file's bytes, the rest is text."""
    if text.startswith("@"):
        return contents(text[1:]).hex()
    return text
