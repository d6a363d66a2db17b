"""Every exit code is named, finds its row, and its operands and answers read themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.bits import OpenEnum, Word
from snpwire.wire import operands
from snpwire.wire.event import NOTHING, Operand
from snpwire.wire.events import EVENTS
from snpwire.wire.exits import KVM_ACCEPTED, KVM_REASONS, ExitCode, event_of, events_of, response
from snpwire.wire.operands import (
    Action,
    ApCreationInfo,
    EventInject,
    GuestRequestResult,
    HvFeatures,
    IoioInfo,
    MalformedReason,
    PscReturn,
    ResponseInfo,
    TermInfo,
    TermLinux,
    TermSpec,
    VmmError,
)
from snpwire.wire.status import Status

ANY = st.one_of(st.integers(0, (1 << 64) - 1), st.integers(0, 0xFFF))
WORDS = [
    kind
    for kind in vars(operands).values()
    if isinstance(kind, type) and issubclass(kind, Word) and kind.WIDTH
]

every_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)


# Codes


@every_event
def test_the_code_of_every_event_has_a_name(event):
    assert ExitCode(event.code).known


def test_registers_and_exceptions_are_numbered_in_order():
    assert ExitCode["CR15_WRITE"] == 0x1F
    assert ExitCode["DR7_READ"] == 0x27
    assert ExitCode["CR8_WRITE_TRAP"] == 0x98
    assert ExitCode["EXCP13"].doc == "exception 13, #GP"
    assert ExitCode["EXCP9"].doc == "exception 9"


@given(ANY)
def test_an_unknown_code_is_kept(code):
    exit_code = ExitCode(code)

    assert exit_code == code
    assert exit_code.known or exit_code.name == f"UNKNOWN_{code:#x}"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0x4D, "GP excp"),
        (0x69, "read_rt"),
        (0x72, "cpuid"),
        (0x7B, "io"),
        (0x81, "hypercall"),
        (0x8B, "mwait"),
        (0x94, "write_cr4_trap"),
        (0x403, "vmgexit"),
        (0x80000004, "vmgexit_ap_hlt_loop"),
        ((1 << 64) - 1, "invalid_guest_state"),
    ],
)
def test_kvm_spells_the_reason(code, text):
    assert KVM_REASONS[code] == text


@pytest.mark.parametrize("code", [0x1, 0x42, 0x49, 0x4F, 0x54, 0x8C, 0x8E, 0x80000014])
def test_kvm_has_no_word_for_it(code):
    assert code not in KVM_REASONS


def test_each_reason_belongs_to_a_named_code_and_only_one():
    assert all(ExitCode(code).known for code in KVM_REASONS)
    assert len(set(KVM_REASONS.values())) == len(KVM_REASONS)


def test_kvm_accepts_only_events():
    assert {event.code for event in EVENTS} >= KVM_ACCEPTED


# Rows


@every_event
def test_each_row_is_found_by_the_operand_that_selects_it(event):
    mask, value = event.when

    assert value & ~mask == 0
    assert event_of(event.code, value or (not mask)) == event


@every_event
def test_only_the_last_row_of_a_code_takes_what_no_other_does(event):
    rows = events_of(event.code)

    assert event in rows
    assert event is rows[-1] or event.when[0]
    assert len({row.when for row in rows}) == len(rows)


@every_event
def test_the_first_row_of_a_code_returns_something_if_any_does(event):
    first, *others = events_of(event.code)

    assert first.returns or not any(other.returns for other in others)


@given(st.sampled_from(EVENTS), ANY)
def test_at_most_one_row_besides_the_fallback_matches(event, info1):
    rows = [row for row in events_of(event.code) if info1 & row.when[0] == row.when[1]]

    assert event_of(event.code, info1) == (rows[0] if rows else None)
    assert len([row for row in rows if row.when[0]]) <= 1


@given(ANY)
def test_a_port_access_always_finds_a_row(info1):
    word = IoioInfo(info1)
    event = event_of(ExitCode.IOIO, info1)

    assert event.name == ("IOIO_STRING" if word.string else "IOIO_IN" if word & 1 else "IOIO_OUT")


def test_kvm_takes_any_operand_but_zero_for_a_write():
    assert event_of(ExitCode.MSR, 0).name == "RDMSR"
    assert event_of(ExitCode.MSR, 1).name == "WRMSR"
    assert event_of(ExitCode.MSR, 2).name == "WRMSR"


def test_a_request_that_no_row_selects_has_no_event():
    assert event_of(ExitCode.AP_JUMP_TABLE, 2) is None
    assert event_of(ExitCode.SECURE_AVIC, 2) is None


def test_a_code_without_rows_has_no_event():
    assert events_of(ExitCode.UNKNOWN_19) == ()
    assert event_of(0x80001234, 0) is None


# Operands


@given(st.sampled_from(EVENTS), ANY)
def test_every_operand_reads_every_value(event, value):
    used = [event.info1, event.info2, event.result, *event.inputs.values()]
    for operand in [*used, *event.outputs.values()]:
        assert operand.type(value) == value


@pytest.mark.parametrize(
    ("info1", "fields", "size", "address_bits"),
    [
        (0x03F80210, {"port": 0x3F8, "size8": 1, "addr64": 1}, 1, 64),
        (0x03F80010, {"port": 0x3F8, "size8": 1}, 1, 0),
        (0x00600D4D, {"port": 0x60, "in": 1, "string": 1, "rep": 1, "size32": 1}, 4, 32),
        (0x00600CA5, {"port": 0x60, "in": 1, "string": 1, "size16": 1, "addr16": 1}, 2, 16),
        (0x00600170, {"size8": 1, "size16": 1, "size32": 1, "addr32": 1}, 0, 32),
    ],
)
def test_a_port_access_says_what_it_moves(info1, fields, size, address_bits):
    word = IoioInfo(info1)

    assert {name: word.BITS[name].value(word) for name in fields} == fields
    assert word.size == size
    assert word.address_bits == address_bits


def test_the_direction_is_called_in_though_python_has_the_word():
    word = IoioInfo.of(port=0x60, in_=1, size8=1, segment="DS")

    assert word.in_ == 1
    assert "in" in word.BITS
    assert word == 0x00600C11


def test_two_sizes_at_once_are_no_size():
    assert IoioInfo.of(size8=1, size16=1).size == 0
    assert IoioInfo.of(addr16=1, addr64=1).address_bits == 0


def test_ap_creation_names_processor_and_level():
    word = ApCreationInfo(0x0000000300010001)

    assert (word.apic_id, word.vmpl, word.BITS["request"].plain(word)) == (3, 1, "CREATE")
    assert ApCreationInfo.of(apic_id=3, vmpl=1, request="CREATE") == 0x0000000300010001
    assert ApCreationInfo(0x0010_0000).unknown == 0x0010_0000


@pytest.mark.parametrize(
    ("info1", "reason"),
    [(0x020, TermSpec.SNP_FEATURES_UNSUPPORTED), (0x011, TermLinux.PSC), (0x013, 1)],
)
def test_a_termination_names_its_reason(info1, reason):
    found = TermInfo(info1).reason

    assert found == reason
    assert isinstance(found, type(reason))


def test_the_reason_of_an_unknown_set_stays_a_number():
    assert not isinstance(TermInfo(0x013).reason, OpenEnum)


# Answers


@every_event
def test_a_response_without_action_is_the_result_of_the_event(event):
    assert response(event, Action.NO_ACTION) == event.result


def test_the_high_half_of_a_response_is_no_action():
    event = event_of(ExitCode.HV_FEATURES, 0)

    assert response(event, 0x1_0000_0000).type is HvFeatures
    assert ResponseInfo(0x7_0000_0002).action is Action.MALFORMED_INPUT


@pytest.mark.parametrize("event", [None, EVENTS[0]])
def test_an_action_decides_what_the_response_holds(event):
    assert response(event, Action.ISSUE_EXCEPTION).type is EventInject
    assert response(event, Action.MALFORMED_INPUT).type is MalformedReason
    assert response(event, 3) == Operand("unknown")


def test_the_response_to_an_unknown_event_holds_nothing():
    assert response(None, Action.NO_ACTION) == NOTHING


def test_kvm_refuses_an_msr_with_a_general_protection_fault():
    word = EventInject(0x8000030D)

    assert (word.vector, word.type, word.valid, word.error_code_valid) == (13, 3, 1, 0)
    assert EventInject.of(vector=13, type="EXCEPTION", valid=1) == 0x8000030D


@pytest.mark.parametrize(
    ("info2", "fw_error", "vmm_error"),
    [
        (0x16, Status.INVALID_PARAM, VmmError.NONE),
        (0x0000000100000000, Status.SUCCESS, VmmError.INVALID_LEN),
        (0x0000000200000000, Status.SUCCESS, VmmError.BUSY),
        (0xFFFFFFFF00000000, Status.SUCCESS, VmmError.KVM_GENERIC),
    ],
)
def test_a_guest_request_tells_who_refused(info2, fw_error, vmm_error):
    word = GuestRequestResult(info2)

    assert word.fw_error is fw_error
    assert word.vmm_error is vmm_error
    assert GuestRequestResult.of(fw_error=fw_error, vmm_error=vmm_error) == info2


def test_what_linux_presets_is_no_status():
    word = GuestRequestResult((1 << 64) - 1)

    assert not Status(word.fw_error).known
    assert word.vmm_error is VmmError.KVM_GENERIC


@pytest.mark.parametrize(
    ("info2", "name"),
    [
        (0, "INTERRUPTED_OR_DONE"),
        (0x0000000100000001, "INVALID_HEADER"),
        (0x0000000100000002, "INVALID_ENTRY"),
        (0x0000010000000000, "KVM_GENERIC"),
        (0x100, "UNKNOWN_0x100"),
    ],
)
def test_a_page_state_change_tells_how_it_ended(info2, name):
    assert PscReturn(info2).name == name


@given(st.sampled_from(WORDS), ANY)
def test_every_word_survives_its_plain_form_and_its_fields(kind, value):
    word = kind(value)
    fields = {name: field.value(word) for name, field in word.BITS.items()}

    assert kind.from_plain(word.to_plain()) == value
    assert kind.of(**fields) == value & ~word.unknown
