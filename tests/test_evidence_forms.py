"""The report in evidence of every form: found, with its place, certificates and claims."""

import base64
import json
import random
import struct
import time
import tomllib
import tracemalloc
from pathlib import Path

import authority
import pytest
import wrappings
from hypothesis import given
from hypothesis import strategies as st
from realfiles import needed, real

from snpwire.errors import InputError
from snpwire.evidence import (
    certificates_in,
    evidence,
    evidence_lines,
    folder,
    members,
    protobuf,
    report_members,
    report_text,
)
from snpwire.evidence.cbor import cbor_value
from snpwire.evidence.claims import claims_checks
from snpwire.evidence.debugtext import debug_text
from snpwire.evidence.fields import assembled
from snpwire.evidence.protobuf import field_path, proto_attestation, proto_fields
from snpwire.evidence.prototext import proto_text
from snpwire.evidence.report_search import report_offsets
from snpwire.evidence.search import FORMS as FORMS_OF_JSON
from snpwire.wire.certs import build_table
from snpwire.wire.hcl import HclBlob, HclReportType
from snpwire.wire.report import Report
from snpwire.wire.tcb import TcbTurin

REPORT = wrappings.vouching()
BLOB = wrappings.hcl(REPORT)
ALL = ["VCEK", "ASK", "ARK"]
B64 = base64.b64encode(REPORT).decode()
TURIN = authority.report(
    version=5,
    cpuid_fam_id=0x1A,
    cpuid_mod_id=2,
    chip_id=bytes(range(8)).ljust(64, b"\0"),
    reported_tcb=int(TcbTurin.of(fmc=1, boot_loader=2, tee=3, snp=4, microcode=5)),
    launch_mit_vector=3,
)


def text(**members):
    return json.dumps(members).encode()


def thim(**changes):
    chain = wrappings.pem(authority.ask(), authority.ark())
    plain = {"vcekCert": wrappings.pem(authority.vcek()), "certificateChain": chain}
    return json.dumps(plain | {"tcbm": "C808000000000003", "cacheControl": "86400"} | changes)


def chain(*rows):
    return [{"cert_type": name, "data": list(der)} for name, der in rows]


def snp_evidence(report=REPORT, rows=None):
    rows = rows or chain(("VCEK", authority.vcek()), ("ARK", authority.ark()))
    return text(attestation_report=wrappings.fields(report), cert_chain=rows)


def ear(report):
    """Return a token of RATSD: a collection within base64 within JSON."""
    tsm = json.dumps({"provider": "sev_guest", "outblob": wrappings.url(report)})
    item = ["application/vnd.veraison.tsm-report+json", wrappings.url(tsm.encode())]
    return text(
        eat_profile="tag:ratsd", cmw=wrappings.url(json.dumps({"tsm-report": item}).encode())
    )


