"""Recipes of snpwire/README.md, tried on a copy: no more places than they name."""

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, surroundings

DECLARATION = '''

class SampleCounter(Record, size=0x10, spec="a test's own sample"):
    """Counter of samples."""

    samples: int = at(0x00, Int64ul, "Number of samples")
    limit: int = at(0x0C, Int32ul, "Maximum number of samples")


KINDS["sample-counter"] = SampleCounter
'''
INDEX = '        ("sample-counter", "boot", "counter of samples"),\n'
ROW = """
[[structure]]
name = "sample_counter"
doc = "counter of samples"
size = 0x10
source = "a test's own sample"
fields = [
  { name = "samples", offset = 0x00, size = 8 },
  { name = "limit", offset = 0x0c, size = 4 },
]
"""
INTERPRETER = """
from ..context import Context, Decision
from ..wire.boot import ApJumpTable
from .interpretation import Interpretation


def table(value, hints):
    return Interpretation(Context(decisions=(Decision("sample", "chosen", "it is one"),)))


INTERPRETERS = {ApJumpTable: table}
"""


@pytest.fixture
def copy(tmp_path):
    for name in ("snpwire", "specs", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "vectors", "golden")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    return tmp_path


def run(copy, *words, given=b""):
    """Run Python on the copy; return what it printed."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=copy,
        input=given,
        capture_output=True,
        env=surroundings(PYTHONPATH=str(copy)),
        check=False,
    )
    assert not done.returncode, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


def test_a_record_takes_three_places(copy):
    chapter, index, spec = (
        copy / place
        for place in ("snpwire/wire/boot.py", "snpwire/wire/__init__.py", "specs/ghcb.toml")
    )
    chapter.write_text(chapter.read_text() + DECLARATION)
    before, rows = index.read_text().split("    for name, chapter, title in (\n")
    index.write_text(before + "    for name, chapter, title in (\n" + INDEX + rows)
    spec.write_text(spec.read_text() + ROW)

    decoded = run(copy, "-m", "snpwire", "decode", "sample-counter", given=bytes([7, *bytes(15)]))
    layout = run(copy, "-m", "snpwire", "layout", "sample-counter", "--format", "c")
    tests = run(
        copy,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/test_specs.py",
        "tests/test_wire_kinds.py",
    )

    assert "samples" in decoded
    assert "0x0000000000000007" in decoded or " 7 " in decoded
    assert "uint32_t limit;" in layout
    assert " passed" in tests


def test_an_interpreter_takes_one_place(copy):
    (copy / "snpwire/decode/boot.py").write_text(INTERPRETER)

    decoded = run(copy, "-m", "snpwire", "decode", "ap-jump-table", given=bytes(4))
    other = run(copy, "-m", "snpwire", "decode", "cc-blob", "--length", "40", given=bytes(40))

    assert "it is one" in decoded
    assert "it is one" not in other


def test_a_topic_takes_a_row_and_its_name(copy):
    family, index = (copy / f"snpwire/view/topics/{name}.py" for name in ("svsm", "__init__"))
    row = '    "sample": Topic(word(SvsmCall), "a sample"),\n'
    family.write_text(family.read_text().replace("TOPICS = {\n", f"TOPICS = {{\n{row}"))
    index.write_text(index.read_text().replace('"svsm": (', '"svsm": ("sample", '))

    explained = run(copy, "-m", "snpwire", "explain", "sample", "0x1")

    assert "SvsmCall" in explained
