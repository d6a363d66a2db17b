"""A table held against the rules: each planted fault is found, and nothing is where none is."""

import make_rmp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snpwire.finding import Severity
from snpwire.rmp.check import entry_rules
from snpwire.rmp.check.aliases import Alias, Aliases
from snpwire.rmp.check.check import RULES, check
from snpwire.rmp.chunks import covered_mask
from snpwire.rmp.dump import dump_of_entries, join_dumps, partial_dump, whole_dump
from snpwire.rmp.page_ranges import PageRanges
from snpwire.rmp.table import Table
from snpwire.rules import findings
from snpwire.wire.rmp import RmpEntry, RmpHi, RmpLo, RmpState, state_of

QUIET = {"rmp-reclaim-left"}
"""What the made-up host shows without a fault: one page is on its way back."""
SIDE = {
    "rmp-2m-children": {"rmp-aliased"},
    "rmp-changing-elsewhere": {"rmp-counter"},
    "rmp-vmsa-aligned": {"rmp-vmsa-writeable"},
    "rmp-all-zero": {"rmp-own-pages"},
}


def dump_of(table):
    made = whole_dump(table.extents[0], 0 if table.counters is None else table.counters.nbytes)
    return made._replace(counters=table.counters, base=table.base, size=table.size)


def verdict_of(table, **options):
    dump = dump_of(table)
    return check(dump, dump.census(), **options)


def words_of(entries):
    return np.array(entries, np.uint64).reshape(-1, 2)


def test_a_host_without_faults_has_no_findings_but_what_is_on_its_way():
    verdict = verdict_of(make_rmp.table())

    assert verdict.log.counts == {"rmp-reclaim-left": 1}
    assert verdict.units == "as 512"
    assert verdict.own == (0xA00, 0xA10)
    assert verdict.save_areas.nonzero()[0].tolist() == [1, 2]
    assert verdict.save_areas[2] == 2


@pytest.mark.parametrize("code", [code for code in make_rmp.FAULTS if code != "rmp-unlike-a-table"])
def test_each_fault_is_found_and_nothing_else(code):
    table = make_rmp.table()
    make_rmp.FAULTS[code](table)

    verdict = verdict_of(table)

    expected = {code} | SIDE.get(code, set()) | (QUIET if code != "rmp-all-zero" else set())
    assert set(verdict.log.counts) == expected


def test_every_rule_has_a_fault_that_breaks_it():
    codes = [rule.code for rule in RULES]

    assert len(set(codes)) == len(codes)
    assert set(codes) - QUIET == set(make_rmp.FAULTS)


def test_every_finding_is_of_a_rule_that_is_listed():
    known = {(rule.code, rule.source) for rule in RULES}
    for fault in make_rmp.FAULTS.values():
        table = make_rmp.table()
        fault(table)

        assert {(f.code, f.source) for f in verdict_of(table).log.findings()} <= known


PLACES = {
    "rmp-subpage-count": ("page 0x800", "subpage_count is 300, but 447 of the other 511 pages"),
    "rmp-2m-misplaced": (
        "page 0x900",
        "page_size is 1, but the page is 256 past a 2 MiB boundary",
    ),
    "rmp-alignment": (
        "page 0x600",
        "page_size is 2 MiB, but the guest address 0x1234000 is no multiple of that",
    ),
    "rmp-2m-children": ("page 0x600", "page 0x607 in it has an entry of its own, GUEST_INVALID of"),
    "rmp-invalid": ("page 0x321", "assigned is 0, yet validated is 1"),
    "rmp-aliased": ("page 0x300", "asid 1 gpa 0x205000 is page 0x605 as well"),
    "rmp-counter": ("counter of asid 2", "is 387, but the asid has 386 pages"),
    "rmp-counter-beyond": (
        "counter of asid 1500",
        "is 4, but an entry has no room for such an ASID",
    ),
    "rmp-counter-units": ("counter of asid 9", "counts a 2 MiB page once, that of asid 1 as 512"),
    "rmp-guest-without-context": ("page 0x220", "3 ASIDs own pages, but guest contexts are in 2"),
    "rmp-context-without-guest": (
        "page 0x200",
        "guest contexts are in 3 pages, but 2 ASIDs own pages: not launched yet, or never",
    ),
    "rmp-immutable-left": ("page 0x9f0", "16 immutable pages of asid 7, which has no others"),
    "rmp-metadata-without-context": ("page 0x204", "context in page 0x203, which is FIRMWARE"),
    "rmp-own-pages": ("page 0xa05", "1 page of the table itself, yet RECLAIM"),
    "rmp-rights": ("page 0x808", "the mask of VMPL 1 has write without read: each access faults"),
    "unknown-bits": (
        "page 0x809",
        "bit 40 of 0x1000000001f should be zero: nothing gives a meaning",
    ),
    "rmp-vmsa-rights": (
        "page 0x222",
        "to which VMPL0 lacks permissions: permissions VMPL0 0x01",
    ),
}


