"""Bytes as programs print them: typed from what the programs print, for tests that read it back.

`FORMS` are prints of languages, debuggers, shells and databases; `MAKES` are dumps, with rows;
`AROUND` is what mail, web pages, editors and terminals put around either.
"""

from __future__ import annotations

import base64
import html
import json
from itertools import groupby


def rows(data, size=16):
    return [(at, data[at : at + size]) for at in range(0, len(data), size)]


def shown(data):
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def groups(data, size=1, *, words=False):
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return " ".join((part[::-1] if words else part).hex() for part in parts)


def numbers(data, form="{}", between=", "):
    return between.join(map(form.format, data))


def node_columns(data):
    lines = [", ".join(f"{byte:3}" for byte in row) for _, row in rows(data, 12)]
    body = ",\n".join("    " + line for line in lines)
    return f"{{\n  report: Uint8Array({len(data)}) [\n{body}\n  ]\n}}\n"


def gdb_array(data):
    cells = []
    for byte, run in groupby(data):
        count = len(list(run))
        repeated = [f"0x{byte:x} <repeats {count} times>"]
        cells += repeated if count > 9 else [f"0x{byte:x}"] * count
    return "$1 = {" + ", ".join(cells) + "}"


def gdb_char(byte, quote):
    if byte in (ord(quote), ord("\\")):
        return "\\" + chr(byte)
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


def gdb_string(data):
    """As gdb prints an array of char: the last zero is left out."""
    pieces, text = [], ""
    for byte, run in groupby(data[:-1] if data.endswith(b"\0") else data):
        count = len(list(run))
        if count > 9:
            pieces += ['"' + text + '"'] if text else []
            pieces.append(f"'{gdb_char(byte, chr(39))}' <repeats {count} times>")
            text = ""
        else:
            text += gdb_char(byte, '"') * count
    return "$1 = " + ", ".join(pieces + (['"' + text + '"'] if text or not pieces else []))


def bytea_escape(data):
    def char(byte):
        return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"

    return "".join("\\\\" if byte == ord("\\") else char(byte) for byte in data)


def base64_text(data):
    return base64.b64encode(data).decode()


def lines(made):
    return "".join(line + "\n" for line in made)


def json_string(data):
    return json.dumps(data.decode("latin-1"))


def quoted_by_go(data):
    def char(byte):
        named = dict(zip(b'\a\b\f\n\r\t\v\\"', 'abfnrtv\\"', strict=True))
        if byte in named:
            return "\\" + named[byte]
        return chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}"

    return '"' + "".join(map(char, data)) + '"'


def strace(data):
    text = "".join(f"\\x{byte:02x}" for byte in data)
    return f'write(1, "{text}", {len(data)}) = {len(data)}\n+++ exited with 0 +++\n'


def array_of_arrays(data):
    inner = ",\n       ".join("[" + numbers(row, "{:3}") + "]" for _, row in rows(data, 4))
    return f"array([{inner}], dtype=uint8)"


