"""Drivers of another make, held to what they must do whatever goes wrong.

``Driver`` is written from the protocol, with AES-GCM itself and nothing of this package's; the
others are that driver with a mistake that real ones had.
"""

from struct import pack, unpack_from

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from snpwire.testing import (
    FAULTS,
    AccessError,
    FaultPlan,
    Injection,
    Machine,
    Policy,
    Port,
    StoppedError,
    Trace,
    UsageError,
    Watch,
    call_outcome,
    every_fault,
    profile_named,
)

BUSY, TOO_SHORT = 2 << 32, 1 << 32
OTHERS = every_fault(port=True)
DATA = bytes(range(64))


class Driver:
    """One key of a guest. It is given up once nobody knows whether its number was used."""

    def __init__(self, port):
        self.port = port
        self.key = port.secrets[0x20:0x40]
        self.number = 1

    def report(self, data, pages=None):
        """Return a report, or None if there is none to be had."""
        message = self.sealed(data + bytes(32))
        result, response = self.sent(message, pages)
        self.number += 2
        if result == TOO_SHORT:
            return None
        return self.opened(response) if result == 0 else self.given_up()

    def sealed(self, payload):
        aad = pack("<BBHBBHLB", 1, 1, 0x60, 5, 1, len(payload), 0, 0).ljust(0x30, b"\0")
        sealed = AESGCM(self.key).encrypt(self.nonce(self.number), payload, aad)
        return sealed[-16:].ljust(32, b"\0") + pack("<QQ", self.number, 0) + aad + sealed[:-16]

    @staticmethod
    def nonce(number):
        return pack("<QL", number, 0)

    def sent(self, message, pages):
        """Send the same bytes until there is an answer, or a minute has passed."""
        waited, short = 0, False
        while True:
            sent = self.port.send(message, pages=pages)
            if sent.exitinfo2 == TOO_SHORT and pages is not None:
                pages, short = None, True
            elif sent.exitinfo2 == BUSY and waited <= 60:
                self.port.sleep(2)
                waited += 2
            else:
                return TOO_SHORT if short and not sent.exitinfo2 else sent.exitinfo2, sent.response

    def opened(self, response):
        number, kind, version, size = self.head(response)
        if (number, kind, version) != (self.number - 1, 6, 1) or size > 4000:
            return self.given_up()
        body = response[0x60 : 0x60 + size] + response[:16]
        try:
            return AESGCM(self.key).decrypt(self.nonce(number), body, response[0x30:0x60])[0x20:]
        except InvalidTag:
            return self.given_up()

    @staticmethod
    def head(response):
        return (*unpack_from("<Q", response, 0x20), *unpack_from("<BBH", response, 0x34))

    def given_up(self):
        self.key = None


class KeepsItsKey(Driver):
    """Goes on with the same number after a failure, as Linux did until the key was wiped."""

    def given_up(self):
        self.number -= 2


class NeverLooks(Driver):
    """Takes what the header says for what was asked."""

    def head(self, response):
        return self.number - 1, 6, 1, unpack_from("<H", response, 0x36)[0]

    def opened(self, response):
        return super().opened(response) or bytes(1184)


class SealsAgain(Driver):
    """Seals anew where it must send the same bytes."""

    def sent(self, message, pages):
        sent = self.port.send(message, pages=pages)
        while sent.exitinfo2 == BUSY:
            sent = self.port.send(self.sealed(b"later".ljust(96, b"\0")), pages=pages)
        return sent.exitinfo2, sent.response


def made(driver, fault="", policy=None, **where):
    """Return a driver on a guest that meets a fault, the plan, and what watches the machine."""
    watch = Watch()
    machine = Machine(profile_named("genoa"), seed=1, trace=Trace(watch, keep=False))
    guest = machine.add(policy=policy or Policy())
    plan = FaultPlan([fault] if fault else [])
    plan.arm(machine, guest)
    return driver(Port(machine, guest, **where)), plan, watch


def wrong(driver, name):
    """Return what a driver does wrong that meets a fault, if it does anything wrong."""
    own = FAULTS[name].needs == "own-pages"
    policy = Policy.from_plain({"pages": "guest"} if own else {})
    subject, plan, watch = made(driver, name, policy)
    try:
        report = subject.report(DATA)
        alive = subject.key is not None
    except StoppedError:
        return "" if plan.expected().errno == "stopped" else "it stopped"
    expected = plan.expected()
    if (report is not None) != (not expected.errno) or (report and report[0x50:0x90] != DATA):
        return f"{report!r}, expected {expected}"
    if alive is not expected.alive:
        return f"key alive: {alive}, expected {expected}"
    if alive and FAULTS[name].breaks != "owner":
        subject.report(DATA[::-1])
    return plan.missed() or "".join(row.text for row in watch.breaches)


@pytest.mark.parametrize("name", OTHERS)
def test_a_driver_written_from_the_protocol_does_what_it_must(name):
    assert wrong(Driver, name) == ""


