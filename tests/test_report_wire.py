"""Attestation reports: real ones against the values noted beside them, and who made them."""

import json
import os
from pathlib import Path

import pytest

from snpwire.errors import EncodeError, UsageError
from snpwire.product import TcbLayout, decide, product_named
from snpwire.wire.report import (
    SIGNED,
    GuestPolicy,
    KeyInfo,
    PlatformInfo,
    Report,
    Signature,
    SignatureAlgo,
    SigningKey,
)
from snpwire.wire.tcb import PRODUCTS, TcbClassic, TcbTurin, product_of

FOLDER = Path(os.environ.get("SNPWIRE_VECTORS", "")) / "reports"
EXPECTED = (
    json.loads((FOLDER / "expected.json").read_text())
    if (FOLDER / "expected.json").is_file()
    else {}
)
real = pytest.mark.skipif(not EXPECTED, reason="real reports: SNPWIRE_VECTORS names no folder")
each = pytest.mark.parametrize("name", sorted(EXPECTED))

BYTES = [
    "report_data",
    "measurement",
    "host_data",
    "id_key_digest",
    "author_key_digest",
    "report_id",
    "report_id_ma",
    "chip_id",
]
NUMBERS = ["version", "guest_svn", "vmpl", "signature_algo"]
HEX = ["platform_info", "launch_mit_vector", "current_mit_vector"]
TCBS = ["current_tcb", "reported_tcb", "committed_tcb", "launch_tcb"]
VERSIONS = ["current", "committed"]
RENAMED = {"bootloader": "boot_loader", "rsvd_mb1": "reserved_must_be_one"}
OTHERS = {
    "policy",
    "key_info",
    "cpuid_fam_mod_step",
    "sig_r_be",
    "sig_s_be",
    *(f"{which}_version" for which in VERSIONS),
}
OUTSIDE = {"product", "cert", "signature"}  # of the certificate, not of the report


def image(name):
    data = (FOLDER / name).read_bytes()
    return bytes.fromhex(data.decode()) if name.endswith(".hex") else data


def chip(used):
    return bytes(range(1, used + 1)) + bytes(64 - used)


# Real reports


@real
@each
def test_a_real_report_is_built_to_the_same_bytes(name):
    data = image(name)

    assert Report.parse(data).build() == data
    assert Report.from_plain(Report.parse(data).to_plain()).build() == data


@real
@each
def test_every_expected_field_is_compared(name):
    assert EXPECTED[name].keys() == {*BYTES, *NUMBERS, *HEX, *TCBS, *OTHERS, *OUTSIDE}


@real
@each
def test_a_real_report_has_the_expected_fields(name):
    report, expected = Report.parse(image(name)), EXPECTED[name]
    cpuid = bytes((report.cpuid_fam_id, report.cpuid_mod_id, report.cpuid_step))

    for field in BYTES:
        assert getattr(report, field).hex() == expected[field], field
    for field in NUMBERS:
        assert getattr(report, field) == expected[field], field
    for field in HEX:
        assert getattr(report, field) == int(expected[field], 16), field
    for field in VERSIONS:
        parts = (getattr(report, f"{field}_{part}") for part in ("major", "minor", "build"))
        assert ".".join(map(str, parts)) == expected[f"{field}_version"], field
    assert cpuid.hex() == expected["cpuid_fam_mod_step"]
    assert report.signature.r_number == int(expected["sig_r_be"], 16)
    assert report.signature.s_number == int(expected["sig_s_be"], 16)


@real
@each
def test_a_real_report_has_the_expected_bits(name):
    report, expected = Report.parse(image(name)), EXPECTED[name]

    for word, bits in (
        (report.policy, expected["policy"]),
        (report.key_info, expected["key_info"]),
    ):
        assert word == int(bits["raw"], 16)
        for bit in bits.keys() - {"raw"}:
            assert getattr(word, RENAMED.get(bit, bit)) == bits[bit], bit


