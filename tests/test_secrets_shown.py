"""No key is shown: not in a representation, an error, a traceback or a difference."""

import json
import os
import stat
import traceback

import pytest
from transcripts import call

from snpwire.crypto.kdf import sticks
from snpwire.crypto.mutations import Draft
from snpwire.crypto.open_attempt import OpenAttempt
from snpwire.engine.guest.request import Request, Response
from snpwire.engine.trace import TraceBytes
from snpwire.errors import EncodeError
from snpwire.layout import SECRETS
from snpwire.wire import RECORDS
from snpwire.wire.message import Header
from snpwire.wire.secrets import SecretsPage

KEY = bytes(range(0x80, 0xA0))
SHOWN = (KEY.hex(), KEY.hex(" "), repr(KEY)[2:-1])


def silent(text):
    """Expect that no text shows the key, or a half of it."""
    for spelt in SHOWN:
        assert spelt[: len(spelt) // 2] not in text
        assert spelt[len(spelt) // 2 :] not in text


def with_keys():
    """Yield every record that holds a key, with one in each such field."""
    for name, kind in RECORDS.items():
        value = kind.type.parse(bytes(kind.type.SIZE))
        image = bytearray(kind.type.SIZE)
        fields = [leaf for leaf in value.leaves() if leaf.path.rpartition(".")[2] in SECRETS]
        for leaf in fields:
            image[leaf.offset : leaf.offset + leaf.size] = KEY[: leaf.size]
        if fields:
            yield name, bytes(image)


def test_there_are_records_with_keys():
    assert {name for name, _ in with_keys()} >= {"secrets", "key-rsp", "vmrk-req", "export-rsp"}


@pytest.mark.parametrize(("name", "image"), [*with_keys()], ids=lambda given: str(given)[:12])
def test_no_representation_shows_a_key(name, image):
    silent(repr(RECORDS[name].type.parse(image)))


@pytest.mark.parametrize(
    "value",
    [
        Request(1, KEY),
        Response(KEY),
        TraceBytes("secrets", 0, KEY, KEY),
        Draft("key-rsp", Header(), KEY),
        OpenAttempt(KEY, b"", b"", b"", b""),
        sticks(KEY + KEY[:16], 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_representation_of_what_carries_one_shows_a_key(value):
    silent(repr(value))
    assert "hashes" not in repr(value)


@pytest.mark.parametrize(
    "given", [KEY.hex() + "8", KEY.hex() + "zz", [KEY.hex()], {"a": KEY.hex()}]
)
def test_an_error_about_a_key_does_not_show_it(given):
    with pytest.raises(EncodeError, match="a key of 32 bytes cannot") as raised:
        SecretsPage.from_plain({"vmpck0": given})

    silent("".join(traceback.format_exception(raised.value)))
    said = call(["encode", "secrets"], json.dumps({"vmpck0": given}).encode())
    assert said[2] == 3
    silent(said[1].decode())


@pytest.mark.parametrize(("name", "image"), [*with_keys()], ids=lambda given: str(given)[:12])
def test_a_difference_shows_a_key_only_if_it_is_asked_to(name, image, tmp_path):
    (tmp_path / "a").write_bytes(image)
    (tmp_path / "b").write_bytes(bytes(len(image)))
    words = ["diff", name, str(tmp_path / "a"), str(tmp_path / "b")]
    for form in ([], ["--json"]):
        told, _, code = call([*words, *form])

        assert code == 1
        assert b"redacted" in told
        silent(told.decode())
        assert b"redacted" not in call([*words, *form, "--show-secrets"])[0]


def test_a_key_is_no_argument(tmp_path):
    for setting in (f"vmpck0={KEY.hex()}", "vmpck3=", f" vmpck1 ={KEY.hex()}"):
        told, said, code = call(["encode", "secrets", "--set", setting])

        assert (told, code) == (b"", 2)
        assert b"is a key, and no argument may be\nhelp: --set vmpck" in said
        silent(said.decode())
    nested = '{"vmpck1": "00"}'
    said = call(["encode", "absorb-req", "--set", f"incoming_gctx={nested}"])[1]
    assert said.startswith(b"snpwire: --set 'incoming_gctx': vmpck1 is a key")
    said = call(["encode", "absorb-req", "--set", "incoming_gctx.oek=00"])[1]
    assert b"oek is a key" in said
    (tmp_path / "key").write_bytes(KEY)
    told, _, code = call(["encode", "secrets", "--set", f"vmpck0=@{tmp_path}/key"])
    assert code == 0
    assert SecretsPage.parse(told).vmpck0 == KEY


def modes(folder):
    return {oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.rglob("*") if path.is_file()}


def test_files_that_hold_keys_are_for_their_owner_alone(tmp_path):
    (tmp_path / "key").write_bytes(KEY)
    os.chmod(tmp_path / "key", 0o600)
    out, key = str(tmp_path / "out"), str(tmp_path / "key")
    (tmp_path / "out").touch(0o666)  # it is there, and anyone may read it
    sealed = ["seal", "key-rsp", "--set", f"derived_key=@{key}", "--seqno", "2", "--key-file", key]
    commands = [
        ["encode", "secrets", "--set", f"vmpck0=@{key}", "-o", out],
        [*sealed, "-o", out],
        ["request", "key", "-o", out],
        ["request", "key", "--save", str(tmp_path / "pages")],
    ]
    for words in commands:
        os.chmod(out, 0o644 if out in words else 0o600)
        assert call(words)[2] == 0, words
        assert modes(tmp_path) == {"0o600"}, words
    message = call(sealed)[0]
    assert call(["open", "-", "--key-file", key, "-o", out], message)[2] == 0
    assert modes(tmp_path) == {"0o600"}


def test_a_report_is_for_everyone(tmp_path):
    mask = os.umask(0o022)
    try:
        call(["request", "report", "-o", str(tmp_path / "report")])
    finally:
        os.umask(mask)

    assert modes(tmp_path) == {"0o644"}


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_redacted_trace_shows_no_derived_key(form, tmp_path):
    out = tmp_path / "key"
    words = ["request", "key", "--boot", "--show", *form]
    call([*words, "-o", str(out)])
    derived = out.read_bytes()[0x20:0x40].hex()
    plain, redacted = call(words)[0].decode(), call([*words, "--redact"])[0].decode()

    assert derived in plain.replace(" ", "")
    assert derived not in redacted.replace(" ", "")
    assert derived[:16] not in redacted.replace(" ", "")
