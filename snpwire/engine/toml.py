"""Untrusted TOML: it is read, or refused with an error that names it.

``tomllib`` calls itself for each bracket and makes a table for each dot of a key, so how deep a
text goes is counted before it sees it. The count may take a text for deeper than it is where it is
no TOML anyway, never for less deep: what a string is, both see alike.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from ..errors import InputError

DEPTH = 32
"""Most brackets around a value, and most parts of a key: no file of ours has more than five."""
MOST = 1 << 20
"""Most characters: a CPUID table of every leaf has a tenth of them."""
TOKENS = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"{3,5}|\Z)|\'\'\'.*?(?:\'{3,5}|\Z)'
    r'|"(?:[^"\\\n]|\\.)*"?|\'[^\'\n]*\'?|#[^\n]*|[][{}.,=\n]',
    re.DOTALL,
)
"""Strings and comments, in which nothing counts, whether they end or not; and what does count."""


def loads(text: str, what: str) -> dict[str, Any]:
    """Read TOML. Raises InputError, which begins with *what* it should have been."""
    if len(text) > MOST:
        raise InputError(f"{what}: it has {len(text)} characters, more than {MOST}")
    if _is_deep(text):
        raise InputError(f"{what}: it is nested too deep, more than {DEPTH} levels")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{what}: it is nested too deep") from None
    except ValueError as exc:  # a TOMLDecodeError, or Python's for an integer of too many digits
        reason = exc if isinstance(exc, tomllib.TOMLDecodeError) else "an integer is too long"
        raise InputError(f"{what}: {reason}") from None


def _is_deep(text: str) -> bool:
    """Return whether brackets are nested too deep, or a key has too many parts."""
    depth = parts = 0
    for token in TOKENS.findall(text):
        if token in "[{":
            depth, parts = depth + 1, 0
        elif token in "]}":
            depth, parts = max(depth - 1, 0), 0
        elif token in ",=\n":
            parts = 0
        elif token == ".":
            parts += 1
        if depth > DEPTH or parts > DEPTH:
            return True
    return False
