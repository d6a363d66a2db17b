"""Standard streams, signals, the child and what is unfinished, each in this process.

``test_process`` shows the same from outside. What a test changes here, it puts back: the streams
and the handlers of signals are those of whoever runs the tests.
"""

import errno
import fcntl
import io
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from transcripts import call

import snpwire.__main__ as entry
from snpwire.cli import app as commands
from snpwire.cli import child, scratch
from snpwire.cli.streams import Outlet, keep_answers

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture
def pipe():
    """Return the two ends of a pipe; either may be closed by the test."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        with suppress(OSError):
            os.close(fd)


@pytest.fixture
def full():
    """Return a descriptor that takes nothing, and says so."""
    fd = os.open("/dev/full", os.O_WRONLY)
    yield fd
    os.close(fd)


# What writes to a stream


def test_all_is_written_however_little_is_taken_at_once(pipe, monkeypatch):
    reader, writer = pipe
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    size = Outlet(writer, None).write(memoryview(b"seventeen letters").cast("c"))
    monkeypatch.undo()

    assert size == 17
    assert os.read(reader, 99) == b"seventeen letters"


def test_a_stream_says_what_it_is(pipe):
    main, terminal = os.openpty()
    try:
        assert Outlet(terminal, None).isatty()
    finally:
        os.close(main)
        os.close(terminal)
    outlet = Outlet(pipe[1], None)

    assert (outlet.isatty(), outlet.writable(), outlet.fileno()) == (False, True, pipe[1])


def dropped(outlet, monkeypatch):
    """Return whether a stream takes all that comes and passes nothing on."""
    tried = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda *given: tried.append(given))
        return outlet.write(b"more") == 4 and not tried


def test_a_reader_that_goes_away_is_forgiven(pipe, monkeypatch):
    os.close(pipe[0])
    outlet = Outlet(pipe[1], BrokenPipeError)

    assert outlet.write(b"text") == 4
    assert dropped(outlet, monkeypatch)


def test_a_reader_that_goes_away_is_told_once(pipe, monkeypatch):
    os.close(pipe[0])
    outlet = Outlet(pipe[1], None)

    with pytest.raises(BrokenPipeError):
        outlet.write(b"text")
    assert dropped(outlet, monkeypatch)


@FULL
def test_any_other_error_is_told_once(full, monkeypatch):
    outlet = Outlet(full, BrokenPipeError)

    with pytest.raises(OSError, match="No space left") as caught:
        outlet.write(b"text")
    assert caught.value.errno == errno.ENOSPC
    assert dropped(outlet, monkeypatch)


@FULL
def test_where_any_error_is_forgiven_none_is_told(full, monkeypatch):
    outlet = Outlet(full, OSError)

    assert outlet.write(b"text") == 4
    assert dropped(outlet, monkeypatch)


# What takes the place of the standard streams


@contextmanager
def standing_in(stdin=None, stdout=None, stderr=None):
    """Give the process other standard streams for a while."""
    kept = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = stdin, stdout, stderr
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept


def opened(fd, *, buffered=True):
    """Return a text stream as Python makes it at its start, which leaves *fd* open."""
    raw = io.FileIO(fd, "w", closefd=False)
    beneath = io.BufferedWriter(raw) if buffered else raw
    return io.TextIOWrapper(beneath, "ascii", "strict", write_through=not buffered)


def there(reader):
    """Return what is in a pipe now."""
    os.set_blocking(reader, False)
    try:
        return os.read(reader, 9999)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize(("buffered", "at_once"), [(True, b""), (False, b"text\n")])
def test_output_is_written_at_once_where_python_was_told_so(buffered, at_once, pipe):
    reader, writer = pipe
    with standing_in(None, opened(writer, buffered=buffered), opened(writer)):
        keep_answers(ends=False)
        sys.stdout.write("text\n")
        before = there(reader)
        sys.stdout.flush()
        after = there(reader)

    assert (before, before + after) == (at_once, b"text\n")


def test_lines_go_to_a_terminal_one_by_one(pipe):
    main, terminal = os.openpty()
    try:
        with standing_in(None, opened(terminal), opened(pipe[1])):
            keep_answers(ends=False)
            sys.stdout.write("a line\n")
            shown = there(main)
    finally:
        os.close(main)
        os.close(terminal)

    assert shown == b"a line\r\n"


def test_errors_are_written_at_once(pipe):
    reader, writer = pipe
    with standing_in(None, opened(writer), opened(writer)):
        keep_answers(ends=True)
        sys.stderr.write("wrong")
        said = there(reader)

    assert said == b"wrong"


def test_text_that_the_encoding_lacks_is_escaped(pipe):
    reader, writer = pipe
    with standing_in(None, opened(writer), opened(writer)):
        keep_answers(ends=False)
        encoding = sys.stdout.encoding
        sys.stdout.write("\xe9\udcff")
        sys.stdout.flush()
        said = there(reader)

    assert (said, encoding) == (b"\\xe9\\udcff", "ascii")


def test_a_command_with_an_answer_goes_on_when_nobody_reads(pipe):
    os.close(pipe[0])
    with standing_in(None, opened(pipe[1]), opened(pipe[1])):
        keep_answers(ends=False)
        for stream in (sys.stdout, sys.stderr):
            assert stream.write("text") == 4
            stream.flush()  # raises nothing


def test_a_command_without_an_answer_learns_once_that_nobody_reads(pipe):
    os.close(pipe[0])
    with standing_in(None, opened(pipe[1]), opened(pipe[1])):
        keep_answers(ends=True)
        sys.stdout.write("text")
        with pytest.raises(BrokenPipeError):
            sys.stdout.flush()
        sys.stdout.write("text")
        sys.stdout.flush()


# The child


@pytest.fixture
def signals():
    """Put back the handlers and the mask of the signals that a test changes."""
    numbers = (*child.PASSED_ON, signal.SIGPIPE)
    kept = {number: signal.getsignal(number) for number in numbers}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    for number in numbers:
        signal.signal(number, signal.SIG_DFL if number != signal.SIGPIPE else signal.SIG_IGN)
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    for number, handler in kept.items():
        signal.signal(number, handler)


def forked(monkeypatch, does):
    """Let a child be made that only *does* something and never comes back here."""
    fork = os.fork

    def make():
        number = fork()
        if not number:
            try:
                does()
            finally:
                os._exit(99)
        return number

    monkeypatch.setattr(os, "fork", make)


HAS_THREADS = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


@HAS_THREADS
def test_the_parent_tells_the_exit_code_of_its_child(signals, monkeypatch):
    forked(monkeypatch, lambda: os._exit(4))

    assert child.ending_of_child() == child.Ending(4)
    assert {signal.getsignal(number) for number in child.PASSED_ON} == {signal.SIG_IGN}


@HAS_THREADS
def test_the_parent_tells_the_signal_that_ended_its_child(signals, monkeypatch):
    forked(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGKILL))

    assert child.ending_of_child() == child.Ending(0, signal.SIGKILL)


@HAS_THREADS
def test_a_signal_to_the_parent_is_passed_to_its_child(signals, monkeypatch):
    waitpid = os.waitpid

    def signalled(*given):
        signal.raise_signal(signal.SIGTERM)
        return waitpid(*given)

    def wait():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, child.PASSED_ON)
        time.sleep(60)

    forked(monkeypatch, wait)
    monkeypatch.setattr(os, "waitpid", signalled)

    assert child.ending_of_child() == child.Ending(0, signal.SIGTERM)


@HAS_THREADS
def test_a_signal_that_is_ignored_is_not_passed_on(signals, monkeypatch):
    seen = {}
    waitpid = os.waitpid

    def look(*given):
        seen.update((number, signal.getsignal(number)) for number in child.PASSED_ON)
        return waitpid(*given)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    forked(monkeypatch, lambda: os._exit(0))
    monkeypatch.setattr(os, "waitpid", look)
    child.ending_of_child()

    assert seen[signal.SIGHUP] is signal.SIG_IGN
    assert callable(seen[signal.SIGINT])


def test_in_the_child_nothing_changes(signals, monkeypatch):
    monkeypatch.setattr(os, "fork", lambda: 0)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    assert child.ending_of_child() is None
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    assert {signal.getsignal(number) for number in child.PASSED_ON} == {signal.SIG_DFL}


def test_sizes_are_those_of_files_with_and_without_an_address(tmp_path):
    image, other = tmp_path / "image", tmp_path / "other"
    image.write_bytes(bytes(7))
    other.write_bytes(bytes(9))
    words = ["rmp", str(image), f"{other}@0x1000", str(tmp_path), "a\0b", f"{tmp_path}/none"]

    assert child.sizes(words) == {str(image): 7, str(other): 9}


def test_a_file_that_was_cut_is_known_by_its_size(tmp_path):
    kept, cut = tmp_path / "kept", tmp_path / "cut"
    kept.write_bytes(bytes(7))
    cut.write_bytes(bytes(9))
    before = child.sizes([str(kept), str(cut)])

    assert child.cut_file(before) == "an input"
    os.truncate(cut, 8)
    assert child.cut_file(before) == str(cut)
    cut.unlink()
    assert child.cut_file(before) == str(cut)


# What is unfinished


def left(parent):
    """Make a file as a process leaves it that is killed: nobody has its lock."""
    made = scratch.Scratch.file(parent)
    scratch.OWN.discard(made.path)
    os.close(made.fd)
    return made.path


def test_what_the_dead_left_is_removed_and_what_the_living_make_is_not(tmp_path):
    dead = left(tmp_path)
    ours, theirs = scratch.Scratch.file(tmp_path), scratch.Scratch.folder(tmp_path)
    scratch.OWN.discard(theirs.path)  # as of another process, which holds the lock
    scratch.discard_left(tmp_path)
    after = set(tmp_path.iterdir())
    ours.discard()
    theirs.discard()

    assert dead not in after
    assert after == {ours.path, theirs.path}


def test_what_another_user_left_is_not_removed(tmp_path, monkeypatch):
    dead, user = left(tmp_path), os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    scratch.discard_left(tmp_path)

    assert dead.exists()


def test_without_locks_files_are_made_and_nothing_is_taken_for_left(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    dead = left(tmp_path)
    scratch.discard_left(tmp_path)

    assert dead.exists()


def test_a_file_that_was_taken_for_left_before_it_was_locked_is_made_anew(tmp_path, monkeypatch):
    flock, taken = fcntl.flock, []

    def late(fd, how):
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].unlink()
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    made = scratch.Scratch.file(tmp_path)
    own, after = set(scratch.OWN), list(tmp_path.iterdir())
    made.discard()

    assert after == [made.path]
    assert made.path in own
    assert taken[0] not in own


# How the process ends


class Left(BaseException):
    """The process would have ended here."""


@pytest.fixture
def kernel(monkeypatch):
    """Return what is asked of the kernel instead of this process: handlers, and how it ends."""
    told = SimpleNamespace(handlers={}, calls=[])

    def handle(number, handler):
        told.handlers[number] = handler

    def leave(code):
        told.calls.append(("exit", code))
        raise Left

    for module in (signal, entry.signal):
        monkeypatch.setattr(module, "signal", handle)
        monkeypatch.setattr(
            module, "getsignal", lambda number: told.handlers.get(number, signal.SIG_DFL)
        )
        monkeypatch.setattr(
            module, "pthread_sigmask", lambda how, numbers: told.calls.append((how, set(numbers)))
        )
    monkeypatch.setattr(os, "kill", lambda process, number: told.calls.append((process, number)))
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # what a command sets, the tests do not keep
    return told


def ended_by(number):
    """Return the calls by which a process ends as a signal does."""
    return [
        (signal.SIG_UNBLOCK, {number}),
        (os.getpid(), number),
        ("exit", 128 + number),
    ]


def test_to_die_is_to_be_killed_by_the_signal_itself(kernel):
    kernel.handlers[signal.SIGTERM] = signal.SIG_IGN
    with pytest.raises(Left):
        entry.die(signal.SIGTERM)

    assert kernel.handlers == {signal.SIGTERM: signal.SIG_DFL}
    assert kernel.calls == ended_by(signal.SIGTERM)


def test_no_signal_interrupts_the_removal_of_what_is_unfinished(kernel, tmp_path, monkeypatch):
    made = scratch.Scratch.file(tmp_path)
    seen, discard_all = {}, scratch.discard_all

    def watched():
        seen.update(kernel.handlers)
        discard_all()

    monkeypatch.setattr(scratch, "discard_all", watched)
    entry.settle(0)
    os.close(made.fd)

    assert seen == dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN)
    assert list(tmp_path.iterdir()) == []
    assert kernel.calls == []


def test_a_command_that_made_nothing_loads_nothing_to_remove_it(kernel, monkeypatch):
    monkeypatch.delitem(sys.modules, "snpwire.cli.scratch")
    with pytest.raises(Left):
        entry.settle(signal.SIGHUP)

    assert "snpwire.cli.scratch" not in sys.modules
    assert kernel.calls == ended_by(signal.SIGHUP)


def test_a_request_to_terminate_unwinds():
    with pytest.raises(entry.Terminated) as caught:
        entry.terminate(signal.SIGTERM, None)

    assert caught.value.number == signal.SIGTERM
    assert not isinstance(caught.value, Exception)


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (KeyboardInterrupt(), [("exit", 130)]),
        (entry.Terminated(signal.SIGTERM), ended_by(signal.SIGTERM)),
    ],
    ids=["interrupt", "terminate"],
)
def test_a_signal_where_python_loses_exceptions_ends_the_process(error, calls, kernel):
    with pytest.raises(Left):
        entry.unraisable(SimpleNamespace(exc_value=error))

    assert kernel.calls == calls


def test_any_other_exception_that_is_lost_is_told_as_ever(kernel, monkeypatch):
    told, lost = [], SimpleNamespace(exc_value=ValueError())
    monkeypatch.setattr(sys, "__unraisablehook__", told.append)
    entry.unraisable(lost)

    assert told == [lost]
    assert (kernel.calls, kernel.handlers) == ([], {})


def ending(monkeypatch, what):
    """Run the process's command line, which returns or raises *what*; return its exit code."""

    def answer(_):
        if isinstance(what, BaseException):
            raise what
        return what

    monkeypatch.setattr(entry, "_run", answer)
    with pytest.raises((SystemExit, Left)) as ended:
        entry.run()
    return getattr(ended.value, "code", None)


