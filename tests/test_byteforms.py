"""Bytes are read back from whatever a program prints of them, or refused; never others are read."""

from __future__ import annotations

import base64
import re
from functools import partial

import byteforms
import pytest
from byteforms import AROUND, FORMS, MAKES, encoded
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from snpwire.capture import read
from snpwire.errors import InputError

BOTH = re.compile(r"decimal or (hex|octal)\? nothing decides whether \d+ is \d+ or \d+")
REPORT = bytes([3, 0, 0, 0, 2, 0, 0, 0, 31, 0, 3]) + bytes(37) + bytes(range(256)) * 3 + bytes(40)
WORDS = {"WinDbg dd": 4, "WinDbg dq": 8, "gdb x/xw": 4, "gdb x/xg": 8, "xp": 8}

values = st.one_of(
    st.binary(min_size=12, max_size=96),
    st.lists(st.integers(0, 99), min_size=12, max_size=64).map(bytes),
    st.binary(min_size=8, max_size=32).map(lambda data: data + bytes(48)),
    st.text("ab <&|\\'\"0[]{}", min_size=12, max_size=40).map(str.encode),
)


def of_size(size):
    return partial(int.__eq__, size)


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=60)
@given(data=values)
@example(data=REPORT)
@example(data=bytes(range(64)))
@example(data=bytes(64))
def test_what_a_program_prints_is_read_back_or_refused_with_both_readings(name, data):
    made = encoded(FORMS[name](data))
    assume(len(made) != len(data))
    assume(name != "bytea escape" or re.match(rb"\\[0-7]{3}", made))
    assume(name not in ("go %q", "json string") or re.search(rb"\\[xu][0-9a-f]{2}", made))
    assume(name != "numbers" or not all(10 <= byte <= 99 for byte in data))  # as ``% x`` prints

    try:
        found = read(made, sizes=of_size(len(data)))
    except InputError as error:
        assert BOTH.search(str(error)), made
        assert error.help.startswith("--from decimal or --from ")
        assert data not in (REPORT, bytes(64))
    else:
        assert found.data == data, made


@pytest.mark.parametrize("name", ["rust {:?}", "rust field", "go %v", "json", "csv", "numbers"])
@given(data=values)
def test_decimal_numbers_are_read_where_that_is_asked(name, data):
    assert read(encoded(FORMS[name](data)), "decimal").data == data


@pytest.mark.parametrize("name", ["rust {:x?}", "rust {:02x?}", "rust {:02X?}"])
@given(data=values)
def test_hex_numbers_are_read_where_that_is_asked(name, data):
    assert read(encoded(FORMS[name](data)), "hex").data == data


@given(data=values)
def test_octal_numbers_are_read_where_that_is_asked(data):
    assert read(byteforms.numbers(data, "{:03o}", " ").encode(), "octal").data == data


@pytest.mark.parametrize("make", MAKES)
@settings(max_examples=40)
@given(data=values)
@example(data=REPORT)
def test_a_dump_of_each_make_is_read_back(make, data):
    data += bytes(-len(data) % WORDS.get(make, 1))

    assume(make != "od -c" or re.search(rb"[\0\n\rg-z]", data))  # as od -t u1 prints numbers
    assert read(encoded(MAKES[make](data)), sizes=of_size(len(data))).data == data


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("make", MAKES)
def test_what_stands_around_a_dump_does_not_count(make, around):
    if "hexyl" in make and around == "UTF-16 without mark":
        pytest.skip("a frame has no zero bytes that tell UTF-16")
    data = bytes(range(250, 256)) + b'it\'s <b>&amp; "x"...|' + bytes(21) + bytes(range(40, 88))

    found = read(encoded(AROUND[around](MAKES[make](data))), sizes=of_size(len(data)))

    assert found.data == data


