"""Columns against parse: both must read the same numbers from the same bytes."""

from __future__ import annotations

import mmap
import tempfile

import numpy as np
import pytest
from construct import Array, Bytes, BytesInteger, Int8ul, Int16ul, Int32ul, Int64ul
from hypothesis import given
from hypothesis import strategies as st

from snpwire import columns as module
from snpwire.bits import Word, bits
from snpwire.codec import as_word
from snpwire.columns import columns, integers
from snpwire.errors import DecodeError, EncodeError
from snpwire.layout import Record, at, nested
from snpwire.wire.ghcb import Page


class Half(Word, width=16):
    low = bits(0, 4, "Low bits")


class Inner(Record, size=6, spec="test"):
    number: int = at(0x1, Int32ul, "Unaligned")


class Odd(Record, size=0x25B, spec="test, size and offsets are odd on purpose"):
    first: int = at(0x000, Int8ul, "First byte")
    word: Half = at(0x003, as_word(Half), "Unaligned word")
    three: int = at(0x007, BytesInteger(3, swapped=True), "No numpy type")
    inner: Inner = at(0x00B, nested(Inner), "Nested record")
    many: tuple[int, ...] = at(0x020, Array(3, Int16ul), "Array")
    blob: bytes = at(0x030, Bytes(4), "Bytes")
    last: int = at(0x253, Int64ul, "Ends with the record")


def expected(record, image):
    """Read each integer with parse, wide ones as the numbers of their words."""
    values = [record.parse(image[i : i + record.SIZE]) for i in range(0, len(image), record.SIZE)]
    return {tile.path: [number(value, tile) for value in values] for tile in integers(record)}


def number(value, tile):
    for name in tile.path.split("."):
        value = getattr(value, name)
    word = min(tile.size & -tile.size, 8)
    raw = int(value).to_bytes(tile.size, "little")
    parts = [int.from_bytes(raw[i : i + word], "little") for i in range(0, tile.size, word)]
    return parts if len(parts) > 1 else parts[0]


def listed(arrays):
    return {name: array.tolist() for name, array in arrays.items()}


def sparse(record, count):
    """Return *count* records of zeros with some bytes of their fields changed."""
    image = bytearray(record.SIZE * count)
    places = [o for tile in record.FIELDS for o in range(tile.offset, tile.end)]
    rng = np.random.default_rng(count)
    for start in range(0, len(image), record.SIZE):
        for place in rng.choice(places, 40):
            image[start + place] = rng.integers(1, 256)
    return bytes(image)


records = pytest.mark.parametrize("record", [Page, Odd, Inner])


@pytest.fixture
def small_tiles(monkeypatch):
    """Make blocks of four of the records whose fields span the most bytes."""
    monkeypatch.setattr(module, "TILE", 4 * 840)


@given(st.lists(st.binary(min_size=Odd.SIZE, max_size=Odd.SIZE), max_size=9))
def test_columns_are_the_values_of_parse(pages):
    image = b"".join(pages)

    assert listed(columns(Odd, image)) == expected(Odd, image)


@records
@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 9])
def test_edges_of_blocks_lose_no_record(record, count):
    image = sparse(record, count)

    assert listed(columns(record, image)) == expected(record, image)


def test_a_record_wider_than_a_tile_is_read(monkeypatch):
    monkeypatch.setattr(module, "TILE", 1)
    image = sparse(Page, 3)

    assert listed(columns(Page, image)) == expected(Page, image)


def test_types_are_little_endian_and_of_the_size_of_the_field():
    arrays = columns(Odd, bytes(2 * Odd.SIZE))

    assert {name: (a.dtype.str, a.shape) for name, a in arrays.items()} == {
        "first": ("|u1", (2,)),
        "word": ("<u2", (2,)),
        "three": ("|u1", (2, 3)),
        "inner.number": ("<u4", (2,)),
        "last": ("<u8", (2,)),
    }


def test_a_bitmap_is_two_words_the_lowest_first():
    page = Page(valid_bitmap=1 << 114 | 1 << 63)

    bitmap = columns(Page, page.build(), fields=["valid_bitmap"])["valid_bitmap"]

    assert bitmap.dtype == "<u8"
    assert bitmap.tolist() == [[1 << 63, 1 << 50]]


def test_all_integers_are_taken_in_the_order_of_the_page():
    names = [tile.path for tile in Page.FIELDS if tile.path != "shared_buffer"]

    assert list(columns(Page, b"")) == names


def test_bits_of_a_word_read_its_column():
    image = b"".join(Odd(word=n).build() for n in (0x12, 0x1F))

    assert Half.low.of(columns(Odd, image)["word"]).tolist() == [2, 15]


def test_a_choice_of_fields_keeps_its_order():
    image = sparse(Page, 2)
    wanted = ["ghcb_usage", "cpl", "rax"]

    arrays = columns(Page, image, fields=wanted)

    assert list(arrays) == wanted
    assert listed(arrays) == {name: expected(Page, image)[name] for name in wanted}


