"""Evidence to order: reports, chains and lists with whatever is out of the ordinary.

A recipe is a table of what differs from sound evidence, of a chain that ``authority`` could have
made; all parts may be left out:

    product, signer        Milan, Genoa or Turin; VCEK or VLEK
    report                 fields: numbers, hex, or a TCB version's components
    before, after          offsets and bytes, changed before or after the report is signed
    signature              r and s as sums of the terms r, s, n and numbers
    signed_by              the key that signs the report
    NAME                   a certificate: vcek, vlek, ask, asvk, ark; ask2 is a second ask
    order, root            the certificates that are handed over, and the trusted one
    crl                    a revocation list
    at, policy, options    a date, the text of a policy file, more words of the command line

A certificate's parts: kind, product, subject, issuer, key, by, since, until, version, salt,
inner_differs, spoil, extra (extensions: OID, hex, critical); of an authority: ca, constraints,
path, usage, bare; of a key: tcb, spl, struct, product_name, hwid, csp.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

from authority import AMD, ec_key, extension, integer, oid, pss, rsa_key, tlv
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from snpwire.wire.report import KeyInfo, PlatformInfo, Report, Signature
from snpwire.wire.tcb import TcbClassic, TcbTurin

ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
"""The order of P-384's group."""
AT = "2026-06-01"
SPANS = "2020-01-01", "2049-01-01"
AUTHORITIES = ("ark", "ask", "asvk")
KINDS = (*AUTHORITIES, "vcek", "vlek")
ISSUERS = {"ark": "ark", "ask": "ark", "asvk": "ark", "vcek": "ask", "vlek": "asvk"}
SPL_NUMBERS = {
    "blSPL": 1,
    "teeSPL": 2,
    "snpSPL": 3,
    "spl4": 4,
    "spl5": 5,
    "spl6": 6,
    "spl7": 7,
    "ucodeSPL": 8,
    "fmcSPL": 9,
}
LEVELS = {
    "boot_loader": "blSPL",
    "tee": "teeSPL",
    "snp": "snpSPL",
    "microcode": "ucodeSPL",
    "fmc": "fmcSPL",
}


class Product:
    def __init__(self, name, full, cpuid, firmware, chip, **tcb):
        self.name, self.full, self.cpuid, self.firmware = name, full, cpuid, firmware
        self.chip, self.tcb = chip, tcb
        self.word = TcbTurin if "fmc" in tcb else TcbClassic

    def version(self, parts=()):
        """Return a TCB version, some components of which differ."""
        return int(self.word.of(**{**self.tcb, **dict(parts)}))


PRODUCTS = {
    row.name: row
    for row in (
        Product(
            *("Milan", "Milan-B0", (0x19, 0x01, 1), (1, 55, 41), 64),
            boot_loader=4,
            snp=29,
            microcode=222,
        ),
        Product(
            *("Genoa", "Genoa-B1", (0x19, 0x11, 1), (1, 55, 51), 64),
            boot_loader=10,
            snp=28,
            microcode=86,
        ),
        Product(
            *("Turin", "Turin-C1", (0x1A, 0x02, 1), (1, 58, 3), 8),
            fmc=1,
            boot_loader=3,
            tee=2,
            snp=5,
            microcode=97,
        ),
    )
}
SERIALS = {"Milan": 0x10000, "Genoa": 0x20000, "Turin": 0x30000}


# Certificates


def moment(text):
    time = datetime.fromisoformat(text).replace(tzinfo=UTC)
    if time.year < 2050:
        return tlv(0x17, f"{time:%y%m%d%H%M%SZ}".encode())
    return tlv(0x18, f"{time:%Y%m%d%H%M%SZ}".encode())


def names(*commons):
    """Return a name as AMD's certificates have it (57230), and common names."""
    place = {11: "Engineering", 6: "US", 7: "Santa Clara", 8: "CA", 10: "Advanced Micro Devices"}
    parts = [*place.items(), *((3, common) for common in commons)]
    return tlv(
        0x30,
        *(
            tlv(0x31, tlv(0x30, oid(2, 5, 4, kind), tlv(0x13 if kind == 6 else 12, text.encode())))
            for kind, text in parts
        ),
    )


@lru_cache(maxsize=1024)
def rsa_signature(which, data):
    return rsa_key(which.lower()).sign(data, padding.PSS(padding.MGF1(SHA384()), 48), SHA384())


