"""A report as programs print it: what fields are there, and what the program got wrong.

Known are ``snpguest display report`` with all that virtee/sev printed since 2023, ``parse-report``
of AMDESE/sev-guest, and whatever prints its lines alike: a name, a colon, a value; bytes in the
lines behind it; a TCB version by its components. Where lines of a text and the number above them
differ, the number is taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InputError, named
from ..wire.report import GuestPolicy, KeyInfo, PlatformInfo, Report, SignatureAlgo
from .fields import KNOWN, LEAVES, OPTIONAL, PARTS, is_report, normal, report_values, with_values
from .members import nodes
from .prototext import proto_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST = 1 << 17
"""Most bytes of such a text; a report's has some 5,000."""
MOST_LINE = 1000
"""Characters of a longest line that is read: bytes of a signature, with spaces, have some 500."""
LEAST = 5
"""Fewest fields of a report that make a text one of a report."""
SIGN = frozenset(("guestsvn", "policy", "guestpolicy"))
_LINE = re.compile(r"[\s>|-]*([A-Za-z][A-Za-z0-9_ /.]*?)\s*(?:\(([^()]*)\))?\s*:\s*(.*?)[\s\"',]*")
_BYTES = re.compile(r"[\s>|]*((?:[0-9A-Fa-f]{2} ?){4,})\s*")
_RUN = re.compile(r"([0-9]{2}){7}[0-9]{2,3}")
TCBS = {"currenttcb", "platformversion", "reportedtcb", "committedtcb", "launchtcb"}
ALIASES = {
    "reportversion": "version",
    "launchmeasurement": "measurement",
    "reportdatanonce": "report_data",
    "noncereportdata": "report_data",
    "agentreportid": "report_id_ma",
    "currentversion": "current",
    "committedversion": "committed",
    "currentfirmware": "current",
    "committedfirmware": "committed",
    "r": "r",
    "s": "s",
}
SIGNERS = {"vcek": 0, "vlek": 1, "none": 7}
YES, NO = ("yes", "true", "1", "enabled"), ("no", "false", "0", "disabled")
POLICY_FLAGS = {
    "debuggingallowed": "debug",
    "debugallowed": "debug",
    "migrationagentallowed": "migrate_ma",
    "migratema": "migrate_ma",
    "smtallowed": "smt",
    "singlesocket": "single_socket",
    "singlesocketrequired": "single_socket",
}
PLATFORM_FLAGS = {
    "smtenabled": "smt_en",
    "tsmeenabled": "tsme_en",
    "eccenabled": "ecc_en",
    "eccmemoryenabled": "ecc_en",
}


class ReportText(NamedTuple):
    """The fields of a report that a text has."""

    program: str
    report: Report
    """Zero where the text has no field."""
    absent: frozenset[str]
    """Paths of the fields that the text does not have."""
    notes: tuple[str, ...] = ()
    """What the program got wrong, and how it was read."""


class _Row(NamedTuple):
    """A name of a text and what stands behind it."""

    key: str
    label: str
    inner: str
    """What stands in parentheses behind the name."""
    value: str
    section: str
    """The TCB version, or other heading, that it stands below."""


def report_text(data: bytes) -> ReportText | None:
    """Return the report that a program printed; None if *data* is no such text."""
    if len(data) > MOST or b"\0" in data[:4096] or b":" not in data:
        return None
    rows = list(_rows(data.decode("utf-8", "replace")))
    keys = {row.key for row in rows}
    known = {KNOWN.get(key) or ALIASES.get(key, "") for key in keys}
    if not keys & SIGN or len(known - {""}) < LEAST or proto_text(data):
        return None
    notes: list[str] = []
    values = _values(rows, notes)
    kept = _kept(values, notes)
    notes += _misnamed(values, kept)
    if len(kept) < LEAST - 1:
        return None
    notes += _remarks(rows, kept)
    version = kept.get("version", 0)
    least = {"launch_mit_vector": 5, "current_mit_vector": 5}
    later = {name for name in OPTIONAL if 0 < version < least.get(name, 3)}
    absent = frozenset(LEAVES.keys() - kept.keys() - later)
    author = next((row.value for row in rows if row.key == "authorkeyencryption"), "")
    if author and "key_info" in absent:
        kept["key_info"] = int(author.lower() in YES)
        notes.append("key_info is not in the text: it is taken from the line about the author key")
    return ReportText(_program(keys), with_values(kept), absent, tuple(dict.fromkeys(notes)))


