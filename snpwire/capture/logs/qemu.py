"""What QEMU says of a launch that failed: who refused it, and for which of the known reasons.

A line has the kernel's error and the firmware's status. The status counts where there is one; 0 and
-1 stand for a firmware that was not asked. Older QEMU shows a number of its own in place of the
kernel's error; forks show both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.kvm_sev import Errno
from ...wire.kvm_sev import KvmSevCommand as Command
from ...wire.status import NO_FW_CALL, Status
from .errnos import errno_name, errno_text
from .launch_reasons import firmware_reasons, kernel_reasons, shortened
from .operands import status_words
from .record import Fact, LogLine
from .template import Format, form

if TYPE_CHECKING:
    from .record import LogState

    Words = tuple[str, tuple[Command, ...], str]

_INITS = (Command.INIT2, Command.INIT, Command.ES_INIT)
_HOST_LOG = "the host's dmesg has what the kernel adds, with pr_debug of kvm_amd switched on"
_GIVEN_UP = re.compile(
    "failed to create encryption context|failed to initialize kvm|failed to encrypt pflash rom",
    re.IGNORECASE,
)
_NO_RIGHTS = (
    "the guest does not start; 'Operation not permitted' is QEMU's own word for any failure here,"
    " and no rights are missing"
)
_EXPLAIN = "snpwire explain kvm-sev {}"
_FAILED = ("Failed", "failed")
PLATFORM = ("PLATFORM_STATUS", "PDH_CERT_EXPORT", "GET_ID")
"""Commands that QEMU gives to /dev/sev; what ioctl() returns for them is -1, and no error."""
QUERIES = ("GET_ATTESTATION_REPORT", "PDH_CERT_EXPORT", "GET_ID")
"""Commands by which QEMU answers a question of its monitor: no step of a launch."""
_ANSWERS = {
    "GET_ATTESTATION_REPORT": (
        "the kernel is older than 5.12, which has no such command",
        "reports of this kind are those of SEV and SEV-ES; an SNP guest asks for its own, by"
        " /dev/sev-guest",
    ),
}
"""What else may be the cause of a failed query, and what to know about it."""
_NOT_INIT = "the firmware of SEV is not initialised: ccp says at its start why"

COMMANDS: dict[str, tuple[Command, ...]] = {
    "SNP_LAUNCH_START": (Command.SNP_LAUNCH_START,),
    "SNP_LAUNCH_UPDATE": (Command.SNP_LAUNCH_UPDATE,),
    "SNP_LAUNCH_FINISH": (Command.SNP_LAUNCH_FINISH,),
    "LAUNCH_START": (Command.LAUNCH_START,),
    "LAUNCH_UPDATE": (Command.LAUNCH_UPDATE_DATA,),
    "LAUNCH_UPDATE_VMSA": (Command.LAUNCH_UPDATE_VMSA,),
    "LAUNCH_MEASURE": (Command.LAUNCH_MEASURE,),
    "LAUNCH_FINISH": (Command.LAUNCH_FINISH,),
    "LAUNCH_SECRET": (Command.LAUNCH_SECRET,),
    "GET_ATTESTATION_REPORT": (Command.GET_ATTESTATION_REPORT,),
    "INIT": _INITS,
}
"""The commands of KVM behind each word; which INIT it was, only QEMU's version tells."""

SPELLINGS = {
    "LAUNCH_SNP_START": "SNP_LAUNCH_START",
    "initialize": "INIT",
    "secret": "LAUNCH_SECRET",
}
"""Words of QEMU's lines that are no names of commands."""


def command_of(word: str) -> str:
    """Return the name of the command that a word of a line stands for."""
    name = word.rstrip(":").removeprefix("KVM_SEV_")
    return SPELLINGS.get(name, name)


class _Failure:
    """A failure, and the lines in which QEMU gives up behind it, which say nothing more."""

    watches = True
    patience = 2
    pending = False

    def __init__(self, fact: Fact) -> None:
        self._fact = fact
        self.done = False

    def take(self, line: LogLine) -> bool:
        mine = _GIVEN_UP.search(line.text) is not None
        self.done = not mine
        if mine and "Operation not permitted" in line.text:
            self._fact = self._fact._replace(consequence=_NO_RIGHTS)
        return mine

    def fact(self) -> Fact:
        return self._fact


def _launch(fields: dict[str, Any], log: LogState) -> _Failure:
    """Report a failure, with the lines in which QEMU gives up."""
    return _Failure(launch_failure(fields))


def launch_failure(fields: dict[str, Any]) -> Fact:
    """Report who refused: the firmware where it gave a status, else the kernel."""
    what = command_of(fields.get("what", ""))
    error = fields["fw_error"] & NO_FW_CALL
    errno = -abs(fields["number"]) if "number" in fields else fields["ret"]
    asked = error not in (0, NO_FW_CALL)
    refused = _firmware(what, error) if asked else _kernel(what, errno)
    return _summary(fields, what, errno, refused)


