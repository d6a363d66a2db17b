"""What a guest's tools say when no report comes: snpguest and the sev crate, AMD's C tools.

They run in the guest, ask /dev/sev-guest, and print the halves of ``exitinfo2``, each in a spelling
of its own. The numbers of AMD's C tools are decimal in one place and hex without 0x in another;
what they print next tells which.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.operands import VmmError
from ...wire.status import Status
from .errnos import ERRNOS
from .guest import failure_words
from .guest_status import ASKED, status_fact
from .qemu_options import open_words
from .qemu_run import errno_of
from .record import Fact, LogLine
from .sev_crate import status_of
from .template import form

if TYPE_CHECKING:
    from .record import LogState

    Fields = dict[str, Any]

_OS_ERROR = re.compile(r"(.*?) ?\(os error (\d{1,3})\)")
_DIGITS = re.compile("[0-9a-f]{1,16}")
_AFTER = re.compile(r"(?:get_report|get_extended_report|request_key|get_derived_key): (.*)")


class _Repeated:
    """An error that a tool prints several times: with each of its causes, and once more."""

    watches = False
    patience = 8
    pending = False
    done = False

    def __init__(self, status: int, fact: Fact) -> None:
        self._fact = fact
        self._word = f"status code: {status:#x}:"
        self._count = 1

    def take(self, line: LogLine) -> bool:
        same = self._word in line.text.lower()
        self._count += same
        return same

    def fact(self) -> Fact:
        return self._fact._replace(fields={**self._fact.fields, "lines": self._count})


def _known(fields: Fields, log: LogState) -> _Repeated:
    status = int(fields["status"])
    return _Repeated(status, status_fact(status, f"{status:#x}"))


def _unknown(fields: Fields, log: LogState) -> Fact:
    number = int(fields["code"])
    if number == 0:
        return Fact(
            "guest request failed  no status",
            "the tool shows 0 of the firmware: the kernel's error is lost",
            cause="the response could not be opened (EBADMSG), or the driver refused by itself",
            remedy=ASKED,
            fields={"side": "guest"},
        )
    return _info(number, f"{number:#x}")


def _info(number: int, spelt: str) -> Fact:
    """Return what all 64 bits of ``exitinfo2`` say."""
    number &= (1 << 64) - 1
    if number >> 32 == 0:
        return status_fact(number, spelt)
    meaning, remedy = failure_words(0, number)
    vmm = VmmError(number >> 32)
    return Fact(
        f"guest request failed  {spelt}  vmm {int(vmm):#x} {vmm.name if vmm.known else 'unknown'}",
        meaning,
        remedy=remedy or ASKED,
        fields={"vmm_error": vmm, "side": "hypervisor"},
    )


def _named(fields: Fields, log: LogState) -> Fact:
    """Interpret the crate's own name of a status, or its sentence."""
    spelt = str(fields["name"]).strip()
    code = status_of(spelt)
    if code is not None:
        return status_fact(int(code), spelt)
    return Fact(f"guest request refused by the firmware  {spelt}", "a status of another name")


def _certificates(fields: Fields, log: LogState) -> Fact:
    return Fact(
        f"certificates of the host  {str(fields['text']).strip()}",
        "the report may be there; the certificates that should come with it are not, or are odd",
        cause="the host has imported none (snphost import), or they are of another layout",
        remedy="fetch the VCEK from AMD's key server by the report: snpwire explain kds",
        fields={"side": "hypervisor"},
    )


def _vmm(fields: Fields, log: LogState) -> Fact:
    text = str(fields["text"])
    busy, length = "denial-of-service" in text or "RateLimit" in text, "number of pages" in text
    vmm = VmmError.BUSY if busy else VmmError.INVALID_LEN if length else None
    return Fact(
        f"guest request refused by the hypervisor  {vmm.name if vmm else 'unknown'}",
        vmm.doc if vmm else "the tool does not know the hypervisor's error",
        cause="the host limits how often reports are asked for" if busy else "",
        remedy="let one process ask, and keep the report" if busy else ASKED,
        fields={"side": "hypervisor"},
    )


def _later(fields: Fields, log: LogState) -> _SystemError:
    return _SystemError()


def _system(fields: Fields, log: LogState | None = None) -> Fact:
    """Interpret an error of the guest's kernel, with its number where the tool prints it."""
    text = str(fields["text"]).strip()
    found = _OS_ERROR.match(text)
    number = int(found[2]) if found else errno_of(text)
    name = ERRNOS[number][0] if number in ERRNOS else str(number or "unknown")
    causes = {
        25: "the kernel's sev-guest driver does not know the request, its VMPCK is wiped, or the"
        " device is another one: a kernel older than 5.19, or a vendor's patches",
        22: "the driver refused the request's version, sizes or addresses",
        5: "the request was answered with an error; the number of it is printed with this line",
        74: "the response could not be opened: its key or number is not the request's",
        19: "there is no SNP guest, or the secrets page is missing",
    }
    return Fact(
        f"guest request failed in the kernel  {name}  {text}".rstrip(),
        "the guest's kernel, and not yet hypervisor or firmware, says so",
        cause=causes.get(number, ""),
        remedy=ASKED,
        fields={"errno": name, "side": "guest"},
    )


