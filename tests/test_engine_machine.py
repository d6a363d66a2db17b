"""Whole machines: many guests, many threads, ten thousand steps, and the same seed twice."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, derive_private_key
from soak import Loss, Soak

from snpwire.crypto.signing import sign_id_block
from snpwire.engine.faults.injection import Injection
from snpwire.engine.guest.boot import change
from snpwire.engine.guest.driver import Driver
from snpwire.engine.guest.memory import GuestMemory
from snpwire.engine.guest.request import Request
from snpwire.engine.guest_layout import LAYOUT
from snpwire.engine.hypervisor.launch import DEFAULT_POLICY, Image
from snpwire.engine.hypervisor.policy import HypervisorPolicy, Latency, Pages, Spread, Throttle
from snpwire.engine.invariants import Watch, ownership_breaches, reclaim_breaches
from snpwire.engine.machine import Machine
from snpwire.engine.oracle import attempt
from snpwire.engine.outcome import Outcome
from snpwire.engine.profile import profile_named
from snpwire.engine.trace import Trace
from snpwire.errors import AccessError, DriverError, EngineError, StoppedError, UsageError
from snpwire.rmp.entry import ASID_LOW, ASSIGNED
from snpwire.wire.key import KeyReq
from snpwire.wire.launch import IdBlock
from snpwire.wire.message import MsgType
from snpwire.wire.operands import PscOperation
from snpwire.wire.report import Report
from snpwire.wire.secrets import SecretsPage

KEY = Request(int(MsgType.KEY_REQ), KeyReq(vmpl=3).build())


def machine(*listeners, seed=1, profile="milan", keep=True):
    return Machine(profile_named(profile), seed=seed, trace=Trace(*listeners, keep=keep))


def soaked(steps, seed):
    soak = Soak(seed)
    for _ in range(steps):
        soak.step()
    return soak


def test_ten_thousand_steps_with_faults_lose_nothing():
    soak = soaked(10_000, seed=1)

    assert soak.struck > 300
    assert soak.machines > 10


def keeps_its_key(monkeypatch):
    monkeypatch.setattr(Driver, "_disable", lambda self, error: None)


def takes_any_response(monkeypatch):
    monkeypatch.setattr(Driver, "exchange", lying(Driver.exchange))


def lying(exchange):
    def always_answered(self, request):
        try:
            return (yield from exchange(self, request))
        except EngineError:
            return None

    return always_answered


def counts_wrongly(monkeypatch):
    monkeypatch.setattr("snpwire.engine.guest.driver.RETRY_LIMIT", 0)


@pytest.mark.parametrize("bug", [keeps_its_key, takes_any_response, counts_wrongly])
def test_a_party_that_is_wrong_is_found(bug, monkeypatch):
    bug(monkeypatch)

    with pytest.raises(Loss):
        soaked(4000, seed=1)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_trace_byte_for_byte(seed):
    first, second = lived(seed), lived(seed)

    assert first == second
    assert len(first) > 100


def test_another_seed_gives_another_trace():
    assert lived(1) != lived(2)


def lived(seed):
    """Return the trace of a machine on which this and that happens."""
    m = machine(seed=seed)
    latency = Latency(Spread.EXPONENTIAL, 10**8)
    policy = HypervisorPolicy(throttle=Throttle(2, 10**10), latency=latency)
    one, other = m.add("one", vcpus=2, policy=policy), m.add("other")
    m.inject(Injection.parse("alter-answer@7"))
    for n in range(4):
        attempt(one.drivers[n], KEY)
        attempt(other.drivers[0], KEY)
    return m.simulation.trace.lines(whole=True)


@pytest.fixture
def hasty():
    """Let threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("vcpus", [1, 4])
