"""Addresses of memory: how it is cut into pages, and what AMD's firmware does not reach of it."""

from __future__ import annotations

PAGE = 0x1000
"""Bytes of a page."""
IN_PAGE = PAGE - 1
"""Bits of an address that tell the place in its page."""
LARGE_PAGE = 0x20_0000
"""Bytes of a page of 2 MiB."""
REGION = 512
"""Pages of 4 KiB in one of 2 MiB."""
C_BIT = 1 << 51
"""The bit of an address that asks for encryption and is no part of where a page lies."""
MAX_ADDRESS = (64 << 40) - (12 << 30)
"""End of what AMD-ASPFW reaches (Genoa): 64 TiB less 12 GiB."""
ASEG = range(0xA_0000, 0xC_0000)
"""Memory of system management, which the firmware leaves alone."""
RESERVED = range(0xFD_0000_0000, 0xFE_0000_0000)
"""Addresses below 1 TiB that are no memory: AMD-ASPFW sev_rmp.c makes them HV_FIXED."""


def page_of(address: int) -> int:
    """Return the number of the page that holds *address*, whose C-bit does not count."""
    return (address & ~C_BIT) >> 12
