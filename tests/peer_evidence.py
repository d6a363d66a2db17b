"""Evidence to order: a report, its chain, a revocation list, and the words of ``snpwire verify``.

A case is a table that names what is out of the ordinary; all else is sound. Names are AMD's, as
readers demand them, and every key is made here and now: no chain ends at a root of AMD's.

    product, signer        Milan (default), Genoa, Turin; VCEK (default), VLEK
    report                 fields and values: numbers, hex; a TCB version as some of its components
    before, after          [[offset, hex], ..]: bytes changed before and after signing
    signature              {r = .., s = ..}: terms of r, s, n, such as "n-s"
    signed_by              whose key signed, if not the certificate's
    vcek, vlek, ask, asvk, ark
                           a certificate: what differs of subject, issuer, since, until, serial,
                           version, key, by, salt, extra, spoil and of its extensions
    order, root            the certificates handed over, the one to trust
    crl                    a revocation list; {} is empty and good
    policy, options        text of a policy, more words
"""

import re
from datetime import UTC, datetime

from authority import AMD, ec_key, extension, integer, oid, pss, rsa_key, tlv
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from snpwire.wire.report import SIGNED, Report
from snpwire.wire.tcb import TcbClassic, TcbTurin

AT = "2026-06-01"
ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
"""Of the group of P-384 (FIPS 186-5, SP 800-186)."""
TCBS = ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")
WORDS = {"Milan": TcbClassic, "Genoa": TcbClassic, "Turin": TcbTurin}
USUAL = {
    "Milan": {
        "tcb": {"boot_loader": 4, "snp": 29, "microcode": 222},
        "cpuid": (0x19, 0x01, 1),
        "firmware": (1, 55, 41),
        "name": "Milan-B0",
        "chip": 64,
    },
    "Genoa": {
        "tcb": {"boot_loader": 10, "snp": 28, "microcode": 86},
        "cpuid": (0x19, 0x11, 1),
        "firmware": (1, 55, 51),
        "name": "Genoa-B1",
        "chip": 64,
    },
    "Turin": {
        "tcb": {"fmc": 1, "boot_loader": 3, "tee": 2, "snp": 5, "microcode": 97},
        "cpuid": (0x1A, 0x02, 1),
        "firmware": (1, 58, 3),
        "name": "Turin-C1",
        "chip": 8,
    },
}
LEVELS = {
    "blSPL": (1, "boot_loader"),
    "teeSPL": (2, "tee"),
    "snpSPL": (3, "snp"),
    "spl4": (4, None),
    "spl5": (5, None),
    "spl6": (6, None),
    "spl7": (7, None),
    "ucodeSPL": (8, "microcode"),
    "fmcSPL": (9, "fmc"),
}
"""Extensions of levels: the last number of each, and its component of a TCB version."""
SIGNER = {"ark": "ARK", "ask": "ARK", "asvk": "ARK", "vcek": "ASK", "vlek": "ASVK"}
LEAVES = ("vcek", "vlek")
SERIALS = {"Milan": 0x10000, "Genoa": 0x20000, "Turin": 0x30000}


def key_of(name):
    return ec_key(name) if name in {"VCEK", "VLEK", "OTHER", "THIRD"} else rsa_key(name.lower())


def moment(text):
    """Return a time: UTCTime until 2049, GeneralizedTime after (RFC 5280, 4.1.2.5)."""
    when = datetime.fromisoformat(text).replace(tzinfo=UTC)
    form = (0x17, "%y%m%d%H%M%SZ") if when.year < 2050 else (0x18, "%Y%m%d%H%M%SZ")
    return tlv(form[0], when.strftime(form[1]).encode())


def name(common, more=()):
    """Return a name as KDS writes it (57230)."""
    parts = [(11, "Engineering"), (6, "US"), (7, "Santa Clara"), (8, "CA")]
    parts += [(10, "Advanced Micro Devices"), *((3, text) for text in (common, *more))]
    return tlv(
        0x30,
        *(
            tlv(0x31, tlv(0x30, oid(2, 5, 4, kind), tlv(0x13 if kind == 6 else 12, text.encode())))
            for kind, text in parts
        ),
    )


