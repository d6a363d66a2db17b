"""A thing that is done to genuine evidence, and the links of a verification that it breaks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from .evidence import Evidence, Origin

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SIGNATURE = "report-signature"
VCEK, VLEK = ("vcek",), ("vlek",)
BOTH = VCEK + VLEK


class Changed(NamedTuple):
    """What a verifier is given; None where it is as it was."""

    report: bytes | None = None
    certificates: tuple[bytes, ...] | None = None
    crl: bytes = b""
    at: datetime = NOW


class Change(NamedTuple):
    """One thing that is another than it was."""

    name: str
    why: str
    fails: tuple[str, ...]
    """Every link that fails by it, by the names of ``snpwire verify``, where ``{key}`` stands for
    ``vcek`` or ``vlek``, ``{ca}`` for ``ask`` or ``asvk``, and ``tcb-*`` for each component of the
    product's. None does if it is harmless."""
    act: Callable[[Evidence], Changed]
    signers: tuple[str, ...] = BOTH
    """The kinds of key whose reports it can be done to."""
    version: int = 2
    """The oldest version of a report that it can be done to."""

    def fits(self, origin: Origin) -> bool:
        """Tell whether it can be done to what comes from *origin*."""
        return origin.signer in self.signers and origin.profile.report_version >= self.version

    def broken(self, origin: Origin) -> tuple[str, ...]:
        """Return the links that fail in what comes from *origin*."""
        parts = origin.profile.product.layout.word.BITS
        every = [f"tcb-{name.replace('_', '-')}" for name in parts]
        links = [name for link in self.fails for name in (every if link == "tcb-*" else [link])]
        ca = "asvk" if origin.vlek else "ask"
        return tuple(link.format(key=origin.signer, ca=ca) for link in links)
