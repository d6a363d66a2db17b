"""Read the block in which KVM prints a GHCB that it refused.

Linux prints it if `kvm_amd.dump_invalid_vmcb=1`, behind a line "input is not valid" (dump_ghcb in
arch/x86/kvm/svm/sev.c):

    GHCB (GPA=000000000123f000) snapshot:
    sw_exit_code        0000000080000010 is_valid: 1
    ...
    valid_bitmap        001c0000,00000000,00000000,00000000

Up to Linux 6.12 the first line has no "snapshot", and the page is printed after KVM cleared its
bitmap: the bitmap and every is_valid are then zero and say nothing about the guest. Later kernels
print the copies KVM took. The bitmap is printed in words of 32 bits, the most significant first.

Other lines may stand among those of a block, and the five may come in any order, but not twice:
two vCPUs printing at the same time cannot be separated: that is an error, not a guess.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import InputError

VALUES = ("sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", "sw_scratch")
NAMES = (*VALUES, "valid_bitmap")
"""What begins each of the lines below the first."""

_HEADER = re.compile(r"\bGHCB \(GPA=([0-9a-fA-F]{1,16})\)( snapshot)?:")
_VALUE = re.compile(rf"\b({'|'.join(VALUES)}) +([0-9a-fA-F]{{1,16}}) is_valid: ([01])\b")
_BITMAP = re.compile(r"\b(valid_bitmap) +([0-9a-fA-F]{1,8}(?:,[0-9a-fA-F]{8}){3})(?![0-9a-fA-F,])")


class GhcbBlock(NamedTuple):
    """What KVM printed of one GHCB."""

    gpa: int
    snapshot: bool
    values: dict[str, int]
    is_valid: dict[str, bool]
    bitmap: int  # bit n is set if the guest wrote the quadword at 8 * n
    line: int

    @property
    def bitmap_known(self) -> bool:
        """Return whether the bitmap and is_valid are the guest's, not what KVM left."""
        return self.snapshot or self.bitmap != 0


def looks_like(text: str) -> bool:
    """Return whether *text* has the first line of a block."""
    return _HEADER.search(text) is not None


def find(text: str) -> list[GhcbBlock]:
    """Return every block in *text*, a log with any prefixes."""
    blocks: list[GhcbBlock] = []
    open_block: _GhcbLines | None = None
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
        if header := _HEADER.search(line):
            if open_block:
                raise open_block.incomplete()
            open_block = _GhcbLines(number, header)
        elif open_block and (field := _VALUE.search(line) or _BITMAP.search(line)):
            open_block.take(number, field)
            if not open_block.missing():
                blocks.append(open_block.finish())
                open_block = None
    if open_block:
        raise open_block.incomplete()
    return blocks


def parse(text: str) -> GhcbBlock:
    """Return the only block in *text*."""
    blocks = find(text)
    if not blocks:
        raise InputError(
            "no line 'GHCB (GPA=...)'", help="KVM prints it if kvm_amd.dump_invalid_vmcb=1"
        )
    if len(blocks) > 1:
        lines = ", ".join(str(block.line) for block in blocks[:20])
        more = ", ..." if len(blocks) > 20 else ""
        raise InputError(
            f"{len(blocks)} GHCB blocks, at lines {lines}{more}", help="cut one of them out"
        )
    return blocks[0]


class _GhcbLines:
    """A block while its lines come in."""

    def __init__(self, line: int, header: re.Match[str]) -> None:
        self._line = line
        self._header = header
        self._fields: dict[str, re.Match[str]] = {}

    def take(self, number: int, field: re.Match[str]) -> None:
        if field[1] in self._fields:
            raise InputError(
                f"{field[1]} a second time in the block of line {self._line}",
                line=number,
                help="two blocks were printed at the same time: sort the lines first",
            )
        self._fields[field[1]] = field

    def missing(self) -> list[str]:
        return [name for name in NAMES if name not in self._fields]

    def incomplete(self) -> InputError:
        names = ", ".join(self.missing())
        return InputError(f"the GHCB block that begins here has no {names}", line=self._line)

    def finish(self) -> GhcbBlock:
        return GhcbBlock(
            gpa=int(self._header[1], 16),
            snapshot=self._header[2] is not None,
            values={name: int(self._fields[name][2], 16) for name in VALUES},
            is_valid={name: self._fields[name][3] == "1" for name in VALUES},
            bitmap=int(self._fields["valid_bitmap"][2].replace(",", ""), 16),
            line=self._line,
        )
