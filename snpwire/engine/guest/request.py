"""A request to a driver, and the response."""

from __future__ import annotations

from typing import NamedTuple


class Response(NamedTuple):
    """The response to a request."""

    payload: bytes
    certificates: bytes = b""
    """The certificate buffer, all of it, of an extended request."""

    def __repr__(self) -> str:
        return f"<Response of {len(self.payload)} bytes>"  # it may be a derived key


class Request(NamedTuple):
    """A request."""

    type: int
    payload: bytes
    version: int = 1
    pages: int | None = None
    """Pages for certificates; None for a plain request."""

    def __repr__(self) -> str:
        size = len(self.payload)  # it may be a VM root key
        return f"<Request type={self.type} version={self.version} of {size} bytes>"
