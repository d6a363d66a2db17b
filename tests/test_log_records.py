"""A line of each format with the record that it has to become; values worked out by hand."""

from __future__ import annotations

import json

import pytest

from snpwire.capture.kernel_log import FAMILIES, Reader, records
from snpwire.wire.vmsa import Vmsa

KVM = "kvm_amd: kvm [7312]: vcpu1, guest rIP: 0x0 vmgexit: "
ASP = "sev-guest sev-guest: Detected error from ASP request. rc: "
CPUID = "eax:0x{:08x}, ebx: 0x00000100, ecx: 0x00000b00, edx: 0x00000000"
TRACE = "       CPU 0/KVM-4242    [003] d..1.  1234.567890: "
LINES = [
    # entries of the reverse map table
    (
        "SEV-SNP: PFN 0x1a8601, RMP entry: [0x40a8000040201001 - 0x0000000000000f0f]",
        "rmp-entry",
        {"state": "GUEST_VALID", "rights": {
            "vmpl0": ["read", "write", "exec_user", "exec_supervisor"],
            "vmpl1": ["read", "write", "exec_user", "exec_supervisor"],
        }},
    ),
    (
        "SEV-SNP: PFN: 0x1a8640, [0x4050000040240005 - 0x0000000000000000]",
        "rmp-entry",
        {"pfn": "0x1a8640", "lo": "0x4050000040240005", "state": "PRE_SWAP"},
    ),
    (
        "RMPEntry paddr 0x20cee00000 000000000000000f 8000000000000ffd",
        "rmp-entry",
        {"pfn": "0x20cee00", "hi": "0x000000000000000f", "lo": "0x8000000000000ffd"},
    ),
    (
        "RMPEntry paddr 0x20cee01000: [high=0x0000000000000001 low=0x0000000000000004]",
        "rmp-entry",
        {"pfn": "0x20cee01", "hi": "0x0000000000000001", "state": "HV_FIXED"},
    ),
    (
        "RMPEntry paddr 0x1000 [assigned=1 immutable=0 pagesize=1 gpa=0x200 asid=3 vmsa=0"
        " validated=1]",
        "rmp-decoded",
        {"pfn": "0x1", "page_size": 1, "asid": 3, "state": "GUEST_VALID"},
    ),
    (
        "PFN 0x1a8777 unassigned, dumping non-zero entries in 2M PFN region:"
        " [0x1a8600 - 0x1a8800]",
        "rmp-region",
        {"first": "0x1a8600", "end": "0x1a8800"},
    ),
    ("Failed to read RMP entry for PFN 0x9f00000, error -14", "rmp-unreadable", {"error": -14}),
    ("Can't dump RMP entry for HVA ffff8881a8601000: no PTE/PFN found", "rmp-unmapped",
     {"hva": "0xffff8881a8601000"}),
    ("RMPUPDATE failed for PFN 1a8601, pg_level: 1, ret: 2", "rmpupdate-failed",
     {"pfn": "0x1a8601", "result": "FAIL_PERMISSION"}),
    ("Leaking PFN range 0x1a8600-0x1a8800", "pages-leaked", {"end": "0x1a8800"}),
    ("#PF: error_code(0x80000003) - RMP violation", "rmp-fault",
     {"bits": ["present", "write", "RMP"]}),
    ("#PF: error_code(0x1800000a3) - RMP violation", "rmp-fault",
     {"bits": ["present", "write", "protection key", "RMP", "bits without a name 0x100000080"]}),
    # start-up of a host: 0x40900000 bytes, less 16 KiB, a page of 4 KiB for each 16 of them
    ("RMP table physical range [0x0000000011500000 - 0x0000000051dfffff]", "rmp-table",
     {"size": 0x40900000, "covers": (0x40900000 - 0x4000) * 256}),
    ("Segmented RMP using 128GB segments", "rmp-segment-size", {"size_gb": 128}),
    ("RMP segment 0 physical address [0x8800000 - 0x10ffffff] covering [0x0 - 0x87fffffff]",
     "rmp-segment", {"index": 0, "covered_last": "0x87fffffff"}),
    ("Memory for the RMP table has not been reserved by BIOS", "rmp-missing", {}),
    ("SEV-SNP API:1.55 build:21", "firmware-version", {"major": 1, "minor": 55, "build": 21}),
    ("SEV-SNP: failed to INIT rc -5, error 0x3", "init-failed",
     {"rc": -5, "status": "INVALID_CONFIG"}),
    # KVM
    (f"{KVM}ghcb usage 0x1 is not valid", "kvm-refused",
     {"pid": 7312, "vcpu": 1, "guest_rip": "0x0", "reason": "INVALID_USAGE"}),
    (f"{KVM}exit code 0x80000018 is not valid", "kvm-refused",
     {"exit": "SNP_RUN_VMPL", "reason": "INVALID_EVENT"}),
    (f"{KVM}exit code 0x80000010 input is not valid", "kvm-refused",
     {"exit": "SNP_PAGE_STATE_CHANGE", "reason": "MISSING_INPUT"}),
    (f"{KVM}GHCB GPA [0x123f000] is not registered.", "kvm-refused", {"gpa": "0x123f000"}),
    (f"{KVM}error mapping GHCB [0x0] from guest", "kvm-refused", {"gpa": "0x0"}),
    (f"{KVM}unsupported event - exit_info_1=0x404, exit_info_2=0x0", "kvm-unsupported-event",
     {"exit": "PAGE_NOT_VALIDATED"}),
    ("kvm_amd: vmgexit: scratch area exceeds KVM limits (0x20000 requested, 0x10000 limit)",
     "kvm-scratch", {"length": "0x20000", "reason": "INVALID_SCRATCH_AREA"}),
    (f"{KVM}mismatched AP sev_features [0x9] != [0x1] from guest", "kvm-ap-refused",
     {"given": "0x9", "wanted": "0x1", "reason": "INVALID_INPUT"}),
    ("SEV: Unable to split RMP entry for GPA 0x40200000 PFN 0x1a8600 ret 3", "kvm-rmp-split",
     {"ret": 3}),
    # terminations: set 0, code 2; in the GHCB set 0 and code 2 are 0x20, SEV_STATUS bit 16
    ("kvm_amd: SEV-ES guest requested termination: 0x0:0x2", "termination",
     {"reason_set": "GHCB_SPEC", "reason": "SNP_FEATURES_UNSUPPORTED"}),
    ("kvm_amd: SEV-ES guest requested termination: reason 0x20 info 0x10000", "termination",
     {"reason_set": "GHCB_SPEC", "reason": "SNP_FEATURES_UNSUPPORTED"}),
    ("kvm_amd: SEV-ES guest requested termination: 0x1:0x9", "termination",
     {"reason_set": "LINUX", "reason": "SVSM_CAA"}),
    ("kvm_amd: SEV-ES guest requested termination: 0x7:0xff", "termination",
     {"reason_set": 7, "reason": "unknown"}),
    # tracepoints
    (f"{TRACE}kvm_vmgexit_enter: vcpu 0, exit_reason 72, exit_info1 0, exit_info2 0",
     "vmgexit-enter",
     {"task": "CPU 0/KVM", "pid": 4242, "cpu": 3, "flags": "d..1.", "exit": "CPUID"}),
    (f"{TRACE}kvm_vmgexit_exit: vcpu 0, exit_reason 80000011, exit_info1 0, exit_info2 200000000",
     "vmgexit-exit", {"exit": "SNP_GUEST_REQUEST", "exit_info2": "0x200000000"}),
    (f"{TRACE}kvm_vmgexit_msr_protocol_enter: vcpu 3, ghcb_gpa 0000000000000080", "msr-enter",
     {"message": "HV_FEATURES_REQ"}),
    (f"{TRACE}kvm_vmgexit_msr_protocol_exit: vcpu 3, ghcb_gpa 0000000000003081, result 1",
     "msr-exit", {"message": "HV_FEATURES_RESP", "result": 1}),
    (f"{TRACE}kvm_rmp_fault: vcpu 2 gpa 0000000040200000 pfn 0x1a8600 error_code 0x980000007"
     " rmp_level 2 psmash_ret 0",
     "rmp-npf", {"error_bits": "present write user rmp gpa_final sizem"}),
    # pages
    (
        "snp-page msr out t=1 cpu=0 pid=1 vcpu=3 result=1: 0x0000000000003081",
        "page",
        {"page": "msr", "way": "out", "message": "HV_FEATURES_RESP", "result": 1},
    ),
    # a guest
    (f"{ASP}-110, exitinfo2: 0x200000000", "guest-request-failed",
     {"errno": "ETIMEDOUT", "vmm_error": "BUSY", "fw_error": "SUCCESS"}),
    (f"{ASP}-5, fw_err: 22", "guest-request-failed",
     {"errno": "EIO", "vmm_error": "NONE", "fw_error": "INVALID_PARAM"}),
    ("SEV: Disabling VMPCK2 communication key to prevent IV reuse.", "guest-key-wiped",
     {"vmpck": 2, "after_line": 0}),
    ("sev-guest sev-guest: Disabling vmpck_id: 1 to prevent IV reuse.", "guest-key-wiped",
     {"vmpck": 1}),
    ("sev-guest sev-guest: Detected unexpected decode failure from ASP. rc: -74",
     "guest-answer-wrong", {"errno": "EBADMSG"}),
    ("sev-guest sev-guest: request [seqno 9007199254740993 type 5 version 1 sz 96]",
     "guest-message", {"name": "REPORT_REQ", "seqno": "0x20000000000001"}),
    ("SEV: Unsupported exit-code 0x404 in #VC exception (IP: 0xffffffff81012345)",
     "vc-unsupported", {"exit": "PAGE_NOT_VALIDATED", "ip": "0xffffffff81012345"}),
    ("SNP: PSC failed ret=0 exit_info_2=100000002", "psc-failed", {"exitinfo2": "0x100000002"}),
    ("SEV: index=  0 fn=0x80000021 subfn=0x00000001: eax=0x18000045 ebx=0x00000000"
     " ecx=0x00000000 edx=0x00000000 xcr0_in=0x0000000000000003 xss_in=0x0000000000000000"
     " reserved=0x0000000000000000",
     "cpuid-row",
     {"fn": "0x80000021", "subfn": "0x1", "eax": "0x18000045", "xcr0_in": "0x0000000000000003"}),
    ("SEV: Status: SEV SEV-ES SEV-SNP ", "guest-features",
     {"features": ["SEV", "SEV-ES", "SEV-SNP"]}),
    # QEMU: 0x18000245 ^ 0x18000045 is bit 9
    (f"qemu: SEV-SNP: CPUID validation failed for function 0x80000021, index: 0x0, provided:"
     f" {CPUID.format(0x18000245)}, expected: {CPUID.format(0x18000045)}",
     "cpuid-mismatch", {"differ": ["eax"], "provided_eax": "0x18000245"}),
    ("qemu: sev_snp_launch_finish: SNP_LAUNCH_FINISH ret=-5 fw_error=11 'Bad measurement'",
     "launch-failed", {"refused_by": "firmware", "status": "BAD_MEASUREMENT"}),
    ("qemu: sev_snp_launch_start: SNP_LAUNCH_START ret=-22 fw_error=0 ''", "launch-failed",
     {"refused_by": "kernel", "ret": -22}),
    # other programs: test_log_programs has the rest
    ("4242@1700000000.123456:kvm_sev_snp_launch_update src 0x7f0000000000 gpa 0xffe00000"
     " len 0x200000 (Normal page)", "launch-update", {"page_type": "NORMAL", "pages": 512}),
    ("[SVSM] Launching Firmware", "svsm-start", {}),
    ("MMIO using encrypted memory: FED40000", "ovmf-mmio", {"address": "0xfed40000"}),
    ("thread 'vcpu1' panicked at src/mod.rs:7:9: GHCB_INFO_NORMAL: Unhandled exit code: 7c",
     "vmm-exit", {"code": "0x7c", "name": "MSR"}),
    ("because: Known SEV FW Error: Status Code: 0x27: The key requested is invalid.",
     "tool-status", {"status": "INVALID_KEY"}),
    # the IOMMU: devid 0xc109 is bus 0xc1, device 1, function 1
    ("pci 0000:c1:00.0: AMD-Vi: Event logged [RMP_PAGE_FAULT vmg_tag=0x0000, gpa=0x40200000,"
     " flags_rmp=0x0005, flags=0x0020]", "iommu-rmp-fault", {"device": "0000:c1:00.0"}),
    ("AMD-Vi: Event logged [RMP_HW_ERROR devid=0xc109, vmg_tag=0x0001, spa=0x11504010,"
     " flags=0x0000]", "iommu-rmp-error", {"device": "c1:01.1", "spa": "0x11504010"}),
]  # fmt: skip


