"""What the marker of a test configures: profile, policy, seed.

``@pytest.mark.snp(profile="genoa", policy={"pages": "guest"}, seed=1, vcpus=2, vlek=True,
image=Image(...))``: each part may be omitted; the marker of a function overrides that of its class
or module.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..bits import nearest
from ..engine.hypervisor.launch import Image
from ..engine.hypervisor.policy import HypervisorPolicy, Pages
from ..engine.profile import Profile, profile_named
from ..errors import UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..engine.faults.injection import Injection

T = TypeVar("T")
PARTS = ("profile", "policy", "seed", "vcpus", "vlek", "image")
PROFILE = "milan"


class MachineConfig(NamedTuple):
    """The configuration of a machine and the guest on it."""

    profile: Profile
    policy: HypervisorPolicy
    seed: int
    vcpus: int = 1
    vlek: bool = False
    """Whether a VLEK is loaded, and signs."""
    image: Image = Image()
    free_pages: bool = True
    """Whether the test does not say which pages the firmware uses."""

    def fitting(self, injections: tuple[Injection, ...]) -> MachineConfig:
        """Return a configuration on which the faults can happen, if the test permits."""
        own = any(row.fault.needs == "own-pages" for row in injections)
        if not (own and self.free_pages):
            return self
        return self._replace(policy=self.policy._replace(pages=Pages.GUEST))

    def __str__(self) -> str:
        """Return a marker that reproduces it, as far as text can."""
        parts = [f"profile={self.profile.name!r}", f"seed={self.seed}"]
        plain, usual = self.policy.to_plain(), HypervisorPolicy().to_plain()
        changed = {name: value for name, value in plain.items() if value != usual[name]}
        parts += [f"policy={changed!r}"] if changed else []
        parts += [f"vcpus={self.vcpus}"] if self.vcpus != 1 else []
        parts += ["vlek=True"] if self.vlek else []
        return f"@pytest.mark.snp({', '.join(parts)})"


def machine_config(parts: Mapping[str, Any], name: str) -> MachineConfig:
    """Return the configuration that markers give the test called *name*. Raises UsageError."""
    for part in parts:
        if part not in PARTS:
            hint = nearest(part, PARTS) or f"it has: {', '.join(PARTS)}"
            raise UsageError(f"the marker snp has no {part}", help=hint)
    policy = parts.get("policy", {})
    return MachineConfig(
        profile=_profile(parts.get("profile", PROFILE)),
        policy=policy
        if isinstance(policy, HypervisorPolicy)
        else HypervisorPolicy.from_plain(policy),
        seed=_number("seed", parts.get("seed", seed_of(name)), 0),
        vcpus=_number("vcpus", parts.get("vcpus", 1), 1),
        vlek=_typed("vlek", parts.get("vlek", False), bool, "True or False"),
        image=_typed("image", parts.get("image", Image()), Image, "an Image"),
        free_pages=isinstance(policy, dict) and "pages" not in policy,
    )


def seed_of(name: str) -> int:
    """Return the default seed of a test: the same in every run, another in every test."""
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


def _typed(part: str, value: object, kind: type[T], expected: str) -> T:
    if isinstance(value, kind):
        return value
    raise UsageError(f"{part}: expected {expected}, got {shown(value)}")
