"""The examples for test authors are true: they run, and README shows no others."""

import re
from textwrap import dedent

import pytest
from conftest import ROOT

import snpwire.testing

pytest_plugins = ["pytester"]
BLOCKS = [
    dedent(block).strip()
    for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", snpwire.testing.__doc__)
]
README = [
    block.strip()
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    if "snp_" in block or "snpwire.testing" in block
]
SERVICE = """
from test_samples import toy
from test_testing_port import Driver

def accepts(sample):
    return toy(sample) is None

def attest(guest):
    return guest.report(bytes(64))

class MyDriver(Driver):
    def __init__(self, secrets, send, sleep):
        super().__init__(type("Port", (), {"secrets": secrets, "send": send, "sleep": sleep}))
"""


@pytest.fixture
def beside(pytester, monkeypatch):
    """Return pytester in a directory that has a service to be tested."""
    pytester.makepyfile(my_service=SERVICE)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests'}:{pytester.path}")
    return pytester


def test_there_are_two_examples():
    assert [block.split()[1] for block in BLOCKS] == ["pytest", "snpwire.testing"]


def test_the_example_for_pytest_passes(beside):
    beside.makepyfile(BLOCKS[0])
    words = "-p", "no:snpwire", "-p", "snpwire.pytest_plugin", "--strict-markers", "-q"
    done = beside.runpytest_subprocess(*words)
    reports = len(snpwire.testing.report_names())
    faults = len(snpwire.testing.FAULTS)
    of_others = len(snpwire.testing.every_fault(port=True)) - 2

    done.assert_outcomes(passed=reports + faults + of_others + 1)


def test_the_example_without_pytest_runs(capsys):
    exec(BLOCKS[1], {})
    said = capsys.readouterr().out.splitlines()

    assert len(said) > 90
    assert "genoa-v3-vlek-revoked the ASK, or ASVK, was revoked ('crl',)" in said
    assert said[-1] == "ETIMEDOUT 62000000000"


def test_readme_shows_examples_that_run():
    assert len(README) == len(BLOCKS)
    for shown, run in zip(README, BLOCKS, strict=True):  # a formatter sets blank lines otherwise
        assert shown.split() == run.split()
