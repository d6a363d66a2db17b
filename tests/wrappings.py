"""Evidence of every form around a report of ``authority``, written apart from what reads it."""

import base64
import hashlib
import json
import struct

import authority

from snpwire.wire.certs import build_table
from snpwire.wire.report import Report

CLAIMS = json.dumps({"keys": [], "vm-configuration": {"secure-boot": True}, "user-data": "00" * 64})
HASHES = {1: "sha256", 2: "sha384", 3: "sha512"}
WORDS = ("policy", "platform_info", "key_info")


def names(report):
    """Return the fields of a report as numbers and bytes."""
    value = Report.parse(report)
    return {leaf.path: leaf.value for leaf in value.leaves() if not leaf.gap}


def vouching(claims=CLAIMS, hash_type=1, **fields):
    """Return a report whose report_data is the hash of *claims*."""
    digest = hashlib.new(HASHES[hash_type], claims.encode()).digest()
    return authority.report(report_data=digest.ljust(64, b"\0"), **fields)


def hcl(report, claims=CLAIMS, *, hash_type=1, kind=2, bitmap=None, size=2600):
    """Return a blob of Hyper-V, filled up to *size* bytes."""
    data = claims.encode()
    more = b"" if bitmap is None else struct.pack("<I", bitmap)
    total = 20 + len(more) + len(data)
    head = struct.pack("<4sIIII12x", b"HCLA", 2, 0x4C0 + total, 2, 0)
    request = struct.pack("<IIIII", total, 1 + bool(more), kind, hash_type, len(data))
    return (head + report + request + more + data).ljust(size, b"\0")


def pem(*documents, label="CERTIFICATE"):
    return "".join(
        f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"
        for der in documents
    )


def url(data, *, padded=False):
    text = base64.urlsafe_b64encode(data).decode()
    return text if padded else text.rstrip("=")


def azure(blob, version, vcek):
    """Return Azure's evidence as a text of JSON."""
    if version == 0:
        quote = {"signature": [1] * 256, "message": [2] * 100, "pcrs": [[3] * 32] * 24}
        plain = {"quote": quote, "report": list(blob), "vcek": pem(vcek)}
    else:
        quote = {"signature": "01" * 256, "message": "02" * 100, "pcrs": ["03" * 32] * 24}
        rows = {"hcl_report": url(blob, padded=True), "vcek": url(vcek, padded=True)}
        plain = {"version": version, "tpm_quote": quote, **rows}
    return json.dumps(plain, indent=1).encode()


def tcb(number, turin):
    data = number.to_bytes(8, "little")
    if turin:
        return dict(zip(("fmc", "bootloader", "tee", "snp"), data, strict=False)) | {
            "microcode": data[7]
        }
    return {
        "fmc": None,
        "bootloader": data[0],
        "tee": data[1],
        "snp": data[6],
        "microcode": data[7],
    }


def fields(report, *, turin=False):
    """Return a report as snpguest writes it in JSON."""
    found = names(report)
    plain = {}
    for path, value in found.items():
        if path.endswith("_tcb"):
            plain[path] = tcb(value, turin)
        elif isinstance(value, bytes):
            plain[path] = list(value)
        else:
            plain[path] = int(value)
    plain["sig_algo"] = plain.pop("signature_algo")
    plain["plat_info"] = plain.pop("platform_info")
    for which in ("current", "committed"):
        parts = ("major", "minor", "build")
        plain[which] = {part: plain.pop(f"{which}_{part}") for part in parts}
    plain["signature"] = {part: plain.pop(f"signature.{part}") for part in "rs"}
    if found["version"] < 3:
        plain |= dict.fromkeys(("cpuid_fam_id", "cpuid_mod_id", "cpuid_step"))
    if found["version"] < 5:
        plain |= dict.fromkeys(("launch_mit_vector", "current_mit_vector"))
    return plain


def older_fields(report):
    """Return a report as virtee/sev had it before its version 6: what was reserved as it lies."""
    found = {name: value for name, value in names(report).items() if "cpuid" not in name}

    def components(value):
        data = value.to_bytes(8, "little")
        return {
            "bootloader": data[0],
            "tee": data[1],
            "_reserved": list(data[2:6]),
            "snp": data[6],
            "microcode": data[7],
        }

    plain = {
        name: list(value) if isinstance(value, bytes) else int(value)
        for name, value in found.items()
        if not name.startswith("signature.") and not name.endswith("_vector")
    }
    plain |= {name: components(found[name]) for name in plain if name.endswith("_tcb")}
    plain["sig_algo"] = plain.pop("signature_algo")
    plain["plat_info"] = plain.pop("platform_info")
    plain |= {"_author_key_en": plain.pop("key_info"), "_reserved_0": 0}
    plain |= {"_reserved_1": list(report[0x188:0x1A0]), "_reserved_4": list(report[0x1F8:0x2A0])}
    return plain | {"signature": {part: list(found[f"signature.{part}"]) for part in "rs"}}


