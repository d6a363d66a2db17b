"""Commands about the platform: start, stop, state, settings, VLEK, features."""

import pytest
from secure import BUFFER, GCTX, RESPONSE, STATUS, TABLE, Bench

from snpwire.crypto.kdf import VLEK_LABEL, key_pair
from snpwire.crypto.signing import check_report
from snpwire.crypto.wrapping import wrap_vlek
from snpwire.crypto.x509 import EcKey
from snpwire.engine.firmware import Firmware
from snpwire.engine.memory import AddressMap, Memory
from snpwire.engine.profile import profile_named
from snpwire.rmp.entry import FIRMWARE_LO
from snpwire.rmp.sparse_table import SparseEntries
from snpwire.rmp.table import Table
from snpwire.wire.command_table import CommandId
from snpwire.wire.firmware import FeatureInfo, FeatureInfoCommand, VlekLoad
from snpwire.wire.key import KeyReq
from snpwire.wire.message import MsgType
from snpwire.wire.platform import (
    Commit,
    Config,
    InitEx,
    PlatformState,
    PlatformStatus,
    Range,
    RangeListHeader,
    ShutdownEx,
)
from snpwire.wire.report import ReportReq, ReportRsp
from snpwire.wire.rmp import ENTRIES_OFFSET, RmpState
from snpwire.wire.status import Status

LIST = 0x10_0000


def status_of(fw):
    command = STATUS.to_bytes(8, "little")
    assert fw.command(CommandId.SNP_PLATFORM_STATUS, command) == Status.SUCCESS
    return PlatformStatus.parse(fw.memory.read(STATUS, PlatformStatus.SIZE))


def test_a_platform_tells_its_state_before_and_after_it_is_started():
    fw = Bench("milan", start=False)

    before = status_of(fw)
    fw.mailbox(CommandId.SNP_INIT)
    fw.own(STATUS)
    after = status_of(fw)

    assert (before.state, after.state) == (PlatformState.UNINIT, PlatformState.INIT)
    assert (after.api_major, after.api_minor, after.build_id) == (1, 52, 4)
    assert after.current_tcb == after.reported_tcb == fw.profile.tcb
    assert after.rmp_flags.is_rmp_init


def test_addresses_below_1_tib_that_are_no_memory_are_fixed():
    rmp = range(0x8000_0000, 0x1_A000_0000)
    fw = Firmware(
        Memory(AddressMap((range(0x100_0000_0000),), rmp)),
        SparseEntries(rmp),
        profile_named("genoa"),
        random=bytes,
    )

    assert fw.mailbox(CommandId.SNP_INIT) == Status.SUCCESS
    states = [
        fw.table.state(page).name for page in (0xFCF_FFFF, 0xFD0_0000, 0xFDF_FFFF, 0xFE0_0000)
    ]
    assert states == ["HYPERVISOR", "HV_FIXED", "HV_FIXED", "HYPERVISOR"]


@pytest.mark.parametrize(
    ("address", "status"),
    [(0xFF0, "INVALID_PARAM"), (0x9000, "INVALID_PAGE_STATE"), (0x80_0000, "INVALID_PARAM")],
)
def test_a_status_goes_to_a_page_of_the_firmware_alone(address, status):
    fw = Bench()

    got = fw.command(CommandId.SNP_PLATFORM_STATUS, address.to_bytes(8, "little"))

    assert got.name == status


def test_the_table_is_written_anew_at_the_start():
    fw = Bench(start=False)
    fw.table.set(5, FIRMWARE_LO, 0)

    assert fw.mailbox(CommandId.SNP_INIT) == Status.SUCCESS

    states = {page: fw.table.state(page) for page in (5, 0xA0, 0x800, 0x8FF, 0x900, 0x4000, 0xFB00)}
    assert states == {
        5: RmpState.HYPERVISOR,
        0xA0: RmpState.HV_FIXED,
        0x800: RmpState.FIRMWARE,
        0x8FF: RmpState.FIRMWARE,
        0x900: RmpState.HYPERVISOR,
        0x4000: RmpState.HV_FIXED,
        0xFB00: RmpState.HYPERVISOR,
    }
    assert fw.table.entry(0x800)[0] >> 3 & 0x1FF == 255
    assert fw.mailbox(CommandId.SNP_INIT) == Status.INVALID_PLATFORM_STATE


