"""Untrusted TOML: it is read, or refused with an error that names it."""

from __future__ import annotations

import tomllib
from typing import Any

from ..errors import InputError


def loads(text: str, what: str) -> dict[str, Any]:
    """Read TOML. Raises InputError, which begins with *what* it should have been."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{what}: it is nested too deep") from None
    except ValueError as exc:  # a TOMLDecodeError, or Python's for an integer of too many digits
        reason = exc if isinstance(exc, tomllib.TOMLDecodeError) else "an integer is too long"
        raise InputError(f"{what}: {reason}") from None
