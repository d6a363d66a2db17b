"""From an input to a document: choose the kind, take the bytes, decode them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ..context import Direction
from ..decode import Hints, document
from ..errors import DecodeError, InputError, UsageError
from ..layout import Record
from ..wire import COMMAND, Kind, kind
from ..wire.address import PAGE
from .input import Source, SourceError, TextError, cut, load, size_help

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..capture.kvm_ghcb import GhcbBlock
    from ..context import Decision
    from ..view.document import Document
    from ..wire.command_table import CommandId
    from ..wire.ghcb import Page
    from .input import InnerValue
    from .options import ContextOptions, PieceOptions

OBJECT = re.compile(rb"\s*\{\s*\"")
"""How an object of JSON begins, and no list of numbers of C."""


class _Target(NamedTuple):
    """What an input is to be read as, as far as the command line says."""

    kind: Kind | None = None
    command: CommandId | None = None
    size: int | None = None
    fits: Callable[[int], bool] | None = None


class _Subject(NamedTuple):
    """What is to be decoded, and what is known about it."""

    kind: Kind | str
    value: Any
    hints: Hints
    decisions: tuple[Decision, ...] = ()
    notes: tuple[str, ...] = ()


def read(
    name: str, file: str, options: PieceOptions, context: ContextOptions, *, strict: bool = True
) -> tuple[Document, Source]:
    """Read *file* as the kind called *name*.

    Where *strict* is false, an input that was cut is read as far as it goes, and one with something
    behind the value as well. Raises InputError, DecodeError by way of SourceError, and OSError.
    """
    target = _command_target(context) if name == COMMAND else _kind_target(name, context)
    piece = cut(options.offset, options.length, options.page, target.size, strict=strict)
    try:
        source = load(file, form=options.form, piece=piece, fits=target.fits)
    except SourceError as exc:
        broken = exc.cause if isinstance(exc.cause, TextError) else None
        inner = broken and _inner(Source(exc.name, b"", raw=broken.raw), target)
        if not inner:
            raise
        source = inner
    else:
        if source.prose or not (target.fits and target.fits(len(source.data))):
            source = _inner(source, target) or source
    return _read(source, target, context, strict=strict or source.prose)


def _inner(source: Source, target: _Target) -> Source | None:
    """Return the value that an input has in it, which is not itself of the kind.

    Raises SourceError where it was meant to have one, unless it is the beginning of one itself.
    """
    if target.kind is None or not source.raw or source.log:
        return None
    from .container import contained_as

    fits = target.kind.type.fits(len(source.data))
    try:
        found = contained_as(target.kind, source.raw, source.data)
    except InputError as exc:
        if fits or (not source.prose and _begins(target.kind, source.data)):
            return None
        raise SourceError(source.name, exc) from None
    if found is None and not fits and OBJECT.match(source.raw):
        reason = f"this is JSON, and nothing in it has the size of a {target.kind.name}"
        raise SourceError(source.name, InputError(reason))
    return found and inner_source(source, found)


def _begins(row: Kind, data: bytes) -> bool:
    """Return whether *data* has the shape of the beginning of a kind."""
    from ..rules.identify import candidates

    return any(row.name == candidate.kind for candidate in candidates(data))


def inner_source(source: Source, found: InnerValue) -> Source:
    """Return the source of a value that lies in something else."""
    data = found.value if isinstance(found.value, bytes) else b""
    notes = () if source.prose else source.notes
    return source._replace(data=data, base=found.base, notes=notes, prose=False, found=found)


def read_as(
    kind: Kind, source: Source, context: ContextOptions, *, strict: bool
) -> tuple[Document, Source]:
    """Read what was loaded as *kind*. Raises SourceError."""
    return _read(source, _Target(kind), context, strict=strict)


def _read(
    source: Source, target: _Target, context: ContextOptions, *, strict: bool
) -> tuple[Document, Source]:
    direction = Direction(context.direction) if context.direction else None
    hints = Hints(direction, context.gpa, context.product, context.family)
    try:
        row, value, known, decisions, notes = _subject(source, target, hints, strict=strict)
        doc = document(row, value, known, base=source.base, decisions=decisions, strict=strict)
    except DecodeError as exc:
        size = None if target.command is None else target.size or 0
        cause = InputError(str(exc), help=size_help(exc, source, size))
        raise SourceError(source.name, cause) from None
    except InputError as exc:
        raise SourceError(source.name, exc) from None
    return doc, source._replace(notes=(*source.notes, *notes, *extent_notes(doc)))


def _command_target(context: ContextOptions) -> _Target:
    """Return the command that ``--id`` names."""
    from ..decode.command import fits, layouts
    from .command import command_of

    number = command_of(context.command)
    names = layouts(number)
    if not names:
        return _Target(command=number)
    return _Target(None, number, kind(names[0]).type.SIZE, lambda count: fits(number, count))


def _kind_target(name: str, context: ContextOptions) -> _Target:
    if context.command is not None:
        raise UsageError(f"--id is for a command, not for {name}", help="decode command --id 0x94")
    row = kind(name)
    size = row.type.SIZE if issubclass(row.type, Record) else None
    return _Target(row, None, size, row.type.fits)


def _subject(source: Source, target: _Target, hints: Hints, *, strict: bool) -> _Subject:
    """Return what an input holds: a command's buffer, KVM's dump, or bytes of a kind."""
    if source.log and target.command is None:
        row = target.kind or kind("ghcb")
        if row.name != "ghcb":
            raise InputError(f"this is KVM's dump of a GHCB, not a {row.name}")
        return _Subject(row, *_printed_page(source.log, hints))
    if target.command is not None:
        return _buffer(target.command, source.data, hints, strict=strict)
    row = target.kind or kind("ghcb")
    if source.found:
        return _Subject(row, source.found.value, hints._replace(absent=source.found.absent))
    if row.chapter == "certs":
        refuse_certificates(source)
    padded = len(source.data) == PAGE and not any(source.data[row.type.SIZE :])
    data, notes = _front(row, source.data) if padded and not strict else (source.data, ())
    return _Subject(row, data, hints, notes=notes)


def _buffer(number: CommandId, data: bytes, hints: Hints, *, strict: bool) -> _Subject:
    """Return a command's buffer, which a driver may have placed at the beginning of a page."""
    from ..decode.command import Undeclared, layout

    row, decisions = layout(number, len(data))
    if not row.chapter:
        return _Subject(row, Undeclared(data), hints, decisions)
    front, notes = _front(row, data) if len(data) == PAGE and not strict else (data, ())
    return _Subject(row, front, hints, decisions, notes)


