"""The RMP checks of the processor: what each access requires of a page, and the fault otherwise.

One table of rules serves one access and, in ``vector.access``, arrays of them. Its rows are those
of APM volume 2, Table 15-39, read in translation. Bits of error codes that this table does not give
are those of the access:

* The host's page fault has P and, for a write, W: Linux logs 0x80000003. Of a walk of its page
  tables the other bits are those of the access that caused it, and are left out.
* EXITINFO1 of a nested page fault has P, since the nested page is there, and U, since the nested
  page tables see a guest as a user. A walk of the guest's page tables counts as a write.
* A mapping of another size than the entry, larger or smaller, has SIZEM: OpenVMM and KVM state it
  for the smaller one, for which KVM splits the page, and no source has another code for the larger.
* A walk of page tables needs the permissions to read and to write, as it counts as a write. A VMPL
  that may write and not read may do nothing. Shadow stacks are left out: no source has their rules.
* A large mapping of the hypervisor is refused where any page of its 2 MiB is assigned, by
  ``assigned`` and ``subpage_count`` of the first entry; a mapping of 1 GiB is checked 2 MiB at a
  time. That newer processors let the host write to a page in use by VMRUN (HvInUseWrAllowed), and
  older ones refuse the 2 MiB around it, is not modelled: the table does not record what is in use.
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
    AccessFault,
    FaultKind,
    covering_entry,
)
from .scalar.guest import owned_entry

if TYPE_CHECKING:
    from .entry import Readable


class Access(OpenEnum):
    """An access to a page. SNP: by a guest with SNP; private: with the C-bit."""

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
    VMRUN_VMSA = 16, "VMRUN takes the page as VMSA of a guest with SNP"


class Need(OpenEnum):
    """What an access requires of a page."""

    NOTHING = 0, "any page"
    HYPERVISOR = 1, "not assigned, or beyond the table"
    GUEST = 2, "owned by the guest at this address, not immutable, of the mapping's size, validated"
    SAVE_AREA = 3, "owned by the guest at this address, not immutable, marked as a VMSA"


class AccessRule(NamedTuple):
    """What an access requires, and the fault otherwise."""

    need: Need
    fault: AccessFault = AccessFault(FaultKind.NONE)
    rights: int = 0
    """Permissions that the VMPL must have, as bits of ``VmplMask``."""


def _nested(**bits: int) -> AccessFault:
    return AccessFault(FaultKind.NPF, NpfInfo.of(present=1, user=1, rmp=1, **bits))


_READ, _WRITE = VmplMask.read.mask, VmplMask.write.mask
_EXECUTE, _EXECUTE_USER = VmplMask.exec_supervisor.mask, VmplMask.exec_user.mask
_SHARED_WRITE = _nested(write=1, gpa_final=1)
_FETCH = _nested(fetch=1, gpa_final=1, enc=1)
_INVALID = AccessFault(FaultKind.VMEXIT_INVALID)

RULES: dict[Access, AccessRule] = {
    Access.HOST_READ: AccessRule(Need.NOTHING),
    Access.HOST_FETCH: AccessRule(Need.NOTHING),
    Access.HOST_WRITE: AccessRule(Need.HYPERVISOR, AccessFault(FaultKind.PF, RMP_ERROR | 0b11)),
    Access.HOST_PAGE_TABLE: AccessRule(
        Need.HYPERVISOR, AccessFault(FaultKind.PF, RMP_ERROR | 0b01)
    ),
    Access.GUEST_READ: AccessRule(Need.NOTHING),
    Access.GUEST_WRITE: AccessRule(Need.HYPERVISOR, _SHARED_WRITE),
    Access.GUEST_PAGE_TABLE: AccessRule(Need.HYPERVISOR, _nested(write=1, gpa_page_table=1)),
    Access.SNP_READ: AccessRule(Need.GUEST, _nested(gpa_final=1, enc=1), _READ),
    Access.SNP_WRITE: AccessRule(Need.GUEST, _nested(write=1, gpa_final=1, enc=1), _WRITE),
    Access.SNP_FETCH: AccessRule(Need.GUEST, _FETCH, _EXECUTE),
    Access.SNP_FETCH_USER: AccessRule(Need.GUEST, _FETCH, _EXECUTE_USER),
    Access.SNP_PAGE_TABLE: AccessRule(
        Need.GUEST, _nested(write=1, gpa_page_table=1, enc=1), _READ | _WRITE
    ),
    Access.SNP_SHARED_READ: AccessRule(Need.NOTHING),
    Access.SNP_SHARED_WRITE: AccessRule(Need.HYPERVISOR, _SHARED_WRITE),
    Access.VMRUN_VMCB: AccessRule(Need.HYPERVISOR, AccessFault(FaultKind.GP)),
    Access.VMRUN_AVIC: AccessRule(Need.HYPERVISOR, _INVALID),
    Access.VMRUN_VMSA: AccessRule(Need.SAVE_AREA, _INVALID),
}
"""Source: the module."""

FAULTS: dict[Access, tuple[AccessFault, AccessFault, AccessFault]] = {
    access: (
        rule.fault,
        rule.fault._replace(code=rule.fault.code | NpfInfo.sizem.mask),
        rule.fault._replace(code=rule.fault.code | NpfInfo.vmpl.mask),
    )
    for access, rule in RULES.items()
    if rule.need is Need.GUEST
}
"""Faults of a private access: the plain one, for another page size, for a missing permission."""


def fault_of(
    table: Readable,
    page: int,
    access: Access,
    *,
    gpa: int = 0,
    asid: int = 0,
    vmpl: int = 0,
    large: bool = False,
) -> AccessFault | None:
    """Return the fault that an access to *page* causes, or None.

    *gpa*, the guest's page number, *asid* and *vmpl* are used for private accesses and VMSAs only;
    *large* is a mapping of 2 MiB. Source: the module docstring.
    """
    rule = RULES[access]
    if rule.need is Need.NOTHING:
        return None
    covered = table.state(page) is not RmpState.DEFAULT
    if rule.need is Need.HYPERVISOR:
        return rule.fault if covered and _is_assigned(table, page, large) else None
    entry = owned_entry(table, page, gpa, asid) if covered else None
    if entry is None:
        return rule.fault
    if rule.need is Need.SAVE_AREA:
        return None if entry[1] & VMSA else rule.fault
    return _private_fault(access, entry, vmpl, large)


def _is_assigned(table: Readable, page: int, large: bool) -> bool:
    """Return whether a page is assigned, or for *large* any of the 2 MiB around it."""
    if large:
        return table.entry(page & -REGION)[0] & (ASSIGNED | COUNT) != 0
    return covering_entry(table, page)[1] & ASSIGNED != 0


def _private_fault(
    access: Access, entry: tuple[int, int, int], vmpl: int, large: bool
) -> AccessFault | None:
    """Return the fault of a private access to a page that the guest owns."""
    _, wrong_size, no_permission = FAULTS[access]
    _, lo, hi = entry
    if bool(lo & LARGE) is not bool(large):
        return wrong_size
    if not lo & VALIDATED:
        return NOT_VALIDATED
    mask, rights = hi >> 8 * vmpl, RULES[access].rights
    return no_permission if rights & ~mask or mask & (_READ | _WRITE) == _WRITE else None