def read(*lines):
    return list(records(["\n".join(lines).encode()]))


def plain(record):
    return json.loads(json.dumps(record.to_plain()))


@pytest.mark.parametrize(("line", "kind", "fields"), LINES, ids=[line[:60] for line, *_ in LINES])
def test_a_line_becomes_its_record(line, kind, fields):
    (record,) = read(line)

    shown = plain(record)
    assert shown["kind"] == kind
    assert {name: shown["fields"][name] for name in fields} == fields
    assert record.text
    assert record.text.isprintable()


def test_there_are_lines_of_every_family():
    families = {read(line)[0].family for line, *_ in LINES}

    assert len(LINES) > 40
    assert families == FAMILIES.keys() - {"ccp"}  # its lines make blocks


# Guests


def test_a_throttled_request_and_the_wiped_key_are_told_as_one_story():
    failed, wiped = read(
        "[   95.100000] sev-guest sev-guest: Detected error from ASP request. rc: -110,"
        " exitinfo2: 0x200000000",
        "[   95.100001] usb 1-1: new device",
        "[   95.100002] sev-guest sev-guest: Disabling vmpck_id 0 to prevent IV reuse.",
    )

    assert "throttled the request until the driver gave up" in failed.cause
    assert "wipes the key" in failed.consequence
    assert wiped.fields["after_line"] == 1
    assert wiped.cause == f"line 1: {failed.cause}"
    assert "no reports" in wiped.consequence
    assert "reboot" in wiped.consequence
    assert "vmpck_id" in wiped.remedy


