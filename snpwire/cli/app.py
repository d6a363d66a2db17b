"""The commands and their options, as typer wants them; bodies import what they need.

Annotations are not postponed here: typer would evaluate every one of them whenever it starts.
"""

from typing import Annotated, Optional

import typer

from ..bits import integer
from ..errors import shown
from ..wire import RECORDS

KINDS = "\n".join(f"  {kind.name:<20}{kind.title}" for kind in RECORDS.values())

app = typer.Typer(
    name="snpwire",
    help="Read, build and explain what passes between an SEV-SNP guest, its hypervisor "
    "and the secure processor.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def number(text: str) -> int:
    """Read a number that is not negative, for an option."""
    try:
        value = integer(text)
    except ValueError:
        raise typer.BadParameter(f"{shown(text)} is no number") from None
    if value < 0:
        raise typer.BadParameter(f"{shown(text)} is negative")
    return value


def one_of(*words: str):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Return a callback that refuses what is not one of *words*."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in words:
            raise typer.BadParameter(f"{shown(value)} is not one of {', '.join(words)}")
        return value

    return check


KindName = Annotated[str, typer.Argument(metavar="KIND", show_default=False)]
File = Annotated[str, typer.Argument(metavar="[FILE]", help="the input; - is standard input")]
Form = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="FORM",
        callback=one_of("auto", "raw", "hex", "hex-le", "hex-be", "base64", "kvm"),
        help="auto, raw, hex, hex-le, hex-be, base64, kvm: how to read it",
    ),
]
Offset = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(parser=number, metavar="N", help="begin at byte N of the input"),
]
Length = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(parser=number, metavar="N", help="take N bytes"),
]
Page = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(parser=number, metavar="N", help="take 4 KiB page N of the input"),
]
Json = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--json",
        metavar="[=full]",
        callback=one_of("plain", "full"),
        help="print JSON that encode takes back; =full adds offset, size, hex, text to each leaf",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Way = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--direction",
        metavar="WAY",
        callback=one_of("request", "answer"),
        help="read a GHCB page as request or answer, whatever its bitmap says",
    ),
]
Gpa = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--gpa", parser=number, metavar="ADDR", help="where the GHCB page itself lies"),
]


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


@app.command(
    epilog="Example: snpwire decode ghcb exit.bin\n\n\b\nKINDs:\n"
    + KINDS
    + "\n  auto                whatever identify says"
)
def decode(
    kind: KindName,
    file: File = "-",
    hexdump: Annotated[bool, typer.Option("--hex", help="annotated hex, every byte")] = False,
    json: Json = None,
    fields: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="A,B.C", help="these fields alone"),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="also what is zero and not marked valid")
    ] = False,
    form: Form = "auto",
    offset: Offset = None,
    length: Length = None,
    page: Page = None,
    direction: Way = None,
    gpa: Gpa = None,
    fail_on: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="SEVERITY",
            callback=one_of("note", "warning", "error"),
            help="exit with 1 if a finding is note, warning or error, or worse",
        ),
    ] = None,
) -> int:
    """Decode bytes: what they say, and what is wrong."""
    from ..context import Direction
    from .decode import decode as run
    from .documents import Wanted

    way = Direction(direction) if direction else None
    return run(
        kind,
        file,
        Wanted(form, offset, length, page, way, gpa),
        hexdump=hexdump,
        json=json,
        fields=fields,
        everything=everything,
        fail_on=fail_on,
    )


@app.command(
    epilog="Example: snpwire encode ghcb --set sw_exit_code=CPUID --set rax=0x8000001f "
    "--set valid_bitmap=rax,rcx,sw_exit_code,sw_exit_info_1,sw_exit_info_2 -o page.bin"
)
def encode(
    kind: KindName,
    file: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(metavar="[JSON]", help="what decode --json printed, or fewer fields"),
    ] = None,
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", metavar="PATH=VALUE", help="set one field; @FILE takes its bytes"),
    ] = None,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("-o", "--output", metavar="FILE", help="write here, whole or not at all"),
    ] = None,
    as_hex: Annotated[bool, typer.Option("--hex", help="hex text instead of bytes")] = False,
) -> int:
    """Encode JSON and --set to bytes."""
    from .encode import encode as run

    return run(kind, file, settings or [], output=output, as_hex=as_hex)


@app.command(epilog="Example: snpwire identify dump.bin")
def identify(
    file: File = "-",
    json: AsJson = False,
    form: Form = "auto",
    offset: Offset = None,
    length: Length = None,
    page: Page = None,
) -> int:
    """Tell what an input may be, with the evidence."""
    from .identify import identify as run

    return run(file, form=form, offset=offset, length=length, page=page, json=json)


@app.command(
    epilog="Example: snpwire explain exitinfo2 0x200000000\n\n\b\nWHAT is one of\n"
    "  exit, exitinfo1, exitinfo2, msr, status, action, reason, inject, bitmap, psc,\n"
    "  features, sev-features, term, guid, svsm, svsm-result, or KIND@OFFSET",
)
def explain(
    what: Annotated[str, typer.Argument(metavar="WHAT", show_default=False)],
    value: Annotated[str, typer.Argument(metavar="[VALUE]", show_default=False)] = "",
    exit_code: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--exit", metavar="CODE", help="the exit an operand belongs to"),
    ] = None,
    info1: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--info1", parser=number, metavar="N", help="sw_exit_info_1 beside it"),
    ] = None,
    answer: Annotated[bool, typer.Option("--answer", help="the page is an answer")] = False,
    json: AsJson = False,
) -> int:
    """Explain one number, or the place of a byte."""
    from ..view.explain import Question
    from .explain import run

    return run(what, Question(value, exit_code, info1, answer), json=json)


@app.command(epilog="Example: snpwire layout ghcb --format c")
def layout(
    kind: KindName,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, json, c")] = "text",
) -> int:
    """Print where every field of a kind lies."""
    from .layout import layout as run

    return run(kind, form)


@app.command(epilog="Example: snpwire diff ghcb before.bin after.bin")
def diff(
    kind: KindName,
    left: Annotated[str, typer.Argument(metavar="A", show_default=False)],
    right: Annotated[str, typer.Argument(metavar="B", show_default=False)],
    json: AsJson = False,
    form: Form = "auto",
    offset: Offset = None,
    length: Length = None,
    page: Page = None,
) -> int:
    """Compare two values, field by field."""
    from .diff import diff as run
    from .documents import Wanted

    return run(kind, left, right, Wanted(form, offset, length, page), json=json)
