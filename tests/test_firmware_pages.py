"""Commands about pages: reclaim, unsmash, fix, metadata, move, swap, debug."""

import pytest
from secure import GCTX, VMSA, Bench

from snpwire.rmp.entry import FIRMWARE_LO, GPA_LOW
from snpwire.wire.command_table import CommandId
from snpwire.wire.launch_commands import Dbg
from snpwire.wire.migration import MetadataEntry
from snpwire.wire.page_commands import MdInit, Move, SetState, SwapIn, SwapOut
from snpwire.wire.platform import Range, RangeListHeader
from snpwire.wire.rmp import RmpState
from snpwire.wire.status import Status
from snpwire.wire.vmsa import Vmsa

ASID = 5
PRE_GUEST = FIRMWARE_LO | ASID << 51
PRE_SWAP = PRE_GUEST | 1 << 62
SOURCE, TARGET, LIST, MDATA = 0x10_0000, 0x10_1000, 0x10_2000, 0x50_3000
LARGE = 0x20_0000
RIGHTS = 0x1F0F
ONE = b"one page of a guest".ljust(0x1000, b"\x11")


def guest(fw, **fields):
    made = fw.running(asid=ASID, active=True, oek=b"\x22" * 32, **fields)
    fw.memory.install(ASID, b"seed")
    return made


def page(fw, address, lo, gpa=0x1234, data=None, key=ASID):
    fw.table.set(address >> 12, lo | gpa << GPA_LOW, RIGHTS)
    if data is not None:
        fw.memory.write(address, data, key)


def test_a_reclaimed_page_goes_to_the_host_and_forgets_what_it_held():
    fw = Bench()
    fw.running()
    assert fw.command(CommandId.SNP_DECOMMISSION, GCTX.to_bytes(8, "little")) == 0
    assert GCTX >> 12 in fw.contexts

    status = fw.command(CommandId.SNP_PAGE_RECLAIM, GCTX.to_bytes(8, "little"))

    assert status == Status.SUCCESS
    assert fw.table.state(GCTX >> 12) == RmpState.RECLAIM
    assert GCTX >> 12 not in fw.contexts


def test_a_context_is_not_reclaimed():
    fw = Bench()
    fw.running()

    status = fw.command(CommandId.SNP_PAGE_RECLAIM, GCTX.to_bytes(8, "little"))

    assert status == Status.INVALID_PAGE_STATE


@pytest.mark.parametrize("known", [False, True], ids=["not reached before", "reached before"])
@pytest.mark.parametrize(
    ("word", "status", "state"),
    [
        (SOURCE, Status.SUCCESS, RmpState.RECLAIM),
        (SOURCE | 1, Status.INVALID_PAGE_SIZE, RmpState.FIRMWARE),
        (SOURCE | 2, Status.INVALID_PARAM, RmpState.FIRMWARE),
        (SOURCE | 0x800, Status.INVALID_PARAM, RmpState.FIRMWARE),
        (SOURCE | 1 << 50, Status.INVALID_ADDRESS, RmpState.FIRMWARE),
        (0x80_0000, Status.INVALID_ADDRESS, RmpState.FIRMWARE),
    ],
)
def test_a_page_is_reclaimed_at_its_address_and_size_with_no_other_bit_set(
    word, status, state, known
):
    fw = Bench()
    page(fw, SOURCE, FIRMWARE_LO, gpa=0, data=ONE, key=0)
    if known:
        fw.store(SOURCE, ONE)
        fw.store(SOURCE, ONE)
    assert (SOURCE >> 12 in fw.memory.plain) is known

    got = fw.command(CommandId.SNP_PAGE_RECLAIM, word.to_bytes(8, "little"))

    assert got is status
    assert fw.table.state(SOURCE >> 12) is state


