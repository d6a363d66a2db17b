"""What tells the fuzzer that an input is new: the steps from line to line that it takes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import snpwire

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

PACKAGE = str(Path(snpwire.__file__).parent)


class Tracer:
    """Collects steps from line to line within the package."""

    def __init__(self) -> None:
        self.edges: set[int] = set()
        self._lines: dict[int, Any] = {}  # by id: a code object's hash is that of all it holds
        self._codes: list[CodeType] = []  # kept, so that no id is used twice
        self._files: dict[str, int] = {}
        self._last = [0]  # the line before, whatever function it was in

    def new_edges(self, check: Callable[[], object]) -> int:
        """Run *check* and return how many steps no check took before."""
        before, kept = len(self.edges), sys.gettrace()
        self._last[0] = 0
        sys.settrace(self._call)
        try:
            check()
        except RecursionError:
            pass  # the tracer's own: what it traces ran before without one
        finally:
            sys.settrace(kept)
        return len(self.edges) - before

    def _call(self, frame: FrameType, event: str, arg: object) -> Any:
        code = frame.f_code
        key = id(code)
        if key not in self._lines:
            self._codes.append(code)
            self._lines[key] = self._line_of(code)
        return self._lines[key]

    def _line_of(self, code: CodeType) -> Any:
        """Return what traces the lines of *code*, None if it is not of the package."""
        if not code.co_filename.startswith(PACKAGE):
            return None
        base = self._files.setdefault(code.co_filename, len(self._files) + 1) << 16
        last, add = self._last, self.edges.add

        def line(frame: FrameType, event: str, arg: object) -> Any:
            if event == "line":
                here = base + frame.f_lineno
                add(last[0] << 32 | here)
                last[0] = here
            return line

        return line
