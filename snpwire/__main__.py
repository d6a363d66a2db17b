"""Entry point of ``snpwire`` and ``python -m snpwire``: errors become one line.

The answer decides the exit code, and nothing else: neither a reader that goes away (``streams``)
nor a signal may turn a refusal into a success. Ctrl-C is 130 without a word, from the first moment:
before a command begins there is nothing to clean up, so the process ends where it is. A request to
terminate lets the command remove what it has not finished, then has its usual effect.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # typing takes as long to import as all that is before run
if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence
    from typing import Any, NoReturn, TextIO
else:
    import _signal as signal  # without its enumerations, which take longer to import than the rest

DONE, NEGATIVE, USAGE, UNREADABLE, INTERRUPTED = 0, 1, 2, 3, 130
UNREAD = 128 + signal.SIGPIPE
"""What a shell tells of a process that ends because nobody reads its output."""
STREAMS = (
    *("compare-policies", "encode", "explain", "layout", "log", "seal"),
    *("rmp rules", "rmp summary"),
)
"""Commands without an answer, which end when nobody reads them; any other goes on to its answer."""

MAPPING = "rmp"
"""Group of the commands that map files, which run in a child process (``child``)."""

COLLECTED = 50_000
"""Objects between two garbage collections: at the usual 700 they are a 15th part of a start."""


class Terminated(BaseException):
    """The process is asked to end; as with KeyboardInterrupt, nothing may catch it by mistake."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        return _answer(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError:
        reason = "there is not enough memory for this"
    except ImportError as exc:  # as where a library finds no room
        reason = f"a library cannot be loaded: {exc.__cause__ or exc}"
    except OSError as exc:
        if exc.filename is None and isinstance(exc, BrokenPipeError):
            return UNREAD
        place = "<stdout>" if exc.filename is None else exc.filename
        reason = f"{place}: {exc.strerror or exc}"
    return complain(reason, "", UNREADABLE)


def _answer(words: list[str]) -> int:
    """Run one command line. Raises OSError, MemoryError and KeyboardInterrupt."""
    import typer

    from .cli.app import app, command_words
    from .errors import SnpwireError, UsageError

    try:
        try:
            result = app(
                args=click_words(command_words(words)), prog_name="snpwire", standalone_mode=False
            )
            sys.stdout.flush()
        except SystemExit as exc:  # typer's reaction to a closed pipe
            raise exc.__context__ or exc from None
    except SnpwireError as exc:
        return complain(str(exc), exc.help, USAGE if isinstance(exc, UsageError) else UNREADABLE)
    except usage_error() as exc:
        return complain(exc.format_message(), usage_help(exc), USAGE)
    except typer.Abort:
        return INTERRUPTED
    return result if isinstance(result, int) else DONE


def run() -> NoReturn:
    """Run the command line of this process, and end it as the answer says."""
    gc.set_threshold(COLLECTED)
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    code, number = INTERRUPTED, 0
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:
        pass
    except Terminated as exc:
        number = exc.number
    settle(number or (signal.SIGPIPE if code == UNREAD else 0))
    sys.exit(code)


def settle(number: int) -> None:
    """Remove what is unfinished, now that the answer is found; end as by a signal if it was one."""
    for late in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(late, signal.SIG_IGN)
    if "snpwire.cli.scratch" in sys.modules:
        from .cli.scratch import discard_all

        discard_all()
    if number:
        die(number)


def _run(words: list[str]) -> int:
    """Run a command line, even if standard streams are closed. Raises what signals raise."""
    from .cli.streams import keep_answers

    if sys.stderr is None:
        sys.stderr = _nowhere()
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 - for the life of the process
    closed = sys.stdout is None
    if closed:  # the answer and the files asked for are worth the work all the same
        sys.stdout = _nowhere()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of numpy: each takes memory, none is used
    keep_answers(ends=command_of(words) in STREAMS)
    if words[:1] == [MAPPING] and len(words) > 1:
        from .cli.child import cut_file, ending_of_child, sizes

        before = sizes(words)
        ended = ending_of_child()
        if ended and ended.signal == signal.SIGBUS:
            return complain(f"{cut_file(before)}: was cut while it was read", "", UNREADABLE)
        if ended and ended.signal:
            raise Terminated(ended.signal)
        if ended:
            return ended.code
    import snpwire.cli.app  # noqa: F401 - while an interrupt still ends the process at once

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, terminate)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.unraisablehook = unraisable
    code = main(words)
    return complain("<stdout>: is closed", "", UNREADABLE) if closed and code == DONE else code


def _nowhere() -> TextIO:
    """Return a stream that drops all; its descriptor stays open, as what replaces it has it too."""
    return open(os.open(os.devnull, os.O_WRONLY), "w", closefd=False)


def terminate(number: int, _: object) -> NoReturn:
    """Unwind what is unfinished, for a signal. Raises Terminated."""
    raise Terminated(number)


def unraisable(told: Any) -> None:
    """End the process for a signal that arrived where Python would lose its exception."""
    if isinstance(told.exc_value, KeyboardInterrupt | Terminated):
        settle(getattr(told.exc_value, "number", 0))
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(told)


def die(number: int) -> NoReturn:
    """End the process as the signal *number* does by itself."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # not reached, unless the kernel protects the process


def command_of(words: Sequence[str]) -> str:
    """Return the name of the command in *words*, with its group; all options come after it."""
    return " ".join(words[: 2 if words[:1] == ["rmp"] else 1])


def usage_error() -> Any:
    """Return click's UsageError, from which typer derives whether it bundles click or not."""
    import typer

    return typer.BadParameter.__bases__[0]


def click_words(words: Sequence[str]) -> list[str]:
    """Return words that click can parse: ``--json`` has its value, a negative number ``--``."""
    if words[:1] == ["decode"]:
        stop = words.index("--") if "--" in words else len(words)
        return ["--json=plain" if w == "--json" and n < stop else w for n, w in enumerate(words)]
    if words[:1] == ["verify"]:
        return ["--advisories=all" if word == "--advisories" else word for word in words]
    if words[:1] == ["explain"] and "--" not in words:
        pairs = [*zip(words, ["", *words], strict=False)]
        below = [word for word, before in pairs if _is_negative(word, before)]
        rest = [word for word, before in pairs if not _is_negative(word, before)]
        return [*rest, "--", *below] if below else rest
    return list(words)


def _is_negative(word: str, before: str) -> bool:
    """Return whether a word is a negative number, not an option, nor that of an option."""
    flags = ("--json", "--answer")
    return word[:1] == "-" and word[1:2].isdigit() and (before[:2] != "--" or before in flags)


def complain(message: str, help: str, code: int) -> int:
    """Print an error on one line, its remedy on a second, and return *code*."""
    sys.stderr.write(f"snpwire: {one_line(message)}\n")
    if help:
        sys.stderr.write(f"help: {one_line(help)}\n")
    return code


def one_line(text: str) -> str:
    """Return *text* on one line, with unprintable characters, as in file names, escaped."""
    from .errors import printable

    return printable(" ".join(text.split()))


def usage_help(exc: object) -> str:
    """Return the help to read after a usage error."""
    context = getattr(exc, "ctx", None)
    return f"{context.command_path} --help" if context else "snpwire --help"


if __name__ == "__main__":
    run()
