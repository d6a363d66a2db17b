"""What some bytes may be: candidates, and the evidence for each.

Scores only order the candidates. Some kinds have so little shape (a doorbell page, a calling area,
a list of ids, a jump table, command buffers, an entry of the reverse map table) that the evidence
for them weighs little. A candidate always decodes as its kind; one that says how many of its bytes
are there does where it need not be whole.

A larger image is not searched: to identify one of several pages, cut it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..wire.address import PAGE
from . import probes, probes_guest, probes_host
from .prefix import prefixes
from .probes import empty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .probes import Evidence

PROBES = probes.PROBES | probes_guest.PROBES | probes_host.PROBES
"""Each kind that is looked for."""
UNKNOWN = "unknown"
"""Kind of the one candidate that says why there is no other."""


class Candidate(NamedTuple):
    """A kind that the bytes may be of."""

    kind: str
    """Name in ``wire.RECORDS``, or ``unknown``."""
    score: float
    """From 0 to 1; it only orders candidates."""
    evidence: tuple[str, ...]


def candidates(data: bytes) -> list[Candidate]:
    """Return what *data* may be, best first; UNKNOWN where no kind fits, with the reason."""
    data = bytes(data)
    probes = () if empty(data) else PROBES.items()
    found = [candidate for name, probe in probes for candidate in _ask(name, probe, data)]
    if probes:
        found += [_candidate(name, evidence) for name, evidence in prefixes(data)]
    if not found or (len(data) > PAGE and len(data) % PAGE == 0):
        found.append(Candidate(UNKNOWN, 0.0, (_reason(data),)))
    return sorted(found, key=lambda candidate: -candidate.score)


def _ask(
    name: str, probe: Callable[[bytes], Iterator[Evidence]], data: bytes
) -> Iterator[Candidate]:
    evidence = list(probe(data))
    if evidence:
        yield _candidate(name, evidence)


def _candidate(name: str, evidence: list[Evidence]) -> Candidate:
    score = min(sum(weight for weight, _ in evidence), 1.0)
    return Candidate(name, round(score, 2), tuple(text for _, text in evidence))


def _reason(data: bytes) -> str:
    if not data:
        return "there are no bytes"
    if empty(data):
        return f"all {len(data)} bytes are zero"
    if len(data) > PAGE and len(data) % PAGE == 0:
        return f"{len(data) // PAGE} pages of 4 KiB: cut one out to have it looked at"
    return f"no kind fits these {len(data)} bytes"
