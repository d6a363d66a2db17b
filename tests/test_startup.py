"""Start-up is a feature: what a command does not need, it does not import."""

import subprocess
import sys

import pytest
from conftest import surroundings

COSTLY = {
    "asyncio",
    "cryptography",
    "email",
    "numpy",
    "pydantic",
    "rich",
    "tempfile",
    "unittest",
    "xml",
}
REPORT = (
    "import sys; from snpwire.__main__ import main; code = main();"
    "sys.stderr.write(chr(10) + ' '.join(sys.modules)); sys.exit(code)"
)


def imported(*words, given=b""):
    """Return the modules that a command line leaves behind."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *words],
        input=given,
        capture_output=True,
        env=surroundings(),
        check=True,
    )
    return set(done.stderr.decode().split("\n")[-1].split())


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["decode", "--help"],
        ["decode", "ghcb"],
        ["decode", "ghcb", "--hex"],
        ["decode", "ghcb", "--json"],
        ["layout", "ghcb"],
        ["explain", "exit", "0x80000011"],
    ],
    ids=" ".join,
)
def test_costly_modules_are_not_imported(words):
    modules = imported(*words, given=bytes(4096))

    assert "snpwire.cli.app" in modules
    assert modules & COSTLY == set()


def test_help_imports_no_layouts():
    modules = imported("--help")

    assert {name for name in modules if name.startswith(("construct", "snpwire.wire."))} == set()


def test_a_raw_page_needs_no_reader_of_text():
    modules = imported("decode", "ghcb", given=bytes(4096))

    assert {name for name in modules if name.startswith("snpwire.capture")} == set()
    assert "snpwire.wire.svsm" not in modules
