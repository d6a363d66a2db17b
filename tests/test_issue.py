"""Certificates of the emulated chip: accepted with their own root, refused with AMD's."""

from datetime import UTC, datetime

import pytest
from cryptography.x509 import load_der_x509_certificate, load_der_x509_crl
from secure import Bench
from transcripts import call

from snpwire.crypto import emulated_ca as issue
from snpwire.crypto.amd_oids import endorsement
from snpwire.crypto.certificates import AMD_ROOTS, CertificateKind, kind_of, load, pin, product_in
from snpwire.crypto.policy import AppraisalPolicy
from snpwire.crypto.verify import verify
from snpwire.engine.profile import NAMES
from snpwire.wire.command_table import CommandId
from snpwire.wire.firmware import VlekLoad
from snpwire.wire.message import MsgType
from snpwire.wire.report import ReportReq, ReportRsp

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PROFILES = ("milan", "genoa", "turin")
UNMEASURED = AppraisalPolicy(allow=frozenset({"measurement"}))
"""The guest of a bench has no page that is measured."""


def started(profile, *, vlek=False):
    fw = Bench(profile)
    fw.running()
    if vlek:
        fw.memory.write(0x10_0000, fw.chip.wrapped_vlek())
        command = VlekLoad(length=0x10, vlek_wrapped_paddr=0x10_0000)
        assert fw.command(CommandId.SNP_VLEK_LOAD, command) == 0
    return fw


def report(fw):
    _, payload = fw.ask(MsgType.REPORT_REQ, ReportReq())
    return ReportRsp.parse(payload).report.build()


def judged(fw, *, own_root):
    documents = fw.chip.certificates()
    rows = [row for data in documents.values() for row in load(data)]
    roots = {pin(load(documents["ARK"])[0]): "TEST"} if own_root else AMD_ROOTS
    return verify(report(fw), rows, roots=roots, at=NOW, policy=UNMEASURED)


@pytest.mark.parametrize("vlek", [False, True], ids=["vcek", "vlek"])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_report_verifies_with_the_emulated_root_and_not_with_amds(profile, vlek):
    fw = started(profile, vlek=vlek)

    own, amds = judged(fw, own_root=True), judged(fw, own_root=False)

    assert own.verified
    assert [row.name for row in amds.failed] == ["root"]


@pytest.mark.parametrize("vlek", [False, True], ids=["vcek", "vlek"])
@pytest.mark.parametrize("profile", NAMES)
def test_the_command_line_accepts_a_report_with_the_emulated_root_alone(profile, vlek, tmp_path):
    fw = started(profile, vlek=vlek)
    files = {"report": report(fw), **fw.chip.certificates()}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    words = ["verify", *(str(tmp_path / name) for name in files), "--at", "2026-06-01"]
    words += ["--allow", "measurement"]

    said, _, accepted = call([*words, "--root", str(tmp_path / "ARK")])
    refused, _, amds = call(words)

    assert (accepted, amds) == (0, 1)
    assert said.endswith(
        b"report: verified without a policy: nothing was compared with what its owner wants\n"
    )
    assert refused.endswith(b"report: refused: root\n")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_name_says_test(profile):
    for data in started(profile).chip.certificates().values():
        row = load(data)[0]

        assert row.subject.count(b"TEST") >= 2
        assert row.issuer.count(b"TEST") >= 3


@pytest.mark.parametrize("vlek", [False, True], ids=["ask", "asvk"])
@pytest.mark.parametrize("profile", PROFILES)
def test_another_library_finds_each_authority_signed_by_the_root(profile, vlek):
    product = Bench(profile).profile.product
    middle, root = map(load_der_x509_certificate, issue.chain(product, vlek=vlek))

    middle.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)


@pytest.mark.parametrize("profile", PROFILES)
def test_kinds_products_and_serial_numbers_are_those_of_amds(profile):
    fw = started(profile)
    key, middle, root = (load(data)[0] for data in fw.chip.certificates().values())
    other, _ = issue.chain(fw.profile.product, vlek=True)

    base = issue.SERIALS[fw.profile.product.name]
    kinds = [kind_of(row) for row in (key, middle, root, load(other)[0])]
    assert kinds == [
        CertificateKind.VCEK,
        CertificateKind.ASK,
        CertificateKind.ARK,
        CertificateKind.ASVK,
    ]
    assert {product_in(middle), product_in(root)} == {fw.profile.product.name}
    assert (key.serial, middle.serial, root.serial) == (0, base | 1, base)
    assert load(other)[0].serial == base | 0x101


@pytest.mark.parametrize("profile", PROFILES)
def test_the_certificate_says_which_chip_and_which_tcb(profile):
    fw = started(profile)
    seen = endorsement(load(fw.chip.certificates()["VCEK"])[0])

    word = fw.chip.tcb(fw.profile.tcb)
    turin = profile == "turin"
    assert seen.struct_version == int(turin)
    assert seen.hwid == fw.chip.id[: 8 if turin else 64]
    assert seen.spls["snpSPL"] == word.snp
    assert seen.spls["ucodeSPL"] == word.microcode
    assert ("fmcSPL" in seen.spls, "spl4" in seen.spls) == (turin, not turin)
    assert seen.csp_id is None


def test_a_key_that_a_provider_had_loaded_names_the_provider_and_no_chip():
    fw = started("milan", vlek=True)

    seen = endorsement(load(fw.chip.certificates()["VLEK"])[0])

    assert (seen.product_name, seen.hwid, seen.csp_id) == ("Milan", None, "CN=TEST.invalid")


def test_the_same_chip_has_the_same_certificates_and_signs_the_same_way():
    first, second = started("genoa"), started("genoa")
    issue.vcek.cache_clear()
    made = first.chip.certificates()
    issue.vcek.cache_clear()

    assert second.chip.certificates() == made
    assert report(first) == report(second)


def test_another_chip_has_another_key():
    fw = Bench("genoa", secret=b"\x01" * 48)

    assert fw.chip.id != Bench("genoa").chip.id
    assert fw.chip.certificates()["VCEK"] != Bench("genoa").chip.certificates()["VCEK"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_forged_chain_is_sound_and_ends_at_another_key(profile):
    product = Bench(profile).profile.product
    middle, root = issue.forged_chain(product)
    right, right_root = issue.chain(product)

    load_der_x509_certificate(middle).verify_directly_issued_by(load_der_x509_certificate(root))
    assert load(middle)[0].spki == load(right)[0].spki
    assert load(root)[0].subject == load(right_root)[0].subject
    assert pin(load(root)[0]) != pin(load(right_root)[0])


@pytest.mark.parametrize("serials", [(), (0x1_0001,), (7, 0x1_0001)])
def test_another_library_reads_the_list_of_revoked_certificates(serials):
    product = Bench("milan").profile.product
    root = load_der_x509_certificate(issue.chain(product)[1]).public_key()
    listed = load_der_x509_crl(issue.crl(product, serials))

    assert listed.is_signature_valid(root)
    assert {row.serial_number for row in listed} == set(serials)
    assert not load_der_x509_crl(issue.crl(product, serials, forged=True)).is_signature_valid(root)


def test_a_bare_certificate_says_nothing():
    fw = started("genoa")
    seen = endorsement(load(issue.bare_vcek(fw.profile.product, fw.chip.vcek()))[0])

    assert (seen.product_name, seen.hwid, seen.spls) == (None, None, {})
