"""``snpwire seal``: build a payload and seal it in a message page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...bits import nearest
from ...errors import EncodeError, MessageError, UsageError, shown
from ...numeral import DECIMAL, reading, readings
from ...wire.message import MESSAGES, REQUEST_OF, Aead, Header, MsgType, padded
from ..bytefile import payload_bytes
from ..encode import build_value, write_bytes
from ..input import SourceError, shown_name
from ..output import write_note
from .corrupt import LIST, corruptions_of, note_corruptions, sealed_page, write_catalogue
from .keys import claims_stdin, load_key

if TYPE_CHECKING:
    from .options import KeyOptions, PayloadOptions, SealOptions

RAW = "raw"
ONCE = (
    "--seqno N: the number is the nonce, and one nonce under one key seals one message; two lay"
    " both payloads open and let others forge"
)
FIRST_RESPONSE = "the payload of several messages; name the message: "


class Target(NamedTuple):
    """Which message is to be sealed."""

    msg_type: MsgType
    version: int
    kind: str
    """Kind of the payload; empty for raw bytes."""


def seal(
    what: str,
    payload: PayloadOptions,
    key: KeyOptions,
    options: SealOptions,
    corrupt: tuple[str, ...],
    *,
    output: str | None,
    as_hex: bool,
) -> int:
    """Seal one message and write its page. Nothing is written if it cannot be."""
    if LIST in corrupt:
        return _list_corruptions(target_of(what, payload, options.version).kind if what else "")
    if not what:
        raise UsageError("no TYPE of message given", help=f"one of: raw {' '.join(targets())}")
    target = target_of(what, payload, options.version)
    if options.seqno is None:
        raise UsageError("the message needs a sequence number", help=ONCE)
    rows = corruptions_of(corrupt, target.kind)
    if claims_stdin(key) and "-" in (payload.file, payload.payload):
        raise UsageError("standard input cannot be both key and payload", help="give one as a file")
    header, body = _header(target, options), _body(target, payload)
    filling = 0 if payload.payload is not None else padded(len(body)) - len(body)
    secret = load_key(key, options.vmpck or 0).data
    try:
        page = sealed_page(rows, target.kind, header, body + bytes(filling), secret)
    except MessageError as exc:
        raise SourceError(_origin(payload), exc) from None
    if filling:
        write_note(f"the payload is padded with {filling} zero bytes to a multiple of 16")
    note_corruptions(rows)
    write_bytes(page, output=output, as_hex=as_hex, private=True)
    return 0


def _list_corruptions(kind: str) -> int:
    from ...crypto.corruption import CORRUPTIONS, fitting

    return write_catalogue(fitting(kind) if kind else CORRUPTIONS.values())


def target_of(what: str, payload: PayloadOptions, version: int | None) -> Target:
    """Return the message of a name or number. Raises UsageError."""
    name = what.lower().replace("_", "-")
    if name == RAW:
        if payload.payload is None or payload.msg_type is None:
            raise UsageError("raw has no record to build", help="--payload FILE and --type N")
        return Target(_type(payload.msg_type), 1 if version is None else version, "")
    if payload.msg_type is not None:
        raise UsageError("--type is only for raw: any other TYPE implies it")
    target = _by_name(name)
    if version is not None:
        row = MESSAGES.get(target.msg_type)
        kind = row.payloads.get(version, target.kind) if row else target.kind
        target = target._replace(version=version, kind=kind)
    return target


def _type(number: int) -> MsgType:
    if number > 0xFF:
        raise UsageError(f"a message type has 8 bits, got {number:#x}")
    return MsgType(number)


def _by_name(name: str) -> Target:
    table = targets()
    if name in table:
        return table[name]
    several = [_dashed(t) for t, row in REQUEST_OF.items() if row.reply == name]
    if several:
        raise UsageError(f"{name} is {FIRST_RESPONSE}{' '.join(several)}")
    try:
        if not readings(name):
            raise ValueError
        known = reading(name, base=DECIMAL, possible=lambda value: MsgType(value).known)
        number = _type(known.value)
    except ValueError:
        hint = nearest(name, table) or f"TYPE is a number, raw, or one of: {' '.join(table)}"
        raise UsageError(f"there is no message {shown(name)}", help=hint) from None
    return table.get(_dashed(number), Target(number, 1, ""))


def _dashed(number: MsgType) -> str:
    return number.name.lower().replace("_", "-")


def targets() -> dict[str, Target]:
    """Return every message by its name and by the kind of its payload if no other has it."""
    table = {_dashed(number): Target(number, 1, "") for number in MsgType if number}
    for row in MESSAGES.values():
        for version, kind in row.payloads.items():
            table[kind] = Target(row.request, version, kind)
        table[_dashed(row.request)] = Target(row.request, 1, row.payloads[1])
        table[_dashed(row.response)] = Target(row.response, 1, row.reply)
    table["tsc-rsp"] = table["tsc-info-rsp"]
    return table


def _header(target: Target, options: SealOptions) -> Header:
    try:
        return Header(
            msg_seqno=options.seqno,
            algo=Aead.AES_256_GCM,
            hdr_version=1,
            hdr_size=Header.SIZE,
            msg_type=target.msg_type,
            msg_version=target.version,
            msg_vmpck=options.vmpck or 0,
        )
    except EncodeError as exc:
        option = {"msg_seqno": "--seqno", "msg_version": "--version"}.get(exc.path, "--vmpck")
        raise UsageError(f"{option}: {exc.reason}") from None


def _body(target: Target, options: PayloadOptions) -> bytes:
    """Build the payload, or read it raw."""
    if options.payload is not None:
        if options.file is not None or options.settings:
            raise UsageError("--payload is the whole payload", help="give it, or JSON and --set")
        return payload_bytes(options.payload, target.kind)
    if not target.kind:
        raise UsageError(
            f"the payload of {target.msg_type.name} is not known", help="--payload FILE gives it"
        )
    return build_value(target.kind, options.file, options.settings, zero=True)


def _origin(options: PayloadOptions) -> str:
    file = options.payload or options.file
    return shown_name(file) if file else "--set"
