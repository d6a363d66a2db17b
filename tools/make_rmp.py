"""Make the image of a reverse map table: a host with guests, and faults on request.

    python tools/make_rmp.py
    python tools/make_rmp.py host.rmp
    python tools/make_rmp.py broken.rmp --fault subpage-count --fault aliased

The host, of 12 MiB, is synthetic: it follows the rules of AMD's firmware (SNP_INIT, PAGE_RECLAIM,
and so on) and of RMPUPDATE, and is no image of a machine. It has low memory and holes that are
HV_FIXED, the table's own pages, a guest of 2 MiB pages, one of 4 KiB pages, one in launch, VMSAs,
guest contexts, metadata, IOMMU buffers, and a reclaimed page. It makes the files in ``tests/rmp``;
``--check`` exits with 1 if they differ.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from snpwire.rmp.table import Table
from snpwire.wire.rmp import RmpHi, RmpLo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PAGES = 0xC00
BASE = 0xA0_0000
"""Address of the table: page 0xa00."""
OWN = range(BASE >> 12, (BASE >> 12) + 0x100)
"""Pages of the table: 1 MiB, of which the firmware requires a multiple; the table needs 64 KiB."""
FIXED = (range(0xA0, 0x100), range(0xB00, 0xC00))
LARGE_GUEST, SMALL_GUEST, LAUNCHED = 1, 2, 7
FIRMWARE = int(RmpLo.of(assigned=1, immutable=1, lock=1))
CONTEXTS = (0x200, 0x201, 0x202)
RESPONSE = 0x203
METADATA = 0x204
RECLAIM = 0x205
IOMMU = range(0x210, 0x214)
LARGE = range(0x400, 0x800, 0x200)
"""First pages of the 2 MiB pages of a guest; its memory begins at guest page 0."""
SMALL = range(0x800, 0x980)
AREAS = (0x220, 0x221, 0x222)
PREPARED = range(0x9C0, 0xA00)
ALL = 0x1F


def table() -> Table:
    """Return the table of the host, without faults."""
    made = Table.blank(PAGES, base=BASE)
    for hole in FIXED:
        _put(made, hole, RmpLo.of(immutable=1))
    _put(made, OWN, FIRMWARE)
    _put(made, CONTEXTS, FIRMWARE | RmpLo.vmsa.mask)
    _put(made, [RESPONSE], FIRMWARE)
    _put(made, [METADATA], FIRMWARE | (1 << 36 | CONTEXTS[0]) << 12)
    _put(made, [RECLAIM], RmpLo.of(assigned=1))
    _put(made, IOMMU, FIRMWARE | (2 << 36 | 1) << 12)
    for number, page in enumerate(LARGE):
        lo = RmpLo.of(assigned=1, page_size=1, validated=1, asid=1, gpa=512 * number)
        made.set(page, lo, ALL)
    for number, page in enumerate(SMALL):
        accepted = int(number < 0x100)
        lo = RmpLo.of(assigned=1, asid=SMALL_GUEST, gpa=0x100 + number, validated=accepted)
        made.set(page, lo, RmpHi.of(vmpl0=ALL, vmpl1=0xF * accepted))
    for number, (page, asid) in enumerate(zip(AREAS, (1, 2, 2), strict=True)):
        lo = RmpLo.of(assigned=1, asid=asid, vmsa=1, validated=1, gpa=0xFFFFFFFFF - number)
        made.set(page, lo, ALL)
    for number, page in enumerate(PREPARED):
        done, immutable = int(number < 0x30), int(number >= 0x30)
        lo = RmpLo.of(assigned=1, asid=LAUNCHED, gpa=number, validated=done)
        made.set(page, lo.replace(immutable=immutable, lock=immutable), ALL)
    settle(made)
    return made


def _put(made: Table, pages: Iterable[int], lo: int) -> None:
    for page in pages:
        made.set(page, int(lo), 0)


def settle(made: Table) -> None:
    """Correct the sub-page counts and the counters of ASIDs."""
    for head in range(0, made.pages, 512):
        lo, hi = made.entry(head)
        others = made.entries["lo"][head + 1 : head + 512] & np.uint64(1)
        if not RmpLo(lo).page_size:
            made.set(head, RmpLo(lo).replace(subpage_count=int(others.sum())), hi)
    if made.counters is not None:
        made.counters[:] = 0
        for asid, pages in made.census().by_asid().items():
            made.counters[asid] = pages if asid else 0


def change(made: Table, page: int, **fields: int) -> None:
    """Change fields of the first quadword of an entry, and nothing else."""
    lo, hi = made.entry(page)
    made.set(page, RmpLo(lo).replace(**fields), hi)


def rights(made: Table, page: int, **fields: int) -> None:
    """Change fields of the second quadword of an entry."""
    lo, hi = made.entry(page)
    made.set(page, lo, RmpHi(hi).replace(**fields))


def _counter(made: Table, asid: int, change: int) -> None:
    assert made.counters is not None
    made.counters[asid] = int(made.counters[asid]) + change


def _units(made: Table) -> None:
    """Give ASID 9 a 2 MiB page that is counted once, while that of ASID 1 is counted as 512."""
    change(made, LARGE[1], asid=9, gpa=0)
    _put(made, [0x206], FIRMWARE | RmpLo.vmsa.mask)
    settle(made)
    _counter(made, 9, -511)


def _remove_guest(made: Table) -> None:
    """Remove all pages of the launched guest except its context."""
    for page in PREPARED:
        made.set(page, 0, 0)
    settle(made)


def _remove_validated(made: Table) -> None:
    """Remove the launched guest's validated pages."""
    for page in PREPARED[:0x30]:
        made.set(page, 0, 0)
    settle(made)


