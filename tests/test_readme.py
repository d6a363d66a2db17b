"""The README's own code runs as it stands there."""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
MINE = [block for block in BLOCKS if "my_service" not in block]  # those are tests of their own


@pytest.fixture
def at_hand(tmp_path, monkeypatch):
    """Return the names that the blocks take as given, with the files they read beside them."""
    shutil.copy(ROOT / "tests/rmp/host.rmp", tmp_path / "rmp.bin")
    shutil.copy(ROOT / "tests/logs/worked.log", tmp_path / "kern.log")
    for name in ("report.bin", "vcek.der", "ask_ark.pem", "ark.der"):
        shutil.copy(ROOT / "tests/messages" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "tests/vectors/psc.bin").read_bytes()
    return {"data": page, "image": 3 * page}


@pytest.mark.parametrize("block", MINE, ids=lambda block: block.splitlines()[0])
def test_a_block_runs(block, at_hand, capsys):
    exec(compile(block, "README.md", "exec"), at_hand)

    assert capsys.readouterr().err == ""


def test_there_are_blocks_to_run():
    assert len(MINE) >= 5