def report_members(data: bytes) -> ReportText | None:
    """Return the report whose fields JSON or CBOR has, though not all of them; None without."""
    objects = (node for _, node in nodes(data) if isinstance(node, dict) and is_report(node))
    value = next(objects, None)
    if value is None:
        return None
    notes: list[str] = []
    kept = _kept(value, notes)
    absent = frozenset(LEAVES.keys() - kept.keys())
    return ReportText("a program, in JSON", with_values(kept), absent, tuple(notes))


def _program(keys: set[str]) -> str:
    if "debuggingallowed" in keys or "platformversion" in keys:
        return "parse-report of sev-guest"
    return "snpguest" if "guestpolicy" in keys and "attestationreport" in keys else "a program"


def _rows(text: str) -> Iterator[_Row]:
    """Yield the names of a text; bytes in lines of their own belong to the name before them."""
    section, pending, label, digits = "", "", "", ""
    for line in text.splitlines():
        if len(line) > MOST_LINE:
            continue
        if found := _BYTES.fullmatch(line):
            digits += found[1].replace(" ", "")
            continue
        row = _LINE.fullmatch(line)
        if row is None:
            continue
        if digits:
            yield _Row(pending, label, "", digits, section)
        key, label, digits = normal(row[1]), row[1], ""
        if key in TCBS or key in ("signature", "guestpolicy", "policy", "platforminfo"):
            section = key
        elif key not in PARTS and key not in ("tcbversion", "r", "s") and line[:1].strip():
            section = ""
        pending = key
        yield _Row(key, label, row[2] or "", row[3], section)
    if digits:
        yield _Row(pending, label, "", digits, section)


def _values(rows: list[_Row], notes: list[str]) -> dict[str, Any]:
    """Return the values of a text by the names that ``fields`` knows."""
    found: dict[str, Any] = {}
    for row in rows:
        if row.key in PARTS and row.section in TCBS:
            if row.value.isdigit():
                found.setdefault(row.section, {})[PARTS[row.key]] = int(row.value)
        elif row.key in TCBS:
            if _RUN.fullmatch(row.value):
                found[row.key] = _run(row.value)
        elif row.key in ("r", "s"):
            if len(row.value) == 144:
                found.setdefault("signature", {})[row.key] = row.value
        elif row.key in POLICY_FLAGS or row.key in PLATFORM_FLAGS:
            continue
        elif name := ALIASES.get(row.key) or KNOWN.get(row.key):
            value = _value(name, row)
            if value is not None:
                found[name] = value
    found |= _key_info(rows)
    return found


def _value(name: str, row: _Row) -> object:
    """Return the value of one line, as ``fields`` takes it; None if there is none."""
    text = row.value or row.inner
    if name in ("current", "committed"):
        parts = re.search(r"(\d+)\.(\d+)(?:\.| build )(\d+)", text)
        return (
            dict(zip(("major", "minor", "build"), map(int, parts.groups()), strict=True))
            if parts
            else None
        )
    if not text or text == "None" or name == "key_info":
        return None
    if isinstance(LEAVES[name].value, bytes):
        return re.sub(r"[\s:]", "", text) if re.fullmatch(r"[0-9A-Fa-f\s:]+", text) else None
    number = re.match(r"0[xX][0-9A-Fa-f]+|\d+", text)
    return number[0] if number else None


def _run(text: str) -> dict[str, int]:
    """Return the components of a TCB version whose bytes were printed one after another."""
    numbers = [int(text[at : at + 2]) for at in range(0, 14, 2)]
    return {
        "boot_loader": numbers[0],
        "tee": numbers[1],
        "snp": numbers[6],
        "microcode": int(text[14:]),
    }


