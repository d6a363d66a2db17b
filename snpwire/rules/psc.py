"""What can be wrong with a page state change buffer, alone or in the shared buffer of a page.

KVM refuses a buffer in the result, not with MALFORMED_INPUT, so no finding here has a reason; the
text names the result. It checks entries from ``cur_entry`` on and one at a time, so the entries in
front of a bad one are done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..context import Direction
from ..finding import Finding, Findings, Severity, bit_list
from ..wire.operands import PscOperation, PscReturn
from ..wire.psc import MAX_ENTRIES, SPEC, PscBuffer, PscEntry
from . import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..context import Context

BEGIN = "Linux 6.12 snp_begin_psc"
GUEST = "Linux 6.12 vmgexit_psc"
LINUX_ENTRIES = 64
"""How many entries the Linux guest sends at once."""
IGNORED = (PscOperation.PSMASH, PscOperation.UNSMASH)
ASSIGNED = (PscOperation.PRIVATE, PscOperation.SHARED)


class Place(NamedTuple):
    """Where a buffer is: in a page or by itself."""

    prefix: str = ""
    base: int = 0
    room: int | None = None
    """How many entries fit there, if that is known."""
    direction: Direction | None = None

    def finding(
        self, code: str, severity: Severity, path: str, offset: int, text: str, source: str
    ) -> Finding:
        """Return a finding, moved to where the buffer is."""
        return Finding(code, severity, self.prefix + path, self.base + offset, text, source)


def buffer_alone(buffer: PscBuffer, context: Context) -> Findings:
    """Check a buffer that came by itself."""
    yield from judge(buffer, Place(direction=context.direction))


def judge(buffer: PscBuffer, where: Place) -> Findings:
    """Check *buffer* where it is; in a response, only what a guest reads."""
    yield from header(buffer, where)
    if where.direction is Direction.RESPONSE:
        yield from progress(buffer, where)
        return
    for index, entry in enumerate(buffer.elements):
        live = index >= buffer.head.cur_entry
        for code, severity, text, source in _entry(entry, live):
            path, offset = f"{buffer.NAME}[{index}]", buffer.SIZE + 8 * index
            yield where.finding(code, severity, path, offset, text, source)
    yield from overlaps(buffer, where)
    for finding in record.rest(buffer):
        yield _moved(finding, where)


def header(buffer: PscBuffer, where: Place) -> Findings:
    """Expect a header that names entries there are (56421, SNP page state change; KVM)."""
    for finding in record.reserved(buffer):
        yield _moved(finding, where)
    cur, end = buffer.head.cur_entry, buffer.head.end_entry
    room = MAX_ENTRIES if where.room is None else min(where.room, MAX_ENTRIES)
    if end >= room:
        text = (
            f"end_entry is {end}, there is room for {room} entries:"
            f" KVM answers {int(PscReturn.INVALID_HEADER):#018x}"
        )
        yield where.finding("psc-end-entry", Severity.ERROR, "end_entry", 2, text, BEGIN)
    elif end >= len(buffer.elements):
        text = f"end_entry is {end}, the bytes hold {len(buffer.elements)} entries"
        yield where.finding("cut-short", Severity.WARNING, "end_entry", 2, text, SPEC)
    if where.direction is Direction.RESPONSE:
        return
    if cur > end:
        text = f"cur_entry is {cur}, end_entry is {end}: there is nothing left to do"
        yield where.finding("psc-all-done", Severity.NOTE, "cur_entry", 0, text, BEGIN)
    if LINUX_ENTRIES <= end < room:
        text = f"end_entry is {end}: Linux sends at most {LINUX_ENTRIES} entries"
        yield where.finding("psc-many-entries", Severity.NOTE, "end_entry", 2, text, GUEST)


def progress(buffer: PscBuffer, where: Place) -> Findings:
    """Find that a guest has to repeat the request: ``cur_entry`` is not past ``end_entry``."""
    cur, end = buffer.head.cur_entry, buffer.head.end_entry
    if cur <= end:
        text = f"cur_entry is {cur}, end_entry is {end}: not all is done, a guest asks again"
        yield where.finding("psc-not-done", Severity.NOTE, "cur_entry", 0, text, SPEC)


def _entry(entry: PscEntry, live: bool) -> Iterator[tuple[str, Severity, str, str]]:
    """Expect an operation that KVM knows, on pages that are in line and not done."""
    operation = PscOperation(entry.operation)
    if operation in IGNORED:
        text = f"operation is {operation.name}: KVM marks the entry done and does nothing"
        yield "psc-operation", Severity.NOTE, text, BEGIN
    elif not operation.known:
        text = f"operation is {int(operation)}, there are 1 to 4: KVM marks it done, does nothing"
        yield "psc-operation", Severity.WARNING, text, BEGIN
    if entry.unknown:
        text = f"{bit_list(entry.unknown)} of {int(entry):#018x} should be zero"
        yield "unknown-bits", Severity.WARNING, text, SPEC
    if not live:
        return
    response = f"KVM answers {int(PscReturn.INVALID_ENTRY):#018x}"
    if entry.gfn % entry.pages:
        text = f"gfn is {entry.gfn:#x}, a 2 MiB page starts at a multiple of 512: {response}"
        yield "psc-unaligned", Severity.ERROR, text, BEGIN
    if entry.cur_page > entry.pages:
        text = f"cur_page is {entry.cur_page}, the entry has {entry.pages} pages: {response}"
        yield "psc-cur-page", Severity.ERROR, text, BEGIN
    elif entry.cur_page == entry.pages:
        text = f"cur_page is {entry.cur_page}: KVM takes the entry for done"
        yield "psc-entry-done", Severity.NOTE, text, BEGIN


def overlaps(buffer: PscBuffer, where: Place) -> Findings:
    """Find pages made both private and shared, which depends on the order."""
    rows = sorted((e.gfn, e.gfn + e.pages, n, e.operation) for n, e in enumerate(buffer.elements))
    reach: dict[int, tuple[int, int]] = {}
    for start, end, index, operation in rows:
        if operation not in ASSIGNED:
            continue
        other = next((op for op in reach if op != operation), None)
        if other is not None and reach[other][0] > start:
            first, second = sorted((index, reach[other][1]))
            text = f"entries {first} and {second} give pages from gfn {start:#x} different states"
            path, offset = f"{buffer.NAME}[{second}]", buffer.SIZE + 8 * second
            yield where.finding("psc-overlap", Severity.WARNING, path, offset, text, SPEC)
        reach[operation] = max(reach.get(operation, (0, 0)), (end, index))


def _moved(finding: Finding, where: Place) -> Finding:
    return finding._replace(path=where.prefix + finding.path, offset=where.base + finding.offset)


RULES = {
    PscBuffer: (buffer_alone,),
}
