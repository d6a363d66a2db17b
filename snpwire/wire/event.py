"""What one kind of exit means: its operands, what it needs, what comes back.

``exits`` holds the table. A row never computes anything: it names the type of each operand, and the
types (words, enumerations, the integers below) know how to read themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Value(int):
    """A number with no structure of its own."""


class Gpa(int):
    """A guest-physical address."""


class Count(int):
    """A number of things, shown in decimal."""


class Zero(int):
    """A number that carries nothing and should be zero."""


class Unknown(int):
    """A number whose meaning no source at hand gives."""


class Operand(NamedTuple):
    """What a quadword holds in one kind of exit."""

    label: str
    type: type[int] = Value


NOTHING = Operand("", Zero)
"""An operand that the event does not use."""


class Event(NamedTuple):
    """One kind of exit. An exit code has several rows where an operand selects among them."""

    name: str
    code: int
    title: str
    info1: Operand = NOTHING
    info2: Operand = NOTHING
    required: tuple[str, ...] = ()
    """Fields the guest must mark valid besides the exit code and its two operands."""
    returns: tuple[str, ...] = ()
    """Fields the hypervisor fills in."""
    result: Operand = NOTHING
    """``sw_exit_info_2`` of the answer, when the action in ``sw_exit_info_1`` is 0."""
    inputs: Mapping[str, Operand] = {}
    """What registers and ``sw_scratch`` hold in the request."""
    outputs: Mapping[str, Operand] = {}
    """What registers hold in the answer."""
    when: tuple[int, int] = (0, 0)
    """Mask and value of ``sw_exit_info_1`` that select this row."""
    source: str = ""
    note: str = ""
