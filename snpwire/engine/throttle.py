"""How often a guest may ask: a burst of requests in each interval, as Linux limits its messages."""

from __future__ import annotations

from typing import NamedTuple


class Throttle(NamedTuple):
    """At most *burst* requests in an interval. Linux's default is 10 in 5 seconds."""

    burst: int
    interval: int
    """Nanoseconds."""


class Window:
    """What one guest has used of its limit.

    An interval begins with the first request after the last one ended (Linux lib/ratelimit.c), so a
    guest may have a burst at the end of one and another at the beginning of the next.
    """

    __slots__ = ("begin", "used")

    def __init__(self) -> None:
        self.begin = 0
        self.used = 0

    def admits(self, throttle: Throttle, now: int) -> bool:
        """Tell whether a request at *now* may pass, and count it if it may."""
        if not self.used or now > self.begin + throttle.interval:
            self.begin, self.used = now, 0
        if self.used >= throttle.burst:
            return False
        self.used += 1
        return True
