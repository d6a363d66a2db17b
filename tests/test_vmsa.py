"""The save area, against one of a real SEV-ES guest and what another tool printed of it."""

import json
import os
from pathlib import Path

import pytest

from snpwire.layout import any_bit
from snpwire.wire.ghcb import Page
from snpwire.wire.operands import SevFeatures
from snpwire.wire.vmsa import Segment, VintrCtrl, Vmsa

FOLDER = Path(os.environ.get("SNPWIRE_VECTORS", "")) / "vmsa"
real = pytest.mark.skipif(
    not FOLDER.joinpath("vmsa0.bin").is_file(), reason="real save area: SNPWIRE_VECTORS names none"
)

SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs", "gdtr", "ldtr", "idtr", "tr"]
RENAMED = {  # the other tool has the fields of a GHCB where the processor has its exit information
    "sw_exit_code": "guest_exit_info_1",
    "sw_exit_info_1": "guest_exit_info_2",
    "sw_exit_info_2": "guest_exit_int_info",
    "sw_scratch": "guest_nrip",
    "valid_bitmap": "xsave_valid_bitmap",
    "x87_state_gpa": "x87_dp",
}


def plain(value):
    """Return *value* as the other tool prints it."""
    if isinstance(value, Segment):
        return {tile.path: part for tile, part in value.values()}
    return list(value) if isinstance(value, bytes) else value


@real
def test_a_real_save_area_reads_as_another_tool_printed_it():
    data = FOLDER.joinpath("vmsa0.bin").read_bytes()
    shown = json.loads(FOLDER.joinpath("vmsa0-show.txt").read_text())
    vmsa = Vmsa.parse(data)
    named = {name for name in shown if not name.startswith("reserved")}

    assert set(SEGMENTS) < named
    for name in named:
        assert plain(getattr(vmsa, RENAMED.get(name, name))) == shown[name], name
    assert vmsa.build() == data
    assert Vmsa.from_plain(vmsa.to_plain()) == vmsa


@real
def test_what_another_tool_calls_reserved_is_zero_in_the_real_one():
    shown = json.loads(FOLDER.joinpath("vmsa0-show.txt").read_text())
    vmsa = Vmsa.parse(FOLDER.joinpath("vmsa0.bin").read_bytes())
    named = {RENAMED.get(name, name) for name in shown}

    others = [(tile.path, value) for tile, value in vmsa.values() if tile.path not in named]

    assert [path for path, value in others if any_bit(value)] == []


def test_segments_lie_in_a_row():
    assert [Vmsa.tile(name).offset for name in SEGMENTS] == list(range(0, 0xA0, 0x10))


def test_registers_lie_where_the_ghcb_has_them():
    shared = {tile.path for tile in Page.FIELDS} & {tile.path for tile in Vmsa.FIELDS}

    assert {"cpl", "xss", "dr7", "rip", "rsp", "rax", "rcx", "r15", "xcr0"} <= shared
    for name in shared:
        assert Page.tile(name).offset == Vmsa.tile(name).offset, name


def test_features_and_virtual_interrupts_are_words():
    vmsa = Vmsa(
        vmpl=2,
        cs=Segment(selector=0xF000, attrib=0x9B, limit=0xFFFF, base=0xFFFF0000),
        sev_features=SevFeatures.from_plain(["snp_active", "vmsa_reg_prot"]),
        vintr_ctrl=VintrCtrl.of(vector=0x30, irq=1, guest_busy=1),
    )
    data = vmsa.build()

    assert data[0xCA] == 2
    assert data[0x10:0x20].hex() == "00f09b00ffff00000000ffff00000000"
    assert data[0x3B0:0x3C0].hex() == "0140000000000000" + "0001000030000080"
    assert Vmsa.parse(data).sev_features.names() == ["snp_active", "vmsa_reg_prot"]
