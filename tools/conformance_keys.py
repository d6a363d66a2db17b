"""Rows of derived keys: the function itself, the chip's chain, key pairs, keys of guests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_cases import Case
from conformance_host import Row, guest, host

from snpwire.crypto import kdf as derive
from snpwire.engine.firmware import key as guest_key
from snpwire.engine.firmware.context import Sender
from snpwire.errors import KeyFormatError

if TYPE_CHECKING:
    from collections.abc import Callable


def kdf(row: Row) -> Case:
    """Derive what a row has derived."""
    names = {
        "nist_kdf": "out",
        "vcek_hash_for_tcb": "vcek_hash",
        "vcek_current": "vcek_hash",
        "vcek_key": "priv_le",
        "vlek_key": "priv_le",
        "msg_key_req": "derived_key",
    }
    kind = row["kind"]
    wanted = row[names[kind]]
    label = row.get("from") or f"{kind}/{(wanted or 'refused')[:16]}"
    return Case("kdf", f"kdf/{label}", {"out": wanted}, {"out": DERIVED[kind](row)})


def _plain_kdf(row: Row) -> str | None:
    key, label, context = (bytes.fromhex(row[name]) for name in ("key", "label", "context"))
    try:
        return derive.kdf(key, label, context, row["out_len"]).hex()
    except KeyFormatError:
        return None


def _sticks(row: Row) -> derive.Sticks:
    return derive.Sticks(row["committed_tcb"], tuple(map(bytes.fromhex, row["hash_sticks"])))


def _for_tcb(row: Row) -> str:
    own = derive.sticks(bytes.fromhex(row["stick_seed"]), row["committed_tcb"])
    return derive.chip_hash(own, row["tcb"]).hex() if own == _sticks(row) else "other sticks"


def _current(row: Row) -> str:
    low = (1 << 56) - 1
    return derive.chip_hash(_sticks(row), row["committed_tcb"] & low | row["ucode_svn"] << 56).hex()


def _pair(row: Row) -> str:
    secret, label = bytes.fromhex(row["hash"]), row["label"].encode()
    numbers = derive.key_pair(secret, label).public_key().public_numbers()
    public = [n.to_bytes(48, "little").hex() for n in (numbers.x, numbers.y)]
    if public != [row["pub_x_le"], row["pub_y_le"]]:
        return "another public key"
    return derive.key_number(secret, label).to_bytes(48, "little").hex()


def _guest_key(row: Row) -> str:
    fw = host(row)
    fw.chip.sticks = derive.sticks(bytes.fromhex(row["stick_seed"]), row["committed_tcb"])
    fw.chip.vlek = bytes.fromhex(row["vlek_key"]) if row["vlek_key"] else None
    if fw.chip.vcek_hash(row["committed_tcb"]).hex() != row["vcek_hash"]:
        return "another VCEK"
    payload = bytes.fromhex(row["payload"]).ljust(0x20, b"\0")[:0x20]
    return guest_key.response(fw, Sender(guest(row["gctx"]), 0, 0), payload)[0x20:].hex()


DERIVED: dict[str, Callable[[Row], str | None]] = {
    "nist_kdf": _plain_kdf,
    "vcek_hash_for_tcb": _for_tcb,
    "vcek_current": _current,
    "vcek_key": _pair,
    "vlek_key": _pair,
    "msg_key_req": _guest_key,
}
