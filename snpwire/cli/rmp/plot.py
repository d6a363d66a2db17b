"""``snpwire rmp plot``: a map of the memory, as SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError, printable
from ...rmp.dump import HOST, OTHERS, histogram
from ...view.picture import palette as paints
from ...view.picture.memory_map import COLUMNS, Panel, Share, draw, page_extent
from ...view.picture.svg import svg
from ...view.text import size_text
from ...wire.rmp import RmpState
from ..output import write_file, write_note
from ..progress import Meter
from .input import Input, read

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...view.picture.canvas import Canvas
    from .options import RmpOptions

TITLE = 60
"""Letters of a title that there is room for."""


def run(options: RmpOptions, outputs: tuple[str, ...], title: str | None) -> int:
    """Draw the map as SVG, and write it to each output."""
    for output in outputs:
        if not output.endswith(".svg"):
            raise UsageError(f"-o {output}: the map is SVG, so name it .svg", help="-o host.svg")
    given = read(options)
    write_note(*given.notes)
    named = title or " ".join(Path(file).name for file in options.images)
    canvas = canvas_of(given, printable(named))
    for output in outputs:
        write_file(output, svg(canvas).encode())
    return 0


def canvas_of(given: Input, title: str) -> Canvas:
    """Return the map of what was read: states on the left, owners on the right."""
    dump = given.dump
    shown = page_extent(dump.first, dump.stop)
    count = shown.rows * COLUMNS
    with Meter("counting", 2 * dump.data.pages, given.release) as meter:
        pages = dump.census(meter).by_asid()
        most = sorted((asid for asid in pages if asid), key=lambda asid: (-pages[asid], asid))
        asids = sorted(most[: len(paints.GUESTS)])
        found = histogram(dump, shown.first, count, shown.per_cell, asids, meter)
    total = dump.pages
    heading = f"{title[:TITLE]}  {size_text(total << 12)}, {total:,} pages"
    remarks = [
        f"a cell stands for {size_text(shown.per_cell << 12)}, a row for "
        f"{size_text(shown.per_cell * COLUMNS << 12)}; a cell of several states is divided "
        f"among them{'; only what the log shows' if given.is_log else ''}",
    ]
    panels = [_by_state(found), _by_owner(found, asids, len(most))]
    return draw(heading, remarks, shown, panels)


def _by_state(found: NDArray[np.int64]) -> Panel:
    states = list(paints.STATES)
    counts = found.sum(1)[:, [int(state) for state in states]]
    sums = counts.sum(0).tolist()
    shares = [
        Share(state.name, pages, paints.STATES[state])
        for state, pages in zip(states, sums, strict=True)
    ]
    return Panel("by state", tuple(shares), counts.tolist())


def _by_owner(found: NDArray[np.int64], asids: list[int], guests: int) -> Panel:
    import numpy as np

    host = found[:, HOST]
    ours = host[:, RmpState.HYPERVISOR] + host[:, RmpState.HV_FIXED]
    odd = found[:, :, RmpState.INVALID].sum(1)
    firmware = host.sum(1) - ours - host[:, RmpState.INVALID]
    owned = found.sum(2) - found[:, :, RmpState.INVALID]
    columns = [ours, firmware, *owned[:, OTHERS + 1 :].T, owned[:, OTHERS], odd]
    counts = np.stack(columns, axis=1)
    sums = counts.sum(0).tolist()
    rest = guests - len(asids)
    labels = [
        ("hypervisor", paints.HOST, ""),
        ("firmware", paints.FIRMWARE, ""),
        *(
            (f"guest asid {asid}", paint, f"asid {asid}")
            for asid, paint in zip(asids, paints.GUESTS, strict=False)
        ),
        (f"{rest} more guests", paints.OTHERS, ""),
        ("no known state", paints.STATES[RmpState.INVALID], ""),
    ]
    shares = [
        Share(label, pages, paint, mark)
        for (label, paint, mark), pages in zip(labels, sums, strict=True)
    ]
    return Panel("by owner", tuple(shares), counts.tolist())
