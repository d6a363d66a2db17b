"""Remove what loggers put before a kernel message.

Each part may be there or not, in the order in which loggers nest them: the raw level `<6>`, the
/dev/kmsg record head `6,1,123,-;`, `dmesg -x` names, a syslog, journal or ISO date (also with the
day of the week, or as seconds since 1970) with host and `kernel:`, a `dmesg -T` date, the minute of
`dmesg -e` (`[Nov25 07:00]`), the seconds
`[   12.345678] ` (also `[ +0.000003] ` and `[<    0.000003>] `), and the caller `[T4616]` or
`[    C3]`. Module names such as `kvm_amd: ` belong to the message and stay. At most one blank goes
with each bracket, so that the message keeps its own indentation. Every repetition is bounded: time
is linear whatever the line.
"""

from __future__ import annotations

import re

PREFIX = r"""\ {0,8}
    (?:<[0-9]{1,3}>(?:1\ )?)?
    (?:[0-9]{1,4},[0-9]{1,20},[0-9]{1,20},[^;\s]{1,80};)?
    (?:[a-z0-9]{2,10}\ *:(?:emerg|alert|crit|err|warn|notice|info|debug)\ *:\ )?
    (?:
      (?: [A-Z][a-z]{2}\ [ 0-9][0-9]\ [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?
        | (?:[A-Z][a-z]{2}\ )?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}
          (?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2}|\ [A-Z]{3,5}(?=\ ))?
        | [0-9]{9,10}\.[0-9]{6}
      )\ (?:[^\s:\[]{1,255}\ kernel(?:\[[0-9]{1,10}\])?:\ )?
    )?
    (?:\[[A-Z][a-z]{2}\ [A-Z][a-z]{2}\ [ 0-9][0-9]\ [0-9]{2}:[0-9]{2}:[0-9]{2}\ [0-9]{4}\]\ ?)?
    (?:\[[A-Z][a-z]{2}[ 0-9][0-9]\ [0-9]{2}:[0-9]{2}\]\ ?)?
    (?:\[\ {0,12}[+<]?\ {0,12}[0-9]{1,12}\.[0-9]{1,9}>?\]\ ?)?
    (?:\[\ {0,8}[TC][0-9]{1,10}\]\ ?)?
    """
"""What may stand before a message, as a verbose expression of ASCII."""
_PREFIX = re.compile(PREFIX, re.VERBOSE | re.ASCII)
_SECONDS = re.compile(r"\[ {0,12}[0-9]{1,12}\.[0-9]{1,9}\] ?+(?!\[)")
"""The prefix that most lines have, if no caller follows."""


def strip_prefix(line: str) -> str:
    """Return *line* from where the kernel's message starts; blanks alone are no prefix."""
    if found := _SECONDS.match(line):
        return line[found.end() :]
    found = _PREFIX.match(line)
    if found is None or not found[0].strip(" "):
        return line
    return line[found.end() :]


def split_prefix(line: str) -> tuple[str, str]:
    """Return what loggers put before the message, and the message."""
    message = strip_prefix(line)
    return line[: len(line) - len(message)], message


_TIME = re.compile(
    r"""\[([A-Z][a-z]{2}\ [A-Z][a-z]{2}\ [ 0-9][0-9]\ [0-9:]{8}\ [0-9]{4})\]
    | \[([A-Z][a-z]{2}[ 0-9][0-9]\ [0-9]{2}:[0-9]{2})\]
    | \[\ *([+<]?\ *[0-9]{1,12}\.[0-9]{1,9}>?)\]
    | ([A-Z][a-z]{2}\ [ 0-9][0-9]\ [0-9:]{8}(?:\.[0-9]+)?)
    | ((?:[A-Z][a-z]{2}\ )?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}
       (?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2}|\ [A-Z]{3,5}\b)?)
    | \b([0-9]{9,10}\.[0-9]{6})\b
    | "time"\ ?:\ ?([0-9]{1,12}\.[0-9]{1,9})
    """,
    re.VERBOSE | re.ASCII,
)
_KMSG = re.compile(r"[0-9]{1,4},[0-9]{1,20},([0-9]{1,20}),")
_CALLER = re.compile(r"\[ *([TC][0-9]{1,10})\] ?$|,caller=([TC][0-9]{1,10});", re.ASCII)


def time_of(prefix: str) -> str:
    """Return the time in a prefix as it is written there, the date before seconds since boot."""
    found = _TIME.search(prefix)
    if found:
        return str(next(filter(None, found.groups()))).strip("<> ")
    kmsg = _KMSG.search(prefix)
    return f"{int(kmsg[1]) / 1e6:.6f}" if kmsg else ""


def caller_of(prefix: str) -> str:
    """Return the thread or the core in a prefix, such as ``T4616`` or ``C3``."""
    found = _CALLER.search(prefix)
    return (found[1] or found[2]) if found else ""
