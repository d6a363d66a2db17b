"""What ``explain`` can say, by topic.

A topic is a row of ``TOPICS`` in the module of its family: the function that explains it, and what
it takes. ``FAMILIES`` has the names of each module's rows, so that explaining one number imports
one family, and what that knows of ``wire``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .topic import Topic

__all__ = ["FAMILIES", "OTHER_NAMES", "REGISTERS", "TOPICS", "topic_named", "topic_of_source"]

FAMILIES: dict[str, tuple[str, ...]] = {
    "ghcb": (
        *("exit", "exitinfo1", "exitinfo2", "msr", "msr-info", "vmm-error", "status"),
        *("action", "reason", "inject"),
        *("bitmap", "psc", "features", "sev-features", "term", "guid"),
    ),
    "svsm": ("svsm", "svsm-result"),
    "policy": ("policy",),
    "tcb": ("tcb", "mit-vector"),
    "guest": ("platform-info", "key-info", "msg-type", "product"),
    "key": ("guest-fields", "key-select"),
    "advisory": ("advisory",),
    "command": ("command",),
    "launch": ("page-type",),
    "mailbox": (
        *("cmdresp", "cmdbuf", "error-stack"),
        *("mailbox", "rb-control", "rb-head", "rb-tail"),
    ),
    "kvm": ("kvm-exit", "system-event", "kvm-sev", "errno"),
    "host": (
        *("sev-status", "syscfg", "hwcr", "vm-cr"),
        *("guest-tsc-freq", "savic-control", "rmpopt-base"),
        *("cpuid", "cpuid-8000001f-eax", "cpuid-8000001f-ebx", "cpuid-8000001f-ecx"),
        *("cpuid-8000001f-edx", "cpuid-80000025-eax", "cpuid-80000025-ebx"),
        *("iommu-efr", "iommu-efr2"),
    ),
    "rmp": ("rmp",),
    "register": (
        *("rmp-base", "rmp-end", "rmp-cfg", "rst", "npf", "pf", "rmpadjust", "vmpl-mask"),
        *("rmpupdate-result", "psmash-result", "pvalidate-result", "rmpadjust-result"),
    ),
}
"""The names of the topics in each module here, in the order in which they are listed."""

TOPICS = {name: family for family, names in FAMILIES.items() for name in names}
"""The module of each topic."""


REGISTERS = {
    0xC001_0010: "syscfg",
    0xC001_0015: "hwcr",
    0xC001_0114: "vm-cr",
    0xC001_0130: "msr",
    0xC001_0131: "sev-status",
    0xC001_0132: "rmp-base",
    0xC001_0133: "rmp-end",
    0xC001_0134: "guest-tsc-freq",
    0xC001_0136: "rmp-cfg",
    0xC001_0138: "savic-control",
    0xC001_0139: "rmpopt-base",
}
"""The topic of each MSR, by its number."""


OTHER_NAMES = {
    "sev": "sev-status",
    "ghcb": "msr",
    "sev-es-ghcb": "msr",
    "secure-avic-control": "savic-control",
    "efr": "iommu-efr",
    "efr2": "iommu-efr2",
    "sw-exit-code": "exit",
    "exit-code": "exit",
    "exit-reason": "exit",
    "sw-exit-info-1": "exitinfo1",
    "sw-exit-info-2": "exitinfo2",
    "guest-policy": "policy",
    "reported-tcb": "tcb",
    "current-tcb": "tcb",
    "committed-tcb": "tcb",
    "launch-tcb": "tcb",
    "fw-error": "status",
    "fw-err": "status",
    "valid-bitmap": "bitmap",
    "guest-field-select": "guest-fields",
    "current-mit-vector": "mit-vector",
    "launch-mit-vector": "mit-vector",
}
"""Names that programs print for the number of a topic."""


PREFIXES = {
    "SVM_EXIT_": "exit",
    "SVM_VMGEXIT_": "exit",
    "VMGEXIT_": "exit",
    "VMEXIT_": "exit",
    "GHCBEXITCODE::": "exit",
    "SEVEXITCODE::": "exit",
    "SEV_RET_": "status",
    "SEVERROR::": "status",
    "SEV_CMD_": "command",
    "KVM_SEV_": "kvm-sev",
    "KVM_SEV_SNP_PAGE_TYPE_": "page-type",
    "SNP_PAGE_TYPE_": "page-type",
    "SNPPAGETYPE::": "page-type",
    "KVM_EXIT_": "kvm-exit",
    "KVM_SYSTEM_EVENT_": "system-event",
    "GHCB_MSR_": "msr-info",
    "GHCB_INFO_": "msr-info",
    "GHCB_HYPERVISOR_FEATURES_": "msr-info",
    "GHCBINFO::": "msr-info",
    "GHCBMSR::": "msr-info",
    "GHCB_HV_FT_": "features",
    "GHCB_HV_FEATURES_": "features",
    "GHCBHVFEATURES::": "features",
    "GHCB_ERR_": "reason",
    "SEV_TERM_": "term",
    "GHCB_TERM_": "term",
    "GHCB_TERMINATE_": "term",
    "GHCB_SEV_ES_": "term",
    "GHCB_SNP_": "term",
    "SNP_MSG_": "msg-type",
    "SNP_GUEST_VMM_ERR_": "vmm-error",
    "VMMERROR::": "vmm-error",
    "SVSM_ERR_": "svsm-result",
    "SVSM_PVALIDATE_": "svsm-result",
    "SVSMRESULTCODE::": "svsm-result",
    "SVM_SEV_FEAT_": "sev-features",
    "MSR_AMD64_SEV_": "sev-status",
    "MSR_AMD64_SNP_": "sev-status",
    "SEVSTATUSFLAGS::": "sev-status",
    "MSR_AMD64_SYSCFG_": "syscfg",
    "X86_FEATURE_": "cpuid-8000001f-eax",
    "SNP_POLICY_": "policy",
    "GUESTPOLICY::": "policy",
    "RMPUPDATE_": "rmpupdate-result",
    "PSMASH_": "psmash-result",
    "PVALIDATE_": "pvalidate-result",
}
"""The topic of a name by what it begins with in the source that defines it."""


def topic_of_source(text: str) -> str:
    """Return the topic of a name as its source spells it, or nothing where that does not tell."""
    whole = text.strip().upper().replace("-", "_").replace(".", "::")
    found = [prefix for prefix in PREFIXES if whole.startswith(prefix)]
    return PREFIXES[max(found, key=len)] if found else ""


def topic_named(name: str) -> Topic:
    """Return the topic called *name*, importing its family."""
    family: dict[str, Topic]
    family = import_module(f".{TOPICS[name]}", __name__).TOPICS
    return family[name]
