"""Instructions and commands on one page do what the model of the facts does."""

import subprocess
import sys
from functools import partial
from random import Random

import pytest
import realfiles
import rmp_batches as batches
import rmp_model as m
from hypothesis import given, settings
from hypothesis import strategies as st
from rmp_batches import FRAMES, RIGHTS, Plain, rarely

from snpwire.rmp import scalar as single
from snpwire.wire.rmp import RmpOperand, RmpState, state_of
from snpwire.wire.rmp_words import RmpUpdateResult
from snpwire.wire.status import Status

STILL = [m.PRE_GUEST, m.PRE_SWAP]


def plain(outcome):
    """Return an outcome as the model gives it."""
    fault = outcome.fault and (int(outcome.fault.kind), int(outcome.fault.code))
    return int(outcome.status), fault, outcome.carry


def update(table, model, page, operand, guest, used, rights):
    new = batches.word(operand)
    done = single.rmpupdate(table, page, new, guest_asid=guest, in_use=used, rights=rights)
    return int(done), model.rmpupdate(page, operand, guest, used, rights)


def smash(table, model, page, guest, used):
    done = single.psmash(table, page, guest_asid=guest, in_use=used)
    return int(done), model.psmash(page, guest, used)


def read(table, model, page, guest):
    status, found = single.rmpread(table, page, guest_asid=guest)
    fields = found and (
        found.gpa,
        found.assigned,
        int(found.page_size),
        found.immutable,
        found.asid,
    )
    return (int(status), fields), model.rmpread(page, guest)


def validate(table, model, page, gpa, asid, vmpl, size, wanted):
    keys = {"asid": asid, "vmpl": vmpl, "size": size, "validate": wanted}
    done = single.pvalidate(table, page, gpa, **keys)
    return plain(done), model.pvalidate(page, gpa, **keys)


def adjust(table, model, page, gpa, rdx, asid, vmpl, size):
    done = single.rmpadjust(table, page, gpa, rdx, asid=asid, vmpl=vmpl, size=size)
    return plain(done), model.rmpadjust(page, gpa, rdx, asid, vmpl, size)


def query(table, model, page, gpa, target, asid, vmpl):
    done = single.rmpquery(table, page, gpa, target, asid=asid, vmpl=vmpl)
    status, fault, _ = plain(done.result)
    return (status, fault, done.rdx, done.rcx), model.rmpquery(page, gpa, target, asid, vmpl)


def command(name, *words):
    """Return a test of a command whose arguments the model takes alike."""

    def both(table, model, *given):
        return int(getattr(single, name)(table, *given)), getattr(model, name)(*given)

    return both


def launch(table, model, page, perms, asid, guest, kind, size, content):
    who = single.PageOwner(0, asid, Status(guest))
    keys = {"page_type": kind, "size": size}
    done = single.launch_update(table, page, perms, who, content=Status(content), **keys)
    return int(done), model.launch_update(page, perms, asid, guest, content=content, **keys)


def note(table, model, page, context, guest):
    done = single.md_init(table, page, single.PageOwner(context, 0, Status(guest)))
    return int(done), model.md_init(page, context, guest)


def move(table, model, source, target, context, asid, guest, size):
    who = single.PageOwner(context, asid, Status(guest))
    done = single.page_move(table, source, target, who, size=size)
    return int(done), model.page_move(source, target, context, asid, guest, size)


def out(table, model, source, target, flags, context, asid, guest, mdata):
    who = single.PageOwner(context, asid, Status(guest))
    done = single.swap_out(table, source, target, flags, who, mdata)
    return int(done), model.swap_out(source, target, flags, context, asid, guest, mdata)


def back(table, model, source, target, flags, context, asid, guest, entry, mdata, content):
    who = single.PageOwner(context, asid, Status(guest))
    keys = {"entry": entry, "mdata": mdata}
    done = single.swap_in(table, source, target, flags, who, content=Status(content), **keys)
    args = (source, target, flags, context, asid, guest)
    return int(done), model.swap_in(*args, content=content, **keys)


def host(rng, model):
    """Draw an instruction of the host."""
    page, guest, used = batches.page(rng), rarely(rng, 1), bool(rarely(rng, 1))
    return rng.choice(
        [
            (update, page, batches.operand(rng), guest, used, rng.choice([0x1F, 0xF])),
            (smash, page, guest, used),
            (read, page, guest),
        ]
    )


def guest(rng, model):
    """Draw an instruction of a guest, mostly one that fits the page."""
    page = batches.page(rng)
    gpa, asid = batches.named(rng, model, page)
    size = int(model.covered(page) and model.entries[page]["size"])
    size, vmpl = rarely(rng, 1 - size, size), rarely(rng, rng.randrange(4))
    return rng.choice(
        [
            (validate, page, gpa, asid, vmpl, size, rng.randrange(2)),
            (adjust, page, gpa, batches.adjustment(rng), asid, vmpl, size),
            (query, page, gpa, rng.randrange(5), asid, vmpl),
        ]
    )


def firmware(rng, model):
    """Draw a command, mostly on pages in states that fit it."""
    some = partial(batches.of_state, rng, model)
    late, asid, size = rarely(rng, 2), rarely(rng, 2, 1), rarely(rng, 1)
    name = rng.choice(["reclaim", "unsmash", "gctx_create", "decommission", "set_hv_fixed"])
    extra = {"reclaim": [size], "set_hv_fixed": [rng.choice([0, 1, 2, 512, 514])]}.get(name, [])
    first = some(m.FIRMWARE, m.CONTEXT, m.METADATA, *STILL)
    first = rng.choice([0, 512]) if name in ("unsmash", "set_hv_fixed") else first
    kind, masks = rng.choice([1, 1, 2, 3, 5, 0, 7]), rng.choice(RIGHTS) & 0xFFFF_FFFF
    pair = rng.choice([(STILL, [m.PRE_GUEST]), ([m.METADATA], [m.FIRMWARE])])
    place = some(*pair[0]), some(*pair[1]), some(m.CONTEXT)
    return rng.choice(
        [
            (command(name), first, *extra),
            (launch, some(m.PRE_GUEST), masks, asid, late, kind, size, rarely(rng, 8)),
            (note, some(m.FIRMWARE), some(m.CONTEXT), late),
            (move, *place, asid, late, size),
            swap(rng, some, asid, late),
        ]
    )


