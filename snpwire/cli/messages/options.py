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
    payload: Annotated[str | None, text("FILE", "payload, raw or as text, instead of fields")] = (
        None
    )
    msg_type: Annotated[int | None, numeric("N", "message type of raw", "--type")] = None


class KeyOptions(NamedTuple):
    """Where to read the key."""

    key_file: Annotated[
        str | None, text("FILE", "key: 32 bytes or a secrets page, raw or as text")
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
    product: Product = None
    at: Annotated[
        str | None, text("DATE", "time at which certificates must be valid; default now")
    ] = None
    quiet: Annotated[bool, typer.Option("--quiet", help="print nothing: the exit code tells")] = (
        False
    )


class AppraisalOptions(NamedTuple):
    """What a report has to say of its guest and host."""

    allow: Annotated[
        tuple[str, ...], text("NAME", "let the check NAME fail: debug, migration, ..")
    ] = ()
    policy: Annotated[
        str | None, text("FILE", "policy, in TOML or JSON; list prints its rules")
    ] = None
    measurement: Annotated[
        str | None, text("HEX", "expected launch digest, 48 bytes, or @FILE")
    ] = None
    report_data: Annotated[
        str | None, text("HEX", "expected data of the guest, 64 bytes, or @FILE")
    ] = None
    host_data: Annotated[
        str | None, text("HEX", "expected data of the host, 32 bytes, or @FILE")
    ] = None
    min_tcb: Annotated[
        tuple[str, ...],
        text("PART=N,..", "least reported and committed TCB version: snp=27,.."),
    ] = ()
    advisories: Annotated[
        str | None,
        text("[=NAME,..]", "check what is known to be broken, all of it or what is named"),
    ] = None
    id_key: Annotated[
        tuple[str, ...], text("FILE", "expected ID key: PEM, 0x404 bytes, or its digest")
    ] = ()
    author_key: Annotated[
        tuple[str, ...], text("FILE", "expected author key, which signed the ID key")
    ] = ()
