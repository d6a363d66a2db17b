"""How a command reaches the secure processor: three registers, or rings of entries in memory.

A driver writes the address of the buffer, low half first, then the command register, which starts
the command. While rings are in use the same registers are the three ``Rb`` words; the command
register is the control, the low half of the address the head, the high half the tail.
"""

from __future__ import annotations

from typing import NamedTuple

from construct import Int8ul, Int16ul, Int32ul, Int64ul

from ..bits import Flags, Word, bit, bits
from ..codec import as_enum, as_word
from ..layout import Record, at
from .command import CommandId
from .status import Status

RING = "AMD-ASPFW sev_ring_buffer.h"


class CommandRequest(Word, width=32, spec="AMD-ASPFW main.c; Linux psp.h, psp-sev.h"):
    """Command register as a driver writes it.

    AMD-ASPFW takes eight bits for the number of the command; Linux has a field of eleven, 26:16.
    Every known number fits eight.
    """

    int_on_complete = bit(0, "Interrupt when the command is complete")
    command_id = bits(16, 8, "ID of the command to execute", CommandId)
    response = bit(31, "Written as 0; reads 1 when the command is complete")


class CommandResponse(Word, width=32, spec="Linux psp.h"):
    """Command register once the command is complete."""

    status = bits(0, 16, "Status of the command", Status)
    recovery = bit(30, "The secure processor is in recovery mode; unrelated to SEV")
    response = bit(31, "The command is complete")


class RbControl(Flags, width=32, spec=RING):
    """Command register in ring-buffer mode."""

    lo_queue_empty_int = bit(0, "Interrupt when the low-priority queue is nearly empty")
    hi_queue_empty_int = bit(1, "Interrupt when the high-priority queue is nearly empty")
    resume_lo_queue = bit(8, "Resume the low-priority queue, which was paused")
    resume_hi_queue = bit(9, "Resume the high-priority queue, which was paused")
    clear_int_bits = bit(29, "Clear the interrupt bits of the head register")
    rb_mode_active = bit(30, "Ring-buffer mode is active")
    x86_control = bit(31, "The driver may write the register")


class RbTail(Word, width=32, spec=RING):
    """Tail indices of the queues: the high half of the buffer address."""

    lo_q_index = bits(0, 8, "Tail index of the low-priority queue")
    hi_q_index = bits(16, 8, "Tail index of the high-priority queue")


class RbHead(Word, width=32, spec=RING):
    """Head indices of the queues: the low half of the buffer address."""

    lo_q_index = bits(0, 8, "Head index of the low-priority queue")
    lo_queue_running = bit(11, "The low-priority queue is running")
    hi_q_index = bits(16, 8, "Head index of the high-priority queue")
    hi_queue_running = bit(27, "The high-priority queue is running")
    all_queue_empty_int_stat = bit(28, "Interrupt status: both queues are empty")
    cmd_done_int_stat = bit(29, "Interrupt status: an entry that asked for it is complete")
    q_paused_int_stat = bit(30, "Interrupt status: an entry failed and its queue was paused")
    q_free_int_stat = bit(31, "Interrupt status: a queue is nearly empty")


class RingFlags(Flags, width=16, spec=RING):
    """Flags of a ring entry."""

    int_on_complete = bit(0, "Interrupt when the entry is complete")
    continue_on_error = bit(1, "Continue with the next entry if this one fails")


class RingCommand(Record, size=0x10, spec=RING):
    """Command entry of a ring; a page holds 256."""

    cmd_id: CommandId = at(0x0, as_enum(CommandId, Int16ul), "ID of the command to execute")
    cmd_flags: RingFlags = at(0x2, as_word(RingFlags), "Flags of the ring entry")
    software_data: int = at(0x4, Int32ul, "Data available to software")
    cmd_buffer_ptr: int = at(0x8, Int64ul, "Physical address of the command buffer")


class RingStatus(Record, size=0x10, spec=RING):
    """Status entry of a ring; a page holds 256."""

    status: Status = at(0x0, as_enum(Status, Int16ul), "Status of the command")
    error_stack: int = at(0x8, Int64ul, "Error stack: causes of ten bits each, the latest lowest")


class RingBuffer(Record, size=0x28, spec="AMD-ASPFW sev_mcmd.h, RING_BUFFER"):
    """Command buffer of RING_BUFFER: four pages of rings, all aligned to 4 KiB."""

    low_priority_cmd_ptr: int = at(0x00, Int64ul, "Physical address of the low queue's commands")
    low_priority_status_ptr: int = at(0x08, Int64ul, "Physical address of low-queue statuses")
    high_priority_cmd_ptr: int = at(0x10, Int64ul, "Physical address of the high queue's commands")
    high_priority_status_ptr: int = at(0x18, Int64ul, "Physical address of high-queue statuses")
    low_priority_queue_size: int = at(0x20, Int8ul, "Pages of the low queue: 1")
    high_priority_queue_size: int = at(0x21, Int8ul, "Pages of the high queue: 0 or 1")
    low_q_threshold: int = at(0x22, Int16ul, "Entries at which the low queue is nearly empty")
    high_q_threshold: int = at(0x24, Int16ul, "Entries at which the high queue is nearly empty")
    int_on_empty: int = at(0x26, Int16ul, "Interrupt when nearly empty; only bit 0 is used")


class Register(NamedTuple):
    """Register of the mailbox, with its offsets in the device's BAR."""

    name: str
    """Name in the firmware."""
    role: str
    naples: int
    later: int
    """From Rome on."""
    doc: str
    ring: str
    """The word it holds in ring-buffer mode."""


REGISTERS = (
    Register(
        "MP0_C2PMSG_32", "CmdResp", 0x10580, 0x10980, "the command, then its result", "RbControl"
    ),
    Register(
        "MP0_C2PMSG_56",
        "CmdBufAddr_Lo",
        0x105E0,
        0x109E0,
        "low half of the buffer address",
        "RbHead",
    ),
    Register(
        "MP0_C2PMSG_57",
        "CmdBufAddr_Hi",
        0x105E4,
        0x109E4,
        "high half of the buffer address",
        "RbTail",
    ),
)
"""In the order in which a driver reads them; it writes low half, high half, command.

Places are Linux's (sp-pci.c, ``sevv1`` and ``sevv2``), names AMD-ASPFW's (sev_mcmd.h).
"""

CAUSE_BITS = 10
"""Bits of one cause of an error stack."""


def causes(stack: int) -> list[int]:
    """Return the causes that the firmware left in the address registers, the latest first.

    AMD-ASPFW shifts in a number of ten bits for each, 1 to 100, without a published meaning.
    The stack is empty when a command begins.
    """
    numbers = (stack >> low & (1 << CAUSE_BITS) - 1 for low in range(0, 64, CAUSE_BITS))
    return [number for number in numbers if number]


KINDS = {
    "cmd-ring-buffer": RingBuffer,
    "cmd-ring-command": RingCommand,
    "cmd-ring-status": RingStatus,
}