@pytest.mark.parametrize("shared", [True, False], ids=["one key", "four keys"])
def test_threads_on_one_guest_lose_nothing(shared, vcpus):
    watch = Watch()
    m = machine(watch, keep=False)
    guest = m.add(vcpus=vcpus)
    drivers = [guest.drivers[0 if shared else n] for n in range(4)]

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(drivers[n % 4].run, KEY) for n in range(200)]
        keys = {future.result().payload[0x20:] for future in work}

    numbers = [driver.channel.number for driver in guest.drivers]
    counts = m.firmware.contexts[guest.vm.context].counts
    assert len(keys) == 1
    assert sum(numbers) == 400
    assert numbers == counts
    assert watch.breaches == []


@pytest.mark.usefixtures("hasty")
def test_threads_on_guests_of_their_own_lose_nothing():
    watch = Watch()
    m = machine(watch, keep=False)

    def life(number):
        guest = m.add(f"vm{number}")
        reports = [guest.report(bytes([number]) * 64) for _ in range(20)]
        m.remove(guest.vm.name)
        return [report[0x50] for report in reports]

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(life, range(8)))

    assert seen == [[number] * 20 for number in range(8)]
    assert [*watch.breaches, *ownership_breaches(m), *reclaim_breaches(m)] == []
    assert m.guests == {}


class Alone:
    """Listens, and knows whether it was spoken to while it still listened."""

    def __init__(self):
        self.busy = self.met = False

    def __call__(self, step):
        self.met |= self.busy
        self.busy = True
        sleep(0)  # another thread's turn
        self.busy = False


@pytest.mark.usefixtures("hasty")
def test_who_listens_hears_one_step_at_a_time():
    alone = Alone()
    guest = machine(alone, keep=False).add()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: [guest.drivers[n].run(KEY) for _ in range(20)], range(4)))

    assert not alone.met


@pytest.mark.usefixtures("hasty")
def test_guests_come_and_go_while_others_ask():
    watch = Watch()
    m = machine(watch, keep=False)
    policies = [
        HypervisorPolicy(),
        HypervisorPolicy(pages=Pages.GUEST),
        HypervisorPolicy(throttle=Throttle(3, 10**9)),
    ]
    guests = [m.add(f"vm{n}", vcpus=2, policy=policy) for n, policy in enumerate(policies)]

    def ask(number):
        guest = guests[number % len(guests)]
        return [attempt(guest.drivers[n % 4], KEY).outcome for n in range(60)]

    def come_and_go(number):
        for n in range(8):
            m.add(f"{number}-{n}", policy=policies[n % len(policies)]).key(vmpck=2)
            m.remove(f"{number}-{n}")
        return [Outcome()]

    with ThreadPoolExecutor(8) as pool:
        rows = [pool.submit(ask if n < 6 else come_and_go, n) for n in range(8)]
        outcomes = {outcome for row in rows for outcome in row.result()}

    assert outcomes == {Outcome()}
    assert [*watch.breaches, *ownership_breaches(m), *reclaim_breaches(m)] == []
    assert list(m.guests) == ["vm0", "vm1", "vm2"]


@pytest.mark.usefixtures("hasty")
def test_a_fault_strikes_as_often_as_it_is_to_whichever_thread_meets_it():
    m = machine(keep=False)
    guests = [m.add(f"vm{n}") for n in range(8)]
    faults = m.inject(Injection.parse("skip-number*5@20"))

    with ThreadPoolExecutor(8) as pool:
        rows = pool.map(lambda guest: [attempt(guest.drivers[n], KEY) for n in range(4)], guests)
        failed = [tried for row in rows for tried in row if tried.outcome.errno]

    assert len(failed) == 5
    assert faults.armed[0].passes == 32


def test_a_machine_without_a_trace_makes_no_steps():
    m = Machine(profile_named("milan"), seed=1)

    assert len(m.add().key()) == 32
    assert m.simulation.trace is None


def test_what_a_trace_sees_changes_nothing():
    seen, unseen = machine(seed=9), Machine(profile_named("milan"), seed=9)

    assert seen.add().key() == unseen.add().key()


