"""Every rule that a policy may have, as rows to print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .allowance import ALLOWABLE
from .policy_key import GROWING, KEYS, PARTS, TCBS, VERSIONS
from .policy_rule import FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MINIMUM_FORMS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(TCBS, ("{snp = 27, microcode = 222}", f"by component: {' '.join(PARTS)}")),
    **dict.fromkeys(VERSIONS, ('"1.55.40"', "major, minor, build, compared in this order")),
    **dict.fromkeys(GROWING, ("2", "a number that grows")),
}
"""What ``minimum`` may have: its form and meaning."""


def rule_rows() -> Iterator[tuple[str, str, str]]:
    """Yield every rule that there is: its key, an example of its value, its meaning."""
    for name, key in KEYS.items():
        if name == "minimum":
            for least, (form, doc) in MINIMUM_FORMS.items():
                yield f"{name}.{least}", form, doc
        elif name in FLAGS:
            yield name, key.form, f"{key.doc}; {_bit_names(name)}"
        else:
            yield name, key.form, key.doc
    for name, doc in ALLOWABLE.items():
        yield f'allow = ["{name}"]', "", doc


def _bit_names(field: str) -> str:
    kind = FLAGS[field]
    names = [name for name, part in kind.BITS.items() if part.width == 1] if kind else []
    return " ".join(names) or "no bit has a name"
