"""From an input to a document: choose the kind, parse, decide how to read it, judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import DecodeError, InputError, UsageError
from ..view.document import Document, Inner
from ..wire import Kind, kind
from .command import COMMAND, fits, layouts, named, parsed
from .input import Source, SourceError, cut, load
from .reading import Reading, reading

if TYPE_CHECKING:
    from ..context import Context, Direction

MIGRATION = ("guest-context", "export-rsp", "import-req", "absorb-req", "absorb-noma-req")
RMP = frozenset(("rmp", "rmpread", "rmpupdate", "rst"))
GUEST = frozenset(("message", "report", "report-rsp", "key-req", "key-req-v2", *MIGRATION))
"""Kinds of which more has to be decided than their bytes say."""


class Wanted(NamedTuple):
    """What the options of a command ask for."""

    form: str = "auto"
    offset: int | None = None
    length: int | None = None
    page: int | None = None
    direction: Direction | None = None
    gpa: int | None = None
    product: str | None = None
    redact: bool = False
    id: str | None = None
    """The command whose buffer it is, where KIND is ``command``."""
    family: str | None = None
    """The processor whose reverse map table it is."""


def read(name: str, file: str, wanted: Wanted) -> tuple[Document, Source]:
    """Read *file* as the kind called *name*; ``auto`` takes the likeliest.

    Raises InputError, DecodeError by way of SourceError, and OSError.
    """
    if name == COMMAND:
        return _read_command(file, wanted)
    if wanted.id is not None:
        raise UsageError(f"--id is for a command, not for {name}", help="decode command --id 0x94")
    chosen = None if name == "auto" else kind(name)
    size = chosen.type.SIZE if chosen and _is_fixed(chosen) else None
    piece = cut(wanted.offset, wanted.length, wanted.page, size)
    fits = chosen.type.fits if chosen else None
    source = load(file, form=wanted.form, piece=piece, fits=fits)
    try:
        if chosen is None:
            chosen, source = _identified(source)
        return _document(chosen, source, wanted), source
    except DecodeError as exc:
        raise SourceError(source.name, InputError(str(exc), help=_size_help(exc, source))) from None
    except InputError as exc:
        raise SourceError(source.name, exc) from None


def _read_command(file: str, wanted: Wanted) -> tuple[Document, Source]:
    """Read a command's buffer as what ``--id`` makes it."""
    number = named(wanted.id)
    names = layouts(number)
    size = kind(names[0]).type.SIZE if names else None
    piece = cut(wanted.offset, wanted.length, wanted.page, size)
    known = (lambda count: fits(number, count)) if names else None
    source = load(file, form=wanted.form, piece=piece, fits=known)
    try:
        chosen, value, said = parsed(number, source.data)
    except DecodeError as exc:
        longer = size is not None and len(source.data) > size
        hint = f"--length {size} takes as many from the beginning" if longer else ""
        raise SourceError(source.name, InputError(str(exc), help=hint)) from None
    doc = document(chosen, value, wanted, size=len(source.data), base=source.base)
    return doc._replace(chosen=(*said, *doc.chosen)), source


def _is_fixed(chosen: Kind) -> bool:
    from ..layout import Record

    return issubclass(chosen.type, Record)


def _identified(source: Source) -> tuple[Kind, Source]:
    from ..rules.identify import UNKNOWN, candidates

    if source.log:
        return kind("ghcb"), source
    best = candidates(source.data)[0]
    if best.kind == UNKNOWN:
        reason = f"nothing tells what this is: {best.evidence[0]}"
        raise InputError(reason, help="name a KIND; decode --help lists them")
    said = f"taken as {best.kind}: {', '.join(best.evidence)}"
    return kind(best.kind), source._replace(notes=(*source.notes, said))


def _size_help(exc: DecodeError, source: Source) -> str:
    if not exc.path and len(source.data) > 4096:
        return "--page N takes one 4 KiB page of it, --offset and --length any piece"
    return exc.help


def _document(chosen: Kind, source: Source, wanted: Wanted) -> Document:
    if source.log:
        return _log_document(chosen, source, wanted)
    value = chosen.type.parse(source.data)
    return document(chosen, value, wanted, size=len(source.data), base=source.base)


def document(
    chosen: Kind,
    value: Any,
    wanted: Wanted,
    *,
    size: int,
    base: int = 0,
    absent: frozenset[str] = frozenset(),
) -> Document:
    """Return a parsed value with what it means and what is wrong with it."""
    from ..rules import findings
    from ..view.meaning import msr_meanings, page_meanings

    context: Context | None = None
    meanings = {}
    inner: tuple[Inner, ...] = ()
    refused = None
    other = Reading()
    if chosen.name == "ghcb":
        from ..context import context_of
        from ..rules.ghcb import refusal

        context = context_of(value, direction=wanted.direction, gpa=wanted.gpa, absent=absent)
        meanings = page_meanings(value, context)
        inner = _inner(value, context)
        refused = refusal(value, context)
    elif chosen.name == "msr":
        meanings = msr_meanings(value)
    elif chosen.name in RMP:
        from .rmp_reading import rmp_reading

        other = rmp_reading(chosen.name, value, wanted.family)
        meanings = other.meanings
    elif chosen.name in GUEST:
        other = reading(chosen.name, value, wanted.direction, wanted.product)
        meanings, refused = other.meanings, other.refused
    elif chosen.name.startswith("cmd-"):
        other = _command(value)
        refused = other.refused
    found = tuple(findings(value, context or other.given))
    made = Document(
        chosen,
        value,
        size,
        context,
        meanings,
        found,
        inner,
        base,
        refused,
        other.status,
        other.decisions,
        other.product,
        other.marks,
        unknown=other.unknown,
    )
    return made.without_secrets() if wanted.redact else made


def _command(value: Any) -> Reading:
    """Ask what the firmware answers to a command's buffer."""
    from ..rules.commands import refusal

    found = refusal(value)
    return Reading(refused=found[0], status=found[1].name) if found else Reading()


def _inner(page: Any, context: Context) -> tuple[Inner, ...]:
    """Read the shared buffer of a page state change, where the scratch address points into it."""
    from ..wire.ghcb import SHARED_END, SHARED_START

    if context.event is None or context.event.name != "SNP_PAGE_STATE_CHANGE":
        return ()
    start = page.sw_scratch % 4096
    if context.absent or not SHARED_START <= start <= SHARED_END - 8:
        return ()
    from ..wire.psc import PscBuffer

    held = page.shared_buffer[start - SHARED_START :]
    return (Inner("shared_buffer", start, "psc", PscBuffer.parse(held)),)


def _log_document(chosen: Kind, source: Source, wanted: Wanted) -> Document:
    """Make a page of what KVM's dump shows; all else is absent."""
    if chosen.name != "ghcb" or source.log is None:
        raise InputError(f"this is KVM's dump of a GHCB, not a {chosen.name}")
    from ..wire.ghcb import Page

    block = source.log
    page = Page(**block.values, valid_bitmap=block.bitmap)
    shown = {*block.values, "valid_bitmap"}
    if not block.bitmap_known:
        shown.discard("valid_bitmap")
    absent = frozenset(field.path for field in page.FIELDS if field.path not in shown)
    wanted = wanted._replace(gpa=block.gpa if wanted.gpa is None else wanted.gpa)
    return document(chosen, page, wanted, size=Page.SIZE, absent=absent)