TSM = {"provider": "sev_guest\n", "outblob": REPORT, "auxblob": wrappings.table()}
TSM_JSON = {key: wrappings.url(value) for key, value in TSM.items() if key != "provider"}
ANSWER = struct.pack("<II24x", 0, 0x4A0) + REPORT
REQUEST = struct.pack("<IIIII", 20 + 100, 1, 2, 1, 100)
FORMS = {
    "HCL blob": (BLOB, "offset 0x20", 0x20, []),
    "HCL blob, bitmap": (wrappings.hcl(REPORT, bitmap=3), "offset 0x20", 0x20, []),
    "HCL blob, within": (b"\7" * 10 + BLOB, "offset 0x2a", 0x2A, []),
    "Azure 0": (
        wrappings.azure(BLOB, 0, authority.vcek()),
        "$.report, offset 0x20",
        None,
        ["VCEK"],
    ),
    "Azure 1": (
        wrappings.azure(BLOB, 1, authority.vcek()),
        "$.hcl_report, offset 0x20",
        None,
        ["VCEK"],
    ),
    "Azure 2": (
        wrappings.azure(BLOB, 2, authority.vcek()),
        "$.hcl_report, offset 0x20",
        None,
        ["VCEK"],
    ),
    "SNP evidence": (snp_evidence(), "$.attestation_report", None, ["VCEK", "ARK"]),
    "fields": (json.dumps(wrappings.fields(REPORT)).encode(), "$", None, []),
    "TSM JSON": (text(provider="sev_guest", **TSM_JSON), "$.outblob", None, ALL),
    "TSM JSON, empty": (text(outblob=wrappings.url(REPORT), auxblob=""), "$.outblob", None, []),
    "TSM CBOR": (wrappings.cbor(TSM), "$.outblob", 0, ALL),
    "RATSD": (ear(REPORT), "$.cmw > $.tsm-report[1] > $.outblob", None, []),
    "raw quote": (REPORT + wrappings.table(), "offset 0x0", 0, ALL),
    "answer": (ANSWER.ljust(4000, b"\0"), "offset 0x20", 0x20, []),
    "response": (ANSWER, "offset 0x20", 0x20, []),
    "20 bytes behind": (REPORT + REQUEST, "offset 0x0", 0, []),
    "Oak": (
        wrappings.proto(1, wrappings.proto(1, 1) + wrappings.proto(2, REPORT)),
        "field 2 of field 1, offset 0x8",
        8,
        [],
    ),
    "go-sev-guest": (wrappings.go_attestation(REPORT), "field 1", None, ALL),
    "go-tpm-tools": (
        wrappings.proto(1, b"key") + wrappings.proto(8, wrappings.go_attestation(REPORT)),
        "field 1 of field 8",
        None,
        ALL,
    ),
    "list": (text(quotes=[{"data": list(REPORT)}]), "$.quotes[0].data", None, []),
    "base64": (text(a=1, report=B64), "$.report", None, []),
    "base64 without padding": (text(report=B64.rstrip("=")), "$.report", None, []),
    "wrapped base64": (text(report=base64.encodebytes(REPORT).decode()), "$.report", None, []),
    "hex": (text(report=REPORT.hex()), "$.report", None, []),
    "hex of digits": (text(report="0x" + REPORT.hex().upper()), "$.report", None, []),
    "JSON in a text": (text(body=text(report=B64).decode()), "$.body > $.report", None, []),
    "token": (
        ".".join(map(wrappings.url, (b'{"alg":"x"}', text(r=B64), b"sig"))).encode(),
        "$ part 1 > $.r",
        None,
        [],
    ),
    "token in JSON": (
        text(t=".".join(map(wrappings.url, (b'{"alg":"x"}', text(r=B64), b"sig")))),
        "$.t part 1 > $.r",
        None,
        [],
    ),
    "YAML block at the end": (f"report: |\n  {B64}\n".encode(), "report in line 1", None, []),
    "base64 of JSON": (base64.b64encode(text(r=B64)), "$ > $.r", None, []),
    "CBOR in JSON": (text(c=wrappings.url(wrappings.cbor({1: REPORT}))), "$.c > $[1]", None, []),
    "odd key": (text(**{'a "b"\n': B64}), "$[\"a 'b'\\n\"]", None, []),
    "UTF-16": (text(report=B64).decode().encode("utf-16"), "$.report", None, []),
    "UTF-8 with a mark": (b"\xef\xbb\xbf" + text(report=B64), "$.report", None, []),
    "YAML": (f"kind: quote\nspec:\n  report: {B64}\n".encode(), "report in line 3", None, []),
    "YAML block": (
        f"spec:\n  report: |\n    {B64[:800]}\n    {B64[800:]}\n  end: 1\n".encode(),
        "report in line 2",
        None,
        [],
    ),
    "YAML list": (f"report: {list(REPORT)}\n".encode(), "report in line 1", None, []),
    "YAML binary": (f'report: !!binary "{B64}"\n'.encode(), "report in line 1", None, []),
    "option": (f"run --tee=snp quote={B64} -v\n".encode(), "quote=", None, []),
    "XML": (f"<a><report>{B64}</report></a>".encode(), "<report>", None, []),
    "printed": (wrappings.printed(REPORT), "", None, []),
    "printed in 2023": (wrappings.printed_2023(REPORT), "", None, []),
    "debug print": (b"report: " + wrappings.debug_printed(REPORT), "", None, []),
    "debug print in lines": (wrappings.debug_printed(REPORT, lines=True), "", None, []),
    "text of messages": (wrappings.proto_printed(REPORT), "", None, ["VCEK"]),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_report_is_found_where_it_lies(name):
    data, place, offset, certificates = FORMS[name]

    found = evidence(data)

    assert found.report == REPORT
    assert found.place == place
    if name == "TSM CBOR":
        assert data[found.offset : found.offset + len(REPORT)] == REPORT
    else:
        assert found.offset == offset
    assert [row.name for row in found.certificates] == certificates
    assert evidence_lines(found)[0].startswith(found.form)
    assert json.dumps(found.to_plain())


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("HCL blob", "HCL blob"),
        ("Azure 0", "Azure vTPM evidence, version 0"),
        ("Azure 1", "Azure vTPM evidence, version 1"),
        ("Azure 2", "Azure vTPM evidence, version 2"),
        ("SNP evidence", "SNP evidence"),
        ("fields", "report as JSON of its fields"),
        ("TSM JSON", "TSM report, JSON"),
        ("TSM CBOR", "TSM report, CBOR"),
        ("raw quote", "report and certificate table"),
        ("answer", "answer of SNP_GET_REPORT"),
        ("response", "report response"),
        ("20 bytes behind", "report and the header of runtime data"),
        ("Oak", "protocol buffers"),
        ("go-sev-guest", "attestation of go-sev-guest, protocol buffers"),
        ("base64", "JSON"),
        ("YAML", "a line of YAML"),
        ("printed", "report as text of snpguest"),
    ],
)
def test_a_form_has_a_name(name, form):
    assert evidence(FORMS[name][0]).form == form


def test_a_blob_is_told_in_its_parts():
    assert evidence_lines(evidence(BLOB)) == [
        "HCL blob, 2600 bytes: report at offset 0x20",
        "around it: header at 0x0, 32 bytes; header of the runtime data at 0x4c0, 20 bytes;"
        " runtime claims at 0x4d4, 200 bytes; zeros at 0x59c, 1164 bytes",
        "runtime claims at 0x4d4, 200 bytes; report_data is sha256(claims): yes",
    ]
    assert evidence(BLOB).kind == "hcl"
    assert evidence(ANSWER).kind == "report-rsp"
    assert evidence(b"\7" + BLOB).kind == ""


@pytest.mark.parametrize("version", [2, 3, 5])
def test_fields_of_any_version_make_the_same_bytes(version):
    report = authority.report(
        version=version,
        cpuid_fam_id=0x19 if version > 2 else 0,
        cpuid_mod_id=1 if version > 2 else 0,
    )

    assert assembled(wrappings.fields(report), "$") == report
    assert evidence(wrappings.printed(report)).report == report
    assert evidence(wrappings.go_attestation(report)).report == report


def test_tcb_versions_of_turin_have_their_own_order():
    assert assembled(wrappings.fields(TURIN, turin=True), "$") == TURIN
    assert evidence(wrappings.printed(TURIN, turin=True)).report == TURIN
    assert evidence(wrappings.go_attestation(TURIN)).report == TURIN


@pytest.mark.parametrize("report", [REPORT, TURIN], ids=["Milan", "Turin"])
@pytest.mark.parametrize("spelling", ["JSON", "CBOR"])
def test_the_layout_of_virtee_sev_before_its_version_6_makes_the_same_bytes(report, spelling):
    plain = wrappings.older_fields(report)
    data = json.dumps(plain).encode() if spelling == "JSON" else wrappings.cbor(plain)

    found = evidence(data)

    assert found.report == report
    assert found.form == f"report as {spelling} of its fields"


def test_the_layout_before_version_6_needs_no_reserved_bytes():
    report = authority.report(version=2, cpuid_fam_id=0, cpuid_mod_id=0, cpuid_step=0)
    plain = wrappings.older_fields(report)
    del plain["_reserved_1"], plain["_reserved_4"]

    assert evidence(json.dumps(plain).encode()).report == report


def test_base64_that_could_be_hex_is_read_by_the_size_of_its_field():
    report = authority.report(id_key_digest=bytes(48), author_key_digest=bytes(48))
    plain = {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else str(int(value))
        for name, value in wrappings.names(report).items()
        if not name.startswith("signature.")
    }
    plain |= {"signature": base64.b64encode(report[0x2A0:]).decode()}

    assert plain["id_key_digest"] == "A" * 64
    assert evidence(json.dumps({"report": plain}).encode()).report == report


