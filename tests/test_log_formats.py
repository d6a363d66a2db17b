"""specs/log.toml and the templates of snpwire.capture.logs say the same, in both directions.

Each row's ``printf`` is given random values behind a random prefix; the record has to have them.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snpwire.capture.kernel_log import FAMILIES, records
from snpwire.capture.logs.formats import breaks_off, match
from snpwire.capture.logs.template import Template

SPEC = Path(__file__).parents[1] / "specs" / "log.toml"
ROWS = tomllib.loads(SPEC.read_text())["log_format"]
CONVERSION = re.compile(r"%(#?)(0?[0-9]*)(ll|l|)([duxs])")
TEXT = {
    "state": st.sampled_from(["private", "shared", "enabled", "unusable"]),
    "what": st.sampled_from(["SNP_INIT_EX", "SNP_DF_FLUSH", "LAUNCH_START", "initialize"]),
    "text": st.sampled_from(["Bad measurement", "Invalid parameter", ""]),
    "features": st.sampled_from(["", " SEV-ES", " SEV-ES SEV-SNP "]),
    "device": st.sampled_from(["0000:01:00.0", "c1:00.1"]),
    "rest": st.sampled_from(["0133 0000", "0133 0000 00"]),
    "page": st.sampled_from(["ghcb", "message", "vmsa", "psc"]),
    "way": st.sampled_from(["in", "out"]),
    "ccp": st.sampled_from(["0000:22:00.1", "0000:01:00.5"]),
    "file": st.sampled_from(["/var/lib/sev.nv", "amd/sev.fw"]),
    "online": st.sampled_from(["0-62", "0,2-7"]),
    "present": st.sampled_from(["0-63", "0-7"]),
    "release": st.sampled_from(["6.12.12", "6.9.0-rc7-snp-host-05b10142ac6a+"]),
    "options": st.sampled_from(["BOOT_IMAGE=/vmlinuz ro quiet", "ro iommu=pt kvm_amd.sev=1"]),
    "names": st.sampled_from(["PPR NX GT IA GA PC", "PPR X2APIC NX GT [5] IA GA PC SNP SEV-TIO"]),
    "name": st.sampled_from(["sev_snp", "sev:Y"]),
    "port": st.sampled_from(["0000:60:03.1"]),
    "request": st.sampled_from(["FWVERS", "UPDATEPKG"]),
    "caller": st.sampled_from(["kvm_init", "common_kvm_init"]),
    "reason": st.sampled_from(["Invalid argument", "No such file or directory"]),
    "type": st.sampled_from(["Normal", "Cpuid", "2"]),
    "property": st.sampled_from(["igvm-file", "init-flags"]),
    "delta": st.sampled_from(["12.345", "0.001"]),
    "gosvw": st.sampled_from(["(null)", "AAAA"]),
    "id_block": st.sampled_from(["(null)", "AAAAbbbb=="]),
    "session": st.sampled_from(["0x7f0000000000", "(nil)"]),
    "pdh": st.sampled_from(["0x7f0000000000", "(nil)"]),
    "data": st.sampled_from(["00ff00ff", "22766572"]),
    "before": st.sampled_from(["uninit", "launch-update"]),
    "after": st.sampled_from(["launch-update", "running"]),
    "version": st.sampled_from(["1a2b3c4d+", "v2025.10"]),
    "cpu": st.sampled_from(["0", "?"]),
    "info": st.sampled_from(["panicked at src/svsm.rs:1:2: no", "explicit"]),
    "error": st.sampled_from(["Ghcb(VmgexitError(2, 6))", "Vc(VcError { code: 114 })"]),
    "mode": st.sampled_from(["kernel", "user"]),
    "code": st.sampled_from(["CPUID", "SevExitCode(0x4af)"]),
    "url": st.sampled_from(["https://docs.example"]),
    "answer": st.sampled_from(["yes", "no"]),
    "found": st.sampled_from(["GENOA", "TURIN"]),
    "key": st.sampled_from(["VCEK", "ASK", "VLEK"]),
    "issuer": st.sampled_from(["ASK", "ASVK"]),
    "part": st.sampled_from(["Boot Loader", "SNP", "ID"]),
    "other": st.sampled_from(["Boot Loader", "SNP", "ID"]),
    "product": st.sampled_from(["Genoa", "Milan"]),
    "lower": st.sampled_from(["{2 0 8 115}", "0x7308000000000003"]),
    "higher": st.sampled_from(["policy minimum", "report's"]),
    "entry": st.sampled_from(["ES_RESET_BLOCK_GUID"]),
    "wanted": st.sampled_from(["MILAN", "UINT"]),
    "blob": st.sampled_from(["kernel", "initrd", "cmdline"]),
    "guid": st.sampled_from(["4DE79437-ABD2-427F-B835-D5B172D2045B"]),
    "result": st.sampled_from(["PASS", "FAIL", "SKIP"]),
}
MOVED = {
    "high",
    "low",
    "rest",
    "features",
    "options",
    "name",
    "digits",
}  # joined to others, or taken apart
PREFIXES = [
    "",
    "[   12.345678] ",
    "[  +0.000003] ",
    "[12345.678901] [ T4616] ",
    "[    0.000000] [    C3] ",
    "[Wed Nov 25 07:00:00 2026] ",
    "<6>[    1.000001] ",
    "6,1234,12345678,-;",
    "6,1234,12345678,-,caller=T99;",
    "kern  :err   : [   12.345678] ",
    "Nov 25 07:00:00 host kernel: ",
    "Nov  5 07:00:00 host.example.org kernel: [   12.345678] ",
    "2026-11-25T07:00:00.123456+00:00 host kernel: ",
    "2026-11-25T07:00:00+0100 host kernel: ",
    "2026-11-25T07:00:00,123456+01:00 ",
    "> ",
    ">> [   12.345678] ",
]
MODULES = ["", "SEV-SNP: ", "kvm_amd: ", "ccp 0000:49:00.1: ", "sev-guest sev-guest: ", "SEV: "]


def values(row):
    """Return a strategy of a row's values, in the order of its conversions."""
    made = []
    for name, (_, width, size, letter) in zip(
        row["fields"], CONVERSION.findall(row["printf"]), strict=True
    ):
        bits = 64 if size else 32
        if letter == "s":
            made.append(TEXT[name])
        elif letter == "d":
            made.append(st.integers(-(1 << bits - 1), (1 << bits - 1) - 1))
        else:
            limit = 16 * int(width) // 4 if width in ("016", "08") else bits
            made.append(st.integers(0, (1 << min(limit, bits)) - 1))
    return st.tuples(*made)


