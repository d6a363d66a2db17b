"""Topics of ``explain`` about what decides whether SNP is on: MSRs, CPUID leaves, the IOMMU."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...errors import UsageError, shown
from ...wire.registers import (
    GuestTscFreq,
    Hwcr,
    IommuEfr,
    IommuEfr2,
    RmpLeafEax,
    RmpLeafEbx,
    RmpoptBase,
    SecureAvicControl,
    SevLeafEax,
    SevLeafEbx,
    SevLeafEcx,
    SevLeafEdx,
    SevStatus,
    Syscfg,
    VmCr,
)
from ..table import Row
from .topic import Question, Topic, word, word_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...bits import Word
    from .topic import Explanation

WANTED = ("mtrr_fix_dram_mod_en", "mem_encryption_mod_en", "snp_en", "snp_vmpl_en")
"""Bits of SYSCFG that SNP_INIT wants set on all cores."""
_ORDER = ("eax", "ebx", "ecx", "edx")
_LONG = re.compile(r"\b0x[0-9a-fA-F]{1,16}\b")
_REGISTER = re.compile(r"\b(e[abcd]x)\s{0,8}[=:]?\s{0,8}(?:0x)?([0-9a-fA-F]{1,8})\b", re.IGNORECASE)
LINUX_LACKS = (
    *("vtom", "reflect_vc", "restricted_injection", "alternate_injection", "vmpl_sss"),
    *("vmgexit_param", "vmsa_reg_prot"),
)
"""Features that a Linux guest has to know and does not (arch/x86/boot/compressed/sev.c)."""


def judged(kind: type[Word], judge: Callable[[Any], Iterator[tuple[str, str, str]]]) -> Explanation:
    """Return the function that explains a register, and says what follows from it."""

    def explain(question: Question) -> Iterator[Row]:
        yield from word(kind)(question)
        for row in judge(word_value(kind, question)):
            yield Row("", "", *row)

    return explain


def _guest(value: SevStatus) -> Iterator[tuple[str, str, str]]:
    if not value & 7:
        yield "is", "no encrypted guest", "a host reads 0, and so does an ordinary guest"
    else:
        name = "SEV-SNP" if value.sev_snp else "SEV-ES" if value.sev_es else "SEV"
        yield "is", f"{name} guest", "as the processor says; the hypervisor cannot change it"
    if value.sev_snp and not (value.sev and value.sev_es):
        yield "but", "not possible", "SNP needs SEV and SEV-ES as well"
    if not value.sev_snp and value & 7:
        yield "SNP", "no", "the launch was not one of SNP: see the virtual machine's type"
    lacks = " ".join(name for name in LINUX_LACKS if value.has(name))
    if lacks:
        yield "Linux", "ends itself", f"0x0:0x2, SNP_FEATURES_UNSUPPORTED: it lacks {lacks}"
    yield "SEV_FEATURES", hex(value >> 2), "in the VMSA; the same shifted by 2"


def _configuration(value: Syscfg) -> Iterator[tuple[str, str, str]]:
    if value.snp_en:
        yield "SNP", "on", "on this core; all cores have to be alike"
    else:
        text = "Linux sets bits 24 and 25 when it starts, if BIOS has reserved an RMP"
        yield "SNP", "off", text
    missing = [name for name in WANTED if not value.BITS[name].value(value)]
    if missing:
        yield "SNP_INIT", "INVALID_CONFIG", f"as it is now: not set: {' '.join(missing)}"


def _hardware(value: Hwcr) -> Iterator[tuple[str, str, str]]:
    if value.smm_lock:
        yield "SEV", "possible", "SMM is locked, as Linux and SNP_INIT want it"
    else:
        text = "Linux takes SEV, SEV-ES and SNP away; SNP_INIT returns INVALID_CONFIG: see BIOS"
        yield "SEV", "no", text


def _virtualisation(value: VmCr) -> Iterator[tuple[str, str, str]]:
    text = "no guest can run: see BIOS" if value.svm_dis else "guests can run"
    yield "SVM", "disabled" if value.svm_dis else "enabled", text


def _frequency(value: GuestTscFreq) -> Iterator[tuple[str, str, str]]:
    yield "frequency", f"{int(value.mhz)} MHz", "nominal; 0: secure TSC is off"


def _features(value: SevLeafEax) -> Iterator[tuple[str, str, str]]:
    if value.sev_snp:
        yield "SNP", "supported", "by the processor: whether it is on, syscfg says"
    else:
        yield "SNP", "no", "not by this processor, or BIOS or hypervisor hides it"
    if value.sev_snp and value.segmented_rmp:
        yield "RMP", "may have segments", "rmp-cfg says"


def _addresses(value: SevLeafEbx) -> Iterator[tuple[str, str, str]]:
    yield "C-bit", hex(1 << int(value.c_bit_position)), "in an address"
    yield "addresses", f"-{int(value.physical_address_reduction)} bits", "while encryption is on"


def _guests(value: SevLeafEcx) -> Iterator[tuple[str, str, str]]:
    text = "no SEV, or BIOS has it off" if not value else "of all kinds together"
    yield "guests", f"{int(value)} at most", text


def _lowest(value: SevLeafEdx) -> Iterator[tuple[str, str, str]]:
    if value <= 1:
        text = "BIOS has left no ASID for SEV-ES and SNP: raise its lowest ASID of SEV"
        yield "SNP guests", "none", text
    else:
        yield "SNP guests", f"{int(value) - 1} at most", f"ASIDs 1 to {int(value) - 1}, with SEV-ES"


def _iommu(value: IommuEfr) -> Iterator[tuple[str, str, str]]:
    if value.snp:
        yield "SNP", "supported", "bit 63; and translation has to be on: no iommu=pt, no iommu=off"
    else:
        text = "bit 63 is clear: Linux starts no SNP; see BIOS (SEV-SNP support, IOMMU)"
        yield "SNP", "no", text


def _segments(value: RmpLeafEax) -> Iterator[tuple[str, str, str]]:
    for name in ("min_segment_size", "max_segment_size"):
        size = 1 << int(getattr(value, name))
        yield name.partition("_")[0], f"{size:#x} bytes", "of memory for each segment"


def cpuid(question: Question) -> Iterator[Row]:
    """Explain a leaf as ``cpuid -r`` prints it: its number, and ``eax=`` to ``edx=``."""
    registers = {name.lower(): f"0x{digits}" for name, digits in _REGISTER.findall(question.text)}
    found = re.search(r"\b(?:0x)?([48][0-9a-fA-F]{7})\b", question.text)
    leaf = int(found[1], 16) if found else 0
    if found and not registers:
        words = re.findall(r"\b(?:0x)?([0-9a-fA-F]{1,8})\b", question.text[found.end() :])
        inner = words[1:] if len(words) == len(_ORDER) + 1 else words  # a subleaf comes first
        if len(inner) == len(_ORDER):
            registers = {name: f"0x{digits}" for name, digits in zip(_ORDER, inner, strict=True)}
    known = {name: explain for (number, name), explain in LEAVES.items() if number == leaf}
    if not known or not registers:
        reason = f"{shown(question.text)} is no leaf as cpuid -r prints it, or none of SEV"
        raise UsageError(reason, help="explain cpuid 0x8000001f: eax=0x101fd3f ebx=0x4173")
    for name, explain in known.items():
        if name in registers:
            yield from explain(question._replace(text=registers[name]))


def leaves() -> Iterator[Row]:
    """Yield the leaves of which there is something to say."""
    for number, name in LEAVES:
        yield Row("", "", f"{number:#x}", name, f"explain cpuid-{number:x}-{name}")


def iommu(question: Question) -> Iterator[Row]:
    """Explain the extended features, one word or both as Linux prints them."""
    words = re.split(r"[\s,():]+", question.text.strip(" (),:"))
    if question.text[:1].isalpha() and len(marked := _LONG.findall(question.text)) == 2:
        words = marked  # a line of the kernel: AMD-Vi: Extended features (0x..., 0x...): PPR
    pair = len(words) == 2
    first = _marked(words[0]) if pair else question.text
    yield from judged(IommuEfr, _iommu)(question._replace(text=first))
    if pair:
        yield from word(IommuEfr2)(question._replace(text=_marked(words[1])))


def _marked(text: str) -> str:
    """Return one of two words that Linux prints as hex, with 0x."""
    bare = text.strip().lower().removeprefix("0x")
    return f"0x{bare}"


LEAVES: dict[tuple[int, str], Explanation] = {
    (0x8000_001F, "eax"): judged(SevLeafEax, _features),
    (0x8000_001F, "ebx"): judged(SevLeafEbx, _addresses),
    (0x8000_001F, "ecx"): judged(SevLeafEcx, _guests),
    (0x8000_001F, "edx"): judged(SevLeafEdx, _lowest),
    (0x8000_0025, "eax"): judged(RmpLeafEax, _segments),
    (0x8000_0025, "ebx"): word(RmpLeafEbx),
}
"""What explains each register of a CPUID leaf."""


def _register(explain: Explanation, doc: str, kind: type[Word]) -> Topic:
    return Topic(explain, doc, of=kind, base=16)


TOPICS = {
    "sev-status": _register(judged(SevStatus, _guest), "MSR C001_0131: what a guest is", SevStatus),
    "syscfg": _register(judged(Syscfg, _configuration), "MSR C001_0010: SNP of a core", Syscfg),
    "hwcr": _register(judged(Hwcr, _hardware), "MSR C001_0015: whether SMM is locked", Hwcr),
    "vm-cr": _register(judged(VmCr, _virtualisation), "MSR C001_0114: SVM disabled by BIOS", VmCr),
    "guest-tsc-freq": _register(
        judged(GuestTscFreq, _frequency), "MSR C001_0134: secure TSC", GuestTscFreq
    ),
    "savic-control": _register(
        word(SecureAvicControl), "MSR C001_0138: secure AVIC", SecureAvicControl
    ),
    "rmpopt-base": _register(word(RmpoptBase), "MSR C001_0139: RMPOPT (draft)", RmpoptBase),
    "cpuid": Topic(cpuid, "a leaf of CPUID, as cpuid -r prints it", rows=leaves),
    "cpuid-8000001f-eax": _register(
        LEAVES[0x8000_001F, "eax"], "CPUID 0x8000001f: what is supported", SevLeafEax
    ),
    "cpuid-8000001f-ebx": _register(
        LEAVES[0x8000_001F, "ebx"], "CPUID 0x8000001f: C-bit, VMPLs", SevLeafEbx
    ),
    "cpuid-8000001f-ecx": _register(
        LEAVES[0x8000_001F, "ecx"], "CPUID 0x8000001f: number of guests", SevLeafEcx
    ),
    "cpuid-8000001f-edx": _register(
        LEAVES[0x8000_001F, "edx"], "CPUID 0x8000001f: ASIDs for SNP", SevLeafEdx
    ),
    "cpuid-80000025-eax": _register(
        LEAVES[0x8000_0025, "eax"], "CPUID 0x80000025: sizes of segments", RmpLeafEax
    ),
    "cpuid-80000025-ebx": _register(
        LEAVES[0x8000_0025, "ebx"], "CPUID 0x80000025: segments cached", RmpLeafEbx
    ),
    "iommu-efr": _register(iommu, "extended features of the IOMMU, MMIO 0x30", IommuEfr),
    "iommu-efr2": _register(word(IommuEfr2), "the same, second word, MMIO 0x1a0", IommuEfr2),
}
