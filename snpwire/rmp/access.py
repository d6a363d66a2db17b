"""Who may touch a page: what the processor asks of the table, and which fault says no.

One table of rules serves one access and many. Its rows are those of APM volume 2, Table 15-39, read
in translation. Bits of error codes that this table does not give are those of the access:

* The host's page fault has P and, for a write, W: Linux logs 0x80000003. Of a walk of its page
  tables the other bits are those of the access that made it necessary, and are left out.
* EXITINFO1 of a nested page fault has P, since the nested page is there, and U, since the nested
  page tables see a guest as a user. A walk of the guest's page tables counts as a write.
* A mapping of another size than the entry, larger or smaller, has SIZEM: OpenVMM and KVM say so of
  the smaller one, for which KVM splits the page, and nobody gives the larger one another code.
* A walk of page tables needs the rights to read and to write, as it counts as a write. A level that
  may write and not read may do nothing. Shadow stacks are left out: no source tells their rules.
* A large mapping of the hypervisor is refused where any page of its 2 MiB is assigned, which the
  first entry tells, by ``assigned`` and ``subpage_count``; a mapping of 1 GiB is asked 2 MiB at a
  time. That newer processors let the host write to a page in use by VMRUN (HvInUseWrAllowed), and
  older ones refuse the 2 MiB around it, is not modelled: the table does not say what is in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..bits import OpenEnum
from ..wire.address import REGION
from ..wire.rmp import RmpState
from ..wire.rmp_words import NpfInfo, VmplMask
from .entry import (
    ASSIGNED,
    COUNT,
    LARGE,
    NOT_VALIDATED,
    RMP_ERROR,
    VALIDATED,
    VMSA,
    Fault,
    FaultKind,
    resolved,
)
from .scalar.guest import owned

if TYPE_CHECKING:
    from .entry import Readable


class Access(OpenEnum):
    """What is done to a page, and by whom. SNP: by a guest with SNP; private: with the C-bit."""

    HOST_READ = 0, "the host reads"
    HOST_FETCH = 1, "the host executes"
    HOST_WRITE = 2, "the host writes"
    HOST_PAGE_TABLE = 3, "the processor walks the host's page tables"
    GUEST_READ = 4, "a guest without SNP reads or executes"
    GUEST_WRITE = 5, "a guest without SNP writes"
    GUEST_PAGE_TABLE = 6, "the processor walks the page tables of a guest without SNP"
    SNP_READ = 7, "a guest with SNP reads, private"
    SNP_WRITE = 8, "a guest with SNP writes, private"
    SNP_FETCH = 9, "a guest with SNP executes in supervisor mode"
    SNP_FETCH_USER = 10, "a guest with SNP executes in user mode"
    SNP_PAGE_TABLE = 11, "the processor walks the page tables of a guest with SNP"
    SNP_SHARED_READ = 12, "a guest with SNP reads, shared"
    SNP_SHARED_WRITE = 13, "a guest with SNP writes, shared"
    VMRUN_VMCB = 14, "VMRUN takes the page as VMCB"
    VMRUN_AVIC = 15, "VMRUN takes the page as backing page of AVIC"
    VMRUN_VMSA = 16, "VMRUN takes the page as save area of a guest with SNP"


class Need(OpenEnum):
    """What a page must be."""

    NOTHING = 0, "any page"
    HYPERVISOR = 1, "assigned to nobody, or beyond the table"
    GUEST = 2, "the guest's, at this address, not immutable, of the mapping's size, accepted"
    SAVE_AREA = 3, "the guest's, at this address, not immutable, marked as a save area"


class Rule(NamedTuple):
    """What an access needs, and the fault where it is not so."""

    need: Need
    fault: Fault = Fault(FaultKind.NONE)
    rights: int = 0
    """What the level must be allowed, as bits of ``VmplMask``."""


def _nested(**bits: int) -> Fault:
    return Fault(FaultKind.NPF, NpfInfo.of(present=1, user=1, rmp=1, **bits))


_READ, _WRITE = VmplMask.read.mask, VmplMask.write.mask
_EXECUTE, _EXECUTE_USER = VmplMask.exec_supervisor.mask, VmplMask.exec_user.mask
_SHARED_WRITE = _nested(write=1, gpa_final=1)
_FETCH = _nested(fetch=1, gpa_final=1, enc=1)
_INVALID = Fault(FaultKind.VMEXIT_INVALID)

RULES: dict[Access, Rule] = {
    Access.HOST_READ: Rule(Need.NOTHING),
    Access.HOST_FETCH: Rule(Need.NOTHING),
    Access.HOST_WRITE: Rule(Need.HYPERVISOR, Fault(FaultKind.PF, RMP_ERROR | 0b11)),
    Access.HOST_PAGE_TABLE: Rule(Need.HYPERVISOR, Fault(FaultKind.PF, RMP_ERROR | 0b01)),
    Access.GUEST_READ: Rule(Need.NOTHING),
    Access.GUEST_WRITE: Rule(Need.HYPERVISOR, _SHARED_WRITE),
    Access.GUEST_PAGE_TABLE: Rule(Need.HYPERVISOR, _nested(write=1, gpa_page_table=1)),
    Access.SNP_READ: Rule(Need.GUEST, _nested(gpa_final=1, enc=1), _READ),
    Access.SNP_WRITE: Rule(Need.GUEST, _nested(write=1, gpa_final=1, enc=1), _WRITE),
    Access.SNP_FETCH: Rule(Need.GUEST, _FETCH, _EXECUTE),
    Access.SNP_FETCH_USER: Rule(Need.GUEST, _FETCH, _EXECUTE_USER),
    Access.SNP_PAGE_TABLE: Rule(
        Need.GUEST, _nested(write=1, gpa_page_table=1, enc=1), _READ | _WRITE
    ),
    Access.SNP_SHARED_READ: Rule(Need.NOTHING),
    Access.SNP_SHARED_WRITE: Rule(Need.HYPERVISOR, _SHARED_WRITE),
    Access.VMRUN_VMCB: Rule(Need.HYPERVISOR, Fault(FaultKind.GP)),
    Access.VMRUN_AVIC: Rule(Need.HYPERVISOR, _INVALID),
    Access.VMRUN_VMSA: Rule(Need.SAVE_AREA, _INVALID),
}
"""Source: the module."""

FAULTS: dict[Access, tuple[Fault, Fault, Fault]] = {
    access: (
        rule.fault,
        rule.fault._replace(code=rule.fault.code | NpfInfo.sizem.mask),
        rule.fault._replace(code=rule.fault.code | NpfInfo.vmpl.mask),
    )
    for access, rule in RULES.items()
    if rule.need is Need.GUEST
}
"""The fault of a private access: as it is, for a page of another size, for want of a right."""


def fault_of(
    table: Readable,
    page: int,
    access: Access,
    *,
    gpa: int = 0,
    asid: int = 0,
    vmpl: int = 0,
    large: bool = False,
) -> Fault | None:
    """Return the fault that an access to *page* meets, or None where it goes through.

    *gpa*, *asid* and *vmpl* tell the guest's page number and who it is, and matter to private
    accesses and save areas alone; *large* is a mapping of 2 MiB. Source: the module.
    """
    rule = RULES[access]
    if rule.need is Need.NOTHING:
        return None
    covered = table.state(page) is not RmpState.DEFAULT
    if rule.need is Need.HYPERVISOR:
        return rule.fault if covered and _taken(table, page, large) else None
    found = owned(table, page, gpa, asid) if covered else None
    if found is None:
        return rule.fault
    if rule.need is Need.SAVE_AREA:
        return None if found[1] & VMSA else rule.fault
    return _refused(access, found, vmpl, large)


def _taken(table: Readable, page: int, large: bool) -> bool:
    """Tell whether a page is assigned, or any of the 2 MiB around it."""
    if large:
        return table.entry(page & -REGION)[0] & (ASSIGNED | COUNT) != 0
    return resolved(table, page)[1] & ASSIGNED != 0


def _refused(access: Access, entry: tuple[int, int, int], vmpl: int, large: bool) -> Fault | None:
    """Return the fault of a private access to a page that is the guest's."""
    _, strange, unlawful = FAULTS[access]
    _, lo, hi = entry
    if bool(lo & LARGE) is not bool(large):
        return strange
    if not lo & VALIDATED:
        return NOT_VALIDATED
    mask, rights = hi >> 8 * vmpl, RULES[access].rights
    return unlawful if rights & ~mask or mask & (_READ | _WRITE) == _WRITE else None
