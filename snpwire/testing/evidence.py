"""Reports as a machine makes them, with the certificates for them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..engine.hypervisor.launch import Image
from ..engine.machine import Machine, configure

if TYPE_CHECKING:
    from ..crypto.derive import PrivateKey
    from ..engine.profile import Profile


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
