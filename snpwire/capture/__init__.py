"""Read pasted text (hex dumps, base64, kernel logs) as bytes and values."""

from .decodedtext import DecodedText
from .hextext import FORMS, read
from .loglines import strip_prefix

__all__ = ["FORMS", "DecodedText", "read", "strip_prefix"]
