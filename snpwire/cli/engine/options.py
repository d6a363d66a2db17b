"""The options of request and compare-policies, in groups."""

from typing import Annotated, NamedTuple

import typer

from ..options import Json, Redact, numeric, text

Profile = Annotated[
    str, text("NAME", "firmware profile: milan, genoa, turin, genoa-aspfw, or a file")
]
Seed = Annotated[int, numeric("N", "random seed: the same seed gives the same bytes")]


class RequestOptions(NamedTuple):
    """The requests that the guest issues."""

    version: Annotated[int, numeric("N", "message version")] = 1
    vmpck: Annotated[int, numeric("N", "VMPCK number, 0 to 3")] = 0
    pages: Annotated[int, numeric("N", "certificate pages of ext-report")] = 4
    requests: Annotated[int, numeric("N", "issue N requests", "--count")] = 1


class MachineOptions(NamedTuple):
    """The emulated machine, and the faults injected on it."""

    profile: Profile = "milan"
    cpuid: Annotated[
        str | None, text("FILE", "CPUID values that the firmware accepts, in TOML")
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
    policy: Annotated[str | None, text("FILE", "hypervisor policy, in TOML or JSON")] = None
    inject: Annotated[
        tuple[str, ...],
        text("FAULT[*N][@STEP]", "inject a fault, N times from STEP on; list prints all"),
    ] = ()
    seed: Seed = 0


class TraceOptions(NamedTuple):
    """What to print and save of the trace."""

    boot: Annotated[bool, typer.Option("--boot", help="print the launch too")] = False
    show: Annotated[bool, typer.Option("--show", help="decode every page written")] = False
    json: Json = False
    redact: Redact = False
    save: Annotated[str | None, text("DIR", "save every page in a new directory")] = None
    output: Annotated[
        str | None, text("FILE", "write the last report or payload to FILE", "-o", "--output")
    ] = None
