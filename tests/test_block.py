import pickle

import pytest
from construct import Int8ul, Int16ub, Int16ul
from hypothesis import given
from hypothesis import strategies as st

from snpwire.block import Block
from snpwire.codec import as_word
from snpwire.errors import DecodeError, EncodeError, LayoutError
from snpwire.layout import Record, at, nested
from snpwire.wire.apic import ApicIdHeader, ApicIdList
from snpwire.wire.psc import PscEntry
from snpwire.wire.svsm import PvalidateEntry, PvalidateRequest


class Head(Record, size=4, spec="test"):
    number: int = at(0, Int8ul, "How many")
    other: int = at(2, Int16ul, "Something else")


class Item(Record, size=3, spec="test"):
    a: int = at(0, Int8ul, "A")
    b: int = at(1, Int16ul, "B")


class Items(
    Block,
    head=Head,
    element=("items", nested(Item), "Items"),
    count="number",
    limit=300,
    spec="test",
):
    """Up to 300 items, of which the head can count 255."""


def refusal(call, *args, **kwargs):
    with pytest.raises(EncodeError) as caught:
        call(*args, **kwargs)
    error = caught.value
    return str(error), error.path, error.offset


def test_the_head_counts_the_elements_and_what_follows_is_kept():
    value = Items.parse(b"\x01\0\x05\0" + b"\x01\x02\x03" + b"rest")

    assert value.head == Head(number=1, other=5)
    assert value.elements == (Item(a=1, b=0x302),)
    assert value.rest == b"rest"
    assert repr(value) == "Items(Head(number=1, other=5), (Item(a=1, b=770),), rest=4)"


def test_a_count_is_bounded_by_the_bytes_and_by_the_limit():
    assert len(Items.parse(b"\xff\0\0\0" + bytes(7)).elements) == 2
    assert Items.parse(b"\xff\0\0\0" + bytes(7)).rest == b"\0"
    full = (0xFFFF).to_bytes(2, "little") + bytes(6 + 8 * 600)
    assert len(PvalidateRequest.parse(full).elements) == 510
    assert len(PvalidateRequest.parse(full).rest) == 8 * 90


@pytest.mark.parametrize("size", [0, 3])
def test_bytes_too_short_for_the_head_are_refused(size):
    with pytest.raises(DecodeError) as caught:
        Items.parse(bytes(size))

    assert str(caught.value) == f"Items: expected at least 4 bytes, got {size}"
    assert not Items.fits(size)
    assert Items.fits(4)


def test_a_new_value_counts_its_elements():
    value = Items(elements=[Item(a=1), Item()], rest=bytearray(b"x"))

    assert value.head.number == 2
    assert value.build() == b"\x02\0\0\0" + b"\x01\0\0" + bytes(3) + b"x"
    assert Items() == Items.parse(bytes(4))
    assert PvalidateRequest(elements=[4]).elements == (PvalidateEntry.of(action=1),)


def test_a_value_is_what_its_bytes_say():
    value = Items(Head(number=1), [Item(a=1), Item(a=2)], b"x")

    assert value.elements == (Item(a=1),)
    assert value.rest == b"\x02\0\0x"
    assert Items.parse(value.build()) == value
    assert Items.from_plain({"number": 1, "items": [{"a": 1}, {"a": 2}], "rest": "78"}) == value


@given(st.binary(min_size=4, max_size=40), st.binary(max_size=10))
def test_any_parts_give_a_value_that_parses_to_itself(image, rest):
    value = Items.parse(image)

    again = Items(value.head, value.elements, value.rest + rest)

    assert Items.parse(again.build()) == again
    assert again.build() == image + rest


def test_equality_and_pickles():
    class Others(
        Block, head=Head, element=("items", nested(Item), ""), count="number", limit=9, spec="t"
    ):
        pass

    value = Items(elements=[Item(a=1)], rest=b"x")

    assert value != Others(elements=[Item(a=1)], rest=b"x")
    assert value != tuple(value)
    assert pickle.loads(pickle.dumps(value)) == value
    assert hash(pickle.loads(pickle.dumps(value))) == hash(value)


def test_leaves_name_every_element():
    value = Items(elements=[Item(), Item(b=7)], rest=b"xy")

    places = {leaf.path: (leaf.offset, leaf.size) for leaf in value.leaves()}

    assert places["items[1].b"] == (8, 2)
    assert places["rest"] == (10, 2)
    assert places["reserved_0x001"] == (1, 1)
    words = [leaf.path for leaf in PvalidateRequest(elements=[1, 2]).leaves()]
    assert words[-2:] == ["list[0]", "list[1]"]
    assert [leaf.gap for leaf in value.leaves()][-1]


