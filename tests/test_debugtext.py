"""Rust's debug print of a report: its numbers in hex without 0x, and decimal lists among them."""

from __future__ import annotations

import pytest

from snpwire.evidence import debug_text

ID = [0x3A, 0xC3, 0, 0x10]
SIGNED = [79, 142, 0, 139]


def printed(number):
    """Return a print in which a signature has a print of its own, in decimal."""
    numbers = ", ".join(map(number, ID))
    return (
        f"AttestationReport {{ version: {number(3)}, policy: GuestPolicy {{ .0: {number(0x30000)},"
        f" smt_allowed: true }}, chip_id: Array([{numbers}]),"
        f" signature: Signature {{ r: {SIGNED} }} }}"
    ).encode()


@pytest.mark.parametrize("form", ["{}", "{:x}", "{:02x}", "{:X}", "{:#x}"])
def test_numbers_are_read_in_the_base_in_which_they_are_printed(form):
    found = debug_text(printed(form.format))

    assert found["version"] == 3
    assert found["policy"] == 0x30000
    assert found["chip_id"] == ID
    assert found["signature"] == {"r": SIGNED}


def test_a_list_that_is_cut_is_no_report():
    assert debug_text(printed("{:x}".format).partition(b"142")[0] + b"142") == {}
