"""The commands of guest messages and reports: seal, open, verify.

Annotations are not postponed: typer would evaluate every one of them whenever it starts.
"""

from typing import Annotated, Optional

import typer

from ..options import (
    AsJson,
    Corrupt,
    File,
    Form,
    KeyEnv,
    KeyFile,
    KeyStdin,
    Length,
    Model,
    Offset,
    Page,
    number,
)


def seal(
    what: Annotated[str, typer.Argument(metavar="TYPE", show_default=False)] = "",
    file: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(metavar="[JSON]", help="the payload's fields; - is standard input"),
    ] = None,
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="set one field: a value, JSON, or @FILE for its bytes",
        ),
    ] = None,
    payload: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="the payload as it is, instead of fields"),
    ] = None,
    msg_type: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--type", parser=number, metavar="N", help="the message type of raw"),
    ] = None,
    key_file: KeyFile = None,
    key_env: KeyEnv = None,
    key_stdin: KeyStdin = False,
    seqno: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            parser=number,
            metavar="N",
            help="the sequence number, always needed: it is the nonce, and a key takes it once",
        ),
    ] = None,
    vmpck: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(parser=number, metavar="N", help="which of the four keys it is, else 0"),
    ] = None,
    version: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(parser=number, metavar="N", help="the message version, else the type's own"),
    ] = None,
    corrupt: Corrupt = None,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("-o", "--output", metavar="FILE", help="write here, whole or not at all"),
    ] = None,
    as_hex: Annotated[bool, typer.Option("--hex", help="hex text instead of bytes")] = False,
) -> int:
    """Build a payload, seal it, and write the page."""
    from .keys import KeyOptions
    from .seal import Wish
    from .seal import seal as run

    wish = Wish(
        type=what,
        json=file,
        settings=tuple(settings or ()),
        payload=payload,
        msg_type=msg_type,
        seqno=seqno,
        vmpck=vmpck or 0,
        version=version,
        corrupt=tuple(corrupt or ()),
    )
    return run(wish, KeyOptions(key_file, key_env, key_stdin), output=output, as_hex=as_hex)


def open_(
    file: File = "-",
    key_file: KeyFile = None,
    key_env: KeyEnv = None,
    key_stdin: KeyStdin = False,
    vmpck: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            parser=number, metavar="N", help="this key of a secrets page, else the message's own"
        ),
    ] = None,
    seqno: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(parser=number, metavar="N", help="the sequence number that is to come"),
    ] = None,
    secrets: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="a secrets page, whose keys are tried if the tag fails"),
    ] = None,
    diagnosis: Annotated[
        bool, typer.Option("--diagnosis/--no-diagnosis", help="say why, if the tag fails")
    ] = True,
    redact: Annotated[
        bool, typer.Option("--redact", help="leave out keys, derived keys and nonces")
    ] = False,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("-o", "--output", metavar="FILE", help="write the payload here"),
    ] = None,
    json: AsJson = False,
    product: Model = None,
    form: Form = "auto",
    offset: Offset = None,
    length: Length = None,
    page: Page = None,
) -> int:
    """Authenticate and decrypt a message, or say which input is wrong."""
    from ...decode.document import Wanted
    from .keys import KeyOptions
    from .open import Asked, open_message

    wanted = Wanted(form, offset, length, page, product=product)
    asked = Asked(wanted, vmpck, seqno, secrets, diagnosis, json, output, redact)
    return open_message(file, KeyOptions(key_file, key_env, key_stdin), asked)


def verify(
    report: Annotated[str, typer.Argument(metavar="REPORT", show_default=False)],
    certificates: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="[CERT]...", help="DER or PEM, one or several, in any order"),
    ] = None,
    certs: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="a certificate table of an extended request"),
    ] = None,
    root: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="FILE", help="trust the root in it, and AMD's no more"),
    ] = None,
    crl: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="a revocation list"),
    ] = None,
    policy: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="what the report has to say, in TOML or JSON"),
    ] = None,
    id_key: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="FILE", help="the owner's ID key: PEM, 0x404 bytes, or its digest"),
    ] = None,
    author_key: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="FILE", help="the author's key, which signed the ID key"),
    ] = None,
    product: Model = None,
    at: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="DATE", help="the time that dates are checked for, else now"),
    ] = None,
    json: AsJson = False,
    form: Form = "auto",
    offset: Offset = None,
    length: Length = None,
    page: Page = None,
) -> int:
    """Verify a report: signature, chain, what the chain is for, and a policy."""
    from ...decode.document import Wanted
    from .verify import Against
    from .verify import verify as run

    against = Against(
        certificates=tuple(certificates or ()),
        table=certs,
        roots=tuple(root or ()),
        crl=crl,
        policy=policy,
        product=product,
        at=at,
        id_keys=tuple(id_key or ()),
        author_keys=tuple(author_key or ()),
    )
    return run(report, against, Wanted(form, offset, length, page), json=json)