FORMS = {
    "rust {:?}": lambda data: str(list(data)),
    "rust field": lambda data: f"report_data: {list(data)}",
    "rust Some": lambda data: f"Some({list(data)})",
    "rust struct": lambda data: f"Report {{ report_data: {list(data)}, }}",
    "rust vec!": lambda data: f"let x = vec!{list(data)};",
    "rust {:#?}": lambda data: "[\n" + numbers(data, "    {},\n", "") + "]",
    "rust {:#?} field": lambda data: "  data: [\n" + numbers(data, "    {},\n", "") + "  ],",
    "rust {:02x?}": lambda data: "[" + numbers(data, "{:02x}") + "]",
    "rust {:02X?}": lambda data: "chip_id: [" + numbers(data, "{:02X}") + "]",
    "rust {:x?}": lambda data: "[" + numbers(data, "{:x}") + "]",
    "rust {:#x?}": lambda data: "[\n" + numbers(data, "    {:#x},\n", "") + "]",
    "rust {:#04x?}": lambda data: "report: [" + numbers(data, "{:#04x}") + "]",
    "go %v": lambda data: "[" + numbers(data, between=" ") + "]",
    "go %x": bytes.hex,
    "go % x": lambda data: data.hex(" "),
    "go % X": lambda data: data.hex(" ").upper(),
    "go %#v": lambda data: "[]byte{" + numbers(data, "{:#x}") + "}",
    "go source": lambda data: "x := []byte{" + numbers(data) + "}",
    "go struct of %#v": lambda data: (
        "main.Answer{Version:0x3, Data:[]uint8{" + numbers(data, "{:#x}") + "}, Level:0x1}"
    ),
    "go %q": quoted_by_go,
    "json": lambda data: json.dumps(list(data)),
    "json string": json_string,
    "csv under names": lambda data: "offset,value\n" + lines(
        f"{at},{byte}" for at, byte in enumerate(data)
    ),
    "csv under a name": lambda data: "value\n" + lines(map(str, data)),
    "json compact": lambda data: json.dumps(list(data), separators=(",", ":")),
    "json indent": lambda data: json.dumps(list(data), indent=2),
    "json member": lambda data: json.dumps({"report": list(data)}),
    "csv": lambda data: numbers(data, between=","),
    "csv rows": lambda data: lines(numbers(row, between=",") for _, row in rows(data)),
    "numbers": lambda data: numbers(data, between=" "),
    "number a line": lambda data: numbers(data, between="\n"),
    "python bytes": repr,
    "python bytearray": lambda data: repr(bytearray(data)),
    "python name": lambda data: f"report = {bytearray(data)!r}",
    "python bytes list": lambda data: f"bytes({list(data)})",
    "python hex list": lambda data: "[" + numbers(data, "{:#x}") + "]",
    "python fromhex": lambda data: f"bytes.fromhex('{data.hex()}')",
    "python tuple": lambda data: str(tuple(data)),
    "python list of hex()": lambda data: str([hex(byte) for byte in data]),
    "python member": lambda data: str({"version": 3, "data": data}),
    "python hexlify": lambda data: repr(data.hex().encode()),
    "numpy rows": array_of_arrays,
    "python pprint": lambda data: "(" + "\n ".join(repr(row) for _, row in rows(data, 20)) + ")",
    "js Uint8Array": lambda data: f"Uint8Array({len(data)}) [ " + numbers(data) + " ]",
    "js columns": node_columns,
    "js new": lambda data: "new Uint8Array([" + numbers(data) + "])",
    "js Buffer": lambda data: "<Buffer " + data.hex(" ") + ">",
    "js Buffer member": lambda data: "{ report: <Buffer " + data.hex(" ") + "> }",
    "js JSON of Buffer": lambda data: json.dumps({"type": "Buffer", "data": list(data)}),
    "js JSON of array": lambda data: json.dumps({str(at): byte for at, byte in enumerate(data)}),
    "java": lambda data: str([byte - 256 if byte > 127 else byte for byte in data]),
    "js ArrayBuffer": lambda data: (
        "ArrayBuffer {\n  [Uint8Contents]: <" + data.hex(" ") + f">,\n  byteLength: {len(data)}\n}}"
    ),
    "kotlin source": lambda data: "byteArrayOf(" + numbers(data) + ")",
    "java source": lambda data: "byte[] x = {" + numbers(data, "(byte)0x{:02x}") + "};",
    "php print_r": lambda data: "Array\n(\n" + lines(
        f"    [{at}] => {byte}" for at, byte in enumerate(data)
    ) + ")\n",
    "php var_dump": lambda data: f"array({len(data)}) {{\n" + lines(
        f"  [{at}]=>\n  int({byte})" for at, byte in enumerate(data)
    ) + "}\n",
    "c loop": lambda data: lines(f"report[{at}] = 0x{byte:02x}" for at, byte in enumerate(data)),
    "assembler": lambda data: lines(
        "\t.byte " + numbers(row, "0x{:02x}") for _, row in rows(data, 8)
    ),
    "strace": strace,
    "erlang": lambda data: "<<" + numbers(data, between=",") + ">>",
    "c decimal": lambda data: "unsigned char x[] = {" + numbers(data) + "};",
    "c hex": lambda data: "unsigned char x[] = {" + numbers(data, "{:#x}") + "};",
    "c#": lambda data: data.hex("-").upper(),
    "shell $''": lambda data: "$'" + numbers(data, "\\x{:02x}", "") + "'",
    "printf": lambda data: "printf '" + numbers(data, "\\{:03o}", "") + "' > report.bin",
    "echo": lambda data: 'echo -ne "' + numbers(data, "\\x{:02x}", "") + '" | xxd',
    "bytea": lambda data: "\\x" + data.hex(),
    "psql": lambda data: " report \n--------\n \\x" + data.hex() + "\n(1 row)\n",
    "bytea E''": lambda data: "E'" + numbers(data, "\\\\{:03o}", "") + "'",
    "bytea escape": bytea_escape,
    "gdb array": gdb_array,
    "gdb string": gdb_string,
    "data URL": lambda data: "data:application/octet-stream;base64," + base64_text(data),
    "yaml": lambda data: "report: !!binary |\n" + lines(
        "  " + base64_text(data)[at : at + 76] for at in range(0, len(base64_text(data)), 76)
    ),
    "field hex": lambda data: "report_data: " + data.hex(),
    "quoted hex": lambda data: 'report = "' + data.hex() + '"',
}  # fmt: skip


