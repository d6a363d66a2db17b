"""Topic of ``explain`` about pages of a launch."""

from __future__ import annotations

from ...wire.launch_commands import LaunchPageType
from .topic import Topic, codes

TOPICS = {
    "page-type": Topic(
        codes(LaunchPageType), "the type of a page in a launch, as KVM and QEMU print it", base=10
    )
}
