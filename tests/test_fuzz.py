"""The fuzzer runs every target, finds what is wrong, and what it once found stays away."""

from __future__ import annotations

import sys
import time
from functools import cache
from importlib.resources import files
from random import Random

import fuzz
import fuzz_seeds
import pytest
import typer
from fuzz_mutations import BYTES, FIELDS, delete, duplicate, lines, move
from fuzz_properties import Broken
from fuzz_targets import TARGETS, Target
from transcripts import call

from snpwire.capture import hextext
from snpwire.engine import toml
from snpwire.errors import InputError


@pytest.fixture
def planted(monkeypatch):
    """Add a target whose check is *check*."""

    def add(check, seeds=(b"seed",)):
        target = Target(check, lambda: list(seeds))
        monkeypatch.setitem(TARGETS, "planted", target)

    return add


FEW = {"message": 25, "files": 40, "mailbox": 25, "exits": 25, "process": 20}
"""Runs of targets of which each input takes long."""


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_holds_for_a_while(name, monkeypatch):
    monkeypatch.setattr(typer.main, "get_command", cache(typer.main.get_command))
    runs = FEW.get(name, 100)
    report = fuzz.fuzz(name, seed=1, seconds=30, runs=runs)

    assert report.failures == []
    assert report.runs == runs
    assert report.edges > 20


@pytest.mark.parametrize(
    "mutation", dict.fromkeys(BYTES + FIELDS), ids=lambda mutation: mutation.__name__
)
@pytest.mark.parametrize("data", [b"", b"\0", b"a\nb\n", bytes(4098)])
def test_a_mutation_changes_anything_there_is(mutation, data):
    random = Random(1)
    made = {mutation(random, data, b"x\ny") for _ in range(100)}

    assert all(type(one) is bytes for one in made)
    assert made - {data} or (data == b"" and mutation in (delete, duplicate, lines, move))


def test_a_planted_exception_is_found_shrunk_and_saved(planted, tmp_path, capsys):
    def check(data):
        if b"*" in data and len(data) > 8:
            raise KeyError("planted")

    planted(check, seeds=[b"0123456789"])
    words = ["--target", "planted", "--seconds", "20", "--runs", "3000", "--keep", str(tmp_path)]

    assert fuzz.main(words) == 1
    out = capsys.readouterr().out
    assert "KeyError in test_fuzz.py" in out
    assert "KeyError: 'planted'" in out
    [saved] = tmp_path.glob("planted-*.bin")
    assert len(saved.read_bytes()) == 9
    with pytest.raises(KeyError):
        fuzz.main(["--target", "planted", str(saved)])


def test_a_broken_property_is_one_failure_wherever_it_shows(planted):
    def check(data):
        if len(data) % 2:
            raise Broken("odd")

    planted(check)
    report = fuzz.fuzz("planted", seed=1, seconds=5, runs=200)

    assert [failure.where for failure in report.failures] == ["Broken: odd"]


def test_an_input_that_takes_too_long_is_a_failure(planted, monkeypatch):
    monkeypatch.setattr(fuzz, "SLOW", 0.05)

    def check(data):
        end = time.process_time() + 5
        while data == b"seed" and time.process_time() < end:
            pass

    planted(check)
    report = fuzz.fuzz("planted", seed=1, seconds=5, runs=5)

    assert [failure.said.strip() for failure in report.failures] == [
        "fuzz.Slow: more than 0.05 s of processor time"
    ]


def test_a_run_is_the_same_for_the_same_seed():
    first, second, other = (fuzz.fuzz("kvm", seed=seed, seconds=30, runs=400) for seed in (1, 1, 2))

    assert first._replace(seconds=0) == second._replace(seconds=0)
    assert first.runs == 400
    assert other.failures == []


def test_an_input_that_runs_new_lines_joins_the_corpus(planted):
    def check(data):
        if data.startswith(b"G"):
            hextext.read(b"00", "hex")

    kept = sys.gettrace()
    planted(check, seeds=[b"F"])
    report = fuzz.fuzz("planted", seed=1, seconds=20, runs=3000)

    assert report.edges > 20
    assert report.corpus == 2
    assert sys.gettrace() is kept


