"""The secure processor, by its mailbox.

A model of AMD's published firmware (AMD-ASPFW, Genoa, ABI 1.55.25): its checks in their order, its
statuses, its counters, its RMP look-ups. Where a comment in that source or a document disagrees
with the observed firmware, the model follows the firmware. Scratch memory that the firmware does
not clear between requests is zero here.
"""

from __future__ import annotations

from .mailbox import Firmware
from .processor import CommandRefusal

__all__ = ["CommandRefusal", "Firmware"]
