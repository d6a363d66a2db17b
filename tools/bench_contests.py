"""What ``bench.py`` measures: each contest is a baseline and what is held against it."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from operator import attrgetter
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from timeit import Timer
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from bench_rivals import cstruct_of, ctypes_of, struct_of

from snpwire.columns import columns, integers
from snpwire.wire.certs import CertEntry
from snpwire.wire.exits import ExitCode
from snpwire.wire.ghcb import Page
from snpwire.wire.message import Header
from snpwire.wire.psc import PscHeader
from snpwire.wire.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from snpwire.layout import Record

ROOT = Path(__file__).resolve().parents[1]


class Rival(NamedTuple):
    """One competitor: what to time, or the verdict where nothing can be; and its target."""

    name: str
    timer: Timer | str
    target: float | None = None


class Contest(NamedTuple):
    """A baseline and its rivals: times the baseline's time, or times its speed."""

    name: str
    baseline: str
    timer: Timer
    rivals: Sequence[Rival]
    speed: bool = False


def contests(pages: int) -> dict[str, Callable[[], Contest]]:
    """Return what makes each contest, by name; an image has *pages*, or 3 times as many reports."""
    samples = {
        "request": (Page, request().build(), "a CPUID request"),
        "random": (Page, Random(1).randbytes(Page.SIZE), "random bytes"),
        "small": (CertEntry, Random(1).randbytes(CertEntry.SIZE), "random bytes"),
        "smallest": (PscHeader, Random(1).randbytes(PscHeader.SIZE), "random bytes"),
        "header": (Header, Random(1).randbytes(Header.SIZE), "random bytes"),
        "report": (Report, Random(1).randbytes(Report.SIZE), "random bytes"),
    }
    made: dict[str, Callable[[], Contest]] = {}
    for name, (record, data, what) in samples.items():
        title = f"{record.__name__}, {record.SIZE} bytes, {what}"
        made[f"decode-{name}"] = partial(decode, record, data, f"Decode {title}")
        made[f"encode-{name}"] = partial(encode, record, data, f"Encode {title}")
    made["columns"] = partial(batch, Page, pages, 0.8)
    made["columns-report"] = partial(batch, Report, 3 * pages, 1)
    return made | {"start": start}


def request() -> Page:
    """Return the page of a CPUID request, with the fields Linux fills in."""
    return Page(
        rax=0x8000_001F,
        sw_exit_code=ExitCode.CPUID,
        valid_bitmap=sum(1 << n for n in (63, 97, 114, 115, 116)),
        protocol_version=2,
    )


def timed(statement: str, *, clock: Callable[[], float] = process_time, **names: Any) -> Timer:
    """Return a timer of *statement*, which sees *names* alone.

    What counts is the processor's time: on a busy machine another process can get every other turn,
    always in the same way's slice, which then seems to take twice as long.
    """
    return Timer(statement, timer=clock, globals=names)


def decode(record: type[Record], data: bytes, title: str) -> Contest:
    """Compare the ways to read one record."""
    every = attrgetter(*(tile.path for tile in record.FIELDS))
    copy, schema = ctypes_of(record).from_buffer_copy, record.SCHEMA
    rivals = (
        Rival("snpwire", timed("f(d)", f=record.parse, d=data), 6),
        Rival("snpwire, and each field typed", timed("g(f(d))", f=record.parse, g=every, d=data)),
        Rival("ctypes", timed("f(d)", f=copy, d=data)),
        Rival("ctypes, and each field", timed("g(f(d))", f=copy, g=every, d=data)),
        Rival("construct", timed("f(d)", f=schema.parse, d=data)),
        Rival("construct, compiled", timed("f(d)", f=schema.compile().parse, d=data)),
        Rival("dissect.cstruct, compiled", dissected("f(d)", record, data)),
    )
    limit = timed("f(d)", f=struct_of(record).unpack_from, d=data)
    return Contest(title, "struct.unpack_from, to a bare tuple", limit, rivals)


