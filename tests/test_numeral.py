"""Numbers as programs print them, read by one rule, with what was decided."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.errors import UsageError
from snpwire.numeral import DECIMAL, HEX, ascii_text, reading, readings

NUMBERS = st.integers(0, (1 << 64) - 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x80000011", 0x80000011),
        ("0X80000011,", 0x80000011),
        ("0x80000011ULL;", 0x80000011),
        ("0x8000_0011u64", 0x80000011),
        ("80000011h", 0x80000011),
        ("0c0010131h", 0xC0010131),
        ("#0x80000011", 0x80000011),
        ("(0x80000011)", 0x80000011),
        ("'0x80000011'", 0x80000011),
        ("00000000`80000011", 0x80000011),
        ("00000000 80000011", 0x80000011),
        ("0000000080000011", 0x80000011),
        ("deadbeef", 0xDEADBEEF),
        ("7u32", 7),
        ("0b101", 5),
        ("0b3f", 0xB3F),
        ("0o17", 15),
        ("+0x10", 0x10),
        ("-0", 0),
        ("0000", 0),
        ("-9223372036854775808", 1 << 63),
        ("-0x8000000000000000", 1 << 63),
    ],
)
def test_each_form_that_programs_print_has_one_value(text, value):
    assert [row.value for row in readings(text)] == [value]


@pytest.mark.parametrize(
    "text",
    ["", " ", "0x", "xyz", "0o18", "1 2", "0x1 0x2", "1:2", "--1", "1.5", "g0", "9" * 200],
)
def test_what_is_no_number_has_no_reading(text):
    assert readings(text) == ()
    with pytest.raises(UsageError, match=r"is no number$"):
        reading(text)


@given(NUMBERS, st.sampled_from(["{:#x}", "{:#018x}", "{:#x},", "{:X}h", "{:#x}ULL", "`{:#x}`"]))
def test_a_number_with_a_mark_is_read_as_it_was_printed(number, form):
    assert reading(form.format(number)).value == number


@given(NUMBERS)
def test_digits_without_a_mark_are_decimal_or_hex_and_nothing_else(number):
    values = {row.value for row in readings(str(number))}

    assert values == {number, int(str(number), 16)}


@given(st.integers(-(1 << 63), -1))
def test_a_negative_number_is_the_register_that_it_was_printed_of(number):
    widths = [64, 32] if number >= -(1 << 31) else [64]

    assert [row.value for row in readings(str(number))] == [number % (1 << w) for w in widths]


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_words(text):
    try:
        assert reading(text).value >= 0
    except UsageError as exc:
        assert str(exc)


def test_digits_that_can_be_only_one_number_are_that_and_it_is_said():
    found = reading("30000", possible=lambda value: value == 0x30000)

    assert found.value == 0x30000
    assert found.note == "hex, without 0x; in decimal it would be 0x7530"
    assert reading("196608", possible=lambda value: value == 0x30000).note.startswith("decimal; ")


def test_digits_that_can_be_two_numbers_are_refused_with_both():
    with pytest.raises(UsageError, match=r"^78 can be read as two numbers$") as caught:
        reading("78", name={0x78: "HLT", 0x4E: ""}.__getitem__)

    assert caught.value.help == "write 0x78 (hex, without 0x: HLT) or 0x4e (decimal)"


def test_digits_that_can_be_no_number_are_refused_too():
    with pytest.raises(UsageError, match="two numbers"):
        reading("78", possible=lambda value: False)


@pytest.mark.parametrize(("base", "value"), [(HEX, 0x24), (DECIMAL, 24)])
def test_the_base_in_which_such_numbers_are_printed_decides(base, value):
    assert reading("24", base=base).value == value
    assert reading("24", base=base, possible=lambda number: False).value == value
    with pytest.raises(UsageError, match="two numbers"):
        reading("24", base=base, possible=lambda number: number not in (value, 0))


def test_a_signed_number_has_the_width_of_which_there_is_one():
    assert reading("-1", possible=lambda value: value >> 32).value == (1 << 64) - 1
    assert reading("-1", possible=lambda value: not value >> 32).value == (1 << 32) - 1
    assert reading("-1", width=32).value == (1 << 32) - 1
    with pytest.raises(UsageError, match="two numbers"):
        reading("-1")


def test_a_number_too_wide_is_refused_and_not_read_otherwise():
    with pytest.raises(UsageError, match=r"^0x1ff does not fit 8 bits$"):
        reading("0x1ff", width=8)
    assert reading("100", width=8).value == 100


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0x73726576227B3A22, '":{"vers'),
        (int.from_bytes(b"-----B", "little"), "-----B"),
        (int.from_bytes(b"short", "little"), ""),
        (0x7308000000000003, ""),
        (0, ""),
    ],
)
def test_a_number_all_of_whose_bytes_are_text_spells_it(value, text):
    assert ascii_text(value) == text


@pytest.mark.parametrize("text", ["-1f", "-c0010131", "-0b", "-0b22", "-0o7b", "-0o9", "`-1f22ULL"])
def test_letters_or_wrong_digits_behind_a_sign_are_no_number(text):
    assert readings(text) == ()


@given(st.text(alphabet="-+0123456789abcdefxohul_ `',()=", max_size=12))
def test_any_text_is_read_or_is_no_number(text):
    for row in readings(text):
        assert row.value >= 0