def test_a_blob_in_base64_is_read_and_a_report_in_base64_is_none_by_itself():
    found = evidence(base64.encodebytes(BLOB))

    assert (found.form, found.place, found.claims.fits) == ("HCL blob", "$, offset 0x20", True)
    assert evidence(base64.b64encode(REPORT)) is None


def test_fields_that_do_not_make_a_report_are_shown_as_far_as_they_go():
    plain = wrappings.fields(REPORT)
    del plain["signature"]
    plain["policy"] = {"abi_major": 0}

    found = report_members(text(evidence=plain))

    assert {"policy", "signature.r", "signature.s"} <= found.absent
    assert "measurement" not in found.absent
    assert found.report.measurement == Report.parse(REPORT).measurement
    assert found.notes == ("not taken: policy: expected a number, got {'abi_major': 0}",)
    assert report_members(text(a=1)) is None


def test_components_that_do_not_fit_the_product_are_left_out():
    plain = wrappings.fields(TURIN, turin=True) | {"signature": None}
    plain["launch_tcb"]["fmc"] = None

    found = report_members(text(evidence=plain))

    assert "launch_tcb" in found.absent
    assert found.notes == ("not taken: launch_tcb.fmc: expected a number, got None",)


def test_a_message_of_a_report_alone_is_read():
    found = evidence(wrappings.go_message(REPORT))

    assert found.report == REPORT
    assert found.place == "the message"


def test_text_of_messages_in_one_line_is_read():
    found = evidence(b" ".join(wrappings.proto_printed(REPORT).split(b"\n")).replace(b": ", b":"))

    assert found.report == REPORT
    assert [row.name for row in found.certificates] == ["VCEK"]
    assert report_text(wrappings.proto_printed(REPORT)) is None


def test_two_members_of_one_name_are_one_line():
    twice = b'{"report": "%s", "report": "%s"}'
    other = base64.b64encode(TURIN)

    assert evidence(twice % (B64.encode(), B64.encode())).report == REPORT
    with pytest.raises(InputError, match="two members 'report' in one object"):
        evidence(twice % (B64.encode(), other))


def test_components_of_turin_without_their_fmc_are_one_line():
    plain = wrappings.fields(TURIN, turin=True)
    plain["current_tcb"]["fmc"] = None

    with pytest.raises(InputError, match=r"\$.current_tcb.fmc: expected a number"):
        evidence(json.dumps(plain).encode())


def test_components_of_turin_in_the_order_of_milan_are_not_taken():
    text = wrappings.printed(TURIN).decode()
    lines = [line for line in text.splitlines() if "CPUID" not in line and "FMC" not in line]

    found = report_text("\n".join(lines).encode())

    tcbs = {f"{name}_tcb" for name in ("current", "reported", "committed", "launch")}
    assert tcbs <= found.absent
    assert "reported_tcb fmc 1, boot_loader 2, microcode 5" in found.notes[0]


def test_names_of_other_programs_are_fields_too():
    found = {
        path: value.hex() if isinstance(value, bytes) else str(int(value))
        for path, value in wrappings.names(REPORT).items()
        if not path.startswith("signature.")
    }
    camel = {"".join(w.title() for w in path.split("_")): v for path, v in found.items()}
    camel["signature"] = base64.b64encode(REPORT[0x2A0:]).decode()
    camel["CurrentTcb"] = list(REPORT[0x38:0x40])
    camel["ReportedTcb"] = (
        "0x" + f"{found['reported_tcb']:>020}"[:0] + f"{int(found['reported_tcb']):x}"
    )

    assert evidence(json.dumps({"report": camel}).encode()).report == REPORT


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("measurement", [1] * 47, "$.measurement: expected 48 bytes, got 47"),
        ("measurement", "z.z" * 48, "$.measurement: expected 48 bytes, got 'z.z"),
        ("measurement", [256] * 48, "$.measurement: expected 48 bytes, got [256"),
        ("policy", "all", "$.policy: expected a number, got 'all'"),
        ("policy", True, "$.policy: expected a number, got True"),
        ("version", 1 << 32, "$.version: 4294967296 does not fit 4 bytes"),
        ("version", -1, "$.version: -1 does not fit 4 bytes"),
        ("current", 7, "$.current: expected major, minor and build, got 7"),
        ("current", {"major": 1, "minor": 2}, "$.current.build: expected a number, got None"),
        ("signature", {"r": [0] * 72}, "$.signature.s: expected 72 bytes, got None"),
        ("reported_tcb", {"snp": 3}, "$.reported_tcb.boot_loader: expected a number, got None"),
        ("reported_tcb", {"snp": 3, "tee": 256}, "$.reported_tcb"),
        ("host_data", None, "$: fields of a report without host_data"),
    ],
)
def test_fields_that_are_none_of_a_report_are_named(field, value, said):
    plain = wrappings.fields(REPORT) | {field: value}

    with pytest.raises(InputError) as error:
        evidence(json.dumps(plain).encode())

    assert said in str(error.value)


def test_fields_without_a_place_in_a_report_are_passed_over():
    plain = wrappings.fields(REPORT) | {"_reserved_0": 0, "comment": "none"}

    assert assembled(plain, "$") == REPORT


def test_a_blob_within_other_bytes_that_contradicts_itself_says_so():
    found = evidence(b"head" + wrappings.hcl(REPORT, kind=4))

    assert found.report == REPORT
    assert found.notes == ("report_type is 4, Intel TDX, and the report is SEV-SNP's",)


def test_a_blob_names_its_report_whatever_that_looks_like():
    later = authority.report(version=6, signature_algo=2)

    assert list(report_offsets(later)) == []
    assert evidence(wrappings.hcl(later)).report == later
    assert evidence(wrappings.azure(wrappings.hcl(later), 1, b"")).report == later


def test_what_only_resembles_a_cut_blob_or_report_is_none():
    assert evidence(BLOB[:0x4C1]).report == REPORT
    assert evidence(REPORT + struct.pack("<IIIII", 20, 1, 4, 1, 0)).form == (
        "bytes with a report in them"
    )
    assert evidence(REPORT[:0x4C] + b"\1\1\1\1" + REPORT[0x50:900]) is None