def public(which):
    made = rsa_key if which.lower() in (*AUTHORITIES, "evil") else ec_key
    return (
        made(which.lower())
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


def common_name(kind, product, *, issuer=False):
    if issuer:
        kind = ISSUERS[kind]
    authority = {"ark": "ARK-", "ask": "SEV-", "asvk": "SEV-VLEK-"}
    return authority[kind] + product if kind in authority else f"SEV-{kind.upper()}"


def extra(rows):
    return [
        extension([int(n) for n in dotted.split(".")], bytes.fromhex(der), critical=critical)
        for dotted, der, critical in rows
    ]


def authority_extensions(kind, want):
    if want.get("bare"):
        return []
    rows = []
    if want.get("constraints", True):
        ca = want.get("ca", True)
        body = [tlv(1, b"\xff"), integer(want.get("path", int(kind == "ark")))] if ca else []
        rows.append(extension((2, 5, 29, 19), tlv(0x30, *body), critical=True))
    if want.get("usage", "06"):
        usage = tlv(3, b"\1" + bytes.fromhex(want.get("usage", "06")))
        rows.append(extension((2, 5, 29, 15), usage, critical=True))
    return rows


def key_extensions(kind, want, product):
    """Return AMD's extensions of a VCEK or VLEK."""
    if want.get("bare"):
        return []
    turin = product.word is TcbTurin
    tcb = {**product.tcb, **want.get("tcb", {})}
    levels = {name: tcb.get(part, 0) for part, name in LEVELS.items() if part in product.word.BITS}
    levels |= dict.fromkeys(("spl5", "spl6", "spl7"), 0) | ({} if turin else {"spl4": 0})
    levels |= want.get("spl", {})
    struct = want.get("struct", int(turin))
    rows = [] if struct == "none" else [extension((*AMD, 1), integer(struct))]
    full = want.get("product_name", product.full if kind == "vcek" else product.name)
    rows.append(extension((*AMD, 2), tlv(0x16, full.encode())))
    for name, number in SPL_NUMBERS.items():
        level = levels.get(name, "none")
        if level != "none":
            der = bytes.fromhex(level) if isinstance(level, str) else integer(level)
            rows.append(extension((*AMD, 3, number), der))
    hwid = want.get("hwid", "11" * product.chip if kind == "vcek" else "none")
    if hwid != "none":
        rows.append(extension((*AMD, 4), bytes.fromhex(hwid)))
    csp = want.get("csp", "none" if kind == "vcek" else "CN=csp.invalid")
    if csp != "none":
        rows.append(extension((*AMD, 5), tlv(0x16, csp.encode())))
    return rows


def certificate(name, want, product):
    """Return a certificate, DER."""
    kind = want.get("kind", name)
    product = PRODUCTS[want.get("product", product)]
    made_as = want.get("extensions_of", kind)
    rows = (
        authority_extensions(made_as, want)
        if made_as in AUTHORITIES
        else key_extensions(made_as, want, product)
    )
    rows += extra(want.get("extra", ()))
    serial = 0
    if kind in AUTHORITIES:
        serial = SERIALS[product.name] | {"ark": 0, "ask": 1, "asvk": 0x101}[kind]
    outer = pss(want.get("salt", 48))
    inner = (
        tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 12), tlv(5)) if "inner_differs" in want else outer
    )
    begin, end = want.get("since", SPANS[0]), want.get("until", SPANS[1])
    subject = want.get("subject", common_name(kind, product.name))
    issuer = want.get("issuer", common_name(kind, product.name, issuer=True))
    tbs = tlv(
        0x30,
        b"" if want.get("version", 3) == 1 else tlv(0xA0, integer(want.get("version", 3) - 1)),
        integer(want.get("serial", serial)),
        inner,
        names(issuer),
        tlv(0x30, moment(begin), moment(end)),
        names(subject, *want.get("more_cn", ())),
        public(want.get("key", kind)),
        tlv(0xA3, tlv(0x30, *rows)) if rows else b"",
    )
    seal = bytearray(rsa_signature(want.get("by", ISSUERS[kind]), tbs))
    seal[20] ^= bool(want.get("spoil"))
    return tlv(0x30, tbs, outer, tlv(3, b"\0", bytes(seal)))


def revocations(want, product):
    """Return a revocation list, DER."""
    entry = extra(want.get("entry_extra", ()))
    rows = [
        tlv(0x30, integer(serial), moment("2024-01-01"), tlv(0x30, *entry) if entry else b"")
        for serial in want.get("revoked", ())
    ]
    whole = extra(want.get("extra", ()))
    until = want.get("until", SPANS[1])
    tbs = tlv(
        0x30,
        integer(1),
        pss(),
        names(want.get("issuer", f"ARK-{product}")),
        moment(want.get("since", SPANS[0])),
        b"" if until == "none" else moment(until),
        tlv(0x30, *rows) if rows else b"",
        tlv(0xA0, tlv(0x30, *whole)) if whole else b"",
    )
    return tlv(0x30, tbs, pss(), tlv(3, b"\0", rsa_signature(want.get("by", "ark"), tbs)))


