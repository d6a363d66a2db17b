"""Arguments and options that commands share, and groups of them, as typer wants them.

A group is a NamedTuple whose fields are options. It is declared once, beside what reads it, and
``grouped`` spreads it out for typer. A frozen dataclass would do as well, but costs five times as
much to declare, at every start. Annotations are not postponed, here and wherever options are
declared: typer would evaluate every one of them whenever it starts.
"""

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, NamedTuple, get_args, get_origin

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


def one_of(*words: str) -> Callable[[str | None], str | None]:
    """Return a callback that refuses what is not one of *words*."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in words:
            raise typer.BadParameter(f"{shown(value)} is not one of {', '.join(words)}")
        return value

    return check


def grouped(command: Callable[..., int]) -> Callable[..., int]:
    """Return *command* for typer, with the fields of each group of options as its parameters.

    An option that can be given several times is a tuple; typer knows only lists.
    """
    groups: dict[str, Any] = {}
    flat: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        group = parameter.annotation
        if hasattr(group, "_fields"):
            groups[name] = group
            defaults = group._field_defaults
            flat += (_flat(f, a, defaults.get(f, _EMPTY)) for f, a in group.__annotations__.items())
        else:
            flat.append(_flat(name, group, parameter.default))

    def run(**given: Any) -> int:
        values = {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}
        for name, group in groups.items():
            values[name] = group(*map(values.pop, group._fields))
        return command(**values)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = Signature(flat)  # type: ignore[attr-defined]
    return run


_EMPTY = Parameter.empty


def _flat(name: str, annotation: Any, default: Any) -> Parameter:
    option_type, option = get_args(annotation)
    if get_origin(option_type) is tuple:
        annotation = Annotated[list[str], option]
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


KindName = Annotated[str, typer.Argument(metavar="KIND", show_default=False)]
File = Annotated[str, typer.Argument(metavar="[FILE]", help="the input; - is standard input")]
Fields = Annotated[
    tuple[str, ...],
    typer.Option(
        "--set", metavar="PATH=VALUE", help="set one field: a value, JSON, or @FILE for its bytes"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
JsonLines = Annotated[bool, typer.Option("--json", help="print JSON Lines")]
Offset = Annotated[
    int | None, typer.Option(parser=number, metavar="N", help="start at byte N of the input")
]
Length = Annotated[int | None, typer.Option(parser=number, metavar="N", help="read N bytes")]
Product = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        callback=one_of("milan", "genoa", "turin", "venice"),
        help="processor whose TCB layout applies: milan, genoa, turin, venice",
    ),
]
Family = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        callback=one_of(
            "milan", "genoa", "turin", "venice", "zen3", "zen4", "zen5", "0x19", "0x1a"
        ),
        help="processor whose RMP layout applies: milan .. venice, zen3 .. zen5, 0x19, 0x1a",
    ),
]
Command = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="ID",
        help="firmware command, if KIND is command: 0x94, SNP_GUEST_REQUEST",
    ),
]
Corrupt = Annotated[
    tuple[str, ...],
    typer.Option(metavar="NAME", help="corrupt the result in this way; list prints all"),
]
Redact = Annotated[bool, typer.Option("--redact", help="omit keys, derived keys and nonces")]
FailOn = Annotated[
    str | None,
    typer.Option(
        metavar="SEVERITY",
        callback=one_of("note", "warning", "error"),
        help="exit with 1 on a finding at least this severe: note, warning, error",
    ),
]
AsHex = Annotated[bool, typer.Option("--hex", help="write hex text instead of bytes")]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="write to FILE, whole or not at all"),
]


class PieceOptions(NamedTuple):
    """Which bytes of an input, and how they are written."""

    form: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="FORM",
            callback=one_of("auto", "raw", "hex", "hex-le", "hex-be", "base64", "kvm"),
            help="input format: auto, raw, hex, hex-le, hex-be, base64, kvm",
        ),
    ] = "auto"
    offset: Offset = None
    length: Length = None
    page: Annotated[
        int | None, typer.Option(parser=number, metavar="N", help="read 4 KiB page N of the input")
    ] = None


class ContextOptions(NamedTuple):
    """What is known about the bytes, whatever they say."""

    direction: Annotated[
        str | None,
        typer.Option(
            metavar="DIRECTION",
            callback=one_of("request", "answer"),
            help="read a GHCB page or a message as request or answer (response)",
        ),
    ] = None
    gpa: Annotated[
        int | None,
        typer.Option(parser=number, metavar="ADDR", help="guest physical address of the GHCB page"),
    ] = None
    product: Product = None
    family: Family = None
    command: Command = None


class ViewOptions(NamedTuple):
    """How a decoded value is printed, and how much of it."""

    hexdump: Annotated[bool, typer.Option("--hex", help="annotated hex, every byte")] = False
    json: Annotated[
        str | None,
        typer.Option(
            metavar="[=full]",
            callback=one_of("plain", "full"),
            help="print JSON that encode accepts; "
            "=full adds offset, size, hex and text to each field",
        ),
    ] = None
    fields: Annotated[str | None, typer.Option(metavar="A,B.C", help="only these fields")] = None
    everything: Annotated[
        bool, typer.Option("--all", help="include fields that are zero and not marked valid")
    ] = False
