"""Memory addresses: page sizes, and the ranges that AMD's firmware does not access."""

from __future__ import annotations

PAGE = 0x1000
"""Bytes of a page."""
IN_PAGE = PAGE - 1
"""Bits of an address that are the offset in its page."""
LARGE_PAGE = 0x20_0000
"""Bytes of a 2 MiB page."""
REGION = 512
"""4 KiB pages in a 2 MiB page."""
C_BIT = 1 << 51
"""C-bit: the bit of an address that requests encryption and is not part of the page's address."""
MAX_ADDRESS = (64 << 40) - (12 << 30)
"""End of the memory that AMD-ASPFW accesses (Genoa): 64 TiB less 12 GiB."""
ASEG = range(0xA_0000, 0xC_0000)
"""System management memory, which the firmware never accesses."""
RESERVED = range(0xFD_0000_0000, 0xFE_0000_0000)
"""Addresses below 1 TiB without memory: AMD-ASPFW sev_rmp.c makes them HV_FIXED."""


def page_of(address: int) -> int:
    """Return the number of the page of *address*, ignoring the C-bit."""
    return (address & ~C_BIT) >> 12
