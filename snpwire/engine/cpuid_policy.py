"""The CPUID policy: which CPUID values the firmware accepts for a guest, a table of leaves.

For each register of a leaf the table says which bits are fixed, which may be set at all, and the
maximum; what it does not say is not checked. A leaf of the architectural ranges that is not in the
table must be zero in all four registers, and a leaf outside those ranges is not checked (AMD-ASPFW
cpuid_lookup.c).
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import nearest
from ..errors import InputError, named, shown
from ..wire.cpuid import CpuidFunction
from .toml import loads

if TYPE_CHECKING:
    from collections.abc import Mapping

REGISTERS = ("eax", "ebx", "ecx", "edx")
RANGES = (range(0x1_0000), range(0x8000_0000, 0x8001_0000))
"""Leaves that are checked."""
FMS_RESERVED = 0xF000_F000
_FUNCTION = CpuidFunction.ENGINE
_ALL = 0xFFFF_FFFF
_X87_SSE = 0x240
_AVX, _KREGS, _ZMM_LOW, _ZMM_HIGH, _MPK = 1 << 2, 1 << 5, 1 << 6, 1 << 7, 1 << 9
_XSAVE = ((_MPK, 0x988), (_ZMM_HIGH, 0x980), (_ZMM_LOW, 0x580), (_KREGS, 0x380), (_AVX, 0x340))
"""Bits of XCR0, and the size of the state up to the highest that is set."""
_XSAVES = ((_MPK, 0x8), (_ZMM_HIGH, 0x400), (_ZMM_LOW, 0x200), (_KREGS, 0x40), (_AVX, 0x100))
"""Bits of XCR0, and what each adds to the size of the compacted state."""
_SUPERVISOR = ((1 << 11, 0x10), (1 << 12, 0x18))
"""The same of XSS: shadow stacks of the user and of the supervisor."""
SIZES = ("xsave", "xsaves")


class CpuidRule(NamedTuple):
    """The values that one register of a leaf may have."""

    fixed_bits: int = 0
    """Bits that must be as in ``fixed``."""
    fixed: int = 0
    allowed: int = _ALL
    """Bits that may be set."""
    most: int = _ALL
    fields: tuple[tuple[int, int], ...] = ()
    """Masks, and the largest value of each."""
    size: str = ""
    """``xsave`` or ``xsaves``: the size of the state that XCR0 and XSS select."""
    fms: int | None = None
    """Family, model and stepping of the processor; a guest may see it or an older one."""

    def correct(self, value: int, xcr0: int = 0, xss: int = 0) -> int:
        """Return *value* if it is accepted, or the nearest accepted value."""
        if self.size:
            return _size(self.size, xcr0, xss)
        if self.fms is not None:
            return (value if _age(value) <= _age(self.fms) else self.fms) & ~FMS_RESERVED
        value = min(value, self.most) & self.allowed
        for mask, most in self.fields:
            limit = most * (mask & -mask)
            value = value & ~mask | min(value & mask, limit)
        return value & ~self.fixed_bits | self.fixed


ZERO = (CpuidRule(allowed=0),) * 4


class CpuidPolicy:
    """A table of leaves, with a rule for each register."""

    def __init__(self, leaves: Mapping[tuple[int, int], tuple[CpuidRule, ...]]) -> None:
        self.leaves = dict(leaves)

    def check(self, functions: bytes, count: int) -> tuple[bytes, int, bool]:
        """Return *functions* as they would be accepted, the number checked, and if all were valid.

        A reserved field that is set is refused, and not corrected.
        """
        valid, checked = True, 0
        raw = bytearray(functions)
        for at in range(0, count * _FUNCTION.size, _FUNCTION.size):
            eax_in, ecx_in, xcr0, xss, *values, reserved = _FUNCTION.unpack_from(raw, at)
            if not any(eax_in in leaves for leaves in RANGES):
                continue
            checked += 1
            rules = self.leaves.get((eax_in, ecx_in), ZERO)
            accepted = [
                rule.correct(value, xcr0, xss) for rule, value in zip(rules, values, strict=True)
            ]
            valid = valid and accepted == values and not any(reserved)
            _FUNCTION.pack_into(raw, at, eax_in, ecx_in, xcr0, xss, *accepted, reserved)
        return bytes(raw), checked, valid


@lru_cache
def published_policy(fms: int) -> CpuidPolicy:
    """Return the table that AMD published, Genoa's, for a processor with this EAX of leaf 1."""
    text = files(__package__).joinpath("profiles", "genoa-cpuid.toml").read_text()
    return cpuid_policy(text, "genoa-cpuid", fms)


