"""What the beginning of a value may be of: probes of the kinds that their first bytes tell.

A value that was cut is known by less than a whole one, and its size says nothing. So only kinds are
looked for whose first fields have a shape, and each probe asks for all that would speak against its
kind before it yields anything: where that is not there, it says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..finding import as_far
from ..fragment import Fragment
from ..wire import kind
from ..wire.exits import ExitCode, events_of
from ..wire.message import HEADER_SIZE, PAYLOAD_MAX, PAYLOAD_UNIT, Aead, MsgType
from ..wire.report import SignatureAlgo
from .probes_guest import EFER_SVME, FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .probes import Evidence

HOST_ASKED = 0xFFFF_FFFF
COCONUT_BITS = 0b11 << 126
KEYS = 4


def report(value: Any) -> Iterator[Evidence]:
    """Look for a version, a policy, a VMPL and the algorithm."""
    policy, level = value.policy, value.vmpl
    lawful = policy.reserved_must_be_one and not policy.unknown
    if not 2 <= value.version <= 5 or not lawful or (level > 3 and level != HOST_ASKED):
        return
    if value.signature_algo != SignatureAlgo.ECDSA_P384_SHA384:
        return
    yield 0.3, f"version {value.version} is known"
    yield 0.15, f"policy {int(policy):#x} has bit 17 set, and no bit without a name"
    yield 0.1, f"vmpl {level:#x} and signature_algo 1"


def message(value: Any) -> Iterator[Evidence]:
    """Look for the algorithm, the version and the size of the header, and for a type."""
    header = value.header
    if header.algo != Aead.AES_256_GCM or header.hdr_size != HEADER_SIZE:
        return
    size, type_ = header.msg_size, header.msg_type
    if header.hdr_version != 1 or size > PAYLOAD_MAX or size % PAYLOAD_UNIT:
        return
    yield 0.35, "algo 1 at 0x30, hdr_version 1, and hdr_size 0x60"
    if type_.known and type_ != MsgType.INVALID:
        yield 0.2, f"msg_type {type_:d} is {type_.name}"
    yield 0.1, f"msg_size {size:#x} is a multiple of 16 and fits a page"


def ghcb(value: Any) -> Iterator[Evidence]:
    """Look for an exit code that is marked valid, and for a bitmap that marks fields alone."""
    code, valid = int(value.sw_exit_code), value.valid_bitmap
    if not valid.has("sw_exit_code") or valid.unknown & ~COCONUT_BITS or not events_of(code):
        return
    if any(leaf.gap and any(leaf.value) for leaf in value.leaves()):
        return
    yield 0.35, f"sw_exit_code {code:#x} is {ExitCode(code).name} and marked valid"
    yield 0.2, f"valid_bitmap marks fields alone: {' '.join(valid.names())}"


def vmsa(value: Any) -> Iterator[Evidence]:
    """Look for SVME, for the features of an SNP guest, and for levels that there are."""
    features = value.sev_features
    if not value.efer & EFER_SVME or value.efer >> 32 or value.vmpl > 3 or value.cpl > 3:
        return
    if not features.has("snp_active") or features.unknown:
        return
    yield 0.3, f"efer {value.efer:#x} at 0xd0 has SVME set"
    yield 0.25, f"sev_features {' '.join(features.names())} at 0x3b0"


def secrets(value: Any) -> Iterator[Evidence]:
    """Look for a version, a processor, and keys."""
    keys = sum(1 for index in range(KEYS) if len(set(getattr(value, f"vmpck{index}"))) > 8)
    family = (value.fms >> 8 & 0xF) + (value.fms >> 20 & 0xFF)
    if not 1 <= value.version <= 8 or value.flags.unknown or family not in FAMILIES or not keys:
        return
    yield 0.25, f"version {value.version}, and fms {value.fms:#x} is family {family:#x}"
    yield 0.25, f"of the four keys from 0x20 on {keys} look random"


PROBES: dict[str, Callable[[Any], Iterator[Evidence]]] = {
    probe.__name__: probe for probe in (report, message, ghcb, vmsa, secrets)
}
"""The probe of each kind."""


def prefixes(data: bytes) -> Iterator[tuple[str, list[Evidence]]]:
    """Yield each kind of which *data* may be the beginning, with the evidence."""
    for name, probe in PROBES.items():
        record = kind(name).type
        if len(data) < record.SIZE:
            value = Fragment(record.parse(data.ljust(record.SIZE, b"\0")), len(data))
            if found := list(as_far(probe, value)):
                yield name, [*found, (0.0, f"only {len(data)} of {record.SIZE} bytes are there")]
