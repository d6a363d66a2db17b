"""What a rule has to say about a decoded value."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Severity(IntEnum):
    """How much a finding matters."""

    NOTE = 1
    """Worth knowing; correct senders do it."""
    WARNING = 2
    """Implementations differ over it, or it is likely a mistake."""
    ERROR = 3
    """The receiver refuses it."""


class Finding(NamedTuple):
    """One broken or noteworthy rule, and where."""

    code: str
    """A stable name, such as ``missing-input``."""
    severity: Severity
    path: str
    offset: int
    """Offset in bytes from the start of the decoded value."""
    text: str
    source: str
    """Who says so: a document and section, or a program and its function."""
    reason: int = 0
    """The reason code of the malformed-input answer KVM gives for it; 0 where it gives none."""
