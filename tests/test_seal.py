"""``snpwire seal``: what it builds, what it needs, and what it says where it cannot."""

import json
import os
import pickle

import pytest
from transcripts import call

from snpwire.cli.messages.keys import Key, load_key
from snpwire.cli.messages.options import KeyOptions, PayloadOptions
from snpwire.cli.messages.seal import targets
from snpwire.crypto.sealing import Vmpck, open_message
from snpwire.errors import UsageError
from snpwire.wire import kind
from snpwire.wire.message import MESSAGES, PAYLOAD_MAX, REQUEST_OF, MsgType, padded
from snpwire.wire.report import ReportReq
from snpwire.wire.secrets import SecretsPage

KEY = bytes(range(1, 33))
OTHER = bytes(range(101, 133))
SEALING = ["--seqno", "1", "--key-file"]


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(KEY)
    return str(path)


@pytest.fixture
def secrets(tmp_path):
    path = tmp_path / "secrets"
    path.write_bytes(SecretsPage(vmpck0=KEY, vmpck2=OTHER).build())
    return str(path)


def sealed(*words, given=b""):
    page, errors, code = call(["seal", *words], given)

    assert code == 0, errors
    assert len(page) == 4096
    return page


def refused(*words, given=b"", code=3):
    """Return what is said: one line, and one of help if there is any."""
    output, errors, ended = call(["seal", *words], given)
    lines = errors.decode().splitlines()

    assert (output, ended) == (b"", code), errors
    assert lines[0].startswith("snpwire: ")
    assert [line[:6] for line in lines[1:]] in ([], ["help: "])
    return "\n".join(lines)


def test_a_request_is_built_sealed_and_padded_to_its_page(key):
    page = sealed("report-req", "--set", "vmpl=1", "--vmpck", "1", *SEALING, key)

    header, payload = open_message(Vmpck(KEY), page)
    assert ReportReq.parse(payload).vmpl == 1
    assert (header.msg_type, header.msg_version, header.msg_size) == (MsgType.REPORT_REQ, 1, 0x60)
    assert (header.msg_seqno, header.msg_vmpck) == (1, 1)
    assert (header.algo, header.hdr_version, header.hdr_size) == (1, 1, 0x60)
    assert not any(page[0xC0:])


@pytest.mark.parametrize(("name", "target"), targets().items(), ids=targets())
def test_every_message_is_sealed_by_every_name(name, target, key):
    words = ["--payload", "-"] if not target.kind else []

    header, payload = open_message(
        Vmpck(KEY), sealed(name, *words, *SEALING, key, given=b"sixteen bytes ..")
    )

    assert (header.msg_type, header.msg_version) == (target.msg_type, target.version)
    if target.kind:
        assert payload == kind(target.kind).type.from_plain({}).build().ljust(
            padded(kind(target.kind).type.SIZE), b"\0"
        )


NAMED = {name: target for name, target in targets().items() if target.kind}


@pytest.mark.parametrize("slot", range(4))
@pytest.mark.parametrize(("name", "target"), NAMED.items(), ids=NAMED)
def test_every_payload_under_every_key_opens_to_itself(name, target, slot, key):
    image = bytes((7 * at + slot) % 251 for at in range(kind(target.kind).type.SIZE))
    fields, _, _ = call(["decode", target.kind, "--from", "raw", "--json"], image)
    words = ["--vmpck", str(slot), "--version", str(target.version), *SEALING, key]

    page = sealed(name, "-", *words, given=fields)
    payload, errors, code = call(["open", "--key-file", key, "-o", "-"], page)

    assert (payload, errors, code) == (image.ljust(padded(len(image)), b"\0"), b"", 0)
    assert (page[0x34], page[0x35], page[0x3C]) == (target.msg_type, target.version, slot)


