"""Turn what people paste (hex dumps, kernel logs) into the bytes and values they stand for."""

from .decodedtext import DecodedText
from .hextext import FORMS, read
from .loglines import strip_prefix

__all__ = ["FORMS", "DecodedText", "read", "strip_prefix"]
