"""Every option that takes bytes reads them in any form, and refuses a size that does not fit."""

from __future__ import annotations

import base64

import authority
import byteforms
import pytest
from transcripts import call

from snpwire.crypto.sealing import Vmpck, open_message
from snpwire.wire.report import Report
from snpwire.wire.secrets import SecretsPage

KEY = bytes(range(0x40, 0x60))
PAYLOAD = bytes(range(0x10, 0x50)) + bytes([1]) + bytes(31)
NAMES = ["rust {:#?}", "rust {:02x?}", "json compact", "python bytearray", "js columns", "yaml"]


def ended(words, given=b"", *, code):
    """Return what a command writes and says."""
    output, errors, found = call([str(word) for word in words], given)

    assert found == code, errors
    return output, errors.decode()


def spelled(name, data):
    return byteforms.encoded((byteforms.MAKES | byteforms.FORMS)[name](data))


@pytest.fixture
def key(tmp_path):
    (tmp_path / "key").write_bytes(KEY)
    return ["--seqno", "1", "--key-file", tmp_path / "key"]


@pytest.mark.parametrize("name", [*byteforms.MAKES, *NAMES])
def test_a_payload_is_read_from_what_programs_print(name, key):
    words = ["seal", "report-req", "--payload", "-", *key]

    page, said = ended(words, spelled(name, PAYLOAD), code=0)

    assert open_message(Vmpck(KEY), page)[1] == PAYLOAD
    assert said.startswith("note: <stdin>: read as ")


def test_a_raw_payload_says_nothing(key):
    page, said = ended(["seal", "report-req", "--payload", "-", *key], PAYLOAD, code=0)

    assert (open_message(Vmpck(KEY), page)[1], said) == (PAYLOAD, "")


@pytest.mark.parametrize(
    "command", ["seal report-req --seqno 1 --key-env TEST_KEY", "request report"]
)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"some words that spell no payload at all", "a payload report-req has 96 bytes, got 39"),
        (byteforms.xxd(PAYLOAD[:32]).encode(), "a payload report-req has 96 bytes, got 32"),
        (bytes(95), "a payload report-req has 96 bytes, got 95"),
        (b"", "a payload report-req has 96 bytes, got 0"),
        (byteforms.xxd(PAYLOAD).replace("0020:", "0030:").encode(), "line 3: offset 0x30 where"),
        (b"[" + b"10, " * 95 + b"16]", "line 1: decimal or hex? nothing decides whether 10 is"),
    ],
)
def test_a_payload_of_another_size_is_refused_with_both(command, given, said, monkeypatch):
    monkeypatch.setenv("TEST_KEY", KEY.hex())

    _, errors = ended([*command.split(), "--payload", "-"], given, code=3)

    assert f"snpwire: <stdin>: {said}" in errors
    assert "--from" not in errors


def test_a_payload_of_entries_may_have_several_sizes(key):
    words = ["seal", "cpuid-req", "--payload", "-", *key]
    entries = b"\1" + bytes(15) + bytes(48)

    assert open_message(Vmpck(KEY), ended(words, entries, code=0)[0])[1] == entries
    assert (
        "a payload cpuid-req has whole entries behind its head, got 5"
        in (ended(words, b"\1\0\0\0\0", code=3)[1])
    )


@pytest.mark.parametrize("name", ["xxd", "rust {:02x?}", "json compact", "python bytearray"])
def test_a_payload_of_no_known_type_is_read_as_well(name, key):
    words = ["seal", "raw", "--type", "99", "--payload", "-", *key]

    page, _ = ended(words, spelled(name, PAYLOAD), code=0)

    assert open_message(Vmpck(KEY), page)[1] == PAYLOAD


