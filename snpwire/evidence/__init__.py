"""What wraps an attestation report: blobs, JSON, CBOR, protocol buffers, other programs' text.

``evidence(data)`` finds the report in bytes of any of these forms, with the certificates and claims
beside it; ``members(data)`` yields whatever bytes JSON, CBOR or YAML has, by path; ``folder`` reads
the files of configfs-tsm. Nothing here opens a file or needs a key.
"""

from .content import EvidenceCertificate, EvidenceContent, EvidencePart
from .debugtext import debug_text
from .fields import ReportFieldsError
from .folder import folder
from .members import Member, members
from .report_text import ReportText, report_members, report_text
from .search import certificates_in, evidence
from .summary import evidence_lines

__all__ = [
    "EvidenceCertificate",
    "EvidenceContent",
    "EvidencePart",
    "Member",
    "ReportFieldsError",
    "ReportText",
    "certificates_in",
    "debug_text",
    "evidence",
    "evidence_lines",
    "folder",
    "members",
    "report_members",
    "report_text",
]
