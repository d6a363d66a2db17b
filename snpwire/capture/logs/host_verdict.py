"""The verdict on a host: whether SNP is up there, and if it is not, at which step it stopped.

Yes needs a line that says so and none that says otherwise: the firmware's version under SNP's
name, which the driver prints after SNP_INIT alone, a check of snphost, or KVM's word where nothing
failed. KVM's word does not outweigh a failure: before Linux 6.12 it has no regard to SNP_INIT. A
KVM that tells of SEV and of no SNP offers none. What a log does not hold, and what a tool could not
look at, is said to be missing; lines that contradict each other decide nothing.

Of several boots the last one counts that is no guest's. A boot begins at the kernel's first line,
or where time went back and a message came again with another time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .boot import size_text
from .psp import SNP_ABI
from .verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .record import LogRecord

PROCESSOR, IOMMU, RMP, FIRMWARE, INIT, KVM = (
    "processor", "IOMMU", "RMP", "firmware", "SNP_INIT", "KVM",
)  # fmt: skip
STEPS = (PROCESSOR, IOMMU, RMP, FIRMWARE, INIT, KVM)
"""What has to go well, in this order."""
OK, FAILED, MISSING = "ok", "failed", "not in this log"
YES, NO, OPEN = "yes", "no", "not told"
_REMEMBERED = 1000  # messages of one boot by which the next one is recognised
_INITS = (0x81, 0x85)  # SNP_INIT and SNP_INIT_EX

BEARING: dict[str, tuple[str, str]] = {
    "sev-bios-off": (PROCESSOR, FAILED),
    "iommu-snp": (IOMMU, OK),
    "iommu-refused": (IOMMU, FAILED),
    "rmp-table": (RMP, OK),
    "rmp-segment-table": (RMP, OK),
    "rmp-missing": (RMP, FAILED),
    "rmp-short": (RMP, FAILED),
    "rmp-segment-invalid": (RMP, FAILED),
    "iommu-rmp-failed": (RMP, FAILED),
    "firmware-dead": (FIRMWARE, FAILED),
    "firmware-old": (FIRMWARE, FAILED),
    "snp-up": (INIT, OK),
    "snp-down": (INIT, FAILED),
    "init-failed": (INIT, FAILED),
}
"""The step and the state that a kind of record tells of, whatever its fields."""
TOLD = frozenset(
    {
        "iommu-features",
        "firmware-version",
        "kvm-snp",
        "kvm-parameter",
        "ccp-command",
        "host-check",
    }
)
"""Kinds of records of which the fields decide."""
CHECKED = {
    "Secure Nested Paging (SEV-SNP)": PROCESSOR,
    "RMP table addresses": RMP,
    "RMP table initialized": RMP,
    "RMP INIT": RMP,
    "SNP initialized": INIT,
    "SNP INIT": INIT,
    "SEV-SNP enabled in KVM": KVM,
}
"""The step that a check of snphost asks about."""
ASIDE = frozenset(
    {"kernel-start", "kernel-options", "sev-init-failed", "kvm-sev", "guest-features"}
)
"""Kinds of records that are no step of their own."""


class Step(NamedTuple):
    """A step of a host's start, as a log tells it."""

    name: str
    state: str = MISSING
    line: int = 0
    text: str = ""
    remedy: str = ""
    firm: bool = False
    """Whether a later line cannot change it."""

    def words(self) -> str:
        """Return the step on one line."""
        where = f"  line {self.line}: {self.text}" if self.line else ""
        return f"  {self.name:<11}{self.state}{where}"

    def cited(self) -> str:
        """Return what was found, and where."""
        return f"{self.text} (line {self.line})"


