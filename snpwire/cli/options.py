"""Arguments and options that commands share, and groups of them, as typer wants them.

A group is a NamedTuple whose fields are options. It is declared once, beside what reads it, and
``grouped`` spreads it out for typer. A frozen dataclass would do as well, but costs five times as
much to declare, at every start. Annotations are not postponed, here and wherever options are
declared: typer would evaluate every one of them whenever it starts.
"""

from collections.abc import Callable, Iterator
from inspect import Parameter, Signature
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import typer

from ..errors import UsageError, shown
from ..numeral import HEX, reading, readings


def number(word: str | int) -> int:
    """Read a count, for an option: digits without a mark are decimal, letters want ``0x``."""
    text = str(word)
    found = [row for row in readings(text) if row.base != HEX]
    if text.strip().startswith("-"):
        raise typer.BadParameter(f"{shown(text)} is negative")
    if not found:
        raise typer.BadParameter(f"{shown(text)} is no number")
    if "without 0x" in found[0].form:
        known = f"{shown(text)} is no decimal number; in hex it is {found[0].value:#x}"
        raise typer.BadParameter(known)
    return found[0].value


def printed(word: str | int) -> int:
    """Read the value of a register or an address, for an option: hex where it cannot be both.

    Digits that could be decimal too are refused, with both readings.
    """
    text = str(word)
    if text.strip().startswith("-"):
        raise typer.BadParameter(f"{shown(text)} is negative")
    try:
        found = reading(text)
    except UsageError as exc:
        raise typer.BadParameter(f"{exc}; {exc.help}".rstrip("; ")) from None
    if found.note:
        from .output import write_note

        write_note(f"{text} is read as {found.value:#x}: {found.note}")
    return found.value


def numeric(metavar: str, doc: str, *names: str) -> Any:
    """Declare an option that is a number; without *names* it is called as its parameter."""
    return typer.Option(*names, parser=number, metavar=metavar, help=doc)


def register(metavar: str, doc: str, *names: str) -> Any:
    """Declare an option that is an address or a register, which programs print in hex."""
    return typer.Option(*names, parser=printed, metavar=metavar, help=doc)


def text(metavar: str, doc: str, *names: str) -> Any:
    """Declare an option that is text."""
    return typer.Option(*names, metavar=metavar, help=doc)


def one_of(*words: str) -> Callable[[str | None], str | None]:
    """Return a callback that refuses what is not one of *words*."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in words:
            raise typer.BadParameter(f"{shown(value)} is not one of {', '.join(words)}")
        return value

    return check


def choice(metavar: str, doc: str, words: tuple[str, ...], *names: str) -> Any:
    """Declare an option that is one of *words*, which its help text lists."""
    doc = f"{doc}: {', '.join(words)}"
    return typer.Option(*names, metavar=metavar, callback=one_of(*words), help=doc)


def grouped(command: Callable[..., int]) -> Callable[..., int]:
    """Return *command* for typer, with the fields of each group of options as its parameters.

    It takes keywords only. An option that can be repeated is a tuple; typer knows only lists.
    """
    groups: dict[str, Any] = {}
    flat: list[Parameter] = []
    defaults = command.__kwdefaults__ or {}
    for name, annotation in command.__annotations__.items():
        if hasattr(annotation, "_fields"):
            groups[name] = annotation
            flat += _parameters(annotation.__annotations__, annotation._field_defaults)
        elif name != "return":
            flat += _parameters({name: annotation}, defaults)

    def run(**given: Any) -> int:
        values = {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}
        for name, group in groups.items():
            values[name] = group(*map(values.pop, group._fields))
        return command(**values)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = Signature(flat)  # type: ignore[attr-defined]
    return run


def _parameters(annotations: dict[str, Any], defaults: dict[str, Any]) -> Iterator[Parameter]:
    for name, annotation in annotations.items():
        option_type, option = get_args(annotation)
        wanted = Annotated[list[str], option] if get_origin(option_type) is tuple else annotation
        default = defaults.get(name, Parameter.empty)
        yield Parameter(name, Parameter.KEYWORD_ONLY, annotation=wanted, default=default)


KindName = Annotated[str, typer.Argument(metavar="KIND", show_default=False)]
File = Annotated[str, typer.Argument(metavar="[FILE]", help="the input; - is standard input")]
Fields = Annotated[
    tuple[str, ...],
    text("PATH=VALUE", "set one field: a value, JSON, or @FILE for its bytes", "--set"),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
JsonLines = Annotated[bool, typer.Option("--json", help="print JSON Lines")]
Offset = Annotated[int | None, numeric("N", "start at byte N of the input")]
Length = Annotated[int | None, numeric("N", "read N bytes")]
Product = Annotated[
    str | None,
    choice("NAME", "processor whose TCB layout applies", ("milan", "genoa", "turin", "venice")),
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
    str | None, text("ID", "firmware command, if KIND is command: 0x94, SNP_GUEST_REQUEST", "--id")
]
Corrupt = Annotated[
    tuple[str, ...], text("NAME", "corrupt the result in this way; list prints all")
]
Redact = Annotated[bool, typer.Option("--redact", help="omit keys, derived keys and nonces")]
FailOn = Annotated[
    str | None,
    choice(
        "SEVERITY", "exit with 1 on a finding at least this severe", ("note", "warning", "error")
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="refuse an input that has less or more than all of KIND")
]
AsHex = Annotated[bool, typer.Option("--hex", help="write hex text instead of bytes")]
Output = Annotated[str | None, text("FILE", "write to FILE, whole or not at all", "-o", "--output")]


class PieceOptions(NamedTuple):
    """Which bytes of an input, and how they are written."""

    form: Annotated[
        str,
        choice(
            "FORM",
            "input format",
            (
                "auto",
                "raw",
                "hex",
                "hex-le",
                "hex-be",
                "decimal",
                "octal",
                "binary",
                "base64",
                "kvm",
            ),
            "--from",
        ),
    ] = "auto"
    offset: Offset = None
    length: Length = None
    page: Annotated[int | None, numeric("N", "read 4 KiB page N of the input")] = None


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
    gpa: Annotated[int | None, register("ADDR", "guest physical address of the GHCB page")] = None
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
    fields: Annotated[str | None, text("A,B.C", "only these fields")] = None
    everything: Annotated[
        bool, typer.Option("--all", help="include fields that are zero and not marked valid")
    ] = False


class DemandOptions(NamedTuple):
    """What a value has to be, and what of it is not printed."""

    redact: Redact = False
    strict: Strict = False
    fail_on: FailOn = None
    report: Annotated[str | None, text("FILE", "report that a certificate has to fit")] = None