def test_a_failure_explains_one_wiped_key_and_not_the_next():
    *_, other = read(f"{ASP}-5, exitinfo2: 0x16", *["Disabling VMPCK1 communication key to"
                     " prevent IV reuse."] * 2)  # fmt: skip

    assert other.fields["after_line"] == 0
    assert other.cause == "the failed request is not in this log"


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ("0xffffffffffffffff", "never left the guest"),
        ("0xff", "never left the guest"),
        ("0x100000000", "the certificates did not fit"),
        ("0xffffffff00000000", "the hypervisor refused"),
        ("0x700000000", "the hypervisor refused: unknown error"),
        ("0x27", "the firmware refused: INVALID_KEY"),
        ("0xee", "the firmware refused: status 0xee, which has no name"),
        ("0x0", "neither hypervisor nor firmware refused: -5 EIO"),
    ],
)
def test_each_half_of_exitinfo2_has_its_cause(info, said):
    (record,) = read(f"{ASP}-5, exitinfo2: {info}")

    assert said in record.cause


# Blocks


def ccp(*lines):
    return read(*(f"[    6.31200{n}] {line}" for n, line in enumerate(lines)))


HEAD = "ccp 0000:49:00.1: sev command id 0x4 buffer 0x0000000102a3f000 timeout 100s"
IN = "(in):  00000000: 0000 0000 0000 0000 0000 0000"
OUT = "(out): 00000000: 3301 0000 0000 0300 0000 0000"


