"""Guest messages: the header, the table of messages, and every payload.

The real rows are requests made for this project and what AMD's published firmware answered.
"""

import gzip
import json
import os
from pathlib import Path

import pytest

from snpwire.block import Block
from snpwire.errors import DecodeError, EncodeError
from snpwire.wire import RECORDS, payload_type
from snpwire.wire.cpuid import (
    MAX_FUNCTIONS,
    CpuidFunction,
    CpuidPage,
    CpuidReq,
    CpuidReqHead,
    CpuidRsp,
)
from snpwire.wire.key import (
    GuestFieldSelect,
    KeyReq,
    KeyReqV2,
    KeyRsp,
    KeySel,
    KeySelect,
    RootKeySelect,
)
from snpwire.wire.launch import Curve, IdAuth, IdBlock, IdKey
from snpwire.wire.message import (
    AAD_END,
    AAD_START,
    MESSAGES,
    PAYLOAD_MAX,
    REQUEST_OF,
    Aead,
    Header,
    MessagePage,
    MsgType,
    padded,
)
from snpwire.wire.migration import (
    CONTEXT_SIZE,
    AbsorbNomaReq,
    AbsorbReq,
    ContextFlags,
    ExportReq,
    ExportRsp,
    GuestContext,
    GuestState,
    ImportReq,
    MetadataEntry,
    MetadataMdata,
    StatusRsp,
    VmrkReq,
)
from snpwire.wire.report import Report, ReportReq, ReportRsp, ReportSelect
from snpwire.wire.secrets import OsArea, SecretsPage
from snpwire.wire.status import Status
from snpwire.wire.tsc import TscInfoReq, TscInfoRsp

ROWS = Path(os.environ.get("SNPWIRE_VECTORS", "")) / "firmware" / "guest_request.jsonl.gz"
real = pytest.mark.skipif(not ROWS.is_file(), reason="real messages: SNPWIRE_VECTORS names none")

HEADER = {  # names that the rows have, by those that the record has
    "auth_tag": "tag",
    "msg_seqno": "seqno",
    "msg_vmpck": "vmpck",
    **{
        name: name
        for name in ("algo", "hdr_version", "hdr_size", "msg_type", "msg_version", "msg_size")
    },
}
CONTEXT = [  # fields of an exported context that the rows name alike
    "ld",
    "oek",
    *(f"vmpck{n}" for n in range(4)),
    "vmrk",
    "host_data",
    "id_key_digest",
    "author_key_digest",
    "report_id",
    "imd",
    "policy",
    "oek_iv_count",
    "gosvw",
    "desired_tsc_freq",
    "psp_tsc_offset",
    "launch_tcb",
]


@pytest.fixture(scope="module")
def rows():
    with gzip.open(ROWS, "rt") as lines:
        return [json.loads(line) for line in lines]


def same(value, expected):
    return value.hex() == expected if isinstance(value, bytes) else value == expected


def answered(rows, msg_type):
    """Yield the rows whose answer is of this type, with the payload."""
    for row in rows:
        if row["expect"].get("response_header", {}).get("msg_type") == msg_type:
            yield row, bytes.fromhex(row["expect"]["response_payload"])


def succeeded(rows, msg_type):
    return [
        (row, payload)
        for row, payload in answered(rows, msg_type)
        if row["expect"]["payload_status"] == 0
    ]


# Real messages


@real
def test_real_headers_have_their_fields(rows):
    for row in rows:
        image = bytes.fromhex(row["request_page"])[: Header.SIZE].ljust(Header.SIZE, b"\0")
        header = Header.parse(image)
        for field, name in HEADER.items():
            assert same(getattr(header, field), row["request_header"][name]), (row["name"], field)
        gaps = "".join(value.hex() for tile, value in header.values() if tile.gap)
        expected = row["request_header"]
        res2, res3 = expected["res2"].to_bytes(4, "little"), expected["res3"]
        assert gaps == (
            expected["res0"] + res2.hex() + f"{res3:02x}" + expected["res4"] + expected["res5"]
        )


@real
def test_real_answers_are_those_of_the_table(rows):
    seen = set()
    for row in rows:
        request, response = row["request_header"], row["expect"].get("response_header")
        if not response:
            continue
        message = MESSAGES[MsgType(request["msg_type"])]
        kind = payload_type(response["msg_type"])
        payload = bytes.fromhex(row["expect"]["response_payload"])
        value = kind.parse(payload[: kind.SIZE])

        assert message.response == response["msg_type"]
        assert response["msg_version"] in message.reply_versions
        assert response["msg_size"] == len(payload) == message.reply_size
        assert value.status == row["expect"]["payload_status"]
        assert value.build() + bytes(len(payload) - kind.SIZE) == payload
        seen.add(message.request)
    assert seen == set(MESSAGES) - {MsgType.CPUID_REQ}  # the rows have none of that


