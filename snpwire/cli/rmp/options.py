"""The options of ``snpwire rmp``, in groups."""

from typing import Annotated, NamedTuple

import typer

from ..options import Length, Offset, number, one_of


class RmpOptions(NamedTuple):
    """Where the table is, and how to read it."""

    images: Annotated[
        tuple[str, ...],
        typer.Argument(
            metavar="IMAGE",
            help="an image of the table, or a log; - is standard input; of several parts each is "
            "FILE@ADDRESS, where the memory begins that it speaks for",
            show_default=False,
        ),
    ]
    form: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="FORM",
            callback=one_of("auto", "image", "log"),
            help="auto, image, log: how to read it",
        ),
    ] = "auto"
    counters: Annotated[
        bool | None,
        typer.Option(
            "--counters/--no-counters",
            help="whether 16 KiB of ASID counters come before the entries; else the image tells",
            show_default=False,
        ),
    ] = None
    base: Annotated[
        int | None,
        typer.Option(parser=number, metavar="ADDR", help="RMP_BASE, where the table itself lies"),
    ] = None
    first: Annotated[
        int | None,
        typer.Option(
            parser=number, metavar="PFN", help="a part of a table: the page of its first entry"
        ),
    ] = None
    segments: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="the segment table; the images are its segments, in its order"
        ),
    ] = None
    shift: Annotated[
        int | None,
        typer.Option(
            parser=number, metavar="N", help="a segment covers 2^N bytes (RMP_CFG 13:8), else 37"
        ),
    ] = None
    offset: Offset = None
    length: Length = None


class FindOptions(NamedTuple):
    """Which pages to list, as text."""

    state: Annotated[
        tuple[str, ...],
        typer.Option(metavar="STATE", help="in this state, or one of several"),
    ] = ()
    asid: Annotated[
        int | None,
        typer.Option(parser=number, metavar="N", help="of this guest; 0 of none"),
    ] = None
    gpa: Annotated[
        str | None,
        typer.Option(metavar="ADDR[-ADDR]", help="with this guest address, or one up to the other"),
    ] = None
    pages: Annotated[
        str | None,
        typer.Option(metavar="PFN[-PFN]", help="this page of the host, or one up to the other"),
    ] = None
    rights: Annotated[
        tuple[str, ...],
        typer.Option(
            metavar="VMPL:RIGHT[,RIGHT]",
            help="where a VMPL may do this: read, write, exec_user, exec_supervisor, sss",
        ),
    ] = ()
    size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", callback=one_of("4k", "2m"), help="4k, 2m"),
    ] = None
    where: Annotated[
        tuple[str, ...],
        typer.Option(metavar="FIELD=N", help="with this field of lo: vmsa=1, immutable=1 .."),
    ] = ()
