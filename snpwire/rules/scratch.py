"""Where the data of an exit may be: the scratch area that ``sw_scratch`` points at.

From protocol version 2 on it is in the shared buffer of the page itself. Whether an address is in
that page is known only if the page's address is; without that, only the offset within a page can be
checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context import Direction
from ..wire.ghcb import SHARED_END, SHARED_START
from ..wire.operands import IoioInfo
from .ghcb_page import INVALID_SCRATCH_AREA, GhcbCheck

if TYPE_CHECKING:
    from ..finding import Findings

SETUP = "Linux 6.12 setup_vmgexit_scratch"
OUTSIDE_MAX = 65536
"""Longest scratch area outside the page, in protocol version 1 (KVM)."""
PSC, PSC_HEADER = 0x8000_0010, 8
MMIO = (0x8000_0001, 0x8000_0002)
MMIO_MAX = 8
INT_MAX = 0x7FFF_FFFF


def need(check: GhcbCheck) -> int | None:
    """Return how many bytes the exit needs; None if none, or if that is not known."""
    info1, info2 = check.page.sw_exit_info_1, check.page.sw_exit_info_2
    if check.code == PSC:
        return PSC_HEADER
    if check.code in MMIO and check.known("sw_exit_info_2"):
        refused = info2 > MMIO_MAX and not _first_version(check)
        return None if refused else info2 or None
    if check.code == 0x7B and check.known("sw_exit_info_1", "sw_exit_info_2"):
        total = string_bytes(info1, info2)
        return total or None if IoioInfo(info1).string and max(info2, total) <= INT_MAX else None
    return None


def string_bytes(info1: int, count: int) -> int:
    """Return how many bytes a string of *count* elements has.

    KVM takes the three size bits for a number, so two of them set are added up.
    """
    return count * (info1 >> 4 & 0b111)


def _first_version(check: GhcbCheck) -> bool:
    return not check.known("protocol_version") or check.page.protocol_version == 1


def scratch(check: GhcbCheck) -> Findings:
    """Expect room, in the page's shared buffer (KVM; 56421)."""
    if not check.known("sw_exit_code") or not check.holds("sw_scratch"):
        return
    wanted = need(check)
    if wanted is None:
        return
    place = check.page.sw_scratch
    problem = _problem(check, place, wanted)
    if problem:
        text = f"sw_scratch is {place:#x}: {problem}"
        yield check.error("scratch-area", "sw_scratch", text, SETUP, INVALID_SCRATCH_AREA)
    elif place & 0xFFF != SHARED_START and _inside(check, place):
        text = f"sw_scratch is {place:#x}; OpenVMM takes the start of the shared buffer alone"
        yield check.note("scratch-not-at-start", "sw_scratch", text, "OpenVMM, MSHV backend")


def _inside(check: GhcbCheck, place: int) -> bool:
    """Return whether *place* is in the page itself; assumed where nothing says otherwise."""
    if check.context.gpa is None:
        return not _first_version(check) or _fits(place & 0xFFF, 0)
    return place >> 12 == check.context.gpa >> 12


def _fits(offset: int, wanted: int) -> bool:
    return offset >= SHARED_START and offset + wanted <= SHARED_END


def _problem(check: GhcbCheck, place: int, wanted: int) -> str:
    """Return what is wrong with *wanted* bytes at *place*, or an empty string."""
    if place == 0:
        return "there is no scratch area"
    if not _inside(check, place):
        return _outside(check, place, wanted)
    offset = place & 0xFFF
    unsure = check.context.gpa is None
    if _fits(offset, wanted) or (unsure and _first_version(check) and wanted <= OUTSIDE_MAX):
        return ""
    room = max(SHARED_END - offset, 0) if offset >= SHARED_START else 0
    text = (
        f"offset {offset:#x} of a page leaves {room} bytes of the shared buffer"
        f" (0x800 to 0xfef), this exit needs {wanted}"
    )
    return text + ("; the page's own address is not known" if unsure else "")


def _outside(check: GhcbCheck, place: int, wanted: int) -> str:
    if not _first_version(check):
        gpa = check.context.gpa or 0
        return f"it is not in the page itself, which is at {gpa:#x}; protocol 2 allows no other"
    if wanted > OUTSIDE_MAX:
        return f"outside the page KVM allows {OUTSIDE_MAX} bytes, this exit needs {wanted}"
    if place + wanted > 1 << 64:
        return f"{wanted} bytes from there leave the address space"
    return ""


def shared_psc(check: GhcbCheck) -> Findings:
    """Check the page state change buffer, if it is in this page.

    A response keeps the request's address, though it is no longer marked valid.
    """
    if not check.known("sw_exit_code", "sw_scratch", "shared_buffer") or check.code != PSC:
        return
    if check.context.direction is Direction.REQUEST and check.lacks("sw_scratch"):
        return
    place = check.page.sw_scratch
    offset = place & 0xFFF
    if not _inside(check, place) or not _fits(offset, PSC_HEADER):
        return
    from ..wire.psc import PscBuffer
    from .psc import Place, judge

    data = check.page.shared_buffer[offset - SHARED_START :]
    room = (len(data) - PSC_HEADER) // 8
    where = Place("shared_buffer.psc.", offset, room, check.context.direction)
    yield from judge(PscBuffer.parse(data), where)
