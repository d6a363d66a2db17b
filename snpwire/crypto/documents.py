"""Certificates and revocation lists in the forms that callers of the verifier have them.

Bytes (DER or PEM), PEM as text, paths, objects of ``cryptography``, and what was read before. A
path is read here, once and up to a limit: the one file that is opened below the command line, for
callers in Python, who have paths more often than bytes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..errors import CertificateError, UsageError, printable, shown
from . import certificates
from .x509 import X509, Crl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cryptography.hazmat.primitives.serialization import Encoding

T = TypeVar("T")
SINGLE = (X509, bytes, bytearray, memoryview, str, os.PathLike)
LIMIT = 64 << 20
"""Size of the largest file that is read."""


class Encodable(Protocol):
    """A certificate or a list of ``cryptography``."""

    def public_bytes(self, encoding: Encoding) -> bytes:
        """Return it encoded."""


CertificateSource = X509 | Encodable | bytes | str | os.PathLike[str]
"""A certificate, or a file of them; text is PEM, or else the path of a file."""
CrlSource = Crl | Encodable | bytes | str | os.PathLike[str]


def certificates_of(given: CertificateSource | Iterable[CertificateSource]) -> list[X509]:
    """Return the certificates of each source, in order.

    Raises CertificateError, which names a path, and UsageError for what is no source.
    """
    single = isinstance(given, SINGLE) or hasattr(given, "public_bytes")
    try:
        sources = [given] if single else list(given)  # type: ignore[arg-type]
    except TypeError:
        raise _no_source(given) from None
    return [row for source in sources for row in _certificates(source)]


def crl_of(given: CrlSource) -> Crl:
    """Return the list. Raises CertificateError, which names a path, and UsageError."""
    return given if isinstance(given, Crl) else _loaded(given, certificates.load_crl)


def _certificates(source: object) -> list[X509]:
    return [source] if isinstance(source, X509) else _loaded(source, certificates.load)


def _loaded(source: object, load: Callable[[bytes], T]) -> T:
    if isinstance(source, bytes | bytearray | memoryview):
        return load(bytes(source))
    if isinstance(source, str) and "-----BEGIN " in source:
        return load(source.encode(errors="replace"))
    if isinstance(source, str | os.PathLike):
        return _loaded_file(os.fsdecode(source), load)
    return load(_encoded(source))


def _encoded(source: object) -> bytes:
    """Return an object of ``cryptography`` in DER; a key has such a method too, and is refused."""
    from cryptography.hazmat.primitives.serialization import Encoding  # slow to load

    try:
        return bytes(source.public_bytes(Encoding.DER))  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        raise _no_source(source) from None


def _loaded_file(path: str, load: Callable[[bytes], T]) -> T:
    name = printable(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(LIMIT + 1)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or "this is no path"
        raise CertificateError(f"{name}: {reason}") from None
    if len(data) > LIMIT:
        raise CertificateError(f"{name}: more than {LIMIT} bytes are no certificates")
    try:
        return load(data)
    except CertificateError as exc:
        raise CertificateError(f"{name}: {exc.reason}", offset=exc.offset) from None


def _no_source(given: object) -> UsageError:
    return UsageError(
        f"expected a certificate or a list, got {shown(given)}",
        help="bytes, PEM, a path, or an object of cryptography",
    )
