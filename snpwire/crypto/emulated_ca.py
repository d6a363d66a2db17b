"""Certificates for an emulated chip: chains that look like AMD's, and say TEST in every name.

The three CA keys are public, in ``test_keys.pem``. They were made once: an RSA key of 4096 bits
takes seconds, and a verifier needs a root that stays the same. The root is not AMD's, so a verifier
that trusts AMD's roots refuses the chain. The same
arguments give the same bytes. Fields, extensions and serial numbers are those of AMD's
key server, as seen in real certificates of Milan, Genoa and Turin.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import sha384
from importlib.resources import files
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from ..wire.tcb import TcbLayout
from . import der
from .amd_oids import COMPONENT_SPLS, CSP_ID, HWID, PRODUCT_NAME, SPLS, STRUCT_VERSION
from .der import BOOLEAN, IA5, NULL, SET, UTF8
from .x509 import COMMON_NAME, MGF1, RSASSA_PSS, SHA384

if TYPE_CHECKING:
    from ..wire.tcb import Product
    from .kdf import PrivateKey

SALT_SIZE = HASH_SIZE = 48
_TRAILER = b"\xbc"


def sign(key: RSAPrivateKey, data: bytes) -> bytes:
    """Return the signature over *data*: SHA-384, MGF1 with SHA-384, salt of 48 bytes."""
    numbers = key.private_numbers()
    size = (key.key_size + 7) // 8
    message = int.from_bytes(_encoded(data, key.key_size - 1), "big")
    first = pow(message % numbers.p, numbers.dmp1, numbers.p)
    second = pow(message % numbers.q, numbers.dmq1, numbers.q)
    joined = second + numbers.q * (numbers.iqmp * (first - second) % numbers.p)
    return joined.to_bytes(size, "big")


def _encoded(data: bytes, bits: int) -> bytes:
    """Return the message that is signed, EMSA-PSS of *bits* bits."""
    size = (bits + 7) // 8
    digest = sha384(data).digest()
    salt = sha384(b"salt" + digest).digest()
    proof = sha384(bytes(8) + digest + salt).digest()
    block = b"\1".rjust(size - SALT_SIZE - HASH_SIZE - 1, b"\0") + salt
    mask = _mask(proof, len(block))
    masked = int.from_bytes(block, "big") ^ int.from_bytes(mask, "big")
    masked &= (1 << 8 * len(block) - (8 * size - bits)) - 1
    return masked.to_bytes(len(block), "big") + proof + _TRAILER


def _mask(seed: bytes, size: int) -> bytes:
    """Return *size* bytes of MGF1."""
    count = -(-size // HASH_SIZE)
    blocks = (sha384(seed + number.to_bytes(4, "big")).digest() for number in range(count))
    return b"".join(blocks)[:size]


def item(tag: int, *parts: bytes) -> bytes:
    """Return one item that holds *parts*."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + body


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE."""
    return item(der.SEQUENCE, *parts)


def oid(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    first, second, *others = map(int, dotted.split("."))
    body = bytearray()
    for number in (40 * first + second, *others):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        body += bytes(reversed(groups))
    return item(der.OID, bytes(body))


def integer(number: int) -> bytes:
    """Return an INTEGER that is not negative."""
    return item(der.INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def octets(*parts: bytes) -> bytes:
    """Return an OCTET STRING."""
    return item(der.OCTET_STRING, *parts)


def bits(data: bytes, unused: int = 0) -> bytes:
    """Return a BIT STRING; *unused* bits of its last byte do not count."""
    return item(der.BIT_STRING, bytes((unused,)), data)


def text(tag: int, value: str) -> bytes:
    """Return a string of the type *tag*."""
    return item(tag, value.encode("ascii"))


def time(moment: datetime) -> bytes:
    """Return a time: UTCTime up to 2049, GeneralizedTime from then on (RFC 5280)."""
    if moment.year < 2050:
        return text(der.UTC_TIME, f"{moment:%y%m%d%H%M%SZ}")
    return text(der.GENERALIZED_TIME, f"{moment:%Y%m%d%H%M%SZ}")


SINCE, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)
OWNER = "snpwire TEST, not AMD"
TEST_CSP = "CN=TEST.invalid"
"""Provider of the emulated VLEK."""
SERIALS = {"Milan": 0x1_0000, "Genoa": 0x2_0000, "Turin": 0x3_0000}
STEPPINGS = {"Milan": "Milan-B0"}
"""``productName`` of a VCEK where it is more than the product."""
ASK, ASVK = 0x0001, 0x0101
"""Low bits of their serial numbers; the others are the ARK's."""
ORGANIZATION, UNIT = "2.5.4.10", "2.5.4.11"
BASIC_CONSTRAINTS, KEY_USAGE = "2.5.29.19", "2.5.29.15"
_VERSION_3 = item(0xA0, integer(2))
_CERT_AND_CRL_SIGN = bits(b"\x06", 1)
_SPL_OF = {name: dotted for dotted, name in SPLS.items()}
_RESERVED = ("spl4", "spl5", "spl6", "spl7")


