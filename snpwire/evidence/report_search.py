"""Where a report lies in other bytes: it can be told without any name beside it.

Its version is 2 to 5, bit 17 of its policy is set and none above bit 25, its signature algorithm is
1, and the 368 bytes that end it are zero. Random bytes agree with a chance below 2 to the -2900.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..wire.report import REPORT_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

TAIL = 0x330
"""Where the unused bytes of the signature begin."""
_SET = bytes(n for n in range(256) if n & 2)
_HEAD = re.compile(
    rb"[\x02-\x05]\0\0\0"  # version
    rb"(?=.{4}"  # guest SVN
    rb"..[" + re.escape(_SET) + rb"][\0-\x03]\0{4}"  # policy
    rb".{36}\x01\0\0\0)",  # family, image, VMPL; algorithm
    re.DOTALL,
)


def report_offsets(data: bytes) -> Iterator[int]:
    """Yield where a whole report lies in *data*."""
    at = 0
    while found := _HEAD.search(data, at):
        start = found.start()
        at = start + 4
        if data[start + TAIL : start + REPORT_SIZE] == bytes(REPORT_SIZE - TAIL):
            yield start
            at = start + REPORT_SIZE


def cut_report(data: bytes) -> int | None:
    """Return where a report begins that does not end in *data*; None if there is none."""
    for found in _HEAD.finditer(data, max(len(data) - REPORT_SIZE + 1, 0)):
        start = found.start()
        if not any(data[start + TAIL :]) and not any(data[start + 0x4C : start + 0x50]):
            return start
    return None
