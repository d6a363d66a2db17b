"""Which CPUID values the firmware lets a guest believe: a table of leaves, which the user can give.

Of each register of a leaf the table says which bits must be as they are, which may be set at all,
and how large it may be; what it does not say is not checked. A leaf of the architectural ranges
that is not in the table must be zero in all four registers, and a leaf outside those ranges is
passed over (AMD-ASPFW cpuid_lookup.c).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

REGISTERS = ("eax", "ebx", "ecx", "edx")
RANGES = (range(0x1_0000), range(0x8000_0000, 0x8001_0000))
"""Leaves that are checked."""
_FUNCTION = Struct("<LLQQLLLLQ")
_ALL = 0xFFFF_FFFF


class Rule(NamedTuple):
    """What one register of a leaf may be."""

    fixed_bits: int = 0
    """Bits that must be as in ``fixed``."""
    fixed: int = 0
    allowed: int = _ALL
    """Bits that may be set."""
    most: int = _ALL

    def corrected(self, value: int) -> int:
        """Return *value* where it will do, or the nearest that would."""
        value = min(value, self.most) & self.allowed
        return value & ~self.fixed_bits | self.fixed


ZERO = (Rule(allowed=0),) * 4
FREE = Rule()


class CpuidPolicy:
    """A table of leaves; each has a rule for each of its registers."""

    def __init__(self, leaves: Mapping[tuple[int, int], tuple[Rule, ...]]) -> None:
        self.leaves = dict(leaves)

    def check(self, functions: bytes, count: int) -> tuple[bytes, int, bool]:
        """Return *functions* as they would be accepted, how many were checked, whether all held."""
        held, checked = True, 0
        raw = bytearray(functions)
        for at in range(0, count * _FUNCTION.size, _FUNCTION.size):
            eax_in, ecx_in, xcr0, xss, *values, reserved = _FUNCTION.unpack_from(raw, at)
            if not any(eax_in in leaves for leaves in RANGES):
                continue
            checked += 1
            rules = self.leaves.get((eax_in, ecx_in), ZERO)
            better = [rule.corrected(value) for rule, value in zip(rules, values, strict=True)]
            held = held and better == values and not reserved
            _FUNCTION.pack_into(raw, at, eax_in, ecx_in, xcr0, xss, *better, reserved)
        return bytes(raw), checked, held
