"""A VM and its processors in the hypervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.address import C_BIT
from ...wire.message import VMPCKS
from ...wire.msr import MsrInfo, MsrSevInfoResp
from ...wire.operands import HvFeatures
from .policy import Window

if TYPE_CHECKING:
    from .policy import HypervisorPolicy

PROTOCOL = 2
"""Highest version of the GHCB protocol; 1 is the lowest."""
FEATURES = HvFeatures.of(snp=1, snp_ap_creation=1)
"""What the hypervisor offers, as KVM of Linux 6.12."""
RESET_MSR = MsrSevInfoResp.of(
    info=int(MsrInfo.SEV_INFO_RESP),
    min_version=1,
    max_version=PROTOCOL,
    c_bit=C_BIT.bit_length() - 1,
)
"""What the GHCB MSR holds before the guest writes it, and the response to SEV_INFO_REQ."""


class Vcpu:
    """One processor of a VM."""

    __slots__ = ("apic_id", "ghcb_gpa", "msr", "running", "vm", "vmsa_gpa")

    def __init__(self, vm: Vm, apic_id: int) -> None:
        self.vm = vm
        self.apic_id = apic_id
        self.msr = int(RESET_MSR)
        self.ghcb_gpa: int | None = None
        """The GHCB that the guest registered."""
        self.vmsa_gpa: int | None = None
        self.running = False


class Vm:
    """One guest: its ASID, its context page, its memory, and its use of the limits."""

    def __init__(self, name: str, asid: int, policy: HypervisorPolicy) -> None:
        self.name = name
        self.asid = asid
        self.policy = policy
        self.context = 0
        """Number of the page of its context."""
        self.map: dict[int, int] = {}
        """Number of the physical page of each guest page: the nested page table."""
        self.views: dict[int, tuple[int, bytearray]] = {}
        """Page and bytes of shared guest addresses that the host accessed."""
        self.bounce = (0, 0)
        """Pages for request and response; the second is firmware-owned."""
        self.vcpus: list[Vcpu] = []
        self.certificates: bytes | None = None
        """A table of certificates in place of the chip's own, in whole pages."""
        self.stray_gpa = 0
        """An unused shared page, for a response that is copied astray."""
        self.window = Window()
        self.throttled = 0
        """Requests that its limit refused."""
        self.busy_until = 0
        """When the response to the current request is due."""
        self.stream_until = [0] * VMPCKS
        self.stopped = ""
        """Why it does not run any more."""