@pytest.mark.parametrize(("what", "code"), [(0, 0), (1, 1), (KeyboardInterrupt(), 130)], ids=repr)
def test_the_answer_decides_the_exit_code(what, code, kernel, monkeypatch):
    assert ending(monkeypatch, what) == code
    assert kernel.calls == []


@pytest.mark.parametrize(
    ("what", "number"),
    [(entry.UNREAD, signal.SIGPIPE), (entry.Terminated(signal.SIGHUP), signal.SIGHUP)],
    ids=["unread", "terminated"],
)
def test_the_end_by_a_signal_is_one(what, number, kernel, monkeypatch):
    assert ending(monkeypatch, what) is None
    assert kernel.calls == ended_by(number)


@pytest.mark.parametrize("before", [signal.default_int_handler, signal.SIG_IGN], ids=["on", "off"])
def test_an_interrupt_before_the_command_begins_ends_at_once(before, kernel, monkeypatch):
    seen = {}
    kernel.handlers[signal.SIGINT] = before

    def begin(_):
        seen.update(kernel.handlers)
        return 0

    monkeypatch.setattr(entry, "_run", begin)
    with pytest.raises(SystemExit):
        entry.run()

    if before is signal.SIG_IGN:
        assert seen[signal.SIGINT] is signal.SIG_IGN
    else:
        with pytest.raises(Left):
            seen[signal.SIGINT](signal.SIGINT, None)
        assert kernel.calls == [("exit", 130)]


