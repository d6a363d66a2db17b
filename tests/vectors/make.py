"""Make the vectors that vectors.toml describes, or check that they are as it describes them.

Bytes are packed at the offsets of specs/ghcb.toml. Nothing of snpwire is used: what a decoder is
held against must not come from it.

    python tests/vectors/make.py
    python tests/vectors/make.py --check
"""

from __future__ import annotations

import struct
import sys
import tomllib
from pathlib import Path
from uuid import UUID

HERE = Path(__file__).parent
SPECS = tomllib.loads((HERE.parents[1] / "specs/ghcb.toml").read_text())
TABLE = tomllib.loads((HERE / "vectors.toml").read_text())
VECTORS = {row["file"]: row for row in TABLE["vector"]}
STRUCTURES = {row["name"]: row for row in SPECS["structure"]}
GUIDS = {row["name"]: row["text"] for row in SPECS["guid"]}
BITMAP = next(word for word in SPECS["word"] if word["name"] == "valid_bitmap")
PACK = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
PAGE = 4096


def build(name):
    """Return the bytes of one vector."""
    row = VECTORS[name]
    if "of" in row:
        return FORMS[row["form"].partition(" ")[0]](build(row["of"]), row).encode()
    if "bytes" in row:
        return bytes.fromhex(row["bytes"])
    if "pages" in row:
        return b"".join(build(page) if page else bytes(PAGE) for page in row["pages"])
    if "certificates" in row:
        return certificate_table(row["certificates"])
    return structure(row)


def structure(row):
    """Pack a structure of the specs: its fields, its bitmap, what is shared, its elements."""
    spec = STRUCTURES[row["structure"]]
    place = {field["name"]: field for field in spec["fields"]}
    data = bytearray(spec.get("size") or spec["head"])
    for name, value in row["fields"].items():
        struct.pack_into(PACK[place[name]["size"]], data, place[name]["offset"], value)
    for offset, patch in row.get("patch", {}).items():
        start = int(offset, 16)
        data[start : start + len(patch) // 2] = bytes.fromhex(patch)
    if "valid" in row:
        bits = {field["name"]: field["lsb"] for field in BITMAP["bits"]}
        for name in row["valid"]:
            data[place["valid_bitmap"]["offset"] + bits[name] // 8] |= 1 << bits[name] % 8
    if "shared" in row:
        start, held = place["shared_buffer"]["offset"], shared(row["shared"])
        data[start : start + len(held)] = held
    return bytes(data) + b"".join(struct.pack("<Q", word) for word in row.get("elements", ()))


def shared(text):
    """Return what lies in the shared buffer."""
    form, colon, rest = text.partition(":")
    if not colon:
        return bytes.fromhex(text)
    return build(rest) if form == "vector" else rest.encode()


def certificate_table(certificates):
    """Lay out a table of fake certificates, filled up to a whole page."""
    entry = {field["name"]: field["offset"] for field in STRUCTURES["cert_table_entry"]["fields"]}
    size = STRUCTURES["cert_table_entry"]["size"]
    data, end = bytearray(PAGE), size * (len(certificates) + 1)
    for index, (name, length, byte) in enumerate(certificates):
        start = index * size
        data[start + entry["guid"] : start + entry["guid"] + 16] = UUID(GUIDS[name]).bytes
        struct.pack_into("<I", data, start + entry["offset"], end)
        struct.pack_into("<I", data, start + entry["length"], length)
        data[end : end + length] = bytes([byte]) * length
        end += length
    return bytes(data)


def printable(row):
    """Return the text column of a dump."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)


def folded(data):
    """Yield offset and bytes of each row of 16; None for the rows that repeat the one before."""
    last, folding = None, False
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        if row == last:
            if not folding:
                yield offset, None
            folding = True
        else:
            yield offset, row
            last, folding = row, False


def xxd(data, _):
    """Print as ``xxd -a``: rows of zeros between the first and the last are one ``*``."""
    rows = [data[n : n + 16] for n in range(0, len(data), 16)]
    lines, folding = [], False
    for n, row in enumerate(rows):
        if n and n + 1 < len(rows) and not any(row) and not any(rows[n - 1]):
            lines += [] if folding else ["*"]
            folding = True
            continue
        folding = False
        groups = " ".join(row[k : k + 2].hex() for k in range(0, 16, 2))
        lines.append(f"{16 * n:08x}: {groups}  {printable(row)}")
    return "\n".join(lines) + "\n"


def hexdump(data, _):
    """Print as ``hexdump -C``."""
    lines = []
    for offset, row in folded(data):
        if row is None:
            lines.append("*")
        else:
            lines.append(
                f"{offset:08x}  {row[:8].hex(' ')}  {row[8:].hex(' ')}  |{printable(row)}|"
            )
    return "\n".join([*lines, f"{len(data):08x}"]) + "\n"


def print_hex_dump(data, _):
    """Print as the kernel does in rows of 32 bytes and words of 8, behind a timestamp."""
    lines = []
    for offset in range(0, len(data), 32):
        words = " ".join(f"{word:016x}" for word in struct.unpack_from("<4Q", data, offset))
        lines.append(f"[  917.305{offset // 32:03}] GHCB: {offset:08x}: {words}")
    return "\n".join(lines) + "\n"


def kvm(data, row):
    """Print as KVM does what it refuses; up to Linux 6.12 it clears the bitmap first."""
    place = {field["name"]: field["offset"] for field in STRUCTURES["ghcb_page"]["fields"]}
    bits = {field["name"]: field["lsb"] for field in BITMAP["bits"]}
    snapshot = row["form"].endswith("snapshot")
    start = place["valid_bitmap"]
    bitmap = int.from_bytes(data[start : start + 16], "little") if snapshot else 0
    lines = [f"GHCB (GPA={row['gpa']:016x}){' snapshot' if snapshot else ''}:"]
    for name in ("sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", "sw_scratch"):
        (value,) = struct.unpack_from("<Q", data, place[name])
        lines.append(f"{name:<20}{value:016x} is_valid: {bitmap >> bits[name] & 1}")
    words = ",".join(f"{bitmap >> shift & 0xFFFFFFFF:08x}" for shift in (96, 64, 32, 0))
    lines.append(f"{'valid_bitmap':<20}{words}")
    return "".join(f"{row['prefix']}{line}\n" for line in lines)


FORMS = {"xxd": xxd, "hexdump": hexdump, "print_hex_dump": print_hex_dump, "kvm": kvm}


def stale():
    """Return the names of files that are missing, not as described, or not described."""
    kept = {path.name for path in HERE.iterdir() if path.is_file() and path.suffix != ".py"}
    names = VECTORS.keys() | (kept - {"vectors.toml"})
    return sorted(
        name
        for name in names
        if name not in VECTORS or name not in kept or (HERE / name).read_bytes() != build(name)
    )


def main(words):
    """Write every vector, or name those that differ."""
    if "--check" in words:
        wrong = stale()
        sys.stderr.write("".join(f"vectors: {name} is not what make.py makes\n" for name in wrong))
        return int(bool(wrong))
    for name in VECTORS:
        (HERE / name).write_bytes(build(name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
