"""The commands of the reverse map table: ``snpwire rmp summary|find|check|plot``.

Annotations are not postponed: typer would evaluate every one of them whenever it starts.
"""

from typing import Annotated, Optional

import typer

from ..options import AsJson, Length, Offset, number, one_of

app = typer.Typer(
    help="Read the reverse map table: images of it, whole or in part, and logs.",
    rich_markup_mode=None,
    no_args_is_help=False,
)

Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE",
        help="an image of the table, or a log; - is standard input; of several parts each is "
        "FILE@ADDRESS, where the memory begins that it speaks for",
        show_default=False,
    ),
]
Form = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="FORM",
        callback=one_of("auto", "image", "log"),
        help="auto, image, log: how to read it",
    ),
]
Counters = Annotated[
    Optional[bool],  # noqa: UP045
    typer.Option(
        "--counters/--no-counters",
        help="whether 16 KiB of ASID counters come before the entries; else the image tells",
        show_default=False,
    ),
]
Base = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(parser=number, metavar="ADDR", help="RMP_BASE, where the table itself lies"),
]
First = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        parser=number, metavar="PFN", help="a part of a table: the page of its first entry"
    ),
]
Segments = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        metavar="FILE", help="the segment table; the images are its segments, in its order"
    ),
]
Shift = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        parser=number, metavar="N", help="a segment covers 2^N bytes (RMP_CFG 13:8), else 37"
    ),
]
Limit = Annotated[
    int, typer.Option(parser=number, metavar="N", help="how many are shown; 0 for all")
]


@app.callback(invoke_without_command=True)
def top(context: typer.Context) -> None:
    """Print the help where no command is given."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@app.command(epilog="Example: snpwire rmp summary host.rmp --base 0x88000000")
def summary(
    images: Images,
    form: Form = "auto",
    counters: Counters = None,
    base: Base = None,
    first: First = None,
    segments: Segments = None,
    shift: Shift = None,
    offset: Offset = None,
    length: Length = None,
    json: AsJson = False,
) -> int:
    """Count pages by state, owner and guest; tell what else the table says."""
    from .input import Wish
    from .summary import run

    wish = Wish(tuple(images), form, counters, base, first, offset or 0, length, segments, shift)
    return run(wish, json=json)


@app.command(
    epilog="Example: snpwire rmp find host.rmp --asid 3 --gpa 0x100000-0x1fffff\n\n"
    "Rights are listed as LEVEL:LETTERS, r read, w write, u execute in user mode, s execute in "
    "supervisor mode, k supervisor shadow stack."
)
def find(
    images: Images,
    state: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="STATE", help="in this state, or one of several"),
    ] = None,
    asid: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(parser=number, metavar="N", help="of this guest; 0 of none"),
    ] = None,
    gpa: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="ADDR[-ADDR]", help="with this guest address, or one up to the other"),
    ] = None,
    pages: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="PFN[-PFN]", help="this page of the host, or one up to the other"),
    ] = None,
    rights: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="VMPL:RIGHT[,RIGHT]",
            help="where a VMPL may do this: read, write, exec_user, exec_supervisor, sss",
        ),
    ] = None,
    size: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="SIZE", callback=one_of("4k", "2m"), help="4k, 2m"),
    ] = None,
    where: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="FIELD=N", help="with this field of lo: vmsa=1, immutable=1 .."),
    ] = None,
    limit: Limit = 100,
    form: Form = "auto",
    counters: Counters = None,
    base: Base = None,
    first: First = None,
    segments: Segments = None,
    shift: Shift = None,
    offset: Offset = None,
    length: Length = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON, an object a line")] = False,
) -> int:
    """List pages that fit all that is asked for; neighbours that are alike are one line.

    Exits with 1 if there are none.
    """
    from .find import Query, run
    from .input import Wish

    wish = Wish(tuple(images), form, counters, base, first, offset or 0, length, segments, shift)
    query = Query(
        tuple(state or ()), asid, gpa, pages, tuple(rights or ()), size, tuple(where or ())
    )
    return run(wish, query, limit=limit, json=json)


@app.command(epilog="Example: snpwire rmp check host.rmp --fail-on error")
def check(
    images: Images,
    limit: Limit = 10,
    fail_on: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="SEVERITY",
            callback=one_of("note", "warning", "error"),
            help="exit with 1 if a finding is note, warning or error, or worse",
        ),
    ] = None,
    form: Form = "auto",
    counters: Counters = None,
    base: Base = None,
    first: First = None,
    segments: Segments = None,
    shift: Shift = None,
    offset: Offset = None,
    length: Length = None,
    json: AsJson = False,
) -> int:
    """Hold the table against its rules: each finding has its place and both values.

    --limit counts the findings of each rule.
    """
    from .check import run
    from .input import Wish

    wish = Wish(tuple(images), form, counters, base, first, offset or 0, length, segments, shift)
    return run(wish, limit=limit, fail_on=fail_on, json=json)


@app.command(epilog="Example: snpwire rmp rules")
def rules(json: AsJson = False) -> int:
    """List the rules that check holds a table against."""
    from .check import rules as run

    return run(json=json)


@app.command(epilog="Example: snpwire rmp plot host.rmp -o host.svg")
def plot(
    images: Images,
    output: Annotated[
        list[str],
        typer.Option("-o", "--output", metavar="FILE", help="write here: FILE.svg"),
    ],
    title: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="TEXT", help="what stands above it, else the name of the file"),
    ] = None,
    form: Form = "auto",
    counters: Counters = None,
    base: Base = None,
    first: First = None,
    segments: Segments = None,
    shift: Shift = None,
    offset: Offset = None,
    length: Length = None,
) -> int:
    """Draw a map of the memory by state and by guest."""
    from .input import Wish
    from .plot import run

    wish = Wish(tuple(images), form, counters, base, first, offset or 0, length, segments, shift)
    return run(wish, output, title)
