"""A decoded value with all that is known about it; what every view draws from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .meaning import Meaning, plain_meaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..block import Block
    from ..context import Context
    from ..finding import Finding
    from ..layout import Leaf, Record
    from ..wire import Kind


class Inner(NamedTuple):
    """A second reading of bytes that a field of the value holds."""

    path: str
    offset: int
    """Offset from the start of the outer value."""
    kind: str
    value: Any


class Document(NamedTuple):
    """One decoded value, how it was read, and what there is to say about it."""

    kind: Kind
    value: Record | Block
    size: int
    context: Context | None = None
    meanings: dict[str, Meaning] = {}
    findings: tuple[Finding, ...] = ()
    inner: tuple[Inner, ...] = ()
    base: int = 0
    """Where in its file the value begins; every other offset counts from there."""
    refused: Finding | None = None
    """The finding for which KVM refuses the page: the first in the order of its checks."""

    @property
    def absent(self) -> frozenset[str]:
        """Return the fields whose value is not known."""
        return self.context.absent if self.context else frozenset()

    def leaves(self) -> Iterator[Leaf]:
        """Yield every value that is known."""
        absent = self.absent
        return (
            leaf
            for leaf in self.value.leaves()
            if leaf.path not in absent and not (absent and leaf.gap)
        )

    def meaning(self, leaf: Leaf) -> Meaning:
        """Return what *leaf* means here."""
        return self.meanings.get(leaf.path) or plain_meaning(leaf.value)
