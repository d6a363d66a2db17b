"""What KVM checks of each ioctl of its SEV interface, with the error that each check gives.

The rows of an ioctl are in the kernel's order. One error number stands for several checks, so it
is an answer only together with the arguments.

Source: Linux 6.11 to 6.18 ``arch/x86/kvm/svm/sev.c``, ``virt/kvm/guest_memfd.c`` and
``drivers/crypto/ccp/sev-dev.c``, and the patches of 2021 to 2024 from which QEMU's forks were made.
"""

from __future__ import annotations

from typing import NamedTuple

from ..bits import OpenEnum


class Errno(OpenEnum):
    """Error number of Linux that an ioctl of SEV returns."""

    EPERM = 1, "Not permitted for this kind of virtual machine"
    EINTR = 4, "A signal came first"
    EIO = 5, "The firmware refused, or a step for it failed"
    EBADF = 9, "The file that was handed over is not /dev/sev"
    EAGAIN = 11, "Not all was done; ask again for the rest"
    ENOMEM = 12, "No memory"
    EFAULT = 14, "An address cannot be read or written"
    EBUSY = 16, "In use, or used up"
    EEXIST = 17, "There already"
    ENODEV = 19, "The driver has no secure processor"
    EINVAL = 22, "An argument or the order is wrong"
    ENOTTY = 25, "Not offered, or not to this kind of virtual machine"
    ETIMEDOUT = 110, "The secure processor did not answer"


class KvmSevCommand(OpenEnum):
    """Number of a command of the ioctl KVM_MEMORY_ENCRYPT_OP."""

    INIT = 0, "Make an SEV virtual machine of one of the default type"
    ES_INIT = 1, "Make an SEV-ES virtual machine of one of the default type"
    LAUNCH_START = 2, "Begin the launch of an SEV or SEV-ES guest"
    LAUNCH_UPDATE_DATA = 3, "Encrypt and measure memory"
    LAUNCH_UPDATE_VMSA = 4, "Encrypt and measure the save areas"
    LAUNCH_SECRET = 5, "Put a secret into memory"
    LAUNCH_MEASURE = 6, "Return the measurement"
    LAUNCH_FINISH = 7, "End the launch of an SEV or SEV-ES guest"
    SEND_START = 8, "Begin to send a guest"
    SEND_UPDATE_DATA = 9, "Return memory to be sent"
    SEND_UPDATE_VMSA = 10, "Return a save area to be sent"
    SEND_FINISH = 11, "End the sending of a guest"
    RECEIVE_START = 12, "Begin to receive a guest"
    RECEIVE_UPDATE_DATA = 13, "Take memory that was sent"
    RECEIVE_UPDATE_VMSA = 14, "Take a save area that was sent"
    RECEIVE_FINISH = 15, "End the receiving of a guest"
    GUEST_STATUS = 16, "Return handle, policy and state"
    DBG_DECRYPT = 17, "Decrypt memory, where the policy allows it"
    DBG_ENCRYPT = 18, "Encrypt memory, where the policy allows it"
    CERT_EXPORT = 19, "Return certificates"
    GET_ATTESTATION_REPORT = 20, "Return the report of an SEV guest"
    SEND_CANCEL = 21, "Give up the sending of a guest"
    INIT2 = 22, "Make a guest of a virtual machine of an SEV, SEV-ES or SNP type"
    SNP_LAUNCH_START = 100, "Begin the launch of an SNP guest"
    SNP_LAUNCH_UPDATE = 101, "Encrypt and measure pages of an SNP guest"
    SNP_LAUNCH_FINISH = 102, "Measure the save areas and end the launch"
    SNP_ENABLE_REQ_CERTS = 103, "Let the user's program give certificates with a report"


class KvmRefusal(NamedTuple):
    """One check that KVM makes before or while it carries out a command."""

    errno: Errno
    text: str
    """What is so if the check fails."""
    argument: str = ""
    """What decides it, where that is an argument: policy, type, memory, id-block, features."""


def _row(errno: Errno, *texts: str, argument: str = "") -> tuple[KvmRefusal, ...]:
    return tuple(KvmRefusal(errno, text, argument) for text in texts)


COMMON = (
    *_row(Errno.ENOTTY, "kvm_amd has SEV switched off, or the host could not start it"),
    *_row(Errno.EFAULT, "the command itself cannot be read"),
    *_row(Errno.EINVAL, "a mirror of another virtual machine may not ask this"),
    *_row(Errno.EPERM, "the virtual machine is an SNP one and the command is SEV's"),
    *_row(Errno.EINVAL, "this kernel does not know the command's number: it is older, or its tree"
          " counts the commands otherwise"),
)  # fmt: skip
"""What is checked of every command, first."""

