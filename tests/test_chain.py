"""The chain that fits is found, whatever lies before it; what is left out is said."""

from itertools import permutations

import authority
import pytest
from authority import (
    BEFORE,
    CA,
    CLASSIC,
    NOW,
    amd,
    ark,
    ask,
    certificate,
    ec_key,
    report,
    rsa_key,
    vcek,
    vlek,
)
from hypothesis import given
from hypothesis import strategies as st

from snpwire.crypto import chain as chains
from snpwire.crypto.certificates import load
from snpwire.crypto.check import Check, CheckGroup, CheckState
from snpwire.crypto.verify import verify, verify_chain

REPORT = report()
ROOTS = authority.roots()
GOOD = {"vcek": vcek(), "ask": ask(), "ark": ark()}


def other_vcek(**changes):
    """Return a VCEK of another key: of another TCB version, as the key server has many."""
    given = {"serial": 0, "extensions": amd({**CLASSIC, 3: 7}), **changes}
    return certificate("SEV-VCEK", "SEV-Milan", ec_key("other"), rsa_key("ask"), **given)


def forged(name, issuer, key="forger", by="forger", **changes):
    return certificate(name, issuer, rsa_key(key), rsa_key(by), extensions=[CA], **changes)


JUNK = {
    "a VCEK of another TCB version": other_vcek(),
    "a VCEK that expired, of the same key": vcek(until=BEFORE),
    "a VCEK for another chip, of the same key": vcek(
        extensions=amd(CLASSIC, hwid=bytes(63) + b"1")
    ),
    "a VCEK without extensions, of the same key": vcek(extensions=[CA]),
    "a VCEK of the same key that a forger issued": certificate(
        "SEV-VCEK", "SEV-Milan", ec_key("vcek"), rsa_key("stranger"), extensions=amd(CLASSIC)
    ),
    "a VCEK with an RSA key": certificate(
        "SEV-VCEK", "SEV-Milan", rsa_key("forger"), rsa_key("ask"), extensions=amd(CLASSIC)
    ),
    "an ASK that expired, of the same key": ask(until=BEFORE),
    "an ASK that is no CA, of the same key": ask(extensions=[]),
    "an ASK of version 1": ask(version=1),
    "an ASK of another key": forged("SEV-Milan", "ARK-Milan", by="ark"),
    "an ASK that a forger issued": forged("SEV-Milan", "ARK-Milan"),
    "an ASK of another product": ask("Genoa"),
    "an ARK of another key": forged("ARK-Milan", "ARK-Milan"),
    "an ARK that expired, of the same key": ark(until=BEFORE),
    "an ARK of the same key that a forger signed": certificate(
        "ARK-Milan", "ARK-Milan", rsa_key("ark"), rsa_key("forger"), extensions=[CA]
    ),
    "an ARK of another product": ark("Genoa"),
    "a VLEK": vlek(),
    "an ASVK": ask(kind="SEV-VLEK-"),
    "something of another name": forged("ACME", "ACME"),
}


EVERY = [*GOOD.values(), *JUNK.values()]


def checked(certificates, data=REPORT):
    return verify(data, certificates, roots=ROOTS, at=NOW)


def failed(certificates, data=REPORT):
    return [row.name for row in checked(certificates, data).failed]


@pytest.mark.parametrize("name", JUNK)
@pytest.mark.parametrize("place", range(4))
def test_junk_anywhere_does_no_harm(name, place):
    rows = list(GOOD.values())

    found = checked([*rows[:place], JUNK[name], *rows[place:]])

    assert found.verified, found.failed
    assert [row.der for row in found.chain] == rows
    reason = next(row.reason for row in found.checks if row.name == "certificates")
    assert "is not used" in reason or "are not used" in reason


@given(st.permutations(range(len(EVERY))))
def test_all_junk_at_once_does_no_harm_in_any_order(order):
    found = checked([EVERY[at] for at in order])

    assert found.verified
    assert [row.der for row in found.chain] == list(GOOD.values())


def test_all_junk_at_once_and_a_certificate_that_is_missing_is_refused():
    for missing in GOOD:
        rows = [row for name, row in GOOD.items() if name != missing]
        assert not checked([*JUNK.values(), *rows]).verified, missing


@pytest.mark.parametrize("order", list(permutations(("vcek", "ask", "ark"))))
def test_any_order_does(order):
    assert checked([GOOD[name] for name in order]).verified


