"""The commands that decode, build and explain.

Annotations are not postponed here: typer would evaluate every one of them whenever it starts.
"""

from typing import Annotated

import typer

from ..wire import RECORDS
from .groups import Commands
from .options import (
    AsHex,
    Command,
    ContextOptions,
    Corrupt,
    DemandOptions,
    Family,
    Fields,
    File,
    Json,
    JsonLines,
    KindName,
    Output,
    PieceOptions,
    Product,
    Strict,
    ViewOptions,
    grouped,
    numeric,
    text,
)

WIDTH = max(map(len, RECORDS)) + 2
KINDS = "\n".join(f"  {kind.name:<{WIDTH}}{kind.title}" for kind in RECORDS.values())

COMMANDS = Commands()


@COMMANDS.command(
    "decode",
    epilog="Without KIND, FILE is read as what it is; so is that of snpwire FILE.\n\n"
    "Example: snpwire decode ghcb exit.bin\n\n\b\nKINDs:\n"
    + KINDS
    + f"\n  {'cert':<{WIDTH}}certificates and revocation lists, DER, PEM or in a certificate table"
    f"\n  {'command':<{WIDTH}}the buffer of the firmware command that --id names"
    f"\n  {'auto':<{WIDTH}}the likeliest kind, as identify reports it",
)
@grouped
def decode(
    *,
    kind: Annotated[
        str, typer.Argument(metavar="[KIND]", show_default=False, help="one of those below")
    ],
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="the input; - is standard input")
    ] = None,
    view: ViewOptions,
    piece: PieceOptions,
    context: ContextOptions,
    demands: DemandOptions,
) -> int:
    """Decode bytes to fields, with findings."""
    from .decode import Reading
    from .decode import decode as run

    return run(kind, file, piece, Reading(context, view, *demands))


@COMMANDS.command(
    "encode",
    epilog="Example: snpwire encode ghcb --set sw_exit_code=CPUID --set rax=0x8000001f "
    "--set valid_bitmap=rax,rcx,sw_exit_code,sw_exit_info_1,sw_exit_info_2 -o page.bin",
)
@grouped
def encode(
    *,
    kind: KindName,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[JSON]", help="output of decode --json, or some of its fields"),
    ] = None,
    settings: Fields = (),
    output: Output = None,
    as_hex: AsHex = False,
    command: Command = None,
    corrupt: Corrupt = (),
) -> int:
    """Build bytes from JSON and --set."""
    from .encode import encode as run

    return run(kind, file, settings, output=output, as_hex=as_hex, corrupt=corrupt, command=command)


@COMMANDS.command("identify", epilog="Example: snpwire identify dump.bin")
@grouped
def identify(*, file: File = "-", json: Json = False, piece: PieceOptions) -> int:
    """Identify the kind of an input, with the evidence."""
    from .identify import identify as run

    return run(file, piece, json=json)


@COMMANDS.command(
    "explain",
    epilog="Example: snpwire explain exitinfo2 0x200000000\n\n\b\nWHAT is one of\n"
    "  exit, exitinfo1, exitinfo2, msr, status, action, reason, inject, bitmap, psc,\n"
    "  features, sev-features, term, guid, svsm, svsm-result, policy, platform-info, key-info,\n"
    "  tcb, advisory, guest-fields, msg-type, product,\n"
    "  command, cmdresp, cmdbuf, error-stack, mailbox, rb-control, rb-head, rb-tail,\n"
    "  rmp, rmp-base, rmp-end, rmp-cfg, rst, npf, pf, rmpadjust, vmpl-mask,\n"
    "  rmpupdate-result, psmash-result, pvalidate-result, rmpadjust-result, KIND@OFFSET,\n"
    "  or kds, with a report, a certificate or an address of the key server as VALUE",
)
def explain(
    what: Annotated[str, typer.Argument(metavar="WHAT", show_default=False)],
    value: Annotated[str, typer.Argument(metavar="[VALUE]", show_default=False)] = "",
    *,
    exit_code: Annotated[
        str | None, text("CODE", "exit that an operand belongs to", "--exit")
    ] = None,
    info1: Annotated[int | None, numeric("N", "sw_exit_info_1 of the same exit", "--info1")] = None,
    response: Annotated[bool, typer.Option("--answer", help="the page is a response")] = False,
    product: Product = None,
    family: Family = None,
    json: Json = False,
) -> int:
    """Explain a number, or the field at an offset."""
    if what == "kds":
        from .messages.kds import addresses

        return addresses(value or "-", product=product, json=json)
    from ..view.explain import Question
    from .explain import run

    return run(what, Question(value, exit_code, info1, response, product, family), json=json)


@COMMANDS.command("layout", epilog="Example: snpwire layout ghcb --format c")
def layout(
    kind: KindName,
    form: Annotated[str, text("FORMAT", "output format: text, json, c, ksy", "--format")] = "text",
) -> int:
    """Print the layout of a kind: every field with its offset."""
    from .explain import layout as run

    return run(kind, form)


@COMMANDS.command("diff", epilog="Example: snpwire diff ghcb before.bin after.bin")
@grouped
def diff(
    *,
    kind: KindName,
    left: Annotated[str, typer.Argument(metavar="A", show_default=False)],
    right: Annotated[str, typer.Argument(metavar="B", show_default=False)],
    json: Json = False,
    piece: PieceOptions,
    strict: Strict = False,
    command: Command = None,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="print keys and nonces that differ")
    ] = False,
) -> int:
    """Compare two values, field by field."""
    from .diff import diff as run

    wanted = {"json": json, "show_secrets": show_secrets, "strict": strict}
    return run(kind, left, right, piece, command=command, **wanted)


@COMMANDS.command(
    "log",
    epilog="Example: dmesg | snpwire log --only rmp,guest\n\n\b\nRecord types:\n"
    "  rmp    RMP entries, and failures on them\n"
    "  boot   SNP initialisation of a host\n"
    "  ccp    firmware commands, with their buffers\n"
    "  kvm    requests that KVM refused, and pages that it dumps\n"
    "  term   guests that terminated themselves\n"
    "  trace  KVM tracepoints\n"
    "  guest  guest kernel and guest driver\n"
    "  qemu   launch failures of QEMU\n"
    "  iommu  IOMMU events about the RMP",
)
def log(
    file: File = "-",
    only: Annotated[str | None, text("A,B", "only these record types")] = None,
    json: JsonLines = False,
    follow: Annotated[
        bool,
        typer.Option("-f", "--follow", help="follow the file as it grows, across rotation"),
    ] = False,
    numbers: Annotated[
        bool, typer.Option("-n", "--number", help="print the number and time of each line")
    ] = False,
) -> int:
    """Extract SNP events from a kernel log, a trace or QEMU's messages."""
    from .log import run

    return run(file, only=only, json=json, following=follow, numbers=numbers)
