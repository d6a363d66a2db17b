"""From bytes to a document, without the command line."""

from importlib import import_module
from pkgutil import iter_modules

import pytest

from snpwire import decode, wire
from snpwire.context import Direction
from snpwire.decode import Hints, document
from snpwire.decode.command import parse_buffer
from snpwire.errors import DecodeError, UsageError
from snpwire.view import json
from snpwire.wire.command import CommandId
from snpwire.wire.ghcb import Page


def codes(doc):
    return [finding.code for finding in doc.findings]


CHAPTERS = {kind.chapter for kind in wire.RECORDS.values()}
MODULES = {module.name for module in iter_modules(decode.__path__)}


@pytest.mark.parametrize("chapter", sorted(CHAPTERS & MODULES))
def test_each_interpreter_is_of_a_class_of_its_chapter(chapter):
    interpreters = import_module(f"snpwire.decode.{chapter}").INTERPRETERS

    declared = {kind.type for kind in wire.RECORDS.values() if kind.chapter == chapter}
    assert interpreters
    assert interpreters.keys() <= declared


def test_a_module_has_interpreters_if_it_is_named_for_a_chapter_and_only_then():
    holders = {
        name for name in MODULES if hasattr(import_module(f"snpwire.decode.{name}"), "INTERPRETERS")
    }

    assert holders == CHAPTERS & MODULES


def test_what_rmpread_wrote_is_read_otherwise_than_what_rmpupdate_is_given():
    data = bytes([0] * 12 + [2, 0, 0, 0])

    read, given = document("rmpread", data), document("rmpupdate", data)

    assert [decision.choice for decision in read.decisions] == ["INVALID"]
    assert (codes(read), codes(given)) == (["rmp-invalid"], ["rmp-operand-unassigned"])
    assert (read.unknown != (), given.unknown) == (True, ())


@pytest.mark.parametrize(
    "name",
    [
        *("key-req", "key-req-v2", "guest-context"),
        *("export-rsp", "import-req", "absorb-req", "absorb-noma-req"),
    ],
)
def test_what_does_not_tell_its_product_is_called_by_the_name_of_its_kind(name):
    made = document(name, bytes(wire.kind(name).type.SIZE))

    assert [d.reason for d in made.decisions if d.choice == "unknown"] == [
        f"a {name} does not say which product it is for; --product does"
    ]


@pytest.mark.parametrize(
    ("name", "status"),
    [("cmd-config", "INVALID_PARAM"), ("range-list", ""), ("cmd-sev-get-id", ""), ("vmsa", "")],
)
def test_the_firmware_refuses_the_buffer_of_a_command_and_nothing_else(name, status):
    kind = wire.kind(name).type

    made = document(name, b"\xff" * kind.SIZE)

    assert (made.refused is not None, made.status) == (status != "", status)


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
