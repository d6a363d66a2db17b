"""Start-up is a feature: what a command does not need, it does not import."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import surroundings

from snpwire.view.topics import FAMILIES, TOPICS

CERTIFICATES = Path(__file__).parent / "certificates"
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
        ["decode", "command", "--id", "0x94", "--length", "24"],
        ["decode", "rmp", "--length", "16"],
        ["log", "-"],
        ["rmp", "--help"],
        ["request", "--inject", "list"],
    ],
    ids=" ".join,
)
def test_costly_modules_are_not_imported(words):
    modules = imported(*words, given=bytes(4096))

    assert "snpwire.cli.app" in modules
    assert modules & COSTLY == set()


@pytest.mark.parametrize("words", [["decode", "cert"], ["decode", "crl"], ["explain", "kds"]])
@pytest.mark.parametrize("name", ["vcek.der", "vlek.der", "crl.der", "vcek-turin.pem"])
def test_a_certificate_whose_issuer_is_not_there_needs_no_cryptography(words, name):
    modules = imported(*words, str(CERTIFICATES / name))

    assert "snpwire.crypto.x509" in modules
    assert modules & COSTLY == set()


@pytest.mark.parametrize(
    "words", [[], ["request"], ["log"], ["rmp"], ["rmp", "check"]], ids=" ".join
)
def test_help_imports_no_layouts(words):
    modules = imported(*words, "--help")

    assert {name for name in modules if name.startswith(("construct", "snpwire.wire."))} == set()


@pytest.mark.parametrize(
    ("words", "declares"),
    [
        (["decode", "--help"], {"commands"}),
        (["verify", "--help"], {"messages"}),
        (["request", "--help"], {"engine", "messages"}),
        (["rmp", "--help"], {"rmp"}),
        (["--help"], {"commands", "messages", "engine", "rmp"}),
    ],
    ids=lambda given: " ".join(sorted(given)),
)
def test_a_start_imports_the_declarations_of_the_commands_it_needs(words, declares):
    modules = imported(*words)

    packages = {"commands", "messages", "engine", "rmp"}
    assert {name for name in packages if f"snpwire.cli.{name}" in modules} == declares


def test_a_raw_page_needs_no_reader_of_text():
    modules = imported("decode", "ghcb", given=bytes(4096))

    assert {name for name in modules if name.startswith("snpwire.capture")} == set()
    assert "snpwire.wire.svsm" not in modules


@pytest.mark.parametrize(
    ("words", "others"),
    [
        (["decode", "command", "--id", "0x94", "--length", "24"], {"rmp", "engine", "capture"}),
        (["log", "-"], {"rmp", "engine", "crypto", "rules"}),
        (["request", "--inject", "list"], {"crypto", "capture"}),
    ],
    ids=["decode", "log", "request"],
)
def test_a_command_loads_no_part_of_the_package_that_it_does_not_need(words, others):
    modules = imported(*words, given=bytes(4096))

    assert {name.split(".")[1] for name in modules if name.startswith("snpwire.")} & others == set()


@pytest.mark.parametrize(
    ("topic", "value", "others"),
    [
        ("exit", "0x80000011", {"wire.rmp_words", "wire.svsm", "wire.certs", "view.offsets"}),
        ("policy", "0x30000", {"wire.operands", "wire.exits", "view.offsets"}),
        ("rb-head", "0x1", {"wire.operands", "wire.command_table", "view.offsets"}),
        ("psmash-result", "0x0", {"wire.operands", "wire.rmp", "view.offsets"}),
    ],
)
def test_a_topic_loads_its_own_family_and_what_that_needs(topic, value, others):
    modules = imported("explain", topic, value)
    families = {f"snpwire.view.topics.{family}" for family in FAMILIES}

    assert modules & families == {f"snpwire.view.topics.{TOPICS[topic]}"}
    assert modules & {f"snpwire.{name}" for name in others} == set()
