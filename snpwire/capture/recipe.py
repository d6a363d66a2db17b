"""The scripts that capture on a real machine what snpwire reads; each begins with what it needs.

They are kept as text beside this module, since none of them runs in this process: shell, bpftrace
and drgn scripts, and Python for the machine's own interpreter.
"""

from __future__ import annotations

import re
from pkgutil import get_data
from typing import NamedTuple

from ..bits import nearest
from ..errors import UsageError, shown

NAMES = (
    "events.sh",
    "debug.sh",
    "pages.bt",
    "probes.sh",
    "guest.bt",
    "guest.py",
    "host.py",
    "rmp.bt",
    "rmp-segments.bt",
    "devmem.py",
    "snp.py",
)
"""Every script, those first that are asked for most."""
PARTS = ("captures", "needs", "prints", "misses", "read with")
"""What the head of each script may say."""
_PART = re.compile(rf"(?:#|/?\*) ?({'|'.join(PARTS)}) {{2,}}(.*)")
_FURTHER = re.compile(r"(?:#|\*) {6,}(.*)")


class Script(NamedTuple):
    """One script."""

    name: str
    text: str

    @property
    def head(self) -> dict[str, str]:
        """Return what it captures, needs, misses, and what reads its output."""
        parts: dict[str, str] = {}
        part = ""
        for line in map(str.strip, self.text.splitlines()[1:]):
            if found := _PART.match(line):
                part = found[1]
                parts[part] = found[2]
            elif part and (further := _FURTHER.match(line)):
                parts[part] += f" {further[1]}"
            elif part:
                break
        return parts


def recipe(name: str) -> Script:
    """Return the script of a name, of which the ending may be left out. Raises UsageError."""
    found = named(name)
    if not found:
        hint = nearest(name, NAMES) or f"they are: {' '.join(NAMES)}"
        raise UsageError(f"there is no recipe {shown(name)}", help=hint)
    data = get_data(__package__, f"recipes/{found[0]}.txt") or b""
    return Script(found[0], data.decode())


def named(name: str) -> list[str]:
    """Return the scripts that a name may mean: the first is meant."""
    return [name] if name in NAMES else [n for n in NAMES if n.rpartition(".")[0] == name]
