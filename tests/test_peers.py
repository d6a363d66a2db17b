"""Released libraries of others read the same fields, of real reports and of made ones.

Whatever they do not agree on is declared here, so that a new disagreement fails. ``tools/peers.py``
says how they are built; where that cannot be done, these tests are skipped.
"""

import os
from functools import cache
from pathlib import Path
from random import Random

import peers
import pytest

from snpwire.wire.report import GuestPolicy, KeyInfo, Report, Signature
from snpwire.wire.tcb import TcbClassic, TcbTurin

FOLDER = Path(os.environ.get("SNPWIRE_VECTORS", "")) / "reports"
REAL = {
    path.name: bytes.fromhex(path.read_text()) if path.suffix == ".hex" else path.read_bytes()
    for path in sorted(FOLDER.glob("*"))
    if path.suffix in {".bin", ".hex"}
}

GO, RUST = peers.PEERS
OLDER_ORDER = [f"{path}'s parts: " for path in peers.TCBS]
"""go-sev-guest takes every TCB version apart in the order of Milan and Genoa."""
NOT_ZERO = "refused: Skipped bytes were expected to be zeroed."
ENCODED_ANEW = "encoded again, the bytes are others"

each_peer = pytest.mark.parametrize("name", peers.PEERS)


@cache
def program(name):
    """Build a peer once, and remember one that is missing as well."""
    try:
        return peers.program(peers.PEERS[name])
    except peers.MissingError as exc:
        return exc


def built(name):
    found = program(name)
    if isinstance(found, peers.MissingError):
        pytest.skip(str(found))
    return found


