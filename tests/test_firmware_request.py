"""SNP_GUEST_REQUEST: the checks around a message, and reports and keys inside."""

import pytest
from secure import GCTX, KEYS, REQUEST, RESPONSE, VMSA, Bench, sealed

from snpwire.crypto.kdf import VLEK_LABEL, key_pair
from snpwire.crypto.sealing import Vmpck, open_message
from snpwire.crypto.signing import check_report
from snpwire.crypto.x509 import EcKey
from snpwire.engine.profile import NAMES
from snpwire.rmp.entry import FIRMWARE_LO
from snpwire.wire.key import KeyReq, KeyRsp
from snpwire.wire.launch import IdBlock
from snpwire.wire.message import MsgType
from snpwire.wire.migration import GuestState
from snpwire.wire.platform import PlatformState
from snpwire.wire.report import ReportReq, ReportRsp, SigningKey
from snpwire.wire.status import Status

REPORT = ReportReq(report_data=b"asked".ljust(64, b"\0"))


def reported(fw, request=REPORT, **how):
    header, payload = fw.ask(MsgType.REPORT_REQ, request, **how)
    assert header.msg_type == MsgType.REPORT_RSP
    return ReportRsp.parse(payload)


@pytest.mark.parametrize("name", NAMES)
def test_a_report_states_the_profile_and_verifies_with_the_chips_key(name):
    fw = Bench(name)
    fw.running(ld=b"\x11" * 48, host_data=b"\x22" * 32)

    response = reported(fw)

    report, profile = response.report, fw.profile
    numbers = fw.chip.vcek().public_key().public_numbers()
    check_report(report.build(), EcKey(numbers.x, numbers.y))
    assert response.status == Status.SUCCESS
    assert report.report_data.rstrip(b"\0") == b"asked"
    assert report.version == profile.report_version
    assert report.current_tcb == report.committed_tcb == report.reported_tcb == profile.tcb
    assert report.measurement == b"\x11" * 48
    named = (report.cpuid_fam_id, report.cpuid_mod_id, report.cpuid_step)
    assert named == (profile.cpuid_bytes if profile.report_version > 2 else (0, 0, 0))
    assert any(report.chip_id[8:]) == (name != "turin")
    assert report.current_mit_vector == profile.mitigations


def test_each_field_of_a_report_holds_what_it_is_named_for():
    """All values differ, so that two that changed places would be found."""
    fw = Bench("turin")
    chip, profile = fw.chip, fw.profile
    of_guest = {
        "policy": 0x3_0001,
        "ld": b"ld" * 24,
        "host_data": b"hd" * 16,
        "id_key_digest": b"id" * 24,
        "author_key_digest": b"au" * 24,
        "report_id": b"ri" * 16,
        "report_id_ma": b"ma" * 16,
        "launch_tcb": 0x1111,
        "launch_mit_vector": 0x2222,
        "author_key_en": True,
        "id_block": IdBlock(guest_svn=0x3333, family_id=b"f" * 16, image_id=b"i" * 16),
    }
    fw.running(**of_guest)
    chip.running_version, chip.committed_version = (1, 58, 9), (2, 57, 8)
    chip.current_tcb, chip.committed_tcb, chip.config_tcb = 0x4444, 0x5555, 0x6666

    report = reported(fw, ReportReq(report_data=b"rd" * 32, vmpl=3)).report

    same = ("policy", "host_data", "id_key_digest", "author_key_digest", "report_id")
    same += ("report_id_ma", "launch_tcb", "launch_mit_vector")
    assert {name: getattr(report, name) for name in same} == {n: of_guest[n] for n in same}
    assert (report.version, report.vmpl, report.signature_algo) == (5, 3, 1)
    assert (report.guest_svn, report.family_id, report.image_id) == (0x3333, b"f" * 16, b"i" * 16)
    assert (report.measurement, report.report_data) == (b"ld" * 24, b"rd" * 32)
    assert (report.current_tcb, report.committed_tcb, report.reported_tcb) == (
        (0x4444, 0x5555, 0x6666)
    )
    assert (report.current_major, report.current_minor, report.current_build) == (1, 58, 9)
    assert (report.committed_major, report.committed_minor, report.committed_build) == (2, 57, 8)
    cpuid = (report.cpuid_fam_id, report.cpuid_mod_id, report.cpuid_step)
    assert cpuid == profile.cpuid_bytes
    assert len({*cpuid}) == 3
    assert (report.platform_info, report.chip_id) == (chip.platform_info, chip.id)
    assert report.current_mit_vector == profile.mitigations != report.launch_mit_vector
    assert report.key_info.author_key_en
    assert report.key_info.signing_key == SigningKey.VCEK


def test_counts_of_four_keys_are_independent():
    fw = Bench()
    guest = fw.running()

    for vmpck in (0, 3, 0, 1, 3, 3):
        fw.ask(MsgType.REPORT_REQ, REPORT.replace(vmpl=3), vmpck=vmpck)

    assert guest.counts == [4, 2, 0, 6]


def test_a_masked_chip_key_leaves_a_report_unsigned_and_refuses_a_derived_key():
    fw = Bench()
    fw.running()
    fw.chip.mask_chip_key = True

    response = reported(fw)
    _, payload = fw.ask(MsgType.KEY_REQ, KeyReq())

    assert response.status == Status.SUCCESS
    assert response.report.key_info.signing_key == SigningKey.NONE
    assert not any(response.report.signature.build())
    assert KeyRsp.parse(payload).status == Status.INVALID_KEY