def test_every_payload_of_every_version_has_a_name():
    named = {(t.msg_type, t.version, t.kind) for t in targets().values()}

    for row in MESSAGES.values():
        assert {(row.request, version, name) for version, name in row.payloads.items()} <= named
        assert (row.response, 1, row.reply) in named
    assert set(REQUEST_OF) | set(MESSAGES) <= {target[0] for target in named}


@pytest.mark.parametrize("name", ["REPORT_REQ", "Report-Req", "5", "0x5"])
def test_names_are_of_any_case_and_numbers_do(name, key):
    header, payload = open_message(Vmpck(KEY), sealed(name, *SEALING, key))

    assert (header.msg_type, len(payload)) == (MsgType.REPORT_REQ, 0x60)


def test_fields_come_as_json(key):
    given = json.dumps({"report_data": "ab" * 64}).encode()

    _, payload = open_message(Vmpck(KEY), sealed("report-req", "-", *SEALING, key, given=given))

    assert payload[:64] == b"\xab" * 64


def test_what_decode_prints_is_sealed_again(key):
    payload = ReportReq(vmpl=3, report_data=bytes(range(64))).build()
    said = call(["decode", "report-req", "--json"], payload)[0]

    assert open_message(Vmpck(KEY), sealed("report-req", "-", *SEALING, key, given=said))[1] == (
        payload
    )


def test_version_2_of_a_key_request_is_filled_up_to_16_bytes(key):
    for words in (["key-req-v2"], ["key-req", "--version", "2"]):
        page, errors, _ = call(["seal", *words, "--set", "launch_mit_vector=5", *SEALING, key])
        header, payload = open_message(Vmpck(KEY), page)

        assert (header.msg_version, header.msg_size, payload[0x20]) == (2, 0x30, 5)
        assert errors == (b"note: the payload is padded with 8 zero bytes to a multiple of 16\n")


def test_a_version_is_taken_as_given(key):
    header, _ = open_message(Vmpck(KEY), sealed("report-req", "--version", "9", *SEALING, key))

    assert header.msg_version == 9


def test_raw_takes_bytes_and_a_type(key):
    words = ["raw", "--type", "0x2a", "--payload", "-"]

    header, payload = open_message(Vmpck(KEY), sealed(*words, *SEALING, key, given=b"abc"))

    assert (header.msg_type, header.msg_size, payload) == (0x2A, 3, b"abc")


def test_a_type_without_a_name_takes_bytes(key):
    words = ["0x2a", "--payload", "-"]

    header, _ = open_message(Vmpck(KEY), sealed(*words, *SEALING, key, given=bytes(16)))

    assert header.msg_type == 0x2A


def test_hex_and_files_are_written(key, tmp_path):
    page = sealed("tsc-req", *SEALING, key)
    text, _, _ = call(["seal", "tsc-req", "--hex", *SEALING, key])
    to = tmp_path / "page"

    assert call(["seal", "tsc-req", "-o", str(to), *SEALING, key]) == (b"", b"", 0)
    assert bytes.fromhex(text.decode()) == page
    assert to.read_bytes() == page


