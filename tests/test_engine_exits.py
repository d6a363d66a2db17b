"""What the hypervisor does with each exit, over the MSR and through the page."""

from __future__ import annotations

import pytest

from snpwire.engine.guest.boot import bring_up, change
from snpwire.engine.guest.request import Request
from snpwire.engine.guest.vmgexit import leave
from snpwire.engine.guest_layout import LAYOUT, buffers_of
from snpwire.engine.hypervisor.exits import can_run
from snpwire.engine.machine import Machine
from snpwire.engine.profile import profile_named
from snpwire.engine.trace import Trace
from snpwire.errors import AccessError, ExitError, StoppedError
from snpwire.rules.ghcb import refusal
from snpwire.wire.exits import ExitCode
from snpwire.wire.ghcb import SHARED_START, Page
from snpwire.wire.key import KeyReq
from snpwire.wire.message import Header, MsgType
from snpwire.wire.operands import PscOperation, PscReturn
from snpwire.wire.psc import PscBuffer, PscEntry, PscHeader
from snpwire.wire.rmp import RmpState

PAGE = 0x1000
PRIVATE, SHARED = PscOperation.PRIVATE, PscOperation.SHARED
CODES = {
    ExitCode.CPUID: {"rax": 1, "rcx": 0},
    ExitCode.RDTSC: {},
    ExitCode.WBINVD: {},
    ExitCode.HV_FEATURES: {},
    ExitCode.IOIO: {"rax": 0},
}


@pytest.fixture
def m():
    return Machine(profile_named("milan"), seed=1, trace=Trace())


@pytest.fixture
def guest(m):
    return m.add(vcpus=2)


def out(m, guest, code, info1=0, info2=0, **registers):
    """Leave through the first processor's page; return the page as it came back."""
    vcpu = guest.vm.vcpus[0]
    leave(m.hypervisor, guest.memory, vcpu, code, info1, info2, **registers)
    return Page.parse(guest.memory.shared(vcpu.msr))


def msr(m, guest, word):
    vcpu = guest.vm.vcpus[1]
    page, vcpu.msr = vcpu.msr, word
    m.hypervisor.vmgexit(vcpu)
    response, vcpu.msr = vcpu.msr, page
    return response


@pytest.mark.parametrize(
    ("asked", "response"),
    [
        (0x002, 0x0002_0001_3300_0001),
        (0x080, 0x3081),
        (0x010, 0xFFFF_FFFF_FFFF_F011),
        (0x0000_0001_0000_0004, 0x0000_0000_0000_0005),
        (0x8000_001F_4000_0004, 0x0000_0000_4000_0005),
        (0x006, 0x006),
        (0x999, 0x999),
    ],
)
def test_the_msr_is_answered_as_kvm_does_and_left_where_kvm_knows_nothing(
    m, guest, asked, response
):
    assert msr(m, guest, asked) == response


def test_a_page_becomes_private_and_shared_over_the_msr(m, guest):
    gpa = buffers_of(3).data
    page = guest.vm.map[gpa >> 12]

    assert msr(m, guest, 1 << 52 | gpa | 0x014) == 0x015
    assert m.host.table.state(page) is RmpState.GUEST_INVALID
    assert msr(m, guest, 2 << 52 | gpa | 0x014) == 0x015
    assert m.host.table.state(page) is RmpState.HYPERVISOR


@pytest.mark.parametrize("word", [1 << 52 | 0x7000_0000 | 0x014, 5 << 52 | LAYOUT.buffers | 0x014])
def test_a_page_state_that_cannot_be_is_refused_over_the_msr(m, guest, word):
    assert msr(m, guest, word) == 0x8000_0000_0000_0015


def test_a_guest_that_ends_itself_over_the_msr_is_stopped(m, guest):
    with pytest.raises(StoppedError, match=r"it ended itself: 0x1:0x2"):
        msr(m, guest, 0x0002_1100)
    with pytest.raises(StoppedError, match=r"it ended itself"):
        guest.key()


def test_a_page_that_is_not_registered_fails_the_run(m, guest):
    guest.vm.vcpus[0].msr = buffers_of(0).data

    with pytest.raises(StoppedError, match=r"EINVAL: the GHCB is at 0x1102000, registered is 0x1"):
        guest.key()


