"""The engine, as targets of the fuzzer: the firmware's mailbox, and the exits of a guest.

Every input has a machine of its own, with one guest of two processors, so that an input that is
saved shows the same again.
"""

from __future__ import annotations

from functools import cache
from random import Random
from struct import pack, pack_into, unpack
from typing import TYPE_CHECKING

from fuzz_mutations import BYTES, fields_of, worth
from fuzz_properties import expect
from fuzz_seeds import GHCB, KINDS, image, pages, request

from snpwire.crypto.sealing import open_message, seal_raw
from snpwire.engine.firmware.mailbox import HANDLERS
from snpwire.engine.guest_layout import LAYOUT, buffers_of
from snpwire.engine.hypervisor.launch import DEFAULT_POLICY, Image
from snpwire.engine.hypervisor.policy import HostCertificates, HypervisorPolicy, Pages
from snpwire.engine.invariants import Watch, ownership_breaches
from snpwire.engine.machine import RMP, SIZE, Machine
from snpwire.engine.profile import profile_named
from snpwire.engine.trace import Trace
from snpwire.errors import AccessError, StoppedError
from snpwire.wire import RECORDS
from snpwire.wire.address import C_BIT, PAGE
from snpwire.wire.command_table import COMMANDS, CommandId
from snpwire.wire.exits import ExitCode
from snpwire.wire.message import HEADER_SIZE, PAYLOAD_MAX, VMPCKS, Header, MsgType, payload_kind
from snpwire.wire.msr import MsrInfo
from snpwire.wire.report import GuestPolicy
from snpwire.wire.status import Status

if TYPE_CHECKING:
    from fuzz_mutations import Mutation

    from snpwire.engine.firmware import Firmware
    from snpwire.engine.guest.guest import Guest
    from snpwire.engine.hypervisor.vm import Vcpu, Vm

# The secure processor


@cache
def _image() -> Image:
    return Image(policy=DEFAULT_POLICY | 1 << GuestPolicy.debug.low)


def _machine(how: int, trace: Trace | None = None) -> tuple[Machine, Guest]:
    """Start a machine with one guest, of two processors."""
    policy = HypervisorPolicy(
        pages=Pages.GUEST if how & 1 else Pages.BOUNCE,
        certificates=HostCertificates(chain=bool(how & 2)),
        copy_on_failure=not how & 4,
    )
    machine = Machine(profile_named("milan"), trace=trace)
    return machine, machine.add("guest", vcpus=2, policy=policy, image=_image())


STEP = 0x42
"""Bytes of a step of the mailbox: which command, how, and its buffer."""
REQUEST = 0xFF
"""The command of a step that is a guest's message."""
IDS = [int(command) for command in CommandId]
DECLARED = [
    index for index, number in enumerate(IDS) if number in HANDLERS and HANDLERS[number].size
]
"""Commands, by their index, that take a buffer and that the firmware has."""
MARK = 0xADD5
"""The high 16 bits of a word that stands for a place of the machine; bits 15:0 say which."""


def mailbox(data: bytes) -> None:
    """Give the firmware commands: each ends with a status, and none raises anything."""
    machine, guest = _machine(0)
    firmware, vm = machine.firmware, guest.vm
    for page, asid in ((SPARE + 1, 0), (SPARE + 2, 0), (SPARE + 3, vm.asid), (SPARE + 4, vm.asid)):
        machine.host.assign(page, "fuzzed", asid=asid, gpa=0x200_0000 * (asid > 0), fixed=True)
    places = _places(machine, vm)
    at = 0
    for _ in range(8):
        which, how = data[at : at + 2].ljust(2, b"\0")
        if which == REQUEST:
            size = HEADER_SIZE + how * 16
            _asked(firmware, vm, data[at + 2 : at + 2 + size], sealed=bool(how & 1))
            at += 2 + size
        else:
            raw = data[at + 2 : at + STEP].ljust(STEP - 2, b"\0")
            words = (_placed(word, places) for word in unpack("<8Q", raw))
            machine.host.page(SPARE)[: STEP - 2] = pack("<8Q", *words)
            if how & 0x80:
                firmware.wbinvd()
            number = IDS[which % len(IDS)]
            status = firmware.mailbox(number, SPARE << 12)
            expect(isinstance(status, Status), "the answer is no status")
            at += STEP
        if at >= len(data):
            break
    machine.table_image()


