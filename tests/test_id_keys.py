"""The digest of an owner's key is found in every form that a key comes in."""

import authority
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from snpwire.crypto.id_keys import digest_of
from snpwire.crypto.signing import id_key, key_digest, sign_id_block
from snpwire.errors import KeyFormatError
from snpwire.wire.launch import IdBlock

KEY, AUTHOR = authority.ec_key("id"), authority.ec_key("author")
DIGEST, AUTHORS = key_digest(id_key(KEY)), key_digest(id_key(AUTHOR))
ALONE, BOTH = (sign_id_block(IdBlock().build(), KEY, author).build() for author in (None, AUTHOR))


def public(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    "data",
    [
        DIGEST,
        DIGEST.hex().encode(),
        b" " + DIGEST.hex(" ").upper().encode() + b"\n",
        id_key(KEY).build(),
        BOTH,
        public(KEY),
        private(KEY),
    ],
    ids=["digest", "hex", "spaced", "key", "page", "public", "private"],
)
def test_each_form_has_the_same_digest(data):
    assert digest_of(data) == DIGEST


def test_a_page_has_the_author_s_key_too():
    assert digest_of(BOTH, author=True) == AUTHORS
    assert digest_of(id_key(AUTHOR).build(), author=True) == AUTHORS
    with pytest.raises(KeyFormatError, match=r"has no such key: it is zero$"):
        digest_of(ALONE, author=True)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "^expected PEM, a key of 0x404 bytes, a page of 0x1000 or a digest of 48, got 0 "),
        (b"zz" * 48, "got 96 bytes that are none of them$"),
        (b"\xff" * 47, "got 47 bytes that are none of them$"),
        (DIGEST.hex().encode()[:-2], "got 94 bytes that are none of them$"),
        (public(KEY)[:-40], "^the public key cannot be read as PEM$"),
        (private(KEY)[:-40], "^the private key cannot be read as PEM without a password$"),
        (public(authority.rsa_key("ark")), "^the public key is not one of P-384$"),
        (public(ec.generate_private_key(ec.SECP256R1())), "^the public key is not one of P-384$"),
        (private(authority.rsa_key("ark")), "^the private key is not one of P-384$"),
    ],
    ids=["none", "text", "short", "digits", "cut", "cut-private", "rsa", "p256", "rsa-private"],
)
def test_what_is_no_key_is_refused_and_not_repeated(data, text):
    with pytest.raises(KeyFormatError, match=text) as caught:
        digest_of(data)

    assert len(str(caught.value)) < 120
