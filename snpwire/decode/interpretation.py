"""How a value is read: what the caller knows about it, and what follows for a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..context import BARE, Context

if TYPE_CHECKING:
    from ..context import Direction
    from ..finding import Finding
    from ..view.document import Inner, Mark
    from ..view.meaning import Meaning


class Hints(NamedTuple):
    """What a caller knows about bytes, whatever they say; None where they are to be asked."""

    direction: Direction | None = None
    gpa: int | None = None
    """Guest-physical address of the bytes."""
    product: str | None = None
    """The product whose TCB versions they have, by name."""
    family: str | None = None
    """The processor whose reverse map table it is, by name."""
    absent: frozenset[str] = frozenset()
    """Fields of a GHCB page whose value is not known."""

    def context(self) -> Context:
        """Return what rules may know without looking at the bytes."""
        return Context(self.direction, gpa=self.gpa)


NO_HINTS = Hints()


class Interpretation(NamedTuple):
    """What was decided about a value, and what follows from it; the fields are a document's."""

    context: Context = BARE
    meanings: dict[str, Meaning] = {}
    refused: Finding | None = None
    status: str = ""
    inner: tuple[Inner, ...] = ()
    marks: tuple[Mark, ...] = ()
    unknown: tuple[str, ...] = ()