def test_swapped_pairs_are_put_right_and_read_by_the_commands_id():
    (record,) = ccp(HEAD, IN, OUT)

    shown = plain(record)["fields"]
    assert shown["out"] == "013300000000000300000000"
    assert shown["out_kind"] == "sev-platform-status"
    assert shown["out_fields"]["api_major"] == 1
    assert shown["out_fields"]["api_minor"] == 0x33
    assert shown["out_fields"]["build_id"] == 3
    assert (record.line, record.last) == (1, 3)
    assert record.text.endswith("done")


def test_lines_of_others_may_stand_within_a_command():
    found = ccp(HEAD, "usb 1-1: new", IN, "Leaking PFN range 0x1-0x2", OUT)

    assert [record.kind for record in found] == ["ccp-command", "pages-leaked"]
    assert [record.line for record in found] == [1, 4]
    assert found[0].fields["out"][:2] == b"\x01\x33"


def test_a_failed_command_has_status_and_error_stack():
    (record,) = ccp(
        "ccp: sev command id 0xc7 buffer 0x0000000102a40000 timeout 100s",
        "(in):  00000000: 1000 1a86 0000 0000",
        "ccp: sev command 0xc7 failed (0x0000001a)",
        "ccp: Additional error information reported in cmdbuff:",
        "ccp:   cmdbuff hi: 0x00000000",
        "ccp:   cmdbuff lo: 0x00004c03",
        "(out): 00000000: 1000 1a86 0000 0000",
    )

    shown = plain(record)["fields"]
    assert shown["status"] == "INVALID_PAGE_STATE"
    assert shown["extended_errors"] == [0x4C03 & 0x3FF, 0x4C03 >> 10]
    assert shown["in_fields"]["page"] == "0x000000001a861000"
    assert "failed 0x1a INVALID_PAGE_STATE" in record.text
    assert record.cause.startswith("INVALID_PAGE_STATE: ")


