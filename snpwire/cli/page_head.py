"""Whether an input begins as what the capture scripts print: pages, decoded as they come."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .options import PieceOptions

HEAD = 1 << 12
_PAGES = re.compile(
    rb"snp-page [a-z0-9-]{1,32} (?:in|out) |\bghcb_(?:enter|exit): \(\w{1,40}vmgexit_"
    rb'|\A(?:Attach(?:ing|ed) [0-9]{1,5} probe|\{"type": "attached_probes")'
)


def begins_with_pages(file: str, piece: PieceOptions) -> bool:
    """Return whether *file* begins with a page's line, or with the greeting of bpftrace."""
    if piece.form != "auto" or (piece.offset, piece.length, piece.page) != (None, None, None):
        return False
    return _PAGES.search(_head(file)) is not None


def _head(file: str) -> bytes:
    """Return how an input begins, and leave it there; nothing of what cannot be looked at."""
    try:
        if file == "-":
            peek = getattr(sys.stdin.buffer, "peek", None)
            return bytes(peek(1)[:HEAD]) if peek else _kept(sys.stdin.buffer)
        if not Path(file).is_file():
            return b""  # what is read of a pipe is gone
        with Path(file).open("rb") as stream:
            return stream.read(HEAD)
    except (OSError, ValueError):
        return b""  # whoever reads it says why


def _kept(stream: object) -> bytes:
    """Return the beginning of a stream in memory."""
    data: bytes = getattr(stream, "getvalue", bytes)()
    return data[:HEAD]
