"""A guest context: what the firmware knows about one guest, in a page that the host donated.

In the page the context is encrypted with a key that only the firmware has. The model keeps the
context itself apart from the memory, by the number of its page, and lets the page read as noise.
"""

from __future__ import annotations

from ...crypto.sealing import Vmpck
from ...wire.launch import IdBlock
from ...wire.message import VMPCKS
from ...wire.migration import GuestState, MetadataEntry

NO_AGENT = (1 << 64) - 1
"""``agent`` of a guest without a migration agent."""
NO_AGENT_ID = b"\xff" * 32
"""``report_id_ma`` of a guest without a migration agent."""
_DIGEST, _KEY = bytes(48), bytes(32)


class FirmwareGuest:
    """One guest. Decommissioning clears only what ``wipe`` names."""

    def __init__(self) -> None:
        self.wipe()
        self.agent = 0
        self.counts = [0] * VMPCKS
        self.vmpcks = (_KEY,) * VMPCKS
        self.vmrk = self.host_data = self.report_id = self.report_id_ma = _KEY
        self.ld = self.imd = self.id_key_digest = self.author_key_digest = _DIGEST
        self.id_block = IdBlock()
        self.id_block_en = self.author_key_en = self.vcek_dis = self.imi_en = False
        self.root_md_entry = MetadataEntry()
        self.gosvw = bytes(16)
        self.desired_tsc_freq = self.psp_tsc_offset = 0
        self.launch_tcb = self.launch_mit_vector = 0

    def wipe(self) -> None:
        """Clear what decommissioning clears: not the message keys."""
        self.asid = self.policy = self.oek_iv_count = 0
        self.active = self.pending = self.es = False
        self.state = GuestState.INIT
        self.oek = self.vek_seed = _KEY

    @property
    def vmpcks(self) -> tuple[bytes, ...]:
        """Return the message keys."""
        return self._vmpcks

    @vmpcks.setter
    def vmpcks(self, keys: tuple[bytes, ...]) -> None:
        self._vmpcks = keys
        self._ciphers: list[Vmpck | None] = [None] * VMPCKS

    def cipher(self, number: int) -> Vmpck:
        """Return the cipher of message key *number*."""
        made = self._ciphers[number]
        if made is None:
            made = self._ciphers[number] = Vmpck.of_firmware(self._vmpcks[number])
        return made

    @property
    def agreed_asid(self) -> int:
        """Return the ASID that the guest is bound to, or will be once its launch ends; else 0."""
        return self.asid if self.active or self.pending else 0


class Sender:
    """The sender of a message."""

    __slots__ = ("address", "guest", "vmpck")

    def __init__(self, guest: FirmwareGuest, address: int, vmpck: int) -> None:
        self.guest = guest
        self.address = address
        """Address of the context as in the command, with its C-bit."""
        self.vmpck = vmpck
