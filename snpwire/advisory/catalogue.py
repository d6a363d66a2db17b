"""The table of advisories, read from ``advisories.toml``."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import nearest
from ..errors import UsageError, shown
from .sign import KINDS, WORDS, Confidence, Judgement, Sign

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .sign import Told

BULLETIN = "https://www.amd.com/en/resources/product-security/bulletin/{}.html"


class Advisory(NamedTuple):
    """One row of the table."""

    id: str
    name: str
    title: str
    published: str
    url: str
    cve: tuple[str, ...]
    fixed_from: Mapping[str, str]
    note: str
    signs: tuple[Sign, ...]

    @property
    def label(self) -> str:
        """Return the id, and the name if it has one."""
        return f"{self.id}, {self.name}" if self.name else self.id

    def judgements(self, told: Told) -> list[Judgement]:
        """Return what a report says about it; a sign of another processor says nothing."""
        fitting = (sign for sign in self.signs if sign.fits(told.product, told.cpuid))
        return [Judgement(sign, told, sign.fixed(told)) for sign in fitting]


class AdvisoryTable(NamedTuple):
    """The table, which is as old as its date."""

    date: str
    advisories: tuple[Advisory, ...]

    def named(self, name: str) -> Advisory:
        """Return an advisory by its id, a CVE, or a name. Raises UsageError, with the nearest."""
        known = {alias.lower(): row for row in reversed(self.advisories) for alias in _aliases(row)}
        if name.lower() in known:
            return known[name.lower()]
        names = [alias for row in self.advisories for alias in _aliases(row)]
        hint = nearest(name, names) or "snpwire explain advisory lists all"
        reason = f"the table of {self.date} has no advisory {shown(name)}"
        raise UsageError(reason, help=hint)


def open_signs(told: Told) -> Iterator[tuple[Advisory, list[Judgement]]]:
    """Yield what a report shows to be open, by signs that are not disputed."""
    for row, signs in _undisputed(told.product, told.cpuid):
        missing = [Judgement(sign, told, False) for sign in signs if sign.fixed(told) is False]
        if missing:
            yield row, missing


@lru_cache(maxsize=256)
def _undisputed(
    product: str, cpuid: tuple[int, int] | None
) -> tuple[tuple[Advisory, tuple[Sign, ...]], ...]:
    """Return the advisories with the signs of one processor that are not disputed."""
    found = []
    for row in table().advisories:
        signs = (one for one in row.signs if one.confidence is not Confidence.DISPUTED)
        fitting = tuple(one for one in signs if one.fits(product, cpuid))
        if fitting:
            found.append((row, fitting))
    return tuple(found)


def _aliases(row: Advisory) -> tuple[str, ...]:
    return (row.id, row.id.removeprefix("AMD-SB-"), *filter(None, row.name.split(", ")), *row.cve)


@cache
def table() -> AdvisoryTable:
    """Return the table of the package, which is read once."""
    import tomllib
    from pkgutil import get_data

    data = get_data(__package__, "advisories.toml") or b""
    plain = tomllib.loads(data.decode())
    return AdvisoryTable(plain["date"], tuple(map(_advisory, plain["advisory"])))


def _advisory(row: dict[str, Any]) -> Advisory:
    name = row["id"]
    url = BULLETIN.format(name.lower()) if name.startswith("AMD-SB-") else ""
    return Advisory(
        name,
        row.get("name", ""),
        row["title"],
        row.get("published", ""),
        row.get("url", url),
        tuple(row.get("cve", ())),
        row.get("fixed_from", {}),
        row.get("note", ""),
        tuple(map(_sign, row.get("signs", ()))),
    )


def _sign(row: dict[str, Any]) -> Sign:
    (what,) = (kind for kind in KINDS if kind in row)
    value = row[what]
    least: tuple[int, ...]
    if what == "firmware":
        least = tuple(map(int, value.split(".")))
    elif what in WORDS:
        least = tuple(WORDS[what].BITS[bit].low for bit in value)
    else:
        least = tuple(value) if isinstance(value, list) else (int(value),)
    return Sign(
        what,
        least,
        Confidence(row["confidence"]),
        row["source"],
        row.get("product", ""),
        row.get("model"),
        row.get("stepping"),
    )
