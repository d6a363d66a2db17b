"""``snpwire identify``: the kinds that an input may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rules.identify import UNKNOWN, candidates
from ..wire import RECORDS
from .input import LargeInputError, Source, SourceError, cut, load
from .output import write_json, write_lines, write_note

if TYPE_CHECKING:
    from .options import PieceOptions


def identify(file: str, options: PieceOptions, *, json: bool) -> int:
    """Print the kinds that an input may be, likeliest first; return 1 if there is none."""
    piece = cut(options.offset, options.length, options.page, None)
    rows: list[tuple[str, float, tuple[str, ...]]]
    try:
        source = load(file, form=options.form, piece=piece, fits=None)
    except SourceError as exc:
        if not isinstance(exc.cause, LargeInputError):
            raise
        rows = [(UNKNOWN, 0.0, (f"{exc.cause.reason}: {exc.cause.help}",))]
    else:
        write_note(*source.notes)
        rows = _rows(source)
    if json:
        write_json([{"kind": k, "score": round(s, 2), "evidence": list(e)} for k, s, e in rows])
    else:
        for name, score, evidence in rows:
            write_lines(
                [f"{score:4.0%}  {name}  {RECORDS[name].title if name in RECORDS else ''}".rstrip()]
            )
            write_lines(f"      {line}" for line in evidence)
    return int(rows[0][0] == UNKNOWN)


def _rows(source: Source) -> list[tuple[str, float, tuple[str, ...]]]:
    """Return kind, score and evidence of each candidate."""
    if source.log:
        return [("ghcb", 1.0, ("KVM's log names it", f"GPA {source.log.gpa:#x}"))]
    return [(c.kind, c.score, c.evidence) for c in candidates(source.data)]