def _alias(made: Table, accepted: int) -> None:
    lo = RmpLo.of(assigned=1, asid=1, gpa=0x205, validated=accepted)
    made.set(0x300, lo, ALL)
    settle(made)


def _child(made: Table, **fields: int) -> None:
    made.set(LARGE[1] + 7, RmpLo.of(assigned=1, **fields), ALL)
    settle(made)


def _uncontext(made: Table) -> None:
    made.set(CONTEXTS[2], 0, 0)
    settle(made)


def _changing(made: Table) -> None:
    change(made, SMALL[0], asid=0x3FF)
    settle(made)


def _high_asid(made: Table) -> None:
    change(made, SMALL[7], asid=1007)
    _put(made, [0x206], FIRMWARE | RmpLo.vmsa.mask)
    settle(made)


def _misplaced(made: Table) -> None:
    change(made, SMALL[0x100], page_size=1)


def _fill(made: Table, seed: int | None) -> None:
    random = np.random.default_rng(seed)
    words = made.extents[0].words.reshape(-1)
    words[:] = 0 if seed is None else random.integers(0, 1 << 64, words.size, np.uint64)
    if seed is None and made.counters is not None:
        made.counters[:] = 0


def _invalid(made: Table) -> None:
    change(made, 0x321, validated=1)


FAULTS: dict[str, Callable[[Table], None]] = {
    "rmp-subpage-count": lambda made: change(made, SMALL[0], subpage_count=300),
    "rmp-stray-count": lambda made: change(made, SMALL[1], subpage_count=1),
    "rmp-2m-misplaced": _misplaced,
    "rmp-alignment": lambda made: change(made, LARGE[1], gpa=0x1234),
    "rmp-2m-children": lambda made: _child(made, asid=1, gpa=0x207),
    "rmp-invalid": _invalid,
    "rmp-changing": _changing,
    "rmp-changing-elsewhere": lambda made: change(made, SMALL[5], asid=0x3FF),
    "rmp-aliased": lambda made: _alias(made, 1),
    "rmp-lock": lambda made: change(made, SMALL[6], lock=1),
    "rmp-rights": lambda made: rights(made, SMALL[8], vmpl1=2),
    "unknown-bits": lambda made: made.set(SMALL[9], made.entry(SMALL[9])[0], 1 << 40 | ALL),
    "rmp-asid": _high_asid,
    "rmp-subpages": lambda made: change(made, LARGE[1], subpage_count=7),
    "rmp-vmsa-not-accepted": lambda made: change(made, AREAS[0], validated=0),
    "rmp-vmsa-large": lambda made: change(made, LARGE[1], vmsa=1),
    "rmp-vmsa-aligned": lambda made: change(made, SMALL[0], vmsa=1),
    "rmp-vmsa-writeable": lambda made: rights(made, AREAS[1], vmpl2=3),
    "rmp-vmsa-rights": lambda made: rights(made, AREAS[2], vmpl0=1),
    "rmp-counter": lambda made: _counter(made, SMALL_GUEST, 1),
    "rmp-counter-beyond": lambda made: _counter(made, 1500, 4),
    "rmp-counter-units": _units,
    "rmp-guest-without-context": _uncontext,
    "rmp-context-without-guest": _remove_guest,
    "rmp-immutable-left": _remove_validated,
    "rmp-metadata-without-context": lambda made: change(made, METADATA, gpa=1 << 36 | RESPONSE),
    "rmp-own-pages": lambda made: change(made, OWN[5], immutable=0, lock=0),
    "rmp-all-zero": lambda made: _fill(made, None),
    "rmp-unlike-a-table": lambda made: _fill(made, 1),
}
"""Faults by the finding that each causes."""


def image(made: Table) -> bytes:
    """Return the bytes of a table, its counters first."""
    counters = b"" if made.counters is None else made.counters.tobytes()
    return counters + made.entries.tobytes()


HERE = Path(__file__).parent.parent / "tests" / "rmp"
IMAGES = {
    "host.rmp": (),
    "faults.rmp": ("rmp-aliased", "rmp-subpage-count", "rmp-vmsa-writeable", "rmp-counter"),
}
"""Images of the tests, and the faults in each."""


def image_with(faults: Iterable[str]) -> bytes:
    """Return the image of the host with these faults."""
    made = table()
    for fault in faults:
        FAULTS[fault](made)
    return image(made)


def main(words: list[str]) -> int:
    """Write the image named, with the faults named; or write, or check, those of the tests."""
    if words == ["--check"]:
        return int(any((HERE / name).read_bytes() != image_with(f) for name, f in IMAGES.items()))
    if not words:
        for name, faults in IMAGES.items():
            (HERE / name).write_bytes(image_with(faults))
        return 0
    name, *options = words
    Path(name).write_bytes(image_with(options[1::2]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
