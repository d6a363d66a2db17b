"""No bytes make a view fail, none are left out, and what a view says of a value is so."""

import json as plain_json
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from strategies import image_of

from snpwire.block import Block
from snpwire.context import Direction
from snpwire.decode import Hints, document
from snpwire.errors import InputError, SnpwireError, UsageError
from snpwire.finding import Finding, Severity
from snpwire.view import json, topics
from snpwire.view.diff import change_lines, change_objects, changes, first_difference
from snpwire.view.explain import TOPICS, Question, explain
from snpwire.view.hex import annotated
from snpwire.view.offsets import FORMATS
from snpwire.view.style import COLOUR, PLAIN
from snpwire.view.table import table
from snpwire.view.text import bytes_text, int_text, items_text
from snpwire.view.tree import finding_text, tree
from snpwire.wire import RECORDS, kind
from snpwire.wire.events import EVENTS

KINDS = pytest.mark.parametrize("name", RECORDS)
ROW = re.compile(r"(0x[0-9a-f]{3,})  (?:\.\. ([0-9]+) zero bytes|((?:[0-9a-f]{2} ?)+))")
ESCAPE = re.compile("\x1b\\[[0-9]+m")


def images(name):
    """Draw bytes that fit a kind."""
    record = kind(name).type
    size = record.SIZE
    longest = size + 200 if issubclass(record, Block) else size
    return st.one_of(image_of(record), st.binary(min_size=size, max_size=longest))


def doc_of(name, data):
    chosen = kind(name)
    return document(chosen, data)


def unfolded(rows):
    """Return the bytes that rows of annotated hex stand for; each begins where the last ended."""
    data = b""
    for row in rows:
        found = ROW.match(row[: 2 + 3 + 2 + 48 + 4])
        assert found, row
        assert int(found[1], 16) == len(data)
        data += bytes(int(found[2])) if found[2] else bytes.fromhex(found[3])
    return data


def leaves(plain):
    """Yield the leaves of a full JSON."""
    if isinstance(plain, list):
        for item in plain:
            yield from leaves(item)
    elif plain.keys() == json.LEAF_KEYS:
        yield plain
    else:
        for item in plain.values():
            yield from leaves(item)


@KINDS
@settings(max_examples=20)
@given(data=st.data())
def test_every_byte_is_in_the_annotated_hex(name, data):
    image = data.draw(images(name))

    assert unfolded(annotated(doc_of(name, image))) == image


@KINDS
@settings(max_examples=20)
@given(data=st.data())
def test_full_json_covers_every_byte_that_is_set(name, data):
    image = data.draw(images(name))

    said = plain_json.loads(json.dumps(json.document(doc_of(name, image), full=True)))

    built = bytearray(len(image))
    for leaf in leaves(said["fields"]):
        assert leaf["size"] == len(leaf["hex"]) // 2
        assert not any(built[leaf["offset"] : leaf["offset"] + leaf["size"]])
        built[leaf["offset"] : leaf["offset"] + leaf["size"]] = bytes.fromhex(leaf["hex"])
    assert built == image


@KINDS
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_tree_shows_every_value_that_is_set(name, data):
    image = data.draw(images(name))
    doc = doc_of(name, image)

    some, whole = list(tree(doc)), list(tree(doc, everything=True))

    assert all(line.isprintable() for line in whole)
    assert set(some) <= {*some, *whole}
    text, full = "\n".join(some), "\n".join(whole)
    for leaf in doc.leaves():
        assert leaf.path in full
        if any(image[leaf.offset : leaf.offset + leaf.size]):
            assert re.search(rf"{leaf.offset:#05x} +{leaf.size}  {re.escape(leaf.path)} ", text)


@KINDS
@settings(max_examples=20)
@given(data=st.data())
def test_colour_changes_nothing_that_is_said(name, data):
    doc = doc_of(name, data.draw(images(name)))

    for view in (lambda style: tree(doc, style=style), lambda style: annotated(doc, style=style)):
        bare = [ESCAPE.sub("", line).rstrip() for line in view(COLOUR)]
        assert bare == list(view(PLAIN))


@KINDS
@settings(max_examples=15)
@given(data=st.data())
def test_two_values_differ_where_their_bytes_do(name, data):
    left = data.draw(images(name))
    right = data.draw(st.one_of(images(name), st.just(left)))
    ours, theirs = doc_of(name, left), doc_of(name, right)

    found = changes(ours, theirs)

    assert (found == []) == (left == right)
    assert changes(ours, ours) == []
    assert len(list(change_lines(found))) == 3 * len(found)
    assert plain_json.dumps(change_objects(found))
    assert [change.offset for change in found] == sorted(change.offset for change in found)


