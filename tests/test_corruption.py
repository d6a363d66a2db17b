"""Each way to make a message wrong: refused when it is opened, or found by its own code."""

import json

import pytest
from transcripts import call

from snpwire.crypto.corruption import CORRUPTIONS, Stage, check_fits, fitting, named, wrong_alone
from snpwire.errors import UsageError
from snpwire.wire.message import MESSAGES
from snpwire.wire.secrets import SecretsPage
from snpwire.wire.status import Status

KEY = bytes(range(1, 33))
CONTEXT = {"vmrk": "11" * 32, "policy": {"reserved_must_be_one": 1, "abi_major": 1}}
INCOMING = {
    "in_gctx_size": 0x300,
    "in_gctx_version": 3,
    "incoming_gctx": CONTEXT | {"root_md_entry": {"mdata": {"valid": 1}}},
}
PAYLOADS = {
    "cpuid-req": {"functions": [{"eax_in": 1}]},
    "key-req": {"vmpl": 1},
    "key-req-v2": {"vmpl": 1},
    "report-req": {"vmpl": 1, "report_data": "ab" * 64},
    "export-req": {"gctx_paddr": 0x1000},
    "import-req": {"gctx_paddr": 0x1000, **INCOMING},
    "absorb-req": {"gctx_paddr": 0x1000, **INCOMING},
    "absorb-noma-req": INCOMING,
    "vmrk-req": {"gctx_paddr": 0x1000, "vmrk": "22" * 32},
    "tsc-req": {},
}
ANSWERS = ("key-rsp", "report-rsp", "absorb-rsp", "tsc-info-rsp")
CATALOGUE = {row.found for row in CORRUPTIONS.values()}
ALSO = {"type-answer": {"message-short"}}
"""An answer's payload is longer than its request's."""
EVERY = [
    pytest.param(kind, row, id=f"{row.name}-{kind}") for kind in PAYLOADS for row in fitting(kind)
]


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("TEST_VMPCK", KEY.hex())


def seal(kind, *words, seqno=3):
    """Return a page, what was said, and the exit code."""
    fields = PAYLOADS.get(kind, {"status": 0})
    vmpck = "0" if kind == "vmrk-req" else "1"
    given = ["seal", kind, "-", "--key-env", "TEST_VMPCK", "--vmpck", vmpck]
    return call([*given, "--seqno", str(seqno), *words], json.dumps(fields).encode())


def opened(page, seqno=3):
    """Return the codes that opening finds, or the one it refuses with."""
    words = ["open", "--json", "--key-env", "TEST_VMPCK", "--seqno", str(seqno)]
    output, _, code = call(words, page)
    said = json.loads(output)
    assert said["opens"] is (code == 0)
    if code:
        return {said["code"]}
    found = said["findings"] + said["message"]["findings"]
    return {row["code"] for row in found + (said["payload"] or {"findings": []})["findings"]}


def test_no_two_entries_have_one_code():
    codes = [row.found for row in CORRUPTIONS.values()]

    assert len(set(codes)) == len(codes) > 40


@pytest.mark.parametrize("kind", PAYLOADS)
def test_without_corruption_nothing_of_the_catalogue_is_found(kind):
    page, _, code = seal(kind)

    assert code == 0
    assert opened(page) & CATALOGUE == set()


@pytest.mark.parametrize(("kind", "row"), EVERY)
def test_each_entry_is_refused_or_found_with_its_code(kind, row):
    page, errors, code = seal(kind, "--corrupt", row.name)

    if code:
        assert (row.name, code) == ("size-short", 2)
        assert b"cannot be made shorter" in errors
    else:
        codes = opened(page)
        assert len(page) == 4096
        assert row.found in codes
        assert codes & CATALOGUE <= {row.found} | ALSO.get(row.name, set())


