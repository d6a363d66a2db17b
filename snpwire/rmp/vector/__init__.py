"""Instructions and commands that change the table, for many pages at once.

Each does to arrays of pages what its namesake in ``scalar`` does to one, with the outcome of doing
it for the first page, then for the second, and so on: when a page repeats, and when pages of 4 KiB
and of 2 MiB overlap. Each gives a status for every page, and changes nothing where it fails.

Pages, guest pages and all else that there is one of for each operation are integers of one shape,
or of shapes that numpy broadcasts to one; statuses are uint8 of that shape, codes and quadwords
uint64. Raises UsageError for what is no page number, and for a table that cannot be changed.
"""

from .firmware import (
    decommission,
    gctx_create,
    launch_update,
    md_init,
    reclaim,
    set_hv_fixed,
    unsmash,
)
from .guest import InstructionResults, QueryResults, pvalidate, rmpadjust, rmpquery
from .host import psmash, rmpread, rmpupdate
from .page_move import page_move
from .page_swap import swap_in, swap_out

__all__ = [
    "InstructionResults",
    "QueryResults",
    "decommission",
    "gctx_create",
    "launch_update",
    "md_init",
    "page_move",
    "psmash",
    "pvalidate",
    "reclaim",
    "rmpadjust",
    "rmpquery",
    "rmpread",
    "rmpupdate",
    "set_hv_fixed",
    "swap_in",
    "swap_out",
    "unsmash",
]
