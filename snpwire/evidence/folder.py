"""The folder of a report in configfs-tsm: outblob, auxblob, and what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from ..wire.report import REPORT_SIZE, Report
from .certificate_search import table_certificates
from .content import EvidenceContent, EvidencePart
from .report_search import report_offsets

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = ("outblob", "auxblob", "inblob", "manifestblob", "provider")
"""Files of the folder that are read."""
PROVIDER = "sev_guest"


def folder(files: Mapping[str, bytes]) -> EvidenceContent:
    """Return the evidence of the *files* of a folder, by their names. Raises InputError."""
    report = files.get("outblob")
    provider = files.get("provider", b"").decode(errors="replace").strip()
    if provider not in ("", PROVIDER):
        raise InputError(f"provider: the folder is of {provider[:40]!r}, not of {PROVIDER}")
    if report is None:
        raise InputError("the folder has no outblob: it is none of configfs-tsm")
    if len(report) != REPORT_SIZE or next(report_offsets(report), None) != 0:
        reason = f"outblob: {len(report)} bytes are no report, which has {REPORT_SIZE}"
        raise InputError(reason)
    table = files.get("auxblob", b"")
    return EvidenceContent(
        "TSM report, folder",
        sum(map(len, files.values())),
        report,
        "outblob",
        "outblob",
        certificates=tuple(table_certificates(table, "auxblob") if table else ()),
        parts=tuple(EvidencePart(name, 0, len(data)) for name, data in files.items() if data),
        notes=tuple(_notes(files, report)),
    )


def _notes(files: Mapping[str, bytes], report: bytes) -> list[str]:
    """Return whether the report has the data that was asked for."""
    asked = files.get("inblob")
    if not asked:
        return []
    data: bytes = Report.parse(report).report_data
    same = data == asked.ljust(len(data), b"\0")
    return [f"report_data is what inblob asked for: {'yes' if same else 'no'}"]