def test_512_pages_of_a_guest_are_joined_and_one_of_another_keeps_them_apart():
    fw = Bench()
    guest(fw)
    for index in range(512):
        page(fw, LARGE + index * 0x1000, PRE_SWAP, gpa=0x800 + index)
    address = LARGE.to_bytes(8, "little")
    fw.table.set((LARGE >> 12) + 7, PRE_SWAP + (1 << 51) | 0x807 << GPA_LOW, RIGHTS)

    other = fw.command(CommandId.SNP_PAGE_UNSMASH, address)
    page(fw, LARGE + 0x7000, PRE_SWAP, gpa=0x807)
    joined = fw.command(CommandId.SNP_PAGE_UNSMASH, address)

    assert (other, joined) == (Status.INVALID_PAGE_STATE, Status.SUCCESS)
    lo, _ = fw.table.entry(LARGE >> 12)
    assert lo & 2
    assert fw.table.entry((LARGE >> 12) + 1)[0] & 0x3FF << 51 == 0


@pytest.mark.parametrize(
    ("address", "status"),
    [(LARGE + 1, "INVALID_PARAM"), (0x80_0000, "INVALID_PARAM"), (1 << 40, "INVALID_PAGE_STATE")],
)
def test_what_cannot_be_joined_is_refused(address, status):
    fw = Bench()

    assert fw.command(CommandId.SNP_PAGE_UNSMASH, address.to_bytes(8, "little")).name == status


def ranges(fw, *given, head=None):
    rows = b"".join(Range(base=base, page_count=count).build() for base, count in given)
    fw.memory.write(LIST, (head or RangeListHeader(n=len(given)).build()) + rows)
    return fw.command(CommandId.SNP_PAGE_SET_STATE, SetState(length=0x10, list_paddr=LIST))


def owned(fw, address, count):
    for index in range(count):
        fw.table.set((address >> 12) + index, FIRMWARE_LO, 0)
    fw.table.set(address >> 12, FIRMWARE_LO | (count - 1) << 3, 0)


def test_pages_of_the_firmware_become_the_hosts_for_good():
    fw = Bench()
    owned(fw, LARGE, 10)

    status = ranges(fw, (LARGE, 4))

    states = [fw.table.state((LARGE >> 12) + index) for index in range(10)]
    assert status == Status.SUCCESS
    assert states == [RmpState.HV_FIXED] * 4 + [RmpState.FIRMWARE] * 6
    assert fw.table.entry(LARGE >> 12)[0] >> 3 & 0x1FF == 6


def test_one_page_that_is_not_the_firmwares_keeps_all_as_they_are():
    fw = Bench()
    owned(fw, LARGE, 4)

    status = ranges(fw, (LARGE, 4), (2 * LARGE, 1))

    assert status == Status.INVALID_PAGE_STATE
    assert fw.table.state(LARGE >> 12) == RmpState.FIRMWARE


def test_the_tables_own_pages_and_those_beyond_it_are_left_out():
    fw = Bench()

    status = ranges(fw, (0x80_0000, 256), (0x1_0000_0000, 5))

    assert status == Status.SUCCESS
    assert fw.table.state(0x800) == RmpState.FIRMWARE


@pytest.mark.parametrize(
    ("rows", "head"),
    [
        (((LARGE + 0x1000, 1),), None),
        (((LARGE, 1),), RangeListHeader(n=1).build()[:4] + b"\1\0\0\0"),
        ((), RangeListHeader(n=256).build()),
    ],
    ids=["unaligned", "reserved", "too many"],
)
def test_a_list_that_is_wrong_is_refused(rows, head):
    assert ranges(Bench(), *rows, head=head) == Status.INVALID_PARAM


def metadata(fw, address=MDATA):
    fw.own(address)
    command = MdInit(gctx_paddr=GCTX, page_paddr=address)
    assert fw.command(CommandId.SNP_PAGE_MD_INIT, command) == Status.SUCCESS


def test_a_page_for_metadata_is_zeroed_and_noted_for_its_guest():
    fw = Bench()
    guest(fw)
    fw.memory.write(MDATA, ONE)

    metadata(fw)

    assert fw.table.state(MDATA >> 12) == RmpState.METADATA
    assert fw.table.entry(MDATA >> 12)[0] >> GPA_LOW & 0xF_FFFF == GCTX >> 12
    assert not any(fw.memory.read(MDATA, 0x1000))