@pytest.mark.parametrize("around", [name for name in AROUND if name != "curly quotes"])
@pytest.mark.parametrize("name", ["rust {:#?}", "json indent", "js columns", "csv rows", "c hex"])
def test_what_stands_around_a_list_does_not_count(name, around):
    if name == "csv rows" and around in ("prompt", "prompt of root"):
        pytest.skip("rows of numbers among other lines are not looked for")

    found = read(encoded(AROUND[around](FORMS[name](REPORT) + "\n")), sizes=of_size(len(REPORT)))

    assert found.data == REPORT


CUT = {
    "node": ("Uint8Array(1184) [\n  3, 0,\n  ... 1182 more items\n]", "2 of 1184 bytes", 3),
    "node sign": ("Uint8Array(1184) [ 3, 0, … 1182 more items ]", "2 of 1184 bytes", 1),
    "Buffer": ("<Buffer 03 00 00 00 ... 1180 more bytes>", "4 of 1184 bytes", 1),
    "gdb": ("$1 = {3, 0, 0, 0, 2, 255...}", "bytes are here, the rest is left out", 1),
    "numpy": ("[  3   0   0 ...   1   2 255]", "bytes are here, the rest is left out", 1),
    "open": ("report: [" + "3, 0, 255, 12, " * 8, "no ']' closes this list, which is cut", 1),
    "open brace": ("x = {" + "3, 0, 255, 12, " * 8, "no '}' closes this list, which is cut", 1),
    "count": ("Uint8Array(5) [ 3, 0, 255 ]", "says that it has 5 bytes, and 3 are there", 1),
    "gdb string": ('$1 = "\\003\\000\\000\\000"...', "the string is cut", 1),
}


@pytest.mark.parametrize("name", CUT)
def test_a_print_that_leaves_bytes_out_is_refused_with_how_many(name):
    text, said, line = CUT[name]

    with pytest.raises(InputError, match=re.escape(said)) as caught:
        read(text.encode())

    assert caught.value.line == line


