"""``snpwire decode``: bytes to a tree, annotated hex or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..bits import nearest
from ..errors import InputError, UsageError
from ..finding import reaches, summary
from ..wire import CERTIFICATES, COMMAND, RECORDS, kind
from .container import folder_source, is_folder
from .documents import inner_source, read, read_as
from .input import shown_name
from .output import terminal_style, write_json, write_lines, write_note
from .page_head import begins_with_pages

if TYPE_CHECKING:
    from ..layout import Leaf
    from ..view.document import Document
    from .input import Source
    from .options import ContextOptions, PieceOptions, ViewOptions

AUTO = "auto"
"""In the place of a kind: whatever the input is."""


class DecodeOptions(NamedTuple):
    """What is done with the values that are read."""

    context: ContextOptions
    view: ViewOptions
    redact: bool = False
    strict: bool = False
    fail_on: str | None = None
    report: str | None = None
    """File of a report that certificates have to fit."""

    @property
    def whole(self) -> bool:
        """Return whether a value has to be whole: what is not there passes no check."""
        return self.strict or self.fail_on is not None


def decode(word: str, file: str | None, piece: PieceOptions, reading: DecodeOptions) -> int:
    """Print what an input holds; return 1 if a finding reaches the threshold."""
    name, file = _subject(word, file)
    if (name == AUTO or name in RECORDS) and begins_with_pages(file, piece):
        return _print_pages(name, file, reading)
    if name == AUTO:
        return _print_content(file, piece, reading)
    if name in CERTIFICATES:
        return _print_certificates(name, file, None, piece, reading)
    _refuse_fit(name, reading)
    if name == "report" and is_folder(file):
        source = folder_source(file)
        return _print(*read_as(kind(name), source, reading.context, strict=True), reading)
    return _print(*read(name, file, piece, reading.context, strict=reading.whole), reading)


def _subject(word: str, file: str | None) -> tuple[str, str]:
    """Return kind and file of the words given, the first of which may be a file by itself."""
    if word in RECORDS or word in CERTIFICATES or word in (COMMAND, AUTO):
        return word, "-" if file is None else file
    if file is None and word and (word == "-" or Path(word).exists()):
        return AUTO, word
    try:
        return kind(word).name, file or "-"
    except UsageError as exc:
        also = ", nor a file of that name" if file is None else ""
        hint = f"decode {file} {word}" if file in RECORDS and Path(word).exists() else exc.help
        raise UsageError(f"{exc}{also}", help=hint) from None


def _print_content(file: str, piece: PieceOptions, reading: DecodeOptions) -> int:
    """Print what an input holds that is not named."""
    from .content import CERTIFICATE, LOG, contents

    found, source, given = contents(file, piece)
    best = found[0]
    if best.kind == CERTIFICATE:
        write_note(f"taken as {best.evidence[0]}")
        return _print_certificates(CERTIFICATE, file, given, piece, reading)
    _refuse_fit(best.kind, reading)
    if best.found:
        source = inner_source(source, best.found)
    if best.kind in RECORDS:
        if not source.log and not source.found:
            note = f"taken as {best.kind}: {', '.join(best.evidence)}"
            source = source._replace(notes=(*source.notes, note))
        doc, source = read_as(kind(best.kind), source, reading.context, strict=reading.whole)
        return _print(doc, source, reading)
    if best.kind == LOG:
        return _print_log(file, given, reading)
    reason = f"{source.name}: nothing tells what this is: {best.evidence[0]}"
    raise InputError(reason, help="name a KIND; decode --help lists them")


def _print_pages(name: str, file: str, reading: DecodeOptions) -> int:
    """Print the pages of a stream as they come."""
    from .pages import StreamOptions, run

    _refuse_fit(name, reading)
    given = reading.context, reading.view, reading.redact, reading.fail_on
    return run(file, StreamOptions(name, *given))


def _print_certificates(
    name: str, file: str, given: bytes | None, piece: PieceOptions, reading: DecodeOptions
) -> int:
    """Print certificates, those of *file* or what was *given* of it. Raises UsageError."""
    from .certificate import (
        CertificateView,
        certificates_in,
        decode_certificates,
        print_certificates,
    )

    view = reading.view
    if view.hexdump or view.fields is not None:
        raise UsageError(f"--hex and --fields are for a record, not for a {name}")
    shown = CertificateView(
        view.json is not None, reading.fail_on, reading.report, reading.context.product
    )
    if given is None:
        return decode_certificates(file, piece, shown)
    return print_certificates(certificates_in(shown_name(file), given, piece), shown)


def _refuse_fit(name: str, reading: DecodeOptions) -> None:
    if reading.report is not None:
        raise UsageError(f"--report is for a certificate, not for {name}")


def _print(doc: Document, source: Source, reading: DecodeOptions) -> int:
    """Print one decoded value; return 1 if a finding reaches the threshold."""
    doc = doc.without_secrets() if reading.redact else doc
    hexdump, json, fields, everything = reading.view
    write_note(*source.notes)
    only = None if fields is None else selected(doc, fields.split(","))
    found = source.found
    if found and json is None:
        write_lines(found.lines if only is None else ())
        write_note(*(found.lines if only is not None else ()))
    if json is not None:
        from ..view.json import document

        plain = document(doc, full=json == "full", only=only)
        write_json(plain | ({"source": found.plain} if found else {}))
    elif hexdump or doc.kind.name == COMMAND:
        from ..view.hex import annotated, legend

        if not hexdump:
            from ..view.tree import decision_lines, heading

            write_lines([heading(doc), *decision_lines(doc)])
        write_lines(legend(doc))
        write_lines(annotated(doc, only=only, style=terminal_style()))
    else:
        from ..view.table import table
        from ..view.tree import leaf_rows, tree

        if only is None:
            write_lines(tree(doc, everything=everything, style=terminal_style()))
        else:
            rows = [row for leaf in only for row in leaf_rows(leaf, doc.meaning(leaf))]
            write_lines(table(rows, terminal_style()))
    write_note(f"findings: {summary(doc.findings)}{' in what is there' if doc.missing else ''}")
    return int(reading.fail_on is not None and reaches(doc.findings, reading.fail_on))


def _print_log(file: str, given: bytes | None, reading: DecodeOptions) -> int:
    """Print the records of a log. Raises UsageError for options that a log has no use for."""
    from .log import run

    hexdump, json, fields, _ = reading.view
    if hexdump or fields is not None or json == "full" or reading.fail_on is not None:
        hint = "log prints its records, with --json as JSON Lines"
        raise UsageError(f"{shown_name(file)}: this is a log, not one value", help=hint)
    write_note("taken as a log: snpwire log prints the same")
    return run(file, only=None, json=json is not None, following=False, numbers=False, given=given)


def selected(doc: Document, paths: list[str]) -> list[Leaf]:
    """Return the leaves at or below each path.

    Raises UsageError for a path that has none, InputError for one whose bytes are not there.
    """
    leaves = [doc.shown(leaf) for leaf in doc.value.leaves()]
    found = []
    for path in paths:
        below = [leaf for leaf in leaves if f"{leaf.path}.".startswith((f"{path}.", f"{path}["))]
        if not below:
            hint = nearest(path, [leaf.path for leaf in leaves])
            raise UsageError(f"{doc.kind.name} has no field {path!r}", help=hint)
        there = [leaf for leaf in below if doc.missing is None or doc.missing.has(leaf)]
        if not there:
            raise InputError(f"{path} at {below[0].offset:#05x} is not among the {doc.size} bytes")
        found += [leaf for leaf in there if leaf.path not in doc.absent]
    return found
