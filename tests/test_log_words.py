"""Words by which lines of a log are found, and what is imported when one of them is."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from test_startup import imported

from snpwire.capture import kernel_log, loglines
from snpwire.capture.logs import formats, rmp
from snpwire.capture.logs.formats import ANCHORS, FAMILIES, WORDS, match
from snpwire.capture.logs.phrase import phrase
from snpwire.capture.logs.template import form
from snpwire.capture.logtext import is_decorated, undecorated
from snpwire.errors import LayoutError

PLACES = [(family, name) for family, (_, found) in FAMILIES.items() for name in found.names]
LOGS = "snpwire.capture.logs."


def log_modules(log):
    return {
        name.removeprefix(LOGS) for name in imported("log", "-", given=log) if name.startswith(LOGS)
    }


def piece_of(word):
    (piece,) = formats._TEXT.findall(word)
    return piece


# Declarations


def test_each_module_of_formats_has_a_row_of_words_and_belongs_to_one_family():
    names = [name for _, name in PLACES]

    assert sorted(names) == sorted(WORDS)


@pytest.mark.parametrize(("family", "name"), PLACES)
def test_each_word_of_a_module_finds_one_of_its_wordings(family, name):
    entries = formats._entries(family, name)

    assert entries.keys() == {piece_of(word) for word in WORDS[name]}
    assert set(WORDS[name]) <= set(ANCHORS)
    assert [word for word in WORDS[name] if not entries[piece_of(word)]] == []


@pytest.mark.parametrize("text", ["nothing that is known {x:d}", "Hits of AMD-Vi: {x:d}"])
def test_a_wording_without_a_word_of_its_module_is_refused(monkeypatch, text):
    new = form("new", "new", text, phrase("x {x}"))
    monkeypatch.setattr(formats, "_declared", lambda name: (new,))

    with pytest.raises(LayoutError) as caught:
        formats._entries("rmp", "rmp")

    assert str(caught.value) == f"no anchor of rmp finds {text!r}"


def test_a_word_without_a_character_to_look_for_is_refused():
    with pytest.raises(LayoutError) as caught:
        formats._pivot("boot")

    assert str(caught.value) == f"none of {formats._PIVOTS!r} is in the word 'boot'"


def test_each_word_is_found_as_itself_or_as_one_that_is_in_it():
    others = [word for word in ANCHORS if formats._word_of(piece_of(word)) != word]

    assert others == ["sev_do_cmd_locked"]
    assert max(Counter(piece_of(word) for word in set(ANCHORS) - set(others)).values()) == 1


def test_no_format_is_shorter_than_the_shortest_text_that_is_looked_at():
    every = [w for _, found in FAMILIES.values() for fmt in found for w in fmt.wordings]

    assert min(wording.least for wording in every) == formats._LEAST


def test_entries_in_a_row_are_looked_for_after_records_of_their_kind():
    assert rmp.KIND == kernel_log._ENTRY


# What is next to a word


@pytest.mark.parametrize("before", ["", "SEV ", "SNP: SEV-SNP SEV: ", "x" * 200 + "RMP"])
@pytest.mark.parametrize("behind", ["", " SEV", "-SNP SEV:", " RMP PFN"])
def test_a_wording_is_found_whatever_words_stand_around_it(before, behind):
    text = f"{before} RMPUPDATE failed for PFN 1a2b3c, pg_level: 1, ret: 2{behind}"

    found, fields = match(text)

    assert found.format.key.startswith("rmp")
    assert fields["pfn"] == 0x1A2B3C


@given(st.text(st.sampled_from("ab_*`~<>= 3D.,-\x0b\u2028é"), max_size=20))
@example("a_b _c_ d")
@example("=3D")
@example("a\x0bb")
def test_a_text_that_is_not_decorated_is_left_as_it_is(text):
    single = " ".join(part for part in text.split(" ") if part)

    assert is_decorated(single) or undecorated(single) == single


@given(st.text(st.sampled_from("[] 019.TC+<>ax"), max_size=24))
@example("[   12.345678] [ T4616] x")
@example("[   12.345678][ T4616] x")
@example("[   12.345678] [   12.345678] x")
@example("[ 1.5]  [T1]")
def test_the_usual_prefix_is_removed_as_any_is(text):
    found = loglines._PREFIX.match(text)

    expected = text[found.end() :] if found[0].strip(" ") else text
    assert loglines.strip_prefix(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "# modprobe ccp",
        "$ dmesg",
        "dmesg | grep SEV",
        "zz egrep RMP",
        "amdgpu 0000:03:00.0: PSP",
        "[drm] PSP",
        "ccp 0000:01:00.5: no command queues available",
        "ccp 0000:01:00.5: enabling device (0000 -> 0002)",
        "ccp 0000:01:00.5: registered SEV device",
        "ccp 0000:01:00.5: tee enabled",
        "ccp 0000:01:00.5: ccp enabled",
        "ccp 0000:01:00.5: PSP does not support TEE",
    ],
)
def test_what_only_seems_to_speak_of_snp_has_one_of_the_words_tried_first(text):
    assert kernel_log._OTHER.search(text)
    assert any(word in text for word in kernel_log._OTHERS)


# Imports


def test_a_log_without_any_word_imports_no_formats():
    modules = log_modules(b"usb 1-1: new high-speed device\n" * 20)

    assert modules == {"formats", "record", "verdicts"}


def test_a_line_imports_the_modules_that_have_its_words():
    modules = log_modules(b"trace: CPU 1 [LOST 3 EVENTS]\n")

    assert "trace_loss" in modules
    assert modules & {name.partition(".")[0] for name in WORDS} == {"trace_loss"}


def test_a_record_imports_the_verdicts():
    line = b"SEV-SNP: PFN: 0x12, [0x4050000040240005 - 0x0000000000000000]\n"

    assert {"host_verdict", "guest_verdict", "launch_verdict"} <= log_modules(line)
