"""All faults by name: what each does to a request, and the outcome that follows.

The statuses are those that AMD's firmware gives, in the order of its checks; the errors are those
of Linux's driver. A hypervisor can drop, delay, repeat and deny; it cannot alter, forge or exchange
a message undetected, and everything that is detected costs the guest its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fault import DETECTORS
from .firmware import FIRMWARE
from .guest import GUEST
from .hypervisor import HYPERVISOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .fault import AnyFault


def _rows(actor: str, table: tuple[AnyFault, ...]) -> Iterator[tuple[str, AnyFault]]:
    """Yield the faults of a party by name, with what their rows leave out."""
    for row in table:
        detected_by = row.detected_by or DETECTORS.get(row.outcome, "firmware")
        yield row.name, row._replace(actor=actor, detected_by=detected_by)


FAULTS: dict[str, AnyFault] = {
    **dict(_rows("hypervisor", HYPERVISOR)),
    **dict(_rows("firmware", FIRMWARE)),
    **dict(_rows("guest", GUEST)),
}
