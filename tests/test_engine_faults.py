"""Faults: how they are named and when they strike; and the driver's own errors."""

from __future__ import annotations

import tracemalloc
from inspect import signature
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.engine.faults.catalogue import FAULTS
from snpwire.engine.faults.fault import GUEST_POINTS, HYPERVISOR_POINTS
from snpwire.engine.faults.injection import Injection
from snpwire.engine.guest.driver import EXIT, PREPARE
from snpwire.engine.guest.request import Request
from snpwire.engine.hypervisor.guest_request import ARRIVE, ISSUE, RESPONSE, RESULT, SEND, STATUS
from snpwire.engine.hypervisor.policy import (
    HostCertificates,
    HypervisorPolicy,
    Latency,
    Pages,
    SecondRequest,
    Spread,
    Throttle,
)
from snpwire.engine.invariants import NumberDigests, Watch
from snpwire.engine.machine import Machine
from snpwire.engine.oracle import Oracle, attempt
from snpwire.engine.outcome import Outcome, outcome_of
from snpwire.engine.profile import profile_named
from snpwire.engine.simulation import SECOND
from snpwire.engine.trace import Trace
from snpwire.engine.workload import Load, run
from snpwire.errors import DriverError, EngineError, UsageError
from snpwire.wire.cpuid import CpuidFunction, CpuidRsp
from snpwire.wire.key import KeyReq
from snpwire.wire.message import MsgType
from snpwire.wire.status import Status

KEY = Request(int(MsgType.KEY_REQ), KeyReq(vmpl=3).build())


@pytest.fixture
def m():
    return Machine(profile_named("milan"), seed=1)


@pytest.fixture
def guest(m):
    return m.add()


@pytest.mark.parametrize(
    ("text", "times", "step"),
    [("busy", 1, 1), ("busy*3", 3, 1), ("busy@2", 1, 2), ("busy*3@2", 3, 2), ("race", 1, 1)],
)
def test_an_injection_says_which_how_often_and_when(text, times, step):
    injection = Injection.parse(text)

    assert (injection.fault.name, injection.times, injection.step) == (
        text.split("*")[0].split("@")[0],
        times,
        step,
    )


def test_a_fault_that_needs_an_earlier_request_strikes_the_second_time():
    assert Injection.parse("reuse-number").step == 2


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("bussy", "there is no fault 'bussy'", "did you mean busy?"),
        ("", "there is no fault ''", "--inject list prints them"),
        ("busy*", "'busy*': '' is no number from 1 on", "NAME, NAME*3"),
        ("busy*0", "'busy*0': '0' is no number from 1 on", "NAME, NAME*3"),
        ("busy@x", "'busy@x': 'x' is no number from 1 on", "NAME, NAME*3"),
        ("busy@-1", "'busy@-1': '-1' is no number from 1 on", "NAME, NAME*3"),
        ("busy*99999999999999", "is no number from 1 on", "NAME, NAME*3"),
        ("busy@2*3", "'2*3' is no number", "NAME, NAME*3"),
    ],
)
def test_an_injection_that_cannot_be_read_says_why(text, said, hint):
    with pytest.raises(UsageError) as caught:
        Injection.parse(text)

    assert said in str(caught.value)
    assert hint in caught.value.help


def test_a_fault_strikes_as_often_as_it_is_to(m, guest):
    faults = m.inject(Injection.parse("errno-eagain*2@2"))

    outcomes = [attempt(guest.drivers[n], KEY).outcome.errno for n in range(4)]

    assert outcomes == ["", "EIO", "EIO", ""]
    assert [fault.name for fault in faults.drain()] == ["errno-eagain"] * 2
    assert faults.drain() == []


@pytest.mark.parametrize("name", ["swap-vms", "wrong-context"])
def test_a_neighbour_is_there_where_a_fault_needs_one(m, guest, name):
    m.add("silent")
    for _ in range(3):
        m.inject(Injection.parse(name))
        found = attempt(guest.drivers[0], KEY).outcome
        m.remove(guest.vm.name)
        guest = m.add()

        assert found == FAULTS[name].outcome