def test_a_guest_that_is_taken_down_gives_all_its_pages_back():
    m = machine()
    first = m.add("first", vcpus=2)
    pages = {first.vm.context, *first.vm.bounce, *first.vm.map.values()}
    asid = first.vm.asid

    m.remove("first")
    again = m.add("again", vcpus=2)

    assert {page for page in pages if m.host.owners.get(page) == "first"} == set()
    assert again.vm.asid == asid
    assert {again.vm.context, *again.vm.map.values()} <= pages | {again.vm.context}
    assert [*ownership_breaches(m), *reclaim_breaches(m)] == []


def test_nothing_is_kept_of_guests_that_are_gone():
    m = machine(keep=False)
    for number in range(3):
        m.add(f"vm{number}").key()
        m.remove(f"vm{number}")

    assert m.hypervisor.requests.last == {}
    assert m.host.owners == {}
    assert m.firmware.contexts == {}
    assert set(m.host.memory.pages) <= {m.host._buffer, m.hypervisor.requests.spare}


def test_a_guest_that_is_taken_down_asks_nothing_more():
    m = machine()
    guest = m.add()
    m.remove("vm")

    with pytest.raises(StoppedError, match="VM vm does not run on: it was taken down"):
        guest.key()


def test_the_secrets_page_is_the_guests_alone():
    m = machine()
    guest = m.add()
    page = guest.vm.map[LAYOUT.secrets >> 12]

    seen = SecretsPage.parse(guest.memory.read(LAYOUT.secrets, 0x1000))
    noise = SecretsPage.parse(bytes(m.host.page(page)))

    assert seen.vmpcks == m.firmware.contexts[guest.vm.context].vmpcks
    assert set(noise.vmpcks).isdisjoint(seen.vmpcks)


def test_numbers_are_kept_in_the_secrets_page_as_linux_keeps_them():
    m = machine()
    guest = m.add()
    for _ in range(3):
        guest.key(vmpck=2)

    page = SecretsPage.parse(guest.memory.read(LAYOUT.secrets, 0x1000))

    assert page.os_area.counts == (0, 0, 6, 0)
    assert page.os_area.wide_counts == (0, 0, 6, 0)


def test_a_kernel_that_is_started_anew_goes_on_from_the_secrets_page():
    m = machine()
    guest = m.add()
    guest.key(vmpck=1)

    anew = guest.driver(1)

    assert anew.channel.number == 2
    assert attempt(anew, KEY).outcome.errno == ""


@pytest.mark.parametrize("profile", ["milan", "genoa", "turin", "genoa-aspfw"])
def test_every_profile_answers(profile):
    m = machine(profile=profile)
    guest = m.add()

    assert guest.report(b"\x07" * 64)[0x50:0x90] == b"\x07" * 64
    assert len(guest.key()) == 32


def test_a_machine_tells_its_tsc_where_its_firmware_does():
    old, new = machine(profile="milan").add(), machine(profile="genoa").add()

    assert len(new.tsc()) == 0x80
    with pytest.raises(DriverError, match="firmware 0x16"):
        old.tsc()


def test_a_name_is_given_once():
    m = machine()
    m.add("one")

    with pytest.raises(UsageError, match="there is a VM 'one' already"):
        m.add("one")


def test_a_vm_that_is_not_there_cannot_be_taken_down():
    m = machine()
    m.add("victim")

    with pytest.raises(UsageError, match="there is no VM 'victin'") as caught:
        m.remove("victin")

    assert caught.value.help == "did you mean victim?"


def test_a_guest_that_does_not_start_leaves_nothing_behind(monkeypatch):
    m = machine()
    monkeypatch.setattr(GuestMemory, "accept", _refuses)

    with pytest.raises(AccessError, match="PVALIDATE"):
        m.add()

    assert m.guests == m.host.owners == {}


