"""From an input to a document: choose the kind, parse, decide how to read it, judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..decode.command import COMMAND, fits, layouts, named, parsed
from ..decode.document import Wanted, document
from ..errors import DecodeError, InputError, UsageError
from ..wire import Kind, kind
from .input import Source, SourceError, cut, load

if TYPE_CHECKING:
    from ..view.document import Document


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