def test_a_page_moves_with_what_it_holds_and_what_it_was():
    fw = Bench()
    guest(fw)
    page(fw, SOURCE, PRE_SWAP, data=ONE)
    page(fw, TARGET, PRE_GUEST, gpa=0)

    status = fw.command(
        CommandId.SNP_PAGE_MOVE, Move(gctx_paddr=GCTX, src_paddr=SOURCE, dst_paddr=TARGET)
    )

    assert status == Status.SUCCESS
    assert fw.memory.read(TARGET, 0x1000, ASID) == ONE
    assert fw.table.state(TARGET >> 12) == RmpState.GUEST_VALID
    assert fw.table.state(SOURCE >> 12) == RmpState.GUEST_INVALID
    assert fw.table.entry(TARGET >> 12)[0] >> GPA_LOW & 0xFFFF == 0x1234


@pytest.mark.parametrize("kind", ["data", "vmsa"])
@pytest.mark.parametrize("root", [False, True], ids=["entry in a page", "entry in the context"])
def test_a_page_is_swapped_out_and_in_again(kind, root):
    fw = Bench()
    owner = guest(fw)
    metadata(fw)
    page_type = {"data": 0, "vmsa": 2}[kind]
    page(fw, SOURCE, PRE_SWAP | (VMSA if page_type else 0), data=ONE)
    fw.own(TARGET)
    flags = page_type << 1 | root << 4
    where = {"gctx_paddr": GCTX, "mdata_paddr": 0 if root else MDATA}

    out = fw.command(
        CommandId.SNP_PAGE_SWAP_OUT,
        SwapOut(src_paddr=SOURCE, dst_paddr=TARGET, flags=flags, software_data=77, **where),
    )
    sealed = fw.memory.read(TARGET, 0x1000)
    kept = MetadataEntry.parse(fw.memory.read(MDATA, 0x40)) if not root else owner.root_md_entry
    fw.memory.write(SOURCE, bytes(0x1000), ASID)
    back = fw.command(
        CommandId.SNP_PAGE_SWAP_IN,
        SwapIn(src_paddr=TARGET, dst_paddr=SOURCE, flags=flags, **where),
    )

    assert (out, back) == (Status.SUCCESS, Status.SUCCESS)
    assert sealed != ONE
    assert (kept.software_data, kept.mdata.valid, kept.mdata.gpa) == (77, 1, 0x1234)
    assert fw.memory.read(SOURCE, 0x1000, ASID) == ONE
    assert fw.table.entry(SOURCE >> 12)[1] == RIGHTS
    assert fw.table.state(SOURCE >> 12) == RmpState.PRE_SWAP
    assert owner.oek_iv_count == 1


def test_a_swapped_page_that_was_changed_is_refused_and_nothing_moves():
    fw = Bench()
    guest(fw)
    metadata(fw)
    page(fw, SOURCE, PRE_SWAP, data=ONE)
    fw.own(TARGET)
    where = {"gctx_paddr": GCTX, "mdata_paddr": MDATA}
    out = SwapOut(src_paddr=SOURCE, dst_paddr=TARGET, **where)
    assert fw.command(CommandId.SNP_PAGE_SWAP_OUT, out) == Status.SUCCESS
    before = fw.table.entry(SOURCE >> 12)
    fw.memory.write(TARGET, b"x")

    back = SwapIn(src_paddr=TARGET, dst_paddr=SOURCE, **where)
    status = fw.command(CommandId.SNP_PAGE_SWAP_IN, back)

    assert status == Status.BAD_MEASUREMENT
    assert fw.table.entry(SOURCE >> 12) == before
    assert MetadataEntry.parse(fw.memory.read(MDATA, 0x40)).mdata.valid


