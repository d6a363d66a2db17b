"""Topics of ``explain`` about the GHCB: exits, messages of the MSR, and what is beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...bits import OpenEnum, Word
from ...errors import UsageError
from ...numeral import reading, readings
from ...wire.exits import ExitCode
from ...wire.msr import MsrInfo
from ...wire.operands import (
    TERM_CODES,
    Action,
    EventInject,
    HvFeatures,
    MalformedReason,
    SevFeatures,
    TermSet,
    VmmError,
    term_reason,
)
from ...wire.psc import PscEntry
from ...wire.status import NO_FW_CALL, WRITE_BACK_MARK, Status
from ..meaning import code_text, operand_meaning
from ..table import Row
from ..text import int_text
from .topic import Question, Topic, bit_rows, codes, kind_rows, member_of, note_rows, word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.event import Event, Operand


def code(question: Question) -> Iterator[Row]:
    """Explain an exit code: its operands, its inputs and outputs."""
    from ...wire.exits import KVM_ACCEPTED, KVM_REASONS, events_of

    member = member_of(ExitCode, question)
    yield Row("", "", hex(member), member.name, member.doc or "no source names this code")
    if member in KVM_REASONS:
        yield Row("", "", "kvm_exit prints", KVM_REASONS[member], "")
    for event in events_of(member):
        yield from _event(event)
    taken = "yes" if member in KVM_ACCEPTED else "no: it responds with malformed input, reason 6"
    yield Row("", "", "KVM 6.12 accepts it", taken, "")


def _event(event: Event) -> Iterator[Row]:
    yield Row("", "", event.name, event.title, event.note)
    for name, operand in (("sw_exit_info_1", event.info1), ("sw_exit_info_2", event.info2)):
        yield Row("", "", f"  {name}", _role(operand), "")
    for name, operand in event.inputs.items():
        needed = "must be marked valid" if name in event.required else "if used"
        yield Row("", "", f"  {name}", _role(operand), needed)
    for name, operand in event.outputs.items():
        yield Row("", "", f"  {name} in the response", _role(operand), "")
    if "sw_exit_info_2" in event.returns:
        yield Row("", "", "  sw_exit_info_2 in the response", _role(event.result), "")
    yield Row("", "", "  source", event.source, "")


def _role(operand: Operand) -> str:
    kind = operand.type
    shape = kind.__name__ if issubclass(kind, Word | OpenEnum) else ""
    if kind.__name__ == "Zero":
        return "not used"
    return ", ".join(filter(None, (operand.label, shape))) or "a number"


def _exit_event(question: Question) -> Event:
    from ...wire.exits import event_of, events_of

    member = member_of(ExitCode, question._replace(text=question.exit or ""))
    rows = events_of(member)
    selected = None if question.response else event_of(member, question.info1 or 0)
    event = selected or next(iter(rows), None)
    if event is None:
        raise UsageError(f"no source defines the operands of {member.name}")
    return event


def exitinfo1(question: Question) -> Iterator[Row]:
    """Explain ``sw_exit_info_1`` of a request, by its exit, or of a response."""
    from ...wire.event import Operand
    from ...wire.operands import ResponseInfo

    if question.response or question.exit is None:
        operand = Operand("action asked of the guest", ResponseInfo)
        yield from _operand("sw_exit_info_1", operand, question.number())
    else:
        event = _exit_event(question._replace(info1=question.number()))
        yield Row("", "", event.name, event.title, "")
        yield from _operand("sw_exit_info_1", event.info1, question.number())


def exitinfo2(question: Question) -> Iterator[Row]:
    """Explain ``sw_exit_info_2``: after a guest request unless another exit is named."""
    from ...wire.exits import response
    from ...wire.operands import GuestRequestResult

    if question.exit is None and not question.info1:
        yield from word(GuestRequestResult)(question)
        return
    event = None if question.exit is None else _exit_event(question)
    if question.response or event is None:
        operand = response(event, question.info1 or 0)
    else:
        operand = event.info2
    if event:
        code = ExitCode(event.code)  # a response does not show which row of the code it belongs to
        named = (code.name, code.doc) if question.response else (event.name, event.title)
        yield Row("", "", *named, "")
    yield from _operand("sw_exit_info_2", operand, question.number())


def _operand(name: str, operand: Operand, raw: int) -> Iterator[Row]:
    meaning = operand_meaning(operand, raw)
    yield Row("", "", name, int_text(raw, 8), meaning.text)
    if isinstance(meaning.value, Word):
        yield from bit_rows(meaning.value)


def msr(question: Question) -> Iterator[Row]:
    """Explain a value of the GHCB MSR."""
    from ...wire.msr import word_of

    value = word_of(question.number())
    yield Row("", "", type(value).__name__, int_text(value, 8), value.SPEC)
    yield from bit_rows(value)


def bitmap(question: Question) -> Iterator[Row]:
    """Explain a valid bitmap: a number, sixteen bytes in memory order, or as ``%*pb`` prints it."""
    from ...wire.ghcb import ValidBitmap

    text, digits = question.text, set("0123456789abcdefABCDEF")
    if "," in text and set(text) <= digits | {","} and len(text) > text.count(","):
        text = f"0x{text.replace(',', '')}"
    elif len(text.replace(" ", "")) == 32 and set(text) <= digits | {" "}:
        text = hex(int(text.replace(" ", ""), 16))
        text = hex(int.from_bytes(int(text, 16).to_bytes(16, "big"), "little"))
    yield from word(ValidBitmap)(question._replace(text=text))


def termination(question: Question) -> Iterator[Row]:
    """Explain the reason of a termination: ``SET:CODE`` as KVM logs it."""
    first, colon, second = question.text.partition(":")
    named = [
        code for kind in TERM_CODES.values() if (code := kind.spelt(question.text)) is not None
    ]
    if named:
        for owner, kind in TERM_CODES.items():
            for member in named:
                if isinstance(member, kind):
                    yield Row("", "", f"{owner:#x}:{member:#x}", member.name, member.doc)
        return
    if (whole := TermSet.spelt(question.text)) is not None:
        yield Row("", "", f"{whole:#x}", whole.name, whole.doc)
        return
    if not colon:
        word_of_msr = any(row.value & 0xFFF == MsrInfo.TERM_REQ for row in readings(question.text))
        hint = f"explain msr {question.text}" if word_of_msr else "explain term 0x1:0x2"
        raise UsageError(f"{question.text!r} is no SET:CODE", help=hint)
    found = reading(first, possible=lambda value: TermSet(value).known)
    yield from note_rows(found)
    owner = TermSet(found.value)
    codes = TERM_CODES.get(owner)
    found = reading(second, possible=lambda value: codes is None or codes(value).known)
    yield from note_rows(found)
    reason = term_reason(owner, found.value)
    yield Row("", "", "reason set", hex(owner), code_text(owner))
    text = code_text(reason) if isinstance(reason, OpenEnum) else "no source documents this set"
    yield Row("", "", "reason code", hex(reason), text)


def status(question: Question) -> Iterator[Row]:
    """Explain a status of the firmware."""
    bare = question.text.upper().removeprefix("SEV_RET_")
    if bare in ("-1", "NO_FW_CALL", hex(NO_FW_CALL).upper()):
        yield Row("", "", "-1", "NO_FW_CALL", "Linux: the firmware was not called")
        return
    member = member_of(Status, question)
    if member == Status.INVALID_PAGE_STATE | WRITE_BACK_MARK:
        name = f"INVALID_PAGE_STATE + {WRITE_BACK_MARK}"
        yield Row("", "", hex(member), name, "The command's own buffer may not be written.")
        return
    yield Row("", "", hex(member), member.name if member.known else "unknown", member.of_command)
    if member.of_request:
        yield Row("", "", "", "in a guest request", member.of_request)


def guid(question: Question) -> Iterator[Row]:
    """Explain a GUID: its name, and its bytes in the order of each table that may hold it."""
    from ...wire.certs import CertGuid, TioGuid
    from ...wire.svsm import ServiceGuid

    tables = (
        (CertGuid, "certificate table"),
        (TioGuid, "SEV-TIO blob table"),
        (ServiceGuid, "SVSM services manifest"),
    )
    rows, refused = [], ""
    for kind, where in tables:
        try:
            value = kind.from_plain(question.text)
        except ValueError as exc:
            refused = str(exc)  # a name that is another table's
            continue
        name = value.to_plain()
        known = str(name) if name != value.text else "not in its table"
        rows.append(Row("", "", where, known, f"{value.text}, bytes {value.hex()}"))
    if not rows:
        raise UsageError(refused)
    yield from rows


def is_status(value: int) -> bool:
    """Return whether a status is known, with what Linux and AMD-ASPFW add to the list."""
    marked = Status.INVALID_PAGE_STATE | WRITE_BACK_MARK
    return Status(value).known or value in (NO_FW_CALL, marked)


def failure(value: int) -> str:
    """Return the hypervisor's error of a guest request, if the word has one."""
    error, low = VmmError(value >> 32), value & 0xFFFF_FFFF
    return f"vmm_error={error.name}" if error and error.known and is_status(low) else ""


