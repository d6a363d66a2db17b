"""A guest from its context to its end: created, launched, measured, running, decommissioned."""

from hashlib import sha384

import pytest
from authority import ec_key
from secure import BUFFER, GCTX, RESPONSE, STATUS, Bench, sealed

from snpwire.crypto.signing import key_digest, sign_id_block
from snpwire.engine.firmware.launch import extend_digest
from snpwire.rmp.entry import FIRMWARE_LO, GPA_LOW
from snpwire.wire.command_table import CommandId
from snpwire.wire.cpuid import CpuidFunction, CpuidPage
from snpwire.wire.launch import IdBlock
from snpwire.wire.launch_commands import (
    Activate,
    ActivateEx,
    GuestStatus,
    GuestStatusCommand,
    LaunchFinish,
    LaunchStart,
    LaunchUpdate,
)
from snpwire.wire.message import MsgType
from snpwire.wire.migration import GuestState
from snpwire.wire.report import ReportReq, ReportRsp
from snpwire.wire.rmp import RmpState
from snpwire.wire.secrets import SecretsPage
from snpwire.wire.status import Status
from snpwire.wire.tsc import TscInfoRsp
from snpwire.wire.vmsa import Vmsa

ASID, POLICY = 5, 0x30000
PAGE_AT, ID_BLOCK, ID_AUTH = 0x10_0000, 0x12_0000, 0x12_1000
PRE_GUEST = FIRMWARE_LO | ASID << 51
NORMAL, VMSA, ZERO, UNMEASURED, SECRETS, CPUID = range(1, 7)
PERMS = 0x0102_0300
SCALE = 24 << 32 | 206_571_574
"""2,400,000 / 99,800 is 24 and 4,800 / 99,800; that times 2 to the 32nd is 206,571,573.9."""


class Launch(Bench):
    """A processor with a guest that is being launched."""

    def __init__(self, profile="genoa-aspfw", *, activate=True, **start):
        super().__init__(profile)
        self.own(GCTX, RESPONSE)
        self.wbinvd()
        assert self.mailbox(CommandId.SNP_DF_FLUSH) == 0
        assert self.command(CommandId.SNP_GCTX_CREATE, GCTX.to_bytes(8, "little")) == 0
        given = {"gctx_paddr": GCTX, "policy": POLICY, "desired_tsc_freq": 2_400_000, **start}
        assert self.command(CommandId.SNP_LAUNCH_START, LaunchStart(**given)) == 0
        if activate:
            assert self.activate() == 0
        self.guest_context = self.contexts[GCTX >> 12]

    def activate(self, asid=ASID):
        return self.command(CommandId.SNP_ACTIVATE, Activate(gctx_paddr=GCTX, asid=asid))

    def add(self, page_type, data=b"", *, gpa=0x1000, lo=PRE_GUEST, flags=0, perms=PERMS):
        self.table.set(PAGE_AT >> 12, lo | gpa >> 12 << GPA_LOW, 0x1F)
        self.memory.write(PAGE_AT, data.ljust(0x1000, b"\0"))
        command = LaunchUpdate(
            gctx_paddr=GCTX, page=page_type << 1 | flags, page_paddr=PAGE_AT, perms=perms
        )
        return self.command(CommandId.SNP_LAUNCH_UPDATE, command)

    def finish(self, **fields):
        return self.command(CommandId.SNP_LAUNCH_FINISH, LaunchFinish(gctx_paddr=GCTX, **fields))

    def status(self):
        command = GuestStatusCommand(gctx_paddr=GCTX, status_paddr=STATUS)
        assert self.command(CommandId.SNP_GUEST_STATUS, command) == 0
        return GuestStatus.parse(self.memory.read(STATUS, GuestStatus.SIZE))


