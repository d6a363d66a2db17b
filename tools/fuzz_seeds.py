"""What the fuzzer starts from: images of every kind, hex of every make, logs, JSON, commands.

The dumps are written by the smallest writers that give the looks of each tool.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from struct import pack_into

from snpwire.layout import Record
from snpwire.wire import RECORDS
from snpwire.wire.events import EVENTS
from snpwire.wire.ghcb import Page, ValidBitmap

KINDS = list(RECORDS)
GHCB = KINDS.index("ghcb")
TESTS = Path(__file__).parent.parent / "tests"
LOGS = TESTS / "logs"


def _rows(data: bytes) -> list[tuple[int, bytes]]:
    return [(at, data[at : at + 16]) for at in range(0, len(data), 16)]


def _shown(row: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)


def _groups(row: bytes, size: int, *, words: bool = False) -> str:
    parts = [row[at : at + size] for at in range(0, len(row), size)]
    return " ".join((part[::-1] if words else part).hex() for part in parts)


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def xxd(data: bytes, group: int = 1) -> str:
    """Write as ``xxd -g`` does."""
    width = 32 + 16 // group - 1
    return _lines([f"{at:08x}: {_groups(r, group):{width}}  {_shown(r)}" for at, r in _rows(data)])


def hexdump(data: bytes) -> str:
    """Write as ``hexdump -C`` does, equal rows as ``*``."""
    made, before = [], b""
    for at, row in _rows(data):
        if row != before or len(row) < 16:
            halves = f"{_groups(row[:8], 1):23}  {_groups(row[8:], 1):23}"
            made.append(f"{at:08x}  {halves}  |{_shown(row)}|")
        elif made[-1] != "*":
            made.append("*")
        before = row
    return _lines([*made, f"{len(data):08x}"])


def _od(data: bytes, group: int, base: str, gap: str = " ") -> str:
    rows = [
        base.format(at) + gap + _groups(r, group, words=True).replace(" ", gap)
        for at, r in _rows(data)
    ]
    return _lines([*rows, base.format(len(data))])


def _kernel(data: bytes, start: str, group: int) -> str:
    return _lines(
        [f"{start}{at:08x}: {_groups(r, group, words=True)}  {_shown(r)}" for at, r in _rows(data)]
    )


def _gdb(data: bytes) -> str:
    return _lines(
        [
            f"0x{0x7FFFE6F0 + at:x} <buf+{at}>:\t0x" + row.hex(" ").replace(" ", "\t0x")
            for at, row in _rows(data)
        ]
    )


def _folded(text: str) -> str:
    return _lines([text[at : at + 64] for at in range(0, len(text), 64)])


def texts(data: bytes) -> list[str]:
    """Write *data* in every make of hex and base64."""
    coded = base64.b64encode(data).decode()
    return [
        data.hex(),
        data.hex(" ", 2),
        _folded(data.hex()),
        "u8 page[] = {\n" + ", ".join(map(hex, data)) + ", // end\n};\n",
        "[" + ", ".join(map(hex, data)) + "]",
        'x = "' + "".join(f"\\x{byte:02x}" for byte in data) + '"',
        repr(data),
        xxd(data),
        xxd(data, 2),
        hexdump(data),
        _od(data, 2, "{:07x}", "    "),
        _od(data, 8, "{:07o}"),
        _od(data, 1, "{:07d}"),
        _od(data, 4, "{:06x}"),
        _gdb(data),
        _kernel(data, "[   12.345678] [ T4616] kvm_amd: ", 8),
        _kernel(data, "Jan  2 03:04:05 host kernel: VMSA: ", 1),
        _lines(["> " + line for line in xxd(data).splitlines()]),
        "```text\n" + hexdump(data) + "```\n",
        coded,
        _folded(coded),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
        f"-----BEGIN X KEY-----\n{_folded(coded)}-----END X KEY-----\n",
        *_prints(data),
    ]


def _prints(data: bytes) -> list[str]:
    """Write *data* as languages, debuggers and databases print it."""
    octal = "".join(f"\\{byte:03o}" for byte in data)
    pairs = data[:16].hex(" ").upper()
    return [
        f"report: Some({list(data)})",
        "[" + ", ".join(f"{byte:x}" for byte in data) + "]",
        "[" + " ".join(map(str, data)) + "]",
        json.dumps({str(place): byte for place, byte in enumerate(data)}),
        json.dumps({"return": xxd(data).replace("\n", "\r\n")}),
        f"x: Uint8Array({len(data)}) [\n  {', '.join(map(str, data))}\n]",
        f"<Buffer {data.hex(' ')} ... 3 more bytes>",
        f"x = {bytearray(data)!r}",
        f"$1 = \"{octal}\", '\\000' <repeats 15 times>",
        f"E'{octal}'",
        f"\\x{data.hex()}",
        f"<pre>{xxd(data).replace(' ', '&nbsp;')}</pre>",
        "".join(f"{n} | {line}\n" for n, line in enumerate(xxd(data).splitlines(), 1)),
        f"│00000000│ {data[:8].hex(' ')} ┊ {data[8:16].hex(' ')} │{'.' * 8}┊{'.' * 8}│\n",
        f"{' ' * 11}{bytes(range(16)).hex(' ').upper()}\n\n00000000   {pairs}  {'.' * 16}\n",
        f"000001a2`b3c4d000  {data[:8].hex(' ')}-{data[8:16].hex(' ')}  {'.' * 16}\n",
        f".data:0000000140001000  {pairs}  {'.' * 16}\n",
        f"0000000 {' '.join(f'{byte:3}' for byte in data[:16])}\n0000020\n",
        f"(qemu) xp\x1b[D\x1b[K\b {xxd(data)}",
    ]


def hex_seeds() -> list[bytes]:
    """Return dumps of a few short pieces."""
    pieces = (b"GHCB\0\x01\x7f\xff" * 6 + b"end", bytes(80) + bytes(range(16)))
    return [text.encode() for piece in pieces for text in texts(piece)]


def log_seeds() -> list[bytes]:
    """Return what KVM prints of a GHCB, behind several prefixes, once and twice."""
    names = ("sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", "sw_scratch")
    block = [
        "GHCB (GPA=000000000123f000) snapshot:",
        *(f"{name:<20}{0x80000010:016x} is_valid: 1" for name in names),
        f"{'valid_bitmap':<20}001c0000,00000000,00000000,00000000",
    ]
    starts = ("", "[   12.345678] kvm_amd: ", "6,1,123,-;")
    logs = [_lines([start + line for line in block]) for start in starts]
    return [text.encode() for text in (*logs, logs[0] * 2, logs[0].replace(" snapshot", ""))]


def kernel_log_seeds() -> list[bytes]:
    """Return the logs of the tests, in pieces of a few lines that overlap."""
    lines = [
        line
        for path in sorted(LOGS.glob("*.log"))
        for line in path.read_bytes().splitlines(keepends=True)
    ]
    return [b"".join(lines[at : at + 12]) for at in range(0, len(lines), 5)]


def image(name: str, *, filled: bool = True) -> bytes:
    """Return bytes that are a *name*: zeros, or a block of three elements and a rest."""
    kind = RECORDS[name].type
    if issubclass(kind, Record):
        return bytes(kind.SIZE)
    element = (b"\1" + bytes(kind.ELEMENT.size - 1)) * 3
    head = kind.counting(kind.HEAD.zero(), 3).build() if filled else bytes(kind.SIZE)
    return bytes(head) + (element + bytes(40) if filled else b"")


def request(page: bytearray, code: int, info1: int, marked: tuple[str, ...]) -> None:
    """Make *page* ask for an exit, its fields marked valid."""
    fields = ("sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", *marked)
    mask = sum({ValidBitmap.BITS[name].mask for name in fields if name in ValidBitmap.BITS})
    pack_into("<QQQQ", page, 0x390, code, info1 & (1 << 64) - 1, 0, 0x1000800)
    page[0x3F0:0x400] = mask.to_bytes(16, "little")
    page[0xFFA] = 2


def pages() -> list[bytes]:
    """Return a request page for every row of the table of exits."""
    made = []
    for event in EVENTS:
        page = bytearray(Page.SIZE)
        request(page, event.code, event.when[1], event.required)
        made.append(bytes(page))
    return made


def image_seeds() -> list[bytes]:
    """Return images of every kind, each behind a byte that names the kind and one for the rest."""
    plain = [
        bytes([index, 0]) + image(name, filled=filled)
        for index, name in enumerate(KINDS)
        for filled in (False, True)
    ]
    return plain + [bytes([GHCB, n]) + page for n, page in enumerate(pages())]


def json_seeds() -> list[bytes]:
    """Return JSON of every kind, each behind a byte that names the kind."""
    made = []
    for index, name in enumerate(KINDS):
        fields = RECORDS[name].type.parse(image(name)).to_plain()
        both = (fields, {"schema": f"{name}/1", "fields": fields})
        made += [bytes([index]) + json.dumps(plain).encode() for plain in both]
    leaf = {"offset": 0, "size": 8, "hex": "00", "value": "0x5", "text": ""}
    full = {"schema": "ghcb/1", "fields": {"rax": leaf}, "absent": []}
    certificates = {"certificates": [{"guid": "VCEK", "data": "00ff"}]}
    made.append(bytes([GHCB]) + json.dumps(full).encode())
    made.append(bytes([KINDS.index("certs")]) + json.dumps(certificates).encode())
    return [*made, b"\0" + b"[" * 400 + b"]" * 400, b"\0" + b'{"rax":' * 300 + b"1" + b"}" * 300]


def setting_seeds() -> list[bytes]:
    """Return lists of ``path=value``, each behind a byte that names the kind."""
    made = []
    for index, name in enumerate(KINDS):
        leaves = list(RECORDS[name].type.parse(image(name)).leaves())
        lines = [f"{leaf.path}={leaf.codec.to_plain(leaf.value)}" for leaf in leaves[:40]]
        made.append(bytes([index]) + "\n".join(lines).encode())
    return [*made, b"\3entries[2].gfn=5\nentries[0]=0x10\nentries[999999]=1", b"\0a.b[0][1].c=2"]


def command_seeds() -> list[bytes]:
    """Return standard inputs behind four bytes that choose the words of the command line."""
    bodies = [
        *(seed for seed in hex_seeds()[::5]),
        *log_seeds()[:2],
        *(text.encode() for text in texts(pages()[9])[:12:4]),
        *(seed[2:] for seed in image_seeds()[:40:3]),
        *(seed[1:] for seed in json_seeds()[::6]),
        b"rax=0x8000001f\n{}",
        b"entries[2].gfn=5\n{}",
        b"CPUID\n0x72\n",
        b"0x200000000\n",
        b"0x1:0x2\n",
        b"rax,rcx\n",
        b"63da758d-e664-4564-adc5-f4b93be8accd\n",
    ]
    return [bytes([n * 5 % 256, n % 256, n, 0]) + body for n, body in enumerate(bodies * 3)]