@pytest.mark.parametrize("row", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_each_entry_can_be_made_of_some_message(row):
    assert [kind for kind in PAYLOADS if row in fitting(kind) and seal_ends(kind, row.name) == 0]


def seal_ends(kind, name):
    return seal(kind, "--corrupt", name)[2]


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize(
    "row", [row for row in CORRUPTIONS.values() if not row.kinds], ids=lambda row: row.name
)
def test_answers_can_be_wrong_in_the_same_ways(kind, row):
    page, errors, code = seal(kind, "--corrupt", row.name, seqno=4)

    if code:
        assert "no request" in errors.decode() or "shorter" in errors.decode()
    else:
        assert row.found in opened(page, seqno=4)


@pytest.mark.parametrize("row", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_each_entry_says_what_a_receiver_answers(row):
    assert row.help
    assert (row.mailbox is None) or (row.inner is None)
    assert any(word in row.response for word in ("mailbox", "response:", "does not look"))


def test_what_does_not_authenticate_is_a_mailbox_status():
    for row in CORRUPTIONS.values():
        broken = row.found.startswith("auth-")
        assert broken == (row.mailbox is Status.BAD_MEASUREMENT)
        assert broken or row.stage is not Stage.KEY


def test_what_is_wrong_inside_is_told_inside():
    inside = [row for row in CORRUPTIONS.values() if row.inner is not None]

    assert inside
    assert all(row.kinds and row.mailbox is None for row in inside)


def test_several_at_once_are_all_there():
    page, errors, _ = seal("report-req", "--corrupt", "vmpl-range", "--corrupt", "tag-tail")

    assert opened(page) >= {"payload-vmpl", "message-tag-tail"}
    assert errors.count(b"note: ") == 2


def test_a_corruption_says_what_is_answered():
    _, errors, _ = seal("report-req", "--corrupt", "tag")

    assert b"note: tag: a bit of the tag is flipped; BAD_MEASUREMENT (0x0b)" in errors


@pytest.mark.parametrize("words", [["seal"], ["seal", "report-req"]])
def test_list_prints_the_catalogue(words):
    output, errors, code = call([*words, "--corrupt", "list"])
    text = output.decode()
    rows = fitting("report-req") if len(words) > 1 else CORRUPTIONS.values()

    assert (errors, code) == (b"", 0)
    for row in rows:
        assert row.help in text
        assert row.response in text
    assert ("cpuid-count" in text) == (len(words) == 1)


def test_list_needs_a_message_that_exists():
    assert call(["seal", "nonsense", "--corrupt", "list"])[2] == 2


@pytest.mark.parametrize("kind", [*PAYLOADS, "message", "ghcb"])
def test_encode_lists_what_needs_no_key(kind):
    output, _, code = call(["encode", kind, "--corrupt", "list"])

    assert code == 0
    text = output.decode()
    assert [row.name for row in CORRUPTIONS.values() if row.help in text] == [
        row.name for row in wrong_alone(kind)
    ]


@pytest.mark.parametrize("kind", PAYLOADS)
def test_encode_makes_payloads_wrong(kind):
    given = json.dumps(PAYLOADS[kind]).encode()
    right, _, _ = call(["encode", kind], given)

    for row in wrong_alone(kind):
        wrong, _, code = call(["encode", kind, "--corrupt", row.name], given)
        assert code == 0, row.name
        # VMPL 0 is what most fields left out are: that it is wrong the key decides
        assert wrong != right or row.name == "vmpl-privileged", row.name


@pytest.mark.parametrize("row", wrong_alone("message"), ids=lambda row: row.name)
def test_encode_makes_messages_wrong(row):
    fields = {"header": {"algo": 1, "hdr_version": 1, "hdr_size": 96, "msg_type": 5}}
    fields["header"] |= {"msg_version": 1, "msg_size": 96, "msg_seqno": 3}
    fields |= {"payload": "77" * 96}
    fields["header"] |= {"auth_tag": bytes(range(16)).hex() + "00" * 16}
    right, _, _ = call(["encode", "message"], json.dumps(fields).encode())

    wrong, _, code = call(["encode", "message", "--corrupt", row.name], json.dumps(fields).encode())

    assert (len(wrong), code) == (4096, 0)
    assert wrong != right
    if not row.found.startswith(("auth-", "seqno-")):
        found = json.loads(call(["decode", "message", "--json"], wrong)[0])["findings"]
        assert row.found in {finding["code"] for finding in found}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["report-req", "--corrupt", "tag"], "tag is about a sealed message"),
        (["report-req", "--corrupt", "cpuid-count"], "cpuid-count is not for report-req"),
        (["ghcb", "--corrupt", "tag"], "tag is about a sealed message, not about ghcb"),
        (["message", "--corrupt", "vmpl-range"], "vmpl-range is not for message"),
        (["message", "--corrupt", "key-reversed"], "key-reversed is about a sealed message"),
        (["report-req", "--corrupt", "vmpl-rang"], "did you mean vmpl-range?"),
    ],
    ids=" ".join,
)
def test_what_does_not_fit_is_refused(words, expected):
    output, errors, code = call(["encode", *words], b"{}")

    assert (output, code) == (b"", 2)
    assert expected in errors.decode()


