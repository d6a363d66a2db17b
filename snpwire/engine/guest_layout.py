"""Guest addresses of the pages of OVMF and the driver."""

from __future__ import annotations

from typing import NamedTuple

from ..wire.address import PAGE
from ..wire.message import VMPCKS


class Buffers(NamedTuple):
    """Guest addresses of the shared pages of one driver."""

    request: int
    response: int
    data: int
    pages: int
    """Pages of 4 KiB at ``data``, for certificates."""


DATA_PAGES = 4


class GuestLayout(NamedTuple):
    """Guest addresses of the launch and of the driver."""

    kernel: int = 0x10_0000
    secrets: int = 0x80_D000
    cpuid: int = 0x80_E000
    ghcb: int = 0x100_0000
    """One page for each processor."""
    buffers: int = 0x110_0000
    """For each key a page for requests, one for responses, and those for certificates."""
    save_areas: int = 0x120_1000
    """VMSAs of the processors after the first, whose VMSA is measured."""
    first_save_area: int = 0xFFFF_FFFF_F000


LAYOUT = GuestLayout()


EACH = 2 + DATA_PAGES


def buffers_of(vmpck: int) -> Buffers:
    """Return the shared pages of one key's driver."""
    start = LAYOUT.buffers + vmpck * EACH * PAGE
    return Buffers(start, start + PAGE, start + 2 * PAGE, DATA_PAGES)


def memory_of(vcpus: int) -> list[int]:
    """Return the guest addresses of all pages that are not part of the launch."""
    ghcbs = [LAYOUT.ghcb + n * PAGE for n in range(vcpus)]
    buffers = [LAYOUT.buffers + n * PAGE for n in range(VMPCKS * EACH)]
    return ghcbs + buffers + [LAYOUT.save_areas + n * PAGE for n in range(vcpus - 1)]
