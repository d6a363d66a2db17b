"""All faults by name: what each does to a request, and the outcome that follows.

The statuses are those that AMD's firmware gives, in the order of its checks; the errors are those
of Linux's driver. A hypervisor can drop, delay, repeat and deny; it cannot alter, forge or exchange
a message undetected, and everything that is detected costs the guest its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .firmware import FIRMWARE
from .guest import GUEST
from .hypervisor import HYPERVISOR

if TYPE_CHECKING:
    from .fault import AnyFault

_TABLES: tuple[tuple[str, tuple[AnyFault, ...]], ...] = (
    ("hypervisor", HYPERVISOR),
    ("firmware", FIRMWARE),
    ("guest", GUEST),
)
FAULTS: dict[str, AnyFault] = {
    row.name: row._replace(actor=actor) for actor, rows in _TABLES for row in rows
}
