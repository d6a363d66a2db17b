"""Configuration files: profiles, policies, workloads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InputError, SnpwireError
from ..input import SourceError, contents, shown_name

if TYPE_CHECKING:
    from ...engine.cpuid_policy import CpuidPolicy
    from ...engine.hypervisor.policy import Policy
    from ...engine.profile import Profile


def load_profile(name: str) -> Profile:
    """Return a profile by name or from a file. Raises SnpwireError and OSError."""
    from ...engine.profile import profile, profile_named

    if "/" not in name and not name.endswith(".toml"):
        return profile_named(name)
    return profile(text_of(name), Path(name).stem)


def load_cpuid(file: str | None, profile: Profile) -> CpuidPolicy | None:
    """Return the CPUID policy in a file. Raises SnpwireError and OSError."""
    from ...engine.cpuid_policy import cpuid_policy

    if file is None:
        return None
    return cpuid_policy(text_of(file), Path(file).stem, profile.fms)


def load_policy(file: str | None) -> Policy:
    """Return the policy in a file, or the default one. Raises SourceError and OSError."""
    from ...engine.hypervisor.policy import Policy

    if file is None:
        return Policy()
    plain = object_of(file)
    try:
        return Policy.from_plain(plain)
    except SnpwireError as exc:
        raise SourceError(shown_name(file), exc) from None


def object_of(file: str) -> Any:
    """Read a file of JSON or TOML. Raises SourceError and OSError, which name it."""
    text = text_of(file)
    if text.lstrip().startswith("{"):
        from ...view.json import loads

        try:
            return loads(text)
        except SnpwireError as exc:
            raise SourceError(shown_name(file), exc) from None
    from ...engine.toml import loads as toml

    try:
        return toml(text, "neither a JSON object nor TOML")
    except InputError as exc:
        raise SourceError(shown_name(file), exc) from None


def text_of(file: str) -> str:
    """Return the text of a file. Raises SourceError and OSError, which name it."""
    try:
        return contents(file).decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        reason = InputError(f"not UTF-8 at byte {exc.start:#x}")
        raise SourceError(shown_name(file), reason) from None
