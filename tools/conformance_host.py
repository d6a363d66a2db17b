"""The host that the vectors were observed on, and a model of it set up as a row describes."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from snpwire.crypto.kdf import Sticks
from snpwire.engine.firmware import Firmware
from snpwire.engine.firmware.context import FirmwareGuest
from snpwire.engine.memory import AddressMap, Memory
from snpwire.engine.profile import profile_named
from snpwire.rmp.entry import FIRMWARE_LO, HV_FIXED_LO
from snpwire.rmp.sparse_table import SparseEntries
from snpwire.wire.launch import IdBlock
from snpwire.wire.migration import GuestState, MetadataEntry
from snpwire.wire.platform import PlatformState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Row = dict[str, Any]

TABLE = range(0x80_0000, 0x90_0000)
DRAM = (range(0x400_0000), range(0x410_0000, 0x1400_0000))
BUFFER = 0x10_0000
"""Where commands are put: memory of the host that no row names."""
VMSA, GUEST_ASID, VALIDATED = 1 << 61, 5 << 51, 1 << 62
METADATA_NOTE, IOMMU_NOTE = 1 << 48 | 1 << 12, 2 << 48 | 1 << 12

ENTRIES = {
    "HYPERVISOR": 0,
    "HV_FIXED": HV_FIXED_LO,
    "FIRMWARE": FIRMWARE_LO,
    "FIRMWARE_IOMMU": FIRMWARE_LO | IOMMU_NOTE,
    "RECLAIM": 1,
    "CONTEXT": FIRMWARE_LO | VMSA,
    "METADATA": FIRMWARE_LO | METADATA_NOTE,
    "PRE_GUEST": FIRMWARE_LO | GUEST_ASID,
    "PRE_SWAP": FIRMWARE_LO | GUEST_ASID | VALIDATED,
    "GUEST_INVALID": 1 | GUEST_ASID,
    "GUEST_VALID": 1 | GUEST_ASID | VALIDATED,
    "INVALID": 1 | VALIDATED,
}
"""A first quadword for each state, for rows that name a state and no more."""

ES, ACTIVE, PENDING = 2, 1, 4
NUMBERS = {
    "asid": "asid",
    "snp_state": "state",
    "policy": "policy",
    "oek_iv_count": "oek_iv_count",
    "ma_gctx_paddr": "agent",
    "desired_tsc_freq": "desired_tsc_freq",
    "psp_tsc_offset": "psp_tsc_offset",
    "launch_tcb": "launch_tcb",
}
FLAGS = ("id_block_en", "author_key_en", "imi_en", "vcek_dis")
STRINGS = {
    "oek": "oek",
    "umc_key_seed": "vek_seed",
    "vmrk": "vmrk",
    "host_data": "host_data",
    "id_key_digest": "id_key_digest",
    "author_key_digest": "author_key_digest",
    "report_id": "report_id",
    "report_id_ma": "report_id_ma",
    "imd": "imd",
    "ld": "ld",
    "gosvw": "gosvw",
}
BLOCK_STRINGS = ("ld", "family_id", "image_id")
BLOCK_NUMBERS = ("version", "guest_svn", "policy")


def draws(seed: str) -> Callable[[int], bytes]:
    """Return the random numbers of a row: draw n is the SHA-256 of the seed and n."""
    drawn = iter(range(1 << 32))

    def draw(size: int) -> bytes:
        number = next(drawn).to_bytes(4, "little")
        return sha256(bytes.fromhex(seed) + number).digest()[:size]

    return draw


def areas(tmrs: list[list[int]] | None) -> tuple[range, ...]:
    """Return the closed regions of a row: number, first and last byte of each."""
    return tuple(range(first, last + 1) for _, first, last in tmrs or ())


def host(row: Row, seed: str = "") -> Firmware:
    """Return a processor whose platform is that of a row; fields left out are the profile's."""
    platform = row.get("platform", {})
    version = platform.get("fw_version", 0x1_37_19)
    profile = profile_named("genoa-aspfw")._replace(
        fms=platform.get("fms", 0xA1_0F11),
        api_major=version >> 16,
        api_minor=version >> 8 & 0xFF,
        build=version & 0xFF,
    )
    tcb = platform.get("committed_tcb", row.get("committed_tcb", 0))
    hashes = tuple(map(bytes.fromhex, platform.get("hash_sticks", ())))
    layout = AddressMap(DRAM, TABLE, areas(platform.get("tmrs")))
    fw = Firmware(Memory(layout), SparseEntries(TABLE), profile, random=draws(seed))
    if hashes:
        fw.chip.sticks = Sticks(tcb, hashes)
    fw.chip.state = PlatformState(platform.get("snp_state", row.get("snp_state", 1)))
    settings(fw, platform, tcb)
    return fw


