"""Topic of ``explain`` about a guest policy: who refuses it, with what, and why.

Sources: AMD-ASPFW 1.55.25 SNP_LAUNCH_START and SNP_ACTIVATE; Linux 6.12 and 7.3
arch/x86/kvm/svm/sev.c and drivers/crypto/ccp/sev-dev.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...numeral import ascii_text
from ...wire.report import GuestPolicy
from ..table import Row
from .topic import Question, Topic, word, word_value

if TYPE_CHECKING:
    from collections.abc import Iterator

KNOWN_BY_ASPFW = (1 << 21) - 1
KVM_OLD = 0x1B_FFFF
"""Bits that KVM of Linux 6.12 passes on: all but 18 of the lowest 21."""
KVM_NEW = 0x3FB_FFFF
"""Bits that KVM of Linux 7.3 passes on, those from 21 on if the firmware has them."""
NEEDS = {
    "cxl_allow": "SNP_FEATURE_INFO ECX bit 5",
    "mem_aes_256_xts": "SNP_FEATURE_INFO ECX bit 4",
    "rapl_dis": "SNP_FEATURE_INFO ECX bit 2, and RAPL disabled at SNP_INIT_EX",
    "ciphertext_hiding_dram": "SNP_FEATURE_INFO ECX bit 3, and ciphertext hiding enabled at INIT",
    "page_swap_disable": "firmware ABI 1.58",
}
"""What a host must have for a bit that its firmware may not know."""
EINVAL, FAILURE = "EINVAL (-22)", "POLICY_FAILURE"


def policy(question: Question) -> Iterator[Row]:
    """Explain a guest policy, and who takes it."""
    yield from word(GuestPolicy)(question)
    value = word_value(GuestPolicy, question)
    if ascii_text(value):
        yield Row("", "", "verdict", "no policy", "it is text: nothing else is said of it")
        return
    yield from _verdict("firmware", FAILURE, _firmware(value))
    yield from _verdict("KVM 6.12", EINVAL, _kvm_old(value))
    yield from _verdict("KVM 7.3", EINVAL, _kvm_new(value))
    for name, text in _conditions(value):
        yield Row("", "", name, "if", text)


def _verdict(who: str, error: str, reasons: Iterator[str]) -> Iterator[Row]:
    refused = [*reasons]
    for reason in refused:
        yield Row("", "", who, error, f"refuses it: {reason}")
    if not refused:
        yield Row("", "", who, "takes it", "")


def _firmware(value: GuestPolicy) -> Iterator[str]:
    if not value.reserved_must_be_one:
        yield "bit 17 has to be one"
    if value.unknown:
        yield f"bits that no document names are set: {_bits(value.unknown)}"
    elif value & ~KNOWN_BY_ASPFW:
        later = _bits(value & ~KNOWN_BY_ASPFW)
        yield f"1.55.25 (AMD-ASPFW) knows no bit from 21 up; newer may know {later}"


def _kvm_old(value: GuestPolicy) -> Iterator[str]:
    if value & ~KVM_OLD:
        yield f"outside SNP_POLICY_MASK_VALID: {_bits(value & ~KVM_OLD)}"
    if not value.reserved_must_be_one:
        yield "bit 17 has to be one"
    if not value.smt:
        yield "bit 16 (smt) has to be one"
    if value.single_socket:
        yield "bit 20 (single_socket) is not supported"


def _kvm_new(value: GuestPolicy) -> Iterator[str]:
    if value & ~KVM_NEW:
        yield f"outside its mask: {_bits(value & ~KVM_NEW)}"
    if not value.reserved_must_be_one:
        yield "bit 17 has to be one"


def _conditions(value: GuestPolicy) -> Iterator[tuple[str, str]]:
    if value & 0xFFFF:
        version = f"{value.abi_major}.{value.abi_minor}"
        yield "ABI", f"the firmware's ABI is {version} or newer, else {FAILURE}"
    if not value.smt:
        yield "smt", f"the host has SMT off, else {FAILURE}"
    if value.migrate_ma:
        yield "migrate_ma", "whoever holds the migration role can take the guest elsewhere"
    if value.debug:
        yield "debug", "the owner accepts it: the host may read and change the guest's memory"
    if value.single_socket:
        yield "single_socket", f"all processors are of one socket, else {FAILURE} of SNP_ACTIVATE"
    for name, need in NEEDS.items():
        if value.BITS[name].value(value):
            yield name, f"the host has it: {need}; else {EINVAL} or {FAILURE}"


def _bits(mask: int) -> str:
    names = {field.low: f" ({name})" for name, field in GuestPolicy.BITS.items()}
    places = [n for n in range(64) if mask >> n & 1]
    shown = ", ".join(f"{n}{names.get(n, '')}" for n in places[:8])
    return f"{shown} and {len(places) - 8} more" if len(places) > 8 else shown


def possible(value: int) -> bool:
    """Return whether a launch could take this policy: bit 17, no bit without a name, ABI 0 or 1."""
    major, minor = value >> 8 & 0xFF, value & 0xFF
    return bool(value >> 17 & 1) and not value & ~GuestPolicy.KNOWN and major < 2 and minor < 100


TOPICS = {
    "policy": Topic(policy, "a guest policy, and who takes it", of=GuestPolicy, possible=possible)
}
