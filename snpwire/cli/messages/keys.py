"""Where a key comes from: a file, an environment variable, standard input.

Never the command line itself, which every user of the machine can read and shells record. A ``Key``
keeps what was read and never shows it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ...errors import InputError, KeyFormatError, UsageError
from ...wire.address import PAGE
from ...wire.message import KEY_SIZE
from ..input import SourceError, file_name, shown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .options import KeyOptions

MOST = 1 << 17
"""Most bytes of text that spells a page of keys."""
KEY_HELP = "--key-file FILE, --key-env NAME or --key-stdin; a key is never an argument itself"


class Key:
    """The bytes of one key and of the others in its secrets page; never shown."""

    __slots__ = ("data", "others")

    def __init__(self, data: bytes, others: Mapping[str, bytes] | None = None) -> None:
        self.data = data
        self.others = dict(others or {})
        """The other keys of the page that are not zero, by name."""

    def __repr__(self) -> str:
        return "<Key>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a key cannot be copied or pickled")


def load_key(options: KeyOptions, slot: int) -> Key:
    """Read the key that the options name; from a secrets page take VMPCK *slot*.

    Raises UsageError, OSError, and InputError, whose text contains nothing that was read.
    """
    name, text = _text(options)
    try:
        return _from_page(text, slot) if len(text) == PAGE else _from_text(name, text, slot)
    except KeyFormatError as exc:
        raise SourceError(name, exc) from None


def other_keys(file: str) -> dict[str, bytes]:
    """Return the keys of a secrets page by name. Raises InputError and OSError."""
    from ...crypto.diagnosis import slots

    try:
        return slots(_page(shown_name(file), _contents(file)))
    except KeyFormatError as exc:
        raise SourceError(shown_name(file), exc) from None


def claims_stdin(options: KeyOptions) -> bool:
    """Return whether the key is read from standard input."""
    return options.key_stdin or options.key_file == "-"


def _text(options: KeyOptions) -> tuple[str, bytes]:
    given = [options.key_file is not None, options.key_env is not None, options.key_stdin]
    if sum(given) != 1:
        reason = "there is no key" if not any(given) else "the key is given more than once"
        raise UsageError(reason, help=KEY_HELP)
    if options.key_env is not None:
        value = os.environb.get(os.fsencode(options.key_env))
        if value is None:
            raise InputError(f"${options.key_env}: there is no such variable in the environment")
        return f"${options.key_env}", value
    file = "-" if options.key_file is None else options.key_file
    return shown_name(file), _contents(file)


def _contents(file: str) -> bytes:
    """Return the start of a file: anything longer than a page, as text, is not a key."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(MOST)
        with Path(file).open("rb") as stream:
            return stream.read(MOST)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, file_name(file)) from None


def _from_text(name: str, text: bytes, slot: int) -> Key:
    """Read a key, or a page of them, in any form. Raises KeyFormatError, and InputError."""
    from ...crypto.sealing import key_bytes

    try:
        return Key(key_bytes(text))
    except KeyFormatError as exc:
        try:
            data = _page(name, text)
        except SourceError as broken:
            raise (broken if broken.help else exc) from None
        if len(data) == PAGE:
            return _from_page(data, slot)
        if len(data) != KEY_SIZE or len(text) == KEY_SIZE:
            raise exc from None
        return Key(key_bytes(data))


def _page(name: str, text: bytes) -> bytes:
    """Return the bytes that *text* spells, or itself. Raises SourceError, which shows nothing."""
    from ..bytefile import meant, of_size

    try:
        return meant(text, of_size("a key", KEY_SIZE, PAGE, secret=True), name)
    except InputError as exc:
        raise SourceError(name, exc) from None


def _from_page(page: bytes, slot: int) -> Key:
    from ...crypto.diagnosis import slots
    from ...crypto.sealing import valid_key
    from ...wire.secrets import SecretsPage

    if not any(page):
        raise KeyFormatError("every byte of the page is zero: there is no key in it")
    keys = SecretsPage.parse(page).vmpcks
    if slot >= len(keys):
        raise KeyFormatError(f"a secrets page has keys 0 to {len(keys) - 1}, not {slot}")
    try:
        data = valid_key(keys[slot])
    except KeyFormatError as exc:
        raise KeyFormatError(f"vmpck{slot}: {exc}") from None
    return Key(data, {name: key for name, key in slots(page).items() if name != f"vmpck{slot}"})
