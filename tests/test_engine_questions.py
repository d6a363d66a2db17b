"""The questions of the review of 2021, each answered by what the engine does."""

from __future__ import annotations

import itertools
from hashlib import sha256
from threading import Thread

import pytest

from snpwire.engine.faults.catalogue import FAULTS
from snpwire.engine.faults.injection import Injection
from snpwire.engine.guest.request import Request
from snpwire.engine.guest.vmgexit import leave
from snpwire.engine.guest_layout import LAYOUT, Buffers, buffers_of
from snpwire.engine.hypervisor.policy import (
    HostCertificates,
    HypervisorPolicy,
    Latency,
    Pages,
    SecondRequest,
    Spread,
    Throttle,
)
from snpwire.engine.invariants import Watch, ownership_breaches, reclaim_breaches
from snpwire.engine.machine import Machine
from snpwire.engine.oracle import attempt
from snpwire.engine.outcome import NO_RESPONSE, Outcome
from snpwire.engine.profile import profile_named
from snpwire.engine.simulation import MILLISECOND, SECOND
from snpwire.engine.trace import Trace
from snpwire.engine.workload import Load, run
from snpwire.errors import AccessError, DriverError, ExitError
from snpwire.rmp.entry import ASID_LOW, ASSIGNED, IMMUTABLE, LOCK, VALIDATED, VMSA
from snpwire.wire.certs import CertTable, build_table
from snpwire.wire.exits import ExitCode
from snpwire.wire.key import KeyReq
from snpwire.wire.message import MsgType
from snpwire.wire.report import Report
from snpwire.wire.rmp import RmpState
from snpwire.wire.status import Status

PAGE = 0x1000
OWN = HypervisorPolicy(pages=Pages.GUEST)
KEY = Request(int(MsgType.KEY_REQ), KeyReq(vmpl=3).build())
MALFORMED = 2


def machine(*listeners, seed=1, keep=True):
    return Machine(profile_named("milan"), seed=seed, trace=Trace(*listeners, keep=keep))


def asking(guest, vmpck=0, request=KEY):
    """Make one request and say what came of it."""
    return attempt(guest.drivers[vmpck], request).outcome


def counts(m, guest):
    return m.firmware.contexts[guest.vm.context].counts


def numbers(guest):
    return [driver.channel.number for driver in guest.drivers]


def steps(m, action, vm=""):
    return [s for s in m.simulation.trace.steps if s.action == action and (not vm or s.vm == vm)]


def test_q1_a_hypervisor_slows_a_guest_down_and_leaves_its_neighbour_alone():
    m = machine()
    noisy = m.add("noisy", policy=HypervisorPolicy(throttle=Throttle(2, 30 * SECOND)))
    quiet = m.add("quiet")

    outcomes = [asking(noisy) for _ in range(3)]
    waited = m.clock.now
    before = m.clock.now
    asking(quiet)

    assert outcomes == [Outcome()] * 3
    assert waited == 32 * SECOND
    assert m.clock.now == before
    assert noisy.vm.throttled == 16
    assert quiet.vm.throttled == 0


def test_q1_a_throttled_guest_sends_the_same_bytes_and_uses_no_number_twice():
    watch = Watch()
    m = machine(watch)
    guest = m.add(policy=HypervisorPolicy(throttle=Throttle(1, 9 * SECOND)))

    asking(guest)
    asking(guest)

    held_back = {sha256(step.written[0].data).digest() for step in steps(m, "throttle")}
    sealed = [step.written[1].data for step in steps(m, "seal")]
    assert len(steps(m, "throttle")) == 5
    assert held_back == {sha256(sealed[1]).digest()}
    assert watch.breaches == []
    assert numbers(guest)[0] == counts(m, guest)[0] == 4