def hexyl(data, zero="0"):
    def sign(byte):
        if byte == 0:
            return zero
        if 32 <= byte < 127:
            return chr(byte)
        return "_" if byte in b"\t\n\v\f\r" else "•" if byte < 128 else "×"  # noqa: RUF001 - its sign

    def half(part):
        return numbers(part, " {:02x}", "").ljust(24)

    blank = "│                         ┊                         │        ┊        │"
    edge = "─" * 8 + "{0}" + "─" * 25 + "{0}" + "─" * 25 + "{0}" + "─" * 8 + "{0}" + "─" * 8
    made, before, star = ["┌" + edge.format("┬") + "┐"], None, False
    for at, row in rows(data):
        if row == before and len(row) == 16:
            made += [] if star else ["│*       " + blank]
            star = True
            continue
        text = "".join(map(sign, row))
        digits = f"{half(row[:8])} ┊{half(row[8:])} "
        made.append(f"│{at:08x}│{digits}│{text[:8]:8}┊{text[8:]:8}│")
        before, star = row, False
    made += [f"│{len(data):08x}{blank}"] if star else []
    return lines([*made, "└" + edge.format("┴") + "┘"])


def format_hex_5(data):
    def text(row):
        return "".join(chr(byte) if 32 <= byte < 127 or byte >= 160 else "." for byte in row)

    head = ["", "           00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F", ""]
    body = [f"{at:08X}   {row.hex(' ').upper():48} {text(row)}" for at, row in rows(data)]
    return lines([*head, *body])


def format_hex_7(data):
    def sign(byte):
        return chr(byte) if 32 <= byte < 127 else "\ufffd" if byte else " "

    head = [
        "   Label: report.bin",
        "",
        "          Offset Bytes                                           Ascii",
        "                 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F",
        "          ------ ----------------------------------------------- -----",
    ]
    body = [
        f"{at:016X} {row.hex(' ').upper():47} {''.join(map(sign, row))}" for at, row in rows(data)
    ]
    return lines([*head, *body])


def windbg(data, size):
    made = [f"0:000> d report L{len(data):x}"]
    for at, row in rows(data):
        address = f"000001a2`{0xB3C4D000 + at:08x}"
        if size == 1:
            digits = row[:8].hex(" ") + ("-" + row[8:].hex(" ") if row[8:] else "")
            made.append(f"{address}  {digits:47}  {shown(row)}")
        else:
            cells = groups(row, size, words=True)
            cells = " ".join(c[:8] + "`" + c[8:] for c in cells.split()) if size == 8 else cells
            made.append(f"{address}  {cells}")
    return lines(made)


def uefi(data):
    def digits(row):
        return row[:8].hex(" ").upper() + ("-" + row[8:].hex(" ").upper() if row[8:] else "")

    return lines(f"  {at:08X}: {digits(row):47}  *{shown(row)}*" for at, row in rows(data))


def certutil(data):
    def digits(row):
        return row[:8].hex(" ") + ("  " + row[8:].hex(" ") if row[8:] else "")

    return lines(f"    {at:04x}  {digits(row):48}   {shown(row)}" for at, row in rows(data))


def od_bytes(data, form):
    body = [f"{at:07o} {numbers(row, form, ' ')}" for at, row in rows(data)]
    return lines([*body, f"{len(data):07o}"])


def od_signed(data):
    def cells(row):
        return "".join(f"{byte - 256 if byte > 127 else byte:5}" for byte in row)

    return lines([*(f"{at:07o}{cells(row)}" for at, row in rows(data)), f"{len(data):07o}"])


def od_characters(data):
    named = dict(zip(b"\0\a\b\f\n\r\t\v", "0abfnrtv", strict=True))

    def cell(byte):
        if byte in named:
            return "  \\" + named[byte]
        return f"   {chr(byte)}" if 32 <= byte < 127 else f" {byte:03o}"

    body = [f"{at:07o}" + "".join(map(cell, row)) for at, row in rows(data)]
    return lines([*body, f"{len(data):07o}"])


def coloured(data):
    def cell(byte):
        return f"\x1b[{'1;37' if byte == 0 else '1;31'}m{byte:02x}\x1b[0m"

    made = []
    for at, row in rows(data):
        pairs = ["".join(map(cell, row[n : n + 2])) for n in range(0, len(row), 2)]
        blanks = " " * (39 - len(groups(row, 2)))
        made.append(f"{at:08x}: {' '.join(pairs)}{blanks}  \x1b[1;32m{shown(row)}\x1b[0m")
    return lines(made)


def xxd(data):
    return lines(f"{at:08x}: {groups(row, 2):39}  {shown(row)}" for at, row in rows(data))


def print_hex_dump(data, group=1, start=""):
    return lines(f"{start}{at:08x}: {groups(row, group, words=True)}" for at, row in rows(data))


