"""A secure processor for tests: a small host, a table, and ways to send it commands."""

from hashlib import shake_128

from snpwire.crypto.sealing import Vmpck, open_message, seal
from snpwire.engine.firmware import Firmware
from snpwire.engine.firmware.context import NO_AGENT, NO_AGENT_ID, FirmwareGuest
from snpwire.engine.memory import AddressMap, Memory
from snpwire.engine.profile import profile_named
from snpwire.rmp.entry import FIRMWARE_LO
from snpwire.rmp.sparse_table import SparseEntries
from snpwire.wire.command_table import CommandId
from snpwire.wire.message import HEADER_SIZE, Aead, Header
from snpwire.wire.migration import GuestState

TABLE = range(0x800000, 0x900000)
LAYOUT = AddressMap(dram=(range(0x400_0000), range(0x410_0000, 0x1400_0000)), rmp=TABLE)
BUFFER, GCTX, REQUEST, RESPONSE, STATUS = 0x3000, 0x6000, 0x4000, 0x7000, 0x5000
VMSA = 1 << 61
KEYS = tuple(bytes([number]) * 32 for number in (1, 2, 3, 4))


class Bench(Firmware):
    """A processor on its host."""

    def __init__(self, profile="genoa-aspfw", *, start=True, **given):
        self.drawn = 0
        given.setdefault("random", self.draw)
        super().__init__(Memory(LAYOUT), SparseEntries(TABLE), profile_named(profile), **given)
        if start:
            assert self.mailbox(CommandId.SNP_INIT) == 0
            self.own(STATUS)

    def draw(self, size):
        self.drawn += 1
        return shake_128(b"test %d" % self.drawn).digest(size)

    def own(self, *addresses, lo=FIRMWARE_LO):
        for address in addresses:
            self.table.set(address >> 12, lo, 0)

    def command(self, number, raw, at=BUFFER):
        self.memory.write(at, raw if isinstance(raw, bytes) else raw.build())
        return self.mailbox(number, at)

    def running(self, **fields):
        """Put a running guest at GCTX, its pages beside it; return its context."""
        self.own(GCTX, lo=FIRMWARE_LO | VMSA)
        self.own(RESPONSE)
        guest = self.contexts[GCTX >> 12] = FirmwareGuest()
        guest.state, guest.vmpcks, guest.policy = GuestState.RUNNING, KEYS, 0x30000
        guest.agent, guest.report_id_ma = NO_AGENT, NO_AGENT_ID
        for name, value in fields.items():
            setattr(guest, name, value)
        return guest

    def send(self, raw, *, gctx=GCTX, request=REQUEST, response=RESPONSE):
        """Put a message where requests go and hand it over."""
        self.memory.write(request, raw)
        words = (gctx, request, response)
        buffer = b"".join(word.to_bytes(8, "little") for word in words)
        return self.command(CommandId.SNP_GUEST_REQUEST, buffer)

    def ask(self, msg_type, payload, *, vmpck=0, seqno=None, **places):
        """Send a message that is right; return the answer's header and payload."""
        guest = self.contexts[GCTX >> 12]
        number = guest.counts[vmpck] + 1 if seqno is None else seqno
        key = guest.vmpcks[vmpck]
        assert self.send(sealed(msg_type, payload, number, vmpck, key=key), **places) == 0
        raw = self.memory.read(places.get("response", RESPONSE), 0x1000)
        return open_message(Vmpck(key), raw)


def sealed(msg_type, payload, seqno, vmpck=0, /, *, key=None, **fields):
    given = {
        "msg_seqno": seqno,
        "algo": Aead.AES_256_GCM,
        "hdr_version": 1,
        "hdr_size": HEADER_SIZE,
        "msg_type": msg_type,
        "msg_version": 1,
        "msg_vmpck": vmpck,
        **fields,
    }
    raw = payload if isinstance(payload, bytes) else payload.build()
    return seal(Vmpck(key or KEYS[vmpck]), Header(**given), raw)
