"""``snpwire rmp find``: list pages by the fields of their entries."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from ...bits import nearest
from ...errors import EncodeError, UsageError, shown
from ...numeral import DECIMAL, readings
from ...rmp.page_ranges import PAGE_LIMIT, PageRanges
from ...rmp.search import SearchFilter, page_runs
from ...wire.rmp import RmpHi, RmpLo, RmpState
from ...wire.rmp_words import VmplMask
from ..output import terminal_style, write_json, write_lines, write_note
from ..progress import Meter
from .input import number_of, read

if TYPE_CHECKING:
    from ...rmp.search import PageRun
    from .options import FindOptions, RmpOptions

LETTERS = {"read": "r", "write": "w", "exec_user": "u", "exec_supervisor": "s", "sss": "k"}
"""How a listing spells VMPL permissions; ``k`` is the supervisor shadow stack."""


def run(options: RmpOptions, find: FindOptions, *, limit: int, json: bool) -> int:
    """Print up to *limit* runs of pages, 0 for all; return 1 if there are none."""
    wanted, within = search_filter(find)
    source = read(options)
    write_note(*source.notes)
    count = pages = 0
    with Meter("searching", source.dump.data.pages, source.release) as meter:
        found = page_runs(source.dump, wanted, within, meter)
        for run in islice(found, limit or None):
            if not count and not json:
                write_lines([HEADING])
            if json:
                write_json(_object(run), indent=None)
            else:
                write_lines([_line(run)])
            count, pages = count + 1, pages + run.pages
        more = limit and next(found, None) is not None
    if more:
        write_note(f"the first {count} lines, {pages:,} pages; --limit 0 shows all")
    else:
        write_note(f"{pages:,} pages" if pages != 1 else "1 page")
    return int(not count)


def search_filter(options: FindOptions) -> tuple[SearchFilter, PageRanges | None]:
    """Return which pages to list, and within which ranges. Raises UsageError."""
    fields = dict(_field(text) for text in options.where)
    if options.asid is not None:
        fields["asid"] = options.asid
    if options.size is not None:
        fields["page_size"] = int(options.size == "2m")
    frames = _frames(options.gpa, fields.pop("gpa", None))
    try:
        wanted = SearchFilter(
            state=[_state(name) for name in options.state] or None,
            gpa=frames,
            rights=dict(_right(text) for text in options.rights),
            **fields,
        )
    except EncodeError as exc:
        raise UsageError(str(exc)) from None
    pages = _range("--pages", options.pages, PAGE_LIMIT)
    return wanted, None if pages is None else PageRanges.of([(pages[0], pages[1] + 1)])


def _frames(text: str | None, frame: int | None) -> int | range | None:
    """Return the guest frames of ``--gpa``, or of ``--where gpa=N``, whose field has a frame."""
    ends = _range("--gpa", text, PAGE_LIMIT << 12)
    if ends is None:
        if frame is not None and frame >= PAGE_LIMIT:
            raise UsageError(f"--where gpa: the last frame is {PAGE_LIMIT - 1:#x}")
        return frame
    if frame is not None:
        raise UsageError("--gpa and --where gpa say the same", help="give one of them")
    return range(ends[0] >> 12, (ends[1] >> 12) + 1)


def _state(name: str) -> RmpState:
    try:
        state = RmpState.from_plain(name)
    except ValueError as exc:
        raise UsageError(
            f"--state: {exc}", help=f"states: {' '.join(RmpState.__members__)}"
        ) from None
    if not state.known or state is RmpState.DEFAULT:
        raise UsageError(f"--state {name}: no entry is in it")
    return state


def _range(option: str, text: str | None, limit: int) -> tuple[int, int] | None:
    """Read ``FROM-TO``, both included, or one number; each is below *limit*."""
    if text is None:
        return None
    first, found, last = text.partition("-")
    parts = (first, last) if found else (first,)
    if not all(map(readings, parts)):
        reason = f"{option} {shown(text)} is neither a number nor a range"
        raise UsageError(reason, help="0x10-0x1f")
    ends = [number_of(part, base=DECIMAL if option == "--pages" else 0) for part in parts]
    start, end = ends[0], ends[-1]
    if end < start:
        raise UsageError(f"{option} {text} ends before it begins")
    if end >= limit:
        raise UsageError(f"{option} {text} is past the last possible, {limit - 1:#x}")
    return start, end


def _right(text: str) -> tuple[int, int]:
    level, found, names = text.partition(":")
    if not found or level not in ("0", "1", "2", "3"):
        raise UsageError(f"--rights {shown(text)} is no VMPL:RIGHT", help="--rights 1:read,write")
    try:
        return int(level), int(VmplMask.from_plain(names.split(",")))
    except (ValueError, EncodeError) as exc:
        raise UsageError(f"--rights: {exc}") from None


def _field(text: str) -> tuple[str, int]:
    name, found, value = text.partition("=")
    try:
        if found and name in RmpLo.BITS:
            base = DECIMAL if name in ("asid", "subpage_count") else 0
            return name, number_of(value, base=base)
    except UsageError as exc:
        raise UsageError(f"--where {name}: {exc}", help=exc.help) from None
    hint = nearest(name, RmpLo.BITS) if name not in RmpLo.BITS else "--where vmsa=1"
    raise UsageError(f"--where {shown(text)} is no FIELD=N of an entry", help=hint)


HEADING = f"{'pages':<25} {'addresses':<33} {'count':>9} size state           asid guest addresses"


def _line(run: PageRun) -> str:
    look = terminal_style()
    lo = RmpLo(run.lo)
    last = run.stop - 1
    cells = [
        f"{_span(run.start, last):<25}",
        f"{_span(run.start << 12, (last << 12) + 0xFFF):<33}",
        f"{run.pages:>9}",
        f"{'2M' if lo.page_size else '4K':<4}",
        look.mark(look.strong, f"{run.state.name:<15}"),
    ]
    if lo.asid:
        end = (run.gpa + run.pages << 12) - 1
        cells.append(f"{lo.asid:>4} {_span(run.gpa << 12, end)}")
    elif run.gpa:
        cells.append(f"     gpa field {run.gpa:#x}")
    cells += [name for name in ("vmsa", "validated", "lock") if _is_unusual(run, lo, name)]
    cells += [rights_text(run.hi)]
    return " ".join(cells).rstrip()


def _is_unusual(run: PageRun, lo: RmpLo, name: str) -> bool:
    """Return whether a bit is set that the state does not imply."""
    implied = {
        RmpState.GUEST_VALID: ("validated",),
        RmpState.PRE_SWAP: ("validated", "lock"),
        RmpState.PRE_GUEST: ("lock",),
        RmpState.CONTEXT: ("vmsa", "lock"),
        RmpState.FIRMWARE: ("lock",),
        RmpState.FIRMWARE_IOMMU: ("lock",),
        RmpState.METADATA: ("lock",),
    }
    return bool(getattr(lo, name)) and name not in implied.get(run.state, ())


def _span(first: int, last: int) -> str:
    return f"{first:#x}" if first == last else f"{first:#x}..{last:#x}"


def rights_text(hi: int) -> str:
    """Return the permissions of each VMPL, a letter each: ``0:rwusk 1:r``."""
    word = RmpHi(hi)
    levels = []
    for level in range(4):
        mask = VmplMask(getattr(word, f"vmpl{level}"))
        letters = "".join(LETTERS.get(name, "?") for name in mask.names())
        if letters:
            levels.append(f"{level}:{letters}")
    return " ".join(levels)


def _object(run: PageRun) -> dict[str, Any]:
    lo, hi = RmpLo(run.lo), RmpHi(run.hi)
    return {
        "first": f"{run.start:#x}",
        "last": f"{run.stop - 1:#x}",
        "address": f"{run.start << 12:#x}",
        "pages": run.pages,
        "size": "2M" if lo.page_size else "4K",
        "state": run.state.name,
        "asid": lo.asid,
        "gpa": f"{run.gpa << 12:#x}" if lo.asid else None,
        "vmsa": lo.vmsa,
        "rights": {
            f"vmpl{level}": VmplMask(getattr(hi, f"vmpl{level}")).names() for level in range(4)
        },
        "lo": f"{run.lo:#018x}",
        "hi": f"{run.hi:#018x}",
    }
