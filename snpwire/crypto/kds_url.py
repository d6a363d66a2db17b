"""An address of AMD's key distribution service, read back: what it names, and what is wrong.

Whoever built an address by hand got one part of it wrong, and the server answers 404 or 400 without
a word. So each part is judged alone, and the address that was meant is built where that follows.
AMD 57230, as go-sev-guest and snpguest use it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from ..bits import nearest
from ..errors import UsageError, cut, printable, shown
from ..finding import Finding, Severity
from .amd_oids import COMPONENT_SPLS
from .binding import NAMED
from .kds import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire.tcb import Product

SOURCE = "AMD 57230"
CHAIN, CRL, CERT = "cert_chain", "crl", "cert"
SIGNERS = ("vcek", "vlek")
SPLS = tuple(COMPONENT_SPLS.values())
PARTS = {name: part for part, name in COMPONENT_SPLS.items()}
ALIASES = {"siena": "Genoa", "bergamo": "Genoa"}
"""Processors whose certificates are those of another product."""
SEV_ONLY = ("naples", "rome")
MARKUP = re.compile(r"&amp;|\\u0026|\\&|%26")
QUOTES = " \t\r\n'\"`<>()[],;.:"
"""What stands around an address in a line."""
STARTS = ("https:", "http:", "kdsintf.amd.com", "/vcek/v1/", "/vlek/v1/")
WITHIN = re.compile(r"""https?://[^\s"'<>`]*/(?:vcek|vlek)/[^\s"'<>`]*""", re.IGNORECASE)
"""An address in a line of a program."""
WITHIN_LINE = re.compile(r"""["'<>`]""")
MOST = 4096
"""Characters of an address; the longest that is right has some 250."""


class KdsUrl(NamedTuple):
    """The parts of an address; None or empty where it has none that can be read."""

    signer: str = ""
    """``vcek`` or ``vlek``."""
    product: str = ""
    """As the key server spells it."""
    name: str = ""
    """``cert_chain``, ``crl``, ``cert``; empty for a chip."""
    hwid: bytes | None = None
    spls: dict[str, int] = {}
    findings: tuple[Finding, ...] = ()

    @property
    def gives(self) -> str:
        """Return what the address is of."""
        if self.name == CHAIN:
            return "ASVK and ARK, PEM" if self.signer == "vlek" else "ASK and ARK, PEM"
        if self.name == CRL:
            return "revocation list, DER"
        return f"{self.signer.upper()}, DER" if self.signer else "nothing"

    @property
    def url(self) -> str:
        """Return the address of these parts; empty if one is missing."""
        row = NAMED.get(self.product)
        if row is None or self.signer not in SIGNERS:
            return ""
        base = f"{HOST}/{self.signer}/v1/{row.kds}"
        if self.name in (CHAIN, CRL):
            return f"{base}/{self.name}"
        wanted = spls_of(row)
        if self.spls.keys() != set(wanted) or (self.signer == "vcek") != bool(self.hwid):
            return ""
        own = self.hwid.hex() if self.hwid else CERT
        return f"{base}/{own}?{'&'.join(f'{name}={self.spls[name]}' for name in wanted)}"

    @property
    def tcb(self) -> str:
        """Return the TCB version as one word; empty if a part of it is missing."""
        row = NAMED.get(self.product)
        if row is None or self.spls.keys() != set(spls_of(row)):
            return ""
        word = row.layout.word.of(**{PARTS[name]: level for name, level in self.spls.items()})
        return f"{int(word):#018x}"


def spls_of(product: Product) -> list[str]:
    """Return the parameters of a product's address, in their order."""
    return [COMPONENT_SPLS[part] for part in product.layout.word.BITS]


def kds_url_text(text: str) -> str:
    """Return the address that *text* is, or that stands in it; empty if it has none.

    What a program wrote around it (``curl -o``, ``404 for URL``) is passed over.
    """
    bare = text.strip(QUOTES)
    start = bare[:MOST].lower()
    within = WITHIN.search(text)
    if within and not start.startswith(STARTS):
        return within[0]
    return _wrapped(WITHIN_LINE.split(bare, maxsplit=1)[0]) if start.startswith(STARTS) else ""


def _wrapped(text: str) -> str:
    """Return an address that a terminal wrapped: the first word, and lines of one word behind."""
    parts = []
    for line in text.splitlines():
        words = line.split()
        parts += words[:1]
        if len(words) != 1:
            break
    return "\n".join(parts)


