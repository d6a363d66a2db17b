"""From an input to a document: choose the kind, take the bytes, decode them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..context import Direction
from ..decode import Hints, document
from ..errors import DecodeError, InputError, UsageError
from ..layout import Record
from ..wire import COMMAND, Kind, kind
from .input import Source, SourceError, cut, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..capture.kvm_ghcb import GhcbBlock
    from ..view.document import Document
    from ..wire.command_table import CommandId
    from ..wire.ghcb import Page
    from .options import ContextOptions, PieceOptions


class _Target(NamedTuple):
    """What an input is to be read as, as far as the command line says."""

    kind: Kind | None = None
    command: CommandId | None = None
    size: int | None = None
    fits: Callable[[int], bool] | None = None


def read(
    name: str, file: str, options: PieceOptions, context: ContextOptions
) -> tuple[Document, Source]:
    """Read *file* as the kind called *name*; ``auto`` takes the likeliest.

    Raises InputError, DecodeError by way of SourceError, and OSError.
    """
    target = _command_target(context) if name == COMMAND else _kind_target(name, context)
    piece = cut(options.offset, options.length, options.page, target.size)
    source = load(file, form=options.form, piece=piece, fits=target.fits)
    try:
        return _document(source, target, context)
    except DecodeError as exc:
        hint = _size_help(exc, source, target)
        raise SourceError(source.name, InputError(str(exc), help=hint)) from None
    except InputError as exc:
        raise SourceError(source.name, exc) from None


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
    if name == "auto":
        return _Target()
    row = kind(name)
    size = row.type.SIZE if issubclass(row.type, Record) else None
    return _Target(row, None, size, row.type.fits)


def _document(source: Source, target: _Target, context: ContextOptions) -> tuple[Document, Source]:
    """Return the document of what was read, and the source with a note if its kind was guessed."""
    direction = Direction(context.direction) if context.direction else None
    hints = Hints(direction, context.gpa, context.product, context.family)
    if target.command is not None:
        from ..decode.command import command_document

        return command_document(target.command, source.data, hints, base=source.base), source
    row = target.kind
    if row is None:
        row, source = _identified(source)
    if source.log is None:
        return document(row, source.data, hints, base=source.base), source
    if row.name != "ghcb":
        raise InputError(f"this is KVM's dump of a GHCB, not a {row.name}")
    gpa = source.log.gpa if hints.gpa is None else hints.gpa
    page, absent = _printed_page(source.log)
    return document(row, page, hints._replace(gpa=gpa, absent=absent)), source


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


def _size_help(exc: DecodeError, source: Source, target: _Target) -> str:
    size = len(source.data)
    if target.command is not None:
        longer = target.size is not None and size > target.size
        return f"--length {target.size} takes as many from the beginning" if longer else ""
    if not exc.path and size > 4096:
        return "--page N takes one 4 KiB page of it, --offset and --length any piece"
    return exc.help


def _printed_page(block: GhcbBlock) -> tuple[Page, frozenset[str]]:
    """Return a page of what KVM's dump shows, and the fields that it does not show."""
    from ..wire.ghcb import Page

    page = Page(**block.values, valid_bitmap=block.bitmap)
    shown = {*block.values, *(("valid_bitmap",) if block.bitmap_known else ())}
    return page, frozenset(field.path for field in page.FIELDS if field.path not in shown)
