"""Hold specs/*.toml against the headers of a Linux kernel.

Declarations are cut out of the real headers and compiled, so that a C compiler says where a field
lies. Compiling whole headers was rejected: they drag in half a configured kernel. What the headers
lack is named, never passed over. KNOWN lists the disagreements that the specs explain in a note.
The mapping of names is in ``header_names``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from header_names import CODES, KNOWN, STRUCTURES, Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Table = dict[str, Any]
Specs = dict[str, dict[str, Table]]
ALL_ONES = 2**64 - 1
HEADERS = (
    "arch/x86/include/uapi/asm/svm.h",
    "arch/x86/include/asm/svm.h",
    "arch/x86/include/asm/sev-common.h",
    "arch/x86/include/asm/sev.h",
    "arch/x86/include/asm/msr-index.h",
    "arch/x86/include/asm/trap_pf.h",
    "include/linux/psp.h",
    "include/uapi/linux/psp-sev.h",
    "include/uapi/linux/sev-guest.h",
    "include/linux/psp-sev.h",
)
MACROS = ("arch/x86/include/asm/kvm_host.h",)
"""Headers whose enumerations need half of a kernel; their macros alone are taken."""
PREAMBLE = """
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef uint64_t u64;
typedef u8 __u8; typedef u16 __u16; typedef u32 __u32; typedef u64 __u64;
#define __packed __attribute__((packed))
#define PAGE_SIZE 4096UL
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define GENMASK(high, low) GENMASK_ULL(high, low)
#define GENMASK_ULL(high, low) ((~0ULL << (low)) & (~0ULL >> (63 - (high))))
#define sizeof_field(type, member) sizeof(((type *)0)->member)
#define BITS(type, member) ({ union { type s; u64 v; } u_ = {.v = 0}; u_.s.member = -1; u_.v; })
#define BITS_AT(type, member, offset) ({ \\
    union { type s; u8 b[sizeof(type) + 8]; } u_ = {.b = {0}}; u64 v_; \\
    u_.s.member = -1; __builtin_memcpy(&v_, u_.b + offset, 8); v_; })
#define READS(macro) ({ u64 m_ = 0; for (int i_ = 0; i_ < 64; i_++) \\
    if (macro(1ULL << i_)) m_ |= 1ULL << i_; m_; })
