"""How a guest exits with VMGEXIT: it fills its GHCB in, issues the exit, and reads the result.

The driver, the start of a guest and the test kit's port all exit this way, and know one refusal:
the hypervisor writes an action other than none into ``sw_exit_info_1``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ExitError
from ...wire.ghcb import Page, ValidBitmap
from ..ghcb import BITMAP, BITMAP_AT, BITMAP_SIZE, EXIT, EXIT_AT, EXIT_BITMAP, INFO, INFO_AT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..hypervisor.vm import Vcpu
    from ..hypervisor.vmgexit import Hypervisor
    from .memory import GuestMemory

ACTION = 0xFFFF_FFFF
"""The part of ``sw_exit_info_1`` that says what the guest has to do about its exit."""
EXIT_MARKS = int.from_bytes(EXIT_BITMAP, "little")
FIELDS = {
    name: (Page.place(name), Page.struct(name), bit.mask) for name, bit in ValidBitmap.BITS.items()
}
"""Place, structure and bit of the valid bitmap of each field that a guest can mark."""


def leave(
    hypervisor: Hypervisor,
    memory: GuestMemory,
    vcpu: Vcpu,
    code: int,
    info1: int = 0,
    info2: int = 0,
    **registers: int,
) -> int:
    """Exit through the GHCB and return ``sw_exit_info_2``.

    Raises ExitError if the hypervisor refuses, StoppedError if the guest does not run on, and
    AccessError if the page was taken from the guest.
    """
    ghcb = memory.shared(vcpu.msr)
    fill_in(ghcb, code, info1, info2, registers)
    return issue(hypervisor, vcpu, ghcb)


def fill_in(
    ghcb: bytearray, code: int, info1: int, info2: int, registers: Mapping[str, int] | None = None
) -> None:
    """Write an exit to a GHCB and mark what is written; other fields stay as they are."""
    EXIT.pack_into(ghcb, EXIT_AT, code, info1, info2)
    if not registers:
        BITMAP.pack_into(ghcb, BITMAP_AT, EXIT_BITMAP)
        return
    marks = EXIT_MARKS
    for name, value in registers.items():
        at, struct, mask = FIELDS[name]
        struct.pack_into(ghcb, at, value)
        marks |= mask
    BITMAP.pack_into(ghcb, BITMAP_AT, marks.to_bytes(BITMAP_SIZE, "little"))


def issue(hypervisor: Hypervisor, vcpu: Vcpu, ghcb: bytearray) -> int:
    """Issue VMGEXIT and return ``sw_exit_info_2``. Raises ExitError and StoppedError."""
    hypervisor.vmgexit(vcpu)
    info1: int
    info2: int
    info1, info2 = INFO.unpack_from(ghcb, INFO_AT)
    if info1 & ACTION:
        raise ExitError(f"the hypervisor refused: reason {info2}", vcpu.msr)
    return info2
