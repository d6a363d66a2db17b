import random
from datetime import UTC, datetime, timedelta

import authority
import pytest
from authority import CA, integer, moment, name, oid, pss, rsa_key, tlv
from cryptography import x509 as reference
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from realfiles import CHAINS, certificate_files, needed

from snpwire.crypto import der, x509
from snpwire.crypto.amd_oids import endorsement, hardware_id
from snpwire.crypto.certificates import load
from snpwire.crypto.rfc5280 import basic_constraints, key_usage
from snpwire.errors import CertificateError
from snpwire.wire.certs import PAGE

MILAN = authority.vcek()
SERIAL = "ignore:Parsed a serial number which wasn't positive:Warning"  # this one and no other


# Items


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("", "the DER is cut short at 0x0"),
        ("30", "the DER is cut short at 0x0"),
        ("3001", "the DER is cut short: 1 bytes announced, 0 there at 0x0"),
        ("308201", "the length 0x82 cannot be at 0x1"),
        ("3080", "the length 0x80 cannot be at 0x1"),
        ("30850000000001ff", "the length 0x85 cannot be at 0x1"),
        ("3084ffffffff00", "the DER is cut short: 4294967295 bytes announced, 1 there at 0x0"),
        ("30810100", "the length is longer than it has to be at 0x1"),
        ("30820080" + "00" * 128, "the length is longer than it has to be at 0x1"),
        ("1f8100", "tag 0x1f has a number too large at 0x0"),
        ("300000", "1 bytes too many at 0x2"),
    ],
)
def test_what_is_no_der_is_refused_with_its_place(data, text):
    with pytest.raises(CertificateError) as caught:
        der.only(bytes.fromhex(data))

    assert str(caught.value) == text
    assert f"{caught.value.reason} at {caught.value.offset:#x}" == text


def test_an_item_never_reaches_past_its_container():
    inner = der.only(bytes.fromhex("3004020500ff"))

    with pytest.raises(CertificateError, match=r"5 bytes announced, 2 there at 0x2$"):
        list(inner.children())


@given(st.integers(-(1 << 200), 1 << 200))
def test_integers_are_read_as_they_were_written(number):
    assert der.integer(der.only(integer(number))) == number


@pytest.mark.parametrize(
    ("data", "number"), [("0201ff", -1), ("020200ff", 255), ("0202ff7f", -129), ("020100", 0)]
)
def test_a_byte_that_an_integer_needs_for_its_sign_is_read(data, number):
    assert der.integer(der.only(bytes.fromhex(data))) == number


@pytest.mark.parametrize("data", ["02020005", "020400000005", "0202ffff", "0203ff8000"])
def test_an_integer_that_is_longer_than_it_has_to_be_is_refused(data):
    with pytest.raises(CertificateError, match=r"^an integer is longer than it has to be at 0x0$"):
        der.integer(der.only(bytes.fromhex(data)))


@pytest.mark.parametrize(("data", "value"), [("010100", False), ("0101ff", True)])
def test_a_boolean_is_one_of_two_bytes(data, value):
    assert der.boolean(der.only(bytes.fromhex(data))) is value


@pytest.mark.parametrize("data", ["0100", "010101", "010180", "0102ffff"])
def test_other_booleans_are_refused(data):
    with pytest.raises(CertificateError, match=r"^a boolean is 00 or ff, not "):
        der.boolean(der.only(bytes.fromhex(data)))


@pytest.mark.parametrize(
    ("data", "numbers"),
    [
        ("030100", set()),
        ("03020780", {0}),
        ("03020106", {5, 6}),
        ("03020104", {5}),
        ("0303070080", {8}),
    ],
)
def test_bits_count_from_the_first(data, numbers):
    """The third is of AMD's ASKs, with a zero that DER does not have."""
    assert der.named_bits(der.only(bytes.fromhex(data))) == numbers