def numbers(dotted):
    return tuple(map(int, dotted.split(".")))


def extras(rows):
    return [extension(numbers(kind), bytes.fromhex(der), critical=c) for kind, der, c in rows]


def of_authority(kind, want):
    """Return basicConstraints and keyUsage of an ARK, ASK or ASVK."""
    path = want.get("path", int(kind == "ark"))
    constraints = (tlv(1, b"\xff"), integer(path)) if want.get("ca", True) else ()
    usage = bytes.fromhex(want.get("usage", "06"))
    rows = []
    if want.get("constraints", True):
        rows.append(extension((2, 5, 29, 19), tlv(0x30, *constraints), critical=True))
    if usage:
        rows.append(extension((2, 5, 29, 15), tlv(3, b"\1", usage), critical=True))
    return rows


def of_leaf(kind, want, product):
    """Return AMD's extensions of a VCEK or VLEK (57230)."""
    usual, turin = USUAL[product], product == "Turin"
    tcb = usual["tcb"] | want.get("tcb", {})
    values = {
        level: tcb.get(part, 0)
        for level, (_, part) in LEVELS.items()
        if level != ("spl4" if turin else "fmcSPL")
    } | want.get("spl", {})
    default = usual["name"] if kind == "vcek" else product
    hwid = want.get("hwid", "11" * usual["chip"] if kind == "vcek" else "none")
    csp = want.get("csp", "CN=csp.test.invalid" if kind == "vlek" else "none")
    struct = want.get("struct", int(turin))
    rows = [] if struct == "none" else [((1,), integer(struct))]
    rows.append(((2,), tlv(0x16, want.get("product_name", default).encode())))
    rows += [
        ((3, LEVELS[level][0]), bytes.fromhex(value) if isinstance(value, str) else integer(value))
        for level, value in values.items()
        if value != "none"
    ]
    rows += [((4,), bytes.fromhex(hwid))] if hwid != "none" else []
    rows += [((5,), tlv(0x16, csp.encode()))] if csp != "none" else []
    return [extension((*AMD, *kind), value) for kind, value in rows]


def sign(by, signed):
    return key_of(by).sign(signed, padding.PSS(padding.MGF1(SHA384()), 48), SHA384())


def certificate(kind, want, product):
    """Return a certificate, DER: the usual one of its kind, but for what *want* says."""
    product = want.get("product", product)
    names = {
        "ark": f"ARK-{product}",
        "ask": f"SEV-{product}",
        "asvk": f"SEV-VLEK-{product}",
        "vcek": "SEV-VCEK",
        "vlek": "SEV-VLEK",
    }
    issuer = names[{"vcek": "ask", "vlek": "asvk"}.get(kind, "ark")]
    made = of_leaf(kind, want, product) if kind in LEAVES else of_authority(kind, want)
    extensions = [*([] if want.get("bare") else made), *extras(want.get("extra", []))]
    serial = 0 if kind in LEAVES else SERIALS[product] | {"ask": 1, "asvk": 0x101}.get(kind, 0)
    algorithm = pss(want.get("salt", 48))
    signed = tlv(
        0x30,
        b"" if want.get("version", 3) == 1 else tlv(0xA0, integer(2)),
        integer(want.get("serial", serial)),
        algorithm,
        name(want.get("issuer", issuer)),
        tlv(0x30, moment(want.get("since", "2020-01-01")), moment(want.get("until", "2049-01-01"))),
        name(want.get("subject", names[kind]), want.get("more_cn", ())),
        key_of(want.get("key", kind.upper()))
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        tlv(0xA3, tlv(0x30, *extensions)) if extensions else b"",
    )
    sealed = sign(want.get("by", SIGNER[kind]), signed)
    if want.get("spoil"):
        sealed = sealed[:17] + bytes([sealed[17] ^ 1]) + sealed[18:]
    return tlv(0x30, signed, algorithm, tlv(3, b"\0", sealed))