def test_a_page_without_memory_fails_the_run(m, guest):
    guest.vm.vcpus[0].msr = guest.vm.vcpus[0].ghcb_gpa = 0x7000_0000

    with pytest.raises(StoppedError, match="no GHCB can be mapped at 0x70000000"):
        m.hypervisor.vmgexit(guest.vm.vcpus[0])


def test_a_guest_that_speaks_through_no_memory_crashes(m, guest):
    guest.vm.vcpus[0].msr = guest.vm.vcpus[0].ghcb_gpa = 0x7000_0000

    with pytest.raises(AccessError, match="the guest has no memory at 0x70000000"):
        guest.key()
    with pytest.raises(StoppedError, match="the guest has no memory at 0x70000000"):
        m.hypervisor.vmgexit(guest.vm.vcpus[0])


@pytest.mark.parametrize("code", CODES)
def test_a_response_looks_as_kvms(m, guest, code):
    response = out(m, guest, code, 0x0001_0210 if code is ExitCode.IOIO else 0, **CODES[code])

    bitmap = response.build()[0x3F0:0x400]
    assert bitmap.hex(" ", 8) == "0000000000000080 000000000e001800"
    assert response.sw_exit_code == code
    assert response.sw_exit_info_1 == 0


@pytest.mark.parametrize("registers", [{}, {"rcx": 7}, {"rax": 1, "rbx": 2}], ids=str)
def test_a_request_is_served_whatever_else_its_page_marks_and_returns_zeros(m, guest, registers):
    buffers, driver = buffers_of(0), guest.drivers[0]
    message = driver.seal_only(Request(MsgType.KEY_REQ, KeyReq().build()))
    guest.memory.shared(buffers.request)[: len(message)] = message

    request = ExitCode.SNP_GUEST_REQUEST
    response = out(m, guest, request, buffers.request, buffers.response, **registers)

    sealed = guest.memory.readable(buffers.response)
    assert (response.sw_exit_info_1, response.sw_exit_info_2) == (0, 0)
    assert (response.rax, response.rcx, response.rdx, response.rbx) == (0, 0, 0, 0)
    assert sealed[Header.place("msg_type")] == MsgType.KEY_RSP


def test_features_are_not_shifted_in_the_page(m, guest):
    assert out(m, guest, ExitCode.HV_FEATURES).sw_exit_info_2 == 0x3


def test_the_time_stamp_counter_is_the_machines_time(m, guest):
    m.clock.now = 0x5_0000_0007

    response = out(m, guest, ExitCode.RDTSC)

    assert (response.rax, response.rdx) == (7, 5)


def test_an_msr_that_nobody_has_raises_gp(m, guest):
    with pytest.raises(ExitError, match="reason 2147484429"):
        out(m, guest, ExitCode.MSR, rcx=0x1234)

    response = Page.parse(guest.memory.shared(guest.vm.vcpus[0].msr))
    assert (response.sw_exit_info_1, response.sw_exit_info_2) == (1, 0x8000_030D)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ghcb_usage": 7}, 2),
        ({"valid_bitmap": 0b011 << 114}, 4),
        ({"sw_exit_code": ExitCode.SNP_PAGE_STATE_CHANGE}, 4),
        ({"sw_exit_code": 0x8000_0019}, 6),
        (
            {
                "sw_exit_code": ExitCode.SNP_PAGE_STATE_CHANGE,
                "valid_bitmap": 0b1111 << 114,
                "sw_scratch": 0x5000,
            },
            3,
        ),
    ],
)
def test_a_page_that_is_wrong_gets_the_reason_that_kvm_gives(m, guest, fields, reason):
    vcpu = guest.vm.vcpus[0]
    page = Page(protocol_version=2, valid_bitmap=0b111 << 114, sw_exit_code=ExitCode.WBINVD)
    page = page.replace(**fields)
    guest.memory.shared(vcpu.msr)[:] = page.build()

    m.hypervisor.vmgexit(vcpu)

    response = Page.parse(guest.memory.shared(vcpu.msr))
    assert (response.sw_exit_info_1, response.sw_exit_info_2) == (2, reason)
    assert refusal(page).reason == reason