@pytest.mark.parametrize("data", ["0300", "030101", "03020880", "03020107", "0302ff80"])
def test_bits_that_do_not_count_are_zero(data):
    with pytest.raises(CertificateError, match=r"^a bit string cannot be read at 0x0$"):
        der.named_bits(der.only(bytes.fromhex(data)))


def test_an_integer_without_bytes_is_refused():
    with pytest.raises(CertificateError, match=r"^an integer has no bytes at 0x0$"):
        der.integer(der.only(b"\2\0"))


@given(st.integers(0, 2), st.lists(st.integers(0, 1 << 40), max_size=6))
def test_object_identifiers_are_read_as_they_were_written(first, rest):
    numbers = (first, 5, *rest)

    assert der.oid(der.only(oid(*numbers))) == ".".join(map(str, numbers))


@pytest.mark.parametrize("data", ["0600", "060180", "06022a80", "0641" + "2a" * 65])
def test_an_object_identifier_that_does_not_end_is_refused(data):
    with pytest.raises(CertificateError, match=r"^an object identifier cannot be read at 0x0$"):
        der.oid(der.only(bytes.fromhex(data)))


@pytest.mark.parametrize(
    ("data", "year"),
    [(b"500101000000Z", 1950), (b"490101000000Z", 2049), (b"20500101000000Z", 2050)],
)
def test_years_of_two_digits_are_those_of_two_centuries(data, year):
    item = der.only(tlv(0x17 if len(data) == 13 else 0x18, data))

    assert der.time(item) == datetime(year, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tag", "data"),
    [
        (0x17, b""),
        (0x17, b"Z"),
        (0x17, b"5001010000Z"),
        (0x17, b"500101000000+"),
        (0x17, b"501301000000Z"),
        (0x17, b"500132000000Z"),
        (0x17, b"5001 1000000Z"),
        (0x17, b"-50101000000Z"),
        (0x18, b"00000101000000Z"),
        (0x18, b"20500101000000.5Z"),
        (0x04, b"500101000000Z"),
    ],
)
def test_what_is_no_time_is_refused(tag, data):
    with pytest.raises(CertificateError, match=r"^a time cannot be read at 0x0$"):
        der.time(der.only(tlv(tag, data)))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (tlv(0x0C, b"\xff"), "text cannot be decoded"),
        (tlv(0x13, b"\xff"), "text cannot be decoded"),
        (tlv(0x04, b"a"), "expected text, got tag 0x04"),
    ],
)
def test_what_is_no_text_is_refused(data, text):
    with pytest.raises(CertificateError, match=f"^{text} at 0x0$"):
        der.text(der.only(data))


@pytest.mark.parametrize("data", [tlv(3), tlv(3, b"\1\2"), tlv(4, b"\0")])
def test_bit_strings_are_of_whole_bytes(data):
    with pytest.raises(CertificateError):
        der.bits(der.only(data))


# Certificates


def same(data):
    """Compare the reading with that of cryptography, which is another implementation."""
    ours = x509.parse_certificate(data)
    try:
        other = reference.load_der_x509_certificate(data)
    except ValueError:
        assert ours.serial == 0
        pytest.skip("this cryptography refuses serial number 0, as announced")
    key = other.public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    common = reference.NameOID.COMMON_NAME

    assert ours.serial == other.serial_number
    assert ours.not_before == other.not_valid_before_utc
    assert ours.not_after == other.not_valid_after_utc
    assert ours.subject_name == other.subject.get_attributes_for_oid(common)[0].value
    assert ours.issuer_name == other.issuer.get_attributes_for_oid(common)[0].value
    assert (ours.subject, ours.issuer) == (
        other.subject.public_bytes(),
        other.issuer.public_bytes(),
    )
    assert ours.spki == spki
    assert ours.signed.tbs == other.tbs_certificate_bytes
    assert ours.signed.signature == other.signature
    assert ours.signed.algorithm == other.signature_algorithm_oid.dotted_string
    assert ours.signed.agrees
    assert list(ours.extensions) == [row.oid.dotted_string for row in other.extensions]
    assert [row.critical for row in ours.extensions.values()] == [
        row.critical for row in other.extensions
    ]
    numbers = key.public_numbers()
    if isinstance(ours.key, x509.RsaKey):
        assert ours.key == (numbers.n, numbers.e)
    else:
        assert ours.key == (numbers.x, numbers.y)
    return ours


