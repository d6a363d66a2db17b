"""Which of the chip's keys a message asks for. KEY_REQ and REPORT_REQ have the same rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.key import KeySel
from ...wire.status import Status
from .processor import Refusal

if TYPE_CHECKING:
    from .context import Context
    from .processor import Processor


_EITHER, _VCEK, _VLEK = map(int, (KeySel.VLEK_ELSE_VCEK, KeySel.VCEK, KeySel.VLEK))


def wants_vlek(fw: Processor, guest: Context, key_sel: int) -> bool:
    """Tell whether the VLEK is meant, not the VCEK. Refuses one that cannot be had."""
    loaded = fw.chip.vlek is not None
    if key_sel == _EITHER:
        if guest.vcek_dis and not loaded:
            raise Refusal(Status.INVALID_KEY)
        return loaded
    refused = guest.vcek_dis if key_sel == _VCEK else not loaded
    if refused or key_sel > _VLEK:
        raise Refusal(Status.INVALID_KEY)
    return key_sel == _VLEK
