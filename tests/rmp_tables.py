"""Tables of pages for tests, and what they say when each entry is asked by itself."""

from collections import Counter

import numpy as np
from hypothesis import strategies as st

from snpwire.rmp.states import BORDERS
from snpwire.rmp.table import Table
from snpwire.wire.rmp import RmpLo, state_of

WORDS = st.integers(0, (1 << 64) - 1)


def telling(name):
    """Draw a value of a field, mostly one near which an answer changes."""
    field = RmpLo.BITS[name]
    near = [n for border in BORDERS for n in (border - 1, border, border + 1)]
    known = near if name == "gpa" else [1, field.limit]
    return st.sampled_from([0, *known]) | st.integers(0, field.limit)


entries = (
    st.fixed_dictionaries({name: telling(name) for name in RmpLo.BITS}).map(
        lambda fields: int(RmpLo.of(**fields))
    )
    | WORDS
)
"""First quadwords of every kind."""

guests = st.builds(
    lambda asid, gpa, valid: int(RmpLo.of(assigned=1, asid=asid, gpa=gpa, validated=valid)),
    *(st.integers(1, 3), st.integers(0, 1200), st.integers(0, 1)),
)
"""First quadwords of guest pages that may well meet."""


@st.composite
def tables(draw, most=1700):
    """Draw a table: patches over zeroes, some of them repeated, and pages of 2 MiB."""
    size = draw(st.sampled_from([513, 1024, 1537, most]) | st.integers(1, most))
    table = Table.blank(size, counters=False)
    lo, hi = table.entries["lo"], table.entries["hi"]
    for entry in draw(st.lists(st.sampled_from([0, 2]) | entries | guests, max_size=8)):
        start = draw(st.integers(0, size - 1) | st.sampled_from(range(0, size, 512)))
        length = draw(st.sampled_from([1, 2, 100, 600]))
        lo[start : start + length] = entry
        hi[start : start + length] = draw(st.sampled_from([0, 1, 0x1F, 0x0F0F]))
    for head in draw(st.sets(st.integers(0, (size - 1) // 512))):
        lo[512 * head] |= np.uint64(RmpLo.page_size.mask)
    return table


def speaker(lows, page):
    """Return the page whose entry speaks for *page*."""
    word, head = RmpLo(lows[page]), page & ~511
    silent = word.page_size == 0 and word.asid == 0
    return head if silent and RmpLo(lows[head]).page_size else page


def counted(table):
    """Count the pages of a table by ASID, size and state, each asked by itself."""
    lows = table.entries["lo"].tolist()
    told = {low: (RmpLo(low).asid, int(RmpLo(low).page_size), state_of(low, 0)) for low in {*lows}}
    return Counter(told[lows[speaker(lows, page)]] for page in range(len(lows)))
