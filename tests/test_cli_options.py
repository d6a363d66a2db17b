"""Groups of options: declared once as a NamedTuple, spread out for typer."""

from typing import Annotated, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from snpwire.cli.options import PieceOptions, grouped


class Many(NamedTuple):
    files: Annotated[tuple[str, ...], typer.Argument()]
    name: Annotated[tuple[str, ...], typer.Option()] = ()
    deep: Annotated[bool, typer.Option("--deep")] = False


@pytest.fixture
def run():
    """Return what calls a command and returns what the command was given."""
    app = typer.Typer(add_completion=False)
    seen = []

    @app.command()
    @grouped
    def command(*, first: Many, size: Annotated[int, typer.Option()] = 3, piece: PieceOptions):
        """Say nothing."""
        seen.append((first, size, piece))
        return 0

    def call(*words):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        return seen[-1] if seen else done.output

    return call


def test_a_command_is_given_its_groups_whole(run):
    given = run("a", "b", "--name", "n", "--name", "m", "--deep", "--page", "0x10")

    assert given == (Many(("a", "b"), ("n", "m"), True), 3, PieceOptions(page=16))


def test_what_is_left_out_is_as_the_group_declares_it(run):
    assert run("a", "--size", "4") == (Many(("a",)), 4, PieceOptions())


def test_help_shows_options_in_the_order_of_the_parameters(run):
    text = run("--help")

    options = [word for word in text.split() if word.startswith("--")]
    assert options[:4] == ["--name", "--deep", "--size", "--from"]
    assert "Say nothing." in text