def canonical(data):
    body = [
        f"{at:08x}  {row[:8].hex(' '):23}  {row[8:].hex(' '):23}  |{shown(row)}|"
        for at, row in rows(data)
    ]
    return lines([*body, f"{len(data):08x}"])


def gdb_x(data, size):
    return lines(
        f"0x{0x7FFE6F0 + at:x} <buf+{at}>:\t"
        + "\t".join("0x" + cell for cell in groups(row, size, words=True).split())
        for at, row in rows(data, 8 if size == 1 else 16)
    )


def xp(data):
    return lines(
        f"{0x1000 + at:016x}: " + " ".join("0x" + c for c in groups(row, 8, words=True).split())
        for at, row in rows(data)
    )


MAKES = {
    "xxd": xxd,
    "hexdump -C": canonical,
    "coloured xxd": coloured,
    "print_hex_dump": print_hex_dump,
    "print_hex_dump logged": lambda data: print_hex_dump(data, start="[ 1.5] kvm_amd: "),
    "hexyl": hexyl,
    "hexyl new": lambda data: hexyl(data, "⋄"),
    "Format-Hex 5": format_hex_5,
    "Format-Hex 7": format_hex_7,
    "WinDbg db": lambda data: windbg(data, 1),
    "WinDbg dd": lambda data: windbg(data, 4),
    "WinDbg dq": lambda data: windbg(data, 8),
    "UEFI shell": uefi,
    "certutil": certutil,
    "IDA": lambda data: lines(
        f".data:{0x140001000 + at:016X}  {row.hex(' ').upper():47}  {shown(row)}"
        for at, row in rows(data)
    ),
    "Wireshark": lambda data: lines(
        f"{at:04x}  {row.hex(' '):47}   {shown(row)}" for at, row in rows(data)
    ),
    "Wireshark bytes": lambda data: lines(f"{at:04x}   {row.hex(' ')}" for at, row in rows(data)),
    "tcpdump": lambda data: lines(
        f"\t0x{at:04x}:  {groups(row, 2):39}  {shown(row)}" for at, row in rows(data)
    ),
    "od -c": od_characters,
    "xxd -b": lambda data: lines(
        f"{at:08x}: {numbers(row, '{:08b}', ' '):53}  {shown(row)}" for at, row in rows(data, 6)
    ),
    "od -td1": od_signed,
    "od -b": lambda data: od_bytes(data, "{:03o}"),
    "od -tu1": lambda data: od_bytes(data, "{:3}"),
    "od -tx1": lambda data: od_bytes(data, "{:02x}"),
    "gdb x/xb": lambda data: gdb_x(data, 1),
    "gdb x/xw": lambda data: gdb_x(data, 4),
    "gdb x/xg": lambda data: gdb_x(data, 8),
    "xp": xp,
}


def numbered(text, form):
    return lines(form.format(n, line) for n, line in enumerate(text.splitlines(), 1))


AROUND = {
    "nothing": str,
    "CR LF": lambda text: text.replace("\n", "\r\n"),
    "quotes of mail": lambda text: lines("> " + line for line in text.splitlines()),
    "HTML": lambda text: f"<pre><code>{html.escape(text)}</code></pre>\n",
    "HTML lines": lambda text: html.escape(text).replace("  ", "&nbsp; ").replace("\n", "<br>\n"),
    "no-break spaces": lambda text: text.replace("  ", "\u00a0 "),
    "gutter": lambda text: numbered(text, "{:4} | {}"),
    "cat -n": lambda text: numbered(text, "{:6}\t{}"),
    "grep -n": lambda text: numbered(text, "{}:{}"),
    "bat": lambda text: (
        "───────┬────\n       │ File: x\n───────┼────\n"
        + numbered(text, "{:4}   │ {}")
        + "───────┴────\n"
    ),
    "curly quotes": lambda text: text.replace("'", "\u2019").replace('"', "\u201d"),
    "ellipses": lambda text: text.replace("...", "\u2026"),
    "prompt": lambda text: "$ xxd report.bin\n" + text + "$ \n",
    "prompt of root": lambda text: "root@host:~# hexdump report.bin\n" + text + "root@host:~#\n",
    "indentation": lambda text: lines("    " + line for line in text.splitlines()),
    "blanks cut": lambda text: lines(line.rstrip() for line in text.splitlines()),
    "fence": lambda text: "```\n" + text + "```\n",
    "comparison": lambda text: lines("+" + line for line in text.splitlines()),
    "backslashes": lambda text: lines(line + " \\" for line in text.splitlines()),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 without mark": lambda text: text.encode("utf-16-le"),
    "UTF-16 big-endian": lambda text: "\ufeff".encode("utf-16-be") + text.encode("utf-16-be"),
}


def encoded(text):
    return text if isinstance(text, bytes) else text.encode()