def swap(rng, some, asid, late):
    """Draw a swap in or out."""
    kind, size, rights = rarely(rng, 3, rng.randrange(3)), rarely(rng, 1), rng.choice(RIGHTS)
    flags = size | kind << 1 | rarely(rng, 8) | rng.choice([0, 16])
    keeper = some(m.CONTEXT), asid, late
    if rng.random() < 0.5:
        source = some(m.METADATA) if kind == 1 else some(*STILL)
        return out, source, some(m.FIRMWARE, m.DEFAULT), flags, *keeper, some(m.METADATA)
    word = rarely(rng, 0, 1) | rng.randrange(2) << 1 | [0, 8, 4, 12][kind] | size << 4
    entry = rarely(rng, rng.randrange(32), word) | rng.choice(FRAMES) << 12, rights
    target = some(m.FIRMWARE) if kind == 1 else some(m.PRE_GUEST)
    source = target if rng.random() < 0.5 else some(m.FIRMWARE)
    return back, source, target, flags, *keeper, entry, some(m.METADATA), rarely(rng, 8)


@settings(max_examples=250, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_operations_say_and_do_what_the_model_does(seed):
    rng = Random(seed)
    words = batches.table(rng)
    table, model = Plain(words), batches.model(words)

    for _ in range(40):
        both, *given_ = rng.choice([host, guest, firmware])(rng, model)
        said, expected = both(table, model, *given_)

        assert said == expected, (both.__name__, given_)
    assert table.words == model.words()
    assert table.counters == model.counters


@realfiles.needed
def test_a_page_is_reclaimed_as_the_firmware_reclaimed_it():
    rows = [row for row in realfiles.rows("commands") if row["command"] == "SNP_PAGE_RECLAIM"]
    asked = [row for row in rows if len(row["rmp"]) == 1 and not _elsewhere(row)]

    for row in asked:
        word = row["input"]["page_paddr_size"] & ~(1 << 51)
        (place, entry), *_ = row["rmp"].items()
        page = int(place, 16) >> 12
        table = Sparse(page, *quadwords(entry["before"]))

        status = single.reclaim(table, word >> 12, word & 1)

        assert status.name == row["status_name"], row["name"]
        assert table.kept == quadwords(entry["after"]), row["name"]
        assert table.state(page).name == entry["after"]["state"], row["name"]
    assert len(asked) > 90


@realfiles.needed
def test_a_context_is_made_where_the_firmware_made_one():
    rows = [row for row in realfiles.rows("commands") if row["command"] == "SNP_GCTX_CREATE"]
    asked = [row for row in rows if row["name"].startswith(("state_", "2M"))]

    for row in asked:
        (place, entry), *_ = row["rmp"].items()
        page = int(place, 16) >> 12
        table = Sparse(page, *quadwords(entry["before"]))

        status = single.gctx_create(table, page)

        assert status.name == row["status_name"], row["name"]
        assert table.kept == quadwords(entry["after"]), row["name"]
    assert asked


def _elsewhere(row):
    """Tell whether something that no entry says decided: the buffer, the platform, the map."""
    why = ("reserved_bit", "snp_state", "at_", "2M_overlaps_hole")
    return row["name"].startswith(why)


def quadwords(entry):
    return int(entry["q1"], 16), int(entry["q2"], 16)


class Sparse:
    """A table that is zero but for one page."""

    pages = 0xFC00

    def __init__(self, page, lo, hi):
        self.page, self.kept = page, (lo, hi)

    def entry(self, page):
        return self.kept if page == self.page else (0, 0)

    def set(self, page, lo, hi):
        assert page == self.page
        self.kept = lo, hi

    def state(self, page):
        return state_of(*self.entry(page)) if page < self.pages else RmpState.DEFAULT


@pytest.mark.parametrize(
    ("fields", "lo"),
    [
        ({"assigned": 1, "asid": 2, "gpa": 0x7000}, 0x0010_0000_0000_7001),
        ({"assigned": 1, "page_size": 1, "immutable": 1}, 0x7),
        ({"gpa": (1 << 51) - 0x1000}, 0x0007_FFFF_FFFF_F000),
        ({"asid": 0x3FF}, 0x1FF8_0000_0000_0000),
        ({}, 0),
    ],
)
def test_an_operand_is_told_in_the_form_of_an_entry(fields, lo):
    assert single.operand_of(RmpOperand.zero().replace(**fields)) == lo


@pytest.mark.parametrize(
    "fields",
    [
        {"gpa": 0x7001},
        {"gpa": 1 << 51},
        {"assigned": 2},
        {"page_size": 2},
        {"immutable": 0x80},
        {"reserved_0x00b": b"\1"},
        {"asid": 0x400},
    ],
)
def test_an_operand_with_a_bit_too_many_is_refused(fields):
    table = Plain([(0, 0)])
    new = single.operand_of(RmpOperand.zero().replace(**fields))

    status = single.rmpupdate(table, 0, new)

    assert status is RmpUpdateResult.FAIL_INPUT
    assert table.words == [(0, 0)]


def test_changing_single_pages_takes_no_numpy():
    program = "import sys, snpwire.rmp.scalar, snpwire.rmp.access; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
