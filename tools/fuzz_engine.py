"""The engine, as targets of the fuzzer: files it reads, its mailbox, and the exits of a guest.

Every input has a machine of its own, with one guest of two processors, so that an input that is
saved shows the same again.
"""

from __future__ import annotations

from functools import cache
from struct import pack, pack_into, unpack
from typing import TYPE_CHECKING

from fuzz_properties import answered, expect, file_of
from fuzz_seeds import GHCB, KINDS, TESTS, image, pages, request

from snpwire.cli import machines
from snpwire.crypto.sealing import open_message, seal_raw
from snpwire.engine.boot import LAYOUT, buffers_of
from snpwire.engine.invariants import Watch, ownerless
from snpwire.engine.launch import DEFAULT_POLICY, Image
from snpwire.engine.machine import RMP, SIZE, Machine
from snpwire.engine.policy import Certificates, Pages, Policy
from snpwire.engine.profile import profile_named
from snpwire.engine.trace import Trace
from snpwire.engine.workload import loads_of
from snpwire.errors import AccessError, SnpwireError, StoppedError
from snpwire.wire.address import C_BIT, PAGE
from snpwire.wire.command import CommandId
from snpwire.wire.exits import ExitCode
from snpwire.wire.message import HEADER_SIZE, PAYLOAD_MAX, VMPCKS, Header, MsgType, payload_kind
from snpwire.wire.msr import MsrInfo
from snpwire.wire.report import GuestPolicy
from snpwire.wire.status import Status

if TYPE_CHECKING:
    from random import Random

    from snpwire.engine.firmware import Firmware
    from snpwire.engine.guest import Guest
    from snpwire.engine.vm import Vm

# Files


def _policy(file: str) -> None:
    policy = machines.load_policy(file)
    expect(Policy.from_plain(policy.to_plain()) == policy, "a policy is not read again")
    _used(profile_named("milan").name, policy)


def _workload(file: str) -> None:
    loads = loads_of(machines.object_of(file))
    expect(all(load.requests > 0 and 1 <= load.streams <= 4 for load in loads), "nothing to do")


def _profile(file: str) -> None:
    machines.load_profile(file)
    _used(file, Policy())


def _cpuid(file: str) -> None:
    table = machines.load_cpuid(file, profile_named("genoa"))
    if table:
        corrected, checked, _ = table.check(pack("<2L", 1, 0).ljust(48, b"\1"), 1)
        expect(len(corrected) == 48 and checked == 1, "a function is lost")


def _used(profile: str, policy: Policy) -> None:
    """Start a machine: what was read makes one, or another of our errors."""
    try:
        guest = Machine(machines.load_profile(profile)).add(policy=policy)
        guest.ext_report(pages=8)
    except SnpwireError as exc:
        expect(str(exc), "an error says nothing")


READERS = (_policy, _workload, _profile, _cpuid)
COMMAND_LINES = (
    ["request", "key", "--policy"],
    ["compare-policies", "--workload"],
    ["request", "report", "--profile"],
    ["request", "cpuid", "--cpuid"],
)
FEW = 20
"""As many requests as a workload may make to be run."""


def files(data: bytes) -> None:
    """Read a file of the kind that the first byte names, and now and then have a command do it."""
    how, body = data[0] if data else 0, data[1:]
    which = how % len(READERS)
    file, read = file_of("given.toml", body), True
    try:
        READERS[which](file)
    except SnpwireError as exc:
        expect(str(exc).isprintable() and exc.help.isprintable(), "an error is unprintable")
        read = False
    if how < 128:
        return
    if READERS[which] is _workload and read:
        loads = loads_of(machines.object_of(file))
        if sum(load.requests * load.streams for load in loads) > FEW:
            return
    _, code = answered([*COMMAND_LINES[which], file])
    expect((code > 1) <= (not read) or which == 2, f"exit code {code}")