def test_a_loaded_vlek_signs_unless_the_vcek_is_asked_for():
    fw = Bench()
    fw.running()
    fw.chip.vlek = b"\x33" * 48

    by_default, by_choice = reported(fw), reported(fw, REPORT.replace(select=1))

    numbers = key_pair(fw.chip.vlek, VLEK_LABEL).public_key().public_numbers()
    check_report(by_default.report.build(), EcKey(numbers.x, numbers.y))
    assert by_default.report.key_info.signing_key == SigningKey.VLEK
    assert by_choice.report.key_info.signing_key == SigningKey.VCEK


def test_a_replayed_message_is_out_of_step_and_a_changed_one_does_not_open():
    fw = Bench()
    guest = fw.running()
    message = sealed(MsgType.REPORT_REQ, REPORT, 1)
    assert fw.send(message) == Status.SUCCESS

    again = fw.send(message)
    changed = fw.send(bytes([message[0] ^ 1]) + message[1:])

    assert again == Status.AEAD_OFLOW
    assert changed == Status.BAD_MEASUREMENT
    assert guest.counts[0] == 2


def test_a_response_that_cannot_be_written_uses_its_number_and_one_that_crosses_its_page_does_not():
    fw = Bench()
    guest = fw.running()
    fw.own(0x400_0000)  # in the hole between two regions of memory

    crossing = fw.send(sealed(MsgType.REPORT_REQ, REPORT, 1), response=RESPONSE + 0xF00)
    nowhere = fw.send(sealed(MsgType.REPORT_REQ, REPORT, 1), response=0x400_0000)

    assert (crossing, nowhere) == (Status.INVALID_PARAM, Status.INVALID_CONFIG)
    assert guest.counts[0] == 2


def test_a_short_request_goes_on_in_memory_that_is_zero():
    fw = Bench()
    fw.running()

    _, short = fw.ask(MsgType.KEY_REQ, bytes(16))
    _, whole = fw.ask(MsgType.KEY_REQ, bytes(32))

    assert short == whole


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda fw: setattr(fw.chip, "state", PlatformState.UNINIT), "INVALID_PLATFORM_STATE"),
        (lambda fw: fw.own(GCTX), "INVALID_GUEST"),
        (lambda fw: fw.own(RESPONSE, lo=0), "INVALID_PAGE_STATE"),
        (lambda fw: fw.own(RESPONSE, lo=FIRMWARE_LO | 2), "INVALID_PAGE_SIZE"),
        (lambda fw: fw.own(REQUEST, lo=2), "INVALID_PAGE_SIZE"),
        (lambda fw: setattr(fw.contexts[6], "state", GuestState.LAUNCH), "INVALID_GUEST_STATE"),
        (lambda fw: fw.own(GCTX, lo=FIRMWARE_LO | VMSA | 2), "SUCCESS"),
        (lambda fw: fw.own(REQUEST, lo=FIRMWARE_LO), "SUCCESS"),
    ],
)
def test_pages_and_states_are_checked_before_the_message(change, status):
    fw = Bench()
    guest = fw.running()
    change(fw)

    got = fw.send(sealed(MsgType.REPORT_REQ, REPORT, 1))

    assert got.name == status
    assert guest.counts[0] == (2 if not got else 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"algo": 0},
        {"hdr_version": 2},
        {"hdr_size": 0x61},
        {"msg_version": 0},
        {"msg_version": 2},
        {"msg_type": MsgType.REPORT_RSP},
        {"msg_type": MsgType.TIO_TDI_INFO_REQ},
        {"msg_vmpck": 4},
    ],
    ids=str,
)
def test_a_header_that_is_wrong_is_refused(fields):
    fw = Bench()
    guest = fw.running()

    assert fw.send(sealed(MsgType.REPORT_REQ, REPORT, 1, **fields)) == Status.INVALID_PARAM
    assert guest.counts == [0, 0, 0, 0]


def test_a_refused_report_is_a_response_that_is_sealed_and_numbered():
    fw = Bench()
    guest = fw.running()

    _, payload = fw.ask(MsgType.REPORT_REQ, REPORT.replace(vmpl=0), vmpck=1)

    response = ReportRsp.parse(payload)
    assert response.status == Status.INVALID_PARAM
    assert response.report_size == 0x4A0
    assert not any(response.report.build())
    assert guest.counts == [0, 2, 0, 0]


def test_a_request_in_private_memory_reads_as_noise():
    fw = Bench()
    fw.running()
    fw.memory.install(5, b"the guest's")
    message = sealed(MsgType.REPORT_REQ, REPORT, 1)
    assert fw.send(message) == Status.SUCCESS
    fw.memory.write(REQUEST, sealed(MsgType.REPORT_REQ, REPORT, 3), 5)

    words = (GCTX, REQUEST, RESPONSE)
    status = fw.command(0x94, b"".join(word.to_bytes(8, "little") for word in words))

    assert status == Status.INVALID_PARAM
    raw = fw.memory.read(REQUEST, 0x1000, 5)
    assert open_message(Vmpck(KEYS[0]), raw)[0].msg_seqno == 3