def test_no_fields_are_no_columns():
    assert columns(Page, bytes(Page.SIZE), fields=[]) == {}


@records
@pytest.mark.parametrize("shift", [0, 1, 4, 7])
@pytest.mark.parametrize("kind", ["bytes", "bytearray", "view", "array", "read-only array"])
def test_any_buffer_at_any_address_is_read(record, shift, kind):
    image = sparse(record, 3)
    array = np.frombuffer(bytearray(shift) + image, np.uint8)[shift:]
    array.flags.writeable = kind != "read-only array"
    given_as = {"bytes": image, "bytearray": bytearray(image), "view": memoryview(array)}

    assert listed(columns(record, given_as.get(kind, array))) == expected(record, image)


def test_a_mapped_file_can_be_closed_afterwards():
    image = sparse(Page, 2)
    with tempfile.TemporaryFile() as file:
        file.write(image)
        file.flush()
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            arrays = columns(Page, mapped)

    assert listed(arrays) == expected(Page, image)


def test_a_structured_array_of_records_is_read():
    image = sparse(Page, 2)

    assert listed(columns(Page, np.frombuffer(image, Page.dtype()))) == expected(Page, image)


def test_columns_agree_with_the_dtype():
    image = sparse(Odd, 5)
    table = np.frombuffer(image, Odd.dtype())

    arrays = columns(Odd, image)

    for name in ("first", "word", "last"):
        assert arrays[name].tolist() == table[name].tolist()
    assert arrays["inner.number"].tolist() == table["inner"]["number"].tolist()


def test_warm_arrays_are_filled_and_returned():
    warm = columns(Page, bytes(2 * Page.SIZE))
    image = sparse(Page, 2)

    arrays = columns(Page, image, out=warm)

    assert all(arrays[name] is warm[name] for name in arrays)
    assert listed(warm) == expected(Page, image)


def test_an_image_in_pieces_fills_slices_of_one_array():
    image = sparse(Page, 4)
    whole = columns(Page, bytes(len(image)))

    for first in (0, 2):
        part = image[first * Page.SIZE : (first + 2) * Page.SIZE]
        columns(Page, part, out={name: array[first : first + 2] for name, array in whole.items()})

    assert listed(whole) == expected(Page, image)


def test_fields_that_out_lacks_get_new_arrays():
    rax = np.zeros(1, "<u8")

    arrays = columns(Page, Page(rax=5, rcx=6).build(), fields=["rax", "rcx"], out={"rax": rax})

    assert arrays["rax"] is rax
    assert listed(arrays) == {"rax": [5], "rcx": [6]}


@pytest.mark.parametrize(
    "wrong", [np.zeros(2, "<u8"), np.zeros(1, "<u4"), np.zeros(1, ">u8"), np.zeros((1, 1), "<u8")]
)
def test_an_array_that_does_not_fit_is_refused(wrong):
    with pytest.raises(EncodeError, match="expected writeable <u8 of shape") as caught:
        columns(Page, bytes(Page.SIZE), out={"rax": wrong})

    assert (caught.value.record, caught.value.path, caught.value.offset) == ("Page", "rax", 0x1F8)


def test_a_read_only_array_is_refused_before_anything_is_written():
    locked, cpl = np.zeros(1, "<u8"), np.zeros(1, "u1")
    locked.flags.writeable = False

    with pytest.raises(EncodeError, match=r"Page\.rax at 0x1f8: expected writeable"):
        columns(Page, Page(cpl=3).build(), out={"cpl": cpl, "rax": locked})

    assert cpl.tolist() == [0]


@pytest.mark.parametrize("size", [1, Page.SIZE - 1, Page.SIZE + 1])
def test_part_of_a_record_is_refused(size):
    with pytest.raises(DecodeError) as caught:
        columns(Page, bytes(size))

    assert str(caught.value) == f"Page: expected a multiple of 4096 bytes, got {size}"


def test_a_record_of_no_bytes_has_no_columns():
    class Nothing(Record, size=0, spec="test"):
        pass

    with pytest.raises(DecodeError, match=r"^Nothing: expected a multiple of 0 bytes, got 0$"):
        columns(Nothing, b"")


def test_an_unknown_field_is_refused_with_the_nearest_name():
    with pytest.raises(
        TypeError, match=r"^Page has no field 'sw_exitcode'\. did you mean sw_exit_code\?"
    ):
        columns(Page, b"", fields=["rax", "sw_exitcode"])


@pytest.mark.parametrize(
    ("name", "offset"), [("inner", 0xB), ("many", 0x20), ("blob", 0x30), ("reserved_0x001", 0x1)]
)
def test_a_field_that_is_no_integer_is_refused(name, offset):
    with pytest.raises(EncodeError, match="is no integer") as caught:
        columns(Odd, b"", fields=[name])

    assert (caught.value.path, caught.value.offset) == (name, offset)
