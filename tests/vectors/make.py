"""Make the vectors that vectors.toml describes, or check that they are as it describes them.

Bytes are packed at the offsets of specs/*.toml. Nothing of snpwire is used: what a decoder is held
against must not come from it. Keys are test keys, written here in full; signatures are made in
plain arithmetic, with a number that follows from key and message, so that they stay the same.

    python tests/vectors/make.py
    python tests/vectors/make.py --check
"""

from __future__ import annotations

import hashlib
import re
import struct
import sys
import tomllib
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HERE = Path(__file__).parent
FILES = {path.stem: path for path in (HERE.parents[1] / "specs").glob("*.toml")}
SPECS = tomllib.loads(FILES["ghcb"].read_text())
GUEST = [tomllib.loads(path.read_text()) for name, path in FILES.items() if name != "ghcb"]
TABLE = tomllib.loads((HERE / "vectors.toml").read_text())
VECTORS = {row["file"]: row for row in TABLE["vector"]}
STRUCTURES = {row["name"]: row for file in (*GUEST, SPECS) for row in file.get("structure", ())}
GUIDS = {row["name"]: row["text"] for row in SPECS["guid"]}
BITMAP = next(word for word in SPECS["word"] if word["name"] == "valid_bitmap")
PACK = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
PAGE = 4096
PRIME = 2**384 - 2**128 - 2**96 + 2**32 - 1
ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
BASE = (
    int(
        "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
        16,
    ),
    int(
        "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
        16,
    ),
)
"""The curve P-384: FIPS 186-4, D.1.2.4."""


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
        offset, size = find(row["structure"], name)
        struct.pack_into(PACK[size], data, offset, value)
    for name, text in row.get("data", {}).items():
        offset, size = find(row["structure"], name)
        held = build(text.removeprefix("vector:")) if ":" in text else bytes.fromhex(text)
        data[offset : offset + len(held)] = held
        if len(held) > size:
            raise ValueError(f"{row['file']}: {name} has {size} bytes")
    for offset, patch in row.get("patch", {}).items():
        start = int(offset, 16)
        data[start : start + len(patch) // 2] = bytes.fromhex(patch)
    for name, key in row.get("public", {}).items():
        put_key(data, find(row["structure"], name)[0], key)
    for each in row.get("signed", ()):
        over = build(each["vector"]) if "vector" in each else data[each["first"] : each["end"]]
        offset, _ = find(row["structure"], each["at"])
        put(data, (offset, offset + 0x48), sign(each["key"], bytes(over)))
    if "sealed" in row:
        seal(data, row["sealed"])
    if "valid" in row:
        bits = {field["name"]: field["lsb"] for field in BITMAP["bits"]}
        for name in row["valid"]:
            data[place["valid_bitmap"]["offset"] + bits[name] // 8] |= 1 << bits[name] % 8
    if "shared" in row:
        start, held = place["shared_buffer"]["offset"], shared(row["shared"])
        data[start : start + len(held)] = held
    return bytes(data) + b"".join(struct.pack("<Q", word) for word in row.get("elements", ()))


def find(name, path):
    """Return offset and size of a field, by its path into structures within structures."""
    step, _, rest = path.partition(".")
    field, _, index = step.partition("[")
    row = next(row for row in STRUCTURES[name]["fields"] if row["name"] == field)
    inner = re.match(r"structure:(\w+)", row.get("note", ""))
    if not inner or not rest:
        return row["offset"], row["size"]
    start = row["offset"] + STRUCTURES[inner[1]]["size"] * int(index.rstrip("]") or 0)
    offset, size = find(inner[1], rest)
    return start + offset, size


def seal(data, wanted):
    """Seal a payload into a page as the header in it says (AES-256-GCM)."""
    plain = build(wanted["vector"])
    sealed = AESGCM(bytes.fromhex(wanted["key"])).encrypt(
        bytes(data[0x20:0x28]) + bytes(4), plain, bytes(data[0x30:0x60])
    )
    data[0x60 : 0x60 + len(plain)] = sealed[:-16]
    data[0:16] = sealed[-16:]


def add(first, second):
    """Add two points of the curve; None is the point at infinity."""
    if first is None or second is None:
        return first or second
    (x, y), (u, v) = first, second
    if x == u and (y + v) % PRIME == 0:
        return None
    if first == second:
        slope = 3 * (x * x - 1) * pow(2 * y, -1, PRIME)
    else:
        slope = (v - y) * pow(u - x, -1, PRIME)
    out = (slope * slope - x - u) % PRIME
    return out, (slope * (x - out) - y) % PRIME


def times(number):
    """Multiply the base point."""
    found, power = None, BASE
    while number:
        found = add(found, power) if number & 1 else found
        number, power = number >> 1, add(power, power)
    return found


def sign(key, message):
    """Return the two numbers of an ECDSA signature with SHA-384."""
    digest = int.from_bytes(hashlib.sha384(message).digest(), "big")
    secret = hashlib.sha384(b"test number" + key.to_bytes(48, "big") + message).digest()
    number = int.from_bytes(secret, "big") % (ORDER - 1) + 1
    r = times(number)[0] % ORDER
    return r, pow(number, -1, ORDER) * (digest + r * key) % ORDER


def put(data, places, numbers):
    """Write numbers of 72 bytes, least byte first."""
    for place, number in zip(places, numbers, strict=True):
        data[place : place + 72] = number.to_bytes(72, "little")


def put_key(data, offset, key):
    """Write the public key of a private one: its curve and its point."""
    struct.pack_into("<I", data, offset, 2)
    put(data, (offset + 0x04, offset + 0x4C), times(key))


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
