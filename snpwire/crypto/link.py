"""One link of what a verification rests on."""

from __future__ import annotations

from typing import NamedTuple


class Link(NamedTuple):
    """Something that was looked at, and what came of it."""

    name: str
    """A stable name, such as ``report-signature``."""
    ok: bool | None
    """None where nothing could be said, or nothing was asked."""
    reason: str


def failures(links: list[Link]) -> list[Link]:
    """Return the links that fail."""
    return [link for link in links if link.ok is False]
