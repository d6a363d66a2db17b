"""A trace as it goes on: a line for each step, as text or JSON, and pages as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...engine.simulation import SECOND
from ...engine.trace_text import describe
from ...wire.status import Status
from ..output import say, style

if TYPE_CHECKING:
    from ...engine.oracle import Check
    from ...engine.trace import TraceBytes, TraceStep
    from ..output import Saved


class Teller:
    """Listens to a trace; tells nothing of what comes before ``begin`` unless *boot* is set."""

    def __init__(
        self, *, boot: bool, show: bool, json: bool, saved: Saved | None, product: str
    ) -> None:
        self._on = boot
        self._show = show
        self._json = json
        self._saved = saved
        self._product = product

    def begin(self) -> None:
        """Tell what happens from now on."""
        self._on = True

    def hear(self, step: TraceStep) -> None:
        """Tell of a step."""
        if not self._on:
            return
        names = self._saved.step(step) if self._saved is not None else []
        if self._json:
            from ...view.json import dumps

            plain = {"schema": "step/1", **step.to_plain(whole=self._show)}
            if names:
                plain["files"] = names
            say([dumps(plain, indent=None)])
            return
        look = style()
        time = f"{step.time / SECOND:10.3f} s"
        say([f"{look.mark(look.faint, time)}  {step.actor:<10}  {describe(step)}"])
        if self._show:
            for item in step.written:
                say(f"    {line}" for line in self._tree(item))

    def _tree(self, item: TraceBytes) -> list[str]:
        """Return the lines of ``decode`` for a page."""
        from ...decode.document import Wanted, document
        from ...view.tree import tree
        from ...wire import kind

        if not item.kind:
            return [f"{len(item.data)} bytes: {item.data[:32].hex()}"]
        chosen = kind(item.kind)
        value = chosen.type.parse(item.data)
        wanted = Wanted(product=self._product if item.kind in TCB_KINDS else None)
        doc = document(chosen, value, wanted, size=len(item.data))
        return [line for line in tree(doc, everything=False, style=style()) if line]

    def judge(self, turn: int, verdict: Check) -> None:
        """Tell what a request came to, and whether it had to."""
        say([self._verdict_json(turn, verdict)] if self._json else _verdict_lines(turn, verdict))

    def _verdict_json(self, turn: int, verdict: Check) -> str:
        from ...view.json import dumps

        outcome, expected = verdict.attempt.outcome, verdict.expected
        plain: dict[str, Any] = {
            "schema": "request/1",
            "request": turn,
            "outcome": outcome.to_plain(),
            "expected": None if expected is None else expected.to_plain(),
            "faults": [fault.name for fault in verdict.faults],
            "breaches": [breach._asdict() for breach in verdict.breaches],
            "broken": verdict.broken,
        }
        if verdict.attempt.response is not None:
            plain["payload"] = verdict.attempt.response.payload.hex()
        return dumps(plain, indent=None)


TCB_KINDS = ("key-req", "key-req-v2")
"""Kinds with TCB versions that do not say themselves whose they are."""


def _verdict_lines(turn: int, verdict: Check) -> list[str]:
    look = style()
    outcome, expected = verdict.attempt.outcome, verdict.expected
    lines = [f"request {turn}: {look.mark(look.strong, _ending(verdict))}"]
    for fault in dict.fromkeys(verdict.faults):
        count = verdict.faults.count(fault)
        times = f" {count} times" if count > 1 else ""
        lines.append(f"  {fault.name} struck{times}; who notices: {fault.notices}")
    if expected is not None and outcome != expected:
        lines.append(f"  {look.mark(look.bad, 'BROKEN')}: expected {expected}")
    lines += [f"  {look.mark(look.bad, 'BROKEN')}: {breach.text}" for breach in verdict.breaches]
    return lines


def _ending(verdict: Check) -> str:
    """Return the outcome; of an answer also the status that the firmware put into it."""
    response = verdict.attempt.response
    if response is None:
        return str(verdict.attempt.outcome)
    return f"answered, {Status(int.from_bytes(response.payload[:4], 'little')).name}"
