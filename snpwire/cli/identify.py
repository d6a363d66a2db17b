"""``snpwire identify``: the kinds that an input may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rules.identify import UNKNOWN
from .content import Content, contents
from .input import LargeInputError, SourceError
from .output import write_json, write_lines, write_note

if TYPE_CHECKING:
    from .options import PieceOptions


def identify(file: str, options: PieceOptions, *, json: bool) -> int:
    """Print what an input may hold, likeliest first; return 1 if nothing is known."""
    try:
        found, source, _ = contents(file, options)
    except SourceError as exc:
        if not isinstance(exc.cause, LargeInputError):
            raise
        found = [Content(UNKNOWN, 0.0, (f"{exc.cause.reason}: {exc.cause.help}",))]
    else:
        inside = source.prose and found[0].found
        write_note(*(() if inside else source.notes))
    if json:
        write_json([content.to_plain() for content in found])
    else:
        for content in found:
            write_lines([f"{content.score:4.0%}  {content.kind}  {content.title}".rstrip()])
            write_lines(f"      {line}" for line in content.evidence)
    return int(found[0].kind == UNKNOWN)
