"""Every value of the GHCB MSR is a word, and requests have responses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.errors import EncodeError
from snpwire.wire import msr
from snpwire.wire.msr import REQUESTS, RESPONSE_OF, RESPONSES, WORDS, Msr, MsrInfo, MsrWord, word_of
from snpwire.wire.operands import TermAmdeseSvsm, TermLinux, TermSpec

ANY = st.integers(0, (1 << 64) - 1)
VENDOR = {info for info in MsrInfo if info >= 0xF00}

WORKED = [
    (0x0002000133000001, "SEV_INFO_RESP", {"max_version": 2, "min_version": 1, "c_bit": 51}),
    (0x8000001F40000004, "CPUID_REQ", {"function": 0x8000001F, "register": "EBX"}),
    (0x0010000012345014, "PSC_REQ", {"gfn": 0x12345, "operation": "PRIVATE"}),
    (0x0020000012345014, "PSC_REQ", {"gfn": 0x12345, "operation": "SHARED"}),
    (0x8000000000000015, "PSC_RESP", {"error_code": 0x80000000}),
    (0x0000000000003081, "HV_FEATURES_RESP", {"features": 3}),
    (0x0000000000011100, "TERM_REQ", {"reason_set": "LINUX", "reason_code": 1}),
    (0xFFFFFFFFFFFFF011, "PREF_GHCB_GPA_RESP", {"gfn": msr.NO_PREFERENCE}),
    (0x000000000123F000, "GHCB_GPA", {"gfn": 0x123F}),
    (0x000000000123F012, "REG_GHCB_GPA_REQ", {"gfn": 0x123F}),
    (0x0000000200000016, "RUN_VMPL_REQ", {"vmpl": 2}),
    (0x0000000000001007, "AP_RESET_HOLD_RESP", {"result": 1}),
    (0x0000000000000080, "HV_FEATURES_REQ", {}),
]


@pytest.mark.parametrize(("value", "info", "fields"), WORKED, ids=str)
def test_a_worked_value_reads_and_builds(value, info, fields):
    word = word_of(value)
    plain = {name: word.BITS[name].plain(word) for name in word.BITS}

    assert plain == {"info": info, **fields}
    assert type(word).of(info=info, **fields) == value
    assert Msr.parse(value.to_bytes(8, "little")).value == value


@given(ANY)
def test_every_value_is_a_word_and_stays_itself(value):
    word = word_of(value)

    assert word == value
    assert word.BITS["info"].value(word) == value & 0xFFF
    assert Msr(value=word).build() == value.to_bytes(8, "little")


@given(st.integers(0, (1 << 52) - 1), st.integers(0, 0xFFF).filter(lambda info: info not in WORDS))
def test_an_unknown_message_keeps_its_data(data, info):
    word = word_of(data << 12 | info)

    assert type(word) is MsrWord
    assert (word.info, word.data) == (info, data)


@pytest.mark.parametrize("info", MsrInfo, ids=lambda info: info.name)
def test_a_message_has_a_layout_or_nobody_gives_one(info):
    assert (info in WORDS) != (info in VENDOR or info is MsrInfo.RESERVED_AP_JUMP_TABLE)


@pytest.mark.parametrize(("info", "word"), WORDS.items(), ids=str)
def test_a_layout_is_named_after_its_message(info, word):
    name = "Msr" + info.name.title().replace("_", "")

    assert word.__name__ == name
    assert word.BITS["info"].kind is MsrInfo


def test_a_message_goes_one_way():
    assert not REQUESTS & RESPONSES
    assert WORDS.keys() == REQUESTS | RESPONSES


@pytest.mark.parametrize(("request_", "response"), RESPONSE_OF.items(), ids=lambda part: part.name)
def test_a_response_is_named_after_its_request(request_, response):
    assert response.name == request_.name.removesuffix("REQ") + "RESP"


def test_requests_without_a_response_are_the_page_and_the_end():
    assert REQUESTS - RESPONSE_OF.keys() == {MsrInfo.GHCB_GPA, MsrInfo.TERM_REQ}


def test_features_are_read_in_place():
    assert word_of(0x3081).flags.names() == ["snp", "snp_ap_creation"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0x00100, TermSpec.GENERAL),
        (0x20100, TermSpec.SNP_FEATURES_UNSUPPORTED),
        (0x11100, TermLinux.PSC),
        (0x5F100, TermAmdeseSvsm.NO_GHCB),
        (0xFF1100, TermLinux(0xFF)),
        (0x52100, 5),
    ],
)
def test_a_termination_names_its_reason(value, reason):
    found = word_of(value).reason

    assert found == reason
    assert isinstance(found, type(reason))


def test_kvm_fails_a_page_state_change_with_the_top_bit_alone():
    word = word_of(msr.KVM_PSC_FAILED)

    assert word.info is MsrInfo.PSC_RESP
    assert word.error_code == 0x80000000


def test_a_field_that_does_not_fit_names_itself():
    with pytest.raises(EncodeError) as caught:
        msr.MsrPscReq.of(gfn=1 << 40)

    assert caught.value.path == "gfn"
    assert str(caught.value) == (
        "MsrPscReq.gfn: 0x10000000000 does not fit 40 bits (at most 0xffffffffff)"
    )


def test_bits_without_a_name_are_kept():
    word = word_of(0x0100000012345014)

    assert word.unknown == 1 << 56