def test_saved_inputs_need_a_target(capsys):
    with pytest.raises(SystemExit):
        fuzz.main(["input.bin"])

    assert "need one --target" in capsys.readouterr().err


# What the fuzzer found

PROFILE = b"\2" + files("snpwire.engine").joinpath("profiles/milan.toml").read_bytes()
FOUND = {
    "zeros behind a block were lost in full JSON": ("decode", b"\x03\0" + bytes(9)),
    "a block cut short could not be judged": ("decode", b"\x03\0\0\0\5\0\0\0\0\0"),
    "a line break in a rule of a policy": ("evidence", b'\4{"minimum": {"a\\nb": 2}}'),
    "a line break in a part of a profile": ("files", PROFILE + b'"a\\nb" = 1\n'),
    "a line break in a part of a CPUID table": ("files", b'\3"a\\nb" = 1\nleaf = []\n'),
    "a policy in TOML that is nested too deep": ("files", b"\0a = " + b"[" * 3000 + b"]" * 3000),
    "a workload with an integer too long to read": ("files", b"\1a = " + b"9" * 5000),
    "a profile that is nested too deep": ("files", b"\2a = " + b"[" * 3000 + b"]" * 3000),
    "a CPUID table with an integer too long to read": ("files", b"\3a = " + b"9" * 5000),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_stays_away(what):
    name, data = FOUND[what]

    TARGETS[name].check(data)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a = " + "[" * 3000, "it is nested too deep"), ("a = " + "9" * 5000, "an integer is too lo")],
)
def test_a_file_that_is_no_toml_says_why(text, reason, tmp_path):
    file = tmp_path / "policy.toml"
    file.write_text(text)
    out, err, code = call(["request", "key", "--policy", str(file)])

    assert (out, code) == (b"", 3)
    assert err.decode().startswith(f"snpwire: {file}: neither a JSON object nor TOML: {reason}")


def test_no_bytes_are_nothing():
    out, err, code = call(["identify"])

    assert b"unknown" in out
    assert (err, code) == (b"", 1)


def test_a_text_column_that_holds_an_address_is_no_label():
    data = b"0000:  64       " + bytes(32) + b"end"

    assert hextext.read(fuzz_seeds.hexdump(data).encode()).data == data


DEEP = {
    "dots": "a" + ".a" * 50_000 + " = 1",
    "dots with spaces": "a" + " . a" * 25_000 + " = 1",
    "dots of a heading": "[" + "a." * 50_000 + "a]",
    "quoted parts": '"a"' + ".'a'" * 25_000 + " = 1",
    "dots behind a string with quotes at its end": '{a = """x"""", ' + "b." * 50_000 + "b = 1}",
    "brackets": "a = " + "[" * 100_000,
    "inline tables": "a = " + "{a = " * 20_000,
    "brackets behind an escaped quote": 'a = ["\\"", ' + "[" * 50_000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_deep_toml_is_refused_before_it_is_read(text, monkeypatch):
    monkeypatch.setattr("snpwire.engine.toml.tomllib.loads", None)

    with pytest.raises(InputError, match="a policy: it is nested too deep, more than 32"):
        toml.loads(text, "a policy")


@pytest.mark.parametrize(
    "text",
    [
        'a = "' + "[." * 99 + '"',
        "a = '''" + "[.\n" * 99 + "'''",
        "#" + "[." * 99 + "\na = 1",
        "a = [" + "1.5, " * 99 + "]",
        "a." * 31 + "a = [{b = [2.5]}]",
        'a = """""."""',
    ],
)
def test_toml_that_only_looks_deep_is_read(text):
    assert "a" in toml.loads(text, "a policy")


def test_long_toml_is_refused():
    with pytest.raises(InputError, match="it has 1048577 characters, more than 1048576"):
        toml.loads("#" * ((1 << 20) + 1), "a policy")
