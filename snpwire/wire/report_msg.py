"""The report request and its answer, which carries the attestation report."""

from __future__ import annotations

from construct import Bytes, Int32ul

from ..bits import Word, bits
from ..codec import as_enum, as_word
from ..layout import Record, at, nested
from .key import KeySel
from .report import Report
from .status import Status

SPEC = "56860, MSG_REPORT_REQ and MSG_REPORT_RSP (AMD-ASPFW sev_rmp.h:392, 451)"


class ReportSelect(Word, width=32, spec=SPEC):
    """Which key is to sign."""

    key_sel = bits(0, 2, "Key that is to sign", KeySel)


class ReportReq(Record, size=0x60, spec=SPEC):
    """A report request. Linux's structure for it names the first two fields alone."""

    report_data: bytes = at(0x00, Bytes(64), "What the report is to carry")
    vmpl: int = at(0x40, Int32ul, "VMPL to state, not below the number of the message's key")
    select: ReportSelect = at(0x44, as_word(ReportSelect), "Which key is to sign")


class ReportRsp(Record, size=0x4C0, spec=SPEC):
    """The answer to a report request."""

    status: Status = at(0x00, as_enum(Status, Int32ul), "How it went")
    report_size: int = at(0x04, Int32ul, "Bytes of the report, 0x4A0; set after an error too")
    report: Report = at(0x20, nested(Report), "The report")
