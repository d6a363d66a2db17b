"""A certificate authority for tests: chains that look like AMD's and say that they are not.

The encoder is written apart from ``snpwire.crypto.der``, which it is to test, and makes what
``cryptography`` refuses to: serial number 0.
"""

from datetime import UTC, datetime
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from snpwire.crypto import signing
from snpwire.crypto.certificates import load, pin
from snpwire.crypto.chain import Signers, by_name, distinct, keys_of, noted
from snpwire.wire.report import Report

BEFORE, NOW, AFTER = (datetime(year, 6, 1, tzinfo=UTC) for year in (2024, 2026, 2030))
AMD = (1, 3, 6, 1, 4, 1, 3704, 1)
CHIP = bytes(range(1, 65))
MEASUREMENT = bytes(range(0x30, 0x60))


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def oid(*numbers):
    body = bytes([40 * numbers[0] + numbers[1]])
    for number in numbers[2:]:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.insert(0, number & 0x7F | 0x80)
        body += bytes(groups)
    return tlv(6, body)


def integer(number):
    bits = (number if number >= 0 else ~number).bit_length()
    return tlv(2, number.to_bytes(bits // 8 + 1, "big", signed=True))


def name(common):
    parts = ((2, 5, 4, 10), b"TEST, not AMD"), ((2, 5, 4, 3), common.encode())
    return tlv(0x30, *(tlv(0x31, tlv(0x30, oid(*kind), tlv(0x0C, text))) for kind, text in parts))


def moment(time):
    return tlv(0x17, time.strftime("%y%m%d%H%M%SZ").encode())


def pss(salt=48, digest=(2, 16, 840, 1, 101, 3, 4, 2, 2)):
    hashed = tlv(0x30, oid(*digest), tlv(5))
    return tlv(
        0x30,
        oid(1, 2, 840, 113549, 1, 1, 10),
        tlv(
            0x30,
            tlv(0xA0, hashed),
            tlv(0xA1, tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 8), hashed)),
            tlv(0xA2, integer(salt)),
            tlv(0xA3, integer(1)),
        ),
    )


def extension(numbers, value, *, critical=False):
    return tlv(0x30, oid(*numbers), tlv(1, b"\xff") if critical else b"", tlv(4, value))


CA = extension((2, 5, 29, 19), tlv(0x30, tlv(1, b"\xff")), critical=True)


def signed(tbs, key, algorithm=None):
    scheme = padding.PSS(padding.MGF1(SHA384()), 48)
    signature = key.sign(tbs, scheme, SHA384())
    return tlv(0x30, tbs, algorithm or pss(), tlv(3, b"\0", signature))


def certificate(
    subject,
    issuer,
    key,
    by,
    serial=1,
    extensions=(),
    inner=None,
    outer=None,
    since=BEFORE,
    until=AFTER,
    version=3,
):
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    tbs = tlv(
        0x30,
        tlv(0xA0, integer(version - 1)) if version > 1 else b"",
        integer(serial),
        inner or pss(),
        name(issuer),
        tlv(0x30, moment(since), moment(until)),
        name(subject),
        spki,
        tlv(0xA3, tlv(0x30, *extensions)) if extensions else b"",
    )
    return signed(tbs, by, outer)


def revocations(
    by,
    issuer="ARK-Milan",
    serials=(),
    since=BEFORE,
    until=AFTER,
    version=2,
    extra=(),
    entry_extra=(),
    entries=(),
    tail=b"",
):
    more = tlv(0x30, *entry_extra) if entry_extra else b""
    rows = [*(tlv(0x30, integer(serial), moment(BEFORE), more) for serial in serials), *entries]
    tbs = tlv(
        0x30,
        integer(1) if version == 2 else b"",
        pss(),
        name(issuer),
        moment(since),
        moment(until) if until else b"",
        tlv(0x30, *rows) if rows else b"",
        tlv(0xA0, tlv(0x30, *extra)) if extra else b"",
        tail,
    )
    return signed(tbs, by)


@lru_cache
def rsa_key(which):
    return rsa.generate_private_key(65537, 2048)


@lru_cache
def ec_key(which):
    return ec.generate_private_key(ec.SECP384R1())


def amd(spls, product="Milan-B0", hwid=CHIP, csp=None, struct=0):
    """Return AMD's extensions, as KDS writes them."""
    rows = [extension((*AMD, 1), integer(struct))]
    if product is not None:
        rows.append(extension((*AMD, 2), tlv(0x16, product.encode())))
    rows += [extension((*AMD, 3, number), integer(level)) for number, level in spls.items()]
    if hwid is not None:
        rows.append(extension((*AMD, 4), hwid))
    if csp is not None:
        rows.append(extension((*AMD, 5), tlv(0x16, csp.encode())))
    return rows


CLASSIC = {1: 3, 2: 0, 3: 8, 4: 0, 5: 0, 6: 0, 7: 0, 8: 200}
TURIN = {9: 1, 1: 2, 2: 3, 3: 4, 5: 0, 6: 0, 7: 0, 8: 81}


def ark(product="Milan", **changes):
    key, who = rsa_key("ark"), f"ARK-{product}"
    return certificate(who, who, key, key, **{"serial": 0x10000, "extensions": [CA], **changes})


def ask(product="Milan", kind="SEV-", **changes):
    given = {"serial": 0x10001, "extensions": [CA], **changes}
    return certificate(kind + product, f"ARK-{product}", rsa_key("ask"), rsa_key("ark"), **given)


def vcek(product="Milan", extensions=None, **changes):
    given = {"serial": 0, "extensions": extensions or amd(CLASSIC), **changes}
    return certificate("SEV-VCEK", f"SEV-{product}", ec_key("vcek"), rsa_key("ask"), **given)


def vlek(product="Milan", **changes):
    own = amd(CLASSIC, product, hwid=None, csp="CN=test.invalid")
    given = {"serial": 0, "extensions": own, **changes}
    return certificate("SEV-VLEK", f"SEV-VLEK-{product}", ec_key("vcek"), rsa_key("ask"), **given)


def chain(**changes):
    return [load(made)[0] for made in (vcek(**changes), ask(), ark())]


def vlek_chain():
    return [load(made)[0] for made in (vlek(), ask(kind="SEV-VLEK-"), ark())]


def arrange(given, wanted=None):
    """Return certificates in their places, whether or not they lead to a trusted root."""
    rows = distinct(given)
    keys = keys_of(rows, wanted)
    return noted(by_name(rows, keys[0] if keys else None, Signers()), rows)


def roots():
    return {pin(load(ark())[0]): "the root of the tests"}


def report(**fields):
    """Return a signed report of version 3 that fits the chain, of one TCB version throughout."""
    tcb = fields.get("reported_tcb", 0xC808_0000_0000_0003)
    given = {
        "version": 3,
        "signature_algo": 1,
        "policy": 0x30000,
        "cpuid_fam_id": 0x19,
        "cpuid_mod_id": 1,
        **dict.fromkeys(("current_tcb", "reported_tcb", "committed_tcb"), tcb),
        "measurement": MEASUREMENT,
        "chip_id": CHIP,
        **fields,
    }
    return signing.sign_report(Report(**given).build(), ec_key("vcek"))