def test_many_missing_fields_are_counted():
    plain = {
        key: wrappings.fields(REPORT)[key]
        for key in ("policy", "report_data", "measurement", "chip_id")
    }

    with pytest.raises(InputError, match=r"without family_id, image_id, host_data and \d+ more"):
        evidence(json.dumps(plain).encode())


# Claims


@pytest.mark.parametrize("hash_type", [1, 2, 3])
def test_claims_fit_by_each_hash(hash_type):
    blob = wrappings.hcl(wrappings.vouching(hash_type=hash_type), hash_type=hash_type)

    found = evidence(blob)

    assert found.claims.fits is True
    assert found.claims.data.decode() == wrappings.CLAIMS
    assert found.to_plain()["claims"]["claims"] == json.loads(wrappings.CLAIMS)
    assert [str(row.state) for row in claims_checks(found)] == ["holds"]


@given(st.integers(0, len(wrappings.CLAIMS) - 1), st.integers(1, 255))
def test_one_changed_byte_of_the_claims_is_seen(at, change):
    blob = bytearray(BLOB)
    blob[0x4D4 + at] ^= change

    found = evidence(bytes(blob))

    assert found.claims.fits is False
    assert [str(row.state) for row in claims_checks(found)] == ["failed"]


@pytest.mark.parametrize(
    ("data", "state", "reason"),
    [
        (wrappings.hcl(REPORT, hash_type=1)[: 0x4D4 + 100], "failed", "they are cut: 100 of 200"),
        (REPORT + REQUEST, "not checked", "the 100 bytes of runtime claims are not in this input"),
        (
            BLOB[:0x4CC] + b"\7" + BLOB[0x4CD:],
            "failed",
            "the type of their hash is not known",
        ),
        (wrappings.hcl(authority.report()), "failed", "report_data is not sha256 of the 200"),
    ],
    ids=range(4),
)
def test_claims_that_cannot_be_compared_do_not_pass(data, state, reason):
    (check,) = claims_checks(evidence(data))

    assert str(check.state) == state
    assert reason in check.reason
    assert "report_data is" in "\n".join(evidence_lines(evidence(data)))


def test_a_report_without_claims_has_no_check_of_them():
    nothing = struct.pack("<IIIII", 20, 1, 2, 1, 0)

    assert claims_checks(evidence(REPORT + wrappings.table())) == []
    assert claims_checks(evidence(REPORT + nothing)) == []
    assert evidence(REPORT + nothing).notes == ("no claims follow it",)


def test_claims_that_are_no_json_are_shown_by_their_size():
    blob = wrappings.hcl(wrappings.vouching("no JSON"), "no JSON")

    assert evidence(blob).to_plain()["claims"] == {
        "offset": 0x4D4,
        "size": 7,
        "present": 7,
        "hash": "sha256",
        "fits": True,
    }


# What is refused


def quoted(data, name="outblob"):
    return text(provider="sev_guest", **{name: data})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (BLOB[:768], "the HCL blob is cut at 768 bytes: its report has 736 of 1184 bytes"),
        (BLOB[:40], "the HCL blob is cut at 40 bytes: its report has 8 of 1184 bytes"),
        (BLOB[:9], "its report has 0 of 1184 bytes"),
        (
            wrappings.hcl(bytes(1184), kind=4),
            "the HCL blob is not of an SEV-SNP guest: report_type is 4, Intel TDX",
        ),
        (wrappings.hcl(REPORT, kind=4), "report_type is 4, Intel TDX"),
        (wrappings.hcl(bytes(1184), kind=1), "report_type is 1, virtualization-based security"),
        (wrappings.hcl(bytes(1184), kind=0), "report_type is 0, no report"),
        (wrappings.hcl(bytes(1184), kind=9), "report_type is 9"),
        (wrappings.hcl(bytes(1184)), "the report of the HCL blob is all zero"),
        (
            wrappings.azure(wrappings.hcl(bytes(1184), kind=4), 1, b""),
            "$.hcl_report: the HCL blob is not of an SEV-SNP guest",
        ),
        (wrappings.azure(BLOB[:500], 0, b""), "$.report: the HCL blob is cut at 500 bytes"),
        (quoted(""), "TSM report, JSON: there is no report in it"),
        (
            text(provider="tdx_guest\n", outblob=wrappings.url(b"\4" * 5000)),
            "$: provider is 'tdx_guest', not sev_guest",
        ),
        (text(attestation_report={}, cert_chain=None), "SNP evidence: there is no report in it"),
        (quoted(wrappings.url(REPORT)[:1000]), "$.outblob: the report is cut: 750 of 1184 bytes"),
        (
            quoted(wrappings.url(REPORT)[:1001]),
            "750 of 1184 bytes; the base64 ends inside a byte",
        ),
        (text(any=list(REPORT[:1183])), "$.any: the report is cut: 1183 of 1184 bytes"),
        (b"\7" * 9 + REPORT[:900], "offset 0x9: the report is cut: 900 of 1184 bytes"),
        (text(a=B64, b=list(TURIN)), "there are 2 different reports, at $.a and $.b"),
        (REPORT + TURIN, "there are 2 different reports, at offset 0x0 and offset 0x4a0"),
        (b'{"report": "AgAA', "the JSON breaks off or is broken"),
        (b"[" * 100_000, "the JSON is nested deeper than 100 levels"),
        (b'{"a":' * 100_000, "the JSON is nested deeper than 100 levels"),
        (b"[" * 150 + b"]" * 150, "the JSON is nested deeper than 100 levels"),
        (b"[" + b"[]," * 300_000 + b"1]", "the JSON has more than 200000 values"),
        (b'{"a": ' + b"9" * 5000 + b"}", "the JSON has a number of too many digits"),
        (b'{"a": "' + b"A" * (1 << 22) + b'"}', "bytes of text, more than the 4194304"),
        (bytes((1 << 24) + 1), "are more than the 16777216 that are looked at"),
    ],
    ids=range(28),
)
def test_what_is_found_and_broken_is_one_line(data, said):
    with pytest.raises(InputError) as error:
        evidence(data)

    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        REPORT,
        bytes(4096),
        wrappings.table(),
        b"[    1.000000] ccp 0000:22:00.1: SEV API:1.55 build:24\n",
        b"[ PASS ] - AMD CPU\n",
        b"{0x1, 0x2}",
        b'{"level":"info","msg":"nothing of the kind"}',
        b'{"a":1}\n',
        b"[1, 2, 3]",
        b"HCLA",
        b"HCLAxxxx",
        b"some text: and no more\n",
        b"Version: 2\nGuest SVN: 0\n",
        b"\xa1\x61a",
        b"\x9f" * 100,
        b'{"a": "{broken"}',
        b'{"a": "{\\"broken"}',
        b"a: {broken and long enough}\n",
        b"option=AAAAAAAAA-AAAA/AAA <aa>AAAAAAAAA-AAAA/AAA</aa>\n",
        b'{"a": "' + base64.b64encode(b"{ broken" * 3) + b'"}',
        b'{"a": "' + base64.b64encode(b'{"broken' * 3) + b'"}',
        b'"' + b"A" * 5 + b'"',
        b"[1, 256, -1]",
        b"report: [1, 2\n",
    ],
    ids=range(26),
)
def test_other_things_are_no_evidence(data):
    assert evidence(data) is None


