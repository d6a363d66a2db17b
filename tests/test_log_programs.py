"""Lines of the programs between kernel and person: QEMU, SVSM, OVMF, other hypervisors, tools.

The lines are made for these tests, in the wordings of specs/log.toml.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.capture.kernel_log import records
from snpwire.capture.logs.launch_reasons import FIRMWARE, firmware_reasons, kernel_reasons
from snpwire.capture.logs.qemu_run import SENTENCES
from snpwire.capture.logs.statement import Statement, statement
from snpwire.capture.logs.tcb_versions import component
from snpwire.rules.commands import CHECKS
from snpwire.wire.command_table import CommandId
from snpwire.wire.kvm_sev import KvmSevCommand
from snpwire.wire.operands import VmmError
from snpwire.wire.status import Status

QEMU = "qemu-system-x86_64: "
REGISTERS = (
    "EAX=00000000 EBX=00000000 ECX=00000000 EDX=00000000",
    "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0",
    "CS =f000 ffff0000 0000ffff 00009b00",
    "CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000",
    "EFER=0000000000001000",
    "Code=<??> ?? ?? ??",
)


def read(*lines):
    return list(records(["\n".join(lines).encode()]))


def one(*lines):
    (record,) = read(*lines)
    return record


def said(record):
    """Return everything that a record says to a person."""
    return " ".join((record.text, record.meaning, record.cause, record.consequence, record.remedy))


# QEMU: launches


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        ("SEV information block/Firmware GUID Table block not found in pflash rom",
         "qemu_reset_block", "AmdSev"),
        ("../target/i386/sev.c:9: snp_launch_update_kernel_hashes: Assertion"
         " `sev_snp->kernel_hashes_data' failed.", "qemu_no_hashes", "bzImage"),
        ("vfio 0000:21:00.0: failed to setup container for group 4: Cannot set discarding of RAM"
         " broken: Device or resource busy", "qemu_passthrough", "9.2"),
        ("-object sev-snp-guest,id=s,kernel-hashes=on: Invalid parameter 'kernel-hashes'",
         "qemu_property", "no option kernel-hashes"),
        ("-object sev-snp-guest,id=s,policy=0xzz: Parameter 'policy' expects uint64",
         "qemu_value", "has to be uint64"),
    ],
)  # fmt: skip
def test_what_qemu_refuses_before_a_launch_is_explained(line, key, words):
    record = one(QEMU + line)

    assert record.format == key
    assert words in said(record)


def test_a_refused_object_is_told_beside_its_options():
    options, refused = read(
        f"{QEMU}-object sev-snp-guest,id=sev0,policy=0xb0000: Parameter 'qom-type' does not accept"
        " value 'sev-snp-guest'"
    )

    assert options.fields["policy"] == 0xB0000
    assert "9.1" in refused.meaning


@pytest.mark.parametrize(
    ("shown", "command", "word"),
    [
        ("CreateLauncher(Custom { kind: Other, error: IoError(Os { code: 22, kind: InvalidInput",
         "INIT", "EINVAL"),
        ("LaunchStart(Os { code: 25, kind: X }))", "SNP_LAUNCH_START", "ENOTTY"),
        ("LaunchFinish(FirmwareError(KnownSevError(BadMeasurement))))", "SNP_LAUNCH_FINISH",
         "BAD_MEASUREMENT"),
        ("LaunchUpdate", "SNP_LAUNCH_UPDATE", "EIO"),
    ],
)  # fmt: skip
def test_a_launch_of_libkrun_is_explained_as_one_of_qemu(shown, command, word):
    record = one(f"Building the microVM failed: SecureVirtPrepare(SnpSecVirtPrepare({shown}")

    assert (record.kind, record.fields["command"]) == ("launch-failed", command)
    assert word in said(record)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ("SystemEvent(6, [256])", "termination 0x0:0x0"),
        ("SystemEvent(6, [135424])", "termination 0x1:0x2"),
        ("SystemEvent(2, [0])", "system event 2"),
    ],
)
def test_a_system_event_has_the_reason_that_is_in_it(shown, words):
    record = one(f"ERROR vmm::linux::vstate] Unexpected exit reason on vcpu run: {shown}")

    assert record.kind == "termination"
    assert words in said(record)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kvm_amd: SEV-SNP requires restricted memory.", "memory-backend-memfd-private"),
        ("kvm_amd: unknown parameter 'sev-snp' ignored", "has no parameter sev-snp"),
        (QEMU + "sev_kvm_init: kernel does not support restricted guest memory", "guest_memfd"),
    ],
)
def test_a_kernel_of_another_series_is_told(line, words):
    assert words in said(one(line))


@pytest.mark.parametrize(
    ("line", "features"),
    [
        ("AMD Memory Encryption Features active: SEV SEV-ES SEV-SNP", "SEV SEV-ES SEV-SNP"),
        ("AMD Memory Encryption Features active: SEV", "SEV"),
        ("AMD Secure Encrypted Virtualization (SEV) active", "SEV"),
    ],
)
def test_features_of_an_older_guest_are_read(line, features):
    record = one(line)

    assert record.kind == "guest-features"
    assert record.text == f"features {features}"


def test_a_question_of_the_monitor_that_is_refused_stops_no_guest():
    record = one("SEV: Failed to get attestation report ret=-22 fw_err=0 ()")

    assert record.consequence == ""
    assert record.cause.startswith("the kernel is older than 5.12")
    assert "/dev/sev-guest" in record.remedy


def test_a_number_that_is_no_error_of_the_kernel_has_no_name():
    record = one("sev_guest_init: failed to get platform status ret=-1fw_error='0: '")

    assert record.text == "PLATFORM_STATUS  ret -1  fw_error 0"
    assert record.fields["errno"] == ""
    assert "ccp" in record.cause


@pytest.mark.parametrize(
    ("line", "command", "errno", "words"),
    [
        ("sev_snp_launch_start: SNP_LAUNCH_START ret=-22 fw_error=0 ''", "SNP_LAUNCH_START",
         "EINVAL", "bit 17"),
        ("sev_snp_launch_start: SNP_LAUNCH_START ret=-1 errno=25 fw_error=0 'x'",
         "SNP_LAUNCH_START", "ENOTTY", "not an SNP one"),
        ("sev_snp_launch_start: LAUNCH_SNP_START ret=-25 fw_error=0 ''", "SNP_LAUNCH_START",
         "ENOTTY", "not an SNP one"),
        ("SNP_LAUNCH_UPDATE ret=-5 fw_error=0", "SNP_LAUNCH_UPDATE", "EIO", "set private first"),
        ("SNP_LAUNCH_UPDATE ret=-22 fw_error=0 ''", "SNP_LAUNCH_UPDATE", "EINVAL", "guest_memfd"),
        ("SNP_LAUNCH_FINISH ret=-22 fw_error=0 ''", "SNP_LAUNCH_FINISH", "EINVAL", "ID block"),
        ("sev_launch_update_data: LAUNCH_UPDATE ret=-12 fw_error=0 ''", "LAUNCH_UPDATE", "ENOMEM",
         "RLIMIT_MEMLOCK"),
        ("sev_launch_start: LAUNCH_START ret=-25 fw_error=0 ''", "LAUNCH_START", "ENOTTY", "INIT"),
        ("sev_common_kvm_init: failed to initialize ret=-16 fw_error=0 ''", "INIT", "EBUSY",
         "ASIDs are in use"),
        ("sev_kvm_init: failed to initialize ret=-22 fw_error=0 ''", "INIT", "EINVAL",
         "KVM_SEV_INIT2"),
        ("SEV: failed to inject secret ret=-14 fw_error=0 ''", "LAUNCH_SECRET", "EFAULT", "read"),
        ("SEV: Failed to get attestation report ret=-25 fw_err=0 ()", "GET_ATTESTATION_REPORT",
         "ENOTTY", "INIT"),
    ],
)  # fmt: skip
def test_a_step_that_the_kernel_refuses_has_the_checks_of_that_command(line, command, errno, words):
    record = one(QEMU + line)

    assert record.fields["command"] == command
    assert record.fields["errno"] == errno
    assert record.fields["refused_by"] == "kernel"
    assert any(words in reason for reason in record.fields["reasons"])
    assert "the kernel refused, the firmware was not asked" in record.meaning
    assert "SUCCESS" not in record.text


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("SNP_LAUNCH_START ret=-5 fw_error=7 'Policy is not allowed'", "POLICY_FAILURE", "SMT"),
        ("SNP_LAUNCH_UPDATE ret=-5 fw_error=22 'x'", "INVALID_PARAM", "CPUID page"),
        ("SNP_LAUNCH_FINISH ret=-5 fw_error=11 'x'", "BAD_MEASUREMENT", "ld of the ID block"),
        ("SNP_LAUNCH_FINISH ret=-5 fw_error=10 'x'", "BAD_SIGNATURE", "author key"),
        ("SNP_LAUNCH_FINISH ret=-1 errno=5 fw_error=7 'x'", "POLICY_FAILURE", "the ID block"),
    ],
)
def test_a_step_that_the_firmware_refuses_has_its_checks_and_where_all_are(line, status, words):
    record = one(QEMU + line)

    assert record.fields["refused_by"] == "firmware"
    assert record.fields["status"].name == status
    assert status in record.text
    assert any(words in reason for reason in record.fields["reasons"])
    assert "snpwire explain command SNP_LAUNCH_" in record.remedy


def test_a_verb_is_not_taken_for_a_command():
    record = one(f"{QEMU}sev_kvm_init: failed to initialize ret=-22 fw_error=0 ''")

    assert record.text.startswith("making the guest an SEV one (INIT)  ret -22 EINVAL")
    assert "QEMU and the kernel do not fit each other" in record.cause


def test_a_number_of_qemus_own_is_not_taken_for_the_kernels_error():
    (start, status) = read(
        f"{QEMU}sev_launch_start: LAUNCH_START ret=1 fw_error=0 ''",
        f"{QEMU}sev_kvm_init: failed to get platform status ret=-1 fw_error='0: '",
    )

    for record in (start, status):
        assert record.fields["refused_by"] == "unknown"
        assert "QEMU's own" in record.meaning
        assert "EPERM" not in record.text.replace("ret -1 EPERM", "")


def test_the_lines_in_which_qemu_gives_up_belong_to_the_failure():
    record = one(
        f"{QEMU}sev_snp_launch_start: SNP_LAUNCH_START ret=-25 fw_error=0 ''",
        f"{QEMU}sev_kvm_init: failed to create encryption context",
        f"{QEMU}failed to initialize kvm: Operation not permitted",
    )

    assert (record.line, record.last) == (1, 3)
    assert "no rights are missing" in record.consequence


def test_a_failure_of_a_command_without_known_checks_says_its_status_alone():
    record = one(f"{QEMU}sev_kvm_init: failed to get platform status ret=-5 fw_error='3: x'")

    assert record.fields["status"] is Status.INVALID_CONFIG
    assert record.cause == record.remedy == ""


@pytest.mark.parametrize("quoted", ["'x'", '"x"', "\u2018x\u2019", "&#39;x&#39;", r"\'x\'", ""])
def test_what_is_quoted_behind_the_numbers_may_be_quoted_otherwise_or_missing(quoted):
    record = one(f"{QEMU}sev_snp_launch_start: SNP_LAUNCH_START ret=-5 fw_error=7 {quoted}")

    assert record.fields["status"] is Status.POLICY_FAILURE


def test_reasons_of_the_firmware_are_checks_of_that_command_or_of_one_within_it():
    within = {KvmSevCommand.SNP_LAUNCH_START: CommandId.SNP_ACTIVATE}

    for command, status in FIRMWARE:
        ids = {CommandId[command.name], within.get(command, CommandId[command.name])}
        statuses = {s for number in ids for check in CHECKS[number] for s in check.statuses}
        assert status in statuses, (command, status)


@given(st.sampled_from(KvmSevCommand), st.integers(-200, 200), st.integers(0, 0xFFFF_FFFF))
def test_any_numbers_have_reasons_or_none_and_each_once(command, errno, status):
    for rows in (kernel_reasons((command,), errno), firmware_reasons((command,), status)):
        assert len({row.text for row in rows}) == len(rows)
        assert all(row.text for row in rows)


def test_registers_that_differ_in_adjacent_bits_show_them_as_a_run():
    row = "eax:0x{}, ebx: 0x00000000, ecx: 0x00000000, edx: 0x00000000"

    record = one(
        f"{QEMU}SEV-SNP: CPUID validation failed for function 8000001f, index: 0.",
        "SEV: another line",
        f"provided: {row.format('00000036')}",
        f"expected: {row.format('00000030')}",
    )

    assert "eax bit 1-2" in record.meaning


# QEMU: start-up


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("sev_kvm_init: Failed to open /dev/sev 'No such file or directory'", "device-missing",
         "ccp"),
        ("SEV: Failed to open /dev/sev: Permission denied", "device-missing", "may not open"),
        ("sev_kvm_init: Failed to open /dev/sev 'Operation not permitted'", "device-missing",
         "container"),
        ("sev_kvm_init: Failed to open /dev/sev 'Too many open files'", "device-missing",
         "could not be opened"),
        ("sev_common_kvm_init: cbitpos check failed, host '51' requested '47'", "qemu-setup",
         "C-bit 47 asked for, the host has 51"),
        ("sev_kvm_init: reduced_phys_bits check failed, it should be >=1, requested '0'",
         "qemu-setup", "reduced-phys-bits 0"),
        ("vm-type SEV-SNP not supported by KVM", "qemu-setup", "SEV-SNP not offered by KVM"),
        ("invalid object type: sev-snp-guest", "qemu-setup", "QEMU 9.1"),
        ("error: unsupported configuration: 'sev-snp' launch security is not supported with this"
         " QEMU binary", "qemu-setup", "capabilities"),
        ("    <sev supported='no'/>", "qemu-setup", "found no SEV"),
        ("    <sev supported='yes'>", "qemu-setup", "told apart"),
        ("Property 'sev-snp-guest.igvm-file' not found", "qemu-setup", "no option igvm-file"),
        ("sev_snp_launch_finish: Failed to locate SEV metadata header", "qemu-setup", "OVMF"),
        ("SEV-SNP: expected update of GPA range ffc00000-fff00000,got GPA range x", "qemu-setup",
         "0xffc00000-0xfff00000"),
        ("ioctl(KVM_CREATE_VM) failed: 22 Invalid argument", "qemu-setup", "type is not offered"),
        ("kvm_set_phys_mem: KVM_SET_USER_MEMORY_REGION2 failed, slot=3, start=0x0", "qemu-setup",
         "memory slot 3"),
        ("memory fault: GPA 0xa0000 size 0x1000 flags 0x8", "kvm-exit", "private (encrypted)"),
        ("memory fault: GPA 0xa0000 size 0x1000 flags 0x0", "kvm-exit", "shared (unencrypted)"),
        ("KVM_EXIT_MEMORY_FAULT: Unknown flag 0x18", "kvm-exit", "0x10"),
        ("KVM_EXIT_MEMORY_FAULT: Unknown flag 0x8", "kvm-exit", "PRIVATE"),
        ("KVM: unknown vmgexit type: 2", "kvm-exit", "different trees"),
    ],
)  # fmt: skip
def test_a_line_of_qemus_start_up_says_what_is_missing_and_where(line, kind, words):
    record = one(QEMU + line)

    assert record.kind == kind
    assert words in said(record)


def test_options_of_a_command_line_are_read_wherever_they_stand():
    record = one(
        "/usr/bin/qemu-system-x86_64 -machine q35,confidential-guest-support=sev0,"
        "memory-backend=ram1 -object memory-backend-memfd,id=ram1,size=2G,share=true"
        " -drive if=pflash,format=raw,file=OVMF.fd"
        " -object sev-snp-guest,id=sev0,cbitpos=51,policy=0xb0000,id-block=AAAA,"
        "id-auth=BBBB,author-key-enabled=on -nographic"
    )

    assert record.kind == "launch-options"
    assert record.fields["policy"] == 0xB0000
    assert record.fields["id_block"]
    assert record.fields["author_key"]
    assert record.fields["pflash"]
    assert record.fields["memory"] == "memory-backend-memfd"
    assert "debug" in record.meaning


@pytest.mark.parametrize(
    ("line", "policy"),
    [
        ('-object {"qom-type":"sev-snp-guest","id":"lsec0","policy":196608,"cbitpos":51}', 0x30000),
        (r"-object '{\"qom-type\":\"sev-snp-guest\",\"id\":\"lsec0\",\"policy\":458752}'", 0x70000),
        ("-object sev-snp-guest,id=sev0,cbitpos=51", 0x30000),
    ],
)
def test_options_may_be_json_and_the_policy_may_be_qemus_default(line, policy):
    record = one(f"LC_ALL=C /usr/bin/qemu-system-x86_64 {line}")

    assert record.fields["policy"] == policy
    assert record.fields["policy_given"] == ("policy" in line)
    assert not record.fields["id_block"]


# QEMU: a guest that was stopped


def test_an_unknown_exit_is_named_and_its_registers_are_said_to_mean_nothing():
    record = one("KVM: unknown exit reason 24", *REGISTERS)

    assert (record.line, record.last) == (1, 1 + len(REGISTERS))
    assert "SYSTEM_EVENT" in record.text
    assert "SEV_TERM" in record.meaning
    assert "mean nothing" in record.meaning
    assert "dmesg" in record.remedy
    assert record.fields["side"] == "guest"


def test_an_exit_without_registers_says_nothing_of_them():
    record, other = read("KVM: unknown exit reason 99", "KVM: unknown exit reason 39", "others")

    assert "no name here" in record.meaning
    assert "registers" not in record.meaning
    assert "MEMORY_FAULT" in other.text


@pytest.mark.parametrize(
    ("sentence", "name"),
    [("Invalid argument", "EINVAL"), ("Bad address", "EFAULT"), ("Odd thing", "unknown")],
)
def test_a_failed_run_has_the_kernels_error_by_name(sentence, name):
    record = one(f"error: kvm run failed {sentence}", *REGISTERS[:2])

    assert record.fields["errno"] == name
    assert record.fields["register_lines"] == 2
    assert "dmesg" in record.remedy


def test_a_refused_entry_and_an_internal_error_are_told_apart():
    entry, hardware, emulation, other = read(
        "KVM: entry failed, hardware error 0xffffffff",
        "KVM: unknown exit, hardware reason 31",
        "KVM internal error. Suberror: 1",
        "KVM internal error. Suberror: 9",
    )

    assert "VMEXIT_INVALID" in entry.cause
    assert hardware.cause == ""
    assert "emulate" in emulation.meaning
    assert other.fields["name"] == "unknown"


def test_sentences_of_errors_have_the_numbers_of_linux():
    import os

    for sentence, number in SENTENCES.items():
        if sentence != "I/O error":
            assert os.strerror(number) == sentence


# SVSM


def test_missing_features_of_the_hypervisor_are_named_with_whose_fault_it_is():
    record = one(
        "[SVSM] ERROR: Required hypervisor GHCB features not available: present=0x1,"
        " required=0x23, missing=0x22"
    )

    assert record.fields["missing_names"] == ["snp_ap_creation", "snp_multi_vmpl"]
    assert "run VMPL" in record.meaning
    assert "not the guest" in record.cause
    assert record.fields["side"] == "hypervisor"


def test_features_without_a_name_and_older_lists_of_names_are_shown_too():
    bare, names = read(
        "[SVSM] ERROR: Required hypervisor GHCB features not available: present=0x3,"
        " required=0x100000003, missing=0x100000000",
        "[Stage2] ERROR: Required hypervisor GHCB features not available: SEV_SNP_MULTI_VMPL",
    )

    assert "bit_32" in bare.text
    assert "SEV_SNP_MULTI_VMPL" in names.text


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Failed to write APIC.ICR: Ghcb(VmgexitError(2, 6))", "INVALID_EVENT"),
        ("x: Ghcb(VmgexitError(1, 2147484429))", "exception raised: 0x8000030d"),
        ("x: Ghcb(VmgexitError(7, 1))", "0x7, 0x1"),
        ("x: SevSnp(FAIL_SIZEMISMATCH(6))", "another size"),
        ("x: GhcbMsr(InfoMismatch)", "not to this request"),
        ("x: Vc(VcError { rip: 0x1, code: 114, error_type: Unsupported })", "CPUID"),
        ("out of memory", "cannot go on"),
    ],
)
def test_a_panic_is_told_with_its_message_and_what_its_numbers_say(message, words):
    record = one(
        "[SVSM] ERROR: Panic on CPU[0]! COCONUT-SVSM Version: 1a2b",
        "[SVSM] ERROR: Info: panicked at kernel/src/cpu/apic.rs:160:9:",
        message,
        "[SVSM] ---BACKTRACE---:",
        "[SVSM]   [0xffffff8000001000]",
        "[SVSM] ---END---",
        "others",
    )

    assert record.last == 6
    assert message in record.text
    assert words in record.meaning
    assert record.cause == "at kernel/src/cpu/apic.rs:160:9"
    assert "VMPCKs are wiped" in record.consequence


def test_a_panic_without_its_reason_and_an_older_one_are_panics_too():
    alone, older = read(
        "[SVSM] ERROR: Panic on CPU[?]! COCONUT-SVSM Version: 1a2b",
        "[SVSM] ERROR: Panic: CPU[0] panicked at 'no memory', src/svsm.rs:5:1",
    )

    assert "no reason in this log" in alone.text
    assert "src/svsm.rs:5:1" in older.text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[SVSM] ERROR: #VC handling error: Vc(VcError { code: 0x7b })", "IOIO"),
        ("Failed to handle #VC from user-mode at RIP 0x401000 code: 0x72 - Terminating task",
         "the task ends"),
        ("Failed to handle #VC from kernel-mode at RIP 0xffff code: 0x7c", "panics"),
        ("Fatal error handling core protocol request 1: SevSnp(FAIL_INPUT(1))", "PVALIDATE"),
        ("Soft error handling protocol 0 request 2: INVALID_PARAMETER", "CREATE_VCPU"),
        ("Soft error handling protocol 99 request 2: INVALID_PARAMETER", "UNKNOWN_0x63"),
        ("[SVSM] ERROR: SNP_GUEST_REQUEST failed, unknown error code=22", "INVALID_PARAM"),
        ("[SVSM] ERROR: SNP_GUEST_REQUEST failed, unknown error code=8589934592", "busy"),
        ("[SVSM] ERROR: Required features not available: SNP | VTOM", "have to be on: SNP | VTOM"),
        ("[SVSM] ERROR: Unsupported features enabled: VTOM", "may not be on: VTOM"),
        ("[SVSM] ERROR: RMPADJUST: Unexpected return value: 0x16", "22"),
        ("Unhandled #VC exception: 0x6e", "RDTSC"),
        ("Unsupported #VC exception RIP 0xffffff8000001000 error code: 0x0000000000000072",
         "CPUID"),
        ("the hypervisor doesn't support GHCB version 2 (min: 1, max: 1)", "1 to 1 are offered"),
        ("[SVSM] ERROR: Failed to start CPU 3: Ghcb(VmgexitError(2, 6))", "INVALID_EVENT"),
        ("[SVSM] ERROR: No loadable segment found in kernel ELF", "No loadable segment"),
    ],
)  # fmt: skip
def test_a_line_of_an_svsm_is_explained(line, words):
    assert words in said(one(line))


# OVMF


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("B00F8040", "PCI"),
        ("fee00020", "APIC"),
        ("FFE00010", "flash"),
        ("c0001000", "device"),
        ("fed40000", "TPM"),
    ],
)
def test_mmio_through_encrypted_memory_names_the_place_and_the_bit(address, place):
    record = one(f"MMIO using encrypted memory: {address}")

    assert place in record.text
    assert address.lower() in record.text
    assert "C-bit" in record.meaning


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("!!!! X64 Exception Type - 1D(#VC - VMM Communication)  CPU Apic ID - 00000001 !!!!",
         "ExceptionData is the exit code"),
        ("!!!! X64 Exception Type - 06(#UD - Invalid Opcode)  CPU Apic ID - 00000000 !!!!",
         "an exception that OVMF does not handle"),
        ("DxeCore:PvalidateRange: Failed to Validate address 0x80000000 Error code 6",
         "another size"),
        ("DxeCore:PvalidateRange: Failed to Invalidate address 0x80000000 Error code -22",
         "0xffffffea"),
    ],
)  # fmt: skip
def test_a_stop_of_ovmf_is_explained(line, words):
    assert words in said(one(line))


# Other hypervisors


@pytest.mark.parametrize(
    ("line", "words", "side"),
    [
        ("GHCB_INFO_NORMAL: Unhandled exit code: 0x80000014", "HV_DOORBELL", "user space"),
        ("SVM_EXITCODE_HV_DOORBELL_PAGE: Unhandled exit code: 3", "CLEAR", "user space"),
        ("Unsupported VMGEXIT operation: 100", "TERM_REQ", "guest"),
        ("Unsupported VMGEXIT operation: 0x80", "HV_FEATURES_REQ", "user space"),
        ("Unsupported VMGEXIT operation: 0x7ff", "unknown", "user space"),
        ("GHCB_MSR_TERM_REQ: Guest terminated! ghcb_msr=0x1100, reason_set=1, reason_val=0",
         "the guest ended itself", "guest"),
        ("VcpuRun(Guest requested termination via GHCB_MSR_TERM_REQ (reason_set=9, reason_val=1))",
         "not documented", "guest"),
        ("Received unexpected SEV exit code SevExitCode(72)", "CPUID", "hypervisor"),
        ("Received unexpected SEV exit code EXCP_DB", "EXCP_DB", "hypervisor"),
        ("SNP launch previously failed", "not used twice", None),
    ],
)  # fmt: skip
def test_a_line_of_another_hypervisor_is_explained(line, words, side):
    record = one(line)

    assert words in said(record)
    assert record.fields.get("side") == side


def test_a_launch_of_another_program_has_the_reasons_of_its_step():
    refused, kernel = read(
        "KVM_SEV_SNP_LAUNCH_FINISH op failed. error code: 0xb",
        "KVM_SEV_SNP_LAUNCH_START op failed. error code: 0x0",
    )

    assert "ld of the ID block" in refused.cause
    assert kernel.fields["refused_by"] == "kernel"
    assert kernel.cause == ""


# Tools


def test_an_error_that_a_tool_prints_four_times_is_one_record():
    text = "Known SEV FW Error: Status Code: 0x16: Given parameter is invalid."
    record = one(
        "ERROR: unable to fetch attestation report",
        f"because: Firmware Error Encountered: {text}",
        f"because: {text}",
        "Error: unable to fetch attestation report",
        "",
        "Caused by:",
        f"    0: Firmware Error Encountered: {text}",
        f"    1: {text}",
    )

    assert (record.line, record.last) == (2, 8)
    assert record.fields["lines"] == 4
    assert "INVALID_PARAM" in record.text
    assert "VMPL" in record.cause
    assert "--vmpl" in record.remedy


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["ioctl: Input/output error", "firmware error 29", "get_report: Input/output error"],
         Status.AEAD_OFLOW),
        (["firmware error 27", "get_extended_report: Directory not empty"], Status.INVALID_KEY),
        (["firmware error 27", "get_report: Input/output error"], Status.INVALID_MDATA_ENTRY),
        (["firmware error 22", "get_extended_report: No buffer space available"],
         Status.INVALID_PARAM),
        (["firmware error 5", "done"], Status.ALREADY_OWNED),
        (["firmware error 16", "get_extended_report: Invalid argument"], Status.INVALID_PARAM),
        (["firmware error 1d"], Status.AEAD_OFLOW),
        (["firmware error 0x1d"], Status.AEAD_OFLOW),
    ],
)  # fmt: skip
def test_a_bare_number_is_read_as_the_line_behind_it_says(lines, status):
    record = one(*lines)

    assert record.fields["status"] is status


@pytest.mark.parametrize(
    ("lines", "last", "name"),
    [
        (["because: Firmware Error Encountered: I/O Error", "because: I/O Error",
          "because: Inappropriate ioctl for device (os error 25)", "others"], 3, "ENOTTY"),
        (["0: Firmware Error Encountered: I/O Error", "1: I/O Error",
          "2: No such device (os error 19)"], 3, "ENODEV"),
        (["because: Firmware Error Encountered: I/O Error", "others"], 1, "unknown"),
    ],
)  # fmt: skip
def test_an_error_that_stands_some_lines_later_is_found_there(lines, last, name):
    record = one(*lines)

    assert record.last == last
    assert record.fields["errno"] == name


def test_how_a_bare_number_was_read_is_said_where_it_could_be_both():
    decimal, in_hex, clear = (one(f"firmware error {digits}") for digits in ("29", "1d", "7"))

    assert "read as decimal" in decimal.text
    assert "read as hex" in in_hex.text
    assert "read as" not in clear.text


def test_a_bare_number_of_the_hypervisor_is_its_error():
    record = one("firmware error 8589934592")

    assert record.fields["vmm_error"] is VmmError.BUSY
    assert record.fields["side"] == "hypervisor"


def test_dots_that_are_no_number_are_not_taken_for_one():
    assert "no number" in one("firmware error 1.2").meaning


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("because: Unknown SEV FW Error Encountered: 0", "EBADMSG"),
        ("because: Unknown SEV FW Error Encountered: 4294967296", "did not fit"),
        ("because: Unknown SEV FW Error Encountered: 85", "0x55"),
        ("Err(FirmwareError(KnownSevError(InvalidParam)))", "INVALID_PARAM"),
        ("Err(FirmwareError(KnownSevError(AEADOFlow)))", "AEAD_OFLOW"),
        ("because: Firmware Error Encountered: Known Error: Given parameter is invalid",
         "INVALID_PARAM"),
        ("because: Firmware Error Encountered: Known Error: The key requested is invalid, not"
         " present, or not allowed", "INVALID_KEY"),
        ("Certificate Error Encountered: No certificates were provided by the host, please contact"
         " your CSP.", "key server"),
        ("ERROR: unable to open /dev/sev", "ccp"),
        ("Command Unsuccessful: 0x15", "UNSUPPORTED"),
        ("Command Unsuccessful: 0x55", "unknown"),
        ("Failed to open /dev/sev-guest", "sev-guest driver"),
        ("Err(FirmwareError(KnownSevError(InvalidLen)))", "INVALID_LENGTH"),
        ("Err(FirmwareError(KnownSevError(RbModeExited)))", "EXIT_RING_BUFFER"),
        ("Err(FirmwareError(KnownSevError(Unheard)))", "another name"),
        ("VMM Error Encountered: The AMD Secure Processor detected a possible denial-of-service.",
         "BUSY"),
        ("VMM Error Encountered: An invalid number of pages was provided", "INVALID_LEN"),
        ("VMM Error Encountered: An unknown VMM error was encountered!", "unknown"),
        ("because: Firmware Error Encountered: IO Error Encountered: Inappropriate ioctl for"
         " device (os error 25)", "ENOTTY"),
        ("I/O Error Encountered: Bad message (os error 74)", "EBADMSG"),
        ("I/O Error Encountered: Whatever (os error 133)", "133"),
        ("I/O Error Encountered: Invalid argument", "EINVAL"),
        ("ERROR: failed to open SEV firmware device.", "/dev/sev-guest"),
        ("could not open AMD SEV guest device at /dev/sev-guest (see https://docs.example): no"
         " such file or directory", "/dev/sev-guest"),
        ("ERROR: Skipped bytes were expected to be zeroed.", "newer version"),
        ("unexpected firmware status (see SEV API spec): 1d", "AEAD_OFLOW"),
    ],
)  # fmt: skip
def test_a_line_of_a_tool_is_explained(line, words):
    assert words in said(one(line))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("malformed guest policy: mbz range policy[0x15:0x3f] not all zero: 73726576227b3a22",
         "text (ASCII): '\":{\"vers'"),
        ("mbz range policy[0x15:0x3f] not all zero: 2230000", "cxl_allow page_swap_disable"),
        ("mbz range policy[0x1a:0x3f] not all zero: 400000000030000", "no source names"),
        ("mbz range [0x4c:0x50] not all zero: 01000000", "newer than the verifier"),
        ("mbz range [0x4c:0x50] not all zero: 22766572", '"ver'),
        ("mbz range [0x4c:0x50] not all zero: 123", "no report"),
        ("unrecognized platform info bit(s): 0x85", "tio_en"),
        ("report version is: 5. Expected between 2 and 3", "newer firmware"),
        ("report version is: 123. Expected between 2 and 3", "no report"),
        ("array size is 0x200, an SEV-SNP attestation report size is 0x4a0", "512 bytes"),
    ],
)  # fmt: skip
def test_a_line_of_a_verifier_says_what_stands_where_it_looked(line, words):
    assert words in said(one(line))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('VerifyBlob: Hash comparison failed for "initrd"', "the initrd is not the one"),
        ("VerifyBlob: Hash GUID 97D02DD8-BD20-4C94-AA78-E7714D36AB2A not found in table",
         "kernel-hashes=on"),
        ("VerifyBlob: Verifier called but no hashes table discoverd in MEMFD", "kernel-hashes=on"),
    ],
)  # fmt: skip
def test_a_kernel_that_ovmf_does_not_start_is_explained(line, words):
    record = one(line)

    assert record.kind == "ovmf-hashes"
    assert words in said(record)


@pytest.mark.parametrize(
    ("code", "words"),
    [(404, "reported_tcb"), (429, "wait"), (400, "address"), (503, "by itself"), (302, "302")],
)
def test_an_answer_of_the_key_server_says_what_to_do(code, words):
    record = one(f"ERROR: Unable to fetch VCEK from URL: {code}")

    assert words in said(record)
    assert record.text == f"AMD's key server answers {code}"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ERROR: The VCEK was not signed by the AMD ASK!", "another product"),
        ("The AMD ASK was not signed by the AMD ARK!", "the ASK is not signed by the ARK"),
        ("The AMD ARK is not self-signed!", "no root of AMD's"),
        ("Error: VCEK did NOT sign the Attestation Report!", "reported_tcb"),
        ("report signature verification error: x509: ECDSA verification failure", "another chip"),
        ("Report TCB Boot Loader and Certificate Boot Loader mismatch encountered.",
         "differ in Boot Loader"),
        ("VCEK could not be verified by any trusted roots. Last error: x", "no trusted root"),
        ('unknown product name (new stepping published?): "Genoa"', "names the product Genoa"),
        ("expected product name SEV_PRODUCT_MILAN, got SEV_PRODUCT_TURIN", "a TURIN, the verifier"),
        ("policy minimum TCB {2 0 8} is not component-wise less than or equal to it", "minimum"),
        ("the policy minimum TCB 0x1 is lower than the report's REPORTED_TCB 0x2 in at least one"
         " component", "by component"),
        ("error querying certificate length: invalid argument", "/dev/sev-guest"),
        ("Error: Can't find SEV_ES_RESET_BLOCK_GUID entry in OVMF table", "AmdSev"),
    ],
)  # fmt: skip
def test_a_check_of_certificates_that_fails_says_what_differs(line, words):
    assert words in said(one(line))


@pytest.mark.parametrize(
    "shown",
    [
        "FirmwareError(KnownSevError(InvalidParam))",
        "0: Status Code: 0x16: Given parameter",
        "UnknownSevError(22)",
    ],
)
def test_a_configuration_that_the_firmware_refuses_is_the_hosts_and_no_guests_request(shown):
    record, after = read(
        "ERROR: Error setting a new snp config",
        "Error: Error setting a new snp config",
        "",
        "Caused by:",
        f"    {shown}",
        "[PASS] - SEV: ENABLED",
    )

    assert record.text == "SNP_CONFIG refused by the firmware  INVALID_PARAM"
    assert "committed" in record.cause
    assert "explain command SNP_CONFIG" in record.remedy
    assert after.kind == "host-check"


def test_a_request_of_the_host_without_a_status_says_so():
    record = one("Error loading VLEK hashshtick", "and nothing else")

    assert record.text == "SNP_VLEK_LOAD failed"
    assert "does not show" in record.meaning


def test_a_status_without_a_name_is_shown_as_its_number():
    record = one("Error resetting SEV-SNP configuration", "Status Code: 0x7777: x")

    assert record.text.endswith("0x7777")
    assert record.cause == ""


# snphost


CHECKS_SHOWN = (
    "[ PASS ] - AMD CPU",
    "[ \x1b[32mPASS\x1b[0m ]     - Secure Nested Paging (SEV-SNP)",
    "[ \x1b[33mSKIP\x1b[0m ]         - SNP initialized",
    "[ FAIL ]         - RMP table initialized: not so",
    "[ PASS ]     - C-bit location: 51",
)


def tcb(microcode, snp, fmc="None"):
    return (f"  Microcode:   {microcode}", f"  SNP:         {snp}", "  TEE:         0",
            "  Boot Loader: 3", f"  FMC:         {fmc}")  # fmt: skip


def test_checks_have_their_result_and_what_a_failure_means():
    passed, skipped, failed, number = read(*CHECKS_SHOWN)

    assert passed.text == "PASS  Secure Nested Paging (SEV-SNP)"
    assert passed.meaning == passed.remedy == ""
    assert "failed before it" in skipped.meaning
    assert "SNP_INIT" in failed.meaning
    assert failed.fields["value"] == "not so"
    assert number.text.endswith("C-bit location  51")


@pytest.mark.parametrize(
    "value",
    [
        "SEV firmware version: Failed to get SEV Platform Status unable to open /dev/sev",
        "SNP: MSR read failed: Error Reading MSR",
        "SNP initialized: Failed to get SNP Platform status unable to open /dev/sev",
        "KVM supported: Error reading /dev/kvm: (Permission denied (os error 13))",
    ],
)
def test_a_check_that_could_not_look_tells_nothing_of_what_it_asks(value):
    record = one(f"[ FAIL ]   - {value}")

    assert "could not look" in record.meaning
    assert "root" in record.remedy
    assert record.fields["seen"] is False


def test_checks_without_blanks_are_read():
    on, off = read("[PASS] - SEV-ES: ENABLED", "[FAIL] - SNP: DISABLED")

    assert (on.text, on.meaning) == ("PASS  SEV-ES  ENABLED", "")
    assert "SEV_STATUS" in off.meaning


def test_a_sentence_about_a_tcb_is_no_tcb_version():
    assert not read("Reported TCB TEE is the one that was expected")


def test_tcb_versions_below_each_other_are_compared_and_who_sets_them_is_said():
    record = one(
        "[ FAIL ] - Comparing TCB values: The TCB versions did NOT match", "",
        " Platform TCB version: TCB Version:", *tcb(210, 24),
        " Reported TCB version: TCB Version:", *tcb(209, 22),
        "ERROR: One or more tests reported a failure",
    )  # fmt: skip

    assert record.fields["differ"] == ["snp", "microcode"]
    assert "snp 24 runs, 22 is reported" in record.meaning
    assert "SNP_CONFIG" in record.cause
    assert "SNP_COMMIT" in record.remedy
    assert record.fields["tcb"]["platform"] == {
        "microcode": 210, "snp": 24, "tee": 0, "boot_loader": 3,
    }  # fmt: skip


def test_tcb_versions_of_turin_that_are_the_same_are_no_complaint():
    record = one("Reported TCB: TCB Version:", *tcb(1, 2, 7), "Platform TCB: TCB Version:",
                 *tcb(1, 2, 7))  # fmt: skip

    assert record.meaning == "platform and reported TCB are the same"
    assert "fmc 7" in record.text


def test_more_reported_than_runs_is_said_to_be_impossible_at_one_time():
    record = one("Platform TCB:", *tcb(1, 2), "Reported TCB:", *tcb(1, 3))

    assert "refuses to report more" in record.cause
    assert record.remedy == ""


def test_a_single_tcb_version_says_who_sets_it():
    record = one("Committed TCB:", "", "TCB Version:", *tcb(1, 2))

    assert "SNP_COMMIT" in record.meaning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Microcode: 213", ("microcode", 213)),
        ("- Boot Loader SVN: 3", ("boot_loader", 3)),
        ("bootloader = 2", ("boot_loader", 2)),
        ("FMC: None", ("fmc", None)),
        ("uCode SPL: 9", ("microcode", 9)),
        ("SNP: 0x17 and more", None),
        ("SNP initialised", None),
    ],
)
def test_a_component_is_read_in_many_spellings(text, expected):
    assert component(text) == expected


# All of them


def test_a_statement_shows_the_fields_that_its_wording_has():
    row = Statement("k", "kind", ("SEV {number:x} {name:o}",), "{number:#x} {number} {name}", "m")
    fact = statement(row).interpret({"number": 16, "name": "n"}, None)

    assert fact.text == "0x10 16 n"
    assert fact.fields == {}


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=60)


@given(
    st.lists(
        st.one_of(
            TEXTS,
            st.sampled_from([*REGISTERS, *CHECKS_SHOWN, *tcb(1, 2), "Platform TCB"]),
            st.just("KVM: unknown exit reason 24"),
            st.builds("firmware error {}".format, TEXTS),
            st.builds("mbz range [0x{}:0x1] not all zero: {}".format, st.integers(0, 9), TEXTS),
            st.builds("[SVSM] ERROR: Info: {}".format, TEXTS),
            st.builds("-object sev-snp-guest,{}".format, TEXTS),
            st.builds("kvm_sev_snp_launch_update addr 0x1 len 0x{:x} type {}".format,
                      st.integers(0, 1 << 40), TEXTS),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_no_lines_of_programs_raise_and_all_records_are_plain(lines):
    for record in read(*lines):
        json.dumps(record.to_plain())
        assert record.text
