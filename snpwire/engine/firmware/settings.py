"""Commands that change what the platform reports and which keys it has, and tell its features.

None of them asks whether SNP is started (AMD-ASPFW sev_mcmd.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...crypto.wrapping import unwrap_vlek
from ...errors import AuthError
from ...wire.firmware import FeatureInfo, FeatureInfoCommand, VlekLoad, VlekWrapped
from ...wire.platform import Commit, Config, PlatformState
from ...wire.status import Status
from .platform import status_page
from .processor import Refusal, fits_page

if TYPE_CHECKING:
    from .chip import Chip
    from .processor import Processor

HASH_SIZE = 48
_CONFIG_RESERVED = ~3
_MASK_ID, _MASK_KEY = 1, 2


def config(fw: Processor, raw: bytes) -> None:
    """SNP_CONFIG: set the TCB version to report, and what is hidden. Raises Refusal.

    The version is compared component by component, the first that differs deciding, so that a later
    one may be above the committed one's.
    """
    command = Config.parse(raw)
    flags, chip = int(command.flags), fw.chip
    if flags & _CONFIG_RESERVED or any(raw[0xC:]):
        raise Refusal(Status.INVALID_PARAM)
    wanted = command.reported_tcb or chip.committed_tcb
    if _components(chip, wanted) > _components(chip, chip.committed_tcb):
        raise Refusal(Status.INVALID_PARAM)
    chip.derive(wanted)
    chip.config_tcb = wanted
    chip.mask_chip_id, chip.mask_chip_key = bool(flags & _MASK_ID), bool(flags & _MASK_KEY)


def _components(chip: Chip, tcb: int) -> list[int]:
    word = chip.tcb(tcb)
    return [part.value(word) for part in type(word).BITS.values()]


def commit(fw: Processor, raw: bytes) -> None:
    """SNP_COMMIT: refuse older firmware from now on. Raises Refusal."""
    if Commit.parse(raw).length != Commit.SIZE:
        raise Refusal(Status.INVALID_PARAM)
    fw.chip.commit()


def load_vlek(fw: Processor, raw: bytes) -> None:
    """SNP_VLEK_LOAD: take a wrapped VLEK. Raises Refusal."""
    command = VlekLoad.parse(raw)
    strange = command.length != VlekLoad.SIZE or command.vlek_wrapped_version
    if strange or any(raw[0x5:0x8]):
        raise Refusal(Status.INVALID_PARAM)
    wrapped = fw.load(command.vlek_wrapped_paddr, VlekWrapped.SIZE)
    chip = fw.chip
    if VlekWrapped.parse(wrapped).tcb_version != chip.reported_tcb:
        raise Refusal(Status.BAD_SVN)
    try:
        hashes = unwrap_vlek(chip.vcek_hash(chip.vcek_tcb), wrapped)
    except AuthError:
        raise Refusal(Status.BAD_MEASUREMENT) from None
    chip.vlek, chip.vlek_tcb = hashes[-HASH_SIZE:], chip.reported_tcb


def feature_info(fw: Processor, raw: bytes) -> None:
    """SNP_FEATURE_INFO: tell the features of the firmware. Raises Refusal."""
    command = FeatureInfoCommand.parse(raw)
    address = command.feature_info_paddr
    if command.length != FeatureInfoCommand.SIZE:
        raise Refusal(Status.INVALID_PARAM)
    if address % 4 or not fits_page(address, FeatureInfo.SIZE):
        raise Refusal(Status.INVALID_ADDRESS)
    if fw.chip.state != PlatformState.UNINIT:
        status_page(fw, address)
    profile = fw.profile
    parts = (
        (1, profile.features_ebx, profile.features_ecx, 0),
        (profile.messages, 0, 0, 0),
    )
    if command.ecx_in >= len(parts):
        raise Refusal(Status.INVALID_PARAM)
    fw.store(address, b"".join(word.to_bytes(4, "little") for word in parts[command.ecx_in]))