class TestKeys:
    def test_hex_is_read_from_a_file(self, tmp_path):
        path = tmp_path / "hex"
        path.write_text(f"0x{KEY.hex()}\n")

        assert open_message(Vmpck(KEY), sealed("tsc-req", *SEALING, str(path)))

    def test_the_environment_has_it(self, monkeypatch):
        monkeypatch.setenv("TEST_VMPCK", KEY.hex())

        assert open_message(
            Vmpck(KEY), sealed("tsc-req", "--seqno", "1", "--key-env", "TEST_VMPCK")
        )

    @pytest.mark.parametrize("words", [["--key-stdin"], ["--key-file", "-"]])
    def test_standard_input_has_it(self, words):
        page = sealed("tsc-req", "--seqno", "1", *words, given=KEY)

        assert open_message(Vmpck(KEY), page)

    def test_a_secrets_page_has_four(self, secrets):
        page = sealed("tsc-req", "--vmpck", "2", *SEALING, secrets)

        assert open_message(Vmpck(OTHER), page)[0].msg_vmpck == 2
        assert open_message(Vmpck(KEY), sealed("tsc-req", *SEALING, secrets))

    def test_it_is_shown_nowhere(self, secrets):
        key = load_key(KeyOptions(key_file=secrets), 0)

        assert repr(key) == "<Key>"
        assert str(key) == "<Key>"
        assert key.others == {"vmpck2": OTHER}
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            pickle.dumps(key)

    def test_it_has_no_others_by_itself(self):
        assert Key(KEY).others == {}

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (KEY[1:], "bytes that are neither"),
            (KEY + b"\0", "bytes that are neither"),
            (b"", "a VMPCK has 32 bytes, got 0"),
            (b"12" * 31, "a VMPCK has 32 bytes, got 31"),
            (b"12" * 33, "a VMPCK has 32 bytes, got 33"),
            (b"zz" * 32, "bytes that are neither"),
            (bytes(32), "the key is all zero"),
            (b"00" * 32, "the key is all zero"),
            (bytes(4096), "every byte of the page is zero"),
            (SecretsPage(vmpck2=OTHER).build(), "vmpck0: the key is all zero"),
            (bytes(5000), "that are neither"),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_what_is_no_key_is_one_line(self, content, expected, tmp_path):
        path = tmp_path / "key"
        path.write_bytes(content)

        said = refused("tsc-req", *SEALING, str(path))

        assert said.startswith(f"snpwire: {path}: ")
        assert expected in said

    @pytest.mark.parametrize("content", [KEY[1:], b"5ec4e7" * 8, b"secret" * 9])
    def test_what_was_read_is_not_repeated(self, content, tmp_path):
        path = tmp_path / "key"
        path.write_bytes(content)

        said = refused("tsc-req", *SEALING, str(path))

        assert content.hex() not in said
        assert "5ec4e7" not in said
        assert "secret" not in said

    def test_an_unreadable_file_is_named(self, tmp_path):
        said = refused("tsc-req", *SEALING, str(tmp_path / "none"))

        assert said == f"snpwire: {tmp_path}/none: No such file or directory"
        assert "Is a directory" in refused("tsc-req", *SEALING, str(tmp_path))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
    def test_a_file_of_others_is_named(self, key):
        os.chmod(key, 0)

        assert "Permission denied" in refused("tsc-req", *SEALING, key)

    def test_an_endless_file_is_not_read_to_its_end(self):
        assert "that are neither" in refused("tsc-req", *SEALING, "/dev/zero")

    def test_an_unset_variable_is_named(self, monkeypatch):
        monkeypatch.delenv("TEST_VMPCK", raising=False)

        said = refused("tsc-req", "--seqno", "1", "--key-env", "TEST_VMPCK")

        assert said == "snpwire: $TEST_VMPCK: there is no such variable in the environment"

    def test_a_variable_that_is_no_key_is_named(self, monkeypatch):
        monkeypatch.setenv("TEST_VMPCK", "5ec4e7")

        said = refused("tsc-req", "--seqno", "1", "--key-env", "TEST_VMPCK")

        assert said == "snpwire: $TEST_VMPCK: a VMPCK has 32 bytes, got 3"

    def test_there_has_to_be_one(self):
        said = refused("tsc-req", "--seqno", "1", code=2)

        assert said.startswith("snpwire: there is no key\nhelp: --key-file FILE, --key-env NAME")

    def test_there_is_one_alone(self, key):
        said = refused("tsc-req", *SEALING, key, "--key-stdin", code=2)

        assert said.startswith("snpwire: the key is given more than once")

    def test_a_slot_that_a_page_lacks_is_named(self, secrets):
        with pytest.raises(Exception, match="a secrets page has keys 0 to 3, not 4"):
            load_key(KeyOptions(key_file=secrets), 4)


