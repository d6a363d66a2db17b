"""A report put together from its fields, as JSON, protocol buffers and other programs have them.

Names are compared without case, dashes and underscores: programs differ there. What no field holds
is reserved, and zero in every report that is known; so the bytes can be verified.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..errors import InputError, shown
from ..wire.report import Report
from ..wire.tcb import TcbClassic, TcbTurin
from .members import decoded, listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..layout import Leaf

NAMES = {
    "sigalgo": "signature_algo",
    "platformversion": "current_tcb",
    "platinfo": "platform_info",
    "signerinfo": "key_info",
    "flags": "key_info",
    "keyinformation": "key_info",
    "reportidmigrationagent": "report_id_ma",
    "migrationagentreportid": "report_id_ma",
    "cpuidfamilyid": "cpuid_fam_id",
    "cpuidmodelid": "cpuid_mod_id",
    "cpuidstepping": "cpuid_step",
    "launchmitigationvector": "launch_mit_vector",
    "currentmitigationvector": "current_mit_vector",
    "guestpolicy": "policy",
    "signaturealgorithm": "signature_algo",
}
"""Names of other programs for a report's fields."""
OPTIONAL = frozenset(
    ["cpuid_fam_id", "cpuid_mod_id", "cpuid_step", "launch_mit_vector", "current_mit_vector"]
)
"""Fields that older reports do not have."""
PARTS = {
    "bootloader": "boot_loader",
    "bootloadersvn": "boot_loader",
    "blspl": "boot_loader",
    "tee": "tee",
    "teesvn": "tee",
    "snp": "snp",
    "snpfirmwaresvn": "snp",
    "microcode": "microcode",
    "microcodesvn": "microcode",
    "ucode": "microcode",
    "fmc": "fmc",
}
"""Names of the components of a TCB version."""
VERSIONS = {"current": "current", "committed": "committed"}
MARK = frozenset(("policy", "report_data", "measurement", "chip_id"))
"""Fields by which an object is known to be a report."""
LEAVES: dict[str, Leaf] = {leaf.path: leaf for leaf in Report.zero().leaves() if not leaf.gap}
_UNSAID = {path: 0 for path, leaf in LEAVES.items() if not isinstance(leaf.value, bytes)}
KNOWN = {re.sub("_", "", path): path for path in LEAVES} | NAMES


class ReportFieldsError(InputError):
    """Fields of a report are there, and do not make its bytes."""


