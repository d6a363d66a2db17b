"""Paths to members of JSON and of what resembles it: ``$.quotes[0].data``."""

from __future__ import annotations

import re

from ..errors import named

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
INSIDE = " > $"
"""Stands between the path of a text and the path within it."""


def child(path: str, key: object) -> str:
    """Return the path of the member *key* of an object; a key is somebody else's text."""
    if isinstance(key, str) and _PLAIN.fullmatch(key):
        return f"{path}.{key}"
    shown = named(key).replace('"', "'") if isinstance(key, str) else str(key)
    return f'{path}["{shown}"]' if isinstance(key, str) else f"{path}[{shown}]"