def file_seeds() -> list[bytes]:
    """Return files of each kind, by itself and for a command."""
    profiles = TESTS.parent / "snpwire" / "engine" / "profiles"
    rules = b'throttle = "off"\nsecond = "busy-vm"\nlatency = { uniform = [0.1, 0.3] }\n'
    rows = b"[[leaf]]\nin = [1, 0]\neax.fms = true\nebx = 5\necx = { fields = [[255, 3]] }\n"
    kinds: list[list[bytes]] = [
        [*((TESTS / "engine" / f"{name}.toml").read_bytes() for name in ("limit", "own-pages"))],
        [(TESTS / "engine" / "guests.toml").read_bytes()],
        [(profiles / f"{name}.toml").read_bytes() for name in ("milan", "turin")],
        [rows + b'edx = { size = "xsave", most = 7 }\n'],
    ]
    kinds[0] += [rules, b'{"certificates": "chain", "latency": {"exponential": 1}}']
    kinds[1].append(b'{"guests": [{"name": "a", "requests": 2, "pause": 0.5}]}')
    deep = b"a = " + b"[" * 3000 + b"]" * 3000
    return [
        *(bytes([n + 128 * (n < 2)]) + text for n, texts in enumerate(kinds) for text in texts),
        *(bytes([n]) + text for n in range(len(kinds)) for text in (deep, b"a = " + b"9" * 5000)),
    ]


# The secure processor


@cache
def _image() -> Image:
    return Image(policy=DEFAULT_POLICY | 1 << GuestPolicy.debug.low)


def _machine(how: int, trace: Trace | None = None) -> tuple[Machine, Guest]:
    """Start a machine with one guest, of two processors."""
    policy = Policy(
        pages=Pages.GUEST if how & 1 else Pages.BOUNCE,
        certificates=Certificates(chain=bool(how & 2)),
        copy_on_failure=not how & 4,
    )
    machine = Machine(profile_named("milan"), trace=trace)
    return machine, machine.add("guest", vcpus=2, policy=policy, image=_image())


STEP = 0x42
"""Bytes of a step of the mailbox: which command, how, and its buffer."""
REQUEST = 0xFF
"""The command of a step that is a guest's message."""
IDS = [int(command) for command in CommandId]
MARK = 0xADD5
"""The high 16 bits of a word that stands for a place of the machine; bits 15:0 say which."""


def mailbox(data: bytes) -> None:
    """Give the firmware commands: each ends with a status, and none raises anything."""
    machine, guest = _machine(0)
    firmware, vm = machine.firmware, guest.vm
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
    spare = range(SPARE, SPARE + 4)
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
    made = []
    for index in range(len(IDS)):
        for first in (0, 6):
            words = (MARK << 48 | (first + n) for n in range(8))
            made.append(bytes([index, 128]) + pack("<8Q", *words))
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
    word = MARK << 48 | random.randrange(18)
    if random.random() < 0.3:
        word |= random.choice((0x1, 0x8, 0x10, 0xFF0, 0xFFF, 0x800)) << 8
    if random.random() < 0.3:
        word = random.choice((0, 1, 2, 3, 4, 5, 0x1000, 0x1001, 1 << 63))
    return data[:at].ljust(at, b"\0") + pack("<Q", word) + data[at + 8 :]


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
    try:
        if KINDS[kind % len(KINDS)] == "msr":
            for at in range(0, min(len(body), 64), 8):
                vcpu.msr = int.from_bytes(body[at : at + 8], "little")
                machine.hypervisor.vmgexit(vcpu)
        for at in range(0, min(len(body), 8 * PAGE), PAGE):
            vcpu.msr = LAYOUT.ghcb + vcpu.apic_id * PAGE
            page = guest.space.shared(vcpu.msr)
            page[:] = body[at : at + PAGE].ljust(PAGE, b"\0")
            machine.hypervisor.vmgexit(vcpu)
    except (StoppedError, AccessError) as exc:
        expect(str(exc).isprintable(), "an error is unprintable")
    if trace:
        trace.lines(whole=bool(how & 1))
    expect(not watch.breaches, "an invariant is broken")
    found = list(ownerless(machine))
    expect(not found, f"a page without an owner: {found[:1]}")


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