def _key_info(rows: list[_Row]) -> dict[str, int]:
    """Return the word of the three lines about keys; none if one is not there or not known."""
    lines = {row.key: row.value.lower() for row in rows}
    author, mask = lines.get("authorkeyenabled", ""), lines.get("maskchipkey", "")
    signer = SIGNERS.get(lines.get("signingkey", ""))
    if signer is None or author not in YES + NO or mask not in YES + NO:
        return {}
    word = KeyInfo.of(
        author_key_en=int(author in YES), mask_chip_key=int(mask in YES), signing_key=signer
    )
    return {"key_info": int(word)}


def _misnamed(values: Mapping[str, Any], kept: dict[str, Any]) -> list[str]:
    """Take out TCB versions of Turin that a program printed in the order of Milan; say so.

    Turin's chip id has 8 bytes. Such a program shows bytes 0, 1, 6 and 7 of eight: FMC and boot
    loader under the names of the next, and no TEE and SNP.
    """
    chip = kept.get("chip_id", b"")
    rows = {name: row for name, row in values.items() if name in TCBS and isinstance(row, dict)}
    if kept.get("version", 0) < 3 or any(chip[8:]) or not any(chip) or not rows:
        return []
    if any("fmc" in row for row in rows.values()):
        return []
    for name in rows:
        kept.pop(KNOWN[name], None)
    shown = "; ".join(
        f"{KNOWN[name]} fmc {row.get('boot_loader')}, boot_loader {row.get('tee')},"
        f" microcode {row.get('microcode')}"
        for name, row in rows.items()
    )
    return [
        "the chip id is Turin's, the program prints its TCB versions as those of Milan: its boot"
        f" loader is the FMC, its TEE the boot loader, TEE and SNP are not printed: {shown}"
    ]


def _kept(values: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return the fields that can be a report's, with a note for each that cannot."""
    good: dict[str, Any] = {}
    for name, value in values.items():
        try:
            report_values({name: value})
            good[name] = value
        except InputError as exc:
            notes.append(f"not taken: {exc.reason.lstrip('.')}")
    try:
        return report_values(good)
    except InputError as exc:  # components that are not of the product of the whole
        notes.append(f"not taken: {exc.reason.lstrip('.')}")
    tcbs = [name for name in good if KNOWN.get(normal(name), "").endswith("_tcb")]
    return report_values({name: each for name, each in good.items() if name not in tcbs})


def _remarks(rows: list[_Row], kept: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the program got wrong."""
    keys = {row.key for row in rows}
    for row in rows:
        if row.key == "signaturealgorithm" and kept.get("signature_algo") == 1:
            name = SignatureAlgo.ECDSA_P384_SHA384.doc
            if "invalid" in f"{row.value} {row.inner}".lower():
                yield f"{row.label}: 1 is {name}; the program calls it invalid by mistake"
        if row.key == "raplallowed":
            yield "RAPL Allowed: the line has rapl_dis, so true means that RAPL is not allowed"
        yield from _flag(row, kept)
    if "platformversion" in keys and "reportedtcb" in keys:
        yield (
            "Reported TCB: older versions of parse-report print the current TCB version there"
            " again: reported_tcb is not sure"
        )
    if "platformversion" in keys and "authorkeyenabled" in keys:
        yield "Author Key Enabled: parse-report tests a bit of platform_info, not of key_info"


def _flag(row: _Row, kept: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a line about a bit contradicts the number of the whole word."""
    for flags, word, field in (
        (POLICY_FLAGS, GuestPolicy, "policy"),
        (PLATFORM_FLAGS, PlatformInfo, "platform_info"),
    ):
        name = flags.get(row.key)
        said = row.value.lower()
        if not name or field not in kept or said not in YES + NO:
            continue
        is_set = word.BITS[name].value(word(kept[field]))
        if bool(is_set) != (said in YES):
            number = f"{kept[field]:#x}"
            yield f"{named(row.label)}: {said}, but {field} {number} has {name} {int(is_set)}"
