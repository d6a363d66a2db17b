"""The host's memory: sparse, physical, and encrypted with the key that it was written with.

A page that was never written is zero. Memory holds what the memory controller puts there: the bytes
themselves under key 0, the host's, and under any other key the bytes mixed with a stream that only
this key and this page make. So a page written with a guest's key reads as noise with another key,
and as itself with the same one. The stream is SHAKE-128 and not AES: which cipher a memory
controller uses cannot be observed, only that the bytes differ.

Keys are numbered by ASID; ``install`` gives a number another key, as activating a guest does.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import shake_128
from typing import TYPE_CHECKING, NamedTuple

from ..wire.address import ASEG, C_BIT, IN_PAGE, MAX_ADDRESS, PAGE, page_of
from ..wire.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_ID_BITS = 46
"""Addresses have this many bits; those above would be a key's number (Genoa)."""
_SUCCESS = Status.SUCCESS
HOST = 0
"""Number of the key that changes nothing."""
FIRMWARE = 1 << 16
"""Number of the key that the firmware keeps guest contexts with; no ASID has it."""


class AddressMap(NamedTuple):
    """What is where in physical memory, as far as the firmware checks it."""

    dram: tuple[range, ...]
    """Regions of memory; an access is within one of them."""
    rmp: range = range(0)
    """The reverse map table."""
    tmrs: tuple[range, ...] = ()
    """What no command may access: trusted memory regions, TSEG, the firmware's own pages."""
    aseg: range = ASEG
    key_id_bits: int = KEY_ID_BITS
    max_address: int = MAX_ADDRESS

    def check(self, address: int, size: int, *, rmp: bool = True) -> Status:
        """Return the status of an access, SUCCESS if it is allowed.

        The order is that of AMD-ASPFW's validate_address_range: the C-bit is dropped; key bits, the
        highest address and the ASEG come before regions that are closed, these before the table
        (not checked where *rmp* is false), and the memory map comes last.
        """
        start = address & ~C_BIT
        stop = start + size
        if start >> self.key_id_bits or stop > self.max_address:
            return Status.INVALID_ADDRESS
        closed = (self.aseg, *self.tmrs, self.rmp) if rmp else (self.aseg, *self.tmrs)
        if any(start < area.stop and area.start < stop for area in closed):
            return Status.INVALID_ADDRESS
        if any(area.start <= start and stop <= area.stop for area in self.dram):
            return Status.SUCCESS
        return Status.INVALID_CONFIG


class Memory:
    """Physical memory by page; what the map says does not limit what it can hold."""

    def __init__(self, layout: AddressMap) -> None:
        self.map = layout
        self.pages: dict[int, bytearray] = {}
        self._keys: dict[int, bytes] = {}
        self._open: set[int] = set()
        self.plain: dict[int, bytearray] = {}
        """Existing pages of which the map was found to allow everything."""

    def remap(self, layout: AddressMap) -> None:
        """Change what is where; contents stay."""
        self.map = layout
        self._open.clear()
        self.plain.clear()

    def drop(self, page: int) -> None:
        """Forget what a page holds: it is zero again."""
        self.pages.pop(page, None)
        self.plain.pop(page, None)

    def reach(self, address: int, size: int) -> Status:
        """Return the status of an access by the firmware, as the map has it."""
        page = page_of(address)
        if page in self._open and (address & IN_PAGE) + size <= PAGE:
            if page in self.pages:
                self.plain[page] = self.pages[page]
            return _SUCCESS
        if not self.map.check(page << 12, PAGE):
            self._open.add(page)
        return self.map.check(address, size)

    def install(self, key: int, seed: bytes) -> None:
        """Give key number *key* the key that *seed* makes. Key 0 has none."""
        self._keys[key] = seed

    def read(self, address: int, size: int, key: int = HOST) -> bytes:
        """Return *size* bytes from *address* on, read with a key."""
        at = address & IN_PAGE
        if at + size <= PAGE:
            page = self.pages.get(address >> 12)
            raw = bytes(size) if page is None else bytes(page[at : at + size])
            return raw if not key else self._mixed(raw, address, key)
        return b"".join(self.read(start, count, key) for start, count in _runs(address, size))

    def write(self, address: int, data: bytes | bytearray | memoryview, key: int = HOST) -> None:
        """Put *data* at *address*, written with a key."""
        size = len(data)
        at = address & IN_PAGE
        if at + size > PAGE:
            done = 0
            for start, count in _runs(address, size):
                self.write(start, data[done : done + count], key)
                done += count
            return
        page = self.pages.get(address >> 12)
        if page is None:
            page = self.pages[address >> 12] = bytearray(PAGE)
        page[at : at + size] = data if not key else self._mixed(bytes(data), address, key)

    def _mixed(self, data: bytes, address: int, key: int) -> bytes:
        at = address & IN_PAGE
        stream = _stream(self._keys.get(key, b""), key, address >> 12)[at : at + len(data)]
        mixed = int.from_bytes(data, "little") ^ int.from_bytes(stream, "little")
        return mixed.to_bytes(len(data), "little")


def _runs(address: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield start and length of the part of a range in each page."""
    stop = address + size
    while address < stop:
        end = min(stop, (address | IN_PAGE) + 1)
        yield address, end - address
        address = end


@lru_cache(maxsize=1024)
def _stream(seed: bytes, key: int, page: int) -> bytes:
    """Return what a key mixes into a page."""
    return shake_128(b"%b %d %d" % (seed, key, page)).digest(PAGE)
