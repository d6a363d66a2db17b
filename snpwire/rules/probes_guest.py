"""Probes for the structures of guest messages, of the launch and of a processor.

See ``probes`` for how evidence is weighed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.address import PAGE
from ..wire.cpuid import MAX_FUNCTIONS, CpuidPage
from ..wire.launch import Curve, IdAuth, IdBlock
from ..wire.message import HEADER_SIZE, PAYLOAD_MAX, PAYLOAD_UNIT, Aead, MessagePage, MsgType
from ..wire.report import Report, SignatureAlgo
from ..wire.secrets import SecretsPage
from ..wire.tcb import product_of
from ..wire.vmsa import Vmsa
from .probes import Evidence, empty, zero_gaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAT_RESET = 0x0007_0406_0007_0406
EFER_SVME = 1 << 12
FAMILIES = (0x17, 0x19, 0x1A)


def report(data: bytes) -> Iterator[Evidence]:
    """Look for a version, the bit of the policy that is always set, and the algorithm."""
    if len(data) != Report.SIZE:
        return
    value = Report.parse(data)
    if not 2 <= value.version <= 0xFFFF or value.signature_algo != SignatureAlgo.ECDSA_P384_SHA384:
        return
    known = value.version <= 5
    weight = 0.45 if known else 0.25
    how = "is known" if known else "is none that is known"
    yield weight, f"{Report.SIZE:#x} bytes, and version {value.version} {how}"
    yield 0.2, "signature_algo is 1"
    if value.policy.reserved_must_be_one:
        yield 0.15, "policy has bit 17 set, as every policy"
    product = product_of(value.cpuid_fam_id, value.cpuid_mod_id)
    if value.version >= 3 and product:
        yield 0.1, f"CPUID family and model are {product.name}'s"
    if not any(value.signature.build()[0x90:]):
        yield 0.1, "nothing is behind the two numbers of the signature"


def message(data: bytes) -> Iterator[Evidence]:
    """Look for the header's constants, and for a size that fits."""
    if len(data) != PAGE:
        return
    header = MessagePage.parse(data).header
    if header.hdr_size != HEADER_SIZE or header.algo != Aead.AES_256_GCM:
        return
    yield 0.35, "algo 1 at 0x30 and hdr_size 0x60 at 0x32"
    if header.hdr_version == 1:
        yield 0.15, "hdr_version 1"
    if header.msg_type.known and header.msg_type != MsgType.INVALID:
        yield 0.2, f"msg_type {header.msg_type:d} is {header.msg_type.name}"
    if 0 < header.msg_size <= PAYLOAD_MAX and header.msg_size % PAYLOAD_UNIT == 0:
        yield 0.15, f"msg_size {header.msg_size:#x} is a multiple of 16 and fits the page"
    if header.msg_vmpck <= 3 and any(header.auth_tag[:16]):
        yield 0.1, f"a tag, and msg_vmpck {header.msg_vmpck}"


def secrets(data: bytes) -> Iterator[Evidence]:
    """Look for a version, a processor, and keys."""
    if len(data) != PAGE:
        return
    page = SecretsPage.parse(data)
    if not 1 <= page.version <= 8 or page.flags.unknown:
        return
    keys = sum(1 for key in page.vmpcks if len(set(key)) > 8)
    family = (page.fms >> 8 & 0xF) + (page.fms >> 20 & 0xFF)
    if not keys or family not in FAMILIES:
        return
    yield 0.25, f"version {page.version}, and fms {page.fms:#x} is family {family:#x}"
    yield 0.3, f"of the four keys from 0x20 on {keys} look random"
    if any(page.vmsa_tweak_bitmap) and empty(data[0x170:]):
        yield 0.2, "a bitmap at 0x100, and nothing from 0x170 on"
    if not any(count % 2 for count in page.os_area.counts):
        yield 0.1, "sequence numbers are even"


def cpuid(data: bytes) -> Iterator[Evidence]:
    """Look for a count, and for so many functions with different leaves."""
    if len(data) != PAGE:
        return
    page = CpuidPage.parse(data)
    if not 0 < page.count <= MAX_FUNCTIONS or any(data[4:0x10]) or any(data[0xC10:]):
        return
    used = page.functions[: page.count]
    leaves = [(f.eax_in, f.ecx_in, f.xcr0_in, f.xss_in) for f in used]
    lawful = all(f.eax_in <= 0xFFFF or f.eax_in >> 16 in (0x4000, 0x8000) for f in used)
    if not lawful or not any(any(f.build()[0x18:0x28]) for f in used):
        return
    yield 0.4, f"count {page.count}, and each function asks a leaf that there is"
    if len(set(leaves)) == len(leaves):
        yield 0.2, "no function repeats another"
    yield from zero_gaps(page, 0.15)


def vmsa(data: bytes) -> Iterator[Evidence]:
    """Look for SVME, which every guest has set, and for registers as they are after a reset."""
    if len(data) != PAGE:
        return
    value = Vmsa.parse(data)
    if not value.efer & EFER_SVME or value.efer >> 32 or value.vmpl > 3 or value.cpl > 3:
        return
    yield 0.3, f"efer {value.efer:#x} at 0xd0 has SVME set"
    if value.sev_features.has("snp_active") and not value.sev_features.unknown:
        yield 0.25, f"sev_features {' '.join(value.sev_features.names())} at 0x3b0"
    if value.g_pat == PAT_RESET:
        yield 0.2, "g_pat at 0x268 is as after a reset"
    if value.rflags & 2 and not value.rflags >> 22:
        yield 0.1, f"rflags {value.rflags:#x} has bit 1 set"
    if value.xcr0 & 1:
        yield 0.1, f"xcr0 {value.xcr0:#x} has bit 0 set"


def idblock(data: bytes) -> Iterator[Evidence]:
    """Look for the version, and for a policy."""
    if len(data) != IdBlock.SIZE:
        return
    block = IdBlock.parse(data)
    if block.version != 1 or not block.policy.reserved_must_be_one or block.policy.unknown:
        return
    yield 0.35, "0x60 bytes, and version 1 at 0x50"
    yield 0.3, "policy at 0x58 has bit 17 set and no bit without a name"
    if any(block.ld):
        yield 0.1, "a digest at 0x0"


def idauth(data: bytes) -> Iterator[Evidence]:
    """Look for the algorithm and the curve."""
    if len(data) != PAGE:
        return
    auth = IdAuth.parse(data)
    if auth.id_key_algo != SignatureAlgo.ECDSA_P384_SHA384 or auth.id_key.curve != Curve.P384:
        return
    yield 0.5, "id_key_algo 1 at 0x0, and curve 2 (P-384) at 0x240"
    if any(auth.id_key.qx) and not any(auth.id_key.qx[48:]):
        yield 0.2, "a key of 48 bytes at 0x244"
    yield from zero_gaps(auth, 0.2)


_PROBES = (report, message, secrets, cpuid, vmsa, idblock, idauth)
PROBES: dict[str, Callable[[bytes], Iterator[Evidence]]] = {p.__name__: p for p in _PROBES}
"""The probe of each kind."""
