import copy
import ctypes
import json
import pickle

import numpy as np
import pytest
from construct import (
    Adapter,
    Array,
    Bytes,
    BytesInteger,
    Computed,
    Int8ul,
    Int16ub,
    Int16ul,
    Int32sl,
    Int32ul,
    Int64ul,
    Padding,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import BLOCKS, RECORDS, image_of, images, json_values

from snpwire.bits import Flags, OpenEnum, Word, bit, bits
from snpwire.codec import INTEGERS, array, as_bytes, as_enum, as_word
from snpwire.errors import DecodeError, EncodeError, InputError, LayoutError, shown
from snpwire.layout import Layout, Record, any_bit, at, nested
from snpwire.wire.certs import CertEntry, CertTable
from snpwire.wire.guid import TextGuid
from snpwire.wire.psc import PscHeader
from snpwire.wire.svsm import AttestServices, AttestSingleService, VtpmRequest

KINDS = [*RECORDS, *BLOCKS]
quick = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Colour(OpenEnum):
    RED = 1, "warm"
    DEEP_BLUE = 2, "cold"


class Marks(Flags, width=16):
    first = bit(0)
    last = bit(15)


class Split(Word, width=64):
    low = bits(0, 32)
    colour = bits(32, 8, "", Colour)
    top = bit(63)


class Inner(Record, size=8, spec="test"):
    a: int = at(0, Int16ul, "A")
    b: int = at(4, Int32ul, "B")


class Outer(Record, size=0x80, spec="test"):
    number: int = at(0x00, Int8ul, "Number")
    colour: Colour = at(0x02, as_enum(Colour, Int16ul), "Colour")
    far: Colour = at(0x08, as_enum(Colour, Int64ul), "Colour of 64 bits")
    split: Split = at(0x10, as_word(Split), "Word")
    marks: Marks = at(0x18, as_word(Marks), "Flags")
    inner: Inner = at(0x20, nested(Inner), "Record")
    many: tuple[Inner, ...] = at(0x28, array(2, nested(Inner)), "Records")
    words: tuple[int, ...] = at(0x38, array(3, Int32ul), "Numbers")
    marked: tuple[Marks, ...] = at(0x44, array(2, as_word(Marks)), "Sets")
    wide: int = at(0x50, INTEGERS[16], "128 bits")
    odd: int = at(0x60, BytesInteger(3, swapped=True), "24 bits")
    raw: bytes = at(0x63, Bytes(5), "Bytes")
    guid: TextGuid = at(0x68, as_bytes(TextGuid, 16), "GUID")
    big: int = at(0x78, Int64ul, "64 bits")


def fields_of(kind):
    head = kind.HEAD if issubclass(kind, tuple) and hasattr(kind, "HEAD") else kind
    names = [tile.path for tile in head.TILES]
    return names if head is kind else [*names, kind.NAME, "rest", "certificates", "guid", "data"]


def outcome(kind, plain):
    """Return the value that *plain* gives, or the error it is refused with."""
    try:
        return kind.from_plain(plain)
    except EncodeError as exc:
        return exc


ALL = [*KINDS, Outer, Inner]
every_one = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
every_layout = pytest.mark.parametrize("record", [*RECORDS, Outer], ids=lambda r: r.__name__)


# Properties of every declaration


@every_one
@quick
@given(data=st.data())
def test_building_what_was_parsed_gives_the_same_bytes(kind, data):
    image = data.draw(image_of(kind))

    assert kind.parse(image).build() == image
    assert kind.parse(bytearray(image)) == kind.parse(memoryview(image)) == kind.parse(image)
    assert kind.fits(len(image))


@every_one
@quick
@given(data=st.data())
def test_json_gives_back_an_equal_value(kind, data):
    value = kind.parse(data.draw(image_of(kind)))

    again = kind.from_plain(json.loads(json.dumps(value.to_plain(), allow_nan=False)))

    assert again == value
    assert again.build() == value.build()


@every_one
@quick
@given(data=st.data())
def test_foreign_json_raises_encode_error_and_nothing_else(kind, data):
    plain = data.draw(json_values(fields_of(kind)))

    value = outcome(kind, plain)

    if isinstance(value, EncodeError):
        assert value.record == kind.__name__
        assert str(value).isprintable()
        assert len(str(value)) < 400
    else:
        assert kind.parse(value.build()) == value


@settings(quick, max_examples=300)
@given(data=st.data())
def test_foreign_json_for_a_field_raises_encode_error_and_nothing_else(data):
    kind = Outer
    name = data.draw(st.sampled_from(fields_of(kind)))
    inside = ["a", "b", "low", "colour", "top", "first", "last", "self", "cls", "RED", "low_"]
    plain = data.draw(json_values(inside))

    value = outcome(kind, {name: plain})

    if isinstance(value, EncodeError):
        assert value.path.startswith(name)
        assert value.offset is not None
    else:
        assert kind.parse(value.build()) == value


@every_layout
@quick
@given(data=st.data())
def test_derived_codec_and_construct_schema_agree(record, data):
    image = data.draw(images(record))
    value = record.parse(image)

    container = record.SCHEMA.parse(image)

    for tile, part in value.values():
        found = container[tile.path]
        assert (tuple(found) if isinstance(found, list) else found) == part
    assert record.SCHEMA.build({tile.path: part for tile, part in value.values()}) == image
    assert record.SCHEMA.sizeof() == record.SIZE


@every_layout
def test_tiles_cover_the_record_once(record):
    cursor = 0
    for tile in record.TILES:
        assert tile.offset == cursor
        assert tile.size > 0
        assert tile.doc
        cursor = tile.end

    assert cursor == record.SIZE
    assert [tile for tile in record.TILES if not tile.gap] == list(record.FIELDS)
    assert record.SPEC


@every_one
@quick
@given(data=st.data())
def test_leaves_lie_end_to_end_over_the_bytes(kind, data):
    image = data.draw(image_of(kind))
    cursor = 0
    paths = []

    for leaf in kind.parse(image).leaves():
        assert leaf.offset == cursor
        raw = leaf.codec.encode(leaf.value) if leaf.codec.encode else leaf.value
        piece = image[cursor : cursor + leaf.size]
        assert (raw if isinstance(raw, bytes) else raw.to_bytes(leaf.size, "little")) == piece
        cursor += leaf.size
        paths.append(leaf.path)

    assert cursor == len(image)
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize(
    "record", [r for r in [*RECORDS, Outer] if r.SIZE], ids=lambda r: r.__name__
)
@quick
@given(data=st.data())
def test_arrays_hold_the_same_fields_and_every_byte(record, data):
    rows = data.draw(st.lists(images(record), min_size=1, max_size=4))
    table = np.frombuffer(b"".join(rows), dtype=record.dtype())

    assert table.dtype.itemsize == record.SIZE
    assert table.copy().tobytes() == b"".join(rows)
    assert table[::-1].copy().tobytes() == b"".join(rows[::-1])
    assert table[[0] * 3].tobytes() == rows[0] * 3
    for row, image in zip(table, rows, strict=True):
        for tile in record.TILES:
            assert table.dtype.fields[tile.path][1] == tile.offset
            assert row[tile.path].tobytes() == image[tile.offset : tile.end]
        for tile, value in record.parse(image).values():
            if tile.codec.type is int and tile.size in (1, 2, 4, 8):
                assert int(row[tile.path]) == value


# An independent reading


class CHeader(ctypes.LittleEndianStructure):
    _fields_ = [("cur_entry", ctypes.c_uint16), ("end_entry", ctypes.c_uint16)]
    _fields_ += [("reserved", ctypes.c_uint32)]


class CEntry(ctypes.LittleEndianStructure):
    _fields_ = [("guid", ctypes.c_ubyte * 16), ("offset", ctypes.c_uint32)]
    _fields_ += [("length", ctypes.c_uint32)]


class CServices(ctypes.LittleEndianStructure):
    _fields_ = [
        (name, kind)
        for part in ("report", "nonce", "manifest", "certificate")
        for name, kind in ((f"{part}_gpa", ctypes.c_uint64), (f"{part}_size", ctypes.c_uint64))
    ]


class CVtpm(ctypes.LittleEndianStructure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("command", ctypes.c_uint32), ("locality", ctypes.c_uint8)]
    _fields_ += [("inbuf_size", ctypes.c_uint32), ("inbuf", ctypes.c_ubyte * 4087)]


READINGS = [(PscHeader, CHeader), (CertEntry, CEntry), (AttestServices, CServices)]
READINGS += [(VtpmRequest, CVtpm)]


@pytest.mark.parametrize(("record", "other"), READINGS, ids=lambda kind: kind.__name__)
@quick
@given(data=st.data())
def test_ctypes_reads_the_same_fields(record, other, data):
    image = data.draw(images(record))
    theirs = other.from_buffer_copy(image)

    assert ctypes.sizeof(other) == record.SIZE
    for tile, value in record.parse(image).values():
        if not tile.gap:
            found = getattr(theirs, tile.path)
            expected = found & ((1 << 8 * tile.size) - 1) if isinstance(found, int) else value
            assert value == expected
            assert bytes(found) == value if isinstance(value, bytes) else True
            assert getattr(other, tile.path).offset == tile.offset


# Values


def test_a_value_is_zero_where_nothing_is_given():
    value = Outer(number=5)

    assert value == Outer.parse(b"\x05" + bytes(0x7F))
    assert Outer() == Outer.zero()
    assert Outer.fits(0x80)
    assert not Outer.fits(0x7F)


def test_fields_have_their_own_types():
    value = Outer(
        colour=2, split=Split.of(low=7), many=[Inner(a=1), Inner(b=2)], words=(1, 2, 3), marks=1
    )

    assert value.colour is Colour.DEEP_BLUE
    assert value.split.low == 7
    assert value.many == (Inner(a=1), Inner(b=2))
    assert value.words == (1, 2, 3)
    assert type(value.marks) is Marks
    assert type(Inner(a=Colour.RED).a) is int
    assert type(Outer(raw=bytearray(5)).raw) is bytes


@every_one
def test_values_cannot_be_changed(kind):
    value = kind()

    for name in [*fields_of(kind), "another"]:
        with pytest.raises(AttributeError):
            setattr(value, name, 1)
    with pytest.raises(TypeError):
        value[0] = 1
    assert not hasattr(value, "__dict__")


def test_changing_what_was_given_changes_no_value():
    raw, words = bytearray(5), [1, 2, 3]
    value = Outer(raw=raw, words=words)
    image = bytearray(value.build())
    parsed = Outer.parse(image)

    raw[0], words[0], image[0] = 9, 9, 9

    assert value == parsed == Outer(words=(1, 2, 3))


@every_one
@quick
@given(data=st.data())
def test_values_are_hashed_pickled_and_copied(kind, data):
    value = kind.parse(data.draw(image_of(kind)))

    assert hash(value) == hash(kind.parse(value.build()))
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.copy(value) == copy.deepcopy(value) == value


def test_values_equal_those_of_their_own_type_alone():
    class Twin(Record, size=8, spec="test"):
        a: int = at(0, Int16ul, "A")
        b: int = at(4, Int32ul, "B")

    assert Inner(a=1) != Twin(a=1)
    assert Inner(a=1) != tuple(Inner(a=1))
    assert Inner(a=1) == Inner(a=1)
    assert Inner(a=1) != Inner(a=2)


def test_repr_shows_what_is_not_zero():
    assert repr(Inner(a=1)) == "Inner(a=1)"
    assert repr(Outer(inner=Inner(b=2))) == "Outer(inner=Inner(b=2))"
    assert repr(Inner.parse(b"\0\0\1\0\0\0\0\0")) == r"Inner(reserved_0x002=b'\x01\x00')"
    assert any_bit(((0, b"\0"), b"\1"))
    assert not any_bit(((0, b"\0"), b"\0"))


def test_gaps_are_kept_named_and_shown_in_json_when_set():
    value = Inner(a=1, reserved_0x002=b"\1\2")

    assert value.build() == b"\1\0\1\2" + bytes(4)
    assert value.reserved_0x002 == b"\1\2"
    assert value.to_plain() == {"a": 1, "reserved_0x002": "0102", "b": 0}
    assert Inner(a=1).to_plain() == {"a": 1, "b": 0}


def test_the_schema_of_the_base_class_is_nobody_elses():
    assert Record.SCHEMA.sizeof() == 0

    class Late(Record, size=1, spec="test"):
        a: int = at(0, Int8ul, "A")

    assert Late.SCHEMA.sizeof() == 1
    assert Late.SCHEMA is Late.SCHEMA


def test_a_record_may_be_empty():
    class Empty(Record, size=0, spec="test"):
        pass

    assert Empty.parse(b"") == Empty()
    assert Empty().build() == b""
    assert Empty.SCHEMA.sizeof() == 0


def test_plain_forms():
    plain = Outer(far=2, colour=9, split=1, marks=0x8002, big=3, raw=b"abcde").to_plain()

    assert plain["far"] == "DEEP_BLUE"
    assert Outer(far=5).to_plain()["far"] == "0x0000000000000005"
    assert plain["colour"] == 9
    assert plain["split"] == "0x0000000000000001"
    assert plain["marks"] == ["bit_1", "last"]
    assert plain["big"] == "0x0000000000000003"
    assert plain["raw"] == "6162636465"
    assert plain["many"] == [{"a": 0, "b": 0}, {"a": 0, "b": 0}]
    assert plain["wide"] == "0x" + "0" * 32
    assert plain["odd"] == 0


def test_sparse_json_is_filled_with_zeros():
    value = Outer.from_plain(
        {
            "colour": "deep-blue",
            "split": {"low": "0x10", "colour": "red", "top": True},
            "marks": "first, last",
            "many": [{"b": 1}],
            "words": [7],
            "marked": [["last"]],
            "raw": "0xff",
            "wide": "0x10",
            "odd": 0xABCDEF,
        }
    )

    assert value.colour is Colour.DEEP_BLUE
    assert value.split == 1 << 63 | 1 << 32 | 0x10
    assert value.marks == 0x8001
    assert value.many == (Inner(b=1), Inner())
    assert value.words == (7, 0, 0)
    assert value.marked == (Marks(0x8000), Marks(0))
    assert value.raw == b"\xff\0\0\0\0"
    assert value.wide == 16
    assert value.odd == 0xABCDEF


# Errors


def refusal(call, *args, **kwargs):
    with pytest.raises(EncodeError) as caught:
        call(*args, **kwargs)
    return caught.value


BAD = [
    ("number", 256, "Outer.number at 0x000: 0x100 does not fit 1 bytes (0 to 0xff)"),
    ("number", -1, "Outer.number at 0x000: -0x1 does not fit 1 bytes (0 to 0xff)"),
    ("number", True, "Outer.number at 0x000: expected a number, got True"),
    ("number", 1.0, "Outer.number at 0x000: expected a number, got 1.0"),
    ("number", None, "Outer.number at 0x000: expected a number, got None"),
    ("colour", 65536, "Outer.colour at 0x002: 0x10000 does not fit 2 bytes (0 to 0xffff)"),
    ("split", -1, "Outer.split at 0x010: -0x1 does not fit 8 bytes (0 to 0xffffffffffffffff)"),
    ("wide", 1 << 128, f"Outer.wide at 0x050: 0x1{'0' * 32} does not fit 16 bytes"),
    ("wide", True, "Outer.wide at 0x050: expected a number, got True"),
    ("odd", "5", "Outer.odd at 0x060: expected a number, got '5'"),
    ("raw", b"1234", "Outer.raw at 0x063: expected 5 bytes, got 4"),
    ("raw", "12345", "Outer.raw at 0x063: expected 5 bytes, got '12345'"),
    ("guid", b"1", "Outer.guid at 0x068: expected 16 bytes, got 1"),
    ("inner", {"a": 1}, "Outer.inner at 0x020: expected a Inner, got {'a': 1}"),
    ("many", (Inner(),), "Outer.many at 0x028: expected 2 elements, got (Inner(),)"),
    ("many", None, "Outer.many at 0x028: expected 2 elements, got None"),
    ("many", [Inner(), 1], "Outer.many[1] at 0x030: expected a Inner, got 1"),
    ("words", (1, 2, 3, 4), "Outer.words[3] at 0x044: there are only 3 elements"),
    ("words", (1, 2, 1 << 32), "Outer.words[2] at 0x040: 0x100000000 does not fit 4 bytes"),
]


@pytest.mark.parametrize(("name", "value", "text"), BAD)
def test_a_value_that_does_not_fit_is_refused_with_its_place(name, value, text):
    error = refusal(Outer, **{name: value})

    assert str(error).startswith(text)
    assert error.record == "Outer"
    assert error.path == text.split(" ")[0].removeprefix("Outer.").rstrip(":")
    assert error.offset == int(text.split(" at ")[1].split(":")[0], 16)
    assert str(refusal(Outer().replace, **{name: value})) == str(error)


BAD_JSON = [
    ({"number": "x"}, "Outer.number at 0x000: expected a number, got 'x'"),
    ({"number": [1]}, "Outer.number at 0x000: expected a number, got [1]"),
    ({"number": float("nan")}, "Outer.number at 0x000: expected a number, got nan"),
    ({"number": 10**5000}, "Outer.number at 0x000: 0x"),
    ({"colour": "rad"}, "Outer.colour at 0x002: 'rad' is no Colour; did you mean RED?"),
    ({"colour": True}, "Outer.colour at 0x002: expected a name or a number, got True"),
    ({"colour": "\ud800"}, r"Outer.colour at 0x002: '\ud800' is no Colour"),
    ({"split": {"lo": 1}}, "Outer.split.lo at 0x010: no such bits"),
    ({"split": {"low": None}}, "Outer.split.low at 0x010: expected a number, got None"),
    ({"split": {"low": 1 << 32}}, "Outer.split.low at 0x010: 0x100000000 does not fit 32 bits"),
    ({"split": ["low"]}, "Outer.split at 0x010: low has 32 bits and needs a value"),
    ({"split": 1.5}, "Outer.split at 0x010: expected a number, got 1.5"),
    ({"split": "0x1" + "0" * 16}, "Outer.split at 0x010: 0x10000000000000000 does not fit 64"),
    ({"marks": ["frist"]}, "Outer.marks at 0x018: 'frist' is no bit of Marks; did you mean first?"),
    ({"marks": [None]}, "Outer.marks at 0x018: None is no bit of Marks"),
    ({"marks": ["bit_16"]}, "Outer.marks at 0x018: 'bit_16' is no bit of Marks"),
    ({"marks": "0xz"}, "Outer.marks at 0x018: expected a number, got '0xz'"),
    ({"marks": "-1"}, "Outer.marks at 0x018: -0x1 does not fit 16 bits"),
    ({"inner": 5}, "Outer.inner at 0x020: expected an object, got 5"),
    ({"inner": {"b": "x"}}, "Outer.inner.b at 0x024: expected a number, got 'x'"),
    ({"inner": {"c": 1}}, "Outer.inner.c at 0x020: no such field"),
    ({"many": [{}, {"b": -1}]}, "Outer.many[1].b at 0x034: -0x1 does not fit 4 bytes"),
    ({"many": [{}, {}, {}]}, "Outer.many[2] at 0x038: there are only 2 elements"),
    ({"many": {}}, "Outer.many at 0x028: expected a list of at most 2 elements, got {}"),
    ({"marked": [[], ["x"]]}, "Outer.marked[1] at 0x046: 'x' is no bit of Marks"),
    ({"raw": "0"}, "Outer.raw at 0x063: expected hex digits, two for a byte, got '0'"),
    ({"raw": 7}, "Outer.raw at 0x063: expected a string of hex digits, got 7"),
    ({"raw": "00" * 6}, "Outer.raw at 0x063: expected at most 5 bytes, got 6"),
    ({"guid": "VCEK"}, "Outer.guid at 0x068: expected a GUID, got 'VCEK'"),
    ({"nubmer": 1}, "Outer.nubmer: no such field"),
    ({"\x1b[2J": 1}, r"Outer.\x1b[2J: no such field"),
    ([], "Outer: expected an object, got []"),
    (10**5000, "Outer: expected an object, got a value of type int"),
]


@pytest.mark.parametrize(
    ("plain", "text"), BAD_JSON, ids=lambda p: p[:40] if isinstance(p, str) else ""
)
def test_json_that_does_not_fit_is_refused_with_its_place(plain, text):
    error = refusal(Outer.from_plain, plain)

    assert str(error).startswith(text)
    assert ("at 0x" in text) == (error.offset is not None)


def test_json_nested_too_deep_to_print_is_refused():
    deep = []
    for _ in range(100_000):
        deep = [deep]

    assert str(refusal(Outer.from_plain, deep)).endswith("got a value of type list")
    assert refusal(Outer.from_plain, {"words": [deep]}).path == "words[0]"
    assert refusal(Outer.from_plain, {"marks": [deep]}).path == "marks"


def test_long_values_are_cut_in_messages():
    assert shown("x" * 100) == "'" + "x" * 79 + "..."
    assert shown("x") == "'x'"


def test_an_unknown_field_suggests_the_nearest():
    assert refusal(Outer.from_plain, {"nubmer": 1}).help == "did you mean number?"
    assert refusal(Outer.from_plain, {"inner": {"aa": 1}}).help == "did you mean a?"
    assert refusal(Outer.from_plain, {"split": {"lwo": 1}}).help == "did you mean low?"
    with pytest.raises(TypeError, match=r"^Outer has no field 'nubmer'. did you mean number\?$"):
        Outer(nubmer=1)
    for name in ("zzz", "self", "cls"):
        with pytest.raises(TypeError, match=f"^Inner has no field '{name}'.$"):
            Inner(**{name: 1})
    with pytest.raises(TypeError):
        Inner(1)


@pytest.mark.parametrize("size", [0, 7, 9])
def test_input_of_another_size_is_refused(size):
    with pytest.raises(DecodeError) as caught:
        Inner.parse(bytes(size))

    assert str(caught.value) == f"Inner: expected 8 bytes, got {size}"
    assert (caught.value.path, caught.value.offset) == ("", None)


def test_a_memoryview_counts_as_its_bytes():
    view = memoryview(bytes(range(8))).cast("H")

    assert Inner.parse(view).a == 0x100
    assert CertTable.parse(view).rest == view.tobytes()
    assert str(refusal(Outer, raw=memoryview(bytes(10)).cast("H"))).endswith("5 bytes, got 10")
    with pytest.raises(DecodeError, match="expected 128 bytes, got 8"):
        Outer.parse(view)


def test_errors_can_be_sent_to_another_process():
    error = refusal(Outer.from_plain, {"inner": {"aa": 1}})
    other = InputError("no hex", line=3, help="look")

    again = pickle.loads(pickle.dumps(error))

    assert (str(again), again.path, again.offset, again.help) == (
        str(error),
        "inner.aa",
        0x20,
        "did you mean a?",
    )
    sent = pickle.loads(pickle.dumps(other))
    assert (str(sent), sent.line, sent.help) == ("line 3: no hex", 3, "look")
    assert str(InputError("empty")) == "empty"


# Declarations that contradict themselves


def declare(size=8, **fields):
    return Layout("Bad", (Record,), fields, size=size, spec="test")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"a": at(0, Int32ul, ""), "b": at(2, Int8ul, "")},
            "Bad.b at 0x2 overlaps a, which ends at 0x4",
        ),
        ({"a": at(4, Int64ul, "")}, "Bad.a ends at 0xc, past Bad's size 0x8"),
        ({"build": at(0, Int8ul, "")}, "Bad.build has a name that every record already uses"),
        ({"__len__": at(0, Int8ul, "")}, "Bad.__len__ has a name that every record already uses"),
        ({"reserved_0x1": at(0, Int8ul, "")}, "Bad.reserved_0x1 has a name that every record"),
        ({"a": at(0, Int16ub, "")}, "Bad.a at 0x0: <FormatField>"),
        ({"a": at(0, Int32sl, "")}, "Bad.a at 0x0: <FormatField>"),
        ({"a": at(0, Padding(2), "")}, "Bad.a at 0x0: <Padded"),
        ({"a": at(0, Computed(2), "")}, "Bad.a at 0x0: <Computed"),
        ({"a": at(0, Bytes(lambda this: 2), "")}, "Bad.a at 0x0: <Bytes>"),
        ({"a": at(0, Array(lambda this: 2, Int8ul), "")}, "Bad.a at 0x0: <Array"),
        ({"a": at(0, Array(2, Int16ub), "")}, "Bad.a at 0x0: <FormatField>"),
        ({"a": at(0, BytesInteger(3), "")}, "Bad.a at 0x0: <BytesInteger>"),
        ({"a": at(0, BytesInteger(3, signed=True, swapped=True), "")}, "Bad.a at 0x0: <BytesI"),
        ({"a": at(0, Adapter(Int8ul), "")}, "Bad.a at 0x0: <Adapter"),
        ({"a": at(0, 5, "")}, "Bad.a at 0x0: 5 is no codec of a record"),
    ],
    ids=lambda part: part[:40] if isinstance(part, str) else "",
)
def test_a_contradictory_record_fails_when_it_is_declared(fields, text):
    with pytest.raises(LayoutError) as caught:
        declare(**fields)

    assert str(caught.value).startswith(text)


