"""The verdict on a guest: the state of its keys, since when, and how it ended."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transcripts import call

from snpwire.capture.kernel_log import records
from snpwire.capture.logs.guest_verdict import GuestVerdict

BOOT = "[    0.000000] Linux version 6.12.12"
DRIVER = "sev-guest sev-guest: "
READY = f"[    2.100000] {DRIVER}Initialized SEV guest driver (using VMPCK{{}} communication key)"
ERROR = "Detected error from ASP request. rc: -110, exitinfo2: 0x200000000"
FAILED = f"[   95.100000] {DRIVER}{ERROR}"
WRONG = "[   95.100000] sev-guest sev-guest: Detected unexpected decode failure from ASP. rc: -74"
WIPED = (
    "[   95.100002] sev-guest sev-guest: Disabling VMPCK{} communication key to prevent IV reuse."
)
OFF = "[  200.000000] sev-guest sev-guest: VMPCK is disabled"
EMPTY = "[    2.000000] sev-guest sev-guest: Empty VMPCK1 communication key"
SPENT = "[ 9000.000000] sev-guest sev-guest: request message sequence counter overflow"
MESSAGE = "[   99.000000] sev-guest: request [seqno 9 type 5 version 1 sz 96]"
PSC = "[    1.500000] SNP: PSC failed ret=1 exit_info_2=100000001"
PVALIDATE = (
    "[    1.600000] PVALIDATE failure: pfn: 0x1000, action: 1, size: 0, ret: 6, svsm_ret: 0x0"
)
ENDED = "[  301.000000] kvm_amd: SEV-ES guest requested termination: 0x1:0x2"
LEAK = "[  301.000000] SEV-SNP: Leaking PFN range 0x1-0x2"
LINES = [BOOT, READY.format(0), FAILED, WRONG, WIPED.format(0), OFF, EMPTY, SPENT, MESSAGE, PSC,
         PVALIDATE, ENDED, LEAK, WIPED.format(3), READY.format(1)]  # fmt: skip


def verdict(*lines):
    found = GuestVerdict()
    for record in records(["\n".join([*lines, ""]).encode()]):
        if record.kind in found.kinds:
            found.feed(record)
    return found


@pytest.mark.parametrize(
    ("lines", "answer", "since", "sentence"),
    [
        ((READY.format(0),), "yes", 0, "Line 1 says so, and none behind it otherwise."),
        ((READY.format(0), FAILED, WIPED.format(0)), "no", 3, "VMPCK0 is lost."),
        ((WIPED.format(2),), "no", 1, "Since line 1 (95.100002) VMPCK2 is lost."),
        ((READY.format(0), WIPED.format(0), OFF, OFF), "no", 2, "VMPCK0 is lost."),
        ((OFF,), "no", 1, "the driver's key is lost."),
        ((EMPTY,), "no", 1, "VMPCK1 is lost."),
        ((READY.format(0), SPENT), "no", 2, "VMPCK0 is lost."),
        ((READY.format(0), FAILED), "not told", 0, "A request failed on line 2, and no line says"),
        ((READY.format(0), WRONG), "not told", 0, "A request failed on line 2, and no line says"),
        ((READY.format(0), FAILED, MESSAGE), "yes", 0, "Line 3 says so"),
        ((MESSAGE,), "yes", 0, "Line 1 says so"),
        ((READY.format(0), MESSAGE, MESSAGE), "yes", 0, "Line 1 says so"),
        ((READY.format(0), WIPED.format(0), FAILED, MESSAGE), "no", 2, "VMPCK0 is lost."),
        ((READY.format(0), WIPED.format(0), READY.format(1)), "yes", 0, "Line 3 says so"),
        ((BOOT, READY.format(0), WIPED.format(0), BOOT, READY.format(0)), "yes", 0,
         "This is the last of 2 boots."),
        ((PSC, PVALIDATE), "no", 1, "Since line 1 (1.500000) memory was not accepted."),
        ((READY.format(0), ENDED), "no", 2, "Since line 2 (301.000000) the guest ended itself."),
        ((ENDED, ENDED), "no", 2, "Guests that ended themselves: 2."),
    ],
)  # fmt: skip
def test_a_log_says_whether_reports_can_be_had_and_since_when_not(lines, answer, since, sentence):
    found = verdict(*lines)

    plain = found.to_plain()
    assert (plain["answer"], plain["since_line"]) == (answer, since)
    assert sentence in plain["text"]
    assert found.lines()[0] == plain["text"]
    assert bool(plain["remedy"]) == (answer != "yes")


def test_what_was_found_stands_below_with_its_line_its_time_and_what_to_do():
    lines = verdict(READY.format(0), FAILED, WIPED.format(0), PVALIDATE, ENDED).lines()

    assert lines[1].startswith("  VMPCK0     lost  line 3, 95.100002: VMPCK0 wiped; line 2: ")
    assert lines[2].startswith(
        "  memory     failed  line 4, 1.600000: PFN 0x1000, PVALIDATE accept"
    )
    assert lines[3].startswith("  guest      ended  line 5, 301.000000: termination 0x1:0x2")
    assert lines[4].startswith("  remedy     reboot the guest, or load sev-guest anew")


@pytest.mark.parametrize("lines", [(), (LEAK,), (ENDED,), (BOOT,)])
def test_a_log_that_is_no_guest_s_has_no_such_verdict(lines):
    assert verdict(*lines).lines() == []


@given(st.lists(st.sampled_from(LINES), max_size=30))
def test_any_order_of_lines_has_an_answer_that_its_parts_bear_out(lines):
    found = verdict(*lines)
    plain = found.to_plain() if found.lines() else None

    if plain is None:
        return
    states = {event["state"] for event in plain["keys"].values()}
    assert plain["answer"] in ("yes", "no", "not told")
    assert plain["answer"] != "yes" or ("alive" in states and not plain["memory"])
    assert plain["answer"] != "no" or "lost" in states or plain["memory"] or plain["end"]
    assert json.loads(json.dumps(plain)) == plain


def test_a_log_with_keys_without_number_keeps_a_few():
    found = verdict(*(WIPED.format(number) for number in range(100)))

    assert len(found.to_plain()["keys"]) == 8
    assert found.answer == "no"


def test_the_command_prints_the_verdict_below_the_records_and_as_an_object():
    log = "\n".join([READY.format(0), FAILED, WIPED.format(0), ""]).encode()

    text, _, _ = call(["log"], log)
    output, _, _ = call(["log", "--json"], log)
    other, _, _ = call(["log", "--only", "trace"], log)

    last = json.loads(output.splitlines()[-1])
    assert b"\nReports in this guest: no. Since line 3 (95.100002) VMPCK0 is lost.\n" in text
    assert (last["schema"], last["kind"], last["answer"]) == ("verdict/1", "guest_verdict", "no")
    assert b"Reports" not in other
