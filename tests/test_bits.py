import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import declared

from snpwire.bits import Bits, Flags, OpenEnum, Word, bit, bits, integer, nearest
from snpwire.errors import EncodeError, LayoutError


class Colour(OpenEnum):
    RED = 1, "warm"
    DEEP_BLUE = 2, "cold"
    CRIMSON = 1, "another name of RED"


class Policy(Word, width=64, spec="test"):
    abi = bits(0, 8, "Version")
    in_ = bit(16, "A Python keyword")
    colour = bits(32, 8, "Colour", Colour)
    top = bit(63)


class Marks(Flags, width=8):
    first = bit(0)
    last = bit(7)


ENUMS = [kind for kind in declared(OpenEnum) if len(kind)]
WORDS = [kind for kind in declared(Word) if kind.WIDTH]


# Numbers as text


@pytest.mark.parametrize(
    ("text", "number"),
    [("10", 10), ("0x1F", 31), ("0b11", 3), ("0o17", 15), ("1_000", 1000), ("-2", -2), (7, 7)],
)
def test_numbers_are_read_as_people_write_them(text, number):
    assert integer(text) == number


@pytest.mark.parametrize("text", ["", "x", "0x", "010", "²", "٣", "1.0", "9" * 5000])
def test_other_text_is_no_number(text):
    with pytest.raises(ValueError, match=r"^expected a number, got '"):
        integer(text)


def test_the_nearest_name_is_suggested_as_it_is_spelt():
    assert nearest("deep_blu", Colour.__members__) == "did you mean DEEP_BLUE?"
    assert nearest("zzz", Colour.__members__) == ""


# Enumerations


def test_unknown_numbers_are_members_too():
    value = Colour(9)

    assert value == 9
    assert value.name == "UNKNOWN_0x9"
    assert (value.known, value.doc, value.to_plain()) == (False, "", 9)
    assert Colour.RED.known
    assert (Colour.RED.doc, Colour.RED.to_plain()) == ("warm", "RED")
    assert copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value
    assert type(pickle.loads(pickle.dumps(value))) is Colour


def test_what_is_no_number_is_no_member():
    with pytest.raises(ValueError, match="'x' is not a valid Colour"):
        Colour("x")


@pytest.mark.parametrize("plain", ["red", "RED", "Crimson", 1, "0x1", "1"])
def test_a_member_is_named_in_any_case_or_numbered(plain):
    assert Colour.from_plain(plain) is Colour.RED
    assert Colour.from_plain("deep-blue") is Colour.DEEP_BLUE
    assert Colour.from_plain("77") == 77


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ("rde", r"^'rde' is no Colour; did you mean RED\?$"),
        ("zzz", "^'zzz' is no Colour$"),
        (True, "^expected a name or a number, got True$"),
        (1.0, r"^expected a name or a number, got 1\.0$"),
        (None, "^expected a name or a number, got None$"),
        ([], r"^expected a name or a number, got \[\]$"),
    ],
)
def test_what_names_no_member_is_refused(plain, text):
    with pytest.raises(ValueError, match=text):
        Colour.from_plain(plain)


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_every_member_survives_its_plain_form(kind):
    for name, member in kind.__members__.items():
        assert kind.from_plain(member.to_plain()) is member
        assert kind.from_plain(name.lower()) is member
        assert member.doc


# Words


def test_fields_are_read_from_the_least_significant_bit():
    word = Policy(0x8000_0002_0001_0005)

    assert (word.abi, word.top, getattr(word, "in")) == (5, 1, 1)
    assert word.colour is Colour.DEEP_BLUE
    assert word.unknown == 0
    assert Policy(0x300).unknown == 0x300
    assert (Policy.abi.span, Policy.top.span) == ("7:0", "63")
    assert isinstance(Policy.abi, Bits)
    assert repr(word) == "<Policy 0x8000000200010005: abi=5 in=1 colour=DEEP_BLUE top=1>"
    assert repr(Policy(0)) == "<Policy 0x0>"


