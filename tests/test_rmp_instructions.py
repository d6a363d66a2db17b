"""Instructions and commands on many pages do what the model does, one page after the other."""

from functools import partial
from random import Random
from unittest.mock import patch

import numpy as np
import pytest
import rmp_batches as batches
import rmp_model as m
from hypothesis import given, settings
from hypothesis import strategies as st
from rmp_batches import FRAMES, RIGHTS, rarely
from test_rmp_check import verdict_of

from snpwire.errors import UsageError
from snpwire.rmp import scalar as single
from snpwire.rmp import vector as instructions
from snpwire.rmp.segments import SegmentedTable
from snpwire.rmp.table import Table
from snpwire.rmp.vector import order
from snpwire.wire.status import Status

STILL = [m.PRE_GUEST, m.PRE_SWAP]
SIZE = 60
"""Operations of a batch; a few pages take part, so that nearly all of them repeat."""


def table_of(words):
    """Return a table with these entries."""
    table = Table.blank(len(words))
    table.entries["lo"], table.entries["hi"] = zip(*words, strict=True)
    return table


def words_of(table):
    return list(zip(table.entries["lo"].tolist(), table.entries["hi"].tolist(), strict=True))


def many(draw):
    """Return *SIZE* draws, as columns."""
    return [list(column) for column in zip(*(draw() for _ in range(SIZE)), strict=True)]


def update(rng, table, model):
    small = rng.random() < 0.3  # pages of 4 KiB alone
    rights = rng.choice([0x1F, 0xF])

    def draw():
        operand = batches.operand(rng)
        operand["size"] &= not small
        return batches.page(rng), operand, rarely(rng, 1), bool(rarely(rng, 1))

    pages, operands, guests, used = many(draw)
    new = [batches.word(operand) for operand in operands]
    keys = {"guest_asid": guests, "in_use": used, "rights": rights}
    done = instructions.rmpupdate(table, pages, new, **keys)
    given_ = zip(pages, operands, guests, used, strict=True)
    return done.tolist(), [model.rmpupdate(*each, rights) for each in given_]


def smash(rng, table, model):
    pages, guests, used = many(lambda: (batches.page(rng), rarely(rng, 1), bool(rarely(rng, 1))))
    done = instructions.psmash(table, pages, guest_asid=guests, in_use=used)
    return done.tolist(), [model.psmash(*each) for each in zip(pages, guests, used, strict=True)]


def read(rng, table, model):
    pages, guests = many(lambda: (batches.page(rng), rarely(rng, 1)))
    status, found = instructions.rmpread(table, pages, guest_asid=guests)
    names = ["gpa", "assigned", "page_size", "immutable", "asid"]
    rows = zip(status.tolist(), found[names].tolist(), strict=True)
    expected = [model.rmpread(*each) for each in zip(pages, guests, strict=True)]
    return list(rows), [(code, row or (0, 0, 0, 0, 0)) for code, row in expected]


def plain(outcomes):
    """Return outcomes as the model gives them."""
    columns = [array.tolist() for array in outcomes]
    rows = zip(*columns, strict=True)
    return [(status, (kind, code) if kind else None, carry) for status, kind, code, carry in rows]


def caller(rng, model):
    """Return a page, its address, its owner, a level and a size that mostly fits."""
    page = batches.page(rng)
    size = int(model.covered(page) and model.entries[page]["size"])
    level = rng.choice([0, 0, 0, 1, 2])
    return page, *batches.named(rng, model, page), level, rarely(rng, 1 - size, size)


def validate(rng, table, model):
    pages, gpas, asids, vmpls, sizes, wanted = many(lambda: (*caller(rng, model), rng.randrange(2)))
    keys = {"asid": asids, "vmpl": vmpls, "size": sizes, "validate": wanted}
    done = instructions.pvalidate(table, pages, gpas, **keys)
    given_ = zip(pages, gpas, asids, vmpls, sizes, wanted, strict=True)
    return plain(done), [model.pvalidate(*each) for each in given_]