def test_no_fault_strikes_after_they_are_taken_back(m, guest):
    m.inject(Injection.parse("drop-request"))
    m.inject()

    assert attempt(guest.drivers[0], KEY).outcome == Outcome()


def test_a_guest_that_comes_later_meets_the_faults_too(m, guest):
    m.inject(Injection.parse("skip-number"))
    later = m.add("later")

    assert attempt(later.drivers[0], KEY).outcome.exitinfo2 == Status.AEAD_OFLOW


def test_a_fault_of_own_pages_needs_a_policy_with_them(m, guest):
    with pytest.raises(UsageError, match="forget-to-put-back needs the guest's own pages"):
        m.inject(Injection.parse("forget-to-put-back"))

    guest.vm.policy = HypervisorPolicy(pages=Pages.GUEST)
    m.inject(Injection.parse("forget-to-put-back"))


@pytest.mark.parametrize("name", FAULTS)
def test_an_extended_request_comes_to_what_the_fault_says(name):
    fault = FAULTS[name]
    policy = HypervisorPolicy(pages=Pages.GUEST if fault.needs == "own-pages" else Pages.BOUNCE)
    m = Machine(profile_named("milan"), seed=1)
    guest = m.add(policy=policy)
    m.inject(Injection.parse(name))

    for number in range(fault.first):
        payload = bytes([number]) * 64 + bytes(32)
        found = attempt(guest.drivers[0], Request(5, payload, 1, 4)).outcome

    assert found == fault.leads_to(policy, extended=True, times=1)


@pytest.mark.parametrize(("times", "errno"), [(31, ""), (32, "ETIMEDOUT")])
def test_a_guest_is_patient_for_a_minute(times, errno):
    m = Machine(profile_named("milan"), seed=1)
    guest = m.add()
    m.inject(Injection(FAULTS["busy"], times))

    found = attempt(guest.drivers[0], KEY).outcome

    assert found.errno == errno
    assert found == FAULTS["busy"].leads_to(HypervisorPolicy(), extended=False, times=times)


def test_faults_act_where_the_party_that_they_touch_passes():
    points = {row.point for row in FAULTS.values()}

    assert points <= {*GUEST_POINTS, *HYPERVISOR_POINTS}
    assert {PREPARE, EXIT} == set(GUEST_POINTS)
    assert (ARRIVE, SEND, ISSUE, STATUS, RESPONSE, RESULT) == HYPERVISOR_POINTS
    for row in FAULTS.values():
        of_driver = row.point in GUEST_POINTS
        assert row.undo is None or not of_driver
        assert ("driver" in signature(row.act).parameters) is of_driver, row.name


def test_faults_are_named_after_their_actors_and_say_who_notices():
    for fault in FAULTS.values():
        assert fault.actor in ("guest", "hypervisor", "firmware")
        assert fault.detected_by
        assert fault.help[0].islower()
        assert not fault.help.endswith(".")


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome(), "answered"),
        (Outcome("EIO", 0x0B, False), "EIO, firmware BAD_MEASUREMENT, key wiped"),
        (Outcome("EIO", 1 << 32, True), "EIO, hypervisor INVALID_LEN, key alive"),
        (Outcome("EIO", (1 << 64) - 1, False), "EIO, no response from the hypervisor, key wiped"),
        (
            Outcome("EIO", (1 << 64) - 11, False),
            "EIO, hypervisor KVM_GENERIC, firmware UNKNOWN_0xfffffff5, key wiped",
        ),
        (Outcome("stopped"), "stopped"),
    ],
)
def test_an_outcome_is_told_in_words(outcome, text):
    assert str(outcome) == text


def test_an_error_of_the_program_is_no_outcome():
    with pytest.raises(EngineError, match="out of memory"):
        outcome_of(EngineError("out of memory"), alive=True)


