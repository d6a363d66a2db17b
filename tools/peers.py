"""What other readers of attestation reports make of the same bytes.

Two released libraries are asked, go-sev-guest and the ``sev`` crate: ``peer_programs`` says how.
What they read is compared field by field; what go-sev-guest accepts of a report with its
certificates is compared with ``snpwire verify``, whose words follow ``verify``: ``peer_verdicts``.

    PYTHONPATH=. python tools/peers.py REPORT...
    PYTHONPATH=. python tools/peers.py verify REPORT CERTIFICATE... [--root ARK] [--crl LIST] ...
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import peer_verdicts
from peer_programs import FOLDER, MissingError, Peer, RefusedError, ask, program

from snpwire.wire.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TCBS = ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")
WORDS = ("policy", "platform_info", "key_info")
UNNAMED = {"reserved_must_be_one"}
"""Bits that no peer has a name for."""
SINCE = {
    "cpuid_fam_id": 3,
    "cpuid_mod_id": 3,
    "cpuid_step": 3,
    "launch_mit_vector": 5,
    "current_mit_vector": 5,
}
"""Fields that a reader may call absent in reports of an older version."""


class Difference(NamedTuple):
    """Something that two readers do not agree on."""

    path: str
    ours: object
    theirs: object


def own(data: bytes) -> Mapping[str, Any]:
    """Return what ``snpwire decode report --json`` prints, whatever it finds in the report."""
    command = [sys.executable, "-m", "snpwire", "decode", "report", "--json", "-"]
    here = os.environ | {"PYTHONPATH": str(FOLDER.parents[1])}
    done = subprocess.run(
        command, input=data, env=here, capture_output=True, check=False, timeout=60
    )
    if not done.stdout:
        raise RuntimeError(done.stderr.decode())
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def differences(peer: Peer, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[Difference]:
    """Compare every field, every part of TCB versions and words, and the product."""
    report = Report.from_plain(ours["fields"])
    return [
        *_fields(peer.fields(theirs), report),
        *_parts(theirs["bits"], ours["bits"], report),
        *_products(theirs["product"], ours["product"]["product"] or "Unknown", report),
    ]


def _fields(found: dict[str, Any], report: Report) -> Iterator[Difference]:
    for leaf in report.leaves():
        value = leaf.value.hex() if isinstance(leaf.value, bytes) else int(leaf.value)
        if leaf.gap or (leaf.path in TCBS and leaf.path not in found):
            continue  # a peer that has its parts alone is held to those
        theirs = found.pop(leaf.path, "no such field")
        absent = theirs is None and report.version < SINCE.get(leaf.path, 0)
        if theirs != (None if absent and value == 0 else value):
            yield Difference(leaf.path, value, theirs)
    for name, theirs in found.items():
        yield Difference(name, "no such field", theirs)


def _parts(
    found: Mapping[str, Any], printed: Mapping[str, Any], report: Report
) -> Iterator[Difference]:
    words = {path: getattr(report, path) for path in WORDS}
    ours = {path: printed[path] for path in TCBS} | {
        path: {n: int(field.value(word)) for n, field in word.BITS.items() if n not in UNNAMED}
        for path, word in words.items()
    }
    for path, parts in ours.items():
        if found.get(path) != parts:
            yield Difference(f"{path}'s parts", parts, found.get(path))


def _products(theirs: str | None, ours: str, report: Report) -> Iterator[Difference]:
    if report.version >= SINCE["cpuid_fam_id"] and theirs != ours:
        yield Difference("product", ours, theirs)


def _of_go(reading: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(reading["fields"])
    fields["key_info"] = fields.pop("signer_info")
    signature = fields.pop("signature")
    fields["signature.r"], fields["signature.s"] = signature[:144], signature[144:288]
    eax = fields.pop("cpuid1eax_fms")
    fields["cpuid_fam_id"] = (eax >> 8 & 0xF) + (eax >> 20 & 0xFF)
    fields["cpuid_mod_id"] = eax >> 12 & 0xF0 | eax >> 4 & 0xF
    fields["cpuid_step"] = eax & 0xF
    return fields


def _of_rust(reading: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(reading["fields"])
    fields["signature_algo"] = fields.pop("sig_algo")
    fields["platform_info"] = fields.pop("plat_info")
    for which in ("current", "committed"):
        parts = zip(("major", "minor", "build"), fields.pop(which), strict=True)
        fields |= {f"{which}_{part}": number for part, number in parts}
    return fields


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="go-sev-guest",
            folder="go",
            compiler="go",
            oldest=(1, 19),
            version=["go", "env", "GOVERSION"],
            fetch=["go", "mod", "download"],
            build=["go", "build", "-buildvcs=false", "-trimpath", "-o", "OUT/peer", "."],
            made="peer",
            fields=_of_go,
        ),
        Peer(
            name="sev",
            folder="rust",
            compiler="rustc",
            oldest=(1, 85),
            version=["rustc", "--version"],
            fetch=["cargo", "fetch"],
            build=["cargo", "build", "--release", "--offline", "--target-dir", "OUT"],
            made="release/peer",
            fields=_of_rust,
        ),
    )
}


def main(paths: list[str]) -> int:
    """Print what each peer says of each report; return 1 if one does not agree."""
    if paths[:1] == ["verify"]:
        return peer_verdicts.main(PEERS["go-sev-guest"], paths[1:])
    worst = 0
    for peer in PEERS.values():
        try:
            asked = program(peer)
        except MissingError as exc:
            print(f"skipped: {exc}")
            continue
        for name in paths:
            lines = list(said(peer, asked, Path(name).read_bytes()))
            print(f"{peer.name}: {name}: {'differs' if lines else 'agrees'}", *lines, sep="\n  ")
            worst |= bool(lines)
    return worst


def said(peer: Peer, asked: Path, data: bytes) -> Iterator[str]:
    """Yield a line for everything in which *peer* does not agree."""
    try:
        theirs = ask(asked, data)
    except RefusedError as exc:
        yield f"refused: {exc}"
        return
    for path, here, there in differences(peer, theirs, own(data)):
        yield f"{path}: {here} here, {there} there"
    for objection in theirs.get("objections", ()):
        yield f"objection: {objection}"
    if not theirs["rebuilt"]:
        yield "encoded again, the bytes are others"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
