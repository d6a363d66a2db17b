"""The secrets page: a guest's message keys and their sequence numbers.

The firmware fills the page at the launch and leaves 0xA0 to 0xFF and 0x140 to 0x15F to software:
the first is defined by 56421, the second announces an SVSM. ``tsc_factor``
came with version 3 of the page; ``launch_mit_vector`` with version 4, only in Oak.
"""

from __future__ import annotations

from construct import Bytes, Int8ul, Int16ul, Int32ul, Int64ul

from ..bits import Flags, bit
from ..codec import as_word
from ..layout import Record, at, nested

SPEC = "56860, secrets page (AMD-ASPFW sev_mcmd.h, Linux sev.h, Oak)"


class SecretsFlags(Flags, width=32, spec=SPEC):
    """Launch flags of the secrets page."""

    imi_en = bit(0, "The guest was launched as an initial migration image")


class OsArea(Record, size=0x60, spec="56421, guest area of the secrets page (Linux, edk2, Oak)"):
    """Guest area of the secrets page, for the guest's own software.

    A sequence number has 32 bits (Linux, which keeps 0x18 to 0x3F reserved) or, from revision 2.01
    of the document, an upper half too (Oak). ``counts`` and ``wide_counts`` read it either way.
    """

    msg_seqno_0: int = at(0x00, Int32ul, "Last sequence number used with VMPCK0, low half")
    msg_seqno_1: int = at(0x04, Int32ul, "Last sequence number used with VMPCK1, low half")
    msg_seqno_2: int = at(0x08, Int32ul, "Last sequence number used with VMPCK2, low half")
    msg_seqno_3: int = at(0x0C, Int32ul, "Last sequence number used with VMPCK3, low half")
    ap_jump_table_pa: int = at(0x10, Int64ul, "Physical address of the AP jump table")
    msg_seqno_0_high: int = at(0x18, Int32ul, "VMPCK0 sequence number, high half; unused by Linux")
    msg_seqno_1_high: int = at(0x1C, Int32ul, "VMPCK1 sequence number, high half; unused by Linux")
    msg_seqno_2_high: int = at(0x20, Int32ul, "VMPCK2 sequence number, high half; unused by Linux")
    msg_seqno_3_high: int = at(0x24, Int32ul, "VMPCK3 sequence number, high half; unused by Linux")
    version: int = at(0x3E, Int16ul, "Version of the guest area: 1 has high halves")
    guest_usage: bytes = at(0x40, Bytes(32), "Bytes available to the guest")

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Return the sequence numbers as Linux reads them: the lower halves."""
        return self.msg_seqno_0, self.msg_seqno_1, self.msg_seqno_2, self.msg_seqno_3

    @property
    def wide_counts(self) -> tuple[int, int, int, int]:
        """Return the sequence numbers of 64 bits, as revision 2.01 has them."""
        return (
            self.msg_seqno_0 | self.msg_seqno_0_high << 32,
            self.msg_seqno_1 | self.msg_seqno_1_high << 32,
            self.msg_seqno_2 | self.msg_seqno_2_high << 32,
            self.msg_seqno_3 | self.msg_seqno_3_high << 32,
        )


class SecretsPage(Record, size=0x1000, spec=SPEC):
    """Secrets page."""

    version: int = at(0x000, Int32ul, "Version of the secrets page")
    flags: SecretsFlags = at(0x004, as_word(SecretsFlags), "Launch flags: initial migration image")
    fms: int = at(0x008, Int32ul, "Family, model and stepping, as in EAX of CPUID leaf 1")
    gosvw: bytes = at(0x010, Bytes(16), "Guest OS visible workarounds (GOSVW)")
    vmpck0: bytes = at(0x020, Bytes(32), "VM platform communication key 0; zero once wiped")
    vmpck1: bytes = at(0x040, Bytes(32), "VM platform communication key 1; zero once wiped")
    vmpck2: bytes = at(0x060, Bytes(32), "VM platform communication key 2; zero once wiped")
    vmpck3: bytes = at(0x080, Bytes(32), "VM platform communication key 3; zero once wiped")
    os_area: OsArea = at(0x0A0, nested(OsArea), "Guest area: sequence numbers and AP jump table")
    vmsa_tweak_bitmap: bytes = at(
        0x100, Bytes(64), "VMSA tweak bitmap: protected quadwords, a bit each, lowest first"
    )
    svsm_base: int = at(0x140, Int64ul, "Physical address of the SVSM")
    svsm_size: int = at(0x148, Int64ul, "Size of the SVSM in bytes; zero without one")
    svsm_caa: int = at(0x150, Int64ul, "Physical address of the boot vCPU's SVSM calling area")
    svsm_max_version: int = at(0x158, Int32ul, "Highest SVSM core protocol version")
    svsm_guest_vmpl: int = at(0x15C, Int8ul, "VMPL at which the guest runs under an SVSM")
    tsc_factor: int = at(0x160, Int32ul, "Decrease of the TSC frequency, in units of 0.00001")
    launch_mit_vector: int = at(0x168, Int64ul, "Mitigation vector at the launch (Oak)")

    @property
    def vmpcks(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Return the message keys in order."""
        return self.vmpck0, self.vmpck1, self.vmpck2, self.vmpck3


KINDS = {"secrets": SecretsPage}
