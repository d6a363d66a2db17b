"""Reports, messages and secrets on the command line: real ones, redacted ones, and hex."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import image_of
from transcripts import call

from snpwire.cli.documents import read
from snpwire.cli.options import ContextOptions, PieceOptions
from snpwire.decode import Hints, document
from snpwire.errors import UsageError
from snpwire.layout import SECRETS
from snpwire.view.explain import Question, explain
from snpwire.view.hex import annotated, legend
from snpwire.view.json import document as as_json
from snpwire.view.json import fields_of
from snpwire.view.secret import REDACTED
from snpwire.view.tree import tree
from snpwire.wire import RECORDS, kind
from snpwire.wire.report import Report
from snpwire.wire.vmsa import Vmsa

ROOT = Path(__file__).parent
HERE = ROOT / "vectors"
FOLDER = Path(os.environ.get("SNPWIRE_VECTORS", ""))
REPORTS = FOLDER / "reports"
EXPECTED = (
    json.loads((REPORTS / "expected.json").read_text())
    if (REPORTS / "expected.json").is_file()
    else {}
)
TCBS = ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")
RENAMED = {"bootloader": "boot_loader", "rsvd_mb1": "reserved_must_be_one"}
BYTES = ("report_data", "measurement", "host_data", "id_key_digest", "author_key_digest")
SECRET = {
    name: paths
    for name, paths in (
        (name, [p for p in leaves if p.rpartition(".")[2] in SECRETS])
        for name, leaves in (
            (each.name, [leaf.path for leaf in each.type.zero().leaves()])
            for each in RECORDS.values()
            if hasattr(each.type, "zero")
        )
    )
    if paths
}
real = pytest.mark.skipif(not EXPECTED, reason="real reports: SNPWIRE_VECTORS names no folder")
each = pytest.mark.parametrize("name", sorted(EXPECTED))
sealed = pytest.mark.parametrize("name", sorted(SECRET))


def printed(*words, given=b"", code=0):
    """Return what a command prints that ends as expected."""
    output, errors, ended = call(list(words), given)

    assert ended == code, errors
    return output.decode()


def decoded(*words, given=b""):
    return json.loads(printed("decode", *words, "--json", given=given))


def doc_of(name, data, **wanted):
    chosen = kind(name)
    return document(chosen, data, Hints(**wanted))


# Real reports


@real
@each
def test_a_real_report_decodes_to_what_is_expected(name):
    said, expected = decoded("report", str(REPORTS / name)), EXPECTED[name]
    fields, bits = said["fields"], said["bits"]

    for field in (*BYTES, "report_id", "report_id_ma", "chip_id"):
        assert fields[field] == expected[field], field
    for field in ("version", "guest_svn", "vmpl"):
        assert fields[field] == expected[field], field
    for field in TCBS:
        wanted = {RENAMED.get(part, part): value for part, value in expected[field].items()}
        assert bits[field] == wanted, field
    for field in ("policy", "key_info"):
        raw = int(expected[field].pop("raw", "0"), 16) if "raw" in expected[field] else None
        assert raw is None or int(fields[field], 16) == raw
    assert bits["policy"]["debug"] == expected["policy"]["debug"]
    assert fields["launch_mit_vector"] == f"{int(expected['launch_mit_vector'], 16):#018x}"
    for which in ("current", "committed"):
        parts = [str(fields[f"{which}_{part}"]) for part in ("major", "minor", "build")]
        assert ".".join(parts) == expected[f"{which}_version"]


@real
@each
def test_a_real_report_comes_back_byte_for_byte(name, tmp_path):
    path = REPORTS / name
    data = path.read_bytes()
    raw = bytes.fromhex(data.decode()) if name.endswith(".hex") else data
    (tmp_path / "back.json").write_text(printed("decode", "report", str(path), "--json"))

    printed("encode", "report", str(tmp_path / "back.json"), "-o", str(tmp_path / "back.bin"))

    assert (tmp_path / "back.bin").read_bytes() == raw


@real
def test_version_5_is_a_turin_or_a_milan_by_its_cpuid():
    turin = decoded("report", str(REPORTS / "ms-tee-av--turin_attestation_report.bin"))
    milan = decoded("report", str(REPORTS / "py-snp-utils--reportV5.bin"))

    assert turin["fields"]["version"] == milan["fields"]["version"] == 5
    assert (turin["product"]["product"], turin["product"]["layout"]) == ("Turin", "turin")
    assert (milan["product"]["product"], milan["product"]["layout"]) == ("Milan", "classic")
    assert [d["what"] for d in turin["decisions"]] == ["tcb layout"]


@real
@each
def test_of_a_real_report_nothing_is_an_error(name):
    found = decoded("report", str(REPORTS / name))["findings"]

    assert {f["severity"] for f in found} <= {"note"}


@real
def test_a_real_save_area_reads_as_another_tool_printed_it():
    shown = json.loads((FOLDER / "vmsa/vmsa0-show.txt").read_text())
    said = decoded("vmsa", str(FOLDER / "vmsa/vmsa0.bin"), "--all")["fields"]
    compared = 0

    for name, value in shown.items():
        if isinstance(value, dict) and isinstance(said.get(name), dict):
            for part, number in value.items():
                got = said[name][part]
                assert (int(got, 16) if isinstance(got, str) else got) == number, (name, part)
                compared += 1
        elif isinstance(value, int) and isinstance(said.get(name), int | str):
            got = said[name]
            assert (int(got, 16) if isinstance(got, str) else got) == value, name
            compared += 1

    assert compared > 60
    assert RECORDS["vmsa"].type is Vmsa


# Which product


@pytest.mark.parametrize("product", ["milan", "genoa", "turin", "venice"])
def test_a_product_can_be_forced_and_is_said(product):
    said = decoded("report", str(HERE / "report-turin.bin"), "--product", product)
    layout = "turin" if product in ("turin", "venice") else "classic"

    assert said["product"]["layout"] == layout
    assert said["decisions"][0]["reason"].startswith("as asked for")
    assert ("fmc" in said["bits"]["current_tcb"]) == (layout == "turin")


@pytest.mark.parametrize("version", [6, 0xFFFF])
def test_a_version_that_does_not_exist_yet_is_read_as_far_as_it_is_known(version):
    data = Report.parse((HERE / "report-turin.bin").read_bytes()).replace(version=version).build()
    doc = doc_of("report", data)

    assert doc.decisions[0][:2] == ("version", "5")
    assert doc.decisions[0].reason.startswith(f"version {version} is not known")
    assert doc.product.product.name == "Turin"
    assert doc.value.build() == data


def test_what_does_not_say_its_product_is_not_guessed():
    doc = doc_of("key-req", (HERE / "key-req.bin").read_bytes())
    forced = doc_of("key-req", (HERE / "key-req.bin").read_bytes(), product="genoa")

    assert doc.decisions[0].choice == "unknown"
    assert doc.product is None
    assert doc.meanings == {}
    assert forced.meanings["tcb_version"].value.microcode == 0x4F


def test_a_response_without_a_report_has_no_layout_to_decide():
    data = bytearray(0x4C0)
    data[0] = 0x16

    assert doc_of("report-rsp", bytes(data)).decisions == ()


def test_the_report_in_a_response_is_read_by_its_own_product():
    doc = doc_of("report-rsp", (HERE / "report-rsp.bin").read_bytes())

    assert doc.product.product.name == "Turin"
    assert doc.meanings["report.current_tcb"].value.fmc == 1


def test_tcb_versions_stand_side_by_side():
    lines = printed("decode", "report", str(HERE / "report-genoa.bin")).splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("tcb versions"))

    assert [line.split() for line in lines[head : head + 5]] == [
        ["tcb", "versions", "boot_loader", "tee", "snp", "microcode"],
        ["current_tcb", "9", "0", "24", "80"],
        ["reported_tcb", "9", "0", "23", "79"],
        ["committed_tcb", "9", "0", "23", "79"],
        ["launch_tcb", "9", "0", "23", "79"],
    ]


@pytest.mark.parametrize(
    ("change", "path", "text"),
    [
        ({"key_info": 7 << 2}, "key_info", "not signed"),
        ({"key_info": 1 << 2}, "key_info", "signing key VLEK"),
        ({"key_info": 3 << 2}, "key_info", "the signing key is not known"),
        ({"chip_id": bytes(64)}, "chip_id", "masked, or the report of a VLEK"),
        ({}, "chip_id", "chip ID: Genoa uses 64 bytes"),
        ({}, "current_major", "of current firmware 1.55.40"),
        ({}, "report_id_ma", "no migration agent"),
        ({}, "cpuid_fam_id", "CPUID family, combined; with the model: Genoa"),
    ],
)
def test_fields_of_a_report_say_more_together(change, path, text):
    report = Report.parse((HERE / "report-genoa.bin").read_bytes())
    fields = {name: report.to_plain()[name] for name in change} and {
        name: type(getattr(report, name))(value) for name, value in change.items()
    }
    doc = doc_of("report", report.replace(**fields).build())

    assert doc.meanings[path].text == text


# Messages


def test_hex_marks_what_the_tag_covers():
    doc = doc_of("message", (HERE / "message-request.bin").read_bytes())
    rows = list(annotated(doc))

    assert [line.split()[:2] for line in legend(doc)] == [
        ["tag", "0x000..0x00f"],
        ["nonce", "0x020..0x027"],
        ["aad", "0x030..0x05f"],
        ["sealed", "0x060..0x0bf"],
    ]
    marked = {name: [row[:5] for row in rows if row.endswith(f"  {name}")] for name in NAMED}
    assert marked["tag"] == ["0x000"]
    assert marked["nonce"] == ["0x020"]
    assert (marked["aad"][0], marked["aad"][-1], len(marked["aad"])) == ("0x030", "0x03d", 9)
    assert (marked["sealed"][0], marked["sealed"][-1]) == ("0x060", "0x0b0")


NAMED = ("tag", "nonce", "aad", "sealed")


def test_a_message_without_payload_has_none_marked():
    doc = doc_of("message", bytes(0x1000))

    assert [mark.name for mark in doc.marks] == ["tag", "nonce", "aad"]
    assert doc.meanings["payload"].text == "empty"


def test_the_signed_part_of_a_report_is_marked():
    doc = doc_of("report", (HERE / "report-turin.bin").read_bytes())

    assert list(legend(doc)) == ["signed  0x000..0x29f  what the signature covers"]
    assert next(row for row in annotated(doc) if "signature.r" in row).endswith("signature.r")


def test_a_message_says_its_payload_and_its_nonce():
    doc = doc_of("message", (HERE / "message-request.bin").read_bytes())

    assert doc.meanings["header.msg_type"].text.endswith("; the payload is a report-req")
    assert doc.meanings["header.msg_seqno"].text.endswith("01 00 00 00 00 00 00 00 00 00 00 00")


def test_a_request_that_is_refused_says_what_is_answered():
    doc = read(
        "message",
        str(HERE / "message-wrong.bin"),
        PieceOptions(),
        ContextOptions(direction="request"),
    )[0]

    assert (doc.refused.code, doc.status) == ("message-header-version", "INVALID_PARAM")
    assert list(tree(doc))[-1] == "the firmware answers INVALID_PARAM: message-header-version"
    assert as_json(doc)["refused"] == {
        "finding": "message-header-version",
        "status": "INVALID_PARAM",
    }


# Redaction


@sealed
@settings(max_examples=20)
@given(data=st.data())
def test_no_view_shows_a_key_that_is_redacted(name, data):
    image = bytearray(data.draw(image_of(kind(name).type)))
    marked = {}
    for leaf in kind(name).type.zero().leaves():
        if leaf.path in SECRET[name]:
            key = bytes(range(0xA1, 0xA1 + leaf.size))
            image[leaf.offset : leaf.offset + leaf.size] = key
            marked[leaf.path] = key
    doc = doc_of(name, bytes(image)).without_secrets()

    assert doc.redacted == set(SECRET[name])
    views = ("\n".join(annotated(doc)), "\n".join(tree(doc, everything=True)))
    texts = (*views, json.dumps(as_json(doc)), json.dumps(as_json(doc, full=True)))
    for key in marked.values():
        for text in texts:
            assert key[:8].hex() not in text
            assert key[:8].hex(" ") not in text
            assert key[:8][::-1].hex() not in text
    assert all(REDACTED in text for text in texts)


@sealed
def test_redacted_json_cannot_be_encoded(name):
    chosen = kind(name).type
    said = json.dumps(as_json(doc_of(name, bytes(chosen.SIZE)).without_secrets()))
    errors = call(["encode", name, "-"], said.encode())[1].decode()
    fields = json.dumps(json.loads(said)["fields"]).encode()

    assert "this JSON has no keys: redacted are" in errors
    assert call(["encode", name, "-"], fields)[2] == 3  # nor without the envelope


@sealed
def test_without_redact_a_key_is_a_key(name):
    chosen = kind(name).type
    data = bytes(chosen.SIZE)
    plain = json.loads(json.dumps(as_json(doc_of(name, data))))

    assert "redacted" not in plain
    assert chosen.from_plain(fields_of(plain, name)).build() == data


def test_every_key_is_on_the_list():
    assert set(SECRET) >= {"secrets", "key-rsp", "vmrk-req", "guest-context", "vmsa"}
    assert {p.rpartition(".")[2] for paths in SECRET.values() for p in paths} == SECRETS


def test_redact_masks_on_the_command_line():
    tree_ = printed("decode", "secrets", str(HERE / "secrets.bin"), "--redact")
    some = printed("decode", "secrets", str(HERE / "secrets.bin"), "--redact", "--fields", "vmpck0")

    assert "redacted: vmpck0 vmpck1 vmpck2 vmpck3" in tree_
    assert "00 01 02 03 04 05 06 07" not in tree_ + some


# Records with many fields


def test_zeros_are_left_out_where_there_are_very_many():
    shown = printed("decode", "cpuid", str(HERE / "cpuid-page.bin"))
    full = printed("decode", "cpuid", str(HERE / "cpuid-page.bin"), "--all")

    assert "functions[0].eax_in   0 " in shown
    assert "functions[4]" not in shown
    assert "60 more are zero: --all shows them" in shown
    assert "functions[63].eax " in full
    assert "--all" not in full


# Explain


@pytest.mark.parametrize(
    ("what", "question", "cell"),
    [
        ("policy", Question("0x30000"), "GuestPolicy"),
        ("policy", Question("debug,smt"), "0x0000000000090000"),
        ("tcb", Question("1"), "unknown"),
        ("tcb", Question("1", product="turin"), "as asked for: Turin"),
        ("tcb", Question("1", product="Zen"), UsageError),
        ("msg-type", Question("report-req"), "REPORT_REQ"),
        ("msg-type", Question("-1"), UsageError),
        ("msg-type", Question("nothing"), UsageError),
        ("product", Question("0x1a:0x50"), "Venice"),
        ("product", Question("0x1a:0x50"), "none yet"),
        ("product", Question("0x1a:x"), UsageError),
        ("product", Question("0x119:1"), UsageError),
    ],
)
def test_numbers_are_explained(what, question, cell):
    if cell is UsageError:
        with pytest.raises(UsageError):
            list(explain(what, question))
    else:
        assert any(cell in row for row in explain(what, question))
