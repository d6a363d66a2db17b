"""Every exception snpwire raises on purpose.

* SnpwireError
  + LayoutError       a record class is declared wrongly (raised at import)
  + UsageError        the requested kind, topic or field does not exist
  + InputError        text or a file cannot be read as bytes; names the line
  + FieldError        names the record, the field's path and its offset
    - DecodeError     bytes do not have the shape of the record
    - EncodeError     a value does not fit its field
  + KeyFormatError    bytes are no key of the requested kind; never shows them
  + MessageError      a guest message has an impossible size or algorithm
    - AuthError       its tag does not fit; says nothing about why
  + CertificateError  bytes are no certificate; names the offset
  + SignatureError    a signature does not match the signed data
  + VerificationError a report is refused; names the checks that fail
  + EngineError       an error inside the emulated machine
    - AccessError     the reverse map table does not allow an access
    - ExitError       the hypervisor refuses an exit of a guest
    - DriverError     the guest's driver fails as Linux would: an errno, and the result
    - StoppedError    the guest is stopped: its hypervisor could not respond
"""

from __future__ import annotations

from typing import Any, Self

SHOWN = 80
"""Characters of a value that a message shows."""


def shown(value: object) -> str:
    """Return an untrusted value as a message shows it: its repr, cut short."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deep, or an integer of too many digits
        return f"a value of type {type(value).__name__}"
    return cut(text)


def cut(text: str) -> str:
    """Return *text*, or its start if it is too long for a message."""
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def named(name: str) -> str:
    """Return an untrusted name as a line may show it: escaped if necessary, and cut."""
    return cut(name if name.isprintable() else ascii(name)[1:-1])


def printable(text: str) -> str:
    """Return *text* with what could move a cursor, turn lines round or be no text as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class SnpwireError(Exception):
    """Base class of every error raised by this package."""

    help: str = ""


class LayoutError(SnpwireError):
    """A record declaration contradicts itself."""


class UsageError(SnpwireError):
    """The requested kind, topic, field or the like does not exist."""

    def __init__(self, reason: str, *, help: str = "") -> None:
        super().__init__(reason)
        self.help = help


class InputError(SnpwireError):
    """An input cannot be read as the bytes it stands for."""

    def __init__(self, reason: str, *, line: int | None = None, help: str = "") -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason = reason
        self.line = line
        self.help = help


class FieldError(SnpwireError):
    """Something is wrong at one field of one record."""

    def __init__(
        self, record: str, path: str, offset: int | None, reason: str, *, help: str = ""
    ) -> None:
        place = named(f"{record}.{path}" if path else record)  # a path may be of foreign JSON
        where = f" at {offset:#05x}" if path and offset is not None else ""
        super().__init__(f"{place}{where}: {reason}")
        self.record = record
        self.path = path
        self.offset = offset
        self.reason = reason
        self.help = help

    def within(self, record: str, path: str, offset: int | None) -> Self:
        """Return the error as of the record that embeds this one at *offset*."""
        joint = "." if path and self.path and not self.path.startswith("[") else ""
        lost = offset is None or (not path and self.offset is None)
        at = None if lost else (offset or 0) + (self.offset or 0)
        return type(self)(record, path + joint + self.path, at, self.reason, help=self.help)

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.record, self.path, self.offset, self.reason)
        return type(self), arguments, {"help": self.help}


class DecodeError(FieldError):
    """The input does not have the size of the record."""


class AbsentError(FieldError):
    """A field is asked for that is not among the bytes that are there."""


class EncodeError(FieldError):
    """A value does not fit its field."""


class KeyFormatError(SnpwireError):
    """Bytes are no key of the requested kind. The message never shows them."""


class MessageError(SnpwireError):
    """A guest message cannot be sealed or opened."""

    def __init__(self, reason: str, *, code: str = "message") -> None:
        super().__init__(reason)
        self.code = code
        """A stable name of the error, that of the same finding of the rules."""


class AuthError(MessageError):
    """A guest message fails authentication; a forger learns no more than that."""

    def __init__(self) -> None:
        super().__init__("the message fails authentication", code="auth")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class CertificateError(SnpwireError):
    """Bytes are no certificate, or none that can be read."""

    def __init__(self, reason: str, *, offset: int | None = None, help: str = "") -> None:
        super().__init__(reason if offset is None else f"{reason} at {offset:#x}")
        self.reason = reason
        self.offset = offset
        self.help = help


class SignatureError(SnpwireError):
    """A signature does not match the signed data."""


class VerificationError(SnpwireError):
    """A report, or a chain of certificates, is refused."""

    def __init__(self, reason: str, checks: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.checks = checks
        """Names of the checks that fail."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, self.checks)


class EngineError(SnpwireError):
    """An error inside the emulated machine."""


class AccessError(EngineError):
    """The reverse map table does not allow an access to a page."""

    def __init__(self, reason: str, address: int) -> None:
        super().__init__(f"{reason} at {address:#x}")
        self.address = address


class ExitError(EngineError):
    """The hypervisor refuses an exit, or what the guest asks for there."""

    def __init__(self, reason: str, address: int) -> None:
        super().__init__(f"{reason} at {address:#x}")
        self.address = address
        """Of the GHCB, or of the page that the exit is about."""


class DriverError(EngineError):
    """The guest's driver has no response for its caller."""

    def __init__(self, errno: str, reason: str, *, exitinfo2: int = 0, pages: int = 0) -> None:
        super().__init__(f"{errno}: {reason}")
        self.errno = errno
        self.reason = reason
        self.exitinfo2 = exitinfo2
        """Result of hypervisor and firmware, as the ioctl returns it."""
        self.pages = pages
        """Pages that the certificates need, if they did not fit."""


class StoppedError(EngineError):
    """A guest is stopped."""

    def __init__(self, vm: str, reason: str) -> None:
        super().__init__(f"VM {vm} does not run on: {reason}")
        self.vm = vm
        self.reason = reason