def test_a_change_says_which_bits_changed():
    left = kind("ghcb").type(rax=1, valid_bitmap=1 << 63 | 1 << 97)
    right = left.replace(rax=2, valid_bitmap=1 << 63 | 1 << 98)

    found = list(change_lines(changes(doc_of("ghcb", left.build()), doc_of("ghcb", right.build()))))

    assert found[0] == "0x1f8    8  rax"
    assert found[3] == "0x3f0   16  valid_bitmap  -rcx +rdx"


def test_a_change_of_a_word_names_its_fields():
    entries = kind("psc").type.from_plain
    left = entries({"entries": [{"gfn": 1}]}).build()
    right = entries({"entries": [{"gfn": 2, "cur_page": 1}]}).build()

    found = list(change_lines(changes(doc_of("psc", left), doc_of("psc", right))))

    assert found[0].endswith("entries[0]  in cur_page gfn")


def test_a_change_of_bytes_says_where_it_begins():
    left = kind("ghcb").type()
    right = left.replace(shared_buffer=bytes(100) + b"\1\2" + bytes(0x7F0 - 102))

    found = list(change_lines(changes(doc_of("ghcb", left.build()), doc_of("ghcb", right.build()))))

    assert found[0] == "0x800 2032  shared_buffer  2 bytes differ, the first at 0x864"
    assert found[2] == "    + 0x860: 00 00 00 00 01 02 00 00 00 00 00 00 00 00 00 00"


def test_a_change_of_length_shows_what_is_not_there():
    made = kind("psc").type.from_plain
    left = made({"entries": ["0x1000"]}).build()
    right = made({"entries": ["0x1000", "0x2000"]}).build()

    found = list(change_lines(changes(doc_of("psc", left), doc_of("psc", right))))

    assert "    - absent" in found
    assert first_difference(b"ab", b"abc") == 2


@pytest.mark.parametrize("name", [name for name in RECORDS if kind(name).type.SIZE])
@settings(max_examples=15)
@given(data=st.data())
def test_the_place_of_every_byte_is_explained(name, data):
    record = kind(name).type
    at = data.draw(st.integers(0, record.SIZE - 1))

    rows = list(explain(f"{name}@{at:#x}", Question("")))

    offset, size = int(rows[0].offset, 16), int(rows[0].size)
    assert offset <= at < offset + size
    assert (rows[0].text == "") == (at == offset)


@pytest.mark.parametrize("what", ["ghcb@0x1000", "ghcb@", "ghcb@x", "gchb@0", "@", "ghcb@-1"])
def test_a_place_that_is_not_there_is_refused(what):
    with pytest.raises(UsageError):
        list(explain(what, Question("")))


QUESTIONS = st.builds(
    Question,
    st.one_of(
        st.integers(-2, 1 << 130).map(str),
        st.integers(0, (1 << 64) - 1).map(hex),
        st.text(max_size=40),
        st.text("0123456789abcdefx,: ", max_size=40),
        st.sampled_from(["rax", "rax,rcx", "CPUID", "0x1:0x2", "BUSY", "bit_3", "abcd " * 8]),
        st.uuids().map(str),
        st.binary(min_size=16, max_size=16).map(bytes.hex),
    ),
    st.one_of(st.none(), st.sampled_from(["CPUID", "0x80000011", "MSR", "0x7f", "what", ""])),
    st.one_of(st.none(), st.integers(0, (1 << 64) - 1), st.integers(0, 8)),
    st.booleans(),
)


def test_each_family_of_topics_has_a_row_for_each_of_its_names():
    files = {path.stem for path in Path(topics.__file__).parent.glob("[a-z]*.py")}
    rows = {
        family: tuple(import_module(f"{topics.__name__}.{family}").TOPICS)
        for family in topics.FAMILIES
    }

    assert rows == topics.FAMILIES
    assert files == {*topics.FAMILIES, "topic"}
    assert len(TOPICS) == sum(map(len, rows.values()))


@pytest.mark.parametrize("topic", TOPICS)
@settings(max_examples=60)
@given(question=QUESTIONS)
@example(question=Question("0"))
@example(question=Question(hex((1 << 64) - 1)))
def test_any_question_is_answered_or_refused(topic, question):
    try:
        rows = list(explain(topic, question))
    except SnpwireError as exc:
        assert str(exc)
        return

    assert rows
    assert list(table(rows, PLAIN))


