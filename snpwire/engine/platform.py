"""What the owner of a host sets: what is reported, what is hidden, whose key signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.command import CommandId
from ..wire.firmware import VlekLoad
from ..wire.platform import Config, ConfigFlags

if TYPE_CHECKING:
    from .machine import Machine


def configure(
    machine: Machine,
    *,
    vlek: bool = False,
    mask_id: bool = False,
    mask_key: bool = False,
    reported_tcb: int = 0,
) -> None:
    """Set what the platform reports, 0 being the committed TCB version; then load a VLEK.

    Raises EngineError.
    """
    flags = ConfigFlags.of(mask_chip_id=mask_id, mask_chip_key=mask_key)
    if flags or reported_tcb:
        config = Config(reported_tcb=reported_tcb, flags=flags)
        machine.run(CommandId.SNP_CONFIG, config.build())
    if vlek:
        load_vlek(machine)


def load_vlek(machine: Machine) -> None:
    """Have a VLEK of the TEST provider loaded. Raises EngineError."""
    page = machine.host.allocate()
    offered = machine.firmware.chip.offered_vlek()
    machine.host.page(page)[: len(offered)] = offered
    command = VlekLoad(length=VlekLoad.SIZE, vlek_wrapped_paddr=page << 12)
    machine.run(CommandId.SNP_VLEK_LOAD, command.build())
    machine.host.free(page)
