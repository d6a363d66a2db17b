"""A map of memory: rows of cells, each divided among the states of its pages.

Addresses ascend from left to right, then from row to row. A cell stands for a power of two of
pages, so that rows begin at round addresses: the least power that gives no more than ``ROWS`` rows,
512 KiB for a host of 4 GiB, 2 GiB for one of 12 TiB. A state with a single page in a cell still
gets a column of pixels, since rare states are the interesting ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..text import part_text, size_text
from .canvas import CAPITAL, Box, Canvas, Paint, Words, text_width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COLUMNS, ROWS = 64, 128
WIDTH = 10
"""Width of a cell in pixels."""
TALL = 768
"""Height of all rows in pixels, unless they are few."""
LEFT, RIGHT, GAP, MARGIN = 176, 120, 40, 16
TOP, LINE = 116, 22
NO_ENTRY = Paint("#ffffff", "#c4c4c4", ("#...", "....", "..#.", "...."))
"""Pages without an entry: beyond the table, or not in the dump."""
FAINT = "#5a5a5a"


class Share(NamedTuple):
    """One kind of page: its paint, and the number of pages."""

    label: str
    pages: int
    paint: Paint
    mark: str = ""
    """Label on its longest run of cells."""


class Panel(NamedTuple):
    """One map of the memory: the kinds of pages, and the number of each in every cell."""

    title: str
    shares: tuple[Share, ...]
    cells: Sequence[Sequence[int]]
    """Pages of each share, in the order of ``shares``, for each cell."""


class PageExtent(NamedTuple):
    """The pages that a map shows."""

    first: int
    """Its first page; a multiple of ``per_cell``."""
    end: int
    """Page after its last one."""
    per_cell: int
    """Pages of a cell."""

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return max(1, -(-(self.end - self.first) // (self.per_cell * COLUMNS)))

    @property
    def height(self) -> int:
        """Return the height of a row in pixels, its gap included."""
        return max(TALL // ROWS, min(24, TALL // self.rows))


def page_extent(first: int, end: int) -> PageExtent:
    """Return the extent with the smallest cells in which pages *first* up to *end* fit the map."""
    per_cell = 1
    while True:
        start = first // (per_cell * COLUMNS) * (per_cell * COLUMNS)
        extent = PageExtent(start, end, per_cell)
        if extent.rows <= ROWS:
            return extent
        per_cell *= 2


def draw(title: str, remarks: Sequence[str], shown: PageExtent, panels: Sequence[Panel]) -> Canvas:
    """Return the map: panels side by side, addresses on the left, sizes on the right."""
    across = COLUMNS * WIDTH
    wide = len(panels) * (across + GAP) - GAP
    height = shown.rows * shown.height
    most = max(len(_legend_shares(panel, shown)) for panel in panels)
    size = LEFT + wide + RIGHT, TOP + height + (most + 1) * LINE + MARGIN
    words = [Words(MARGIN, MARGIN, title, 3), *_remarks(remarks), *_axes(shown, wide)]
    frames: list[Box] = []
    boxes: list[Box] = []
    for number, panel in enumerate(panels):
        left = LEFT + number * (across + GAP)
        frames.append(Box(left - 1, TOP - 1, across + 2, height + 1, Paint("#404040")))
        frames.append(Box(left, TOP, across, height - 1, Paint("#ffffff")))
        words.append(Words(left, TOP - 24, panel.title))
        boxes += _cells(panel, shown, left)
        words += _marks(panel, shown, left)
        swatches, lines = _legend(panel, shown, left, TOP + height + LINE)
        frames += swatches[0::2]
        boxes += swatches[1::2]
        words += lines
    behind = tuple(box for box in frames if box.paint.colour != "#ffffff")
    middle = tuple(box for box in frames if box.paint.colour == "#ffffff")
    return Canvas(*size, title, (behind, middle, tuple(boxes)), tuple(words))


def _remarks(remarks: Sequence[str]) -> Iterator[Words]:
    for number, remark in enumerate(remarks):
        yield Words(MARGIN, MARGIN + 32 + number * 20, remark, 2, FAINT)


def _axes(shown: PageExtent, wide: int) -> Iterator[Words]:
    """Yield an address for every few rows, so that the texts do not touch."""
    step = 1
    while step * shown.height < LINE:
        step *= 2
    for row in range(0, shown.rows, step):
        page = shown.first + row * COLUMNS * shown.per_cell
        text = f"{page << 12:#x}"
        y = TOP + row * shown.height
        yield Words(LEFT - 10 - text_width(text, 2), y, text)
        yield Words(LEFT + wide + 10, y, size_text(page << 12), 2, FAINT)


def _cells(panel: Panel, shown: PageExtent, left: int) -> Iterator[Box]:
    """Yield the boxes of all cells; neighbours that are all of one share are one box."""
    high = shown.height - 1
    for row in range(shown.rows):
        y = TOP + row * shown.height
        for start, end, counts in _uniform_runs(panel.cells[row * COLUMNS : (row + 1) * COLUMNS]):
            first = shown.first + (row * COLUMNS + start) * shown.per_cell
            pages = (end - start) * shown.per_cell
            note = _note(panel, first, pages, [count * (end - start) for count in counts])
            x = left + start * WIDTH
            for share, pixels in stripes(counts, shown.per_cell, (end - start) * WIDTH):
                paint = NO_ENTRY if share is None else panel.shares[share].paint
                yield Box(x, y, pixels, high, paint, note)
                x += pixels


def _uniform_runs(cells: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, Sequence[int]]]:
    """Yield start, end and counts of neighbouring cells that are equal and of one share only."""
    start = 0
    for at, counts in enumerate(cells):
        following = cells[at + 1] if at + 1 < len(cells) else None
        plain = sum(1 for count in counts if count) <= 1
        if not (plain and following is not None and list(following) == list(counts)):
            yield start, at + 1, counts
            start = at + 1


def stripes(counts: Sequence[int], whole: int, width: int) -> list[tuple[int | None, int]]:
    """Return how many of *width* columns each share gets, with None for pages without an entry.

    Every share with a page gets at least one, as long as there are columns.
    """
    parts: list[tuple[int | None, int]] = [(n, count) for n, count in enumerate(counts) if count]
    if whole > sum(counts):
        parts.append((None, whole - sum(counts)))
    if len(parts) > width:
        largest = sorted(parts, key=lambda part: part[1])[-width:]
        parts = [part for part in parts if part in largest]
    total = sum(count for _, count in parts)
    columns = [max(1, count * width // total) for _, count in parts]
    while sum(columns) > width:
        columns[columns.index(max(columns))] -= 1
    while sum(columns) < width:
        lacks = [count * width - total * n for (_, count), n in zip(parts, columns, strict=True)]
        columns[lacks.index(max(lacks))] += 1
    return [(share, n) for (share, _), n in zip(parts, columns, strict=True)]


def _note(panel: Panel, first: int, pages: int, counts: Sequence[int]) -> str:
    place = f"{first << 12:#x} .. {((first + pages) << 12) - 1:#x}"
    pairs = zip(panel.shares, counts, strict=True)
    parts = [f"{share.label} {count:,}" for share, count in pairs if count]
    absent = pages - sum(counts)
    parts += [f"no entry {absent:,}"] if absent else []
    return f"{place}: {', '.join(parts)} pages"


def _marks(panel: Panel, shown: PageExtent, left: int) -> Iterator[Words]:
    """Yield the mark of each share on the middle one of its longest runs, or next to it."""
    for share, runs in _longest_runs(panel, shown).items():
        start, end, row = runs[len(runs) // 2]
        text = panel.shares[share].mark
        wide, tall = (end - start) * WIDTH, len(runs) * shown.height
        scale = 2 if wide >= text_width(text, 2) and tall + shown.height >= CAPITAL * 2 else 1
        x = ((start + end) * WIDTH - text_width(text, scale)) // 2
        if wide < text_width(text, scale) or tall < CAPITAL:  # next to it, not over it
            x = end * WIDTH + 4
            if x + text_width(text, scale) > COLUMNS * WIDTH:
                x = max(0, start * WIDTH - 4 - text_width(text, scale))
        if text:
            y = TOP + row * shown.height + (shown.height - CAPITAL * scale) // 2
            yield Words(left + x, max(TOP, y), text, scale, "#000000", "#ffffff")


def _longest_runs(panel: Panel, shown: PageExtent) -> dict[int, list[tuple[int, int, int]]]:
    """Return start, end and row of the longest runs of each share, all equally long."""
    best: dict[int, list[tuple[int, int, int]]] = {}
    for row in range(shown.rows):
        for start, end, share in _majorities(panel, row):
            runs = best.setdefault(share, [])
            longest = runs[0][1] - runs[0][0] if runs else 0
            if end - start > longest:
                runs.clear()
            if end - start >= longest:
                runs.append((start, end, row))
    return best


def _majorities(panel: Panel, row: int) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and share of neighbouring cells in a row with the same largest share."""
    cells = panel.cells[row * COLUMNS : (row + 1) * COLUMNS]
    mains = [max(range(len(c)), key=c.__getitem__) if any(c) else -1 for c in cells]
    start = 0
    for at, main in enumerate(mains):
        if at + 1 == len(mains) or mains[at + 1] != main:
            if main >= 0:
                yield start, at + 1, main
            start = at + 1


def _legend_shares(panel: Panel, shown: PageExtent) -> list[Share]:
    """Return the shares that have pages, and that of pages without an entry if there are any."""
    shares = [share for share in panel.shares if share.pages]
    absent = len(panel.cells) * shown.per_cell - sum(share.pages for share in shares)
    return [*shares, Share("no entry here", 0, NO_ENTRY)] if absent else shares


def _legend(panel: Panel, shown: PageExtent, left: int, top: int) -> tuple[list[Box], list[Words]]:
    """Return a swatch in its frame, and a line of text, for each share."""
    boxes: list[Box] = []
    lines: list[Words] = []
    shares = _legend_shares(panel, shown)
    known = sum(share.pages for share in shares)
    for number, share in enumerate(shares):
        y = top + number * LINE
        boxes.append(Box(left, y - 2, 30, 18, Paint("#404040")))
        boxes.append(Box(left + 1, y - 1, 28, 16, share.paint))
        part = f"{part_text(share.pages / known):>6}" if share.pages else ""
        amount = f"{share.pages:>13,} {size_text(share.pages << 12):>9}" if share.pages else ""
        lines.append(Words(left + 40, y, f"{share.label:<17}{amount} {part}".rstrip()))
    return boxes, lines
