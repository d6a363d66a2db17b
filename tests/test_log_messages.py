"""Messages as people and programs pass them on: damaged, decorated, several to a line, unknown."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transcripts import call

from snpwire.capture.kernel_log import UNKNOWN, Reader, records
from snpwire.capture.logs.formats import ANCHORS, Hits, occurrences
from snpwire.capture.logs.operands import status_words
from snpwire.capture.logs.phrase import answer_status, answer_words
from snpwire.capture.logtext import is_plain, messages
from snpwire.wire.firmware_error import FIRMWARE_ERRORS
from snpwire.wire.status import NO_FW_CALL, Status

SPEC = Path(__file__).parents[1] / "specs" / "log.toml"
LEAK = "SEV-SNP: Leaking PFN range 0x{:x}-0x{:x}"
FINISH = "SNP_LAUNCH_FINISH ret=-5 fw_error=11 "
COMMAND = "ccp 0000:49:00.1: sev command id 0x4 buffer 0x0000000102a3f000 timeout 100s"


def leak(number):
    return LEAK.format(number, number + 1)


def read(*lines):
    return list(records(["\n".join(lines).encode()]))


def pages(found):
    return [int(record.fields["first"]) for record in found]


# Decoration and damage


@pytest.mark.parametrize(
    "line",
    [
        f"**{leak(5)}**",
        f"`{leak(5)}`",
        f"__{leak(5)}__",
        f"_{leak(5)}_",
        f"~~{leak(5)}~~",
        f"- {leak(5)}",
        f"| 3 | {leak(5)} |",
        f"<b>{leak(5)}</b>",
        f'<span class="line">{leak(5)}</span><br>',
        leak(5).replace("SNP:", "SNP:</b>").replace("SEV", "<b>SEV"),
        leak(5).replace("PFN", "**PFN**"),
        leak(5).replace("-", "\u2011", 1).replace("range", "range\u200b"),
        leak(5).replace(" ", "\u00a0"),
        leak(5).replace("-0x", "\u20130x"),
        leak(5).replace("-", "\\-"),
        leak(5).replace(" PFN", "  PFN"),
        f"{leak(5)}\\n",
        f"{leak(5)}\\r\\n",
    ],
)
def test_what_was_put_around_or_into_a_line_does_not_hide_it(line):
    (record,) = read(line)

    assert (record.kind, record.fields["first"], record.fields["end"]) == ("pages-leaked", 5, 6)


@pytest.mark.parametrize(
    "before",
    ["* ", "- ", "+", "| ", "`", "** ", "12:", "12-", "> ", "# "],
)
def test_what_stands_before_a_line_does_not_hide_its_time(before):
    (record,) = read(f"{before}[   12.345678] {leak(5)}")

    assert record.time == "12.345678"


@pytest.mark.parametrize(
    ("prefix", "time"),
    [
        ("[Nov25 07:00] ", "Nov25 07:00"),
        ("[Nov 5 07:00] ", "Nov 5 07:00"),
        ("<6>1 2026-11-25T07:00:00.123Z ", "2026-11-25T07:00:00.123Z"),
        ("[   12.345678] host kernel: ", "12.345678"),
        ("2026-11-25T07:00:00.000000008Z stdout F [   12.345678] ", "12.345678"),
    ],
)
def test_further_forms_of_time_are_read(prefix, time):
    (record,) = read(f"{prefix}{leak(5)}")

    assert record.time == time


@pytest.mark.parametrize(
    "text",
    [
        "'Bad measurement'",
        '"Bad measurement"',
        "`Bad measurement`",
        "\u2018Bad measurement\u2019",
        "\u201cBad measurement\u201d",
        "\u00abBad measurement\u00bb",
        "&#39;Bad measurement&#39;",
        "&#x27;Bad measurement&#x27;",
        "&quot;Bad measurement&quot;",
        "\\'Bad measurement\\'",
        "\\\\\\'Bad measurement\\\\\\'",
        "\\u0027Bad measurement\\u0027",
    ],
)
def test_a_quotation_mark_is_read_as_what_it_was(text):
    (record,) = read(f"qemu: {FINISH}{text}")

    assert record.fields["text"] == "Bad measurement"
    assert record.fields["fw_error"] == 11


def test_quotation_marks_and_hyphens_of_windows_1252_are_read():
    line = f"qemu: {FINISH}\u2018Bad measurement\u2019".encode("cp1252")
    dash = leak(5).replace("-0x", "\u20130x").encode("cp1252")

    found = list(records([line + b"\n" + dash]))

    assert found[0].fields["text"] == "Bad measurement"
    assert found[1].fields["first"] == 5


def test_underlines_and_brackets_that_markdown_escaped_are_read():
    (record,) = read("qemu: SNP\\_LAUNCH\\_FINISH ret=-5 fw\\_error=11 ''")

    assert record.fields["command"] == "SNP_LAUNCH_FINISH"


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        (("> kvm_amd: SEV-SNP requires private memory support", "> via guest_memfd."),
         "kvm_private_memory"),
        (("SEV-SNP: Reserving start/end of RMP table on a 2MB", "boundary [0x0000000011400000]"),
         "rmp_aligned"),
        (("ccp 0000:22:00.1: SEV-SNP support requires firmware version", ">= 1:51"),
         "snp_old_firmware"),
        (("SEV-SNP: Reserving start/end of RMP table on a 2MB bou", "ndary [0x0000000011400000]"),
         "rmp_aligned"),
    ],
)  # fmt: skip
def test_a_line_that_was_cut_before_its_first_field_is_joined(lines, key):
    (record,) = read(*lines)

    assert (record.format, record.line, record.last) == (key, 1, 2)


def test_signs_that_mail_wrote_in_hex_are_read():
    (record,) = read(f"qemu: {FINISH}'Bad measurement'".replace("=", "=3D"))

    assert record.fields["ret"] == -5


def test_an_escape_of_a_control_character_is_a_blank():
    (record,) = read(f"{leak(7)}\\u0007\\u001b[0m")

    assert record.fields["first"] == 7


# Several messages in a line


@pytest.mark.parametrize(
    "line",
    [
        f"{leak(1)} {leak(2)} {leak(3)}",
        f"{leak(1)}\\n{leak(2)}\\n{leak(3)}\\n",
        f"[   1.000001] {leak(1)} [   2.000001] {leak(2)} [   3.000001] {leak(3)}",
        f"Dec  1 07:00:00 host kernel: {leak(1)} [    2.000001] {leak(2)}\\n{leak(3)}",
        json.dumps({"dmesg": [{"pri": 6, "time": n, "msg": leak(n)} for n in (1, 2, 3)]}),
        json.dumps([{"MESSAGE": leak(n)} for n in (1, 2, 3)], separators=(",", ":")),
        json.dumps({"log": "".join(f"[    {n}.000000] {leak(n)}\n" for n in (1, 2, 3))}),
        json.dumps({"log": json.dumps({"log": f"{leak(1)}\n{leak(2)}\n{leak(3)}"})}),
    ],
)
def test_a_line_yields_all_its_records_in_their_order(line):
    found = read("first", line, "last")

    assert pages(found) == [1, 2, 3]
    assert [record.line for record in found] == [2, 2, 2]


def test_each_message_of_a_line_has_its_own_time():
    (one, other) = read(f"[   1.000001] {leak(1)} [   2.000001] {leak(2)}")
    objects = read(json.dumps([{"time": 7.25, "msg": leak(1)}, {"time": 8.5, "msg": leak(2)}]))

    assert (one.time, other.time) == ("1.000001", "2.000001")
    assert [record.time for record in objects] == ["7.25", "8.5"]


def test_each_message_of_a_line_has_its_own_origin():
    message = "kvm [{}]: vcpu{}, guest rIP: 0x0 vmgexit: exit code 0x80000018 is not valid"

    found = read(f"kvm_amd: {message.format(11, 1)} kvm_amd: {message.format(22, 2)}")

    assert [(record.fields["pid"], record.fields["vcpu"]) for record in found] == [(11, 1), (22, 2)]


def test_a_line_counts_once_however_many_messages_it_holds():
    reader = Reader()

    found = [*reader.feed(f"{leak(1)} {leak(2)}\\nSEV: of no format\nother\n".encode())]

    assert len(found) == 2
    assert (reader.lines, reader.known, reader.passed, reader.skipped) == (2, 1, 1, 1)
    assert reader.unknown_count == 1


@given(st.lists(st.sampled_from([leak(1), "SEV supported: 410 ASIDs", "x", " ", "SEV: y"])))
def test_the_formats_of_a_text_stand_where_they_are_said_to(parts):
    text = " ".join(parts)

    found = occurrences(text)

    assert len(found) == parts.count(leak(1)) + parts.count("SEV supported: 410 ASIDs")
    assert all(place.entry.wording.find(text[place.start : place.end]) for place in found)
    assert [place.start for place in found] == sorted(place.start for place in found)


@given(st.text(alphabet="\\nr{}[], .0123456789\"'ab", max_size=60))
def test_a_text_is_taken_apart_without_loss_of_letters(text):
    pieces = messages(text)

    kept = re.sub("[^ab0-9]", "", "".join(pieces))
    assert kept == re.sub("[^ab0-9]", "", re.sub(r"\\+[rn]", "", text))
    assert len(pieces) == 1 or not is_plain(text)


# The order of records


def test_records_come_in_the_order_of_their_first_lines():
    found = read(COMMAND, leak(1), "ccp: sev command 0x90 failed (0x00000012)", leak(2))

    assert [record.line for record in found] == [1, 2, 3, 4]
    assert [record.kind for record in found][::2] == ["ccp-command", "ccp-command"]


def test_records_that_wait_are_not_more_than_memory_bears():
    reader = Reader()
    rows = "".join(f"{leak(n)}\nother\n" for n in range(600))
    inside = "(in):  00000000: 0000 0000 0000 0000 0000 0000\n"

    first = [*reader.feed(f"{COMMAND}\n{inside}".encode()), *reader.feed(rows.encode())]
    rest = list(reader.close())

    assert pages(r for r in [*first, *rest] if r.kind == "pages-leaked") == list(range(600))
    assert len(first) > 250


def test_a_pause_sets_free_what_waits():
    reader = Reader()
    before = [*reader.feed(f"{COMMAND}\n(in):  00000000: 0000 0000\n{leak(1)}\n".encode())]

    held = list(reader.idle())

    assert before == []
    assert pages(held) == [1]
    assert [record.kind for record in reader.close()] == ["ccp-command"]


# Messages of no known format


@pytest.mark.parametrize(
    "line",
    [
        "SEV-SNP: a wording of a kernel to come",
        "[    1.000000] kvm_amd: SEV-ES: something",
        "AMD-Vi: SNP: something",
        "ccp 0000:22:00.1: something",
        "something about the RMP table",
        "VMPCK0: something",
    ],
)
def test_what_speaks_of_snp_and_is_not_understood_is_no_noise(line):
    reader = Reader()

    found = [*reader.feed(f"noise\n{line}\n".encode()), *reader.close()]

    assert found == []
    assert (reader.unknown, reader.unknown_count, reader.skipped) == ([2], 1, 1)


@pytest.mark.parametrize(
    "line",
    [
        "$ dmesg | grep SEV",
        "# dmesg | grep -i -e RMP",
        "user@host:~$ sudo dmesg | egrep 'SEV|RMP'",
        "amdgpu 0000:03:00.0: PSP is resuming",
        "[drm] reserve 0xa00000 from 0x8001000000 for PSP TMR",
        "ccp 0000:22:00.1: no command queues available",
        "ccp 0000:22:00.1: enabling device (0000 -> 0002)",
        "A SEVERE fault, SNPRINTF, base64 text AAASEV/SNP+RMPAAA",
    ],
)
def test_commands_and_other_users_of_the_words_are_noise(line):
    reader = Reader()

    list(reader.feed(f"{line}\n".encode()))

    assert (reader.unknown_count, reader.skipped) == (0, 1)


def test_unknown_messages_are_shown_if_asked_for_and_stay_out_of_the_counts():
    text = f"[    2.500000] SEV-SNP: of no format\n{leak(1)}\n".encode()

    output, errors, code = call(["log", "-n", "--unknown"], text)
    objects, _, _ = call(["log", "--json", "--unknown"], text)

    assert code == 0
    assert output.decode().splitlines()[0] == "1: 2.500000  unknown  SEV-SNP: of no format"
    assert "note: 2 lines: 1 record (rmp 1); 0 skipped" in errors.decode()
    assert "note: 1 message about SEV or SNP of no known format: 1\n" in errors.decode()
    first = json.loads(objects.decode().splitlines()[0])
    assert (first["kind"], first["family"], first["text"]) == (
        UNKNOWN,
        UNKNOWN,
        "SEV-SNP: of no format",
    )


def test_unknown_messages_are_noted_with_their_first_lines():
    _, errors, _ = call(["log"], b"SEV: no format\n" * 30)

    note = errors.decode().splitlines()[1]
    assert note.startswith("note: 30 messages about SEV or SNP of no known format: 1, 2, 3,")
    assert note.endswith(", 20, ...; --unknown shows them")


# What the firmware answered


@pytest.mark.parametrize(
    ("error", "rc", "words"),
    [
        (0x3, -5, "INVALID_CONFIG: "),
        (0x0, -110, "the firmware never answered: the command timed out"),
        (0x0, 0, "the firmware gave no status"),
        (0xFFFFFFFF, -16, "the firmware was not asked"),
        (-1, -16, "the firmware was not asked"),
        (0x9003, -5, "status 0x9003, which has no name in AMD's manuals"),
        (0x7777, -5, "status 0x7777, which has no name"),
    ],
)
def test_an_answer_is_told_from_the_lack_of_one(error, rc, words):
    assert answer_words(error, rc).startswith(words)


def test_what_is_no_answer_has_no_status():
    assert answer_status(0) is None
    assert answer_status(NO_FW_CALL) is None
    assert answer_status(3) is Status.INVALID_CONFIG


def test_errors_beside_the_manuals_are_those_of_the_spec():
    rows = tomllib.loads(SPEC.read_text())["firmware_error"]

    assert {row["code"]: row["name"] for row in rows} == FIRMWARE_ERRORS
    assert all(FIRMWARE_ERRORS[code] in status_words(code) for code in FIRMWARE_ERRORS)
    assert not any(Status(code).known for code in FIRMWARE_ERRORS)


# Words by which lines are found


@pytest.mark.parametrize("word", ANCHORS)
def test_each_word_is_found_wherever_it_stands(word):
    text = word.replace("ccp ", "ccp 0000:").replace("snp-command ", "snp-command t=")
    for before in ("", "x", "\n\n", "some words "):
        block = f"{before}{text} and more\n".encode()

        place = Hits(block).after(0)

        assert block[:place].count(b"\n") == before.count("\n")
        assert place < len(block)


def test_a_block_without_any_word_is_passed_whole():
    assert Hits(b"a line of noise\nand another one\n").after(0) == 32