WRONG = {
    "decimal or hex": ("[3, 0, 16, 9]", "decimal or hex? nothing decides whether 16 is 16 or 22"),
    "decimal or octal": ("{003, 010}", "decimal or octal? nothing decides whether 010 is 10 or 8"),
    "too large": ("[3, 0, 300, 255]", "300 is no byte, which goes to 255, column 8"),
    "no number": ("[3, 0, 255, 4, 5, 6, 7, 8, 1g]", "'1g' is no decimal number"),
    "letter in Python": ("bytes([3, 1f, 4, 5])", "'1f' is no decimal number"),
    "signed": ("[-1, 0, 200, 3]", "200 among signed bytes, which go to 127"),
    "two lists": ("a: [1, 2, 3, 255]\nb: [4, 5, 6, 255]", "2 lists of bytes, at lines 1, 2"),
    "members": ('{"0": 3, "2": 255}', "member 2 where 1 was expected"),
    "repeats": ("$1 = {0x3, 12 <repeats 20 times>}", "12 among bytes with 0x"),
    "octal escape": ('"\\003\\777"', "'\\\\777' is no byte"),
    "no escape": ('"\\003\\q\\004"', "'\\\\q' is no escape of a byte"),
    "no ASCII": ('"\\003\\004é"', "'é' is not a byte"),
    "greedy": ('"\\x03\\x041"', "'\\\\x041' may be one byte and a character"),
    "head alone": (
        "          Offset Bytes                                           Ascii\n"
        "                 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F\n",
        "the head of Format-Hex, and no row below it",
    ),
    "offsets": ("0000 00zz\n0010 0011\n", "'z' is not a hex digit"),
    "broken offsets": ("000000 c5249ac20a30\n000010 7bcdfc3a0ad0", "lines begin with offsets"),
    "WinDbg": (
        "000001a2`b3c4d000  00 11\n000001a2`b3c4d002  0011 223344\n",
        "line 2: not a row of WinDbg like those around it",
    ),
    "row with two sizes": (
        "0x1000: 0x11 0x22\n0x1002: 0x3344 0x55\n0x1005: 0x66 0x77\n",
        "line 2: a group of 1 behind groups of 2",
    ),
    "cut number": ("0x1000: 0x11223344 0x5566\n", "a number of 2 bytes among numbers of 4"),
    "cut row": (
        "0x1000: 0x11223344 0x5566\n0x1006: 0x11223344 0x5566\n",
        "a group of 2 behind groups of 4",
    ),
    "two readings of xxd": (
        "00000000: 03000000 1f000000 00000000 00000000  ................\n",
        "groups of 4 in memory order, or as words of xxd -e? nothing decides",
    ),
    "two readings of od": ("0000000 255 255\n0000002\n", "decimal or octal? nothing decides"),
    "two readings of groups": ("00000011 00000001", "binary or hex? nothing decides"),
    "two readings of columns": ("  10  17  24  31\n  38  45\n", "whether 10 is 10 or 16"),
    "typed array": ("Uint16Array(4) [ 6, 0, 0, 1 ]", "Uint16Array(4): its elements are no bytes"),
    "numpy of words": ("array([1, 2, 0], dtype=uint32)", "dtype=uint32: its elements are no by"),
    "Go of words": ("[]uint32{0x3, 0x0}", "uint32: its elements are no bytes"),
    "members of a struct": ("{3 03 00 1f 1}", "3 has one digit, and 03 begins with 0"),
    "characters beside a string": ("{'\\x03' \"\\x03\\x00\"}", "characters beside strings"),
    "Intel HEX": (":0400000003001F00DA\n:00000001FF\n", "Intel HEX: objcopy"),
    "octal words": ("000003 000000 017437 000001", "groups of six octal digits"),
    "rows left out": (" 00 00 00 00 00 00 00 00\n*\n", "a * leaves rows out"),
    "a head with a row": (
        "          Offset Bytes                                           Ascii\n"
        "                 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F\n"
        "          ------ ----------------------------------------------- ----- "
        "0000000000000000 00 11 22 33\n"
        "0000000000000004 44 55 66 77                                     DUfw\n",
        "not a row of Format-Hex",
    ),
    "character in UTF-8": ('"\\x03\\u00e9"', "is a character, and no byte"),
    "three bytes": ("0x1000: 0x17f843 0x17f843", "numbers of 3 bytes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_list_of_bytes_is_refused_with_its_place(name):
    text, said = WRONG[name]

    with pytest.raises(InputError) as caught:
        read(text.encode())

    assert said in str(caught.value)


def test_the_size_wanted_decides_between_binary_and_hex():
    text = b"00000011 00000001"

    assert read(text, sizes=of_size(2)).data == b"\3\1"
    assert read(text, sizes=of_size(8)).data == bytes.fromhex("0000001100000001")
    assert read(text, "binary").notes == ("2 numbers read as binary, as asked",)
    with pytest.raises(InputError, match="which goes to 11111111"):
        read(b"100000000 1", "binary")


def test_rows_that_only_together_have_the_size_wanted_are_one_list():
    text = b"[03, 00, 1f, a0]\n[00, 00, ff, 01]\n"

    assert read(text, sizes=of_size(8)).data == bytes.fromhex("03001fa00000ff01")
    with pytest.raises(InputError, match=r"a second list|2 lists"):
        read(text)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (base64.b32encode(REPORT).decode(), "base32"),
        (f"{base64.b64encode(REPORT)}", "base64 in Python bytes"),
        (f"{REPORT.hex(':').encode()}", "hex in Python bytes"),
        (f"INSERT INTO reports VALUES (7, X'{REPORT.hex()}');", "hex"),
        (f"# sha384sum\n{REPORT.hex()}  report.bin\n", "hex"),
        (f"{{length = {len(REPORT)}, bytes = 0x{REPORT.hex()}}}", "hex"),
        ("     1\t" + byteforms.xxd(REPORT[:16]), "xxd"),
        (byteforms.quoted_by_go(REPORT).replace("\\x08", "\\x08\n"), "escaped string"),
    ],
)
def test_bytes_within_a_line_of_another_program_are_read(text, form):
    found = read(text.encode())

    assert found.form == form
    assert REPORT.startswith(found.data)
    assert len(found.data) in (16, len(REPORT))


