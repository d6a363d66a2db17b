"""Why a step of a launch is refused: the checks of KVM, and those of the firmware behind it.

KVM builds the firmware's buffers itself, so what the firmware says of their addresses and reserved
bits does not occur; it also asks for more than one command within one of its own. The firmware's
checks are those of its published source (Genoa, ABI 1.55.25), in its order.
"""

from __future__ import annotations

from typing import NamedTuple

from ...wire.kvm_sev import COMMON, FORKS, POLICY_BIT_17, Errno, KvmSevCommand, refusals
from ...wire.status import Status

_POLICY, _ID_BLOCK = "policy", "id-block"
_AUTHENTICATION = "the ID authentication page"


class Reason(NamedTuple):
    """One check that may have refused a step."""

    text: str
    argument: str = ""
    """What decides it: policy, id-block, type, memory, features, cpuid; or nothing known."""


def _reasons(argument: str, *texts: str) -> tuple[Reason, ...]:
    return tuple(Reason(text, argument) for text in texts)


NO_SMT = "the policy forbids SMT, and the host has it on"
NEWER_ABI = "the policy asks for a newer ABI than the firmware has"
NEWER_BITS = "the policy has a bit from 21 up that this firmware does not know, or cannot grant"
ONE_SOCKET = "the policy wants one socket, and the host has several (SNP_ACTIVATE)"
AUTHOR_KEY = (
    f"an author key is announced (author-key-enabled), and auth_key_algo of {_AUTHENTICATION} is"
    " not 1"
)
CPUID_ENTRY = (
    "an entry of the CPUID page promises what processor or firmware do not have: QEMU says which"
    " one behind this line"
)
_STATE = _reasons("", "SNP is not started on the host: its log has SNP_INIT")
_ASID = _reasons(
    "", "the ASID is of no use to SNP, or pages are assigned to it still (SNP_ACTIVATE)"
)
_NOT_IN_LAUNCH = _reasons("", "the guest is not in its launch: it has not begun, or has ended")

FIRMWARE: dict[tuple[KvmSevCommand, Status], tuple[Reason, ...]] = {
    (KvmSevCommand.SNP_LAUNCH_START, Status.INVALID_PLATFORM_STATE): _STATE,
    (KvmSevCommand.SNP_LAUNCH_START, Status.POLICY_FAILURE): _reasons(
        _POLICY,
        POLICY_BIT_17,
        NO_SMT,
        NEWER_ABI,
        NEWER_BITS,
        ONE_SOCKET,
    ),
    (KvmSevCommand.SNP_LAUNCH_START, Status.INVALID_ASID): _ASID,
    (KvmSevCommand.SNP_LAUNCH_START, Status.INVALID_CONFIG): _ASID,
    (KvmSevCommand.SNP_LAUNCH_START, Status.ASID_OWNED): _reasons(
        "", "another guest has the ASID, or it is not clean on every core (SNP_ACTIVATE)"
    ),
    (KvmSevCommand.SNP_LAUNCH_START, Status.DF_FLUSH_REQUIRED): _reasons(
        "", "the ASID was used before, and the data fabric has not been flushed since"
    ),
    (KvmSevCommand.SNP_LAUNCH_UPDATE, Status.INVALID_PLATFORM_STATE): _STATE,
    (KvmSevCommand.SNP_LAUNCH_UPDATE, Status.INVALID_GUEST_STATE): _NOT_IN_LAUNCH,
    (KvmSevCommand.SNP_LAUNCH_UPDATE, Status.INVALID_PAGE_STATE): _reasons(
        "memory", "the page is not PRE_GUEST in the RMP: the kernel's log has its entry"
    ),
    (KvmSevCommand.SNP_LAUNCH_UPDATE, Status.INVALID_PAGE_SIZE): _reasons(
        "memory", "the page is part of a 2 MiB entry of the RMP"
    ),
    (KvmSevCommand.SNP_LAUNCH_UPDATE, Status.INACTIVE): _reasons("", "the guest has no ASID"),
    (KvmSevCommand.SNP_LAUNCH_UPDATE, Status.INVALID_PAGE_OWNER): _reasons(
        "memory", "the page is assigned to another guest in the RMP"
    ),
    (KvmSevCommand.SNP_LAUNCH_UPDATE, Status.INVALID_PARAM): _reasons(
        "cpuid",
        "the CPUID page has more than 64 entries, or something in its reserved fields",
        CPUID_ENTRY,
    ),
    (KvmSevCommand.SNP_LAUNCH_FINISH, Status.INVALID_PLATFORM_STATE): _STATE,
    (KvmSevCommand.SNP_LAUNCH_FINISH, Status.INVALID_GUEST_STATE): _NOT_IN_LAUNCH,
    (KvmSevCommand.SNP_LAUNCH_FINISH, Status.INACTIVE): _reasons("", "the guest has no ASID"),
    (KvmSevCommand.SNP_LAUNCH_FINISH, Status.BAD_MEASUREMENT): _reasons(
        _ID_BLOCK,
        "ld of the ID block is not the measurement of this launch: another image, command line,"
        " number or type of processors, SEV_FEATURES, or program that makes the save areas",
    ),
    (KvmSevCommand.SNP_LAUNCH_FINISH, Status.POLICY_FAILURE): _reasons(
        _ID_BLOCK, "the policy in the ID block is not the policy that the launch began with"
    ),
    (KvmSevCommand.SNP_LAUNCH_FINISH, Status.INVALID_PARAM): _reasons(
        _ID_BLOCK,
        f"id_key_algo of {_AUTHENTICATION} is not 1, ECDSA P-384 with SHA-384",
        AUTHOR_KEY,
        f"ID block or {_AUTHENTICATION} is not of the size and layout that the firmware reads",
    ),
    (KvmSevCommand.SNP_LAUNCH_FINISH, Status.BAD_SIGNATURE): _reasons(
        _ID_BLOCK,
        "the ID key is on another curve than P-384 (2), or no point of it",
        "the signature over the ID block is not the ID key's: another block, or numbers in the"
        " other byte order",
        "the author key is on another curve than P-384 (2), or no point of it",
        "the signature over the ID key is not the author key's",
    ),
}
"""The checks behind each status, where a launch through KVM can meet them."""


def kernel_reasons(commands: tuple[KvmSevCommand, ...], errno: int) -> tuple[Reason, ...]:
    """Return the checks of KVM that give *errno* to one of *commands*.

    Those of the command are in the kernel's order. What it checks first of every command comes
    behind them, being the least likely.
    """
    invalid = abs(errno) == Errno.EINVAL
    forks = [Reason(FORKS[c], "type") for c in commands if invalid and c in FORKS]
    rows = [row for command in commands for row in refusals(command, errno)]
    ranked = sorted(rows, key=lambda row: row in COMMON)
    return tuple(dict.fromkeys((*forks, *(Reason(row.text, row.argument) for row in ranked))))


def firmware_reasons(commands: tuple[KvmSevCommand, ...], status: int) -> tuple[Reason, ...]:
    """Return the checks of the firmware that give *status* to one of *commands*, in its order."""
    return tuple(row for command in commands for row in FIRMWARE.get((command, Status(status)), ()))


def shortened(rows: tuple[Reason, ...], most: int = 3) -> str:
    """Return the reasons on one line, those first that an argument decides; count what is left."""
    ranked = sorted(rows, key=lambda row: not row.argument)
    text = "; or ".join(row.text for row in ranked[:most])
    left = len(rows) - most
    return f"{text}; or one of {left} more checks" if left > 0 else text