@pytest.mark.parametrize(
    ("topic", "question", "said"),
    [
        ("exit", Question("CPUID"), "0x72"),
        ("exit", Question("0x12345"), "no source names this code"),
        ("exit", Question("cpuuid"), UsageError),
        ("exit", Question("-1"), UsageError),
        ("exit", Question("1" + "0" * 40), UsageError),
        ("exitinfo1", Question("0x1", exit="MSR"), "write"),
        ("exitinfo1", Question("0x1"), "action asked of the guest"),
        ("exitinfo1", Question("0x1", exit="0x12345"), UsageError),
        ("exitinfo2", Question("0x200000000"), "BUSY"),
        ("exitinfo2", Question("0x3", info1=2), "reason"),
        ("exitinfo2", Question("0x0", exit="CPUID"), "not used"),
        ("exitinfo2", Question("0x0", exit="CPUID", response=True), "not used"),
        ("msr", Question("0x100"), "TERM"),
        ("msr", Question("junk"), UsageError),
        ("status", Question("0x0"), "SUCCESS"),
        ("exit", Question("SNP_GUEST_REQUEST"), "sw_exit_info_2 in the response"),
        ("status", Question("0x16"), "INVALID"),
        ("status", Question("-1"), "the firmware was not called"),
        ("status", Question("0xffffffff"), "the firmware was not called"),
        ("status", Question("0xabcd"), "unknown"),
        ("bitmap", Question("00000000,00000000,80000000,00000000"), "rax"),
        ("bitmap", Question("00 00 00 00 00 00 00 80 00 00 00 00 00 00 00 00"), "rax"),
        ("bitmap", Question("rax,rcx"), "rcx"),
        ("bitmap", Question("rax rcx"), "[97]"),
        ("bitmap", Question("bit_1"), "no name"),
        ("bitmap", Question(","), "0x0000"),
        ("bitmap", Question(hex(1 << 128)), UsageError),
        ("bitmap", Question("12345678,12345678,12345678,12345678,1"), UsageError),
        ("bitmap", Question("this has 32 letters, no digit, so"), UsageError),
        ("psc", Question("0x0100000000001000"), "gfn"),
        ("psc", Question("gfn"), UsageError),
        ("psc", Question("-5"), UsageError),
        ("features", Question("0x1"), "SNP"),
        ("term", Question("0x0:0x1"), "reason code"),
        ("term", Question("0x9:0x1"), "no source documents this set"),
        ("term", Question("5"), UsageError),
        ("guid", Question("63da758d-e664-4564-adc5-f4b93be8accd"), "VCEK"),
        ("guid", Question("no-guid"), UsageError),
        ("svsm", Question("0x100000000"), "call"),
        ("svsm", Question("0x7700000000"), "protocol"),
    ],
)
def test_what_is_explained(topic, question, said):
    if said is UsageError:
        with pytest.raises(UsageError):
            list(explain(topic, question))
        return

    assert said in "\n".join(table(list(explain(topic, question)), PLAIN))


@KINDS
@pytest.mark.parametrize("form", FORMATS)
def test_a_layout_names_every_field(name, form):
    record = kind(name).type
    shown = "\n".join(FORMATS[form](kind(name)))

    tiles = record.HEAD.TILES if issubclass(record, Block) else record.TILES
    assert [tile.path for tile in tiles if not tile.gap and tile.path not in shown] == []


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_c_layouts_hold_their_own_assertions(tmp_path):
    for name in RECORDS:
        (tmp_path / f"{name}.c").write_text("\n".join(FORMATS["c"](kind(name))) + "\n")

    done = subprocess.run(
        ["cc", "-std=c11", "-fsyntax-only", "-Wall", *map(str, sorted(tmp_path.glob("*.c")))],
        capture_output=True,
        check=False,
    )

    assert (done.stderr, done.returncode) == (b"", 0)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_c_layouts_of_all_kinds_can_be_used_together(tmp_path):
    source = tmp_path / "all.c"
    source.write_text("\n".join(line for name in RECORDS for line in FORMATS["c"](kind(name))))

    done = subprocess.run(
        ["cc", "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", str(source)],
        capture_output=True,
        check=False,
    )

    assert (done.stderr, done.returncode) == (b"", 0)


@KINDS
def test_c_and_json_layouts_tell_where_elements_lie(name):
    block = kind(name).type
    if not issubclass(block, Block):
        return

    code = "\n".join(FORMATS["c"](kind(name)))
    told = plain_json.loads("\n".join(FORMATS["json"](kind(name))))["repeats"]
    assert (f"{block.NAME}[];" in code) == (block.SIZE > 0)
    assert f"up to {block.MAX} elements of {block.ELEMENT.size} bytes" in code
    assert told == {
        "name": block.NAME,
        "offset": block.SIZE,
        "size": block.ELEMENT.size,
        "counted_by": block.COUNT or None,
        "max": block.MAX,
    }


def test_a_finding_is_one_line():
    found = Finding("a-code", Severity.ERROR, "rax", 0x1F8, "it is wrong", "56421", 3)

    shown = finding_text(found, PLAIN)
    assert re.fullmatch(r"error +0x1f8 +rax: it is wrong  \[a-code, .*reason 3; 56421\]", shown)


