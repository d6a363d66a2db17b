"""What the rules say of a report, of what a guest's owner signs, and of a processor's save area."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from snpwire.context import BARE, Context
from snpwire.finding import Severity
from snpwire.product import decide
from snpwire.rules import findings
from snpwire.wire.cpuid import CpuidFunction, CpuidPage
from snpwire.wire.launch import IdAuth, IdBlock
from snpwire.wire.report import GuestPolicy, KeyInfo, PlatformInfo, Report, Signature
from snpwire.wire.secrets import OsArea, SecretsPage
from snpwire.wire.vmsa import Vmsa

HERE = Path(__file__).parent / "vectors"
FOLDER = Path(os.environ.get("SNPWIRE_VECTORS", ""))
VMSA = FOLDER / "vmsa" / "vmsa0.bin"
GENOA = Report.parse((HERE / "report-genoa.bin").read_bytes())
TURIN = Report.parse((HERE / "report-turin.bin").read_bytes())
SECRETS = SecretsPage.parse((HERE / "secrets.bin").read_bytes())
CPUID = CpuidPage.parse((HERE / "cpuid-page.bin").read_bytes())
IDAUTH = IdAuth.parse((HERE / "idauth.bin").read_bytes())
IDBLOCK = IdBlock.parse((HERE / "idblock.bin").read_bytes())
RUNNING = Vmsa.parse((HERE / "vmsa.bin").read_bytes())
FULL = b"\x01" * 72
CALM = GENOA.replace(
    current_tcb=GENOA.committed_tcb, current_build=39, key_info=0, author_key_digest=bytes(48)
)
"""A report of which there is nothing to say but what the table of advisories lists."""


def codes(value, context=BARE):
    """Return the codes of the findings, without those of the table of advisories."""
    found = [row.code for row in findings(value, context)]
    return [code for code in found if code != "advisory"]


def only(value, code):
    """Return the one finding with *code*."""
    (found,) = (found for found in findings(value) if found.code == code)
    return found


# Reports


def test_of_a_report_in_order_there_is_nothing_to_say():
    assert codes(CALM) == []


def test_a_report_of_zeros_is_an_error_and_nothing_else():
    (found,) = findings(Report())

    assert (found.code, found.severity) == ("report-empty", Severity.ERROR)


@pytest.mark.parametrize(
    ("change", "code", "severity", "path", "offset"),
    [
        ({"version": 1}, "report-version", Severity.ERROR, "version", 0x000),
        ({"version": 4}, "report-version-unpublished", Severity.NOTE, "version", 0x000),
        ({"version": 6}, "report-version-new", Severity.WARNING, "version", 0x000),
        ({"version": 0xFFFF}, "report-version-new", Severity.WARNING, "version", 0x000),
        ({"policy": GuestPolicy(0x1001F)}, "policy-bit-17", Severity.ERROR, "policy", 0x008),
        (
            {"policy": GuestPolicy(1 << 63 | 0x3001F)},
            "policy-unknown-bits",
            Severity.WARNING,
            "policy",
            0x008,
        ),
        ({"policy": GuestPolicy(0xB001F)}, "policy-debug", Severity.NOTE, "policy", 0x008),
        ({"vmpl": 4}, "report-vmpl", Severity.WARNING, "vmpl", 0x030),
        ({"vmpl": 0xFFFFFFFF}, "report-vmpl-host", Severity.NOTE, "vmpl", 0x030),
        (
            {"platform_info": PlatformInfo(0x65)},
            "platform-unknown-bits",
            Severity.NOTE,
            "platform_info",
            0x040,
        ),
        ({"key_info": KeyInfo(2 << 2)}, "report-signing-key", Severity.WARNING, "key_info", 0x048),
        ({"key_info": KeyInfo(1 << 31)}, "unknown-bits", Severity.WARNING, "key_info", 0x048),
        ({"key_info": KeyInfo(2)}, "report-masked-key", Severity.WARNING, "key_info", 0x048),
        (
            {"key_info": KeyInfo(7 << 2)},
            "report-signature-unexpected",
            Severity.WARNING,
            "key_info",
            0x048,
        ),
        (
            {"key_info": KeyInfo(1)},
            "report-author-key",
            Severity.WARNING,
            "author_key_digest",
            0x110,
        ),
        (
            {"author_key_digest": b"\1" * 48},
            "report-author-key",
            Severity.WARNING,
            "author_key_digest",
            0x110,
        ),
        ({"measurement": bytes(48)}, "report-nothing", Severity.WARNING, "measurement", 0x090),
        ({"report_id": bytes(32)}, "report-nothing", Severity.WARNING, "report_id", 0x140),
        ({"report_id_ma": bytes(32)}, "report-agent", Severity.WARNING, "report_id_ma", 0x160),
        ({"chip_id": bytes(64)}, "report-chip-masked", Severity.NOTE, "chip_id", 0x1A0),
        (
            {"launch_mit_vector": 1},
            "report-early-vector",
            Severity.NOTE,
            "launch_mit_vector",
            0x1F8,
        ),
        ({"signature_algo": 2}, "report-algorithm", Severity.ERROR, "signature_algo", 0x034),
        (
            {"signature": Signature()},
            "report-signature-missing",
            Severity.ERROR,
            "signature",
            0x2A0,
        ),
        (
            {"signature": Signature(r=FULL, s=FULL[:48] + bytes(24))},
            "signature-wide",
            Severity.ERROR,
            "signature.r",
            0x2D0,
        ),
        (
            {"signature": Signature(r=FULL[:48] + bytes(24))},
            "signature-zero",
            Severity.ERROR,
            "signature.s",
            0x2E8,
        ),
        (
            {"reserved_0x04c": b"\0\1\0\0"},
            "reserved-not-zero",
            Severity.WARNING,
            "reserved_0x04c",
            0x04D,
        ),
        ({"reserved_0x1eb": b"\1"}, "reserved-not-zero", Severity.WARNING, "reserved_0x1eb", 0x1EB),
        ({"cpuid_mod_id": 0x77}, "tcb-layout-assumed", Severity.WARNING, "current_tcb", 0x038),
        ({"committed_minor": 56}, "firmware-order", Severity.WARNING, "committed_build", 0x1EC),
        ({"launch_tcb": 1 << 20}, "tcb-unknown-bits", Severity.WARNING, "launch_tcb", 0x1F0),
    ],
)
def test_each_oddity_has_its_code_and_place(change, code, severity, path, offset):
    found = next(f for f in findings(CALM.replace(**change)) if f.code == code)

    assert (found.severity, found.path, found.offset) == (severity, path, offset)
    assert found.text
    assert found.source


def test_bytes_behind_the_numbers_of_a_signature_are_found():
    tail = CALM.signature.replace(reserved_0x090=b"\1" + bytes(367))

    assert only(CALM.replace(signature=tail), "signature-tail").offset == 0x330


def test_an_unsigned_report_is_no_error():
    unsigned = CALM.replace(key_info=KeyInfo(7 << 2), signature=Signature())

    assert codes(unsigned) == ["report-not-signed"]


def test_an_author_needs_an_id_key():
    assert "report-id-key" in codes(GENOA.replace(id_key_digest=bytes(48)))


def test_an_agent_that_the_policy_allows_is_none_of_our_business():
    policy = GuestPolicy(0x7001F)

    assert codes(CALM.replace(report_id_ma=b"\7" * 32, policy=policy)) == []


@pytest.mark.parametrize("field", ["cpuid_fam_id", "cpuid_mod_id", "cpuid_step"])
def test_version_2_has_no_cpuid(field):
    old = CALM.replace(version=2, cpuid_fam_id=0, cpuid_mod_id=0, cpuid_step=0)

    assert codes(old) == []
    assert only(old.replace(**{field: 1}), "reserved-not-zero").path == field


def test_a_chip_id_longer_than_the_products_is_odd():
    found = only(TURIN.replace(chip_id=b"\1" * 64), "report-chip-id")

    assert found.text == "chip_id has more than the 8 bytes that Turin uses"


@pytest.mark.parametrize(
    ("field", "severity", "text"),
    [
        ("committed_tcb", Severity.WARNING, "committed_tcb has snp 24, current_tcb has 23: what"),
        ("reported_tcb", Severity.WARNING, "reported_tcb has snp 24, committed_tcb has 23: a host"),
        ("launch_tcb", Severity.NOTE, "launch_tcb has snp 24, current_tcb has 23: provisional"),
    ],
)
def test_tcb_versions_are_held_against_one_another_by_component(field, severity, text):
    above = CALM.replace(**{field: GENOA.committed_tcb + (1 << 48)})
    found = only(above, "tcb-order")

    assert (found.severity, found.path) == (severity, field)
    assert found.text.startswith(text)


def test_the_layout_decides_which_bytes_are_compared():
    other = CALM.replace(reported_tcb=CALM.reported_tcb + (1 << 24))
    turin = decide(other, product="turin")

    assert "tcb-unknown-bits" in codes(other)
    assert any(
        "reported_tcb has snp 1, committed_tcb has 0" in found.text
        for found in findings(other, Context(product=turin))
    )


def verified(number, signature, message):
    """Check a signature of the vectors with another implementation."""
    key = ec.derive_private_key(number, ec.SECP384R1()).public_key()
    pair = encode_dss_signature(signature.r_number, signature.s_number)
    key.verify(pair, message, ec.ECDSA(hashes.SHA384()))


@pytest.mark.parametrize("name", ["report-genoa.bin", "report-turin.bin", "report-v6.bin"])
def test_vectors_are_signed_by_their_test_key(name):
    data = (HERE / name).read_bytes()

    verified(0x5E5F, Report.parse(data).signature, data[:0x2A0])


def test_the_id_block_of_the_vectors_is_signed_by_its_keys():
    verified(11, IDAUTH.id_block_sig, IDBLOCK.build())
    verified(12, IDAUTH.id_key_sig, IDAUTH.id_key.build())

    assert len(hashlib.sha384(IDAUTH.id_key.build()).digest()) == 48


# ID block and ID authentication


def test_of_a_signed_id_block_there_is_nothing_to_say():
    assert findings(IDBLOCK) == findings(IDAUTH) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"version": 0}, "idblock-version"),
        ({"ld": bytes(48)}, "idblock-digest"),
        ({"policy": GuestPolicy(0)}, "policy-bit-17"),
    ],
)
def test_an_id_block_is_judged(change, code):
    assert codes(IDBLOCK.replace(**change)) == [code]


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"id_key_algo": 0}, "idauth-algorithm", "INVALID_PARAM"),
        ({"auth_key_algo": 7}, "idauth-algorithm", "INVALID_PARAM"),
        ({"id_block_sig": Signature()}, "idauth-signature", "BAD_SIGNATURE"),
        ({"id_key": IDAUTH.id_key.replace(curve=1)}, "idauth-curve", "BAD_SIGNATURE"),
        ({"id_key": IDAUTH.id_key.replace(qx=bytes(72))}, "idauth-key", "BAD_SIGNATURE"),
        ({"author_key": IDAUTH.author_key.replace(qy=FULL)}, "idauth-key", "BAD_SIGNATURE"),
    ],
)
def test_what_the_firmware_refuses_of_an_id_block_says_how(change, code, status):
    found = only(IDAUTH.replace(**change), code)

    assert found.severity is Severity.ERROR
    assert found.text.endswith(f"the firmware answers {status}")


def test_an_author_that_is_switched_off_is_a_note():
    assert codes(IDAUTH.replace(auth_key_algo=0)) == ["idauth-author"]


def test_reserved_bytes_of_an_id_authentication_are_found():
    assert codes(IDAUTH.replace(reserved_0x008=b"\1" + bytes(55))) == ["reserved-not-zero"]


# Secrets page and CPUID page


def test_a_key_of_zeros_is_disabled_and_both_readings_of_a_count_are_said():
    assert codes(SECRETS) == ["secrets-key-zero", "secrets-count-halves"]
    assert "0x100000006 in revision 2.01" in only(SECRETS, "secrets-count-halves").text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"version": 7}, "secrets-version"),
        ({"version": 2}, "secrets-early-field"),
        ({"launch_mit_vector": 1}, "secrets-early-field"),
        ({"vmpck1": SECRETS.vmpck0}, "secrets-key-repeated"),
        ({"os_area": OsArea(msg_seqno_2=5)}, "secrets-count-odd"),
        ({"os_area": OsArea(msg_seqno_3=0xFFFFFFFE)}, "secrets-count-full"),
        ({"svsm_size": 0, "svsm_caa": 0, "svsm_base": 0, "svsm_max_version": 0}, "secrets-svsm"),
        ({"svsm_base": 1}, "secrets-svsm"),
        ({"svsm_guest_vmpl": 0}, "secrets-svsm"),
        ({"reserved_0x170": b"\1" + bytes(0xE8F)}, "reserved-not-zero"),
    ],
)
def test_a_secrets_page_is_judged(change, code):
    assert code in codes(SECRETS.replace(**change))


def test_pages_of_zeros_were_never_written():
    assert codes(SecretsPage()) == ["secrets-empty"]
    assert codes(Vmsa()) == ["vmsa-empty"]


def test_a_page_without_any_key_is_worth_a_warning():
    keys = dict.fromkeys(("vmpck0", "vmpck1", "vmpck2"), bytes(32))
    found = [f for f in findings(SECRETS.replace(**keys)) if f.code == "secrets-key-zero"]

    assert [f.severity for f in found] == [Severity.WARNING] * 4


def cpuid(count, *functions):
    return CpuidPage.from_plain({"count": count, "functions": [f.to_plain() for f in functions]})


def test_a_cpuid_page_counts_its_functions():
    leaf = CpuidFunction(eax_in=7, ebx=1)

    assert codes(CPUID) == ["cpuid-behind"]
    assert codes(cpuid(65, leaf)) == ["cpuid-count"]
    assert codes(cpuid(0)) == ["cpuid-count"]
    assert codes(cpuid(2, leaf, leaf)) == ["cpuid-repeated"]
    assert codes(cpuid(1, leaf.replace(xss_in=1))) == ["cpuid-xcr0"]
    assert codes(cpuid(1, leaf.replace(reserved_0x028=b"\1" * 8))) == ["reserved-not-zero"]


# Save areas


def test_a_processor_after_reset_is_in_order():
    assert findings(RUNNING) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"efer": 0}, "vmsa-svme"),
        ({"cr0": 1 << 31}, "vmsa-cr0"),
        ({"cr0": 1 << 32}, "vmsa-cr0"),
        ({"efer": 0x1400}, "vmsa-long-mode"),
        ({"rflags": 0}, "vmsa-rflags"),
        ({"cpl": 4}, "vmsa-cpl"),
        ({"vmpl": 4}, "vmsa-vmpl"),
        ({"sev_features": 0}, "vmsa-not-snp"),
        ({"sev_features": 0x19}, "vmsa-injection"),
        ({"sev_features": 1 << 40 | 1}, "unknown-bits"),
        ({"virtual_tom": 1}, "vmsa-vtom"),
        ({"reg_prot_nonce": 1}, "vmsa-nonce"),
        ({"reg_prot_nonce": 1, "sev_features": 0x4001}, "vmsa-protected"),
    ],
)
def test_a_save_area_is_judged(change, code):
    assert codes(RUNNING.replace(**change)) == [code]


def test_a_vmpl_goes_with_snp():
    assert sorted(codes(RUNNING.replace(sev_features=0, vmpl=1))) == ["vmsa-not-snp", "vmsa-vmpl"]


@pytest.mark.skipif(not VMSA.is_file(), reason="real save area: SNPWIRE_VECTORS names no folder")
def test_a_real_save_area_is_one_of_sev_es_and_in_order():
    assert codes(Vmsa.parse(VMSA.read_bytes())) == ["vmsa-not-snp"]