def normal(name: object) -> str:
    """Return a name as it is compared: in lower case, letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def is_report(value: Mapping[Any, object]) -> bool:
    """Return whether an object has the fields by which a report is known."""
    return {KNOWN.get(normal(key), "") for key in value} >= MARK


def report_values(value: Mapping[Any, object], path: str = "") -> dict[str, Any]:
    """Return the fields that *value* has, by the paths that ``Report`` has for them.

    Raises InputError, which names the member at *path* that cannot be a report's field.
    """
    found: dict[str, Any] = {}
    tcbs: dict[str, object] = {}
    for key, each in value.items():
        name, place = KNOWN.get(normal(key), ""), f"{path}.{key}"
        if each is None:
            continue
        if normal(key) in VERSIONS:
            found |= _version(normal(key), each, place)
        elif normal(key) == "signature":
            found |= _signature(each, place)
        elif normal(key) == "cpuid1eaxfms":
            found |= _family(_number(each, 4, place))
        elif name.endswith("_tcb"):
            tcbs[name] = each
        elif name and isinstance(LEAVES[name].value, bytes):
            found[name] = _bytes(each, LEAVES[name].size, place)
        elif name:
            found[name] = _number(each, LEAVES[name].size, place)
    found = _older(value, path) | found
    return found | _tcbs(tcbs, found, path)


def _older(value: Mapping[Any, object], path: str) -> dict[str, int]:
    """Return fields that virtee/sev had under other names before its version 6.

    What later versions of the report have in bytes that were reserved stands there as reserved.
    """
    rows = {normal(key): each for key, each in value.items()}
    if not rows.keys() >= {"authorkeyen", "reserved0"}:
        return {}
    found = {"key_info": _number(rows["authorkeyen"], 4, f"{path}._author_key_en")}
    if "reserved1" in rows:
        parts = _bytes(rows["reserved1"], 24, f"{path}._reserved_1")
        found |= dict(zip(("cpuid_fam_id", "cpuid_mod_id", "cpuid_step"), parts, strict=False))
    if "reserved4" in rows:
        words = _bytes(rows["reserved4"], 168, f"{path}._reserved_4")
        for at, name in enumerate(("launch_mit_vector", "current_mit_vector")):
            found[name] = int.from_bytes(words[8 * at : 8 * at + 8], "little")
    return found


def assembled(value: Mapping[Any, object], path: str) -> bytes:
    """Return the report that the fields of *value* are. Raises ReportFieldsError.

    Where none is an object, they are of protocol buffers, which leave out numbers that are zero.
    """
    try:
        found = report_values(value, path)
    except InputError as exc:
        raise ReportFieldsError(exc.reason) from None
    if not any(isinstance(each, dict) for each in value.values()):
        found = _UNSAID | found
    missing = [name for name in LEAVES if name not in found and name not in OPTIONAL]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise ReportFieldsError(
            f"{path}: fields of a report without {', '.join(missing[:3])}{more}:"
            " they do not make the 1184 bytes"
        )
    return with_values(found).build()


def with_values(found: Mapping[str, Any]) -> Report:
    """Return a report of the values of *found*, each of which fits its field; zero elsewhere."""
    plain = {name: each for name, each in found.items() if not name.startswith("signature.")}
    signature = {name[10:]: each for name, each in found.items() if name not in plain}
    report = Report.zero()
    return report.replace(**plain, signature=report.signature.replace(**signature))


def _bytes(value: object, size: int, place: str) -> bytes:
    """Return the bytes of a field. Raises InputError."""
    if isinstance(value, bytes):
        data: bytes | None = value
    elif isinstance(value, list):
        data = listed(value)
    else:
        member = decoded(value, place, size) if isinstance(value, str) else None
        data = None if member is None or member.problem else member.data
    if data is None:
        raise InputError(f"{place}: expected {size} bytes, got {shown(value)}")
    if len(data) != size:
        raise InputError(f"{place}: expected {size} bytes, got {len(data)}")
    return data


def _number(value: object, size: int, place: str) -> int:
    """Return the number of a field. Raises InputError."""
    number = value
    if isinstance(value, str) and re.fullmatch(r"0[xX][0-9A-Fa-f]{1,16}|[0-9]{1,20}", value):
        number = int(value, 0) if value[:2].lower() == "0x" else int(value)
    if isinstance(number, bool) or not isinstance(number, int):
        raise InputError(f"{place}: expected a number, got {shown(value)}")
    if not 0 <= number < 1 << 8 * size:
        raise InputError(f"{place}: {shown(number)} does not fit {size} bytes")
    return number


def _version(which: str, value: object, place: str) -> dict[str, int]:
    """Return the three fields of a firmware's version."""
    if not isinstance(value, dict):
        raise InputError(f"{place}: expected major, minor and build, got {shown(value)}")
    return {
        f"{which}_{part}": _number(value.get(part), 1, f"{place}.{part}")
        for part in ("major", "minor", "build")
    }


def _signature(value: object, place: str) -> dict[str, bytes]:
    """Return both numbers of a signature, which stand apart or in its 512 bytes."""
    if isinstance(value, dict):
        rows = {normal(key): each for key, each in value.items()}
        return {f"signature.{part}": _bytes(rows.get(part), 72, f"{place}.{part}") for part in "rs"}
    data = _bytes(value, 512, place)
    return {"signature.r": data[:72], "signature.s": data[72:144]}


def _family(eax: int) -> dict[str, int]:
    """Return family, model and stepping of EAX of CPUID function 1, combined as in a report."""
    if not eax:
        return {}
    family = (eax >> 8 & 0xF) + (eax >> 20 & 0xFF)
    model = (eax >> 16 & 0xF) << 4 | eax >> 4 & 0xF
    return {"cpuid_fam_id": family & 0xFF, "cpuid_mod_id": model, "cpuid_step": eax & 0xF}


def _tcbs(tcbs: dict[str, object], found: dict[str, Any], path: str) -> dict[str, int]:
    """Return TCB versions as numbers: Turin's order where a component or the family tells so."""
    parts = [_components(each) for each in tcbs.values()]
    later = found.get("cpuid_fam_id", 0) >= 0x1A
    turin = later or any(row.get("fmc") is not None for row in parts if row)
    return {name: _tcb(each, turin, f"{path}.{name}") for name, each in tcbs.items()}


def _components(value: object) -> dict[str, object] | None:
    """Return the components of a TCB version by name; None if it is a number."""
    if not isinstance(value, dict):
        return None
    names = PARTS | {"reserved": "reserved"}
    return {names[normal(key)]: each for key, each in value.items() if normal(key) in names}


def _tcb(value: object, turin: bool, place: str) -> int:
    parts = _components(value)
    if parts is None:
        data = listed(value) if isinstance(value, list) else None
        return (
            int.from_bytes(data, "little") if data and len(data) == 8 else _number(value, 8, place)
        )
    word = TcbTurin if turin and "reserved" not in parts else TcbClassic
    numbers = {name: _number(parts.get(name), 1, f"{place}.{name}") for name in word.BITS}
    middle = _bytes(parts["reserved"], 4, f"{place}._reserved") if "reserved" in parts else b""
    return int(word.of(**numbers)) | int.from_bytes(middle, "little") << 16