@pytest.mark.parametrize("scratch", [0x8FF, 0xFFF, 0x5000_0800, LAYOUT.ghcb + 0x1800])
def test_page_states_are_changed_out_of_the_page_itself_alone(m, guest, scratch):
    vcpu = guest.vm.vcpus[0]
    page = Page(
        protocol_version=1,
        valid_bitmap=0b1111 << 114,
        sw_exit_code=ExitCode.SNP_PAGE_STATE_CHANGE,
        sw_scratch=scratch,
    )
    guest.memory.shared(vcpu.msr)[:] = page.build()

    m.hypervisor.vmgexit(vcpu)

    response = Page.parse(guest.memory.shared(vcpu.msr))
    assert (response.sw_exit_info_1, response.sw_exit_info_2) == (2, 3)


def test_a_guest_that_ends_itself_through_the_page_is_stopped(m, guest):
    with pytest.raises(StoppedError, match="it ended itself: 0x1:0x4"):
        out(m, guest, ExitCode.TERM_REQUEST, 0x41)


def test_an_unsupported_event_fails_the_run(m, guest):
    with pytest.raises(StoppedError, match="EINVAL: unsupported event 0x72"):
        out(m, guest, ExitCode.UNSUPPORTED_EVENT, 0x72)


def states(m, guest, *words, **head):
    """Have a buffer worked off; return the result and the buffer as it came back."""
    vcpu = guest.vm.vcpus[0]
    ghcb = guest.memory.shared(vcpu.msr)
    entries = [PscEntry(word) for word in words]
    header = PscHeader(**{"end_entry": max(len(entries) - 1, 0)} | head)
    buffer = PscBuffer(elements=entries).build()
    buffer = header.build() + buffer[8:]
    ghcb[SHARED_START : SHARED_START + len(buffer)] = buffer
    scratch = vcpu.msr + SHARED_START
    response = out(m, guest, ExitCode.SNP_PAGE_STATE_CHANGE, sw_scratch=scratch)
    back = PscBuffer.parse(ghcb[SHARED_START : SHARED_START + len(buffer)])
    return PscReturn(response.sw_exit_info_2), back


def entry(gpa, operation, *, large=0, done=0):
    return PscEntry.of(gfn=gpa >> 12, operation=int(operation), page_size=large, cur_page=done)


DATA = buffers_of(2).data


def test_pages_change_their_state_and_say_that_they_are_done(m, guest):
    pages = [DATA, DATA + PAGE]

    result, buffer = states(m, guest, *(entry(gpa, PRIVATE) for gpa in pages))

    seen = [m.host.table.state(guest.vm.map[gpa >> 12]) for gpa in pages]
    assert result == PscReturn.INTERRUPTED_OR_DONE
    assert seen == [RmpState.GUEST_INVALID] * 2
    assert buffer.head.cur_entry == 2
    assert [item.cur_page for item in buffer.elements] == [1, 1]


def test_an_operation_that_kvm_ignores_is_called_done(m, guest):
    result, buffer = states(m, guest, entry(DATA, 3), entry(DATA, 9))

    assert result == PscReturn.INTERRUPTED_OR_DONE
    assert buffer.head.cur_entry == 2
    assert m.host.table.state(guest.vm.map[DATA >> 12]) is RmpState.HYPERVISOR


@pytest.mark.parametrize(
    ("words", "head", "wanted", "current"),
    [
        ((), {"end_entry": 253}, PscReturn.INVALID_HEADER, 0),
        ((entry(DATA, PRIVATE, done=2),), {}, PscReturn.INVALID_ENTRY, 0),
        ((entry(DATA, PRIVATE), entry(DATA, PRIVATE, large=1)), {}, PscReturn.INVALID_ENTRY, 1),
        ((entry(0x7000_0000, PRIVATE),), {}, PscReturn.KVM_GENERIC, 0),
        ((entry(0x4000_0000, PRIVATE, large=1),), {}, PscReturn.KVM_GENERIC, 0),
    ],
)
def test_a_buffer_that_is_wrong_is_worked_off_up_to_there(m, guest, words, head, wanted, current):
    result, buffer = states(m, guest, *words, **head)

    assert result == wanted
    assert buffer.head.cur_entry == current


def test_a_guest_sees_that_a_page_was_not_changed(m, guest):
    with pytest.raises(ExitError, match=r"did not change a page: 0x10000000000 at 0x70000000"):
        change(m.hypervisor, guest.memory, guest.vm.vcpus[0], [0x7000_0000], PRIVATE)


