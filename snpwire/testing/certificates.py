"""The certificates of an emulated chip, as a verifier takes them."""

from __future__ import annotations

from binascii import b2a_base64
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..engine.machine import Machine


class Certificates(NamedTuple):
    """A chain, DER, from the key that signs reports up to a root that says TEST in its name."""

    key: bytes
    """VCEK, or VLEK if one is loaded."""
    ca: bytes
    """ASK, or ASVK."""
    root: bytes
    """ARK."""

    @property
    def pem(self) -> bytes:
        """Return them as PEM, one behind the other."""
        return b"".join(map(pem, self))


def certificates_of(machine: Machine) -> Certificates:
    """Return the certificates of the key that signs on a machine now."""
    return Certificates(*machine.firmware.chip.certificates().values())


def pem(document: bytes) -> bytes:
    """Return a certificate as PEM."""
    text = b2a_base64(document, newline=False)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))