@pytest.mark.parametrize("policy", [HypervisorPolicy(), OWN], ids=["bounce pages", "own pages"])
def test_q2_the_response_is_written_to_a_firmware_page_whoever_moves_it(policy):
    m = machine()
    guest = m.add(policy=policy)
    del m.simulation.trace.steps[:]

    guest.key()

    issued = next(s for s in steps(m, "command") if s.written[0].kind == "cmd-guest-request")
    response = int.from_bytes(issued.written[0].data[16:24], "little") >> 12
    moves = [
        (move.before, move.after)
        for step in m.simulation.trace.steps
        for move in step.moved
        if move.page == response
    ]
    if policy is OWN:
        assert response == guest.vm.map[buffers_of(0).response >> 12]
        assert moves == [("HYPERVISOR", "FIRMWARE"), ("RECLAIM", "HYPERVISOR")]
        assert m.host.table.state(response) is RmpState.HYPERVISOR
    else:
        assert response == guest.vm.bounce[1]
        assert moves == []
        assert m.host.table.state(response) is RmpState.FIRMWARE
    assert [*ownership_breaches(m), *reclaim_breaches(m)] == []


STATES = {
    RmpState.HYPERVISOR: 0,
    RmpState.HV_FIXED: IMMUTABLE,
    RmpState.RECLAIM: ASSIGNED,
    RmpState.CONTEXT: ASSIGNED | IMMUTABLE | LOCK | VMSA,
    RmpState.METADATA: ASSIGNED | IMMUTABLE | LOCK | 1 << 48 | 5 << 12,
    RmpState.FIRMWARE_IOMMU: 0x8002_0000_0000_1005,
    RmpState.PRE_GUEST: ASSIGNED | IMMUTABLE | 9 << ASID_LOW,
    RmpState.PRE_SWAP: ASSIGNED | IMMUTABLE | VALIDATED | 9 << ASID_LOW,
    RmpState.GUEST_INVALID: ASSIGNED | 9 << ASID_LOW,
    RmpState.GUEST_VALID: ASSIGNED | VALIDATED | 9 << ASID_LOW,
}


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_q2_a_response_page_in_any_other_state_is_refused_and_left_as_it_is(state):
    m = machine()
    guest = m.add()
    m.host.table.set(guest.vm.bounce[1], STATES[state], 0)

    outcome = asking(guest)

    assert m.host.table.state(guest.vm.bounce[1]) is state
    assert outcome == Outcome("EIO", int(Status.INVALID_PAGE_STATE), alive=False)
    assert counts(m, guest) == [0, 0, 0, 0]


def test_q2_the_guests_own_page_is_put_back_after_a_failure():
    m = machine()
    guest = m.add(policy=OWN)
    m.inject(Injection.parse("alter-request"))

    outcome = asking(guest)

    page = guest.vm.map[buffers_of(0).response >> 12]
    assert outcome == Outcome("EIO", int(Status.BAD_MEASUREMENT), alive=False)
    assert m.host.table.state(page) is RmpState.HYPERVISOR
    assert [*ownership_breaches(m), *reclaim_breaches(m)] == []


def test_q2_a_page_that_is_not_the_hypervisors_is_not_touched():
    m = machine()
    guest = m.add(policy=OWN)
    m.inject(Injection.parse("private-response"))
    page = guest.vm.map[LAYOUT.cpuid >> 12]
    before = m.host.table.entry(page), bytes(m.host.page(page))

    outcome = asking(guest)

    assert outcome == Outcome("EIO", int(Status.INVALID_ADDRESS), alive=False)
    assert (m.host.table.entry(page), bytes(m.host.page(page))) == before


def test_q2_a_page_that_cannot_be_had_back_is_lost_and_known_to_be():
    m = machine()
    guest = m.add(policy=OWN)
    m.inject(Injection.parse("firmware-dies"))

    outcome = asking(guest)

    page = guest.vm.map[buffers_of(0).response >> 12]
    assert outcome == Outcome("stopped")
    assert m.host.owners[page] == "leaked"
    assert m.host.table.state(page) is RmpState.FIRMWARE
    assert [*ownership_breaches(m), *reclaim_breaches(m)] == []


