"""Topics of ``explain`` about KVM: why it left a guest, and what its SEV interface refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...errors import UsageError, shown
from ...finding import counted
from ...numeral import reading
from ...wire.kvm_exits import KvmExit, SystemEvent
from ...wire.kvm_sev import Errno, KvmSevCommand
from ..table import Row
from .topic import Question, Topic, codes, kind_rows, member_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.kvm_sev import KvmRefusal

HELP = "explain kvm-sev SNP_LAUNCH_START:-22, or the command alone"
WHERE = {
    KvmExit.SHUTDOWN: "triple fault: an encrypted guest's registers as shown mean nothing",
    KvmExit.FAIL_ENTRY: "the VMSA or the VMCB is invalid: see the host's kernel log, kvm_amd",
    KvmExit.INTERNAL_ERROR: "see the host's kernel log; an encrypted guest cannot be emulated",
    KvmExit.MEMORY_FAULT: "the program has to convert the page and run the guest again",
}


def kvm_exit(question: Question) -> Iterator[Row]:
    """Explain why KVM returned to the program that runs the guest."""
    yield from codes(KvmExit)(question)
    member = member_of(KvmExit, question)
    if member == KvmExit.SYSTEM_EVENT:
        for row in kind_rows(SystemEvent):
            yield row._replace(name=f"  type {row.name}")
        text = "type SEV_TERM: data[0] is the GHCB MSR, explain msr; the host's kernel log has it"
        yield Row("", "", "look", "", text)
    elif member in WHERE:
        yield Row("", "", "look", "", WHERE[member])


def system_event(question: Question) -> Iterator[Row]:
    """Explain the type of a system event."""
    yield from codes(SystemEvent)(question)
    if member_of(SystemEvent, question) == SystemEvent.SEV_TERM:
        text = "the host's kernel log: SEV-ES guest requested termination: SET:CODE, explain term"
        yield Row("", "", "look", "", text)


def kvm_sev(question: Question) -> Iterator[Row]:
    """Explain what KVM refuses of one ioctl: all, or with one error number."""
    from ...wire.kvm_sev import COMMON, FORKS, REFUSALS, refusals

    name, errno = _call(question.text)
    yield Row("", "", str(int(name)), name.name, name.doc)
    if errno is None:
        rows = (*COMMON, *REFUSALS.get(name, ()))
    else:
        yield Row("", "", f"-{int(errno)}", errno.name, errno.doc)
        rows = refusals(name, errno)
    for place, row in enumerate(rows, 1):
        what = f"{row.text} [{row.argument}]" if row.argument else row.text
        yield Row("", "", f"  {place:>2}", row.errno.name, what)
    if not rows:
        yield Row("", "", "  none", "", "no check of KVM gives this error for this command")
    if errno in (None, 22) and name in FORKS:
        yield Row("", "", "  or", "", FORKS[name])


def _call(text: str) -> tuple[KvmSevCommand, Errno | None]:
    """Return the command and the error number that *text* names. Raises UsageError."""
    words = re.sub(r"\b(?:ret|errno|error|rc)\b|[:=,;()]", " ", text).split()
    first, rest = words[0] if words else "", words[1:]
    try:
        command = KvmSevCommand.from_plain(first)
    except ValueError as exc:
        raise UsageError(str(exc), help=HELP) from None
    if not command.known:
        raise UsageError(f"KVM has no SEV command {shown(first)}", help=HELP)
    if not rest:
        return command, None
    word = rest[0]
    if word.lstrip("-").isdecimal():
        return command, Errno(abs(int(word)) & 0xFFFF_FFFF)
    member = Errno.spelt(word)
    if member is None:
        raise UsageError(f"{shown(word)} is no error number", help=HELP)
    return command, member


def commands() -> Iterator[Row]:
    """Yield the commands of KVM's SEV interface."""
    for member in KvmSevCommand:
        yield Row("", "", str(int(member)), member.name, member.doc)


def errnos() -> Iterator[Row]:
    """Yield every error number that an ioctl of SEV returns."""
    for member in Errno:
        yield Row("", "", f"-{int(member)}", member.name, member.doc)


def errno(question: Question) -> Iterator[Row]:
    """Explain an error number, and which commands of KVM's SEV interface return it."""
    from ...wire.kvm_sev import REFUSALS

    member = errno_named(question.text)
    yield Row("", "", f"-{int(member)}", member.name if member.known else "unknown", member.doc)
    for name in REFUSALS:
        count = len(own_refusals(name, member))
        if count:
            text = f"explain kvm-sev {name.name}:-{int(member)}"
            yield Row("", "", f"  {name.name}", counted(count, "check"), text)


def own_refusals(name: KvmSevCommand, errno: int) -> list[KvmRefusal]:
    """Return the checks that give *errno*, without those of every command."""
    from ...wire.kvm_sev import REFUSALS

    return [row for row in REFUSALS.get(name, ()) if row.errno == errno]


def errno_named(text: str) -> Errno:
    """Return the error number that *text* is, of either sign or by name. Raises UsageError."""
    bare = text.strip().removeprefix("-")
    if bare[:1].isalpha() and (member := Errno.spelt(bare)) is not None:
        return member
    value = reading(bare, base=10, possible=lambda number: Errno(number).known).value
    return Errno(value if value < 1 << 31 else negated(value))


def negated(value: int) -> int:
    """Return the size of a negative number of 32 or 64 bits."""
    return (1 << (64 if value >> 32 else 32)) - value


def negative(value: int) -> str:
    """Return the name of an error number, if a register holds one, which has a sign there."""
    member = Errno(negated(value)) if value >> 31 else None
    return f"-{int(member)} {member.name}" if member is not None and member.known else ""


TOPICS = {
    "kvm-exit": Topic(kvm_exit, "an exit_reason of KVM_RUN", of=KvmExit, base=10),
    "system-event": Topic(system_event, "a type of KVM_EXIT_SYSTEM_EVENT", of=SystemEvent, base=10),
    "kvm-sev": Topic(
        kvm_sev,
        "what KVM refuses of an ioctl, as COMMAND:ERRNO",
        rows=commands,
        named=(KvmSevCommand,),
    ),
    "errno": Topic(
        errno,
        "an error number, and which ioctls of KVM give it",
        guess=negative,
        rows=errnos,
        named=(Errno,),
    ),
}