def test_the_key_that_signed_is_preferred_to_the_first():
    found = checked([other_vcek(), *GOOD.values()])

    assert found.verified
    assert found.chain[0].der == GOOD["vcek"]


def test_of_two_that_did_not_sign_one_is_named():
    data = bytearray(REPORT)
    data[0x50] ^= 1

    assert "report-signature" in failed([vcek(), other_vcek(), ask(), ark()], bytes(data))


def test_the_kind_that_the_report_names_is_taken():
    both = [*GOOD.values(), vlek(), ask(kind="SEV-VLEK-")]

    assert "vlek-signature" in {row.name for row in checked(both, report(key_info=4)).checks}
    assert checked(both).verified
    wrong = failed([vlek(), ask(kind="SEV-VLEK-"), ark()])
    assert "signing-key" in wrong


def test_a_trusted_root_of_another_chain_makes_nothing_trusted():
    """The ARK is there, and the ASK is another's, which signed the VCEK."""
    false_ask = forged("SEV-Milan", "ARK-Milan", key="forger")
    leaf = certificate(
        "SEV-VCEK", "SEV-Milan", ec_key("vcek"), rsa_key("forger"), extensions=amd(CLASSIC)
    )

    assert failed([leaf, false_ask, ark()]) == ["ask-signature"]


def test_a_root_that_is_not_trusted_is_where_a_chain_fails():
    own = forged("ARK-Milan", "ARK-Milan")
    middle = forged("SEV-Milan", "ARK-Milan", key="ask")

    assert failed([vcek(), middle, own]) == ["root"]
    assert failed([vcek(), middle, own, ark()]) == ["root"]


def test_what_is_not_used_is_counted_and_cut():
    strays = [forged(f"stray {number}", "x") for number in range(12)]
    twins = [other_vcek(serial=number) for number in range(3)]

    reason = next(
        row.reason
        for row in checked([*GOOD.values(), *twins, *strays]).checks
        if row.name == "certificates"
    )

    assert reason.startswith("VCEK ASK ARK, 3 of SEV-VCEK are not used, stray 0 is not used, ")
    assert reason.endswith("stray 6 is not used, nor are 5 other names")


def test_a_chain_has_the_certificates_from_the_key_up():
    found = verify_chain([*JUNK.values(), *GOOD.values()], roots=ROOTS, at=NOW)

    assert found.verified
    assert [row.subject_name for row in found.chain][1:] == ["SEV-Milan", "ARK-Milan"]


# How long it takes


class Counted(chains.Signers):
    """Signatures that were really tried."""

    tried = 0

    def problem(self, certificate, issuer):
        before = len(self._known)
        answer = super().problem(certificate, issuer)
        Counted.tried += len(self._known) - before
        return answer


def many(make, count):
    return [load(make(serial=number))[0] for number in range(1, count + 1)]


@pytest.mark.parametrize("count", [4, 8])
def test_signatures_tried_grow_no_faster_than_certificates(count, monkeypatch):
    """Whoever hands over n certificates of each name, right keys among them, makes 3n tries."""
    monkeypatch.setattr("snpwire.crypto.verify.Signers", Counted)
    Counted.tried = 0
    rows = [
        *many(lambda serial: forged("ARK-Milan", "ARK-Milan", key="ark", serial=serial), count),
        *many(lambda serial: forged("SEV-Milan", "ARK-Milan", key="ask", serial=serial), count),
        *many(
            lambda serial: certificate(
                "SEV-VCEK", "SEV-Milan", ec_key("vcek"), rsa_key("forger"), serial=serial
            ),
            count,
        ),
    ]

    assert checked([*rows, *GOOD.values()]).verified
    assert Counted.tried <= 3 * (count + 1)


# The best of several


def answer(*states):
    return [Check("x", state, "", CheckGroup.AUTHENTICITY) for state in states]


def test_the_first_without_failures_is_taken_or_else_the_one_with_the_fewest():
    holds, fails, skipped = CheckState.HOLDS, CheckState.FAILED, CheckState.NOT_CHECKED
    answers = {
        1: answer(fails, fails),
        2: answer(holds, fails),
        3: answer(skipped),
        4: answer(holds),
    }

    assert chains.best([1, 2], answers.get) == (2, answers[2])
    assert chains.best([1, 2, 3, 4], answers.get) == (3, answers[3])
    assert chains.best([], answers.get) is None
