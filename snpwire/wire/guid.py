"""GUIDs in the two byte orders in use, with names for the known ones.

Certificates carry a GUID as its text reads: the first pair of digits is the first byte. SVSM
manifests and SEV-TIO tables use the order of EFI and of Linux ``guid_t``, where the first three
groups are little-endian integers. The type decides which one applies, not the caller.

``uuid.UUID`` was rejected: it is not bytes, it knows both orders at once, and its import is slow.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Self

from ..bits import nearest
from ..errors import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZE = 16
_SHAPE = re.compile(
    r"(\{)?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})(?(1)\})", re.I
)
_DIGITS = re.compile(r"[0-9a-f]{32}", re.I)


class TextGuid(bytes):
    """The sixteen bytes of a GUID, in the order of its text."""

    __slots__ = ()

    NAMES: ClassVar[Mapping[str, str]] = {}
    """Known GUIDs: name to text. Where two names share a text, the first is shown."""

    def __new__(cls, data: bytes = bytes(SIZE)) -> Self:
        """Make a GUID of its bytes in memory. Raises ValueError unless there are sixteen."""
        if len(data) != SIZE:
            raise ValueError(f"expected {SIZE} bytes, got {len(data)}")
        return super().__new__(cls, data)

    @staticmethod
    def _reorder(data: bytes) -> bytes:
        """Turn the order of the text into that of memory, or back."""
        return data

    @property
    def text(self) -> str:
        """Return the GUID as it is printed, in lower case."""
        digits = self._reorder(self).hex()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the printed form: any case, with or without braces, or only 32 digits.

        Raises ValueError.
        """
        if not _SHAPE.fullmatch(text) and not _DIGITS.fullmatch(text):
            raise ValueError(f"expected a GUID, got {shown(text)}")
        return cls(cls._reorder(bytes.fromhex(text.strip("{}").replace("-", ""))))

    def to_plain(self) -> str:
        """Return the name, or the text if it has none."""
        text = self.text
        return next((name for name, known in self.NAMES.items() if known == text), text)

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """Take a name in any case, or whatever ``from_text`` takes. Raises ValueError."""
        if not isinstance(plain, str):
            raise ValueError(f"expected a GUID or its name, got {shown(plain)}")
        known = cls.NAMES.get(plain.upper().replace("-", "_"))
        try:
            return cls.from_text(plain if known is None else known)
        except ValueError as exc:
            hint = nearest(plain, cls.NAMES)
            raise ValueError(f"{exc}; {hint}".rstrip("; ")) from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}.from_plain({self.to_plain()!r})"


class MixedGuid(TextGuid):
    """The sixteen bytes of a GUID whose first three groups are little-endian integers."""

    __slots__ = ()

    @staticmethod
    def _reorder(data: bytes) -> bytes:
        return data[3::-1] + data[5:3:-1] + data[7:5:-1] + data[8:]
