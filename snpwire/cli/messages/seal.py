"""``snpwire seal``: a payload becomes a sealed message in a page."""

from __future__ import annotations

from typing import NamedTuple

from ...bits import integer, nearest
from ...errors import EncodeError, MessageError, UsageError, shown
from ...wire.message import MESSAGES, REQUEST_OF, Aead, Header, MsgType, padded
from ..encode import built, emit
from ..input import SourceError, contents, shown_name
from ..output import note
from .corrupt import LIST, after, announce, before, chosen, listing, other_key
from .keys import KeyOptions, claims_stdin, load_key

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
    """Kind of the payload; empty if it is bytes as they are."""


class Wish(NamedTuple):
    """What the options of ``seal`` ask for."""

    type: str
    json: str | None = None
    settings: tuple[str, ...] = ()
    payload: str | None = None
    msg_type: int | None = None
    seqno: int | None = None
    vmpck: int = 0
    version: int | None = None
    corrupt: tuple[str, ...] = ()


def seal(wish: Wish, options: KeyOptions, *, output: str | None, as_hex: bool) -> int:
    """Seal one message and write its page. Nothing is written if it cannot be."""
    if LIST in wish.corrupt:
        from ...crypto.corruption import CORRUPTIONS, fitting

        kind = target_of(wish).kind if wish.type else ""
        return listing(fitting(kind) if kind else CORRUPTIONS.values())
    from ...crypto.sealing import Vmpck, seal_page

    if not wish.type:
        raise UsageError("there is no TYPE of message", help=f"one of: raw {' '.join(targets())}")
    target = target_of(wish)
    if wish.seqno is None:
        raise UsageError("the message needs a sequence number", help=ONCE)
    rows = chosen(wish.corrupt, target.kind)
    if claims_stdin(options) and "-" in (wish.json, wish.payload):
        raise UsageError("standard input cannot be both key and payload", help="give one a file")
    header, payload = _header(wish, target), _payload(wish, target)
    filling = 0 if wish.payload is not None else padded(len(payload)) - len(payload)
    payload += bytes(filling)
    key = load_key(options, wish.vmpck)
    header, payload = before(rows, target.kind, header, payload)
    try:
        page = seal_page(Vmpck(other_key(rows, key.data)), header, payload)
    except MessageError as exc:
        raise SourceError(_origin(wish), exc) from None
    page = after(rows, page)
    if filling:
        note(f"the payload is filled up with {filling} zero bytes to a multiple of 16")
    announce(rows)
    emit(page, output=output, as_hex=as_hex)
    return 0


def target_of(wish: Wish) -> Target:
    """Find the message that a name or a number means. Raises UsageError."""
    name = wish.type.lower().replace("_", "-")
    if name == RAW:
        if wish.payload is None or wish.msg_type is None:
            raise UsageError("raw has no record to build", help="--payload FILE and --type N")
        return Target(_type(wish.msg_type), _or(wish.version, 1), "")
    if wish.msg_type is not None:
        raise UsageError("--type goes with raw alone: any other TYPE says it")
    target = _by_name(name)
    if wish.version is not None:
        row = MESSAGES.get(target.msg_type)
        kind = row.payloads.get(wish.version, target.kind) if row else target.kind
        target = target._replace(version=wish.version, kind=kind)
    return target


def _or(number: int | None, default: int) -> int:
    return default if number is None else number


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
        number = _type(integer(name))
    except ValueError:
        hint = nearest(name, table) or f"TYPE is a number, raw, or one of: {' '.join(table)}"
        raise UsageError(f"there is no message {shown(name)}", help=hint) from None
    return table.get(_dashed(number), Target(number, 1, ""))


def _dashed(number: MsgType) -> str:
    return number.name.lower().replace("_", "-")


def targets() -> dict[str, Target]:
    """Return every message by its own name and, where it is of one message, its payload's."""
    table = {_dashed(number): Target(number, 1, "") for number in MsgType if number}
    for row in MESSAGES.values():
        for version, kind in row.payloads.items():
            table[kind] = Target(row.request, version, kind)
        table[_dashed(row.request)] = Target(row.request, 1, row.payloads[1])
        table[_dashed(row.response)] = Target(row.response, 1, row.reply)
    table["tsc-rsp"] = table["tsc-info-rsp"]
    return table


def _header(wish: Wish, target: Target) -> Header:
    try:
        return Header(
            msg_seqno=wish.seqno,
            algo=Aead.AES_256_GCM,
            hdr_version=1,
            hdr_size=Header.SIZE,
            msg_type=target.msg_type,
            msg_version=target.version,
            msg_vmpck=wish.vmpck,
        )
    except EncodeError as exc:
        option = {"msg_seqno": "--seqno", "msg_version": "--version"}.get(exc.path, "--vmpck")
        raise UsageError(f"{option}: {exc.reason}") from None


def _payload(wish: Wish, target: Target) -> bytes:
    """Build the payload, or take it as it is."""
    if wish.payload is not None:
        if wish.json is not None or wish.settings:
            raise UsageError("--payload is the whole payload", help="give it, or JSON and --set")
        return contents(wish.payload)
    if not target.kind:
        raise UsageError(
            f"the payload of {target.msg_type.name} is not known", help="--payload FILE gives it"
        )
    return built(target.kind, wish.json, list(wish.settings), zero=True)


def _origin(wish: Wish) -> str:
    return shown_name(wish.payload or wish.json) if wish.payload or wish.json else "--set"