@real
def test_real_reports_are_about_their_guest(rows):
    reports = succeeded(rows, MsgType.REPORT_RSP)

    assert reports
    for row, payload in reports:
        value = ReportRsp.parse(payload)
        request = ReportReq.parse(bytes.fromhex(row["request_payload_plain"])[: ReportReq.SIZE])
        report, guest, platform = value.report, row["gctx"], row["platform"]

        assert value.report_size == Report.SIZE
        assert (report.version, report.vmpl) == (2, request.vmpl)
        assert report.report_data == request.report_data
        for field in ("policy", "host_data", "report_id", "report_id_ma", "launch_tcb"):
            assert same(getattr(report, field), guest[field]), field
        assert report.measurement.hex() == guest["ld"]
        assert report.guest_svn == guest["id_block_guest_svn"]
        assert report.family_id.hex() == guest["id_block_family_id"]
        assert report.image_id.hex() == guest["id_block_image_id"]
        assert report.key_info.author_key_en == guest["author_key_en"]
        assert report.key_info.mask_chip_key == platform["mask_chip_key"]
        assert report.platform_info.has("smt_en") == platform["smt_en"]
        assert report.committed_tcb == platform["committed_tcb"]
        assert report.committed_build == platform["committed_build_id"]
        assert report.chip_id.hex() == (
            "00" * 64 if platform["mask_chip_id"] else platform["chip_id"]
        )


@real
def test_real_contexts_are_those_of_their_guest(rows):
    exports = succeeded(rows, MsgType.EXPORT_RSP)

    assert exports
    for row, payload in exports:
        value = ExportRsp.parse(payload[: ExportRsp.SIZE])
        guest = row.get("target_gctx", row["gctx"])

        assert (value.gctx_size, value.gctx_version) == (CONTEXT_SIZE, 3)
        assert value.gctx.state is GuestState.RUNNING
        for field in CONTEXT:
            assert same(getattr(value.gctx, field), guest[field]), (row["name"], field)
        for flag in ("id_block_en", "author_key_en", "vcek_dis"):
            assert value.gctx.flags.has(flag) == guest[flag], (row["name"], flag)
        assert value.gctx.id_block.ld.hex() == guest["id_block_ld"]
        assert value.gctx.id_block.policy == guest["id_block_policy"]


# The header and the table


def test_a_header_has_its_fields_where_the_synthetic_message_has_them():
    # AAD of messages sealed elsewhere: REPORT_REQ, version 1, 0x60 bytes, key 0
    aad = bytes.fromhex("0101600005016000") + bytes(40)
    header = Header(
        msg_seqno=1,
        algo=Aead.AES_256_GCM,
        hdr_version=1,
        hdr_size=Header.SIZE,
        msg_type=MsgType.REPORT_REQ,
        msg_version=1,
        msg_size=ReportReq.SIZE,
    )

    assert header.build()[AAD_START:AAD_END] == aad
    assert header.build()[0x20:0x28] == b"\x01" + bytes(7)
    assert header.replace(msg_vmpck=3).build()[0x3C] == 3


def test_a_page_is_a_header_and_what_fills_the_page():
    page = MessagePage(header=Header(msg_type=MsgType.KEY_REQ))

    assert len(page.payload) == PAYLOAD_MAX == 0x1000 - Header.SIZE
    assert MessagePage.parse(bytes(0x34) + b"\x7f" + bytes(0xFCB)).header.msg_type == 0x7F
    assert page.to_plain()["header"]["msg_type"] == "KEY_REQ"


def test_every_request_is_odd_and_its_response_is_the_next():
    for request, message in MESSAGES.items():
        assert request % 2 == 1
        assert message.response == request + 1
        assert message.response.name == message.request.name.replace("REQ", "RSP")
        assert REQUEST_OF[message.response] is message
    drafts = {kind for kind in MsgType if kind.name.startswith("TIO_")}
    assert set(MsgType) == {*MESSAGES, *REQUEST_OF, *drafts, MsgType.INVALID}


def test_every_payload_of_the_table_exists_and_fits_a_page():
    for message in MESSAGES.values():
        for name in (*message.payloads.values(), message.reply):
            kind = RECORDS[name].type
            largest = kind.SIZE + (kind.MAX * kind.ELEMENT.size if issubclass(kind, Block) else 0)

            assert largest <= PAYLOAD_MAX, name
        reply = RECORDS[message.reply].type
        assert message.reply_size is None or message.reply_size >= reply.SIZE
        assert message.source