def _refuses(*_args, **_kwargs):
    raise AccessError("PVALIDATE: no change", 0x1000)


@pytest.mark.parametrize("vcpus", [0, 17])
def test_a_vm_has_a_possible_number_of_processors(vcpus):
    with pytest.raises(UsageError, match=f"a VM has 1 to 16 processors, got {vcpus}"):
        machine().add(vcpus=vcpus)


def test_guests_stop_where_the_asids_do():
    profile = profile_named("milan")._replace(snp_asids=2)
    m = Machine(profile, seed=1)
    m.add("a")
    m.add("b")

    with pytest.raises(EngineError, match="all 2 ASIDs are taken"):
        m.add("c")


def test_a_launch_that_the_firmware_refuses_names_the_command_and_its_status():
    m = machine()
    image = Image(policy=1 << 63)

    with pytest.raises(EngineError, match=r"VM vm: SNP_LAUNCH_START ends with POLICY_FAILURE"):
        m.add(image=image)

    assert m.host.owners == {}
    assert len(m.add("vm").key()) == 32


def test_every_page_that_is_assigned_has_an_owner():
    m = machine()
    m.add("a", vcpus=3)

    assigned = [
        page for page in range(0x1000, m.host.used) if m.host.table.entry(page)[0] & ASSIGNED
    ]

    assert set(assigned) == set(m.host.owners)
    assert {m.host.owners[page] for page in assigned} == {"a", "context of a", "firmware, for a"}


def test_memory_that_is_used_up_is_said():
    m = machine()
    m.host._end = m.host.used + 10

    with pytest.raises(EngineError, match="pages of memory are used up"):
        m.add()


def owned(guest, **fields):
    """Return an image with an ID block for the guest that *guest* is, signed by keys of a test."""
    owner, author = (derive_private_key(number, SECP384R1()) for number in (7, 9))
    digest = Report.parse(guest.report()).measurement
    block = IdBlock(ld=digest, policy=DEFAULT_POLICY, **fields).build()
    auth = sign_id_block(block, owner, author).build()
    return Image(id_block=block, id_auth=auth, author=True, host_data=b"\x22" * 32)


def test_a_guest_has_an_id_block_if_its_owner_gave_one():
    m = machine()
    image = owned(m.add("like it"), guest_svn=3, family_id=b"f" * 16, image_id=b"i" * 16)

    report = Report.parse(m.add("owned", image=image).report())

    assert (report.guest_svn, report.family_id, report.image_id) == (3, b"f" * 16, b"i" * 16)
    assert report.host_data == b"\x22" * 32
    assert report.key_info.author_key_en
    assert any(report.author_key_digest)


def test_a_guest_that_its_owner_did_not_mean_does_not_start():
    m = machine()
    image = owned(m.add("like it"))._replace(kernel=b"another")

    with pytest.raises(EngineError, match="SNP_LAUNCH_FINISH ends with BAD_MEASUREMENT"):
        m.add("owned", image=image)

    assert [*ownership_breaches(m), *reclaim_breaches(m)] == []


def test_a_guest_may_do_without_the_chips_key():
    m = machine()
    guest = m.add(image=Image(vcek_dis=True))

    with pytest.raises(DriverError, match="the firmware returns INVALID_KEY"):
        guest.report()


def test_every_page_of_a_kernel_is_measured():
    m = machine()
    kernels = [b"one page", b"one page".ljust(0x1000, b"\0") + b"two", b"x" * 0x2000]
    guests = [m.add(str(n), image=Image(kernel=kernel)) for n, kernel in enumerate(kernels)]

    digests = {Report.parse(guest.report()).measurement for guest in guests}

    assert len(digests) == 3
    assert guests[1].memory.read(LAYOUT.kernel + 0x1000, 3) == b"two"


