"""Reports as a machine makes them, with the certificates for them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ...engine.hypervisor.launch import Image
from ...engine.machine import Machine, configure

if TYPE_CHECKING:
    from ...crypto.kdf import PrivateKey
    from ...engine.profile import Profile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
from binascii import b2a_base64
from typing import TYPE_CHECKING


class Certificates(NamedTuple):
    """A chain, DER, from the key that signs reports up to a root that says TEST in its name."""

    key: bytes
    """VCEK, or VLEK if one is loaded."""
    ca: bytes
    """ASK, or ASVK."""
    root: bytes
    """ARK."""

    @property
    def pem(self) -> bytes:
        """Return them as PEM, one behind the other."""
        return b"".join(map(pem, self))


def certificates_of(machine: Machine) -> Certificates:
    """Return the certificates of the key that signs on a machine now."""
    return Certificates(*machine.firmware.chip.certificates().values())


def pem(document: bytes) -> bytes:
    """Return a certificate as PEM."""
    text = b2a_base64(document, newline=False)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))


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


class Origin(NamedTuple):
    """Where a report comes from: the same origin makes the same report."""

    profile: Profile
    vlek: bool = False
    """A VLEK is loaded, and signs."""
    mask_id: bool = False
    mask_key: bool = False
    reported_tcb: int = 0
    """TCB version to be reported; 0: the committed one."""
    image: Image = Image()
    data: bytes = bytes(range(64))
    vmpl: int = 0
    seed: int = 0

    @property
    def signer(self) -> str:
        """Return the kind of key that signs: ``vcek`` or ``vlek``."""
        return "vlek" if self.vlek else "vcek"


class Evidence(NamedTuple):
    """A report, and what it is to be checked with."""

    origin: Origin
    report: bytes
    certificates: tuple[bytes, ...]
    """VCEK or VLEK, ASK or ASVK, ARK; DER."""
    key: PrivateKey
    """The key that signs. It is the firmware's secret, so far as there is any."""


@lru_cache(maxsize=256)
def attested(origin: Origin) -> Evidence:
    """Start a machine, launch a guest, and have it attest itself. Raises EngineError."""
    machine = Machine(origin.profile, seed=origin.seed)
    configure(
        machine,
        vlek=origin.vlek,
        mask_id=origin.mask_id,
        mask_key=origin.mask_key,
        reported_tcb=origin.reported_tcb,
    )
    guest = machine.add(image=origin.image)
    report = guest.report(origin.data, vmpl=origin.vmpl)
    chip = machine.firmware.chip
    documents = tuple(chip.certificates().values())
    return Evidence(origin, report, documents, chip.vlek_key() or chip.vcek())


def older(profile: Profile) -> int:
    """Return a TCB version one below the profile's, in the SNP firmware and the microcode."""
    word = profile.product.layout.word(profile.tcb)
    return int(word.replace(snp=word.snp - 1, microcode=word.microcode - 1))
