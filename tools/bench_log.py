"""What ``bench.py`` measures of logs; by itself, a log of a million lines in lines a second.

PYTHONPATH=. python tools/bench_log.py
"""

from __future__ import annotations

import io
import re
import resource
import sys
import tempfile
from functools import partial
from random import Random
from time import process_time
from timeit import Timer
from typing import TYPE_CHECKING

from bench_contests import Contest, Rival

from snpwire.capture.kernel_log import Reader, records
from snpwire.capture.logs.formats import ANCHORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 1 << 18
TEXT = (
    "usb 1-1: new high-speed device number using xhci_hcd systemd[1]: Started Session of user root."
    ' audit: type=1400 apparmor="STATUS" operation profile_load nvme0n1: p1 p2 EXT4-fs (dm-0):'
    " mounted filesystem with ordered data mode. Quota mode: none. pci 0000:00:01.0: BAR 0:"
    " assigned [mem 0xfebc0000-0xfebdffff] ACPI: PM-Timer IO Port: 0x608 eth0: link is up"
)
WORDS = TEXT.split()
KNOWN = (
    "SEV-SNP: PFN: {:#x}, [0x4050000040240005 - 0x0000000000000000]",
    "kvm_amd: kvm [{}]: vcpu1, guest rIP: 0x0 vmgexit: exit code 0x80000018 is not valid",
    "kvm_vmgexit_enter: vcpu 0, exit_reason 80000011, exit_info1 {:x}, exit_info2 0",
    "sev-guest sev-guest: request [seqno {} type 5 version 1 sz 96]",
)
ENTRY = "SEV-SNP: PFN: {:#x}, [{:#018x} - {:#018x}]"

RIGHTS = (0x0F0F0F0F, 0x0F, 0x1F)


def log(lines: int, every: int) -> bytes:
    """Return a log in which one line of *every* is known; of 0, none; of 1, an RMP entry each."""
    random = Random(1)
    made = []
    for number in range(lines):
        if every == 1:
            gpa, asid = random.getrandbits(20) << 12, random.randint(1, 500) << 51
            text = ENTRY.format(0x100000 + number, 1 << 62 | asid | gpa | 1, random.choice(RIGHTS))
        elif every and number % every == 0:
            text = random.choice(KNOWN).format(number)
        else:
            text = " ".join(random.choices(WORDS, k=10))
        made.append(f"[{number // 100:5}.{number % 100 * 10000:06}] {text}\n")
    return "".join(made).encode()


def chunks(data: bytes) -> Iterator[bytes]:
    """Yield *data* in pieces, as a file gives them."""
    return (data[start : start + CHUNK] for start in range(0, len(data), CHUNK))


def read(data: bytes) -> int:
    """Read a log and count its records."""
    return sum(1 for _ in records(chunks(data)))


def iterated(data: bytes) -> int:
    """Iterate the lines of a log, and do nothing with them."""
    return sum(1 for _ in io.BytesIO(data))


def searched(data: bytes) -> int:
    """Search every line for the words that formats have, as one would at first."""
    pattern = re.compile("|".join(map(re.escape, ANCHORS)).encode())
    return sum(1 for line in io.BytesIO(data) if pattern.search(line))


def logs(lines: int) -> dict[str, Callable[[], Contest]]:
    """Return what makes the contest, by name."""
    return {"log": partial(reading, lines)}


def reading(lines: int) -> Contest:
    """Compare the reader with a search of every line that finds what it reads."""
    usual, none, dense = (log(lines, every) for every in (50, 0, 1))
    rivals = [
        Rival("snpwire, one line in 50 known", Timer(partial(read, usual)), 1),
        Rival("snpwire, no line known", Timer(partial(read, none)), 1.4),
        Rival("snpwire, every line an RMP entry", Timer(partial(read, dense)), 0.35),
        Rival("the lines alone", Timer(partial(iterated, usual))),
    ]
    title = f"Read a log of {lines:,} lines; {lines / 200:g} ms are 200,000 lines a second"
    baseline = "each line searched for the words of formats"
    return Contest(title, baseline, Timer(partial(searched, usual)), rivals, speed=True)


def main() -> int:
    """Print lines a second, and by how much memory grows, over a million lines."""
    lines = 1_000_000
    for every, what in ((50, "one line in 50 known"), (0, "none known"), (1, "RMP entries alone")):
        with tempfile.TemporaryFile() as stream:
            for _ in range(100):
                stream.write(log(lines // 100, every))
            stream.seek(0)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            begun = process_time()
            reader = Reader()
            found = 0
            while data := stream.read(CHUNK):
                found += sum(1 for _ in reader.feed(data))
            found += sum(1 for _ in reader.close())
            taken = process_time() - begun
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(
            f"{what:24} {lines / taken:12,.0f} lines/s of processor time  {found:8} records"
            f"  {reader.lines} lines  memory grew by {grown} KiB"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
