"""The options of ``snpwire rmp``, in groups."""

from typing import Annotated, NamedTuple

import typer

from ..options import Length, Offset, number, one_of


class RmpOptions(NamedTuple):
    """The images of the table, and how to read them."""

    images: Annotated[
        tuple[str, ...],
        typer.Argument(
            metavar="IMAGE",
            help="an RMP image or a log; - is standard input; several parts are given as "
            "FILE@ADDRESS, the start of the memory that each covers",
            show_default=False,
        ),
    ]
    form: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="FORM",
            callback=one_of("auto", "image", "log"),
            help="input format: auto, image, log",
        ),
    ] = "auto"
    counters: Annotated[
        bool | None,
        typer.Option(
            "--counters/--no-counters",
            help="whether 16 KiB of ASID counters precede the entries; default by content",
            show_default=False,
        ),
    ] = None
    base: Annotated[
        int | None,
        typer.Option(
            parser=number, metavar="ADDR", help="RMP_BASE, the address of the table itself"
        ),
    ] = None
    first: Annotated[
        int | None,
        typer.Option(
            parser=number, metavar="PFN", help="for part of a table: the page of its first entry"
        ),
    ] = None
    segments: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="segment table; the images are its segments, in its order"
        ),
    ] = None
    shift: Annotated[
        int | None,
        typer.Option(
            parser=number, metavar="N", help="a segment covers 2^N bytes (RMP_CFG 13:8); default 37"
        ),
    ] = None
    offset: Offset = None
    length: Length = None


class FindOptions(NamedTuple):
    """Filters of the pages to list, as text."""

    state: Annotated[
        tuple[str, ...],
        typer.Option(metavar="STATE", help="filter by state; repeat for several"),
    ] = ()
    asid: Annotated[
        int | None,
        typer.Option(parser=number, metavar="N", help="filter by ASID; 0 for pages of no guest"),
    ] = None
    gpa: Annotated[
        str | None,
        typer.Option(metavar="ADDR[-ADDR]", help="filter by guest address or range"),
    ] = None
    pages: Annotated[
        str | None,
        typer.Option(metavar="PFN[-PFN]", help="filter by host page or range"),
    ] = None
    rights: Annotated[
        tuple[str, ...],
        typer.Option(
            metavar="VMPL:RIGHT[,RIGHT]",
            help="filter by VMPL permissions: read, write, exec_user, exec_supervisor, sss",
        ),
    ] = ()
    size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", callback=one_of("4k", "2m"), help="filter by page size: 4k, 2m"
        ),
    ] = None
    where: Annotated[
        tuple[str, ...],
        typer.Option(
            metavar="FIELD=N", help="filter by field of the entry: vmsa=1, immutable=1 .."
        ),
    ] = ()
