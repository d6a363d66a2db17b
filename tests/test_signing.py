from hashlib import sha384

import authority
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from realfiles import needed, rows

from snpwire.crypto.signing import (
    check,
    check_id_block,
    check_report,
    id_key,
    key_digest,
    private_key,
    sign,
    sign_id_block,
    sign_report,
)
from snpwire.crypto.x509 import EcKey
from snpwire.errors import DecodeError, KeyFormatError, SignatureError
from snpwire.wire.launch import IdAuth, IdBlock, IdKey
from snpwire.wire.report import Report, Signature

KEY, AUTHOR = authority.ec_key("id"), authority.ec_key("author")
BLOCK = IdBlock(ld=bytes(range(48)), version=1, guest_svn=4, policy=0x30000).build()


def public(key):
    numbers = key.public_key().public_numbers()
    return EcKey(numbers.x, numbers.y)


def pem(key, protection=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection or NoEncryption())


def test_a_signed_report_verifies_over_its_bytes():
    unsigned = Report(version=2, report_data=bytes(range(64)), reserved_0x208=b"\5" * 152)

    report = sign_report(unsigned.build(), KEY)

    check_report(report, public(KEY))
    assert report[:0x2A0] == unsigned.build()[:0x2A0]
    assert any(report[0x2A0:0x2D0])
    assert any(report[0x2E8:0x318])
    assert not any(report[0x2D0:0x2E8] + report[0x318:])
    with pytest.raises(SignatureError, match=r"^the signature does not fit$"):
        check_report(report, public(AUTHOR))


def test_numbers_are_little_endian():
    made = sign(b"data", KEY)
    numbers = Signature.of(made.r_number, made.s_number)

    check(b"data", numbers, public(KEY))
    turned = Signature(r=made.r[:48][::-1].ljust(72, b"\0"), s=made.s)
    with pytest.raises(SignatureError):
        check(b"data", turned, public(KEY))


@pytest.mark.parametrize("at", [0, 0x29F, 0x2A0, 0x2CF, 0x2E8, 0x317])
def test_a_report_that_was_changed_does_not_verify(at):
    report = bytearray(authority.report())
    report[at] ^= 1 << at % 8

    with pytest.raises(SignatureError, match=r"^the signature does not fit$"):
        check_report(report, public(authority.ec_key("vcek")))


@pytest.mark.parametrize("at", [*range(0x2D0, 0x2E8), *range(0x318, 0x4A0)])
def test_bytes_that_no_signature_covers_are_refused(at):
    report = bytearray(authority.report())
    report[at] ^= 1 << at % 8

    with pytest.raises(SignatureError, match=r"^bytes that the signature does not use are set$"):
        check_report(report, public(authority.ec_key("vcek")))


def test_a_report_without_a_signature_says_so():
    with pytest.raises(SignatureError, match=r"^there is no signature: it is zero$"):
        check_report(Report(version=2).build(), public(KEY))
    with pytest.raises(DecodeError, match=r"^Report: expected 1184 bytes, got 1183$"):
        check_report(bytes(1183), public(KEY))


@pytest.mark.parametrize("key", [EcKey(0, 0), EcKey(1, 1), EcKey(-1, 5), EcKey(1 << 600, 2)])
def test_a_key_that_is_no_point_is_refused(key):
    with pytest.raises(SignatureError, match=r"^the public key is no point of P-384$"):
        check(b"", Signature.of(1, 1), key)


def test_numbers_out_of_range_do_not_verify():
    for number in (1, (1 << 384) - 1, (1 << 576) - 1):
        with pytest.raises(SignatureError, match=r"^the signature does not fit$"):
            check(b"", Signature.of(number, number), public(KEY))


