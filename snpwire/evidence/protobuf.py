"""Messages of protocol buffers, without their declarations: fields by number.

Oak's evidence has a report's bytes; the attestation of go-sev-guest has the report's fields one by
one, and that of go-tpm-tools has such a message in its field 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FIELDS = 10_000
MAX_DEPTH = 8
REPORT = {
    1: "version",
    2: "guest_svn",
    3: "policy",
    4: "family_id",
    5: "image_id",
    6: "vmpl",
    7: "signature_algo",
    8: "current_tcb",
    9: "platform_info",
    10: "signer_info",
    11: "report_data",
    12: "measurement",
    13: "host_data",
    14: "id_key_digest",
    15: "author_key_digest",
    16: "report_id",
    17: "report_id_ma",
    18: "reported_tcb",
    19: "chip_id",
    20: "committed_tcb",
    21: "current_build",
    22: "current_minor",
    23: "current_major",
    24: "committed_build",
    25: "committed_minor",
    26: "committed_major",
    27: "launch_tcb",
    28: "signature",
    29: "cpuid1eax_fms",
    30: "launch_mit_vector",
    31: "current_mit_vector",
}
"""Fields of go-sev-guest's message Report (proto/sevsnp.proto)."""
CHAIN = {1: "VCEK", 2: "ASK", 3: "ARK", 6: "VLEK"}
"""Fields of its message CertificateChain."""
SIGNATURE, MEASUREMENT = 28, 12
BYTES = frozenset((4, 5, *range(11, 18), 19, 28))


class ProtoField(NamedTuple):
    """One field of a message."""

    number: int
    value: int | bytes
    offset: int
    """Of the bytes, or of the number, in the message."""


def proto_fields(data: bytes) -> list[ProtoField] | None:
    """Return the fields of a message; None if *data* is none."""
    found: list[ProtoField] = []
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if key < 8 or number >= 1 << 29 or len(found) == MAX_FIELDS:
            return None
        if wire == 0:
            value, end = _varint(data, at)
            found.append(ProtoField(number, value, at))
        elif wire in (1, 5):
            end = at + (8 if wire == 1 else 4)
            found.append(ProtoField(number, int.from_bytes(data[at:end], "little"), at))
        elif wire == 2:
            size, at = _varint(data, at)
            end = at + size
            found.append(ProtoField(number, data[at:end], at))
        else:
            return None
        if end < 0 or at < 0 or end > len(data):
            return None
        at = end
    return found if at >= 0 else None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends; a negative end if it does not."""
    number = 0
    for shift in range(10):
        if not 0 <= at < len(data):
            break
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << 7 * shift
        if not byte & 0x80:
            return number, at
    return 0, -1


def field_path(data: bytes, start: int, size: int) -> str:
    """Return which field of which message *size* bytes at *start* are; empty if they are none."""
    numbers: list[str] = []
    for _ in range(MAX_DEPTH):
        fields = proto_fields(data)
        row = next((row for row in fields or () if _spans(row, start, size)), None)
        if row is None or not isinstance(row.value, bytes):
            return ""
        numbers.append(str(row.number))
        if (row.offset, len(row.value)) == (start, size):
            return " of ".join(f"field {number}" for number in reversed(numbers))
        data, start = row.value, start - row.offset
    return ""


def _spans(row: ProtoField, start: int, size: int) -> bool:
    value = row.value
    return isinstance(value, bytes) and row.offset <= start <= row.offset + len(value) - size


class ProtoAttestation(NamedTuple):
    """The report and the certificates of a message of go-sev-guest."""

    place: str
    fields: dict[str, int | bytes]
    certificates: tuple[tuple[str, bytes], ...]


def proto_attestation(data: bytes) -> ProtoAttestation | None:
    """Return the attestation that the message *data* is or has; None if there is none."""
    fields = proto_fields(data)
    if not fields:
        return None
    if values := _report(data):
        return ProtoAttestation("the message", values, ())
    for row in fields:
        if not isinstance(row.value, bytes):
            continue
        if values := _report(row.value):
            chain = next((each.value for each in fields if each.number == 2), b"")
            return ProtoAttestation(f"field {row.number}", values, tuple(_chain(chain)))
        inner = proto_fields(row.value) or ()
        for each in inner:
            if isinstance(each.value, bytes) and (values := _report(each.value)):
                chain = next((x.value for x in inner if x.number == 2), b"")
                place = f"field {each.number} of field {row.number}"
                return ProtoAttestation(place, values, tuple(_chain(chain)))
    return None


def _report(data: bytes) -> dict[str, int | bytes] | None:
    """Return the fields of a message Report by name; None if *data* is no such message."""
    if len(data) < 1 + 48:
        return None
    fields = {row.number: row.value for row in proto_fields(data) or ()}
    sizes = [(MEASUREMENT, 48), (SIGNATURE, 512)]
    for number, size in sizes:
        value = fields.get(number)
        if not isinstance(value, bytes) or len(value) != size:
            return None
    numbers = {name: 0 for number, name in REPORT.items() if number not in BYTES}
    return numbers | {REPORT[number]: value for number, value in fields.items() if number in REPORT}


def _chain(data: int | bytes) -> Iterator[tuple[str, bytes]]:
    """Yield names and certificates of a message CertificateChain."""
    for row in proto_fields(data) or () if isinstance(data, bytes) else ():
        if row.number in CHAIN and isinstance(row.value, bytes) and row.value:
            yield CHAIN[row.number], row.value
