"""MSG_TSC_INFO_REQ: scale, offset and accuracy of a guest's TSC."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ...wire.status import Status
from ...wire.tsc import TscInfoRsp
from .processor import Refusal

if TYPE_CHECKING:
    from .context import Asker
    from .processor import Processor

_RESPONSE = Struct("<LLQQL")
POINT = 32
"""Bits of the scale behind the point; there are 8 before it."""


def response(fw: Processor, asker: Asker, payload: bytes) -> bytes:
    """Return the answer. Raises Refusal for a request that is not all zero."""
    if any(payload):
        raise Refusal(Status.INVALID_PARAM)
    guest, profile = asker.guest, fw.profile
    scale = tsc_scale(guest.desired_tsc_freq, profile.tsc_khz)
    fields = _RESPONSE.pack(Status.SUCCESS, 0, scale, guest.psp_tsc_offset, profile.tsc_factor)
    return fields.ljust(TscInfoRsp.SIZE, b"\0")


def tsc_scale(desired: int, reference: int) -> int:
    """Return the ratio of two frequencies in kHz, 8 bits before the point and 32 behind it.

    What is behind the point is rounded up, what is above 8 bits is lost.
    """
    whole, rest = divmod(desired, reference)
    return (whole & 0xFF) << POINT | -(-(rest << POINT) // reference)