#define BODY(value) ((value) & ~0xfffULL)
"""
ABSENT = re.compile(r"undeclared|no member|implicit declaration|undefined type|incomplete type")


class Skip(Exception):  # noqa: N818 - no error: there is nothing to compare with
    """Say why nothing can be compared."""


class Probe(NamedTuple):
    """One number that the specs give, and the C expression for it, empty if C has none."""

    item: str
    aspect: str
    expected: int
    expression: str


class Group(NamedTuple):
    """The probes of one table of the specs."""

    name: str
    unit: str
    probes: list[Probe]


def load_specs(folder: Path) -> Specs:
    """Read every table of the specs, by kind and name."""
    specs: Specs = {"structure": {}, "word": {}, "enum": {}, "table": {}}
    for path in sorted(folder.glob("*.toml")):
        for kind, content in tomllib.loads(path.read_text()).items():
            if isinstance(content, dict):
                specs["table"].setdefault(kind, {}).update(content)
            elif kind == "rule":
                specs["table"].setdefault(kind, {}).update((r["name"], r["value"]) for r in content)
            elif kind in specs:
                specs[kind] |= {table["name"]: table for table in content if "name" in table}
    return specs


def structure_group(table: Table, layout: Layout) -> Group:
    """Ask where each field of a structure lies and how long it is."""
    c, probes = f"struct {layout.type}", []
    for name, offset, size in ((f["name"], f["offset"], f["size"]) for f in table["fields"]):
        member = layout.members.get(name, layout.prefix + name)
        probes.append(Probe(name, "offset", offset, f"offsetof({c}, {member})"))
        probes.append(Probe(name, "size", size, f"sizeof_field({c}, {member})"))
    if "size" in table:
        probes.append(Probe("", "size", table["size"], layout.size.format(c)))
    if layout.element:
        element = f"sizeof_field({c}, {layout.element}[0])"
        probes.append(Probe("", "head", table["head"], f"offsetof({c}, {layout.element})"))
        probes.append(Probe("", "element_size", table["element_size"], element))
    return Group(table["name"], "fields", probes)


def number_group(name: str, unit: str, rows: Iterable[tuple[str, int | str]]) -> Group:
    """Ask for one number a row."""
    pattern, given = CODES[name]
    probes = []
    for row, value in rows:
        expected = int(value, 16) if isinstance(value, str) else value
        if row == "info":
            expression = "READS(GHCB_MSR_INFO)"
        elif row in given or pattern != "{}":
            expression = pattern.format(given.get(row, row.upper()))
        else:
            expression = ""
        probes.append(Probe(row, "value", expected & ALL_ONES, expression))
    return Group(name, unit, probes)


def groups(specs: Specs) -> Iterator[Group]:
    """Pair every table of the specs that C knows with its probes."""
    for name, table in specs["structure"].items():
        if name in STRUCTURES:
            yield structure_group(table, STRUCTURES[name])
    for name, table in specs["word"].items():
        if name in CODES:
            masks = ((b["name"], ((1 << b["width"]) - 1) << b["lsb"]) for b in table["bits"])
            yield number_group(name, "bits", masks)
    for name, table in specs["enum"].items():
        if name in CODES:
            yield number_group(name, "codes", table["members"].items())
    for name, table in specs["table"].items():
        if name in CODES:
            named = ((key, table[key]) for key in CODES[name][1] if key in table)
            yield number_group(name, "numbers", named)


def read_headers(folder: Path, names: Iterable[str]) -> str:
    """Read headers, as far as they are there, without their comments."""
    text = "\n".join(p.read_text() for h in names if (p := folder / h).is_file())
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def cut_declarations(folder: Path) -> str:
    """Take the macros, the enumerations and the mapped structures out of the headers."""
    text = read_headers(folder, HEADERS)
    if not text:
        raise Skip(f"no headers of a kernel in {folder}")
    defines = text + "\n" + read_headers(folder, MACROS)
    macros = re.findall(r"^[ \t]*#[ \t]*define\b(?:.*\\\n)*.*$", defines, re.MULTILINE)
    enums = re.findall(r"(?:\btypedef\s+)?\benum\s*\w*\s*\{[^{}]*\}[^;]*;", text)
    structs = (
        re.search(rf"\bstruct\s+{layout.type}\s*\{{[^{{}}]*\}}[^;]*;", text)
        for layout in STRUCTURES.values()
    )
    unique = dict.fromkeys(found[0] for found in structs if found)
    return "\n".join([*dict.fromkeys(macros), *enums, *unique])


def run(*command: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program in plain English."""
    env = os.environ | {"LC_ALL": "C"}
    try:
        return subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Skip(f"{command[0]} does not run: {error}") from error


def program(declarations: str, probes: Mapping[int, str]) -> str:
    """Write the C program that prints every probe, each in a function and line of its own."""
    lines = [PREAMBLE, declarations]
    for number, expression in probes.items():
        lines.append(f'#line {number} "probe"')
        lines.append(f"static u64 probe{number}(void) {{ return (u64)({expression}); }}")
    calls = (f'printf("%d %llu\\n", {n}, (unsigned long long)probe{n}());' for n in probes)
    return "\n".join([*lines, '#line 1 "main"', "int main(void) {", *calls, "return 0; }", ""])


def measure(cc: str, declarations: str, expressions: Iterable[str]) -> dict[str, int]:
    """Evaluate the expressions, leaving out those that name what the headers lack.

    The compiler reports a missing macro once, however many use it, so it is asked until content.
    """
    probes = dict(enumerate(dict.fromkeys(expressions), 1))
    with tempfile.TemporaryDirectory() as name:
        source, binary = Path(name, "probes.c"), Path(name, "probes")
        flags = ["-std=gnu11", "-fmax-errors=0", "-ftrack-macro-expansion=0"]
        flags += ["-Werror=implicit-function-declaration", "-o", str(binary)]
        while True:
            source.write_text(program(declarations, probes))
            built = run(cc, *flags, source)
            errors = re.findall(r"^probe:(\d+):\d+: error: (.*)", built.stderr, re.MULTILINE)
            absent = {int(number) for number, text in errors if ABSENT.search(text)}
            if not absent:
                break
            probes = {n: text for n, text in probes.items() if n not in absent}
        if built.returncode:
            raise SystemExit(f"check_headers: these headers do not compile\n{built.stderr}")
        pairs = (line.split() for line in run(binary).stdout.splitlines())
        return {probes[int(number)]: int(value) for number, value in pairs}