def _front(row: Kind, data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a record with something behind it, and a note on what is there."""
    size = row.type.SIZE
    if not issubclass(row.type, Record) or len(data) <= size:
        return data, ()
    rest = data[size:]
    how = "not all of them zero" if any(rest) else "all of them zero"
    return data[:size], (f"{len(rest)} bytes follow the {size} of {row.name}, {how}",)


def extent_notes(doc: Document) -> tuple[str, ...]:
    """Return a note on what is missing of a value, if anything is."""
    if doc.missing is None:
        return ()
    if doc.kind.name == "message":
        from ..view.message import extent_text

        return (extent_text(doc.value, doc.missing),)  # type: ignore[arg-type]
    return (doc.missing.text,)


def refuse_certificates(source: Source) -> None:
    """Refuse certificates without a table, as which they would be read. Raises InputError."""
    from ..crypto.certificate_form import certificate_form

    form = certificate_form(source.data)
    if form:
        reason = f"this is {form.text}, not a certificate table"
        raise InputError(reason, help="snpwire decode cert reads it")


def _printed_page(block: GhcbBlock, hints: Hints) -> tuple[Page, Hints]:
    """Return a page of what KVM's dump shows, with its address and the fields not shown."""
    from ..wire.ghcb import Page

    page = Page(**block.values, valid_bitmap=block.bitmap)
    shown = {*block.values, *(("valid_bitmap",) if block.bitmap_known else ())}
    absent = frozenset(field.path for field in page.FIELDS if field.path not in shown)
    gpa = block.gpa if hints.gpa is None else hints.gpa
    return page, hints._replace(gpa=gpa, absent=absent)
