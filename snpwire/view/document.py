"""A decoded value with all that is known about it; what every view draws from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..context import BARE, Context
from .meaning import Meaning, plain_meaning
from .secret import hidden, secret_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..block import Block
    from ..context import Decision
    from ..finding import Finding
    from ..layout import Leaf, Record
    from ..product import ProductDecision
    from ..wire import Kind


class Inner(NamedTuple):
    """A second reading of bytes that a field of the value holds."""

    path: str
    offset: int
    """Offset from the start of the outer value."""
    kind: str
    value: Any


class Mark(NamedTuple):
    """Bytes that have a part to play together, as annotated hex shows them."""

    name: str
    start: int
    end: int
    """Offset of the first byte behind them."""
    text: str


class Document(NamedTuple):
    """One decoded value, how it was read, and what there is to say about it."""

    kind: Kind
    value: Record | Block
    size: int
    context: Context = BARE
    meanings: dict[str, Meaning] = {}
    findings: tuple[Finding, ...] = ()
    inner: tuple[Inner, ...] = ()
    base: int = 0
    """Where in its file the value begins; every other offset counts from there."""
    refused: Finding | None = None
    """The finding for which the receiver refuses it: the first in the order of its checks."""
    status: str = ""
    """What the firmware answers then, where it is the receiver; else KVM is."""
    marks: tuple[Mark, ...] = ()
    redacted: frozenset[str] = frozenset()
    """Fields that are not to be shown."""
    unknown: tuple[str, ...] = ()
    """What there is to know and the value cannot tell."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Return every choice that the bytes alone did not make."""
        return self.context.decisions

    @property
    def absent(self) -> frozenset[str]:
        """Return the fields whose value is not known."""
        return self.context.absent

    @property
    def product(self) -> ProductDecision | None:
        """Return how TCB versions are laid out, where that is decided."""
        return self.context.product

    @property
    def is_ghcb(self) -> bool:
        """Return whether it is a GHCB page, which has an exit and marks what is valid."""
        return self.kind.name == "ghcb"

    def leaves(self) -> Iterator[Leaf]:
        """Yield every value that is known; what is redacted has its place and no value."""
        absent = self.absent
        return (
            self.shown(leaf)
            for leaf in self.value.leaves()
            if leaf.path not in absent and not (absent and leaf.gap)
        )

    def shown(self, leaf: Leaf) -> Leaf:
        """Return *leaf*, without its value if it is redacted."""
        return hidden(leaf) if leaf.path in self.redacted else leaf

    def meaning(self, leaf: Leaf) -> Meaning:
        """Return what *leaf* means here."""
        return self.meanings.get(leaf.path) or plain_meaning(leaf.value)

    def without_secrets(self) -> Document:
        """Return the document with keys and nonces redacted."""
        return self._replace(redacted=frozenset(secret_fields(self.value)))
