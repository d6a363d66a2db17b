"""What a test asks for by its marker: profile, policies, seed.

``@pytest.mark.snp(profile="genoa", policy={"pages": "guest"}, seed=1, vcpus=2, vlek=True,
image=Image(...))``: each part may be left out, and what a function says goes before what its class
or module says.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import nearest
from ..engine.hypervisor.launch import Image
from ..engine.hypervisor.policy import HypervisorPolicy, Pages
from ..engine.profile import Profile, profile_named
from ..errors import UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..engine.faults.injection import Injection

PARTS = ("profile", "policy", "seed", "vcpus", "vlek", "image")
PROFILE = "milan"


class Scene(NamedTuple):
    """A machine and the guest on it, before they are made."""

    profile: Profile
    policy: HypervisorPolicy
    seed: int
    vcpus: int = 1
    vlek: bool = False
    """A VLEK is loaded, and signs."""
    image: Image = Image()
    free_pages: bool = True
    """The test leaves it open which pages the firmware is given."""

    def fitting(self, injections: tuple[Injection, ...]) -> Scene:
        """Return a scene on which the faults can happen, if the test leaves that open."""
        own = any(row.fault.needs == "own-pages" for row in injections)
        if not (own and self.free_pages):
            return self
        return self._replace(policy=self.policy._replace(pages=Pages.GUEST))

    def __str__(self) -> str:
        """Return it as a marker that makes it again, so far as words can."""
        parts = [f"profile={self.profile.name!r}", f"seed={self.seed}"]
        plain, usual = self.policy.to_plain(), HypervisorPolicy().to_plain()
        changed = {name: value for name, value in plain.items() if value != usual[name]}
        parts += [f"policy={changed!r}"] if changed else []
        parts += [f"vcpus={self.vcpus}"] if self.vcpus != 1 else []
        parts += ["vlek=True"] if self.vlek else []
        return f"@pytest.mark.snp({', '.join(parts)})"


def scene(given: Mapping[str, Any], name: str) -> Scene:
    """Read the parts that markers give to the test called *name*. Raises UsageError."""
    for part in given:
        if part not in PARTS:
            hint = nearest(part, PARTS) or f"it has: {', '.join(PARTS)}"
            raise UsageError(f"the marker snp has no {part}", help=hint)
    policy = given.get("policy", {})
    return Scene(
        profile=_profile(given.get("profile", PROFILE)),
        policy=policy
        if isinstance(policy, HypervisorPolicy)
        else HypervisorPolicy.from_plain(policy),
        seed=_number("seed", given.get("seed", seed_of(name)), 0),
        vcpus=_number("vcpus", given.get("vcpus", 1), 1),
        vlek=_flag("vlek", given.get("vlek", False)),
        image=_image(given.get("image", Image())),
        free_pages=isinstance(policy, dict) and "pages" not in policy,
    )


def seed_of(name: str) -> int:
    """Return the seed of a test that names none: the same in every run, another in every test."""
    return int.from_bytes(sha256(name.encode()).digest()[:4], "big")


def _profile(value: object) -> Profile:
    if isinstance(value, Profile):
        return value
    if isinstance(value, str):
        return profile_named(value)
    raise UsageError(f"profile: expected a name or a Profile, got {shown(value)}")


def _number(part: str, value: object, least: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise UsageError(f"{part}: expected a number from {least} on, got {shown(value)}")


def _flag(part: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise UsageError(f"{part}: expected True or False, got {shown(value)}")


def _image(value: object) -> Image:
    if isinstance(value, Image):
        return value
    raise UsageError(f"image: expected an Image, got {shown(value)}")