def settings(fw: Firmware, platform: Row, tcb: int) -> None:
    """Give the chip a row's versions, settings and keys."""
    chip = fw.chip
    chip.committed_tcb = tcb
    live = (platform.get("fw_svn", tcb >> 48 & 0xFF), platform.get("ucode", tcb >> 56) & 0xFF)
    chip.current_tcb = tcb & 0xFFFF | live[0] << 48 | live[1] << 56
    chip.committed_version = (
        platform.get("committed_api_major", 1),
        platform.get("committed_api_minor", 55),
        platform.get("committed_build_id", 25),
    )
    chip.config_tcb = platform.get("config_tcb", 0)
    chip.derive(chip.config_tcb or None)
    chip.mask_chip_id = bool(platform.get("mask_chip_id"))
    chip.mask_chip_key = bool(platform.get("mask_chip_key"))
    chip.platform_info = platform.get("smt_en", 0) | platform.get("tsme_en", 0) << 1
    chip.guest_count = platform.get("snp_guest_count", 0)
    chip.id = bytes.fromhex(platform.get("chip_id", "")).ljust(64, b"\0")
    if platform.get("vlek_installed"):
        chip.vlek = bytes.fromhex(platform["vlek"][7])


def guest(fields: Row) -> FirmwareGuest:
    """Return a context with the fields of a row; those left out are zero."""
    made = FirmwareGuest()
    for name, own in NUMBERS.items():
        setattr(made, own, fields.get(name, 0))
    made.state = GuestState(fields.get("snp_state", 0))
    for name in FLAGS:
        setattr(made, name, bool(fields.get(name)))
    for name, own in STRINGS.items():
        if name in fields:
            setattr(made, own, bytes.fromhex(fields[name]))
    flags = fields.get("guest_flags", 0)
    made.active, made.es, made.pending = (bool(flags & bit) for bit in (ACTIVE, ES, PENDING))
    keys = tuple(bytes.fromhex(fields.get(f"vmpck{n}", "00" * 32)) for n in range(4))
    made.vmpcks, made.counts = keys, [fields.get(f"msg_count{n}", 0) for n in range(4)]
    made.root_md_entry = MetadataEntry.parse(
        bytes.fromhex(fields.get("root_md_entry", "00" * MetadataEntry.SIZE))
    )
    strings = {
        name: bytes.fromhex(fields[f"id_block_{name}"])
        for name in BLOCK_STRINGS
        if f"id_block_{name}" in fields
    }
    numbers = {n: fields.get(f"id_block_{n}", 0) for n in BLOCK_NUMBERS}
    made.id_block = IdBlock(**strings, **numbers)
    return made


def described(made: FirmwareGuest) -> Iterator[tuple[str, object]]:
    """Yield what a row says of a context, by the row's names."""
    for name, own in NUMBERS.items():
        yield name, int(getattr(made, own))
    for name in FLAGS:
        yield name, int(getattr(made, name))
    for name, own in STRINGS.items():
        yield name, getattr(made, own).hex()
    yield "guest_flags", made.active * ACTIVE | made.es * ES | made.pending * PENDING
    for number in range(4):
        yield f"vmpck{number}", made.vmpcks[number].hex()
        yield f"msg_count{number}", made.counts[number]
    yield "root_md_entry", made.root_md_entry.build().hex()
    for name in BLOCK_STRINGS:
        yield f"id_block_{name}", getattr(made.id_block, name).hex()
    for name in BLOCK_NUMBERS:
        yield f"id_block_{name}", int(getattr(made.id_block, name))
