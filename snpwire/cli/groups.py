"""Groups of commands, of which a start prepares only the one that it runs.

typer makes an object of every parameter of every command before it looks at the first word. Here a
command is a Typer of its own. A group knows the names of its commands, asks a module for them when
it has to, and has typer prepare the one that runs.
"""

from collections.abc import Callable
from inspect import cleandoc
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


class Commands(dict[str, typer.Typer]):
    """The commands that a module declares, by name."""

    def command(self, name: str, *, epilog: str) -> Callable[[Callable[..., int]], None]:
        """Return a decorator that declares its function as the command *name*."""

        def declare(function: Callable[..., int]) -> None:
            self[name] = typer.Typer(
                help=function.__doc__, add_completion=False, rich_markup_mode=None
            )
            self[name].command(name, epilog=epilog)(function)

        return declare


class CommandGroup(TyperGroup):
    """A group whose commands are found when they are needed."""

    sources: ClassVar[dict[str, Callable[[], Commands]]] = {}
    """Name of each command, in the order of the help, and what imports its declaration."""

    def __init__(self, **attributes: Any) -> None:
        """Make the group with names alone, from which typer derives the nearest to a wrong one."""
        super().__init__(**attributes | {"commands": dict.fromkeys(self.sources)})

    def get_command(self, _: object, name: str) -> TyperCommand | None:
        """Return what a list of commands shows of *name*, or None where there is none."""
        if name not in self.sources:
            return None
        return TyperCommand(name, help=cleandoc(self._declared(name).info.help or ""))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that *args* begin with, ready to run. Raises UsageError of click."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, name and get_command(self._declared(name)), rest

    def _declared(self, name: str) -> typer.Typer:
        return self.sources[name]()[name]