def cpuid_policy(text: str, name: str, fms: int) -> CpuidPolicy:
    """Read a table from TOML. Raises InputError, which names the leaf and the register."""
    parts = loads(text, f"CPUID table {name} is no TOML")
    rows = parts.pop("leaf", None)
    if parts or not isinstance(rows, list):
        odd = next(iter(parts), None)
        raise InputError(
            f"CPUID table {name}: {f'{named(odd)} is unknown' if odd else 'leaf is missing'}"
        )
    leaves: dict[tuple[int, int], tuple[CpuidRule, ...]] = {}
    for index, row in enumerate(rows):
        place = f"CPUID table {name}: leaf {index}"
        key = _leaf(place, row)
        if key in leaves:
            raise InputError(f"{place}: {key[0]:#x} with ecx {key[1]} is there already")
        place = f"CPUID table {name}: leaf {key[0]:#x} ecx {key[1]}"
        leaves[key] = tuple(_rule(f"{place}: {part}", row.pop(part, {}), fms) for part in REGISTERS)
        for part in row:
            hint = nearest(part, REGISTERS)
            raise InputError(f"{place}: {named(part)} is unknown", help=hint)
    return CpuidPolicy(leaves)


def _leaf(place: str, row: Any) -> tuple[int, int]:
    """Return EAX and ECX of a row."""
    leaf = row.pop("in", None) if isinstance(row, dict) else None
    if isinstance(leaf, list) and len(leaf) == 2 and all(map(_is_word, leaf)):
        return leaf[0], leaf[1]
    raise InputError(f"{place}: in is no pair of EAX and ECX but {shown(leaf)}")


def _is_word(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _ALL


def _rule(place: str, value: Any, fms: int) -> CpuidRule:
    """Return the rule for one register."""
    if _is_word(value):
        return CpuidRule(fixed_bits=_ALL, fixed=value)
    if not isinstance(value, dict):
        raise InputError(f"{place} is neither a number nor a table but {shown(value)}")
    parts = {name: _part(f"{place}.{named(name)}", name, part) for name, part in value.items()}
    if parts.pop("fms", False):
        parts["fms"] = fms
    return CpuidRule(**parts)


def _part(place: str, name: str, value: Any) -> Any:
    """Return one part of a rule. Raises InputError."""
    if name in ("fixed_bits", "fixed", "allowed", "most") and _is_word(value):
        return value
    if (name == "size" and value in SIZES) or (name == "fms" and isinstance(value, bool)):
        return value
    if name == "fields" and isinstance(value, list):
        pairs = [tuple(pair) for pair in value if isinstance(pair, list) and len(pair) == 2]
        if len(pairs) == len(value) and all(_is_word(a) and a and _is_word(b) for a, b in pairs):
            return tuple(pairs)
    if name not in CpuidRule._fields:
        raise InputError(f"{place} is unknown", help=nearest(name, CpuidRule._fields))
    raise InputError(f"{place} cannot be {shown(value)}")


def _size(kind: str, xcr0: int, xss: int) -> int:
    """Return the size of the state that XCR0 and XSS select."""
    if kind == "xsave":
        return next((size for bit, size in _XSAVE if xcr0 & bit), _X87_SSE)
    return _X87_SSE + sum(
        size
        for word, parts in ((xcr0, _XSAVES), (xss, _SUPERVISOR))
        for bit, size in parts
        if word & bit
    )


def _age(eax: int) -> tuple[int, int, int]:
    """Return family, model and stepping in the order of comparison.

    The firmware adds the two parts of a model where others concatenate them.
    """
    family = (eax >> 8 & 0xF) + (eax >> 20 & 0xFF)
    return family, (eax >> 4 & 0xF) + (eax >> 16 & 0xF), eax & 0xF
