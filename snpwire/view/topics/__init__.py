"""What ``explain`` can say, by topic.

A topic is a row of ``TOPICS`` in the module of its family: the function that explains it, and what
it takes. ``FAMILIES`` has the names of each module's rows, so that explaining one number imports
one family, and what that knows of ``wire``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .topic import Topic

__all__ = ["FAMILIES", "TOPICS", "topic_named"]

FAMILIES: dict[str, tuple[str, ...]] = {
    "ghcb": (
        *("exit", "exitinfo1", "exitinfo2", "msr", "status", "action", "reason", "inject"),
        *("bitmap", "psc", "features", "sev-features", "term", "guid"),
    ),
    "svsm": ("svsm", "svsm-result"),
    "guest": (
        *("policy", "platform-info", "key-info"),
        *("tcb", "guest-fields", "msg-type", "product"),
    ),
    "advisory": ("advisory",),
    "command": ("command",),
    "mailbox": (
        *("cmdresp", "cmdbuf", "error-stack"),
        *("mailbox", "rb-control", "rb-head", "rb-tail"),
    ),
    "rmp": ("rmp",),
    "register": (
        *("rmp-base", "rmp-end", "rmp-cfg", "rst", "npf", "pf", "rmpadjust", "vmpl-mask"),
        *("rmpupdate-result", "psmash-result", "pvalidate-result", "rmpadjust-result"),
    ),
}
"""The names of the topics in each module here, in the order in which they are listed."""

TOPICS = {name: family for family, names in FAMILIES.items() for name in names}
"""The module of each topic."""


def topic_named(name: str) -> Topic:
    """Return the topic called *name*, importing its family."""
    family: dict[str, Topic]
    family = import_module(f".{TOPICS[name]}", __name__).TOPICS
    return family[name]