def chain(product: Product, *, vlek: bool = False) -> tuple[bytes, bytes]:
    """Return ASK, or ASVK with *vlek*, and ARK of a product, DER."""
    name, ark = product.name, f"ARK-TEST-{product.name}"
    serial = SERIALS.get(name, 0)
    middle = f"SEV-VLEK-TEST-{name}" if vlek else f"SEV-TEST-{name}"
    own = serial | (ASVK if vlek else ASK)
    return (
        _authority(middle, ark, "ASVK" if vlek else "ASK", "ARK", own, depth=0),
        _authority(ark, ark, "ARK", "ARK", serial, depth=1),
    )


@lru_cache(maxsize=64)
def vcek(product: Product, key: PrivateKey, tcb: int, chip_id: bytes) -> bytes:
    """Return the certificate of a chip's key for one TCB version, DER."""
    extensions = _endorsement(product, tcb, STEPPINGS.get(product.name, product.name))
    used = chip_id[: product.chip_id_size or len(chip_id)]
    extensions.append(_extension(HWID, used))
    issuer = f"SEV-TEST-{product.name}"
    return _certificate("SEV-VCEK", issuer, _public(key), "ASK", 0, tuple(extensions))


@lru_cache(maxsize=64)
def vlek(product: Product, key: PrivateKey, tcb: int, csp: str = TEST_CSP) -> bytes:
    """Return the certificate of a key that a provider had loaded, DER."""
    extensions = _endorsement(product, tcb, product.name)
    extensions.append(_extension(CSP_ID, text(IA5, csp)))
    issuer = f"SEV-VLEK-TEST-{product.name}"
    return _certificate("SEV-VLEK", issuer, _public(key), "ASVK", 0, tuple(extensions))


def bare_vcek(product: Product, key: PrivateKey) -> bytes:
    """Return a VCEK certificate without chip and TCB version, DER."""
    return _certificate("SEV-VCEK", f"SEV-TEST-{product.name}", _public(key), "ASK", 0, ())


def forged_chain(product: Product) -> tuple[bytes, bytes]:
    """Return a valid ASK and ARK of the same names under another root key, DER.

    The ASK has the same key, so only the root differs.
    """
    serial, ark = SERIALS.get(product.name, 0), f"ARK-TEST-{product.name}"
    middle = f"SEV-TEST-{product.name}"
    return (
        _authority(middle, ark, "ASK", "ASVK", serial | ASK, depth=0),
        _authority(ark, ark, "ASVK", "ASVK", serial, depth=1),
    )


