"""What a file of certificates is, told without reading it."""

from base64 import b64encode

import authority
import pytest
from authority import integer, name, oid, rsa_key, tlv
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from realfiles import CHAINS, certificate_files, needed

from snpwire.crypto.certificate_form import certificate_form, der_kind
from snpwire.crypto.pem import plain_pem

KEY = rsa_key("ask")
ALGORITHM = tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 11), tlv(5))
DATES = tlv(0x30, authority.moment(authority.BEFORE), authority.moment(authority.AFTER))
SPKI = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pem(der, label="CERTIFICATE"):
    text = b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def signed(*parts):
    """Return a signed document whose signature is of zeros."""
    return tlv(0x30, tlv(0x30, *parts), ALGORITHM, tlv(3, bytes(65)))


def private(form, key=KEY):
    return key.private_bytes(Encoding.DER, form, NoEncryption())


REQUEST = signed(integer(0), name("SEV-VCEK"), SPKI, tlv(0xA0))
SHAPES = [
    (authority.vcek(), "certificate"),
    (signed(integer(7), ALGORITHM, name("A"), DATES, name("B"), SPKI), "certificate"),
    (authority.revocations(KEY), "revocation list"),
    (authority.revocations(KEY, version=1), "revocation list"),
    (REQUEST, "certificate request"),
    (signed(integer(0), tlv(0x30), SPKI, tlv(0xA0)), "certificate request"),
    (private(PrivateFormat.PKCS8), "private key"),
    (private(PrivateFormat.TraditionalOpenSSL), "private key"),
    (private(PrivateFormat.TraditionalOpenSSL, authority.ec_key("vcek")), "private key"),
    (SPKI, "public key"),
    (tlv(0x30, oid(1, 2, 840, 113549, 1, 7, 2), tlv(0xA0)), "PKCS #7 container"),
]


@pytest.mark.parametrize(("der", "what"), SHAPES)
def test_der_is_known_by_its_first_parts(der, what):
    form = certificate_form(der)

    assert form is not None
    assert (form.what, form.text) == (what, f"a {what} in DER")


@pytest.mark.parametrize(("der", "what"), SHAPES[:3])
def test_der_that_is_cut_short_or_goes_on_is_known_all_the_same(der, what):
    assert certificate_form(der[:260]).what == what
    assert certificate_form(der + bytes(40)).what == what


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"0",
        b"0\x80",
        b"0123456789abcdef",
        bytes(1184),
        tlv(0x30, oid(1, 2, 3)),
        tlv(0x30, integer(5), integer(6)),
        tlv(0x30, integer(0), oid(1, 2)),
        tlv(0x30, tlv(0x31)),
        tlv(0x30, tlv(0x30, tlv(0xA0, tlv(4))), ALGORITHM),
        tlv(0x30, tlv(0x30, integer(1), ALGORITHM, tlv(4))),
        tlv(0x30, tlv(0x30, ALGORITHM, name("A"), tlv(4, b"1234")), ALGORITHM),
        tlv(0x30, ALGORITHM, tlv(4)),
        b"-----BEGIN SOMETHING-----\n-----END SOMETHING-----\n",
    ],
)
def test_other_bytes_are_no_certificates(data):
    assert certificate_form(data) is None


@pytest.mark.parametrize(
    ("labels", "what", "text"),
    [
        (["CERTIFICATE"], "certificate", "a certificate in PEM"),
        (["TRUSTED CERTIFICATE"], "certificate", "a certificate in PEM"),
        (["X509 CRL"], "revocation list", "a revocation list in PEM"),
        (["RSA PRIVATE KEY"], "private key", "a private key in PEM"),
        (["ENCRYPTED PRIVATE KEY"], "private key", "a private key in PEM"),
        (["NEW CERTIFICATE REQUEST"], "certificate request", "a certificate request in PEM"),
        (["CERTIFICATE"] * 2, "certificate", "a PEM bundle of 2 certificates"),
        (["SOMETHING", "CERTIFICATE"], "certificate", "a certificate in PEM"),
        (
            ["EC PRIVATE KEY", "CERTIFICATE", "X509 CRL"],
            "certificate",
            "a PEM bundle of 1 private key, 1 certificate, 1 revocation list",
        ),
    ],
)
def test_pem_is_known_by_its_labels(labels, what, text):
    data = b"text\n" + b"".join(pem(b"\1", label) for label in labels)

    assert certificate_form(data) == (what, text)


def sev_ca(usage=0x13, bits=4096, version=1, modulus=None):
    numbers = (usage, 0, 0, 0, 0, bits, bits if modulus is None else modulus)
    head = version.to_bytes(4, "little") + bytes(32)
    return head + b"".join(number.to_bytes(4, "little") for number in numbers) + bytes(64)


@pytest.mark.parametrize("usage", [0, 0x13])
def test_certificates_of_sev_before_snp_are_known(usage):
    form = certificate_form(sev_ca(usage))

    assert form.text == "a CA certificate in the format of SEV before SNP"


@pytest.mark.parametrize(
    "data",
    [sev_ca(1), sev_ca(bits=1024), sev_ca(version=2), sev_ca(modulus=2048), sev_ca()[:0x3C]],
)
def test_what_is_not_quite_one_of_sev_is_not(data):
    assert certificate_form(data) is None


# PEM as it is pasted


@pytest.mark.parametrize(
    ("spell", "note"),
    [
        (lambda text: text.encode(), None),
        (lambda text: text.encode("utf-16"), "read as UTF-16"),
        (lambda text: text.encode("utf-16-le"), "read as UTF-16"),
        (lambda text: b"\xfe\xff" + text.encode("utf-16-be"), "read as UTF-16"),
        (
            lambda text: text.replace("\n", "\\n").encode(),
            "read with escaped ends of lines as ends of lines",
        ),
        (
            lambda text: text.replace("\n", "\\\\r\\\\n").encode(),
            "read with escaped ends of lines as ends of lines",
        ),
        (
            lambda text: text.replace("\n", "%0A").replace(" ", "%20").encode(),
            "read with the escapes of a URL undone",
        ),
    ],
)
def test_pem_is_read_as_programs_escape_it(spell, note):
    plain = pem(authority.vcek())

    found = plain_pem(spell(plain.decode()))

    assert found.notes == ((note,) if note else ())
    assert b"".join(found.data.split()).endswith(b"".join(plain.split()))
    assert b"\\" not in found.data


def test_text_without_pem_is_none():
    assert plain_pem(b"no block\\n of it") is None
    assert plain_pem(b"\xff\xfea\0") is None


# Properties


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data):
    assert certificate_form(data) is None or certificate_form(data).text
    assert der_kind(b"\x30" + data) in (None, *(what for _, what in SHAPES))


@given(st.integers(0, 700), st.integers(0, 255))
def test_a_changed_byte_makes_it_another_form_or_none(at, value):
    data = bytearray(authority.vcek())
    data[at] = value

    form = certificate_form(bytes(data))

    assert form is None or form.text.endswith("in DER")


@needed
@pytest.mark.parametrize("report", CHAINS)
def test_real_certificates_are_known(report):
    forms = [certificate_form(data) for data in certificate_files(report)]

    assert {form.what for form in forms} == {"certificate"}