def adjust(rng, table, model):
    pages, gpas, asids, vmpls, sizes, rdx = many(
        lambda: (*caller(rng, model), batches.adjustment(rng))
    )
    keys = {"asid": asids, "vmpl": vmpls, "size": sizes}
    done = instructions.rmpadjust(table, pages, gpas, rdx, **keys)
    given_ = zip(pages, gpas, rdx, asids, vmpls, sizes, strict=True)
    return plain(done), [model.rmpadjust(*each) for each in given_]


def query(rng, table, model):
    pages, gpas, asids, vmpls, _, targets = many(lambda: (*caller(rng, model), rng.randrange(5)))
    done = instructions.rmpquery(table, pages, gpas, targets, asid=asids, vmpl=vmpls)
    rows = zip(plain(done.results), done.rdx.tolist(), done.rcx.tolist(), strict=True)
    given_ = zip(pages, gpas, targets, asids, vmpls, strict=True)
    said = [(status, fault, rdx, rcx) for (status, fault, _), rdx, rcx in rows]
    return said, [model.rmpquery(*each) for each in given_]


def alone(name, *states, extra=None):
    """Return a test of a command on one page that is mostly in one of *states*."""

    def both(rng, table, model):
        def draw():
            page = batches.of_state(rng, model, *states)
            return (page,) if extra is None else (page, extra(rng))

        given_ = many(draw)
        done = getattr(instructions, name)(table, *given_)
        return done.tolist(), [getattr(model, name)(*e) for e in zip(*given_, strict=True)]

    return both


def who(rng, model):
    """Return a guest of the model: its context, its ASID, the status of its own state."""
    return batches.of_state(rng, model, m.CONTEXT), rarely(rng, 2, 1), rarely(rng, 2)


def launch(rng, table, model):
    context, asid, late = who(rng, model)

    def draw():
        page, masks = batches.of_state(rng, model, m.PRE_GUEST), rng.choice(RIGHTS) & 0xFFFF_FFFF
        return page, masks, rng.choice([1, 1, 2, 3, 5, 0, 7]), rarely(rng, 1), rarely(rng, 8)

    pages, masks, kinds, sizes, content = many(draw)
    keys = {"page_type": kinds, "size": sizes, "content": content}
    guest = single.PageOwner(context, asid, Status(late))
    done = instructions.launch_update(table, pages, masks, guest, **keys)
    given_ = zip(pages, masks, kinds, sizes, content, strict=True)
    return done.tolist(), [model.launch_update(p, x, asid, late, *each) for p, x, *each in given_]


def note(rng, table, model):
    context, asid, late = who(rng, model)
    (pages,) = many(lambda: (batches.of_state(rng, model, m.FIRMWARE),))
    done = instructions.md_init(table, pages, single.PageOwner(context, asid, Status(late)))
    return done.tolist(), [model.md_init(page, context, late) for page in pages]


def move(rng, table, model):
    context, asid, late = who(rng, model)
    some = partial(batches.of_state, rng, model)

    def draw():
        pair = rng.choice([(STILL, [m.PRE_GUEST]), ([m.METADATA], [m.FIRMWARE, m.METADATA])])
        return some(*pair[0]), some(*pair[1]), rarely(rng, 1)

    sources, targets, sizes = many(draw)
    guest = single.PageOwner(context, asid, Status(late))
    done = instructions.page_move(table, sources, targets, guest, size=sizes)
    given_ = zip(sources, targets, sizes, strict=True)
    return done.tolist(), [model.page_move(s, t, context, asid, late, z) for s, t, z in given_]


def swap_flags(rng, metadata):
    kind = 1 if metadata else rarely(rng, 3, rng.choice([0, 2]))
    return rarely(rng, 1) | kind << 1 | rarely(rng, 8) | rng.choice([0, 16])


