"""Instructions and firmware commands that change the table, one page at a time.

Every function takes a table (``snpwire.rmp.entry.Entries``) and page numbers, returns the status of
the processor or the firmware, and changes nothing unless that is success.
"""

from .firmware import (
    PageOwner,
    decommission,
    gctx_create,
    launch_update,
    md_init,
    reclaim,
    set_hv_fixed,
    unsmash,
)
from .guest import QueryResult, pvalidate, rmpadjust, rmpquery
from .host import FIRMWARE, SHARED, operand_of, psmash, rmpread, rmpupdate
from .page_swap import page_move, swap_in, swap_out

__all__ = [
    "FIRMWARE",
    "SHARED",
    "PageOwner",
    "QueryResult",
    "decommission",
    "gctx_create",
    "launch_update",
    "md_init",
    "operand_of",
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
