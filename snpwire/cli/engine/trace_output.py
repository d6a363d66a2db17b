"""A trace as it runs: a line for each step, as text or JSON, and pages as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...engine.simulation import SECOND
from ...engine.trace_text import describe
from ...wire.status import Status
from ..output import terminal_style, write_json, write_lines

if TYPE_CHECKING:
    from ...engine.oracle import RequestCheck
    from ...engine.trace import TraceBytes, TraceStep
    from ..output import SaveFolder
    from .options import TraceOptions


class TracePrinter:
    """Prints the steps of a trace and the outcomes of requests; the launch only on ``--boot``."""

    def __init__(self, options: TraceOptions, product: str, folder: SaveFolder | None) -> None:
        self._on = options.boot
        self._show = options.show
        self._json = options.json
        self._folder = folder
        self._product = product

    def begin(self) -> None:
        """Print every step from now on."""
        self._on = True

    def __call__(self, step: TraceStep) -> None:
        """Print a step, and save its pages."""
        if not self._on:
            return
        names = self._saved(step)
        if self._json:
            from ...view.json import dumps

            plain = {"schema": "step/1", **step.to_plain(whole=self._show)}
            if names:
                plain["files"] = names
            write_lines([dumps(plain, indent=None)])
            return
        look = terminal_style()
        time = f"{step.time / SECOND:10.3f} s"
        write_lines([f"{look.mark(look.faint, time)}  {step.actor:<10}  {describe(step)}"])
        if self._show:
            for item in step.written:
                write_lines(f"    {line}" for line in self._tree(item))

    def _saved(self, step: TraceStep) -> list[str]:
        """Save the pages of a step; return the names of the files."""
        if self._folder is None:
            return []
        start = f"{step.actor}-{step.action}"
        return [self._folder.add(f"{start}.{w.kind or 'bytes'}.bin", w.data) for w in step.written]

    def _tree(self, item: TraceBytes) -> list[str]:
        """Return the lines of ``decode`` for a page."""
        from ...decode import Hints, document
        from ...view.tree import tree

        if not item.kind:
            return [f"{len(item.data)} bytes: {item.data[:32].hex()}"]
        hints = Hints(product=self._product if item.kind in TCB_KINDS else None)
        doc = document(item.kind, item.data, hints)
        return [line for line in tree(doc, everything=False, style=terminal_style()) if line]

    def verdict(self, turn: int, verdict: RequestCheck) -> None:
        """Print the outcome of a request, and whether it is the expected one."""
        if self._json:
            write_json(_verdict_object(turn, verdict), indent=None)
        else:
            write_lines(_verdict_lines(turn, verdict))


TCB_KINDS = ("key-req", "key-req-v2")
"""Kinds with a TCB version whose layout depends on the product."""


def _verdict_object(turn: int, verdict: RequestCheck) -> dict[str, Any]:
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
    return plain


def _verdict_lines(turn: int, verdict: RequestCheck) -> list[str]:
    look = terminal_style()
    outcome, expected = verdict.attempt.outcome, verdict.expected
    lines = [f"request {turn}: {look.mark(look.strong, _ending(verdict))}"]
    for fault in dict.fromkeys(verdict.faults):
        count = verdict.faults.count(fault)
        times = f" {count} times" if count > 1 else ""
        lines.append(f"  {fault.name} triggered{times}; detected by: {fault.detected_by}")
    if expected is not None and outcome != expected:
        lines.append(f"  {look.mark(look.bad, 'BROKEN')}: expected {expected}")
    lines += [f"  {look.mark(look.bad, 'BROKEN')}: {breach.text}" for breach in verdict.breaches]
    return lines


def _ending(verdict: RequestCheck) -> str:
    """Return the outcome, and for a response the status in its payload."""
    response = verdict.attempt.response
    if response is None:
        return str(verdict.attempt.outcome)
    return f"answered, {Status(int.from_bytes(response.payload[:4], 'little')).name}"
