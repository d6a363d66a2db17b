"""The options of seal, open and verify, in groups."""

from typing import Annotated, NamedTuple

import typer

from ..options import Fields, Json, Product, Redact, numeric, text


class PayloadOptions(NamedTuple):
    """The payload of a message: fields, or raw bytes."""

    file: Annotated[
        str | None,
        typer.Argument(metavar="[JSON]", help="fields of the payload; - is standard input"),
    ] = None
    settings: Fields = ()
    payload: Annotated[str | None, text("FILE", "raw payload, instead of fields")] = None
    msg_type: Annotated[int | None, numeric("N", "message type of raw", "--type")] = None


class KeyOptions(NamedTuple):
    """Where to read the key."""

    key_file: Annotated[
        str | None, text("FILE", "key: 32 bytes, 64 hex digits, or a secrets page")
    ] = None
    key_env: Annotated[
        str | None, text("NAME", "environment variable that has the key, in hex")
    ] = None
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="read the key from standard input")
    ] = False


class SealOptions(NamedTuple):
    """Fields of the header of a message."""

    seqno: Annotated[
        int | None,
        numeric("N", "sequence number, required: it is the nonce, to be used once with a key"),
    ] = None
    vmpck: Annotated[int | None, numeric("N", "VMPCK number; default 0")] = None
    version: Annotated[int | None, numeric("N", "message version; default that of the type")] = None


class OpenOptions(NamedTuple):
    """How to open a message, and what to print of it."""

    vmpck: Annotated[
        int | None, numeric("N", "VMPCK of a secrets page to use; default that of the message")
    ] = None
    seqno: Annotated[int | None, numeric("N", "expected sequence number")] = None
    secrets: Annotated[
        str | None, text("FILE", "secrets page whose keys are tried if authentication fails")
    ] = None
    diagnosis: Annotated[
        bool,
        typer.Option("--diagnosis/--no-diagnosis", help="explain why, if authentication fails"),
    ] = True
    redact: Redact = False
    output: Annotated[str | None, text("FILE", "write the payload to FILE", "-o", "--output")] = (
        None
    )
    json: Json = False
    product: Product = None


class VerifyOptions(NamedTuple):
    """What to verify a report against."""

    certificates: Annotated[
        tuple[str, ...],
        typer.Argument(metavar="[CERT]...", help="DER or PEM, one or several, in any order"),
    ] = ()
    certs: Annotated[str | None, text("FILE", "certificate table of an extended guest request")] = (
        None
    )
    root: Annotated[tuple[str, ...], text("FILE", "trust only this root, not AMD's")] = ()
    crl: Annotated[str | None, text("FILE", "certificate revocation list")] = None
    policy: Annotated[
        str | None, text("FILE", "policy for the fields of the report, in TOML or JSON")
    ] = None
    id_key: Annotated[
        tuple[str, ...], text("FILE", "expected ID key: PEM, 0x404 bytes, or its digest")
    ] = ()
    author_key: Annotated[
        tuple[str, ...], text("FILE", "expected author key, which signed the ID key")
    ] = ()
    product: Product = None
    at: Annotated[
        str | None, text("DATE", "time at which certificates must be valid; default now")
    ] = None
