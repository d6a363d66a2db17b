"""What programs say that read reports: go-sev-guest, and whatever is built on it.

Their words name ranges of bits and bytes. A value that is text stands there because something else
than a report was read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.report import GuestPolicy, PlatformInfo
from .guest_status import status_fact
from .operands import word_words
from .record import Fact, Hex
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_PAIRS = re.compile("(?:[0-9a-fA-F]{2})+")
_SIZE = "a report has 0x4a0 bytes (1184)"


def text_of(number: int, size: int = 8) -> str:
    """Return a number's bytes, in the order of memory, as text; empty if they are none."""
    data = number.to_bytes(size, "little")
    return data.decode("ascii") if all(0x20 <= byte < 0x7F for byte in data) else ""


def _policy(fields: dict[str, Any], log: LogState) -> Fact:
    number = int(fields["policy"])
    low, high = int(fields["low"]), int(fields["high"])
    word = GuestPolicy(number)
    names = [
        bits.name for bits in GuestPolicy.BITS.values() if bits.low >= low and bits.value(word)
    ]
    text = text_of(number)
    cause = (
        f"the bytes are text (ASCII): {text!r}, so JSON or another text was read as a report"
        if text
        else f"set there: {' '.join(names) or 'bits that no source names'}"
    )
    return Fact(
        f"guest policy {number:#x} has bits set between {low} and {high}",
        "the verifier wants them to be zero",
        cause=cause,
        remedy="look for the report within what was read: snpwire identify finds it"
        if text
        else "a newer go-sev-guest, which knows these bits; snpwire explain policy has them",
        fields={"policy": Hex(number), "text": text, "side": "user space"},
    )


def _range(fields: dict[str, Any], log: LogState) -> Fact:
    digits = fields["data"]
    data = bytes.fromhex(digits) if _PAIRS.fullmatch(digits) else b""
    printable = data.rstrip(b"\0")
    is_text = len(printable) > 3 and all(0x20 <= byte < 0x7F for byte in printable)
    return Fact(
        f"bytes {int(fields['low']):#x} to {int(fields['high']) - 1:#x} of the report are not zero",
        "the verifier calls them reserved",
        cause=f"the bytes are text (ASCII): {printable.decode()!r}" if is_text else
        "firmware newer than the verifier writes there, or these bytes are no report",
        remedy="snpwire decode report shows what they are",
    )  # fmt: skip


def _platform(fields: dict[str, Any], log: LogState) -> Fact:
    word = PlatformInfo(fields["info"] & (1 << 64) - 1)
    return Fact(
        f"platform info {int(word):#x} has a bit that the verifier does not know",
        f"{word_words(word)}",
        cause="firmware newer than the verifier; a platform bit states, and permits nothing",
        remedy="a newer go-sev-guest",
        fields={"info": Hex(word)},
    )


def _version(fields: dict[str, Any], log: LogState) -> Fact:
    number = fields["version"]
    return Fact(
        f"report version {number}, the verifier reads {fields['least']} to {fields['most']}",
        "versions 2 to 5 are known" if number in range(2, 6) else "no report has this version",
        cause="a newer firmware than the verifier" if number in range(2, 8) else
        "these bytes are no report",
        remedy="a newer go-sev-guest" if number in range(2, 8) else "snpwire identify",
    )  # fmt: skip


def _length(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"{int(fields['size'])} bytes given for a report", _SIZE,
        cause="a report within something else, or text of one",
        remedy="snpwire identify finds it",
    )  # fmt: skip


def _firmware(fields: dict[str, Any], log: LogState) -> Fact:
    status = int(fields["status"])
    return status_fact(status, f"{status:#x}")


FORMATS = (
    form(
        "go_policy",
        "verifier-policy",
        "mbz range policy[0x{low:x}:0x{high:x}] not all zero: {policy:x}",
        _policy,
    ),
    form(
        "go_range",
        "verifier-reserved",
        "mbz range [0x{low:x}:0x{high:x}] not all zero: {data:o}",
        _range,
    ),
    form(
        "go_platform",
        "verifier-platform",
        "unrecognized platform info bit(s): 0x{info:x}",
        _platform,
    ),
    form(
        "go_version",
        "verifier-version",
        "report version is: {version:d}. Expected between {least:d} and {most:d}",
        _version,
    ),
    form(
        "go_size",
        "verifier-size",
        "array size is 0x{size:x}, an SEV-SNP attestation report size is 0x{wanted:x}",
        _length,
    ),
    form(
        "go_status",
        "tool-status",
        "unexpected firmware status (see SEV API spec): {status:x}",
        _firmware,
    ),
)
