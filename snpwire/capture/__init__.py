"""Turn what people paste (hex dumps, kernel logs) into the bytes and values they stand for."""

from .hextext import FORMS, Reading, read
from .loglines import strip_prefix

__all__ = ["FORMS", "Reading", "read", "strip_prefix"]
