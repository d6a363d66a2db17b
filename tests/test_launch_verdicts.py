"""The answers on a launch as a whole: why it failed, and what was measured."""

from __future__ import annotations

import json

import pytest

from snpwire.capture.kernel_log import records
from snpwire.capture.logs import launch_pages
from snpwire.capture.logs.verdicts import Verdicts

START = "kvm_sev_snp_launch_start policy 0x{:x} gosvw (null)"
UPDATE = "kvm_sev_snp_launch_update src 0x7f0000000000 gpa 0x{:x} len 0x{:x} ({} page)"
FINISH = "kvm_sev_snp_launch_finish id_block {} id_auth (null) host_data (null)"
OPTIONS = "qemu -object sev-snp-guest,id=sev0,policy=0x{:x}{}"
FAILED = "qemu: sev_snp_launch: {} ret={} fw_error={} ''"
FAMILIES = ("qemu", "launch")


def answers(*lines, families=FAMILIES):
    """Return the verdicts on a log, as lines and in JSON's terms, by kind."""
    verdicts = Verdicts()
    for record in records(["\n".join(lines).encode()]):
        verdicts.feed(record)
    return {plain["kind"]: (shown, plain) for shown, plain in verdicts.blocks(families)}


def launch(*lines):
    """Return the verdict on a launch: its first line, and its reasons."""
    shown, plain = answers(*lines)["launch_verdict"]
    json.dumps(plain)
    return shown[0], plain["reasons"]


def test_the_step_its_side_and_its_error_are_in_the_first_line():
    first, reasons = launch(FAILED.format("SNP_LAUNCH_START", -22, 0))

    assert first == "launch: failed at SNP_LAUNCH_START (line 1), refused by the kernel: EINVAL"
    assert {row["fits"] for row in reasons} == {"not told"}
    assert len(reasons) > 3


def test_a_refused_question_of_the_monitor_is_no_failed_launch():
    assert answers("SEV: Failed to query the attestation report length ret=-22 fw_err=0 ()") == {}


def test_an_error_that_is_not_told_is_said_not_to_be():
    first, _ = launch("sev_kvm_init: failed to get platform status ret=-1 fw_error='0: '")

    assert first.endswith("it is not told by whom: no error shown")


@pytest.mark.parametrize(
    ("policy", "fitting", "why"),
    [
        (0x70000, "KVM does not pass on", "bit 18 migrate_ma"),
        (0x10000, "bit 17 clear", "bit 17 is clear"),
        (0x400_0003_0000, "KVM does not pass on", "bit 42"),
    ],
)
def test_a_policy_that_kvm_refuses_puts_the_reason_that_fits_first(policy, fitting, why):
    _, reasons = launch(OPTIONS.format(policy, ""), FAILED.format("SNP_LAUNCH_START", -22, 0))

    assert fitting in reasons[0]["text"]
    assert (reasons[0]["fits"], reasons[0]["why"]) == ("yes", why)


@pytest.mark.parametrize(
    ("policy", "fitting", "why"),
    [
        (0x20000, "forbids SMT", "smt is clear"),
        (0x30137, "newer ABI", "it asks for 1.55"),
        (0x1030000, "from 21 up", "bit 24 ciphertext_hiding_dram"),
        (0x130000, "one socket", "single_socket is set"),
    ],
)
def test_a_policy_that_the_firmware_refuses_puts_the_reason_that_fits_first(policy, fitting, why):
    _, reasons = launch(START.format(policy), FAILED.format("SNP_LAUNCH_START", -5, 7))

    assert fitting in reasons[0]["text"]
    assert (reasons[0]["fits"], reasons[0]["why"]) == ("yes", why)
    assert [row["fits"] for row in reasons[1:]] == ["no"] * 4


def test_a_policy_that_fits_no_reason_rules_all_of_them_out_and_says_what_it_is():
    shown, _ = answers(START.format(0x30000), FAILED.format("SNP_LAUNCH_START", -5, 7))[
        "launch_verdict"
    ]

    assert shown[1] == "  policy 0x30000 (line 1)"
    assert all("(not this: the policy is 0x30000)" in line for line in shown[2:])


def test_an_id_block_that_was_not_given_is_not_the_reason():
    with_block = launch(OPTIONS.format(0x30000, ",id-block=AA"),
                        FAILED.format("SNP_LAUNCH_FINISH", -5, 11))[1]  # fmt: skip
    without = launch(OPTIONS.format(0x30000, ""), FAILED.format("SNP_LAUNCH_FINISH", -5, 11))[1]

    assert [row["fits"] for row in with_block] == ["not told"]
    assert [row["why"] for row in without] == ["no ID block was given"]


def test_an_author_key_that_is_not_announced_is_not_the_reason():
    _, reasons = launch(OPTIONS.format(0x30000, ",id-block=AA"),
                        FAILED.format("SNP_LAUNCH_FINISH", -5, 22))  # fmt: skip

    assert reasons[-1]["why"] == "no author key is announced"


def test_a_register_that_qemu_complains_of_is_the_reason():
    row = "eax:0x{}, ebx: 0x00000000, ecx: 0x00000000, edx: 0x00000000"
    _, reasons = launch(
        FAILED.format("SNP_LAUNCH_UPDATE", -5, 22),
        "qemu: SEV-SNP: CPUID validation failed for function 0x7, index: 0x0, provided: "
        f"{row.format('00000001')}, expected: {row.format('00000000')}",
    )

    assert reasons[0]["fits"] == "yes"
    assert "CPUID 0x7 index 0x0" in reasons[0]["why"]


