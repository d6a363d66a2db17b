"""How a value of the GHCB MSR is read: by the message in its low twelve bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..view.meaning import msr_meanings
from ..wire.msr import Msr
from .interpretation import Interpretation

if TYPE_CHECKING:
    from .interpretation import Hints


def msr(value: Msr, hints: Hints) -> Interpretation:
    """Read the word that the value is."""
    return Interpretation(hints.context(), msr_meanings(value))


INTERPRETERS = {Msr: msr}