@pytest.mark.parametrize("code", PLACES)
def test_a_finding_names_its_place_and_both_values(code):
    table = make_rmp.table()
    make_rmp.FAULTS[code](table)
    path, text = PLACES[code]

    found = [f for f in verdict_of(table).log.findings() if f.code == code]

    assert [f.path for f in found] == [path]
    assert text in found[0].text
    if path.startswith("page"):
        assert found[0].offset == 0x4000 + 16 * int(path.split()[1], 16)
    else:
        assert found[0].offset == 8 * int(path.split()[-1])


def test_random_bytes_are_findings_and_said_to_be_unlike_a_table():
    table = make_rmp.table()
    make_rmp.FAULTS["rmp-unlike-a-table"](table)

    verdict = verdict_of(table, limit=3)

    counts = verdict.log.counts
    assert counts["rmp-unlike-a-table"] == 1
    assert counts["rmp-invalid"] > 1000
    kept = [f.code for f in verdict.log.findings()]
    assert max(kept.count(code) for code in kept) <= 3
    assert sum(verdict.log.severities.values()) == sum(counts.values())


def test_zeroes_of_a_part_are_no_more_than_a_note():
    zeroes = partial_dump(words_of([(0, 0)] * 512), 0x200)

    verdict = check(zeroes, zeroes.census())

    assert [(f.code, f.severity) for f in verdict.log.findings()] == [
        ("rmp-all-zero", Severity.NOTE)
    ]


def test_a_counter_may_count_2_mib_once_if_all_do():
    table = make_rmp.table()
    table.counters[1] = 2 + 1

    verdict = verdict_of(table)

    assert set(verdict.log.counts) == QUIET
    assert verdict.units == "once"


def test_guests_that_are_still_there_are_not_called_left():
    table = make_rmp.table()
    for page in make_rmp.CONTEXTS:
        table.set(page, 0, 0)
    table.set(make_rmp.METADATA, 0, 0)
    make_rmp.settle(table)

    found = {f.code: f.text for f in verdict_of(table).log.findings()}

    assert found["rmp-immutable-left"] == (
        "16 immutable pages of asid 7, but no page holds a guest context"
    )
    assert found["rmp-guest-without-context"] == (
        "3 ASIDs own pages, but guest contexts are in 0 pages"
    )


def test_what_a_part_does_not_show_is_not_missed():
    """Contexts may lie elsewhere, and a region cut off may have more pages assigned."""
    table = make_rmp.table()
    cut = partial_dump(table.extents[0].words[0x801:0x9F5], 0x801)

    verdict = check(cut, cut.census())

    assert verdict.log.counts == {}


def test_the_entries_of_a_2_mib_page_that_unsmash_leaves_are_in_order():
    """PAGE_UNSMASH sets asid, immutable and lock to 0, and leaves the rest as it was."""
    large = RmpLo.of(assigned=1, page_size=1, validated=1, asid=4, gpa=0x200)
    left = [RmpLo.of(assigned=1, validated=1, gpa=0x200 + n) for n in range(1, 512)]
    region = partial_dump(words_of([(large, 0x1F), *((lo, 0x1F) for lo in left)]), 0)

    verdict = check(region, region.census())

    assert verdict.log.counts == {}


