"""``snpwire explain key-select``: what changes a derived key, tried out on the emulated firmware.

Two keys are derived, one as it is and one after a change; what is said of a change is what came of
it. The requests are those of version 1: where a newer firmware mixes the mitigation vector is not
known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...engine.firmware.chip import Chip
from ...engine.firmware.context import FirmwareGuest, Sender
from ...engine.firmware.key import response
from ...engine.firmware.processor import CommandRefusal
from ...engine.profile import profile_named
from ...view.table import Row
from ...wire.key import KeyReq, KeyRsp, KeySel
from ...wire.launch import IdBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = KeyRsp.place("derived_key")
SVN = 4
"""The security version of the ID block."""


class Derivation(NamedTuple):
    """A key request, and what it is derived from."""

    chip: Chip
    guest: FirmwareGuest
    request: KeyReq

    def key(self) -> bytes:
        """Return the key. Raises CommandRefusal where the firmware refuses the request."""
        return response(self, Sender(self.guest, 0, 0), self.request.build())[KEY:]


def derivation(request: KeyReq) -> Derivation:
    """Return a request on a chip and a guest that have something in every field."""
    guest = FirmwareGuest()
    guest.policy, guest.ld, guest.host_data = 0x3_0000, b"\1" * 48, b"\2" * 32
    guest.vmrk, guest.id_block_en, guest.id_key_digest = b"\3" * 32, True, b"\4" * 48
    guest.id_block = IdBlock(image_id=b"\5" * 16, family_id=b"\6" * 16, guest_svn=SVN)
    chip = Chip(profile_named("genoa"))
    chip.vlek = b"\7" * 48 if request.select.key_sel == KeySel.VLEK else None
    return Derivation(chip, guest, request.replace(tcb_version=chip.committed_tcb))


def change_rows(request: KeyReq) -> Iterator[Row]:
    """Yield what changes the key that a request derives."""
    try:
        before = derivation(request).key()
    except CommandRefusal as refusal:
        yield Row("", "", "the request", refusal.status.name, "AMD-ASPFW 1.55.25 refuses it")
        return
    for name, change, why in CHANGES:
        try:
            same = change(derivation(request)).key() == before
        except CommandRefusal as refusal:
            yield Row("", "", name, refusal.status.name, "AMD-ASPFW 1.55.25 refuses it")
            continue
        yield Row("", "", name, "same key" if same else "another key", why)
    yield Row("", "", "shown by", "emulation", "each row derives the key twice and compares")


def _guest(name: str, value: object) -> Callable[[Derivation], Derivation]:
    def change(given: Derivation) -> Derivation:
        setattr(given.guest, name, value)
        return given

    return change


def _block(name: str, value: object) -> Callable[[Derivation], Derivation]:
    def change(given: Derivation) -> Derivation:
        given.guest.id_block = given.guest.id_block.replace(**{name: value})
        return given

    return change


def _request(name: str, step: int) -> Callable[[Derivation], Derivation]:
    def change(given: Derivation) -> Derivation:
        value = getattr(given.request, name) + step
        return given._replace(request=given.request.replace(**{name: value}))

    return change


def _other_chip(given: Derivation) -> Derivation:
    chip = Chip(given.chip.profile, b"\x10" * 48)
    chip.vlek = given.chip.vlek
    return given._replace(chip=chip)


def _lower_tcb(given: Derivation) -> Derivation:
    committed = given.chip.tcb(given.chip.committed_tcb)
    given.chip.derive(int(committed.replace(snp=int(committed.snp) - 1)))
    return given


CHANGES: tuple[tuple[str, Callable[[Derivation], Derivation], str], ...] = (
    ("the guest is launched again", _guest("vmrk", b"\x11" * 32), "each launch has a new VMRK"),
    ("another chip", _other_chip, "the VCEK is the chip's; a VLEK is the provider's"),
    ("another reported TCB", _lower_tcb, "SNP_CONFIG, SNP_COMMIT; of the VCEK, if not selected"),
    ("tcb_version of the request", _request("tcb_version", -(1 << 48)), "if selected"),
    ("another policy", _guest("policy", 0xB_0000), "if guest_policy is selected"),
    ("another measurement", _guest("ld", b"\x12" * 48), "if measurement is selected"),
    ("another image_id", _block("image_id", b"\x13" * 16), "if image_id is selected"),
    ("another family_id", _block("family_id", b"\x14" * 16), "if family_id is selected"),
    ("guest_svn of the request", _request("guest_svn", 1), "if selected; at most the ID block's"),
    ("another host_data", _guest("host_data", b"\x15" * 32), "always mixed in"),
    ("another ID or author key", _guest("id_key_digest", b"\x16" * 48), "always mixed in"),
    ("vmpl of the request", _request("vmpl", 1), "always mixed in"),
)
"""What may change, how, and what decides whether it changes the key."""