def printed(row, given_values):
    """Return what C's printf makes of a row."""
    text = CONVERSION.sub(lambda m: f"%{m[1]}{m[2]}{m[4]}", row["printf"])
    return text % given_values


def one(line):
    found = list(records([line.encode()]))
    assert len(found) == 1, found
    return found[0]


IDS = [f"{n}-{row['key']}" for n, row in enumerate(ROWS)]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
@settings(max_examples=6)
@given(data=st.data())
def test_a_line_gives_back_the_values_it_was_printed_with(row, data):
    put = data.draw(values(row))
    bare = row["key"].startswith(("trace", "tool_bare"))  # nothing but a time stands before them
    module = "" if bare else data.draw(st.sampled_from(MODULES))
    before = data.draw(st.sampled_from(PREFIXES)) + module

    record = one(before + printed(row, put))

    assert record.format == row["key"]
    if "%llx" in row["printf"] and "numbers read as decimal" in record.meaning:
        return  # the digits name an exit in decimal and none in hex: that is said
    for name, value in zip(row["fields"], put, strict=True):
        if name not in MOVED:
            shown = record.fields[name]
            assert shown == value if not isinstance(value, str) else shown.strip() == value.strip()


@pytest.mark.parametrize("row", ROWS, ids=IDS)
@settings(max_examples=6)
@given(data=st.data())
def test_a_line_that_mail_has_broken_is_joined(row, data):
    put = data.draw(values(row))
    words = printed(row, put).split()
    places = [n for n in range(1, len(words)) if breaks_off(" ".join(words[:n]))]
    if not places or match(printed(row, put)) is None:
        return  # too short to tell, or cut where what stands before it is whole
    place = data.draw(st.sampled_from(places))
    head, rest = " ".join(words[:place]), " ".join(words[place:])
    if match(rest) or match(head):
        return

    record = one(f"> [   12.345678] {head}\n> {rest}\n")

    assert (record.format, record.line, record.last) == (row["key"], 1, 2)
    for name, value in zip(row["fields"], put, strict=True):
        if name not in MOVED and not isinstance(value, str):
            assert record.fields[name] == value


def test_a_wording_that_is_whole_is_not_broken_off():
    template = Template("SEV is ready to begin")

    assert template.broken("SEV is ready to")
    assert not template.broken("SEV is ready to begin, it says")
    assert not template.broken("is ready")


def test_every_wording_is_specified():
    hit = set()
    for row in ROWS:
        put = tuple(
            "INIT" if letter == "s" else 1 for *_, letter in CONVERSION.findall(row["printf"])
        )
        if {"device", "ccp"} & set(row["fields"]):
            put = ("0000:01:00.0", *put[1:])
        known, _ = match(" ".join(printed(row, put).split()))
        hit.add(known.wording.text)
    wordings = {
        wording.text
        for _, formats in FAMILIES.values()
        for fmt in formats
        for wording in fmt.wordings
    }

    assert wordings - hit == set()


def test_each_format_has_a_key_of_its_own():
    keys = [fmt.key for _, formats in FAMILIES.values() for fmt in formats]

    assert sorted(keys) == sorted(set(keys))
    assert set(keys) == {row["key"] for row in ROWS}
    assert len(keys) > 40
