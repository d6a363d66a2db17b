"""The options of seal, open and verify, in groups."""

from typing import Annotated, NamedTuple

import typer

from ..options import Fields, Json, Product, Redact, number


class PayloadOptions(NamedTuple):
    """What a message is to carry: fields, or bytes as they are."""

    file: Annotated[
        str | None,
        typer.Argument(metavar="[JSON]", help="the payload's fields; - is standard input"),
    ] = None
    settings: Fields = ()
    payload: Annotated[
        str | None, typer.Option(metavar="FILE", help="the payload as it is, instead of fields")
    ] = None
    msg_type: Annotated[
        int | None,
        typer.Option("--type", parser=number, metavar="N", help="the message type of raw"),
    ] = None


class KeyOptions(NamedTuple):
    """Where the key is."""

    key_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="the key: 32 bytes, 64 hex digits, or a secrets page that has it"
        ),
    ] = None
    key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="the key is in this variable of the environment, in hex"),
    ] = None
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="the key comes on standard input")
    ] = False


class SealOptions(NamedTuple):
    """What the header of a message says."""

    seqno: Annotated[
        int | None,
        typer.Option(
            parser=number,
            metavar="N",
            help="the sequence number, always needed: it is the nonce, and a key takes it once",
        ),
    ] = None
    vmpck: Annotated[
        int | None,
        typer.Option(parser=number, metavar="N", help="which of the four keys it is, else 0"),
    ] = None
    version: Annotated[
        int | None,
        typer.Option(parser=number, metavar="N", help="the message version, else the type's own"),
    ] = None


class OpenOptions(NamedTuple):
    """How a message is opened, and what of it is printed."""

    vmpck: Annotated[
        int | None,
        typer.Option(
            parser=number, metavar="N", help="this key of a secrets page, else the message's own"
        ),
    ] = None
    seqno: Annotated[
        int | None,
        typer.Option(parser=number, metavar="N", help="the sequence number that is to come"),
    ] = None
    secrets: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="a secrets page, whose keys are tried if the tag fails"),
    ] = None
    diagnosis: Annotated[
        bool, typer.Option("--diagnosis/--no-diagnosis", help="say why, if the tag fails")
    ] = True
    redact: Redact = False
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="write the payload here")
    ] = None
    json: Json = False
    product: Product = None


class VerifyOptions(NamedTuple):
    """What a report is verified against."""

    certificates: Annotated[
        tuple[str, ...],
        typer.Argument(metavar="[CERT]...", help="DER or PEM, one or several, in any order"),
    ] = ()
    certs: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="a certificate table of an extended request"),
    ] = None
    root: Annotated[
        tuple[str, ...],
        typer.Option(metavar="FILE", help="trust the root in it, and AMD's no more"),
    ] = ()
    crl: Annotated[str | None, typer.Option(metavar="FILE", help="a revocation list")] = None
    policy: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="what the report has to say, in TOML or JSON"),
    ] = None
    id_key: Annotated[
        tuple[str, ...],
        typer.Option(metavar="FILE", help="the owner's ID key: PEM, 0x404 bytes, or its digest"),
    ] = ()
    author_key: Annotated[
        tuple[str, ...],
        typer.Option(metavar="FILE", help="the author's key, which signed the ID key"),
    ] = ()
    product: Product = None
    at: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="the time that dates are checked for, else now"),
    ] = None