@real
@each
def test_a_real_report_has_the_expected_tcb_components(name):
    report, expected = Report.parse(image(name)), EXPECTED[name]
    decision = decide(report)
    forced = decide(report, product=expected["product"])

    assert decision.layout is forced.layout
    assert not decision.assumed
    assert forced.reason == "as asked for"
    for field in TCBS:
        tcb = decision.tcb(getattr(report, field))
        parts = {RENAMED.get(part, part): value for part, value in expected[field].items()}

        assert {part: getattr(tcb, part) for part in tcb.BITS} == parts, field
        assert tcb.unknown == 0


@real
@each
def test_a_real_report_from_version_3_on_names_its_product(name):
    report = Report.parse(image(name))
    product = decide(report).product

    assert (product and product.name) == (
        EXPECTED[name]["product"] if report.version >= 3 else None
    )


@real
def test_a_real_turin_report_has_a_bit_that_nobody_named():
    report = Report.parse(image("ms-tee-av--turin_attestation_report.bin"))

    assert report.platform_info.names() == ["smt_en", "ecc_en", "alias_check_complete", "bit_6"]


# The record


def test_the_signature_covers_all_that_comes_before_it():
    tile = Report.tile("signature")

    assert (tile.offset, tile.end) == (SIGNED, Report.SIZE) == (0x2A0, 0x4A0)


def test_what_a_report_does_not_name_is_kept():
    data = bytes(range(256)) * 4 + bytes(range(0xA0))
    report = Report.parse(data)

    assert report.build() == data
    assert report.signature_algo == 0x37363534
    assert not report.signature_algo.known
    assert report.policy.unknown == 0x0F0E0D0C_08000000
    assert report.reserved_0x04c == data[0x4C:0x50]


def test_a_signature_is_made_of_two_numbers():
    signature = Signature.of(0x0102, 1 << 383)

    assert signature.r == b"\x02\x01" + bytes(70)
    assert (signature.r_number, signature.s_number) == (0x0102, 1 << 383)
    assert signature.build()[0x48:0x78] == bytes(47) + b"\x80"
    with pytest.raises(EncodeError) as caught:
        Signature.of(0, 1 << 576)
    assert str(caught.value) == "Signature.s at 0x048: the number does not fit 72 bytes"
    with pytest.raises(EncodeError, match=r"^Signature.r at 0x000: the number does not fit"):
        Signature.of(-1, 0)


def test_policy_platform_and_keys_have_their_bits():
    policy = GuestPolicy.of(abi_major=1, abi_minor=0x37, smt=1, reserved_must_be_one=1)
    keys = KeyInfo(0b1_1110)

    assert policy == 0x3_0137
    assert GuestPolicy.of(page_swap_disable=1) == 1 << 25
    assert PlatformInfo.from_plain(["tio_en", "bit_6"]) == 0xC0
    assert (keys.author_key_en, keys.mask_chip_key, keys.signing_key) == (0, 1, SigningKey.NONE)
    assert KeyInfo(0b1000).signing_key.to_plain() == 2
    assert SignatureAlgo(1) is SignatureAlgo.ECDSA_P384_SHA384


# Which product


@pytest.mark.parametrize(
    ("family", "model", "name"),
    [
        (0x19, 0x00, "Milan"),
        (0x19, 0x0F, "Milan"),
        (0x19, 0x11, "Genoa"),
        (0x19, 0x20, None),
        (0x19, 0xA0, "Genoa"),
        (0x19, 0xAF, "Genoa"),
        (0x1A, 0x02, "Turin"),
        (0x1A, 0x11, "Turin"),
        (0x1A, 0x12, None),
        (0x1A, 0x57, "Venice"),
        (0x1A, 0x90, "Venice"),
        (0x1A, 0xC7, "Venice"),
        (0x17, 0x31, None),
    ],
)
def test_family_and_model_name_the_product(family, model, name):
    product = product_of(family, model)

    assert (product and product.name) == name


def test_products_do_not_overlap():
    ranges = [(p.family, a, b) for p in PRODUCTS for a, b in p.models]

    for family, first, last in ranges:
        assert [r for r in ranges if r[0] == family and r[1] <= last and r[2] >= first] == [
            (family, first, last)
        ]


