"""One value as text: numbers by their width, bytes folded, codes and addresses in hex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..bits import Flags, OpenEnum, Word
from ..layout import any_bit

if TYPE_CHECKING:
    from ..layout import Leaf

SHOWN = 16
"""Bytes of a long field that are shown on its line."""
WHOLE = 72
"""A field no longer than this is shown whole, without spaces, to compare digests."""


def value_text(leaf: Leaf) -> str:
    """Return the value of a leaf on one line."""
    value = leaf.value
    if isinstance(value, str):
        return value  # redacted
    if isinstance(value, bytes):
        return getattr(value, "text", None) or bytes_text(value)
    if isinstance(value, tuple):
        return items_text(value)
    if isinstance(value, Flags):
        return " ".join(value.names()) or "none"
    if isinstance(value, OpenEnum):
        return hex(value)
    return int_text(value, leaf.size)


def int_text(value: int, size: int) -> str:
    """Return a number of *size* bytes: a quadword with all digits, else as short as possible."""
    if size >= 8 or isinstance(value, Word):
        return f"{int(value):#0{2 + 2 * size}x}"
    return str(value) if value < 10 else f"{value:#x}"


def bytes_text(data: bytes) -> str:
    """Return the first bytes in hex, and how many follow; zeros are only counted."""
    if len(data) > 1 and not any(data):
        return f"{len(data)} zero bytes"
    lead = len(data) - len(data.lstrip(b"\0"))
    if lead >= SHOWN:
        return f"{lead} zero bytes, then {bytes_text(data[lead:])}"
    tail = len(data.rstrip(b"\0"))
    if tail <= SHOWN:
        return data[: max(tail, min(len(data), SHOWN))].hex(" ") + (
            f" and {len(data) - SHOWN} zero bytes" if len(data) > SHOWN else ""
        )
    zeros = f", then {len(data) - tail} zero bytes" if tail < len(data) else ""
    if len(data) <= WHOLE:
        return f"{data[:tail].hex()}{zeros}"
    return f"{data[:SHOWN].hex(' ')} .. {tail - SHOWN} more{zeros}"


def items_text(items: tuple[Any, ...]) -> str:
    """Return the elements of an array of numbers; zeros are only counted."""
    if not any_bit(items):
        return f"{len(items)} times 0"
    return " ".join(hex(item) for item in items)


def part_text(part: float) -> str:
    """Return a share in per cent; a share that is not zero is never shown as 0.0 %."""
    return f"{part:.1%}" if part >= 0.0005 or not part else "<0.1%"


def size_text(size: int) -> str:
    """Return a number of bytes in the largest unit that leaves one or more: ``512 KiB``."""
    if size < 1 << 10:
        return f"{size} bytes" if size else "0"
    units = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
    step = min((size.bit_length() - 1) // 10, len(units))
    number = f"{size / (1 << 10 * step):.4g}"
    return f"{number} {units[step - 1]}"
