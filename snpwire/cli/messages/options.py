"""The options of seal, open and verify, in groups."""

from typing import Annotated, NamedTuple

import typer

from ..options import Fields, Json, Product, Redact, number


class PayloadOptions(NamedTuple):
    """The payload of a message: fields, or raw bytes."""

    file: Annotated[
        str | None,
        typer.Argument(metavar="[JSON]", help="fields of the payload; - is standard input"),
    ] = None
    settings: Fields = ()
    payload: Annotated[
        str | None, typer.Option(metavar="FILE", help="raw payload, instead of fields")
    ] = None
    msg_type: Annotated[
        int | None,
        typer.Option("--type", parser=number, metavar="N", help="message type of raw"),
    ] = None


class KeyOptions(NamedTuple):
    """Where to read the key."""

    key_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="key: 32 bytes, 64 hex digits, or a secrets page"),
    ] = None
    key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="environment variable that has the key, in hex"),
    ] = None
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="read the key from standard input")
    ] = False


class SealOptions(NamedTuple):
    """Fields of the header of a message."""

    seqno: Annotated[
        int | None,
        typer.Option(
            parser=number,
            metavar="N",
            help="sequence number, required: it is the nonce, to be used once with a key",
        ),
    ] = None
    vmpck: Annotated[
        int | None,
        typer.Option(parser=number, metavar="N", help="VMPCK number; default 0"),
    ] = None
    version: Annotated[
        int | None,
        typer.Option(parser=number, metavar="N", help="message version; default that of the type"),
    ] = None


class OpenOptions(NamedTuple):
    """How to open a message, and what to print of it."""

    vmpck: Annotated[
        int | None,
        typer.Option(
            parser=number,
            metavar="N",
            help="VMPCK of a secrets page to use; default that of the message",
        ),
    ] = None
    seqno: Annotated[
        int | None,
        typer.Option(parser=number, metavar="N", help="expected sequence number"),
    ] = None
    secrets: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="secrets page whose keys are tried if authentication fails"
        ),
    ] = None
    diagnosis: Annotated[
        bool,
        typer.Option("--diagnosis/--no-diagnosis", help="explain why, if authentication fails"),
    ] = True
    redact: Redact = False
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="write the payload to FILE")
    ] = None
    json: Json = False
    product: Product = None


class VerifyOptions(NamedTuple):
    """What to verify a report against."""

    certificates: Annotated[
        tuple[str, ...],
        typer.Argument(metavar="[CERT]...", help="DER or PEM, one or several, in any order"),
    ] = ()
    certs: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="certificate table of an extended guest request"),
    ] = None
    root: Annotated[
        tuple[str, ...],
        typer.Option(metavar="FILE", help="trust only this root, not AMD's"),
    ] = ()
    crl: Annotated[str | None, typer.Option(metavar="FILE", help="certificate revocation list")] = (
        None
    )
    product: Product = None
    at: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="time at which certificates must be valid; default now"),
    ] = None
    quiet: Annotated[bool, typer.Option("--quiet", help="print nothing: the exit code tells")] = (
        False
    )


class AppraisalOptions(NamedTuple):
    """What a report has to say of its guest and host."""

    allow: Annotated[
        tuple[str, ...],
        typer.Option(metavar="NAME", help="let the check NAME fail: debug, migration, .."),
    ] = ()
    policy: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="policy, in TOML or JSON; list prints its rules"),
    ] = None
    measurement: Annotated[
        str | None, typer.Option(metavar="HEX", help="expected launch digest, 48 bytes")
    ] = None
    report_data: Annotated[
        str | None, typer.Option(metavar="HEX", help="expected data of the guest, 64 bytes")
    ] = None
    host_data: Annotated[
        str | None, typer.Option(metavar="HEX", help="expected data of the host, 32 bytes")
    ] = None
    min_tcb: Annotated[
        tuple[str, ...],
        typer.Option(
            metavar="PART=N,..", help="least reported and committed TCB version: snp=27,.."
        ),
    ] = ()
    advisories: Annotated[
        str | None,
        typer.Option(
            metavar="[=NAME,..]",
            help="check what is known to be broken, all of it or what is named",
        ),
    ] = None
    id_key: Annotated[
        tuple[str, ...],
        typer.Option(metavar="FILE", help="expected ID key: PEM, 0x404 bytes, or its digest"),
    ] = ()
    author_key: Annotated[
        tuple[str, ...],
        typer.Option(metavar="FILE", help="expected author key, which signed the ID key"),
    ] = ()
