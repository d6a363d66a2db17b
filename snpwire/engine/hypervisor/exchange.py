"""One guest request in the hypervisor: what the guest named, what is issued, what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .vm import Vcpu


class Exchange:
    """A guest request on its way. Each stage sets its own group of fields; faults change them.

    Defaults are attributes of the class, so that making an exchange costs little.
    """

    data_gpa = 0
    data_pages: int | None = None
    """Where an extended request has room for certificates; None for a plain one."""

    watched = False
    """A trace or faults look at what passes, which then has to be copied."""
    request: bytes | bytearray = b""
    """The page with the message, as it was when it was read if the exchange is watched."""
    request_spa = response_spa = 0
    issue = reclaim = True
    """The command is to be issued, and the guest's page reclaimed; a fault may prevent it."""
    firmware_owned = False
    """The guest's own page was assigned to the firmware."""
    forged: bytes | None = None
    """A response that the hypervisor makes up in place of the firmware's."""

    vmm = status = pages_needed = result = 0
    """Error of the hypervisor, status of the firmware, pages that certificates take, and
    ``sw_exit_info_2``."""
    response: bytes | bytearray | None = None
    """What is copied to the guest, if anything is."""

    def __init__(self, vcpu: Vcpu, request_gpa: int, response_gpa: int) -> None:
        """Begin with what the guest named in its GHCB."""
        self.vcpu, self.vm = vcpu, (vm := vcpu.vm)
        self.request_gpa, self.response_gpa = request_gpa, response_gpa
        self.context_spa = vm.context << 12