FIRMWARE = (
    *_row(Errno.EBADF, "sev_fd is not open, or is not /dev/sev"),
    *_row(Errno.ENODEV, "the ccp driver has found no secure processor with SEV"),
    *_row(Errno.EBUSY, "the driver has given up on the secure processor after a command that timed"
          " out"),
    *_row(Errno.ETIMEDOUT, "the secure processor did not answer in time"),
    *_row(Errno.EIO, "the firmware refused: fw_error has its status"),
)  # fmt: skip
"""What can go wrong on the way to the firmware, and there; fw_error is 0 in all but the last."""

_NOT_SEV = _row(Errno.ENOTTY, "the virtual machine was not made an SEV one: INIT comes before")
_ARGUMENT = _row(Errno.EFAULT, "the argument cannot be read")
_BLOB = (
    *_row(Errno.EINVAL, "{} has no address, or more than 16 KiB"),
    *_row(Errno.ENOMEM, "no memory for {}"),
    *_row(Errno.EFAULT, "{} cannot be read"),
)
_PINNED = (
    *_row(Errno.EINVAL, "the length is 0, or the range wraps", argument="memory"),
    *_row(Errno.ENOMEM, "more memory would be locked than RLIMIT_MEMLOCK allows, or not all of it"
          " could be pinned", argument="memory"),
)  # fmt: skip


def _blob(name: str, argument: str = "") -> tuple[KvmRefusal, ...]:
    return tuple(KvmRefusal(row.errno, row.text.format(name), argument) for row in _BLOB)


_ASID = (
    *_row(Errno.ENOTTY, "the firmware's settings leave no ASID for this kind of guest: see the BIOS"
          " option for the first ASID of SEV without ES"),
    *_row(Errno.EBUSY, "the cgroup's limit of encrypted guests (misc.max) is reached"),
    *_row(Errno.EBUSY, "all ASIDs are in use"),
    *_row(Errno.ENODEV, "the ccp driver has found no secure processor with SEV"),
    *_row(Errno.EBUSY, "the driver has given up on the secure processor after a command that timed"
          " out"),
    *_row(Errno.ETIMEDOUT, "the secure processor did not answer in time"),
    *_row(Errno.EIO, "INIT of the platform failed: fw_error has the firmware's status"),
)  # fmt: skip
_LEGACY_INIT = (
    *_row(Errno.EINVAL, "the virtual machine is not of the default type: with such a type INIT2 is"
          " asked", argument="type"),
    *_row(Errno.EINVAL, "virtual processors exist already"),
    *_row(Errno.EINVAL, "the virtual machine has been made an SEV one before"),
    *_ASID,
)  # fmt: skip

