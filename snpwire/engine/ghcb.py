"""What a guest request touches of the GHCB's page, byte by byte, where ``wire.ghcb`` has it.

To parse and build a page takes longer than all the rest of a request, so driver and hypervisor
read and write no more than this.
"""

from __future__ import annotations

from ..wire.ghcb import Page, ValidBitmap

_PLACES = {field.path: field.offset for field in Page.FIELDS}
EXIT_AT = _PLACES["sw_exit_code"]
"""Where the exit code lies, and both operands behind it."""
INFO_AT = _PLACES["sw_exit_info_1"]
RAX_AT, RCX_AT, RBX_AT = _PLACES["rax"], _PLACES["rcx"], _PLACES["rbx"]
"""Behind rcx come rdx and rbx."""
BITMAP_AT = _PLACES["valid_bitmap"]


def _upper(*names: str) -> int:
    """Return the bits of fields in the upper quadword of the valid bitmap."""
    return sum(ValidBitmap.BITS[name].mask for name in names) >> 64


RAX_BIT = ValidBitmap.BITS["rax"].mask
"""The one bit in the lower quadword of the valid bitmap; all others here are in the upper one."""
RBX_BIT = _upper("rbx")
EXIT_BITS = _upper("sw_exit_code", "sw_exit_info_1", "sw_exit_info_2")
RESPONSE_BITS = _upper("rcx", "rdx", "rbx", "sw_exit_info_1", "sw_exit_info_2")
"""What KVM marks beside rax, whatever it has to say."""
