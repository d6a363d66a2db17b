"""Which ASIDs are free, taken, or not to be used before caches are written back.

AMD-ASPFW keeps this for each core complex. Here all cores are one complex, so that ``wbinvd`` says
that every core has written its caches back.
"""

from __future__ import annotations

from ...wire.status import Status


class Asids:
    """Every ASID by number: dirty, clean, or owned by a guest."""

    def __init__(self) -> None:
        self.owners: dict[int, int] = {}
        """Page of the guest's context by ASID, from its activation on."""
        self.clean: set[int] = set()
        self.written_back = False
        self.highest = 0

    def restart(self, highest: int) -> None:
        """Make all ASIDs up to *highest* dirty, as the start of SNP does."""
        self.owners.clear()
        self.clean.clear()
        self.written_back = False
        self.highest = highest

    def flush(self) -> Status:
        """Make dirty ASIDs clean; what keeps that from happening is a core's cache."""
        if not self.written_back:
            return Status.WBINVD_REQUIRED
        self.clean.update(asid for asid in range(1, self.highest + 1) if asid not in self.owners)
        return Status.SUCCESS

    def take(self, asid: int, page: int) -> None:
        """Give an ASID to the guest whose context is in *page*."""
        self.clean.discard(asid)
        self.owners[asid] = page

    def free(self, asid: int, *, used: bool) -> None:
        """Take an ASID back: dirty if the guest could have run, clean if it could not."""
        self.owners.pop(asid, None)
        if used:
            self.written_back = False
        else:
            self.clean.add(asid)

    def all_clean(self) -> bool:
        """Tell whether no ASID is dirty or taken."""
        return len(self.clean) == self.highest