@pytest.mark.parametrize(("path", "text"), [("", "it is wrong"), ("rax", "rax is wrong")])
def test_a_finding_names_its_field_once(path, text):
    found = Finding("a-code", Severity.NOTE, path, 0, text, "56421")

    shown = finding_text(found, PLAIN)

    assert re.fullmatch(rf"note +0x000:? +{text}  \[a-code; 56421\]", shown)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\0", "00"),
        (bytes(20), "20 zero bytes"),
        (b"\1\2", "01 02"),
        (b"\1" + bytes(19), "01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 and 4 zero bytes"),
    ],
)
def test_bytes_are_shown_short(data, text):
    assert bytes_text(data) == text


def test_long_bytes_are_counted():
    assert bytes_text(b"\1" * 80 + bytes(4)).startswith("01 01 01 ")
    assert bytes_text(b"\1" * 80 + bytes(4)).endswith(" .. 64 more, then 4 zero bytes")


def test_a_digest_is_shown_whole():
    assert bytes_text(b"\xab" * 48) == "ab" * 48
    assert bytes_text(b"\xab" * 48 + bytes(24)) == "ab" * 48 + ", then 24 zero bytes"


def test_numbers_are_shown_by_their_width():
    assert [int_text(n, s) for n, s in ((5, 1), (10, 2), (5, 8))] == [
        "5",
        "0xa",
        "0x0000000000000005",
    ]
    assert (items_text((0, 0)), items_text((1, 0))) == ("2 times 0", "0x1 0x0")


@pytest.mark.parametrize("way", Direction)
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(
    marked=st.booleans(),
    operands=st.lists(
        st.one_of(st.integers(0, 8), st.integers(0, (1 << 64) - 1)), min_size=6, max_size=6
    ),
)
def test_every_exit_is_shown_both_ways(event, way, marked, operands):
    info1, info2, *registers = operands
    page = kind("ghcb").type(
        sw_exit_code=event.code,
        sw_exit_info_1=info1 & ~event.when[0] | event.when[1],
        sw_exit_info_2=info2,
        **dict(zip(("rax", "rbx", "rcx", "rdx"), registers, strict=True)),
        valid_bitmap=((1 << 128) - 1) * marked,
    )

    doc = document(kind("ghcb"), page, Hints(direction=way))

    assert all(line.isprintable() for line in tree(doc))
    said = json.document(doc, full=True)
    assert json.loads(json.dumps(said)) == said
    assert said["decisions"][0]["choice"] == way


class TestPlace:
    @pytest.mark.parametrize(
        ("path", "made"),
        [
            ("a", {"a": 7}),
            ("a.b", {"a": {"b": 7}}),
            ("a[0]", {"a": [7]}),
            ("a[2].b", {"a": [{}, {}, {"b": 7}]}),
            ("a[0][1]", {"a": [[{}, 7]]}),
        ],
    )
    def test_a_path_makes_what_is_on_its_way(self, path, made):
        root = {}

        json.place(root, path, 7)

        assert root == made

    def test_what_is_there_stays(self):
        root = {"a": [{"b": 1}], "c": 2}

        json.place(root, "a[0].d", 3)

        assert root == {"a": [{"b": 1, "d": 3}], "c": 2}

    @pytest.mark.parametrize("path", ["a[0]", "a[65535]"])
    def test_a_list_may_grow_by_so_much(self, path):
        root = {}

        json.place(root, path, 1)

        assert root["a"][-1] == 1

    @pytest.mark.parametrize("path", ["a[65536]", "a[999999999]", "a[9999999999]", "", ".", "a b["])
    def test_no_further(self, path):
        with pytest.raises(UsageError):
            json.place({}, path, 1)


class TestLoads:
    @pytest.mark.parametrize(
        "text", ["[" * 100_000, "[" * 900 + "]" * 900, "1" * 5000, "{,}", "NaN"]
    )
    def test_what_means_nothing_is_refused(self, text):
        with pytest.raises(InputError):
            json.fields_of(json.loads(text), "ghcb")

    def test_many_names_of_which_one_comes_twice(self):
        names = [f'"n{n}": 1' for n in range(50_000)]

        with pytest.raises(InputError, match="'n49999' appears twice"):
            json.loads("{" + ", ".join([*names, names[-1]]) + "}")

    def test_an_object_of_a_leafs_names_is_its_value(self):
        leaf = {"offset": 1, "size": 8, "hex": "", "value": 5, "text": ""}

        assert json.fields_of({"rax": leaf, "a": [leaf]}, "ghcb") == {"rax": 5, "a": [5]}
