"""What an input holds: kinds by their bytes, a GHCB as KVM prints it, a log; likeliest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..rules.identify import UNKNOWN, candidates
from ..wire import RECORDS
from .input import LargeInputError, Source, SourceError, cut, everything, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .options import PieceOptions

LOG, CERTIFICATE = "log", "cert"
"""Content that ``snpwire log`` reads, and that ``snpwire decode cert`` does."""
TITLES = {LOG: "log with SNP events", CERTIFICATE: "certificates and revocation lists"}


class Content(NamedTuple):
    """Something that an input may hold."""

    kind: str
    """Name of a kind, CERTIFICATE, LOG, or UNKNOWN."""
    score: float
    evidence: tuple[str, ...]

    @property
    def title(self) -> str:
        """Return the title of the kind; nothing for what is unknown."""
        return RECORDS[self.kind].title if self.kind in RECORDS else TITLES.get(self.kind, "")


class Contents(NamedTuple):
    """What an input may hold, and how it was read."""

    found: list[Content]
    source: Source
    given: bytes | None = None
    """All of the input, where no piece of it was asked for."""


def contents(file: str, options: PieceOptions) -> Contents:
    """Return what *file* may hold, likeliest first. Raises SourceError and OSError."""
    piece = cut(options.offset, options.length, options.page, None)
    whole = piece is None and options.form == "auto"
    given = everything(file) if whole else None
    try:
        source = load(file, form=options.form, piece=piece, fits=None, given=given)
    except SourceError as exc:
        log = _log(given)
        if log is None or isinstance(exc.cause, LargeInputError):
            raise
        return Contents([log], Source(exc.name, b""), given)
    found = [*_certificates(given, source.data)] or _in_bytes(source)
    if found[0].kind == UNKNOWN and (log := _log(given)):
        found = [log]
    return Contents(found, source, given)


def _in_bytes(source: Source) -> list[Content]:
    if source.log:
        return [Content("ghcb", 1.0, ("KVM's log names it", f"GPA {source.log.gpa:#x}"))]
    return [Content(*candidate) for candidate in candidates(source.data)]


def _certificates(given: bytes | None, data: bytes) -> Iterator[Content]:
    """Yield that the text, or the bytes that it spells, are certificates, lists or keys."""
    from ..crypto.certificate_form import certificate_form

    form = (given and certificate_form(given)) or certificate_form(data)
    if form:
        yield Content(CERTIFICATE, 1.0, (f"{form.text}, {len(given or data)} bytes",))


def _log(given: bytes | None) -> Content | None:
    """Return that an input is a log, if it has a record; a binary file may have one as well."""
    if given is None:
        return None
    from ..capture.kernel_log import records
    from ..capture.logtext import foreign

    first = None if foreign(given[:16]) else next(records((given,)), None)
    if first is None:
        return None
    return Content(LOG, 0.9, (f"line {first.line} is a message of type {first.family}",))
