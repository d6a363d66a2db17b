"""Some four hundred reports for verifiers, each with the verdict that is correct.

    for sample in reports():
        assert my_verifier(sample.report, sample.certificates, sample.at) is sample.genuine

The emulated machine makes them: every product, report version and kind of key, and what a guest
and its host may vary; then everything that can be wrong with one, one fault at a time. Whether a
genuine report is acceptable is another question: a guest that may be debugged has a genuine one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ...bits import nearest
from ...engine.profile import profile_named
from ...errors import DecodeError, UsageError, shown
from ...wire.report import Report
from .attestation import NOW, Origin, VerifierInput, certificates_of, evidence_of, pem
from .bad_chains import BAD_CHAINS, HARMLESS_CHAINS
from .forgery import FORGED_REPORTS
from .variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ...crypto.link import Link
    from ...engine.guest.guest import Guest
    from ...engine.machine import Machine
    from .attestation import ReportChange
    from .variants import Variant

PROFILES = ("milan", "genoa", "turin")
VERSIONS = (2, 3, 5)


class Sample(NamedTuple):
    """One report, and all other inputs of a verifier."""

    name: str
    """``genoa-v3-vcek-debug``: profile, report version, key, variant."""
    why: str
    report: bytes
    certificates: tuple[bytes, ...]
    """DER; VCEK or VLEK, ASK or ASVK, ARK; some may be missing."""
    root: bytes
    """The ARK to trust, DER; ``certificates`` may end with another."""
    at: datetime
    """The time of verification."""
    crl: bytes = b""
    """A certificate revocation list, DER, or nothing."""
    fails: tuple[str, ...] = ()
    """The links that fail, as ``snpwire verify`` names them; ``size`` if it is no report."""

    @property
    def genuine(self) -> bool:
        """Return whether a verifier must accept it."""
        return not self.fails

    @property
    def pem(self) -> bytes:
        """Return the certificates as PEM, concatenated."""
        return b"".join(map(pem, self.certificates))

    @property
    def fields(self) -> Report:
        """Return the report, decoded. Raises DecodeError if its size is wrong."""
        return Report.parse(self.report)

    def links(self) -> list[Link]:
        """Return the links of ``snpwire verify``, trusting ``root``. Raises DecodeError."""
        from ...crypto.certificates import load, load_crl, pin
        from ...crypto.verify import verify

        rows = [row for document in self.certificates for row in load(document)]
        roots = {pin(load(self.root)[0]): "the TEST root"}
        crl = load_crl(self.crl) if self.crl else None
        return verify(self.report, rows, roots=roots, crl=crl, at=self.at)

    def failing(self) -> tuple[str, ...]:
        """Return the links that ``snpwire verify`` finds failing; ``size`` for no report."""
        from ...crypto.link import failures

        try:
            return tuple(link.name for link in failures(self.links()))
        except DecodeError:
            return ("size",)


def sample_of(machine: Machine, guest: Guest, data: bytes = bytes(64)) -> Sample:
    """Return the report of a guest with 64 bytes of data. Raises DriverError and StoppedError."""
    report = guest.report(data)
    certificates = certificates_of(machine)
    name = f"{machine.profile.name}-{guest.vm.name}"
    return Sample(name, "as the machine is", report, certificates, certificates.root, NOW)


class Recipe(NamedTuple):
    """How to make a sample."""

    origin: Origin
    variant: Variant
    change: ReportChange | None = None

    def make(self, name: str) -> Sample:
        """Make the sample, which runs a machine and signs up to three certificates."""
        evidence = evidence_of(self.variant.change(self.origin))
        change = self.change
        inputs = change.act(evidence) if change else VerifierInput()
        return Sample(
            name=name,
            why=change.why if change else self.variant.why,
            report=evidence.report if inputs.report is None else inputs.report,
            certificates=evidence.certificates
            if inputs.certificates is None
            else inputs.certificates,
            root=evidence.certificates[-1],
            at=inputs.at,
            crl=inputs.crl,
            fails=change.failing_links(self.origin) if change else (),
        )


def _origins() -> Iterator[Origin]:
    """Yield every profile, in every report version, with either kind of key."""
    for name in PROFILES:
        own = profile_named(name)
        for version in VERSIONS:
            profile = own._replace(report_version=version)
            yield from (Origin(profile, vlek) for vlek in (False, True))


@cache
def _recipes() -> dict[str, Recipe]:
    recipes: dict[str, Recipe] = {}
    for origin in _origins():
        profile = origin.profile
        start = f"{profile.name}-v{profile.report_version}-{origin.signer}"
        own = profile == profile_named(profile.name)
        for variant in VARIANTS if own else VARIANTS[:1]:
            recipes[f"{start}-{variant.name}"] = Recipe(origin, variant)
        for change in (*HARMLESS_CHAINS, *FORGED_REPORTS, *BAD_CHAINS) if own else ():
            if change.fits(origin):
                recipes[f"{start}-{change.name}"] = Recipe(origin, VARIANTS[0], change)
    return recipes


def reports(*, genuine: bool | None = None, profile: str = "") -> Iterator[Sample]:
    """Yield the samples, genuine or not, of one profile, or all. Raises UsageError."""
    return map(report_named, report_names(genuine=genuine, profile=profile))


def report_names(*, genuine: bool | None = None, profile: str = "") -> list[str]:
    """Return the names of the samples without making them. Raises UsageError."""
    if profile and profile not in PROFILES:
        hint = nearest(profile, PROFILES) or f"profiles are: {', '.join(PROFILES)}"
        raise UsageError(f"there are no reports of profile {shown(profile)}", help=hint)
    return [
        name
        for name, row in _recipes().items()
        if profile in ("", row.origin.profile.name)
        and genuine in (None, row.change is None or not row.change.fails)
    ]


def report_named(name: str) -> Sample:
    """Make one sample. Raises UsageError, with the nearest name."""
    recipe = _recipes().get(name)
    if recipe is None:
        raise UsageError(f"there is no report {shown(name)}", help=nearest(name, _recipes()))
    return recipe.make(name)
