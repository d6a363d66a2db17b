"""A few hundred reports for verifiers, each with what has to be said of it.

    for sample in reports():
        assert my_verifier(sample.report, sample.certificates, sample.at) is sample.genuine

They are made by the machine: every product, version of the report and kind of key, and what a guest
and its host may do to them; then everything that can be wrong with one, a thing at a time. Whether
a genuine report is good enough is another question: one of a guest that may be debugged is genuine.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ...bits import nearest
from ...engine.profile import profile_named
from ...errors import DecodeError, UsageError, shown
from ...wire.report import Report
from .attestation import NOW, Changed, Origin, attested, certificates_of, pem
from .bad_chains import CHAINS, HARMLESS
from .tampered import FORGERIES
from .valid import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ...crypto.link import Link
    from ...engine.guest.guest import Guest
    from ...engine.machine import Machine
    from .attestation import Change
    from .valid import Variant

PROFILES = ("milan", "genoa", "turin")
VERSIONS = (2, 3, 5)


class Sample(NamedTuple):
    """One report, and everything that a verifier is given with it."""

    name: str
    """``genoa-v3-vcek-debug``: profile, version of the report, key, and what is particular."""
    why: str
    report: bytes
    certificates: tuple[bytes, ...]
    """DER; VCEK or VLEK, ASK or ASVK, ARK, so far as they are given."""
    root: bytes
    """The ARK that is to be trusted, DER; what ``certificates`` ends with may be another."""
    at: datetime
    """The time that it is verified at."""
    crl: bytes = b""
    """A list of revoked certificates, DER, where there is one."""
    fails: tuple[str, ...] = ()
    """The links that fail, by the names of ``snpwire verify``; ``size`` for no report at all."""

    @property
    def genuine(self) -> bool:
        """Tell whether a verifier has to accept it."""
        return not self.fails

    @property
    def pem(self) -> bytes:
        """Return the certificates as PEM, one behind the other."""
        return b"".join(map(pem, self.certificates))

    @property
    def fields(self) -> Report:
        """Return the report, decoded. Raises DecodeError if it has not the size of one."""
        return Report.parse(self.report)

    def links(self) -> list[Link]:
        """Return what ``snpwire verify`` says, trusting ``root``. Raises DecodeError."""
        from ...crypto.certificates import load, load_crl, pin
        from ...crypto.verify import verify

        rows = [row for document in self.certificates for row in load(document)]
        roots = {pin(load(self.root)[0]): "the TEST root"}
        crl = load_crl(self.crl) if self.crl else None
        return verify(self.report, rows, roots=roots, crl=crl, at=self.at)

    def failing(self) -> tuple[str, ...]:
        """Return the links that fail as ``snpwire verify`` has it; ``size`` for no report."""
        from ...crypto.link import failures

        try:
            return tuple(link.name for link in failures(self.links()))
        except DecodeError:
            return ("size",)


def sample_of(machine: Machine, guest: Guest, data: bytes = bytes(64)) -> Sample:
    """Have a guest attest itself, with 64 bytes of data. Raises DriverError and StoppedError."""
    report = guest.report(data)
    certificates = certificates_of(machine)
    name = f"{machine.profile.name}-{guest.vm.name}"
    return Sample(name, "as the machine is", report, certificates, certificates.root, NOW)


class Recipe(NamedTuple):
    """How a sample is made."""

    origin: Origin
    variant: Variant
    change: Change | None = None

    def make(self, name: str) -> Sample:
        """Make the sample. It takes a machine, and up to three certificates to be signed."""
        given = attested(self.variant.change(self.origin))
        change = self.change
        made = change.act(given) if change else Changed()
        return Sample(
            name=name,
            why=change.why if change else self.variant.why,
            report=given.report if made.report is None else made.report,
            certificates=given.certificates if made.certificates is None else made.certificates,
            root=given.certificates[-1],
            at=made.at,
            crl=made.crl,
            fails=change.broken(self.origin) if change else (),
        )


def _origins() -> Iterator[Origin]:
    """Yield every profile, in every version of a report, with either kind of key."""
    for name in PROFILES:
        own = profile_named(name)
        for version in VERSIONS:
            profile = own._replace(report_version=version)
            yield from (Origin(profile, vlek) for vlek in (False, True))


@cache
def _recipes() -> dict[str, Recipe]:
    found: dict[str, Recipe] = {}
    for origin in _origins():
        profile = origin.profile
        start = f"{profile.name}-v{profile.report_version}-{origin.signer}"
        own = profile == profile_named(profile.name)
        for variant in VARIANTS if own else VARIANTS[:1]:
            found[f"{start}-{variant.name}"] = Recipe(origin, variant)
        for change in (*HARMLESS, *FORGERIES, *CHAINS) if own else ():
            if change.fits(origin):
                found[f"{start}-{change.name}"] = Recipe(origin, VARIANTS[0], change)
    return found


def reports(*, genuine: bool | None = None, profile: str = "") -> Iterator[Sample]:
    """Yield the samples: those that hold, those that do not, or all; of one profile, or all.

    Raises UsageError for a profile that has none.
    """
    return map(report_named, report_names(genuine=genuine, profile=profile))


def report_names(*, genuine: bool | None = None, profile: str = "") -> list[str]:
    """Return the names of the samples, without making any. Raises UsageError."""
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
