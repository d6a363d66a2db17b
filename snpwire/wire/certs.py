"""The certificate table of an extended guest request, 56421 rev 2.03 section 4.1.8.1.

Entries of a GUID, an offset and a length come first and end with one whose 24 bytes are zero; the
certificates follow, and offsets count from the start of the table. The bytes are read in two ways:
``CertTable`` (entries, and the rest unchanged) loses nothing and checks nothing; ``certificates``
returns the ranges of the entries and reports a range that is invalid.

GUIDs are in text order, as go-sev-guest and virtee/sev write them; Linux declares ``guid_t`` but
only tests the GUID for zero. The tables of SEV-TIO (a draft) are similar, with mixed order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from construct import Int32ul

from ..block import Block
from ..codec import as_bytes, from_hex
from ..errors import EncodeError, shown
from ..layout import Record, at, nested
from .address import PAGE
from .guid import MixedGuid, TextGuid

if TYPE_CHECKING:
    from collections.abc import Sequence

SPEC = "56421 rev 2.03, 4.1.8.1 (go-sev-guest, virtee/sev)"
MAX_ENTRIES = 0x4000 // 24
"""Entries that fit the largest buffer of Linux; the document sets no limit."""


class CertGuid(TextGuid):
    """GUID of a certificate table entry."""

    __slots__ = ()

    NAMES = {
        "VCEK": "63da758d-e664-4564-adc5-f4b93be8accd",
        "VLEK": "a8074bc2-a25a-483e-aae6-39c045a0b8a1",
        "ASK": "4ab7b379-bbac-4fe4-a02f-05aef327c782",
        "ASVK": "4ab7b379-bbac-4fe4-a02f-05aef327c782",  # has none of its own
        "ARK": "c0b406a4-a803-4952-9743-3fb6014cd0ae",
        "CRL": "92f81bc3-5811-4d3d-97ff-d19f88dc67ea",  # only virtee/sev
        "GOOGLE_EXTRA_PLATFORM_INFO": "ecae0c0f-9502-43b1-afa2-0ae2e0d565b6",
        "EMPTY": "00000000-0000-0000-0000-000000000000",
    }


class TioGuid(MixedGuid):
    """GUID of an SEV-TIO blob entry (draft)."""

    __slots__ = ()

    NAMES = {
        "TIO_MEASUREMENTS": "5caa80c6-12ef-401a-b364-ec59a93abe3f",
        "TIO_CERTIFICATES": "078ccb75-2644-49e8-afe7-5686c5cf72f1",
        "TIO_REPORT": "70dc5b0e-0cc0-4cd5-97bb-ff0ba25bf320",
    }


class CertEntry(Record, size=24, spec=SPEC):
    """Entry of a certificate table: GUID, offset and length of one certificate."""

    guid: CertGuid = at(0x00, as_bytes(CertGuid, 16), "GUID that identifies the certificate")
    offset: int = at(0x10, Int32ul, "Offset of the certificate from the start of the table")
    length: int = at(0x14, Int32ul, "Length of the certificate in bytes")


class TioBlobEntry(Record, size=24, spec="Linux, posted patches for SEV-TIO (draft)"):
    """Entry of an SEV-TIO blob table: GUID, offset and length of one blob."""

    guid: TioGuid = at(0x00, as_bytes(TioGuid, 16), "GUID that identifies the SEV-TIO blob")
    offset: int = at(0x10, Int32ul, "Offset of the SEV-TIO blob from the start of the table")
    length: int = at(0x14, Int32ul, "Length of the SEV-TIO blob in bytes")


class CertTableHead(Record, size=0, spec=SPEC):
    """Empty head: the table starts with its first entry."""


class CertTable(
    Block,
    head=CertTableHead,
    element=("entries", nested(CertEntry), "Entry of one certificate"),
    count="",  # counted by looking for the end
    limit=MAX_ENTRIES,
    spec=SPEC,
):
    """The entries; the zero entry that ends them and the certificates are the rest."""

    @classmethod
    def announced(cls, head: CertTableHead, data: bytes) -> int:
        """Return how many entries come before the first that is all zero."""
        size = CertEntry.SIZE
        starts = range(0, min(len(data), MAX_ENTRIES * size), size)
        return next(
            (n for n, at in enumerate(starts) if not any(data[at : at + size])), len(starts)
        )

    @classmethod
    def counting(cls, head: CertTableHead, number: int) -> CertTableHead:
        """Return *head*: it has no counter."""
        return head

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """Undo ``to_plain``, or build the table of ``{"certificates": [{"guid", "data"}]}``.

        Raises EncodeError.
        """
        if isinstance(plain, dict) and plain.keys() == {"certificates"}:
            return cls.parse(build_table(_pairs(plain["certificates"])))
        return super().from_plain(plain)


class Certificate(NamedTuple):
    """Entry of a table and the bytes of its range."""

    name: str
    guid: CertGuid
    offset: int
    length: int
    data: bytes
    """The bytes of the range that are present."""
    problem: str
    """Error in the range, in words; empty if it is valid."""


def certificates(table: CertTable) -> list[Certificate]:
    """Return the certificate of each entry of *table*."""
    image = table.build()
    size = CertEntry.SIZE
    ended = table.rest[:size] == bytes(size)
    end = size * (len(table.elements) + ended)
    rows = []
    for guid, start, length in ((e.guid, e.offset, e.length) for e in table.elements):
        problem = _problem(start, length, end, len(image))
        data = image[start : start + length]
        rows.append(Certificate(guid.to_plain(), guid, start, length, data, problem))
    return rows


def _problem(start: int, length: int, table_end: int, size: int) -> str:
    if start < table_end:
        return f"starts at {start:#x}, inside the table, which ends at {table_end:#x}"
    if start + length > size:
        return f"ends at {start + length:#x}, outside the {size:#x} bytes there are"
    return ""


def build_table(
    certificates: Sequence[tuple[CertGuid | str, bytes]], *, pages: bool = False
) -> bytes:
    """Return a table: entries, the zero entry, the certificates one after another.

    With *pages* it is padded with zeros to whole 4 KiB pages. Raises EncodeError.
    """
    if len(certificates) > MAX_ENTRIES:
        raise _error("certificates", f"there are at most {MAX_ENTRIES}, got {len(certificates)}")
    start = CertEntry.SIZE * (len(certificates) + 1)
    entries, body = b"", b""
    for index, (name, data) in enumerate(certificates):
        try:
            guid = CertGuid.from_plain(name) if isinstance(name, str) else name
        except ValueError as exc:
            raise _error(f"certificates[{index}].guid", str(exc)) from None
        entries += CertEntry(guid=guid, offset=start + len(body), length=len(data)).build()
        body += data
    table = entries + bytes(CertEntry.SIZE) + body
    return table + bytes(-len(table) % PAGE if pages else 0)


def _pairs(plain: object) -> list[tuple[CertGuid | str, bytes]]:
    """Read the list of certificates of a table to build."""
    if not isinstance(plain, list):
        raise _error("certificates", f"expected a list, got {shown(plain)}")
    return [_pair(f"certificates[{index}]", item) for index, item in enumerate(plain)]


def _pair(path: str, plain: Any) -> tuple[CertGuid, bytes]:
    if not isinstance(plain, dict) or plain.keys() != {"guid", "data"}:
        raise _error(path, f"expected an object of guid and data, got {shown(plain)}")
    try:
        guid = CertGuid.from_plain(plain["guid"])
    except ValueError as exc:
        raise _error(f"{path}.guid", str(exc)) from None
    try:
        return guid, from_hex(plain["data"], 1 << 32)
    except ValueError as exc:
        raise _error(f"{path}.data", str(exc)) from None


def _error(path: str, reason: str) -> EncodeError:
    return EncodeError("CertTable", path, None, reason)


KINDS = {"certs": CertTable, "tio-blob": TioBlobEntry}