class _SystemError:
    """An error of the guest's kernel that older releases print a line or two later."""

    watches = True
    patience = 2
    pending = False

    def __init__(self) -> None:
        self._text = ""
        self.done = False

    def take(self, line: LogLine) -> bool:
        found = _OS_ERROR.search(line.text)
        self._text = line.text.partition("because: ")[2] or line.text if found else ""
        again = line.text.endswith("I/O Error")
        self.done = not again
        return found is not None or again

    def fact(self) -> Fact:
        return _system({"text": re.sub(r"^\d+: ", "", self._text)})


class _Bare:
    """A number of AMD's C tools, with the line behind it that tells how it is meant."""

    watches = True
    patience = 1
    pending = False

    def __init__(self, digits: str) -> None:
        self._digits = digits
        self._after = 0
        self.done = False

    def take(self, line: LogLine) -> bool:
        self.done = True
        found = _AFTER.search(line.text)
        self._after = errno_of(found[1].strip()) if found else 0
        return found is not None

    def fact(self) -> Fact:
        decimal = self._digits.isdecimal()
        both = decimal and int(self._digits, 16) != int(self._digits)
        in_hex = not decimal or (both and self._after == int(self._digits, 16))
        number = int(self._digits, 16 if in_hex else 10)
        how = ", read as hex" if in_hex else ", read as decimal" if both else ""
        return _info(number, f"{number:#x}{how}")


def _bare(fields: Fields, log: LogState) -> _Bare | Fact:
    digits = str(fields["digits"]).strip(":.").lower()
    if not _DIGITS.fullmatch(digits):
        return Fact(f"firmware error {digits}", "no number that a status can be")
    return _Bare(digits)


def _prefixed(fields: Fields, log: LogState) -> Fact:
    number = int(fields["code"])
    return _info(number, f"{number:#x}")


def _device(fields: Fields, log: LogState) -> Fact:
    return open_words("/dev/sev-guest", str(fields.get("reason", "")).strip())


def _host_device(fields: Fields, log: LogState) -> Fact:
    return open_words("/dev/sev", "")


def _sev_tool(fields: Fields, log: LogState) -> Fact:
    code = Status(fields["status"])
    name = code.name if code.known else "unknown"
    return Fact(
        f"sevtool gives up  {int(code):#x} {name}",
        "the number is counted as the firmware's status, and may be the tool's own",
        cause="a check of a report or of certificates that failed in the tool, where no command to"
        " the firmware was asked for",
        remedy="snpwire verify checks a report and its certificates, and says which check fails",
        fields={"status": code, "side": "user space"},
    )


def _skipped(fields: Fields, log: LogState) -> Fact:
    return Fact(
        "the report has bytes that the tool expects to be zero",
        "a report of a newer version than the tool knows, or bytes that are no report",
        cause="firmware sets bits and fields that an older tool calls reserved",
        remedy="a newer snpguest; snpwire decode report shows every byte",
    )


_KNOWN = "Status Code: 0x{status:x}:{text:r}"
FORMATS = (
    form("tool_status", "tool-status", _KNOWN, _known, "Status Code: 0x{status:x}"),
    form("tool_unknown", "tool-status", "Unknown SEV FW Error Encountered: {code:n}", _unknown),
    form(
        "tool_named",
        "tool-status",
        "KnownSevError({name:s})",
        _named,
        "Firmware Error Encountered: Known Error:{name:r}",
    ),
    form(
        "tool_certificates",
        "tool-certificates",
        "Certificate Error Encountered:{text:r}",
        _certificates,
    ),
    form("tool_vmm", "tool-vmm", "VMM Error Encountered:{text:r}", _vmm),
    form(
        "tool_system",
        "tool-kernel",
        "Firmware Error Encountered: I/O Error Encountered:{text:r}",
        _system,
        "IO Error Encountered:{text:r}",
        "I/O Error Encountered:{text:r}",
    ),
    form("tool_later", "tool-kernel", "Firmware Error Encountered: I/O Error", _later),
    form("tool_prefixed", "tool-status", "firmware error 0x{code:x}", _prefixed),
    form("tool_bare", "tool-status", "^firmware error {digits:a}", _bare),
    form(
        "tool_device",
        "device-missing",
        "unable to open /dev/sev-guest",
        _device,
        "failed to open /dev/sev-guest",
        "could not open AMD SEV guest device at /dev/sev-guest (see {url:o}): {reason:r}",
        "failed to open SEV firmware device.",
    ),
    form(
        "tool_host_device",
        "device-missing",
        "ERROR: unable to open /dev/sev",
        _host_device,
        "Error: unable to open /dev/sev",
        "because: unable to open /dev/sev",
    ),
    form("tool_sevtool", "tool-status", "Command Unsuccessful: 0x{status:x}", _sev_tool),
    form("tool_skipped", "tool-report", "Skipped bytes were expected to be zeroed.", _skipped),
)
