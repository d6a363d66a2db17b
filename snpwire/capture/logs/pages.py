"""Pages as the capture scripts print them, each a record with what the page says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.command_table import CommandId
from ..page_line import HEAD, WORD, PageLine, page_line, pieces_page
from . import ftrace
from .errnos import errno_text
from .page_words import IN, has_secrets, page_words
from .record import Fact, Hex, Quad
from .template import form
from .trace_columns import with_columns

if TYPE_CHECKING:
    from .record import LogLine, LogState

KIND = "page"
"""Kind of a record that has a page's bytes."""
_WAYS = {IN: "->", "out": "<-"}
_TO = {"enter": IN, "exit": "out"}
_EARLY = "traced before KVM writes RAX, RBX, RCX and RDX back"
_CUT = "what was not captured is missing, not zero"


def _page(fields: dict[str, Any], log: LogState) -> Fact | _Page:
    """Interpret a line of bpftrace's, or the first of those that a terminal made of it."""
    text = log.line.text
    kind, way = fields["page"], fields["way"]
    head = f"{HEAD}{kind} {way} "
    page = page_line(kind, way, text[text.index(head) + len(head) :])
    return _Page(page, log) if page.is_cut else _fact(page, log)


class _Page:
    """A page of which lines of further bytes may follow."""

    watches = True
    pending = False
    patience = 0

    def __init__(self, page: PageLine, log: LogState) -> None:
        self._page = page
        self._log = log

    def take(self, line: LogLine) -> bool:
        if self.done or not _BYTES.fullmatch(line.text):
            return False
        self._page = self._page.longer(bytes.fromhex(line.text))
        return True

    @property
    def done(self) -> bool:
        return not self._page.is_cut

    def fact(self) -> Fact:
        return _fact(self._page, self._log)


_BYTES = re.compile("[0-9a-fA-F]{2}(?: ?[0-9a-fA-F]{2}){0,4095}")


def _pieces(way: str) -> Any:
    """Return what interprets a probe's event of that *way*."""

    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        text = log.line.text
        rest = text[text.rindex(") vcpu=") + 2 :]
        fields.clear()
        return with_columns(_fact(pieces_page(way, rest), log), log)

    return interpret


def _fact(page: PageLine, log: LogState) -> Fact:
    arrow = _WAYS.get(page.way, page.way)
    vcpu = "" if "vcpu" not in page.names else f"vcpu {page.names['vcpu']}  "
    if page.kind == WORD and page.data:
        return _word_fact(page, log)
    summary, meaning, decoded = page_words(page)
    result = page.number("ret")
    failed = "" if not result else f"failed with {result}: {errno_text(result)}"
    early = _EARLY if page.early else "bytes read as %r" if "form" in page.names else ""
    fields = {**_given(page), **decoded}
    if page.data and not has_secrets(page):
        fields["data"] = page.data
    elif page.data:
        failed = "; ".join(filter(None, (failed, "it holds a key, which is not shown")))
    return Fact(
        f"{arrow} {vcpu}{page.kind}  {summary}",
        "; ".join(filter(None, (meaning, early, failed, page.problem))),
        consequence=_CUT if page.problem else "",
        fields=fields,
        columns=_columns(page),
    )


def _word_fact(page: PageLine, log: LogState) -> Fact:
    """Interpret the GHCB MSR as a tracepoint's."""
    word = Quad(int.from_bytes(page.data, "little"))
    values: dict[str, Any] = {"vcpu": page.number("vcpu") or 0, "ghcb_msr": word}
    if (result := page.number("result")) is not None:
        values["result"] = result
    fact = ftrace.msr_word(values, log)
    given = {**_given(page), "ghcb_msr": word, "data": page.data}
    arrow = _WAYS.get(page.way, page.way)
    text = f"{arrow} {fact.text.partition(' ')[2]}"
    return fact._replace(text=text, fields={**given, **fact.fields}, columns=_columns(page))


def _given(page: PageLine) -> dict[str, Any]:
    """Return kind, way, size and names as they stand in the line, numbers as numbers."""
    given: dict[str, Any] = {"page": page.kind, "way": page.way, "size": len(page.data)}
    for name, text in page.names.items():
        number = page.number(name)
        given[name] = text if number is None else Hex(number) if "0x" in text else number
    if page.absent:
        given["absent"] = sorted(page.absent)
    return given


def _columns(page: PageLine) -> tuple[str, str]:
    """Return the time in seconds, and the process."""
    time = page.number("t")
    seconds = "" if time is None or time < 0 else f"{time // 10**9}.{time % 10**9:09d}"
    return seconds, f"pid-{page.names['pid']}" if "pid" in page.names else ""


def _command(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret the end of a firmware command."""
    columns = _columns(PageLine("", "", {name: str(fields[name]) for name in ("t", "pid")}, b""))
    return _command_fact("<-", fields, f"ret {fields['ret']}")._replace(columns=columns)


def _command_fact(arrow: str, fields: dict[str, Any], rest: str) -> Fact:
    number = CommandId(fields["id"])
    name = number.name if number.known else "unknown"
    meaning = number.doc if number.known else "no source names this command"
    if fields.get("ret"):
        meaning += f"; failed: {errno_text(fields['ret'])}"
    text = f"{arrow} command {int(number):#x} {name}  {rest}"
    return Fact(text, meaning, fields={"id": Hex(number), "name": name})


def _begun(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret the beginning of a firmware command, and what its buffer begins with."""
    words = [word.strip() for word in fields["words"].split(",")]
    del fields["words"], fields["where"]
    fact = _command_fact("->", fields, f"buffer {' '.join(words[:3])} ...")
    fact = fact._replace(fields={**fact.fields, "buffer": words})
    return with_columns(fact, log)


def _over(fields: dict[str, Any], log: LogState) -> Fact:
    del fields["where"]
    result = fields["ret"]
    meaning = f"failed: {errno_text(result)}" if result else "done"
    return with_columns(Fact(f"<- command  ret {result}", meaning), log)


_EVENT = "({{at:o}}kvm_vmgexit_{}{{where:r}}) vcpu={{vcpu:d}} "
FORMATS = (
    form("snp_page", KIND, f"{HEAD}{{page:o}} {{way:o}} ", _page),
    form(
        "snp_command",
        "command-end",
        "snp-command t={t:d} cpu={cpu:d} pid={pid:d} id=0x{id:x} ret={ret:d}",
        _command,
    ),
    form("probe_page_in", KIND, f"ghcb_enter: {_EVENT.format('enter')}", _pieces(IN)),
    form("probe_page_out", KIND, f"ghcb_exit: {_EVENT.format('exit')}", _pieces("out")),
    form(
        "probe_command",
        "command-begin",
        "command: (__sev_do_cmd_locked{where:r}) id=0x{id:x} buffer={{words:o}}",
        _begun,
    ),
    form(
        "probe_command_end",
        "command-end",
        "command_done: ({where:r} <- __sev_do_cmd_locked) ret={ret:d}",
        _over,
    ),
)