def test_a_response_that_the_firmware_did_not_seal_is_seen(monkeypatch):
    watch = Watch()
    m = Machine(profile_named("milan"), seed=1, trace=Trace(watch))
    guest = m.add()
    guest.key()
    opened = m.simulation.trace.steps[-1]

    watch(opened)
    message = opened.written[1]._replace(data=opened.written[1].data[:-1] + b"\1")
    watch(opened._replace(written=(opened.written[0], message)))
    changed = bytearray(message.data)
    changed[0x60] ^= 1
    watch(opened._replace(written=(opened.written[0], message._replace(data=bytes(changed)))))

    texts = [breach.text for breach in watch.breaches]
    twice = "VM vm: message 2 of VMPCK0 was taken twice"
    assert texts == [
        twice,
        twice,
        "VM vm: message 2 of VMPCK0 is not what the firmware sealed",
    ]


@given(
    st.dictionaries(
        st.integers(0, 2**64 - 1) | st.integers(0, 600), st.binary(min_size=8, max_size=8)
    )
)
def test_what_a_watch_keeps_of_a_number_is_what_was_put_there(rows):
    stream = NumberDigests()
    for number, digest in rows.items():
        stream.put(number, digest)

    near = {number + step for number in rows for step in (-1, 0, 1) if number + step >= 0}
    assert {number: stream.get(number) for number in near} == {
        number: rows.get(number, bytes(8)) for number in near
    }


def test_a_watch_keeps_little_of_a_long_run():
    watch = Watch()
    guest = Machine(profile_named("milan"), seed=1, trace=Trace(watch, keep=False)).add()
    for _ in range(100):
        guest.key()

    tracemalloc.start()
    for _ in range(1500):
        guest.key()
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert watch.breaches == []
    assert grown / 1500 < 64  # bytes of each; 16 of them are digests


def refused(guest, **asked):
    with pytest.raises(DriverError) as caught:
        guest.report(**asked) if "data" in asked or "vmpl" in asked else guest.key(**asked)
    return caught.value


def test_report_data_has_64_bytes(guest):
    error = refused(guest, data=b"short")

    assert (error.errno, str(error)) == ("EINVAL", "EINVAL: report data has 64 bytes, got 5")


def test_a_payload_fits_a_page(guest):
    with pytest.raises(DriverError, match="EINVAL: a payload has at most 4000 bytes, got 4001"):
        guest.raw(5, bytes(4001))


@pytest.mark.parametrize("pages", [5, -1])
def test_certificates_fit_the_buffer_that_there_is(guest, pages):
    with pytest.raises(DriverError, match=f"EINVAL: certificates get 0 to 4 pages, not {pages}"):
        guest.ext_report(pages=pages)

    assert guest.drivers[0].channel.number == 0


def test_a_guest_that_named_a_wrong_page_once_names_the_right_one_again(m, guest):
    m.inject(Injection.parse("unaligned-request"))
    attempt(guest.drivers[0], KEY)
    m.inject()
    driver = guest.driver(1)
    driver.named = driver.buffers._replace(request=0x7000_0000)

    assert attempt(driver, KEY).outcome == Outcome()


def test_a_status_in_the_response_costs_no_key(m, guest):
    m.firmware.chip.mask_chip_key = True

    error = refused(guest)

    assert (error.errno, error.reason) == ("EINVAL", "the firmware returns INVALID_KEY")
    assert guest.drivers[0].channel.alive
    assert guest.report()[0x2A0:] == bytes(512)


def test_a_report_for_a_more_privileged_level_is_refused_inside_the_response(guest):
    error = refused(guest, vmpl=0, vmpck=1)

    assert error.reason == "the firmware returns INVALID_PARAM"


def test_cpuid_values_are_checked(guest):
    response = CpuidRsp.parse(guest.cpuid([CpuidFunction(eax_in=0x4000_0000)]))

    assert response.head.count == 0
    assert response.head.status == Status.SUCCESS


