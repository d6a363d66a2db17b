"""The guest messages by their numbers: who answers each, and what a failed one answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...wire.message import MsgType
from ...wire.migration import StatusRsp
from . import cpuid, key, migration, report, tsc
from .processor import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...wire.status import Status
    from .context import Asker
    from .processor import Processor


class Family(NamedTuple):
    """One kind of message."""

    feature: int
    """Its bit in what SNP_FEATURE_INFO tells of messages."""
    size: int
    """Bytes of the request; a shorter one goes on in scratch memory, zero here. 0: any."""
    answer: Callable[[Processor, Asker, bytes], bytes]
    failed: Callable[[Status], bytes]

    def run(self, fw: Processor, asker: Asker, payload: bytes) -> bytes:
        """Return the payload of the answer."""
        if len(payload) != self.size and self.size:
            payload = payload[: self.size].ljust(self.size, b"\0")
        try:
            return self.answer(fw, asker, payload)
        except Refusal as exc:
            return self.failed(exc.status)


def status_and_zeros(size: int) -> Callable[[Status], bytes]:
    """Return what makes an answer of *size* bytes that is a status and nothing else."""
    return lambda status: int(status).to_bytes(4, "little").ljust(size, b"\0")


def _families() -> dict[int, Family]:
    done = status_and_zeros(StatusRsp.SIZE)
    return {
        int(MsgType.CPUID_REQ): Family(0, 0, cpuid.answer, status_and_zeros(0)),
        int(MsgType.KEY_REQ): Family(1, 0x20, key.answer, status_and_zeros(0x40)),
        int(MsgType.REPORT_REQ): Family(2, 0x60, report.answer, report.failed),
        int(MsgType.EXPORT_REQ): Family(3, 0x10, migration.export, migration.export_failed),
        int(MsgType.IMPORT_REQ): Family(4, 0x320, migration.import_, done),
        int(MsgType.ABSORB_REQ): Family(5, 0x320, migration.absorb, done),
        int(MsgType.VMRK_REQ): Family(6, 0x40, migration.vmrk, done),
        int(MsgType.ABSORB_NOMA_REQ): Family(7, 0x320, migration.absorb_noma, done),
        int(MsgType.TSC_INFO_REQ): Family(8, 0x80, tsc.answer, status_and_zeros(0x80)),
    }


FAMILIES = _families()
