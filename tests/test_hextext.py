"""Every usual make of hex and base64 is read as the bytes it was made from, or refused by line.

The writers below print bytes as the tools do; they were typed from the tools' manuals and from
lib/hexdump.c of Linux. The last tests run the tools themselves where they are installed.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import shutil
import subprocess

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from snpwire.capture import FORMS, DecodedText, read, strip_prefix
from snpwire.errors import InputError

PAGE = bytes(range(256)) * 2


@st.composite
def contents(draw):
    """Bytes with runs that tools squeeze, printable stretches and odd ends."""
    pieces = st.one_of(
        st.binary(min_size=1, max_size=40),
        st.integers(1, 6).map(lambda rows: bytes(16 * rows)),
        st.text("ab cdef|<>0123", min_size=1, max_size=40).map(str.encode),
    )
    return b"".join(draw(st.lists(pieces, min_size=1, max_size=5)))


def rows(data, size=16):
    return [(at, data[at : at + size]) for at in range(0, len(data), size)]


def shown(data):
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def groups(data, size, *, words=False):
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return " ".join((part[::-1] if words else part).hex() for part in parts)


def lines(made):
    return "".join(line + "\n" for line in made)


def xxd(data, group=2):
    width = 32 + (16 + group - 1) // group - 1
    return lines(f"{at:08x}: {groups(row, group):{width}}  {shown(row)}" for at, row in rows(data))


def print_hex_dump(data, *, group=1, size=16, text=False, start="", offset="{:08x}: ", base=0):
    made = []
    for at, row in rows(data, size):
        used = group if len(row) % group == 0 else 1
        body = groups(row, used, words=True)
        if text:
            body = f"{body:{size * 2 + size // used + 1}}" + shown(row)
        made.append(start + offset.format(at + base) + body)
    return lines(made)


def squeezed(data, line, close):
    made, before, star = [], None, False
    for at, row in rows(data):
        if row == before and len(row) == 16:
            made += [] if star else ["*"]
            star = True
        else:
            made.append(line(at, row))
            star = False
        before = row
    return lines([*made, close(len(data))])


def hexdump_c(data):
    def line(at, row):
        halves = f"{groups(row[:8], 1):23}  {groups(row[8:], 1):23}"
        return f"{at:08x}  {halves}  |{shown(row)}|"

    return squeezed(data, line, "{:08x}".format)


def od(data, group=2, base="{:07o}", gap=" "):
    def line(at, row):
        padded = row + bytes(-len(row) % group)
        return base.format(at) + gap + groups(padded, group, words=True).replace(" ", gap)

    return squeezed(data, line, base.format)


def od_text(data):
    return squeezed(
        data, lambda at, row: f"{at:07o} {groups(row, 1)}  >{shown(row)}<", "{:07o}".format
    )


def gdb(data, group=1):
    made = []
    for at, row in rows(data, 8 if group == 1 else 16):
        cells = groups(row, group, words=True).split()
        made.append(f"0x{0x7FFFFFFFE6F0 + at:x} <buf+{at}>:\t" + "\t".join("0x" + c for c in cells))
    return lines(made)


def xp(data, group=1):
    return lines(
        f"{0x1000 + at:016x}: " + " ".join("0x" + c for c in groups(row, group, words=True).split())
        for at, row in rows(data)
    )


def rd(data):
    return lines(
        f"{0xFFFF888000000000 + at:x}:  {groups(row, 8, words=True):33}   {shown(row)}"
        for at, row in rows(data)
    )


def c_array(data):
    cells = ", ".join(f"0x{byte:02x}" for byte in data)
    return f"/* made by hand */\nstatic const u8 page[] = {{\n\t{cells}, // the end\n}};\n"


def c_words(data):
    return (
        "u64 page[] = {" + ", ".join("0x" + g for g in groups(data, 8, words=True).split()) + "};"
    )


def wrapped(text, width):
    return lines(text[at : at + width] for at in range(0, len(text), width))


WRITERS = {
    "plain": bytes.hex,
    "upper": lambda data: data.hex().upper() + "\n",
    "xxd -p": lambda data: wrapped(data.hex(), 60),
    "wrapped inside a byte": lambda data: wrapped(data.hex(), 33),
    "spaced": lambda data: data.hex(" "),
    "0x blob": lambda data: "0x" + data.hex(),
    "list": lambda data: ", ".join(map(hex, data)) + ",\n",
    "python list": lambda data: "[" + ", ".join(map(hex, data)) + "]",
    "escaped": lambda data: '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"',
    "C string": lambda data: 'char x[] =\n"' + "".join(f"\\x{byte:02x}" for byte in data) + '";',
    "python": repr,
    "C array": c_array,
    "colons": lambda data: data.hex(":"),
    "xxd -g1": lambda data: xxd(data, 1),
    "hexdump -C": hexdump_c,
    "hexdump": lambda data: od(data, 2, "{:07x}"),
    "hexdump -x": lambda data: od(data, 2, "{:07x}", "    "),
    "od -tx1 -Ax": lambda data: od(data, 1, "{:06x}"),
    "od -tx4 -Ax": lambda data: od(data, 4, "{:06x}"),
    "od -tx1": lambda data: od(data, 1),
    "od -tx2": od,
    "od -tx8": lambda data: od(data, 8),
    "od -tx1 -Ad": lambda data: od(data, 1, "{:07d}"),
    "od -tx1z": od_text,
    "gdb x/xb": gdb,
    "xp": xp,
}


@pytest.mark.parametrize("make", WRITERS)
@given(data=contents())
def test_what_a_tool_prints_is_read_back(make, data):
    if "od" in make or "hexdump" in make:
        assume(data[:16] * 2 != data[:32])  # the base of offsets may need a second row
        assume(set(data[:16]) != {0x33})  # the text column of 3333 is 3333
    if make == "python":
        assume(not data.isalnum())  # text that spells bytes is read as those
    assert read(WRITERS[make](data).encode(), "hex").data == data


STARTS = {
    "label": "kvm_amd: VMSA: ",
    "ccp": "(in):  ",
    "dmesg": "[   12.345678] ",
    "delta": "[ +0.000003] ",
    "caller": "[   12.345678] [ T4616] kvm_amd: ",
    "syslog": "Jan  2 03:04:05 host kernel: [   12.345678] ",
    "iso": "2026-01-02T03:04:05.123456+00:00 host kernel: ",
    "kmsg": "6,1,123,-;",
    "level": "<6>",
    "ctime": "[Fri Jan  2 03:04:05 2026] ",
    "names": "kern  :info  : [   12.345678] ",
}


SETTINGS = st.fixed_dictionaries(
    {
        "start": st.sampled_from(list(STARTS.values())),
        "offset": st.sampled_from(["{:08x}: ", "{:016x}: ", ""]),
        "size": st.sampled_from([16, 32]),
        "text": st.booleans(),
    }
)


@pytest.mark.parametrize("group", [1, 2, 4, 8])
@settings(max_examples=250)
@given(data=contents(), setting=SETTINGS)
def test_every_setting_of_print_hex_dump_is_read_back(group, data, setting):
    made = print_hex_dump(data, group=group, **setting)

    assert read(made.encode(), "hex").data == data


@pytest.mark.parametrize("group", [2, 4, 8])
@given(data=contents())
def test_without_label_and_text_the_colon_means_print_hex_dump(group, data):
    made = print_hex_dump(data, group=group)

    assert read(made.encode(), "hex").data == data


@pytest.mark.parametrize("group", [1, 2, 4, 8, 16])
@given(data=contents())
def test_the_text_column_decides_between_xxd_and_words(group, data):
    memory = xxd(data, group).encode()
    words = print_hex_dump(data, group=group, text=True).encode() if group < 16 else memory

    assert read(memory, "hex-be").data == data
    assert read(words, "hex-le" if group < 16 else "hex-be").data == data
    for made in (memory, words):
        try:
            found = read(made)
        except InputError as error:
            assert "in memory order, or as words of xxd -e? nothing decides" in str(error)
            assert error.help == "--from hex-be or --from hex-le"
        else:
            assert found.data == data or "does not tell" in found.notes[0]


def test_an_order_that_the_text_column_contradicts_is_refused():
    with pytest.raises(InputError, match="the text column says") as caught:
        read(XXD.encode(), "hex-le")

    assert caught.value.line == 3
    assert caught.value.help == "the other byte order agrees"


@pytest.mark.parametrize("group", [2, 4, 8])
@given(data=contents())
def test_numbers_of_debuggers_are_words(group, data):
    data += bytes(-len(data) % group)

    assert read(gdb(data, group).encode(), "hex").data == data
    assert read(xp(data, group).encode(), "hex").data == data


@given(data=contents())
def test_crash_rd_prints_words(data):
    data += bytes(-len(data) % 8)

    assert read(rd(data).encode()).data == data


@given(data=st.lists(st.binary(min_size=8, max_size=8), min_size=2).map(b"".join))
def test_an_array_of_words_is_little_endian(data):
    got = read(c_words(data).encode())

    assert got == (
        data,
        "array",
        ("groups of 8 read as little-endian words, as numbers are stored",),
    )
    swapped = b"".join(data[at : at + 8][::-1] for at in range(0, len(data), 8))
    assert read(c_words(data).encode(), "hex-be").data == swapped


@given(data=st.binary(min_size=12), width=st.sampled_from([4, 64, 76, 10**6]))
def test_base64_is_read_back(data, width):
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(data).decode()
        assert read(wrapped(text, width).encode(), "base64").data == data
    if set(base64.b64encode(data)) - set(b"0123456789abcdefABCDEF"):
        sizes = functools.partial(int.__eq__, len(data))
        got = read(base64.b64encode(data), sizes=sizes)
        assert got.data == data or not plain_base64(data)


def plain_base64(data):
    """Tell whether hardly any of its base64 digits are hex digits too."""
    text = base64.b64encode(data).decode()
    return 2 * sum(char in "0123456789abcdefABCDEF=" for char in text) < len(text)


def test_pem_is_read_by_its_body():
    text = "note\n-----BEGIN X KEY-----\n" + wrapped(base64.b64encode(PAGE).decode(), 64)
    text += "-----END X KEY-----\n"

    assert read(text.encode()) == DecodedText(PAGE, "PEM", ())
    assert read(text.encode(), "base64").form == "PEM"


@pytest.mark.parametrize(
    "around",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "".join("> " + line + "\n" for line in text.splitlines()),
        lambda text: "".join("> >> " + line + "\n" for line in text.splitlines()),
        lambda text: "".join(line + "   \n" for line in text.splitlines()),
        lambda text: "".join(line.rstrip() + "\n\n" for line in text.splitlines()),
        lambda text: "\ufeff" + text,
        lambda text: "```text\n" + text + "```\n",
        lambda text: text.replace("  ", "\xa0\xa0"),
        lambda text: "".join("    " + line + "\n" for line in text.splitlines()),
        lambda text: "hello,\n\n" + text + "\nregards\n",
    ],
)
@pytest.mark.parametrize("make", ["xxd -g1", "hexdump -C", "od -tx8", "xp"])
def test_what_mail_and_terminals_add_does_not_count(make, around):
    data = PAGE[:300] + bytes(64) + b"end  "

    assert read(around(WRITERS[make](data)).encode()).data == data


# Forms, notes and decisions


@pytest.mark.parametrize(
    ("text", "form", "notes"),
    [
        (xxd(PAGE), "xxd", ("groups of 2 read in memory order, as the text column says",)),
        (xxd(PAGE, 1), "xxd", ()),
        (hexdump_c(PAGE), "hexdump -C", ()),
        (
            od(PAGE, 2, "{:07x}"),
            "hexdump",
            ("groups of 2 read as little-endian words, as hexdump prints them",),
        ),
        (od(PAGE, 1), "od", ("offsets read as octal",)),
        (od_text(PAGE), "od", ("offsets read as octal",)),
        (gdb(PAGE), "gdb x", ("offsets start at 0x7fffffffe6f0, taken as the first byte",)),
        (xp(PAGE), "xp", ("offsets start at 0x1000, taken as the first byte",)),
        (
            print_hex_dump(PAGE, group=2),
            "print_hex_dump",
            ("groups of 2 read as little-endian words, as print_hex_dump prints them",),
        ),
        (
            print_hex_dump(PAGE, group=4, text=True),
            "xxd -e",
            ("groups of 4 read as little-endian words, as the text column says",),
        ),
        (
            " 0000 7f454c46 02010100 00000000 00000000  .ELF............\n",
            "objdump -s",
            ("groups of 4 read in memory order, as the text column says",),
        ),
        (groups(PAGE, 4), "hex", ("groups of 4 read in memory order, as plain hex is",)),
        (PAGE.hex(), "hex", ()),
        (repr(PAGE), "Python bytes", ()),
    ],
)
def test_the_form_and_the_decisions_are_told(text, form, notes):
    got = read(text.encode())

    assert (got.form, got.notes) == (form, notes)


def test_a_bytes_literal_has_the_escapes_of_python():
    assert read(rb"""b"\x7fELF\n\101\\'\"" """).data == b"\x7fELF\nA\\'\""


def test_digits_wider_than_an_offset_close_no_dump():
    with pytest.raises(InputError, match=r"^line 2: no offset here, an offset above"):
        read(b"0000000 00 11\n0000000000000002\n")


def test_the_ccp_dump_of_the_platform_status_is_swapped_in_pairs():
    text = "[ 1.5] ccp 0000:22:00.1: (out):  00000000: 3301 0000 0000 0300 0000 0000\n"

    assert read(text.encode()).data.hex(" ") == "01 33 00 00 00 00 00 03 00 00 00 00"


def test_a_text_column_that_tells_nothing_leaves_it_to_the_make():
    text = "00000000: 0102 0304                                ....\n"

    got = read(text.encode())
    logged = read(("[ 1.5] " + text).encode())

    why = "(the text column does not tell)"
    assert got.data == bytes([1, 2, 3, 4])
    assert got.notes == (f"groups of 2 read in memory order, as xxd prints them {why}",)
    assert logged.data == bytes([2, 1, 4, 3])


@pytest.mark.parametrize(
    ("form", "data"), [("hex", "01020304"), ("hex-be", "01020304"), ("hex-le", "02010403")]
)
def test_groups_of_plain_hex_are_read_as_asked(form, data):
    got = read(b"0102 0304", form)

    assert got.data.hex() == data
    assert got.notes[0].startswith("groups of 2 read")


def test_a_forced_order_overrules_the_make():
    got = read(print_hex_dump(PAGE, group=2).encode(), "hex-be")

    assert got.data[:4] == bytes([1, 0, 3, 2])
    assert got.notes == ("groups of 2 read in memory order, as asked",)


def test_the_size_wanted_decides_what_a_repetition_means():
    text = od(bytes(4096)).encode()

    assert len(read(text).data) == 0x10000
    assert len(read(text, sizes=lambda size: size == 4096).data) == 4096
    assert "as octal 4096" in read(text).notes[0]


def test_offsets_of_od_may_grow_as_wide_as_its_groups():
    start = 0o7777760
    text = lines(f"{start + at:07o} " + groups(row, 4, words=True) for at, row in rows(PAGE))
    star = f"{start:07o} " + groups(bytes(16), 4) + "\n*\n"
    star += f"{start + 64:07o} " + groups(PAGE[:16], 4, words=True) + f"\n{start + 80:07o}\n"

    assert read(text.encode()).data == PAGE
    assert read(star.encode()).data == bytes(64) + PAGE[:16]


def test_hashed_addresses_are_not_offsets():
    made = [
        f"[ 1.5] {place:016x}: {groups(row, 1)}"
        for place, (_, row) in zip([0x5A3F0011, 0x12345678, 0x9ABCDEF3], rows(PAGE), strict=False)
    ]

    got = read("\n".join(made).encode())

    assert got.data == PAGE[:48]
    assert got.notes == ("row addresses are hashed by the kernel: the order of rows is unchecked",)


def test_a_dump_is_found_in_a_log_and_may_be_interrupted():
    made = print_hex_dump(PAGE, start="[ 1.5] kvm_amd: ").splitlines()
    made.insert(3, "[ 1.5] random: crng init done")
    text = "\n".join(["[ 1.4] RAX: 0000000000000000 RBX: 0000000000000000", *made, "[ 1.6] end"])

    assert read(text.encode()).data == PAGE


def test_every_row_of_a_log_has_its_own_time():
    made = print_hex_dump(PAGE, group=2).splitlines()
    text = "\n".join(f"[   12.{at:06}] [ T{at}] kvm_amd: {row}" for at, row in enumerate(made))

    assert read(text.encode()).data == PAGE
    assert read(text.replace("[ T", "[    C").encode()).form == "print_hex_dump"


def test_a_single_row_of_digits_is_no_second_dump():
    text = xxd(PAGE) + "bye\n[ 1.5] Code: " + bytes(range(20)).hex(" ")

    assert read(text.encode()).data == PAGE


# Raw or text


@pytest.mark.parametrize(
    "raw", [b"", b"\0ab", b"ab\x07", b"\xff12", b"12\x7f", b"1" * 70000 + b"\0"]
)
def test_what_is_no_text_is_raw(raw):
    assert read(raw) == DecodedText(raw, "raw", ())
    assert read(raw, "raw") == DecodedText(raw, "raw", ())


@pytest.mark.parametrize(
    "text", ["hello, world", "  \n", '{"sw_exit_code": "unknown"}', "/* x", "x[1] = {", "word" * 3]
)
def test_a_text_that_is_no_hex_is_raw_and_said_so(text):
    assert read(text.encode()) == DecodedText(
        text.encode(), "raw", ("taken as raw bytes: a text, but neither hex nor base64",)
    )


def test_a_text_whose_own_size_fits_is_raw():
    raw = b"41" * 8

    assert read(raw, sizes=lambda size: size == 16) == DecodedText(
        raw, "raw", ("taken as raw bytes: as hex it would be 8 bytes",)
    )
    assert read(raw, sizes=lambda size: size in (8, 16)).form == "hex"
    assert read(raw, sizes=lambda size: size == 99).form == "hex"


def test_a_broken_text_whose_own_size_fits_is_raw_and_said_so():
    raw = b"41" * 8 + b"4"

    got = read(raw, sizes=lambda size: size == 17)

    assert got.data == raw
    assert "an odd number of hex digits" in got.notes[0]
    with pytest.raises(InputError, match="odd number"):
        read(raw, sizes=lambda size: size == 16)


def test_zeros_in_base64_are_no_hex():
    page = bytes(4000) + b"~" + bytes(95)

    assert read(base64.b64encode(page)) == DecodedText(page, "base64", ())


# Refusals


def without(text, number):
    kept = text.splitlines()
    del kept[number - 1]
    return "\n".join(kept)


def changed(text, number, old, new):
    kept = text.splitlines()
    assert old in kept[number - 1]
    kept[number - 1] = kept[number - 1].replace(old, new, 1)
    return "\n".join(kept)


def repeated(text, number):
    kept = text.splitlines()
    kept.insert(number - 1, kept[number - 1])
    return "\n".join(kept)


def moved(text, number):
    kept = text.splitlines()
    kept[number - 1], kept[number] = kept[number], kept[number - 1]
    return "\n".join(kept)


XXD, C, OD = xxd(PAGE), hexdump_c(PAGE), od(PAGE, 1)
KERNEL = print_hex_dump(PAGE, start="[ 1.5] kvm_amd: ")
BARE = print_hex_dump(PAGE, text=True, offset="")
STAR = hexdump_c(bytes(64) + PAGE)

REFUSED = {
    "missing xxd": (without(XXD, 3), 3, "offset 0x30 where 0x20 was expected: a line is missing"),
    "missing -C": (without(C, 3), 3, "offset 0x30 where 0x20 was expected: a line is missing"),
    "missing od": (without(OD, 3), 3, "offset 0x30 where 0x20 was expected: a line is missing"),
    "missing log": (
        without(KERNEL, 7),
        7,
        "offset 0x70 where 0x60 was expected: a line is missing",
    ),
    "missing last": (
        without(C, 32),
        32,
        "offset 0x200 where 0x1f0 was expected: a line is missing",
    ),
    "missing bare hex": (
        without(od(PAGE, 1, "{:06x}"), 3),
        3,
        "offset 0x30 where 0x20 was expected: a line is missing",
    ),
    "repeated": (repeated(XXD, 3), 4, "offset 0x20 where 0x30 was expected: a line is repeated"),
    "repeated first": (
        repeated(XXD, 1),
        2,
        "offset 0x0 where 0x10 was expected: a line is repeated",
    ),
    "order": (moved(XXD, 3), 3, "offset 0x30 where 0x20 was expected: lines are out of order"),
    "backwards": (
        changed(XXD, 3, "00000020", "00000005"),
        3,
        "offset 0x5 where 0x20 was expected: offsets run backwards",
    ),
    "digit": (changed(XXD, 3, "2021", "202g"), 3, "'g' is not a hex digit"),
    "digit first": (changed(XXD, 1, "0001", "000g"), 1, "'g' is not a hex digit"),
    "digit last": (changed(KERNEL, 32, "f0", "g0"), 32, "'g' is not a hex digit"),
    "digit of offset": (changed(KERNEL, 32, "1f0", "1g0"), 32, "'g' is not a hex digit"),
    "cut row": (changed(XXD, 32, ": ", ":\n"), 32, "not a row like those around it"),
    "text": (changed(XXD, 4, "01234", "0123x"), 4, "the text column says "),
    "text bare": (changed(BARE, 4, "01234", "0123x"), 4, "not a row like those around it"),
    "text lost": (changed(XXD, 4, "  0123456789:;<=>?", ""), 4, "the text column says ''"),
    "short": (changed(XXD, 3, " 2e2f  ", "  "), 3, "not a row like those around it"),
    "short bare": (
        changed(KERNEL, 3, " 2f", ""),
        3,
        "15 bytes where the rows above have 16",
    ),
    "short no offset": (
        print_hex_dump(PAGE[:15], start="[ 1.5] ", offset="")
        + print_hex_dump(PAGE, start="[ 1.5] ", offset=""),
        2,
        "16 bytes where the rows above have 15",
    ),
    "groups": (
        xxd(PAGE[:32], 1) + without(without(XXD, 1), 1),
        3,
        "groups of 2 where the rows above have groups of 1",
    ),
    "style": (
        xxd(PAGE[:32]) + C.split("\n", 2)[2],
        3,
        "an offset, text between | here, an offset and",
    ),
    "style gdb": (
        xxd(PAGE[:32]) + gdb(PAGE),
        3,
        "an offset and a colon, 0x before each group here",
    ),
    "style plain": (XXD + PAGE.hex(" "), 33, "no offset here, an offset and a colon above"),
    "star": (C[:79] + "*\n", 2, "nothing follows the * to tell how often the row repeats"),
    "star then dump": (hexdump_c(bytes(64))[:81] + XXD, 3, "an offset and a colon here"),
    "star other": (hexdump_c(bytes(64))[:81] + "x\n\n" + XXD, 2, "nothing follows the *"),
    "star uneven": (
        changed(STAR, 3, "00000040", "00000041"),
        3,
        "the * above stands for 49 bytes, which is no number of 16-byte rows",
    ),
    "star vast": (
        hexdump_c(bytes(64))[:81] + "fffffff0\n",
        3,
        "the * above stands for 4294967264 bytes: too many, 268435456 is the limit",
    ),
    "padding": (
        od(PAGE[:31], 2, "{:07x}").replace("001e\n", "221e\n"),
        3,
        "the dump ends 1 bytes before its last group, which is not zero there",
    ),
    "octal": ("0000000 042577 043114\n0000004\n", 1, "groups of six digits: od prints octal"),
    "two": (XXD + "\n" + XXD, None, "2 dumps, at lines 1, 34"),
    "two labels": (
        "(in): 00000000: 01 02 03 04\n(out): 00000000: 01 02 03 04\n",
        None,
        "2 dumps, at lines 1, 2",
    ),
    "two styles": (XXD + "bye\n" + C, None, "2 dumps, at lines 1, 34"),
    "two restarts": (XXD + "bye\n" + XXD, None, "2 dumps, at lines 1, 34"),
    "two bare": (
        print_hex_dump(PAGE, start="[ 1.5] ", offset="")
        + "[ 1.5] x\n"
        + print_hex_dump(PAGE, start="[ 1.5] ", offset=""),
        None,
        "2 dumps, at lines 1, 34",
    ),
    "many": ("bye\n".join([XXD] * 25), None, "25 dumps, at lines 1, 34, "),
    "odd": ("00 11\n22 3 44", 2, "an odd number of hex digits, 1, column 4"),
    "odd line": (PAGE.hex() + "1", 1, "an odd number of hex digits, 1025, column 1"),
    "odd wrapped": ("012\n345\n6", 1, "an odd number of hex digits, 3, column 1"),
    "bad digit": ("00 11\n22 zz 44 55 66 77 88", 2, "'z' is not a hex digit, column 4"),
    "bare star": ("00 11\n*\n22", 2, "a * leaves rows out, and no offsets tell how many, column 1"),
    "bad list": ("0x00, 0x1g, 0x22", 1, "'g' is not a hex digit, column 10"),
    "decimal": ("{ 0x00, 10, 0x22 }", 1, "10 has no 0x: is it decimal?, column 9"),
    "long": ("{ 0x00,\n0x100, 0x22 }", 2, "0x100 among numbers of 2 digits, column 1"),
    "odd word": ("{ 0x100, 0x123 }", 1, "an odd number of hex digits, 3, column 3"),
    "two arrays": (
        "u8 a[] = {" + "0, " * 99 + "};\nu8 b[] = { 0x11 };",
        None,
        "2 lists of bytes, at lines 1, 2",
    ),
    "open escape": ('"\\x00\\x1"', 1, "'\\\\x' is no escape of a byte, column 6"),
    "long escape": ('"\\x00\\x111"', 1, "'\\\\x111' may be one byte and"),
    "literal": ("b'\\xg'", 1, "'\\\\x' is no escape of a bytes literal, column 3"),
    "literal escape": ("b'\\d'", 1, "'\\\\d' is no escape of a bytes literal, column 3"),
    "literal letter": ("b'ab\u20ac'", 1, "'\u20ac' is not a byte, column 5"),
    "base64": ("A1+z" * 10 + "\n" + "A1+z" * 4 + "!z+z", 2, "'!' does not belong to this base64"),
    "base64 mixed": ("A1+z" * 10 + "A-z9", 1, "'-' does not belong to this base64"),
    "base64 short": ("A1+z" * 10 + "A1", 1, "42 base64 digits and 0 of padding do not end a byte"),
    "base64 one": ("A1-z" * 10 + "A", 1, "41 base64 digits and 0 of padding do not end a byte"),
    "base64 padded": ("A1+z" * 10 + "A1===", 1, "42 base64 digits and 3 of padding"),
    "base64 goes on": ("A1+z" * 10 + "A1==A1+z", 1, "base64 goes on after its padding"),
    "pem open": ("\n-----BEGIN X-----\nAAAA\n", 2, "the PEM block X has no END line of its own"),
    "pem other": (
        "-----BEGIN X-----\nAAAA\n-----END Y-----\n",
        1,
        "the PEM block X has no END line of its own",
    ),
    "pem two": (
        "-----BEGIN X-----\nAAAA\n-----END X-----\n" * 2,
        None,
        "2 PEM blocks, at lines 1, 4",
    ),
    "pem digit": ("-----BEGIN X-----\nAA:A\n-----END X-----\n", 2, "':' does not belong"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_damage_is_refused_by_line(name):
    text, line, message = REFUSED[name]

    with pytest.raises(InputError) as caught:
        read(text.encode())

    assert (caught.value.line, caught.value.reason[: len(message)]) == (line, message)


FORCED = {
    "empty": ("hex", b"", None, "the input is empty"),
    "blank": ("base64", b" \n```\n", None, "the input is empty"),
    "utf-8": ("hex", b"00\r\n11\n\xff", 3, "byte 0xff at offset 0x7 is no text"),
    "control": ("hex-le", b"00\r11\x00", 2, "byte 0x00 at offset 0x5 is no text"),
    "word": ("hex", b"hello", 1, "'h' is not a hex digit, column 1"),
    "comment": ("hex", b"00\n/* 11", 2, "this comment has no end, column 1"),
    "brace": ("hex", b"{ 00", 1, "no '}' closes this, column 1"),
    "empty list": ("hex", b"u8 a[] = { }", None, "the list is empty"),
    "short": ("base64", b"AAA", 1, "3 base64 digits and 0 of padding do not end a byte"),
    "hash": ("base64", b"A#AA", 1, "'#' does not belong to this base64"),
    "colons": ("hex", b":", None, "there are no hex digits"),
    "form": ("ternary", b"00", None, "there is no form 'ternary'"),
}


@pytest.mark.parametrize("name", FORCED)
def test_a_forced_form_that_does_not_fit_is_refused(name):
    form, raw, line, message = FORCED[name]

    with pytest.raises(InputError) as caught:
        read(raw, form)

    assert (caught.value.line, caught.value.reason) == (line, message)


# Which reader takes a text that more than one could take: (form, text, bytes or error, form found)


NEITHER = "taken as raw bytes: a text, but neither hex nor base64"
ORDER = {
    "PEM before digits": (
        "auto",
        "-----BEGIN X-----\n0011\n-----END X-----\n00 11 22 33 44\n",
        b"\xd3Mu",
        "PEM",
    ),
    "dump before list": ("auto", "00000000: 00 11\n{ 0x00 }\n", b"\0\x11", "print_hex_dump"),
    "comments": ("auto", "/* x */ { 0x00, 0x11 } // end", b"\0\x11", "array"),
    "open comment after a list": ("auto", "{ 0x00, 0x11 } /*", NEITHER, "raw"),
    "open comment in words": ("auto", "see /* nothing here", NEITHER, "raw"),
    "open comment in escapes": ("auto", '"\\x00/*\\x11"', b"\0/*\x11", "escaped string"),
    "brace in escapes": ("auto", '"\\x00{\\x11"', b"\0{\x11", "escaped string"),
    "brace in a literal": ("auto", "b'{0x00'", b"{0x00", "Python bytes"),
    "literal of A": ("auto", "b'AAAAAAAA'", b"AAAAAAAA", "Python bytes"),
    "zeros of base64": ("auto", "AAAAAAAAAAAAAAAAAAAAAG==", bytes(16), "base64"),
    "digits A": ("auto", "AAAAAAAAAAAAAAAAAAAAAA", b"\xaa" * 11, "hex"),
    "log line": ("auto", "[ 1.5] kvm: 12 34\nother words\n", NEITHER, "raw"),
    "hex base64": ("base64", "00112233", b"\xd3Mu\xdbm\xf7", "base64"),
    "base64 hex": ("hex", "AAAAAAAAAAAAAAAAAAAAAG==", "'G' is not a hex digit", ""),
    "PEM hex": ("hex", "-----BEGIN X-----\n0011\n-----END X-----\n", "'-' is not a hex digit", ""),
    "blob": ("auto", "0x0011", b"\0\x11", "hex"),
    "number": ("auto", "0x1", b"\x01", "list"),
}


@pytest.mark.parametrize("name", ORDER)
def test_the_first_reader_that_matches_takes_the_text(name):
    asked, text, expected, form = ORDER[name]
    if not form:
        with pytest.raises(InputError, match=f"^line 1: {expected}"):
            read(text.encode(), asked)
        return
    data, notes = (text.encode(), (NEITHER,)) if form == "raw" else (expected, ())

    assert read(text.encode(), asked) == DecodedText(data, form, notes)


# Any bytes


DUMPISH = st.lists(
    st.sampled_from(
        [*XXD.splitlines()[:3], *C.splitlines()[:2], *OD.splitlines()[:3], *BARE.splitlines()[:2],
         *KERNEL.splitlines()[:2], "*", "0000020", "00000040", "", "0x00, 0x11", "{", "}", "00 11",
         "/*", "deadbeef 01 02", "\\x00", "b'", '"', "-----BEGIN X-----", "-----END X-----", "AAAA",
         "0123: ", "> 00|", "x", "0x10: 0x00 0x01", "99999999 01  .", "0000000 *"]
    ),
    max_size=8,
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@given(
    raw=st.one_of(
        st.binary(),
        st.text().map(str.encode),
        st.text("0123456789abcdefx: \n*|>.,{}[]/\\'\"=-A\u2003").map(str.encode),
        DUMPISH.map(lambda made: "\n".join(made).encode()),
    )
)
@example(raw=b"0" * 5000)
@example(raw=b"a:" * 1000 + b"\n" + b"1234: " * 300)
@example(raw=b"/*" * 5000)
@example(raw="00\u200311".encode())
def test_any_bytes_are_read_or_refused(form, raw):
    for sizes in (None, lambda size: size == 16):
        with contextlib.suppress(InputError):
            assert read(raw, form, sizes=sizes).form


# Log prefixes


@pytest.mark.parametrize(
    "start", [*STARTS.values(), "[<    0.000003>] ", "2026-01-02 03:04:05,12 "]
)
def test_log_prefixes_are_taken_off(start):
    prefix = start.removesuffix("VMSA: ").removesuffix("kvm_amd: ")

    expected = "(in):  " + "  x: y" if start == "(in):  " else "  x: y"
    assert strip_prefix(prefix + "  x: y") == expected


@given(st.text())
def test_a_line_is_only_ever_shortened(line):
    assert line.endswith(strip_prefix(line))


@pytest.mark.parametrize("line", ["", "   text", "kvm_amd: x", "00 11", "[x] y", "1,2,3"])
def test_a_line_without_prefix_stays(line):
    assert strip_prefix(line) is line


# The tools themselves

COMMANDS = [
    "xxd", "xxd -g1", "xxd -g4", "xxd -g8", "xxd -g0", "xxd -e", "xxd -e -g2", "xxd -e -g8",
    "xxd -u", "xxd -p", "xxd -i", "xxd -a", "xxd -c 32", "xxd -c 7",
    "hexdump", "hexdump -C", "hexdump -x", "hexdump -v", "hexdump -C -v",
    "od -x", "od -tx1", "od -tx2", "od -tx4", "od -tx8", "od -tx1 -Ax", "od -tx8 -Ad",
    "od -tx1z", "od -tx2z", "od -tx1 -An -v",
    "base64", "base64 -w0",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_the_real_program_is_read_back(command):
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"{command.split()[0]} is not installed")
    for data in (PAGE, PAGE[:509] + b"   ", bytes(512) + b"GHCB|>" + bytes(249), b"~~~"):
        made = subprocess.run(command.split(), input=data, capture_output=True, check=True)
        form = "base64" if "base64" in command else "auto"
        assert read(made.stdout, form, sizes=functools.partial(int.__eq__, len(data))).data == data
