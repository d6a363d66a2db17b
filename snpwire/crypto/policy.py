"""Rules for the contents of a report, besides that it is genuine.

Written as an object, here with one of each rule::

    {"minimum": {"reported_tcb": {"snp": 8, "microcode": 115}, "guest_svn": 2},
     "require": ["smt"], "forbid": ["debug", "migrate_ma"],
     "measurement": ["7a1e..."], "host_data": "00...", "report_data": "d447...", "vmpl": [0, 1]}

``minimum`` takes any TCB version by its components, and any number of the report. ``require`` and
``forbid`` name bits of the guest policy. Any other field of the report may have a value, or a list
of allowed values. A rule that cannot be understood is an error, never a rule that holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ..bits import nearest
from ..errors import EncodeError, UsageError, named, shown
from ..wire.report import GuestPolicy, Report
from ..wire.tcb import TcbClassic, TcbTurin
from .check import Check, CheckGroup, made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..layout import Tile
    from ..product import ProductDecision

TCBS = ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")
PARTS = {**TcbClassic.BITS, **TcbTurin.BITS}


class AppraisalPolicy(NamedTuple):
    """Rules for a report; each names fields and bits that exist."""

    tcbs: Mapping[str, Mapping[str, int]] = {}
    """Minimum of each component, by the report's field."""
    numbers: Mapping[str, int] = {}
    require: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    values: Mapping[str, tuple[Any, ...]] = {}
    """Allowed values, by the report's field."""

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """Read the object. Raises UsageError, which names the rule."""
        if not isinstance(plain, dict):
            raise UsageError(f"a policy is an object, got {shown(plain)}")
        rules = dict(plain)
        minimum = rules.pop("minimum", {})
        if not isinstance(minimum, dict):
            raise UsageError(f"minimum: expected an object, got {shown(minimum)}")
        return cls(
            tcbs={name: _parts(name, minimum[name]) for name in TCBS if name in minimum},
            numbers={
                _field(f"minimum.{name}", name, int).path: _number(f"minimum.{name}", least)
                for name, least in minimum.items()
                if name not in TCBS
            },
            require=_bits("require", rules.pop("require", [])),
            forbid=_bits("forbid", rules.pop("forbid", [])),
            values={str(name): _values(str(name), value) for name, value in rules.items()},
        )

    def check(self, report: Report, decision: ProductDecision) -> list[Check]:
        """Return a check for each rule."""
        return [
            *self._least(report, decision),
            *self._bits(report),
            *(_allowed(name, values, report) for name, values in self.values.items()),
        ]

    def _least(self, report: Report, decision: ProductDecision) -> Iterator[Check]:
        for name, parts in self.tcbs.items():
            word = decision.tcb(getattr(report, name))
            for part, least in parts.items():
                rule = f"policy-minimum.{name}.{part}"
                if part not in word.BITS:
                    yield _row(rule, False, f"there is no {part}: {decision.reason}")
                else:
                    yield _at_least(rule, getattr(word, part), least)
        for name, least in self.numbers.items():
            yield _at_least(f"policy-minimum.{name}", int(getattr(report, name)), least)

    def _bits(self, report: Report) -> Iterator[Check]:
        for names, wanted, rule in ((self.require, 1, "require"), (self.forbid, 0, "forbid")):
            for name in names:
                bit = GuestPolicy.BITS[name].value(report.policy)
                reason = f"{name} is {bit}, wanted {wanted}"
                yield _row(f"policy-{rule}.{name}", bit == wanted, reason)


def _row(name: str, holds: bool, reason: str) -> Check:
    return made(name, holds, reason, CheckGroup.APPRAISAL)


def _at_least(rule: str, value: int, least: int) -> Check:
    return _row(rule, value >= least, f"{value}, wanted at least {least}")


def _allowed(name: str, values: tuple[Any, ...], report: Report) -> Check:
    value = getattr(report, name)
    tile = Report.tile(name)
    plain = tile.codec.to_plain(value) if tile else value
    ok = value in values
    reason = f"{plain} is allowed" if ok else f"{plain} is none of the {len(values)} allowed"
    return _row(f"policy-{name}", ok, reason)


def _field(rule: str, name: object, *kinds: type) -> Tile:
    """Return the field called *name*, which is of one of *kinds*. Raises UsageError."""
    fields = {tile.path: tile for tile in Report.FIELDS if issubclass(tile.codec.type, kinds)}
    if isinstance(name, str) and name in fields:
        return fields[name]
    hint = nearest(str(name), fields)
    raise UsageError(f"{named(rule)}: a report has no such field: {shown(name)}", help=hint)


def _number(rule: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise UsageError(f"{rule}: expected a number, got {shown(value)}")


def _parts(name: str, value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise UsageError(f"minimum.{name}: expected an object of components, got {shown(value)}")
    for part in value:
        if part not in PARTS:
            raise UsageError(
                f"minimum.{name}: a TCB version has no {shown(part)}",
                help=nearest(str(part), PARTS),
            )
    return {part: _number(f"minimum.{name}.{part}", least) for part, least in value.items()}


def _bits(rule: str, names: object) -> tuple[str, ...]:
    if not isinstance(names, list):
        raise UsageError(f"{rule}: expected a list of policy bits, got {shown(names)}")
    for name in names:
        field = GuestPolicy.BITS.get(name) if isinstance(name, str) else None
        if field is None or field.width > 1:
            hint = nearest(str(name), GuestPolicy.BITS)
            raise UsageError(f"{rule}: {shown(name)} is no bit of the guest policy", help=hint)
    return tuple(names)


def _values(name: str, value: object) -> tuple[Any, ...]:
    """Read the allowed values of a field, in the forms of its JSON."""
    tile = _field(name, name, int, bytes)
    plains = value if isinstance(value, list) else [value]
    if not plains:
        raise UsageError(f"{name}: no value is allowed")
    for plain in plains:
        if tile.codec.type is bytes and not (
            isinstance(plain, str) and _digits(plain) == 2 * tile.size
        ):
            raise UsageError(f"{name}: expected {tile.size} bytes in hex, got {shown(plain)}")
    try:
        return tuple(tile.codec.from_plain(plain) for plain in plains)
    except (EncodeError, ValueError) as exc:
        raise UsageError(f"{name}: {exc}") from None


def _digits(text: str) -> int:
    return len(text.removeprefix("0x"))
