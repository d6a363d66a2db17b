"""From bytes to a document, without the command line."""

from importlib import import_module

import pytest

from snpwire import wire
from snpwire.context import Direction
from snpwire.decode import CHAPTERS, Hints, document
from snpwire.decode.command import parse_buffer
from snpwire.errors import DecodeError, UsageError
from snpwire.view import json
from snpwire.wire.command import CommandId
from snpwire.wire.ghcb import Page


def codes(doc):
    return [finding.code for finding in doc.findings]


def test_each_interpreter_is_of_a_kind_of_its_chapters():
    for module in set(CHAPTERS.values()):
        chapters = {chapter for chapter, name in CHAPTERS.items() if name == module}
        names = import_module(f"snpwire.decode.{module}").INTERPRETERS
        found = {wire.kind(name).chapter for name in names}
        assert chapters <= found
        assert module == "buffer" or chapters == found


def test_bytes_and_the_value_parsed_of_them_have_the_same_document():
    data = Page(sw_exit_code=0x72, sw_exit_info_1=1).build()

    assert document("ghcb", data) == document(wire.kind("ghcb"), Page.parse(data))
    assert document("ghcb", data).size == len(data)


def test_a_document_is_what_the_json_is_made_of():
    plain = json.document(document("ghcb", Page(sw_exit_code=0x72).build()))

    assert plain["schema"] == "ghcb/1"
    assert plain["event"] == "CPUID"


def test_what_the_caller_knows_reaches_the_rules_of_every_kind():
    asked = (0x2).to_bytes(8, "little")
    request = bytes([1, 0, 0, 0, 0, 0, 0, 0]) + (0x1004).to_bytes(8, "little")

    assert codes(document("msr", asked, Hints(Direction.RESPONSE))) == ["msr-direction"]
    assert codes(document("svsm-pvalidate", request, Hints(gpa=0x1FF8))) == ["pvalidate-place"]
    assert codes(document("svsm-pvalidate", request)) == []


def test_what_there_is_not_is_refused():
    with pytest.raises(UsageError, match="no kind"):
        document("page", b"")
    with pytest.raises(UsageError, match="no product"):
        document("report", bytes(0x4A0), Hints(product="rome"))
    with pytest.raises(DecodeError):
        document("ghcb", bytes(17))


def test_a_command_s_number_chooses_the_kind():
    row, value, decisions = parse_buffer(CommandId.SNP_GUEST_REQUEST, bytes(24))
    doc = document(row, value, base=8, decisions=decisions)

    assert doc.kind.name == "cmd-guest-request"
    assert doc.base == 8
    assert [decision.what for decision in doc.decisions] == ["command"]
