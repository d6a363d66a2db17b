"""Read what a policy says of words of flags: the bits that must be 1, and those that must be 0.

A bit has its name or its number; a number in place of a list is a mask. Numbers within a word, such
as the ABI version of the guest policy, are no bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import integer, nearest
from ..errors import UsageError, cut, shown
from ..finding import bit_list
from ..numeral import readings
from .policy_rule import FLAGS, PolicyRule, bits, whole_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORD_SIZE = 64


def policy_bits(rule: str, value: object) -> Iterator[PolicyRule]:
    """Read bits of the guest policy, at the top of a policy: a rule for each."""
    if not isinstance(value, list):
        hint = f"[policy] {rule} takes a mask as well"
        raise UsageError(f"{rule}: expected a list of policy bits, got {shown(value)}", help=hint)
    if not value:
        raise UsageError(f"{rule}: the list is empty")
    for name in value:
        mask = _bit(rule, "policy", name)
        _check_bits(rule, "policy", mask)
        yield bits(f"policy-{rule}.{name}", "policy", mask, int(rule == "require"))


def flag_rules(field: str, value: object) -> Iterator[PolicyRule]:
    """Read the rules for a word of flags: its bits, or the very number that it must be."""
    if not isinstance(value, dict):
        yield _whole(field, value)
        return
    if not value:
        raise UsageError(f"{field}: the table is empty")
    for name in value:
        if name not in ("require", "forbid"):
            hint = nearest(str(name), ("require", "forbid")) or flag_help(field)
            raise UsageError(f"{field}: there is no rule {shown(name)}", help=hint)
        mask = _mask(field, f"{field}.{name}", value[name])
        yield bits(f"policy-{field}.{name}", field, mask, int(name == "require"))


def _whole(field: str, value: object) -> PolicyRule:
    """Return the rule that a word is one of some numbers. Raises UsageError."""
    numbers = value if isinstance(value, list) else [value]
    try:
        if not numbers:
            raise ValueError
        words = tuple(_mask_number(field, number) for number in numbers)
    except (UsageError, ValueError):
        raise UsageError(
            f"{field}: expected a table of bits, or a number, got {shown(value)}",
            help=f"[{field}] with require and forbid: names of bits, or a mask",
        ) from None
    for word in words:
        _check_size(field, field, word)
    return whole_word(field, words)


def flag_help(field: str) -> str:
    """Return the right form of a rule for a word of flags."""
    return f"flags have no order: [{field}] has require and forbid"


def _mask(field: str, rule: str, value: object) -> int:
    """Read a mask, or a list of names or numbers of bits. Raises UsageError."""
    if isinstance(value, list):
        mask = 0
        for name in value:
            mask |= _bit(rule, field, name)
    else:
        mask = _mask_number(rule, value)
    if not mask:
        raise UsageError(f"{rule}: no bit is named")
    _check_bits(rule, field, mask)
    return mask


def _check_bits(rule: str, field: str, mask: int) -> None:
    """Refuse bits that a word does not have, or that are part of a number. Raises UsageError."""
    _check_size(rule, field, mask)
    kind = FLAGS[field]
    for part in kind.BITS.values() if kind else ():
        if part.width > 1 and mask & part.mask:
            which = bit_list(mask & part.mask)
            hint = 'signing_key = "VCEK" compares it' if part.name == "signing_key" else ""
            reason = f"{rule}: {part.name} ({which}) is a number, no set of bits"
            raise UsageError(reason, help=hint)


def _check_size(rule: str, field: str, word: int) -> None:
    kind = FLAGS[field]
    limit = kind.WIDTH if kind else WORD_SIZE
    if word >> limit:
        raise UsageError(f"{rule}: {cut(hex(word))} does not fit {limit} bits")


def _mask_number(rule: str, value: object) -> int:
    try:
        if isinstance(value, str) and len(readings(value)) > 1:
            hint = " or ".join(f"{row.value:#x} ({row.form})" for row in readings(value))
            raise UsageError(f"{rule}: {shown(value)} can be two numbers", help=f"write {hint}")
        if isinstance(value, int | str) and not isinstance(value, bool):
            number = integer(value)
            if number >= 0:
                return number
    except ValueError:
        pass
    raise UsageError(f"{rule}: expected a list of bits, or a mask, got {shown(value)}")


def _bit(rule: str, field: str, name: object) -> int:
    """Return the mask of one bit, by name or number. Raises UsageError."""
    kind = FLAGS[field]
    limit = kind.WIDTH if kind else WORD_SIZE
    named = kind.BITS if kind else {}
    if isinstance(name, int) and not isinstance(name, bool):
        if 0 <= name < limit:
            return 1 << name
        raise UsageError(f"{rule}: there is no bit {shown(name)}, they are 0 to {limit - 1}")
    if isinstance(name, str):
        part = named.get(name)
        if part is not None and part.width == 1:
            return part.mask
        digits = name.removeprefix("bit_")
        if digits != name and digits.isascii() and digits.isdigit() and len(digits) < 3:
            return _bit(rule, field, int(digits))
    word = "the guest policy" if field == "policy" else field
    raise UsageError(f"{rule}: {shown(name)} is no bit of {word}", help=_bit_help(field, name))


def _bit_help(field: str, name: object) -> str:
    """Return where a bit is that is none of *field*, or the nearest name."""
    for other, kind in FLAGS.items():
        if kind and other != field and isinstance(name, str) and name in kind.BITS:
            return f'[{other}] require = ["{name}"]'
    kind = FLAGS[field]
    if kind is None:
        return "no source names the bits of a mitigation vector: numbers, or a mask"
    single = [one for one, part in kind.BITS.items() if part.width == 1]
    return nearest(name, single) if isinstance(name, str) else ""


def check_contradictions(plain: Mapping[str, object]) -> None:
    """Refuse a bit that must be 1 and must be 0. Raises UsageError."""
    for field, kind in FLAGS.items():
        masks = {"require": 0, "forbid": 0}
        section = plain.get(field, {})
        for name in masks:
            if isinstance(section, dict) and name in section:
                masks[name] |= _mask(field, f"{field}.{name}", section[name])
            if field == "policy" and name in plain:
                masks[name] |= _mask(field, name, plain[name])
        both = masks["require"] & masks["forbid"]
        if both:
            names = {part.low: one for one, part in (kind.BITS if kind else {}).items()}
            first = (both & -both).bit_length() - 1
            which = names.get(first, f"bit {first}")
            raise UsageError(f"{which} of {field} is required and forbidden")
