"""The #HV doorbell page: events for a guest under restricted injection.

Linux and coconut-svsm agree on the first three bytes. The rest is only in coconut-svsm (a
descriptor for each less privileged VMPL, part of a draft); others leave bytes 0x03 to 0x3f reserved
and all from 0x40 to software.
"""

from __future__ import annotations

from construct import Bytes, Int8ul, Int32ul

from ..bits import Flags, Word, bit, bits
from ..codec import array, as_word
from ..layout import Record, at, nested

SPEC = "56421, #HV doorbell page"
DRAFT = "coconut-svsm, alternate injection (draft)"


class DoorbellFlags(Flags, width=8, spec=SPEC):
    """Pending events that have no vector."""

    nmi = bit(0, "A non-maskable interrupt is pending")
    mce = bit(1, "A machine check is pending")
    no_further_signal = bit(7, "No #HV until the guest has read the page; bit 15 of the first word")


class ExtIntStatus(Word, width=32, spec=DRAFT):
    """Pending interrupts and events of one VMPL."""

    pending_vector = bits(0, 8, "Interrupt vector to be delivered")
    nmi = bit(8, "A non-maskable interrupt is pending")
    mce = bit(9, "A machine check is pending")
    level_sensitive = bit(10, "The pending vector is level-triggered")
    multiple_vectors = bit(14, "More vectors are pending, in irr")
    ipi_requested = bit(27, "An IPI was requested")
    vector_31 = bit(31, "Vector 31 is pending: irr starts at 32")


class ExtIntInfo(Record, size=0x40, spec=DRAFT):
    """Interrupt state of one VMPL."""

    status: ExtIntStatus = at(0x00, as_word(ExtIntStatus), "Pending events of the VMPL")
    irr: tuple[int, ...] = at(0x04, array(7, Int32ul), "Requested vectors, a bit each, from 32 up")
    isr: tuple[int, ...] = at(0x20, array(8, Int32ul), "In-service vectors, a bit each, from 0 up")


class DoorbellPage(Record, size=0x1000, spec=SPEC):
    """#HV doorbell page, shared by guest and hypervisor."""

    vector: int = at(0x000, Int8ul, "Pending interrupt vector, 0 for none")
    flags: DoorbellFlags = at(0x001, as_word(DoorbellFlags), "Pending events that have no vector")
    no_eoi_required: int = at(0x002, Int8ul, "The guest may skip the end of interrupt (EOI)")
    per_vmpl_events: int = at(0x003, Int8ul, "VMPLs that have events pending; reserved in Linux")
    vmpl1_info: ExtIntInfo = at(0x040, nested(ExtIntInfo), "Interrupts of VMPL 1 (draft)")
    vmpl2_info: ExtIntInfo = at(0x080, nested(ExtIntInfo), "Interrupts of VMPL 2 (draft)")
    vmpl3_info: ExtIntInfo = at(0x0C0, nested(ExtIntInfo), "Interrupts of VMPL 3 (draft)")
    software: bytes = at(0x100, Bytes(0xF00), "Bytes available to software")


KINDS = {"hv": DoorbellPage, "hv-ext-int": ExtIntInfo}