def test_q2_a_page_that_the_firmware_kept_faults_when_the_guest_writes_it():
    m = machine()
    guest = m.add(policy=OWN)
    m.inject(Injection.parse("forget-to-put-back"))

    first = asking(guest)

    assert first == Outcome()
    assert "is in state FIRMWARE: firmware, for vm" in next(reclaim_breaches(m)).text
    with pytest.raises(AccessError, match=r"NPF.*in state FIRMWARE at 0x1101000"):
        guest.key()


def test_q3_a_guest_gets_report_key_and_report_with_certificates():
    m = machine()
    guest = m.add(policy=HypervisorPolicy(certificates=HostCertificates(chain=True)))
    table = build_table([("VCEK", b"vcek"), ("ASK", b"ask"), ("ARK", b"ark")], pages=True)
    guest.vm.certificates = table

    report = Report.parse(guest.report(b"\x17" * 64))
    key = guest.key()
    attested = guest.ext_report(b"\x18" * 64)

    assert report.report_data == b"\x17" * 64
    assert len(key) == 32
    assert any(key)
    assert Report.parse(attested.report).report_data == b"\x18" * 64
    assert attested.certificates[: len(table)] == table
    assert len(attested.certificates) == 4 * PAGE


def test_q4_the_limit_is_a_vms_own_and_changes_while_it_runs():
    m = machine()
    one, other = (
        m.add("one"),
        m.add("other", policy=HypervisorPolicy(throttle=Throttle(1, 60 * SECOND))),
    )

    for _ in range(5):
        asking(one)
    unlimited = one.vm.throttled, m.clock.now
    one.vm.policy = one.vm.policy._replace(throttle=Throttle(1, 3 * SECOND))
    asking(one)
    asking(one)
    limited = one.vm.throttled
    one.vm.policy = one.vm.policy._replace(throttle=None)
    now = m.clock.now
    asking(one)

    assert unlimited == (0, 0)
    assert limited == 2
    assert m.clock.now == now
    assert other.vm.throttled == 0


def test_q5_a_limit_of_ten_in_five_seconds_does_not_protect_from_slow_requests():
    slow = HypervisorPolicy(latency=Latency(Spread.FIXED, 200 * MILLISECOND))
    limit = slow._replace(throttle=Throttle(10, 5 * SECOND))
    noisy = [Load(f"noisy{n}", 25, streams=4, policy=slow) for n in range(3)]
    victim = Load("victim", 5, 2 * SECOND, policy=slow)

    free = run(machine(keep=False), [*noisy, victim])
    kept = [load._replace(policy=limit) for load in [*noisy, victim]]
    limited = run(machine(keep=False), kept)

    assert all(tally.served == tally.asked for tally in free)
    assert free[-1].longest > 2 * SECOND
    assert limited[-1].longest > 200 * MILLISECOND
    assert sum(tally.throttled for tally in limited[:-1]) > 0
    assert limited[-1].throttled == 0


def test_q5_what_a_request_costs_is_what_others_wait_for():
    slow = HypervisorPolicy(latency=Latency(Spread.FIXED, 300 * MILLISECOND))
    alone = run(machine(keep=False), [Load("one", 3, policy=slow)])
    beside = run(machine(keep=False), [Load(str(n), 3, policy=slow) for n in range(5)])

    assert alone[0].longest == 300 * MILLISECOND
    assert beside[0].longest == 5 * 300 * MILLISECOND


@pytest.mark.parametrize(("name", "number"), [("eagain", 11), ("einval", 22), ("efault", 14)])
def test_q6_a_guest_does_not_understand_an_errno_and_gives_its_key_up(name, number):
    m = machine()
    guest = m.add()
    m.inject(Injection.parse(f"errno-{name}"))

    outcome = asking(guest)

    assert outcome.errno == "EIO"
    assert outcome.exitinfo2 == (1 << 64) - number
    assert not outcome.alive
    assert guest.memory.read(LAYOUT.secrets + 0x20, 32) == bytes(32)
    with pytest.raises(DriverError, match=r"ENOTTY: VMPCK0 is disabled"):
        guest.key()
    assert len(guest.key(vmpck=1)) == 32