def revocations(want, product):
    """Return a revocation list, DER, of version 2."""
    entry = extras(want.get("entry_extra", []))
    rows = [
        tlv(0x30, integer(serial), moment("2024-01-01"), tlv(0x30, *entry) if entry else b"")
        for serial in want.get("revoked", [])
    ]
    extra, until = extras(want.get("extra", [])), want.get("until", "2049-01-01")
    signed = tlv(
        0x30,
        integer(1),
        pss(),
        name(want.get("issuer", f"ARK-{product}")),
        moment(want.get("since", "2020-01-01")),
        b"" if until == "none" else moment(until),
        tlv(0x30, *rows) if rows else b"",
        tlv(0xA0, tlv(0x30, *extra)) if extra else b"",
    )
    return tlv(0x30, signed, pss(), tlv(3, b"\0", sign(want.get("by", "ARK"), signed)))


def fields(case, product, signer):
    """Return the fields of a case's report, before it is signed."""
    usual, want = USUAL[product], case.get("report", {})
    version, word = want.get("version", 5), WORDS[product]
    major, minor, build = usual["firmware"]
    values = {
        "version": version,
        "policy": 0x30000,
        "signature_algo": 1,
        "platform_info": 0x25,
        "key_info": 4 if signer == "VLEK" else 0,
        "report_data": "44" * 64,
        "measurement": "33" * 48,
        "host_data": "55" * 32,
        "report_id": "22" * 32,
        "report_id_ma": "ff" * 32,
        "chip_id": "11" * usual["chip"] if signer == "VCEK" else "",
    } | dict.fromkeys(TCBS, usual["tcb"])
    for which in ("current", "committed"):
        values |= {f"{which}_major": major, f"{which}_minor": minor, f"{which}_build": build}
    if version >= 3:
        names = ("cpuid_fam_id", "cpuid_mod_id", "cpuid_step")
        values |= dict(zip(names, usual["cpuid"], strict=True))
    if version >= 5:
        values |= {"launch_mit_vector": 0x3F, "current_mit_vector": 0x3F}
    return {
        path: bytes.fromhex(value).ljust(Report.tile(path).size, b"\0")
        if isinstance(value, str)
        else int(word.of(**(usual["tcb"] | value)))
        if isinstance(value, dict)
        else value
        for path, value in (values | want).items()
    }


def report(case, product, signer):
    """Return a case's report, signed."""
    data = bytearray(Report(**fields(case, product, signer)).build())
    for offset, changed in case.get("before", []):
        data[offset : offset + len(changed) // 2] = bytes.fromhex(changed)
    key = key_of(case.get("signed_by", signer))
    r, s = decode_dss_signature(key.sign(bytes(data[:SIGNED]), ec.ECDSA(SHA384())))
    known, want = {"r": r, "s": s, "n": ORDER}, {"r": "r", "s": "s"} | case.get("signature", {})
    for which, offset in (("r", SIGNED), ("s", SIGNED + 72)):
        number = sum(
            (-1 if sign == "-" else 1) * (known[term] if term in known else int(term, 0))
            for sign, term in re.findall(r"([+-]?)(\w+)", want[which])
        )
        data[offset : offset + 72] = number.to_bytes(72, "little")
    for offset, changed in case.get("after", []):
        data[offset : offset + len(changed) // 2] = bytes.fromhex(changed)
    return bytes(data)


def words_of(case, folder):
    """Write a case's files; return the words after ``snpwire verify``."""
    product, signer = case.get("product", "Milan"), case.get("signer", "VCEK")
    order = case.get("order", ["vcek", "ask"] if signer == "VCEK" else ["vlek", "asvk"])
    order = order if "order" in case else [*order, "ark"]
    root = case.get("root", "ark")
    files = {"report": report(case, product, signer)}
    for one in dict.fromkeys([*order, root]):
        kind = re.sub(r"\d+$", "", one)
        files[one] = certificate(kind, case.get(one, {}), product)
    words = ["report", *order]
    options = {"--root": root}
    if "crl" in case:
        files["crl"] = revocations(case["crl"], product)
        options["--crl"] = "crl"
    if "policy" in case:
        files["policy.toml"] = case["policy"].encode()
        options["--policy"] = "policy.toml"
    for file, data in files.items():
        (folder / file).write_bytes(data)
    named = [str(folder / word) for word in words]
    for option, file in options.items():
        named += [option, str(folder / file)]
    return [*named, "--at", case.get("at", AT), *case.get("options", [])]