def test_a_metadata_page_is_swapped_out_to_the_firmware():
    fw = Bench()
    owner = guest(fw)
    metadata(fw)
    fw.memory.write(MDATA, ONE)
    fw.own(TARGET)
    flags = 1 << 1 | 1 << 4
    where = {"gctx_paddr": GCTX, "flags": flags}

    out = fw.command(
        CommandId.SNP_PAGE_SWAP_OUT, SwapOut(src_paddr=MDATA, dst_paddr=TARGET, **where)
    )
    went = fw.table.state(MDATA >> 12)
    entry = owner.root_md_entry
    back = fw.command(
        CommandId.SNP_PAGE_SWAP_IN, SwapIn(src_paddr=TARGET, dst_paddr=MDATA, **where)
    )

    assert (out, back) == (Status.SUCCESS, Status.SUCCESS)
    assert went == RmpState.FIRMWARE
    assert entry.mdata.gpa == (1 << 52) - 1
    assert fw.table.state(MDATA >> 12) == RmpState.METADATA
    assert fw.memory.read(MDATA, 0x1000) == ONE


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"mdata_paddr": MDATA + 8}, "INVALID_PARAM"),
        ({"mdata_paddr": SOURCE}, "INVALID_PARAM"),
        ({"mdata_paddr": 0x10_9000}, "INVALID_PAGE_STATE"),
        ({"gctx_paddr": 0x10_9000}, "INVALID_GUEST"),
        ({"src_paddr": SOURCE + 1}, "INVALID_PARAM"),
        ({"dst_paddr": 0x80_0000}, "INVALID_PARAM"),
        ({"dst_paddr": 0x10_9000}, "INVALID_PAGE_STATE"),
        ({"flags": 3 << 1}, "INVALID_PAGE_STATE"),
        ({"flags": 1}, "INVALID_PAGE_SIZE"),
    ],
    ids=str,
)
def test_a_swap_that_is_wrong_is_refused(change, status):
    fw = Bench()
    owner = guest(fw)
    metadata(fw)
    page(fw, SOURCE, PRE_SWAP, data=ONE)
    fw.own(TARGET)
    right = {"gctx_paddr": GCTX, "src_paddr": SOURCE, "dst_paddr": TARGET, "mdata_paddr": MDATA}

    got = fw.command(CommandId.SNP_PAGE_SWAP_OUT, SwapOut(**right | change))

    assert got.name == status
    assert owner.oek_iv_count == 0


def test_a_key_for_swapped_pages_that_is_used_up_is_used_no_more():
    fw = Bench()
    guest(fw, oek_iv_count=(1 << 64) - 2)
    metadata(fw)
    page(fw, SOURCE, PRE_SWAP, data=ONE)
    fw.own(TARGET)
    before = fw.table.entry(SOURCE >> 12)

    status = fw.command(
        CommandId.SNP_PAGE_SWAP_OUT,
        SwapOut(gctx_paddr=GCTX, src_paddr=SOURCE, dst_paddr=TARGET, mdata_paddr=MDATA),
    )

    assert status == Status.AEAD_OFLOW
    assert fw.table.entry(SOURCE >> 12) == before


DEBUG = 1 << 19 | 0x30000


def test_memory_of_a_guest_that_may_be_debugged_is_read_and_written():
    fw = Bench()
    guest(fw, policy=DEBUG)
    page(fw, SOURCE, PRE_SWAP, data=ONE)
    fw.own(TARGET)
    read = Dbg(gctx_paddr=GCTX, src_paddr=SOURCE, dst_paddr=TARGET)
    write = Dbg(gctx_paddr=GCTX, src_paddr=TARGET, dst_paddr=SOURCE)

    assert fw.command(CommandId.SNP_DBG_DECRYPT, read) == Status.SUCCESS
    assert fw.memory.read(TARGET, 0x1000) == ONE
    fw.memory.write(TARGET, bytes(0x1000))
    assert fw.command(CommandId.SNP_DBG_ENCRYPT, write) == Status.SUCCESS
    assert fw.memory.read(SOURCE, 0x1000, ASID) == bytes(0x1000)


