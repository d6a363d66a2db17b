"""Fuzz decoders, verifiers, the engine and the command line, guided by what lines they run.

    PYTHONPATH=. python tools/fuzz.py --seconds 1000 --jobs 2
    PYTHONPATH=. python tools/fuzz.py --target hex failing.bin

Inputs are mutations of a corpus that starts from seeds. Every input is checked. One in three is
checked again under a tracer, and kept if it takes a step from line to line within snpwire that no
input took before; that costs two to four times the check, hence not every input. A tool such as
atheris would trace in C, and is not needed to run this. With one job a run is the same for the same
seed, as far as it gets.

A failure is an exception that the target does not allow, a property that does not hold, or two
seconds of processor time. Each is shrunk, saved and printed once for every place it comes from.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import signal
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import typer
from fuzz_properties import Broken
from fuzz_targets import TARGETS, Target
from fuzz_tracer import PACKAGE, Tracer

from snpwire.capture import hexdump

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

LIMIT = 1 << 16
"""Longest input: what takes two seconds below this is a failure."""
TRACED = 3
"""One input in so many is traced."""
SLOW = 2.0
"""Seconds of processor time that an input may take."""
KEPT = 1 << 14
"""Longest input that joins the corpus: long ones are slow, and grow again by mutation."""
PATIENCE = 400
"""Checks that the shrinking of one input may take."""
MEMORY = 3 << 30
"""Bytes of address space: an input that needs more is a failure."""


class Slow(BaseException):
    """An input took too long; nothing in the project can catch this by mistake."""


class Failure(NamedTuple):
    """What went wrong, and the input that shows it."""

    data: bytes
    where: str
    """What tells one failure from another: the exception's type and the innermost place."""
    said: str
    """The last line of the traceback."""


class Report(NamedTuple):
    """What came of one run of one target."""

    target: str
    job: int
    runs: int
    seconds: float
    edges: int
    corpus: int
    failures: list[Failure]

    def __str__(self) -> str:
        rate = self.runs / max(self.seconds, 1e-9)
        return (
            f"{self.target:<10}job {self.job}  {self.runs:>8} runs  {rate:>7.0f}/s  "
            f"{self.edges:>6} edges  {self.corpus:>5} inputs  {len(self.failures)} failures"
        )


class Fuzzer:
    """One target, its corpus, and what was found."""

    def __init__(self, target: Target, random: Random) -> None:
        self.target = target
        self.random = random
        self.tracer = Tracer()
        self.corpus: list[bytes] = []
        self.failures: dict[str, Failure] = {}
        self.runs = 0

    def go(self, *, seconds: float, runs: int | None = None) -> None:
        """Try the seeds, then mutations, until time or *runs* are over."""
        end = time.monotonic() + seconds
        waiting = self.target.seeds()[::-1]
        while time.monotonic() < end and (runs is None or self.runs < runs):
            if waiting:
                self._try(waiting.pop()[:LIMIT], keep=True)
            else:
                self._try(self._mutated(), keep=False)

    def _mutated(self) -> bytes:
        random, corpus = self.random, self.corpus
        recent = len(corpus) * 3 // 4 if random.random() < 0.5 else 0
        data, other = corpus[random.randrange(recent, len(corpus))], random.choice(corpus)
        for _ in range(random.choice((1, 1, 2, 3, 5))):
            data = random.choice(self.target.mutations)(random, data, other)[:LIMIT]
        return data

    def _try(self, data: bytes, *, keep: bool) -> None:
        self.runs += 1
        started = time.process_time()
        failure = self.failure(data)
        if failure:
            if failure.where not in self.failures:
                self.failures[failure.where] = self.shrunk(failure)
            keep = keep and not self.corpus
        elif self.runs % TRACED == 0 or keep:
            quick = time.process_time() - started < SLOW / 10
            fresh = quick and self.tracer.new_edges(lambda: self.target.check(data))
            keep = keep or bool(fresh and len(data) <= KEPT)
        if keep:
            self.corpus.append(data)

    def failure(self, data: bytes) -> Failure | None:
        """Return what goes wrong with *data*, if anything does."""
        try:
            with alarm(SLOW):
                self.target.check(data)
        except KeyboardInterrupt:
            raise
        except BaseException as exc:  # SystemExit is a failure as well
            return Failure(data, place_of(exc), "".join(traceback.format_exception_only(exc)))
        return None

    def shrunk(self, failure: Failure) -> Failure:
        """Take chunks out, then set chunks to zero, as long as the failure is the same."""
        left = PATIENCE if "Slow" not in failure.where else 10
        for filler in (b"", b"\0"):
            size = len(failure.data) // 2
            while size and left > 0:
                at = 0
                while at < len(failure.data) and left > 0:
                    data = failure.data
                    hole = filler * len(data[at : at + size])
                    shorter = data[:at] + hole + data[at + size :]
                    found = self.failure(shorter) if shorter != data else None
                    left -= shorter != data
                    if found and found.where == failure.where:
                        failure = found
                        at += len(hole)
                    else:
                        at += size
                size //= 2
        return failure


