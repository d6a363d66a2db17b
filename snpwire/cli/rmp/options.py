"""The options of ``snpwire rmp``, in groups."""

from typing import Annotated, NamedTuple

import typer

from ..options import Length, Offset, choice, numeric, register, text


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
    form: Annotated[str, choice("FORM", "input format", ("auto", "image", "log"), "--from")] = (
        "auto"
    )
    counters: Annotated[
        bool | None,
        typer.Option(
            "--counters/--no-counters",
            help="whether 16 KiB of ASID counters precede the entries; default by content",
            show_default=False,
        ),
    ] = None
    base: Annotated[int | None, register("ADDR", "RMP_BASE, the address of the table itself")] = (
        None
    )
    first: Annotated[
        int | None, numeric("PFN", "for part of a table: the page of its first entry")
    ] = None
    segments: Annotated[
        str | None, text("FILE", "segment table; the images are its segments, in its order")
    ] = None
    shift: Annotated[
        int | None, numeric("N", "a segment covers 2^N bytes (RMP_CFG 13:8); default 37")
    ] = None
    offset: Offset = None
    length: Length = None


class FindOptions(NamedTuple):
    """Filters of the pages to list, as text."""

    state: Annotated[tuple[str, ...], text("STATE", "filter by state; repeat for several")] = ()
    asid: Annotated[int | None, numeric("N", "filter by ASID; 0 for pages of no guest")] = None
    gpa: Annotated[str | None, text("ADDR[-ADDR]", "filter by guest address or range")] = None
    pages: Annotated[str | None, text("PFN[-PFN]", "filter by host page or range")] = None
    rights: Annotated[
        tuple[str, ...],
        text(
            "VMPL:RIGHT[,RIGHT]",
            "filter by VMPL permissions: read, write, exec_user, exec_supervisor, sss",
        ),
    ] = ()
    size: Annotated[str | None, choice("SIZE", "filter by page size", ("4k", "2m"))] = None
    where: Annotated[
        tuple[str, ...], text("FIELD=N", "filter by field of the entry: vmsa=1, immutable=1 ..")
    ] = ()