def test_a_word_is_made_of_its_fields():
    word = Policy.of(abi=5, in_=1, colour="deep-blue", top="1")

    assert word == 0x8000_0002_0001_0005
    assert word.replace(abi=0, colour=Colour.RED) == 0x8000_0001_0001_0000
    assert word.replace(colour=200).colour == 200
    assert type(word.replace()) is Policy
    assert Policy(0xF00).replace(abi=1) == 0xF01


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("abi", 256, "Policy.abi: 0x100 does not fit 8 bits (at most 0xff)"),
        ("abi", -1, "Policy.abi: -0x1 does not fit 8 bits (at most 0xff)"),
        ("abi", None, "Policy.abi: expected a number, got None"),
        ("abi", [], "Policy.abi: expected a number, got []"),
        ("abi", 1.5, "Policy.abi: expected a number, got 1.5"),
        ("colour", "pink", "Policy.colour: expected a number, got 'pink'"),
        ("colour", 256, "Policy.colour: 0x100 does not fit 8 bits (at most 0xff)"),
        ("abj", 1, "Policy.abj: no such bits"),
        ("self", 1, "Policy.self: no such bits"),
        ("cls", 1, "Policy.cls: no such bits"),
    ],
)
def test_a_field_refuses_what_does_not_fit(field, value, text):
    with pytest.raises(EncodeError) as caught:
        Policy.of(**{field: value})

    assert str(caught.value) == text
    assert (caught.value.record, caught.value.path) == ("Policy", field)
    assert caught.value.offset is None
    assert caught.value.help == ("did you mean abi?" if field == "abj" else "")


def test_words_cannot_be_changed():
    word = Policy(5)

    for name in ("abi", "top", "another"):
        with pytest.raises(AttributeError, match=rf"^{name} cannot be set"):
            setattr(word, name, 1)
    with pytest.raises(AttributeError, match=r"^abi cannot be set"):
        Policy.abi.__set__(word, 1)
    assert pickle.loads(pickle.dumps(word)) == word
    assert type(copy.deepcopy(word)) is Policy


@pytest.mark.parametrize(
    "plain",
    [
        0x8000_0000_0001_0000,
        "0x8000000000010000",
        ["in", "top"],
        "in, top",
        " in  top ",
        ["bit_16", "63"],
        [16, 63],
        {"in": 1, "top": "1"},
        {"in_": True, "top": 1},
    ],
)
def test_plain_forms_of_a_word(plain):
    assert Policy.from_plain(plain) == 0x8000_0000_0001_0000
    assert type(Policy.from_plain(plain)) is Policy


def test_empty_text_is_no_bit():
    assert Policy.from_plain("") == Policy.from_plain([]) == Policy.from_plain({}) == 0
    assert Policy.from_plain(" 5") == 5


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        (-1, "^-0x1 does not fit 64 bits$"),
        (1 << 64, "^0x10000000000000000 does not fit 64 bits$"),
        ("-1", "^-0x1 does not fit 64 bits$"),
        ("0xzz", "^expected a number, got '0xzz'$"),
        ("²", "^expected a number, got '²'$"),
        (True, "^expected a number, got True$"),
        (None, "^expected a number, got None$"),
        (0.5, r"^expected a number, got 0\.5$"),
        (["tops"], r"^'tops' is no bit of Policy; did you mean top\?$"),
        (["bit_64"], "^'bit_64' is no bit of Policy$"),
        (["²"], "^'²' is no bit of Policy$"),
        ([True], "^True is no bit of Policy$"),
        ([["top"]], r"^\['top'\] is no bit of Policy$"),
        (["colour"], "^colour has 8 bits and needs a value$"),
        ("colour", "^colour has 8 bits and needs a value$"),
    ],
)
def test_what_is_no_word_is_refused(plain, text):
    with pytest.raises(ValueError, match=text):
        Policy.from_plain(plain)


@given(st.integers(0, (1 << 64) - 1))
def test_a_word_survives_its_plain_form(number):
    word = Policy(number)
    fields = {name: field.plain(word) for name, field in Policy.BITS.items()}

    assert Policy.from_plain(word.to_plain()) == word
    assert Policy.from_plain(fields) | word.unknown == word
    assert len(word.to_plain()) == 18


