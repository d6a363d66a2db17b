"""Instructions and firmware commands that change the table, for arrays of pages.

Each does to many pages what its namesake in ``scalar`` does to one, with the result of doing it
page by page in order, also where a page repeats and where 4 KiB and 2 MiB pages overlap. Each
returns a status for every page, and changes nothing where it fails.

Pages, guest pages and other arguments of each operation are integers of one shape, or of shapes
that numpy broadcasts to one; statuses are uint8 of that shape, codes and quadwords uint64. All
raise UsageError for what is no page number, and for a table that is read-only.
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
