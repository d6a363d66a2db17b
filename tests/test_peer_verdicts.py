"""go-sev-guest accepts and refuses what snpwire does, but for the rows of ``peer_verdicts.toml``.

Both ways: a difference without a row fails, and so does a row without a difference. Where Go is not
installed, the module's column is skipped, snpwire's is not.
"""

import tomllib
from functools import cache
from pathlib import Path

import peer_verdicts
import peers
import pytest
from evidence import write
from peer_verdicts import UntranslatedError, word_of
from realfiles import CHAINS, needed, real, report_bytes
from test_evidence import ACCEPTED, REFUSED, UNUSABLE, published
from transcripts import call

GO = peers.PEERS["go-sev-guest"]
ROWS = tomllib.loads(Path(__file__).with_name("peer_verdicts.toml").read_text())["difference"]
DIFFERENCES = {row["name"]: row for row in ROWS}
BY_NAME = {name: row for row in ROWS for name in (row["name"], *row.get("also", ()))}
OWN = ACCEPTED | {name: recipe for name, (_, recipe) in REFUSED.items()} | UNUSABLE


@cache
def missing():
    """Return what keeps the module from being asked, or nothing."""
    try:
        peers.program(GO)
    except peers.MissingError as exc:
        return str(exc)
    return ""


def theirs(words):
    """Return the module's verdict; skips where it cannot be asked."""
    if missing():
        pytest.skip(missing())
    return peer_verdicts.theirs(GO, words[1:])


def ours(words):
    """Return snpwire's verdict, given in this process, and what it says."""
    output, errors, code = call(words, b"")

    assert b"Traceback" not in errors
    return word_of(code, words), (output or errors).decode()


def compared(words, row):
    """Hold both verdicts against a row, or, without one, against each other."""
    word, said = ours(words)
    verdict = theirs(words)
    expected = (row["snpwire"], row["go"]) if row else (word, word)

    assert (word, verdict.word) == expected, (said, verdict.says)


def compared_if_told(recipe, name, folder):
    """Compare; an owner's wish that the module has no words for leaves nothing to compare with."""
    words = write(recipe, folder)
    try:
        compared(words, BY_NAME.get(name))
    except UntranslatedError:
        assert recipe.keys() & {"policy", "options"}
        assert name not in BY_NAME


@pytest.mark.parametrize("name", DIFFERENCES)
def test_what_differs_from_go_sev_guest_does_so_as_declared(name, tmp_path):
    row = DIFFERENCES[name]
    verdict = theirs(write(row, tmp_path))

    assert verdict.word == row["go"], verdict.says
    assert verdict.says.startswith(row.get("says", ""))


@pytest.mark.parametrize("name", DIFFERENCES)
def test_snpwire_gives_the_verdict_that_is_declared(name, tmp_path):
    word, said = ours(write(DIFFERENCES[name], tmp_path))

    assert word == DIFFERENCES[name]["snpwire"], said


def test_each_declared_difference_is_one_and_has_a_reason():
    assert len(BY_NAME) == sum(1 + len(row.get("also", ())) for row in ROWS)
    for row in ROWS:
        assert row["snpwire"] != row["go"]
        assert row["reason"]
        assert bool(row.get("says")) is (row["go"] == "refuse")


def test_every_case_that_a_row_names_is_there():
    assert {name for row in ROWS for name in row.get("also", ())} <= {*OWN}


@pytest.mark.parametrize("name", OWN)
def test_no_evidence_of_the_tests_differs_but_as_declared(name, tmp_path):
    compared_if_told(OWN[name], name, tmp_path)


@needed
@pytest.mark.parametrize("case", published(), ids=lambda case: case["name"])
def test_no_evidence_kept_elsewhere_differs_but_as_declared(case, tmp_path):
    compared_if_told(case, case["name"], tmp_path)


RECORDED = [case for case in published() if "go_sev_guest" in case]


@needed
@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["name"])
def test_go_sev_guest_says_what_is_recorded_of_it(case, tmp_path):
    assert f"{theirs(write(case, tmp_path)).word}s" == case["go_sev_guest"]


REAL = {"ms-tee-av--turin_attestation_report.bin": "sound Turin"}
"""Real reports on which the two differ, and the row that says why."""


@needed
@pytest.mark.parametrize("name", CHAINS)
def test_no_real_report_differs_but_as_declared(name, tmp_path):
    (tmp_path / "report").write_bytes(report_bytes(name))
    chain = [str(real("reports") / file) for file in CHAINS[name]]
    words = ["verify", str(tmp_path / "report"), *chain, "--at", "2026-06-01"]

    compared(words, BY_NAME.get(REAL.get(name)))