def test_a_lone_group_behind_a_time_is_a_value_and_no_row_of_the_kernel():
    assert read(b"12:00:01 report: 0600000000000100").data == bytes.fromhex("0600000000000100")
    assert read(b"12:00:01 report: {0x0600000000000100}").data[0] == 6


def test_offsets_of_xxd_may_be_decimal():
    made = "00000000: 0300 1f00  ....\n00000004: 0000 00ff  ....\n00000008: 0100 0000  ....\n"
    made += "00000012: 0200 0000  ....\n"

    found = read(made.encode())

    assert len(found.data) == 16
    assert found.notes[-1] == "offsets read as decimal"


@pytest.mark.parametrize("form", ["decimal", "octal"])
def test_a_text_without_numbers_is_no_list(form):
    with pytest.raises(InputError, match="there is no list of numbers"):
        read(b"hello, world", form)


def test_the_size_wanted_decides_between_several_lists():
    text = b"{ a: Uint8Array(4) [ 1, 2, 3, 255 ], b: Uint8Array(2) [ 4, 200 ] }"

    assert read(text, sizes=of_size(2)).data == bytes([4, 200])
    assert read(text, sizes=of_size(4)).data == bytes([1, 2, 3, 255])
    with pytest.raises(InputError, match="2 lists of bytes"):
        read(text, sizes=of_size(3))


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("[3, 0, 255]", "3 numbers read as decimal, as 255 has 3 digits"),
        ("[3, 0, 1f]", "3 numbers read as hex, as 1f has a letter"),
        ("[03, 00, 10]", "3 numbers read as hex, as 03 begins with 0"),
        ("bytes([3, 0, 10])", "3 numbers read as decimal, as Python prints numbers"),
        ("[3 0 10]", "3 numbers read as decimal, as such lists usually are"),
        ("[3,0,-10]", "3 numbers read as decimal, as some are negative"),
        ('{"0": 3, "1": 10}', "2 numbers read as decimal, as JSON prints numbers"),
    ],
)
def test_the_base_and_its_reason_are_told(text, note):
    assert read(text.encode()).notes == (note,)


def test_a_base_that_was_asked_for_is_told():
    assert read(b"[3, 0, 10]", "hex").notes == ("3 numbers read as hex, as asked",)
    assert read(b"[3, 0, 9]", "hex").notes == ()


def test_the_zero_that_gdb_leaves_out_is_put_back_where_only_then_the_size_fits():
    found = read(b'$1 = "\\003\\000\\001"', sizes=of_size(4))

    assert found.data == b"\3\0\1\0"
    assert found.notes == ("a zero byte put at the end, where gdb leaves one out",)
    assert read(b'$1 = "\\003\\000\\001"').data == b"\3\0\1"


@pytest.mark.parametrize(
    "text",
    [
        "see x[1] and y[2]", '{"policy": 196608, "vmpl": 1}', "[]", "a <b> c",
        'say "hello\\nworld" to everyone who is listening to this', "key: value of no bytes",
        "<Buffer >", "$ ls\n$ pwd\n", "x = { y, z }", "10 dollars, please",
        "'\\000' <repeats 99999999 times>", "{0x3 <repeats 99999999 times>}", "<repeats 3 times>",
    ],
)  # fmt: skip
def test_prose_and_other_structures_stay_raw(text):
    assert read(text.encode()).form == "raw"


def test_an_answer_of_the_monitor_is_read_from_its_json():
    dump = byteforms.xp(REPORT[:64]).replace("\n", "\r\n")
    text = '{"return": {}}\n' + '{"return": ' + repr(dump).replace("'", '"') + "}\n"

    assert read(text.encode()).data == REPORT[:64]
    assert read(b'{"return": "bad \\q escape"}').form == "raw"


