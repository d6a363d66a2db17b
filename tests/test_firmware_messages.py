"""Messages besides report and key: CPUID, migration; and that no input makes the mailbox raise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from secure import BUFFER, GCTX, KEYS, LAYOUT, RESPONSE, TABLE, VMSA, Bench, sealed

from snpwire.engine.cpuid_policy import CpuidPolicy, CpuidRule
from snpwire.engine.firmware.context import NO_AGENT, FirmwareGuest
from snpwire.engine.firmware.mailbox import HANDLERS
from snpwire.engine.firmware.migration import context_record
from snpwire.rmp.entry import FIRMWARE_LO
from snpwire.wire.command_table import CommandId
from snpwire.wire.cpuid import CpuidFunction, CpuidReqHead, CpuidRspHead
from snpwire.wire.key import KeyReq
from snpwire.wire.message import MsgType
from snpwire.wire.migration import (
    AbsorbNomaReq,
    AbsorbReq,
    ExportReq,
    ExportRsp,
    GuestState,
    ImportReq,
    MetadataEntry,
    StatusRsp,
    VmrkReq,
)
from snpwire.wire.rmp import RmpState
from snpwire.wire.status import Status

TARGET = 0x8000
SIZED = {"in_gctx_size": 0x300, "in_gctx_version": 3}


def cpuid(fw, *functions, count=None):
    head = CpuidReqHead(count=len(functions) if count is None else count)
    raw = head.build() + b"".join(function.build() for function in functions)
    _, payload = fw.ask(MsgType.CPUID_REQ, raw)
    assert len(payload) == len(raw)
    return payload


def test_cpuid_values_are_held_against_the_table_that_was_given():
    table = {
        (1, 0): (
            CpuidRule(most=7),
            CpuidRule(fixed_bits=0xFF, fixed=3),
            CpuidRule(allowed=0xF0),
            CpuidRule(),
        )
    }
    fw = Bench(cpuid=CpuidPolicy(table))
    fw.running()
    wrong = CpuidFunction(eax_in=1, eax=9, ebx=0x1004, ecx=0xFF, edx=0xFFFF_FFFF)
    right = CpuidFunction(eax_in=1, eax=7, ebx=0x1003, ecx=0xF0, edx=0xFFFF_FFFF)

    other = CpuidFunction(eax_in=0x4000_0000, eax=5)
    refused = cpuid(fw, wrong, other)
    taken = cpuid(fw, right)

    head = CpuidRspHead.parse(refused[:0x10])
    assert (head.status, head.count) == (Status.INVALID_PARAM, 1)
    assert refused[0x10:] == right.build() + other.build()
    assert taken == CpuidRspHead(count=1).build() + right.build()


def test_a_leaf_that_is_not_in_the_table_is_zero_and_a_reserved_field_is_not_corrected():
    fw = Bench()
    fw.running()
    odd = CpuidFunction(eax_in=2, reserved_0x028=b"\1" + bytes(7))

    unlisted = cpuid(fw, CpuidFunction(eax_in=0x55, edx=1))
    reserved = cpuid(fw, odd)

    assert unlisted[0x10:] == CpuidFunction(eax_in=0x55).build()
    assert reserved[:4] == b"\x16\0\0\0"
    assert reserved[0x10:] == odd.build()


def test_too_many_cpuid_functions_are_refused_whole():
    fw = Bench()
    fw.running()

    assert cpuid(fw, CpuidFunction(), count=65)[:8] == b"\x16\0\0\0\0\0\0\0"


def agent(fw, **fields):
    """Put a second guest beside the one at GCTX, which is its migration agent."""
    sender = fw.running()
    sender.report_id = b"\x55" * 32
    fw.own(TARGET, lo=FIRMWARE_LO | VMSA)
    made = fw.contexts[TARGET >> 12] = FirmwareGuest()
    made.agent, made.report_id_ma, made.policy = GCTX, sender.report_id, 0x70000
    made.vmpcks = tuple(bytes([number]) * 32 for number in (9, 8, 7, 6))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def outcome(fw, msg_type, request, **how):
    return StatusRsp.parse(fw.ask(msg_type, request, **how)[1]).status


def test_a_guest_is_exported_by_its_agent_and_imported_elsewhere():
    fw = Bench()
    left = agent(fw, state=GuestState.RUNNING, counts=[2, 4, 6, 8])
    left.root_md_entry = MetadataEntry(mdata=1)
    fw.chip.guest_count = 2

    _, payload = fw.ask(MsgType.EXPORT_REQ, ExportReq(gctx_paddr=TARGET))
    response = ExportRsp.parse(payload[: ExportRsp.SIZE])
    gone = fw.table.state(TARGET >> 12)
    fw.own(TARGET, lo=FIRMWARE_LO | VMSA)
    came = fw.contexts[TARGET >> 12] = FirmwareGuest()
    request = ImportReq(gctx_paddr=TARGET, incoming_gctx=response.gctx, **SIZED)
    imported = outcome(fw, MsgType.IMPORT_REQ, request)

    assert (response.status, imported) == (Status.SUCCESS, Status.SUCCESS)
    assert (gone, fw.chip.guest_count) == (RmpState.FIRMWARE, 1)
    assert came.counts == [2, 4, 6, 8]
    assert came.vmpcks == left.vmpcks
    assert (came.state, came.agent) == (GuestState.RUNNING, GCTX)
    assert came.report_id_ma == fw.contexts[GCTX >> 12].report_id
    assert came.report_id != response.gctx.report_id


def test_an_image_leaves_its_guest_where_it_is():
    fw = Bench()
    left = agent(fw, state=GuestState.RUNNING)
    left.root_md_entry = MetadataEntry(mdata=1)

    _, payload = fw.ask(MsgType.EXPORT_REQ, ExportReq(gctx_paddr=TARGET, select=1))

    response = ExportRsp.parse(payload[: ExportRsp.SIZE])
    assert response.gctx.root_md_entry == MetadataEntry()
    assert left.state == GuestState.RUNNING
    assert len(payload) == 0xFA0


@pytest.mark.parametrize(
    ("fields", "request_fields", "status"),
    [
        ({}, {"gctx_paddr": TARGET + 1}, "INVALID_PARAM"),
        ({}, {"gctx_paddr": TARGET, "select": 2}, "INVALID_PARAM"),
        ({}, {"gctx_paddr": 0x9000}, "INVALID_GUEST"),
        ({}, {"gctx_paddr": 0x80_0000}, "INVALID_PARAM"),
        ({"state": GuestState.LAUNCH}, {"gctx_paddr": TARGET}, "INVALID_GUEST_STATE"),
        ({"agent": NO_AGENT}, {"gctx_paddr": TARGET}, "INVALID_GUEST"),
        ({"report_id_ma": bytes(32)}, {"gctx_paddr": TARGET}, "INVALID_GUEST"),
    ],
    ids=str,
)
def test_an_export_that_is_wrong_says_so_in_its_response(fields, request_fields, status):
    fw = Bench()
    agent(fw, **{"state": GuestState.RUNNING, **fields})

    _, payload = fw.ask(MsgType.EXPORT_REQ, ExportReq(**request_fields))

    response = ExportRsp.parse(payload[: ExportRsp.SIZE])
    assert response.status.name == status
    assert (response.gctx_size, response.gctx_version) == (0x300, 3)
    assert not any(payload[0x20:])


def test_a_context_is_absorbed_by_the_guest_that_was_launched_for_it():
    fw = Bench()
    target = agent(fw, state=GuestState.LAUNCH, imi_en=True, ld=b"\x44" * 48)
    target.report_id = b"\x99" * 32
    source = FirmwareGuest()
    source.imd, source.ld, source.counts = b"\x44" * 48, b"\x45" * 48, [10, 0, 0, 0]
    request = AbsorbReq(
        gctx_paddr=TARGET, incoming_gctx=context_record(source, image=False), **SIZED
    )

    wrong_size = outcome(fw, MsgType.ABSORB_REQ, request.replace(in_gctx_size=1))
    done = outcome(fw, MsgType.ABSORB_REQ, request)
    again = outcome(fw, MsgType.ABSORB_REQ, request)

    assert wrong_size == Status.INVALID_PARAM
    assert (done, again) == (Status.SUCCESS, Status.INVALID_GUEST_STATE)
    assert (target.ld, target.counts[0]) == (b"\x45" * 48, 10)
    assert target.report_id == b"\x99" * 32


def test_a_guest_that_absorbs_a_context_itself_goes_on_with_its_keys_and_counts():
    fw = Bench()
    guest = fw.running(imd=b"\x44" * 48, ld=b"\x44" * 48)
    source = FirmwareGuest()
    source.imd, source.counts = b"\x44" * 48, [100, 0, 0, 0]
    source.vmpcks = tuple(bytes([number]) * 32 for number in (9, 8, 7, 6))
    request = AbsorbNomaReq(incoming_gctx=context_record(source, image=False), **SIZED)

    fw.send(sealed(MsgType.ABSORB_NOMA_REQ, request, 1))
    header = fw.memory.read(RESPONSE, 0x60)
    later = sealed(MsgType.KEY_REQ, KeyReq(), 103, key=source.vmpcks[0])

    assert header[0x20] == 2
    assert guest.counts[0] == 102
    assert guest.vmpcks == source.vmpcks
    assert fw.send(later) == Status.SUCCESS


def test_a_vm_root_key_is_taken_from_the_agent_with_its_first_key_alone():
    fw = Bench()
    target = agent(fw, state=GuestState.LAUNCH)
    request = VmrkReq(gctx_paddr=TARGET, vmrk=b"\x31" * 32)

    other = outcome(fw, MsgType.VMRK_REQ, request, vmpck=1)
    done = outcome(fw, MsgType.VMRK_REQ, request)

    assert (other, done) == (Status.INVALID_PARAM, Status.SUCCESS)
    assert target.vmrk == b"\x31" * 32


def test_a_key_from_the_vm_root_key_needs_no_key_of_the_chip():
    fw = Bench()
    fw.running(vmrk=b"\x31" * 32)
    fw.chip.mask_chip_key = True

    _, payload = fw.ask(MsgType.KEY_REQ, KeyReq(select=1 | 3 << 1))

    assert payload[:4] == bytes(4)
    assert any(payload[0x20:])


ADDRESSES = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.sampled_from(
        (0, BUFFER, GCTX, RESPONSE, TARGET, TABLE.start, 0x400_0000, 0xA_0000, 1 << 51)
    ),
    st.integers(0, 0x1000).map(lambda at: GCTX + at),
)
WORDS = st.lists(ADDRESSES, min_size=8, max_size=8).map(
    lambda words: b"".join(word.to_bytes(8, "little") for word in words)
)
LOWS = st.one_of(
    st.sampled_from((0, 4, FIRMWARE_LO, FIRMWARE_LO | VMSA, FIRMWARE_LO | 2)),
    st.integers(0, (1 << 64) - 1),
)


@given(
    st.sampled_from(sorted(HANDLERS)),
    WORDS,
    st.dictionaries(st.sampled_from((GCTX, RESPONSE, TARGET, BUFFER)), LOWS),
    st.sampled_from(GuestState),
)
def test_no_buffer_and_no_table_make_a_command_raise(number, buffer, table, state):
    fw = Bench()
    fw.running(state=state, active=True, asid=5, agent=TARGET)
    for address, lo in table.items():
        fw.table.set(address >> 12, lo, 0)

    assert isinstance(fw.command(number, buffer), Status)


@given(
    st.sampled_from([row for row in MsgType if 0 < row < 19]),
    st.integers(0, 3),
    st.one_of(
        st.binary(min_size=16, max_size=0x60).map(lambda raw: raw[: len(raw) & -16]),
        WORDS,
        st.builds(lambda raw: raw.ljust(0x320, b"\0"), WORDS),
    ),
)
def test_no_payload_makes_a_message_raise_or_move_another_count(msg_type, vmpck, payload):
    fw = Bench()
    guest = agent(fw, state=GuestState.RUNNING) and fw.contexts[GCTX >> 12]

    status = fw.send(sealed(msg_type, payload, 1, vmpck))

    counts = [2 if number == vmpck and not status else 0 for number in range(4)]
    assert isinstance(status, Status)
    assert guest.counts == counts or msg_type == MsgType.ABSORB_NOMA_REQ


def test_memory_of_the_bench_is_that_of_the_map():
    assert LAYOUT.check(GCTX, 0x1000) == Status.SUCCESS
    assert LAYOUT.check(TABLE.start, 8) == Status.INVALID_ADDRESS
    assert LAYOUT.check(TABLE.start, 8, rmp=False) == Status.SUCCESS
    assert KEYS[0] != KEYS[1]
    assert CommandId(0x94) in HANDLERS
