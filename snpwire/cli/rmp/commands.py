"""The commands of the reverse map table: ``snpwire rmp summary|find|check|plot``."""

from typing import Annotated

import typer

from ..groups import CommandGroup, Commands
from ..options import FailOn, Json, JsonLines, grouped, numeric, text
from .options import FindOptions, RmpOptions

Limit = Annotated[int, numeric("N", "show at most N; 0 for all")]

COMMANDS = Commands()


@COMMANDS.command("summary", epilog="Example: snpwire rmp summary host.rmp --base 0x88000000")
@grouped
def summary(*, options: RmpOptions, json: Json = False) -> int:
    """Count pages by state, owner and guest."""
    from .summary import run

    return run(options, json=json)


@COMMANDS.command(
    "find",
    epilog="Example: snpwire rmp find host.rmp --asid 3 --gpa 0x100000-0x1fffff\n\n"
    "VMPL permissions are listed as LEVEL:LETTERS, r read, w write, u execute in user mode, "
    "s execute in supervisor mode, k supervisor shadow stack.",
)
@grouped
def find(
    *, wanted: FindOptions, limit: Limit = 100, options: RmpOptions, json: JsonLines = False
) -> int:
    """List pages that match all filters; equal neighbours share a line.

    Exits with 1 if there are none.
    """
    from .find import run

    return run(options, wanted, limit=limit, json=json)


@COMMANDS.command("check", epilog="Example: snpwire rmp check host.rmp --fail-on error")
@grouped
def check(
    *, limit: Limit = 10, fail_on: FailOn = None, options: RmpOptions, json: Json = False
) -> int:
    """Check the table against its rules; each finding has its place and both values.

    --limit applies to the findings of each rule.
    """
    from .check import run

    return run(options, limit=limit, fail_on=fail_on, json=json)


@COMMANDS.command("rules", epilog="Example: snpwire rmp rules")
def rules(json: Json = False) -> int:
    """List the rules that check applies."""
    from .check import rules as run

    return run(json=json)


@COMMANDS.command("plot", epilog="Example: snpwire rmp plot host.rmp -o host.svg")
@grouped
def plot(
    *,
    output: Annotated[tuple[str, ...], text("FILE", "write here: FILE.svg", "-o", "--output")],
    title: Annotated[str | None, text("TEXT", "title; default the name of the file")] = None,
    options: RmpOptions,
) -> int:
    """Draw a map of memory by state and by guest."""
    from .plot import run

    return run(options, output, title)


class RmpCommands(CommandGroup):
    """The commands of ``snpwire rmp``."""

    sources = dict.fromkeys(COMMANDS, lambda: COMMANDS)


app = typer.Typer(
    cls=RmpCommands,
    add_completion=False,
    help="Read the reverse map table (RMP) from images, whole or in part, and from logs.",
    rich_markup_mode=None,
    no_args_is_help=False,
)


@app.callback(invoke_without_command=True)
def top(context: typer.Context) -> None:
    """Print the help where no command is given."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