def _summary(fields: dict[str, Any], what: str, errno: int, refused: Fact) -> Fact:
    status, ret = Status(fields["fw_error"] & NO_FW_CALL), fields["ret"]
    told = refused.fields["refused_by"] != "unknown"
    name = f" {errno_name(errno)}" if told and (errno < 0 or "number" in fields) else ""
    known = status.name if status.known else "unknown"
    shown = f" {known}" if refused.fields["refused_by"] == "firmware" else ""
    title = "making the guest an SEV one (INIT)" if what == "INIT" else what
    return refused._replace(
        text=f"{title}  ret {ret}{name}  fw_error {fields['fw_error']}{shown}".strip(),
        fields={
            "what": fields.get("what", what),
            "command": what,
            "errno": errno_name(errno) if told else "",
            "status": status,
            **refused.fields,
        },
    )


def _firmware(what: str, error: int) -> Fact:
    rows = firmware_reasons(COMMANDS.get(what, ()), error)
    remedy = f"all checks in their order: snpwire explain command {what}" if rows else ""
    return Fact(
        "",
        f"the firmware refused, not the kernel: {status_words(error)}",
        cause=shortened(rows),
        remedy=remedy,
        fields={"refused_by": "firmware", "reasons": [row.text for row in rows]},
    )


def _kernel(what: str, errno: int) -> Fact:
    if errno > 0 or (what in PLATFORM and errno == -1):
        return Fact(
            "",
            "the number is QEMU's own: it does not print the kernel's error here",
            cause=_NOT_INIT if what == "PLATFORM_STATUS" else "",
            remedy=_HOST_LOG,
            fields={"refused_by": "unknown", "reasons": []},
        )
    rows = kernel_reasons(COMMANDS.get(what, ()), errno)
    older, known = _ANSWERS.get(what, ("", ""))
    causes = (older if abs(errno) == Errno.EINVAL else "", shortened(rows))
    return Fact(
        "",
        f"the kernel refused, the firmware was not asked: {errno_text(errno)}",
        cause="; or ".join(filter(None, causes)),
        consequence="" if what in QUERIES or what not in COMMANDS else "the guest does not start",
        remedy="; ".join(filter(None, (_checks(what) if rows else "", known))),
        fields={"refused_by": "kernel", "reasons": [row.text for row in rows]},
    )


def _checks(what: str) -> str:
    """Return where the kernel's checks of a command are told."""
    return f"{_HOST_LOG}; all checks: {_EXPLAIN.format(COMMANDS[what][0].name)}"


def _named(command: str) -> Any:
    def interpret(fields: dict[str, Any], log: LogState) -> _Failure:
        return _launch({**fields, "what": command}, log)

    return interpret


def _line(key: str, command: str, before: str) -> Format:
    """Return the format of a line with error and status, with and without what is quoted."""
    numbers = f"{before} ret={{ret:d}} fw_error={{fw_error:d}}"
    return form(
        key,
        "launch-failed",
        f"{numbers} '{{text:s}}'",
        _named(command),
        f"{before} ret={{ret:d}} errno={{number:d}} fw_error={{fw_error:d}}",
        numbers,
    )


def _older(key: str, command: str, done: str) -> Format:
    """Return the format of a line that calls the status ``fw_err``."""
    first, second = (f"{way} to {done} ret={{ret:d}} fw_err={{fw_error:d}}" for way in _FAILED)
    return form(key, "launch-failed", first, _named(command), second)


FORMATS = (
    *(
        _line(f"qemu_{command.lower()}", command, command)
        for command in ("SNP_LAUNCH_START", "SNP_LAUNCH_UPDATE", "SNP_LAUNCH_FINISH")
    ),
    form(
        "qemu_init",
        "launch-failed",
        "{caller:o}: failed to initialize ret={ret:d} fw_error={fw_error:d}",
        _named("INIT"),
        "failed to initialize ret={ret:d} fw_error={fw_error:d}",
    ),
    form(
        "qemu_secret",
        "launch-failed",
        "failed to inject secret ret={ret:d} fw_error={fw_error:d}",
        _named("LAUNCH_SECRET"),
    ),
    form(
        "qemu_status",
        "launch-failed",
        "failed to get platform status ret={ret:d} fw_error='{fw_error:d}: {text:s}'",
        _named("PLATFORM_STATUS"),
        "failed to get platform status ret={ret:d}fw_error='{fw_error:d}: {text:s}'",
    ),
    form(
        "qemu_launch",
        "launch-failed",
        "{what:o} ret={ret:d} fw_error={fw_error:d} '{text:s}'",
        _launch,
        "{what:o} ret={ret:d} errno={number:d} fw_error={fw_error:d}",
        "{what:o} ret={ret:d} fw_error={fw_error:d}",
    ),
    _older("qemu_pdh", "PDH_CERT_EXPORT", "export PDH cert"),
    _older("qemu_id", "GET_ID", "get ID"),
    _older("qemu_report", "GET_ATTESTATION_REPORT", "get attestation report"),
    _older("qemu_report_length", "GET_ATTESTATION_REPORT", "query the attestation report length"),
)