def test_a_row_in_single_bytes_ends_a_buffer_of_odd_size():
    (record,) = ccp(
        "ccp: sev command id 0x15 buffer 0x0000000102a40000 timeout 100s",
        "(in):  00000000: 0201 0403 0605 0807 0a09 0c0b 0e0d 100f",
        "(in):  00000010: 11 12 13",
        "(out): 00000000: 0201 0403 0605 0807 0a09 0c0b 0e0d 100f",
        "(out): 00000010: 11 12 13",
    )

    assert record.fields["out"] == bytes(range(1, 0x14))


def test_a_command_that_times_out_is_over():
    (record,) = ccp(HEAD, IN, "ccp: sev command 0x4 timed out, disabling PSP")

    assert record.fields["timed_out"] is True
    assert "every later command fails" in record.consequence
    assert record.remedy


def test_a_command_without_rows_ends_where_the_next_begins():
    first, second = ccp(
        "ccp: sev command id 0x84 buffer 0x0000000000000000 timeout 100s", HEAD, IN, OUT
    )

    assert (first.fields["name"], second.fields["name"]) == ("SNP_DF_FLUSH", "PLATFORM_STATUS")


def test_an_end_without_its_beginning_is_a_command_too():
    (record,) = ccp("ccp: sev command 0x90 failed (0x00000012)")

    assert record.fields["name"] == "SNP_DECOMMISSION"
    assert plain(record)["fields"]["status"] == "ACTIVE"


def test_a_row_that_does_not_follow_is_no_part_of_a_command():
    found = ccp(HEAD, IN, IN, "(in):  00000020: 0102", OUT, IN)

    assert [record.kind for record in found] == ["ccp-command", "ccp-row", "ccp-row", "ccp-row"]
    assert found[2].fields["data"] == b"\x02\x01"
    assert len(found[0].fields["in"]) == 12


def test_a_buffer_of_a_size_that_no_kind_has_is_shown_as_it_is():
    short = IN.replace(" 0000 0000 0000 0000 0000 0000", " 0000 0000")
    (record,) = ccp(HEAD, short, short.replace("(in): ", "(out):"))

    assert "in_fields" not in record.fields
    assert record.meaning == "4 bytes, which is no sev-platform-status: shown as they are"


def test_a_buffer_that_only_goes_in_is_told_before_the_command():
    (record,) = ccp(
        "ccp: sev command id 0xa2 buffer 0x0000000102a40000 timeout 100s",
        *(f"(in):  000000{n:02x}: {' '.join(['4241'] * 8)}" for n in range(0, 0x40, 16)),
    )

    assert record.meaning.startswith("cmd-launch-finish: ")
    assert "41424142" in record.meaning.replace(" ", "")


GHCB = [
    "kvm_amd: GHCB (GPA=000000000123f000) snapshot:",
    "kvm_amd: sw_exit_code        0000000080000010 is_valid: 1",
    "kvm_amd: sw_exit_info_1      0000000000000000 is_valid: 1",
    "kvm_amd: sw_exit_info_2      0000000000000000 is_valid: 1",
    "kvm_amd: sw_scratch          0000000000000000 is_valid: 0",
    "kvm_amd: valid_bitmap        001c0000,00000000,00000000,00000000",
]


def test_a_ghcb_says_what_its_exit_lacks():
    (record,) = read(*GHCB)

    shown = plain(record)["fields"]
    assert shown["gpa"] == "0x123f000"
    assert shown["exit"] == "SNP_PAGE_STATE_CHANGE"
    assert shown["valid_bitmap"] == ["sw_exit_code", "sw_exit_info_1", "sw_exit_info_2"]
    assert record.meaning.endswith("though this exit needs it: sw_scratch")


def test_a_bitmap_that_kvm_cleared_says_nothing():
    (record,) = read(*[line.replace(" snapshot", "").replace("001c", "0000") for line in GHCB])

    assert record.fields["valid_bitmap"] is None
    assert "what KVM left" in record.meaning


def test_two_pages_that_are_logged_at_once_are_told_apart_by_their_thread():
    ours = [f"[  701.1] [   T11] {line}" for line in GHCB]
    theirs = [f"[  701.1] [   T22] {line.replace('80000010', '00000072')}" for line in GHCB]
    mixed = [line for pair in zip(ours, theirs, strict=True) for line in pair]

    found = read(*mixed)

    assert {record.caller: record.fields["exit"] for record in found} == {
        "T11": "SNP_PAGE_STATE_CHANGE",
        "T22": "CPUID",
    }