def test_type_and_version_name_the_payload():
    assert payload_type(MsgType.KEY_REQ) is KeyReq
    assert payload_type(MsgType.KEY_REQ, 2) is KeyReqV2
    assert payload_type(MsgType.KEY_REQ, 3) is None
    assert payload_type(MsgType.KEY_REQ, 0) is None
    assert payload_type(MsgType.KEY_RSP, 2) is KeyRsp
    assert payload_type(MsgType.ABSORB_NOMA_RSP) is StatusRsp
    assert payload_type(MsgType.TIO_SDTE_WRITE_REQ) is None
    assert payload_type(0x80) is None


def test_a_size_is_rounded_up_to_sixteen():
    assert [padded(size) for size in (0, 1, 16, KeyReqV2.SIZE)] == [0, 16, 16, 0x30]


# Payloads


def test_functions_are_counted():
    functions = [CpuidFunction(eax_in=1, eax=0xA10F11), CpuidFunction(eax_in=7, ebx=5)]
    value = CpuidReq(elements=functions)

    assert value.head == CpuidReqHead(count=2)
    assert len(value.build()) == 0x10 + 2 * 0x30
    assert value.build()[0x28:0x2C].hex() == "110fa100"
    assert CpuidReq.from_plain({"functions": [{"eax_in": 1, "eax": 0xA10F11}, {"eax_in": 7}]})
    assert CpuidReq.parse(value.build()) == value
    assert CpuidRsp(elements=functions).head.count == 2


def test_a_count_may_be_wrong_in_both_directions():
    more = CpuidReq.parse(CpuidReqHead(count=9).build() + bytes(0x30))
    less = CpuidReq.parse(CpuidReqHead(count=0).build() + bytes(0x30))
    many = CpuidReq.parse(CpuidReqHead(count=65).build() + bytes(65 * 0x30))

    assert (more.head.count, len(more.elements), more.rest) == (9, 1, b"")
    assert (less.elements, len(less.rest)) == ((), 0x30)
    assert (len(many.elements), len(many.rest)) == (MAX_FUNCTIONS, 0x30)
    with pytest.raises(EncodeError, match=r"functions at 0x010: there are at most 64 elements"):
        CpuidReq(elements=[CpuidFunction()] * 65)
    with pytest.raises(DecodeError, match=r"^CpuidReq: expected at least 16 bytes, got 15$"):
        CpuidReq.parse(bytes(15))


def test_the_cpuid_page_has_room_for_64_functions():
    page = CpuidPage.from_plain({"count": 1, "functions": [{"eax_in": 0x8000_001F, "eax": 0x1A}]})

    assert page.count == 1
    assert page.functions[0] == CpuidFunction(eax_in=0x8000_001F, eax=0x1A)
    assert page.build()[:0x14].hex() == "01000000" + "00" * 12 + "1f000080"
    assert page.build()[0x10:0xC10] == b"".join(part.build() for part in page.functions)


def test_both_versions_of_the_key_request_agree_on_what_they_share():
    fields = {
        "select": KeySelect.of(root_key_select="VMRK", key_sel=KeySel.VLEK),
        "guest_field_select": GuestFieldSelect.from_plain("guest_policy, launch_mit_vector"),
        "vmpl": 1,
        "guest_svn": 2,
        "tcb_version": 0x4405_0000_0000_0002,
    }
    old, new = KeyReq(**fields), KeyReqV2(**fields, launch_mit_vector=0x3F)

    assert old.build().hex() == (
        "0500000000000000" + "4100000000000000" + "0100000002000000" + "0200000000000544"
    )
    assert new.build() == old.build() + b"\x3f" + bytes(7)
    assert old.select.root_key_select is RootKeySelect.VMRK
    assert KeyRsp(status=0x27, derived_key=bytes(range(32))).build() == (
        b"\x27" + bytes(31) + bytes(range(32))
    )


def test_a_report_request_says_which_key_signs():
    request = ReportReq(report_data=b"\xaa" * 64, vmpl=3, select=ReportSelect.of(key_sel="VCEK"))

    assert request.build() == b"\xaa" * 64 + b"\x03\0\0\0\x01\0\0\0" + bytes(24)
    assert ReportSelect(3).key_sel.to_plain() == 3
    assert not ReportSelect(3).key_sel.known


def test_a_report_response_carries_the_report():
    response = ReportRsp(status=Status.INVALID_KEY, report_size=0x4A0, report=Report(version=2))

    assert response.build()[:8].hex() == "27000000a0040000"
    assert response.build()[0x20:] == Report(version=2).build()
    assert response.to_plain()["status"] == "INVALID_KEY"