SPARE = 0x8000
"""A page that nobody has."""


def _places(machine: Machine, vm: Vm) -> list[int]:
    """Return pages of the machine, of every sort."""
    mine = [vm.map[gpa >> 12] for gpa in (LAYOUT.secrets, LAYOUT.kernel, LAYOUT.ghcb)]
    spare = range(SPARE, SPARE + 6)
    return [
        *(page << 12 for page in (vm.context, *vm.bounce, *mine, *spare)),
        *(RMP.start, RMP.stop, 0, 0xA_0000, SIZE - PAGE, SIZE, C_BIT | SPARE << 12),
    ]


def _placed(word: int, places: list[int]) -> int:
    if word >> 48 != MARK:
        return word
    return places[(word & 0xFF) % len(places)] + (word >> 8 & 0xFFF) | word & 0xFFF0_0000


def _asked(firmware: Firmware, vm: Vm, raw: bytes, *, sealed: bool) -> None:
    """Send a message, sealed under the next number of its key or as it is."""
    context = firmware.contexts[vm.context]
    raw = raw.ljust(HEADER_SIZE, b"\0")
    vmpck, number = raw[0x3C] % VMPCKS, 0
    if sealed:
        number = context.counts[vmpck] + 1
        fields = bytearray(raw[:HEADER_SIZE])
        pack_into("<Q", fields, 0x20, number & (1 << 64) - 1)
        fields[0x3C] = vmpck
        raw = seal_raw(context.cipher(vmpck), bytes(fields), raw[HEADER_SIZE:])
    request, response = vm.bounce
    firmware.memory.write(request << 12, raw.ljust(PAGE, b"\0"))
    buffer = pack("<3Q", vm.context << 12, request << 12, response << 12)
    firmware.memory.write(SPARE << 12, buffer)
    status = firmware.mailbox(int(CommandId.SNP_GUEST_REQUEST), SPARE << 12)
    expect(isinstance(status, Status), "the answer is no status")
    if not status:
        expect(sealed, "what nobody sealed is answered")
        page = firmware.memory.read(response << 12, PAGE)
        header, _ = open_message(context.cipher(vmpck), page)
        expect(header.msg_seqno == number + 1, "the answer has another number")
        expect(header.msg_type == raw[0x34] + 1, "the answer is of another type")


