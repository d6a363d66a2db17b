"""The verdict on a host: yes, no or not told, where it stopped, and the boot that counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transcripts import call

from snpwire.capture.kernel_log import FAMILIES, Reader, records
from snpwire.capture.logs.host_verdict import STEPS, HostVerdict
from snpwire.capture.logs.verdicts import VERDICTS, Verdicts

LOGS = Path(__file__).parent / "logs"
KERNEL = "[    0.000000] Linux version 6.13.4-host (builder@example)"
RMP = "SEV-SNP: RMP table physical range [0x0000000041200000 - 0x00000000813fffff]"
CCP = "ccp 0000:41:00.5: "
UP = f"{CCP}SEV-SNP API:1.55 build:39"
SEV = "kvm_amd: SEV enabled (ASIDs 64 - 509)"
ES = "kvm_amd: SEV-ES enabled (ASIDs 1 - 63)"
KVM = "kvm_amd: SEV-SNP enabled (ASIDs 1 - 63)"
REFUSED = "AMD-Vi: SNP: IOMMU SNP feature not enabled, SNP cannot be supported."
WITHOUT = "AMD-Vi: Extended features (0x25bf7ffa2254afde, 0x10): PPR NX GT IA GA PC"
WITH = "AMD-Vi: Extended features (0xa5bf7ffa2254afde, 0x10): PPR NX GT IA GA PC SNP"
FAILED = f"{CCP}SEV-SNP: failed to INIT rc -5, error 0x3"
TIMEOUT = f"{CCP}sev command 0x85 timed out, disabling PSP"


def verdict(*lines):
    reader, found = Reader(), HostVerdict()
    for record in [*reader.feed("\n".join(lines).encode()), *reader.close()]:
        if record.kind in found.kinds:
            found.feed(record)
    return found


def told(*lines):
    plain = verdict(*lines).to_plain()
    return plain["answer"], plain["stopped_at"]


def steps(*lines):
    return {step["step"]: step for step in verdict(*lines).to_plain()["steps"]}


CASES = {
    "all is well": ([RMP, WITH, UP, SEV, ES, KVM], "yes", ""),
    "the firmware's word alone": ([UP], "yes", ""),
    "KVM's word alone": ([KVM], "yes", ""),
    "KVM's older word": (["kvm_amd: SEV-ES and SEV-SNP supported: 99 ASIDs"], "yes", ""),
    "the driver's debugging message": ([f"{CCP}SEV-SNP firmware initialized"], "yes", ""),
    "the driver's newer message": (
        [f"{CCP}SEV-SNP firmware initialized, SEV-TIO is disabled"],
        "yes",
        "",
    ),
    "a parameter of the module": (["# cat /sys/module/kvm_amd/parameters/sev_snp", "Y"], "yes", ""),
    "a version is no success": ([f"{CCP}SEV API:1.55 build:39"], "not told", ""),
    "a table alone is no success": ([RMP], "not told", ""),
    "KVM's word does not outweigh a failure": ([FAILED, KVM], "no", "SNP_INIT"),
    "nor one of an older kernel": (
        [f"{CCP}SEV-SNP: failed to INIT error 0x3", "SEV-ES and SEV-SNP supported: 99 ASIDs"],
        "no",
        "SNP_INIT",
    ),
    "checks of a tool that pass": (
        ["[ PASS ]   - Secure Nested Paging (SEV-SNP)", "[ PASS ]     - SNP initialized",
         "[ PASS ]   - SEV-SNP enabled in KVM: enabled"],
        "yes",
        "",
    ),
    "a check of the processor that fails": (
        ["[ FAIL ]   - Secure Nested Paging (SEV-SNP)", "[ SKIP ]     - SNP initialized"],
        "no",
        "processor",
    ),
    "a check of INIT that fails": (
        ["[ FAIL ]   - SNP INIT: Failed to get SNP Platform status unable to retrieve it",
         "[ FAIL ]   - SEV-SNP enabled in KVM: disabled"],
        "no",
        "SNP_INIT",
    ),
    "a check that could not look": (
        [RMP, "[ FAIL ]   - SNP initialized: unable to open /dev/sev"],
        "not told",
        "",
    ),
    "a timeout": ([TIMEOUT], "no", "SNP_INIT"),
    "a timeout after all was well": ([UP, KVM, TIMEOUT], "no", "SNP_INIT"),
    "a failed command in a dump": (
        [f"{CCP}sev command id 0x85 buffer 0x0000000102a3f000 timeout 100s",
         f"{CCP}sev command 0x85 failed (0x00000003)"],
        "no",
        "SNP_INIT",
    ),
    "a failed command of another kind": (
        [UP, f"{CCP}sev command id 0xa0 buffer 0x0000000102a3f000 timeout 100s",
         f"{CCP}sev command 0xa0 failed (0x00000007)"],
        "yes",
        "",
    ),
    "a failure, then another try": ([FAILED, UP], "yes", ""),
    "up, then shut down": ([UP, f"{CCP}SEV-SNP firmware shutdown"], "no", "SNP_INIT"),
    "an IOMMU without SNP": ([WITHOUT, SEV, ES], "no", "IOMMU"),
    "an IOMMU that says later that it has SNP": ([WITHOUT, WITH, UP], "yes", ""),
    "an IOMMU whose table says nothing": (
        ["AMD-Vi: Using global IVHD EFR:0x0, EFR2:0x0", UP],
        "yes",
        "",
    ),
    "an IOMMU that is refused": ([WITH, REFUSED], "no", "IOMMU"),
    "an option against SNP": ([KERNEL, "Command line: ro iommu=pt", SEV, ES], "no", "IOMMU"),
    "an option that did no harm": (
        ["Command line: ro iommu=pt", "AMD-Vi: IOMMU SNP support enabled.", UP],
        "yes",
        "",
    ),
    "an option of KVM": (["Command line: ro kvm_amd.sev_snp=0", UP], "no", "KVM"),
    "options that do not matter": (["Command line: ro iommu=nopt", UP], "yes", ""),
    "no table": (["SEV-SNP: Memory for the RMP table has not been reserved by BIOS"], "no", "RMP"),
    "a table that is too short": (
        [RMP, "SEV-SNP: Memory reserved for the RMP table does not cover full system RAM"
         " (expected 0x102004000 got 0x40200000)"],
        "no",
        "RMP",
    ),
    "old firmware": ([f"{CCP}SEV API:1.49 build:3"], "no", "firmware"),
    "old firmware, in the driver's words": (
        [f"{CCP}SEV-SNP support requires firmware version >= 1:51"],
        "no",
        "firmware",
    ),
    "firmware that does not answer": (
        [f"{CCP}SEV: failed to get status. Error: 0x8003", SEV, ES, KVM],
        "no",
        "firmware",
    ),
    "memory encryption off": (
        [f"{CCP}SEV: memory encryption not enabled by BIOS"],
        "no",
        "processor",
    ),
    "KVM with other guests alone": ([UP, SEV, ES], "no", "KVM"),
    "KVM without ASIDs": ([UP, "kvm_amd: SEV-SNP disabled (ASIDs 0 - 0)"], "no", "KVM"),
    "KVM with an empty range": ([UP, "kvm_amd: SEV-SNP enabled (ASIDs 1 - 0)"], "no", "KVM"),
    "a parameter that is off": (
        [UP, "/sys/module/kvm_amd/parameters/sev_snp:N"],
        "no",
        "KVM",
    ),
    "a parameter without a value": (
        [UP, "cat /sys/module/kvm_amd/parameters/sev_snp", "what"],
        "yes",
        "",
    ),
    "another parameter": ([UP, "/sys/module/kvm_amd/parameters/sev:N"], "yes", ""),
    "a parameter's name that is none": ([UP, "/sys/module/kvm_amd/parameters/*"], "yes", ""),
    "legacy SEV alone fails": ([f"{CCP}SEV: failed to INIT error 0x13, rc -5", UP], "yes", ""),
    "lines that contradict each other": ([REFUSED, UP], "not told", ""),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "answer", "stopped"), CASES.values(), ids=CASES.keys())
def test_a_host_is_judged_by_what_its_log_tells(lines, answer, stopped):
    assert told(*lines) == (answer, stopped)

    first, *rest = verdict(*lines).lines()
    assert first.startswith(f"SNP on this host: {answer}. ")
    assert [line.split()[0] for line in rest[: len(STEPS)]] == list(STEPS)


def test_what_the_log_does_not_hold_is_said_to_be_missing():
    found = steps(UP)

    assert {name for name, step in found.items() if step["state"] == "not in this log"} == {
        "processor", "IOMMU", "RMP", "KVM",
    }  # fmt: skip
    assert found["SNP_INIT"] == {
        "step": "SNP_INIT",
        "state": "ok",
        "line": 1,
        "text": "SNP firmware ABI 1.55, build 39",
    }


def test_the_first_refusal_of_a_step_is_the_one_that_is_cited():
    late = "AMD-Vi: SNP: Too late to enable SNP for IOMMU."

    assert steps("Command line: iommu=pt", REFUSED, late)["IOMMU"]["line"] == 2


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([REFUSED], "IOMMU without SNP (line 1), so SNP_INIT was never asked."),
        ([FAILED], "SNP INIT failed, rc -5, error 0x3 (line 1)."),
        ([RMP], "No line says that SNP_INIT succeeded or failed; RMP of 1026 MiB, covers 256.5"),
        ([KVM], "KVM says so: SNP enabled, ASIDs 1 to 63 (line 1); KVM: SNP enabled"),
        ([UP, SEV], "is up (line 1), but SNP is off in KVM: KVM offers SEV, and says nothing"),
        (
            [REFUSED, UP],
            "Lines contradict each other: IOMMU without SNP (line 1), yet SNP firmware",
        ),
        ([f"{CCP}SEV: failed to INIT error 0x1", UP], "legacy SEV, which is another matter: SEV"),
        (["SVM: SEV supported"], "KVM offers SEV, and says nothing of SNP (line 1)."),
        (["Command line: iommu=off", SEV], "Started with iommu=off (line 1), so SNP_INIT was"),
    ],
)
def test_the_sentence_names_reason_line_and_what_else_is_known(lines, words):
    text = verdict(*lines).to_plain()["text"]

    assert words in text


def test_a_remedy_stands_below_the_steps():
    assert verdict(REFUSED).lines()[-1].startswith("  remedy     in the BIOS, turn on SEV-SNP")
    assert "remedy" not in "".join(verdict(UP).lines())


def test_the_last_of_several_boots_counts():
    found = verdict(KERNEL, REFUSED, KERNEL, UP, KVM)

    plain = found.to_plain()
    assert (plain["answer"], plain["boots"], plain["first_line"]) == ("yes", 2, 3)
    assert found.lines()[0].endswith(" This is the last of 2 boots, from line 3.")


def test_a_boot_that_has_just_begun_tells_nothing():
    found = verdict(KERNEL, UP, KVM, KERNEL)

    assert found.to_plain()["answer"] == "not told"
    assert found.lines()


def test_time_that_went_back_begins_a_boot_where_a_message_comes_again():
    first, again = f"[    9.100000] {UP}", f"[    7.500000] {UP}"

    assert verdict(first, again).to_plain()["boots"] == 2
    assert verdict(first, first).to_plain()["boots"] == 1  # the same line twice
    assert verdict(first, f"[    0.500000] {RMP}").to_plain()["boots"] == 1  # another search
    assert verdict(again, first).to_plain()["boots"] == 1  # the driver was loaded anew


def test_the_words_of_a_version_file_begin_no_boot():
    timed = f"[    9.100000] {UP}"

    assert verdict(timed, KERNEL.partition("] ")[2]).to_plain()["answer"] == "yes"
    assert verdict(UP, KERNEL.partition("] ")[2]).to_plain()["boots"] == 2  # no line has a time


def test_memory_stays_small_however_often_a_driver_is_loaded():
    found = HostVerdict()
    reader = Reader()
    for number in range(3000):
        for record in reader.feed(f"[{number:5}.000000] {UP}\n".encode()):
            found.feed(record)

    assert sum(map(len, found._times.values())) == 1000
    assert found.to_plain()["boots"] == 1


def test_a_guests_console_within_a_hosts_log_is_no_start_of_the_host():
    guest = "Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP"

    found = verdict(KERNEL, UP, KVM, KERNEL, guest, WITHOUT)

    plain = found.to_plain()
    assert (plain["answer"], plain["boots"], plain["first_line"]) == ("yes", 1, 1)
    assert found.lines()[0].startswith("SNP on this host: yes")


def test_a_guests_log_is_not_judged():
    assert verdict("SEV: Status: SEV SEV-ES SEV-SNP ", WITHOUT).lines() == []


def test_options_alone_are_no_start_of_a_host():
    assert verdict(KERNEL, "Command line: ro iommu=pt").lines() == []


def test_a_log_without_a_hosts_start_is_not_judged():
    assert verdict(KERNEL, "SEV-SNP: Leaking PFN range 0x1-0x2").lines() == []


# On the command line


def test_the_verdict_closes_the_records_and_is_json_of_its_own():
    output, _, _ = call(["log", "--json", str(LOGS / "host-up.log")])

    *records, last = [json.loads(line) for line in output.decode().splitlines()]
    assert {record["schema"] for record in records} == {"log/1"}
    assert (last["schema"], last["kind"]) == ("verdict/1", "host_verdict")
    assert last["answer"] == "yes"
    assert [step["step"] for step in last["steps"]] == list(STEPS)


def test_a_program_does_not_take_the_failure_of_sev_for_one_of_snp():
    output, _, _ = call(["log", "--json", str(LOGS / "host-up.log")])

    kinds = {json.loads(line)["kind"] for line in output.decode().splitlines()}
    assert "sev-init-failed" in kinds
    assert "init-failed" not in kinds
    assert b"snp_init_failed" not in output


def test_the_verdict_goes_with_its_family():
    output, _, _ = call(["log", "--only", "iommu", str(LOGS / "host-up.log")])

    assert b"on this host" not in output


def test_each_verdict_has_a_family_and_a_name_of_its_own():
    made = [make() for make in VERDICTS]

    assert all(verdict.family in FAMILIES for verdict in made)
    assert len({verdict.kind for verdict in made}) == len(made)
    assert list(Verdicts().blocks(FAMILIES)) == []


@pytest.mark.parametrize(
    ("error", "remedy"),
    [("0x13", "SMEE"), ("0x8004", "update the BIOS"), ("0x9005", "update the BIOS")],
)
@pytest.mark.parametrize("kind", ["SEV", "SEV-SNP"])
def test_a_status_from_below_the_firmware_has_the_remedy_that_the_bios_is(kind, error, remedy):
    (record,) = records([f"{CCP}{kind}: failed to INIT error {error}".encode()])

    assert remedy in record.remedy


def test_the_driver_without_its_cryptographic_engine_is_no_failure_of_sev():
    (record,) = records([f"{CCP}ccp initialization failed".encode()])

    assert "do without it" in record.meaning
    assert told(f"{CCP}ccp initialization failed", UP) == ("yes", "")


def test_an_iommu_that_does_not_answer_is_told_with_the_kernel_before_it():
    (record,) = records([b"AMD-Vi: Completion-Wait loop timed out"])

    assert "kdump" in record.cause
