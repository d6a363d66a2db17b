"""Whether go-sev-guest accepts the evidence that ``snpwire verify`` is given.

Both are asked with the same files and the same words, those of ``snpwire verify``. The module does
what its check tool does at its defaults, but that SMT is allowed (hardly a guest runs without) and
that nothing is fetched. What an owner wishes is put in the module's own terms where it has them;
where it has none, ``UntranslatedError`` says so, and there is no verdict to compare with.

The module holds one VCEK and one VLEK: the first that is named. Of certificates that issue others
it takes any number, each as a bundle with the root. Without a root it trusts those that it carries.
A panic of the module is a refusal: such a reader accepts nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from argparse import ArgumentParser, ArgumentTypeError
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from peer_programs import FOLDER, MissingError, ask, program

from snpwire.wire.report import REPORT_SIZE, GuestPolicy, PlatformInfo, Report

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Mapping

    from peer_programs import Peer

    from snpwire.bits import Word

ALLOWED = {"debug": "Debug", "migration": "MigrateMA"}
"""What the module refuses by default, and what allows it, by the name of snpwire's check."""
EQUAL = {
    "measurement": "Measurement",
    "report_data": "ReportData",
    "host_data": "HostData",
    "family_id": "FamilyID",
    "image_id": "ImageID",
    "report_id": "ReportID",
    "report_id_ma": "ReportIDMA",
    "chip_id": "ChipID",
}
OPTIONS = ("measurement", "report_data", "host_data")
"""Fields that an option of the command line compares, too."""
UNTRANSLATED = ("min_tcb", "advisories")
"""Options that the module has no words for: its least TCB version is not one for the committed."""
LEAST = {"reported_tcb": "MinimumTCB", "launch_tcb": "MinimumLaunchTCB"}
PARTS = {"boot_loader": "BlSpl", "tee": "TeeSpl", "snp": "SnpSpl", "microcode": "UcodeSpl"}
VECTORS = {
    "launch_mit_vector": "MinimumLaunchMitigationVector",
    "current_mit_vector": "MinimumCurrentMitigationVector",
}


class Bits(NamedTuple):
    """A word of flags, and which of its bits the module can forbid or require."""

    option: str
    record: type[Word]
    forbid: dict[str, str]
    require: dict[str, str]


WORDS = {
    "policy": Bits(
        option="GuestPolicy",
        record=GuestPolicy,
        forbid={
            "smt": "SMT",
            "migrate_ma": "MigrateMA",
            "debug": "Debug",
            "cxl_allow": "CXLAllowed",
        },
        require={
            "single_socket": "SingleSocket",
            "mem_aes_256_xts": "MemAES256XTS",
            "rapl_dis": "RAPLDis",
            "ciphertext_hiding_dram": "CipherTextHidingDRAM",
            "page_swap_disable": "PageSwapDisable",
        },
    ),
    "platform_info": Bits(
        option="PlatformInfo",
        record=PlatformInfo,
        forbid={"smt_en": "SMTEnabled", "tsme_en": "TSMEEnabled", "tio_en": "TIOEnabled"},
        require={
            "ecc_en": "ECCEnabled",
            "rapl_dis": "RAPLDisabled",
            "ciphertext_hiding_dram_en": "CiphertextHidingDRAMEnabled",
            "alias_check_complete": "AliasCheckComplete",
        },
    ),
}


class UntranslatedError(Exception):
    """A wish of the owner that the module has no words for."""


class Verdict(NamedTuple):
    """What one of the two makes of the evidence: accept, refuse, or what keeps it from both."""

    word: str
    says: str


def arguments(words: list[str]) -> Namespace:
    """Return the words of ``snpwire verify`` that the module can be told of. Exits on others."""
    parser = ArgumentParser(prog="peers.py verify")
    parser.add_argument("report", type=_report)
    parser.add_argument("certificates", nargs="*", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--crl", type=Path)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--at", type=datetime.fromisoformat, default=datetime.now(UTC))
    parser.add_argument("--allow", action="append", default=[])
    for field in OPTIONS:
        parser.add_argument(f"--{field.replace('_', '-')}", metavar="HEX")
    parser.add_argument("--min-tcb", action="append")
    parser.add_argument("--advisories", nargs="?", const="all")
    return parser.parse_args(words)


def _report(name: str) -> Path:
    """Return the path of a raw report: the module reads no text."""
    path = Path(name)
    if path.stat().st_size != REPORT_SIZE:
        raise ArgumentTypeError(f"{name} is no raw report of {REPORT_SIZE} bytes")
    return path


def evidence(given: Namespace) -> dict[str, Any]:
    """Return what the program is asked. Raises UntranslatedError, and OSError."""
    files: dict[str, Any] = {
        "report": _encoded(given.report),
        "certificates": [_encoded(path) for path in given.certificates],
    }
    files |= {
        name: _encoded(path)
        for name, path in (("root", given.root), ("list", given.crl))
        if path is not None
    }
    if "list" in files and "root" not in files:
        raise UntranslatedError("a list of one of AMD's own roots")
    at = given.at if given.at.tzinfo else given.at.replace(tzinfo=UTC)
    return files | {"at": at.isoformat(), "options": options(_wishes(given), given.allow)}


def _wishes(given: Namespace) -> dict[str, Any]:
    """Return what a policy and options want. Raises UntranslatedError."""
    for name in UNTRANSLATED:
        if getattr(given, name) is not None:
            raise UntranslatedError(f"--{name.replace('_', '-')}")
    text = "" if given.policy is None else given.policy.read_text()
    read: Callable[[str], dict[str, Any]] = json.loads if text[:1] == "{" else tomllib.loads
    try:
        policy = read(text)
    except ValueError as exc:
        raise UntranslatedError(f"the policy: {exc}") from None
    for field in OPTIONS:
        value = getattr(given, field)
        if value is not None and policy.setdefault(field, value) != value:
            raise UntranslatedError(f"two values of {field}")
    return policy


