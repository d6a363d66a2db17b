"""The platform's lasting state: TCB versions, settings, and the secrets its keys come from."""

from __future__ import annotations

from hashlib import sha384, shake_256
from typing import TYPE_CHECKING

from ...crypto.emulated_ca import chain, vcek, vlek
from ...crypto.kdf import VCEK_LABEL, VLEK_LABEL, chip_hash, key_pair, sticks
from ...crypto.wrapping import wrap_vlek
from ...wire.platform import PlatformState

if TYPE_CHECKING:
    from ...crypto.kdf import PrivateKey
    from ...wire.tcb import TcbClassic, TcbTurin
    from ..profile import Profile

TEST_CHIP = sha384(b"snpwire TEST chip").digest()
"""The secret of the chip that is emulated unless another is given. Everybody knows it."""
TEST_PROVIDER = sha384(b"snpwire TEST provider").digest()
"""The secret that the VLEK of the emulated provider is made from."""
CHIP_ID_SIZE = 64


class Chip:
    """One processor, its settings, and how far SNP is started."""

    def __init__(self, profile: Profile, secret: bytes = TEST_CHIP) -> None:
        self.profile = profile
        self.secret = secret
        self.state = PlatformState.UNINIT
        self.rmp_tcb: int | None = None
        """TCB version that was committed when the table was written; None before that."""
        self.current_tcb = self.committed_tcb = profile.tcb
        self.running_version = (profile.api_major, profile.api_minor, profile.build)
        self.committed_version = self.running_version
        self.config_tcb = 0
        self.vcek_tcb = profile.tcb
        """TCB version that the VCEK in use was derived for; ``derive`` renews it."""
        self.mask_chip_id = self.mask_chip_key = False
        self.platform_info = profile.platform_info
        self.vlek: bytes | None = None
        """The hash that the VLEK is made from, once one is loaded."""
        self.vlek_tcb = 0
        self.guest_count = 0
        size = profile.product.chip_id_size or CHIP_ID_SIZE
        self.id = shake_256(b"chip id" + secret).digest(size).ljust(CHIP_ID_SIZE, b"\0")
        self.sticks = sticks(secret, self.committed_tcb)
        """The chip's hashes for the committed TCB version."""

    def commit(self) -> None:
        """Let what runs now be what cannot be undone; a reported TCB version is forgotten."""
        self.committed_tcb = self.current_tcb
        self.committed_version = self.running_version
        self.sticks = sticks(self.secret, self.committed_tcb)
        self.config_tcb = 0
        self.derive()

    @property
    def reported_tcb(self) -> int:
        """Return the TCB version that keys and reports stand for."""
        return self.config_tcb or self.committed_tcb

    def derive(self, tcb: int | None = None) -> None:
        """Make the VCEK anew: for *tcb*, or for the committed one with the microcode that runs."""
        if tcb is None:
            running = self.tcb(self.current_tcb).microcode
            tcb = int(self.tcb(self.committed_tcb).replace(microcode=running))
        self.vcek_tcb = tcb

    def vcek_hash(self, tcb: int) -> bytes:
        """Return the hash that the VCEK of a TCB version is made from."""
        return chip_hash(self.sticks, tcb)

    def vcek(self) -> PrivateKey:
        """Return the VCEK in use."""
        return key_pair(self.vcek_hash(self.vcek_tcb), VCEK_LABEL)

    def certificates(self, *, own: bool = False) -> dict[str, bytes]:
        """Return the certificates of the key that signs, DER, by their names in a table.

        That is a VLEK if one is loaded, unless the chip's *own* key is meant.
        """
        product, tcb = self.profile.product, self.vcek_tcb
        key = None if own else self.vlek_key()
        middle, root = chain(product, vlek=key is not None)
        if key is not None:
            return {"VLEK": vlek(product, key, self.vlek_tcb), "ASK": middle, "ARK": root}
        return {"VCEK": vcek(product, self.vcek(), tcb, self.id), "ASK": middle, "ARK": root}

    def offered_vlek(self) -> bytes:
        """Return a VLEK for the reported TCB version, wrapped for this chip by a TEST provider.

        It is what SNP_VLEK_LOAD takes. The provider's secret is the same for all chips.
        """
        held = sticks(TEST_PROVIDER, self.reported_tcb)
        hashes = b"".join((*held.hashes[:-1], chip_hash(held, self.reported_tcb)))
        iv = sha384(self.id).digest()[:12]
        return wrap_vlek(self.vcek_hash(self.vcek_tcb), hashes, tcb=self.reported_tcb, iv=iv)

    def vlek_key(self) -> PrivateKey | None:
        """Return the VLEK, if one is loaded."""
        return None if self.vlek is None else key_pair(self.vlek, VLEK_LABEL)

    def tcb(self, number: int) -> TcbClassic | TcbTurin:
        """Return a TCB version with its components named."""
        return self.profile.product.layout.word(number)

    def within(self, tcb: int, limit: int) -> bool:
        """Tell whether no component of *tcb* is above that of *limit*, and no reserved bit set."""
        given, most = self.tcb(tcb), self.tcb(limit)
        if given.unknown:
            return False
        return all(part.value(given) <= part.value(most) for part in type(given).BITS.values())