def test_plain_form():
    value = Items(elements=[Item(a=1)], rest=b"\xff")

    assert value.to_plain() == {
        "number": 1,
        "other": 0,
        "items": [{"a": 1, "b": 0}],
        "rest": "ff",
    }
    assert "rest" not in Items().to_plain()
    assert Items.from_plain({"items": [{"a": 1}], "rest": "ff"}) == value
    assert Items.from_plain({"number": 9, "items": [{}]}).head.number == 9
    assert Items.from_plain({}) == Items()


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        (None, "Items: expected an object, got None"),
        ([], "Items: expected an object, got []"),
        ({"items": {}}, "Items.items at 0x004: expected a list, got {}"),
        ({"items": None}, "Items.items at 0x004: expected a list, got None"),
        ({"items": [{}, 5]}, "Items.items[1] at 0x007: expected an object, got 5"),
        ({"items": [{}, {"b": -1}]}, "Items.items[1].b at 0x008: -0x1 does not fit 2 bytes"),
        ({"items": [{"c": 1}]}, "Items.items[0].c at 0x004: no such field"),
        ({"items": [{}] * 256}, "Items.number at 0x000: 0x100 does not fit 1 bytes"),
        ({"items": [{}] * 301}, "Items.items at 0x004: there are at most 300 elements, got 301"),
        ({"number": "x"}, "Items.number at 0x000: expected a number, got 'x'"),
        ({"other": 1 << 16}, "Items.other at 0x002: 0x10000 does not fit 2 bytes"),
        ({"rest": 5}, "Items.rest: expected a string of hex digits, got 5"),
        ({"rest": "0"}, "Items.rest: expected hex digits, two for a byte, got '0'"),
        ({"itmes": []}, "Items.itmes: no such field"),
    ],
    ids=str,
)
def test_json_that_does_not_fit_is_refused_with_its_place(plain, text):
    shown, path, offset = refusal(Items.from_plain, plain)

    assert shown.startswith(text)
    assert f"Items.{path}" == text.split(": ")[0].split(" at ")[0] or not path
    assert offset == (int(text.split(" at ")[1][:5], 16) if " at 0x" in text else None)


def test_an_unknown_name_suggests_the_nearest_of_the_whole_block():
    with pytest.raises(EncodeError) as caught:
        Items.from_plain({"itmes": []})

    assert caught.value.help == "did you mean items?"


def test_a_word_that_does_not_fit_is_refused_with_its_place():
    shown = refusal(PvalidateRequest.from_plain, {"list": [0, "x"]})[0]

    assert shown == "PvalidateRequest.list[1] at 0x010: 'x' is no bit of PvalidateEntry"
    assert refusal(PvalidateRequest.from_plain, {"list": [{"pfm": 1}]})[0] == (
        "PvalidateRequest.list[0].pfm at 0x008: no such bits"
    )


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"elements": [Item(), 5]}, "Items.items[1] at 0x007: expected a Item, got 5"),
        ({"elements": [Item()] * 256}, "Items.number at 0x000: 0x100 does not fit 1 bytes"),
        ({"elements": [Item()] * 301}, "Items.items at 0x004: there are at most 300"),
        ({"head": Item()}, "Items: expected a Head, got Item()"),
        ({"rest": 5}, "Items.rest: expected bytes, got 5"),
        ({"rest": "x"}, "Items.rest: expected bytes, got 'x'"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(given, text):
    assert refusal(Items, **given)[0].startswith(text)


def test_numbers_as_elements():
    value = ApicIdList(elements=[0, 0x100, 2])

    assert value.build().hex() == "03000000" + "00000000" + "00010000" + "02000000"
    assert value.to_plain() == {"num_entries": 3, "apic_ids": [0, 256, 2]}
    assert ApicIdList.from_plain({"apic_ids": [0, "0x100", 2]}) == value
    assert ApicIdList(ApicIdHeader(num_entries=1 << 31), [1]).elements == (1,)


def declare(name="entries", codec=None, head=Head):
    element = (name, as_word(PscEntry) if codec is None else codec, "")
    return type(Block)(
        "Bad", (Block,), {}, head=head, element=element, count="number", limit=1, spec=""
    )


@pytest.mark.parametrize("name", ["number", "other", "rest", "head", "elements", "build"])
def test_the_name_of_the_elements_is_their_own(name):
    with pytest.raises(LayoutError, match=f"^Bad.{name} repeats a name of Head or Block$"):
        declare(name)


def test_elements_have_a_codec_of_a_record():
    with pytest.raises(LayoutError, match=r"^Bad.entries: <FormatField> is no codec"):
        declare(codec=Int16ub)