class TestRefusals:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ([], "no TYPE of message given\nhelp: one of: raw cpuid-req"),
            (["999"], "a message type has 8 bits, got 0x3e7"),
            (["report-rq"], "there is no message 'report-rq'\nhelp: did you mean report-req?"),
            (["zzzzzz"], "TYPE is a number, raw, or one of: "),
            (["256"], "a message type has 8 bits, got 0x100"),
            (["-1"], "no such option"),
            (["status-rsp"], "name the message: import-rsp absorb-rsp vmrk-rsp absorb-noma-rsp"),
            (["raw"], "raw has no record to build\nhelp: --payload FILE and --type N"),
            (["report-req", "--type", "5"], "--type is only for raw"),
            (["0x2a"], "the payload of UNKNOWN_0x2a is not known\nhelp: --payload FILE"),
            (["tio-tdi-info-req"], "the payload of TIO_TDI_INFO_REQ is not known"),
            (["report-req", "--version", "256"], "--version: 0x100 does not fit 1 byte"),
            (["report-req", "--vmpck", "256"], "--vmpck: 0x100 does not fit 1 byte"),
            (["report-req", "--payload", "x", "--set", "vmpl=1"], "--payload is the whole payload"),
            (["report-req", "--set", "vmpl"], "--set 'vmpl' has no value"),
        ],
        ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
    )
    def test_what_is_no_message_is_one_line(self, words, expected, key):
        said = refused(*words, *SEALING, key, code=2)

        assert expected.lower() in said.lower()

    def test_a_sequence_number_is_needed_and_the_reason_is_given(self, key):
        said = refused("report-req", "--key-file", key, code=2)

        assert said.startswith("snpwire: the message needs a sequence number\nhelp: --seqno N: the")
        assert "nonce" in said

    @pytest.mark.parametrize(("number", "expected"), [("-1", "negative"), (1 << 64, "not fit")])
    def test_a_sequence_number_has_64_bits(self, number, expected, key):
        words = ["report-req", "--key-file", key, "--seqno", str(number)]

        assert expected in refused(*words, code=2)

    def test_a_payload_longer_than_its_page_is_refused(self, key):
        words = ["raw", "--type", "5", "--payload", "-"]

        said = refused(*words, *SEALING, key, given=bytes(PAYLOAD_MAX + 1))

        assert said == (
            "snpwire: <stdin>: a payload has at most 4000 bytes after its header, got 4001"
        )
        assert len(sealed(*words, *SEALING, key, given=bytes(PAYLOAD_MAX))) == 4096

    def test_a_wrong_field_is_named(self, key):
        said = refused("report-req", "--set", "vmlp=1", *SEALING, key)

        assert said == "snpwire: --set: ReportReq.vmlp: no such field\nhelp: did you mean vmpl?"

    def test_json_of_another_kind_is_refused(self, key):
        said = refused("report-req", "-", *SEALING, key, given=b'{"schema": "key-req/1"}')

        assert '"schema" is \'key-req/1\', expected "report-req/1"' in said

    def test_a_payload_that_is_not_there_is_named(self, key, tmp_path):
        said = refused("report-req", "--payload", str(tmp_path / "none"), *SEALING, key)

        assert said == f"snpwire: {tmp_path}/none: No such file or directory"

    @pytest.mark.parametrize("words", [["-"], ["--payload", "-"]])
    def test_standard_input_is_one_thing(self, words):
        said = refused("report-req", *words, "--seqno", "1", "--key-stdin", code=2)

        assert "standard input cannot be both key and payload" in said

    def test_nothing_is_written_where_something_is_wrong(self, tmp_path, key):
        to = tmp_path / "page"

        refused("report-req", "--set", "vmlp=1", "-o", str(to), *SEALING, key)

        assert not to.exists()


def test_a_target_is_looked_up_with_a_hint():
    from snpwire.cli.messages.seal import target_of

    with pytest.raises(UsageError) as caught:
        target_of("key-reqq", PayloadOptions(), None)

    assert "key-req" in caught.value.help