def report(group: Group, measured: Mapping[str, int]) -> tuple[int, int, int]:
    """Print what became of a group; count what agrees, what does not, what was not compared."""
    passed, failed, lines = 0, 0, []
    absent: dict[str, None] = {}
    for probe in group.probes:
        place = f"{group.name}.{probe.item}".rstrip(".") + f" {probe.aspect}"
        got = measured.get(probe.expression)
        if got is None:
            absent[probe.item or probe.aspect] = None
        elif got == probe.expected:
            passed += 1
        else:
            failed += place not in KNOWN
            why = f" ({KNOWN[place]})" if place in KNOWN else ""
            lines.append(f"  {place}: specs {probe.expected:#x}, headers {got:#x}{why}")
    count = len({probe.item for probe in group.probes} - {"", *absent})
    verdict = "disagree" if failed else "agree" if passed else "nothing to compare"
    print(f"{group.name:<28}{count:>4} {group.unit:<8}{verdict}", *lines, sep="\n")
    if absent:
        print("  not in these headers:", *absent)
    return passed, failed, len(group.probes) - passed - failed


def compare(cc: str, headers: Path, specs: Specs) -> int:
    """Compare everything, print it and say how many numbers differ."""
    known = list(groups(specs))
    expressions = (probe.expression for group in known for probe in group.probes)
    measured = measure(cc, cut_declarations(headers), filter(None, expressions))
    if not measured:
        raise Skip(f"{headers} declares nothing that is known here")
    print(f"headers: {headers.name}")
    passed, failed, skipped = map(sum, zip(*(report(g, measured) for g in known), strict=True))
    tables = {name for kind in ("structure", "word", "enum") for name in specs[kind]}
    print("no counterpart in C:", *sorted(tables - {group.name for group in known}))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed


def newest(names: Iterable[str]) -> str:
    """Choose the name with the highest version."""
    return max(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)], default="")


def known_package() -> str:
    """Name the newest package of headers that apt knows, refreshing empty lists if it may."""
    query = ("apt-cache", "search", "--names-only", "^linux-headers-[0-9].*-common$")
    for attempt in range(2):
        names = [line.split()[0] for line in run(*query).stdout.splitlines()]
        if package := newest(name for name in names if "-rt-" not in name):
            return package
        if attempt == 0 and os.access("/var/lib/apt/lists", os.W_OK):
            run("apt-get", "update")
    raise Skip("no kernel headers installed, and apt knows of none")


def download() -> Path:
    """Unpack the newest package of headers into the user's cache, where it stays."""
    package = known_package()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "snpwire", "headers")
    headers = cache / package / "usr" / "src" / package
    if not headers.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as name:
            run("apt-get", "download", package, folder=Path(name))
            for archive in Path(name).glob("*.deb"):
                run("dpkg-deb", "-x", archive, cache / package)
    if not headers.is_dir():
        raise Skip(f"{package} cannot be downloaded")
    return headers


def find_headers() -> Path:
    """Take the newest headers installed, else download some."""
    names = (path.name for path in Path("/usr/src").glob("linux-headers-*-common"))
    name = newest(name for name in names if "-rt-" not in name)
    return Path("/usr/src", name) if name else download()


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison; 1 says that something disagrees."""
    parser = argparse.ArgumentParser(description="Compare specs/*.toml with kernel headers.")
    parser.add_argument("--headers", type=Path, metavar="DIR", help="top of a kernel's headers")
    parser.add_argument("--cc", default="gcc", help="GNU C compiler")
    parser.add_argument("--require", action="store_true", help="fail if nothing can be compared")
    options = parser.parse_args(arguments)
    try:
        if not shutil.which(options.cc):
            raise Skip(f"no compiler {options.cc}")
        specs = load_specs(Path(__file__).resolve().parents[1] / "specs")
        return int(compare(options.cc, options.headers or find_headers(), specs) > 0)
    except Skip as why:
        print(f"check_headers: skipped: {why}")
        return int(options.require)


if __name__ == "__main__":
    sys.exit(main())