@pytest.fixture(scope="module", autouse=True)
def _decoded_once():
    """Have the command line decode a report once for all peers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peers, "own", cache(peers.own))
        yield


FIRMWARE = [f"{a}_{b}" for a in ("current", "committed") for b in ("major", "minor", "build")]


def made(version, /, family=0x19, model=0x11, word=TcbClassic, chip=64, **changes):
    """Return a report in which no two fields have the same value."""
    rng = Random(version)
    values = {tile.path: rng.randbytes(tile.size) for tile in Report.FIELDS if is_bytes(tile)}
    values["chip_id"] = values["chip_id"][:chip].ljust(64, b"\0")
    for high, path in enumerate(peers.TCBS, start=1):
        values[path] = word.of(**{part: 16 * high + n for n, part in enumerate(word.BITS, start=1)})
    values |= {path: number for number, path in enumerate(FIRMWARE, start=200)}
    if version >= 3:
        values |= {"cpuid_fam_id": family, "cpuid_mod_id": model, "cpuid_step": 2}
    if version >= 5:
        values |= {"launch_mit_vector": 0x1122334455667788, "current_mit_vector": 1 << 63 | 5}
    report = Report(
        **values,
        version=version,
        guest_svn=0x01020304,
        policy=GuestPolicy.of(abi_minor=31, abi_major=2, smt=1, page_swap_disable=1) | 1 << 17,
        vmpl=9,
        signature_algo=1,
        platform_info=0b10101010,
        key_info=KeyInfo.of(author_key_en=1, mask_chip_key=1, signing_key="VLEK"),
        signature=Signature(r=rng.randbytes(72), s=rng.randbytes(72)),
    )
    return report.replace(**changes).build()


def is_bytes(tile):
    return tile.codec.type is bytes


def patched(offset):
    """Return a report of version 3 with one byte set."""
    data = bytearray(made(3))
    data[offset] = 1
    return bytes(data)


def numbered(digit, low, high):
    """Return the bits from *low* to *high* whose number has a binary *digit* set."""
    return sum(1 << bit for bit in range(low, high) if bit >> digit & 1)


TURIN = {"family": 0x1A, "model": 0x02, "word": TcbTurin}
VENICE = {"family": 0x1A, "model": 0x50, "word": TcbTurin}

USUAL = {
    "Milan, 2": made(2),
    "Milan, 3": made(3, model=0x01),
    "Genoa, 3": made(3),
    "Genoa, 4": made(4),
    "Milan, 5": made(5, model=0x01),
    "Genoa, 6": made(6),
    "Bergamo, 3": made(3, model=0xA0),
    "Turin, 2": made(2, word=TcbTurin, chip=8),
    "Turin, 3": made(3, **TURIN),
    "Turin, 5": made(5, **TURIN),
    "Venice, 5": made(5, **VENICE),
} | {
    f"bits by digit {digit}": made(
        5,
        policy=numbered(digit, 16, 26) | 1 << 17,
        platform_info=numbered(digit, 0, 8) & ~(1 << 6),
    )
    for digit in range(4)
}
UNUSUAL = {
    "policy bit 26": made(3, policy=1 << 26 | 1 << 17),
    "policy bit 17 clear": made(3, policy=0x1F),
    "key information bit 5": made(3, key_info=1 << 5),
    "signing key 2": made(3, key_info=2 << 2),
    "platform information bit 6": made(3, platform_info=1 << 6),
    "platform information bit 8": made(3, platform_info=1 << 8),
    "reserved byte of a TCB version": made(3, current_tcb=1 << 16),
    "version 1": made(2, version=1),
    "masked chip id in version 2": made(2, chip=0),
    "masked chip id in version 3": made(3, chip=0),
    "model 0x20": made(3, model=0x20),
    "mitigation vector in version 3": made(3, launch_mit_vector=1),
    "CPUID stepping in version 2": made(2, cpuid_step=1),
    "byte 0x4c": patched(0x4C),
    "byte 0x18b": patched(0x18B),
    "byte 0x1eb": patched(0x1EB),
    "byte 0x208": patched(0x208),
    "byte behind the signature": patched(0x330),
    "all zero": bytes(Report.SIZE),
}

KNOWN = {
    (GO, "ms-tee-av--turin_attestation_report.bin"): [
        *OLDER_ORDER,
        "objection: reserved platform info bit 6 set: 0x65",
    ],
    (GO, "Genoa, 6"): ["objection: report version is: 6. Expected between 2 and 5"],
    (GO, "Bergamo, 3"): ["product: Genoa here, Unknown there"],
    (GO, "Turin, 2"): OLDER_ORDER,
    (GO, "Turin, 3"): OLDER_ORDER,
    (GO, "Turin, 5"): OLDER_ORDER,
    (GO, "Venice, 5"): [*OLDER_ORDER, "product: Venice here, Unknown there"],
    (GO, "policy bit 26"): ["refused: malformed guest policy: mbz range policy[0x1a:0x3f]"],
    (GO, "policy bit 17 clear"): ["refused: malformed guest policy: policy[17] is reserved"],
    (RUST, "policy bit 17 clear"): ["policy: 31 here, 131103 there"],  # set as it is read out
    (GO, "key information bit 5"): ["refused: mbz range data[0x48:0x4C][0x5:0x1f]"],
    (GO, "signing key 2"): ["refused: signing_key values 2-6 are reserved"],
    (GO, "platform information bit 6"): ["objection: reserved platform info bit 6 set"],
    (GO, "platform information bit 8"): ["objection: unrecognized platform info bit(s)"],
    (RUST, "reserved byte of a TCB version"): [ENCODED_ANEW],
    (GO, "version 1"): ["objection: report version is: 1. Expected between 2 and 5"],
    (RUST, "version 1"): ["refused: unsupported"],
    (RUST, "masked chip id in version 2"): ["refused: MASK_CHIP_ID is enabled"],
    (RUST, "model 0x20"): ["refused: processor is not of know SEV-SNP model."],
    (RUST, "mitigation vector in version 3"): [NOT_ZERO],
    (GO, "CPUID stepping in version 2"): ["refused: mbz range [0x188:0x1a0]"],
    (RUST, "CPUID stepping in version 2"): [NOT_ZERO],
    (GO, "byte 0x4c"): ["refused: mbz range [0x4c:0x50]"],
    (RUST, "byte 0x4c"): [NOT_ZERO],
    (GO, "byte 0x18b"): ["refused: mbz range [0x18b:0x1a0]"],
    (RUST, "byte 0x18b"): [NOT_ZERO],
    (GO, "byte 0x1eb"): ["refused: mbz range [0x1eb:0x1ec]"],
    (RUST, "byte 0x1eb"): [NOT_ZERO],
    (GO, "byte 0x208"): ["refused: mbz range [0x208:0x2a0]"],
    (RUST, "byte 0x208"): [NOT_ZERO],
    (GO, "byte behind the signature"): ["refused: mbz range [0x330:0x4a0]"],
    (RUST, "byte behind the signature"): [ENCODED_ANEW],
    (GO, "all zero"): ["refused: malformed guest policy: policy[17] is reserved"],
    (RUST, "all zero"): ["refused: unsupported"],
}
"""How each line begins that a peer says of a report; where nothing is declared, it says nothing."""


def agreed(name, report, data):
    """Hold what a peer says against what is declared."""
    said = list(peers.said(peers.PEERS[name], built(name), data))
    known = KNOWN.get((name, report), [])

    assert len(said) == len(known), said
    for line, start in zip(said, known, strict=True):
        assert line.startswith(start)


@pytest.mark.skipif(not REAL, reason="real reports: SNPWIRE_VECTORS names no folder")
@each_peer
@pytest.mark.parametrize("report", REAL)
def test_a_peer_reads_a_real_report_as_we_do(name, report):
    agreed(name, report, REAL[report])


@each_peer
@pytest.mark.parametrize("report", USUAL)
def test_a_peer_reads_every_version_and_product_as_we_do(name, report):
    agreed(name, report, USUAL[report])


@each_peer
@pytest.mark.parametrize("report", UNUSUAL)
def test_what_a_peer_refuses_or_changes_is_known(name, report):
    agreed(name, report, UNUSUAL[report])


def test_every_declared_disagreement_is_looked_for():
    reports = {*USUAL, *UNUSUAL, *REAL}
    unheard = {name for _, name in KNOWN} - reports

    assert unheard <= {"ms-tee-av--turin_attestation_report.bin"} - {*REAL}


@pytest.mark.parametrize("version", [2, 3, 5])
def test_no_two_fields_of_a_made_report_are_alike(version):
    fields = {leaf.path: leaf.value for leaf in Report.parse(made(version)).leaves()}
    values = [int(v) if isinstance(v, int) else v for v in fields.values() if any_bit(v)]

    assert len(set(values)) == len(values)


def any_bit(value):
    return any(value) if isinstance(value, bytes) else value


@each_peer
def test_a_field_that_changes_goes_or_comes_is_a_difference(name):
    peer, data = peers.PEERS[name], USUAL["Milan, 5"]
    theirs, ours = peers.ask(built(name), data), peers.own(data)
    theirs["fields"]["vmpl"] += 1
    theirs["fields"]["new"] = 7
    del theirs["fields"]["host_data"]
    theirs["bits"]["launch_tcb"]["snp"] = 0
    theirs["product"] = "Genoa"

    found = {row.path: row.theirs for row in peers.differences(peer, theirs, ours)}

    assert found.pop("launch_tcb's parts")["snp"] == 0
    assert found == {"vmpl": 10, "host_data": "no such field", "new": 7, "product": "Genoa"}


@each_peer
def test_an_absent_field_must_be_zero_and_of_a_later_version(name):
    peer = peers.PEERS[name]

    def absent(version, **changes):
        data = made(version, **changes)
        theirs = peers.ask(built(name), made(version))
        fields = peer.fields(theirs) | {"launch_mit_vector": None}
        changed = peer._replace(fields=lambda reading: dict(fields))
        return [row.path for row in peers.differences(changed, theirs, peers.own(data))]

    assert absent(3) == []
    assert absent(3, launch_mit_vector=1) == ["launch_mit_vector"]
    assert absent(5, model=0x11) == ["launch_mit_vector"]


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Return what makes a script the only ``go`` there is; nothing is built yet."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def make(script):
        path = tmp_path / "go"
        path.write_text(f'#!/bin/sh\ncase "$1" in {script} esac\n')
        path.chmod(0o755)

    return make


def test_a_missing_compiler_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with pytest.raises(peers.MissingError, match=r"^go-sev-guest: go is not installed$"):
        peers.program(peers.PEERS[GO])
    with pytest.raises(peers.MissingError, match=r"^sev: rustc is not installed$"):
        peers.program(peers.PEERS[RUST])


def test_an_old_compiler_is_said(compiler):
    compiler("env) echo go1.18.4;;")

    with pytest.raises(peers.MissingError, match=r"go 1\.19 is needed, here is go1\.18\.4$"):
        peers.program(peers.PEERS[GO])


def test_a_registry_that_does_not_response_is_said(compiler):
    compiler("env) echo go1.26;; mod) echo 'dial tcp: no such host' >&2; exit 1;;")

    with pytest.raises(peers.MissingError, match=r"registry does not answer: dial tcp: no such"):
        peers.program(peers.PEERS[GO])


@pytest.mark.parametrize("step", ["mod) echo checksum mismatch", "build) echo undefined: x"])
def test_a_fault_of_our_own_is_an_error(compiler, step):
    compiler(f"env) echo go1.26;; {step} >&2; exit 1;;")

    with pytest.raises(RuntimeError, match=r"go-sev-guest cannot be built:\n(checksum|undefined)"):
        peers.program(peers.PEERS[GO])
