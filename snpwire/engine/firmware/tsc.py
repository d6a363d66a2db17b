"""MSG_TSC_INFO_REQ: scale, offset and accuracy of a guest's TSC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.status import Status
from ...wire.tsc import TscInfoRsp
from .processor import refuse_if

if TYPE_CHECKING:
    from .context import Sender
    from .processor import Processor

_RESPONSE = TscInfoRsp.struct("status", "guest_tsc_scale", "guest_tsc_offset", "tsc_factor")
POINT = 32
"""Bits of the scale behind the point; there are 8 before it."""


def response(fw: Processor, sender: Sender, payload: bytes) -> bytes:
    """Return the response. Refuses a request that is not all zero."""
    refuse_if(any(payload), Status.INVALID_PARAM)
    guest, profile = sender.guest, fw.profile
    scale = tsc_scale(guest.desired_tsc_freq, profile.tsc_khz)
    fields = _RESPONSE.pack(Status.SUCCESS, scale, guest.psp_tsc_offset, profile.tsc_factor)
    return fields.ljust(TscInfoRsp.SIZE, b"\0")


def tsc_scale(desired: int, reference: int) -> int:
    """Return the ratio of two frequencies in kHz, 8 bits before the point and 32 behind it.

    The fraction is rounded up, and whole parts above 8 bits are lost.
    """
    quotient, rest = divmod(desired, reference)
    return (quotient & 0xFF) << POINT | -(-(rest << POINT) // reference)