# -- against rules written out one page at a time


def expected(entries):
    """Return (code, page) for all that is wrong with entries from page 0 on, region by region."""
    found = set()
    for page, (lo, hi) in enumerate(entries):
        word, head = RmpLo(lo), entries[page & -512][0]
        inside = page % 512
        if word.page_size and inside:
            found.add(("rmp-2m-misplaced", page))
        covered = inside and RmpLo(head).page_size and not word.page_size and not word.asid
        if covered:
            continue
        if word.asid == 0x3FF:
            at_head = not inside and not word.page_size
            found.add(("rmp-changing" if at_head else "rmp-changing-elsewhere", page))
            continue
        found |= {(code, page) for code in broken(word, RmpHi(hi), inside)}
    for head in range(0, len(entries), 512):
        found |= {(code, head) for code in region(entries[head : head + 512])}
    return found


def broken(word, hi, inside):
    """Yield what is wrong with an entry that speaks for itself."""
    state = state_of(word, hi)
    if state is RmpState.INVALID:
        yield "rmp-invalid"
    if inside and word.subpage_count:
        yield "rmp-stray-count"
    masks = [hi.vmpl0, hi.vmpl1, hi.vmpl2, hi.vmpl3]
    if hi >> 33 & 0xFFFF:
        yield "unknown-bits"
    if any(mask & 0xE0 or (mask & 2 and not mask & 1) for mask in masks):
        yield "rmp-rights"
    if word.asid > 1006:
        yield "rmp-asid"
    if word.asid and word.page_size and word.gpa % 512:
        yield "rmp-alignment"
    if word.page_size and word.subpage_count:
        yield "rmp-subpages"
    if word.assigned and word.lock != word.immutable and state is not RmpState.INVALID:
        yield "rmp-lock"
    if word.assigned and word.asid and word.vmsa:
        yield from broken_save_area(word, masks, state, inside)


def broken_save_area(word, masks, state, inside):
    if state is RmpState.GUEST_INVALID:
        yield "rmp-vmsa-not-accepted"
    if word.page_size:
        yield "rmp-vmsa-large"
    elif not inside:
        yield "rmp-vmsa-aligned"
    if any(mask & 2 for mask in masks[1:]):
        yield "rmp-vmsa-writeable"
    if masks[0] not in (0xF, 0x1F):
        yield "rmp-vmsa-rights"


def region(entries):
    """Yield what is wrong with 2 MiB."""
    head, *others = (RmpLo(lo) for lo, _ in entries)
    assigned = sum(other.assigned for other in others)
    if not head.page_size and len(entries) == 512 and head.subpage_count != assigned:
        yield "rmp-subpage-count"
    own = [o for o in others if o.assigned]
    if head.assigned:
        own = [o for o in own if o.page_size or o.asid or o.immutable or o.lock]
    if head.page_size and own:
        yield "rmp-2m-children"


LOWS = st.builds(
    lambda **fields: int(RmpLo.of(**fields)),
    assigned=st.integers(0, 1),
    page_size=st.sampled_from([0, 0, 0, 1]),
    immutable=st.integers(0, 1),
    subpage_count=st.sampled_from([0, 0, 0, 1, 511]),
    gpa=st.sampled_from([0, 1, 7, 0x200, 0x201, 1 << 36 | 5, 2 << 36 | 1, (1 << 39) - 1]),
    asid=st.sampled_from([0, 0, 1, 2, 1007, 0x3FF]),
    vmsa=st.integers(0, 1),
    validated=st.integers(0, 1),
    lock=st.integers(0, 1),
)
HIGHS = st.sampled_from([0, 0x1F, 0x0F, 0x020F, 0x031F, 0x401F, 1 << 40 | 0x1F, 1 << 62])
PAIRS = st.tuples(LOWS | st.integers(0, (1 << 64) - 1), HIGHS)
SPOTS = st.sampled_from([0, 512, 1024]) | st.integers(0, 1535)
TABLES = st.tuples(
    st.sampled_from([512, 700, 1024, 1536]),
    st.just((0, 0)) | PAIRS,
    st.dictionaries(SPOTS, PAIRS, max_size=24),
)
"""How many entries, what they are, and what some of them are instead."""