@pytest.mark.filterwarnings(SERIAL)
@pytest.mark.parametrize("data", [MILAN, authority.ask(), authority.ark()])
def test_another_reader_finds_the_same(data):
    same(data)


@pytest.mark.parametrize("kind", ["pss", "pkcs1"])
def test_what_another_writer_made_is_read(kind):
    key, now = rsa_key("ark"), datetime(2026, 1, 1, tzinfo=UTC)
    who = reference.Name([reference.NameAttribute(reference.NameOID.COMMON_NAME, "ARK-Test")])
    made = (
        reference.CertificateBuilder(who, who, key.public_key(), 1 << 100)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=20_000))  # past 2049: another kind of time
        .add_extension(reference.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(
            key,
            SHA384(),
            rsa_padding=padding.PSS(padding.MGF1(SHA384()), 48) if kind == "pss" else None,
        )
    )
    ours = same(made.public_bytes(Encoding.DER))

    assert ours.serial == 1 << 100
    assert basic_constraints(ours) == (True, 0)
    assert (ours.signed.pss == (x509.SHA384, x509.SHA384, 48, 1)) == (kind == "pss")


@needed
@pytest.mark.filterwarnings(SERIAL)
@pytest.mark.parametrize("report", CHAINS)
def test_another_reader_finds_the_same_in_real_certificates(report):
    for file in certificate_files(report):
        for row in load(file):
            same(row.der)


def test_no_warning_is_met_on_the_way():  # warnings are errors in these tests
    assert x509.parse_certificate(MILAN).serial == 0


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), None])
def test_a_key_of_another_kind_is_kept_and_not_read(key):
    key = key or ed25519.Ed25519PrivateKey.generate()
    made = authority.certificate("SEV-VCEK", "SEV-Milan", key, rsa_key("ask"))

    ours = x509.parse_certificate(made)

    assert ours.key is None
    assert ours.spki in made


def test_algorithms_are_compared_with_their_parameters():
    key = rsa_key("ark")
    for inner, outer in ((pss(32), None), (None, pss(32)), (None, tlv(0x30, oid(1, 2, 3)))):
        made = authority.certificate("ARK-X", "ARK-X", key, key, inner=inner, outer=outer)
        assert not x509.parse_certificate(made).signed.agrees


def test_signature_parameters_that_are_left_out_have_their_defaults():
    bare = tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 10), tlv(0x30))
    none = tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 10))
    key, sha1 = rsa_key("ark"), "1.3.14.3.2.26"
    first, second = (
        x509.parse_certificate(authority.certificate("A", "A", key, key, inner=x, outer=x))
        for x in (bare, none)
    )

    assert first.signed.pss == (sha1, sha1, 20, 1)
    assert second.signed.pss is None


@pytest.mark.parametrize("data", [MILAN, authority.ark(), authority.revocations(rsa_key("ark"))])
def test_every_shortening_is_refused(data):
    read = x509.parse_crl if data not in (MILAN, authority.ark()) else x509.parse_certificate
    for size in range(len(data)):
        with pytest.raises(CertificateError):
            read(data[:size])
    with pytest.raises(CertificateError, match=r"^1 bytes too many at "):
        read(data + b"\0")