def test_pages_of_a_list_are_fixed_up_to_the_first_that_is_wrong():
    fw = Bench(start=False)
    rows = [Range(base=0x10_0000, page_count=2), Range(base=0x20_0001, page_count=1)]
    rows.append(Range(base=0x30_0000, page_count=1))
    fw.memory.write(LIST, RangeListHeader(n=3).build() + b"".join(row.build() for row in rows))

    status = fw.command(CommandId.SNP_INIT_EX, InitEx(flags=3, list_paddr=LIST))

    assert status == Status.SUCCESS
    assert fw.table.state(0x100) == fw.table.state(0x101) == RmpState.HV_FIXED
    assert fw.table.state(0x300) == RmpState.HYPERVISOR


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"flags": 0}, "RMP_INIT_REQUIRED"),
        ({"flags": 4}, "INVALID_PARAM"),
        ({"flags": 1, "max_snp_asid": 1}, "INVALID_PARAM"),
        ({"flags": 1}, "SUCCESS"),
    ],
    ids=str,
)
def test_a_start_that_is_described_wrongly_is_refused(fields, status):
    fw = Bench(start=False)

    assert fw.command(CommandId.SNP_INIT_EX, InitEx(**fields)).name == status


@pytest.mark.parametrize(
    ("table", "status"),
    [
        (range(0), "INVALID_CONFIG"),
        (range(0x80_1000, 0x90_1000), "INVALID_CONFIG"),
        (range(0x400_0000, 0x410_0000), "INVALID_CONFIG"),
        (range(0x8_0000, 0x18_0000), "INVALID_ADDRESS"),
        (range(0x1300_0000, 0x1310_0000), "RMP_INITIALIZATION_FAILED"),
    ],
    ids=str,
)
def test_a_table_that_cannot_be_is_refused(table, status):
    fw = Bench(start=False)
    fw.table = SparseEntries(table)
    fw.memory.remap(AddressMap(fw.memory.map.dram, table))

    assert fw.mailbox(CommandId.SNP_INIT).name == status


def test_a_platform_stops_once_its_asids_are_clean_and_keeps_the_table():
    fw = Bench()
    stop = ShutdownEx(length=8)

    dirty = fw.command(CommandId.SNP_SHUTDOWN_EX, stop)
    fw.wbinvd()
    fw.mailbox(CommandId.SNP_DF_FLUSH)
    wrong = fw.command(CommandId.SNP_SHUTDOWN_EX, ShutdownEx(length=8, flags=2))
    stopped = fw.command(CommandId.SNP_SHUTDOWN_EX, stop)
    again = fw.command(CommandId.SNP_SHUTDOWN_EX, ShutdownEx())

    assert dirty == Status.DF_FLUSH_REQUIRED
    assert (wrong, stopped, again) == (Status.INVALID_PARAM, Status.SUCCESS, Status.SUCCESS)
    assert fw.command(CommandId.SNP_INIT_EX, InitEx()) == Status.SUCCESS
    assert fw.table.state(STATUS >> 12) == RmpState.FIRMWARE


def test_a_stop_with_the_iommu_forgets_the_table():
    fw = Bench()
    fw.wbinvd()
    fw.mailbox(CommandId.SNP_DF_FLUSH)

    assert fw.command(CommandId.SNP_SHUTDOWN_EX, ShutdownEx(length=8, flags=1)) == Status.SUCCESS
    assert fw.command(CommandId.SNP_INIT_EX, InitEx()) == Status.RMP_INIT_REQUIRED
    assert fw.mailbox(CommandId.SNP_SHUTDOWN) == Status.SUCCESS


def lower(fw, **levels):
    return int(fw.chip.tcb(fw.chip.committed_tcb).replace(**levels))