def test_the_module_runs_the_command_line_of_the_process(kernel, pipe, monkeypatch):
    reader, writer = pipe
    file = Path(entry.__file__)
    module = compile(file.read_bytes(), file, "exec")
    monkeypatch.setattr(sys, "argv", ["snpwire", "explain", "exit", "CPUID"])
    hook = sys.unraisablehook
    try:
        with (
            standing_in(io.StringIO(), opened(writer), opened(writer)),
            pytest.raises(SystemExit) as ended,
        ):
            exec(module, {"__name__": "__main__", "__package__": "snpwire"})
    finally:
        sys.unraisablehook = hook

    assert ended.value.code == 0
    assert there(reader) == call(["explain", "exit", "CPUID"])[0]


# One command line in this process, whatever its streams are


def running(words, stdin=None, stdout=None, stderr=None):
    """Run a command line with some streams; return its exit code."""
    hook = sys.unraisablehook
    with standing_in(stdin, stdout, stderr):
        try:
            return entry._run(words)
        finally:
            sys.unraisablehook = hook
            for made, given in ((sys.stdout, stdout), (sys.stderr, stderr)):
                if given is None:
                    made.flush()
                    os.close(made.fileno())
            if stdin is None:
                sys.stdin.close()


@pytest.mark.parametrize(("answer", "code"), [(0, 3), (1, 1), (2, 2)])
def test_a_closed_output_is_no_success_but_takes_no_answer(answer, code, kernel, pipe, monkeypatch):
    reader, writer = pipe
    monkeypatch.setattr(entry, "main", lambda _: answer)

    assert running(["decode"], io.StringIO(), None, opened(writer)) == code
    assert there(reader) == (b"snpwire: <stdout>: is closed\n" if answer == 0 else b"")


