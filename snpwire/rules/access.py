"""What can be wrong with an access: to a port, to an MSR, to MMIO, to the hypervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import OpenEnum
from ..wire.operands import IoioInfo
from .ghcb_page import INVALID_INPUT, GhcbCheck, GhcbRule
from .scratch import INT_MAX, string_bytes

if TYPE_CHECKING:
    from ..finding import Findings

INFO1, INFO2 = "sw_exit_info_1", "sw_exit_info_2"
MMIO_MAX = {1: INT_MAX, 2: 8}
"""Longest MMIO access of each protocol version."""
STRING_IO = "Linux 6.12 sev_es_string_io"
HANDLE = "Linux 6.12 sev_handle_vmgexit"
IOIO = "56421, SW_EXITINFO1 of IOIO"
OPENVMM = "OpenVMM"


def port_size(check: GhcbCheck) -> Findings:
    """Expect one operand size, and one address size or none (56421, IOIO)."""
    if not check.known(INFO1):
        return
    info = IoioInfo(check.page.sw_exit_info_1)
    sizes = [8 << n for n, bit in enumerate((info.size8, info.size16, info.size32)) if bit]
    if len(sizes) != 1:
        shown = " and ".join(map(str, sizes)) or "none"
        text = f"operand sizes set in sw_exit_info_1: {shown}; it takes exactly one"
        yield check.warning("ioio-size", INFO1, text, IOIO)
    addresses = [16 << n for n, bit in enumerate((info.addr16, info.addr32, info.addr64)) if bit]
    if not addresses:
        text = "no address size is set in sw_exit_info_1: coconut-svsm and OpenVMM leave it out"
        yield check.note("ioio-address-size", INFO1, text, IOIO)
    elif len(addresses) > 1:
        shown = " and ".join(map(str, addresses))
        text = f"address sizes set in sw_exit_info_1: {shown} bits; at most one can be right"
        yield check.warning("ioio-address-size", INFO1, text, IOIO)


def port_string(check: GhcbCheck) -> Findings:
    """Expect a count of elements (KVM gives up above INT_MAX and ignores 0)."""
    if not check.known(INFO1):
        return
    info = IoioInfo(check.page.sw_exit_info_1)
    if not info.string:
        if info.rep:
            text = "rep is set in sw_exit_info_1 and string is not: only INS and OUTS repeat"
            yield check.warning("ioio-rep", INFO1, text, IOIO)
        return
    segment = info.segment
    if isinstance(segment, OpenEnum) and not segment.known:
        text = f"segment {int(segment)} in sw_exit_info_1 is none: there are 0 (ES) to 5 (GS)"
        yield check.warning("ioio-segment", INFO1, text, IOIO)
    if check.known(INFO2):
        yield from _elements(check, info)


def _elements(check: GhcbCheck, info: IoioInfo) -> Findings:
    count = check.page.sw_exit_info_2
    total = string_bytes(info, count)
    if count == 0:
        text = "sw_exit_info_2 counts 0 elements: nothing is transferred"
        yield check.note("ioio-nothing", INFO2, text, STRING_IO)
    if max(count, total) > INT_MAX:
        text = f"sw_exit_info_2 counts {count} elements, {total} bytes: KVM fails KVM_RUN"
        yield check.error("ioio-count", INFO2, text, STRING_IO)
    if count > 1 and not info.rep:
        text = f"sw_exit_info_2 counts {count} elements, but rep is not set in sw_exit_info_1"
        yield check.warning("ioio-rep", INFO2, text, IOIO)


def msr_direction(check: GhcbCheck) -> Findings:
    """Expect 0 to read or 1 to write (KVM: anything but 0 writes)."""
    value = check.page.sw_exit_info_1
    if check.known(INFO1) and value > 1:
        text = f"sw_exit_info_1 is {value:#x}, 0 reads and 1 writes; KVM takes it for a write"
        yield check.warning("msr-access", INFO1, text, HANDLE)


def privilege(check: GhcbCheck) -> Findings:
    """Expect a privilege level of 0 to 3."""
    if check.holds("cpl") and check.page.cpl > 3:
        text = f"cpl is {check.page.cpl}, privilege levels are 0 to 3"
        yield check.warning("cpl", "cpl", text, "APM volume 2, CPL")


def mmio_length(check: GhcbCheck) -> Findings:
    """Expect a length, of at most 8 bytes from protocol 2 on (KVM; OpenVMM is stricter)."""
    length = check.page.sw_exit_info_2
    if not check.known(INFO2):
        return
    longest = MMIO_MAX[1]
    if check.known("protocol_version") and check.page.protocol_version != 1:
        longest = MMIO_MAX[2]
    if length == 0:
        text = "sw_exit_info_2 is a length of 0: KVM goes on and does nothing"
        yield check.note("mmio-length", INFO2, text, HANDLE)
    elif length > longest:
        version = 1 if longest == INT_MAX else 2
        text = f"sw_exit_info_2 is a length of {length:#x}, protocol {version} allows {longest:#x}"
        reason = INVALID_INPUT if version == 2 else 0
        yield check.error("mmio-length", INFO2, text, HANDLE, reason)
    elif length not in (1, 2, 4, 8):
        text = f"sw_exit_info_2 is a length of {length}; OpenVMM takes 1, 2, 4 and 8 alone"
        yield check.warning("mmio-length", INFO2, text, OPENVMM)


CODES: dict[int, tuple[GhcbRule, ...]] = {
    0x7B: (port_size, port_string),
    0x7C: (msr_direction,),
    0x81: (privilege,),
    0x8000_0001: (mmio_length,),
    0x8000_0002: (mmio_length,),
}
