"""What a driver is asked, and what comes back."""

from __future__ import annotations

from typing import NamedTuple


class Response(NamedTuple):
    """What a request came to."""

    payload: bytes
    certificates: bytes = b""
    """The certificate buffer, all of it, of an extended request."""


class Request(NamedTuple):
    """What is to be asked."""

    type: int
    payload: bytes
    version: int = 1
    pages: int | None = None
    """Pages for certificates; None for a plain request."""
