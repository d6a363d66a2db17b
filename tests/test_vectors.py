"""The vectors are what their table describes, and decode to what it says."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from snpwire.bits import Flags, OpenEnum
from snpwire.cli.documents import read
from snpwire.cli.options import ContextOptions, PieceOptions
from snpwire.view.json import document

HERE = Path(__file__).parent / "vectors"
SPEC = importlib.util.spec_from_file_location("make_vectors", HERE / "make.py")
make = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make)

VECTORS = make.VECTORS
DECODED = {name: row for name, row in VECTORS.items() if "kind" in row}
TEXTS = {name: row for name, row in VECTORS.items() if "of" in row}


def decoded(name, kind):
    return read(kind, str(HERE / name), PieceOptions(), ContextOptions())[0]


def test_every_file_is_what_the_table_describes():
    assert make.stale() == []


@pytest.mark.parametrize("row", VECTORS.values(), ids=VECTORS)
def test_every_vector_says_where_it_is_from(row):
    assert make.TABLE["generator"]
    assert all(row[key].strip() for key in ("doc", "source", "verified_against"))


@pytest.mark.parametrize("name", [name for name in DECODED if "fields" in VECTORS[name]])
def test_fields_are_those_that_were_packed(name):
    row = DECODED[name]
    value = decoded(name, row["kind"]).value

    found = {leaf.path: leaf.value for leaf in value.leaves() if not leaf.gap}
    set_ = {path: int(v) for path, v in found.items() if isinstance(v, int) and v}
    packed = {path: v for path, v in row["fields"].items() if v}
    packed |= {f"entries[{n}]": word for n, word in enumerate(row.get("elements", ()))}

    packed |= {f"{name}.curve": 2 for name in row.get("public", ())}
    for field, text in row.get("data", {}).items():
        held = VECTORS[text.removeprefix("vector:")]["fields"] if ":" in text else {}
        packed |= {f"{field}.{path}": v for path, v in held.items() if v}
    set_.pop("valid_bitmap", None)
    assert set_ == packed
    if "valid" in row:
        assert sorted(value.valid_bitmap.names()) == sorted(row["valid"])
    if "shared" in row:
        assert value.shared_buffer.rstrip(b"\0") == make.shared(row["shared"]).rstrip(b"\0")


@pytest.mark.parametrize("name", DECODED)
def test_meaning_and_findings_are_as_the_table_says(name):
    row = DECODED[name]
    doc = decoded(name, row["kind"])

    said = json.loads(json.dumps(document(doc)))

    assert [found["code"] for found in said["findings"]] == row["findings"]
    if "event" in row:
        assert said["event"] == row["event"]
        assert said["decisions"][0]["choice"] == row["direction"]
    for operand, expected in row.get("operands", {}).items():
        assert said["operands"][operand].items() >= expected.items()


def test_a_certificate_table_holds_what_was_packed():
    from snpwire.wire.certs import certificates

    found = certificates(decoded("certs.bin", "certs").value)

    packed = [(name, bytes([byte]) * n) for name, n, byte in VECTORS["certs.bin"]["certificates"]]
    assert [(each.name, each.data) for each in found] == packed
    assert not any(each.problem for each in found)


@pytest.mark.parametrize("name", [name for name, row in TEXTS.items() if "gpa" not in row])
def test_a_dump_reads_as_the_bytes_it_was_made_of(name):
    assert decoded(name, "ghcb").value == decoded(TEXTS[name]["of"], "ghcb").value


@pytest.mark.parametrize("name", [name for name, row in TEXTS.items() if "gpa" in row])
def test_a_log_shows_some_fields_of_the_page_it_was_made_of(name):
    log, page = decoded(name, "ghcb"), decoded(TEXTS[name]["of"], "ghcb")

    shown = {leaf.path: leaf.value for leaf in log.leaves()}

    assert shown.keys() >= {"sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", "sw_scratch"}
    assert all(getattr(page.value, path) == value for path, value in shown.items())
    assert log.context.gpa == TEXTS[name]["gpa"]
    assert log.context.event == page.context.event


def test_pages_of_an_image_are_found_by_number():
    doc, source = read("ghcb", str(HERE / "image.bin"), PieceOptions(page=2), ContextOptions())

    assert doc.value == decoded("guest-request.bin", "ghcb").value
    assert source.base == 0x2000


def test_a_word_and_an_enumeration_stay_numbers():
    value = decoded("doorbell.bin", "hv").value

    assert isinstance(value.flags, Flags)
    assert isinstance(decoded("psc.bin", "ghcb").value.sw_exit_code, OpenEnum)
