"""Hold specs/*.toml against the headers of a Linux kernel.

Declarations are cut out of the real headers and compiled, so that a C compiler says where a field
lies. Compiling whole headers was rejected: they drag in half a configured kernel. What the headers
lack is named, never passed over. KNOWN lists the disagreements that the specs explain in a note.
The mapping of names is a third of this file; it stays here because nothing else can use it.
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
    "include/uapi/linux/psp-sev.h",
    "include/uapi/linux/sev-guest.h",
    "include/linux/psp-sev.h",
)
PREAMBLE = """
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef uint64_t u64;
#define __packed __attribute__((packed))
#define PAGE_SIZE 4096UL
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define GENMASK_ULL(high, low) ((~0ULL << (low)) & (~0ULL >> (63 - (high))))
#define sizeof_field(type, member) sizeof(((type *)0)->member)
#define BITS(type, member) ({ union { type s; u64 v; } u_ = {.v = 0}; u_.s.member = -1; u_.v; })
#define READS(macro) ({ u64 m_ = 0; for (int i_ = 0; i_ < 64; i_++) \\
    if (macro(1ULL << i_)) m_ |= 1ULL << i_; m_; })
#define BODY(value) ((value) & ~0xfffULL)
"""
ABSENT = re.compile(r"undeclared|no member|implicit declaration|undefined type|incomplete type")


class Layout(NamedTuple):
    """Say where a structure of the specs lives in C; `size` replaces the plain sizeof."""

    type: str
    members: Mapping[str, str] = {}
    prefix: str = ""
    size: str = "sizeof({})"
    element: str = ""


def stems(text: str) -> dict[str, str]:
    """Read NAME=STEM pairs."""
    return dict(pair.split("=") for pair in text.split())


# One row, one line, as far as it goes.
# fmt: off
STRUCTURES = {  # in the order in which C needs them; those without a table are needed by others
    "ghcb_save_area": Layout("ghcb_save_area"),
    "ghcb_page": Layout(
        "ghcb", {n: n for n in ("shared_buffer", "protocol_version", "ghcb_usage")}, "save."),
    "psc_header": Layout("psc_hdr"),
    "psc_entry": Layout("psc_entry"),
    "psc_buffer": Layout("snp_psc_desc", prefix="hdr.", element="entries"),
    "cc_blob": Layout("cc_blob_sev_info"),
    "svsm_caa": Layout("svsm_ca", {"buffer": "svsm_buffer"}),
    "svsm_pvalidate_entry": Layout("svsm_pvalidate_entry"),
    "svsm_pvalidate_request": Layout(
        "svsm_pvalidate_call", stems("entries=num_entries next=cur_index"), element="entry"),
    "svsm_location": Layout("svsm_loc_entry"),
    "svsm_attest_single_service": Layout(
        "svsm_attest_call", {"manifest_version": "service_manifest_ver"}),
    "svsm_attest_services": Layout(
        "svsm_attest_call",
        stems("report_gpa=report_buf.pa report_size=report_buf.len nonce_gpa=nonce.pa "
              "nonce_size=nonce.len manifest_gpa=manifest_buf.pa manifest_size=manifest_buf.len "
              "certificate_gpa=certificates_buf.pa certificate_size=certificates_buf.len"),
        size="offsetof({}, service_guid)"),
}
# What goes into the braces is the name in capitals, unless a stem is given. A lone "{}" takes
# given stems alone: C has no counterpart of the other names. "info" is added to every MSR word.
CODES: dict[str, tuple[str, Mapping[str, str]]] = {
    # Words: the mask of each field.
    "msr_sev_info_resp": ("{}", {
        "c_bit": "BODY(GHCB_MSR_SEV_INFO(0ULL, 0ULL, ~0ULL))",
        "min_version": "READS(GHCB_MSR_PROTO_MIN)",
        "max_version": "READS(GHCB_MSR_PROTO_MAX)"}),
    "msr_cpuid_req": ("(u64)GHCB_MSR_CPUID_{0}_MASK << GHCB_MSR_CPUID_{0}_POS", stems(
        "register=REG function=FUNC")),
    "msr_cpuid_resp": ("(u64)GHCB_MSR_CPUID_{0}_MASK << GHCB_MSR_CPUID_{0}_POS", stems(
        "register=REG")),
    "msr_ap_reset_hold_resp": (
        "GHCB_MSR_AP_RESET_HOLD_{0}_MASK << GHCB_MSR_AP_RESET_HOLD_{0}_POS", {}),
    "msr_pref_ghcb_gpa_resp": ("GHCB_MSR_{0}_MASK << GHCB_MSR_{0}_POS", stems("gfn=GPA_VALUE")),
    "msr_reg_ghcb_gpa_req": ("BODY(GHCB_MSR_{}(~0ULL))", stems("gfn=REG_GPA_REQ_VAL")),
    "msr_reg_ghcb_gpa_resp": ("READS(GHCB_MSR_{})", stems("gfn=REG_GPA_RESP_VAL")),
    "msr_psc_req": ("BODY(GHCB_MSR_PSC_REQ_GFN({}))", {
        "gfn": "~0ULL, 0ULL", "operation": "0ULL, ~0ULL"}),
    "msr_psc_resp": ("READS(GHCB_MSR_{})", stems("error_code=PSC_RESP_VAL")),
    "msr_run_vmpl_req": ("BODY(GHCB_MSR_VMPL_REQ_{}(~0ULL))", stems("vmpl=LEVEL")),
    "msr_run_vmpl_resp": ("READS(GHCB_MSR_{})", stems("error_code=VMPL_RESP_VAL")),
    "msr_hv_features_resp": ("READS(GHCB_MSR_{})", stems("features=HV_FT_RESP_VAL")),
    "msr_term_req": ("GHCB_SEV_TERM_REASON({})", {
        "reason_set": "~0ULL, 0ULL", "reason_code": "0ULL, ~0ULL"}),
    "term_nae_info1": ("SVM_VMGEXIT_TERM_REASON({})", {
        "reason_set": "~0ULL, 0ULL", "reason_code": "0ULL, ~0ULL"}),
    "ioio_info": ("{}", {
        "in": "SVM_IOIO_TYPE_MASK", "string": "SVM_IOIO_STR_MASK", "rep": "SVM_IOIO_REP_MASK",
        **{f"size{8 << n}": f"{1 << n} << SVM_IOIO_SIZE_SHIFT" for n in range(3)},
        **{f"addr{16 << n}": f"{1 << n} << SVM_IOIO_ASIZE_SHIFT" for n in range(3)}}),
    "event_inject": ("(u32)SVM_EVTINJ_{}", stems(
        "vector=VEC_MASK type=TYPE_MASK error_code_valid=VALID_ERR")),
    "guest_request_info2": ("{}", {
        "fw_error": "SNP_GUEST_FW_ERR_MASK", "vmm_error": "SNP_GUEST_VMM_ERR(0xffffffffULL)"}),
    "psc_entry": ("BITS(struct psc_entry, {})", stems(
        "cur_page=cur_page gfn=gfn operation=operation page_size=pagesize")),
    "svsm_pvalidate_entry": ("BITS(struct svsm_pvalidate_entry, {})", stems(
        "page_size=page_size action=action ignore_cf=ignore_cf pfn=pfn")),
    "hv_features": ("GHCB_HV_FT_{}", {}),
    "sev_features": ("SVM_SEV_FEAT_{}", {}),
    # Enums: the code.
    "ghcb_usage": ("{}", stems("STANDARD=GHCB_DEFAULT_USAGE")),
    "msr_info": ("GHCB_MSR_{}", stems(
        "PREF_GHCB_GPA_REQ=PREF_GPA_REQ PREF_GHCB_GPA_RESP=PREF_GPA_RESP "
        "REG_GHCB_GPA_REQ=REG_GPA_REQ REG_GHCB_GPA_RESP=REG_GPA_RESP "
        "RUN_VMPL_REQ=VMPL_REQ RUN_VMPL_RESP=VMPL_RESP "
        "HV_FEATURES_REQ=HV_FT_REQ HV_FEATURES_RESP=HV_FT_RESP")),
    "cpuid_register": ("GHCB_CPUID_REQ_{}", {}),
    "term_reason_set": ("SEV_TERM_SET_{}", stems("GHCB_SPEC=GEN")),
    "term_reason_spec": ("GHCB_{}", stems(
        "GENERAL=SEV_ES_GEN_REQ PROTOCOL_UNSUPPORTED=SEV_ES_PROT_UNSUPPORTED "
        "SNP_FEATURES_UNSUPPORTED=SNP_UNSUPPORTED")),
    "term_reason_linux": ("GHCB_TERM_{}", {}),
    "svm_exit_code": ("SVM_EXIT_{}", {
        **{f"{r}{n}_{way}": f"{way}_{r}{n}"
           for r in ("CR", "DR") for n in range(16) for way in ("READ", "WRITE")},
        **{f"EXCP{n}": f"EXCP_BASE + {n}" for n in range(32)},
        "INVALID_VMCB": "ERR", "BUSLOCK": "BUS_LOCK"}),
    "vmgexit_code": ("SVM_VMGEXIT_{}", stems(
        "AP_RESET_HOLD=AP_HLT_LOOP SNP_PAGE_STATE_CHANGE=PSC SNP_GUEST_REQUEST=GUEST_REQUEST "
        "SNP_EXT_GUEST_REQUEST=EXT_GUEST_REQUEST SNP_AP_CREATION=AP_CREATION SECURE_AVIC=SAVIC")),
    "ap_creation_request": ("SVM_VMGEXIT_AP_{}", {}),
    "ap_jump_table_request": ("SVM_VMGEXIT_{}_AP_JUMP_TABLE", {}),
    "secure_avic_request": ("SVM_VMGEXIT_SAVIC_{}", {}),
    "action": ("GHCB_HV_RESP_{}", {}),
    "malformed_input_reason": ("GHCB_ERR_{}", stems("GHCB_NOT_REGISTERED=NOT_REGISTERED")),
    "event_type": ("SVM_EVTINJ_TYPE_{} >> SVM_EVTINJ_TYPE_SHIFT", stems(
        "EXCEPTION=EXEPT SOFT_INT=SOFT")),
    "vmm_error": ("SNP_GUEST_VMM_ERR_{}", stems("KVM_GENERIC=GENERIC")),
    "psc_operation": ("SNP_PAGE_STATE_{}", {}),
    "psc_page_size": ("RMP_PG_{}", {}),
    "psc_return": ("VMGEXIT_PSC_ERROR_{}", stems("INVALID_HEADER=INVALID_HDR KVM_GENERIC=GENERIC")),
    "svsm_protocol": ("SVSM_{}_CALL(0) >> 32", {}),
    "svsm_core_call": ("SVSM_CORE_{}", {}),
    "svsm_attest_call": ("SVSM_ATTEST_{}", {}),
    "svsm_vtpm_call": ("SVSM_VTPM_{}", {}),
    "svsm_result": ("SVSM_{}", {
        "SUCCESS": "SUCCESS", "PVALIDATE_FAIL_SIZE_MISMATCH": "PVALIDATE_FAIL_SIZEMISMATCH",
        **{n: f"ERR_{n}" for n in (
            "INCOMPLETE", "UNSUPPORTED_PROTOCOL", "UNSUPPORTED_CALL", "INVALID_ADDRESS",
            "INVALID_FORMAT", "INVALID_PARAMETER", "INVALID_REQUEST", "BUSY")}}),
    "status": ("SEV_RET_{}", stems(
        "INVALID_LENGTH=INVALID_LEN DF_FLUSH_REQUIRED=DFFLUSH_REQUIRED "
        "HARDWARE_PLATFORM=HWSEV_RET_PLATFORM HARDWARE_UNSAFE=HWSEV_RET_UNSAFE "
        "INVALID_CONFIG=INAVLID_CONFIG")),
    # Tables of single numbers: those named here.
    "meta": ("MSR_{}", stems(
        "msr_ghcb=AMD64_SEV_ES_GHCB msr_sev_status=AMD64_SEV msr_svsm_caa=SVSM_CAA")),
    "limits": ("{}", stems(
        "shared_buffer_size=GHCB_SHARED_BUF_SIZE psc_max_entries=VMGEXIT_PSC_MAX_COUNT "
        "linux_cert_blob_max=SEV_FW_BLOB_MAX_SIZE snp_cpuid_entries_max=SNP_CPUID_COUNT_MAX "
        "svsm_pvalidate_max_entries=SVSM_PVALIDATE_MAX_COUNT")),
    "rule": ("SEV_RET_{}", stems("NO_FW_CALL=NO_FW_CALL")),
}
# fmt: on
KNOWN = {"svsm_attest_services.nonce_size size": "the specs follow coconut"}


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


def cut_declarations(folder: Path) -> str:
    """Take the macros, the enumerations and the mapped structures out of the headers."""
    text = "\n".join(p.read_text() for h in HEADERS if (p := folder / h).is_file())
    if not text:
        raise Skip(f"no headers of a kernel in {folder}")
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    macros = re.findall(r"^[ \t]*#[ \t]*define\b(?:.*\\\n)*.*$", text, re.MULTILINE)
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
