"""``snpwire compare-policies``: run the same guests under several policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import SnpwireError
from ..input import SourceError, shown_name
from ..output import terminal_style, write_json, write_lines, write_note
from .config_files import load_policy, load_profile, object_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...engine.hypervisor.policy import Policy
    from ...engine.workload import Load, Tally

HEADINGS = ("guest", "asked", "served", "throttled", "retried", "keys lost", "longest", "all done")


def compare(
    files: tuple[str, ...], workload: str | None, *, profile: str, seed: int, json: bool
) -> int:
    """Print the results of every guest under every policy."""
    from ...engine.machine import Machine
    from ...engine.workload import EXAMPLE_POLICIES, run

    chosen = load_profile(profile)
    policies = {shown_name(file): load_policy(file) for file in files} or EXAMPLE_POLICIES
    loads = _loads(workload)
    if not files:
        write_note("no policies given: the case of the 2021 review, commands of 200 ms")
    found = {
        name: run(Machine(chosen, seed=seed), loads, policy) for name, policy in policies.items()
    }
    if json:
        for row in _objects(found, policies):
            write_json(row, indent=None)
    else:
        write_lines(_table(found))
    return 0


def _loads(file: str | None) -> list[Load]:
    from ...engine.workload import EXAMPLE, loads_of

    if file is None:
        return EXAMPLE
    plain = object_of(file)
    try:
        return loads_of(plain)
    except SnpwireError as exc:
        raise SourceError(shown_name(file), exc) from None


def _objects(
    found: dict[str, list[Tally]], policies: dict[str, Policy]
) -> Iterator[dict[str, object]]:
    for name, tallies in found.items():
        yield {
            "schema": "compare-policies/1",
            "policy": name,
            "rules": policies[name].to_plain(),
            "guests": [tally._asdict() for tally in tallies],
        }


def _table(found: dict[str, list[Tally]]) -> list[str]:
    from ...engine.simulation import MILLISECOND, SECOND

    look = terminal_style()
    lines = []
    width = max(len(tally.name) for tallies in found.values() for tally in tallies)
    width = max(width, len(HEADINGS[0]))
    for name, tallies in found.items():
        heading = "  ".join((f"{HEADINGS[0]:<{width}}", *(f"{h:>9}" for h in HEADINGS[1:])))
        lines += ["", look.mark(look.strong, name), f"  {look.mark(look.faint, heading)}"]
        for tally in tallies:
            counts = tally.asked, tally.served, tally.throttled, tally.retried, tally.keys_lost
            times = f"{tally.longest // MILLISECOND} ms", f"{tally.total / SECOND:.1f} s"
            cells = (*map(str, counts), *times)
            lines.append("  " + "  ".join((f"{tally.name:<{width}}", *(f"{c:>9}" for c in cells))))
    return lines[1:]
