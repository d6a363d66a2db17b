"""``snpwire open``: what a message says, and which input is wrong if it does not authenticate."""

import json
import subprocess
import sys

import pytest
from conftest import surroundings
from hypothesis import given, settings
from hypothesis import strategies as st
from transcripts import call

from snpwire.crypto.sealing import Vmpck, seal_page
from snpwire.wire.key import KeyRsp
from snpwire.wire.message import AAD_END, AAD_START, HEADER_SIZE, Header, MsgType
from snpwire.wire.report import ReportReq, ReportRsp
from snpwire.wire.secrets import SecretsPage

KEY = bytes(range(1, 33))
OTHER = bytes(range(101, 133))
PAYLOAD = ReportReq(vmpl=1, report_data=bytes(range(64))).build()


@pytest.fixture(autouse=True, scope="module")
def variable():
    """Set a variable for all examples of a property."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPEN_VMPCK", KEY.hex())
        yield


@pytest.fixture
def key(tmp_path):
    return file(tmp_path, "key", KEY)


def file(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return str(path)


def page(payload=PAYLOAD, key=KEY, kind=MsgType.REPORT_REQ, **fields):
    given = {
        "msg_seqno": 1,
        "algo": 1,
        "hdr_version": 1,
        "hdr_size": 0x60,
        "msg_type": kind,
        "msg_version": 1,
    }
    return seal_page(Vmpck(key), Header(**given | fields), payload)


def opened(key, data, *words, code=0):
    output, errors, ended = call(["open", "--key-file", key, *words], data)

    assert ended == code, errors
    return output.decode(), errors.decode()


def refused(*words, given=b"", code=3):
    output, errors, ended = call(["open", *words], given)
    lines = errors.decode().splitlines()

    assert (output, ended) == (b"", code), errors
    assert lines[0].startswith("snpwire: ")
    assert [line[:6] for line in lines[1:]] in ([], ["help: "])
    return "\n".join(lines)


class TestOpening:
    def test_header_and_payload_are_shown_with_what_they_mean(self, key):
        output, errors = opened(key, page())

        assert "REPORT_REQ: request for an attestation report" in output
        assert "report-req  96 bytes at 0x60" in output
        assert "0001020304050607" in output
        assert errors == "note: findings: none\n"

    def test_json_has_both(self, key):
        said = json.loads(opened(key, page(), "--json")[0])

        assert said["schema"] == "open/1"
        assert said["opens"] is True
        assert said["message"]["schema"] == "message/1"
        assert said["message"]["fields"]["header"]["msg_type"] == "REPORT_REQ"
        assert said["payload"]["fields"]["vmpl"] == 1
        assert bytes.fromhex(said["payload_hex"]) == PAYLOAD

    def test_json_of_the_payload_is_sealed_again(self, key):
        data = page()
        said = json.loads(opened(key, data, "--json")[0])["payload"]
        words = ["seal", "report-req", "-", "--key-file", key, "--seqno", "1"]

        assert call(words, json.dumps(said).encode())[0] == data

    def test_the_payload_is_written(self, key, tmp_path):
        to = tmp_path / "payload"

        opened(key, page(), "-o", str(to))

        assert to.read_bytes() == PAYLOAD

    def test_a_response_is_opened_too(self, key):
        data = page(ReportRsp(report_size=0x4A0).build(), kind=MsgType.REPORT_RSP, msg_seqno=2)

        output, _ = opened(key, data)

        assert "report-rsp  1216 bytes at 0x60" in output

    def test_a_message_need_not_fill_a_page(self, key):
        output, _ = opened(key, page()[: HEADER_SIZE + len(PAYLOAD)])

        assert "report-req" in output

    def test_a_message_in_a_larger_file_is_cut_out(self, key, tmp_path):
        image = file(tmp_path, "image", bytes(4096) + page() + bytes(4096))

        output, errors = opened(key, b"", image, "--page", "1")

        assert "report-req  96 bytes at 0x1060" in output
        assert "note: 4096 bytes at 0x1000 of a larger file" in errors

    def test_hex_text_is_read(self, key):
        assert "report-req" in opened(key, page().hex().encode())[0]

    def test_an_unknown_kind_is_shown_as_bytes(self, key):
        output, _ = opened(key, page(bytes(range(32)), kind=MsgType(0x2A)))

        assert "payload  32 bytes of unknown kind" in output
        assert "0x060  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f" in output
        assert "0x070  10 11" in output

    def test_a_payload_too_short_is_shown_as_bytes(self, key):
        output, errors = opened(key, page(PAYLOAD[:16]))

        assert "payload  16 bytes that cannot be report-req" in output
        assert "[message-short;" in output
        assert "1 warning" in errors

    def test_filling_behind_a_payload_is_no_finding_unless_it_is_set(self, key):
        rest = bytes(15)
        codes = [
            {row["code"] for row in json.loads(opened(key, data, "--json")[0])["findings"]}
            for data in (page(PAYLOAD + rest + b"\0"), page(PAYLOAD + rest + b"\1"))
        ]

        assert codes == [set(), {"payload-behind"}]

    def test_the_number_that_was_to_come_is_compared(self, key):
        for number, text in (("3", "replay"), ("1", ""), ("0x1", "")):
            output, _ = opened(key, page(), "--seqno", number)

            assert ("[seqno-" in output) == bool(text)
            assert text in output
        assert "numbers were left out" in opened(key, page(msg_seqno=9), "--seqno", "7")[0]

    @pytest.mark.parametrize("number", [0, 4, (1 << 64) - 1])
    def test_a_number_that_no_request_has_is_not_said_to_be_a_replay(self, number, key):
        output, _ = opened(key, page(msg_seqno=number), "--seqno", "7")

        assert "[message-seqno-" in output
        assert "[seqno-" not in output

    def test_a_vm_root_key_takes_vmpck_0(self, key):
        from snpwire.wire.migration import VmrkReq

        data = page(VmrkReq(vmrk=KEY).build(), kind=MsgType.VMRK_REQ, msg_vmpck=2)

        assert "vmrk-vmpck" in opened(key, data)[0]

    def test_keys_are_left_out_if_asked(self, key):
        data = page(KeyRsp(derived_key=OTHER).build(), kind=MsgType.KEY_RSP, msg_seqno=2)

        assert OTHER.hex() in opened(key, data)[0]
        assert OTHER.hex() in opened(key, data, "--json")[0]
        for words in (["--redact"], ["--redact", "--json"]):
            output, _ = opened(key, data, *words)
            assert OTHER.hex() not in output
            assert OTHER.hex(" ")[:20] not in output

    def test_the_message_says_which_key_of_a_page_it_is(self, tmp_path):
        secrets = file(tmp_path, "secrets", SecretsPage(vmpck0=OTHER, vmpck3=KEY).build())

        opened(secrets, page(msg_vmpck=3))
        _, errors = opened(secrets, page(msg_vmpck=3), "--vmpck", "0", code=1)

        assert "opens: it is sealed with vmpck3" in errors


class TestFailure:
    def test_the_mistake_that_explains_it_is_named(self, key, tmp_path):
        data = file(tmp_path, "req.bin", page(key=KEY[::-1]))

        output, errors = opened(key, b"", data, code=1)

        assert output == ""
        lines = errors.splitlines()
        assert lines[0] == f"snpwire: {data}: authentication failed"
        assert lines[1].startswith("  key as given, nonce from seqno 1, aad 0x30..0x5f ")
        assert lines[1].endswith("  tag differs")
        assert lines[2].startswith("  key reversed ")
        assert lines[2].endswith("  opens: the key is byte-reversed  [auth-key-reversed]")
        assert len(lines) == 3

    def test_all_values_stand_in_one_column(self, key):
        _, errors = opened(key, page(key=OTHER), code=1)
        lines = errors.splitlines()[1:-1]

        assert len({line.index("tag differs") for line in lines}) == 1
        assert any("(16)" in line for line in lines)

    def test_that_nothing_explains_it_is_said(self, key):
        _, errors = opened(key, page(key=OTHER), code=1)

        last = errors.splitlines()[-1]
        assert last.startswith("  none of ")
        assert last.endswith(" ways to open it does  [auth]")
        assert "opens:" not in errors

    def test_other_keys_are_tried(self, key, tmp_path):
        secrets = file(tmp_path, "secrets", SecretsPage(vmpck1=OTHER).build())

        _, errors = opened(key, page(key=OTHER), "--secrets", secrets, code=1)

        assert "key vmpck1" in errors
        assert "opens: it is sealed with vmpck1" in errors

    def test_no_diagnosis_says_nothing_more(self, key):
        _, errors = opened(key, page(key=OTHER), "--no-diagnosis", code=1)

        assert errors == "snpwire: <stdin>: authentication failed\n"

    def test_json_has_every_attempt(self, key):
        output, errors = opened(key, page(key=KEY[::-1]), "--json", code=1)
        said = json.loads(output)

        assert (said["opens"], said["code"]) == (False, "auth-key-reversed")
        assert all(row["code"] for row in said["attempts"])
        assert {row["name"] for row in said["attempts"] if row["opens"]} == {"key reversed"}
        assert len(said["attempts"]) > 100
        assert errors == "snpwire: <stdin>: authentication failed\n"

    def test_json_has_a_code_where_nothing_explains_it(self, key):
        for words in (["--json"], ["--json", "--no-diagnosis"]):
            said = json.loads(opened(key, page(key=OTHER), *words, code=1)[0])

            assert (said["opens"], said["code"]) == (False, "auth")
            assert bool(said["attempts"]) == (len(words) == 1)

    @pytest.mark.parametrize(
        ("at", "bit", "code"),
        [
            (0x0F, 7, "auth-bit-tag"),
            (0x21, 2, "auth-bit-seqno"),
            (0x41, 6, "auth-bit-header"),
            (0x72, 3, "auth-bit-payload"),
        ],
    )
    def test_the_bit_that_was_flipped_is_named(self, at, bit, code, key):
        data = bytearray(page())
        data[at] ^= 1 << bit

        _, errors = opened(key, bytes(data), code=1)

        assert f"opens: bit {bit} of byte {at:#04x} is flipped  [{code}]" in errors

    def test_nothing_is_written(self, key, tmp_path):
        to = tmp_path / "payload"

        opened(key, page(key=OTHER), "-o", str(to), "--no-diagnosis", code=1)

        assert not to.exists()

    def test_no_key_is_printed(self, key, tmp_path):
        secrets = file(tmp_path, "secrets", SecretsPage(vmpck1=OTHER).build())

        for words in ([], ["--json"]):
            output, errors = opened(key, page(key=OTHER), "--secrets", secrets, *words, code=1)
            for secret in (KEY, OTHER):
                assert secret.hex() not in output + errors
                assert repr(secret) not in output + errors


SPANS = [(0, 16), (0x20, 0x28), (AAD_START, AAD_END), (HEADER_SIZE, HEADER_SIZE + len(PAYLOAD))]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(SPANS).flatmap(lambda span: st.integers(span[0], span[1] - 1)),
    st.integers(0, 7),
)
def test_a_flipped_bit_is_refused(at, bit):
    data = bytearray(page())
    data[at] ^= 1 << bit

    _, errors, code = call(["open", "--no-diagnosis", "--key-env", "OPEN_VMPCK"], bytes(data))

    assert code in (1, 3)
    assert errors.startswith(b"snpwire: <stdin>: ")


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "expected", "code"),
        [
            (bytes(4096), "there is no message: every byte is zero", "empty"),
            (b"", "a message has a header of 96 bytes, got 0 in all", "cut-short"),
            (b"\0" * 95, "a message has a header of 96 bytes, got 95 in all", "cut-short"),
            (page()[:0x70], "the payload has 96 bytes, but 16 are there", "cut-short"),
            (page()[:0x36] + b"\xff\xff" + page()[0x38:], "65535 bytes, only 4000", "too-long"),
            (page(algo=0), "the algorithm is 0, and only", "algorithm-invalid"),
            (page(algo=2), "the algorithm is 2, and only AES-256-GCM, 1, is known", "algorithm"),
        ],
        ids=range(7),
    )
    def test_what_is_no_message_is_one_line_and_has_a_code(self, data, expected, code, key):
        words = ["--key-file", key, "--from", "raw"]
        said = refused(*words, given=data)
        output, errors, _ = call(["open", *words, "--json"], data)

        assert said.startswith("snpwire: <stdin>: ")
        assert expected in said
        assert said.endswith(f" [message-{code}]")
        assert errors.decode() == f"{said}\n"
        assert json.loads(output) == {
            "schema": "open/1",
            "opens": False,
            "code": f"message-{code}",
            "attempts": [],
        }

    def test_a_file_that_is_not_there_is_named(self, key, tmp_path):
        said = refused(str(tmp_path / "none"), "--key-file", key)

        assert said == f"snpwire: {tmp_path}/none: No such file or directory"

    def test_an_all_zero_key_is_refused(self, tmp_path):
        said = refused("--key-file", file(tmp_path, "key", bytes(32)), given=page())

        assert "the key is all zero" in said

    def test_a_key_that_the_page_lacks_is_named(self, tmp_path):
        secrets = file(tmp_path, "secrets", SecretsPage(vmpck0=KEY).build())

        assert "vmpck3: the key is all zero" in refused(
            "--key-file", secrets, given=page(msg_vmpck=3)
        )
        assert "a secrets page has keys 0 to 3, not 7" in refused(
            "--key-file", secrets, given=page(msg_vmpck=7)
        )

    def test_secrets_that_are_no_page_are_named(self, key, tmp_path):
        short = file(tmp_path, "short", bytes(100))

        said = refused("--key-file", key, "--secrets", short, given=page(key=OTHER))

        assert said == f"snpwire: {short}: a secrets page has 4096 bytes, got 100"

    def test_standard_input_is_one_thing(self):
        said = refused("--key-stdin", given=KEY, code=2)

        assert "standard input cannot be both key and message" in said

    def test_there_has_to_be_a_key(self):
        assert "there is no key" in refused(given=page(), code=2)


@pytest.mark.parametrize(
    "words",
    [
        ["open", "--help"],
        ["seal", "--help"],
        ["verify", "--help"],
        ["seal", "--corrupt", "list"],
        ["explain", "kds", "-", "--product", "milan"],
        ["decode", "report"],
    ],
    ids=" ".join,
)
def test_nothing_of_cryptography_is_imported_before_it_is_needed(words):
    code = "import sys; from snpwire.__main__ import main; main(); print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        input=bytes(0x4A0),
        capture_output=True,
        env=surroundings(),
        check=True,
    )

    assert b"snpwire.cli.app" in done.stdout
    assert b"cryptography" not in done.stdout.splitlines()[-1]


def test_the_payload_alone_goes_to_standard_output(key):
    output, errors, code = call(["open", "--key-file", key, "-o", "-"], page())

    assert (output, errors, code) == (PAYLOAD, b"", 0)


def test_bytes_of_an_unknown_kind_are_left_out_if_asked(key):
    output, _ = opened(key, page(bytes(range(32)), kind=MsgType(0x2A)), "--redact")

    assert "payload  32 bytes of unknown kind, redacted" in output
    assert "0x060" not in output
