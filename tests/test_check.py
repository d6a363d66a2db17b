"""A check, and a verification: nothing is true by being there."""

from __future__ import annotations

import pickle

import pytest

from snpwire.crypto.check import Check, CheckGroup, CheckState, Verification, allowed, state_of
from snpwire.errors import VerificationError

AUTHENTICITY, APPRAISAL = CheckGroup.AUTHENTICITY, CheckGroup.APPRAISAL
GOOD = Check("root", CheckState.HOLDS, "trusted", AUTHENTICITY)
BAD = Check("report-signature", CheckState.FAILED, "does not fit", AUTHENTICITY)
DEBUG = Check("debug", CheckState.FAILED, "the host may read all memory", APPRAISAL)
SKIPPED = Check("crl", CheckState.NOT_CHECKED, "no list was given", AUTHENTICITY, "--crl")


@pytest.mark.parametrize("row", [GOOD, BAD, DEBUG, SKIPPED])
def test_check_has_no_truth_value(row: Check) -> None:
    with pytest.raises(TypeError, match=f"the check {row.name} has no truth value"):
        bool(row)


@pytest.mark.parametrize("rows", [(), (GOOD,), (BAD,)])
def test_verification_has_no_truth_value(rows: tuple[Check, ...]) -> None:
    with pytest.raises(TypeError, match=r"ask for verified, or call require\(\)"):
        bool(Verification(rows))


def test_verification_is_no_container() -> None:
    found = Verification((GOOD,))

    for use in (len, list, tuple, all, any):
        with pytest.raises(TypeError):
            use(found)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("rows", "verified"),
    [
        ((GOOD,), True),
        ((GOOD, SKIPPED), True),
        ((GOOD, DEBUG._replace(state=CheckState.ALLOWED)), True),
        ((GOOD, BAD), False),
        ((GOOD, DEBUG), False),
        ((SKIPPED,), False),
        ((DEBUG._replace(state=CheckState.ALLOWED),), False),
        ((), False),
        ((GOOD, GOOD._replace(state="a state of tomorrow")), False),  # type: ignore[arg-type]
    ],
)
def test_verified_means_that_something_held_and_nothing_failed(
    rows: tuple[Check, ...], verified: bool
) -> None:
    assert Verification(rows).verified is verified


def test_require_returns_a_verification_that_holds() -> None:
    found = Verification((GOOD, SKIPPED))

    assert found.require() is found


def test_require_raises_with_the_checks_that_fail() -> None:
    with pytest.raises(VerificationError) as caught:
        Verification((GOOD, BAD, DEBUG)).require()

    assert caught.value.checks == ("report-signature", "debug")
    assert str(caught.value) == (
        "report-signature: does not fit; debug: the host may read all memory"
    )


def test_require_raises_when_nothing_was_checked() -> None:
    with pytest.raises(VerificationError, match="nothing was checked"):
        Verification((SKIPPED,)).require()


def test_only_checks_of_the_appraisal_are_allowed_to_fail() -> None:
    rows = allowed([GOOD, BAD, DEBUG, SKIPPED], {"root", "report-signature", "debug", "crl"})

    assert [row.state for row in rows] == ["holds", "failed", "allowed", "not checked"]


def test_checks_that_are_not_named_are_not_allowed() -> None:
    assert allowed([DEBUG], {"migration"}) == [DEBUG]


@pytest.mark.parametrize(("holds", "state"), [(True, "holds"), (False, "failed")])
def test_state_of_a_check_that_was_made(holds: bool, state: str) -> None:
    assert state_of(holds) == state


def test_error_survives_a_pickle() -> None:
    error = VerificationError("debug: on", ("debug",))

    again = pickle.loads(pickle.dumps(error))

    assert (str(again), again.checks) == (str(error), error.checks)
