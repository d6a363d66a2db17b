"""One number, explained: what it is called, what its bits say, where that is written.

``TOPICS`` maps the first word of ``explain`` to the function that answers, and one sentence on what
it takes. Each yields rows for ``tree.table``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import nearest
from ..errors import UsageError
from . import guest_topics, rmp_topics, topics
from .topics import Question, codes, word
from .tree import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["TOPICS", "Question", "Topic", "explain"]


def place(text: str) -> Iterator[Row]:
    """Explain ``KIND@OFFSET``: which field a byte belongs to."""
    from ..wire import kind
    from .offsets import fields

    name, _, offset = text.partition("@")
    found = kind(name)
    at = Question(offset).number()
    for line in fields(found.type, at):
        if line.offset <= at < line.offset + line.size:
            inside = f"byte {at - line.offset} of it" if at > line.offset else ""
            yield Row(f"{line.offset:#05x}", str(line.size), line.path, line.doc, inside)
            return
    raise UsageError(f"{name} has no field at {at:#x}; its size is {found.type.SIZE:#x}")


class Topic(NamedTuple):
    """How one kind of number is explained."""

    explain: Callable[[Question], Iterator[Row]]
    doc: str


def _later(
    module: str, name: str, make: Callable[[Any], Any]
) -> Callable[[Question], Iterator[Row]]:
    """Return a function that imports its class when it is asked."""

    def explain(question: Question) -> Iterator[Row]:
        from importlib import import_module

        kind = getattr(import_module(f"snpwire.wire.{module}"), name)
        rows: Iterator[Row] = make(kind)(question)
        return rows

    return explain


TOPICS: dict[str, Topic] = {
    "exit": Topic(topics.code, "an exit code, by number or name"),
    "exitinfo1": Topic(topics.exitinfo1, "sw_exit_info_1 of the exit --exit names, or an answer"),
    "exitinfo2": Topic(topics.exitinfo2, "sw_exit_info_2, of a guest request unless --exit says"),
    "msr": Topic(topics.msr, "a value of the GHCB MSR"),
    "status": Topic(topics.status, "a status of the firmware"),
    "action": Topic(_later("operands", "Action", codes), "the action in sw_exit_info_1"),
    "reason": Topic(_later("operands", "MalformedReason", codes), "a malformed-input reason"),
    "inject": Topic(_later("operands", "EventInject", word), "an event to inject"),
    "bitmap": Topic(topics.bitmap, "a valid bitmap: number, 16 bytes, or as KVM logs it"),
    "psc": Topic(_later("psc", "PscEntry", word), "a page state change entry"),
    "features": Topic(_later("operands", "HvFeatures", word), "hypervisor features"),
    "sev-features": Topic(_later("operands", "SevFeatures", word), "SEV_FEATURES of a VMSA"),
    "term": Topic(topics.termination, "a termination, as SET:CODE"),
    "guid": Topic(topics.guid, "a GUID of a certificate or service, by text or name"),
    "svsm": Topic(topics.svsm, "RAX of an SVSM call"),
    "svsm-result": Topic(_later("svsm", "SvsmResult", codes), "the result of an SVSM call"),
    "policy": Topic(_later("report", "GuestPolicy", word), "a guest policy"),
    "platform-info": Topic(_later("report", "PlatformInfo", word), "platform_info of a report"),
    "key-info": Topic(_later("report", "KeyInfo", word), "key_info of a report"),
    "tcb": Topic(guest_topics.tcb, "a TCB version, of the product --product names"),
    "guest-fields": Topic(
        _later("key", "GuestFieldSelect", word), "guest_field_select of a key request"
    ),
    "msg-type": Topic(guest_topics.msg_type, "the type of a guest message, by number or name"),
    "product": Topic(guest_topics.product, "a processor, as FAMILY:MODEL of CPUID, or by name"),
    "rmp": Topic(rmp_topics.rmp, "an entry of the reverse map table, as LO:HI"),
}


def explain(what: str, question: Question) -> Iterator[Row]:
    """Return the rows that answer a question. Raises UsageError."""
    if "@" in what:
        return place(what)
    topic = TOPICS.get(what)
    if topic is None:
        hint = nearest(what, TOPICS) or f"it explains: {' '.join(TOPICS)} KIND@OFFSET"
        raise UsageError(f"there is nothing called {what!r} to explain", help=hint)
    if not question.text:
        raise UsageError(f"explain {what} needs a value: {topic.doc}")
    return topic.explain(question)