@given(st.binary(max_size=200))
def test_random_bytes_are_no_evidence(data):
    assert evidence(data) is None


@given(st.sampled_from(sorted(FORMS)), st.data())
def test_cut_evidence_has_the_same_report_or_none(name, data):
    whole = FORMS[name][0]
    cut = whole[: data.draw(st.integers(0, len(whole)))]

    try:
        found = evidence(cut)
    except InputError:
        return

    assert found is None or found.report == REPORT or found.report is None


@given(st.sampled_from(sorted(FORMS)), st.data())
def test_changed_evidence_raises_nothing_but_input_errors(name, data):
    whole = bytearray(FORMS[name][0])
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))

    try:
        found = evidence(bytes(whole))
    except InputError:
        return

    if found is not None:
        claims_checks(found)
        assert all("\n" not in line for line in evidence_lines(found))


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_report_is_found_in_any_bytes(before, behind):
    found = list(report_offsets(before + REPORT + behind))

    assert found == [len(before)]


@pytest.mark.parametrize("offset", [0, 0x0A, 0x0C, 0x34, 0x330, 0x49F], ids=hex)
def test_what_lacks_a_sign_is_no_report(offset):
    changed = bytearray(REPORT)
    changed[offset] = 0xF4

    assert list(report_offsets(bytes(changed))) == []


def test_two_equal_reports_are_one():
    found = evidence(text(a=B64, b=list(REPORT), c=REPORT.hex()))

    assert found.report == REPORT
    assert found.place == "$.a"
    assert found.notes == ("the same report is at $.b, $.c too",)


# Certificates


def test_certificates_of_a_host_have_no_report():
    found = evidence(thim().encode())

    assert found.report is None
    assert [row.name for row in found.certificates] == ALL
    assert evidence_lines(found)[0].endswith("no report")
    assert found.to_plain()["report"] is False
    assert [row.name for row in certificates_in(thim().encode())] == ALL


def test_certificates_of_a_host_in_base64_and_with_escaped_ends_are_read():
    escaped = thim().replace("\\n", "\\\\n")

    assert [row.name for row in evidence(base64.b64encode(thim().encode())).certificates] == ALL
    assert [row.name for row in evidence(escaped.encode()).certificates] == ALL


def test_each_certificate_is_called_by_its_subject():
    rows = [
        *(authority.vcek(), authority.ask(), authority.ark(), authority.vlek()),
        *(authority.ask(kind="SEV-VLEK-"), authority.revocations(authority.rsa_key("ark"))),
    ]
    found = certificates_in(text(a=[list(row) for row in rows]))

    assert [row.name for row in found] == [*ALL, "VLEK", "ASVK", "CRL"]
    assert found[1].place == "$.a[1]"


def test_certificates_of_others_are_passed_over_and_broken_ones_are_kept():
    other = bytes.fromhex("3082000a") + b"0123456789"
    broken = bytes.fromhex("3082000a") + b"SEV-VCEK.."
    pem = "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n"

    found = certificates_in(text(a=list(other), b=list(broken), c=pem, d=list(broken[:-1])))

    assert [(row.name, row.der) for row in found] == [("certificate", broken)]


def test_tables_are_told_from_other_bytes():
    table = build_table(
        [("VCEK", authority.vcek()), ("ecae0c0f-9502-43b1-afa2-0ae2e0d565b6", b"x")]
    )
    whole = text(outblob=B64, auxblob=wrappings.url(b"\1" * 7 + table))
    cut = text(outblob=B64, auxblob=wrappings.url(table[:100]))
    garbled = build_table([("ASK", b"no certificate")])

    assert [row.name for row in evidence(whole).certificates] == ["VCEK"]
    assert evidence(whole).certificates[0].place == (
        "$.auxblob, offset 0x7, VCEK of the certificate table"
    )
    assert evidence(cut).certificates == ()
    assert [row.name for row in evidence(REPORT + garbled).certificates] == ["ASK"]


def test_a_certificate_of_another_maker_beside_the_word_is_called_certificate():
    strange = authority.certificate(
        "SEVERAL ARK-like", "nobody", authority.rsa_key("ark"), authority.rsa_key("ark")
    )

    assert [row.name for row in certificates_in(text(a=list(strange)))] == ["certificate"]


def test_the_same_certificate_is_named_once():
    host = thim()

    assert [row.name for row in certificates_in(text(a=host, b=host))] == ALL


# Bytes in JSON, YAML and CBOR


BYTES = st.binary(min_size=16, max_size=80)
KEYS = st.text(min_size=1, max_size=9)
SPELLINGS = {
    "list": list,
    "hex": bytes.hex,
    "base64": lambda data: base64.b64encode(data).decode(),
    "base64url": wrappings.url,
}


@given(BYTES, KEYS, st.sampled_from(sorted(SPELLINGS)))
def test_bytes_in_json_are_read_back(data, key, spelling):
    whole = json.dumps({"n": 1, key: [{"inner": SPELLINGS[spelling](data)}]}).encode()

    rows = [row for row in members(whole) if row.path.endswith("[0].inner")]

    assert [row.data for row in rows] in ([data], [data])


@given(BYTES, st.sampled_from(sorted(SPELLINGS)))
def test_bytes_in_a_line_of_yaml_are_read_back(data, spelling):
    whole = f"a: b\nkey: {SPELLINGS[spelling](data)}\n".encode()

    assert data in [row.data for row in members(whole)]