@pytest.mark.parametrize("kind", WORDS, ids=lambda kind: kind.__name__)
def test_every_field_holds_its_limit_and_nothing_else(kind):
    seen = 0
    for name, field in kind.BITS.items():
        word = kind.of(**{name: field.limit})
        assert word == field.mask
        assert field.value(word) == field.limit
        assert not seen & field.mask
        assert field.doc
        seen |= field.mask

    assert seen == kind.KNOWN
    assert kind((1 << kind.WIDTH) - 1).unknown == (1 << kind.WIDTH) - 1 - seen


# Flags


def test_flags_are_a_list_of_names():
    marks = Marks(0b1000_0011)

    assert marks.names() == marks.to_plain() == ["first", "bit_1", "last"]
    assert Marks.from_plain(marks.to_plain()) == marks
    assert marks.has("last")
    assert not Marks(0).has("last")
    with pytest.raises(KeyError):
        marks.has("middle")


# Declarations that contradict themselves


def declare(base=Word, width=8, **fields):
    return type(base)("Bad", (base,), fields, width=width)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"a": bits(0, 4), "b": bits(3, 2)}, "^Bad.b at bits 4:3 overlaps a at 3:0$"),
        ({"a": bits(6, 3)}, "^Bad.a at bits 8:6 ends past the word's 8 bits$"),
        ({"real": bit(0)}, "^Bad.real has a name that every word uses$"),
        ({"replace": bit(0)}, "^Bad.replace has a name that every word uses$"),
    ],
)
def test_a_contradictory_word_fails_when_it_is_declared(fields, text):
    with pytest.raises(LayoutError, match=text):
        declare(**fields)


def test_contradictory_flags_fail_when_they_are_declared():
    with pytest.raises(LayoutError, match=r"^Bad.names has a name that every word uses$"):
        declare(Flags, names=bit(0))
    with pytest.raises(LayoutError, match=r"^Bad.a at 1:0 is no single bit$"):
        declare(Flags, a=bits(0, 2))


def test_fields_may_be_given_later():
    class Late(Flags):
        WIDTH = 8

    Late.adopt(8, {"ready": bit(3, "Ready")}, "test")

    assert Late(8).ready == 1
    assert Late(8).names() == ["ready"]
    assert (Late.KNOWN, Late.SPEC, Late.ready.name) == (8, "test", "ready")


# Arrays


def test_a_field_of_every_element():
    words = np.array([0x8000_0002_0000_0005, 0xFF], dtype="<u8").reshape(2, 1)

    assert Policy.abi.of(words).tolist() == [[5], [0xFF]]
    assert Policy.top.of(words).tolist() == [[1], [0]]
    assert Policy.colour.of(words).dtype == np.dtype("<u8")


def test_a_field_of_every_element_is_replaced():
    words = np.array([0xFFFF_FFFF_FFFF_FFFF, 0], dtype="<u8")

    assert Policy.colour.put(words, 2).tolist() == [0xFFFF_FF02_FFFF_FFFF, 0x2_0000_0000]
    assert Policy.abi.put(words, np.array([1, 2])).tolist() == [0xFFFF_FFFF_FFFF_FF01, 2]
    assert words.tolist() == [0xFFFF_FFFF_FFFF_FFFF, 0]
    assert Policy.abi.put(words[:0], words[:0]).size == 0
    assert Policy.abi.put(words, 1).dtype == words.dtype


@pytest.mark.parametrize("value", [-1, 256, [0, 256], 1 << 70])
def test_a_value_that_fits_not_every_element_is_refused(value):
    with pytest.raises(EncodeError, match=r"^array.abi: a value does not fit 8 bits$"):
        Policy.abi.put(np.zeros(2, dtype="<u8"), value)


@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=1), st.integers(0, 255))
def test_arrays_and_words_agree(numbers, value):
    words = np.array(numbers, dtype="<u8")

    for field in Policy.BITS.values():
        assert field.of(words).tolist() == [int(field.value(n)) for n in numbers]
        fitting = value & field.limit
        expected = [int(Policy(n).replace(**{field.name: fitting})) for n in numbers]
        assert field.put(words, fitting).tolist() == expected
