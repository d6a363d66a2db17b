"""What ``decode --json`` prints, ``encode`` makes the same bytes of."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import image_of, patched
from transcripts import call

from snpwire.block import Block
from snpwire.capture import read
from snpwire.context import context_of
from snpwire.decode import document
from snpwire.view import json
from snpwire.view.document import Document
from snpwire.wire import RECORDS, kind

PAGES = 10_000
SAMPLE = 30
KINDS = [pytest.param(name, id=name) for name in RECORDS]
FORMS = pytest.mark.parametrize("full", [False, True], ids=["plain", "full"])
GHCB = kind("ghcb")


def there_and_back(chosen, data, *, full):
    """Decode to JSON text and build from it again, as the two commands do."""
    doc = document(chosen, data)
    return rebuilt(doc, full=full)


def rebuilt(doc, *, full):
    chosen, text = doc.kind, json.dumps(json.document(doc, full=full))
    return chosen.type.from_plain(json.fields_of(json.loads(text), chosen.name)).build()


def piped(name, data, *options):
    """Run ``decode --json | encode`` with whole command lines."""
    printed, _, code = call(["decode", name, "-", "--json", *options], data)
    assert code == 0
    built, errors, code = call(["encode", name, "-"], printed)
    assert (errors, code) == (b"", 0)
    return built


def images(name):
    """Draw bytes that fit a kind: sparse ones, and any."""
    record = kind(name).type
    size = record.SIZE
    limit = size + 200 if issubclass(record, Block) else size
    return st.one_of(image_of(record), st.binary(min_size=size, max_size=limit))


def sparse(source):
    """Return a page of zeros with a few fields set."""
    page = bytearray(4096)
    for _ in range(source.randrange(8)):
        tile = source.choice(GHCB.type.TILES)
        at = tile.offset + source.randrange(tile.size)
        page[at] = source.randrange(256)
    return bytes(page)


@FORMS
@settings(max_examples=150)
@given(page=st.one_of(patched(4096), st.binary(min_size=4096, max_size=4096)))
def test_any_page_is_built_from_its_json(full, page):
    assert there_and_back(GHCB, page, full=full) == page


def test_ten_thousand_pages_are_built_from_their_json():
    source = random.Random(4096)

    for number in range(PAGES):
        page = source.randbytes(4096) if number % 2 else sparse(source)
        value = GHCB.type.parse(page)
        doc = Document(GHCB, value, 4096, context_of(value))  # what rules find is not built from
        assert rebuilt(doc, full=number % 10 == 0) == page


@pytest.mark.parametrize("name", KINDS)
@FORMS
@settings(max_examples=20)
@given(data=st.data())
def test_any_bytes_of_any_kind_are_built_from_their_json(name, full, data):
    image = data.draw(images(name))

    assert there_and_back(kind(name), image, full=full) == image


def test_whole_command_lines_give_random_pages_back():
    source = random.Random(30)

    for number in range(SAMPLE):
        page = source.randbytes(4096) if number % 2 else sparse(source)
        assert piped("ghcb", page, *(["--from", "raw"] if number % 3 else [])) == page


@pytest.mark.parametrize("name", KINDS)
def test_whole_command_lines_give_zeros_back(name):
    image = bytes(kind(name).type.SIZE)

    assert piped(name, image, "--from", "raw") == image


def test_encode_takes_the_full_form(tmp_path):
    page = random.Random(1).randbytes(4096)
    source = tmp_path / "page"
    source.write_bytes(page)
    printed, _, _ = call(["decode", "ghcb", str(source), "--json=full"])

    assert call(["encode", "ghcb", "-"], printed) == (page, b"", 0)


TEXTS = {
    "zeros": b"0" * 4096,
    "hex": b"de" * 2048,
    "hex in lines": (b"0123456789abcdef" * 4)[:63].ljust(64, b"\n") * 64,
    "printable": bytes(32 + n % 95 for n in range(4096)),
    "base64": (b"QUJDREVG" * 8)[:63].ljust(64, b"\n") * 64,
    "padded base64": b"A" * 4095 + b"=",
    "base64 in one word": b"QUJD" * 1024,
    "odd hex": b"f" * 4095 + b"\n",
    "a JSON": b'{"rax": 1}'.ljust(4096),
    "blanks": b" " * 4096,
    "line ends": b"\n" * 4096,
    "a broken dump": (b"00000000: 00 11 22\n" * 300)[:4096],
    "the head of a KVM log": b"GHCB (GPA=1000) snapshot:\n".ljust(4096, b"x"),
    "a log among zeros": b"GHCB (GPA=1000) snapshot:\n".ljust(4096, b"\0"),
    "PEM": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".ljust(4096),
    "invalid UTF-8": b"0" * 4095 + b"\xff",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_page_that_looks_like_text_is_taken_as_a_page(way, text, tmp_path):
    assert len(text) == 4096
    file = tmp_path / "page"
    file.write_bytes(text)
    name, given = (str(file), b"") if way == "file" else ("-", text)

    printed, _, code = call(["decode", "ghcb", name, "--json"], given)

    assert code == 0
    assert call(["encode", "ghcb"], printed) == (text, b"", 0)


@given(page=st.one_of(patched(4096), st.binary(min_size=4096, max_size=4096)))
def test_hex_output_of_encode_is_read_back(page):
    printed, _, code = call(
        ["encode", "ghcb", "--hex"], json.dumps(GHCB.type.parse(page).to_plain()).encode()
    )

    assert code == 0
    assert read(printed, sizes=GHCB.type.fits).data == page


def test_encode_says_which_fields_it_set():
    built, _, code = call(
        ["encode", "psc", "--set", "entries[1].gfn=0x1000", "--set", "entries[1].page_size=SIZE_2M"]
    )

    assert code == 0
    assert kind("psc").type.parse(built).elements[1].gfn == 0x1000


def test_a_page_that_spells_a_dump_of_a_page_is_the_page():
    dump = b"00000000  " + b"00 " * 8 + b" " + b"00 " * 16 + b"\n*\n00001000\n"
    rows = "00000000  " + "00 " * 7 + "00  " + "00 " * 7 + "00  |" + "." * 16 + "|\n*\n00001000\n"
    for text in (dump, rows.encode()):
        page = text.ljust(4096, b"\n")
        shown, _, code = call(["decode", "ghcb", "--json"], page)
        assert code == 0
        assert call(["encode", "ghcb", "-"], shown)[0] == page
