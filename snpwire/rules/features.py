"""Which hypervisor features need which others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire.operands import HvFeatures

NEEDS: dict[str, tuple[str, ...]] = {
    "snp_ap_creation": ("snp",),
    "snp_restricted_injection": ("snp", "snp_ap_creation"),
    "snp_restricted_injection_timer": ("snp", "snp_ap_creation", "snp_restricted_injection"),
    "snp_multi_vmpl": ("snp", "snp_ap_creation"),
}
"""A feature, and the features it makes no sense without."""


def without_support(features: HvFeatures) -> Iterator[str]:
    """Yield a sentence for each feature that is offered without one it needs."""
    offered = set(features.names())
    for name, needs in NEEDS.items():
        missing = [need for need in needs if need not in offered]
        if name in offered and missing:
            yield f"{name} is set without {', '.join(missing)}, which it needs"
