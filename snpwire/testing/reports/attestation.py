"""Reports as a machine makes them, with their certificates, and changes to what a verifier gets."""

from __future__ import annotations

from binascii import b2a_base64
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ...engine.hypervisor.launch import Image
from ...engine.machine import Machine, configure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...crypto.kdf import PrivateKey
    from ...engine.profile import Profile
    from ...wire.tcb import Product

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SIGNATURE = "report-signature"
VCEK, VLEK = ("vcek",), ("vlek",)
BOTH = VCEK + VLEK


class AttestationCertificates(NamedTuple):
    """A chain, DER, from the key that signs reports up to a root that has TEST in its name."""

    key: bytes
    """VCEK, or VLEK if one is loaded."""
    ca: bytes
    """ASK, or ASVK."""
    root: bytes
    """ARK."""

    @property
    def pem(self) -> bytes:
        """Return the chain as PEM, concatenated."""
        return b"".join(map(pem, self))


def certificates_of(machine: Machine) -> AttestationCertificates:
    """Return the certificates of the key that signs on a machine now."""
    return AttestationCertificates(*machine.firmware.chip.certificates().values())


def pem(document: bytes) -> bytes:
    """Return a certificate as PEM."""
    text = b2a_base64(document, newline=False)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))


class Origin(NamedTuple):
    """The machine and guest of a report: the same origin makes the same report."""

    profile: Profile
    vlek: bool = False
    """Whether a VLEK is loaded, and signs."""
    mask_id: bool = False
    mask_key: bool = False
    reported_tcb: int = 0
    """TCB version to report; 0 for the committed one."""
    image: Image = Image()
    data: bytes = bytes(range(64))
    vmpl: int = 0
    seed: int = 0

    @property
    def signer(self) -> str:
        """Return the kind of key that signs: ``vcek`` or ``vlek``."""
        return "vlek" if self.vlek else "vcek"


class Evidence(NamedTuple):
    """A report, its certificates, and the key that signed it."""

    origin: Origin
    report: bytes
    certificates: tuple[bytes, ...]
    """VCEK or VLEK, ASK or ASVK, ARK; DER."""
    key: PrivateKey
    """The key that signs, a secret of the firmware."""

    @property
    def product(self) -> Product:
        """Return the product that the report is from."""
        return self.origin.profile.product


class VerifierInput(NamedTuple):
    """What a verifier gets in place of the evidence; None for no change."""

    report: bytes | None = None
    certificates: tuple[bytes, ...] | None = None
    crl: bytes = b""
    at: datetime = NOW


class ReportChange(NamedTuple):
    """One change of what a verifier gets."""

    name: str
    why: str
    fails: tuple[str, ...]
    """The links that fail, as ``snpwire verify`` names them: ``{key}`` is ``vcek`` or ``vlek``,
    ``{ca}`` is ``ask`` or ``asvk``, ``tcb-*`` is each TCB component of the product. Empty if the
    change is harmless."""
    act: Callable[[Evidence], VerifierInput]
    signers: tuple[str, ...] = BOTH
    """The kinds of key to whose reports it applies."""
    version: int = 2
    """The oldest report version to which it applies."""

    def fits(self, origin: Origin) -> bool:
        """Return whether it applies to a report from *origin*."""
        return origin.signer in self.signers and origin.profile.report_version >= self.version

    def failing_links(self, origin: Origin) -> tuple[str, ...]:
        """Return the links that fail for a report from *origin*."""
        parts = origin.profile.product.layout.word.BITS
        every = [f"tcb-{name.replace('_', '-')}" for name in parts]
        links = [name for link in self.fails for name in (every if link == "tcb-*" else [link])]
        ca = "asvk" if origin.vlek else "ask"
        return tuple(link.format(key=origin.signer, ca=ca) for link in links)


@lru_cache(maxsize=256)
def evidence_of(origin: Origin) -> Evidence:
    """Start a machine, launch a guest, request its report. Raises EngineError."""
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


def older_tcb(profile: Profile) -> int:
    """Return a TCB version one below the profile's, in the SNP firmware and the microcode."""
    word = profile.product.layout.word(profile.tcb)
    return int(word.replace(snp=word.snp - 1, microcode=word.microcode - 1))
