"""Names as their sources spell them: Linux, edk2, Rust and Go give one code a name each.

One rule: case, underscores and hyphens do not count, nor does the path before ``::`` or ``.``.
Words that only say whose name it is (``SVM_VMGEXIT_``, ``SEV_RET_``, ``KVM_SEV_``) may stand
before, ``SNP_`` may be missing, and some words may be short or in full. What the rule cannot do is
in a table beside the codes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

OWNERS = {
    *("SVM", "VMGEXIT", "VMEXIT", "EXIT", "VMCB", "KVM", "X86", "SYSTEM", "EVENT", "INTERCEPT"),
    *("SEV", "ES", "SNP", "SVSM", "GHCB", "PSP", "AMD", "AMD64", "MSR", "RMP", "FW", "VMM", "HV"),
    *("RET", "STATUS", "ERROR", "ERR", "CODE", "CMD", "CMDID", "MSG", "TYPE", "REQUEST", "REQ"),
    *("GUEST", "PLATFORM", "REPORT", "POLICY", "MASK", "FEATURE", "FEATURES", "FEAT", "FLAG"),
    *("CONTROL", "TERM", "RESP", "FT", "INFO", "STATE", "PAGE", "PSC", "OP"),
    *("SYSCFG", "CORE", "ATTEST", "VTPM"),
    *("RMPUPDATE", "PSMASH", "PVALIDATE", "RMPADJUST", "VMGEXIT"),
}
"""Words that name the owner of a code when they stand before it."""
SHORT = {
    "REQUEST": "REQ",
    "RESPONSE": "RESP",
    "RSP": "RESP",
    "INJECTION": "INJ",
    "PROTECTION": "PROT",
    "LENGTH": "LEN",
    "FEATURES": "FT",
    "FEATURE": "FT",
}
"""Words that some sources write in full and others do not."""
OPTIONAL = {"SNP"}
"""Those that may be missing where our name has them."""
_WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")


def spelt(text: str, names: Iterable[str], others: Mapping[str, str] | None = None) -> str | None:
    """Return the one of *names* that *text* spells; *others* has further spellings of them.

    None if there is none, or more than one as good.
    """
    known = {name: name for name in names} | dict(others or {})
    forms: dict[str, dict[int, set[str]]] = {}
    for spelling, name in known.items():
        for left_out, form in _forms(spelling, OPTIONAL):
            forms.setdefault(form, {}).setdefault(left_out, set()).add(name)
    for _, form in _forms(re.split(r"::|\.", text.strip())[-1], OWNERS):
        for left_out in sorted(forms.get(form, {})):
            found = forms[form][left_out]
            return found.pop() if len(found) == 1 else None
    return None


def _forms(name: str, owners: AbstractSet[str]) -> Iterator[tuple[int, str]]:
    """Yield a name in capitals and without marks: whole, then without each owner before it."""
    words = [word.upper() for word in _WORD.findall(name)]
    short = [SHORT.get(word, word) for word in words]
    for start in range(len(words)):
        yield start, "".join(words[start:])
        if short[start:] != words[start:]:
            yield start, "".join(short[start:])
        if words[start] not in owners:
            return