def test_the_echo_of_a_line_editor_is_what_it_shows():
    typed = "x\x1b[K\x1b[Dxp\x1b[K\x1b[D\x1b[Dxp /8gx 0x1000\x1b[K\r\n"
    echo = "(qemu) " + typed + byteforms.xp(REPORT[:64]) + "(qemu) \x1b[2K\b\b\x1b[3G\x1b[1C\x1b[P"

    assert read(echo.encode()).data == REPORT[:64]


@pytest.mark.parametrize(
    "shown", ["\x1b]0;title\x07", "\x1b]8;;x\x1b\\", "\x1b(B", "\x1b[0;1m", "\x1b=", "\x1b[?25l"]
)
def test_what_a_terminal_does_not_show_does_not_count(shown):
    assert read((shown + "7f 45" + shown + " 4c 46\n").encode()).data == b"\x7fELF"


@pytest.mark.parametrize(
    "raw", [b"\x1b[31mred\x1b[0m \x01", b"\xff\xfe\x00\xd8", b"7f45\x1b", b"\x08\xff", b"\xff\xfe"]
)
def test_what_is_no_text_after_all_is_raw(raw):
    assert read(raw).form == "raw"
    with pytest.raises(InputError, match="is no text"):
        read(raw, "hex")


def test_numbers_in_front_of_lines_are_left_where_they_do_not_count():
    with pytest.raises(InputError, match="not a hex digit"):
        read(b"1 | 00 11\n3 | 22 33\n4 | 55 66\n")


def test_rows_of_bytes_among_words_are_read_if_no_other_line_has_bytes():
    rows = "Report Data:\n" + "00 11 22 33 44 55 66 77\n" * 2 + "88 99\n\nthe end\n"

    assert read(rows.encode(), sizes=of_size(18)).data[-3:] == b"\x77\x88\x99"
    for other in ("aa bb cc dd ee\n", "\nChip:\n00 11 22 33 44 55 66 77\n"):
        with pytest.raises(InputError):
            read((rows + other).encode())


def test_one_group_of_digits_is_a_number_where_that_is_asked():
    assert read(b"00112233", "hex-le").data == b"\x33\x22\x11\0"
    assert read(b"00112233", "hex-be").data == b"\0\x11\x22\x33"


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("x: [3, 0, /* two */ 255, // and\n 4]", b"\3\0\xff\4"),
        ("b'\\x03\\\n\\x04'", b"\3\4"),
        ("61626364 65666768  abcdefgh", b"abcdefgh"),
        ("0000 1111\n0010 2222\n0018 3333\n", bytes.fromhex("000011110010222200183333")),
        ("\x1b[2;1H7f 45\b\b45\x1b[1Z", b"\x7fE"),
        ("zz\b\b\r7f 45\x1b[1m", b"\x7fE"),
        ("\x1b[2;1H7f 45\b\b46", b"\x7fF"),
    ],
)
def test_what_is_rare_is_read_as_well(text, data):
    assert read(text.encode()).data == data


def test_an_object_with_other_members_is_no_array():
    assert read(b'see {"0": 3, "1": 4, why not} of that, and more words').form == "raw"


def test_a_text_column_that_was_wrapped_off_its_rows_still_decides_their_order():
    data = bytes(range(32, 96))
    wrapped = byteforms.MAKES["tcpdump"](data).replace("  ", "\n").replace(":\n", ":  ")

    assert read(wrapped.encode()).data == data


def test_a_row_before_a_dump_without_its_offset_is_no_other_dump():
    rows = byteforms.xp(bytes(range(96))).splitlines()
    for broken in (rows[0].replace("1000:", "10g0:"), rows[0][1:].replace(":", " x:", 1)):
        with pytest.raises(InputError, match=r"not a row like those b|is not a hex digit"):
            read("\n".join([broken, *rows[1:]]).encode())
