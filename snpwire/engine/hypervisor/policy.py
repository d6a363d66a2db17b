"""What a hypervisor does where the protocol leaves it the choice, as data.

Written as an object, here with every rule::

    throttle = { burst = 10, interval = 5 }   # or "off"
    second = "wait"                           # or "busy-vm", "busy-stream"
    pages = "bounce"                          # or "guest"
    copy_on_failure = true
    certificates = "none"                     # or "chain", { pages = 5 }
    latency = { fixed = 0.2 }                 # or { uniform = [0.1, 0.3] }, { exponential = 0.2 }

Times are in seconds. The defaults are what KVM of Linux 6.12 does. What a throttled guest is told
is no choice: the protocol has one word for it, BUSY, and anything else is a fault that is injected.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ...bits import nearest
from ...errors import UsageError, shown
from ..simulation import SECOND

if TYPE_CHECKING:
    from random import Random

LONGEST = 86_400
"""Seconds that an interval or a command may take at most: a day."""
MOST_PAGES = 4096
"""Pages of certificates at most."""


class SecondRequest(StrEnum):
    """What happens to a request while another is in flight."""

    WAIT = "wait"
    """It waits, as behind Linux's mutex."""
    BUSY_VM = "busy-vm"
    """It gets BUSY if the other is of the same VM."""
    BUSY_STREAM = "busy-stream"
    """It gets BUSY if the other is of the same VM and the same key."""


class Pages(StrEnum):
    """Which pages are passed to the firmware."""

    BOUNCE = "bounce"
    """Two of the hypervisor's, which it copies to and from; one is firmware-owned for good."""
    GUEST = "guest"
    """The guest's own; that of the response is firmware-owned during the command."""


class Spread(StrEnum):
    """How long commands take: the name is the key in the object."""

    FIXED = "fixed"
    UNIFORM = "uniform"
    EXPONENTIAL = "exponential"


class Latency(NamedTuple):
    """How long a guest request takes the secure processor, in nanoseconds."""

    spread: Spread = Spread.FIXED
    low: int = 0
    """The time itself, the least, or the mean."""
    high: int = 0
    """The most, of a uniform one."""

    def draw(self, random: Random) -> int:
        """Return how long the next command takes."""
        if not self.low and not self.high:
            return 0
        if self.spread is Spread.FIXED:
            return self.low
        if self.spread is Spread.UNIFORM:
            return random.randint(self.low, self.high)
        return round(random.expovariate(1 / self.low))


INSTANT = Latency()
"""No time, which is what a command takes by default."""


class HostCertificates(NamedTuple):
    """What an extended request returns in addition to the report."""

    chain: bool = False
    """A table of the certificates of the chip's key; without it, an empty table."""
    pages: int = 0
    """At least so many pages, the rest zero: how a table gets too large for a guest's buffer."""


class HypervisorPolicy(NamedTuple):
    """The choices. Each VM has its own, which may change between requests."""

    throttle: Throttle | None = None
    second: SecondRequest = SecondRequest.WAIT
    pages: Pages = Pages.BOUNCE
    copy_on_failure: bool = True
    """The response page is copied also when the firmware failed, with what it held before.

    Linux 6.12 does so; the review of 2021 asked that it be not.
    """
    certificates: HostCertificates = HostCertificates()
    latency: Latency = INSTANT

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """Read the object. Raises UsageError, which names the key and the value."""
        if not isinstance(plain, dict):
            raise UsageError(f"a policy is an object, got {shown(plain)}")
        for key in plain:
            if key not in READERS:
                hint = nearest(str(key), READERS) or f"a policy has: {', '.join(READERS)}"
                raise UsageError(f"a policy has no {shown(key)}", help=hint)
        return cls(**{key: READERS[key](key, value) for key, value in plain.items()})

    def to_plain(self) -> dict[str, Any]:
        """Return the object that makes this policy."""
        throttle, latency, certificates = self.throttle, self.latency, self.certificates
        limit = throttle and {"burst": throttle.burst, "interval": throttle.interval / SECOND}
        low, high = latency.low / SECOND, latency.high / SECOND
        return {
            "throttle": limit or "off",
            "second": str(self.second),
            "pages": str(self.pages),
            "copy_on_failure": self.copy_on_failure,
            "certificates": {"pages": certificates.pages}
            if certificates.pages
            else ("chain" if certificates.chain else "none"),
            "latency": {
                str(latency.spread): [low, high] if latency.spread is Spread.UNIFORM else low
            },
        }