LEAVES = st.one_of(BYTES, st.integers(-(2**40), 2**40), st.text(max_size=8))
BRANCHES = st.one_of(
    st.lists(LEAVES, max_size=4), st.dictionaries(st.text(max_size=5), LEAVES, max_size=4)
)
TREES = st.one_of(
    BRANCHES,
    st.lists(st.one_of(LEAVES, BRANCHES), max_size=4),
    st.dictionaries(st.text(max_size=5), st.one_of(LEAVES, BRANCHES), max_size=4),
)


def strings(tree):
    if isinstance(tree, bytes):
        yield tree
    elif isinstance(tree, list):
        for each in tree:
            yield from strings(each)
    elif isinstance(tree, dict):
        for each in tree.values():
            yield from strings(each)


@given(st.one_of(st.lists(TREES, max_size=4), st.dictionaries(st.text(max_size=5), TREES)))
def test_byte_strings_of_cbor_are_read_where_they_lie(tree):
    whole = wrappings.cbor(tree)

    value = cbor_value(whole)

    assert value == tree
    assert all(whole[row.offset : row.offset + len(row)] == row for row in strings(value))


def test_cbor_of_unknown_lengths_tags_and_floats_is_read():
    parts = b"\x5f\x42ab\x41c\xff"  # a byte string in two parts
    whole = b"\xbf\x61k" + parts + b"\x61t\xd8\x20\x63uri\x61f\xfb" + bytes(8) + b"\x61n\xf6\xff"

    value = cbor_value(whole)

    assert value == {"k": b"abc", "t": "uri", "f": None, "n": None}
    assert value["k"].offset is None
    assert cbor_value(b"\x9f\x41a\x7f\x61b\xff\xff") == [b"a", "b"]
    assert cbor_value(b"\x81\x41a\0\0") == [b"a"]  # zeros behind


def test_keys_of_cbor_that_are_no_names_lose_no_value():
    whole = b"\xa4\x41k\x01\x61a\x02\x61a\x03\x20\x04"

    assert cbor_value(whole) == {"key 0": 1, "a": 2, "key 2": 3, -1: 4}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x9b" + b"\xff" * 8,
        b"\xbb" + b"\xff" * 8,
        b"\x81\x5b" + b"\xff" * 8,
        b"\x81" * 100_000,
        b"\x9f" * 100_000,
        b"\x81\x5f\x61a\xff",
        b"\x81\x5f\x41a",
        b"\x81\x1c",
        b"\x81\x3f",
        b"\x81\x41a\x01",
        b"\x9a\x00\x0f\xff\xff" + b"\0" * 0x0F_FFFF,
    ],
    ids=range(12),
)
def test_bombs_of_cbor_are_no_cbor(data):
    tracemalloc.start()

    found = cbor_value(data)

    assert found is None
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_what_is_nested_in_texts_ends_somewhere():
    inner = text(report=B64)
    for _ in range(6):
        inner = text(a=base64.b64encode(inner).decode())
    assert evidence(inner).report == REPORT
    for _ in range(6):
        inner = text(a=base64.b64encode(inner).decode())

    assert evidence(inner) is None


