"""What must hold whatever goes wrong, checked on the steps of a trace as they come.

* ``nonce``: no key seals two different messages under one number.
* ``answer``: no request is answered twice, and an answer that a guest takes is, byte for byte, the
  one that the firmware gave to that very request.
* ``owner``: no page is left in a state that nobody owns.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from ..rmp.entry import ASID, ASID_LOW, ASSIGNED
from ..wire.message import HEADER_SIZE, Header
from .host import FIRST_PAGE, LEAKED
from .trace import FIRMWARE, GUEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .machine import Machine
    from .trace import Step


class Breach(NamedTuple):
    """Something that does not hold."""

    rule: str
    text: str


class Watch:
    """A listener of one machine's trace."""

    def __init__(self) -> None:
        self.breaches: list[Breach] = []
        self._sealed: dict[tuple[str, int, int], bytes] = {}
        self._given: dict[tuple[str, int, int], bytes] = {}
        self._taken: set[tuple[str, int, int]] = set()

    def __call__(self, step: Step) -> None:
        """Take a step."""
        if step.actor == GUEST and step.action == "seal":
            self._nonce(step, step.written[1].data)
        elif step.actor == FIRMWARE and step.action == "answer":
            self._given[self._nonce(step, step.written[0].data)] = _digest(step.written[0].data)
        elif step.actor == GUEST and step.action == "open":
            self._answer(step, step.written[1].data)
        elif step.action == "launched":
            self.forget(step.vm)

    def forget(self, vm: str) -> None:
        """Begin anew with a VM: a new one has new keys."""
        self._sealed = {key: value for key, value in self._sealed.items() if key[0] != vm}
        self._given = {key: value for key, value in self._given.items() if key[0] != vm}
        self._taken = {key for key in self._taken if key[0] != vm}

    def _nonce(self, step: Step, message: bytes) -> tuple[str, int, int]:
        key = _name(step.vm, message)
        digest = _digest(message)
        if self._sealed.setdefault(key, digest) != digest:
            text = f"{step.actor} sealed two messages under number {key[2]} of VMPCK{key[1]}"
            self.breaches.append(Breach("nonce", f"VM {step.vm}: {text}"))
        return key

    def _answer(self, step: Step, message: bytes) -> None:
        key = _name(step.vm, message)
        what = f"VM {step.vm}: message {key[2]} of VMPCK{key[1]}"
        if key in self._taken:
            self.breaches.append(Breach("answer", f"{what} was taken twice"))
        if self._given.get(key) != _digest(message):
            self.breaches.append(Breach("answer", f"{what} is not what the firmware sealed"))
        self._taken.add(key)


def _name(vm: str, message: bytes) -> tuple[str, int, int]:
    fields = Header.ENGINE.unpack(message[:HEADER_SIZE])
    return vm, fields[10], fields[1]


def _digest(message: bytes) -> bytes:
    size = int.from_bytes(message[0x36:0x38], "little")
    return sha256(message[: HEADER_SIZE + size]).digest()[:16]


def ownerless(machine: Machine) -> Iterator[Breach]:
    """Yield the pages whose state does not fit who is known to have them.

    A page that was leaked is accounted for, whatever its state is.
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


def lent(machine: Machine) -> Iterator[Breach]:
    """Yield the pages that a guest shares and the firmware still has: between requests, none."""
    host = machine.host
    for guest in machine.guests.values():
        for gfn, page in guest.vm.map.items():
            owner = host.owners.get(page)
            if owner is not None and owner not in (guest.vm.name, LEAKED):
                state = host.table.state(page).name
                text = f"guest page {gfn << 12:#x} of {guest.vm.name} is in state {state}: {owner}"
                yield Breach("owner", text)