@pytest.mark.parametrize("read", [x509.parse_certificate, x509.parse_crl])
def test_nothing_but_a_certificate_error_comes_of_damage(read):
    image = MILAN if read is x509.parse_certificate else authority.revocations(rsa_key("ark"))
    dice = random.Random(60)
    for _ in range(3000):
        data = bytearray(image)
        for _ in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data) - 300)] = dice.choice((0, 1, 0x30, 0x80, 0xFF, 2, 3))
        try:
            found = read(bytes(data))
            if read is x509.parse_certificate:
                endorsement(found)
                basic_constraints(found)
                key_usage(found)
        except CertificateError:
            pass


@given(st.binary(max_size=300))
def test_nothing_but_a_certificate_error_comes_of_noise(data):
    for start in (b"", b"\x30\x82\x01\x2c"):
        for read in (x509.parse_certificate, x509.parse_crl):
            with pytest.raises(CertificateError):
                read(start + data)


def test_deep_nesting_costs_nothing():
    data = b""
    for _ in range(300):
        data = tlv(0x30, data)
    with pytest.raises(CertificateError):
        x509.parse_certificate(data)


def made_of(**parts):
    """Return a certificate whose parts may be anything; the signature is not one."""
    given = {
        "version": tlv(0xA0, integer(2)),
        "serial": integer(0),
        "algorithm": pss(),
        "issuer": name("A"),
        "validity": tlv(0x30, moment(authority.BEFORE), moment(authority.AFTER)),
        "subject": name("A"),
        "spki": tlv(0x30, tlv(0x30, oid(1, 2, 3)), tlv(3, b"\0\1")),
        "more": b"",
        **parts,
    }
    return tlv(0x30, tlv(0x30, *given.values()), pss(), tlv(3, b"\0\1"))


P384 = tlv(0x30, oid(1, 2, 840, 10045, 2, 1), oid(1, 3, 132, 0, 34))
RSA = tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 1), tlv(5))


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"version": tlv(0xA0, integer(3))}, "the certificate's version is not 1, 2 or 3"),
        ({"version": tlv(0xA0)}, "the certificate's version is not 1, 2 or 3"),
        ({"serial": b""}, "a certificate has too few parts"),
        ({"serial": tlv(4, b"1")}, r"expected an integer \(tag 0x02\), got tag 0x04"),
        ({"validity": tlv(0x30, moment(authority.NOW))}, "a validity has 1 parts, not 2 to 2"),
        ({"spki": tlv(0x30, P384, tlv(3, b"\0\4", bytes(95)))}, "a point of P-384 is not 97 bytes"),
        ({"spki": tlv(0x30, P384, tlv(3, b"\0\2", bytes(96)))}, "a point of P-384 is not 97 bytes"),
        ({"spki": tlv(0x30, RSA, tlv(3, b"\0", tlv(0x30, integer(1))))}, "an RSA key has 1 parts"),
        ({"more": tlv(0xA3)}, "extensions are not one sequence"),
        ({"more": tlv(0xA3, tlv(0x30)) * 2}, "tag 0xa3 has no place behind a certificate's key"),
        ({"more": tlv(0xA4, tlv(0x30))}, "tag 0xa4 has no place behind a certificate's key"),
        ({"more": tlv(0x82) + tlv(0x81)}, "tag 0x81 has no place behind a certificate's key"),
        (
            {"more": tlv(0xA3, tlv(0x30, tlv(0x30, oid(2, 5), tlv(1, b"\1"), tlv(4))))},
            "a boolean is 00 or ff, not 01",
        ),
        ({"more": tlv(0xA3, tlv(0x30, CA, CA))}, "extension 2.5.29.19 occurs twice"),
        (
            {"algorithm": tlv(0x30, oid(1, 2, 3), tlv(5), tlv(5))},
            "",
        ),
    ],
)
def test_a_part_that_is_wrong_is_named(parts, text):
    if not text:
        assert not x509.parse_certificate(made_of(**parts)).signed.agrees
        return
    with pytest.raises(CertificateError, match=f"^{text}"):
        x509.parse_certificate(made_of(**parts))


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (tlv(0xA0), "signature parameters cannot be read"),
        (tlv(0x02, b"\1"), "signature parameters cannot be read"),
        (tlv(0xA2, integer(1)) * 2, "signature parameters cannot be read"),
        (tlv(0xA1, tlv(0x30, oid(1, 2, 3), tlv(5))), "the mask function is not MGF1"),
    ],
)
def test_signature_parameters_that_are_wrong_are_refused(parameters, text):
    outer = tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 10), tlv(0x30, parameters))
    with pytest.raises(CertificateError, match=f"^{text} at "):
        x509.parse_certificate(tlv(0x30, tlv(0x30), outer, tlv(3, b"\0\1")))


