"""Policies, limits, time and trace: what everything else in the engine stands on."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.engine.hypervisor.policy import (
    HypervisorPolicy,
    Latency,
    Pages,
    SecondRequest,
    Spread,
    Throttle,
    Window,
)
from snpwire.engine.simulation import SECOND, Clock, schedule, seconds
from snpwire.engine.trace import StateChange, Trace, TraceBytes, TraceStep
from snpwire.errors import UsageError
from snpwire.wire.event import Gpa
from snpwire.wire.status import Status

WHOLE = {
    "throttle": {"burst": 10, "interval": 5},
    "second": "busy-stream",
    "pages": "guest",
    "copy_on_failure": False,
    "certificates": {"pages": 5},
    "latency": {"uniform": [0.1, 0.3]},
}


def test_a_policy_says_what_was_written():
    policy = HypervisorPolicy.from_plain(WHOLE)

    assert policy.throttle == Throttle(10, 5 * SECOND)
    assert policy.second is SecondRequest.BUSY_STREAM
    assert policy.pages is Pages.GUEST
    assert policy.copy_on_failure is False
    assert policy.certificates.pages == 5
    assert policy.latency == Latency(Spread.UNIFORM, SECOND // 10, 3 * SECOND // 10)


def test_an_empty_policy_is_what_kvm_does():
    policy = HypervisorPolicy.from_plain({})

    assert policy == HypervisorPolicy()
    assert policy.throttle is None
    assert policy.copy_on_failure


@pytest.mark.parametrize("plain", [{}, WHOLE, {"certificates": "chain"}, {"throttle": "off"}])
def test_a_policy_comes_back_from_its_object(plain):
    policy = HypervisorPolicy.from_plain(plain)

    assert HypervisorPolicy.from_plain(policy.to_plain()) == policy


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ([], "a policy is an object, got []"),
        ({"throtle": "off"}, "a policy has no 'throtle'"),
        ({"throttle": 10}, 'throttle: expected "off", or burst and interval, got 10'),
        ({"throttle": {"burst": 10}}, "throttle: expected"),
        (
            {"throttle": {"burst": 0, "interval": 5}},
            "throttle.burst: expected a number of requests, at least 1, got 0",
        ),
        ({"throttle": {"burst": True, "interval": 5}}, "throttle.burst: expected"),
        (
            {"throttle": {"burst": 1, "interval": 0}},
            "throttle.interval: expected more than 0 to 86400 seconds, got 0",
        ),
        ({"throttle": {"burst": 1, "interval": -1}}, "throttle.interval: expected more than 0"),
        (
            {"throttle": {"burst": 1, "interval": 1, "answer": "eagain"}},
            "throttle: expected",
        ),
        ({"second": "refuse"}, "second: expected wait or busy-vm or busy-stream, got 'refuse'"),
        ({"pages": 3}, "pages: expected bounce or guest, got 3"),
        ({"copy_on_failure": "yes"}, "copy_on_failure: expected true or false, got 'yes'"),
        ({"certificates": {"pages": 0}}, "certificates.pages: expected a number from 1 to 4096"),
        ({"certificates": "all"}, "certificates: expected"),
        ({"latency": 3}, "latency: expected an object with one of fixed, uniform, exponential"),
        ({"latency": {"fixed": -1}}, "latency.fixed: expected from 0 to 86400 seconds, got -1"),
        ({"latency": {"fixed": float("nan")}}, "latency.fixed: expected from 0 to 86400 seconds"),
        ({"latency": {"fixed": 1e308}}, "latency.fixed: expected from 0 to 86400 seconds"),
        ({"latency": {"fixed": 10**400}}, "latency.fixed: expected from 0 to 86400 seconds"),
        ({"latency": {"uniform": [2]}}, "latency.uniform: expected a list"),
        ({"latency": {"uniform": [2, 1]}}, "latency.uniform: expected the least first"),
        ({"latency": {"uniform": ["a", 1]}}, "latency.uniform[0]: expected a number of seconds"),
    ],
)
def test_an_impossible_policy_is_refused_by_key_and_value(plain, text):
    with pytest.raises(UsageError) as caught:
        HypervisorPolicy.from_plain(plain)

    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_is_misspelt_gets_the_nearest():
    with pytest.raises(UsageError) as caught:
        HypervisorPolicy.from_plain({"latencies": {}})

    assert caught.value.help == "did you mean latency?"


@pytest.mark.parametrize("spread", [*Spread])
def test_the_same_seed_draws_the_same_times(spread):
    latency = Latency(spread, SECOND, 2 * SECOND)

    first = [latency.draw(Random(7)) for _ in range(3)]

    assert first == [latency.draw(Random(7)) for _ in range(3)]
    assert all(time > 0 for time in first)


def test_a_command_may_take_no_time_at_all():
    assert [Latency(spread).draw(Random(1)) for spread in Spread] == [0, 0, 0]


def test_a_limit_lets_a_burst_through_and_opens_again_after_its_interval():
    window, limit = Window(), Throttle(2, 5 * SECOND)

    admitted = [window.admits(limit, time * SECOND) for time in (0, 1, 2, 5, 6, 7, 8)]

    assert admitted == [True, True, False, False, True, True, False]


@given(st.lists(st.integers(0, 20 * SECOND), max_size=60), st.integers(1, 5))
def test_no_interval_holds_more_than_two_bursts(times, burst):
    window, limit = Window(), Throttle(burst, 5 * SECOND)

    served = [time for time in sorted(times) if window.admits(limit, time)]

    for start in served:
        within = [time for time in served if start <= time <= start + 5 * SECOND]
        assert len(within) <= 2 * burst


def test_whoever_is_earliest_goes_on():
    clock, log = Clock(), []

    def process(name, pauses):
        for pause in pauses:
            log.append((clock.now, name))
            yield pause
        log.append((clock.now, name))

    schedule(clock, [process("a", [3, 3]), process("b", [1, 1, 5])])

    assert log == [
        *((0, "a"), (0, "b"), (1, "b"), (2, "b")),
        *((3, "a"), (6, "a"), (7, "b")),
    ]
    assert clock.now == 7


def test_time_that_passes_in_a_process_is_its_own():
    clock, log = Clock(), []

    def slow():
        yield 0
        clock.pass_by(100)
        log.append(("slow", clock.now))

    def quick():
        yield 1
        log.append(("quick", clock.now))

    schedule(clock, [slow(), quick()])

    assert log == [("slow", 100), ("quick", 1)]
    assert clock.now == 100


@pytest.mark.parametrize(
    ("time", "text"),
    [(0, "0 s"), (62 * SECOND, "62 s"), (SECOND // 5, "0.2 s"), (SECOND + 1, "1.000000001 s")],
)
def test_times_are_shown_in_seconds(time, text):
    assert seconds(time) == text


def step(**facts):
    written = (TraceBytes("", 0x1000, b"ab", b"cd"),)
    return TraceStep(
        5, "guest", "vm", 1, "seal", facts, written, (StateChange(1, "HYPERVISOR", "FIRMWARE"),)
    )


def test_a_step_shows_addresses_in_hex_codes_by_name_and_bytes_by_digest():
    plain = step(at=Gpa(0x2000), status=Status.AEAD_OFLOW, count=7, raw=b"\x01").to_plain()

    assert plain == {
        "time": 5,
        "actor": "guest",
        "vm": "vm",
        "vcpu": 1,
        "action": "seal",
        "at": "0x2000",
        "status": "AEAD_OFLOW",
        "count": 7,
        "raw": "01",
        "written": [
            {
                "kind": "",
                "address": "0x1000",
                "sha256": "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603",
                "before": "21e721c35a5823fdb452fa2f9f0a612c74fb952e06927489c6b27a43b817bed4",
            }
        ],
        "moved": [{"page": "0x1", "before": "HYPERVISOR", "after": "FIRMWARE"}],
    }


def test_a_step_shows_whole_bytes_when_asked():
    assert step().to_plain(whole=True)["written"] == [
        {"kind": "", "address": "0x1000", "data": "6162", "before": "6364"}
    ]


def test_a_trace_tells_those_who_listen_and_keeps_only_when_it_is_to():
    heard = []
    trace = Trace(heard.append, keep=False)

    trace.add(step())

    assert len(heard) == 1
    assert trace.steps == []
    assert trace.lines() == []