def table():
    rows = [("VCEK", authority.vcek()), ("ASK", authority.ask()), ("ARK", authority.ark())]
    return build_table(rows)


def head(major, size):
    if size < 24:
        return bytes([major << 5 | size])
    for low, form in ((24, ">B"), (25, ">H"), (26, ">I"), (27, ">Q")):
        if size < 1 << 8 * struct.calcsize(form):
            return bytes([major << 5 | low]) + struct.pack(form, size)
    raise ValueError


def cbor(value):
    """Return a value as CBOR: maps, lists, texts, bytes, numbers."""
    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    return head(0, value) if value >= 0 else head(1, -1 - value)


def varint(number):
    data = b""
    while number > 0x7F:
        data += bytes([number & 0x7F | 0x80])
        number >>= 7
    return data + bytes([number])


def proto(number, value):
    """Return a field of a message; numbers of 64 bits are fixed, as go-sev-guest has them."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if value >> 32:
        return varint(number << 3 | 1) + struct.pack("<Q", value)
    return varint(number << 3) + varint(value) if value else b""


GO = """version guest_svn policy family_id image_id vmpl signature_algo current_tcb
    platform_info key_info report_data measurement host_data id_key_digest author_key_digest
    report_id report_id_ma reported_tcb chip_id committed_tcb current_build current_minor
    current_major committed_build committed_minor committed_major launch_tcb"""


def go_message(report):
    """Return the message Report of go-sev-guest."""
    found = names(report)
    data = b"".join(proto(n, found[name]) for n, name in enumerate(GO.split(), 1))
    data += proto(28, report[0x2A0:])
    family, model, step = (found[f"cpuid_{part}"] for part in ("fam_id", "mod_id", "step"))
    eax = (family - 0xF) << 20 | (model >> 4) << 16 | 0xF << 8 | (model & 0xF) << 4 | step
    data += proto(29, eax if family else 0)
    return data + proto(30, found["launch_mit_vector"]) + proto(31, found["current_mit_vector"])


def go_attestation(report):
    chain = proto(1, authority.vcek()) + proto(2, authority.ask()) + proto(3, authority.ark())
    return proto(1, go_message(report)) + proto(2, chain) + proto(3, proto(1, 1))


def hex_lines(data):
    rows = range(0, len(data), 16)
    return "".join(f"\n{data[at : at + 16].hex(' ').upper()}" for at in rows)


def printed(report, *, turin=False):
    """Return what ``snpguest display report`` prints."""
    found = names(report)

    def component(name):
        row = tcb(found[name], turin)
        return (
            f"TCB Version:\n  Microcode:   {row['microcode']}\n  SNP:         {row['snp']}\n"
            f"  TEE:         {row['tee']}\n  Boot Loader: {row['bootloader']}\n"
            f"  FMC:         {row['fmc']}"
        )

    def version(which):
        return ".".join(str(found[f"{which}_{part}"]) for part in ("major", "minor", "build"))

    def flag(word, bit):
        return str(bool(int(found[word]) >> bit & 1)).lower()

    signer = {0: "vcek", 1: "vlek", 7: "none"}[int(found["key_info"]) >> 2 & 7]
    new = found["version"] >= 3
    rows = [
        f"Attestation Report:\n\nVersion:                      {found['version']}",
        f"Guest SVN:                    {found['guest_svn']}",
        f"Guest Policy (0x{int(found['policy']):x}):\n  ABI Major:     0\n"
        f"  SMT Allowed:   {flag('policy', 16)}\n  Debug Allowed: {flag('policy', 19)}\n"
        f"  RAPL Allowed:  {flag('policy', 23)}",
        f"Family ID:{hex_lines(found['family_id'])}",
        f"Image ID:{hex_lines(found['image_id'])}",
        f"VMPL:                         {found['vmpl']}",
        f"Signature Algorithm:          {int(found['signature_algo'])}",
        f"Current TCB:\n\n{component('current_tcb')}",
        f"Platform Info ({int(found['platform_info'])}):\n"
        f"  SMT Enabled:               {flag('platform_info', 0)}",
        f"Key Information:\n    author key enabled: {flag('key_info', 0)}\n"
        f"    mask chip key:      {flag('key_info', 1)}\n    signing key:        {signer}",
        f"Report Data:{hex_lines(found['report_data'])}",
        f"Measurement:{hex_lines(found['measurement'])}",
        f"Host Data:{hex_lines(found['host_data'])}",
        f"ID Key Digest:{hex_lines(found['id_key_digest'])}",
        f"Author Key Digest:{hex_lines(found['author_key_digest'])}",
        f"Report ID:{hex_lines(found['report_id'])}",
        f"Report ID Migration Agent:{hex_lines(found['report_id_ma'])}",
        f"Reported TCB:\n\n{component('reported_tcb')}",
        f"CPUID Family ID:              {found['cpuid_fam_id'] if new else None}",
        f"CPUID Model ID:               {found['cpuid_mod_id'] if new else None}",
        f"CPUID Stepping:               {found['cpuid_step'] if new else None}",
        f"Chip ID:{hex_lines(found['chip_id'])}",
        f"Committed TCB:\n\n{component('committed_tcb')}",
        f"Current Version:              {version('current')}",
        f"Committed Version:            {version('committed')}",
        f"Launch TCB:\n\n{component('launch_tcb')}",
        f"Launch Mitigation Vector:     {int(found['launch_mit_vector'])}",
        f"Current Mitigation Vector:    {int(found['current_mit_vector'])}",
        f"Signature:\n  R:{hex_lines(found['signature.r'])}\n  S:{hex_lines(found['signature.s'])}",
    ]
    return "\n\n".join(rows).encode()


def samples(report, vcek, ask, ark):
    """Return files of evidence of a report: a blob whose claims do not fit, JSON, CBOR, text."""
    rows = [{"cert_type": n, "data": list(c)} for n, c in (("VCEK", vcek), ("ASK", ask))]
    table = build_table([("VCEK", vcek), ("ASK", ask), ("ARK", ark)])
    evidence = {"attestation_report": fields(report), "cert_chain": rows}
    return {
        "hcl.bin": hcl(report, size=1800),
        "azure.json": azure(hcl(report, size=1800), 2, vcek),
        "snp-evidence.json": json.dumps(evidence).encode(),
        "tsm.cbor": cbor({"provider": "sev_guest\n", "outblob": report, "auxblob": table}),
        "snpguest.txt": printed(report),
    }


def escaped(data):
    """Return bytes as the text of protocol buffers has them."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:03o}"
        for byte in data
    )