def test_a_guest_is_launched_reports_and_ends():
    fw = Launch("genoa")
    assert fw.add(NORMAL, b"code") == Status.SUCCESS
    assert fw.add(SECRETS, gpa=0x2000) == Status.SUCCESS
    secrets = SecretsPage.parse(fw.memory.read(PAGE_AT, 0x1000, ASID))
    pending = fw.status()

    assert fw.finish(host_data=b"\x77" * 32) == Status.SUCCESS
    running = fw.status()
    message = sealed(MsgType.REPORT_REQ, ReportReq(), 1, key=secrets.vmpck0)
    assert fw.send(message) == Status.SUCCESS
    _, payload = fw.ask(MsgType.REPORT_REQ, ReportReq())
    report = ReportRsp.parse(payload).report

    assert (pending.state, pending.asid) == (GuestState.LAUNCH, ASID)
    assert (running.state, running.asid) == (GuestState.RUNNING, ASID)
    assert secrets.vmpcks == fw.guest_context.vmpcks
    assert secrets.version == 3
    assert report.measurement == fw.guest_context.ld
    assert report.host_data == b"\x77" * 32
    assert fw.chip.guest_count == 1
    assert fw.command(CommandId.SNP_DECOMMISSION, GCTX.to_bytes(8, "little")) == 0
    assert fw.chip.guest_count == 0
    assert fw.table.state(GCTX >> 12) == RmpState.FIRMWARE


def test_an_asid_is_dirty_until_caches_are_written_back_and_flushed():
    fw = Launch()
    assert fw.finish() == 0
    fw.command(CommandId.SNP_DECOMMISSION, GCTX.to_bytes(8, "little"))
    assert fw.command(CommandId.SNP_GCTX_CREATE, GCTX.to_bytes(8, "little")) == 0
    start = LaunchStart(gctx_paddr=GCTX, policy=POLICY)
    assert fw.command(CommandId.SNP_LAUNCH_START, start) == 0

    dirty = fw.activate()
    early = fw.mailbox(CommandId.SNP_DF_FLUSH)
    fw.wbinvd()
    flushed = fw.mailbox(CommandId.SNP_DF_FLUSH)

    assert dirty == Status.DF_FLUSH_REQUIRED
    assert (early, flushed) == (Status.WBINVD_REQUIRED, Status.SUCCESS)
    assert fw.activate() == Status.SUCCESS
    assert fw.activate() == Status.ASID_OWNED
    assert fw.activate(ASID + 1) == Status.ACTIVE


def test_an_asid_of_a_guest_that_never_ran_is_clean_again():
    fw = Launch()

    fw.command(CommandId.SNP_DECOMMISSION, GCTX.to_bytes(8, "little"))
    fw.command(CommandId.SNP_GCTX_CREATE, GCTX.to_bytes(8, "little"))
    fw.command(CommandId.SNP_LAUNCH_START, LaunchStart(gctx_paddr=GCTX, policy=POLICY))

    assert fw.activate() == Status.SUCCESS


@pytest.mark.parametrize(
    ("asid", "status"),
    [(0, "INVALID_ASID"), (1007, "INVALID_ASID"), (100, "INVALID_ASID"), (2048, "INVALID_ASID")],
)
def test_an_asid_that_is_none_is_refused(asid, status):
    fw = Launch(activate=False)

    assert fw.activate(asid).name == status


def test_pages_still_assigned_to_an_asid_keep_it_from_being_used():
    fw = Launch(activate=False)
    fw.table.counters[ASID] = 1

    assert fw.activate() == Status.INVALID_CONFIG


def test_a_guest_is_activated_on_some_cores_and_on_more_of_them():
    fw = Launch(activate=False)
    more = ActivateEx(ex_len=0x20, gctx_paddr=GCTX, asid=ASID, numids=4, ids_paddr=BUFFER)

    first = fw.command(CommandId.SNP_ACTIVATE_EX, more)
    again = fw.command(CommandId.SNP_ACTIVATE_EX, more)
    other = fw.command(CommandId.SNP_ACTIVATE_EX, more.replace(asid=ASID + 1))
    none = fw.command(CommandId.SNP_ACTIVATE_EX, more.replace(numids=0))

    assert [first, again] == [Status.SUCCESS] * 2
    assert (other, none) == (Status.ACTIVE, Status.INVALID_PARAM)


def test_the_digest_is_the_chain_of_what_was_added():
    fw = Launch()

    fw.add(NORMAL, b"code", gpa=0x7000, perms=0)
    fw.add(ZERO, b"not looked at", gpa=0x8000, perms=0)

    code = sha384(b"code".ljust(0x1000, b"\0")).digest()
    none = (0, 0, 0)
    first = extend_digest(bytes(48), code, NORMAL, 0, none, 0x7000)
    assert fw.guest_context.ld == extend_digest(first, bytes(48), ZERO, 0, none, 0x8000)
    assert fw.memory.read(PAGE_AT, 0x1000, ASID) == bytes(0x1000)
    assert fw.table.state(PAGE_AT >> 12) == RmpState.GUEST_VALID