def test_a_version_1_certificate_has_no_version():
    assert x509.parse_certificate(made_of(version=b"")).version == 1
    assert x509.parse_certificate(made_of()).version == 3


def test_who_may_issue_is_in_the_basic_constraints():
    def with_(value):
        made = authority.extension((2, 5, 29, 19), value)
        return x509.parse_certificate(made_of(more=tlv(0xA3, tlv(0x30, made))))

    yes = tlv(1, b"\xff")
    assert basic_constraints(with_(tlv(0x30, yes, integer(0)))) == (True, 0)
    assert basic_constraints(with_(tlv(0x30, yes))) == (True, None)
    assert basic_constraints(with_(tlv(0x30, tlv(1, b"\0")))) == (False, None)
    assert basic_constraints(with_(tlv(0x30))) == (False, None)
    assert basic_constraints(x509.parse_certificate(made_of())) == (False, None)
    with pytest.raises(CertificateError, match=r"^expected basic constraints"):
        basic_constraints(with_(integer(1)))
    for parts in ((integer(0),), (tlv(1, b"\0"), integer(0)), (yes, integer(-1)), (yes, yes)):
        with pytest.raises(CertificateError, match=r"^(basic constraints cannot|expected an int)"):
            basic_constraints(with_(tlv(0x30, *parts)))


# AMD's extensions


def with_extensions(rows):
    return x509.parse_certificate(authority.vcek(extensions=rows))


def test_extensions_say_for_what_a_certificate_is():
    milan = endorsement(x509.parse_certificate(MILAN))
    own = authority.amd(authority.TURIN, "Turin", hwid=bytes(range(8)), struct=1)
    turin = endorsement(with_extensions(own))
    provider = endorsement(x509.parse_certificate(authority.vlek()))

    assert (milan.struct_version, milan.product_name, milan.csp_id) == (0, "Milan-B0", None)
    assert milan.spls["ucodeSPL"] == 200
    assert " ".join(milan.spls) == "blSPL teeSPL snpSPL spl4 spl5 spl6 spl7 ucodeSPL"
    assert milan.hwid == authority.CHIP
    assert (turin.struct_version, turin.spls["fmcSPL"], turin.hwid) == (1, 1, bytes(range(8)))
    assert "spl4" not in turin.spls
    assert (provider.csp_id, provider.hwid) == ("CN=test.invalid", None)
    assert endorsement(x509.parse_certificate(authority.ark())) == (None, None, {}, None, None)


@pytest.mark.parametrize(
    ("value", "level"), [("020100", 0), ("020103", 3), ("020200c8", 200), ("020200ff", 255)]
)
def test_a_patch_level_is_an_integer_of_a_byte(value, level):
    row = authority.extension((*authority.AMD, 3, 8), bytes.fromhex(value))

    assert endorsement(with_extensions([row])).spls == {"ucodeSPL": level}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0201de", "a patch level is 0 to 255, got -34"),
        ("02020100", "a patch level is 0 to 255, got 256"),
        ("0202001d", "an integer is longer than it has to be at 0x0"),
        ("02011d00", "1 bytes too many at 0x3"),
        ("0403020103", r"expected an integer (tag 0x02), got tag 0x04 at 0x0"),
        ("03", "the DER is cut short at 0x0"),
    ],
)
def test_a_patch_level_has_one_encoding(value, text):
    row = authority.extension((*authority.AMD, 3, 8), bytes.fromhex(value))

    with pytest.raises(CertificateError) as caught:
        endorsement(with_extensions([row]))

    assert str(caught.value) == f"extension ucodeSPL: {text}"


