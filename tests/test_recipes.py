"""The recipe of snpwire/README.md for a new record, tried on a copy: three places, no more."""

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