class Boot:
    """One start of a host."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.told = {name: Step(name) for name in STEPS}
        self.cover: LogRecord | None = None
        self.version: LogRecord | None = None
        self.legacy: LogRecord | None = None
        """The failure of SEV's own INIT."""
        self.barred: dict[str, Step] = {}
        """What options of the kernel forbid, unless a line tells otherwise."""
        self.offers: dict[str, LogRecord] = {}
        """What KVM says of guests of SEV and SEV-ES."""
        self.guest = False
        """Whether this is a guest's log."""

    def feed(self, record: LogRecord) -> None:
        """Take a record of this start."""
        for step in _steps(record):
            self._put(step)
        if record.kind == "rmp-table" and "covers" in record.fields:
            self.cover = record
        elif record.kind == "firmware-version":
            self.version = record
        elif record.kind == "sev-init-failed":
            self.legacy = record
        elif record.kind == "kernel-options":
            self.barred |= _barred(record)
        elif record.kind == "kvm-sev":
            self.offers[record.fields.get("guests", "SEV")] = record
        self.guest |= record.kind == "guest-features"

    def _put(self, step: Step) -> None:
        """Take what is told of a step, unless that is settled, or the same again."""
        known = self.told[step.name]
        new = known.state != step.state or step.firm or step.name == FIRMWARE
        if new and not known.firm:
            self.told[step.name] = step

    def steps(self) -> dict[str, Step]:
        """Return each step, as lines tell it, or as others let expect it."""
        found = dict(self.told)
        if self.offers and not found[KVM].line:
            last = max(record.line for record in self.offers.values())
            text = f"KVM offers {' and '.join(self.offers)}, and says nothing of SNP"
            found[KVM] = Step(KVM, FAILED, last, text, _NO_KVM)
        return found | {n: step for n, step in self.barred.items() if not self.told[n].line}

    @property
    def begun(self) -> bool:
        """Return whether a line told of a step."""
        return bool(self.offers) or any(step.line for step in self.told.values())

    def stop(self) -> Step | None:
        """Return the first step that failed, or None."""
        return next((step for step in self.steps().values() if step.state == FAILED), None)

    def answer(self) -> str:
        """Return yes, no or not told."""
        stop, up = self.stop(), self.told[INIT].state == OK
        if stop is None:
            return YES if up or self.told[KVM].state == OK else OPEN
        return OPEN if up and stop.name != KVM else NO


_NO_KVM = (
    "load kvm_amd with sev_snp=1; mainline's KVM has SNP from 6.11 on; in the BIOS, raise the"
    " SEV-ES ASID space limit above 1"
)


def _steps(record: LogRecord) -> Iterator[Step]:
    """Yield what a record tells of steps."""
    text = _words(record)
    for name, state in _told(record):
        firm = state == FAILED and name not in (INIT, KVM) and record.kind not in TOLD
        yield Step(name, state, record.line, text, record.remedy, firm)
    if record.kind.startswith("rmp-") or record.kind == "kvm-snp":
        yield Step(PROCESSOR, OK, record.line, "has SNP, or the kernel would not print this")


def _words(record: LogRecord) -> str:
    """Return what a record says, as part of a sentence."""
    if record.kind == "host-check":
        passed = "passed" if record.fields["result"] == "PASS" else "failed"
        return f"the check '{record.fields['check']}' {passed}"
    return record.text.replace("  ", ", ")


def _barred(record: LogRecord) -> dict[str, Step]:
    """Return the steps that fail by the options of a kernel."""
    options = record.fields["against_snp"]
    names = {option: KVM if option.startswith("kvm") else IOMMU for option in options}
    return {
        name: Step(name, FAILED, record.line, f"started with {option}", f"start without {option}")
        for option, name in names.items()
    }


def _told(record: LogRecord) -> Iterator[tuple[str, str]]:
    """Yield the steps that a record tells of, with their states."""
    fields = record.fields
    if record.kind in BEARING:
        yield BEARING[record.kind]
    elif record.kind == "iommu-features" and fields["efr"]:
        yield IOMMU, OK if fields["snp_supported"] else FAILED
    elif record.kind == "firmware-version":
        yield FIRMWARE, FAILED if (fields["major"], fields["minor"]) < SNP_ABI else OK
        if record.format == "snp_api":
            yield INIT, OK
    elif record.kind == "kvm-snp":
        offered = fields["state"] in ("enabled", "supported") and fields["count"] > 0
        yield KVM, OK if offered else FAILED
    elif record.kind == "kvm-parameter" and fields["parameter"] == "sev_snp":
        if fields["on"] is not None:
            yield KVM, OK if fields["on"] else FAILED
    elif record.kind == "ccp-command" and _gave_up(fields):
        yield INIT, FAILED
    elif record.kind == "host-check" and _answered(fields):
        yield CHECKED[fields["check"]], OK if fields["result"] == "PASS" else FAILED


def _answered(fields: Any) -> bool:
    """Return whether a check asked about a step, and got an answer."""
    return fields["check"] in CHECKED and fields["seen"] and fields["result"] != "SKIP"


def _gave_up(fields: Any) -> bool:
    """Return whether a command to the firmware is one after which there is no SNP."""
    return bool(fields["timed_out"] or (fields["id"] in _INITS and fields.get("status")))