def test_q6_a_guest_understands_busy():
    m = machine()
    guest = m.add()
    m.inject(Injection.parse("busy*5"))

    outcome = asking(guest)

    assert outcome == Outcome()
    assert m.clock.now == 10 * SECOND


def test_q6_the_minute_begins_when_the_message_is_first_sent():
    m = machine()
    guest = m.add()
    m.inject(Injection.parse("delay"), Injection.parse("busy*40"))
    began = m.clock.now

    outcome = asking(guest)

    assert outcome == Outcome("ETIMEDOUT", 2 << 32, alive=False)
    assert len(steps(m, "wait")) == 16
    assert m.clock.now - began == 62 * SECOND


def test_q6_a_guest_gives_up_after_a_minute_of_busy():
    m = machine()
    guest = m.add()
    m.inject(Injection.parse("busy*100"))

    outcome = asking(guest)

    assert outcome == Outcome("ETIMEDOUT", 2 << 32, alive=False)
    assert m.clock.now == 62 * SECOND


REQUEST_GPA, RESPONSE_GPA, DATA_GPA, _ = buffers_of(0)


@pytest.mark.parametrize(
    ("code", "info", "registers", "reason"),
    [
        (ExitCode.SNP_GUEST_REQUEST, (REQUEST_GPA + 8, RESPONSE_GPA), {}, 4),
        (ExitCode.SNP_GUEST_REQUEST, (REQUEST_GPA, RESPONSE_GPA + 8), {}, 4),
        (ExitCode.SNP_GUEST_REQUEST, (REQUEST_GPA, REQUEST_GPA), {}, 4),
        (
            ExitCode.SNP_EXT_GUEST_REQUEST,
            (REQUEST_GPA, RESPONSE_GPA),
            {"rax": DATA_GPA + 8, "rbx": 4},
            5,
        ),
        (ExitCode.SNP_EXT_GUEST_REQUEST, (REQUEST_GPA, RESPONSE_GPA), {"rax": DATA_GPA}, 5),
    ],
)
def test_q7_bad_addresses_are_malformed_input(code, info, registers, reason):
    m = machine()
    guest = m.add()
    guest.memory.shared(REQUEST_GPA)[0x34] = MsgType.REPORT_REQ

    with pytest.raises(ExitError, match=rf"the hypervisor refused: reason {reason} "):
        leave(m.hypervisor, guest.memory, guest.vm.vcpus[0], code, *info, **registers)


def test_q7_malformed_input_costs_the_guest_its_key():
    m = machine()
    guest = m.add()
    m.inject(Injection.parse("unaligned-request"))

    assert asking(guest) == Outcome("EIO", NO_RESPONSE, alive=False)


def test_q7_no_certificates_is_success_with_an_empty_table():
    m = machine()
    guest = m.add()
    guest.memory.shared(DATA_GPA)[:32] = b"\xff" * 32

    attested = guest.ext_report()

    table = CertTable.parse(attested.certificates)
    assert table.elements == ()
    assert attested.certificates[:32] == bytes(24) + b"\xff" * 8


def test_q7_a_certificate_buffer_matters_for_reports_alone():
    m = machine()
    guest = m.add()
    response = guest.drivers[0].run(KEY._replace(pages=0))

    assert len(response.payload) == 0x40
    assert response.certificates == b""


def test_q8_four_streams_are_independent():
    watch = Watch()
    m = machine(watch)
    guest = m.add(vcpus=4)

    outcomes = [asking(guest, vmpck) for vmpck in (3, 0, 3, 2, 1, 3, 0, 3)]

    assert outcomes == [Outcome()] * 8
    assert numbers(guest) == [4, 2, 2, 8]
    assert counts(m, guest) == [4, 2, 2, 8]
    assert watch.breaches == []


