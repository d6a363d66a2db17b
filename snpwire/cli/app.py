"""The command line: its commands, each declared in the module ``commands`` of its package."""

from pathlib import Path
from typing import Annotated

import typer

from .groups import CommandGroup, Commands


def _own() -> Commands:
    from .commands import COMMANDS

    return COMMANDS


def _messages() -> Commands:
    from .messages.commands import COMMANDS

    return COMMANDS


def _engine() -> Commands:
    from .engine.commands import COMMANDS

    return COMMANDS


def _rmp() -> Commands:
    from .rmp.commands import app

    return Commands(rmp=app)


class AllCommands(CommandGroup):
    """All commands of snpwire."""

    sources = {
        **dict.fromkeys(
            ("decode", "encode", "identify", "explain", "layout", "diff", "log", "recipe"), _own
        ),
        **dict.fromkeys(("seal", "open", "verify"), _messages),
        **dict.fromkeys(("request", "compare-policies"), _engine),
        "rmp": _rmp,
    }


app = typer.Typer(
    cls=AllCommands,
    name="snpwire",
    help="Read, build and explain what passes between an SEV-SNP guest, its hypervisor "
    "and the secure processor.\n\n"
    "snpwire FILE decodes a file, or standard input for -, as what it is.",
    subcommand_metavar="COMMAND [ARGS]... | FILE",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def command_words(words: list[str]) -> list[str]:
    """Return *words* with the command of a FILE that stands where a command does.

    The name of a command wins; a word that is neither is left for the group to refuse.
    """
    first = words[0] if words else "--help"
    if first in ("", "--help", *AllCommands.sources) or words == ["--"]:
        return words
    if first.startswith("-") and first not in ("-", "--"):
        return words
    is_path = first in ("-", "--") or "/" in first or "." in first or Path(first).exists()
    return ["decode", "auto", *words] if is_path else words


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    """Print the version, or the help where no command is given."""
    if version:
        from .. import __version__

        typer.echo(f"snpwire {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
