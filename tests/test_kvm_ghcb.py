"""KVM's GHCB block is read from a log; the lines are made from the kernel's format strings."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.capture.kvm_ghcb import VALUES, find, looks_like, parse
from snpwire.errors import InputError

PREFIXES = [
    "",
    "kvm_amd: ",
    "[   12.345678] kvm_amd: ",
    "[   12.345678] [ T4616] kvm_amd: ",
    "Jan  2 03:04:05 host kernel: kvm_amd: ",
    "2026-01-02T03:04:05.123456+00:00 host kernel: kvm_amd: ",
    "6,1,123,-;kvm_amd: ",
    "> > <3>kvm_amd: ",
]


def block(*, gpa=0x123F000, head=" snapshot", valid="1110", bitmap=0x1C0000 << 96):
    values = [0x80000010, 1, 2, 3]
    words = ",".join(f"{bitmap >> shift & 0xFFFFFFFF:08x}" for shift in (96, 64, 32, 0))
    return [
        f"GHCB (GPA={gpa:016x}){head}:",
        *(f"{n:<20}{v:016x} is_valid: {b}" for n, v, b in zip(VALUES, values, valid, strict=True)),
        f"{'valid_bitmap':<20}{words}",
    ]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_block_is_read_behind_any_prefix(prefix, end):
    text = end.join(["before", *(prefix + line for line in block()), "after"])

    got = parse(text)

    assert got.gpa == 0x123F000
    assert got.snapshot
    assert got.values == dict(zip(VALUES, (0x80000010, 1, 2, 3), strict=True))
    assert got.is_valid == dict(zip(VALUES, (True, True, True, False), strict=True))
    assert got.bitmap == 7 << 114
    assert got.line == 2
    assert looks_like(text)


def test_lines_of_others_may_stand_in_between():
    text = "\nrandom: crng init done\n".join(block())

    assert parse(text).values["sw_exit_code"] == 0x80000010


def test_a_bitmap_that_contradicts_is_valid_is_kept():
    got = parse("\n".join(block(valid="0001")))

    assert got.is_valid["sw_scratch"]
    assert got.bitmap == 7 << 114


@pytest.mark.parametrize(
    ("head", "bitmap", "known"),
    [("", 0, False), ("", 1, True), (" snapshot", 0, True), (" snapshot", 1, True)],
)
def test_a_cleared_bitmap_of_an_old_kernel_is_called_unknown(head, bitmap, known):
    assert parse("\n".join(block(head=head, bitmap=bitmap))).bitmap_known is known


def test_every_block_is_found():
    text = "\n".join([*block(gpa=0x1000), "", *block(gpa=0x2000, head="")])

    assert [(got.gpa, got.snapshot, got.line) for got in find(text)] == [
        (0x1000, True, 1),
        (0x2000, False, 8),
    ]


def test_two_blocks_are_too_many_to_parse():
    with pytest.raises(InputError) as caught:
        parse("\n".join(block() * 2))

    assert str(caught.value) == "2 GHCB blocks, at lines 1, 7"
    assert caught.value.help


def test_many_blocks_are_not_all_listed():
    with pytest.raises(InputError, match=r"^30 GHCB blocks.*, 115, \.\.\.$"):
        parse("\n".join(block() * 30))


def test_no_block_says_how_to_get_one():
    text = "sw_exit_code        0000000080000010 is_valid: 1"

    with pytest.raises(InputError, match="no line 'GHCB") as caught:
        parse(text)

    assert "dump_invalid_vmcb" in caught.value.help
    assert not looks_like(text)


def test_missing_lines_are_named():
    made = block()
    del made[5], made[2]

    with pytest.raises(InputError) as caught:
        parse("\n".join(["", *made]))

    assert caught.value.line == 2
    assert (
        caught.value.reason == "the GHCB block that begins here has no sw_exit_info_1, valid_bitmap"
    )


def test_a_block_cut_off_by_the_next_is_an_error():
    with pytest.raises(InputError, match=r"^line 1: .* has no valid_bitmap$"):
        find("\n".join([*block()[:-1], *block()]))


def test_a_repeated_line_is_an_error():
    made = block()

    with pytest.raises(InputError, match=r"^line 3: sw_exit_code a second time .* line 1$"):
        find("\n".join([*made[:2], *made[1:]]))


@pytest.mark.parametrize("bitmap", ["1,2,3,4", "001c0000", "001c0000,0,0,0", "x"])
def test_a_damaged_bitmap_is_missing(bitmap):
    with pytest.raises(InputError, match="has no valid_bitmap"):
        find("\n".join([*block()[:-1], f"{'valid_bitmap':<20}{bitmap}"]))


@given(st.lists(st.sampled_from([*block(), "x", "GHCB (GPA=", "valid_bitmap 0"]), max_size=20))
def test_any_mixture_is_read_or_refused(made):
    with contextlib.suppress(InputError):
        assert len(find("\n".join(made))) <= len(made) // 6


@given(st.text())
def test_any_text_has_no_block(text):
    assert find(text) == []