def place_of(exc: BaseException) -> str:
    """Return the type of an exception and the innermost place that is the project's."""
    frames = traceback.extract_tb(exc.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(PACKAGE)]
    if isinstance(exc, Broken):
        return f"Broken: {exc}"
    if isinstance(exc, Slow | RecursionError | MemoryError):  # the line is a matter of chance
        return f"{type(exc).__name__} below {ours[0].name if ours else 'nothing of the project'}"
    frame = (ours or frames)[-1]
    return f"{type(exc).__name__} in {Path(frame.filename).name}:{frame.lineno} {frame.name}"


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise Slow once the block has taken so much processor time."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Slow(f"more than {seconds:g} s of processor time")

    kept = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, kept)


def fuzz(name: str, *, seed: int, seconds: float, job: int = 0, runs: int | None = None) -> Report:
    """Fuzz one target and return what came of it."""
    fuzzer = Fuzzer(TARGETS[name], Random(f"{seed}/{name}/{job}"))
    started = time.monotonic()
    fuzzer.go(seconds=seconds, runs=runs)
    spent = time.monotonic() - started
    found = list(fuzzer.failures.values())
    edges, corpus = len(fuzzer.tracer.edges), len(fuzzer.corpus)
    return Report(name, job, fuzzer.runs, spent, edges, corpus, found)


class Task(NamedTuple):
    """One run of one target, for a process of its own."""

    target: str
    job: int
    seed: int
    seconds: float
    runs: int | None


def work(task: Task) -> Report:
    """Run a task, within bounds of memory, in a process of its own.

    typer makes its commands anew for every call, which takes longer than what most of them do. A
    row `*` of a dump may stand for very much by design, which is slow and nothing else.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    typer.main.get_command = cache(typer.main.get_command)
    hexdump.LIMIT = LIMIT
    name, job, seed, seconds, runs = task
    return fuzz(name, seed=seed, seconds=seconds, job=job, runs=runs)


def tasks(names: list[str], options: argparse.Namespace) -> list[Task]:
    """Share the time out; the jobs of one target run side by side, each with its own corpus."""
    whole = sum(TARGETS[name].share for name in names)
    return [
        Task(name, job, options.seed, options.seconds * TARGETS[name].share / whole, options.runs)
        for name in names
        for job in range(options.jobs)
    ]


def saved(folder: Path, target: str, failure: Failure) -> str:
    """Write the input of a failure and return what to print of it."""
    path = folder / f"{target}-{hashlib.sha256(failure.data).hexdigest()[:12]}.bin"
    path.write_bytes(failure.data)
    shown = repr(failure.data[:200]) + ("..." if len(failure.data) > 200 else "")
    return f"  {failure.where}\n    {failure.said.strip()}\n    {path}: {shown}\n"


def replay(name: str, files: list[str]) -> int:
    """Check saved inputs, letting the traceback of the first failure out."""
    for file in files:
        TARGETS[name].check(Path(file).read_bytes())
        sys.stdout.write(f"{file}: fine\n")
    return 0


def options_of(words: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Fuzz decoders, verifiers, the engine and the CLI."
    )
    parser.add_argument("files", nargs="*", help="saved inputs to check again, with --target")
    parser.add_argument("--seconds", type=float, default=60, help="how long it takes in all")
    parser.add_argument("--runs", type=int, help="end each target after so many inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", action="append", choices=list(TARGETS))
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--keep", metavar="DIR", help="where failing inputs go")
    options = parser.parse_args(words)
    if options.files and len(options.target or []) != 1:
        parser.error("saved inputs need one --target")
    return options


def main(words: list[str] | None = None) -> int:
    """Fuzz the targets that are asked for; return 1 if anything was found."""
    options = options_of(words)
    names = options.target or list(TARGETS)
    if options.files:
        return replay(names[0], options.files)
    folder = Path(options.keep or tempfile.mkdtemp(prefix="snpwire-fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    found, runs = 0, 0
    with get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool:
        for report in pool.imap(work, tasks(names, options), chunksize=1):
            sys.stdout.write(f"{report}\n")
            for failure in report.failures:
                sys.stdout.write(saved(folder, report.target, failure))
            sys.stdout.flush()
            found += len(report.failures)
            runs += report.runs
    sys.stdout.write(f"{runs} runs, {found} failures" + (f" in {folder}\n" if found else "\n"))
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
