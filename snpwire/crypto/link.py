"""A link: one step of a verification."""

from __future__ import annotations

from typing import NamedTuple


class Link(NamedTuple):
    """One step of a verification, and its result."""

    name: str
    """A stable name, such as ``report-signature``."""
    ok: bool | None
    """None where the step could not be checked or was not requested."""
    reason: str


def failures(links: list[Link]) -> list[Link]:
    """Return the links that fail."""
    return [link for link in links if link.ok is False]
