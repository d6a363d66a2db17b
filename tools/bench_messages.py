"""What ``bench.py`` measures of guest messages: sealing and opening beside the bare cipher."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from bench_contests import Contest, Rival, timed
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from snpwire.crypto.sealing import NONCE_TAIL, Vmpck, open_message, seal, seal_page
from snpwire.wire.message import (
    AAD_END,
    AAD_START,
    HEADER_SIZE,
    HEADER_VERSION,
    KEY_SIZE,
    Aead,
    Header,
    MsgType,
)
from snpwire.wire.report import ReportRsp

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER = 0x1234


def messages() -> dict[str, Callable[[], Contest]]:
    """Return what makes each contest, by name."""
    return {"seal-open": seal_open}


def header(number: int) -> Header:
    """Return the header of an answer that carries a report."""
    return Header(
        msg_seqno=number,
        algo=Aead.AES_256_GCM,
        hdr_version=HEADER_VERSION,
        hdr_size=HEADER_SIZE,
        msg_type=MsgType.REPORT_RSP,
        msg_version=1,
        msg_size=ReportRsp.SIZE,
    )


def seal_open() -> Contest:
    """Compare a message sealed and opened again with the two calls of the cipher that it needs."""
    raw, payload = Random(1).randbytes(KEY_SIZE), Random(2).randbytes(ReportRsp.SIZE)
    value = header(NUMBER)
    names: dict[str, Any] = {
        "key": Vmpck(raw),
        "raw": raw,
        "payload": payload,
        "value": value,
        "message": seal(Vmpck(raw), value, payload),
        "page": seal_page(Vmpck(raw), value, payload),
        "cipher": AESGCM(raw),
        "nonce": NUMBER.to_bytes(8, "little") + NONCE_TAIL,
        "aad": value.build()[AAD_START:AAD_END],
        "number": NUMBER,
    }
    names |= {"vmpck": Vmpck, "header": header, "seal": seal, "seal_page": seal_page}
    names["open_message"] = open_message
    ways = {
        "snpwire, sealed and opened": ("open_message(key, seal(key, value, payload))", 4),
        "snpwire, sealed alone": ("seal(key, value, payload)", None),
        "snpwire, opened alone": ("open_message(key, message)", None),
        "snpwire, a page, sealed and opened": (
            "open_message(key, seal_page(key, value, payload))",
            None,
        ),
        "snpwire, and the header made of keywords": (
            "open_message(key, seal(key, header(number), payload))",
            None,
        ),
        "snpwire, and the key made twice": (
            "open_message(vmpck(raw), seal(vmpck(raw), value, payload))",
            None,
        ),
    }
    rivals = [Rival(name, timed(way, **names), target) for name, (way, target) in ways.items()]
    bare = timed("cipher.decrypt(nonce, cipher.encrypt(nonce, payload, aad), aad)", **names)
    title = f"Seal and open a payload of {ReportRsp.SIZE} bytes"
    return Contest(title, "AESGCM.encrypt and decrypt, bare", bare, rivals)
