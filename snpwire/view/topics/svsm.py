"""Topics of ``explain`` about calls of the SVSM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.svsm import CALLS, SvsmCall, SvsmResult
from ..meaning import code_text
from ..table import Row
from .topic import Question, Topic, codes, word, word_value

if TYPE_CHECKING:
    from collections.abc import Iterator


def svsm(question: Question) -> Iterator[Row]:
    """Explain RAX of an SVSM call."""
    yield from word(SvsmCall)(question)
    value = word_value(SvsmCall, question)
    calls = CALLS.get(value.protocol)  # type: ignore[call-overload]
    if calls:
        member = calls(value.call_id)
        yield Row("", "", "call", hex(member), code_text(member))


TOPICS = {
    "svsm": Topic(svsm, "RAX of an SVSM call"),
    "svsm-result": Topic(codes(SvsmResult), "the result of an SVSM call"),
}
