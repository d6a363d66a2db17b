"""Find the report in evidence of any form; see the package for the forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import InputError, shown
from ..wire.report import REPORT_SIZE
from .cbor import is_cbor
from .certificate_search import (
    der_certificates,
    embedded_certificates,
    pem_certificates,
    table_certificates,
    table_offsets,
)
from .content import EvidenceCertificate, EvidenceContent, EvidencePart
from .fields import assembled, is_report
from .folder import PROVIDER
from .members import LEAST, Member, nodes
from .path import INSIDE
from .protobuf import field_path, proto_attestation
from .report_search import cut_report, report_offsets
from .surroundings import blob_report, surroundings, unfit_blob

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire.hcl import RuntimeClaims

MOST = 1 << 24
"""Most bytes that are looked at."""
AMD_KEYS = (b"SEV-", b"ARK-", b"-----BEGIN ")
FORMS = (
    ("Azure vTPM evidence", ("hcl_report", "tpm_quote")),
    ("Azure vTPM evidence, version 0", ("quote", "report", "vcek")),
    ("SNP evidence", ("attestation_report", "cert_chain")),
    ("SNP evidence", ("attestation_report",)),
    ("TSM report, JSON", ("provider", "outblob")),
    ("TSM report, JSON", ("outblob",)),
    ("certificates of the host (THIM), JSON", ("vcekCert", "certificateChain", "tcbm")),
    ("claims of Azure's attestation service", ("x-ms-sevsnpvm-launchmeasurement",)),
    ("claims of trustee on a report", ("measurement", "reported_tcb_bootloader")),
)
"""Forms of JSON, by members of one object; the first that fits names it."""
HOLDERS = ("hcl_report", "attestation_report", "outblob")
"""Members that have a report if they have anything."""


class Hit(NamedTuple):
    """A report that was found, and its surroundings."""

    report: bytes
    place: str
    path: str = ""
    offset: int | None = None
    assembled: bool = False
    form: str = ""
    kind: str = ""
    claims: RuntimeClaims | None = None
    parts: tuple[EvidencePart, ...] = ()
    notes: tuple[str, ...] = ()


class _Search:
    """What was found so far in one input."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.hits: list[Hit] = []
        self.certificates: list[EvidenceCertificate] = []
        self.form = ""
        self.encoding = "CBOR" if is_cbor(data) else "JSON"
        self.known = False
        """An object of evidence was met: where no report is, that is an error."""
        self.cut = ""
        self.problems: list[InputError] = []

    def look(self, data: bytes, path: str, base: int | None) -> None:
        """Look through bytes at *path*, which lie at *base* of the input as they are."""
        if problem := unfit_blob(data):
            self.problems.append(_placed(problem, path))
            return
        for start in list(report_offsets(data)) or blob_report(data):
            found = surroundings(data, start)
            where = f"offset {start:#x}" if start or not path else ""
            self.hits.append(
                Hit(
                    data[start : start + REPORT_SIZE],
                    ", ".join(filter(None, (path, where))),
                    path,
                    None if base is None else base + start,
                    **found,
                )
            )
        if (cut := cut_report(data)) is not None and not self.cut:
            there = len(data) - cut
            where = path or f"offset {cut:#x}"
            self.cut = f"{where}: the report is cut: {there} of {REPORT_SIZE} bytes"
        self._certificates(data, path)

    def _certificates(self, data: bytes, path: str) -> None:
        where = path or "the file"
        for start in table_offsets(data):
            place = f"{path}, offset {start:#x}" if path and start else path or f"offset {start:#x}"
            self.certificates += table_certificates(data[start:], place)
        if not path:
            self.certificates += embedded_certificates(data)
        elif any(mark in data for mark in AMD_KEYS):
            self.certificates += [*pem_certificates(data, where), *der_certificates(data, where)]

    def member(self, member: Member) -> None:
        """Look through bytes of a text."""
        if len(member.data) >= LEAST:
            before = len(self.hits)
            self.look(member.data, member.path, member.offset)
            if member.problem and len(self.hits) == before and self.cut.startswith(member.path):
                self.cut += f"; {member.problem}"

    def named(self, path: str, value: dict[str, object]) -> None:
        """Look at the names of an object."""
        if name := next((name for name, keys in FORMS if value.keys() >= set(keys)), ""):
            self.form = self.form or name.replace("JSON", self.encoding) + _version(name, value)
            self.known = True
        provider = str(value.get("provider", PROVIDER)).strip()
        if self.form.startswith("TSM") and provider != PROVIDER:
            reason = (
                f"provider is {shown(provider)}, not {PROVIDER}: the report is of another guest"
            )
            self.problems.append(_placed(reason, path))
        if is_report(value):
            report = assembled(value, path)
            note = "put together from its fields; its reserved bytes are taken as zero"
            self.form = self.form or f"report as {self.encoding} of its fields"
            self.hits.append(Hit(report, path, path, None, True, notes=(note,)))


def _version(name: str, value: dict[str, object]) -> str:
    version = value.get("version")
    return f", version {version}" if name == FORMS[0][0] and version in (1, 2) else ""


