"""Fields that hold keys, and their redaction.

A redacted value differs from zeros: it is a text that no encoder accepts. Registers of a VMSA that
are stored XORed with its nonce are not redacted; one known register reveals the nonce.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..layout import SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..layout import Leaf

REDACTED = "redacted"
"""Text in place of a value."""


def secret_fields(value: Any) -> Iterator[str]:
    """Yield the path of each field of *value* that holds a key."""
    for leaf in value.leaves():
        if leaf.path.rpartition(".")[2] in SECRETS:
            yield leaf.path


def redacted_leaf(leaf: Leaf) -> Leaf:
    """Return *leaf* with REDACTED in place of its value."""
    return leaf._replace(value=REDACTED, codec=leaf.codec._replace(to_plain=str))
