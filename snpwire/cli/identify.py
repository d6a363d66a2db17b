"""``snpwire identify``: what an input may be."""

from __future__ import annotations

from ..rules.identify import UNKNOWN, candidates
from ..wire import RECORDS
from .input import cut, load
from .output import note, say


def identify(
    file: str, *, form: str, offset: int | None, length: int | None, page: int | None, json: bool
) -> int:
    """Print the kinds that an input may be, likeliest first; return 1 if there is none."""
    source = load(file, form=form, piece=cut(offset, length, page, None), fits=None)
    for said in source.notes:
        note(said)
    if source.log:
        rows: list[tuple[str, float, tuple[str, ...]]]
        rows = [("ghcb", 1.0, ("KVM's log names it", f"GPA {source.log.gpa:#x}"))]
    else:
        rows = [(c.kind, c.score, c.evidence) for c in candidates(source.data)]
    if json:
        from ..view.json import dumps

        say([dumps([{"kind": k, "score": round(s, 2), "evidence": list(e)} for k, s, e in rows])])
    else:
        for name, score, evidence in rows:
            say(
                [f"{score:4.0%}  {name}  {RECORDS[name].title if name in RECORDS else ''}".rstrip()]
            )
            say(f"      {line}" for line in evidence)
    return int(rows[0][0] == UNKNOWN)
