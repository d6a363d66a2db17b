"""What a guest request reads and writes of a GHCB, as places and structures of its fields.

To parse and build a whole page takes longer than all the rest of a request.
"""

from __future__ import annotations

from ..wire.ghcb import Page, ValidBitmap


def bitmap_of(*names: str) -> bytes:
    """Return the valid bitmap that marks the fields *names*."""
    return ValidBitmap.of(**dict.fromkeys(names, 1)).to_bytes(BITMAP_SIZE, "little")


BITMAP_SIZE = ValidBitmap.WIDTH // 8
BITMAP_AT, BITMAP = Page.place("valid_bitmap"), Page.struct("valid_bitmap")
EXIT_FIELDS = ("sw_exit_code", "sw_exit_info_1", "sw_exit_info_2")
EXIT_AT, EXIT = Page.place("sw_exit_code"), Page.struct(*EXIT_FIELDS)
EXIT_BITMAP = bitmap_of(*EXIT_FIELDS)
INFO_AT, INFO = Page.place("sw_exit_info_1"), Page.struct("sw_exit_info_1", "sw_exit_info_2")
RAX_AT, RAX = Page.place("rax"), Page.struct("rax")
RBX_AT, RBX = Page.place("rbx"), Page.struct("rbx")
