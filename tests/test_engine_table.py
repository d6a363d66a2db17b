"""The table of pages under a machine: whichever it is, the same happens, and the image says so."""

from __future__ import annotations

import pytest

from snpwire.engine.hypervisor.policy import HypervisorPolicy, Pages
from snpwire.engine.machine import PAGES, RMP, Machine
from snpwire.engine.profile import profile_named
from snpwire.engine.trace import Trace
from snpwire.errors import UsageError
from snpwire.rmp.table import Table
from snpwire.wire.rmp import RmpState


def run(table=None):
    """Return a machine on which two guests ask and one is gone, and what was told of it."""
    trace = Trace()
    machine = Machine(profile_named("genoa"), seed=3, trace=trace, table=table)
    first = machine.add("first", vcpus=2, policy=HypervisorPolicy(pages=Pages.GUEST))
    machine.add("second").key()
    first.report(bytes(64))
    machine.remove("second")
    return machine, trace


def test_a_numpy_table_serves_as_the_small_one_does():
    table = Table.blank(PAGES, base=RMP.start)
    small, told = run()
    _, told_too = run(table)

    assert told_too.lines(whole=True) == told.lines(whole=True)
    assert bytes(table.counters.tobytes() + table.entries.tobytes()) == small.table_image()


def test_the_image_of_a_machine_says_what_its_table_does():
    machine, _ = run()
    image = machine.table_image()
    table = Table.over(image, counters=True, base=RMP.start)

    assert len(image) == len(RMP)
    assert [table.state(page) for page in range(PAGES)] == [
        machine.host.table.state(page) for page in range(PAGES)
    ]
    assert table.census().by_state()[RmpState.CONTEXT] == 1


def test_a_table_that_was_given_is_at_hand():
    machine, _ = run(Table.blank(PAGES, base=RMP.start))

    with pytest.raises(UsageError, match="at hand"):
        machine.table_image()


@pytest.mark.parametrize(("pages", "base"), [(PAGES - 1, RMP.start), (PAGES, 0), (PAGES, None)])
def test_a_table_of_another_size_or_place_is_refused(pages, base):
    with pytest.raises(UsageError, match="64512 pages that lies at 0x800000"):
        Machine(profile_named("milan"), table=Table.blank(pages, base=base))
