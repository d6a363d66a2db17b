"""``snpwire request`` and ``compare-policies``: whole round trips at the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from transcripts import call

from snpwire.engine.faults.catalogue import FAULTS
from snpwire.engine.guest.driver import Driver
from snpwire.wire.report import Report, SigningKey

VERIFIED = ": verified without a policy: nothing was compared with what its owner wants"

ENGINE = Path(__file__).parent / "engine"
LIMIT, OWN, GUESTS = (str(ENGINE / f"{name}.toml") for name in ("limit", "own-pages", "guests"))


def run(*words, given=b"", code=0):
    output, errors, ended = call([str(word) for word in words], given)

    assert ended == code, (output, errors)
    return output.decode(), errors.decode()


def request(*words, **kwargs):
    return run("request", *words, **kwargs)[0]


def records(*words, code=0):
    return [json.loads(line) for line in request(*words, "--json", code=code).splitlines()]


@pytest.mark.parametrize("profile", ["milan", "genoa", "turin", "genoa-aspfw"])
@pytest.mark.parametrize("what", ["report", "ext-report", "key", "cpuid", "vmrk"])
def test_every_request_is_answered_by_every_profile(what, profile):
    told = request(what, "--profile", profile)

    assert told.splitlines()[-1] == "request 1: answered, SUCCESS"


def test_a_trip_names_everybody_in_order():
    lines = request("report").splitlines()

    assert [line.split()[2] for line in lines[:-1]] == [
        *("guest", "guest"),
        *("hypervisor", "hypervisor", "firmware", "firmware", "hypervisor", "hypervisor"),
        "guest",
    ]


def test_page_states_are_told_where_they_change():
    told = request("key", "--policy", OWN)

    given, back = re.findall(r"RMPUPDATE of (0x\w+)000: SUCCESS; page \1 (.*)", told)
    assert given[1] == "HYPERVISOR -> FIRMWARE"
    assert back == (given[0], "RECLAIM -> HYPERVISOR")


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_comes_to_what_it_says(name):
    fault = FAULTS[name]
    words = ["key", "--inject", name, "--count", fault.first]
    told = request(*words, *(["--policy", OWN] if fault.needs == "own-pages" else []))

    assert f"FAULT {name}: " in told
    assert f"{name} triggered; detected by: {fault.detected_by}" in told
    assert "BROKEN" not in told


@pytest.mark.parametrize("name", ["firmware-dies", "firmware-times-out"])
@pytest.mark.parametrize("words", [[], ["--policy", OWN]], ids=["copies", "own pages"])
def test_a_guest_that_was_stopped_stays_so(name, words):
    told = request("key", "--inject", name, "--count", "3", *words)

    assert [line for line in told.splitlines() if line.startswith("request ")] == [
        f"request {n}: stopped" for n in (1, 2, 3)
    ]


def test_a_driver_that_does_what_it_should_not_is_told_of(monkeypatch):
    monkeypatch.setattr(Driver, "_disable", lambda self, error: None)

    told = request("key", "--inject", "alter-answer", code=4)

    assert "request 1: EBADMSG, key alive" in told
    assert "BROKEN: expected EBADMSG, key wiped" in told


def test_a_fault_that_never_struck_breaks_the_expectation():
    _, errors = run("request", "key", "--inject", "busy@7", code=4)

    assert errors == "note: busy was never triggered: its point was passed 1 times\n"


def test_two_faults_at_once_are_told_and_not_judged():
    rows = records("key", "--inject", "delay", "--inject", "alter-answer")

    assert rows[-1]["faults"] == ["delay", "alter-answer"]
    assert rows[-1]["expected"] is None
    assert not rows[-1]["broken"]
    told = request("key", "--inject", "busy*2", "--inject", "alter-answer").splitlines()
    assert told[-2] == "  busy triggered 2 times; detected by: none"
    assert told[-1] == "  alter-answer triggered; detected by: guest"


def test_what_a_fault_leaves_behind_is_not_called_broken():
    told = request("key", "--count", "3", "--inject", "lie-about-pages")

    ends = [line for line in told.splitlines() if line.startswith("request")]
    assert ends == [
        "request 1: EIO, hypervisor INVALID_LEN, key alive",
        "request 2: EIO, firmware AEAD_OFLOW, key wiped",
        "request 3: ENOTTY, key wiped",
    ]


def test_a_guest_that_is_stopped_stays_so():
    rows = records("key", "--count", "2", "--inject", "firmware-dies")

    ends = [row["outcome"]["errno"] for row in rows if row["schema"] == "request/1"]
    assert ends == ["stopped", "stopped"]
    assert not any(row.get("broken") for row in rows)


def test_every_fault_is_listed():
    told = request("--inject", "list")

    assert [line.split()[0] for line in told.splitlines()[::2]] == list(FAULTS)


def test_a_limit_makes_a_guest_wait():
    told = request("key", "--count", "2", "--policy", LIMIT)

    assert told.count("returns BUSY: the limit of 1 in 5 s is used up") == 3
    assert told.count("gets BUSY, waits 2 s") == 3
    assert told.splitlines()[-1] == "request 2: answered, SUCCESS"


def test_a_short_buffer_is_told_and_is_no_surprise():
    told = request("ext-report", "--policy", OWN)

    assert "reports that the certificates take 5 pages, there is room for 4" in told
    assert told.splitlines()[-1] == "request 1: EIO, hypervisor INVALID_LEN, key alive"


def test_json_is_a_record_a_line():
    rows = records("key", "--count", "2", "--inject", "drop-answer@2")

    steps = [row for row in rows if row["schema"] == "step/1"]
    ends = [row for row in rows if row["schema"] == "request/1"]
    assert [row["action"] for row in steps[:2]] == ["seal", "exit"]
    assert steps[0]["type"] == "KEY_REQ"
    assert steps[1]["code"] == "SNP_GUEST_REQUEST"
    assert steps[1]["request"] == "0x1100000"
    assert [end["outcome"]["errno"] for end in ends] == [None, "EBADMSG"]
    assert ends[1]["expected"] == ends[1]["outcome"]
    assert ends[1]["faults"] == ["drop-answer"]
    assert len(bytes.fromhex(ends[0]["payload"])) == 0x40


def test_the_same_seed_tells_the_same_to_the_byte():
    words = ["report", "--seed", "5", "--json", "--show", "--inject", "alter-answer@2", "--boot"]
    first, second = request(*words, "--count", "2"), request(*words, "--count", "2")

    assert first == second
    assert first != request("report", "--seed", "6", "--json", "--show")


def test_show_decodes_every_page():
    told = request("report", "--show")

    assert "ghcb  4096 bytes  request: guest request" in told
    assert "msg_seqno" in told
    assert "cmd-guest-request" in told
    assert "report_data" in told


def test_the_launch_is_told_on_request():
    told = request("key", "--boot")

    for command in ("SNP_INIT", "SNP_GCTX_CREATE", "SNP_LAUNCH_UPDATE", "SNP_LAUNCH_FINISH"):
        assert f"issues {command}\n" in told
        assert f"{command}: SUCCESS" in told
    assert "PRE_GUEST -> GUEST_VALID" in told
    assert "responds to MSR 0x80 with 0x3081" in told


@pytest.mark.parametrize("words", [["report"], ["ext-report", "--policy", OWN], ["cpuid"]])
def test_every_page_that_is_saved_decodes(words, tmp_path):
    folder = tmp_path / "saved"
    request(*words, "--boot", "--save", folder)

    pages = sorted(folder.glob("*-*-*.bin"))
    kinds = {page.name.split(".")[1] for page in pages}
    assert {"ghcb", "message", "psc", "cmd-launch-start"} <= kinds
    for page in pages:
        run("decode", page.name.split(".")[1], page)


def test_the_table_of_pages_is_saved_and_breaks_no_rule(tmp_path):
    folder = tmp_path / "saved"
    request("report", "--save", folder)

    image = folder / "rmp.bin", "--base", "0x800000"
    summary, _ = run("rmp", "summary", *image)
    run("rmp", "check", *image, "--fail-on", "note")
    assert "  CONTEXT                     1 " in summary
    assert "findings  none" in summary


@pytest.mark.parametrize("profile", ["milan", "genoa", "turin"])
def test_a_report_verifies_against_the_root_of_the_machine_and_not_against_amds(profile, tmp_path):
    folder = tmp_path / "saved"
    request("report", "--profile", profile, "--save", folder)
    files = [folder / name for name in ("report.bin", "vcek.der", "ask.der")]

    verdict, _ = run("verify", *files, "--root", folder / "ark.der")
    refused, _ = run("verify", *files, folder / "ark.der", code=1)

    assert verdict.splitlines()[-1].endswith(VERIFIED)
    assert ": refused: root" in refused


@pytest.mark.parametrize("profile", ["milan", "genoa", "turin", "genoa-aspfw"])
@pytest.mark.parametrize(("select", "signer"), [(0, "vlek"), (2, "vlek"), (1, "vcek")])
def test_a_report_with_a_vlek_loaded_verifies_with_what_is_saved(profile, select, signer, tmp_path):
    folder = tmp_path / "saved"
    words = ["--vlek", "--set", f"select.key_sel={select}", "--save", folder]
    request("report", "--profile", profile, *words)
    files = [folder / name for name in ("report.bin", f"{signer}.der", "ask.der")]

    verdict, _ = run("verify", *files, "--root", folder / "ark.der")
    refused, _ = run("verify", *files, folder / "ark.der", code=1)

    assert verdict.splitlines()[-1].endswith(VERIFIED)
    assert ": refused: root" in refused


def test_a_masked_report_names_no_chip_and_is_not_signed(tmp_path):
    report = tmp_path / "report.bin"
    request("report", "--mask-id", "--mask-key", "-o", report)

    found = Report.parse(report.read_bytes())
    assert found.chip_id == bytes(64)
    assert found.key_info.mask_chip_key
    assert found.key_info.signing_key is SigningKey.NONE
    assert not any(report.read_bytes()[0x2A0:])
    assert request("key", "--mask-key").endswith("request 1: answered, INVALID_KEY\n")


def test_a_report_that_the_firmware_refuses_is_not_saved(tmp_path):
    folder = tmp_path / "saved"

    told = request("report", "--vmpck", "2", "--set", "vmpl=0", "--save", folder)

    assert told.endswith("request 1: answered, INVALID_PARAM\n")
    assert not (folder / "report.bin").exists()


def test_cpuid_values_are_checked_against_a_table_of_ones_own(tmp_path):
    table = tmp_path / "table.toml"
    table.write_text(
        "[[leaf]]\nin = [0x1234, 0]\neax = { most = 0x10 }\nebx = 7\necx = 0\nedx = 0\n"
    )
    asked = ["--set", "functions[0].eax_in=0x1234", "--set", "functions[0].ebx=7"]

    told = request("cpuid", *asked, "--set", "functions[0].eax=0x11", "--cpuid", table)

    assert told.endswith("request 1: answered, INVALID_PARAM\n")
    assert request("cpuid", *asked, "--cpuid", table).endswith("request 1: answered, SUCCESS\n")


def test_a_cpuid_table_that_cannot_be_names_its_leaf(tmp_path):
    table = tmp_path / "table.toml"
    table.write_text("[[leaf]]\nin = [1, 0]\neax = { moist = 3 }\n")

    output, errors = run("request", "cpuid", "--cpuid", table, code=3)

    assert output == ""
    assert "CPUID table table: leaf 0x1 ecx 0: eax.moist is unknown" in errors
    assert "did you mean most?" in errors


def test_certificates_come_as_a_table(tmp_path):
    folder, policy = tmp_path / "saved", tmp_path / "policy.json"
    policy.write_text('{"certificates": "chain"}')
    request("ext-report", "--policy", policy, "--save", folder)
    table = next(folder.glob("*.certs.bin"))

    words = ["verify", folder / "report.bin", "--certs", table, "--root", folder / "ark.der"]

    assert run(*words)[0].splitlines()[-1].endswith(VERIFIED)


def test_what_a_guest_got_is_written(tmp_path):
    report, key = tmp_path / "report.bin", tmp_path / "key.bin"
    request("report", "--set", f"report_data={'ab' * 64}", "-o", report)
    request("key", "-o", key)

    assert report.stat().st_size == 0x4A0
    assert report.read_bytes()[0x50:0x90] == b"\xab" * 64
    assert key.stat().st_size == 0x40


@pytest.mark.parametrize(
    ("words", "given", "vmpl"),
    [
        (["--vmpck", "2"], b"", 2),
        (["--vmpck", "2", "--set", "vmpl=3"], b"", 3),
        (["-", "--vmpck", "1"], b'{"vmpl": 2}', 2),
        (["-", "--vmpck", "1", "--set", "vmpl=3"], b'{"vmpl": 2}', 3),
    ],
)
def test_a_report_is_for_the_level_of_its_key_unless_another_is_given(words, given, vmpl, tmp_path):
    report = tmp_path / "report.bin"

    request("report", *words, "-o", report, given=given)

    assert int.from_bytes(report.read_bytes()[0x30:0x34], "little") == vmpl


def test_a_message_that_the_profile_does_not_take_is_noted():
    told, errors = run("request", "tsc")
    _, silence = run("request", "tsc", "--profile", "turin")

    assert told.endswith("request 1: EIO, firmware INVALID_PARAM, key wiped\n")
    assert errors == "note: the firmware of milan takes no TSC_INFO_REQ; --profile genoa does\n"
    assert silence == ""


def test_a_message_of_any_type_is_sent(tmp_path):
    payload = tmp_path / "payload.bin"
    payload.write_bytes(bytes(16))

    told = request("raw", "--type", "99", "--payload", payload)

    assert "seals UNKNOWN_0x63, 16 bytes, under VMPCK0" in told
    assert "EIO, firmware INVALID_PARAM, key wiped" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["raw", "--type", "5"], "a payload has at most 4000 bytes, got 4001"),
        (
            ["report"],
            "a payload report-req has 96 bytes, got 4001\n"
            "help: raw --type N takes a payload of any size",
        ),
    ],
)
def test_a_payload_of_a_wrong_size_is_refused_before_anything_happens(words, said, tmp_path):
    payload = tmp_path / "payload.bin"
    payload.write_bytes(bytes(4001))

    output, errors = run("request", *words, "--payload", payload, code=3)

    assert output == ""
    assert errors == f"snpwire: {payload}: {said}\n"


def test_cpuid_values_come_as_json():
    words = ["request", "cpuid", "-", "--show"]
    told, _ = run(*words, given=b'{"functions": [{"eax_in": 1073741824}]}')

    assert "eax_in" in told
    assert told.splitlines()[-1] == "request 1: answered, SUCCESS"


def test_a_message_that_the_firmware_refuses_is_no_broken_expectation_of_a_fault(tmp_path):
    payload = tmp_path / "payload.bin"
    payload.write_bytes(bytes(16))

    rows = records("raw", "--type", "99", "--payload", payload)

    assert rows[-1]["expected"] == rows[-1]["outcome"]
    assert rows[-1]["broken"] is False


BAD = [
    (
        ["request"],
        "no KIND of request given",
        "one of: cpuid key report ext-report vmrk tsc raw",
    ),
    (["request", "repot"], "there is no request 'repot'", "did you mean report?"),
    (["request", "Repot"], "there is no request 'Repot'", "did you mean report?"),
    (["request", "zz"], "there is no request 'zz'", "KIND is one of: cpuid key report"),
    (["request", "key", "--inject", "bussy"], "there is no fault 'bussy'", "did you mean busy?"),
    (
        ["request", "key", "--profile", "milam"],
        "there is no profile 'milam'",
        "did you mean milan?",
    ),
    (["request", "key", "--count", "0"], "--count is from 1 to 1000000, got 0", ""),
    (["request", "key", "--vmpck", "4"], "--vmpck is from 0 to 3, got 4", ""),
    (["request", "ext-report", "--pages", "5"], "--pages is from 0 to 4, got 5", ""),
    (["request", "key", "--version", "9"], "KEY_REQ has no version 9", ""),
    (
        ["request", "report", "--payload", "x", "--set", "vmpl=1"],
        "--payload is the whole payload",
        "give it, or JSON and --set",
    ),
    (["request", "raw"], "raw has no record to build", "--payload FILE and --type N"),
    (["request", "key", "--type", "3"], "--type is only for raw: any other KIND implies it", ""),
    (["request", "vmrk", "--set", "a=1"], "the payload of vmrk names a guest", "raw --type 13"),
    (
        ["request", "key", "--inject", "forget-to-put-back"],
        "forget-to-put-back needs the guest's own pages",
        'a policy with pages = "guest"',
    ),
]


@pytest.mark.parametrize(("words", "said", "hint"), BAD, ids=lambda value: " ".join(value)[:50])
def test_what_cannot_be_asked_is_said_in_a_line(words, said, hint):
    output, errors = run(*words, code=2)

    assert output == ""
    assert errors.startswith(f"snpwire: {said}")
    assert hint in errors
    assert len(errors.splitlines()) <= 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('throttle = "on"', "throttle: expected"),
        ("pages = 3", "pages: expected bounce or guest, got 3"),
        ("pages =", "neither a JSON object nor TOML"),
        ('{"pages": "guest", "pages": "guest"}', "pages"),
        ("latency = { fixed = -0.1 }", "latency.fixed: expected from 0 to 86400 seconds, got -0.1"),
    ],
)
def test_a_policy_that_cannot_be_names_its_file_and_key(text, said, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text(text)

    output, errors = run("request", "key", "--policy", policy, code=3)

    assert output == ""
    assert errors.startswith(f"snpwire: {policy}: ")
    assert errors.count(str(policy)) == 1
    assert said in errors
    assert len(errors.splitlines()) <= 2


def test_a_profile_with_a_missing_part_names_it(tmp_path):
    profile = tmp_path / "mine.toml"
    profile.write_text('product = "Milan"\n')

    _, errors = run("request", "key", "--profile", profile, code=3)

    assert errors.startswith("snpwire: profile mine: ")
    assert "is missing" in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("place", ["there", "there/file", "nowhere/saved"])
def test_a_directory_that_cannot_be_written_is_said_and_nothing_left(place, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("kept")
    before = sorted(tmp_path.rglob("*"))

    output, errors = run(
        "request", "key", "--save", tmp_path / place, code=3 if "nowhere" in place else 2
    )

    assert output == ""
    assert place in errors
    assert len(errors.splitlines()) <= 2
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_half_written_is_left_where_a_run_fails(tmp_path):
    run("request", "key", "--inject", "nothing", "--save", tmp_path / "saved", code=2)

    assert list(tmp_path.iterdir()) == []


def test_an_empty_directory_is_filled(tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()

    request("key", "--save", folder)

    assert len(list(folder.iterdir())) > 5


def test_the_case_of_the_review_ships_with_the_package():
    told, errors = run("compare-policies")

    assert errors == "note: no policies given: the case of the 2021 review, commands of 200 ms\n"
    for name in ("no limit", "10 in 5 s", "2 in 2 s", "no limit, busy-vm"):
        assert name in told.splitlines()


def test_policies_are_compared_in_a_table():
    told, _ = run("compare-policies", LIMIT, OWN, "--workload", GUESTS)

    lines = told.splitlines()
    assert lines[0] == LIMIT
    assert lines[1].split() == [
        *("guest", "asked", "served", "throttled", "retried", "keys", "lost"),
        *("longest", "all", "done"),
    ]
    assert lines[2].split()[:3] == ["noisy", "12", "12"]
    assert lines[3].split()[:3] == ["quiet", "2", "2"]
    assert int(lines[2].split()[3]) > 0


def test_policies_are_compared_as_records():
    told, _ = run("compare-policies", LIMIT, "--workload", GUESTS, "--json")

    row = json.loads(told)
    assert row["policy"] == LIMIT
    assert row["rules"]["throttle"] == {"burst": 1, "interval": 5.0}
    assert [guest["name"] for guest in row["guests"]] == ["noisy", "quiet"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("guests = 3", "a workload is an object with a list of guests"),
        ("[[guests]]\nname = 'a'", "guests[0]: expected an object with name and requests"),
        ("[[guests]]\nname = 'a'\nrequests = 0", "guests[0].requests: expected a number from 1"),
        ("[[guests]]\nname = 7\nrequests = 1", "guests[0].name: expected 1 to 40 printable"),
        ("[[guests]]\nname = ''\nrequests = 1", "guests[0].name: expected 1 to 40 printable"),
        ('[[guests]]\nname = "a\\u001b[31m"\nrequests = 1', "guests[0].name: expected 1 to 40"),
        ("[[guests]]\nname = 'a'\nrequests = 1\nstream = 2", "guests[0]: there is no 'stream'"),
        ("[[guests]]\nname = 'a'\nrequests = 1\nstreams = 5", "guests[0].streams: expected"),
        ("[[guests]]\nname = 'a'\nrequests = 1\npause = -1", "guests[0].pause: expected seconds"),
        ("[[guests]]\nname='a'\nrequests=1\n[[guests]]\nname='a'\nrequests=1", "called 'a'"),
    ],
)
def test_a_workload_that_cannot_be_names_its_file_guest_and_key(text, said, tmp_path):
    file = tmp_path / "guests.toml"
    file.write_text(text)

    output, errors = run("compare-policies", "--workload", file, code=3)

    assert output == ""
    assert errors.startswith(f"snpwire: {file}: ")
    assert said in errors