def test_q8_a_stream_at_its_limit_leaves_three_alive():
    m = machine()
    guest = m.add()
    guest.drivers[1].channel.number = counts(m, guest)[1] = 0xFFFF_FFFC

    last = asking(guest, 1)
    over = asking(guest, 1)

    assert last == Outcome()
    assert over == Outcome("EIO", alive=True)
    assert numbers(guest)[1] == 0xFFFF_FFFE
    assert [asking(guest, vmpck) for vmpck in (0, 2, 3)] == [Outcome()] * 3


def test_q8_a_key_that_is_gone_is_said_before_its_numbers_are():
    m = machine()
    stream = m.add().drivers[0].channel
    stream.number = 0xFFFF_FFFE
    stream.disable()

    with pytest.raises(DriverError, match=r"ENOTTY: VMPCK0 is disabled"):
        stream.next_number()


def test_q8_the_firmwares_own_limit_is_that_of_64_bits():
    m = machine()
    guest = m.add()
    counts(m, guest)[2] = (1 << 64) - 2

    outcome = asking(guest, 2)

    assert outcome == Outcome("EIO", int(Status.AEAD_OFLOW), alive=False)
    assert [asking(guest, vmpck) for vmpck in (0, 1, 3)] == [Outcome()] * 3


def two_at_once(second, streams):
    """Let two processors of a guest ask at the same time."""
    policy = HypervisorPolicy(second=second, latency=Latency(Spread.FIXED, SECOND))
    m = machine()
    tally = run(m, [Load("vm", 1, streams=streams, policy=policy)])[0]
    return m, tally


def test_q9_behind_a_mutex_the_second_request_waits():
    m, tally = two_at_once(SecondRequest.WAIT, 2)

    assert (tally.served, tally.retried, tally.keys_lost) == (2, 0, 0)
    assert [step.facts["nanoseconds"] for step in steps(m, "wait")] == [SECOND]
    assert tally.longest == 2 * SECOND


def test_q9_without_a_mutex_the_second_request_is_told_busy():
    m, tally = two_at_once(SecondRequest.BUSY_VM, 2)

    assert (tally.served, tally.retried, tally.keys_lost) == (2, 1, 0)
    assert len(steps(m, "busy")) == 1
    assert tally.longest == 3 * SECOND


def test_q9_streams_do_not_meet_if_busy_is_said_per_stream():
    m, tally = two_at_once(SecondRequest.BUSY_STREAM, 4)

    assert (tally.served, tally.retried, tally.keys_lost) == (4, 0, 0)
    assert steps(m, "busy") == []


@pytest.mark.parametrize("second", [SecondRequest.BUSY_VM, SecondRequest.BUSY_STREAM])
def test_q9_two_at_once_on_one_key_one_is_answered_one_told_to_wait(second):
    policy = HypervisorPolicy(second=second, latency=Latency(Spread.FIXED, SECOND))
    m = machine()
    guest = m.add(vcpus=2, policy=policy)
    driver, now = guest.drivers[0], m.clock.now

    first = driver.send_once(KEY)
    driver.channel.number += 2
    m.clock.now = now + 1
    second_result = driver.send_once(KEY)
    m.clock.now = now + 2 * SECOND
    again = driver.send_once(KEY)

    assert (first, second_result, again) == (0, 2 << 32, 0)
    assert driver.channel.alive
    assert counts(m, guest)[0] == 4


def test_q9_a_guest_that_breaks_the_rule_loses_its_key():
    watch = Watch()
    m = machine(watch)
    guest = m.add()
    m.inject(Injection.parse("race"))

    outcome = asking(guest)

    assert outcome == Outcome("EIO", int(Status.AEAD_OFLOW), alive=False)
    assert [breach.rule for breach in watch.breaches] == ["nonce"]
    assert watch.breaches[0].text == ("VM vm: guest sealed two messages under number 1 of VMPCK0")


def test_q9_a_limit_does_not_save_a_guest_that_breaks_the_rule():
    m = machine()
    guest = m.add(policy=HypervisorPolicy(throttle=Throttle(1, 5 * SECOND)))
    asking(guest, 1)
    m.inject(Injection.parse("race"))

    assert asking(guest) == Outcome("EIO", int(Status.AEAD_OFLOW), alive=False)


