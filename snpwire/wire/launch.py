"""The ID block that a guest's owner signs, and the page that authenticates it.

Keys and signatures have the shape of those in a report. A digest in a report is the SHA-384 of all
0x404 bytes of a key, the zeros included.
"""

from __future__ import annotations

from typing import Self

from construct import Bytes, Int32ul

from ..bits import OpenEnum
from ..codec import as_enum, as_word
from ..layout import Record, at, nested
from .report import GuestPolicy, Signature, SignatureAlgo, little_endian

SPEC = "56860, ID block and ID authentication (AMD-ASPFW sev_mcmd.h, virtee/sev, sev-snp-measure)"
ID_BLOCK_VERSION = 1


class Curve(OpenEnum):
    """Elliptic curve of a key."""

    P384 = 2, "NIST P-384, the only curve accepted"


class IdBlock(Record, size=0x60, spec=SPEC):
    """ID block: the owner's expectations of a guest."""

    ld: bytes = at(0x00, Bytes(48), "Expected launch digest")
    family_id: bytes = at(0x30, Bytes(16), "Family ID of the guest")
    image_id: bytes = at(0x40, Bytes(16), "Image ID of the guest")
    version: int = at(0x50, Int32ul, "Version of the ID block: 1; AMD-ASPFW ignores it")
    guest_svn: int = at(0x54, Int32ul, "Guest SVN (security version number)")
    policy: GuestPolicy = at(0x58, as_word(GuestPolicy), "Guest policy that the launch must have")


class IdKey(Record, size=0x404, spec="AMD-ASPFW ecc.h, virtee/sev, sev-snp-measure"):
    """Public key of an ID block; 48 of the 72 bytes of each coordinate are used."""

    curve: Curve = at(0x00, as_enum(Curve, Int32ul), "Elliptic curve of the key")
    qx: bytes = at(0x04, Bytes(72), "Qx, the x coordinate of the public key, little-endian")
    qy: bytes = at(0x4C, Bytes(72), "Qy, the y coordinate of the public key, little-endian")

    @property
    def qx_number(self) -> int:
        """Return the first coordinate."""
        return int.from_bytes(self.qx, "little")

    @property
    def qy_number(self) -> int:
        """Return the second coordinate."""
        return int.from_bytes(self.qy, "little")

    @classmethod
    def of(cls, x: int, y: int, curve: Curve = Curve.P384) -> Self:
        """Make a key of its coordinates. Raises EncodeError if one does not fit."""
        qx, qy = little_endian(cls, "qx", x), little_endian(cls, "qy", y)
        return cls(curve=curve, qx=qx, qy=qy)


class IdAuth(Record, size=0x1000, spec=SPEC):
    """ID authentication page: keys and signatures of an ID block."""

    id_key_algo: SignatureAlgo = at(
        0x000, as_enum(SignatureAlgo, Int32ul), "Algorithm of the ID block signature"
    )
    auth_key_algo: SignatureAlgo = at(
        0x004,
        as_enum(SignatureAlgo, Int32ul),
        "Algorithm of the ID key signature, if there is an author key",
    )
    id_block_sig: Signature = at(0x040, nested(Signature), "ID block signature, by the ID key")
    id_key: IdKey = at(0x240, nested(IdKey), "Public ID key")
    id_key_sig: Signature = at(0x680, nested(Signature), "ID key signature, by the author key")
    author_key: IdKey = at(0x880, nested(IdKey), "Public author key")


KINDS = {"idblock": IdBlock, "idauth": IdAuth}