LINES = base64.encodebytes(REPORT).decode().splitlines()
TOKEN = ".".join(map(wrappings.url, (b'{"alg":"RS256"}', text(evidence=B64), bytes(64))))
TEXTS = {
    "JSON Lines": (text(a=1) + b"\n" + text(report=B64) + b"\n", "line 2 > $.report"),
    "request": (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n" + text(report=B64), "line 4 > $.report"),
    "argument": (
        b'curl -d "%s" x\n' % text(report=B64).replace(b'"', b'\\"'),
        "line 1 > $.report",
    ),
    "header": (b"Authorization: Bearer " + TOKEN.encode(), "token in line 1 part 1 > $.evidence"),
    "comments": (b'{ // why\n  "report": "%s",\n}' % B64.encode(), "report in line 2"),
    "attributes": (b'<a>\n<b c="d">%s</b></a>' % B64.encode(), "<b>"),
    "TOML": (b'[a]\nreport = "%s"\n' % B64.encode(), "report="),
    "TOML, list": (b"[a]\nreport = %s\n[b]\n" % text(a=list(REPORT))[6:-1], "report in line 2"),
    "list of lines": (
        "\n".join(["a:", "  report:", *(f"  - {byte}" for byte in REPORT), "b: 1"]).encode(),
        "report in line 2",
    ),
    "list of hex": (
        "\n".join(["report:", *(f"- {byte:#x}" for byte in REPORT)]).encode(),
        "report in line 1",
    ),
    "digits further in": ("\n  ".join(["report:", *LINES, "\nb: 1"]).encode(), "report in line 1"),
    "quoted lines": (("report: '" + "\n  ".join(LINES) + "'\n").encode(), "report in line 1"),
    "CSV": (b"id,report,x\n1,%s,y\n" % B64.encode(), "digits in line 2"),
    "escaped for a URL": (
        b"a=1&report=%s" % B64.encode().replace(b"+", b"%2B").replace(b"/", b"%2F"),
        "report=",
    ),
    "block": ("report: |\n  " + "\n\n  ".join(LINES)).encode(),
}
TEXTS["block"] = (TEXTS["block"], "report in line 1")
SPELLED = {
    "data URL": f"data:application/octet-stream;base64,{B64}",
    "hex with colons": REPORT.hex(":"),
    "signed numbers": [byte - 256 if byte > 127 else byte for byte in REPORT],
    "texts of hex": [f"{byte:#04x}" for byte in REPORT],
    "indices": {str(index): byte for index, byte in enumerate(REPORT)},
    "Buffer of Node": {"type": "Buffer", "data": list(REPORT)},
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_report_is_found_in_other_texts(name):
    data, path = TEXTS[name]

    found = evidence(data)

    assert found.report == REPORT
    assert found.path == path


@pytest.mark.parametrize("name", SPELLED)
def test_bytes_of_json_have_many_spellings(name):
    found = evidence(text(other=[1], report=SPELLED[name]))

    assert found.report == REPORT
    assert found.path.startswith("$.report")


@pytest.mark.parametrize(
    "data",
    [
        text(a=[-129] * 20),
        text(a=[-1, 200] * 20),
        text(a=["0x100"] * 20),
        text(a={"0": 1, "2": 2} | {str(n): 3 for n in range(3, 30)}),
        b"a: 'AAAAAAAAAAAAAAAAAAAA\n b c\n",
        b"a: 'AAAAAAAAAAAAAAAAAAAA\n",
        b"a: [1, 2\n",
        b'x {"a": {"b' * 40,
    ],
    ids=range(8),
)
def test_what_only_resembles_bytes_is_none(data):
    assert evidence(data) is None


def seconds(data):
    """Return how long it takes to find nothing in *data*, in processor time."""
    begun = time.process_time()
    assert evidence(data) is None
    return time.process_time() - begun


@pytest.mark.parametrize(
    "line", [b'a: "\n', b"a:\n- 7\n", b"a:\n AAAA\n", b"a: |\n", b'x{"a": "', b"eyAAAAAAAA.A\n"]
)
def test_a_text_that_goes_nowhere_takes_no_more_than_its_length(line):
    short, long = (seconds(line * (size // len(line))) for size in (100_000, 1_000_000))

    assert long < 40 * max(short, 0.005)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"x-ms-sevsnpvm-launchmeasurement": "00"}, "claims of Azure's attestation service"),
        ({"measurement": "00", "reported_tcb_bootloader": 3}, "claims of trustee on a report"),
    ],
)
def test_claims_on_a_report_are_no_report(members, said):
    token = ".".join(
        [wrappings.url(b'{"alg":"RS256"}'), wrappings.url(text(**members)), "AAAAAAAA"]
    )

    with pytest.raises(InputError, match=f"{said}: there is no report in it"):
        evidence(token.encode())


def test_options_and_elements_have_bytes():
    block, auth = bytes(range(96)), bytes(4096)
    coded = [base64.b64encode(data).decode() for data in (block, auth)]
    line = f"-object sev-snp-guest,id=sev0,id-block={coded[0]},id-auth={coded[1]} -smp 2\n"
    xml = f"<launchSecurity type='sev-snp'><idBlock>{coded[0]}</idBlock></launchSecurity>"

    found = {row.path: row.data for row in members(line.encode())}
    assert found == {"id-block=": block, "id-auth=": auth}
    assert [row.data for row in members(xml.encode())] == [block]


# Protocol buffers


@given(st.lists(st.tuples(st.integers(1, 500), st.binary(max_size=40) | st.integers(1, 2**64 - 1))))
def test_fields_of_a_message_are_read_back(rows):
    data = b"".join(wrappings.proto(number, value) for number, value in rows)

    found = proto_fields(data)

    assert [(row.number, row.value) for row in found] == rows


@given(st.binary(max_size=60))
def test_what_is_no_message_is_none(data):
    proto_fields(data)
    assert proto_attestation(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"\x0b",
        b"\x0a\x05abc",
        b"\x0d\1",
        b"\x08",
        b"\x08" + b"\xff" * 11,
        b"\xff" * 12,
        b"\x08\x01" * 10_001,
    ],
    ids=range(8),
)
def test_a_broken_message_is_none(data):
    assert proto_fields(data) is None
    assert field_path(data, 0, 1) == ""


def test_certificates_that_are_none_are_left_out_of_a_message():
    chain = wrappings.proto(1, b"") + wrappings.proto(9, b"x") + wrappings.proto(2, b"ASK")
    data = wrappings.proto(1, wrappings.go_message(REPORT)) + wrappings.proto(2, chain)

    assert proto_attestation(data).certificates == (("ASK", b"ASK"),)


def test_a_field_is_named_by_its_numbers():
    assert field_path(wrappings.proto(3, b"abcdef"), 2, 6) == "field 3"
    assert field_path(wrappings.proto(3, b"abcdef"), 3, 4) == ""
    deep = b"abc"
    for _ in range(9):
        deep = wrappings.proto(1, deep)
    assert field_path(deep, len(deep) - 3, 3) == ""


# Text


OLD = b"""Version: 2
Guest SVN: 0
Policy: 0x30000
 - Debugging Allowed:       No
 - Migration Agent Allowed: No
 - SMT Allowed:             No
Family ID:
    00000000000000000000000000000000
VMPL: 0
Signature Algorithm: 1 (Invalid)
Platform Version: 02000000000005115
 - Boot Loader SVN:   2
 - TEE SVN:           0
 - SNP firmware SVN:  5
 - Microcode SVN:    115
Platform Info: 0x1
 - SMT Enabled: Yes
Author Key Enabled: Yes
Reported TCB: 02000000000005115
Measurement:
    303132333435363738393a3b3c3d3e3f4041424344454647
    48494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f
Chip ID:
    01020304
"""


def test_the_text_of_an_old_program_gives_its_fields_and_mistakes():
    found = report_text(OLD)

    assert found.program == "parse-report of sev-guest"
    assert found.report.measurement == authority.MEASUREMENT
    assert found.report.current_tcb == found.report.reported_tcb == 0x7305000000000002
    assert found.report.policy == 0x30000
    assert {"chip_id", "committed_tcb", "key_info", "signature.r"} <= found.absent
    assert not {"version", "policy", "measurement", "family_id", "cpuid_step"} & found.absent
    assert found.notes == (
        "not taken: chip_id: expected 64 bytes, got '01020304'",
        "SMT Allowed: no, but policy 0x30000 has smt 1",
        "Signature Algorithm: 1 is ECDSA over P-384 with SHA-384; the program calls it invalid"
        " by mistake",
        "Reported TCB: older versions of parse-report print the current TCB version there again:"
        " reported_tcb is not sure",
        "Author Key Enabled: parse-report tests a bit of platform_info, not of key_info",
    )
    assert evidence(OLD) is None


def test_a_text_without_enough_of_a_report_is_none():
    assert report_text(b"\n".join(OLD.splitlines()[:3])) is None
    assert report_text(b"Guest SVN: a\nPolicy: b\nVMPL: c\nVersion: d\nMeasurement: e\n") is None
    assert report_text(b"a: b\n" * 40_000) is None
    assert report_text(b"\0: 1") is None