@pytest.mark.parametrize("copied", [True, False])
def test_q10_after_a_failure_the_guest_may_find_an_older_response(copied):
    m = machine()
    guest = m.add(policy=HypervisorPolicy(copy_on_failure=copied))
    asking(guest)
    older = bytes(guest.memory.readable(RESPONSE_GPA))
    m.inject(Injection.parse("firmware-resource-limit"))

    outcome = asking(guest)

    found = bytes(guest.memory.readable(RESPONSE_GPA))
    assert outcome == Outcome("EIO", int(Status.RESOURCE_LIMIT), alive=False)
    assert found == (older if copied else bytes(PAGE))


def test_q10_an_older_response_is_why_a_guest_looks_at_the_number():
    m = machine()
    guest = m.add()
    asking(guest)
    m.inject(Injection.parse("drop-request"))

    tried = attempt(guest.drivers[0], KEY)

    assert tried.outcome == Outcome("EBADMSG", 0, alive=False)
    assert str(tried.error) == "EBADMSG: the response is refused: message number 2, not 4"


BOTH_WAYS = [
    pytest.param(name, policy, id=f"{name}, {policy.pages} pages")
    for name, fault in FAULTS.items()
    for policy in (HypervisorPolicy(), OWN)
    if policy is OWN or fault.needs != "own-pages"
]


@pytest.mark.parametrize(("name", "policy"), BOTH_WAYS)
def test_q11_whatever_goes_wrong_there_is_one_response_and_no_lock_is_kept(name, policy):
    fault = FAULTS[name]
    watch = Watch()
    m = machine(watch)
    guest = m.add(policy=policy)
    faults = m.inject(Injection.parse(name))
    del m.simulation.trace.steps[:]

    for number in range(fault.first):
        request = KEY._replace(payload=KeyReq(vmpl=3, guest_svn=number).build())
        outcome = asking(guest, request=request)

    left, told = len(steps(m, "exit", "vm")), len(steps(m, "resume", "vm"))
    stopped = len(steps(m, "stop", "vm"))
    free = []
    other = Thread(target=lambda: free.append(m.simulation.lock.acquire(timeout=0)))
    other.start()
    other.join()
    rules = {
        breach.rule for breach in [*watch.breaches, *ownership_breaches(m), *reclaim_breaches(m)]
    }
    assert faults.drain() == [fault]
    assert outcome == fault.leads_to(policy, extended=False, times=1)
    assert left == told + stopped
    assert free == [True]
    assert rules == ({fault.breaks} if fault.breaks else set())


NOTICED = {
    "replay-request": ("EIO", Status.AEAD_OFLOW),
    "reorder": ("EIO", Status.AEAD_OFLOW),
    "skip-number": ("EIO", Status.AEAD_OFLOW),
    "alter-request": ("EIO", Status.BAD_MEASUREMENT),
    "alter-number": ("EIO", Status.BAD_MEASUREMENT),
    "alter-reserved": ("EIO", Status.BAD_MEASUREMENT),
    "swap-vms": ("EIO", Status.BAD_MEASUREMENT),
    "swap-streams": ("EIO", Status.BAD_MEASUREMENT),
    "truncate-request": ("EIO", Status.BAD_MEASUREMENT),
    "alter-header": ("EIO", Status.INVALID_PARAM),
    "replay-answer": ("EBADMSG", Status.SUCCESS),
    "alter-answer": ("EBADMSG", Status.SUCCESS),
    "truncate-answer": ("EBADMSG", Status.SUCCESS),
    "answer-for-firmware": ("EBADMSG", Status.SUCCESS),
}


@pytest.mark.parametrize("name", NOTICED)
def test_q12_a_message_out_of_place_is_noticed_and_the_key_given_up(name):
    errno, status = NOTICED[name]
    m = machine()
    guest = m.add()
    asking(guest)
    m.inject(Injection.parse(name))

    outcome = asking(guest)

    assert outcome == Outcome(errno, int(status), alive=False)
    assert ("firmware" in FAULTS[name].detected_by) is (errno == "EIO")
    assert [asking(guest, vmpck) for vmpck in (1, 2, 3)] == [Outcome()] * 3