@cache
def crl(product: Product, serials: tuple[int, ...] = (), *, forged: bool = False) -> bytes:
    """Return a product's list of revoked certificates, DER; *forged* by another key than the ARK's.

    Its next update is at the end of 2049, like the certificates' end.
    """
    rows = [sequence(integer(serial), time(SINCE)) for serial in serials]
    revoked = [sequence(*rows)] if rows else []
    issuer = _name(f"ARK-TEST-{product.name}")
    signed = sequence(integer(1), _ALGORITHM, issuer, time(SINCE), time(UNTIL), *revoked)
    key = _keys()["ASVK" if forged else "ARK"]
    return sequence(signed, _ALGORITHM, bits(sign(key, signed)))


@cache
def _keys() -> dict[str, RSAPrivateKey]:
    """Read the CA keys; the line before each names it."""
    document = files(__package__).joinpath("test_keys.pem").read_bytes()
    found = {}
    for part in document.split(b"TEST ")[1:]:
        name, _, pem = part.partition(b" ")
        key = load_pem_private_key(
            pem[pem.index(b"-----") :],
            password=None,
            unsafe_skip_rsa_key_validation=True,  # a second for keys that were checked once
        )
        if isinstance(key, RSAPrivateKey):
            found[name.decode()] = key
    return found


def _public(key: RSAPrivateKey | PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@cache
def _authority(subject: str, issuer: str, own: str, by: str, serial: int, *, depth: int) -> bytes:
    """Return the certificate of a CA that may have *depth* CAs below it."""
    extensions = (
        _extension(
            BASIC_CONSTRAINTS, sequence(item(BOOLEAN, b"\xff"), integer(depth)), critical=True
        ),
        _extension(KEY_USAGE, _CERT_AND_CRL_SIGN, critical=True),
    )
    return _certificate(subject, issuer, _public(_keys()[own]), by, serial, extensions)


def _certificate(
    subject: str, issuer: str, public: bytes, by: str, serial: int, extensions: tuple[bytes, ...]
) -> bytes:
    signed = sequence(
        _VERSION_3,
        integer(serial),
        _ALGORITHM,
        _name(issuer),
        sequence(time(SINCE), time(UNTIL)),
        _name(subject),
        public,
        item(0xA3, sequence(*extensions)),
    )
    return sequence(signed, _ALGORITHM, bits(sign(_keys()[by], signed)))


def _name(common: str) -> bytes:
    parts = ((UNIT, "TEST"), (ORGANIZATION, OWNER), (COMMON_NAME, common))
    return sequence(*(item(SET, sequence(oid(kind), text(UTF8, value))) for kind, value in parts))


def _extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = item(BOOLEAN, b"\xff") if critical else b""
    return sequence(oid(dotted), flag, octets(value))


def _endorsement(product: Product, tcb: int, name: str) -> list[bytes]:
    """Return the AMD extensions common to VCEK and VLEK."""
    word = product.layout.word(tcb)
    turin = product.layout is TcbLayout.TURIN
    levels = dict.fromkeys(_RESERVED[turin:], 0)  # Turin lacks the first of them
    levels |= {COMPONENT_SPLS[part]: int(getattr(word, part)) for part in word.BITS}
    rows = [_extension(STRUCT_VERSION, integer(int(turin)))]
    rows.append(_extension(PRODUCT_NAME, text(IA5, name)))
    rows += [
        _extension(_SPL_OF[spl], integer(level))
        for spl, level in sorted(levels.items(), key=_dotted)
    ]
    return rows


def _dotted(level: tuple[str, int]) -> str:
    return _SPL_OF[level[0]]


_HASHED = sequence(oid(SHA384), item(NULL))
_ALGORITHM = sequence(
    oid(RSASSA_PSS),
    sequence(
        item(0xA0, _HASHED),
        item(0xA1, sequence(oid(MGF1), _HASHED)),
        item(0xA2, integer(SALT_SIZE)),
        item(0xA3, integer(1)),
    ),
)
"""RSASSA-PSS as AMD uses it: SHA-384, MGF1 with SHA-384, a salt of 48 bytes, trailer 1."""