def out(rng, table, model):
    context, asid, late = who(rng, model)
    some = partial(batches.of_state, rng, model)

    def draw():
        metadata = rng.random() < 0.5
        source = some(m.METADATA) if metadata else some(*STILL)
        target = some(m.FIRMWARE, m.DEFAULT, m.METADATA)
        return source, target, swap_flags(rng, metadata), some(m.METADATA)

    sources, targets, flags, mdata = many(draw)
    guest = single.PageOwner(context, asid, Status(late))
    done = instructions.swap_out(table, sources, targets, flags, guest, mdata)
    given_ = zip(sources, targets, flags, mdata, strict=True)
    return done.tolist(), [
        model.swap_out(s, t, f, context, asid, late, page) for s, t, f, page in given_
    ]


def back(rng, table, model):
    context, asid, late = who(rng, model)
    some = partial(batches.of_state, rng, model)

    def draw():
        metadata = rng.random() < 0.5
        target = some(m.FIRMWARE) if metadata else some(m.PRE_GUEST)
        source = rng.choice([target, some(m.FIRMWARE)])
        flags = swap_flags(rng, metadata)
        kind = [0, 8, 4, 12][flags >> 1 & 3]
        word = rarely(rng, 0, 1) | rng.randrange(2) << 1 | kind | (flags & 1) << 4
        word = rarely(rng, rng.randrange(32), word) | rng.choice(FRAMES) << 12
        return source, target, flags, word, rng.choice(RIGHTS), some(m.METADATA), rarely(rng, 8)

    sources, targets, flags, words, rights, mdata, content = many(draw)
    guest = single.PageOwner(context, asid, Status(late))
    keys = {"entry": (words, rights), "mdata": mdata, "content": content}
    done = instructions.swap_in(table, sources, targets, flags, guest, **keys)
    given_ = zip(sources, targets, flags, words, rights, mdata, content, strict=True)
    return done.tolist(), [
        model.swap_in(s, t, f, context, asid, late, (word, mask), page, end)
        for s, t, f, word, mask, page, end in given_
    ]


OPERATIONS = [
    update,
    update,
    smash,
    read,
    validate,
    adjust,
    query,
    alone("reclaim", m.FIRMWARE, m.METADATA, *STILL, extra=lambda rng: rarely(rng, 1)),
    alone("unsmash"),
    alone("gctx_create", m.FIRMWARE),
    alone("decommission", m.CONTEXT),
    alone("set_hv_fixed", extra=lambda rng: rng.choice([0, 1, 2, 512, 514])),
    launch,
    note,
    move,
    out,
    back,
]


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_batches_say_and_do_what_the_model_does_one_by_one(seed):
    rng = Random(seed)
    words = batches.table(rng)
    table, model = table_of(words), batches.model(words)

    for _ in range(3):
        both = rng.choice(OPERATIONS)
        with patch.object(order, "FEW", rng.choice([1, 2, 4])):
            said, expected = both(rng, table, model)

        assert said == expected, both.__name__
    assert words_of(table) == model.words()
    assert table.counters.tolist() == model.counters


REGIONS = 32


def crowd(rng, count):
    """Return updates of which many share a page, or a region with one of 2 MiB."""
    pages, new = [], []
    for _ in range(count):
        region = 512 * min(rng.randrange(REGIONS), rng.randrange(REGIONS))
        operand = batches.operand(rng) | {"size": int(region > 512 * 20 and rng.random() < 0.02)}
        pages.append(
            region + (0 if operand["size"] else rng.choice([0, 1, 511, rng.randrange(512)]))
        )
        new.append(batches.word(operand))
    return pages, new