def test_a_page_is_private_to_its_guest_afterwards():
    fw = Launch()

    fw.add(NORMAL, b"secret")

    assert fw.memory.read(PAGE_AT, 6, ASID) == b"secret"
    assert fw.memory.read(PAGE_AT, 6) != b"secret"
    assert fw.memory.read(PAGE_AT, 6, ASID + 1) != b"secret"
    assert fw.table.entry(PAGE_AT >> 12)[1] == 0x1F | PERMS


def test_a_save_area_is_measured_before_it_is_protected_and_timed():
    fw = Launch()
    area = Vmsa(rip=0xFFF0, sev_features=1 | 1 << 9 | 1 << 14, guest_tsc_scale=9).build()

    fw.add(VMSA, area, perms=0)

    contents = sha384(area[:0x2F0] + bytes(16) + area[0x300:]).digest()
    expected = extend_digest(bytes(48), contents, VMSA, 0, (0, 0, 0), 0x1000)
    raw = fw.memory.read(PAGE_AT, 0x1000, ASID)
    nonce = int.from_bytes(raw[0x300:0x308], "little")
    assert fw.guest_context.ld == expected
    assert int.from_bytes(raw[0x178:0x180], "little") == 0xFFF0 ^ nonce
    assert raw[0x2F0:0x2F8] == SCALE.to_bytes(8, "little")
    assert raw[0x388:0x390] == b"\xff" * 8
    assert fw.table.entry(PAGE_AT >> 12)[0] >> 61 & 1


def test_cpuid_values_that_will_not_do_come_back_corrected_and_are_not_measured():
    fw = Launch()
    bad = CpuidPage(
        count=1, functions=(CpuidFunction(eax_in=0x55, eax=1),) + (CpuidFunction(),) * 63
    )
    before = fw.guest_context.ld

    refused = fw.add(CPUID, bad.build())
    corrected = fw.memory.read(PAGE_AT, 0x1000)
    taken = fw.add(CPUID, corrected)

    assert (refused, taken) == (Status.INVALID_PARAM, Status.SUCCESS)
    assert CpuidPage.parse(corrected).functions[0] == CpuidFunction(eax_in=0x55)
    assert fw.guest_context.ld != before


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"lo": FIRMWARE_LO}, "INVALID_PAGE_STATE"),
        ({"lo": PRE_GUEST + (1 << 51)}, "INVALID_PAGE_OWNER"),
        ({"lo": PRE_GUEST | 2}, "INVALID_PAGE_SIZE"),
        ({"lo": PRE_GUEST | 2, "flags": 1}, "INVALID_ADDRESS"),
        ({"flags": 1 << 5}, "INVALID_PARAM"),
        ({"perms": 1}, "INVALID_PARAM"),
    ],
    ids=str,
)
def test_a_page_that_is_wrong_is_not_added(fields, status):
    fw = Launch()

    got = fw.add(NORMAL, b"code", **fields)

    assert got.name == status
    assert fw.guest_context.ld == bytes(48)


@pytest.mark.parametrize("page_type", [0, 7])
def test_a_page_of_a_reserved_type_is_not_added(page_type):
    assert Launch().add(page_type) == Status.INVALID_PARAM


def test_a_guest_that_is_not_activated_takes_no_page_and_does_not_finish():
    fw = Launch(activate=False)

    assert fw.add(NORMAL) == Status.INACTIVE
    assert fw.finish() == Status.INACTIVE


def test_a_migration_image_takes_pages_of_its_own_and_does_not_finish():
    fw = Launch(flags=2)

    assert fw.add(NORMAL) == Status.INVALID_PARAM
    assert fw.add(NORMAL, flags=1 << 4) == Status.SUCCESS
    assert fw.guest_context.imd == fw.guest_context.ld
    assert fw.finish() == Status.INVALID_GUEST_STATE


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        (0x10000, "POLICY_FAILURE"),
        (0x20000, "POLICY_FAILURE"),
        (0x30000 | 2 << 8, "POLICY_FAILURE"),
        (0x30000 | 1 << 8 | 56, "POLICY_FAILURE"),
        (0x30000 | 1 << 21, "POLICY_FAILURE"),
        (0x30000 | 1 << 8 | 55, "SUCCESS"),
    ],
    ids=str,
)
def test_a_policy_that_cannot_be_kept_is_refused(policy, status):
    fw = Bench()
    fw.own(GCTX)
    fw.command(CommandId.SNP_GCTX_CREATE, GCTX.to_bytes(8, "little"))

    got = fw.command(CommandId.SNP_LAUNCH_START, LaunchStart(gctx_paddr=GCTX, policy=policy))

    assert got.name == status
    assert fw.chip.guest_count == (0 if got else 1)


