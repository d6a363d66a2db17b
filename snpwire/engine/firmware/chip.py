"""The platform's persistent state: TCB versions, settings, and the secrets of its keys."""

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
"""The default secret of the emulated chip. It is public."""
TEST_PROVIDER = sha384(b"snpwire TEST provider").digest()
"""The secret of the emulated provider's VLEK."""
CHIP_ID_SIZE = 64


class Chip:
    """One processor: its versions, settings and keys, and the state of SNP."""

    def __init__(self, profile: Profile, secret: bytes = TEST_CHIP) -> None:
        self.profile = profile
        self.secret = secret
        self.state = PlatformState.UNINIT
        self.rmp_tcb: int | None = None
        """TCB version that was committed when the RMP was written; None before that."""
        self.current_tcb = self.committed_tcb = profile.tcb
        self.running_version = (profile.api_major, profile.api_minor, profile.build)
        self.committed_version = self.running_version
        self.config_tcb = 0
        self.vcek_tcb = profile.tcb
        """TCB version that the VCEK in use was derived for; ``derive`` renews it."""
        self.mask_chip_id = self.mask_chip_key = False
        self.platform_info = profile.platform_info
        self.vlek: bytes | None = None
        """The hash that the VLEK is derived from, once one is loaded."""
        self.vlek_tcb = 0
        self.guest_count = 0
        size = profile.product.chip_id_size or CHIP_ID_SIZE
        self.id = shake_256(b"chip id" + secret).digest(size).ljust(CHIP_ID_SIZE, b"\0")
        self.sticks = sticks(secret, self.committed_tcb)
        """The chip's hashes for the committed TCB version."""

    def commit(self) -> None:
        """Make the running versions the rollback floor; the reported TCB version is reset."""
        self.committed_tcb = self.current_tcb
        self.committed_version = self.running_version
        self.sticks = sticks(self.secret, self.committed_tcb)
        self.config_tcb = 0
        self.derive()

    @property
    def reported_tcb(self) -> int:
        """Return the TCB version of keys and reports."""
        return self.config_tcb or self.committed_tcb

    def derive(self, tcb: int | None = None) -> None:
        """Derive the VCEK for *tcb*, or for the committed one with the running microcode."""
        if tcb is None:
            running = self.tcb(self.current_tcb).microcode
            tcb = int(self.tcb(self.committed_tcb).replace(microcode=running))
        self.vcek_tcb = tcb

    def vcek_hash(self, tcb: int) -> bytes:
        """Return the hash that the VCEK of a TCB version is derived from."""
        return chip_hash(self.sticks, tcb)

    def vcek(self) -> PrivateKey:
        """Return the VCEK in use."""
        return key_pair(self.vcek_hash(self.vcek_tcb), VCEK_LABEL)

    def certificates(self, *, own: bool = False) -> dict[str, bytes]:
        """Return the certificates of the signing key, DER, by their names in a table.

        It is a VLEK if one is loaded, unless the chip's *own* key is asked for.
        """
        product, tcb = self.profile.product, self.vcek_tcb
        key = None if own else self.vlek_key()
        middle, root = chain(product, vlek=key is not None)
        if key is not None:
            return {"VLEK": vlek(product, key, self.vlek_tcb), "ASK": middle, "ARK": root}
        return {"VCEK": vcek(product, self.vcek(), tcb, self.id), "ASK": middle, "ARK": root}

    def wrapped_vlek(self) -> bytes:
        """Return a VLEK for the reported TCB version, wrapped for this chip by a TEST provider.

        SNP_VLEK_LOAD takes it. The provider's secret is the same for all chips.
        """
        provider = sticks(TEST_PROVIDER, self.reported_tcb)
        hashes = b"".join((*provider.hashes[:-1], chip_hash(provider, self.reported_tcb)))
        iv = sha384(self.id).digest()[:12]
        return wrap_vlek(self.vcek_hash(self.vcek_tcb), hashes, tcb=self.reported_tcb, iv=iv)

    def vlek_key(self) -> PrivateKey | None:
        """Return the VLEK, if one is loaded."""
        return None if self.vlek is None else key_pair(self.vlek, VLEK_LABEL)

    def tcb(self, number: int) -> TcbClassic | TcbTurin:
        """Return a TCB version with its components named."""
        return self.profile.product.layout.word(number)

    def within(self, tcb: int, limit: int) -> bool:
        """Return whether *tcb* exceeds *limit* in no component and has no reserved bit set."""
        word, most = self.tcb(tcb), self.tcb(limit)
        parts = type(word).BITS.values()
        return not word.unknown and all(part.value(word) <= part.value(most) for part in parts)
