"""What can be wrong with a secrets page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity, as_far
from ..wire.address import PAGE
from ..wire.secrets import SecretsPage
from . import record

if TYPE_CHECKING:
    from ..context import Context

KEYS = 4
VERSIONS = (2, 3, 4)
OS_AREA = 0x0A0
LINUX = "Linux sev-guest.c, snp_get_msg_seqno"
LINUX_DEAD = 0xFFFF_FFFE
"""From this count on a Linux guest sends nothing more."""


def _finding(code: str, severity: Severity, field: str, text: str, source: str = "") -> Finding:
    place = SecretsPage.place(field)
    return Finding(code, severity, field, place, text, source or SecretsPage.SPEC)


def version(page: SecretsPage, context: Context) -> Findings:
    """Expect a version that is known, and no field of a later one."""
    if page.version not in VERSIONS:
        text = f"version is {page.version}, known are 2, 3 and 4"
        yield _finding("secrets-version", Severity.WARNING, "version", text)
    for field, since in (("tsc_factor", 3), ("launch_mit_vector", 4)):
        value = getattr(page, field)
        if value and page.version < since:
            text = f"{field} is {value:#x}, it came with version {since} of the page"
            yield _finding("secrets-early-field", Severity.WARNING, field, text)


def keys(page: SecretsPage, context: Context) -> Findings:
    """Find keys that are zero, and keys that are the same."""
    seen: dict[bytes, str] = {}
    zero = [index for index, key in enumerate(page.vmpcks) if not any(key)]
    for index, key in enumerate(page.vmpcks):
        field = f"vmpck{index}"
        if index in zero:
            text = (
                f"{field} is zero: disabled, wiped, or not for this VMPL; nothing is sent with it"
            )
            severity = Severity.WARNING if len(zero) == KEYS else Severity.NOTE
            yield _finding("secrets-key-zero", severity, field, text, "Linux sev-guest.c")
        elif seen.setdefault(key, field) != field:
            text = f"{field} is the same as {seen[key]}"
            yield _finding("secrets-key-repeated", Severity.WARNING, field, text)


def counts(page: SecretsPage, context: Context) -> Findings:
    """Expect even counts below the limit, and say both readings where they differ."""
    area = page.os_area
    for index, (low, wide) in enumerate(zip(area.counts, area.wide_counts, strict=True)):
        path, place = f"os_area.msg_seqno_{index}", OS_AREA + 4 * index
        if low % 2:
            text = f"{path} is {low:#x}, odd: it goes up by 2 for each message and its answer"
            yield Finding("secrets-count-odd", Severity.WARNING, path, place, text, LINUX)
        if low >= LINUX_DEAD:
            text = f"{path} is {low:#x}: a Linux guest sends nothing more with this key"
            yield Finding("secrets-count-full", Severity.WARNING, path, place, text, LINUX)
        if wide != low:
            text = (
                f"{path}_high is not zero: the count is {wide:#x} in revision 2.01 of 56421 and"
                f" Oak, {low:#x} in Linux"
            )
            high = f"{path}_high"
            at = OS_AREA + 0x18 + 4 * index
            yield Finding("secrets-count-halves", Severity.WARNING, high, at, text, area.SPEC)


def svsm(page: SecretsPage, context: Context) -> Findings:
    """Expect an SVSM on whole pages and above the guest, or none at all."""
    if not page.svsm_size:
        for field in ("svsm_base", "svsm_caa", "svsm_max_version", "svsm_guest_vmpl"):
            if getattr(page, field):
                text = f"{field} is {getattr(page, field):#x}, and svsm_size says there is no SVSM"
                yield _finding("secrets-svsm", Severity.WARNING, field, text)
        return
    for field in ("svsm_base", "svsm_size", "svsm_caa"):
        if getattr(page, field) % PAGE:
            text = f"{field} is {getattr(page, field):#x}, no multiple of a page"
            yield _finding("secrets-svsm", Severity.WARNING, field, text)
    if not 1 <= page.svsm_guest_vmpl <= 3:
        text = f"svsm_guest_vmpl is {page.svsm_guest_vmpl}, below an SVSM there are 1 to 3"
        yield _finding("secrets-svsm", Severity.WARNING, "svsm_guest_vmpl", text)


def empty(page: SecretsPage, context: Context) -> Findings:
    """Find a page that was never written, and then nothing else."""
    if record.empty(page):
        text = "all of the page is zero: the firmware did not write it"
        yield _finding("secrets-empty", Severity.ERROR, "version", text)
        return
    for rule in (version, keys, counts, svsm, *record.RULES):
        yield from as_far(rule, page, context)


RULES = {
    SecretsPage: (empty,),
}
