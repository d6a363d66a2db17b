"""Certificates and lists in every form a caller has them; the time, and what has none."""

import warnings
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import authority
import pytest
from authority import AFTER, BEFORE, NOW, report
from cryptography import x509 as reference
from test_certificates import pem

from snpwire.crypto import documents
from snpwire.crypto.certificates import AMD_ROOTS, load, pins
from snpwire.crypto.documents import certificates_of, crl_of
from snpwire.crypto.verify import verify, verify_chain
from snpwire.errors import CertificateError, UsageError

VCEK, ASK, ARK = authority.vcek(), authority.ask(), authority.ark()
LIST = authority.revocations(authority.rsa_key("ark"), serials=[7])
ALL = [VCEK, ASK, ARK]
REPORT = report()


def ders(given):
    return [row.der for row in certificates_of(given)]


def theirs(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a serial number of 0, which every VCEK has
        return reference.load_der_x509_certificate(data)


def test_every_form_gives_the_same(tmp_path):
    path = tmp_path / "chain.pem"
    path.write_bytes(pem(ASK) + pem(ARK))
    together = pem(VCEK) + pem(ASK) + pem(ARK)

    for given in (
        ALL,
        tuple(ALL),
        iter(ALL),
        [bytearray(VCEK), memoryview(ASK), ARK],
        together,
        together.decode(),
        [pem(VCEK), path],
        [VCEK, str(path)],
        [load(VCEK)[0], *load(path.read_bytes())],
        [theirs(VCEK), theirs(ASK), theirs(ARK)],
        [theirs(VCEK), ASK, load(ARK)[0]],
    ):
        assert ders(given) == ALL
    assert ders(path) == ders(str(path)) == [ASK, ARK]
    assert ders(VCEK) == ders(theirs(VCEK)) == ders(load(VCEK)[0]) == [VCEK]
    assert ders([]) == []


def test_a_list_comes_in_every_form(tmp_path):
    path = tmp_path / "crl"
    path.write_bytes(LIST)

    for given in (
        LIST,
        pem(LIST, "X509 CRL"),
        pem(LIST, "X509 CRL").decode(),
        path,
        str(path),
        crl_of(LIST),
        reference.load_der_x509_crl(LIST),
    ):
        assert crl_of(given).revoked == {7}


@pytest.mark.parametrize("given", [5, None, 1.5, object(), {1: 2}, [None], [[VCEK]], [b"x", 5]])
def test_what_is_no_source_is_an_error_of_the_project(given):
    with pytest.raises((UsageError, CertificateError)) as caught:
        certificates_of(given)

    if given != [b"x", 5]:
        assert str(caught.value).startswith("expected a certificate or a list, got ")
        assert caught.value.help == "bytes, PEM, a path, or an object of cryptography"


def test_a_key_is_no_certificate():
    with pytest.raises(UsageError, match=r"^expected a certificate or a list, got <"):
        certificates_of(authority.ec_key("vcek").public_key())


def test_a_class_is_no_object_of_it():
    with pytest.raises(UsageError):
        certificates_of([reference.Certificate])
    with pytest.raises(UsageError):
        crl_of(5)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nowhere", ": No such file or directory$"),
        ("", ": Is a directory$"),
        ("a\0b", ": this is no path$"),
        ("x" * 300, ": File name too long$"),
    ],
)
def test_a_path_that_cannot_be_read_is_named(name, text, tmp_path):
    with pytest.raises(CertificateError, match=text):
        certificates_of([f"{tmp_path}/{name}"])


def test_a_file_that_is_no_certificate_is_named(tmp_path):
    path = tmp_path / "no\n\x1b[31mone"
    path.write_bytes(b"junk")

    with pytest.raises(CertificateError, match=r"no\\n\\x1b.*: there is no certificate: "):
        certificates_of(path)
    path.write_bytes(ASK[:-1])
    with pytest.raises(CertificateError, match=r"the DER is cut short: .* at 0x0$") as caught:
        certificates_of(path)
    assert "\n" not in str(caught.value)
    assert caught.value.offset == 0