def entries_of(count, filling, others):
    return [others.get(page, filling) for page in range(count)]


def entry_findings(verdict, codes):
    return {(f.code, int(f.path.split()[1], 16)) for f in verdict.log.findings() if f.code in codes}


@settings(max_examples=50)
@given(TABLES)
def test_the_rules_of_entries_and_regions_are_those_written_out(table):
    entries = entries_of(*table)
    dump = whole_dump(partial_dump(words_of(entries), 0).extents[0])
    codes = {r.rule.code for group in entry_rules.RULES.values() for r in group}
    codes |= {
        "rmp-2m-misplaced",
        "rmp-changing",
        "rmp-changing-elsewhere",
        "rmp-subpage-count",
        "rmp-2m-children",
    }

    verdict = check(dump, dump.census(), limit=10_000)

    assert entry_findings(verdict, codes) == expected(entries)


@given(PAIRS)
def test_an_entry_alone_is_judged_as_decode_judges_it(pair):
    """The rules of one entry are in ``rules.rmp`` as well, which arrays cannot use."""
    if RmpLo(pair[0]).asid == 0x3FF:
        return  # nothing else is said of it here
    dump = partial_dump(words_of([pair]), 0)

    verdict = check(dump, dump.census())

    shared = {"rmp-invalid", "rmp-asid", "rmp-alignment", "rmp-subpages", "rmp-lock", "rmp-rights"}
    shared |= {"unknown-bits"}
    here = {said_at_once(f) for f in verdict.log.findings() if f.code in shared}
    said = findings(RmpEntry(lo=pair[0], hi=pair[1]))
    masks = [f for f in said if f.code == "rmp-rights"]
    alone = {said_at_once(f) for f in said if f not in masks}
    if masks:
        alone.add(said_at_once(masks[0]._replace(text="; ".join(f.text for f in masks))))
    assert here == alone


def said_at_once(finding):
    """Return all of a finding but its place, which in a table is another."""
    return finding.code, finding.severity, finding.text, finding.source


def guest_pages(entries):
    """Return the pages of the host for each page of a guest."""
    owners_ = {}
    for page, (lo, _) in enumerate(entries):
        word, head = RmpLo(lo), RmpLo(entries[page & -512][0])
        silent = page % 512 and head.page_size and not word.page_size and not word.asid
        if word.assigned and word.asid not in (0, 0x3FF) and not silent:
            length = 512 if word.page_size and page % 512 == 0 else 1
            for n in range(min(length, (1 << 39) - word.gpa)):
                owners_.setdefault((word.asid, word.gpa + n), []).append(page + n)
    return owners_


@given(TABLES, st.sampled_from([1, 2, 5, 1 << 20]))
def test_guest_pages_that_are_there_twice_are_found_in_any_room(table, room):
    entries = entries_of(*table)
    words = words_of(entries)
    twice = {key: pages for key, pages in guest_pages(entries).items() if len(pages) > 1}

    found, dropped = aliases_of(words, room)

    pages = 0
    for alias in found:
        for n in range(alias.pages):
            held = twice[alias.asid, alias.gpa + n]
            assert {alias.first + n, alias.second + n} <= set(held)
        pages += alias.pages
    if not dropped:
        assert pages == sum(len(held) - 1 for held in twice.values())
    assert bool(found or dropped) == bool(twice)


def aliases_of(words, room):
    """Go through a table as often as it takes, as ``check`` does."""
    dump = whole_dump(partial_dump(words, 0).extents[0])
    aliases, found = Aliases(room), []
    lo = words[:, 0].copy()
    asid = RmpLo.asid.of(lo)
    guest = (RmpLo.assigned.of(lo) == 1) & (asid != 0) & (asid != 0x3FF)
    guest &= ~covered_mask(lo)
    while not aliases.done:
        for first in range(0, len(words), 512):
            aliases.feed(first, lo[first : first + 512], guest[first : first + 512])
        found += [Alias.of(column) for column in aliases.take().T]
    assert dump.pages == len(words)
    return found, aliases.dropped