@pytest.mark.parametrize("bits", [order.BITS, 11])
def test_a_large_batch_ends_as_single_updates_do(bits):
    pages, new = crowd(Random(7), 12_000)
    table, plain_table = Table.blank(512 * REGIONS), batches.Plain([(0, 0)] * 512 * REGIONS)

    with patch.object(order, "BITS", bits), patch.object(order, "BLOCK", 1 << bits):
        status = instructions.rmpupdate(table, pages, new)
    expected = [single.rmpupdate(plain_table, *each) for each in zip(pages, new, strict=True)]

    assert status.tolist() == expected
    assert set(expected) == {0, 1, 2, 4}
    assert words_of(table) == plain_table.words
    assert table.counters.tolist() == plain_table.counters


HELD = {"rmp-subpage-count", "rmp-stray-count", "rmp-subpages", "rmp-2m-children", "rmp-lock"}
HELD |= {"rmp-counter", "rmp-counter-units", "rmp-counter-beyond", "rmp-2m-misplaced"}
"""Rules for tables that instructions keep, whatever they are asked."""


def test_what_instructions_leave_keeps_the_rules_for_tables():
    pages, new = crowd(Random(9), 12_000)
    table = Table.blank(512 * REGIONS)

    large = np.arange(512 * 24, 512 * REGIONS, 512)
    instructions.rmpupdate(table, large, (large << 12) + (3 | 1 << 51))
    instructions.rmpupdate(table, pages, new)
    instructions.psmash(table, large[::2])
    instructions.reclaim(table, pages)
    verdict = verdict_of(table)

    assert verdict.units == "as 512"
    assert not HELD & set(verdict.log.counts)


def test_many_updates_of_one_page_keep_their_order():
    table = Table.blank(8)
    asids = [1 + n % 1000 for n in range(5000)]

    status = instructions.rmpupdate(table, [3] * 5000, [1 | asid << 51 for asid in asids])

    assert not status.any()
    assert table.entry(3) == (1 | asids[-1] << 51, 0x1F)
    assert table.entry(0) == (1 << 3, 0)
    assert table.counters.tolist() == [int(n == asids[-1]) for n in range(2048)]


def test_the_result_has_the_shape_of_the_pages():
    table = Table.blank(1024)
    pages = np.arange(6).reshape(2, 3)

    assert instructions.rmpupdate(table, pages, 1 | 1 << 51).shape == (2, 3)
    assert instructions.psmash(table, pages).tolist() == [[7, 1, 1], [1, 1, 1]]
    assert instructions.reclaim(table, pages).shape == (2, 3)
    assert instructions.rmpread(table, pages)[1]["asid"].tolist() == [[1] * 3] * 2
    assert instructions.pvalidate(table, pages, 0, asid=1).code.shape == (2, 3)
    assert instructions.rmpquery(table, pages, 0, 1, asid=1).rdx.shape == (2, 3)
    assert instructions.page_move(table, pages, 0, single.PageOwner(0)).shape == (2, 3)


@pytest.mark.parametrize("name", [name for name in instructions.__all__ if name.islower()])
def test_a_batch_of_nothing_does_nothing(name):
    table, none = Table.blank(4), np.zeros(0, np.int64)
    who_else = single.PageOwner(0)
    given_ = {
        "rmpupdate": ([],),
        "pvalidate": ([],),
        "rmpadjust": ([], 0),
        "rmpquery": ([], 0),
        "set_hv_fixed": (1,),
        "launch_update": (0, who_else),
        "md_init": (who_else,),
        "page_move": ([], who_else),
        "swap_out": ([], 0, who_else),
        "swap_in": ([], 0, who_else),
    }
    keys = {"asid": 1} if name in ("pvalidate", "rmpadjust", "rmpquery") else {}
    keys |= {"entry": (0, 0)} if name == "swap_in" else {}
    result = getattr(instructions, name)(table, none, *given_.get(name, ()), **keys)

    status = result[0] if isinstance(result, tuple) else result
    assert np.size(status[0] if isinstance(status, tuple) else status) == 0
    assert not table.entries["lo"].any()