class HostVerdict(Verdict):
    """Whether SNP is up on a host, as its log tells."""

    kind = "host_verdict"
    family = "boot"
    kinds = frozenset(BEARING) | TOLD | ASIDE

    def __init__(self) -> None:
        self._boot = Boot(1)
        self._host: Boot | None = None
        """The last start before this one."""
        self._boots = 1
        self._seconds = 0.0
        self._times: dict[str, set[str]] = {}

    def feed(self, record: LogRecord) -> None:
        """Take a record that bears on the host's start."""
        if self._starts(record):
            if self._boot.begun and not self._boot.guest:
                self._host = self._boot
                self._boots += 1
            self._boot = Boot(record.line)
            self._seconds = 0.0
            self._times.clear()
        self._remember(record)
        self._boot.feed(record)

    def _starts(self, record: LogRecord) -> bool:
        """Return whether a machine started before this record."""
        if record.kind == "kernel-start":  # the same words stand in /proc/version, without a time
            return bool(record.time) or not any(any(seen) for seen in self._times.values())
        seen = self._times.get(record.format)
        if seen is None or record.time in seen:
            return False  # a log that was searched twice has its lines twice
        return 0 <= _seconds(record.time) < self._seconds

    def _remember(self, record: LogRecord) -> None:
        """Keep when each message came."""
        self._seconds = max(self._seconds, _seconds(record.time))
        if sum(map(len, self._times.values())) < _REMEMBERED:
            self._times.setdefault(record.format, set()).add(record.time)

    def lines(self) -> list[str]:
        """Return the answer, then each step; nothing if no line tells of one."""
        boot, boots = self._judged()
        if boot.guest or not (boot.begun or boots > 1):
            return []
        found = [self._sentence(), *(step.words() for step in boot.steps().values())]
        if (stop := boot.stop()) and stop.remedy:
            found.append(f"  {'remedy':<11}{stop.remedy}")
        return found

    def _judged(self) -> tuple[Boot, int]:
        """Return the start that counts, which is no guest's, and how many there are."""
        if self._boot.guest and self._host:
            return self._host, self._boots - 1
        return self._boot, self._boots

    def _sentence(self) -> str:
        boot, boots = self._judged()
        because = _because(boot)
        text = "; ".join([because[:1].upper() + because[1:], *_facts(boot)])
        many = f" This is the last of {boots} boots, from line {boot.line}." if boots > 1 else ""
        return f"SNP on this host: {boot.answer()}. {text}.{many}"

    def to_plain(self) -> dict[str, Any]:
        """Return answer, sentence and steps."""
        boot, boots = self._judged()
        stop = boot.stop()
        return {
            "answer": boot.answer(),
            "stopped_at": stop.name if stop and boot.answer() == NO else "",
            "text": self._sentence(),
            "remedy": stop.remedy if stop else "",
            "boots": boots,
            "first_line": boot.line,
            "steps": [
                {"step": step.name, "state": step.state, "line": step.line, "text": step.text}
                for step in boot.steps().values()
            ],
        }


def _seconds(time: str) -> float:
    """Return a time since a boot in seconds, or -1 where it is no such time."""
    try:
        return float(time)
    except ValueError:
        return -1.0


def _because(boot: Boot) -> str:
    """Return what the answer rests on."""
    init, kvm, stop = boot.told[INIT], boot.told[KVM], boot.stop()
    if stop is None:
        if init.line or kvm.line:
            return init.cited() if init.line else f"KVM says so: {kvm.cited()}"
        return "no line says that SNP_INIT succeeded or failed"
    if boot.answer() == OPEN:
        return f"lines contradict each other: {stop.cited()}, yet {init.cited()}"
    if init.state == OK:
        return (
            f"the firmware of SNP is up (line {init.line}), but SNP is off in KVM: {stop.cited()}"
        )
    asked = STEPS.index(stop.name) < STEPS.index(INIT) and not init.line
    return stop.cited() + (", so SNP_INIT was never asked" if asked else "")


def _facts(boot: Boot) -> Iterator[str]:
    """Yield what else the log tells of the host."""
    if boot.cover:
        size, covers = boot.cover.fields["size"], boot.cover.fields["covers"]
        yield f"RMP of {size_text(size)}, covers {size_text(covers)} of memory"
    if boot.version:
        fields = boot.version.fields
        yield f"firmware {fields['major']}.{fields['minor']}.{fields['build']}"
    offers = [
        f"{record.fields['count']} ASIDs for {kind}"
        for kind, record in boot.offers.items()
        if "count" in record.fields
    ]
    if offers := [*offers, *([boot.told[KVM].text] if boot.told[KVM].line else [])]:
        yield f"KVM: {', '.join(offers)}"
    if boot.legacy:
        failed = boot.legacy.text.replace("  ", ", ")
        yield f"legacy SEV, which is another matter: {failed} (line {boot.legacy.line})"