def test_a_field_may_have_the_name_of_a_method_of_tuple():
    record = declare(count=at(0, Int32ul, "Count"), index=at(4, Int32ul, "Index"))
    value = record(count=5)

    assert (value.count, value.index) == (5, 0)
    assert value.replace(index=7).build().hex() == "0500000007000000"
    assert record.from_plain({"count": 5}) == value


def test_a_name_cannot_be_declared_twice():
    with pytest.raises(LayoutError) as caught:

        class Bad(Record, size=8, spec="test"):
            a: int = at(0, Int8ul, "")
            a: int = at(4, Int8ul, "")  # noqa: PIE794

    assert str(caught.value) == "Bad.a at 0x4 repeats the name of a at 0x0"
    with pytest.raises(LayoutError, match=r"^Bad.a repeats the name of a at 0x0$"):

        class Bad(Record, size=8, spec="test"):
            a: int = at(0, Int8ul, "")

            def a(self):  # noqa: F811
                return 1


def test_a_record_cannot_be_extended():
    with pytest.raises(LayoutError, match=r"^More extends the record Inner; nest it instead$"):

        class More(Inner, size=8, spec="test"):
            pass


def test_size_and_spec_must_be_given():
    with pytest.raises(TypeError):

        class Unsized(Record):
            pass


