"""The commands of the engine: request, compare-policies."""

from typing import Annotated

import typer

from ..groups import Commands
from ..messages.options import PayloadOptions
from ..options import Json, grouped, text
from .options import MachineOptions, Profile, RequestOptions, Seed, TraceOptions

POLICY = """\b
A policy, in TOML or JSON, may have these rules and no others:
  throttle = { burst = 10, interval = 5 }  burst per interval, in seconds; or "off"
  second = "wait"                          while another is in flight; or "busy-vm", "busy-stream"
  pages = "bounce"                         or "guest": which pages the firmware uses
  copy_on_failure = true                   copy the response page after a failure too
  certificates = "none"                    or "chain", or a table of { pages = 5 }
  latency = { fixed = 0.2 }                or uniform = [0.1, 0.3], exponential = 0.2
"""
REQUEST = f"""Example: snpwire request report --inject alter-answer --show

\b
KIND is one of
  report      an attestation report
  ext-report  an attestation report with certificates
  key         a derived key
  cpuid       a check of CPUID values; JSON: {{"functions": [{{"eax_in": 1}}]}}
  tsc         scale and offset of the TSC
  vmrk        a VM root key for an incoming guest, of which this one is the migration agent
  raw         any message: --type N --payload FILE

{POLICY}"""
COMPARE = f"""Example: snpwire compare-policies strict.toml loose.toml --workload guests.toml

Without policies the case of the 2021 review is shown: requests of 200 ms under no limit, under
Linux's default of 10 in 5 seconds, and others.

{POLICY}
\b
A workload has a list of guests, each with
  name = "victim"
  requests = 10                            issued by each stream
  pause = 2                                seconds before each request; default 0
  streams = 1                              VMPCKs in use at once, 1 to 4; default 1
"""

COMMANDS = Commands()


@COMMANDS.command("request", epilog=REQUEST)
@grouped
def request(
    *,
    what: Annotated[str, typer.Argument(metavar="KIND", show_default=False)] = "",
    payload: PayloadOptions,
    options: RequestOptions,
    machine: MachineOptions,
    trace: TraceOptions,
) -> int:
    """Issue guest requests on an emulated machine, step by step."""
    from .request import request as run

    return run(what, payload, options, machine, trace)


@COMMANDS.command("compare-policies", epilog=COMPARE)
@grouped
def compare_policies(
    *,
    files: Annotated[
        tuple[str, ...],
        typer.Argument(metavar="[POLICY]...", help="policies to compare, in TOML or JSON"),
    ] = (),
    workload: Annotated[
        str | None,
        text("FILE", "guests and how often they issue requests, in TOML or JSON"),
    ] = None,
    profile: Profile = "milan",
    seed: Seed = 0,
    json: Json = False,
) -> int:
    """Run the same guests under several hypervisor policies and compare the results."""
    from .compare import compare

    return compare(files, workload, profile=profile, seed=seed, json=json)