def test_the_two_layouts_order_the_components_differently():
    classic = TcbClassic.of(boot_loader=1, tee=2, snp=3, microcode=4)
    turin = TcbTurin.of(fmc=5, boot_loader=1, tee=2, snp=3, microcode=4)

    assert classic.to_bytes(8, "little").hex() == "0102000000000304"
    assert turin.to_bytes(8, "little").hex() == "0501020300000004"
    assert TcbLayout.CLASSIC.word is TcbClassic
    assert TcbLayout.TURIN.word is TcbTurin


CHOICES = [
    (
        Report(version=3, cpuid_fam_id=0x19, cpuid_mod_id=0x11, chip_id=chip(64)),
        "Genoa",
        "classic",
        "the report has CPUID family 0x19 model 0x11",
        False,
    ),
    (  # version 5 does not make it a Turin, nor does a masked chip id unmake it
        Report(version=5, cpuid_fam_id=0x19, cpuid_mod_id=0x01),
        "Milan",
        "classic",
        "the report has CPUID family 0x19 model 0x1",
        False,
    ),
    (
        Report(version=9, cpuid_fam_id=0x1A, cpuid_mod_id=0x02, chip_id=chip(8)),
        "Turin",
        "turin",
        "the report has CPUID family 0x1a model 0x2",
        False,
    ),
    (
        Report(version=3, cpuid_fam_id=0x19, cpuid_mod_id=0x30, chip_id=chip(64)),
        None,
        "classic",
        "CPUID family 0x19 model 0x30 is no product that is known; "
        "the order assumed is that of Milan and Genoa",
        True,
    ),
    (
        Report(version=6, cpuid_fam_id=0x1B, cpuid_mod_id=0x00, chip_id=chip(8)),
        None,
        "turin",
        "CPUID family 0x1b model 0x0 is no product that is known; "
        "the order assumed is Turin's, as of all later ones known",
        True,
    ),
    (
        Report(version=2, chip_id=chip(64)),
        None,
        "classic",
        "version 2 has no CPUID family; a chip id of more than 8 bytes is Milan's or Genoa's",
        False,
    ),
    (
        Report(version=2, chip_id=chip(8)),
        "Turin",
        "turin",
        "version 2 has no CPUID family; a chip id of 8 bytes is Turin's",
        False,
    ),
    (
        Report(version=2),
        None,
        "classic",
        "version 2 has no CPUID family and the chip id is masked; "
        "the order assumed is that of Milan and Genoa",
        True,
    ),
]


@pytest.mark.parametrize(("report", "name", "layout", "reason", "assumed"), CHOICES)
def test_a_layout_is_decided_with_a_reason(report, name, layout, reason, assumed):
    decision = decide(report)

    assert (decision.product and decision.product.name) == name
    assert decision.layout == layout
    assert decision.reason == reason
    assert decision.assumed is assumed


def test_a_product_can_be_forced_and_a_contradiction_is_said():
    milan = Report(version=3, cpuid_fam_id=0x19, cpuid_mod_id=0x01)
    unknown = milan.replace(cpuid_mod_id=0x77)

    assert decide(milan, product="milan").reason == "as asked for"
    assert decide(milan, product="TURIN") == (
        product_named("Turin"),
        TcbLayout.TURIN,
        "as asked for, though CPUID family 0x19 model 0x1 is Milan",
        False,
    )
    assert decide(unknown, product="Genoa").reason == (
        "as asked for, though CPUID family 0x19 model 0x77 is a product that is not known"
    )
    assert decide(Report(version=2), product="Turin").reason == "as asked for"


def test_a_forced_product_must_exist():
    with pytest.raises(UsageError) as caught:
        decide(Report(), product="Turing")
    assert str(caught.value) == "there is no product 'Turing'"
    assert caught.value.help == "did you mean turin?"
    with pytest.raises(UsageError) as caught:
        product_named("Zen")
    assert caught.value.help == "products are: milan genoa turin venice"
