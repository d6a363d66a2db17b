"""Kaitai Struct descriptions lay every byte and bit where snpwire does, in YAML that reads back."""

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from snpwire.bits import OpenEnum, Word
from snpwire.block import Block
from snpwire.layout import Record
from snpwire.view.ksy import COUNTERS, as_ksy, identifier, quoted
from snpwire.wire import RECORDS, kind

TOOL = Path(__file__).parents[1] / "tools" / "check_ksy.py"
KINDS = pytest.mark.parametrize("name", RECORDS)
BLOCKS = [name for name in RECORDS if issubclass(kind(name).type, Block)]
VALID = re.compile("[a-z][a-z0-9_]*")
BUILTIN = re.compile("[us][1248]|f[48]|b[0-9]+|str|strz")
KEY = re.compile(r"(- )?([A-Za-z0-9_-]+):(?: (.*))?")


def scalar(text):
    """Read what follows a key: a quoted text, a number, or a text as it is."""
    if text.startswith('"'):
        return json.loads(text)
    assert not re.search(r"^[-?,#&*!|>%@`{}\[\]']|\s#|: |:$", text), text
    return int(text, 0) if re.fullmatch("0x[0-9a-f]+|[0-9]+", text) else text


def read(lines):
    """Read the mappings and lists of mappings that a description is made of."""
    if not lines:
        return None
    depth = len(lines[0]) - len(lines[0].lstrip())
    starts = [n for n, line in enumerate(lines) if line[depth] != " "] + [len(lines)]
    listed = lines[0].lstrip().startswith("- ")
    out = [] if listed else {}
    for start, end in pairwise(starts):
        found = KEY.fullmatch(lines[start].strip())
        assert found, lines[start]
        assert bool(found[1]) == listed
        if listed:
            out.append(
                read([" " * (depth + 2) + lines[start][depth + 2 :], *lines[start + 1 : end]])
            )
            continue
        key = int(found[2], 0) if found[2].startswith("0x") else found[2]
        assert key not in out, key
        out[key] = read(lines[start + 1 : end]) if found[3] is None else scalar(found[3])
        assert (found[3] is None) == (end - start > 1), lines[start]
    return out


def described(name):
    """Read the description of a kind, its comments left out."""
    lines = (re.sub(r'\s*# [^"]*$', "", line) for line in as_ksy(kind(name)))
    return read([line for line in lines if line])


def types_of(kinds):
    """Return records, words and enumerations below *kinds* by their Kaitai name."""
    out = {}
    for found in kinds:
        if not issubclass(found, Record | Word | OpenEnum):
            continue
        out[identifier(found.__name__)] = found
        if issubclass(found, Record):
            out |= types_of((tile.codec.item or tile.codec).type for tile in found.TILES)
        elif issubclass(found, Word):
            out |= types_of(field.kind for field in found.BITS.values() if field.kind)
    return out


def parts(record):
    """Return the tiles of a kind, and the types that they need."""
    tiles = (*record.HEAD.TILES, record.ELEMENT) if issubclass(record, Block) else record.TILES
    return tiles, types_of((tile.codec.item or tile.codec).type for tile in tiles)


def length(row, types):
    """Return how many bytes a row of ``seq`` takes."""
    one = row.get("size")
    if one is None:
        made = types.get(row["type"])
        one = int(row["type"][1:]) if made is None else sum(length(r, types) for r in made["seq"])
    times = row.get("repeat-expr", 1)
    return one * (times if isinstance(times, int) else 1)


def assert_tiles(tiles, rows, types):
    """Hold the rows of ``seq`` against fields and gaps, and nothing between them."""
    cursor = 0
    for tile, row in zip(tiles, rows, strict=True):
        assert (row["id"], cursor, length(row, types)) == (
            identifier(tile.path),
            tile.offset,
            tile.size,
        )
        assert row["doc"] == tile.doc
        item = (tile.codec.item or tile.codec).type
        if issubclass(item, OpenEnum):
            assert row["enum"] == identifier(item.__name__)
        elif issubclass(item, Record | Word):
            assert row["type"] == identifier(item.__name__)
        else:
            assert "enum" not in row
            assert row.get("type", "u")[0] == "u"
        cursor += tile.size


def assert_bits(word, made):
    """Hold the bits of a type against those of a word."""
    cursor, named = 0, {}
    for row in made["seq"]:
        width = int(row["type"].removeprefix("b"))
        if row["id"] == f"reserved_{cursor}":
            assert width <= 32
        else:
            named[row["id"]] = (cursor, width, row["doc"], row.get("enum"))
        cursor += width

    assert cursor == word.WIDTH
    assert named == {
        identifier(name): (f.low, f.width, f.doc, identifier(f.kind.__name__) if f.kind else None)
        for name, f in word.BITS.items()
    }
    whole = made["instances"]["word"]
    assert whole["pos"] == 0
    assert whole.get("size", int(whole.get("type", "u0")[1:])) * 8 == word.WIDTH


