"""Runs of pages against sets of them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.errors import UsageError
from snpwire.rmp.page_ranges import PageRanges

pairs = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair))),
    max_size=8,
)


def pages(given_pairs):
    """Return the pages of pairs, in order."""
    return sorted({page for start, stop in given_pairs for page in range(start, stop)})


def sound(runs):
    """Tell whether runs are in order and apart."""
    ends = [end for run in runs for end in run]
    return all(a < b for a, b in pairwise(ends))


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 1 << 38))
def test_a_mask_comes_back_from_its_runs(mask, first):
    runs = PageRanges.of_mask(np.array(mask, np.bool_), first)

    assert runs.mask(first, first + len(mask)).tolist() == mask
    assert runs.numbers().tolist() == [first + i for i, wanted in enumerate(mask) if wanted]
    assert runs.pages == sum(mask)
    assert sound(runs)


@given(pairs)
def test_pairs_are_merged_in_any_order(given_pairs):
    runs = PageRanges.of(given_pairs)

    assert runs.numbers().tolist() == pages(given_pairs)
    assert runs == PageRanges.of(reversed(given_pairs)) == PageRanges.of_pages(runs.numbers()[::-1])
    assert PageRanges.of(runs) == runs
    assert len(runs) == len([*runs])
    assert sound(runs)


@given(pairs, st.integers(0, 90), st.integers(0, 90))
def test_a_part_of_runs_has_their_pages_there(given_pairs, start, length):
    part = PageRanges.of(given_pairs).within(start, start + length)

    assert part.numbers().tolist() == [p for p in pages(given_pairs) if start <= p < start + length]
    assert sound(part)


@given(pairs, st.integers(1, 9))
def test_widened_runs_have_whole_multiples(given_pairs, multiple):
    wide = PageRanges.of(given_pairs).widened(multiple)

    rows = sorted({page // multiple for page in pages(given_pairs)})
    assert wide.numbers().tolist() == [row * multiple + i for row in rows for i in range(multiple)]
    assert sound(wide)


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 7))
def test_parts_are_joined_where_they_touch(mask, size):
    parts = [
        PageRanges.of_mask(np.array(mask[i : i + size], np.bool_), i)
        for i in range(0, len(mask), size)
    ]

    assert PageRanges.of_parts(parts) == PageRanges.of_mask(np.array(mask, np.bool_))


def test_no_runs_are_runs():
    for none in (
        PageRanges.of([]),
        PageRanges.of_parts([]),
        PageRanges.of_pages([]),
        PageRanges.of([(3, 3)]),
    ):
        assert list(none) == []
        assert none.pages == 0
        assert none.numbers().dtype == np.int64
        assert list(none.within(0, 9)) == []


@pytest.mark.parametrize("pair", [(5, 4), (-1, 4), (0, (1 << 39) + 1)])
def test_a_run_lies_where_pages_are(pair):
    with pytest.raises(UsageError) as caught:
        PageRanges.of([(1, 2), pair])

    assert str(caught.value) == f"{pair[0]:#x} to {pair[1]:#x} is no range of pages"


def test_runs_show_their_ends_and_equal_no_other_thing():
    assert (
        repr(PageRanges.of([(16, 32), (1 << 34, 1 << 35)]))
        == "PageRanges(0x10-0x20, 0x400000000-0x800000000)"
    )
    assert PageRanges.of([(1, 2)]) != [(1, 2)]