def test_text_in_a_frame_and_of_other_programs_is_read():
    framed = "\n".join(f"> {line}" for line in OLD.decode().splitlines()).encode()
    other = (
        b"Report version: 3\nGuest SVN: 1\nGuest policy: 0x0000000000030000\nVMPL: 1\n"
        b"Report data / nonce: " + b"07" * 64 + b"\nLaunch measurement: " + b"08" * 48 + b"\n"
        b"Current firmware: API 1.55 build 21\nCommitted Version: 1.55.40\nCurrent Version: none\n"
        + b"x"
        * 2000
        + b": 1\n"
        b"Key Information:\n  author key enabled: maybe\n  mask chip key: false\n"
        b"  signing key: vcek\nR:\n 00 01 02 03\n"
    )

    assert report_text(framed).report == report_text(OLD).report
    found = report_text(other)
    assert found.program == "a program"
    assert found.report.report_data == b"\7" * 64
    assert found.report.measurement == b"\10" * 48
    assert found.report.current_build == 21
    assert found.report.committed_build == 40
    assert {"key_info", "signature.r", "cpuid_step"} <= found.absent


def test_text_of_messages_has_escapes_of_every_kind():
    found = proto_text(b'report_data: "a\\n\\x0a\\"\\377z"\nvmpl: 3\nsignature: "\\x"\nvmpl: 4\n')

    assert found == {"report_data": b'a\n\n"\xffz', "vmpl": 3, "signature": b"x"}
    wide = proto_text(b'report_data: "\\u0085\\U0001F600\\uZ"\nsignature: "\\Ud"')
    assert wide["report_data"] == "\x85\U0001f600uZ".encode()
    assert wide["signature"] == b"Ud"
    assert proto_text(b"report_data: 1\nsignature: 2\n") == {}
    assert proto_text(b"signature: 2\n") == {}


@pytest.mark.parametrize(
    "text",
    [
        b"AttestationReport { a: [1, 2",
        b"AttestationReport { a 1 }",
        b"AttestationReport { a: ",
        b"AttestationReport { a: " + b"[" * 50 + b"]" * 50,
        b"AttestationReport",
        b"Report { ",
        b"Report { a: " + b"9" * 5000,
        "Report { a: \u00b2".encode(),
    ],
    ids=range(8),
)
def test_a_broken_debug_print_has_no_fields(text):
    assert debug_text(text) == {}
    assert evidence(text) is None


def test_a_debug_print_has_values_of_every_kind():
    found = debug_text(
        b"x SnpReport { a: Some(0x10), b: P(1, 2), c: true, d: Kind, e: 00ab, f: W() }"
    )

    assert found == {"a": 16, "b": [1, 2], "c": True, "d": "Kind", "e": "00ab", "f": []}
    assert debug_text(b"ReportWord { .0: 5, bit: 1 }") == {}


# Folders


def test_a_folder_of_configfs_has_report_and_certificates():
    data = Report.parse(REPORT).report_data
    files = {
        "outblob": REPORT,
        "auxblob": wrappings.table(),
        "inblob": data,
        "provider": b"sev_guest\n",
    }

    found = folder(files)

    assert (found.report, found.place, found.form) == (REPORT, "outblob", "TSM report, folder")
    assert [row.name for row in found.certificates] == ALL
    assert found.notes == ("report_data is what inblob asked for: yes",)
    assert folder(files | {"inblob": b"x"}).notes[0].endswith(": no")
    assert folder({"outblob": REPORT}).notes == ()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "the folder has no outblob"),
        ({"outblob": b""}, "outblob: 0 bytes are no report"),
        ({"outblob": bytes(1184)}, "outblob: 1184 bytes are no report"),
        ({"outblob": REPORT, "provider": b"tdx_guest\n"}, "the folder is of 'tdx_guest'"),
    ],
    ids=range(4),
)
def test_a_folder_that_is_none_of_a_guest_is_one_line(files, said):
    with pytest.raises(InputError, match=said):
        folder(files)


# The kind


def test_the_blob_is_a_block():
    blob = HclBlob.parse(wrappings.hcl(REPORT, bitmap=0b101))

    assert [bits.names() for bits in blob.elements] == [["error_code", "skip_hw_unsealing"]]
    assert blob.claims.offset == 0x4D8
    assert blob.claims.fits is True
    assert blob.head.report_type is HclReportType.SNP
    assert HclBlob(elements=[1]).head.request_version == 2
    assert HclBlob().elements == ()


# The specification


SPEC = tomllib.loads(Path(__file__).parents[1].joinpath("specs/containers.toml").read_text())


def test_forms_of_json_are_those_of_the_specification():
    specified = {row["name"]: set(row["members"]) for row in SPEC["evidence_json"]}

    assert {name for name, _ in FORMS_OF_JSON} == specified.keys()
    assert {name for name, keys in FORMS_OF_JSON if set(keys) == specified[name]} == (
        specified.keys()
    )
    assert all(set(keys) <= specified[name] for name, keys in FORMS_OF_JSON)


def test_messages_have_the_fields_of_the_specification():
    rows = {row["name"]: row["fields"] for row in SPEC["proto_message"]}

    assert {name: number for number, name in protobuf.REPORT.items()} == rows["Report"]
    assert {name: number for number, name in protobuf.CHAIN.items()} == rows["CertificateChain"]


# Real files


@needed
def test_containers_of_real_reports_are_read():
    rows = tomllib.loads(real("containers/containers.toml").read_text())["container"]

    for row in rows:
        data = real(f"containers/{row['file']}").read_bytes()
        if "refused" in row:
            with pytest.raises(InputError):
                evidence(data)
            continue
        found = evidence(data)
        assert [cert.name for cert in found.certificates] == row.get("certificates", []), row
        if "chip_id" not in row:
            assert found.report is None
            continue
        report = Report.parse(found.report)
        assert report.chip_id.hex() == row["chip_id"]
        assert report.measurement.hex() == row["measurement"]
        assert report.version == row["report_version"]
        assert found.assembled == (row["bytes"] != "as they lie")
        if "offset" in row:
            assert found.offset == row["offset"]
        if "within" in row:
            assert found.path == f"$.{row['within']}"
        if "claims_hash" in row:
            assert found.claims.fits is (row["claims_hash"] == "fits")


def test_noise_takes_no_more_than_its_length():
    noise = random.Random(1).randbytes(1 << 23)

    for data in (noise, bytes(1 << 24)):
        assert seconds(data) < 40 * max(seconds(data[: len(data) // 10]), 0.005)
