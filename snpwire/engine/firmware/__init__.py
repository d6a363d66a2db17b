"""The secure processor, by its mailbox.

A model of AMD's published firmware (AMD-ASPFW, Genoa, ABI 1.55.25): its checks in their order, its
statuses, its counters, its look-ups in the reverse map table. Where a comment in that source or a
document says otherwise than the firmware was seen to do, the model does as the firmware did. What
is left of earlier requests in the firmware's scratch memory is zero here.
"""

from __future__ import annotations

from .mailbox import Firmware
from .processor import CommandRefusal

__all__ = ["CommandRefusal", "Firmware"]
