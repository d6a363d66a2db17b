"""The commands that decode, build and explain.

Annotations are not postponed here: typer would evaluate every one of them whenever it starts.
"""

from typing import Annotated, NamedTuple

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
    register,
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
    from .decode import DecodeOptions
    from .decode import decode as run

    return run(kind, file, piece, DecodeOptions(context, view, *demands))


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


class OperandOptions(NamedTuple):
    """What the operand of an exit belongs to."""

    exit_code: Annotated[str | None, text("CODE", "exit that an operand belongs to", "--exit")] = (
        None
    )
    info1: Annotated[int | None, register("N", "sw_exit_info_1 of the same exit", "--info1")] = None
    response: Annotated[bool, typer.Option("--answer", help="the page is a response")] = False


@COMMANDS.command(
    "explain",
    epilog="Example: snpwire explain exitinfo2 0x200000000\n\n\b\nWHAT is one of\n"
    "  exit, exitinfo1, exitinfo2, msr, msr-info, vmm-error, status, action, reason,\n"
    "  inject, bitmap, psc, features, sev-features, term, guid, svsm, svsm-result,\n"
    "  policy, platform-info, key-info, tcb, mit-vector, advisory, guest-fields, key-select,\n"
    "  msg-type, product, command, page-type, cmdresp, cmdbuf, error-stack,\n"
    "  mailbox, rb-control, rb-head, rb-tail,\n"
    "  kvm-exit, system-event, kvm-sev, errno, sev-status, syscfg, hwcr, vm-cr,\n"
    "  guest-tsc-freq, savic-control, rmpopt-base, iommu-efr, iommu-efr2, cpuid,\n"
    "  cpuid-8000001f-eax, cpuid-8000001f-ebx, cpuid-8000001f-ecx, cpuid-8000001f-edx,\n"
    "  cpuid-80000025-eax, cpuid-80000025-ebx,\n"
    "  rmp, rmp-base, rmp-end, rmp-cfg, rst, npf, pf, rmpadjust, vmpl-mask,\n"
    "  rmpupdate-result, psmash-result, pvalidate-result, rmpadjust-result, KIND@OFFSET,\n"
    "  the number of an MSR as in 0xc0010131, or kds, with a report, a certificate or\n"
    "  an address of the key server as VALUE;\n"
    "without VALUE it lists what there is; a number alone is looked for in all\n\n\b\n"
    "A number has 0x if it is hex. Without it, letters and leading zeros are hex; digits alone\n"
    "are what they can be, decimal or hex, which is said. What can be both is refused.",
)
@grouped
def explain(
    *,
    what: Annotated[str, typer.Argument(metavar="WHAT", show_default=False)],
    values: Annotated[tuple[str, ...], typer.Argument(metavar="[VALUE]", show_default=False)] = (),
    operand: OperandOptions,
    product: Product = None,
    family: Family = None,
    report: Annotated[
        str | None, text("FILE", "report whose TCB versions to explain, of tcb", "--report")
    ] = None,
    json: Json = False,
) -> int:
    """Explain a number, a topic, or the field at an offset."""
    value = " ".join(values)
    if what == "kds":
        from .messages.kds import addresses

        return addresses(value or "-", product=product, json=json)
    from ..view.explain import Question
    from .explain import run

    question = Question(value, *operand, product, family)
    return run(what, question, report=report, json=json)


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
    "  page   pages that a capture script prints\n"
    "  guest  guest kernel and guest driver\n"
    "  qemu   QEMU: launches that failed, and guests that it stopped\n"
    "  iommu  the IOMMU's part in SNP, and its events about the RMP\n"
    "  launch QEMU's trace of a launch: what was measured\n"
    "  svsm   an SVSM at VMPL 0\n"
    "  ovmf   OVMF, the guest's firmware\n"
    "  vmm    Cloud Hypervisor, OpenVMM and OpenHCL\n"
    "  tools  tools of guests and hosts, and verifiers",
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
    unknown: Annotated[
        bool, typer.Option("--unknown", help="show lines about SEV or SNP of no known format, too")
    ] = False,
) -> int:
    """Extract SNP events from a kernel log, a trace or QEMU's messages."""
    from .log import run

    return run(file, only=only, json=json, following=follow, numbers=numbers, unknown=unknown)


@COMMANDS.command("recipe", epilog="Example: snpwire recipe pages.bt -o pages.bt")
def recipe(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", show_default=False, help="one of those listed")
    ] = None,
    output: Output = None,
) -> int:
    """Print a script that captures what snpwire reads, or list them."""
    from .recipe import recipe as run

    return run(name, output)