def proto_printed(report):
    """Return an attestation as go-sev-guest prints it: what is zero is left out."""
    found = names(report)
    rows = [(name.replace("key_info", "signer_info"), found[name]) for name in GO.split()]
    rows.append(("signature", report[0x2A0:]))
    family, model, step = (found[f"cpuid_{part}"] for part in ("fam_id", "mod_id", "step"))
    rows.append(("cpuid1eax_fms", (family - 0xF) << 20 | 0xF << 8 | model << 4 | step))
    lines = [
        f'  {name}: "{escaped(value)}"' if isinstance(value, bytes) else f"  {name}: {int(value)}"
        for name, value in rows
        if value
    ]
    chain = f'certificate_chain: {{\n  vcek_cert: "{escaped(authority.vcek())}"\n}}\n'
    return ("report: {\n" + "\n".join(lines) + "\n}\n" + chain).encode()


def printed_2023(report):
    """Return what snpguest printed in 2023: no key information, versions by their parts."""
    text = printed(report).decode()
    begin, end = text.index("Key Information"), text.index("Report Data")
    text = text[:begin] + "Author Key Encryption:        false\n\n" + text[end:]
    found = names(report)
    for which in ("Current", "Committed"):
        parts = [
            f"{which} {part.title()}:                {found[f'{which.lower()}_{part}']}"
            for part in ("build", "minor", "major")
        ]
        start = text.index(f"{which} Version")
        text = text[:start] + "\n".join(parts) + text[text.index("\n", start) :]
    text = text.replace(f"(0x{int(found['policy']):x})", f"({int(found['policy'])})")
    return text.replace("\n\n", "\n").lower().replace("\n  fmc:         none", "").encode()


def debug_printed(report, *, lines=False):
    """Return a report as Rust's {:?} or {:#?} prints it."""
    plain = fields(report)

    def shown(name, value):
        if isinstance(value, dict):
            kind = "TcbVersion" if name.endswith("_tcb") else "Other"
            return f"{kind} {{ {', '.join(f'{k}: {v}' for k, v in value.items())} }}"
        if name == "policy":
            return f"GuestPolicy {{ .0: {value}, abi_minor: 0, debug_allowed: false }}"
        if name in ("plat_info", "key_info"):
            return f"Word(\n    {value},\n)"
        return f"Some({value})" if name.startswith("cpuid") and value is not None else str(value)

    rows = [f"{name}: {shown(name, value)}" for name, value in plain.items()]
    text = "AttestationReport { " + ", ".join(rows) + " }"
    return (text.replace(", ", ",\n    ").replace("{ ", "{\n") if lines else text).encode()
