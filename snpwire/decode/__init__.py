"""From bytes to a document: parse them, decide how they are read, check them."""

from .document import document
from .interpretation import Hints

__all__ = ["Hints", "document"]
