"""The bytes that an option names: of a file or in its value, in any form, of the size they need.

Every option that takes bytes reads them here: payloads, keys, digests, fields given by ``@FILE``.
What is wanted says which sizes fit. A text that spells bytes is read as these bytes, and is never
itself taken for them; a size that does not fit is refused with both. Of what is secret nothing is
repeated, neither in an error nor in a note.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InputError
from ..layout import Record
from ..view.secret import secret_fields
from ..wire import kind
from ..wire.message import PAYLOAD_UNIT
from .input import MOST_DIGITS, SNIFF, SourceError, contents, is_raw, shown_name
from .output import write_note

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST = 16
"""Bytes below which a text is no dump: where any number will do, it is the bytes themselves."""


class Wanted(NamedTuple):
    """What bytes have to be."""

    name: str
    """What has them: ``the payload of report-req``."""
    sizes: str = ""
    """How many bytes it has, in words; empty if any number will do."""
    fits: Callable[[int], bool] | None = None
    secret: bool = False
    help: str = ""
    """For a size that does not fit."""

    def check(self, size: int) -> None:
        """Raise InputError unless *size* bytes fit."""
        if self.fits and not self.fits(size):
            raise InputError(f"{self.name} has {self.sizes}, got {size}", help=self.help)


def of_size(name: str, *sizes: int, secret: bool = False) -> Wanted:
    """Return what has one of a few sizes."""
    words = [str(size) for size in sizes]
    text = " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    return Wanted(name, f"{text} bytes", lambda size: size in sizes, secret)


def file_bytes(file: str, wanted: Wanted) -> bytes:
    """Return the bytes in *file*, ``-`` being standard input. Raises SourceError and OSError."""
    try:
        data = meant(contents(file), wanted, shown_name(file))
        wanted.check(len(data))
    except SourceError:
        raise
    except InputError as exc:
        raise SourceError(shown_name(file), exc) from None
    return data


def payload_bytes(file: str, name: str) -> bytes:
    """Return a payload in *file*, of the kind *name* or of any. Raises SourceError and OSError."""
    if not name:
        return file_bytes(file, Wanted("a payload"))
    of = kind(name).type
    sizes = f"{of.SIZE} bytes" if issubclass(of, Record) else "whole entries behind its head"
    secret = not issubclass(of, Record) or any(secret_fields(of.zero()))

    def fits(size: int) -> bool:
        filling = range(1 if size % PAYLOAD_UNIT else PAYLOAD_UNIT)
        return any(of.fits(size - zeros) for zeros in filling)

    hint = "raw --type N takes a payload of any size"
    return file_bytes(file, Wanted(f"a payload {name}", sizes, fits, secret, hint))


def value_text(option: str, value: str, wanted: Wanted) -> str:
    """Return the hex digits of an option's value: ``@FILE``, or digits in any form that fits."""
    if value.startswith("@"):
        return file_bytes(value[1:], wanted).hex()
    try:
        bytes.fromhex(value)
    except ValueError:
        raw = value.encode(errors="replace")
        data = raw
        with suppress(InputError):  # what compares the value says what is wrong
            data = meant(raw, wanted, option)
        return data.hex() if wanted.fits and wanted.fits(len(data)) else value
    return value


def meant(raw: bytes, wanted: Wanted, name: str) -> bytes:
    """Return the bytes that *raw* spells, or itself if it spells none. Raises InputError."""
    exact = wanted.fits(len(raw)) if wanted.fits else len(raw) < SHORTEST
    if is_raw(raw[:SNIFF]) or exact or len(raw) > MOST_DIGITS:
        return raw
    from ..capture.hextext import read

    try:
        reading = read(raw, sizes=wanted.fits)
    except InputError as exc:
        raise _refusal(exc, wanted) from None
    plain = "hex" if wanted.secret else "raw"  # what needs no note
    if reading.form not in ("raw", plain) and (not wanted.fits or wanted.fits(len(reading.data))):
        notes = (f"read as {reading.form}", *(() if wanted.secret else reading.notes))
        write_note(*(f"{name}: {note}" for note in notes))
    return reading.data


def _refusal(exc: InputError, wanted: Wanted) -> InputError:
    """Return an error for a text that is broken, or that has two readings."""
    undecided = exc.help.startswith("--from")
    hint = "write it as hex digits" if undecided else exc.help
    if not wanted.secret:
        return InputError(exc.reason, line=exc.line, help=hint)
    reason = "its numbers may be decimal or hex" if undecided else "it does not spell bytes"
    return InputError(f"{reason}; none of it is shown", line=exc.line, help=hint)