def test_a_file_without_end_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(documents, "LIMIT", 100)

    with pytest.raises(CertificateError, match=r"^/dev/zero: more than 100 bytes are no cert"):
        certificates_of(Path("/dev/zero"))


# The verifier's arguments


def test_roots_are_pins_or_certificates():
    by_pin = verify(REPORT, ALL, roots=authority.roots(), at=NOW)
    for given in (ARK, [ARK], pem(ARK), load(ARK), [theirs(ARK)]):
        found = verify(REPORT, ALL, roots=given, at=NOW)
        assert found.verified
        root = next(row for row in found.checks if row.name == "root")
        assert root.reason == "the public key is that of ARK-Milan"
    assert by_pin.verified
    assert verify(REPORT, ALL[:2], roots=[ARK], at=NOW).verified
    assert not verify(REPORT, ALL, roots=[], at=NOW).verified
    assert not verify(REPORT, ALL, roots={}, at=NOW).verified
    assert not verify(REPORT, ALL, at=NOW).verified
    assert pins(load(ARK), "a file") == {next(iter(pins(load(ARK)))): "ARK-Milan of a file"}
    assert AMD_ROOTS.keys().isdisjoint(pins(load(ARK)))


def test_a_root_without_a_name_is_trusted_as_such():
    nameless = authority.certificate("", "", authority.rsa_key("ark"), authority.rsa_key("ark"))

    assert list(pins(load(nameless)).values()) == ["a certificate without a name"]


def test_dates_are_checked_for_now_by_default(monkeypatch):
    assert verify(REPORT, ALL, roots=[ARK]).verified
    expired = verify(REPORT, [authority.vcek(until=BEFORE), ASK, ARK], roots=[ARK])
    assert [row.name for row in expired.failed] == ["vcek-dates"]
    late = verify_chain(ALL, roots=[ARK], at=AFTER + timedelta(days=1))
    assert not late.verified


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-7))])
def test_a_time_in_any_zone_is_that_time(zone):
    edge = AFTER.astimezone(zone)

    assert verify_chain(ALL, roots=[ARK], at=edge).verified
    assert not verify_chain(ALL, roots=[ARK], at=edge + timedelta(seconds=1)).verified


@pytest.mark.parametrize(
    "at",
    [datetime(2026, 6, 1), date(2026, 6, 1), "2026-06-01", 1780272000],
)
def test_a_time_without_a_zone_is_an_error_of_the_project(at):
    for call in (
        lambda: verify(REPORT, ALL, roots=[ARK], at=at),
        lambda: verify(bytes(len(REPORT)), ALL, at=at),
        lambda: verify_chain(ALL, roots=[ARK], at=at),
    ):
        with pytest.raises(
            UsageError, match=r"^the time to verify at has no time zone: "
        ) as caught:
            call()
        assert caught.value.help == "datetime(2026, 3, 31, tzinfo=UTC)"


def test_a_list_is_given_in_any_form():
    for given in (LIST, crl_of(LIST)):
        found = verify(REPORT, ALL, roots=[ARK], crl=given, at=NOW)
        assert found.verified
        assert {row.name: row.state for row in found.checks}["crl"] == "holds"


def test_text_that_is_no_pem_is_an_error_of_the_project():
    with pytest.raises(CertificateError, match="has more than base64 in it"):
        certificates_of("-----BEGIN CERTIFICATE-----\n\ud800\n-----END CERTIFICATE-----\n")


def test_what_was_read_of_a_certificate_cannot_be_changed():
    with pytest.raises(TypeError):
        load(ASK)[0].extensions["2.5.29.19"] = None

    assert verify(REPORT, ALL, roots=[ARK], at=NOW).verified


def test_what_the_certificate_says_is_in_the_answer():
    found = verify(REPORT, ALL, roots=[ARK], at=NOW)

    assert found.endorsement.product_name == "Milan-B0"
    assert found.endorsement.hwid == authority.CHIP
    row = next(row for row in found.checks if row.name == "certificate-extensions")
    assert row.reason == found.endorsement.summary()
    assert verify(REPORT, [], at=NOW).endorsement is None
