"""Profiles: what differs between products and between versions of firmware, as data.

The profiles of the package are TOML files in ``profiles``; a user's own has the same parts. The
model is the same in all: it follows AMD's published firmware, so a newer profile states versions
and layouts, not checks that newer firmware may have added. Requests of version 2 are in no profile:
AMD has not published the responses to them.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import nearest
from ..errors import EncodeError, InputError, SnpwireError, UsageError, named, shown
from ..product import product_named
from ..wire.message import MESSAGES, MsgType
from ..wire.report import PlatformInfo
from .toml import loads

if TYPE_CHECKING:
    from ..wire.tcb import Product

NAMES = ("genoa", "genoa-aspfw", "milan", "turin")
"""Profiles of the package; ``genoa-aspfw`` is the firmware that AMD published."""
REPORT_VERSIONS = (2, 3, 5)


class Profile(NamedTuple):
    """One product with one firmware."""

    name: str
    product: Product
    fms: int
    """EAX of CPUID leaf 1."""
    api_major: int
    api_minor: int
    build: int
    report_version: int
    tcb: int
    """The current TCB version, which is also the committed one."""
    platform_info: int
    mitigations: int
    policy_bits: int
    """Bits of a guest's policy from this one on must be zero."""
    highest_asid: int
    snp_asids: int
    """Highest ASID that a guest with encrypted state may have."""
    tsc_khz: int
    """Frequency that a guest's TSC scale refers to."""
    tsc_factor: int
    messages: int
    """A bit for each guest message, as SNP_FEATURE_INFO reports them."""
    features_ebx: int
    features_ecx: int

    @property
    def cpuid_bytes(self) -> tuple[int, int, int]:
        """Return family, model and stepping, combined as in a report."""
        eax = self.fms
        family = (eax >> 8 & 0xF) + (eax >> 20 & 0xFF)
        return family, (eax >> 12 & 0xF0) | (eax >> 4 & 0xF), eax & 0xF

    def takes(self, msg_type: int) -> bool:
        """Return whether the firmware takes guest messages of a type."""
        message = MESSAGES.get(MsgType(msg_type))
        return message is not None and bool(self.messages & message.feature)


@lru_cache
def profile_named(name: str) -> Profile:
    """Return a profile of the package. Raises UsageError, with the nearest one."""
    known = name.lower()
    if known not in NAMES:
        help = nearest(name, NAMES) or f"profiles are: {' '.join(NAMES)}"
        raise UsageError(f"there is no profile {shown(name)}", help=help)
    return profile(files(__package__).joinpath("profiles", f"{known}.toml").read_text(), known)


def profile(text: str, name: str) -> Profile:
    """Read a profile from TOML. Raises InputError, which names the part that is wrong."""
    return _Reader(name, loads(text, f"profile {name} is no TOML")).profile()


class _Reader:
    """The parts of a profile, each taken once."""

    def __init__(self, name: str, parts: dict[str, Any]) -> None:
        self.name = name
        self.parts = parts

    def profile(self) -> Profile:
        """Return what the parts say. Raises InputError for one that is missing or unknown."""
        product = self._product()
        firmware, asids = self._table("firmware"), self._table("asids")
        tsc, features = self._table("tsc"), self._table("features")
        highest = asids._number("highest", 10)
        profile = Profile(
            name=self.name,
            product=product,
            fms=self._number("fms", 32),
            api_major=firmware._number("major", 8),
            api_minor=firmware._number("minor", 8),
            build=firmware._number("build", 8),
            report_version=self._report_version(),
            tcb=self._tcb(product),
            platform_info=self._platform_info(),
            mitigations=self._number("mitigations", 64),
            policy_bits=self._number("policy_bits", 6),
            highest_asid=highest,
            snp_asids=asids._within("snp", 10, range(1, highest + 1)),
            tsc_khz=tsc._within("reference_khz", 32, range(1, 1 << 32)),
            tsc_factor=tsc._number("factor", 32),
            messages=features._number("messages", 32),
            features_ebx=features._number("ebx", 32),
            features_ecx=features._number("ecx", 32),
        )
        for table in (firmware, asids, tsc, features, self):
            table._check_empty()
        return profile

    def _take(self, part: str) -> Any:
        try:
            return self.parts.pop(part)
        except KeyError:
            raise self._error(part, "is missing") from None

    def _error(self, part: str, reason: str) -> InputError:
        return InputError(f"profile {self.name}: {part} {reason}")

    def _table(self, part: str) -> _Reader:
        value = self._take(part)
        if not isinstance(value, dict):
            raise self._error(part, f"is no table but {shown(value)}")
        return _Reader(f"{self.name}: {part}", value)

    def _number(self, part: str, width: int) -> int:
        value = self._take(part)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0 or value >> width:
            raise self._error(part, f"is no number of {width} bits but {shown(value)}")
        return value

    def _within(self, part: str, width: int, allowed: range) -> int:
        value = self._number(part, width)
        if value not in allowed:
            span = f"{allowed.start} to {allowed.stop - 1}"
            raise self._error(part, f"is not from {span} but {value}")
        return value

    def _product(self) -> Product:
        value = self._take("product")
        try:
            return product_named(str(value))
        except UsageError as exc:
            raise InputError(f"profile {self.name}: {exc}", help=exc.help) from None

    def _report_version(self) -> int:
        version = self._number("report_version", 32)
        if version not in REPORT_VERSIONS:
            raise self._error("report_version", f"is {version}: only 2, 3 and 5 are known")
        return version

    def _tcb(self, product: Product) -> int:
        table = self._table("tcb")
        word = product.layout.word
        levels = {name: table._number(name, 8) for name in word.BITS}
        table._check_empty()
        return int(word.of(**levels))

    def _platform_info(self) -> int:
        value = self._take("platform_info")
        try:
            return int(PlatformInfo.from_plain(value))
        except (ValueError, EncodeError) as exc:
            reason = exc if isinstance(exc, SnpwireError) else f": {exc}"
            raise InputError(f"profile {self.name}: platform_info{reason}") from None

    def _check_empty(self) -> None:
        for part in self.parts:
            raise self._error(named(part), "is unknown")