def test_a_reported_tcb_changes_the_key_that_signs():
    fw = Bench()
    fw.running()
    old = lower(fw, snp=1, microcode=0xFF)

    status = fw.command(CommandId.SNP_CONFIG, Config(reported_tcb=old, flags=1))
    _, payload = fw.ask(MsgType.REPORT_REQ, ReportReq())

    report = ReportRsp.parse(payload).report
    numbers = fw.chip.vcek().public_key().public_numbers()
    check_report(report.build(), EcKey(numbers.x, numbers.y))
    assert status == Status.SUCCESS
    assert report.reported_tcb == old == status_of(fw).reported_tcb
    assert report.current_tcb == fw.profile.tcb
    assert report.chip_id == bytes(64)
    assert fw.chip.vcek_tcb == old


@pytest.mark.parametrize("profile", ["genoa", "turin"])
def test_a_tcb_above_the_committed_one_is_not_reported(profile):
    fw = Bench(profile)
    level = fw.chip.tcb(fw.chip.committed_tcb).snp

    above = fw.command(CommandId.SNP_CONFIG, Config(reported_tcb=lower(fw, snp=level + 1)))
    reserved = fw.command(CommandId.SNP_CONFIG, Config(flags=4))

    assert (above, reserved) == (Status.INVALID_PARAM, Status.INVALID_PARAM)
    assert fw.chip.reported_tcb == fw.profile.tcb


def test_what_runs_is_committed_and_a_reported_tcb_forgotten():
    fw = Bench()
    fw.running()
    before = fw.ask(MsgType.KEY_REQ, KeyReq())[1]
    fw.command(CommandId.SNP_CONFIG, Config(reported_tcb=lower(fw, snp=1)))
    fw.chip.current_tcb = newer = lower(fw, snp=20)
    fw.chip.running_version = (1, 55, 40)

    assert fw.command(CommandId.SNP_COMMIT, Commit(length=8)) == Status.INVALID_PARAM
    assert fw.command(CommandId.SNP_COMMIT, Commit(length=4)) == Status.SUCCESS

    assert fw.chip.committed_tcb == fw.chip.reported_tcb == newer
    assert fw.chip.committed_version == (1, 55, 40)
    assert fw.ask(MsgType.KEY_REQ, KeyReq())[1] != before
    at_old = KeyReq(guest_field_select=1 << 5, tcb_version=fw.profile.tcb)
    assert fw.ask(MsgType.KEY_REQ, at_old)[1][:4] == bytes(4)


HASHES = bytes(range(48)) * 8


def load(fw, wrapped, **fields):
    fw.memory.write(LIST, wrapped)
    command = VlekLoad(**{"length": 0x10, "vlek_wrapped_paddr": LIST, **fields})
    return fw.command(CommandId.SNP_VLEK_LOAD, command)


def wrapped_for(fw, tcb=None):
    chip = fw.chip
    tcb = chip.reported_tcb if tcb is None else tcb
    return wrap_vlek(chip.vcek_hash(chip.vcek_tcb), HASHES, tcb=tcb, iv=b"n" * 12)


def test_a_vlek_that_was_wrapped_for_the_chip_signs_from_then_on():
    fw = Bench()
    fw.running()

    assert load(fw, wrapped_for(fw)) == Status.SUCCESS
    _, payload = fw.ask(MsgType.REPORT_REQ, ReportReq())

    numbers = key_pair(HASHES[-48:], VLEK_LABEL).public_key().public_numbers()
    check_report(ReportRsp.parse(payload).report.build(), EcKey(numbers.x, numbers.y))
    assert status_of(fw).flags.vlek_en


