"""The verdict on a guest: whether it can still get reports, since when not, and how it ended.

The driver wipes the key of its VMPCK after a failed exchange, and nothing else in the guest fails:
one line says so. Yes needs a line that says that the driver is ready, or a message, and none behind
it that says otherwise. A failed request without a line about its key decides nothing: some failures
wipe it, some do not, and the line may be missing. Memory that could not be accepted, or a
termination, is an end of the guest. Of several boots the last one counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .guest import OTHER_KEY

if TYPE_CHECKING:
    from .record import LogRecord

YES, NO, OPEN = "yes", "no", "not told"
ALIVE, LOST, UNSURE = "alive", "lost", "not told"
DRIVER = "driver"
"""The key of a line that does not name one, where no line before it did."""
READY = frozenset({"guest-driver"})
WIPED = frozenset({"guest-key-wiped", "guest-key-off", "guest-key-empty", "guest-seqno-spent"})
FAILED = frozenset({"guest-request-failed", "guest-answer-wrong"})
MEMORY = frozenset({"psc-failed", "pvalidate-failed"})
ENDS = frozenset({"termination"})
START = "kernel-start"
_OTHERS = frozenset({"guest-message", "guest-key-invalid", START})
_MEMORY_REMEDY = (
    "look in the host's log at the same time: what KVM and the user's program say of this page, and"
    " its entry of the RMP"
)
_KEYS = 8  # more than there are; a log may name any number, and the first is forgotten


class Incident(NamedTuple):
    """What a line told of a key, of memory or of an end."""

    state: str
    line: int
    time: str
    text: str
    remedy: str = ""

    def words(self, name: str) -> str:
        """Return it on one line."""
        when = f", {self.time}" if self.time else ""
        return f"  {name:<11}{self.state}  line {self.line}{when}: {self.text}"

    def to_plain(self) -> dict[str, Any]:
        """Return it in JSON's terms."""
        return {name: getattr(self, name) for name in ("state", "line", "time", "text")}


class GuestVerdict:
    """Whether a guest can get reports, as its log tells."""

    kind = "guest_verdict"
    family = "guest"
    kinds = READY | WIPED | FAILED | MEMORY | ENDS | _OTHERS

    def __init__(self) -> None:
        self._boots = 0
        self._begin()

    def _begin(self) -> None:
        self._keys: dict[str, Incident] = {}
        self._current = DRIVER
        self._memory: Incident | None = None
        self._failures = 0
        self._end: Incident | None = None
        self._ends = 0

    def feed(self, record: LogRecord) -> None:
        """Take a record that bears on the guest."""
        kind = record.kind
        if kind == START:
            self._boots += 1
            self._begin()
        elif kind in MEMORY:
            self._failures += 1
            text = f"{_text(record)}: {record.meaning}"
            self._memory = self._memory or _incident("failed", record, text, _MEMORY_REMEDY)
        elif kind in ENDS:
            self._ends += 1
            self._end = _incident("ended", record, _text(record), record.remedy)
        else:
            self._take_key(record)

    def _take_key(self, record: LogRecord) -> None:
        """Take what a line says of a key."""
        kind, number = record.kind, record.fields.get("vmpck")
        name = self._current if number is None else f"VMPCK{int(number)}"
        if kind in READY or number is not None:
            self._current = name
            self._keys.pop(DRIVER, None)  # what a line without a number told of is this one's
        if name not in self._keys and len(self._keys) >= _KEYS:
            self._keys.pop(next(iter(self._keys)))
        known = self._keys.get(name)
        if kind in WIPED or kind == "guest-key-invalid":
            if known is None or known.state != LOST:
                self._keys[name] = _incident(LOST, record, _why(record), record.remedy or OTHER_KEY)
        elif kind in READY:
            self._keys[name] = _incident(ALIVE, record, _text(record))
        elif kind in FAILED and (known is None or known.state != LOST):
            self._keys[name] = _incident(UNSURE, record, _unsure(record), record.remedy)
        elif kind == "guest-message" and (known is None or known.state == UNSURE):
            self._keys[name] = _incident(ALIVE, record, _text(record))

    @property
    def answer(self) -> str:
        """Return yes, no or not told."""
        key = self._keys.get(self._current)
        if self._end or self._memory or (key and key.state == LOST):
            return NO
        return YES if key and key.state == ALIVE else OPEN

    def _stop(self) -> Incident | None:
        """Return what makes the answer no: a key that is lost, before what came of it."""
        key = self._keys.get(self._current)
        return key if key and key.state == LOST else self._memory or self._end

    def lines(self) -> list[str]:
        """Return the answer, then keys, memory and end; nothing where no guest speaks."""
        if not (self._keys or self._memory) and self._ends < 2:
            return []
        found = [self._sentence()]
        found += [event.words(name) for name, event in sorted(self._keys.items())]
        if self._memory:
            found.append(self._memory.words("memory"))
        if self._end:
            found.append(self._end.words("guest"))
        if remedy := self._remedy():
            found.append(f"  {'remedy':<11}{remedy}")
        return found

    def _sentence(self) -> str:
        """Return the answer in words."""
        if not (self._keys or self._memory):
            return f"Guests that ended themselves: {self._ends}. The last of them is below."
        many = f" This is the last of {self._boots} boots." if self._boots > 1 else ""
        stop = self._stop()
        if stop is None:
            key = self._keys[self._current]
            return f"Reports in this guest: {self.answer}. {_sentence(key)}{many}"
        when = f" ({stop.time})" if stop.time else ""
        what = {LOST: f"{_key_name(self._current)} is lost", "failed": "memory was not accepted"}
        said = what.get(stop.state, "the guest ended itself")
        return f"Reports in this guest: no. Since line {stop.line}{when} {said}.{many}"

    def _remedy(self) -> str:
        """Return what to do: about what came first, or about a request that failed."""
        event = self._stop() or self._keys.get(self._current)
        return event.remedy if event else ""

    def to_plain(self) -> dict[str, Any]:
        """Return answer, sentence, keys, and what failed."""
        stop = self._stop()
        return {
            "answer": self.answer,
            "text": self._sentence(),
            "since_line": stop.line if stop else 0,
            "since_time": stop.time if stop else "",
            "remedy": self._remedy(),
            "keys": {name: event.to_plain() for name, event in sorted(self._keys.items())},
            "memory": self._memory.to_plain() if self._memory else None,
            "memory_failures": self._failures,
            "end": self._end.to_plain() if self._end else None,
            "ends": self._ends,
        }


def _incident(state: str, record: LogRecord, text: str, remedy: str = "") -> Incident:
    return Incident(state, record.line, record.time, text, remedy)


def _text(record: LogRecord) -> str:
    return record.text.replace("  ", ", ")


def _why(record: LogRecord) -> str:
    """Return what a line that a key is lost says, and what came before it."""
    return f"{_text(record)}; {record.cause or record.meaning}"


def _unsure(record: LogRecord) -> str:
    """Return what failed, and that the log does not say what became of the key."""
    return f"{_text(record)}; no line says whether the key was wiped"


def _key_name(name: str) -> str:
    return "the driver's key" if name == DRIVER else name


def _sentence(key: Incident) -> str:
    """Return what the state of a key rests on."""
    if key.state == ALIVE:
        return f"Line {key.line} says so, and none behind it otherwise."
    return f"A request failed on line {key.line}, and no line says whether its key was wiped."
