"""The options of request and compare-policies, in groups."""

from typing import Annotated, NamedTuple

import typer

from ..options import Json, number

Profile = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="milan, genoa, turin, genoa-aspfw, or a file: whose firmware it is"
    ),
]
Seed = Annotated[
    int, typer.Option(parser=number, metavar="N", help="the same number, the same bytes")
]


class RequestOptions(NamedTuple):
    """How the guest asks."""

    version: Annotated[
        int, typer.Option(parser=number, metavar="N", help="the message version")
    ] = 1
    vmpck: Annotated[int, typer.Option(parser=number, metavar="N", help="which of the keys")] = 0
    pages: Annotated[
        int, typer.Option(parser=number, metavar="N", help="pages for certificates, of ext-report")
    ] = 4
    requests: Annotated[
        int, typer.Option("--count", parser=number, metavar="N", help="make N requests")
    ] = 1


class MachineOptions(NamedTuple):
    """What machine the guest runs on, and what goes wrong on it."""

    profile: Profile = "milan"
    cpuid: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="which CPUID values the firmware lets pass, in TOML"),
    ] = None
    vlek: Annotated[bool, typer.Option("--vlek", help="load a VLEK, which then signs reports")] = (
        False
    )
    mask_id: Annotated[
        bool, typer.Option("--mask-id", help="leave the chip's ID out of reports")
    ] = False
    mask_key: Annotated[
        bool, typer.Option("--mask-key", help="let nothing be made of the chip's own key")
    ] = False
    policy: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="what the hypervisor does, in TOML or JSON"),
    ] = None
    inject: Annotated[
        tuple[str, ...],
        typer.Option(
            metavar="FAULT[*N][@STEP]", help="let this go wrong, N times from STEP on; list: all"
        ),
    ] = ()
    seed: Seed = 0


class TraceOptions(NamedTuple):
    """What is printed and saved of what happens."""

    boot: Annotated[bool, typer.Option("--boot", help="tell of the launch too")] = False
    show: Annotated[bool, typer.Option("--show", help="decode every page that is written")] = False
    json: Json = False
    save: Annotated[
        str | None, typer.Option(metavar="DIR", help="write every page to a new directory")
    ] = None
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="write what the guest got last"),
    ] = None