def test_closed_streams_are_empty_and_take_all(kernel, monkeypatch):
    seen = {}

    def look(words):
        seen["read"] = sys.stdin.read()
        sys.stdout.write("text")
        seen["written"] = sys.stderr.write("text")
        seen["open"] = [os.fstat(stream.fileno()).st_rdev for stream in (sys.stdout, sys.stderr)]
        return 1

    monkeypatch.setattr(entry, "main", look)

    assert running(["decode"]) == 1
    nowhere = os.stat(os.devnull).st_rdev
    assert seen == {"read": "", "written": 4, "open": [nowhere, nowhere]}


def handled(kernel, monkeypatch, handlers):
    """Return the handlers that a command runs with."""
    seen = {}
    kernel.handlers |= handlers

    def look(_):
        seen.update(kernel.handlers, hook=sys.unraisablehook)
        return 0

    monkeypatch.setattr(entry, "main", look)
    running(["decode"])
    return seen


def test_a_command_is_unwound_by_signals(kernel, monkeypatch):
    assert handled(kernel, monkeypatch, {}) == {
        signal.SIGTERM: entry.terminate,
        signal.SIGHUP: entry.terminate,
        signal.SIGINT: signal.default_int_handler,
        "hook": entry.unraisable,
    }


def test_signals_that_are_ignored_stay_so(kernel, monkeypatch):
    ignored = dict.fromkeys((signal.SIGTERM, signal.SIGHUP, signal.SIGINT), signal.SIG_IGN)

    assert handled(kernel, monkeypatch, ignored) == ignored | {"hook": entry.unraisable}


