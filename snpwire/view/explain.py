"""One number, explained: its name, the meaning of its bits, the source.

``TOPICS`` maps the first word of ``explain`` to the function that explains it, and one sentence on
what it takes. Each yields rows for ``table.table``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import nearest
from ..errors import UsageError
from .table import Row
from .topics import guest as guest_topics
from .topics import rmp as rmp_topics
from .topics import topics
from .topics.topics import Question, codes, word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Explanation = Callable[[Question], Iterator[Row]]

__all__ = ["TOPICS", "Question", "Topic", "explain"]


def place(text: str) -> Iterator[Row]:
    """Explain ``KIND@OFFSET``: the field of a byte."""
    from ..wire import kind
    from .offsets import fields

    name, _, offset = text.partition("@")
    target = kind(name)
    at = Question(offset).number()
    for line in fields(target.type, at):
        if line.offset <= at < line.offset + line.size:
            inside = f"byte {at - line.offset} of it" if at > line.offset else ""
            yield Row(f"{line.offset:#05x}", str(line.size), line.path, line.doc, inside)
            return
    raise UsageError(f"{name} has no field at {at:#x}; its size is {target.type.SIZE:#x}")


class Topic(NamedTuple):
    """One kind of number that can be explained."""

    explain: Explanation
    doc: str


def _wire(module: str, name: str, make: Callable[[Any], Explanation]) -> Explanation:
    """Return the topic that *make* has for a class of ``wire``."""
    return _imported(f"..wire.{module}", name, make)


def _topic(module: str, name: str) -> Explanation:
    """Return a topic of a module of ``topics``."""
    return _imported(f".topics.{module}", name, lambda topic: topic)


def _imported(module: str, name: str, make: Callable[[Any], Explanation]) -> Explanation:
    """Return a topic whose module is imported when it is called."""

    def explain(question: Question) -> Iterator[Row]:
        from importlib import import_module

        return make(getattr(import_module(module, __package__), name))(question)

    return explain


TOPICS: dict[str, Topic] = {
    "exit": Topic(topics.code, "an exit code, by number or name"),
    "exitinfo1": Topic(
        topics.exitinfo1, "sw_exit_info_1 of the exit --exit names, or of a response"
    ),
    "exitinfo2": Topic(topics.exitinfo2, "sw_exit_info_2, of a guest request unless --exit says"),
    "msr": Topic(topics.msr, "a value of the GHCB MSR"),
    "status": Topic(topics.status, "a status of the firmware"),
    "action": Topic(_wire("operands", "Action", codes), "the action in sw_exit_info_1"),
    "reason": Topic(_wire("operands", "MalformedReason", codes), "a malformed-input reason"),
    "inject": Topic(_wire("operands", "EventInject", word), "an event to inject"),
    "bitmap": Topic(topics.bitmap, "a valid bitmap: number, 16 bytes, or as KVM logs it"),
    "psc": Topic(_wire("psc", "PscEntry", word), "a page state change entry"),
    "features": Topic(_wire("operands", "HvFeatures", word), "hypervisor features"),
    "sev-features": Topic(_wire("operands", "SevFeatures", word), "SEV_FEATURES of a VMSA"),
    "term": Topic(topics.termination, "a termination, as SET:CODE"),
    "guid": Topic(topics.guid, "a GUID of a certificate or service, by text or name"),
    "svsm": Topic(topics.svsm, "RAX of an SVSM call"),
    "svsm-result": Topic(_wire("svsm", "SvsmResult", codes), "the result of an SVSM call"),
    "policy": Topic(_wire("report", "GuestPolicy", word), "a guest policy"),
    "platform-info": Topic(_wire("report", "PlatformInfo", word), "platform_info of a report"),
    "key-info": Topic(_wire("report", "KeyInfo", word), "key_info of a report"),
    "tcb": Topic(guest_topics.tcb, "a TCB version, of the product --product names"),
    "guest-fields": Topic(
        _wire("key", "GuestFieldSelect", word), "guest_field_select of a key request"
    ),
    "msg-type": Topic(guest_topics.msg_type, "the type of a guest message, by number or name"),
    "product": Topic(guest_topics.product, "a processor, as FAMILY:MODEL of CPUID, or by name"),
    "command": Topic(_topic("command", "command"), "a command of the firmware, by number or name"),
    "cmdresp": Topic(
        _topic("command", "response"), "the command register; --answer: once it is done"
    ),
    "cmdbuf": Topic(
        _topic("command", "buffer_address"), "the address registers, as HI:LO or a number"
    ),
    "error-stack": Topic(
        _topic("command", "error_stack"),
        "the error stack of a command, as HI:LO or a number",
    ),
    "mailbox": Topic(_topic("command", "register"), "a register of the mailbox, by name or place"),
    "rb-control": Topic(_wire("mailbox", "RbControl", word), "the command register, with rings"),
    "rb-head": Topic(_wire("mailbox", "RbHead", word), "the low half of the address, with rings"),
    "rb-tail": Topic(_wire("mailbox", "RbTail", word), "the high half of the address, with rings"),
    "rmp": Topic(rmp_topics.rmp, "an entry of the reverse map table, as LO:HI"),
    "rmp-base": Topic(_topic("register", "base"), "MSR C001_0132: the table's first byte"),
    "rmp-end": Topic(_topic("register", "end"), "MSR C001_0133: the table's last byte"),
    "rmp-cfg": Topic(_topic("register", "cfg"), "MSR C001_0136: segments of the table"),
    "rst": Topic(_topic("register", "segment"), "an entry of the segment table"),
    "npf": Topic(_topic("register", "nested_fault"), "EXITINFO1 of a nested page fault"),
    "pf": Topic(_topic("register", "page_fault"), "the error code of a page fault"),
    "rmpadjust": Topic(_wire("rmp_words", "RmpAdjust", word), "rDX of RMPADJUST"),
    "vmpl-mask": Topic(_wire("rmp_words", "VmplMask", word), "the permissions of a VMPL"),
    "rmpupdate-result": Topic(
        _wire("rmp_words", "RmpUpdateResult", codes), "EAX after RMPUPDATE or RMPREAD"
    ),
    "psmash-result": Topic(_wire("rmp_words", "PsmashResult", codes), "EAX after PSMASH"),
    "pvalidate-result": Topic(_topic("register", "pvalidate"), "EAX after PVALIDATE"),
    "rmpadjust-result": Topic(
        _wire("rmp_words", "RmpAdjustResult", codes), "EAX after RMPADJUST or RMPQUERY"
    ),
}


def explain(what: str, question: Question) -> Iterator[Row]:
    """Return the rows of a topic. Raises UsageError."""
    if "@" in what:
        return place(what)
    topic = TOPICS.get(what)
    if topic is None:
        hint = nearest(what, TOPICS) or f"it explains: {' '.join(TOPICS)} KIND@OFFSET"
        raise UsageError(f"there is nothing called {what!r} to explain", help=hint)
    if not question.text:
        raise UsageError(f"explain {what} needs a value: {topic.doc}")
    return topic.explain(question)