@KINDS
def test_every_byte_and_bit_is_where_snpwire_has_it(name):
    record, shown = kind(name).type, described(name)
    tiles, known = parts(record)
    types, codes = shown.get("types", {}), shown.get("enums", {})

    rows = shown["seq"]
    if issubclass(record, Block):
        assert rows.pop() == {
            "id": "rest",
            "size-eos": "true",
            "doc": "Bytes behind the last element",
        }
    assert_tiles(tiles, rows, types)
    assert {**types, **codes}.keys() == known.keys()
    for made, found in known.items():
        if issubclass(found, Record):
            assert_tiles(found.TILES, types[made]["seq"], types)
        elif issubclass(found, Word):
            assert_bits(found, types[made])
        else:
            assert {number: row["id"] for number, row in codes[made].items()} == {
                int(m): identifier(n) for n, m in found.__members__.items() if m < 1 << 63
            }


@KINDS
def test_every_name_is_valid_and_used_once(name):
    shown = described(name)

    types = shown.get("types", {})
    codes = shown.get("enums", {})
    top = shown["meta"]["id"]
    assert not types.keys() & codes.keys()
    assert [
        n for n in (top, *types, *codes) if not VALID.fullmatch(n) or BUILTIN.fullmatch(n)
    ] == []
    assert top not in types
    for made in (shown, *types.values()):
        ids = [row["id"] for row in made["seq"]] + list(made.get("instances", {}))
        assert [i for i in ids if not VALID.fullmatch(i) or ids.count(i) > 1] == []
    for rows in codes.values():
        ids = [row["id"] for row in rows.values()]
        assert [i for i in ids if not VALID.fullmatch(i) or ids.count(i) > 1] == []


@KINDS
def test_what_it_is_and_where_that_is_specified_is_told(name):
    shown, record = described(name), kind(name).type

    assert shown["meta"] == {
        "id": "snpwire_" + name.replace("-", "_"),
        "title": kind(name).title,
        "endian": "le",
        "bit-endian": "le",
        "ks-version": "0.9",
    }
    assert shown["doc-ref"] == record.SPEC
    assert not record.SIZE or f" {record.SIZE} bytes" in shown["doc"]
    if issubclass(record, Block):
        assert shown["doc"].endswith(f"p to {record.MAX} times {record.ELEMENT.size} bytes.")


@pytest.mark.parametrize("name", BLOCKS)
def test_elements_are_counted_within_the_bytes_and_the_limit(name):
    block, shown = kind(name).type, described(name)

    element = identifier(block.NAME)
    told = shown["instances"]
    assert shown["seq"][-2]["repeat-expr"] == f"{element}_count"
    assert told[f"{element}_room"]["value"].endswith(f": {block.MAX}")
    assert told[f"{element}_whole"]["value"].endswith(f"/ {block.ELEMENT.size}")
    if block not in COUNTERS:
        assert told[f"{element}_announced"]["value"] == block.COUNT


def test_every_block_that_counts_in_a_way_of_its_own_says_how():
    blocks = {kind(name).type for name in BLOCKS}

    assert {b for b in blocks if "announced" in vars(b)} == COUNTERS.keys()


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("CpuidFunction", "cpuid_function"),
        ("KeyReqV2", "key_req_v2"),
        ("HTTPServer", "http_server"),
        ("SIZE_4K", "size_4k"),
        ("cmd-sev-dbg", "cmd_sev_dbg"),
        ("reserved_0x00b", "reserved_0x00b"),
        ("2nd", "x_2nd"),
        ("_in", "in"),
        ("", "x_"),
    ],
)
def test_names_become_lower_snake_case(name, made):
    assert identifier(name) == made


@pytest.mark.parametrize(
    "text", ["Authentication tag", "The guest's own", "0x80 in Linux (draft)", "a:b", "SNP/ES; x"]
)
def test_a_sentence_stays_as_it_is_where_yaml_lets_it(text):
    assert quoted(text) == (text if text[0].isalpha() else f'"{text}"')


@pytest.mark.parametrize(
    "text",
    [
        "Version: 1",
        "#HV page",
        "ends:",
        "a #b",
        "no",
        "Null",
        "",
        "4",
        "- a",
        'say "x"',
        "é",
        "a\nb",
    ],
)
def test_what_yaml_would_read_otherwise_is_quoted(text):
    assert quoted(text).startswith('"')
    assert json.loads(quoted(text)) == text


def test_codes_that_kaitai_cannot_hold_are_left_as_comments():
    text = "\n".join(as_ksy(kind("ghcb")))

    assert "    # 0xffffffffffffffff: invalid_vmcb, too large for Kaitai: guest state" in text


@pytest.mark.parametrize(("option", "code"), [((), 0), (("--require",), 1)])
def test_the_check_with_the_compiler_is_skipped_without_node(option, code):
    command = (sys.executable, TOOL, "--node", "no-such-node", *option)
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("check_ksy: skipped: no program no-such-node\n", "")
    assert done.returncode == code
