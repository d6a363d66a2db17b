"""The commands and their options, as typer wants them; bodies import what they need.

Annotations are not postponed here: typer would evaluate every one of them whenever it starts.
"""

from typing import Annotated

import typer

from ..wire import RECORDS
from .engine import commands as engine
from .messages import commands as messages
from .options import (
    AsHex,
    Command,
    ContextOptions,
    Corrupt,
    FailOn,
    Family,
    Fields,
    File,
    Json,
    KindName,
    Output,
    PieceOptions,
    Product,
    Redact,
    ViewOptions,
    grouped,
    number,
)
from .rmp import commands as rmp

WIDTH = max(map(len, RECORDS)) + 2
KINDS = "\n".join(f"  {kind.name:<{WIDTH}}{kind.title}" for kind in RECORDS.values())

app = typer.Typer(
    name="snpwire",
    help="Read, build and explain what passes between an SEV-SNP guest, its hypervisor "
    "and the secure processor.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


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
    + f"\n  {'command':<{WIDTH}}the buffer of the firmware command that --id names"
    f"\n  {'auto':<{WIDTH}}whatever identify says"
)
@grouped
def decode(
    *,
    kind: KindName,
    file: File = "-",
    view: ViewOptions,
    piece: PieceOptions,
    context: ContextOptions,
    redact: Redact = False,
    fail_on: FailOn = None,
) -> int:
    """Decode bytes: what they say, and what is wrong."""
    from ..context import Direction
    from ..decode.document import Wanted
    from .decode import decode as run

    direction, gpa, product, family, command = context
    way = Direction(direction) if direction else None
    wanted = Wanted(*piece, way, gpa, product, redact, command, family)
    return run(kind, file, wanted, **view._asdict(), fail_on=fail_on)


@app.command(
    epilog="Example: snpwire encode ghcb --set sw_exit_code=CPUID --set rax=0x8000001f "
    "--set valid_bitmap=rax,rcx,sw_exit_code,sw_exit_info_1,sw_exit_info_2 -o page.bin"
)
@grouped
def encode(
    kind: KindName,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[JSON]", help="what decode --json printed, or fewer fields"),
    ] = None,
    *,
    settings: Fields = (),
    output: Output = None,
    as_hex: AsHex = False,
    command: Command = None,
    corrupt: Corrupt = (),
) -> int:
    """Encode JSON and --set to bytes."""
    from .encode import encode as run

    return run(kind, file, settings, output=output, as_hex=as_hex, corrupt=corrupt, command=command)


@app.command(epilog="Example: snpwire identify dump.bin")
@grouped
def identify(*, file: File = "-", json: Json = False, piece: PieceOptions) -> int:
    """Tell what an input may be, with the evidence."""
    from .identify import identify as run

    return run(file, piece, json=json)


@app.command(
    epilog="Example: snpwire explain exitinfo2 0x200000000\n\n\b\nWHAT is one of\n"
    "  exit, exitinfo1, exitinfo2, msr, status, action, reason, inject, bitmap, psc,\n"
    "  features, sev-features, term, guid, svsm, svsm-result, policy, platform-info, key-info,\n"
    "  tcb, guest-fields, msg-type, product,\n"
    "  command, cmdresp, cmdbuf, error-stack, mailbox, rb-control, rb-head, rb-tail,\n"
    "  rmp, rmp-base, rmp-end, rmp-cfg, rst, npf, pf, rmpadjust, vmpl-mask,\n"
    "  rmpupdate-result, psmash-result, pvalidate-result, rmpadjust-result, KIND@OFFSET,\n"
    "  or kds, whose VALUE is the file of a report",
)
def explain(
    what: Annotated[str, typer.Argument(metavar="WHAT", show_default=False)],
    value: Annotated[str, typer.Argument(metavar="[VALUE]", show_default=False)] = "",
    *,
    exit_code: Annotated[
        str | None,
        typer.Option("--exit", metavar="CODE", help="the exit an operand belongs to"),
    ] = None,
    info1: Annotated[
        int | None,
        typer.Option("--info1", parser=number, metavar="N", help="sw_exit_info_1 beside it"),
    ] = None,
    response: Annotated[bool, typer.Option("--answer", help="the page is an answer")] = False,
    product: Product = None,
    family: Family = None,
    json: Json = False,
) -> int:
    """Explain one number, or the place of a byte."""
    if what == "kds":
        from .messages.kds import addresses

        return addresses(value or "-", product=product, json=json)
    from ..view.explain import Question
    from .explain import run

    return run(what, Question(value, exit_code, info1, response, product, family), json=json)


@app.command(epilog="Example: snpwire layout ghcb --format c")
def layout(
    kind: KindName,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="text, json, c, ksy")
    ] = "text",
) -> int:
    """Print where every field of a kind lies."""
    from .explain import layout as run

    return run(kind, form)


@app.command(epilog="Example: snpwire diff ghcb before.bin after.bin")
@grouped
def diff(
    kind: KindName,
    left: Annotated[str, typer.Argument(metavar="A", show_default=False)],
    right: Annotated[str, typer.Argument(metavar="B", show_default=False)],
    *,
    json: Json = False,
    piece: PieceOptions,
    command: Command = None,
) -> int:
    """Compare two values, field by field."""
    from ..decode.document import Wanted
    from .diff import diff as run

    return run(kind, left, right, Wanted(*piece, id=command), json=json)


@app.command(
    epilog="Example: dmesg | snpwire log --only rmp,guest\n\n\b\nFamilies of records:\n"
    "  rmp    entries of the reverse map table, and what failed on them\n"
    "  boot   how SNP was started on a host\n"
    "  ccp    commands to the firmware, with their buffers\n"
    "  kvm    what KVM refused, and the pages it dumps\n"
    "  term   guests that ended themselves\n"
    "  trace  KVM's tracepoints\n"
    "  guest  the guest's kernel and its guest driver\n"
    "  qemu   launches that QEMU could not make\n"
    "  iommu  events of the IOMMU about the RMP"
)
def log(
    file: File = "-",
    only: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="records of these families alone"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print an object of JSON a line")] = False,
    follow: Annotated[
        bool,
        typer.Option("-f", "--follow", help="go on as the file grows, also when it is rotated"),
    ] = False,
    numbers: Annotated[
        bool, typer.Option("-n", "--number", help="begin with the line's number and time")
    ] = False,
) -> int:
    """Read a kernel log, a trace or QEMU's messages: what they say of SNP."""
    from .log import run

    return run(file, only=only, json=json, following=follow, numbers=numbers)


app.command(epilog=messages.SEAL)(messages.seal)
app.command("open", epilog="Example: snpwire open page.bin --key-file vmpck")(messages.open_)
app.command(epilog=messages.VERIFY)(messages.verify)
app.command(epilog=engine.REQUEST)(engine.request)
app.command("compare-policies", epilog=engine.COMPARE)(engine.compare_policies)
app.add_typer(rmp.app, name="rmp")