def _encoded(path: Path) -> str:
    return b64encode(path.read_bytes()).decode()


def options(policy: Mapping[str, Any], allow: Iterable[str] = ()) -> dict[str, Any]:
    """Return the module's options, by their names in Go. Raises UntranslatedError."""
    found: dict[str, Any] = {"GuestPolicy": {"SMT": True}}
    for check in (*policy.get("allow", ()), *allow):
        found["GuestPolicy"][_known(ALLOWED, check, "allow")] = True
    for side in ("forbid", "require"):
        if side in policy:
            _add_bits(found, "policy", {side: policy[side]})
    for key, rule in policy.items():
        if key in EQUAL and isinstance(rule, str):
            found[EQUAL[key]] = _bytes(key, rule)
        elif key in WORDS:
            _add_bits(found, key, rule)
        elif key == "vmpl" and (isinstance(rule, int) or len(rule) == 1):
            found["VMPL"] = rule if isinstance(rule, int) else rule[0]
        elif key in VECTORS and [*rule] == ["require"]:
            found[VECTORS[key]] = _mask(rule["require"])
        elif key == "minimum":
            _add_least(found, rule)
        elif key not in ("allow", "forbid", "require"):
            raise UntranslatedError(key)
    return found


def _bytes(key: str, text: str) -> str:
    tile = Report.tile(key)
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise UntranslatedError(f"{key} {text}") from None
    if tile is None or len(data) != tile.size:
        raise UntranslatedError(f"{key} of {len(data)} bytes")
    return b64encode(data).decode()


def _known(table: Mapping[str, str], name: str, place: str) -> str:
    if name not in table:
        raise UntranslatedError(f"{place} {name}")
    return table[name]


def _add_bits(found: dict[str, Any], key: str, rule: Mapping[str, Any]) -> None:
    """Add the bits of a word; the module refuses what it can forbid unless it is set to true."""
    word = WORDS[key]
    permitted = found.setdefault(word.option, dict.fromkeys(word.forbid.values(), True))
    for side, wanted in rule.items():
        table = word.forbid if side == "forbid" else word.require
        for name in _names(word.record, wanted):
            permitted[_known(table, name, f"{key}.{side}")] = side == "require"


def _names(record: type[Word], wanted: int | list[Any]) -> list[str]:
    """Return the names of the bits of a mask, or of a list of names and numbers."""
    if isinstance(wanted, list) and all(isinstance(one, str) for one in wanted):
        return wanted
    named = {int(record.of(**{name: 1})): name for name in record.BITS}
    mask = _mask(wanted)
    return [named.get(1 << bit, f"bit {bit}") for bit in range(64) if mask >> bit & 1]


def _mask(wanted: int | list[int]) -> int:
    return wanted if isinstance(wanted, int) else sum(1 << bit for bit in {*wanted})


def _add_least(found: dict[str, Any], rule: Mapping[str, Any]) -> None:
    for key, least in rule.items():
        if key in LEAST:
            found[LEAST[key]] = {
                _known(PARTS, part, f"minimum.{key}"): number for part, number in least.items()
            }
        elif key == "guest_svn":
            found["MinimumGuestSvn"] = least
        elif key == "current_version":
            major, minor, build = map(int, least.split("."))
            found |= {"MinimumVersion": major << 8 | minor, "MinimumBuild": build}
        else:
            raise UntranslatedError(f"minimum.{key}")


def theirs(peer: Peer, words: list[str]) -> Verdict:
    """Return the verdict of go-sev-guest. Raises MissingError, UntranslatedError, and OSError."""
    given = json.dumps(evidence(arguments(words)))
    answer = ask(program(peer), given.encode(), "verdict")
    if answer["accepted"]:
        return Verdict("accept", "")
    return Verdict("refuse", f"{answer['stage']}: {answer['says']}")


def ours(words: list[str]) -> Verdict:
    """Return the verdict of ``snpwire verify``; a traceback ends with 1 as well, and is none."""
    command = [sys.executable, "-m", "snpwire", "verify", *words]
    here = os.environ | {"PYTHONPATH": str(FOLDER.parents[1])}
    done = subprocess.run(command, env=here, capture_output=True, check=False, timeout=60)
    if b"Traceback" in done.stderr:
        raise RuntimeError(done.stderr.decode("utf-8", "replace"))
    said = (done.stdout or done.stderr).decode("utf-8", "replace")
    return Verdict(word_of(done.returncode, words), said.strip())


def word_of(code: int, words: list[str]) -> str:
    """Return what an exit code says; evidence that cannot be read is refused, a policy is not."""
    if code == 3 and "--policy" not in words:
        return "refuse"
    return {0: "accept", 1: "refuse"}.get(code, "unusable")


def main(peer: Peer, words: list[str]) -> int:
    """Print both verdicts; return 1 if they differ, 2 if there is none to compare with."""
    try:
        other = theirs(peer, words)
    except MissingError as exc:
        print(f"skipped: {exc}")
        return 2
    except UntranslatedError as exc:
        print(f"skipped: {peer.name} cannot be told: {exc}")
        return 2
    own = ours(words)
    print(f"snpwire: {own.word}", own.says, f"{peer.name}: {other.word}", other.says, sep="\n")
    return int(own.word != other.word)
