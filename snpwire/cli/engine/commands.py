"""The commands of the engine: request, compare-policies.

Annotations are not postponed: typer would evaluate every one of them whenever it starts.
"""

from typing import Annotated, Optional

import typer

from ..options import AsJson, number

POLICY = """\b
A policy, in TOML or JSON, may have these rules and no others:
  throttle = { burst = 10, interval = 5 }  requests in so many seconds; or "off"
  second = "wait"                          behind another; or "busy-vm", "busy-stream"
  pages = "bounce"                         or "guest": whose pages the firmware is given
  copy_on_failure = true                   copy the answer page after a failure too
  certificates = "none"                    or "chain", or { pages = 5 } to have so many
  latency = { fixed = 0.2 }                or uniform = [0.1, 0.3], exponential = 0.2
"""
REQUEST = f"""Example: snpwire request report --inject alter-answer --show

\b
KIND is one of
  report      an attestation report
  ext-report  a report, and certificates with it
  key         a derived key
  cpuid       CPUID values, checked; as JSON: {{"functions": [{{"eax_in": 1}}]}}
  tsc         scale and offset of the TSC
  vmrk        a root key for a guest that this one brings in as its migration agent
  raw         any message: --type N --payload FILE

{POLICY}"""
COMPARE = f"""Example: snpwire compare-policies strict.toml loose.toml --workload guests.toml

Without policies the case of the 2021 review is shown: requests of 200 ms under no limit, under
Linux's default of 10 in 5 seconds, and others.

{POLICY}
\b
A workload has a list of guests, each with
  name = "victim"
  requests = 10                            how many each of its streams makes
  pause = 2                                seconds before each, else 0
  streams = 1                              how many of its four keys ask side by side
"""

Profile = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="milan, genoa, turin, genoa-aspfw, or a file: whose firmware it is"
    ),
]
Seed = Annotated[
    int, typer.Option(parser=number, metavar="N", help="the same number, the same bytes")
]


def request(  # noqa: PLR0913, PLR0917 - typer takes options as parameters
    what: Annotated[str, typer.Argument(metavar="KIND", show_default=False)] = "",
    file: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(metavar="[JSON]", help="the payload's fields; - is standard input"),
    ] = None,
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", metavar="PATH=VALUE", help="set one field of the payload"),
    ] = None,
    payload: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="the payload as it is, instead of fields"),
    ] = None,
    msg_type: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--type", parser=number, metavar="N", help="the message type of raw"),
    ] = None,
    version: Annotated[
        int, typer.Option(parser=number, metavar="N", help="the message version")
    ] = 1,
    vmpck: Annotated[int, typer.Option(parser=number, metavar="N", help="which of the keys")] = 0,
    pages: Annotated[
        int, typer.Option(parser=number, metavar="N", help="pages for certificates, of ext-report")
    ] = 4,
    count: Annotated[int, typer.Option(parser=number, metavar="N", help="make N requests")] = 1,
    profile: Profile = "milan",
    cpuid: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="which CPUID values the firmware lets pass, in TOML"),
    ] = None,
    vlek: Annotated[
        bool, typer.Option("--vlek", help="load a VLEK, which then signs reports")
    ] = False,
    mask_id: Annotated[
        bool, typer.Option("--mask-id", help="leave the chip's ID out of reports")
    ] = False,
    mask_key: Annotated[
        bool, typer.Option("--mask-key", help="let nothing be made of the chip's own key")
    ] = False,
    policy: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="what the hypervisor does, in TOML or JSON"),
    ] = None,
    inject: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="FAULT[*N][@STEP]", help="let this go wrong, N times from STEP on; list: all"
        ),
    ] = None,
    seed: Seed = 0,
    boot: Annotated[bool, typer.Option("--boot", help="tell of the launch too")] = False,
    show: Annotated[bool, typer.Option("--show", help="decode every page that is written")] = False,
    json: AsJson = False,
    save: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="DIR", help="write every page to a new directory"),
    ] = None,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("-o", "--output", metavar="FILE", help="write what the guest got last"),
    ] = None,
) -> int:
    """Let a guest ask the secure processor, step by step, without hardware."""
    from .request import Asked, Told
    from .request import request as run

    asked = Asked(
        what=what,
        json=file,
        settings=tuple(settings or ()),
        payload=payload,
        msg_type=msg_type,
        version=version,
        vmpck=vmpck,
        pages=pages,
        times=count,
        profile=profile,
        cpuid=cpuid,
        vlek=vlek,
        mask_id=mask_id,
        mask_key=mask_key,
        policy=policy,
        inject=tuple(inject or ()),
        seed=seed,
    )
    return run(asked, Told(boot, show, json, save, output))


def compare_policies(
    files: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="[POLICY]...", help="policies to compare, in TOML or JSON"),
    ] = None,
    workload: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="which guests ask how often, in TOML or JSON"),
    ] = None,
    profile: Profile = "milan",
    seed: Seed = 0,
    json: AsJson = False,
) -> int:
    """Run the same guests under several policies and compare what becomes of them."""
    from .compare import compare

    return compare(files or [], workload, profile=profile, seed=seed, json=json)
