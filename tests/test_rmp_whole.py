"""Whole tables: census, search and sub-page counts, against a loop that asks each entry."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rmp_tables import counted, speaker, tables

from snpwire.errors import EncodeError, UsageError
from snpwire.rmp import chunks as chunks_module
from snpwire.rmp.census import OWNERS, RmpOwner
from snpwire.rmp.page_ranges import PageRanges
from snpwire.rmp.table import Table
from snpwire.wire.rmp import RmpHi, RmpLo, RmpState, state_of
from snpwire.wire.rmp_words import VmplMask

MIB = 1 << 20


@pytest.fixture(scope="module", params=[None, 512], ids=["one chunk", "many chunks"])
def _tile(request):
    with pytest.MonkeyPatch.context() as patch:
        if request.param:
            patch.setattr(chunks_module, "CHUNK", request.param)
        yield


def known(census):
    """Return what a census counted, as ``rmp_tables.counted`` has it."""
    places = np.argwhere(census.counts).tolist()
    return {
        (asid, size, state): int(census.counts[asid, size, state]) for asid, size, state in places
    }


def everywhere():
    """Return a table of 2^20 random entries, made once."""
    table = Table.blank(MIB, counters=False)
    words = np.random.default_rng(7).integers(0, 1 << 64, (MIB, 2), np.uint64)
    table.extents[0].words[:] = words
    return table


# Census


@pytest.mark.usefixtures("_tile")
class TestInTiles:
    @given(tables())
    def test_a_census_counts_what_a_loop_counts(self, table):
        census = table.census()

        assert known(census) == counted(table)
        assert census.pages == table.pages

    @given(tables())
    def test_threads_count_and_tell_the_same(self, table):
        assert known(table.census(threads=3)) == known(table.census())
        assert table.states(threads=3).tolist() == table.states().tolist()

    @given(tables(), st.data())
    def test_a_search_finds_what_a_loop_finds(self, table, data):
        lows, highs = table.entries["lo"].tolist(), table.entries["hi"].tolist()
        one = data.draw(st.sampled_from(lows))
        values = {name: int(field.value(one)) for name, field in RmpLo.BITS.items()}
        names = data.draw(st.lists(st.sampled_from([n for n in values if n != "gpa"]), max_size=2))
        fields = {name: values[name] for name in names}
        states = data.draw(st.none() | st.sets(st.sampled_from([*RmpState])))
        rights = data.draw(st.none() | st.just({0: 1}) | st.just({1: 0xF, 0: 0x10}))
        start = data.draw(st.none() | st.integers(max(0, values["gpa"] - 600), values["gpa"]))
        gpa = None if start is None else range(start, min(start + 700, 1 << 39))

        def fits(page):
            head = speaker(lows, page)
            low = RmpLo(lows[head])
            return (
                all(getattr(low, name) == value for name, value in fields.items())
                and (states is None or state_of(low, 0) in states)
                and all(
                    RmpHi.BITS[f"vmpl{vmpl}"].value(highs[head]) & mask == mask
                    for vmpl, mask in (rights or {}).items()
                )
                and (gpa is None or (low.asid and (low.gpa + page - head) % (1 << 39) in gpa))
            )

        found = table.find(state=states, gpa=gpa, rights=rights, **fields)
        assert found.numbers().tolist() == [page for page in range(table.pages) if fits(page)]

    @given(tables())
    def test_sub_pages_are_counted_as_a_loop_counts_them(self, table):
        lows = [RmpLo(low) for low in table.entries["lo"].tolist()]
        heads = [page for page in range(0, len(lows), 512) if not lows[page].page_size]

        parts = [*table.subpages()]
        assert [page for part in parts for page in part.heads.tolist()] == heads
        for part in parts:
            for page, stored, found in zip(*(column.tolist() for column in part), strict=True):
                assert stored == lows[page].subpage_count
                assert found == sum(low.assigned for low in lows[page + 1 : page + 512])
            assert part.wrong.tolist() == (part.stored != part.counted).tolist()

    @given(tables(), st.data())
    def test_what_lies_outside_the_data_is_taken_as_zeroes(self, table, data):
        part = data.draw(st.lists(st.sampled_from(range(0, table.pages, 512)), max_size=3))
        keep = PageRanges.of_pages(part).widened(512).mask(0, table.pages)
        full = Table.blank(table.pages, counters=False)
        full.entries[keep] = table.entries[keep]
        runs = [(page + 3, page + 4) for page in part if page + 4 < table.pages]
        runs += [(page, page + 1) for page in part]

        assert known(table.census(data=runs)) == known(full.census())

    @given(tables())
    def test_progress_is_told_of_every_page(self, table):
        told = {"census": [], "states": [], "find": [], "subpages": []}

        table.census(progress=told["census"].append, threads=2)
        table.states(progress=told["states"].append)
        table.find(asid=1, progress=told["find"].append)
        [*table.subpages(progress=told["subpages"].append)]

        assert {name: sum(pages) for name, pages in told.items()} == dict.fromkeys(
            told, table.pages
        )


def test_a_census_tells_states_owners_asids_and_sizes():
    table = Table.blank(2048)
    lo = table.entries["lo"]
    lo[0] = RmpLo.of(immutable=1)
    lo[1:3] = RmpLo.of(assigned=1, immutable=1, lock=1)
    lo[3] = RmpLo.of(assigned=1)
    lo[4] = RmpLo.of(validated=1)
    lo[512] = RmpLo.of(assigned=1, page_size=1, asid=5, validated=1, gpa=512)
    lo[700] = RmpLo.of(assigned=1, asid=6, immutable=1)
    lo[1024] = RmpLo.of(assigned=1, asid=5)

    census = table.census()

    assert census.by_state() == {
        RmpState.INVALID: 1,
        RmpState.HYPERVISOR: 1530,
        RmpState.HV_FIXED: 1,
        RmpState.FIRMWARE: 2,
        RmpState.RECLAIM: 1,
        RmpState.PRE_GUEST: 1,
        RmpState.GUEST_INVALID: 1,
        RmpState.GUEST_VALID: 511,
    }
    assert census.by_owner() == {
        RmpOwner.NOBODY: 1,
        RmpOwner.HYPERVISOR: 1531,
        RmpOwner.GUEST: 513,
        RmpOwner.FIRMWARE: 3,
    }
    assert census.by_asid() == {0: 1535, 5: 512, 6: 1}
    assert census.by_size() == (1537, 511)
    assert census.guest(5) == {RmpState.GUEST_INVALID: 1, RmpState.GUEST_VALID: 511}
    assert census.pages == 2048


def test_every_state_has_an_owner():
    assert OWNERS.keys() == {*RmpState}


# Search


def test_pages_of_a_large_page_are_found_one_by_one():
    table = Table.blank(1024)
    table.set(512, int(RmpLo.of(assigned=1, page_size=1, asid=3, gpa=0x4000)), 0xF)
    table.set(520, int(RmpLo.of(assigned=1, asid=4)), 0)
    table.set(0, int(RmpLo.of(assigned=1, asid=6, gpa=9)), 0)

    assert list(table.find(asid=6)) == list(table.find(gpa=9)) == [(0, 1)]
    assert list(table.find(asid=3)) == [(512, 520), (521, 1024)]
    assert list(table.find(gpa=range(0x4100, 0x4110))) == [(768, 784)]
    assert list(table.find(gpa=0x41FF)) == [(1023, 1024)]
    assert list(table.find(gpa=0x4200)) == []
    assert list(table.find(rights={0: VmplMask(0xF)}, page_size=1)) == [(512, 520), (521, 1024)]
    assert list(table.find(rights={0: 0x10})) == []


def test_an_address_does_not_go_on_into_the_asid():
    table = Table.blank(512)
    table.set(0, int(RmpLo.of(assigned=1, page_size=1, asid=0x3FF, gpa=(1 << 39) - 2)), 0)

    assert list(table.find(gpa=range((1 << 39) - 2, 1 << 39))) == [(0, 2)]
    assert list(table.find(gpa=0)) == [(2, 3)]


def test_a_search_yields_what_it_has_found_so_far(monkeypatch):
    monkeypatch.setattr(chunks_module, "CHUNK", 512)
    table, told = Table.blank(2048), []
    table.entries["lo"][500:1100] = RmpLo.of(immutable=1)

    parts = table.find_each(state=RmpState.HV_FIXED, progress=told.append)

    assert [list(next(parts)) for _ in range(2)] == [[(500, 512)], [(512, 1024)]]
    assert told == [512]
    assert list(table.find(state=RmpState.HV_FIXED)) == [(500, 1100)]


@pytest.mark.parametrize(
    ("criteria", "text"),
    [
        ({"asdi": 1}, "an entry has no field 'asdi'"),
        ({"state": 13}, "13 is no state of a page"),
        ({"state": [2, 300]}, "300 is no state of a page"),
        ({"gpa": -1}, "-0x1 is no page number: those go from 0 to 0x7fffffffff"),
        ({"gpa": range(1 << 39, 1 << 40)}, "0x8000000000 is no page number"),
        ({"gpa": range(0, 8, 2)}, "guest pages have to be contiguous, got range(0, 8, 2)"),
        ({"rights": {4: 1}}, "4 is no VMPL: those go from 0 to 3"),
    ],
)
def test_what_cannot_be_asked_is_refused(criteria, text):
    with pytest.raises(UsageError) as caught:
        Table.blank(1).find(**criteria)

    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("criteria", [{"asid": 1024}, {"asid": -1}, {"rights": {0: 0x100}}])
def test_a_value_that_fits_no_field_is_refused(criteria):
    with pytest.raises(EncodeError, match="does not fit"):
        Table.blank(1).find(**criteria)


def test_nothing_asked_is_every_page():
    assert list(Table.blank(9).find(asid=None)) == [(0, 9)]
    assert list(Table.blank(9).find(gpa=range(5, 5))) == []


@pytest.mark.parametrize("data", [[(5, 3)], [(-1, 3)], [(0, 1 << 40)]])
def test_data_that_is_no_run_of_pages_is_refused(data):
    with pytest.raises(UsageError, match="is no range of pages"):
        Table.blank(9).census(data=data)


@given(tables())
def test_a_tile_is_resolved_as_each_of_its_pages_is(table):
    words = table.entries["lo"].copy()
    lows = words.tolist()

    chunks_module.resolve_chunk(words)

    assert words.tolist() == [lows[speaker(lows, page)] for page in range(len(lows))]


# Every content


@pytest.mark.parametrize("counters", [None, True, False])
def test_zeroes_are_the_hypervisor_s(counters):
    table = Table.over(bytes(0x8000), counters=counters)

    assert table.census().by_state() == {RmpState.HYPERVISOR: table.pages}
    assert set(table.states().tolist()) == {RmpState.HYPERVISOR}
    assert list(table.find(state=RmpState.HYPERVISOR)) == [(0, table.pages)]


@given(st.binary(min_size=16, max_size=0x4400), st.sampled_from([None, False]))
def test_no_bytes_are_an_error(image, counters):
    table = Table.over(image[: len(image) & ~15], counters=counters)

    assert known(table.census()) == counted(table)
    assert table.find(asid=3).pages == table.census().by_asid().get(3, 0)
    assert sum(len(part.heads) for part in table.subpages()) <= -(-table.pages // 512)


def test_random_entries_are_told_as_rules_tell_them():
    table = everywhere()
    some = np.random.default_rng(8).integers(0, table.pages, 400)

    lows = table.entries["lo"][some].tolist()
    assert table.states()[some].tolist() == [state_of(low, 0) for low in lows]
    assert table.states(some).tolist() == [state_of(low, 0) for low in lows]
    assert table.census().pages == table.pages
    assert known(table.census()) == known(table.census(threads=2))


def test_a_whole_table_is_read_in_less_than_4_mib():
    table = everywhere()
    out = np.empty(table.pages, np.uint8)

    def census():
        table.census()

    def census_of_four():
        table.census(threads=4)

    def states():
        table.states(out=out)

    def states_of_two():
        table.states(out=out, threads=2)

    def search():
        for _ in table.find_each(
            state={RmpState.INVALID, RmpState.CONTEXT}, gpa=range(9), rights={1: 1}, assigned=1
        ):
            pass

    def subpages():
        for _ in table.subpages():
            pass

    for way in (census, census_of_four, states, states_of_two, search, subpages):
        way()
        tracemalloc.start()
        way()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert most < 4 * MIB, way.__name__


def test_no_thread_reads_nothing():
    for ask in (Table.blank(1).census, Table.blank(1).states):
        with pytest.raises(UsageError) as caught:
            ask(threads=0)

        assert str(caught.value) == "there is at least one thread, not 0"


def test_an_error_in_one_thread_ends_the_others():
    def stop(pages):
        raise KeyboardInterrupt

    for threads in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            everywhere().census(threads=threads, progress=stop)