def message(value: int) -> str:
    """Return the name of a message with data, if the low 12 bits are those of one."""
    info = MsrInfo(value & 0xFFF)
    possible = info.known and info not in (MsrInfo.GHCB_GPA, MsrInfo.RESERVED_AP_JUMP_TABLE)
    return info.name if possible and value >> 12 else ""


def messages() -> Iterator[Row]:
    """Yield the messages of the GHCB MSR."""
    return kind_rows(MsrInfo)


def fields() -> Iterator[Row]:
    """Yield the bits of the valid bitmap."""
    from ...wire.ghcb import ValidBitmap

    return kind_rows(ValidBitmap)


def reasons() -> Iterator[Row]:
    """Yield every set of reasons, and its codes."""
    for owner, kind in TERM_CODES.items():
        yield Row("", "", f"{owner:#x}", TermSet(owner).name, TermSet(owner).doc)
        for row in kind_rows(kind):
            yield row._replace(name=f"{owner:#x}:{row.name}")


def guids() -> Iterator[Row]:
    """Yield every GUID that has a name."""
    from ...wire.certs import CertGuid, TioGuid
    from ...wire.svsm import ServiceGuid

    for kind in (CertGuid, TioGuid, ServiceGuid):
        for name, text in kind.NAMES.items():
            yield Row("", "", name, str(text), (kind.__doc__ or "").partition("\n")[0])