def test_a_newer_profile_takes_newer_bits_of_a_policy():
    fw = Launch("turin", policy=POLICY | 1 << 25)

    assert fw.guest_context.policy >> 25 == 1


def id_block(fw, author=None, **fields):
    block = IdBlock(ld=fw.guest_context.ld, policy=POLICY, guest_svn=3, **fields)
    auth = sign_id_block(block.build(), ec_key("id"), author)
    fw.memory.write(ID_BLOCK, block.build())
    fw.memory.write(ID_AUTH, auth.build())
    return auth


def test_an_id_block_that_holds_is_in_the_report():
    fw = Launch()
    auth = id_block(fw, ec_key("author"), family_id=b"f" * 16)

    status = fw.finish(id_block_paddr=ID_BLOCK, id_auth_paddr=ID_AUTH, flags=0b11)
    _, payload = fw.ask(MsgType.REPORT_REQ, ReportReq())
    report = ReportRsp.parse(payload).report

    assert status == Status.SUCCESS
    assert report.id_key_digest == key_digest(auth.id_key)
    assert report.author_key_digest == key_digest(auth.author_key)
    assert (report.guest_svn, report.family_id, report.key_info.author_key_en) == (3, b"f" * 16, 1)


@pytest.mark.parametrize(
    ("place", "status"),
    [
        (ID_BLOCK, "BAD_MEASUREMENT"),
        (ID_BLOCK + 0x58, "POLICY_FAILURE"),
        (ID_AUTH, "INVALID_PARAM"),
        (ID_AUTH + 4, "INVALID_PARAM"),
        (ID_BLOCK + 0x54, "BAD_SIGNATURE"),
        (ID_AUTH + 0x240, "BAD_SIGNATURE"),
        (ID_AUTH + 0x244, "BAD_SIGNATURE"),
        (ID_AUTH + 0x680, "BAD_SIGNATURE"),
        (ID_AUTH + 0x8, "SUCCESS"),
        (ID_BLOCK + 0x50, "BAD_SIGNATURE"),
    ],
    ids=str,
)
def test_an_id_block_with_one_bit_changed_is_refused_for_that_bit(place, status):
    fw = Launch()
    id_block(fw, ec_key("author"))
    fw.memory.write(place, bytes([fw.memory.read(place, 1)[0] ^ 4]))

    got = fw.finish(id_block_paddr=ID_BLOCK, id_auth_paddr=ID_AUTH, flags=0b11)

    assert got.name == status


def test_an_id_block_that_cannot_be_read_is_refused():
    fw = Launch()

    got = fw.finish(id_block_paddr=0x400_0000, id_auth_paddr=ID_AUTH, flags=1)

    assert got == Status.INVALID_CONFIG


def test_the_tsc_that_was_asked_for_is_told_as_a_ratio():
    fw = Launch()
    fw.finish()

    _, payload = fw.ask(MsgType.TSC_INFO_REQ, bytes(0x80))

    response = TscInfoRsp.parse(payload)
    assert response.guest_tsc_scale == SCALE
    assert response.tsc_factor == 200


def test_a_context_is_made_of_a_page_of_the_firmware_alone():
    fw = Bench()
    address = GCTX.to_bytes(8, "little")

    mine = fw.command(CommandId.SNP_GCTX_CREATE, address)
    fw.own(GCTX, lo=FIRMWARE_LO | 2)
    large = fw.command(CommandId.SNP_GCTX_CREATE, address)
    fw.own(GCTX)
    low = fw.command(CommandId.SNP_GCTX_CREATE, (GCTX + 8).to_bytes(8, "little"))
    made = fw.command(CommandId.SNP_GCTX_CREATE, address)

    assert [mine, large] == [Status.INVALID_PAGE_STATE, Status.INVALID_PAGE_SIZE]
    assert [low, made] == [Status.INVALID_PARAM, Status.SUCCESS]
    assert fw.table.state(GCTX >> 12) == RmpState.CONTEXT
    assert any(fw.memory.read(GCTX, 0x1000))