def test_q12_requests_of_two_keys_may_come_in_any_order():
    m = machine()
    guest = m.add()
    first, second = guest.drivers[0], guest.drivers[1]
    first.seal_only(KEY)

    later = second.send_once(KEY)
    earlier = first.send_once(KEY)

    assert (later, earlier) == (0, 0)


def certified(pages, policy_pages):
    m = machine()
    guest = m.add(
        policy=HypervisorPolicy(certificates=HostCertificates(chain=True, pages=policy_pages))
    )
    guest.vm.certificates = build_table([("VCEK", b"\x30" * 5000)], pages=True)
    return m, guest, guest.drivers[0], Request(5, bytes(0x60), 1, pages)


def test_q13_a_short_certificate_buffer_costs_the_response_and_not_the_key():
    m, guest, driver, request = certified(4, 5)

    tried = attempt(driver, request)

    exits = [step.facts["code"] for step in steps(m, "exit")]
    assert tried.outcome == Outcome("EIO", 1 << 32, alive=True)
    assert tried.error.pages == 5
    assert exits == [ExitCode.SNP_EXT_GUEST_REQUEST, ExitCode.SNP_GUEST_REQUEST]
    assert numbers(guest)[0] == counts(m, guest)[0] == 2
    assert asking(guest) == Outcome()


def test_q13_the_same_message_goes_out_as_a_plain_request():
    m, _, driver, request = certified(1, 0)

    attempt(driver, request)

    sealed, copied = steps(m, "seal")[-1], steps(m, "copy-in")[-1]
    assert sealed.written[1].data == copied.written[0].data


def test_q13_a_buffer_that_fits_gets_report_and_certificates():
    _, guest, driver, request = certified(2, 0)

    response = driver.run(request)

    assert response.certificates == guest.vm.certificates
    assert len(response.certificates) == 2 * PAGE


def test_q13_the_key_is_kept_also_where_the_plain_request_fails():
    m, guest, driver, request = certified(1, 0)
    m.inject(Injection.parse("firmware-resource-limit"))

    outcome = attempt(driver, request).outcome

    assert outcome == Outcome("EIO", 1 << 32, alive=True)
    assert asking(guest).errno == "EIO"


def test_q13_the_pages_are_told_and_the_key_lost_where_the_plain_request_stays_busy():
    m, guest, driver, request = certified(1, 0)
    m.inject(Injection.parse("busy*40@2"))

    tried = attempt(driver, request)

    assert tried.outcome == Outcome("ETIMEDOUT", 1 << 32, alive=False)
    assert tried.error.pages == 2
    assert asking(guest).errno == "ENOTTY"


def test_q13_a_length_error_that_needs_no_pages_is_an_error_all_the_same():
    def lie(_, x):
        x.vmm = 1

    m, _, driver, request = certified(1, 0)
    fault = FAULTS["lie-about-pages"]._replace(act=lie)
    m.inject(Injection(fault))

    tried = attempt(driver, request._replace(pages=0))

    assert tried.outcome == Outcome("EIO", 1 << 32, alive=True)
    assert tried.error.pages == 0


def test_q13_a_plain_request_that_is_told_of_pages_is_out_of_step_after_that():
    m = machine()
    guest = m.add()
    m.inject(Injection.parse("lie-about-pages"))

    first, second = asking(guest), asking(guest)

    assert first == Outcome("EIO", 1 << 32, alive=True)
    assert second == Outcome("EIO", int(Status.AEAD_OFLOW), alive=False)


def test_buffers_of_two_keys_do_not_touch():
    places = [buffers_of(vmpck) for vmpck in range(4)]

    assert [type(place) for place in places] == [Buffers] * 4
    for low, high in itertools.pairwise(places):
        assert low.data + low.pages * PAGE <= high.request
