"""From a parsed value to a document: what it means, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..view.document import Document, Inner
from .interpretation import Reading, reading

if TYPE_CHECKING:
    from ..context import Context, Direction
    from ..wire import Kind

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
        from .interpretation import rmp_reading

        other = rmp_reading(chosen.name, value, wanted.family)
        meanings = other.meanings
    elif chosen.name in GUEST:
        other = reading(chosen.name, value, wanted.direction, wanted.product)
        meanings, refused = other.meanings, other.refused
    elif chosen.name.startswith("cmd-"):
        other = _command(value)
        refused = other.refused
    found = tuple(findings(value, context or other.context))
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