def test_migration_messages_carry_the_context():
    context = GuestContext(
        root_md_entry=MetadataEntry(mdata=MetadataMdata.of(valid=1, gpa=0xFFFFF)),
        flags=ContextFlags.from_plain(["vcek_dis"]),
        state=GuestState.RUNNING,
        msg_count3=8,
    )
    image = context.build()
    given = {"in_gctx_size": CONTEXT_SIZE, "in_gctx_version": 3, "incoming_gctx": context}

    assert (image[0x1D8], image[0x200], image[0x220], image[0x230]) == (8, 1, 4, 2)
    for kind in (ImportReq, AbsorbReq):
        built = kind(gctx_paddr=0x1000, **given).build()
        assert built[:0x20].hex() == "0010000000000000" + "0003000003000000" + "00" * 16
        assert built[0x20:] == image
    assert AbsorbNomaReq(**given).build()[:0x10].hex() == "00" * 8 + "0003000003000000"
    assert AbsorbNomaReq.parse(b"\x01" + bytes(0x31F)).reserved_0x000 == b"\x01" + bytes(7)
    assert ExportRsp(gctx=context, gctx_size=CONTEXT_SIZE).build()[4:6].hex() == "0003"
    assert ExportReq(gctx_paddr=0x2000, select=1).build()[8] == 1
    assert VmrkReq(vmrk=b"\x11" * 32).build()[0x20:] == b"\x11" * 32
    assert StatusRsp(status=0x1B).to_plain() == {"status": "INVALID_MDATA_ENTRY"}


def test_a_tsc_request_says_nothing():
    assert TscInfoReq().to_plain() == {}
    assert TscInfoReq.FIELDS == ()
    assert TscInfoReq.parse(bytes(0x7F) + b"\x01").reserved_0x000[-1] == 1
    assert TscInfoRsp(guest_tsc_scale=1 << 32, tsc_factor=200).build()[:0x1C].hex() == (
        "00" * 8 + "0000000001000000" + "00" * 8 + "c8000000"
    )


# The secrets page, and what an owner signs


def test_sequence_numbers_have_two_readings():
    area = OsArea(msg_seqno_0=5, msg_seqno_2=0xFFFF_FFFF, msg_seqno_0_high=1, msg_seqno_3_high=2)
    image = SecretsPage(os_area=area).build()

    assert area.counts == (5, 0, 0xFFFF_FFFF, 0)
    assert area.wide_counts == (1 << 32 | 5, 0, 0xFFFF_FFFF, 2 << 32)
    assert (image[0xA0], image[0xB8], image[0xC4]) == (5, 1, 2)


def test_a_secrets_page_has_four_keys():
    keys = tuple(bytes([n]) * 32 for n in range(1, 5))
    page = SecretsPage(vmpck0=keys[0], vmpck1=keys[1], vmpck2=keys[2], vmpck3=keys[3])

    assert page.vmpcks == keys
    assert page.build()[0x20:0xA0] == b"".join(keys)
    assert SecretsPage(svsm_guest_vmpl=2, tsc_factor=200).build()[0x15C:0x161].hex() == "02000000c8"
    assert SecretsPage(launch_mit_vector=9).build()[0x168] == 9


def test_an_id_block_lies_as_it_is_signed():
    block = IdBlock(ld=b"\x01" * 48, version=1, guest_svn=2, policy=0x30000)

    assert block.build()[0x50:].hex() == "0100000002000000" + "0000030000000000"
    assert block.policy.smt == 1


def test_a_key_is_made_of_two_coordinates():
    key = IdKey.of(0x0102, 1 << 383)

    assert key.curve is Curve.P384
    assert key.build()[:8].hex() == "0200000002010000"
    assert (key.qx_number, key.qy_number) == (0x0102, 1 << 383)
    with pytest.raises(EncodeError, match=r"^IdKey.qy at 0x04c: the number does not fit 72 bytes"):
        IdKey.of(1, 1 << 600)


def test_keys_and_signatures_have_their_places_in_the_page():
    auth = IdAuth(id_key_algo=1, id_key=IdKey.of(1, 2), author_key=IdKey.of(3, 4))
    image = auth.build()

    assert image[0] == 1
    assert image[0x240:0x644] == auth.id_key.build()
    assert image[0x880:0xC84] == auth.author_key.build()
    assert (IdAuth.tile("id_block_sig").offset, IdAuth.tile("id_key_sig").offset) == (0x40, 0x680)
