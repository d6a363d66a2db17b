"""What must hold whatever goes wrong, checked on the steps of a trace as they come.

* ``nonce``: no key seals two different messages under one number.
* ``answer``: no request gets two responses, and a response that a guest takes is, byte for byte,
  the one that the firmware sealed for that very request.
* ``owner``: no page is left in a state without a known owner.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from ..rmp.entry import ASID, ASID_LOW, ASSIGNED
from ..wire.message import HEADER_SIZE, Header
from .hypervisor.host import FIRST_PAGE, LEAKED
from .trace import FIRMWARE, GUEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .machine import Machine
    from .trace import TraceStep


NAME_AT, NAME = Header.place("msg_seqno"), Header.struct("msg_seqno", "msg_size", "msg_vmpck")
DIGEST, PART = 8, 256
"""Bytes of a digest, and how many numbers share one block."""
NONE = bytes(DIGEST * PART)


class Breach(NamedTuple):
    """Something that does not hold."""

    rule: str
    text: str


class NumberDigests:
    """A digest for each sequence number of one key, stored compactly: a run may be long."""

    def __init__(self) -> None:
        self._parts: dict[int, bytearray] = {}

    def get(self, number: int) -> bytes:
        """Return the digest of a number; zeros if it has none."""
        part, at = self._parts.get(number // PART, NONE), number % PART * DIGEST
        return bytes(part[at : at + DIGEST])

    def put(self, number: int, digest: bytes) -> None:
        """Store the digest of a number."""
        at = number % PART * DIGEST
        self._parts.setdefault(number // PART, bytearray(NONE))[at : at + DIGEST] = digest


class Watch:
    """A listener of one machine's trace."""

    def __init__(self) -> None:
        self.breaches: list[Breach] = []
        self._sealed: dict[tuple[str, int], NumberDigests] = {}
        self._responses: dict[tuple[str, int, int], bytes] = {}
        """Digests of the firmware's responses, until a guest takes them."""

    def __call__(self, step: TraceStep) -> None:
        """Take a step."""
        if step.actor == GUEST and step.action == "seal":
            self._nonce(step, step.written[1].data)
        elif step.actor == FIRMWARE and step.action == "answer":
            self._nonce(step, step.written[0].data)
            self._responses[_name(step.vm, step.written[0].data)] = _digest(step.written[0].data)
        elif step.actor == GUEST and step.action == "open":
            self._response(step, step.written[1].data)
        elif step.action == "launched":
            self.forget(step.vm)

    def forget(self, vm: str) -> None:
        """Forget a VM: a new one has new keys."""
        self._sealed = {key: value for key, value in self._sealed.items() if key[0] != vm}
        self._responses = {key: value for key, value in self._responses.items() if key[0] != vm}

    def _nonce(self, step: TraceStep, message: bytes) -> None:
        vm, vmpck, number = _name(step.vm, message)
        stream = self._sealed.setdefault((vm, vmpck), NumberDigests())
        digest, before = _digest(message), stream.get(number)
        if not any(before):
            stream.put(number, digest)
        elif before != digest:
            text = f"{step.actor} sealed two messages under number {number} of VMPCK{vmpck}"
            self.breaches.append(Breach("nonce", f"VM {vm}: {text}"))

    def _response(self, step: TraceStep, message: bytes) -> None:
        vm, vmpck, number = key = _name(step.vm, message)
        digest, response = _digest(message), self._responses.pop(key, None)
        if digest != response:
            stream = self._sealed.get((vm, vmpck), NumberDigests())
            twice = response is None and stream.get(number) == digest
            wrong = "was taken twice" if twice else "is not what the firmware sealed"
            text = f"VM {vm}: message {number} of VMPCK{vmpck} {wrong}"
            self.breaches.append(Breach("answer", text))


def _name(vm: str, message: bytes) -> tuple[str, int, int]:
    number, _, vmpck = NAME.unpack_from(message, NAME_AT)
    return vm, vmpck, number


def _digest(message: bytes) -> bytes:
    size = NAME.unpack_from(message, NAME_AT)[1]
    return sha256(message[: HEADER_SIZE + size]).digest()[:DIGEST]


def breaches_of(machine: Machine, watch: Watch) -> list[Breach]:
    """Return all that is broken: on the steps that *watch* saw, and on the machine now."""
    return [*watch.breaches, *ownership_breaches(machine), *reclaim_breaches(machine)]


def ownership_breaches(machine: Machine) -> Iterator[Breach]:
    """Yield the pages whose state does not fit their known owner.

    A leaked page is accounted for, whatever its state.
    """
    host = machine.host
    asids = {guest.vm.name: guest.vm.asid for guest in machine.guests.values()}
    for page in range(FIRST_PAGE, host.used):
        lo = host.table.entry(page)[0]
        owner = host.owners.get(page)
        if owner == LEAKED:
            continue
        state = host.table.state(page).name
        if bool(lo & ASSIGNED) is not (owner is not None):
            yield Breach("owner", f"page {page:#x} is in state {state}, owner is {owner}")
        elif owner in asids and (lo & ASID) >> ASID_LOW != asids[owner]:
            yield Breach("owner", f"page {page:#x} of {owner} is in state {state} of another ASID")


def reclaim_breaches(machine: Machine) -> Iterator[Breach]:
    """Yield the shared pages of guests that are still firmware-owned: between requests, none."""
    host = machine.host
    for guest in machine.guests.values():
        for gfn, page in guest.vm.map.items():
            owner = host.owners.get(page)
            if owner is not None and owner not in (guest.vm.name, LEAKED):
                state = host.table.state(page).name
                text = f"guest page {gfn << 12:#x} of {guest.vm.name} is in state {state}: {owner}"
                yield Breach("owner", text)
