"""The options of request and compare-policies, in groups."""

from typing import Annotated, NamedTuple

import typer

from ..options import Json, Redact, number

Profile = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="firmware profile: milan, genoa, turin, genoa-aspfw, or a file"
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        parser=number, metavar="N", help="random seed: the same seed gives the same bytes"
    ),
]


class RequestOptions(NamedTuple):
    """The requests that the guest issues."""

    version: Annotated[int, typer.Option(parser=number, metavar="N", help="message version")] = 1
    vmpck: Annotated[int, typer.Option(parser=number, metavar="N", help="VMPCK number, 0 to 3")] = 0
    pages: Annotated[
        int, typer.Option(parser=number, metavar="N", help="certificate pages of ext-report")
    ] = 4
    requests: Annotated[
        int, typer.Option("--count", parser=number, metavar="N", help="issue N requests")
    ] = 1


class MachineOptions(NamedTuple):
    """The emulated machine, and the faults injected on it."""

    profile: Profile = "milan"
    cpuid: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="CPUID values that the firmware accepts, in TOML"),
    ] = None
    vlek: Annotated[bool, typer.Option("--vlek", help="load a VLEK, so that it signs reports")] = (
        False
    )
    mask_id: Annotated[bool, typer.Option("--mask-id", help="mask the chip ID in reports")] = False
    mask_key: Annotated[
        bool,
        typer.Option(
            "--mask-key", help="mask the chip key: nothing is signed with it or derived from it"
        ),
    ] = False
    policy: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="hypervisor policy, in TOML or JSON"),
    ] = None
    inject: Annotated[
        tuple[str, ...],
        typer.Option(
            metavar="FAULT[*N][@STEP]", help="inject a fault, N times from STEP on; list prints all"
        ),
    ] = ()
    seed: Seed = 0


class TraceOptions(NamedTuple):
    """What to print and save of the trace."""

    boot: Annotated[bool, typer.Option("--boot", help="print the launch too")] = False
    show: Annotated[bool, typer.Option("--show", help="decode every page written")] = False
    json: Json = False
    redact: Redact = False
    save: Annotated[
        str | None, typer.Option(metavar="DIR", help="save every page in a new directory")
    ] = None
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="write the last report or payload to FILE",
        ),
    ] = None
