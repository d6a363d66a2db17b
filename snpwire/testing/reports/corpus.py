"""Some five hundred reports for verifiers, each with the verdict that is correct.

    for sample in reports():
        assert my_verifier(sample.report, sample.certificates, sample.at) is sample.acceptable

The emulated machine makes them: every product, report version and kind of key, and what a guest
and its host may vary; then everything that can be wrong with one, one fault at a time. There are
three kinds: not genuine (forged, or without a chain that vouches for it); genuine and not to be
trusted, such as that of a guest that the host may debug; and acceptable, which is genuine too.
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
from .weak_reports import ODD_REPORTS, WEAK_REPORTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ...crypto.check import Verification
    from ...engine.guest.guest import Guest
    from ...engine.machine import Machine
    from .attestation import ReportChange
    from .variants import Variant

PROFILES = ("milan", "genoa", "turin")
CHANGES = (*HARMLESS_CHAINS, *ODD_REPORTS, *WEAK_REPORTS, *FORGED_REPORTS, *BAD_CHAINS)
VERSIONS = (2, 3, 5)


def is_genuine(fails: tuple[str, ...]) -> bool:
    """Return whether a report is authentic of which these checks fail."""
    from ...crypto.allowance import ALLOWABLE

    return ALLOWABLE.keys() >= set(fails)


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
    """The checks that fail, as ``snpwire verify`` names them; ``size`` if it is no report."""

    @property
    def genuine(self) -> bool:
        """Return whether it is authentic: AMD's chain vouches for what it says."""
        return is_genuine(self.fails)

    @property
    def acceptable(self) -> bool:
        """Return whether a careful verifier accepts it: it is authentic, and fit to be trusted."""
        return not self.fails

    @property
    def pem(self) -> bytes:
        """Return the certificates as PEM, concatenated."""
        return b"".join(map(pem, self.certificates))

    @property
    def fields(self) -> Report:
        """Return the report, decoded. Raises DecodeError if its size is wrong."""
        return Report.parse(self.report)

    def verification(self) -> Verification:
        """Return the checks of ``snpwire verify``, trusting ``root``. Raises DecodeError."""
        from ...crypto.certificates import load, pin
        from ...crypto.verify import verify

        roots = {pin(load(self.root)[0]): "the TEST root"}
        return verify(self.report, self.certificates, roots=roots, crl=self.crl or None, at=self.at)

    def failing(self) -> tuple[str, ...]:
        """Return the checks that ``snpwire verify`` finds failing; ``size`` for no report."""
        try:
            return tuple(row.name for row in self.verification().failed)
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
            fails=self.fails,
        )

    @property
    def fails(self) -> tuple[str, ...]:
        """Return the checks that fail."""
        return self.change.failing_links(self.origin) if self.change else self.variant.fails


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
        for change in CHANGES if own else ():
            if change.fits(origin):
                recipes[f"{start}-{change.name}"] = Recipe(origin, VARIANTS[0], change)
    return recipes


def reports(
    *, genuine: bool | None = None, acceptable: bool | None = None, profile: str = ""
) -> Iterator[Sample]:
    """Yield the samples, genuine or acceptable or not, of a profile or all. Raises UsageError."""
    return map(report_named, report_names(genuine=genuine, acceptable=acceptable, profile=profile))


def report_names(
    *, genuine: bool | None = None, acceptable: bool | None = None, profile: str = ""
) -> list[str]:
    """Return the names of the samples without making them. Raises UsageError."""
    if profile and profile not in PROFILES:
        hint = nearest(profile, PROFILES) or f"profiles are: {', '.join(PROFILES)}"
        raise UsageError(f"there are no reports of profile {shown(profile)}", help=hint)
    return [
        name
        for name, row in _recipes().items()
        if profile in ("", row.origin.profile.name)
        and genuine in (None, is_genuine(row.fails))
        and acceptable in (None, not row.fails)
    ]


def report_named(name: str) -> Sample:
    """Make one sample. Raises UsageError, with the nearest name."""
    recipe = _recipes().get(name)
    if recipe is None:
        raise UsageError(f"there is no report {shown(name)}", help=nearest(name, _recipes()))
    return recipe.make(name)
