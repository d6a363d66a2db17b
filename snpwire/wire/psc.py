"""The page state change buffer, in the shared buffer of the GHCB page."""

from __future__ import annotations

from construct import Int16ul

from ..bits import Word, bits
from ..block import Block
from ..codec import as_word
from ..layout import Record, at
from .operands import PscOperation, PscPageSize

SPEC = "56421, SNP page state change"
MAX_ENTRIES = 253
"""Entries that fit the 2032 bytes of the shared buffer after the header."""


class PscHeader(Record, size=8, spec=SPEC):
    """Progress of a page state change, and its extent."""

    cur_entry: int = at(0x0, Int16ul, "Index of the next entry; end_entry + 1 when all are done")
    end_entry: int = at(0x2, Int16ul, "Index of the last entry, inclusive")


class PscEntry(Word, width=64, spec=SPEC):
    """Change of one page, of 4 KiB or of 2 MiB."""

    cur_page = bits(0, 12, "4 KiB pages of this entry that are complete; KVM leaves 1 or 512")
    gfn = bits(12, 40, "Guest frame number; a multiple of 512 for a 2 MiB page")
    operation = bits(52, 4, "Page operation: private, shared, PSMASH or UNSMASH", PscOperation)
    page_size = bits(56, 1, "Page size: 4 KiB or 2 MiB", PscPageSize)

    @property
    def pages(self) -> int:
        """Return how many pages of 4 KiB the entry covers."""
        return 512 if self.page_size else 1


class PscBuffer(
    Block,
    head=PscHeader,
    element=("entries", as_word(PscEntry), "Page state change of one page"),
    count="end_entry",
    limit=MAX_ENTRIES,
    spec=SPEC,
):
    """Page state change buffer: a header and its entries.

    ``end_entry`` names the last entry, so an empty list cannot be expressed: a buffer without
    entries has 0, like a buffer of one.
    """

    @classmethod
    def announced(cls, head: PscHeader, data: bytes) -> int:
        """Return how many entries the header announces."""
        return head.end_entry + 1

    @classmethod
    def counting(cls, head: PscHeader, number: int) -> PscHeader:
        """Return *head* changed so that its last entry is number *number* - 1."""
        return head.replace(end_entry=max(number - 1, 0))


KINDS = {"psc": PscBuffer}
