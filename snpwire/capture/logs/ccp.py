"""The dumps of the ccp driver: each command with its buffer before and after, and how it ended.

``print_hex_dump`` prints groups of two bytes as numbers, so the bytes of a pair stand swapped; the
row's own reader puts them right. A buffer of an odd size is printed in single bytes at its end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...layout import Record
from ...wire import buffer_kind
from ...wire.command_table import COMMANDS, CommandId, Transfer
from ...wire.status import Status
from .. import dumplines
from .operands import enum_words, status_words, word_words
from .record import Fact, Hex, LogLine
from .template import Template, form

if TYPE_CHECKING:
    from ...bits import OpenEnum, Word
    from .record import LogState

_ROW = re.compile(r"\((in|out)\): *([0-9a-fA-F]{8}: .*)")
_FAILED = Template("sev command {id:p} failed ({status:p})")
_TIMED_OUT = Template("sev command {id:p} timed out, disabling PSP")
_ERRORS = Template("Additional error information reported in cmdbuff:")
_HIGH = Template("cmdbuff hi: {hi:p}")
_LOW = Template("cmdbuff lo: {lo:p}")
_DEAD = "the driver gives up on the processor: every later command fails with EBUSY"
_REVIVE = "reboot the host; update its firmware if it happens again"
_SHOWN = 8


class _Command:
    """A command from its first line to the last row of its response."""

    watches = False
    patience = 256

    def __init__(self, number: int, address: int | None) -> None:
        self._id = CommandId(number)
        self._address = address
        self._data = {"in": b"", "out": b""}
        self._status: int | None = None
        self._timed_out = self._over = False
        self._registers: dict[str, int] = {}

    def take(self, line: LogLine) -> bool:
        if row := _ROW.search(line.text):
            return self._row(line.number, row[1], row[2])
        for template in (_FAILED, _TIMED_OUT, _ERRORS, _HIGH, _LOW):
            found = template.match(line.text)
            if found is not None:
                return self._note(template, found)
        return False

    def _row(self, number: int, way: str, text: str) -> bool:
        row = dumplines.dump_line(number, text).row
        if row is None or row.offset is None or int(row.offset, 16) != len(self._data[way]):
            return False
        if way == "in" and self._data["out"]:
            return False
        self._data[way] += row.data(words=True)
        return True

    def _note(self, template: Template, found: dict[str, Any]) -> bool:
        if found.get("id", self._id) != self._id:
            self._over = True  # commands come one after the other
            return False
        if template is _FAILED:
            self._status = found["status"]
        self._timed_out |= template is _TIMED_OUT
        self._registers |= {name: found[name] for name in ("hi", "lo") if name in found}
        return True

    @property
    def done(self) -> bool:
        before, after = self._data["in"], self._data["out"]
        return (
            self._timed_out or self._over or (len(after) >= len(before) and bool(before or after))
        )

    @property
    def pending(self) -> bool:
        return bool(self._data["in"])  # the firmware may take minutes

    def fact(self) -> Fact:
        name = self._id.name if self._id.known else "unknown"
        where = "" if self._address is None else f"  buffer {self._address:#x}"
        fields: dict[str, Any] = {"id": Hex(self._id), "name": name}
        for way, data in self._data.items():
            if data:
                fields[way] = data
                fields |= _decoded(way, self._id, data)
        summary = f"command {int(self._id):#x} {name}{where}  {self._ending()}"
        return Fact(
            summary,
            "; ".join(filter(None, (*self._meanings(), self._stack()))),
            cause="" if self._status is None else status_words(self._status),
            consequence=_DEAD if self._timed_out else "",
            remedy=_REVIVE if self._timed_out else "",
            fields={**fields, **self._outcome()},
        )

    def _outcome(self) -> dict[str, Any]:
        out: dict[str, Any] = {"timed_out": self._timed_out}
        if self._status is not None:
            out["status"] = Status(self._status)
        if self._registers:
            out |= {f"cmdbuff_{name}": Hex(value) for name, value in self._registers.items()}
            out["extended_errors"] = self._extended()
        return out

    def _ending(self) -> str:
        if self._timed_out:
            return "timed out"
        if self._status is not None:
            status = Status(self._status)
            return f"failed {self._status:#x} {status.name if status.known else 'unknown'}"
        return "done" if self._data["out"] else "no buffer shown"

    def _meanings(self) -> list[str]:
        """Return what the buffers say: the response where the command writes one."""
        kind = buffer_kind(self._id, len(self._data["in"]) or None)
        if kind is None:
            return [] if self._id.known else ["no source names this command"]
        command = COMMANDS[self._id]
        way = "in" if command.direction is Transfer.IN else "out"
        data = self._data[way] or self._data["in"]
        if not data:
            return [self._id.doc]
        if not kind.type.fits(len(data)):
            return [f"{len(data)} bytes, which is no {kind.name}: shown as they are"]
        words = value_words(kind.type.parse(data))
        return [f"{kind.name}: {words}" if words else f"{kind.name}: all zero"]

    def _extended(self) -> list[int]:
        """Return the ids that the firmware pushed, ten bits each, the last one first."""
        stack = self._registers.get("hi", 0) << 32 | self._registers.get("lo", 0)
        ids = []
        while stack:
            ids.append(stack & 0x3FF)
            stack >>= 10
        return ids

    def _stack(self) -> str:
        if not self._registers:
            return ""
        ids = " ".join(map(str, self._extended())) or "none"
        return f"extended errors, the last first: {ids} (AMD's own numbers)"


def _decoded(way: str, number: CommandId, data: bytes) -> dict[str, Any]:
    """Return the structure of a buffer, if there is one that these bytes can be."""
    kind = buffer_kind(number, len(data))
    if kind is None or not kind.type.fits(len(data)):
        return {}
    return {f"{way}_kind": kind.name, f"{way}_fields": kind.type.parse(data).to_plain()}


def value_words(value: Any) -> str:
    """Return the fields of a record that are not zero, on one line."""
    words = []
    for leaf in value.leaves():
        if isinstance(value, Record) and leaf.gap and not any(leaf.value):
            continue
        if text := _leaf_words(leaf.value):
            words.append(f"{leaf.path} {text}")
    more = len(words) - _SHOWN
    return "  ".join(words[:_SHOWN]) + (f"  and {more} more" if more > 0 else "")


def _leaf_words(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex() if any(value) else ""
    if hasattr(value, "BITS"):
        word: Word = value
        return word_words(word) if word else ""
    if hasattr(value, "known"):
        code: OpenEnum = value
        return enum_words(code)
    if isinstance(value, int):
        return (str(value) if value < 256 else hex(value)) if value else ""
    return str(value)


def _command(fields: dict[str, Any], log: LogState) -> _Command:
    fields["buffer"] = Hex(fields.pop("high") << 32 | fields.pop("low"))
    return _Command(fields["id"], fields["buffer"])


def _stray(way: str) -> Any:
    """Return what interprets a row whose command is not in the log."""

    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        row = dumplines.dump_line(1, f"{int(fields['offset']):08x}: {fields.pop('rest')}").row
        data = b"" if row is None else row.data(words=True)
        return Fact(
            f"({way})  {int(fields['offset']):#x}  {data.hex(' ') or 'no bytes'}",
            "a row of a buffer; the line that names the command is not in this log",
            fields={"way": way, "data": data},
        )

    return interpret


def _ended(fields: dict[str, Any], log: LogState) -> _Command:
    """Return a command of which the end is the first that the log has."""
    block = _Command(fields["id"], None)
    block.take(log.line)
    return block


def _registers(fields: dict[str, Any], log: LogState) -> Fact:
    values = " ".join(f"{name} {int(value):#x}" for name, value in fields.items())
    summary = f"error registers  {values}".strip()
    return Fact(summary, "the command that they belong to is not in this log")


FORMATS = (
    form(
        "ccp_command",
        "ccp-command",
        "sev command id {id:p} buffer 0x{high:w}{low:w} timeout {timeout:d}s",
        _command,
        "sev command id {id:p} buffer 0x{high:w}{low:w}",
    ),
    form("ccp_failed", "ccp-command", _FAILED.text, _ended),
    form("ccp_timeout", "ccp-command", _TIMED_OUT.text, _ended),
    form("ccp_row_in", "ccp-row", "(in): {offset:w}: {rest:r}", _stray("in")),
    form("ccp_row_out", "ccp-row", "(out): {offset:w}: {rest:r}", _stray("out")),
    form("ccp_errors", "ccp-registers", _ERRORS.text, _registers),
    form("ccp_high", "ccp-registers", _HIGH.text, _registers),
    form("ccp_low", "ccp-registers", _LOW.text, _registers),
)
