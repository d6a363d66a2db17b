"""A guest, and what its programs can request.

Requests and errors are those of Linux's configfs and ioctls, so far as Linux has them; export,
import and other messages go through ``raw``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...errors import DriverError
from ...wire.cpuid import CpuidReq
from ...wire.key import KeyReq, KeyRsp
from ...wire.message import VMPCKS, MsgType
from ...wire.report import REPORT_SIZE, ReportReq, ReportRsp
from ...wire.status import Status
from ...wire.tsc import TscInfoReq
from ..guest_layout import LAYOUT, buffers_of
from .boot import start
from .channel import VmpckChannel
from .driver import Driver
from .request import Request

if TYPE_CHECKING:
    from ...wire.cpuid import CpuidFunction
    from ..hypervisor.vm import Vm
    from ..hypervisor.vmgexit import Hypervisor
    from ..simulation import Simulation
    from .memory import GuestMemory

CERTIFICATE_PAGES = 4
"""Pages that Linux has for certificates."""
EINVAL_STATUSES = {int(Status.INVALID_PARAM), int(Status.INVALID_KEY)}
"""Statuses that Linux's configfs turns into EINVAL; any other in a response is ENXIO."""
DATA_SIZE = 64
KEY_REQ, REPORT_REQ = int(MsgType.KEY_REQ), int(MsgType.REPORT_REQ)
REPORT = slice(ReportRsp.SIZE - REPORT_SIZE, ReportRsp.SIZE)
"""Bytes of the report in its response."""
KEY = slice(KeyRsp.place("derived_key"), KeyRsp.SIZE)
"""Bytes of the key in its response."""
TAILS = [ReportReq(vmpl=vmpck).build()[DATA_SIZE:] for vmpck in range(VMPCKS)]
"""The fields after the data in the default request of each key."""

PLAIN_KEYS = [KeyReq(vmpl=vmpck).build() for vmpck in range(VMPCKS)]
"""The default request for a derived key, of each VMPCK."""


class ExtendedReport(NamedTuple):
    """A report, and the certificates that came with it."""

    report: bytes
    certificates: bytes = b""


class Guest:
    """The software in one VM, with a driver for each of its four keys."""

    def __init__(
        self, simulation: Simulation, hypervisor: Hypervisor, vm: Vm, memory: GuestMemory
    ) -> None:
        self.vm = vm
        self.memory = memory
        self._simulation = simulation
        self._hypervisor = hypervisor
        start(hypervisor, memory, vm)
        self.drivers = [self.driver(vmpck) for vmpck in range(VMPCKS)]

    def driver(self, vmpck: int) -> Driver:
        """Return a driver for a key, which begins with key and number of the secrets page."""
        channel = VmpckChannel(self.memory, LAYOUT.secrets, vmpck)
        vcpu = self.vm.vcpus[vmpck % len(self.vm.vcpus)]
        buffers = buffers_of(vmpck)
        return Driver(self._simulation, self._hypervisor, self.memory, vcpu, buffers, channel)

    def report(self, data: bytes = bytes(DATA_SIZE), *, vmpck: int = 0, **fields: object) -> bytes:
        """Return an attestation report over 64 bytes. Raises DriverError."""
        payload = self.drivers[vmpck].run(report_request(data, vmpck, fields)).payload
        _check(payload)
        return payload[REPORT]

    def ext_report(
        self,
        data: bytes = bytes(DATA_SIZE),
        *,
        vmpck: int = 0,
        pages: int = CERTIFICATE_PAGES,
        **fields: object,
    ) -> ExtendedReport:
        """Return a report and the certificate buffer, all *pages* of it. Raises DriverError."""
        request = report_request(data, vmpck, fields)._replace(pages=pages)
        response = self.drivers[vmpck].run(request)
        _check(response.payload)
        return ExtendedReport(response.payload[REPORT], response.certificates)

    def key(self, *, vmpck: int = 0, **fields: object) -> bytes:
        """Return a derived key of 32 bytes; fields are those of the key request.

        Raises DriverError, and DecodeError for a response of another size than its structure's.
        """
        payload = KeyReq(**{"vmpl": vmpck} | fields).build() if fields else PLAIN_KEYS[vmpck]
        response = self.raw(KEY_REQ, payload, vmpck=vmpck)
        _check(response)
        if len(response) != KeyRsp.SIZE:
            KeyRsp.parse(response)  # which says so
        return response[KEY]

    def cpuid(self, functions: list[CpuidFunction], *, vmpck: int = 0) -> bytes:
        """Have CPUID values checked; return the payload of the response. Raises DriverError."""
        payload = CpuidReq(elements=functions).build()
        return self.raw(MsgType.CPUID_REQ, payload, vmpck=vmpck)

    def tsc(self, *, vmpck: int = 0) -> bytes:
        """Return the payload with scale and offset of the TSC. Raises DriverError."""
        return self.raw(MsgType.TSC_INFO_REQ, bytes(TscInfoReq.SIZE), vmpck=vmpck)

    def raw(self, msg_type: int, payload: bytes, *, version: int = 1, vmpck: int = 0) -> bytes:
        """Send a message of any type; return the payload of its response. Raises DriverError."""
        return self.drivers[vmpck].run(Request(msg_type, payload, version)).payload


def report_request(data: bytes, vmpck: int, fields: dict[str, object]) -> Request:
    """Return the request for a report. Raises DriverError for data of another size than 64."""
    if len(data) != DATA_SIZE:
        raise DriverError("EINVAL", f"report data has {DATA_SIZE} bytes, got {len(data)}")
    if not fields:
        return Request(REPORT_REQ, data + TAILS[vmpck])
    payload = ReportReq(**{"vmpl": vmpck, "report_data": data} | fields).build()
    return Request(REPORT_REQ, payload)


def _check(payload: bytes) -> None:
    """Raise DriverError if the response has a status other than success."""
    status = int.from_bytes(payload[:4], "little")
    if status:
        errno = "EINVAL" if status in EINVAL_STATUSES else "ENXIO"
        raise DriverError(errno, f"the firmware returns {Status(status).name}")