def test_a_message_type_that_nobody_knows_costs_the_key(guest):
    with pytest.raises(DriverError, match=r"EIO: the request failed: firmware 0x16"):
        guest.raw(99, bytes(16))

    assert not guest.drivers[0].channel.alive


def test_a_workload_counts_a_lost_key(m, monkeypatch):
    load = Load("one", 3)
    guest = []
    add = m.add

    def added(*args, **kwargs):
        guest.append(add(*args, **kwargs))
        m.inject(Injection.parse("alter-request@2"))
        return guest[0]

    monkeypatch.setattr(m, "add", added)
    tally = run(m, [load])[0]

    assert (tally.asked, tally.served, tally.keys_lost) == (2, 1, 1)


@pytest.mark.parametrize(
    ("asked", "number", "outcome"),
    [
        (Request(3, bytes(5008)), 0, Outcome("EINVAL", alive=True)),
        (Request(5, bytes(0x60), 1, 9), 0, Outcome("EINVAL", alive=True)),
        (KEY, 0xFFFF_FFFE, Outcome("EIO", alive=True)),
        (KEY, 0xFFFF_FFFC, Outcome()),
    ],
    ids=["payload", "pages", "no number left", "the last number"],
)
def test_what_the_driver_has_no_room_for_is_expected(m, guest, asked, number, outcome):
    watch = Watch()
    driver = guest.drivers[0]
    driver.channel.number = number
    m.firmware.contexts[guest.vm.context].counts[0] = number
    trial = Oracle(m, guest, watch, m.inject())

    verdict = trial.check(driver, asked)

    assert verdict.expected == verdict.attempt.outcome == outcome
    assert not verdict.broken


def test_a_fault_that_is_named_twice_strikes_once_at_a_time(m, guest):
    faults = m.inject(*map(Injection.parse, ("alter-answer", "alter-answer*2")))

    assert attempt(guest.drivers[0], KEY).outcome == FAULTS["alter-answer"].outcome
    assert [fault.name for fault in faults.drain()] == ["alter-answer"]


def test_a_number_is_used_again_also_where_there_was_none_before(m, guest):
    m.inject(Injection.parse("reuse-number@1"))

    assert attempt(guest.drivers[0], KEY).outcome == FAULTS["reuse-number"].outcome


def life(number):
    """Return what did not come out as it had to, of a machine with chance faults and policy."""
    chance, watch = Random(number), Watch()
    m = Machine(profile_named("milan"), seed=number, trace=Trace(watch, keep=False))
    guest = m.add(vcpus=2, policy=policy_by(chance))
    rows = [row for row in FAULTS.values() if row.needs != "own-pages"]
    times, step = chance.choice((1, 2, 31, 40)), chance.randint(1, 3)
    injections = [Injection(row, times, step) for row in chance.sample(rows, chance.randint(1, 2))]
    trial = Oracle(m, guest, watch, m.inject(*injections))
    for n in range(5):
        extended = Request(5, bytes(64) + b"\3" + bytes(31), 1, chance.choice((None, 0, 2, 4)))
        asked = chance.choice((Request(3, KeyReq(vmpl=3, guest_field_select=n).build()), extended))
        verdict = trial.check(guest.drivers[chance.choice((0, 0, 0, 3))], asked)
        if verdict.broken:
            yield number, injections, verdict


def policy_by(chance):
    return HypervisorPolicy(
        throttle=chance.choice(
            (None, Throttle(chance.randint(1, 3), chance.randint(1, 59) * SECOND))
        ),
        second=chance.choice(list(SecondRequest)),
        pages=chance.choice(list(Pages)),
        certificates=chance.choice((HostCertificates(), HostCertificates(chain=True, pages=5))),
        latency=Latency(Spread.UNIFORM, 0, chance.choice((0, 3 * SECOND))),
    )


def test_whatever_strikes_whatever_policy_no_verdict_is_broken():
    found = [row for number in range(300) for row in life(number)]

    assert found == []