def test_a_private_page_is_noise_to_the_host_and_keeps_its_content(m, guest):
    change(m.hypervisor, guest.memory, guest.vm.vcpus[0], [DATA], PRIVATE)
    guest.memory.write(DATA + 8, b"a secret")

    assert guest.memory.read(DATA, 16)[8:] == b"a secret"
    assert b"a secret" not in m.host.page(guest.vm.map[DATA >> 12])
    with pytest.raises(AccessError, match=r"NPF.*GUEST_VALID"):
        guest.memory.shared(DATA)


def test_a_page_is_used_as_private_only_once_it_is_accepted(m, guest):
    assert msr(m, guest, 1 << 52 | DATA | 0x014) == 0x015

    with pytest.raises(AccessError, match=r"#VC: a page that is not validated"):
        guest.memory.read(DATA, 8)
    guest.memory.accept(DATA)
    with pytest.raises(AccessError, match=r"PVALIDATE: no change"):
        guest.memory.accept(DATA)


def test_a_page_that_the_host_took_is_the_guests_no_more(m, guest):
    change(m.hypervisor, guest.memory, guest.vm.vcpus[0], [DATA], PRIVATE)
    m.host.unassign(guest.vm.map[DATA >> 12])

    with pytest.raises(AccessError, match=r"NPF.*in state HYPERVISOR at 0x110e000"):
        guest.memory.read(DATA, 8)
    with pytest.raises(AccessError, match="PVALIDATE"):
        guest.memory.accept(DATA)


def test_a_second_processor_is_brought_up_on_a_save_area(m, guest):
    vcpu = guest.vm.vcpus[1]
    lo = m.host.table.entry(guest.vm.map[LAYOUT.save_areas >> 12])[0]

    assert vcpu.running
    assert vcpu.vmsa_gpa == LAYOUT.save_areas
    assert lo >> 61 & 1
    assert can_run(m.host, vcpu)


def created(m, guest, info1, gpa, rax=0):
    out(m, guest, ExitCode.SNP_AP_CREATION, info1, gpa, rax=rax)


AREA = LAYOUT.save_areas


@pytest.mark.parametrize(
    ("info1", "gpa"),
    [
        (9 << 32 | 1, AREA),
        (1 << 32 | 3, AREA),
        (1 << 32 | 1 << 16 | 1, AREA),
        (1 << 32 | 1, AREA + 8),
        (1 << 32 | 1, 0x7000_1000),
        (1 << 32 | 1, 0x20_0000),
    ],
    ids=["no processor", "no request", "a VMPL", "unaligned", "no memory", "2 MiB"],
)
def test_kvm_refuses_a_processor_that_cannot_be(m, guest, info1, gpa):
    with pytest.raises(ExitError, match="the hypervisor refused: reason 5"):
        created(m, guest, info1, gpa)


@pytest.mark.parametrize("rax", [1 << 3, 1 << 4])
def test_kvm_refuses_another_way_of_injecting_interrupts(m, guest, rax):
    with pytest.raises(ExitError, match="the hypervisor refused: reason 5"):
        created(m, guest, 1 << 32 | 1, AREA, rax=rax)


def test_a_processor_does_not_run_on_a_page_that_is_no_save_area(m, guest):
    created(m, guest, 1 << 32 | 1, LAYOUT.cpuid)

    assert not guest.vm.vcpus[1].running


def test_a_processor_is_stopped_and_brought_up_again(m, guest):
    vcpu = guest.vm.vcpus[1]
    created(m, guest, 1 << 32 | 2, 0)
    stopped = vcpu.running, can_run(m.host, vcpu)

    bring_up(m.hypervisor, guest.memory, guest.vm.vcpus[0], vcpu, AREA)

    assert stopped == (False, False)
    assert vcpu.running


def test_a_save_area_of_a_stranger_is_refused_by_the_processor(m, guest):
    with pytest.raises(AccessError, match="RMPADJUST"):
        guest.memory.adjust(DATA, 1 << 16 | 1)


def test_memory_that_a_guest_does_not_have_is_no_memory(m, guest):
    with pytest.raises(AccessError, match=r"the guest has no memory at 0x70000000"):
        guest.memory.read(0x7000_0000, 4)
