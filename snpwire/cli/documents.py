"""From an input to a document: choose the kind, take the bytes, decode them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context import Direction
from ..decode import Hints, document
from ..errors import DecodeError, InputError, UsageError
from ..layout import Record
from ..wire import COMMAND, Kind, kind
from .input import Source, SourceError, cut, load

if TYPE_CHECKING:
    from ..capture.kvm_ghcb import GhcbBlock
    from ..view.document import Document
    from ..wire.ghcb import Page
    from .options import ContextOptions, PieceOptions


def read(
    name: str, file: str, options: PieceOptions, context: ContextOptions
) -> tuple[Document, Source]:
    """Read *file* as the kind called *name*; ``auto`` takes the likeliest.

    Raises InputError, DecodeError by way of SourceError, and OSError.
    """
    if name == COMMAND:
        return _read_command(file, options, context)
    if context.command is not None:
        raise UsageError(f"--id is for a command, not for {name}", help="decode command --id 0x94")
    chosen = None if name == "auto" else kind(name)
    size = chosen.type.SIZE if chosen and issubclass(chosen.type, Record) else None
    piece = cut(options.offset, options.length, options.page, size)
    fits = chosen.type.fits if chosen else None
    source = load(file, form=options.form, piece=piece, fits=fits)
    try:
        if chosen is None:
            chosen, source = _identified(source)
        return _document(chosen, source, _hints(context)), source
    except DecodeError as exc:
        raise SourceError(source.name, InputError(str(exc), help=_size_help(exc, source))) from None
    except InputError as exc:
        raise SourceError(source.name, exc) from None


def _hints(context: ContextOptions) -> Hints:
    direction = Direction(context.direction) if context.direction else None
    return Hints(direction, context.gpa, context.product, context.family)


def _read_command(
    file: str, options: PieceOptions, context: ContextOptions
) -> tuple[Document, Source]:
    """Read a command's buffer as what ``--id`` makes it."""
    from ..decode.command import command_document, fits, layouts
    from .command import command_of

    number = command_of(context.command)
    names = layouts(number)
    size = kind(names[0]).type.SIZE if names else None
    piece = cut(options.offset, options.length, options.page, size)
    known = (lambda count: fits(number, count)) if names else None
    source = load(file, form=options.form, piece=piece, fits=known)
    try:
        return command_document(number, source.data, _hints(context), base=source.base), source
    except DecodeError as exc:
        longer = size is not None and len(source.data) > size
        hint = f"--length {size} takes as many from the beginning" if longer else ""
        raise SourceError(source.name, InputError(str(exc), help=hint)) from None


def _identified(source: Source) -> tuple[Kind, Source]:
    from ..rules.identify import UNKNOWN, candidates

    if source.log:
        return kind("ghcb"), source
    best = candidates(source.data)[0]
    if best.kind == UNKNOWN:
        reason = f"nothing tells what this is: {best.evidence[0]}"
        raise InputError(reason, help="name a KIND; decode --help lists them")
    note = f"taken as {best.kind}: {', '.join(best.evidence)}"
    return kind(best.kind), source._replace(notes=(*source.notes, note))


def _size_help(exc: DecodeError, source: Source) -> str:
    if not exc.path and len(source.data) > 4096:
        return "--page N takes one 4 KiB page of it, --offset and --length any piece"
    return exc.help


def _document(chosen: Kind, source: Source, hints: Hints) -> Document:
    if source.log is None:
        return document(chosen, source.data, hints, base=source.base)
    if chosen.name != "ghcb":
        raise InputError(f"this is KVM's dump of a GHCB, not a {chosen.name}")
    gpa = source.log.gpa if hints.gpa is None else hints.gpa
    page, absent = _printed_page(source.log)
    return document(chosen, page, hints._replace(gpa=gpa, absent=absent))


def _printed_page(block: GhcbBlock) -> tuple[Page, frozenset[str]]:
    """Return a page of what KVM's dump shows, and the fields that it does not show."""
    from ..wire.ghcb import Page

    page = Page(**block.values, valid_bitmap=block.bitmap)
    shown = {*block.values, *(("valid_bitmap",) if block.bitmap_known else ())}
    return page, frozenset(field.path for field in page.FIELDS if field.path not in shown)