def test_numpy_has_one_thread_unless_told_otherwise(kernel, monkeypatch):
    monkeypatch.setattr(entry, "main", lambda _: int(os.environ["OPENBLAS_NUM_THREADS"]))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    assert running(["decode"]) == 4
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    assert running(["decode"]) == 1


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], ""),
        (["decode", "ghcb"], "decode"),
        (["rmp"], "rmp"),
        (["rmp", "summary", "x"], "rmp summary"),
    ],
)
def test_a_command_is_named_with_its_group(words, name):
    assert entry.command_of(words) == name


@pytest.mark.parametrize(
    ("words", "code"),
    [(["layout", "msr"], entry.UNREAD), (["identify", "-", "--json"], 1)],
    ids=["without an answer", "with one"],
)
def test_a_command_ends_unread_only_if_it_has_no_answer(words, code, kernel, pipe):
    os.close(pipe[0])
    stdin = io.TextIOWrapper(io.BytesIO(b"\1" * 5))

    assert running(words, stdin, opened(pipe[1]), opened(pipe[1])) == code


# A command that maps files, by how its child ended


def mapped(monkeypatch, pipe, found, words):
    """Run a command whose child ended as *found*, if there is one; return its exit code."""
    monkeypatch.setattr(child, "ending_of_child", found)
    return running(words, io.StringIO(), opened(pipe[1]), opened(pipe[1]))