def test_a_vlek_that_is_wrong_is_refused():
    fw = Bench()
    right = wrapped_for(fw)

    assert load(fw, wrapped_for(fw, tcb=1)) == Status.BAD_SVN
    assert load(fw, bytes([right[0] ^ 1]) + right[1:]) == Status.BAD_MEASUREMENT
    assert load(fw, right, length=8) == Status.INVALID_PARAM
    assert load(fw, right, vlek_wrapped_version=1) == Status.INVALID_PARAM
    assert load(fw, right, vlek_wrapped_paddr=0x400_0000) == Status.INVALID_CONFIG
    assert fw.chip.vlek is None


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"length": 8}, "INVALID_PARAM"),
        ({"feature_info_paddr": STATUS + 2}, "INVALID_ADDRESS"),
        ({"feature_info_paddr": STATUS + 0xFF4}, "INVALID_ADDRESS"),
        ({"feature_info_paddr": 0x9000}, "INVALID_PAGE_STATE"),
        ({"ecx_in": 2}, "INVALID_PARAM"),
        ({}, "SUCCESS"),
    ],
    ids=str,
)
def test_features_are_told_where_they_may_be(fields, status):
    fw = Bench()
    given = {"length": 0x10, "ecx_in": 1, "feature_info_paddr": STATUS, **fields}

    got = fw.command(CommandId.SNP_FEATURE_INFO, FeatureInfoCommand(**given))

    assert got.name == status
    if not got:
        assert FeatureInfo.parse(fw.memory.read(STATUS, 16)).eax == 0x1FF


@pytest.mark.parametrize("number", [0, CommandId.SNP_DLFW_CONTINUE, CommandId.TIO_INIT, 0xFF])
def test_a_command_that_nobody_has_is_refused(number):
    assert Bench().mailbox(number, BUFFER) == Status.INVALID_COMMAND


@pytest.mark.parametrize(
    ("buffer", "status"),
    [
        (0xA_0000, "INVALID_ADDRESS"),
        (TABLE.start, "INVALID_ADDRESS"),
        (1 << 46, "INVALID_ADDRESS"),
        ((1 << 64) - 1, "INVALID_ADDRESS"),
        (0x400_0000, "INVALID_CONFIG"),
        (0x3FF_FFFC, "INVALID_CONFIG"),
    ],
    ids=str,
)
def test_a_buffer_that_cannot_be_read_is_refused(buffer, status):
    assert Bench().mailbox(CommandId.SNP_GCTX_CREATE, buffer).name == status


def test_a_buffer_may_cross_a_page_and_have_the_c_bit():
    fw = Bench()
    fw.own(GCTX, RESPONSE)
    fw.memory.write(0x8FFC, GCTX.to_bytes(8, "little"))

    assert fw.mailbox(CommandId.SNP_GCTX_CREATE, 0x8FFC | 1 << 51) == Status.SUCCESS


def test_a_processor_keeps_the_table_of_a_whole_host_as_one_array():
    size = 65 << 20  # of a host with 16 GiB
    layout = AddressMap((range(1 << 34),), range(1 << 32, (1 << 32) + size))
    table = Table.blank((size - ENTRIES_OFFSET) // 16, base=1 << 32)
    fw = Firmware(Memory(layout), table, profile_named("milan"), random=bytes)

    assert fw.mailbox(CommandId.SNP_INIT) == Status.SUCCESS

    states = [table.state(page) for page in (5, 0xA0, 1 << 20, (1 << 20) + (65 << 8))]
    fixed, own = RmpState.HV_FIXED, RmpState.FIRMWARE
    assert states == [RmpState.HYPERVISOR, fixed, own, RmpState.HYPERVISOR]


def test_a_table_that_was_written_under_another_tcb_is_written_anew():
    fw = Bench()
    fw.wbinvd()
    fw.mailbox(CommandId.SNP_DF_FLUSH)
    fw.mailbox(CommandId.SNP_SHUTDOWN)
    fw.chip.current_tcb = lower(fw, snp=20)
    assert fw.command(CommandId.SNP_COMMIT, Commit(length=4)) == Status.SUCCESS

    assert fw.command(CommandId.SNP_INIT_EX, InitEx()) == Status.RMP_INIT_REQUIRED
    assert fw.command(CommandId.SNP_INIT_EX, InitEx(flags=1)) == Status.SUCCESS