@pytest.mark.parametrize(
    ("pages", "new", "text"),
    [
        ([-1], 0, "-0x1 is no page number: those go from 0 to 0x7fffffffff"),
        ([0.5], 0, "a page number is an integer of 39 bits, got an array of float64"),
        ([0], [-1], "expected numbers of 64 bits, got an array of int64"),
        ([0], ["1"], "expected numbers of 64 bits, got an array of object"),
        ([0], [1 << 64, 1], "expected numbers of 64 bits, got an array of object"),
        ([0, 1], [1, 2, 3], "expected one number, or one for each of (2,) operations, got (3,)"),
    ],
)
def test_what_is_no_batch_is_refused(pages, new, text):
    with pytest.raises(UsageError) as caught:
        instructions.rmpupdate(Table.blank(4), pages, new)

    assert str(caught.value) == text


def test_pages_that_do_not_pair_are_refused():
    with pytest.raises(UsageError) as caught:
        instructions.page_move(Table.blank(4), [0, 1], [0, 1, 2], single.PageOwner(0))

    assert str(caught.value) == "arrays of pages must have one shape, got (2,) and (3,)"


def test_a_table_that_cannot_be_changed_is_refused():
    table = Table.over(bytes(64))

    with pytest.raises(UsageError) as caught:
        instructions.rmpupdate(table, [0], 0)

    assert str(caught.value) == "the table is read-only"
    assert instructions.rmpread(table, [0, 4])[0].tolist() == [0, 1]


def test_a_table_of_segments_is_not_changed_as_a_whole():
    table = SegmentedTable([1], {0: Table.blank(1 << 18, counters=False)}, shift=30)

    with pytest.raises(UsageError) as caught:
        instructions.rmpupdate(table, [0], 0)

    assert str(caught.value) == "a table of segments is changed one segment at a time"
    assert instructions.rmpread(table, [0, 1 << 18])[0].tolist() == [0, 1]


def test_numbers_with_bit_63_may_stand_beside_small_ones():
    table = Table.blank(4)

    assert instructions.rmpupdate(table, [1, 2], [1 << 63, 5]).tolist() == [1, 0]


def test_a_region_that_is_not_wholly_covered_cannot_be_one_page():
    table = Table.blank(512 + 511)

    assert instructions.rmpupdate(table, [512, 0], [3 | 1 << 51] * 2).tolist() == [1, 0]
    assert single.rmpupdate(table, 512, 3 | 1 << 51) == 1
    assert instructions.psmash(table, [512, 0]).tolist() == [1, 0]
    assert single.psmash(table, 512) == 1
    assert instructions.unsmash(table, [512]).tolist() == [Status.INVALID_PAGE_STATE]
    assert single.unsmash(table, 512) is Status.INVALID_PAGE_STATE


def test_the_first_page_given_away_takes_the_size_of_an_entry_that_nobody_has():
    one, many = table_of([(2, 0)] + [(0, 0)] * 511), table_of([(2, 0)] + [(0, 0)] * 511)
    pages = list(range(1, 1 + 2 * order.FEW))

    instructions.rmpupdate(many, pages, 1 | 1 << 51)
    for page in pages:
        single.rmpupdate(one, page, 1 | 1 << 51)

    assert many.entry(0) == one.entry(0) == (len(pages) << 3, 0)


def test_only_level_0_may_mark_a_save_area():
    table = table_of([(0x4008_0000_0000_0001, 0x0F0F_0F1F)] * (2 * order.FEW))
    pages = list(range(2 * order.FEW))
    levels = [page % 2 for page in pages]

    done = instructions.rmpadjust(table, pages, 0, 2 | 1 << 8 | 1 << 16, asid=1, vmpl=levels)

    assert not done.status.any()
    assert (table.entries["lo"] >> np.uint64(61) & np.uint64(1)).tolist() == [1 - n for n in levels]
    assert set(table.entries["hi"].tolist()) == {0x0F01_0F1F}