def kds_url(text: str) -> KdsUrl:
    """Read an address; what is wrong is among its findings. Raises UsageError if it is none."""
    if len(text) > MOST:
        raise UsageError(f"an address has no {len(text)} characters")
    return _Reading(text).result()


class _Reading:
    """An address as it is read, part by part."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[Finding] = []

    def result(self) -> KdsUrl:
        text = self._undressed()
        path, _, query = text.partition("?")
        words = [unquote(word) for word in path.lstrip("/").split("/")]
        if not words[-1] and len(words) not in (1, 4):
            words.pop()
        signer, product, name = self._words(words)
        row = NAMED.get(product)
        if name in (CHAIN, CRL):
            if query:
                self._note("query", f"{name} takes no parameters: {shown(query)}")
            return KdsUrl(signer, product, name, findings=tuple(self._found))
        spls = self._spls(query, row)
        if signer == "vlek":
            if name != CERT:
                self._error("name", f"a VLEK is at /cert, not at {shown(name)}: it is of no chip")
            self._note("signer", "the key server gives a VLEK to the cloud provider it is of alone")
            return KdsUrl(signer, product, CERT, None, spls, tuple(self._found))
        return KdsUrl(signer, product, "", self._hwid(name, row), spls, tuple(self._found))

    def _error(self, part: str, text: str) -> None:
        self._add(Severity.ERROR, part, text)

    def _note(self, part: str, text: str) -> None:
        self._add(Severity.NOTE, part, text)

    def _add(self, severity: Severity, part: str, text: str) -> None:
        self._found.append(Finding(f"kds-{part}", severity, part, 0, text, SOURCE))

    def _undressed(self) -> str:
        """Return path and query: without quotes, escapes, scheme, host and fragment."""
        text = "".join(self._text.split()).strip(QUOTES)
        if any(map(str.isspace, self._text.strip())):
            self._note("text", "read without the spaces and ends of lines in it")
        if "?" not in text and "%3f" in text.lower():
            text = unquote(text)
            self._note("text", "read with the escapes of a URL undone")
        if MARKUP.search(text):
            text = MARKUP.sub("&", text)
            self._note("text", "read with the escaped & of a page, of JSON or of a shell as &")
        scheme, mark, rest = text.partition("://")
        if mark and scheme.lower() != "https":
            self._error("scheme", f"the key server speaks https, not {shown(scheme)}")
        text = (rest if mark else text).partition("#")[0]
        host, slash, path = text.partition("/")
        if host and host.lower().removesuffix(":443") != HOST.partition("://")[2]:
            self._note("host", f"{shown(host)} is not AMD's key server: a mirror or a cache")
        if not slash:
            raise UsageError(f"{shown(self._text)} names no certificate", help=EXAMPLE)
        return path

    def _words(self, words: list[str]) -> tuple[str, str, str]:
        """Return signer, product and name. Raises UsageError for another path."""
        if words[0].lower() == "cek":
            raise UsageError("this is the address of a CEK, the chip's key for SEV before SNP")
        places = [at for at, word in enumerate(words) if word.lower() in SIGNERS]
        if not places or len(words) - places[0] not in (3, 4):
            path = printable("/".join(words))
            raise UsageError(f"no address of the key server: {cut(path)!r}", help=EXAMPLE)
        if places[0]:
            self._note("path", f"{shown('/'.join(words[: places[0]]))} before it is a mirror's")
        signer, *others = words[places[0] :]
        if signer not in SIGNERS:
            self._error("signer", f"{shown(signer)} is written {signer.lower()}")
        if len(others) == 2:
            self._error("version", "there is no /v1 in it")
            others = ["v1", *others]
        if others[0] != "v1":
            self._error("version", f"the version is v1, not {shown(others[0])}")
        return signer.lower(), self._product(others[1]), others[2]

    def _product(self, word: str) -> str:
        """Return the key server's name of a product; what is there if it is not known."""
        name = word.partition("-")[0]
        names = {known.lower(): known for known in NAMED}
        meant = names.get(name.lower()) or ALIASES.get(name.lower(), "")
        if word in NAMED:
            return word
        if meant:
            text = f"{shown(word)} is called {meant} at the key server"
            self._add(Severity.WARNING, "product", text)
            return meant
        if name.lower() in SEV_ONLY:
            self._error("product", f"{shown(word)} has no SEV-SNP")
        else:
            hint = nearest(name.lower(), names) or f"products are: {' '.join(NAMED)}"
            self._error("product", f"there is no product {shown(word)}: {hint}")
        return word

    def _hwid(self, word: str, row: Product | None) -> bytes | None:
        """Return the chip of an address, as its product has it where that follows."""
        digits = word.lower()
        if not digits:
            self._error("hwid", "the chip id is missing: it stands behind the product")
            return None
        if digits.startswith("0x"):
            self._error("hwid", "the chip id has 0x before it")
            digits = digits[2:]
        if re.fullmatch("[0-9a-f]*", digits) is None or len(digits) % 2:
            self._error("hwid", f"the chip id is no hex: {shown(word)}")
            return None
        hwid = bytes.fromhex(digits)
        if not any(hwid):
            self._error("hwid", "the chip id is zero: the host has it masked in its reports")
            return None
        return self._sized_hwid(hwid, row)

    def _sized_hwid(self, hwid: bytes, row: Product | None) -> bytes | None:
        wanted = row.chip_id_size if row else None
        if row is None or wanted is None or len(hwid) == wanted:
            return hwid
        has = f"a chip id of {row.name} has {2 * wanted} digits, this has {2 * len(hwid)}"
        if wanted < len(hwid) and not any(hwid[wanted:]):
            self._error("hwid", f"{has}: it is the first {wanted} bytes of chip_id")
            return hwid[:wanted]
        others = [other.name for other in NAMED.values() if other.chip_id_size == len(hwid)]
        why = f", as one of {' and '.join(sorted(others))} has" if others else ""
        self._error("hwid", f"{has}{why}")
        return None

    def _spls(self, query: str, row: Product | None) -> dict[str, int]:
        """Return the parameters that can be read."""
        found: dict[str, int] = {}
        texts: dict[str, str] = {}
        for pair in filter(None, query.split("&")):
            name, _, value = map(unquote, pair.partition("="))
            known = self._parameter(name)
            level = self._level(known or name, value)
            if known in texts:
                self._error("query", f"{known} is there twice")
            elif known and level is not None:
                found[known], texts[known] = level, value
        for name in self._doubtful(texts):
            del found[name]
        for finding in _unfit(found, row, query):
            self._error("query", finding)
        wanted = spls_of(row) if row else list(found)
        return {name: found[name] for name in wanted if name in found}

    def _doubtful(self, texts: dict[str, str]) -> list[str]:
        """Return the parameters that may be hex because another one is."""
        if all(map(str.isdecimal, texts.values())):
            return []
        names = [name for name, text in texts.items() if text.isdecimal() and int(text) > 9]
        for name in names:
            number = texts[name]
            also = f"{number} as decimal, or {int(number, 16)} if it is hex like the other"
            self._error("query", f"{name} is {also}: it is not guessed")
        return names

    def _parameter(self, name: str) -> str:
        """Return a parameter by its name in any case; empty if there is none."""
        known = {spl.lower(): spl for spl in SPLS}.get(name.lower(), "")
        if not known:
            hint = nearest(name, SPLS) or f"parameters are: {' '.join(SPLS)}"
            self._error("query", f"there is no parameter {shown(name)}: {hint}")
        elif known != name:
            self._error("query", f"{shown(name)} is written {known}")
        return known

    def _level(self, name: str, value: str) -> int | None:
        """Return a patch level, which is decimal; one that is hex beyond doubt is said to be."""
        if re.fullmatch("[0-9]{1,3}", value) and int(value) <= 0xFF:
            return int(value)
        as_hex = re.fullmatch("(?:0[xX])?([0-9a-fA-F]{1,2})", value)
        if as_hex:
            number = int(as_hex[1], 16)
            self._error("query", f"{name} is decimal, and {shown(value)} is hex: {number}")
            return number
        self._error("query", f"{name} is a number of 0 to 255, got {shown(value)}")
        return None


def _unfit(found: dict[str, int], row: Product | None, query: str) -> Iterator[str]:
    """Yield what a product's address lacks, and what it has too much."""
    if row is None:
        return
    wanted = spls_of(row)
    for name in wanted:
        if name not in found and not re.search(rf"(?i)(^|&){name}=", query):
            yield f"{name} is missing: {row.name} has {' '.join(wanted)}"
    for name in found:
        if name not in wanted:
            yield f"{row.name} has no {name}"


EXAMPLE = f"{HOST}/vcek/v1/Milan/CHIP_ID?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115"
