"""The keys of an appraisal policy: the form of each, its meaning, and the rules that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import nearest
from ..errors import EncodeError, UsageError, named, shown
from ..wire.report import Report, SigningKey
from ..wire.tcb import TcbClassic, TcbTurin
from .allowance import check_names
from .policy_bits import check_contradictions, flag_help, flag_rules, policy_bits
from .policy_rule import (
    FLAGS,
    PolicyRule,
    allowed_values,
    least_component,
    least_number,
    least_version,
    providers,
    signing_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


TCBS = ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")
PARTS = {**TcbClassic.BITS, **TcbTurin.BITS}
GROWING = {"guest_svn": 32, "version": 32}
"""Numbers of a report that grow, and their bits."""
VERSIONS = ("current_version", "committed_version")
PARTS_OF_VERSIONS = frozenset(
    f"{which}_{part}" for which in ("current", "committed") for part in ("major", "minor", "build")
)
LISTED = "snpwire verify --policy list prints the rules that there are"
MINIMA = (*TCBS, *VERSIONS, *GROWING)


class PolicyKey(NamedTuple):
    """One key of a policy."""

    form: str
    """An example of its value."""
    doc: str
    read: Callable[[str, object], Iterable[PolicyRule]]


def rules_of(plain: object) -> list[PolicyRule]:
    """Return the rules of a policy. Raises UsageError, which names the one that is none."""
    if not isinstance(plain, dict):
        raise UsageError(f"a policy is an object, got {shown(plain)}")
    rules: list[PolicyRule] = []
    for name, value in plain.items():
        rules += _key(str(name)).read(str(name), value)
    check_contradictions(plain)
    return rules


def _key(name: str) -> PolicyKey:
    """Return a key by its name. Raises UsageError, with the nearest one."""
    if name in KEYS:
        return KEYS[name]
    if name in VERSIONS:
        hint = f'[minimum] {name} = "1.55.40"'
    elif name in PARTS_OF_VERSIONS:
        hint = f"[minimum] {_minimum_help(name)}"
    else:
        hint = nearest(name, KEYS) or LISTED
    raise UsageError(f"{named(name)}: a policy has no such rule", help=hint)


def _allow(rule: str, value: object) -> Iterator[PolicyRule]:
    check_names(rule, value)
    return iter(())


# Minima


def _minima(rule: str, value: object) -> Iterator[PolicyRule]:
    if not isinstance(value, dict):
        raise UsageError(f"{rule}: expected an object, got {shown(value)}")
    if not value:
        raise UsageError(f"{rule}: the table is empty")
    for name, least in value.items():
        place = f"{rule}.{name}"
        if name in TCBS:
            yield from _parts(str(name), place, least)
        elif name in VERSIONS:
            yield least_version(str(name).partition("_")[0], _version(place, least))
        elif name in GROWING:
            yield least_number(str(name), _number(place, least, GROWING[name]))
        else:
            raise UsageError(
                f"{named(place)}: there is no such minimum", help=_minimum_help(str(name))
            )


def _minimum_help(name: str) -> str:
    """Return the right form of a minimum that has no meaning."""
    if name in FLAGS:
        return flag_help(name)
    if name in PARTS_OF_VERSIONS:
        which = "committed" if name.startswith("committed") else "current"
        return f'{which}_version = "1.55.40" compares a version as a whole'
    if name in KEYS and name != "minimum":
        return f"{name} is compared for equality: {name} = {KEYS[name].form}, at the top"
    return nearest(name, MINIMA) or f"minima are: {', '.join(MINIMA)}"


def _number(rule: str, value: object, width: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageError(f"{rule}: expected a number, got {shown(value)}")
    if value >> width:
        raise UsageError(f"{rule}: {shown(value)} does not fit {width} bits")
    return value


def _parts(field: str, rule: str, value: object) -> Iterator[PolicyRule]:
    if not isinstance(value, dict):
        reason = f"{rule}: expected an object of components, got {shown(value)}"
        raise UsageError(reason, help=f"{field} = {{snp = 27, microcode = 222}}")
    if not value:
        raise UsageError(f"{rule}: no component is named")
    for part, least in value.items():
        if part not in PARTS:
            reason = f"{rule}: a TCB version has no {shown(part)}"
            raise UsageError(reason, help=nearest(str(part), PARTS))
        yield least_component(field, part, _number(f"{rule}.{part}", least, 8))


def _version(rule: str, value: object) -> tuple[int, ...]:
    parts = value.split(".") if isinstance(value, str) else []
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        hint = '"1.55.40": major, minor and build'
        raise UsageError(f"{rule}: expected a version as text, got {shown(value)}", help=hint)
    if any(len(part) > 3 or int(part) > 255 for part in parts):
        raise UsageError(f"{rule}: {shown(value)} has a part above 255")
    return tuple(map(int, parts))


# Values


def _values(name: str, value: object) -> Iterator[PolicyRule]:
    """Read the allowed values of a field, in the forms of its JSON."""
    tile = Report.tile(name)
    if tile is None:  # pragma: no cover - KEYS names fields alone
        raise UsageError(f"a report has no {name}")
    plains = _alternatives(name, value)
    for plain in plains:
        if tile.codec.type is bytes and not (
            isinstance(plain, str) and len(plain.removeprefix("0x")) == 2 * tile.size
        ):
            raise UsageError(f"{name}: expected {tile.size} bytes in hex, got {shown(plain)}")
    try:
        yield allowed_values(name, tuple(tile.codec.from_plain(plain) for plain in plains))
    except (EncodeError, ValueError) as exc:
        raise UsageError(f"{name}: {exc}") from None


def _alternatives(name: str, value: object) -> list[Any]:
    plains = value if isinstance(value, list) else [value]
    if not plains:
        raise UsageError(f"{name}: no value is allowed")
    return plains


def _signers(name: str, value: object) -> Iterator[PolicyRule]:
    known = {"VCEK": SigningKey.VCEK, "VLEK": SigningKey.VLEK}
    plains = _alternatives(name, value)
    for plain in plains:
        if not isinstance(plain, str) or plain.upper() not in known:
            raise UsageError(f"{name}: {shown(plain)} signs no report", help="VCEK, or VLEK")
    yield signing_keys(tuple(known[plain.upper()] for plain in plains))


def _providers(name: str, value: object) -> Iterator[PolicyRule]:
    plains = _alternatives(name, value)
    for plain in plains:
        if not isinstance(plain, str) or not plain:
            raise UsageError(f"{name}: expected the name of a provider, got {shown(plain)}")
    yield providers(tuple(plains))


def _equal(field: str, form: str, doc: str) -> tuple[str, PolicyKey]:
    return field, PolicyKey(form, doc, _values)


NAMED = "names and numbers of bits, or a mask"
HEX = '"7a1e.."'
KEYS: Mapping[str, PolicyKey] = {
    "allow": PolicyKey('["debug"]', "checks that may fail; a row says that they did", _allow),
    "require": PolicyKey('["smt"]', "bits of the guest policy that are 1", policy_bits),
    "forbid": PolicyKey('["migrate_ma"]', "bits of the guest policy that are 0", policy_bits),
    **{
        field: PolicyKey(form, f"bits that are 1, that are 0: {NAMED}", flag_rules)
        for field, form in (
            ("policy", '{require = ["smt"], forbid = 0x100000}'),
            ("platform_info", '{require = ["alias_check_complete"], forbid = 2}'),
            ("key_info", '{forbid = ["mask_chip_key"]}'),
            ("current_mit_vector", "{require = [0, 1]}"),
            ("launch_mit_vector", "{require = 0b11}"),
        )
    },
    "minimum": PolicyKey("{guest_svn = 2}", "the least that is accepted", _minima),
    **dict(
        (
            _equal("measurement", HEX, "launch digest of the guest"),
            _equal("report_data", HEX, "data of the guest, such as a nonce or a key's digest"),
            _equal("host_data", HEX, "data of the host at the launch"),
            _equal("family_id", HEX, "family of the guest, from its ID block"),
            _equal("image_id", HEX, "image of the guest, from its ID block"),
            _equal("id_key_digest", HEX, "SHA-384 of the ID key"),
            _equal("author_key_digest", HEX, "SHA-384 of the author key"),
            _equal("report_id", HEX, "id of the guest, new at each launch"),
            _equal("report_id_ma", HEX, "id of its migration agent"),
            _equal("chip_id", HEX, "the chip, 64 bytes; zeros where it is masked"),
            _equal("vmpl", "[0, 1]", "privilege level that asked for the report"),
        )
    ),
    "csp_id": PolicyKey('"CN=.."', "provider of the VLEK that signed", _providers),
    "signing_key": PolicyKey('"VCEK"', "kind of the key that signed: VCEK, VLEK", _signers),
    **dict(
        _equal(field, "2", "this very number")
        for field in ("version", "guest_svn", "cpuid_fam_id", "cpuid_mod_id", "cpuid_step", *TCBS)
    ),
}
"""Every key of a policy. Each value of a field may be a list of those that are allowed."""
