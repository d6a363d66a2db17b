"""The map of memory: the SVG read as XML, and painted again pixel by pixel."""

import re
from xml.etree import ElementTree

import make_rmp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transcripts import call

from snpwire.rmp.dump import histogram, pages_per_cell, partial_dump, whole_dump
from snpwire.rmp.page_ranges import PageRanges
from snpwire.rmp.table import Table
from snpwire.view.picture import memory_map as maps
from snpwire.view.picture.canvas import PATTERN, Box, Canvas, Paint, Words, text_width
from snpwire.view.picture.palette import GUESTS, STATES
from snpwire.view.picture.svg import svg
from snpwire.wire.rmp import RmpLo, RmpState

SVG = "{http://www.w3.org/2000/svg}"


def painted(data):
    """Return the colours that an SVG gives to its pixels, words left out, as rows."""
    root = ElementTree.fromstring(data)
    patterns = {f"url(#{p.get('id')})": p for p in root.iter(f"{SVG}pattern")}
    rows = [["#ffffff"] * int(root.get("width")) for _ in range(int(root.get("height")))]
    for shape in root:
        if not (fill := shape.get("fill")) or shape.get("width") == "100%":
            continue
        tile = inked(patterns[fill]) if fill in patterns else [[fill] * PATTERN] * PATTERN
        for x, y, width, height in places(shape):
            for b in range(y, y + height):
                line = tile[b % PATTERN] * (width // PATTERN + 2)
                rows[b][x : x + width] = line[x % PATTERN :][:width]
    return rows


def inked(pattern):
    """Return the colours of a pattern, as rows."""
    ground, ink = pattern
    tile = [[ground.get("fill")] * PATTERN for _ in range(PATTERN)]
    for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", ink.get("d")):
        tile[int(y)][int(x)] = ink.get("fill")
    return tile


def places(shape):
    """Return the rectangles that a shape fills: left, top, width and height."""
    if shape.tag == f"{SVG}rect":
        return [[int(shape.get(name)) for name in ("x", "y", "width", "height")]]
    if shape.tag == f"{SVG}path":
        found = re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-\3z", shape.get("d"))
        return [[int(number) for number in rectangle] for rectangle in found]
    return []


def pixel(paint, x, y):
    """Return the colour that a paint gives to one pixel."""
    return paint.ink if paint.pattern and paint.pattern[y % 4][x % 4] == "#" else paint.colour


def wide():
    """Return the table of a host of 256 MiB that begins like the made-up one, of 8 pages a cell."""
    table = Table.blank(1 << 16)
    table.entries[: make_rmp.PAGES] = make_rmp.table().entries
    return table


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return the SVG of a host."""
    folder = tmp_path_factory.mktemp("plot")
    (folder / "host.rmp").write_bytes(make_rmp.image(wide()))
    file = folder / "host.svg"
    words = ["rmp", "plot", str(folder / "host.rmp"), "--title", "a <host>"]

    output, _, code = call([*words, "-o", str(file)])

    assert (output, code) == (b"", 0)
    return file.read_bytes()


def test_each_cell_has_the_colours_of_its_states(drawn):
    table = wide()
    pixels = painted(drawn)
    shown = maps.page_extent(0, table.pages)
    states = np.array([table.state(table.resolve(page)) for page in range(table.pages)])

    for row in (*range(8), shown.rows - 1):  # all other rows are as the last
        for column in range(maps.COLUMNS):
            first = (row * maps.COLUMNS + column) * shown.per_cell
            here = {RmpState(n) for n in np.unique(states[first : first + shown.per_cell])}
            assert colours(pixels, shown, row, column) <= paints(here)
            assert paints_seen(pixels, shown, row, column) == here


def colours(pixels, shown, row, column):
    """Return the colours of a cell of the left map."""
    top, left = maps.TOP + row * shown.height, maps.LEFT + column * maps.WIDTH
    return {
        pixels[y][x]
        for y in range(top, top + shown.height - 1)
        for x in range(left, left + maps.WIDTH)
    }


def paints(states):
    return {c for s in states for c in (STATES[s].colour, STATES[s].ink) if c}


def paints_seen(pixels, shown, row, column):
    """Return the states whose paint, pattern and all, fills some column of a cell."""
    top, left = maps.TOP + row * shown.height, maps.LEFT + column * maps.WIDTH
    return {
        state
        for state, paint in STATES.items()
        for x in range(left, left + maps.WIDTH)
        if all(pixels[y][x] == pixel(paint, x, y) for y in range(top, top + shown.height - 1))
    }


def test_the_svg_is_xml_that_tells_what_lies_under_the_pointer(drawn):
    root = ElementTree.fromstring(drawn)
    notes = [element.text for element in root.iter(f"{SVG}title")]
    words = [element.text for element in root.iter(f"{SVG}text")]

    assert root.tag == f"{SVG}svg"
    assert notes[0] == "a <host>  256 MiB, 65,536 pages"
    assert "0xa0000 .. 0xfffff: HV_FIXED 96 pages" in notes
    mixed = "HYPERVISOR 2, FIRMWARE 1, CONTEXT 3, METADATA 1, RECLAIM 1 pages"
    assert f"0x200000 .. 0x207fff: {mixed}" in notes
    assert {"by state", "by owner", "0x800000", "8 MiB", "asid 1"} <= set(words)
    assert any(word.startswith("GUEST_VALID  ") and "1,331" in word for word in words)


def test_no_two_paints_differ_by_hue_alone():
    """Two paints have another lightness, or another pattern."""

    def looks(paint):
        red, green, blue = (int(paint.colour[n : n + 2], 16) for n in (1, 3, 5))
        return paint.pattern, round((299 * red + 587 * green + 114 * blue) / 1000 / 8)

    states = [looks(paint) for paint in STATES.values()]
    guests = [looks(paint) for paint in GUESTS]
    assert len(set(states)) == len(states)
    assert len(set(guests)) == len(guests)


def test_every_state_that_an_entry_can_have_has_a_paint():
    assert set(STATES) == set(RmpState) - {RmpState.DEFAULT}


@given(st.lists(st.integers(0, 1 << 30), min_size=1, max_size=16), st.integers(0, 1 << 20))
def test_every_share_has_a_column_and_all_columns_are_filled(counts, absent):
    whole_ = sum(counts) + absent
    if not whole_:
        return

    stripes = maps.stripes(counts, whole_, maps.WIDTH)

    assert sum(pixels for _, pixels in stripes) == maps.WIDTH
    assert all(pixels > 0 for _, pixels in stripes)
    parts = sum(1 for count in counts if count) + bool(absent)
    assert len(stripes) == min(parts, maps.WIDTH)


@pytest.mark.parametrize(
    ("first", "end", "per_cell", "rows"),
    [
        (0, 1, 1, 1),
        (0, 1 << 20, 128, 128),
        (0, 3 << 30, 1 << 19, 96),
        (0, (3 << 30) + 1, 1 << 19, 97),
        (0x12345, 0x12400, 1, 3),
        ((1 << 39) - 4096, 1 << 39, 1, 64),
    ],
)
def test_a_cell_is_as_small_as_the_rows_allow(first, end, per_cell, rows):
    shown = maps.page_extent(first, end)

    assert (shown.per_cell, shown.rows) == (per_cell, rows)
    assert shown.first <= first
    assert shown.first % (per_cell * maps.COLUMNS) == 0
    assert shown.first + rows * per_cell * maps.COLUMNS >= end


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=8),
    st.sampled_from([1, 2, 64, 512]),
)
def test_pages_of_runs_are_counted_cell_by_cell(pairs, per_cell):
    runs = PageRanges.of((min(pair), max(pair)) for pair in pairs)
    pages = set(runs.numbers().tolist())
    count = 512 // per_cell

    found = pages_per_cell(runs, 0, count, per_cell)

    expected = [0] * count
    for page in pages:
        expected[page // per_cell] += 1
    assert found.tolist() == expected


@pytest.mark.parametrize("per_cell", [1, 128, 1 << 13, 1 << 20])
def test_cells_add_up_to_the_census(per_cell):
    table = make_rmp.table()
    dump = whole_dump(table.extents[0])
    census = dump.census()

    found = histogram(dump, 0, -(-table.pages // per_cell), per_cell, [2, 7])

    assert found.sum((0, 1)).tolist() == census.counts.sum((0, 1)).tolist()
    assert found.sum((0, 2)).tolist() == [census.by_asid()[asid] for asid in (0, 1, 2, 7)]


def test_what_has_no_entry_is_in_no_state():
    words = np.zeros((100, 2), np.uint64)
    cut = partial_dump(words, 1000)

    found = histogram(cut, 960, 4, 64)

    assert found.sum((1, 2)).tolist() == [24, 64, 12, 0]


def test_many_guests_share_a_paint_and_are_counted():
    table = Table.blank(1 << 14, counters=False)
    for asid in range(1, 41):
        start = asid * 256
        table.entries["lo"][start : start + asid] = RmpLo.of(assigned=1, asid=asid)
    from snpwire.cli.rmp.input import Input
    from snpwire.cli.rmp.plot import canvas_of

    canvas = canvas_of(Input("many", whole_dump(table.extents[0]), False, ()), "many")

    lines = [words.text for words in canvas.words]
    assert any(
        line.startswith("28 more guests") and f" {sum(range(1, 29))} " in line for line in lines
    )
    assert sum(line.startswith("guest asid ") for line in lines) == len(GUESTS)


# -- the writer by itself

RED, DOTS = Paint("#ff0000"), Paint("#ffffff", "#0000ff", ("#...", "....", "....", "...."))


def test_boxes_words_and_outlines_are_drawn_where_they_belong():
    boxes = (Box(2, 1, 3, 2, RED), Box(8, 0, 8, 8, DOTS))
    canvas = Canvas(40, 12, "t", (boxes,), (Words(20, 1, "I", 1, "#00ff00", "#000000"),))

    pixels = painted(svg(canvas))
    (text,) = ElementTree.fromstring(svg(canvas)).iter(f"{SVG}text")

    red = {(x, y) for y in range(12) for x in range(40) if pixels[y][x] == "#ff0000"}
    blue = {(x, y) for y in range(12) for x in range(40) if pixels[y][x] == "#0000ff"}
    assert red == {(x, y) for x in (2, 3, 4) for y in (1, 2)}
    assert blue == {(8, 0), (12, 0), (8, 4), (12, 4)}
    assert [text.get(n) for n in ("x", "y", "font-size", "fill")] == ["20", "8", "10", "#00ff00"]
    assert text.get("stroke") == "#000000"
    assert text_width("abc", 2) == 36


def test_words_of_an_svg_are_escaped():
    canvas = Canvas(9, 9, "<&>", ((Box(0, 0, 1, 1, RED, 'a "<b>"'),),), (Words(0, 0, "<&>"),))

    root = ElementTree.fromstring(svg(canvas))

    assert [t.text for t in root.iter(f"{SVG}title")] == ["<&>", 'a "<b>"']
    assert [t.text for t in root.iter(f"{SVG}text")] == ["<&>"]
