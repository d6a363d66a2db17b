"""A decoded value with everything known about it: the input of every view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from construct import Bytes

from ..codec import codec_of
from ..context import BARE, Context
from .meaning import Meaning, plain_meaning
from .secret import redacted_leaf, secret_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..block import Block
    from ..context import Decision
    from ..finding import Finding
    from ..layout import Leaf, Record
    from ..product import ProductDecision
    from ..wire import Kind


class Inner(NamedTuple):
    """A structure decoded from the bytes of a field."""

    path: str
    offset: int
    """Offset from the start of the outer value."""
    kind: str
    value: Any


class Mark(NamedTuple):
    """Bytes with a common role, as annotated hex shows them."""

    name: str
    start: int
    end: int
    """Offset of the first byte after them."""
    text: str


class Missing(NamedTuple):
    """How far the bytes of a value go."""

    start: int
    """Offset of the first byte that is not there."""
    of: int
    """How many bytes the whole value has."""

    def has(self, leaf: Leaf) -> bool:
        """Return whether *leaf* is there whole."""
        return leaf.offset + leaf.size <= self.start

    @property
    def text(self) -> str:
        """Return what is not there, in words."""
        return f"{self.start} of {self.of} bytes: what is from {self.start:#05x} on is not there"


class Document(NamedTuple):
    """One decoded value, how it was interpreted, and the findings about it."""

    kind: Kind
    value: Record | Block
    size: int
    context: Context = BARE
    meanings: dict[str, Meaning] = {}
    findings: tuple[Finding, ...] = ()
    inner: tuple[Inner, ...] = ()
    base: int = 0
    """Offset of the value in its file; every other offset counts from there."""
    refused: Finding | None = None
    """The finding for which the receiver refuses it: the first in the order of its checks."""
    status: str = ""
    """Status that the firmware then returns; empty if KVM is the receiver."""
    marks: tuple[Mark, ...] = ()
    redacted: frozenset[str] = frozenset()
    """Paths of fields whose values are not shown."""
    unknown: tuple[str, ...] = ()
    """Facts that the value does not hold, and that were not given."""
    missing: Missing | None = None
    """How far the bytes go, where they end before the value does."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Return every decision that the bytes alone did not make."""
        return self.context.decisions

    @property
    def absent(self) -> frozenset[str]:
        """Return the fields whose value is unknown."""
        return self.context.absent

    @property
    def is_partial(self) -> bool:
        """Return whether fields are unknown, or not there."""
        return bool(self.absent or self.missing)

    @property
    def product(self) -> ProductDecision | None:
        """Return the product and layout of TCB versions, where decided."""
        return self.context.product

    @property
    def is_ghcb(self) -> bool:
        """Return whether it is a GHCB page, which has an exit and a valid bitmap."""
        return self.kind.name == "ghcb"

    def leaves(self) -> Iterator[Leaf]:
        """Yield every known value; a redacted field has its place and no value."""
        absent, missing = self.absent, self.missing
        return (
            self.shown(leaf)
            for leaf in self.value.leaves()
            if leaf.path not in absent
            and not (absent and leaf.gap)
            and (missing is None or missing.has(leaf))
        )

    def cut(self) -> Leaf | None:
        """Return the bytes that are there of the field in which they end, if they end in one."""
        if self.missing is None:
            return None
        end = self.missing.start
        leaf = next(x for x in self.value.leaves() if x.offset + x.size > end)
        size = end - leaf.offset
        if not size:
            return None
        data = self.value.build()[leaf.offset : end]
        doc, codec = f"the first {size} of {leaf.size} bytes", codec_of(Bytes(size))
        return self.shown(leaf._replace(size=size, doc=doc, value=data, codec=codec))

    def shown(self, leaf: Leaf) -> Leaf:
        """Return *leaf*, without its value if it is redacted."""
        return redacted_leaf(leaf) if leaf.path in self.redacted else leaf

    def meaning(self, leaf: Leaf) -> Meaning:
        """Return the meaning of *leaf* here."""
        return self.meanings.get(leaf.path) or plain_meaning(leaf.value)

    def without_secrets(self) -> Document:
        """Return the document with keys and nonces redacted."""
        return self._replace(redacted=frozenset(secret_fields(self.value)))