@pytest.mark.parametrize("name", ["Milan", "Milan-B0", "Genoa-B2", "Turin-C1"])
def test_a_product_may_have_a_stepping(name):
    row = authority.extension((*authority.AMD, 2), tlv(0x16, name.encode()))

    found = endorsement(with_extensions([row]))

    assert (found.product_name, found.product) == (name, name.partition("-")[0])


@pytest.mark.parametrize(
    "name",
    [
        "",
        "milan",
        "Milan-",
        "Milan-B",
        "Milan-B01",
        "Milan-b0",
        "Milan-0B",
        "Milan B0",
        "Milan-B0-X",
        "Milan-B0\n",
    ],
)
def test_a_product_of_another_form_is_refused(name):
    row = authority.extension((*authority.AMD, 2), tlv(0x16, name.encode()))

    with pytest.raises(CertificateError, match=r"^extension productName: a product is NAME or "):
        endorsement(with_extensions([row]))


@pytest.mark.parametrize("number", [(3, 10), (3,), (6,), (1, 1)])
def test_an_extension_of_amds_that_nobody_knows_is_refused(number):
    row = authority.extension((*authority.AMD, *number), integer(5))

    with pytest.raises(
        CertificateError, match=r"^extension '1\.3\.6\.1\.4\.1\.3704\.1\..* not known"
    ):
        endorsement(with_extensions([row]))


def test_a_provider_has_a_name():
    row = authority.extension((*authority.AMD, 5), tlv(0x16, b""))

    with pytest.raises(CertificateError, match=r"^extension cspID: the provider's name is empty$"):
        endorsement(with_extensions([row]))


def test_extensions_are_shown_in_a_line():
    assert endorsement(x509.parse_certificate(authority.vlek())).summary() == (
        "structVersion 0, productName Milan, blSPL 3, teeSPL 0, snpSPL 8, spl4 0, spl5 0, spl6 0,"
        " spl7 0, ucodeSPL 200, cspID 'CN=test.invalid'"
    )
    assert endorsement(x509.parse_certificate(authority.ark())).summary() == "none"


@pytest.mark.parametrize("size", [8, 64])
@pytest.mark.parametrize("start", [b"", b"\x04\x06", b"\x04\x3e", b"\x04\x40"])
def test_a_hardware_id_is_told_by_its_length(size, start):
    chip = (start + bytes(range(100, 200)))[:size]

    assert hardware_id(chip) == chip
    assert hardware_id(tlv(4, chip)) == chip


@pytest.mark.parametrize(
    ("number", "value", "text"),
    [
        ((4,), bytes(63), "extension hwID: "),
        ((4,), tlv(4, bytes(9)), "extension hwID: a hardware id has 64 or 8 bytes, got 9 at 0x0"),
        ((4,), b"", "extension hwID: the DER is cut short at 0x0"),
        ((3, 1), b"", "extension blSPL: the DER is cut short at 0x0"),
        ((3, 8), b"\2\2\1", "extension ucodeSPL: the DER is cut short"),
        ((2,), tlv(0x0C, b"Milan"), "extension productName: expected an IA5String (tag 0x16)"),
        ((2,), integer(1), "extension productName: expected an IA5String (tag 0x16), got tag 0x02"),
    ],
)
def test_an_extension_that_cannot_be_read_is_named(number, value, text):
    found = with_extensions([authority.extension((*authority.AMD, *number), value)])

    with pytest.raises(CertificateError) as caught:
        endorsement(found)

    assert str(caught.value).startswith(text)


def test_a_page_of_zeros_is_no_certificate():
    with pytest.raises(CertificateError):
        x509.parse_certificate(bytes(PAGE))