def test_names_are_looked_up_with_a_hint():
    assert named("tag").name == "tag"
    with pytest.raises(UsageError) as caught:
        named("tga-tail")

    assert "tag" in caught.value.help
    with pytest.raises(UsageError, match="is not for bytes as they are"):
        check_fits(named("cpuid-count"), "")


@pytest.mark.parametrize(
    ("kind", "name", "seqno", "expected"),
    [
        ("report-req", "seqno-same", 1, "number 1 would become -1"),
        ("report-req", "seqno-skipped", (1 << 64) - 1, "would become 18446744073709551617"),
        ("export-req", "size-short", 1, "a payload of 16 bytes cannot be made shorter"),
        ("report-rsp", "type-answer", 2, "REPORT_RSP is no request"),
        ("vmrk-req", "vmpl-privileged", 1, "vmpl-privileged is not for vmrk-req"),
    ],
)
def test_what_cannot_be_made_wrong_so_is_said(kind, name, seqno, expected):
    output, errors, code = seal(kind, "--corrupt", name, seqno=seqno)

    assert (output, code) == (b"", 2)
    assert expected in errors.decode()


@pytest.mark.parametrize("before", [["--corrupt", "size-zero"], []], ids=["zero", "none"])
def test_no_bit_is_flipped_of_a_payload_that_is_not_there(before):
    words = ["seal", "raw", "--type", "5", "--payload", "-", "--seqno", "1"]
    words += ["--key-env", "TEST_VMPCK", *before, "--corrupt", "ciphertext"]

    output, errors, code = call(words, bytes(16) if before else b"")

    assert (output, code) == (b"", 2)
    assert b"--corrupt ciphertext: there is no payload whose bits could be flipped" in errors


def test_the_other_key_of_a_page_is_found_by_its_number(tmp_path):
    secrets = tmp_path / "secrets"
    secrets.write_bytes(SecretsPage(vmpck1=KEY, vmpck2=KEY[::-1]).build())
    key = ["--key-file", str(secrets)]
    words = ["seal", "report-req", "--vmpck", "1", "--set", "vmpl=1", "--seqno", "3", *key]
    page, _, _ = call([*words, "--corrupt", "vmpck-changed"])

    output, errors, code = call(["open", *key], page)

    assert (output, code) == (b"", 1)
    assert b"opens: msg_vmpck was 0x1 when it was sealed, with vmpck1  [auth-msg-vmpck]" in errors


def test_vmpck_0_may_ask_for_any_vmpl():
    words = ["seal", "report-req", "--set", "vmpl=1", "--key-env", "TEST_VMPCK", "--seqno", "1"]

    _, errors, code = call([*words, "--corrupt", "vmpl-privileged"])

    assert code == 2
    assert b"VMPCK 0 may ask for any VMPL\nhelp: --vmpck 1" in errors


def test_every_payload_is_tried():
    assert set(PAYLOADS) == {name for row in MESSAGES.values() for name in row.payloads.values()}


def test_a_message_with_another_payload_keeps_its_page():
    fields = {"header": {"msg_type": 5, "msg_size": 96}, "payload": "77" * 96}

    page, _, _ = call(["encode", "message", "--corrupt", "size-zero"], json.dumps(fields).encode())

    assert (len(page), page[0x36:0x38], any(page[0x60:])) == (4096, b"\0\0", False)


def test_nothing_is_written_to_a_file_where_a_corruption_cannot_be(tmp_path):
    to = tmp_path / "page"

    _, _, code = seal("export-req", "--corrupt", "size-short", "-o", str(to))

    assert code == 2
    assert not to.exists()