def test_the_answer_of_the_child_is_that_of_the_command(kernel, pipe, monkeypatch):
    words = ["rmp", "check", "image"]

    assert mapped(monkeypatch, pipe, lambda: child.Ending(1), words) == 1
    assert there(pipe[0]) == b""


def test_a_child_that_a_cut_file_killed_is_one_line(kernel, pipe, monkeypatch, tmp_path):
    image = tmp_path / "image"
    image.write_bytes(bytes(9))

    def cut():
        os.truncate(image, 1)
        return child.Ending(0, signal.SIGBUS)

    assert mapped(monkeypatch, pipe, cut, ["rmp", "check", str(image)]) == 3
    assert there(pipe[0]) == f"snpwire: {image}: was cut while it was read\n".encode()


def test_a_child_that_a_signal_ended_ends_its_parent_so(kernel, pipe, monkeypatch):
    ended = child.Ending(0, signal.SIGTERM)
    with pytest.raises(entry.Terminated) as caught:
        mapped(monkeypatch, pipe, lambda: ended, ["rmp", "check", "image"])

    assert caught.value.number == signal.SIGTERM


def test_the_child_itself_runs_the_command(kernel, pipe, monkeypatch, tmp_path):
    assert mapped(monkeypatch, pipe, lambda: None, ["rmp", "check", f"{tmp_path}/none"]) == 3
    assert b"No such file or directory" in there(pipe[0])


def test_the_help_of_the_group_needs_no_child(kernel, pipe, monkeypatch):
    def never():
        raise AssertionError

    assert mapped(monkeypatch, pipe, never, ["rmp"]) == call(["rmp"])[2]


# What only typer, memory and libraries can raise


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), b"snpwire: there is not enough memory for this\n"),
        (ImportError("no room"), b"snpwire: a library cannot be loaded: no room\n"),
    ],
    ids=["memory", "import"],
)
def test_what_a_process_lacks_is_one_line(error, said, monkeypatch):
    def fail(**_):
        raise error

    monkeypatch.setattr(commands, "app", fail)

    assert call(["layout", "msr"]) == (b"", said, 3)


def test_what_kept_a_library_from_loading_is_told(monkeypatch):
    def fail(**_):
        raise ImportError("see above") from OSError("cannot map")

    monkeypatch.setattr(commands, "app", fail)

    assert call(["layout", "msr"])[1] == b"snpwire: a library cannot be loaded: cannot map\n"


def test_an_abort_of_typer_is_an_interrupt(monkeypatch):
    import typer

    def abort(**_):
        raise typer.Abort

    monkeypatch.setattr(commands, "app", abort)

    assert call(["layout", "msr"]) == (b"", b"", 130)