def encode(record: type[Record], data: bytes, title: str) -> Contest:
    """Compare the ways to write one record."""
    value, schema = record.parse(data), record.SCHEMA
    tree, plain = schema.parse(data), struct_of(record)
    given = {t.path: v for t, v in value.values() if not t.gap and v != getattr(record(), t.path)}
    keywords = f"snpwire, made of {len(given)} keywords first"
    rivals = (
        Rival("snpwire", timed("v.build()", v=value), 5),
        Rival(keywords, timed("r(**k).build()", r=record, k=given)),
        Rival("ctypes", timed("bytes(v)", v=ctypes_of(record).from_buffer_copy(data))),
        Rival("construct", timed("f(v)", f=schema.build, v=tree)),
        Rival("construct, compiled", timed("f(v)", f=schema.compile().build, v=tree)),
        Rival("dissect.cstruct, compiled", dissected("v.dumps()", record, data)),
    )
    limit = timed("f(*v)", f=plain.pack, v=plain.unpack(data))
    return Contest(title, "struct.pack, of a bare tuple", limit, rivals)


def dissected(statement: str, record: type[Record], data: bytes) -> Timer | str:
    """Return a timer of dissect.cstruct, or the word that it is not installed."""
    try:
        kind = cstruct_of(record)
    except ImportError:
        return "skipped: dissect.cstruct is not installed"
    return timed(statement, f=kind, d=data, v=kind(data))


def aligned(size: int) -> NDArray[np.uint8]:
    """Return memory that starts at a page; elsewhere a large copy can take three times as long."""
    memory = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)


def batch(record: type[Record], count: int, target: float) -> Contest:
    """Compare the ways to read the integers of many records, all of the image being in memory."""
    image, copy = aligned(count * record.SIZE), aligned(count * record.SIZE)
    image[:] = np.random.default_rng(1).integers(0, 256, len(image), np.uint8)
    copy[:] = image
    warm, rows = columns(record, image), image.view(record.dtype())
    paths = [tile.path for tile in integers(record)]
    names: dict[str, Any] = {"f": columns, "r": record, "i": image, "w": warm}

    def each() -> list[NDArray[Any]]:
        return [np.ascontiguousarray(rows[path]) for path in paths]

    def each_into() -> None:
        for path in paths:
            warm[path].view(rows[path].dtype).reshape(-1)[:] = rows[path]

    rivals = (
        Rival("columns, into used memory", timed("f(r, i, out=w)", **names), target),
        Rival("columns, into new memory", timed("f(r, i)", **names), target),
        Rival("field by field, into used memory", timed("f()", f=each_into)),
        Rival("field by field, ascontiguousarray", timed("f()", f=each)),
        Rival("memcpy, into new memory", timed("i.copy()", i=image)),
    )
    title = f"{len(paths)} integers of {count} {record.__name__} records, {len(image) / 1e6:.1f} MB"
    baseline = timed("f(c, i)", f=np.copyto, c=copy, i=image)
    return Contest(title, "memcpy, page-aligned, into used memory", baseline, rivals, speed=True)


def start() -> Contest:
    """Compare whole runs of the command line with an interpreter that does nothing."""
    folder = tempfile.TemporaryDirectory(prefix="snpwire-bench-")
    page = Path(folder.name) / "page.bin"
    page.write_bytes(request().build())
    shell = environment(folder.name)
    script = shutil.which("snpwire", path=str(Path(sys.executable).parent))
    ways = {
        "python -m snpwire": [sys.executable, "-m", "snpwire"],
        "snpwire": [script] if script else None,
    }
    tasks = {"--help": ["--help"], "decode ghcb PAGE": ["decode", "ghcb", str(page)]}
    rivals = [
        Rival(f"{way} {task}", ran(command and [*command, *words], shell), 13)
        for way, command in ways.items()
        for task, words in tasks.items()
    ]
    timer = process([sys.executable, "-c", "pass"], shell, folder)
    return Contest("Start of a process", "python -c pass", timer, rivals)


def ran(command: list[str] | None, shell: dict[str, str]) -> Timer | str:
    """Return a timer of *command*, or what went wrong when it ran once."""
    if command is None:
        return "skipped: not installed"
    done = subprocess.run(command, capture_output=True, text=True, env=shell, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        return f"MISS: it failed with {done.returncode}: {last}"
    return process(command, shell)


def process(command: list[str], shell: dict[str, str], keep: object = None) -> Timer:
    """Return a timer of one run of *command*; *keep* lives as long as the timer."""
    options = {"env": shell, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    names: dict[str, Any] = {
        "run": subprocess.run,
        "command": command,
        "options": options,
        "keep": keep,
    }
    return Timer("run(command, check=True, **options)", timer=perf_counter, globals=names)


def environment(folder: str) -> dict[str, str]:
    """Return an environment that finds this checkout and keeps compiled modules in *folder*.

    Without them each start would compile the package anew, as no installed program does.
    """
    kept = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": folder}
