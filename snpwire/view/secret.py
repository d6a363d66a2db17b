"""Fields that hold keys, and how a view leaves them out.

What is left out is told apart from zeros: it has a mark of its own, which no encoder takes.
Registers of a VMSA that are stored XORed with its nonce are not hidden; one that is known gives the
nonce away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..layout import Leaf

REDACTED = "redacted"
"""What stands in place of a value."""
NAMES = frozenset(
    ("vmpck0", "vmpck1", "vmpck2", "vmpck3", "oek", "vmrk", "derived_key", "reg_prot_nonce")
)
"""Names of fields that hold a key, in any record."""


def secret_fields(value: Any) -> Iterator[str]:
    """Yield the path of each field of *value* that holds a key."""
    for leaf in value.leaves():
        if leaf.path.rpartition(".")[2] in NAMES:
            yield leaf.path


def hidden(leaf: Leaf) -> Leaf:
    """Return *leaf* with the mark in place of its value."""
    return leaf._replace(value=REDACTED, codec=leaf.codec._replace(to_plain=str))
