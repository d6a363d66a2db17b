"""``snpwire encode``: JSON and ``--set`` to bytes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..errors import EncodeError, InputError, SnpwireError, UsageError, shown
from ..layout import SECRETS
from ..numeral import DECIMAL, readings
from ..view.json import fields_of, loads, place
from ..view.secret import secret_fields
from ..wire import COMMAND, kind
from .input import SourceError, contents, shown_name
from .messages.corrupt import LIST, corrupt_bytes, write_catalogue
from .output import write_file, write_lines, write_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROW = 32


def encode(
    name: str,
    file: str | None,
    settings: tuple[str, ...],
    *,
    output: str | None,
    as_hex: bool,
    corrupt: tuple[str, ...] = (),
    command: str | None = None,
) -> int:
    """Build one value and write it; nothing is written on an error."""
    if name == COMMAND:
        from .command import form_of

        if corrupt:
            raise UsageError("--corrupt is for guest messages, not for commands")
        data = build_value(name, file, settings, form=lambda plain: form_of(plain, command))
        write_bytes(data, output=output, as_hex=as_hex, private=True)
        return 0
    if command is not None:
        raise UsageError(f"--id is for a command, not for {name}", help="encode command --id 0x94")
    wanted = kind(name)
    if LIST in corrupt:
        from ..crypto.corruption import wrong_alone

        return write_catalogue(wrong_alone(name))
    data = build_value(wanted.name, file, settings)
    private = any(secret_fields(wanted.type.parse(data)))
    data = corrupt_bytes(wanted.name, data, corrupt)
    write_bytes(data, output=output, as_hex=as_hex, private=private)
    return 0


def build_value(
    name: str,
    file: str | None,
    settings: tuple[str, ...],
    *,
    zero: bool = False,
    form: Callable[[Any], tuple[str, Any]] | None = None,
) -> bytes:
    """Build a value from JSON and ``--set``; with neither, from standard input, or all *zero*.

    It is of the kind called *name*, unless *form* chooses a schema and its class by the JSON.
    """
    choose = form or (lambda plain: (name, kind(name).type))
    given: Any = {}
    if file is not None or not (settings or zero):
        given, record = _object("-" if file is None else file, choose)
    else:
        record = choose(given)[1]
    for setting in settings:
        path, found, value = setting.partition("=")
        if not found:
            raise UsageError(f"--set {shown(setting)} has no value", help="--set path=value")
        place(given, path.strip(), _value(record, path.strip(), value))
    try:
        data: bytes = record.from_plain(given).build()
    except EncodeError as exc:
        raise SourceError("--set" if file is None and settings else shown_name(file), exc) from None
    return data


def write_bytes(data: bytes, *, output: str | None, as_hex: bool, private: bool) -> None:
    """Write bytes, or their hex text, to a file or standard output. Raises UsageError, OSError."""
    text = "".join(f"{data[n : n + ROW].hex()}\n" for n in range(0, len(data), ROW))
    if output is not None and output != "-":
        write_file(output, text.encode() if as_hex else data, private=private)
    elif as_hex:
        write_lines(text.splitlines())
    elif sys.stdout.isatty():
        raise UsageError("these are raw bytes, and this is a terminal", help="-o FILE, or --hex")
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _object(file: str, choose: Callable[[Any], tuple[str, Any]]) -> tuple[dict[str, Any], Any]:
    """Read the JSON object of a file or of standard input, and choose its class."""
    source = shown_name(file)
    text = contents(file)
    try:
        plain = loads(text.decode("utf-8-sig"))
        name, record = choose(plain)
        given = fields_of(plain, name)
    except UsageError:
        raise
    except UnicodeDecodeError as exc:
        raise InputError(f"{source}: not UTF-8 at byte {exc.start:#x}, so not JSON") from None
    except SnpwireError as exc:
        raise SourceError(source, exc) from None
    if not isinstance(given, dict):
        raise InputError(f"{source}: expected a JSON object of fields")
    return given, record


def _value(record: Any, path: str, text: str) -> Any:
    """Return the value after ``=``: a file's bytes, a list or object of JSON, or text.

    Raises UsageError for a key, which every user of the machine could read on the command line.
    """
    if text.startswith("@"):
        return _field_bytes(record, path, text[1:]).hex()
    value: Any = text
    if text.isdecimal() and _size(record, path) == REGISTER:
        for row in readings(text):
            if row.base == DECIMAL:
                write_note(f"--set {path}={text} is read as decimal, {row.value:#x}")
    if text.startswith(("[", "{")):
        try:
            value = loads(text)
        except InputError as exc:
            raise SourceError("--set", exc) from None
    if key := next(_keys_in({path.rpartition(".")[2]: value}), None):
        hint = f"--set {path}=@FILE reads its bytes, JSON may be on standard input"
        raise UsageError(f"--set {shown(path)}: {key} is a key, and no argument may be", help=hint)
    return value


REGISTER = 8
"""Bytes of a register, which programs print in hex; what is shorter is mostly a count."""


def _size(record: Any, path: str) -> int:
    """Return the size of the field at *path*, or 0 if there is none."""
    tile = None
    for name in path.split("."):
        tile = record.tile(name) if hasattr(record, "tile") else None
        record = getattr(tile and tile.con, "record", None)
    return tile.size if tile else 0


def _field_bytes(record: Any, path: str, file: str) -> bytes:
    """Return the bytes in *file* for the field at *path*; its codec refuses a wrong size."""
    from .bytefile import Wanted, meant

    size = _size(record, path)
    wanted = Wanted(path, fits=size.__eq__ if size else None, secret=bool(SECRETS & {path}))
    return meant(contents(file), wanted, shown_name(file))


def _keys_in(plain: Any) -> Iterator[str]:
    """Yield the names of fields in JSON that hold a key."""
    for one in plain if isinstance(plain, list) else ():
        yield from _keys_in(one)
    for name, value in plain.items() if isinstance(plain, dict) else ():
        if name in SECRETS - {"reg_prot_nonce"}:  # a number that hides patterns, and opens nothing
            yield name
        yield from _keys_in(value)
