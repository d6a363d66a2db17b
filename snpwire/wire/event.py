"""Description of one kind of exit: its operands, the fields it requires and returns.

``events`` has the table. A row computes nothing: it names the type of each operand, a word, an
enumeration, or one of the integers below.
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
    """A count, shown in decimal."""


class Zero(int):
    """An unused number, which should be zero."""


class Unknown(int):
    """A number whose meaning is not known."""


class Operand(NamedTuple):
    """Meaning of a quadword in one kind of exit."""

    label: str
    type: type[int] = Value


NOTHING = Operand("", Zero)
"""Operand that the event does not use."""


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
    """``sw_exit_info_2`` of the response, when the action in ``sw_exit_info_1`` is 0."""
    inputs: Mapping[str, Operand] = {}
    """Registers and ``sw_scratch`` in the request."""
    outputs: Mapping[str, Operand] = {}
    """Registers in the response."""
    when: tuple[int, int] = (0, 0)
    """Mask and value of ``sw_exit_info_1`` that select this row."""
    source: str = ""
    note: str = ""
