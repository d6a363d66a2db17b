"""The numbers in what COCONUT-SVSM prints of its errors, as Rust prints values for a programmer."""

from __future__ import annotations

import re

from ...wire.operands import Action, MalformedReason
from .operands import code_words, exit_name

_VMGEXIT = re.compile(r"VmgexitError\((0x[0-9a-fA-F]+|\d+), (0x[0-9a-fA-F]+|\d+)\)")
_CODE = re.compile(r"\bcode: (0x[0-9a-fA-F]+|\d+)")
_INSTRUCTION = re.compile(r"(FAIL_INPUT|FAIL_PERMISSION|FAIL_SIZEMISMATCH|FAIL_UNCHANGED)\((\d+)\)")
_INSTRUCTIONS = {
    "FAIL_INPUT": "PVALIDATE or RMPADJUST: an operand is wrong",
    "FAIL_PERMISSION": "RMPADJUST: a VMPL may not be given more than the caller has",
    "FAIL_SIZEMISMATCH": "PVALIDATE or RMPADJUST: the RMP has the page at another size",
    "FAIL_UNCHANGED": "PVALIDATE: the page was so before",
}
_MISMATCHES = {
    "InfoMismatch": "the hypervisor's answer by the MSR is not to this request",
    "DataMismatch": "the hypervisor's answer by the MSR has other data than the request needs",
    "VmgexitInvalid": "the hypervisor's answer is malformed",
}


def error_words(text: str) -> str:
    """Return what the numbers in a debug print of one of the SVSM's errors say."""
    if found := _VMGEXIT.search(text):
        return vmgexit_words(int(found[1], 0), int(found[2], 0))
    if found := _INSTRUCTION.search(text):
        return f"{_INSTRUCTIONS[found[1]]} (result {found[2]})"
    if found := _CODE.search(text):
        return f"#VC for {exit_name(int(found[1], 0))}, exit code {int(found[1], 0):#x}"
    for name, words in _MISMATCHES.items():
        if name in text:
            return words
    return ""


def vmgexit_words(info1: int, info2: int) -> str:
    """Return what the hypervisor answered to a request that it did not fulfil."""
    action = Action(info1 & 0xFFFF_FFFF)
    if action == Action.MALFORMED_INPUT:
        return f"the hypervisor refused the request: {code_words(MalformedReason(info2))}"
    if action == Action.ISSUE_EXCEPTION:
        return f"the hypervisor has an exception raised: {info2:#x}"
    return f"the hypervisor answered {info1:#x}, {info2:#x}"
