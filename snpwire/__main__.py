"""Entry point of ``snpwire`` and ``python -m snpwire``: errors become one line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

DONE, NEGATIVE, USAGE, UNREADABLE, INTERRUPTED = 0, 1, 2, 3, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    import typer

    from .cli.app import app
    from .errors import SnpwireError, UsageError

    words = click_words(sys.argv[1:] if argv is None else argv)
    try:
        try:
            result = app(args=words, prog_name="snpwire", standalone_mode=False)
            sys.stdout.flush()
        except SystemExit as exc:  # typer's reaction to a closed pipe
            raise exc.__context__ or exc from None
    except SnpwireError as exc:
        return complain(str(exc), exc.help, USAGE if isinstance(exc, UsageError) else UNREADABLE)
    except usage_error() as exc:
        return complain(exc.format_message(), usage_help(exc), USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        drop_output()  # the reader has read enough
        return DONE
    except OSError as exc:
        if exc.filename is None:  # errors of files name them; this is standard output
            drop_output()
        place = "<stdout>" if exc.filename is None else exc.filename
        return complain(f"{place}: {exc.strerror or exc}", "", UNREADABLE)
    return result if isinstance(result, int) else DONE


def run() -> None:
    """Run the command line of this process, even if standard streams are closed."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for the life of the process
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open()  # noqa: SIM115 - likewise
    if sys.stdout is None:
        sys.exit(complain("<stdout>: is closed", "", UNREADABLE))
    sys.exit(main())


def drop_output() -> None:
    """Discard buffered output: Python would try to write it again when it exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


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
    if (
        words[:1] == ["explain"]
        and len(words) > 2
        and words[2][:1] == "-"
        and words[2][1:].isdigit()
    ):
        return [*words[:2], *words[3:], "--", words[2]]
    return list(words)


def complain(message: str, help: str, code: int) -> int:
    """Print an error on one line, its remedy on a second, and return *code*."""
    sys.stderr.write(f"snpwire: {one_line(message)}\n")
    if help:
        sys.stderr.write(f"help: {one_line(help)}\n")
    return code


def one_line(text: str) -> str:
    """Return *text* on one line, with unprintable characters, as in file names, escaped."""
    words = " ".join(text.split())
    return words if words.isprintable() else ascii(words)[1:-1]


def usage_help(exc: object) -> str:
    """Return the help to read after a usage error."""
    context = getattr(exc, "ctx", None)
    return f"{context.command_path} --help" if context else "snpwire --help"


if __name__ == "__main__":
    run()