def test_the_last_of_several_failures_counts():
    first, _ = launch(
        FAILED.format("SNP_LAUNCH_START", -22, 0), FAILED.format("SNP_LAUNCH_FINISH", -5, 10)
    )

    assert "SNP_LAUNCH_FINISH (line 2, the last of 2 failures)" in first
    assert first.endswith("BAD_SIGNATURE")


def test_a_failure_whose_side_is_not_told_and_a_status_without_a_name_are_said_to_be_so():
    unknown, _ = launch("qemu: sev_launch_start: LAUNCH_START ret=1 fw_error=0 ''")
    status, _ = launch(FAILED.format("SNP_LAUNCH_START", -5, 85))

    assert "it is not told by whom" in unknown
    assert status.endswith("0x55")


def test_a_launch_that_ends_is_told_as_one_without_a_refusal():
    shown, plain = answers(START.format(0x30000), FINISH.format("AAAA"))["launch_verdict"]

    assert shown == ["launch: no refusal; it ended at line 2"]
    assert plain["answer"] == "no refusal"


def test_a_log_without_an_end_of_a_launch_has_no_answer_and_no_table():
    assert answers(START.format(0x30000)) == {}
    assert answers("nothing") == {}


def test_answers_of_families_that_are_not_wanted_are_left_out():
    line = FAILED.format("SNP_LAUNCH_START", -22, 0)

    assert answers(line, families=("rmp",)) == {}


# What was measured


def test_ranges_are_a_table_in_their_order_with_addresses_sizes_and_types():
    shown, plain = answers(
        START.format(0x30000),
        UPDATE.format(0xFFC00000, 0x400000, "Normal"),
        UPDATE.format(0x80D000, 0x1000, "Secrets"),
        UPDATE.format(0x80E000, 0x1000, "Cpuid"),
        FINISH.format("(null)"),
    )["launch_pages"]

    assert shown[0] == "measured: 3 ranges, 1026 pages, 4104 KiB"
    assert "0xffc00000" in shown[2]
    assert "0xffffffff" in shown[2]
    assert "1024 pages, 4 MiB  NORMAL" in shown[2]
    assert [row["page_type"] for row in plain["pages"]] == ["NORMAL", "SECRETS", "CPUID"]
    assert plain["pages"][1] == {
        "line": 3, "gpa": "0x80d000", "size": "0x1000", "pages": 1, "page_type": "SECRETS",
        "vmpl": None,
    }  # fmt: skip
    assert plain["ended"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kvm_sev_snp_launch_update addr 0x7f00 gpa 0x1000 len 0x3000 vmpl 1 (Normal page)",
         "VMPL 1"),
        ("kvm_sev_snp_launch_update addr 0x7f00 len 0x1000 type 5", "not traced"),
        ("kvm_sev_snp_launch_update addr 0x7f00 len 0x1000 type 0x3", "ZERO"),
        ("kvm_sev_snp_launch_update 1.5 pid=7 src=0x7f00 gpa=0x1000 len=0x1000 type=b'Cpuid'",
         "CPUID"),
        ("kvm_sev_snp_launch_update src 0x1 gpa 0x1000 len 0x10 (odd page)", "no whole pages"),
        ("kvm_sev_snp_launch_update src 0x1 gpa 0x1000 len 0x1000 ( page)", "1 page"),
    ],
)  # fmt: skip
def test_ranges_in_other_spellings_are_rows_too(line, words):
    shown, _ = answers(line)["launch_pages"]

    assert words in shown[2]
    assert shown[-1] == "  the launch does not end in this log"


def test_a_launch_that_begins_anew_begins_the_table_anew():
    shown, plain = answers(
        START.format(0x30000), UPDATE.format(0x1000, 0x1000, "Zero"),
        START.format(0x30000), UPDATE.format(0x2000, 0x1000, "Zero"),
    )["launch_pages"]  # fmt: skip

    assert shown[0].startswith("measured (launch 2 of this log): 1 range, ")
    assert plain["pages"][0]["gpa"] == "0x2000"


def test_more_ranges_than_are_kept_are_counted(monkeypatch):
    monkeypatch.setattr(launch_pages, "MOST", 2)

    shown, plain = answers(*[UPDATE.format(0x1000 * n, 0x1000, "Zero") for n in range(5)])[
        "launch_pages"
    ]

    assert "  and 3 more ranges" in shown
    assert plain["left_out"] == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kvm_sev_launch_start policy 0x1 session (nil) pdh (nil)", "launch of SEV"),
        ("kvm_sev_launch_update_data addr 0x7f00 len 0x200000", "512 pages, 2 MiB"),
        ("kvm_sev_launch_finish", "ends"),
        ("kvm_sev_launch_measurement data AAAA", "AAAA"),
        ("kvm_sev_init type SEV flags 0x1", "type SEV"),
        ("kvm_sev_init", "is made"),
        ("kvm_sev_change_state uninit -> launch-update", "uninit to launch-update"),
        ("kvm_sev_snp_ovmf_boot_block_info secrets 0x80d000+0x1000 cpuid 0x80e000+0x1000"
         " pre-validate 0x800000+0x9000", "0x800000 to 0x808fff"),
        (START.format(0x10000), "bit 17 is clear"),
    ],
)  # fmt: skip
def test_other_events_of_a_trace_are_lines(line, words):
    (record,) = records([line.encode()])

    assert words in f"{record.text} {record.meaning}"
