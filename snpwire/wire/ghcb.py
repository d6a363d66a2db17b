"""The Guest-Hypervisor Communication Block: one shared page, and its view under Hyper-V.

Offsets are those of AMD 56421 as every reader of it declares them (Linux ``struct ghcb``, edk2,
coconut-svsm, OpenVMM, Xen). Linux declares a save area inside the page; here it is one record,
since both share one set of names.

``rip`` and ``rsp`` are named by Linux and OpenVMM only. edk2, coconut-svsm, linux-svsm and Xen keep
these bytes reserved, and no code reads them.
"""

from __future__ import annotations

from construct import Bytes, Int8ul, Int16ul, Int32ul, Int64ul

from ..bits import Flags, OpenEnum, bit
from ..codec import as_enum, as_word
from ..layout import Record, at
from .exits import ExitCode

SHARED_START = 0x800
SHARED_END = 0xFF0
"""The shared buffer is the half-open range between these two offsets."""
SPEC = "56421, GHCB page layout"


class Usage(OpenEnum):
    """GHCB usage: who defines the layout of the page. KVM accepts only 0."""

    STANDARD = 0x0, "standard GHCB layout"
    HYPERV_HYPERCALL = 0x1, "Hyper-V hypercall page"
    HYPERV_VTL_RETURN = 0x2, "Hyper-V return to a lower trust level"
    HYPERV_INVALID = 0xFFFF_FFFF, "Hyper-V invalid"


class ValidBitmap(Flags):
    """Valid bitmap of the GHCB: bit *n* is for the quadword at 8 *n*.

    The names are those of the page's fields; ``Page`` gives them when it is declared.
    """

    WIDTH = 128


class Page(Record, size=0x1000, spec=SPEC):
    """GHCB page in its standard layout."""

    cpl: int = at(0x0CB, Int8ul, "Current privilege level")
    xss: int = at(0x140, Int64ul, "IA32_XSS")
    dr7: int = at(0x160, Int64ul, "Debug control register")
    rip: int = at(0x178, Int64ul, "Guest RIP; reserved in most sources")
    rsp: int = at(0x1D8, Int64ul, "Guest RSP; reserved in most sources")
    rax: int = at(0x1F8, Int64ul, "Guest RAX")
    rcx: int = at(0x308, Int64ul, "Guest RCX")
    rdx: int = at(0x310, Int64ul, "Guest RDX")
    rbx: int = at(0x318, Int64ul, "Guest RBX")
    rbp: int = at(0x328, Int64ul, "Guest RBP")
    rsi: int = at(0x330, Int64ul, "Guest RSI")
    rdi: int = at(0x338, Int64ul, "Guest RDI")
    r8: int = at(0x340, Int64ul, "Guest R8")
    r9: int = at(0x348, Int64ul, "Guest R9")
    r10: int = at(0x350, Int64ul, "Guest R10")
    r11: int = at(0x358, Int64ul, "Guest R11")
    r12: int = at(0x360, Int64ul, "Guest R12")
    r13: int = at(0x368, Int64ul, "Guest R13")
    r14: int = at(0x370, Int64ul, "Guest R14")
    r15: int = at(0x378, Int64ul, "Guest R15")
    sw_exit_code: ExitCode = at(0x390, as_enum(ExitCode, Int64ul), "Reason for the VMGEXIT")
    sw_exit_info_1: int = at(0x398, Int64ul, "First operand; in a response the action required")
    sw_exit_info_2: int = at(0x3A0, Int64ul, "Second operand; in a response the result")
    sw_scratch: int = at(0x3A8, Int64ul, "Guest-physical address of the scratch area")
    xcr0: int = at(0x3E8, Int64ul, "Extended control register 0")
    valid_bitmap: ValidBitmap = at(0x3F0, as_word(ValidBitmap), "Bitmap of the valid quadwords")
    x87_state_gpa: int = at(0x400, Int64ul, "Guest-physical address of x87 state")
    shared_buffer: bytes = at(SHARED_START, Bytes(0x7F0), "Shared buffer: data of the exit")
    protocol_version: int = at(0xFFA, Int16ul, "GHCB protocol version that the sender uses")
    ghcb_usage: Usage = at(0xFFC, as_enum(Usage, Int32ul), "GHCB usage: the layout of the page")


ValidBitmap.adopt(
    128,
    {f.path: bit(f.offset // 8, f.doc) for f in Page.FIELDS if f.offset < 0x3F0},
    "56421, valid bitmap: bit n stands for the quadword at 8 n",
)


class HypervPage(Record, size=0x1000, spec="OpenVMM, hypercall page of a GHCB with usage 1"):
    """GHCB page used by Hyper-V guests for a hypercall."""

    data: bytes = at(0x000, Bytes(0xFE8), "Hypercall input and output")
    output_gpa: int = at(0xFE8, Int64ul, "Guest-physical address of the output")
    control_or_result: int = at(0xFF0, Int64ul, "Hypercall control on entry, its result on exit")
    protocol_version: int = at(0xFFA, Int16ul, "GHCB protocol version that the sender uses")
    ghcb_usage: Usage = at(0xFFC, as_enum(Usage, Int32ul), "GHCB usage: the layout of the page")


KINDS = {"ghcb": Page, "ghcb-hyperv": HypervPage}
