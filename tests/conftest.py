"""What tests of the command line share: a process of its own, and surroundings that are known."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# How long one example takes says more of the machine than of the code. A gate tries the same
# examples each time; chance is for those who can look into what it finds.
settings.register_profile("snpwire", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("snpwire")

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "snpwire"]


def surroundings(**changes):
    """Return the environment of a child: this checkout is imported, no colour is asked for."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONUNBUFFERED", "PYTHONWARNINGS")
    }
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | changes


def heeds_interrupts():
    """Undo, in a child, what a shell and nohup do to a job in the background: signals ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def process():
    """Return what runs one command line in a process of its own."""

    def run(*words, given=b"", env=(), **options):
        return subprocess.run(
            [*COMMAND, *words],
            input=given,
            capture_output=True,
            env=surroundings(**dict(env)),
            check=False,
            timeout=60,
            **options,
        )

    return run
