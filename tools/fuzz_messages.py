"""Guest messages, and reports with what they are verified by, as targets of the fuzzer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives import serialization
from fuzz_properties import answered, expect, file_of
from fuzz_seeds import image

from snpwire.cli.engine.config_files import object_of
from snpwire.crypto import emulated_ca as issue
from snpwire.crypto import sealing
from snpwire.crypto.certificates import load, load_crl, load_table, name_of, pin
from snpwire.crypto.diagnosis import diagnose, explanation, slots
from snpwire.crypto.id_keys import OwnerKeys, digest_of
from snpwire.crypto.kdf import VCEK_LABEL, key_pair
from snpwire.crypto.policy import AppraisalPolicy
from snpwire.crypto.signing import sign_id_block
from snpwire.crypto.verify import verify
from snpwire.engine.profile import profile_named
from snpwire.errors import MessageError, SnpwireError
from snpwire.testing.reports.attestation import pem
from snpwire.wire.address import PAGE
from snpwire.wire.message import HEADER_SIZE, PAYLOAD_MAX, Header, MsgType, payload_kind
from snpwire.wire.secrets import SecretsPage

if TYPE_CHECKING:
    from snpwire.crypto.check import Check
    from snpwire.crypto.kdf import PrivateKey

FILES = Path(__file__).parent.parent / "tests" / "messages"
KEY = bytes(range(1, 33))
KEYS = (KEY, *(bytes([n]) * 32 for n in (2, 3, 4)))
SECRETS = SecretsPage(**{f"vmpck{n}": key for n, key in enumerate(KEYS)}).build()
WAYS = ("--json", "", "--no-diagnosis", "--redact --json", "--redact")

# Messages


def message(data: bytes) -> None:
    """Open a message; the first byte tells whether it is sealed first, and how it is printed.

    What was sealed opens, to the same; what does not open is explained by one change at most, and
    the command line says so in its exit code.
    """
    how, raw = data[0] if data else 0, data[1 : PAGE + 1]
    if how & 1 and len(raw) >= HEADER_SIZE:
        payload = raw[HEADER_SIZE:][:PAYLOAD_MAX]
        raw = sealing.seal_raw(sealing.Vmpck(KEY), raw[:HEADER_SIZE], payload)
        expect(raw[0x30] != 1 or _opened(raw) == payload, "what was sealed does not open")
    plain = _opened(raw)
    attempts = _attempts(raw)
    if attempts and plain is not None:
        expect(len(attempts) == 1 and attempts[0], "what opens is explained")
    key = ["--key-file", file_of("secrets", SECRETS), "--vmpck", "0"]
    words = ["open", *key, *WAYS[how // 2 % len(WAYS)].split(), "--from", "raw"]
    out, code = answered(words, raw, negative=True)
    expect((code == 0) == (plain is not None), f"open: exit code {code}")
    if "--json" in words and code < 2:
        expect(json.loads(out)["opens"] == (code == 0), "open: JSON says something else")


def _opened(raw: bytes) -> bytes | None:
    try:
        header, payload = sealing.open_message(sealing.Vmpck(KEY), raw)
    except MessageError as exc:
        expect(exc.code, "an error has no code")
        return None
    expect(len(payload) == header.msg_size, "the payload has another size")
    return payload


def _attempts(raw: bytes) -> list[bool]:
    try:
        attempts = diagnose(KEY, raw, slots(SECRETS))
    except MessageError:
        expect(len(raw) < HEADER_SIZE, "a message with a header is not tried")
        return []
    opening = explanation(attempts)
    expect(opening is None or opening.meaning.isprintable(), "an attempt says nothing")
    return [attempt.opens for attempt in attempts]


def message_seeds() -> list[bytes]:
    """Return a message of every type, to be sealed; the same sealed, and wrong in some ways."""
    cipher, made = sealing.Vmpck(KEY), []
    for kind in MsgType:
        name = payload_kind(int(kind), 1)
        payload = image(name) if name else bytes(32)
        fields = {"algo": 1, "hdr_version": 1, "hdr_size": HEADER_SIZE, "msg_version": 1}
        header = Header(**fields, msg_type=int(kind), msg_seqno=3, msg_size=len(payload))
        made += [bytes([how + 1]) + header.build() + payload for how in range(0, 10, 2)][:2]
        sealed = sealing.seal_page(cipher, header, payload)
        made += [b"\0" + sealed, b"\2" + sealed[:0x20] + b"\4" + sealed[0x21:]]
    other = sealing.seal_page(sealing.Vmpck(KEYS[2]), header, bytes(64))
    return [*made, b"\2" + other, b"\0" + KEY, b"\0" + bytes(PAGE)]


# Reports, and what they are verified by


class Given(NamedTuple):
    """Files that a report is verified with."""

    report: bytes
    certificates: bytes
    table: bytes
    crl: bytes
    policy: bytes
    id_key: bytes
    root: bytes


OPTIONS = ("table=--certs", "crl=--crl", "policy=--policy", "id_key=--id-key", "root=--root")
SIGNED = {"report-signature", "vcek-signature", "ask-signature", "root", "signature-reserved"}
"""Checks that hold of the genuine report alone."""
NOW = datetime(2026, 3, 31, tzinfo=UTC)


@cache
def genuine() -> Given:
    """Return the report of the tests, and all that goes with it."""
    names = ("report.bin", "vcek.der", "ask_ark.pem", "table.bin", "policy.toml", "ark.der")
    report, vcek, chain, table, policy, root = ((FILES / name).read_bytes() for name in names)
    crl = issue.crl(profile_named("milan").product, (0xFFFF,))
    return Given(report, pem(vcek) + chain, table, crl, policy, bytes(range(48)), root)


def evidence(data: bytes) -> None:
    """Verify a report where one file is replaced, the one that the first byte names.

    A report that is not the genuine one does not verify.
    """
    how, body = data[0] if data else 0, data[1:]
    name = Given._fields[how % len(Given._fields)]
    given = genuine()._replace(**{name: body})
    checks: tuple[Check, ...] | None = None
    try:
        checks = _verified(given)
    except SnpwireError as exc:
        expect(str(exc).isprintable(), "an error is unprintable")
    else:
        expect(all(row.reason.isprintable() for row in checks), "a reason is unprintable")
        verified = {row.name for row in checks if row.state == "holds"} >= SIGNED
        same = given.report == genuine().report
        expect(same or not verified, "a report that was changed verifies")
        expect(verified or given != genuine(), "the genuine report does not verify")
    if how >= 128:
        _by_command(given, checks)


def _verified(given: Given) -> tuple[Check, ...]:
    rows, crl = load(given.certificates), load_crl(given.crl)
    rows += load_table(given.table)[0]
    roots = load(given.root)
    named = {pin(row): name_of(row) for row in roots}
    policy = AppraisalPolicy.from_plain(object_of(file_of("policy", given.policy)))
    owner = OwnerKeys([digest_of(given.id_key)])
    return verify(
        given.report, [*rows, *roots], roots=named, crl=crl, at=NOW, policy=policy, owner=owner
    ).checks


def _by_command(given: Given, checks: tuple[Check, ...] | None) -> None:
    files = {one: file_of(one, data) for one, data in given._asdict().items()}
    words = ["verify", files["report"], files["certificates"], "--at", "2026-03-31", "--json"]
    words += ["--from", "raw"]
    for pair in OPTIONS:
        one, option = pair.split("=")
        words += [option, files[one]]
    out, code = answered(words)
    expect((checks is None) == (code > 1), f"verify: exit code {code}")
    if checks is not None:
        said = [row["name"] for row in json.loads(out)["checks"]]
        expect(said == [row.name for row in checks], "verify: other checks than by themselves")


def private_pem(key: PrivateKey) -> bytes:
    """Return a private key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def evidence_seeds() -> list[bytes]:
    """Return each of the files, by itself and for the command line, and keys of other forms."""
    made = [
        bytes([number + n * 132]) + body for n in (0, 1) for number, body in enumerate(genuine())
    ]
    pair = key_pair(KEY, VCEK_LABEL)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = pair.public_key().public_bytes(serialization.Encoding.PEM, form)
    auth = sign_id_block(bytes(0x60), pair, pair).build()
    keys = [bytes(range(1, 5)) * 0x101, bytes(PAGE), auth, public, private_pem(pair)]
    rules = b'{"report_data": "00", "forbid": ["smt"], "minimum": {"guest_svn": 2}}'
    certificates = [b"\1" + row.der for row in load(genuine().certificates)]
    return [*made, *(b"\5" + one for one in keys), b"\4" + rules, *certificates]
