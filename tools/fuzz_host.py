"""Buffers of firmware commands, and images of the RMP, as targets of the fuzzer."""

from __future__ import annotations

import json
from struct import pack
from typing import TYPE_CHECKING, Any

from fuzz_properties import answered, expect, file_of
from fuzz_seeds import TESTS

from snpwire.cli.command import form_of
from snpwire.decode import command as commands
from snpwire.errors import DecodeError
from snpwire.rmp.table import Table
from snpwire.view import json as views
from snpwire.wire import kind
from snpwire.wire.command_table import COMMANDS, CommandId
from snpwire.wire.rmp import ENTRIES_OFFSET, RmpEntry, RmpLo

if TYPE_CHECKING:
    from random import Random


# Commands

IDS = list(CommandId)
SHOWN: tuple[list[str], ...] = ([], ["--all"], ["--hex"], ["--json=full"], ["--json"], ["--json"])


def buffer(data: bytes) -> None:
    """Decode, show and rebuild the buffer of the command that the first byte names."""
    which, how = data[:2].ljust(2, b"\0")
    number, body = IDS[which % len(IDS)], data[2:]
    words = ["--id", number.name if how & 1 else f"{int(number):#x}"]
    shown = SHOWN[how // 2 % len(SHOWN)]
    strict = ["--strict"] if how & 0x80 else []
    out, code = answered(["decode", "command", *words, *shown, *strict, "--from", "raw"], body)
    takes = number not in COMMANDS or bool(COMMANDS[number].buffer)
    expect(takes == (code != 2), f"decode command: exit code {code}")
    fits = takes and commands.fits(number, len(body))
    if takes:
        refused = code == 3
        expect(fits or refused or not strict, "decode command: a size that does not fit is taken")
    if code < 2 and shown == ["--json"] and fits:
        schema, form = form_of(json.loads(out), words[1])
        value: Any = form.from_plain(views.fields_of(json.loads(out), schema))
        expect(value.build() == body, "a byte is lost")
        again, _ = answered(["encode", "command", "-", *words], out)
        expect(again == body, "encode command: a byte is lost")


def buffer_seeds() -> list[bytes]:
    """Return a buffer for every command, of every layout that it has."""
    made = []
    for index, number in enumerate(IDS):
        names = commands.layouts(number) or ("",)
        sizes = [kind(name).type.SIZE if name else 24 for name in names]
        made += [bytes([index, index * 2 + 8]) + bytes(size) for size in sizes]
    return made


# Images of the reverse map table

ENTRY = RmpEntry.SIZE
FIRSTS = (0, 1, 0x1F8, 0x200, 0xF_FFFF, (1 << 39) - 0x200)
"""Where a part of a table may begin."""
CALLS = (
    *("summary", "summary --json", "check", "check --json", "check --limit 0", "check --json"),
    *(
        "find --json",
        "find --state GUEST_VALID",
        "find --asid 1 --gpa 0-0x3ff000",
        "find --limit 0",
    ),
    *("find --rights 1:read --size 2m", "find --where vmsa=1 --json", "plot -o {svg}"),
    *("plot -o {svg} --title x", "summary --no-counters", "summary --counters"),
    *("check --base 0x4000", "summary --from log", "check --from log --json", "find --from log"),
)


def rmp(data: bytes) -> None:
    """Read an image as a table, whole or in part, and as the command that the first byte names."""
    how, where = data[:2].ljust(2, b"\0")
    body = data[2:]
    _table(body)
    words = CALLS[how % len(CALLS)].format(svg=file_of("map.svg", b""))
    verb, *options = words.split()
    if where & 1 and "counters" not in words and "base" not in words:
        options += ["--first", str(FIRSTS[where // 2 % len(FIRSTS)])]
    out, code = answered(["rmp", verb, file_of("image", body), *options])
    if "--json" in words and code < 2:
        for line in out.splitlines() if verb == "find" else [out] * bool(out):
            json.loads(line)


def _table(body: bytes) -> None:
    try:
        table = Table.over(body)
    except DecodeError:
        expect(len(body) % ENTRY or len(body) in (0, ENTRIES_OFFSET), "what fits is refused")
        return
    states = table.states()
    counts = table.census()
    by_state = counts.by_state()
    expect(counts.pages == len(states) == table.pages, "a page is not counted")
    expect(sum(by_state.values()) == table.pages, "the states are not all")
    for page in range(0, table.pages, 1 + table.pages // 16):
        expect(table.state(page) == states[page], "one page has two states")
        lo, hi = table.entry(page)
        entry = lo.to_bytes(8, "little") + hi.to_bytes(8, "little")
        start = len(body) - table.pages * ENTRY + page * ENTRY
        expect(body[start : start + ENTRY] == entry, "an entry is another")
    for state, pages in by_state.items():
        expect(table.find(state=state).pages == pages, f"{state.name}: found and counted differ")


BITS = ["assigned", "page_size", "immutable", "validated", "vmsa", "lock", "assigned", "validated"]


def entry(random: Random, data: bytes, other: bytes) -> bytes:
    """Write some entries that are alike, or whose guest pages follow one another."""
    fields = {name: random.getrandbits(1) for name in random.sample(BITS, random.randint(1, 4))}
    low = RmpLo.of(**fields) | RmpLo.of(asid=random.choice((0, 0, 1, 2, 1023)))
    high = random.choice((0, 0x1F, 0x1F1F, 0x200 << 32, random.getrandbits(64)))
    first = random.choice((0, random.randrange(16)))
    page = random.choice((0, 1, 0x200, (1 << 39) - 1, random.getrandbits(39)))
    step, count = random.choice((0, 1)), random.choice((1, 1, 4, 64))
    words = (
        low | ((page + step * n) & (1 << 39) - 1) << RmpLo.BITS["gpa"].low for n in range(count)
    )
    made = b"".join(pack("<2Q", word, high) for word in words)
    at = 2 + first * ENTRY
    return data[:at].ljust(at, b"\0") + made + data[at + len(made) :]


def rmp_seeds() -> list[bytes]:
    """Return pieces of the images of the tests, a log, counters, and small tables of each state."""
    made = []
    for name in ("host.rmp", "faults.rmp"):
        image = (TESTS / "rmp" / name).read_bytes()[-0xC000:]
        made += [image[at : at + 0x800] for at in range(0, len(image), 0x2C00)]
    made.append(bytes(ENTRIES_OFFSET) + made[1])
    made.append((TESTS / "rmp" / "kern.log").read_bytes())
    calls = range(len(CALLS))
    return [bytes([n % len(calls), n % 16]) + body for n, body in enumerate(made * 2)]
