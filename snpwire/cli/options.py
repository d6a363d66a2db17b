"""Arguments and options that commands share, as typer wants them.

Annotations are not postponed: typer would evaluate every one of them whenever it starts.
"""

from typing import Annotated, Optional

import typer

from ..bits import integer
from ..errors import shown


def number(text: str) -> int:
    """Read a number that is not negative, for an option."""
    try:
        value = integer(text)
    except ValueError:
        raise typer.BadParameter(f"{shown(text)} is no number") from None
    if value < 0:
        raise typer.BadParameter(f"{shown(text)} is negative")
    return value


def one_of(*words: str):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Return a callback that refuses what is not one of *words*."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in words:
            raise typer.BadParameter(f"{shown(value)} is not one of {', '.join(words)}")
        return value

    return check


KindName = Annotated[str, typer.Argument(metavar="KIND", show_default=False)]
File = Annotated[str, typer.Argument(metavar="[FILE]", help="the input; - is standard input")]
Form = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="FORM",
        callback=one_of("auto", "raw", "hex", "hex-le", "hex-be", "base64", "kvm"),
        help="auto, raw, hex, hex-le, hex-be, base64, kvm: how to read it",
    ),
]
Offset = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(parser=number, metavar="N", help="begin at byte N of the input"),
]
Length = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(parser=number, metavar="N", help="take N bytes"),
]
Page = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(parser=number, metavar="N", help="take 4 KiB page N of the input"),
]
Json = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--json",
        metavar="[=full]",
        callback=one_of("plain", "full"),
        help="print JSON that encode takes back; =full adds offset, size, hex, text to each leaf",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Way = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--direction",
        metavar="WAY",
        callback=one_of("request", "answer"),
        help="read a GHCB page or a message as request or answer, whatever it says",
    ),
]
Gpa = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--gpa", parser=number, metavar="ADDR", help="where the GHCB page itself lies"),
]


Model = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--product",
        metavar="NAME",
        callback=one_of("milan", "genoa", "turin", "venice"),
        help="milan, genoa, turin, venice: whose TCB versions, whatever the bytes say",
    ),
]


Family = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--family",
        metavar="NAME",
        callback=one_of(
            "milan", "genoa", "turin", "venice", "zen3", "zen4", "zen5", "0x19", "0x1a"
        ),
        help="milan, genoa, turin, venice, zen3..zen5, 0x19, 0x1a: whose reverse map table",
    ),
]
Id = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--id",
        metavar="ID",
        help="the firmware command, where KIND is command: 0x94, SNP_GUEST_REQUEST",
    ),
]
KeyFile = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        metavar="FILE", help="the key: 32 bytes, 64 hex digits, or a secrets page that has it"
    ),
]
KeyEnv = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(metavar="NAME", help="the key is in this variable of the environment, in hex"),
]
KeyStdin = Annotated[bool, typer.Option("--key-stdin", help="the key comes on standard input")]
Corrupt = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(metavar="NAME", help="make it wrong on purpose; list prints the ways"),
]