def test_a_part_of_a_large_page_is_debugged_by_the_entry_of_the_whole():
    fw = Bench()
    guest(fw, policy=DEBUG)
    page(fw, LARGE, PRE_SWAP | 2)
    fw.table.set((LARGE >> 12) + 3, 1, 0)
    fw.memory.write(LARGE + 0x3000, ONE, ASID)
    fw.own(TARGET)

    status = fw.command(
        CommandId.SNP_DBG_DECRYPT,
        Dbg(gctx_paddr=GCTX, src_paddr=LARGE + 0x3000, dst_paddr=TARGET),
    )

    assert status == Status.SUCCESS
    assert fw.memory.read(TARGET, 0x1000) == ONE


def test_a_save_area_is_shown_without_the_nonce_that_protects_it():
    fw = Bench()
    guest(fw, policy=DEBUG)
    nonce = int.from_bytes(b"nonce of", "little")
    area = Vmsa(rip=0xFFF0 ^ nonce, sev_features=1 << 14).build()
    page(fw, SOURCE, PRE_SWAP | VMSA, data=area[:0x300] + b"nonce of" + area[0x308:])
    fw.own(TARGET)

    status = fw.command(
        CommandId.SNP_DBG_DECRYPT, Dbg(gctx_paddr=GCTX, src_paddr=SOURCE, dst_paddr=TARGET)
    )

    assert status == Status.SUCCESS
    assert Vmsa.parse(fw.memory.read(TARGET, 0x1000)).rip == 0xFFF0


@pytest.mark.parametrize("command", [CommandId.SNP_DBG_DECRYPT, CommandId.SNP_DBG_ENCRYPT])
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"src_paddr": SOURCE + 1}, "INVALID_PARAM"),
        ({"dst_paddr": 0x80_0000}, "INVALID_PARAM"),
        ({"gctx_paddr": SOURCE}, "INVALID_GUEST"),
        ({"dst_paddr": 1 << 40}, "INVALID_PAGE_STATE"),
    ],
    ids=str,
)
def test_addresses_for_debugging_are_checked(command, change, status):
    fw = Bench()
    guest(fw, policy=DEBUG)
    page(fw, SOURCE, PRE_SWAP, data=ONE)
    right = {"gctx_paddr": GCTX, "src_paddr": SOURCE, "dst_paddr": SOURCE}

    assert fw.command(command, Dbg(**right | change)).name == status


def test_a_page_that_cannot_be_copied_stays_what_it_was():
    fw = Bench()
    guest(fw)
    page(fw, SOURCE, PRE_SWAP, data=ONE)
    page(fw, 0x400_0000, PRE_GUEST, gpa=0)  # in the hole between two regions of memory
    before = fw.table.entry(SOURCE >> 12), fw.table.entry(0x4000)

    status = fw.command(
        CommandId.SNP_PAGE_MOVE, Move(gctx_paddr=GCTX, src_paddr=SOURCE, dst_paddr=0x400_0000)
    )

    assert status == Status.INVALID_CONFIG
    assert (fw.table.entry(SOURCE >> 12), fw.table.entry(0x4000)) == before


@pytest.mark.parametrize(
    ("fields", "lo", "status"),
    [
        ({"policy": 0x30000}, PRE_SWAP, "POLICY_FAILURE"),
        ({"policy": DEBUG, "active": False}, PRE_SWAP, "INACTIVE"),
        ({"policy": DEBUG}, PRE_SWAP + (1 << 51), "INVALID_PAGE_OWNER"),
        ({"policy": DEBUG}, FIRMWARE_LO, "INVALID_PAGE_STATE"),
    ],
)
def test_what_may_not_be_debugged_is_not(fields, lo, status):
    fw = Bench()
    owner = guest(fw)
    for name, value in fields.items():
        setattr(owner, name, value)
    fw.table.set(SOURCE >> 12, lo, 0)
    fw.own(TARGET)

    got = fw.command(
        CommandId.SNP_DBG_DECRYPT, Dbg(gctx_paddr=GCTX, src_paddr=SOURCE, dst_paddr=TARGET)
    )

    assert got.name == status
