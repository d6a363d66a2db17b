"""What can be wrong with a certificate table, and with the table of SEV-TIO blobs.

What a reader refuses is what go-sev-guest refuses: offsets have to lie behind the entry that ends
the table, and inside the buffer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity
from ..wire.certs import SPEC, CertEntry, CertGuid, CertTable, TioBlobEntry
from ..wire.guid import MixedGuid
from . import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..context import Context

SIZE = CertEntry.SIZE
LINUX_MAX = 0x4000
"""Largest buffer that the Linux driver gives."""
KNOWN = frozenset(CertGuid.NAMES.values())


def end(table: CertTable, context: Context) -> Findings:
    """Expect an entry of zeros behind the last one (56421 rev 2.03, 4.1.8.1)."""
    count = len(table.elements)
    tail = table.rest[:SIZE]
    if tail != bytes(SIZE):
        how = f"{len(tail)} bytes follow" if len(tail) < SIZE else "another entry follows"
        text = f"no entry of 24 zero bytes ends the table: behind entry {count - 1} {how}"
        if not count:
            text = f"the table has {len(tail)} bytes, less than the entry of zeros that ends it"
        yield Finding("certs-no-end", Severity.ERROR, "rest", SIZE * count, text, SPEC)
    elif not count:
        text = "the table is empty: the host has no certificates to give"
        yield Finding("certs-empty", Severity.NOTE, "rest", 0, text, SPEC)


def size(table: CertTable, context: Context) -> Findings:
    """Expect a table that fits the buffer a Linux guest has for it."""
    length = SIZE * len(table.elements) + len(table.rest)
    if length > LINUX_MAX:
        text = f"table and certificates have {length:#x} bytes, Linux has room for {LINUX_MAX:#x}"
        source = "Linux sev-guest, SEV_FW_BLOB_MAX_SIZE"
        yield Finding("certs-size", Severity.WARNING, "entries", 0, text, source)


def guids(table: CertTable, context: Context) -> Findings:
    """Expect known GUIDs, in the order of their text, each once."""
    seen: dict[bytes, int] = {}
    for index, entry in enumerate(table.elements):
        path, offset = f"entries[{index}].guid", SIZE * index
        guid: CertGuid = entry.guid
        swapped = MixedGuid(guid).text
        if not any(guid):
            text = "the GUID is zero and the entry is not: Linux takes it for the table's end"
            yield Finding("certs-zero-guid", Severity.WARNING, path, offset, text, "Linux")
        elif guid.text not in KNOWN and swapped in KNOWN:
            name = CertGuid.from_text(swapped).to_plain()
            text = f"{guid.text} is the GUID of {name} in mixed byte order, here it is text order"
            yield Finding("certs-swapped-guid", Severity.WARNING, path, offset, text, SPEC)
        elif guid.text not in KNOWN:
            text = f"{guid.text} is no GUID that is known"
            yield Finding("certs-unknown-guid", Severity.NOTE, path, offset, text, SPEC)
        first = seen.setdefault(bytes(guid), index)
        if first != index:
            text = f"entry {index} repeats the GUID of entry {first}, {guid.to_plain()}"
            yield Finding("certs-repeated-guid", Severity.WARNING, path, offset, text, SPEC)


def misplaced_entries(table: CertTable) -> Iterator[tuple[int, str, str]]:
    """Yield each misplaced entry: its index, the wrong field, and what is wrong."""
    count = len(table.elements)
    first = SIZE * (count + (table.rest[:SIZE] == bytes(SIZE)))
    last = SIZE * count + len(table.rest)
    for index, entry in enumerate(table.elements):
        end = entry.offset + entry.length
        if entry.offset < first:
            text = f"starts at {entry.offset:#x}, inside the table, which ends at {first:#x}"
            yield index, "offset", text
        elif end > last:
            yield index, "length", f"ends at {end:#x}, outside the {last:#x} bytes there are"


def ranges(table: CertTable, context: Context) -> Findings:
    """Expect each entry to point behind the table, at bytes that are there."""
    for index, field, how in misplaced_entries(table):
        name = table.elements[index].guid.to_plain()
        place = SIZE * index + (0x10 if field == "offset" else 0x14)
        path = f"entries[{index}].{field}"
        yield Finding("certs-range", Severity.ERROR, path, place, f"{name} {how}", SPEC)
    for index, entry in enumerate(table.elements):
        if entry.length == 0:
            text = f"{entry.guid.to_plain()} has a length of 0"
            path, place = f"entries[{index}].length", SIZE * index + 0x14
            yield Finding("certs-nothing", Severity.WARNING, path, place, text, SPEC)


def overlaps(table: CertTable, context: Context) -> Findings:
    """Expect entries that share no bytes."""
    reach, owner = 0, -1
    rows = sorted((e.offset, n, e.length) for n, e in enumerate(table.elements) if e.length)
    for start, index, length in rows:
        if start < reach:
            text = f"entry {index} starts at {start:#x}, entry {owner} ends at {reach:#x}"
            path, place = f"entries[{index}].offset", SIZE * index + 0x10
            yield Finding("certs-overlap", Severity.WARNING, path, place, text, SPEC)
        if start + length > reach:
            reach, owner = start + length, index


def blob(entry: object, context: Context) -> Findings:
    """Find that SEV-TIO is a draft."""
    text = "SEV-TIO tables are in posted Linux patches alone"
    yield Finding("draft", Severity.NOTE, "guid", 0, text, "Linux, posted patches for SEV-TIO")


RULES = {
    CertTable: (end, size, guids, ranges, overlaps),
    TioBlobEntry: (blob, *record.RULES),
}