def evidence(data: bytes) -> EvidenceContent | None:
    """Return the report in *data*, and what is beside it; None if *data* is no evidence.

    A report by itself and a certificate table by itself are kinds, and no evidence. Raises
    InputError for evidence without a report or with two, for a blob of another kind of guest, and
    for what is cut, nested too deep or too large.
    """
    if len(data) > MOST:
        raise InputError(f"{len(data)} bytes are more than the {MOST} that are looked at")
    if len(data) == REPORT_SIZE and next(report_offsets(data), None) == 0:
        return None
    search = _Search(data)
    for path, node in nodes(data):
        if isinstance(node, Member):
            search.member(node)
        else:
            search.named(path, node)
    if not search.hits and not search.known:
        _unnamed(search)
    return _answer(search)


def certificates_in(data: bytes) -> tuple[EvidenceCertificate, ...]:
    """Return the certificates that JSON has, whether or not a report is beside them.

    Raises InputError for JSON that is broken, too large or too deep.
    """
    search = _Search(data)
    for _, node in nodes(data):
        if isinstance(node, Member):
            search.look(node.data, node.path, None)
    return tuple(_distinct(search.certificates))


def _unnamed(search: _Search) -> None:
    """Look through bytes that are no text, and through the text of other programs."""
    data = search.data
    certificates = list(search.certificates)
    search.look(data, "", 0)
    if not search.hits:
        search.certificates = certificates  # a table by itself is a kind
    for index, hit in enumerate(search.hits):
        if not hit.form and (where := field_path(data, hit.offset or 0, REPORT_SIZE)):
            place = f"{where}, {hit.place}"
            search.hits[index] = hit._replace(form="protocol buffers", place=place, path=where)
    if not search.hits and not search.problems and (found := proto_attestation(data)):
        report = assembled(found.fields, found.place)
        note = "put together from its fields; its reserved bytes are taken as zero"
        search.form = "attestation of go-sev-guest, protocol buffers"
        search.hits = [Hit(report, found.place, found.place, None, True, notes=(note,))]
        search.certificates = [
            EvidenceCertificate(name, der, "field 2") for name, der in found.certificates
        ]
    if not search.hits and not search.problems:
        _printed(search)


def _printed(search: _Search) -> None:
    """Look for a report as programs print it, with all of its fields."""
    from .debugtext import debug_text
    from .prototext import proto_text
    from .report_text import report_text

    if is_report(printed := debug_text(search.data)):
        note = "put together from its fields; its reserved bytes are taken as zero"
        search.form = "report as Rust's debug print"
        search.hits = [Hit(assembled(printed, "report"), "", "", None, True, notes=(note,))]
        return
    if values := proto_text(search.data):
        note = "put together from its fields; its reserved bytes are taken as zero"
        search.form = "attestation of go-sev-guest, text of protocol buffers"
        search.hits = [Hit(assembled(values, "report"), "", "", None, True, notes=(note,))]
        for name, value in values.items():
            if isinstance(value, bytes):
                search.certificates += der_certificates(value, name)
    elif (found := report_text(search.data)) and found.absent <= {"key_info"}:
        note = f"put together from the text of {found.program}; reserved bytes are taken as zero"
        search.form = f"report as text of {found.program}"
        report = found.report.build()
        search.hits = [Hit(report, "", "", None, True, notes=(note, *found.notes))]


def _answer(search: _Search) -> EvidenceContent | None:
    """Return what was found. Raises InputError."""
    hits = list({hit.report: hit for hit in reversed(search.hits)}.values())[::-1]
    if len(hits) > 1:
        places = " and ".join(hit.place for hit in hits[:2])
        raise InputError(
            f"there are {len(hits)} different reports, at {places}", help="cut one out"
        )
    certificates = tuple(_distinct(search.certificates))
    if hits:
        return _evidence(search, hits[0], certificates)
    if search.problems:
        raise search.problems[0]
    if search.cut:
        raise InputError(search.cut)
    if certificates and search.form.startswith("certificates"):
        return EvidenceContent(search.form, len(search.data), certificates=certificates)
    if search.known:
        raise InputError(f"{search.form}: there is no report in it")
    return None


def _evidence(
    search: _Search, hit: Hit, certificates: tuple[EvidenceCertificate, ...]
) -> EvidenceContent:
    others = [row for row in search.hits if row.report == hit.report and row is not hit]
    again = [row.place for row in others if not hit.path.startswith(f"{row.path}{INSIDE}")]
    notes = (f"the same report is at {', '.join(again[:3])} too",) if again else ()
    default = hit.form or _text_form(hit.path, search.encoding)
    return EvidenceContent(
        search.form or default,
        len(search.data),
        hit.report,
        hit.place,
        hit.path,
        hit.offset,
        hit.assembled,
        hit.kind if not hit.path else "",
        certificates,
        hit.claims,
        hit.parts,
        (*hit.notes, *notes),
    )


def _text_form(path: str, encoding: str) -> str:
    """Return what has bytes at *path*."""
    if not path:
        return "bytes with a report in them"
    begins = {"$": encoding, "<": "XML", "line ": "JSON in a text", "token ": "token in a text"}
    begins |= {"digits ": "digits in a text"}
    named = next((form for start, form in begins.items() if path.startswith(start)), "")
    return named or ("NAME=value" if path.endswith("=") else "a line of YAML")


def _distinct(rows: list[EvidenceCertificate]) -> Iterator[EvidenceCertificate]:
    """Yield each certificate once, in the order in which they lie."""
    seen = set()
    for row in rows:
        if row.der not in seen:
            seen.add(row.der)
            yield row


def _placed(problem: str, path: str) -> InputError:
    return InputError(f"{path}: {problem}" if path else problem)