def test_an_id_block_verifies_by_its_key_and_its_author():
    alone = sign_id_block(BLOCK, KEY)
    both = sign_id_block(BLOCK, KEY, AUTHOR)

    check_id_block(BLOCK, alone.build())
    check_id_block(BLOCK, both.build(), author=True)
    assert (alone.auth_key_algo, both.auth_key_algo) == (0, 1)
    assert not any(alone.author_key.build())
    with pytest.raises(SignatureError, match=r"^the algorithm is not ECDSA P-384 with SHA-384$"):
        check_id_block(BLOCK, alone.build(), author=True)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0x000, "^the algorithm is not "),
        (0x004, "^the algorithm is not "),
        (0x040, "^ID key: the signature does not fit$"),
        (0x240, "^the ID key is not on P-384$"),
        (0x244, "^ID key: the public key is no point of P-384$"),
        (0x643, "^author key: the signature does not fit$"),
        (0x680, "^author key: the signature does not fit$"),
        (0x880, "^the author key is not on P-384$"),
        (0x884, "^author key: the public key is no point of P-384$"),
    ],
)
def test_a_changed_authentication_page_fails(at, text):
    page = bytearray(sign_id_block(BLOCK, KEY, AUTHOR).build())
    page[at] ^= 2

    with pytest.raises(SignatureError, match=text):
        check_id_block(BLOCK, bytes(page), author=True)


def test_a_changed_id_block_fails():
    auth = sign_id_block(BLOCK, KEY).build()
    for at in range(len(BLOCK)):
        block = bytearray(BLOCK)
        block[at] ^= 1 << at % 8
        with pytest.raises(SignatureError, match=r"^ID key: the signature does not fit$"):
            check_id_block(bytes(block), auth)


def test_a_digest_is_of_the_whole_key():
    key = id_key(KEY)
    numbers = KEY.public_key().public_numbers()
    image = (2).to_bytes(4, "little") + numbers.x.to_bytes(72, "little")
    image += numbers.y.to_bytes(72, "little")

    assert key_digest(key) == sha384(image.ljust(0x404, b"\0")).digest()
    assert key_digest(key) != key_digest(key.replace(reserved_0x094=b"\1" * 880))


def test_a_private_key_is_read_from_pem():
    again = private_key(pem(KEY))

    assert again.private_numbers() == KEY.private_numbers()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"junk 0123",
        pem(KEY)[:-60],
        pem(KEY, BestAvailableEncryption(b"secret")),
        pem(authority.rsa_key("ark")),
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
    ids=["empty", "junk", "cut", "password", "rsa", "p256"],
)
def test_what_is_no_private_key_is_refused_and_not_repeated(text):
    with pytest.raises(KeyFormatError, match=r"^the private key (cannot be read|is not)") as caught:
        private_key(text)

    assert caught.value.__cause__ is None
    assert len(str(caught.value)) < 80


def test_a_key_of_another_curve_signs_nothing():
    key = ec.generate_private_key(ec.SECP256R1())
    for use in (lambda: sign(b"", key), lambda: id_key(key), lambda: sign_id_block(BLOCK, key)):
        with pytest.raises(KeyFormatError, match=r"^the private key is not one of P-384$"):
            use()


@needed
def test_reports_of_the_firmware_verify_by_their_keys():
    seen = 0
    for row in rows("guest_request"):
        if row["expect"].get("report_signature_verified_with") != "VCEK":
            continue
        x, y = (
            int.from_bytes(bytes.fromhex(part), "little") for part in row["platform"]["vcek_pub_le"]
        )
        check_report(bytes.fromhex(row["expect"]["response_payload"])[0x20:0x4C0], EcKey(x, y))
        seen += 1

    assert seen > 10


@needed
def test_id_blocks_are_judged_as_the_firmware_judges_them():
    good = bad = 0
    for row in rows("commands"):
        asked = row["input"]
        if row["command"] != "SNP_LAUNCH_FINISH" or not asked.get("id_block_en"):
            continue
        block, auth = bytes.fromhex(asked["id_block"]), bytes.fromhex(asked["id_auth"])
        auth, author = auth.ljust(0x1000, b"\0"), bool(asked["auth_key_en"])
        algorithm = row["name"].partition("_algo_")[1] != ""
        if row["status_name"] == "BAD_SIGNATURE" or algorithm:
            with pytest.raises(SignatureError):
                check_id_block(block, auth, author=author)
            bad += 1
        elif row["status_name"] == "SUCCESS":
            check_id_block(block, auth, author=author)
            good += 1
            after = row.get("gctx_changed") or {}
            if "id_key_digest" in after:
                assert key_digest(IdAuth.parse(auth).id_key).hex() == after["id_key_digest"]

    assert good >= 5
    assert bad >= 8


def test_a_key_survives_its_image():
    assert IdKey.parse(id_key(KEY).build()) == id_key(KEY)