def _throttle(key: str, plain: object) -> Throttle | None:
    if plain == "off":
        return None
    given = _table(key, plain, ("burst", "interval"), '"off", or burst and interval')
    burst = given["burst"]
    if not isinstance(burst, int) or isinstance(burst, bool) or burst < 1:
        raise _refused(f"{key}.burst", burst, "a number of requests, at least 1")
    return Throttle(burst, _time(f"{key}.interval", given["interval"], least=1))


def _latency(key: str, plain: object) -> Latency:
    names = [str(spread) for spread in Spread]
    if not isinstance(plain, dict) or len(plain) != 1 or next(iter(plain)) not in names:
        raise _refused(key, plain, f"an object with one of {', '.join(names)}")
    name, value = next(iter(plain.items()))
    place = f"{key}.{name}"
    if name != Spread.UNIFORM:
        return Latency(Spread(name), _time(place, value))
    if not isinstance(value, list) or len(value) != 2:
        raise _refused(place, value, "a list of the least and the most")
    low, high = (_time(f"{place}[{index}]", item) for index, item in enumerate(value))
    if low > high:
        raise _refused(place, value, "the least first, then the most")
    return Latency(Spread.UNIFORM, low, high)


def _certificates(key: str, plain: object) -> HostCertificates:
    if plain in ("none", "chain"):
        return HostCertificates(chain=plain == "chain")
    pages = _table(key, plain, ("pages",), '"none", "chain", or pages')["pages"]
    if not isinstance(pages, int) or isinstance(pages, bool) or not 1 <= pages <= MOST_PAGES:
        raise _refused(f"{key}.pages", pages, f"a number from 1 to {MOST_PAGES}")
    return HostCertificates(chain=True, pages=pages)


def _choice(key: str, plain: object) -> StrEnum:
    """Return the member of the key's enumeration."""
    kind: type[StrEnum] = SecondRequest if key == "second" else Pages
    if plain not in list(kind):
        raise _refused(key, plain, " or ".join(kind))
    return kind(str(plain))


def _flag(key: str, plain: object) -> bool:
    if not isinstance(plain, bool):
        raise _refused(key, plain, "true or false")
    return plain


READERS: dict[str, Any] = {
    "throttle": _throttle,
    "second": _choice,
    "pages": _choice,
    "copy_on_failure": _flag,
    "certificates": _certificates,
    "latency": _latency,
}
"""Readers of the object's keys."""


def _table(key: str, plain: object, names: tuple[str, ...], wanted: str) -> dict[str, Any]:
    """Return an object that has exactly *names*."""
    if not isinstance(plain, dict) or plain.keys() != set(names):
        raise _refused(key, plain, wanted)
    return plain


def _time(key: str, plain: object, least: int = 0) -> int:
    """Return seconds as nanoseconds."""
    if not isinstance(plain, int | float) or isinstance(plain, bool):
        raise _refused(key, plain, "a number of seconds")
    if 0 <= plain <= LONGEST and (time := round(plain * SECOND)) >= least:
        return time
    raise _refused(key, plain, f"{'more than 0' if least else 'from 0'} to {LONGEST} seconds")


def _refused(key: str, value: object, wanted: str) -> UsageError:
    return UsageError(f"{key}: expected {wanted}, got {shown(value)}")


class Throttle(NamedTuple):
    """At most *burst* requests in an interval. Linux's default is 10 in 5 seconds."""

    burst: int
    interval: int
    """Nanoseconds."""


class Window:
    """A guest's use of its limit.

    An interval begins with the first request after the last one ended (Linux lib/ratelimit.c), so a
    guest may have a burst at the end of one and another at the beginning of the next.
    """

    __slots__ = ("begin", "used")

    def __init__(self) -> None:
        self.begin = 0
        self.used = 0

    def admits(self, throttle: Throttle, now: int) -> bool:
        """Return whether a request at *now* may pass, and count it if it may."""
        if not self.used or now > self.begin + throttle.interval:
            self.begin, self.used = now, 0
        if self.used >= throttle.burst:
            return False
        self.used += 1
        return True
