"""Samples for verifiers: said of them what is so, by two verifiers that share no line."""

import warnings
from collections import Counter
from struct import unpack_from

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import (
    load_der_x509_certificate,
    load_der_x509_crl,
)
from cryptography.x509.oid import NameOID

from snpwire.crypto.certificates import load
from snpwire.crypto.verify import verify
from snpwire.engine.machine import load_vlek
from snpwire.testing import (
    Machine,
    UsageError,
    certificates_of,
    profile_named,
    report_named,
    report_names,
    reports,
    sample_of,
)
from snpwire.testing.reports.attestation import evidence_of

NAMES = report_names()
AMD = "1.3.6.1.4.1.3704.1"
CLASSIC = {"3.1": 0, "3.2": 1, "3.3": 6, "3.8": 7}
TURIN = {"3.9": 0, "3.1": 1, "3.2": 2, "3.3": 3, "3.8": 7}
"""Which byte of a TCB version an extension is about."""
NO_KEY = 7


class Refused(Exception):  # noqa: N818 - no error: a verdict
    """The toy verifier's verdict."""


def toy(sample, forgets=()):
    """Verify a sample with ``cryptography`` and offsets alone; return what it refuses, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # serial number 0
        try:
            Toy(sample, forgets).verify()
        except Refused as refused:
            return str(refused)
    return None


class Toy:
    def __init__(self, sample, forgets):
        self.sample, self.forgets, self.report = sample, forgets, sample.report

    def want(self, what, holds):
        if not holds and what not in self.forgets:
            raise Refused(what)

    def verify(self):
        self.want("size", len(self.report) == 1184)
        version, algo = unpack_from("<L", self.report)[0], unpack_from("<L", self.report, 0x34)[0]
        self.want("version", 2 <= version <= 5)
        self.want("algorithm", algo == 1)
        self.want("unused", not any(self.report[0x2D0:0x2E8]) and not any(self.report[0x318:]))
        vlek = unpack_from("<L", self.report, 0x48)[0] >> 2 & 7
        self.want("signer", vlek in (0, 1))
        rows = {
            self.name(row): row for row in map(load_der_x509_certificate, self.sample.certificates)
        }
        key = rows.get("SEV-VLEK" if vlek else "SEV-VCEK")
        self.want("certificates", key is not None)
        trusted = load_der_x509_certificate(self.sample.root)
        middle, root = rows.get(self.name(key, issuer=True)), rows.get(self.name(trusted))
        self.want("certificates", middle is not None and root is not None)
        self.want("root", root.public_key() == trusted.public_key())
        for row, issuer in ((key, middle), (middle, root), (root, root)):
            self.want("seal", self.sealed(row.signature, row.tbs_certificate_bytes, issuer))
            self.want(
                "dates", row.not_valid_before_utc <= self.sample.at <= row.not_valid_after_utc
            )
        self.revocations(middle, root)
        self.endorsement(key, version, vlek)
        self.signature(key)
        self.appraisal(self.name(key, issuer=True).endswith("-Turin"))

    @staticmethod
    def name(row, *, issuer=False):
        named = row.issuer if issuer else row.subject
        return named.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value

    @staticmethod
    def sealed(signature, data, issuer):
        scheme = padding.PSS(padding.MGF1(SHA384()), 48)
        try:
            issuer.public_key().verify(signature, data, scheme, SHA384())
        except InvalidSignature:
            return False
        return True

    def revocations(self, middle, root):
        if self.sample.crl:
            listed = load_der_x509_crl(self.sample.crl)
            sealed = self.sealed(listed.signature, listed.tbs_certlist_bytes, root)
            known = listed.get_revoked_certificate_by_serial_number(middle.serial_number)
            self.want("revoked", sealed and known is None)

    def endorsement(self, key, version, vlek):
        values = {row.oid.dotted_string: row.value.value for row in key.extensions}
        product = values.get(f"{AMD}.2", b"\0\0").decode()[2:].partition("-")[0]
        self.want("product", self.name(key, issuer=True).endswith(f"-{product or '?'}"))
        family, model = self.report[0x188], self.report[0x189]
        told = {(0x19, 0): "Milan", (0x19, 1): "Genoa", (0x1A, 0): "Turin"}.get(
            (family, model >> 4)
        )
        self.want("product", version < 3 or told == product)
        tcb, known = self.report[0x180:0x188], TURIN if product == "Turin" else CLASSIC
        for number, place in known.items():
            level = values.get(f"{AMD}.{number}", b"\2\1\xff")
            self.want("tcb", int.from_bytes(level[2:], "big") == tcb[place])
        self.want("tcb", not any(tcb[place] for place in set(range(8)) - set(known.values())))
        chip = self.report[0x1A0:0x1E0]
        if not vlek and any(chip):
            self.want("chip", chip == values.get(f"{AMD}.4", b"").ljust(64, b"\0"))

    def appraisal(self, turin):
        policy, vmpl = unpack_from("<Q", self.report, 8)[0], unpack_from("<L", self.report, 0x30)[0]
        self.want("policy", policy >> 17 & 0b111 == 1 and policy < 1 << 26)
        self.want("vmpl", vmpl < 4)
        for place in range(8) if turin else (0, 1, 6, 7):
            current, reported, committed = (self.report[at + place] for at in (0x38, 0x180, 0x1E0))
            self.want("order", reported <= committed <= current)
        info = unpack_from("<L", self.report, 0x48)[0]
        self.want("key-info", info < 32 and (not info & 1 or any(self.report[0x110:0x140])))
        self.want("measurement", any(self.report[0x90:0xC0]))

    def signature(self, key):
        r, s = (int.from_bytes(self.report[at : at + 72], "little") for at in (0x2A0, 0x2E8))
        try:
            signature = encode_dss_signature(r, s)
            key.public_key().verify(signature, self.report[:0x2A0], ec.ECDSA(SHA384()))
        except InvalidSignature:
            self.want("signature", False)


def test_there_are_hundreds_of_every_kind():
    kinds = Counter(tuple(name.split("-")[:3]) for name in NAMES)
    genuine, wrong = report_names(genuine=True), report_names(genuine=False)
    acceptable = report_names(acceptable=True)

    assert len(NAMES) == len(set(NAMES)) > 350
    assert len(genuine) > len(acceptable) > 100
    assert set(acceptable) < set(genuine)
    assert sorted(genuine + wrong) == sorted(NAMES)
    assert {kind[:2] for kind in kinds} == {
        (profile, f"v{version}") for profile in ("milan", "genoa", "turin") for version in (2, 3, 5)
    }
    assert {kind[2] for kind in kinds} == {"vcek", "vlek"}


@pytest.mark.parametrize("profile", ["milan", "genoa", "turin"])
def test_what_is_said_of_a_sample_is_what_verify_finds(profile):
    for sample in reports(profile=profile):
        assert (sample.name, set(sample.failing())) == (sample.name, set(sample.fails))


@pytest.mark.parametrize("profile", ["milan", "genoa", "turin"])
def test_a_verifier_of_another_make_agrees(profile):
    for sample in reports(profile=profile):
        assert (sample.name, toy(sample) is None) == (sample.name, sample.acceptable)
        authentic = toy(sample, APPRAISAL) is None
        assert (sample.name, authentic) == (sample.name, sample.genuine)


APPRAISAL = ["version", "policy", "vmpl", "order", "key-info", "measurement"]
CHECKS = [
    *APPRAISAL,
    "size",
    "algorithm",
    "unused",
    "signer",
    "certificates",
    "root",
    "seal",
    "dates",
    "revoked",
    "product",
    "tcb",
    "chip",
    "signature",
]


@pytest.mark.parametrize("check", [name for name in CHECKS if name != "certificates"])
def test_a_verifier_that_forgets_a_check_is_found(check):
    found = [sample.name for sample in reports(acceptable=False) if toy(sample, {check}) is None]

    assert found


def test_no_two_samples_are_the_same():
    seen = {(row.report, row.certificates, row.crl, row.at) for row in reports()}

    assert len(seen) == len(NAMES)


def test_amds_roots_do_not_trust_a_single_one():
    for sample in reports(acceptable=True, profile="genoa"):
        rows = [row for document in sample.certificates for row in load(document)]
        failed = verify(sample.report, rows, at=sample.at).failed
        assert [row.name for row in failed] == ["root"]


@pytest.mark.parametrize("name", ["turin-v5-vlek-author", "milan-v2-vcek-of-other-tcb"])
def test_a_sample_is_the_same_whenever_it_is_made(name):
    first = report_named(name)
    evidence_of.cache_clear()

    assert report_named(name) == first


def test_samples_hold_what_their_names_say():
    fields = {
        name: report_named(f"genoa-v3-vcek-{name}").fields
        for name in ("plain", "debug", "vmpl3", "author", "masked-chip", "older-tcb", "host-data")
    }

    assert [fields[name].policy.debug for name in ("plain", "debug")] == [0, 1]
    assert fields["vmpl3"].vmpl == 3
    assert fields["author"].guest_svn == 7
    assert any(fields["author"].author_key_digest)
    assert not any(fields["masked-chip"].chip_id)
    assert fields["older-tcb"].reported_tcb != fields["older-tcb"].current_tcb
    assert fields["host-data"].host_data == bytes(range(32))
    assert report_named("turin-v5-vlek-plain").fields.key_info.signing_key == 1
    assert report_named("genoa-v3-vcek-unsigned").fields.key_info.signing_key == NO_KEY


@pytest.mark.parametrize("vlek", [False, True])
def test_a_machine_of_ones_own_gives_samples_too(vlek):
    machine = Machine(profile_named("turin"), seed=4)
    if vlek:
        load_vlek(machine)
    sample = sample_of(machine, machine.add(), bytes(range(64)))

    assert sample.fields.report_data == bytes(range(64))
    assert sample.failing() == ()
    assert toy(sample) is None
    assert sample.certificates == certificates_of(machine)
    assert sample.pem == certificates_of(machine).pem
    assert sample.pem.count(b"-----BEGIN CERTIFICATE-----\n") == 3
    assert tuple(row.der for row in load(sample.pem)) == sample.certificates


def test_names_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="there is no report 'genoa-v3-vcek-debgu'") as refused:
        report_named("genoa-v3-vcek-debgu")
    assert refused.value.help == "did you mean genoa-v3-vcek-debug?"
    with pytest.raises(UsageError, match="there are no reports of profile 'rome'") as refused:
        list(reports(profile="rome"))
    assert refused.value.help == "profiles are: milan, genoa, turin"