@pytest.mark.parametrize("name", [*byteforms.MAKES, "rust {:02x?}", "rust {:#?}", "json indent"])
@pytest.mark.parametrize("page", [False, True], ids=["key", "secrets page"])
def test_a_key_is_read_from_what_programs_print(name, page, tmp_path, key):
    data = SecretsPage(vmpck0=KEY).build() if page else KEY
    (tmp_path / "printed").write_bytes(spelled(name, data))
    sealed, _ = ended(["seal", "report-req", *key], b"{}", code=0)
    (tmp_path / "page").write_bytes(sealed)

    _, said = ended(["open", tmp_path / "page", "--key-file", tmp_path / "printed"], code=0)

    assert KEY.hex()[:8] not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" + "10, " * 31 + "16]", "its numbers may be decimal or hex; none of it is shown"),
        (byteforms.xxd(KEY).replace("4041", "404g"), "it does not spell bytes; none of it"),
        (byteforms.xxd(KEY[:16]), "expected 32 bytes or 64 hex digits"),
        (byteforms.xxd(bytes(32)), "the key is all zero"),
        (byteforms.xxd(KEY) * 2, "it does not spell bytes; none of it is shown"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(text, said, tmp_path):
    (tmp_path / "printed").write_text(text)

    _, errors = ended(
        ["seal", "report-req", "--seqno", "1", "--key-file", tmp_path / "printed"], b"{}", code=3
    )

    assert said in errors
    assert not any(piece in errors for piece in ("4041", "404g", "16 ", "10 is"))


def test_the_secrets_page_of_a_diagnosis_may_be_text(tmp_path, key):
    page = SecretsPage(vmpck0=bytes(range(32)), vmpck1=KEY).build()
    (tmp_path / "page").write_bytes(ended(["seal", "report-req", *key], b"{}", code=0)[0])
    (tmp_path / "secrets").write_text(byteforms.canonical(page))
    (tmp_path / "other").write_bytes(bytes(range(32)))
    words = ["open", tmp_path / "page", "--key-file", tmp_path / "other"]

    output, errors = ended([*words, "--secrets", tmp_path / "secrets"], code=1)

    assert "vmpck1" in output.decode() + errors


@pytest.mark.parametrize("name", ["xxd", "rust {:#?}", "python bytes", "quoted hex", "hexyl"])
def test_a_field_is_set_from_what_programs_print(name, tmp_path):
    data = bytes(range(64, 128))
    (tmp_path / "field").write_bytes(spelled(name, data))

    output, _ = ended(["encode", "report", "--set", f"report_data=@{tmp_path}/field"], code=0)

    assert Report.parse(output).report_data == data


def test_a_field_in_a_record_within_is_set_as_well(tmp_path):
    (tmp_path / "field").write_text(byteforms.xxd(bytes(range(64, 128))))

    output, _ = ended(
        ["encode", "report-rsp", "--set", f"report.report_data=@{tmp_path}/field"], code=0
    )

    assert bytes(range(64, 128)) in output


def test_a_field_of_another_size_is_refused(tmp_path):
    (tmp_path / "field").write_text(byteforms.xxd(bytes(range(64, 144))))

    _, errors = ended(["encode", "report", "--set", f"report_data=@{tmp_path}/field"], code=3)

    assert "Report.report_data at 0x050" in errors


MEASUREMENT = bytes(range(48))


@pytest.fixture
def chain(tmp_path):
    """Return the words that verify a report of the tests."""
    report = authority.report()
    (tmp_path / "report").write_bytes(report)
    (tmp_path / "chain").write_bytes(authority.vcek() + authority.ask() + authority.ark())
    for name in ("vcek", "ask", "ark"):
        (tmp_path / name).write_bytes(getattr(authority, name)())
    files = [tmp_path / name for name in ("report", "vcek", "ask", "ark")]
    return report, ["verify", *files, "--root", tmp_path / "ark", "--at", "2026-06-01"]


@pytest.mark.parametrize("option", ["--report-data", "--measurement", "--host-data"])
def test_a_digest_is_compared_in_any_form(option, chain, tmp_path):
    report, words = chain
    value = getattr(Report.parse(report), option[2:].replace("-", "_"))
    (tmp_path / "value").write_text(byteforms.xxd(value))
    spelling = [value.hex(), f"@{tmp_path}/value", base64.b64encode(value).decode()]

    found = [ended([*words, option, given], code=0)[0] for given in spelling]

    assert len(set(found)) == 1
    wrong, _ = ended([*words, option, bytes(len(value) - 1).hex() + "01"], code=1)
    assert wrong != found[0]


def test_a_digest_of_another_size_is_refused(chain, tmp_path):
    (tmp_path / "value").write_text(byteforms.xxd(bytes(range(32))))

    _, errors = ended([*chain[1], "--measurement", f"@{tmp_path}/value"], code=3)

    assert f"snpwire: {tmp_path}/value: --measurement has 48 bytes, got 32" in errors