def test_a_page_whose_owner_is_not_the_tables_is_seen():
    m = machine()
    guest = m.add()
    page = guest.vm.map[LAYOUT.kernel >> 12]
    lo, hi = m.host.table.entry(page)

    m.host.table.set(page, lo ^ 2 << ASID_LOW, hi)
    stolen = [breach.text for breach in ownership_breaches(m)]
    m.host.table.set(page, 0, 0)
    lost = [breach.text for breach in ownership_breaches(m)]

    assert stolen == [f"page {page:#x} of vm is in state GUEST_VALID of another ASID"]
    assert lost == [f"page {page:#x} is in state HYPERVISOR, owner is vm"]


def test_certificates_are_not_written_to_private_memory():
    m = machine()
    guest = m.add()
    driver = guest.drivers[0]
    change(
        m.hypervisor, guest.memory, guest.vm.vcpus[0], [driver.buffers.data], PscOperation.PRIVATE
    )

    found = attempt(driver, Request(5, bytes(0x60), 1, 4))

    assert found.outcome.errno == "stopped"
    assert "EFAULT: #PF, RMP violation" in str(found.error)


def test_a_guest_without_certificate_pages_gets_a_report_alone():
    m = machine()

    attested = m.add().ext_report(pages=0)

    assert len(attested.report) == 0x4A0
    assert attested.certificates == b""


def test_a_ghcb_that_became_private_fails_the_run():
    m = machine()
    guest = m.add(vcpus=2)
    boot, other = guest.vm.vcpus
    m.host.assign(
        guest.vm.map[other.msr >> 12], "vm", asid=guest.vm.asid, gpa=other.msr, fixed=False
    )

    with pytest.raises(StoppedError, match=r"EFAULT: the GHCB at 0x1001000 is a private page"):
        m.hypervisor.vmgexit(other)
    assert boot.vm.stopped


def other(number):
    """Return a request for a key that differs from others in its payload."""
    return Request(int(MsgType.KEY_REQ), KeyReq(vmpl=3, guest_field_select=number).build())


@pytest.mark.parametrize("name", ["firmware-dies", "no-memory", "unregistered-ghcb"])
def test_a_guest_that_was_stopped_seals_nothing_more(name):
    watch = Watch()
    m = machine(watch)
    driver = m.add().drivers[0]
    m.inject(Injection.parse(name))

    ends = [attempt(driver, other(number)).outcome.errno for number in range(3)]

    assert ends == ["stopped"] * 3
    assert [step.action for step in m.simulation.trace.steps].count("seal") == 1
    assert watch.breaches == []


@pytest.mark.parametrize("taken", ["response", "secrets"])
def test_a_guest_that_crashed_does_not_run_on(taken):
    watch = Watch()
    m = machine(watch)
    guest = m.add()
    driver = guest.drivers[0]
    gpa = driver.buffers.response if taken == "response" else LAYOUT.secrets
    page = guest.vm.map[gpa >> 12]
    m.host.unassign(page) if taken == "secrets" else m.host.assign(page, "firmware", fixed=True)

    first, second = (attempt(driver, other(number)) for number in range(2))

    assert first.outcome.errno == "crashed"
    assert second.outcome.errno == "stopped"
    assert guest.vm.stopped == str(first.error)
    assert watch.breaches == []


def test_a_step_that_writes_to_memory_tells_what_was_there_before():
    trace = Trace()
    guest = Machine(profile_named("milan"), seed=1, trace=trace).add("vm")
    guest.report(b"1" * 64)
    first = len(trace.steps)
    guest.report(b"2" * 64)

    told = {step.action: step.written[0] for step in trace.steps[first:] if step.written}
    earlier = {step.action: step.written[0] for step in trace.steps[:first] if step.written}
    for action in ("copy-in", "command", "answer", "copy-out", "resume"):
        assert len(told[action].before) == len(told[action].data), action
    for action in ("copy-in", "answer"):
        assert told[action].before == earlier[action].data