REFUSALS: dict[KvmSevCommand, tuple[KvmRefusal, ...]] = {
    KvmSevCommand.INIT: _LEGACY_INIT,
    KvmSevCommand.ES_INIT: (
        *_row(Errno.ENOTTY, "kvm_amd has SEV-ES switched off, or the host has none"),
        *_LEGACY_INIT,
    ),
    KvmSevCommand.INIT2: (
        *_row(Errno.EINVAL, "the virtual machine is of the default type, or has been made an SEV"
              " one before", "the virtual machine is of no SEV type: KVM_CREATE_VM was not asked"
              " for KVM_X86_SNP_VM", argument="type"),
        *_ARGUMENT,
        *_row(Errno.EINVAL, "virtual processors exist already", "flags are set"),
        *_row(Errno.EINVAL, "vmsa_features has a feature that KVM does not offer; SNP_ACTIVE is set"
              " by KVM itself", argument="features"),
        *_row(Errno.EINVAL, "ghcb_version is above 2, or given for SEV without ES",
              argument="features"),
        *_row(Errno.EINVAL, "the virtual machine has been made an SEV one before"),
        *_ASID,
        *_row(Errno.ENOMEM, "no memory for guest requests"),
        *_row(Errno.EIO, "no page for guest requests could be given to the firmware"),
    ),
    KvmSevCommand.SNP_LAUNCH_START: (
        *_row(Errno.ENOTTY, "the virtual machine is not an SNP one: INIT2 was not asked, or not"
              " with the type KVM_X86_SNP_VM", argument="type"),
        *_ARGUMENT,
        *_row(Errno.EINVAL, "the guest has a context: a launch has begun", "flags are set"),
        *_row(Errno.EINVAL, "the policy has a bit that KVM does not pass on: it knows 0 to 17, 19"
              " and 20, newer kernels also those of 21 to 25 that the firmware has",
              "the policy has bit 17 clear, which has to be set", argument="policy"),
        *_row(Errno.ENOTTY, "the guest context could not be made: no page for the firmware, or"
              " SNP_GCTX_CREATE failed, and fw_error has its status"),
        *FIRMWARE,
        *_row(Errno.EIO, "the ASID could not be bound (SNP_ACTIVATE): fw_error has the status"),
    ),
    KvmSevCommand.SNP_LAUNCH_UPDATE: (
        *_row(Errno.EINVAL, "the virtual machine is not an SNP one", argument="type"),
        *_row(Errno.EINVAL, "no guest context: SNP_LAUNCH_START comes before"),
        *_ARGUMENT,
        *_row(Errno.EINVAL, "the length is no multiple of 4 KiB", "flags are set",
              "the page type is not NORMAL, ZERO, UNMEASURED, SECRETS or CPUID"),
        *_row(Errno.EINVAL, "the guest's memory there is not backed by a guest_memfd: the slot has"
              " no private memory, or there is no slot", argument="memory"),
        *_row(Errno.EIO, "the pages were not set private first (KVM_SET_MEMORY_ATTRIBUTES)",
              "a page is assigned in the RMP already, or its entry cannot be read",
              "the source cannot be read", "RMPUPDATE failed: the kernel's log has the frame",
              argument="memory"),
        *_row(Errno.EIO, "the firmware refused a page: fw_error has its status"),
        *_row(Errno.EFAULT, "the progress cannot be written back"),
        *_row(Errno.EAGAIN, "only a part was done, in older trees: to be asked again"),
    ),
    KvmSevCommand.SNP_LAUNCH_FINISH: (
        *_row(Errno.ENOTTY, "the virtual machine is not an SNP one", argument="type"),
        *_row(Errno.EINVAL, "no guest context: SNP_LAUNCH_START comes before"),
        *_ARGUMENT,
        *_row(Errno.EINVAL, "flags are set"),
        *_row(Errno.EINVAL, "a save area could not be made: a virtual processor is being debugged,"
              " or is encrypted already"),
        *_row(Errno.EFAULT, "RMPUPDATE failed for a save area: the kernel's log has the frame"),
        *_row(Errno.EIO, "the firmware refused a save area (SNP_LAUNCH_UPDATE): fw_error has its"
              " status"),
        *_row(Errno.ENOMEM, "no memory for the command"),
        *_blob("the ID block", "id-block"),
        *_blob("the ID authentication", "id-block"),
        *FIRMWARE,
    ),
    KvmSevCommand.SNP_ENABLE_REQ_CERTS: (
        *_row(Errno.ENOTTY, "the virtual machine is not an SNP one", argument="type"),
        *_row(Errno.EINVAL, "virtual processors exist already, or it is on"),
    ),
    KvmSevCommand.LAUNCH_START: (
        *_NOT_SEV, *_ARGUMENT, *_blob("the owner's certificate"), *_blob("the session"), *FIRMWARE,
    ),
    KvmSevCommand.LAUNCH_UPDATE_DATA: (*_NOT_SEV, *_ARGUMENT, *_PINNED, *FIRMWARE),
    KvmSevCommand.LAUNCH_UPDATE_VMSA: (
        *_row(Errno.ENOTTY, "the virtual machine was not made an SEV-ES one"),
        *_row(Errno.EINVAL, "a virtual processor is being debugged, or its save area is encrypted"
              " already"),
        *FIRMWARE,
    ),
    KvmSevCommand.LAUNCH_SECRET: (
        *_NOT_SEV, *_ARGUMENT, *_PINNED,
        *_row(Errno.EINVAL, "the secret's pages do not lie side by side in memory"),
        *_blob("the secret"), *_blob("its header"), *FIRMWARE,
    ),
    KvmSevCommand.LAUNCH_MEASURE: (
        *_NOT_SEV, *_ARGUMENT,
        *_row(Errno.EINVAL, "the length is above 16 KiB"),
        *_row(Errno.ENOMEM, "no memory for the measurement"), *FIRMWARE,
    ),
    KvmSevCommand.LAUNCH_FINISH: (*_NOT_SEV, *FIRMWARE),
    KvmSevCommand.GUEST_STATUS: (*_NOT_SEV, *FIRMWARE),
    KvmSevCommand.DBG_DECRYPT: (
        *_NOT_SEV, *_ARGUMENT,
        *_row(Errno.EINVAL, "the length is 0, or a range wraps"), *FIRMWARE,
    ),
    KvmSevCommand.DBG_ENCRYPT: (
        *_NOT_SEV, *_ARGUMENT,
        *_row(Errno.EINVAL, "the length is 0, or a range wraps"), *FIRMWARE,
    ),
    KvmSevCommand.GET_ATTESTATION_REPORT: (
        *_NOT_SEV, *_ARGUMENT,
        *_row(Errno.EINVAL, "the length is above 16 KiB"),
        *_row(Errno.ENOMEM, "no memory for the report"), *FIRMWARE,
    ),
}  # fmt: skip
"""The checks of each command that KVM offers, in its order, after those of ``COMMON``."""

FORKS = {
    KvmSevCommand.INIT2: "QEMU and the kernel may be of different trees: what 22 means changed."
    " AMD's trees before Linux 6.11 have KVM_SEV_SNP_INIT there, with another argument",
}
"""What else an EINVAL can mean for a command, where trees disagree."""


def refusals(command: KvmSevCommand, errno: int) -> tuple[KvmRefusal, ...]:
    """Return the checks of *command* that give *errno*, of either sign, in the kernel's order."""
    rows = (*COMMON, *REFUSALS.get(command, ()))
    return tuple(dict.fromkeys(row for row in rows if row.errno == abs(errno)))
