"""A command in a child process, for one that maps files: a file that is cut kills who reads it.

A map has no errors. Whoever touches a page of a file that another has just cut gets SIGBUS, which
Python cannot handle: it returns to the same instruction for ever. Looking at the size first leaves
a moment in between, and copies of an image may need all memory. So the command runs in a child, and
its parent, which has mapped nothing, says in one line what came to it.
"""

from __future__ import annotations

import os
import signal
import stat
from typing import NamedTuple

PASSED_ON = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
"""Signals that are the child's as well."""


class Ending(NamedTuple):
    """How a child ended."""

    code: int
    signal: int = 0
    """The signal that ended it; 0 if it returned *code*."""


def ending_of_child() -> Ending | None:
    """Fork. Return None in the child; in the parent wait for it, and return how it ended."""
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    child = os.fork()
    if child:
        for number in PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda number, _: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_SETMASK, kept)
    if not child:
        return None
    status = os.waitpid(child, 0)[1]
    for number in PASSED_ON:  # there is no child any more
        signal.signal(number, signal.SIG_IGN)
    if os.WIFSIGNALED(status):
        return Ending(0, os.WTERMSIG(status))
    return Ending(os.waitstatus_to_exitcode(status))


def sizes(words: list[str]) -> dict[str, int]:
    """Return the sizes of the files among *words*, also of those with an address."""
    found = {}
    for word in {*words, *(word.rpartition("@")[0] for word in words)}:
        try:
            status = os.stat(word)
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(status.st_mode):
            found[word] = status.st_size
    return found


def cut_file(before: dict[str, int]) -> str:
    """Return the name of a file that is shorter than *before*, or what there is to say of it."""
    now = sizes(list(before))
    return next((name for name in before if now.get(name, 0) < before[name]), "an input")