def mailbox_seeds() -> list[bytes]:
    """Return each command by itself, with places in its buffer, and each message."""
    random = Random(1)
    made = [step(random, b"", b"") for _ in range(4 * len(DECLARED))]
    made += [bytes([index, 0]).ljust(STEP, b"\0") for index in range(len(IDS))]
    for kind in MsgType:
        name = payload_kind(int(kind), 1)
        payload = image(name)[: PAYLOAD_MAX & ~31] if name else bytes(32)
        payload = payload.ljust(-(-len(payload) // 32) * 32 + 16, b"\0")
        fields = {"algo": 1, "hdr_version": 1, "hdr_size": HEADER_SIZE, "msg_version": 1}
        header = Header(**fields, msg_type=int(kind))
        made.append(bytes([REQUEST, len(payload) // 16]) + header.build() + payload)
    return made


def place(random: Random, data: bytes, other: bytes) -> bytes:
    """Write a word that stands for a place, or a small number, into a step of the mailbox."""
    step = random.randrange(len(data) // STEP + 1)
    at = step * STEP + 2 + 8 * random.randrange(8)
    word = random.choice((0, 1, 2, 3, 4, 5, 0x1000, 0x1001, 1 << 63, _mark(random)))
    return data[:at].ljust(at, b"\0") + pack("<Q", word) + data[at + 8 :]


def step(random: Random, data: bytes, other: bytes) -> bytes:
    """Put a command in, or at the end, whose addresses are places and whose length is right."""
    index = random.choice(DECLARED)
    name = COMMANDS[CommandId(IDS[index])].buffer
    body = bytearray(RECORDS[name].type.SIZE)
    for offset, size, kind in fields_of(name):
        if size == 8:
            mark = MARK << 48 if not offset and random.random() < 0.7 else _mark(random)
            body[offset : offset + 8] = pack("<Q", mark)
        if size != 8 or random.random() < 0.3:
            body[offset : offset + size] = worth(random, size, kind)
    if random.random() < 0.8 and len(body) > 4 and fields_of(name)[0][1] == 4:
        body[:4] = pack("<L", len(body))
    made = bytes([index, random.choice((0, 0x80))]) + bytes(body)[: STEP - 2].ljust(STEP - 2, b"\0")
    at = random.randrange(len(data) // STEP + 1) * STEP
    return data[:at].ljust(at, b"\0") + made + data[at + random.choice((0, STEP)) :]


def _mark(random: Random) -> int:
    """Return a word that stands for a place, seldom not at the start of a page."""
    offset = random.choice((0x1, 0x8, 0x10, 0xFF0, 0xFFF, 0x800)) if random.random() < 0.2 else 0
    return MARK << 48 | offset << 8 | random.randrange(20)


STEPS: tuple[Mutation, ...] = (*BYTES, *(place,) * 5, *(step,) * 8)


# The hypervisor


def exits(data: bytes) -> None:
    """Let a guest leave, by its MSR or with as many GHCB pages as there are.

    The hypervisor answers, or the guest does not run on; and every page has an owner.
    """
    kind, how = data[:2].ljust(2, b"\0")
    watch = Watch()
    trace = Trace(watch) if how & 8 else None
    machine, guest = _machine(how, trace)
    vcpu = guest.vm.vcpus[how >> 4 & 1]
    body = data[2:]
    size = 8 if KINDS[kind % len(KINDS)] == "msr" else PAGE
    for at in range(0, min(len(body), 8 * size), size):
        given = body[at : at + size].ljust(size, b"\0")
        if size == PAGE and not _spoken(guest, vcpu, given):
            break
        if size == 8:
            vcpu.msr = int.from_bytes(given, "little")
        try:
            machine.hypervisor.vmgexit(vcpu)
        except StoppedError as exc:
            expect(str(exc).isprintable(), "an error is unprintable")
            break
    if trace:
        trace.lines(whole=bool(how & 1))
    expect(not watch.breaches, "an invariant is broken")
    expect(not list(ownership_breaches(machine)), "a page has no owner")


def _spoken(guest: Guest, vcpu: Vcpu, page: bytes) -> bool:
    """Write a processor's GHCB; tell whether it could, for the guest may have given it up."""
    vcpu.msr = LAYOUT.ghcb + vcpu.apic_id * PAGE
    try:
        guest.memory.shared(vcpu.msr)[:] = page
    except (AccessError, StoppedError):
        return False
    return True


def exit_seeds() -> list[bytes]:
    """Return a page for every exit, requests with the guest's own pages, and words of the MSR."""
    made = [bytes([GHCB, n]) + page for n, page in enumerate(pages())]
    buffers = buffers_of(0)
    for code in (ExitCode.SNP_GUEST_REQUEST, ExitCode.SNP_EXT_GUEST_REQUEST):
        page = bytearray(PAGE)
        request(page, int(code), buffers.request, ("rax", "rbx"))
        pack_into("<Q", page, 0x3A0, buffers.response)
        pack_into("<Q", page, 0x1F8, buffers.data)
        made += [bytes([GHCB, how]) + page for how in range(10)]
    msr = KINDS.index("msr")
    return made + [bytes([msr, 8]) + pack("<Q", 0x1000 << 12 | info) for info in MsrInfo]
