"""What the firmware does to a VMSA: measure it, protect its registers, set its TSC."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ...wire.operands import SevFeatures
from ...wire.vmsa import Vmsa
from .tsc import tsc_scale

if TYPE_CHECKING:
    from .context import FirmwareGuest
    from .processor import Processor

TWEAKED = bytes.fromhex(
    "0000000000800088"  # RIP, RSP, RAX
    "00000000eeff0000"  # RCX, RDX, RBX, RBP, RSI, RDI, R8 to R15
    "f0ffffffffffffff"  # x87, XMM, YMM
    "ff3f000000000000"
    "000000000000ffff"  # opmask and ZMM
    "ffffffffffffffff"
    "ffffffffffffffff"
    "ffffffffffffff00"
)
"""Quadwords that register protection changes, a bit each, lowest first."""
_WORDS = tuple(n for n in range(8 * len(TWEAKED)) if TWEAKED[n >> 3] >> (n & 7) & 1)
_WORD = Struct("<Q")
_SCALE, _NONCE, _ZEROS, _CRC, _FEATURES = map(
    Vmsa.place, ("guest_tsc_scale", "reg_prot_nonce", "zeros", "crc_paddr", "sev_features")
)
_SECURE_TSC, _REG_PROT = SevFeatures.secure_tsc.mask, SevFeatures.vmsa_reg_prot.mask
_NO_CRC = b"\xff" * 8


def vmsa_to_measure(data: bytes) -> bytes:
    """Return a VMSA as it is measured: without scale and offset of the TSC."""
    return data[:_SCALE] + bytes(16) + data[_NONCE:]


def initial_vmsa(fw: Processor, guest: FirmwareGuest, data: bytes) -> bytes:
    """Return a VMSA as a guest starts with it."""
    area = bytearray(data)
    if _sev_features(area) & _REG_PROT:
        area[_NONCE : _NONCE + 8] = fw.random(8)
        _mix(area)
    area = bytearray(with_tsc(fw, guest, bytes(area), offset=0))
    _WORD.pack_into(area, _ZEROS, 0)
    area[_CRC : _CRC + 8] = _NO_CRC
    return bytes(area)


def with_tsc(fw: Processor, guest: FirmwareGuest, data: bytes, *, offset: int) -> bytes:
    """Return a VMSA with scale and offset of the TSC, if the guest has Secure TSC."""
    if not _sev_features(data) & _SECURE_TSC:
        return data
    scale = tsc_scale(guest.desired_tsc_freq, fw.profile.tsc_khz)
    return data[:_SCALE] + _WORD.pack(scale) + _WORD.pack(offset) + data[_NONCE:]


def without_nonce(data: bytes) -> bytes:
    """Return a VMSA without the nonce that register protection mixed into it."""
    area = bytearray(data)
    if _sev_features(area) & _REG_PROT:
        _mix(area)
    return bytes(area)


def _sev_features(area: bytes | bytearray) -> int:
    return int(_WORD.unpack_from(area, _FEATURES)[0])


def _mix(area: bytearray) -> None:
    """XOR the nonce of a VMSA into the quadwords that are protected."""
    nonce = _WORD.unpack_from(area, _NONCE)[0]
    for word in _WORDS:
        _WORD.pack_into(area, 8 * word, _WORD.unpack_from(area, 8 * word)[0] ^ nonce)