TOPICS = {
    "exit": Topic(code, "an exit code, by number or name", of=ExitCode),
    "exitinfo1": Topic(
        exitinfo1, "sw_exit_info_1 of the exit --exit names, or of a response", width=64
    ),
    "exitinfo2": Topic(
        exitinfo2,
        "sw_exit_info_2, of a guest request unless --exit says",
        width=64,
        guess=failure,
    ),
    "msr": Topic(msr, "a value of the GHCB MSR", width=64, base=16, guess=message, rows=messages),
    "msr-info": Topic(codes(MsrInfo), "the message of a GHCB MSR value: its low 12 bits", base=16),
    "vmm-error": Topic(
        codes(VmmError),
        "the hypervisor's error of a guest request, upper half of exitinfo2",
        base=10,
    ),
    "status": Topic(status, "a status of the firmware", of=Status, base=10, possible=is_status),
    "action": Topic(codes(Action), "the action in sw_exit_info_1", base=10),
    "reason": Topic(codes(MalformedReason), "a malformed-input reason", base=10),
    "inject": Topic(word(EventInject), "an event to inject"),
    "bitmap": Topic(bitmap, "a valid bitmap: number, 16 bytes, or as KVM logs it", rows=fields),
    "psc": Topic(word(PscEntry), "a page state change entry"),
    "features": Topic(word(HvFeatures), "hypervisor features"),
    "sev-features": Topic(word(SevFeatures), "SEV_FEATURES of a VMSA"),
    "term": Topic(
        termination,
        "a termination, as SET:CODE",
        rows=reasons,
        named=(*TERM_CODES.values(), TermSet),
    ),
    "guid": Topic(guid, "a GUID of a certificate or service, by text or name", rows=guids),
}