def test_runs_of_guest_pages_keep_to_their_guest():
    """A 2 MiB page at the end of an ASID's addresses is not the beginning of the next one's."""
    top = (1 << 39) - 1
    entries = [(int(RmpLo.of(assigned=1, page_size=1, asid=1, gpa=top)), 0)] + [(0, 0)] * 511
    entries += [(int(RmpLo.of(assigned=1, asid=2, gpa=n)), 0) for n in range(512)]

    found, _ = aliases_of(words_of(entries), 1 << 20)

    assert found == []


def test_the_check_takes_as_many_passes_as_its_room_needs():
    made = Table.blank(4096)
    random = np.random.default_rng(5)
    gpas = random.integers(0, 1 << 12, 4096, np.uint64)
    made.entries["lo"] = gpas << np.uint64(12) | np.uint64(RmpLo.of(assigned=1, asid=3))
    values, counts = np.unique(gpas, return_counts=True)

    told, gone = [], []

    def again(passes):
        told.append(passes)
        return gone.append

    few = verdict_of(made, room=100, limit=1 << 20, again=again)
    many = verdict_of(made, limit=1 << 20, again=again)

    assert len(values) < 4096
    assert few.log.findings() == many.log.findings()
    assert few.log.counts["rmp-aliased"] <= int((counts - 1).sum())
    assert few.log.counts["rmp-aliased"] > 1000
    assert told == [-(-(4096 - 100) // 100)]  # of the passes that few takes behind the first
    assert 4096 * 20 < sum(gone) <= 4096 * told[0] * 2


def test_a_part_that_begins_within_2_mib_keeps_pages_and_offsets():
    table = make_rmp.table()
    make_rmp.FAULTS["rmp-invalid"](table)
    cut = partial_dump(table.extents[0].words[0x301:0x400], 0x301, 0x10)

    found = check(cut, cut.census()).log.findings()

    assert [(f.path, f.offset) for f in found if f.code == "rmp-invalid"] == [
        ("page 0x321", 0x10 + 16 * 0x20)
    ]
    assert cut.pages == 0xFF
    assert cut.census().pages == 0xFF


def test_entries_of_a_log_count_alone_or_with_their_region():
    save_area = (0x6010FFFFFFFFF001, 0x1F)
    tail = (0x80000000000007FD, 0)
    dump = dump_of_entries({0x40FDF36: save_area, 0x56600: tail}, [(0x56600, 0x56800)])

    census = dump.census()

    assert census.by_state() == {
        RmpState.HYPERVISOR: 511,
        RmpState.FIRMWARE: 1,
        RmpState.GUEST_VALID: 1,
    }
    found = check(dump, census).log.findings()
    assert [(f.code, f.path) for f in found] == [("rmp-subpage-count", "page 0x56600")]


def test_a_2_mib_entry_of_a_log_speaks_for_all_its_pages():
    large = int(RmpLo.of(assigned=1, page_size=1, validated=1, asid=3, gpa=0x400))
    dump = dump_of_entries({0x200: (large, 0x1F)}, [])

    assert dump.census().guest(3) == {RmpState.GUEST_VALID: 512}


def test_joined_parts_keep_their_pages():
    one = partial_dump(words_of([(4, 0)] * 10), 0x1000)
    two = partial_dump(words_of([(4, 0)] * 700), 0x400)

    both = join_dumps([one, two])

    assert both.known == PageRanges.of([(0x400, 0x400 + 700), (0x1000, 0x100A)])
    assert both.census().by_state() == {RmpState.HV_FIXED: 710}


def test_the_images_that_are_kept_are_those_that_the_generator_makes():
    assert make_rmp.main(["--check"]) == 0