@pytest.mark.parametrize(
    ("driver", "names"),
    [
        (KeepsItsKey, ["alter-answer", "drop-answer", "firmware-bad-measurement", "errno-eagain"]),
        (NeverLooks, ["replay-answer", "drop-answer", "answer-for-firmware"]),
        (SealsAgain, ["busy"]),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_driver_with_a_mistake_is_found(driver, names):
    assert {name for name in names if wrong(driver, name)} == set(names)


def test_number_that_is_used_twice_is_a_breach():
    driver, _, watch = made(Driver)
    driver.report(DATA)
    driver.number = 1
    driver.report(DATA[::-1])

    text = "VM vm: guest sealed two messages under number 1 of VMPCK0"
    assert [(row.rule, row.text) for row in watch.breaches] == [("nonce", text)]


def test_short_certificate_buffer_tells_the_pages_and_the_key_lives_on():
    driver, _, _ = made(Driver, policy=Policy.from_plain({"certificates": {"pages": 3}}))
    sent = driver.port.send(driver.sealed(DATA + bytes(32)), pages=2)

    assert (sent.exitinfo2, sent.pages_needed) == (TOO_SHORT, 3)
    assert driver.report(DATA, pages=2) is None
    assert driver.report(DATA, pages=3)[0x50:0x90] == DATA


def test_other_keys_have_their_own_pages_and_processors():
    machine = Machine(profile_named("genoa"))
    guest = machine.add(vcpus=2)
    ports = [Port(machine, guest, vmpck) for vmpck in range(4)]

    assert len({port.buffers for port in ports}) == 4
    for port in ports:
        sent = port.send(guest.drivers[port.vmpck].stream.seal(5, 1, bytes(96), 1))
        assert (sent.exitinfo2, sent.response[0x34], sent.response[0x3C]) == (0, 6, port.vmpck)


@pytest.mark.parametrize(
    ("message", "words", "text"),
    [
        (bytes(4097), {}, "a message has at most 4096 bytes, got 4097"),
        (b"", {"pages": 5}, "there are 0 to 4 pages, got 5"),
        (b"", {"pages": -1}, "there are 0 to 4 pages, got -1"),
    ],
)
def test_what_does_not_fit_is_refused(message, words, text):
    driver, _, _ = made(Driver)
    with pytest.raises(UsageError, match=f"^{text}$"):
        driver.port.send(message, **words)


def test_a_key_that_is_none_is_refused():
    with pytest.raises(UsageError, match=r"^a guest has keys 0 to 3, got 4$"):
        made(Driver, vmpck=4)


def test_a_page_that_was_taken_from_the_guest_is_told():
    driver, _, _ = made(Driver, "forget-to-put-back", Policy.from_plain({"pages": "guest"}))
    driver.report(DATA)
    with pytest.raises(AccessError, match="RMP: a write to a page in state FIRMWARE at 0x1101000"):
        driver.report(DATA)


def test_a_guest_that_comes_later_meets_the_faults_too():
    machine = Machine(profile_named("milan"), seed=1)
    machine.inject(Injection.parse("skip-number"))
    guest = machine.add()

    assert str(call_outcome(guest, guest.key)) == "EIO, firmware AEAD_OFLOW, key wiped"


def test_what_a_driver_does_is_in_the_trace():
    trace = Trace()
    machine = Machine(profile_named("milan"), seed=1, trace=trace)
    driver = Driver(Port(machine, machine.add()))
    FaultPlan(["busy"]).arm(machine, machine.guests["vm"])
    trace.steps.clear()
    driver.report(DATA)
    steps = [(step.action, step.facts) for step in trace.steps if step.actor == "guest"]

    sealed = {"vmpck": 0, "number": 1, "type": 5, "version": 1}
    assert [action for action, _ in steps] == ["seal", "exit", "wait", "seal", "exit"]
    assert steps[0][1] == steps[3][1] == sealed
    assert steps[1][1] == {"code": 0x80000011, "request": 0x1100000, "response": 0x1101000}
    assert steps[2][1] == {"nanoseconds": 2_000_000_000}


def test_what_is_expected_of_several_faults_is_asked_by_name():
    plan = FaultPlan(["busy*32", "delay"])

    assert str(FaultPlan([]).expected()) == "answered"
    assert str(plan.expected("busy")) == "ETIMEDOUT, hypervisor BUSY, key wiped"
    assert str(plan.expected("delay")) == "answered"
    assert repr(plan) == "FaultPlan(busy*32, delay)"
    with pytest.raises(UsageError, match=r"^several faults: which of busy, delay is meant\?$"):
        plan.expected()
    with pytest.raises(UsageError, match="the test has no fault 'dely'") as refused:
        plan.expected("dely")
    assert refused.value.help == "did you mean delay?"
    assert plan.injections[0] == Injection.parse("busy*32")