# Reports


def report(recipe):
    """Return a report, signed."""
    product = PRODUCTS[recipe.get("product", "Milan")]
    signer, want = recipe.get("signer", "VCEK"), recipe.get("report", {})
    version = want.get("version", 5)
    fields = {
        "version": 5,
        "policy": 0x30000,
        "signature_algo": 1,
        "platform_info": PlatformInfo(0x25),
        "key_info": KeyInfo(4 if signer == "VLEK" else 0),
        "report_data": b"\x44" * 64,
        "measurement": b"\x33" * 48,
        "host_data": b"\x55" * 32,
        "report_id": b"\x22" * 32,
        "report_id_ma": b"\xff" * 32,
        "chip_id": (b"\x11" * product.chip if signer == "VCEK" else b"").ljust(64, b"\0"),
        **{key: {} for key in ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")},
    }
    for which in ("current", "committed"):
        parts = zip(("major", "minor", "build"), product.firmware, strict=True)
        fields |= {f"{which}_{part}": number for part, number in parts}
    if version >= 3:
        cpuid = ("cpuid_fam_id", "cpuid_mod_id", "cpuid_step")
        fields |= dict(zip(cpuid, product.cpuid, strict=True))
    if version >= 5:
        fields |= {"launch_mit_vector": 0x3F, "current_mit_vector": 0x3F}
    fields |= want
    data = Report(**{name: _value(product, name, value) for name, value in fields.items()}).build()
    data = changed(data, recipe.get("before", ()))
    return changed(signed(data, recipe), recipe.get("after", ()))


def _value(product, name, value):
    if isinstance(value, dict):
        return product.version(value)
    if isinstance(value, str):
        return bytes.fromhex(value).ljust(Report.tile(name).size, b"\0")
    return value


def signed(data, recipe):
    """Sign a report; r and s may be what the recipe makes of them."""
    key = ec_key(recipe.get("signed_by", recipe.get("signer", "VCEK")).lower())
    r, s = decode_dss_signature(key.sign(data[:0x2A0], ec.ECDSA(SHA384())))
    terms, want = {"r": r, "s": s, "n": ORDER}, recipe.get("signature", {})
    both = (_sum(want.get(which, which), terms) for which in ("r", "s"))
    r_bytes, s_bytes = (number.to_bytes(72, "little") for number in both)
    return Report.parse(data).replace(signature=Signature(r=r_bytes, s=s_bytes)).build()


def _sum(text, terms):
    parts = re.findall(r"([+-]?)(\w+)", text)
    numbers = (terms[word] if word in terms else int(word, 0) for _, word in parts)
    return sum(-n if sign == "-" else n for (sign, _), n in zip(parts, numbers, strict=True))


def changed(data, changes):
    """Return a report, some bytes of which are others."""
    page = bytearray(data)
    for offset, new in changes:
        fresh = bytes.fromhex(new)
        page[offset : offset + len(fresh)] = fresh
    return bytes(page)


# Files


def write(recipe, folder):
    """Write the files of a recipe; return the words after ``snpwire``."""
    product, signer = recipe.get("product", "Milan"), recipe.get("signer", "VCEK").lower()
    order = recipe.get("order", [signer, ISSUERS[signer], "ark"])
    root = recipe.get("root", "ark")
    for name in dict.fromkeys([*order, root]):
        base = name.rstrip("0123456789")
        want = recipe.get(name, {} if base != name else recipe.get(base, {}))
        kind = base if base in KINDS else want["kind"]
        (folder / name).write_bytes(certificate(kind, want, product))
    (folder / "report").write_bytes(report(recipe))
    words = ["verify", str(folder / "report"), *(str(folder / name) for name in order)]
    words += ["--root", str(folder / root), "--at", recipe.get("at", AT)]
    if "crl" in recipe:
        (folder / "crl").write_bytes(revocations(recipe["crl"], product))
        words += ["--crl", str(folder / "crl")]
    if "policy" in recipe:
        (folder / "policy.toml").write_text(recipe["policy"])
        words += ["--policy", str(folder / "policy.toml")]
    return [*words, *recipe.get("options", ())]