def test_a_page_that_is_not_whole_is_said_to_be_so():
    (record,) = read(*GHCB[:3])

    assert record.meaning.startswith("not whole: the GHCB block")


def test_a_save_area_is_read_from_rows_without_offsets():
    vmsa = Vmsa(rip=0xFFF0, cr0=0x10, sev_features=1)
    rows = [vmsa.build()[n : n + 16].hex(" ") for n in range(0, 1648, 16)]

    record, after = read("kvm_amd: Virtual Machine Save Area (VMSA):", *rows, "other", "more",
                         "Leaking PFN range 0x1-0x2")  # fmt: skip

    shown = plain(record)["fields"]
    assert (shown["size"], shown["data"]) == (1648, vmsa.build()[:1648].hex())
    assert shown["rip"] == "0x000000000000fff0"
    assert shown["sev_features"] == ["snp_active"]
    assert (record.line, record.last, after.line) == (1, 104, 107)


def test_registers_that_are_not_in_the_log_are_not_shown():
    (record,) = read("Virtual Machine Save Area (VMSA):", "00 " * 16)

    assert record.text == "save area of 16 bytes"


def test_a_complaint_over_three_lines_is_one_record():
    (record,) = read(
        "qemu: SEV-SNP: CPUID validation failed for function 0x8000001e, index: 0x0.",
        f"provided: {CPUID.format(0)}",
        f"expected: {CPUID.format(0).replace('b00', '300')}",
    )

    assert plain(record)["fields"]["differ"] == ["ecx"]
    assert "ecx bit 11" in record.meaning


# What is pending when a log pauses


def test_a_pause_ends_what_may_be_whole_but_no_command_that_runs():
    reader = Reader()
    text = "\n".join([*GHCB[:2], HEAD, IN, ""])
    list(reader.feed(text.encode()))

    (record,) = reader.idle()
    rest = list(reader.feed(f"{OUT}\n".encode()))

    assert record.kind == "kvm-ghcb"
    assert [later.kind for later in rest] == ["ccp-command"]


# Errors in the text


@pytest.mark.parametrize(
    "line",
    [
        "RMPEntry paddr 0x1000 [assigned=7 immutable=0 pagesize=1 gpa=0x200 asid=3 vmsa=0"
        " validated=1]",
        "RMPEntry paddr 0x1000 [assigned=1 immutable=0 pagesize=1 gpa=0x200 asid=-3 vmsa=0"
        " validated=1]",
    ],
)
def test_fields_that_no_entry_can_have_are_said_to_be_so(line):
    (record,) = read(line)

    assert record.meaning.startswith("no entry can be so: ")


def test_forms_of_one_entry_that_disagree_are_said_to_do_so():
    _, record = read(
        "RMPEntry paddr 0x1000 [assigned=1 immutable=1 pagesize=0 gpa=0x0 asid=0 vmsa=0"
        " validated=0]",
        "RMPEntry paddr 0x1000 0000000000000000 0000000000000001",
    )

    assert record.meaning.endswith("not what line 1 says of it: immutable differ")


@pytest.mark.parametrize(
    ("line", "caller", "time"),
    [
        ("       CPU 0/KVM-4242    [003] .....  1234.567890: ", "CPU 0/KVM-4242", "1234.567890"),
        (" CPU 0/KVM-4242  [003]  1234.567890: ", "CPU 0/KVM-4242", "1234.567890"),
        (" CPU 0/KVM-4242    (   4200) [003] ..... 1.234567: ", "CPU 0/KVM-4242", "1.234567"),
        (" <...>-88 [003] d..1. 99.000001: ", "<...>-88", "99.000001"),
        ("CPU 0/KVM  4242 [003]  1234.567890: kvm:", "CPU 0/KVM-4242", "1234.567890"),
        ("[  12.345678] ", "", "12.345678"),
        ("", "", ""),
    ],
    ids=["ftrace", "trace-cmd", "with tgid", "task unknown", "perf", "dmesg", "bare"],
)
def test_columns_before_an_event_are_its_caller_and_time(line, caller, time):
    event = "kvm_vmgexit_enter: vcpu 0, exit_reason 72, exit_info1 0, exit_info2 0"

    (record,) = read(f"{line}{event}")

    assert (record.caller, record.time) == (caller, time)