def test_nesting_keeps_paths_and_offsets():
    value = AttestSingleService(services=AttestServices(nonce_size=64), manifest_version=1)

    places = {leaf.path: (leaf.offset, leaf.value) for leaf in value.leaves() if leaf.value}

    assert places["services.nonce_size"] == (0x18, 64)
    assert places["manifest_version"] == (0x50, 1)
    many = {leaf.path: leaf.offset for leaf in Outer().leaves()}
    assert (many["many[1].b"], many["many[1].reserved_0x002"]) == (0x34, 0x32)
    assert many["words"] == 0x38


@pytest.mark.parametrize(
    "record", [r for r in RECORDS if r.FIELDS], ids=lambda record: record.__name__
)
def test_the_struct_of_all_fields_reads_what_the_record_does(record):
    names = [tile.path for tile in record.FIELDS]
    data = bytes(range(256)) * (record.SIZE // 256 + 1)

    numbers = record.struct(*names).unpack_from(data, record.place(names[0]))

    kept = [
        raw
        for tile, raw in zip(record.TILES, record.parse(data[: record.SIZE]), strict=True)
        if not tile.gap
    ]
    assert list(numbers) == kept


def test_a_place_may_lie_within_a_nested_record():
    assert Outer.place("inner.b") == Outer.place("inner") + 4


@pytest.mark.parametrize("path", ["ghost", "inner.ghost", "number.a"])
def test_a_place_that_is_not_there_is_refused(path):
    with pytest.raises(LayoutError, match="has no field"):
        Outer.place(path)


def test_a_struct_takes_fields_in_their_order():
    assert Inner.struct("a", "b").format == "<H2xL"
    with pytest.raises(LayoutError, match=r"Inner\.a is not after"):
        Inner.struct("b", "a")
