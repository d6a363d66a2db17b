"""Read runs of RMP entries: a dump has as many lines of one shape as its regions have pages.

The records are those that the reader makes of single lines, at a third of the cost: one expression
takes a line's prefix and its entry at once, and nothing stands between them and the record. Any
other line ends a run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..loglines import PREFIX
from .record import Hex, LogRecord, Quad
from .rmp import ASSIGNED, KIND, REGION_ENTRY, entry, entry_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = re.compile(
    f"(?!\\ )({PREFIX})"
    r"(?:SEV-SNP:\ )?PFN(:)?\ 0x([0-9a-fA-F]{1,16}),(?(2)|\ RMP\ entry:)"
    r"\ \[0x([0-9a-fA-F]{16})\ -\ 0x([0-9a-fA-F]{16})\]\r?\n",
    re.VERBOSE | re.ASCII,
)


def run(text: str, at: int, number: int) -> Iterator[tuple[LogRecord, int]]:
    """Yield the entries that *text* has in a row from *at*, and where the line of each ends.

    *text* is a log's bytes as Latin-1, and *number* that of the first line.
    """
    match = _LINE.match
    while found := match(text, at):
        prefix, colon, page, low, high = found.groups()
        if not (prefix.isascii() and prefix.isprintable()):
            return  # a host's name that has to be decoded first
        pfn, lo, hi = Hex(page, 16), Quad(low, 16), Quad(high, 16)
        row = entry(lo, hi)
        fields = {"pfn": pfn, "lo": lo, "hi": hi, "state": row.state.name, "rights": row.rights}
        record = LogRecord(
            KIND,
            REGION_ENTRY if colon else ASSIGNED,
            "rmp",
            number,
            number,
            prefix,
            fields,
            entry_text(pfn, lo, hi, row),
            row.meaning,
        )
        at = found.end()
        yield record, at
        number += 1
