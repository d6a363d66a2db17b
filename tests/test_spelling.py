"""Names as Linux, Rust, Go and edk2 spell them, and the codes that they stand for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from snpwire.spelling import spelt
from snpwire.view.explain import Question, explain
from snpwire.wire.command import CommandId
from snpwire.wire.exits import ExitCode
from snpwire.wire.kvm_exits import KvmExit, SystemEvent
from snpwire.wire.kvm_sev import KvmSevCommand
from snpwire.wire.message import MsgType
from snpwire.wire.operands import TermLinux
from snpwire.wire.registers import SevStatus
from snpwire.wire.report import GuestPolicy
from snpwire.wire.status import Status

CODES = [
    (ExitCode, "SVM_VMGEXIT_GUEST_REQUEST", "SNP_GUEST_REQUEST"),
    (ExitCode, "SVM_VMGEXIT_EXT_GUEST_REQUEST", "SNP_EXT_GUEST_REQUEST"),
    (ExitCode, "SVM_VMGEXIT_PSC", "SNP_PAGE_STATE_CHANGE"),
    (ExitCode, "SVM_VMGEXIT_AP_HLT_LOOP", "AP_RESET_HOLD"),
    (ExitCode, "SVM_VMGEXIT_SNP_RUN_VMPL", "SNP_RUN_VMPL"),
    (ExitCode, "SVM_EXIT_CPUID", "CPUID"),
    (ExitCode, "SVM_EXIT_READ_CR0", "CR0_READ"),
    (ExitCode, "SVM_EXIT_DR7_WRITE", "DR7_WRITE"),
    (ExitCode, "SVM_EXIT_CR4_WRITE_TRAP", "CR4_WRITE_TRAP"),
    (ExitCode, "SVM_EXIT_ERR", "INVALID_VMCB"),
    (ExitCode, "SVM_EXIT_IOIO_PROT", "IOIO"),
    (ExitCode, "SVM_EXIT_HYPERVISOR_FEATURES", "HV_FEATURES"),
    (ExitCode, "SVM_EXIT_UNSUPPORTED", "UNSUPPORTED_EVENT"),
    (ExitCode, "GHCBExitCode::GUEST_EXT_REQUEST", "SNP_EXT_GUEST_REQUEST"),
    (ExitCode, "GhcbExitCode::AP_CREATE", "SNP_AP_CREATION"),
    (ExitCode, "SevExitCode.SnpGuestRequest", "SNP_GUEST_REQUEST"),
    (ExitCode, "vmgexit_hypervisor_feature", "HV_FEATURES"),
    (ExitCode, "hypercall", "VMMCALL"),
    (ExitCode, "Npf", "NPF"),
    (Status, "SEV_RET_INVALID_PARAM", "INVALID_PARAM"),
    (Status, "InvalidParam", "INVALID_PARAM"),
    (Status, "SEV_RET_INAVLID_CONFIG", "INVALID_CONFIG"),
    (Status, "InvalidLen", "INVALID_LENGTH"),
    (Status, "SEV_RET_DFFLUSH_REQUIRED", "DF_FLUSH_REQUIRED"),
    (Status, "SEV_RET_HWSEV_RET_PLATFORM", "HARDWARE_PLATFORM"),
    (Status, "HwErrorUnsafe", "HARDWARE_UNSAFE"),
    (Status, "SEV_RET_SEV_STATUS_INVALID_TDI", "INVALID_TDI"),
    (Status, "AEADOFlow", "AEAD_OFLOW"),
    (Status, "abi.PolicyFailure", "POLICY_FAILURE"),
    (CommandId, "SEV_CMD_SNP_LAUNCH_START", "SNP_LAUNCH_START"),
    (CommandId, "SEV_CMD_LAUNCH_START", "LAUNCH_START"),
    (CommandId, "SnpLaunchStart", "SNP_LAUNCH_START"),
    (CommandId, "SEV_CMD_ATTESTATION_REPORT", "ATTESTATION"),
    (KvmSevCommand, "KVM_SEV_SNP_LAUNCH_START", "SNP_LAUNCH_START"),
    (KvmSevCommand, "KVM_SEV_INIT2", "INIT2"),
    (MsgType, "SNP_MSG_REPORT_REQ", "REPORT_REQ"),
    (MsgType, "MSG_TSC_INFO_RSP", "TSC_INFO_RSP"),
    (KvmExit, "KVM_EXIT_SYSTEM_EVENT", "SYSTEM_EVENT"),
    (KvmExit, "MemoryFault", "MEMORY_FAULT"),
    (SystemEvent, "KVM_SYSTEM_EVENT_SEV_TERM", "SEV_TERM"),
    (TermLinux, "GHCB_TERM_NOT_VMPL0", "NOT_VMPL0"),
]


@pytest.mark.parametrize(("kind", "text", "name"), CODES, ids=str)
def test_a_code_is_found_by_the_name_of_its_source(kind, text, name):
    member = kind.spelt(text)

    assert (member.name if member is not None else None) == name


KINDS = {kind: None for kind, _, _ in CODES}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_name_is_itself_in_any_case_and_without_marks(kind):
    for name in kind.__members__:
        camel = "".join(word.capitalize() for word in name.split("_"))

        assert kind.from_plain(name.lower().replace("_", "-")).name == name
        assert kind.from_plain(f"Owner::{name}").name == name
        assert kind.from_plain(camel).name == name or len(name) < 4


@pytest.mark.parametrize(
    "kind", [ExitCode, Status, CommandId, SystemEvent], ids=lambda kind: kind.__name__
)
def test_every_further_spelling_is_of_a_code_and_is_none_itself(kind):
    for text, name in kind.spellings().items():
        assert name in kind.__members__
        assert kind.from_plain(text).name == kind.__members__.get(text.upper(), kind[name]).name


def test_a_name_that_two_codes_have_is_no_name():
    assert spelt("STATUS", ["GUEST_STATUS", "PLATFORM_STATUS"]) is None
    assert spelt("nothing", ["GUEST_STATUS"]) is None
    assert spelt("", ["GUEST_STATUS"]) is None
    assert spelt("_", ["GUEST_STATUS"]) is None


def test_a_bit_is_found_by_the_name_of_its_source():
    assert GuestPolicy.from_plain("SNP_POLICY_MASK_SMT,SNP_POLICY_MASK_DEBUG") == 0x9_0000
    assert SevStatus.from_plain("MSR_AMD64_SEV_SNP_ENABLED") == 4
    with pytest.raises(ValueError, match="no bit of GuestPolicy"):
        GuestPolicy.from_plain("SNP_POLICY_MASK_NOTHING")


NAMES = tomllib.loads((Path(__file__).parent / "source_names.toml").read_text())
PAIRS = [
    (source, name, number) for source, names in NAMES.items() for name, number in names.items()
]


def numbers_of(rows):
    """Return the numbers that are a row's name or value, or begin its text; a bit is its place."""
    cells = [cell.strip() for row in rows for cell in (row.name, row.value, row.text)]
    found = [
        re.match(r"(?:bit |\[|0x\w+:(?=0x))?(-?(?:0x[0-9a-f]+|\d+))\b", cell) for cell in cells
    ]
    return {int(match[1], 0 if "x" in match[1] else 10) for match in found if match}


@pytest.mark.parametrize(("source", "name", "number"), PAIRS, ids=str)
def test_a_name_alone_is_explained_as_the_number_that_its_source_gives_it(source, name, number):
    signed = number - (1 << 64) if number >> 63 else number

    found = numbers_of([*explain(name, Question(""))][:2])

    assert found & {number, signed, number.bit_length() - 1}
