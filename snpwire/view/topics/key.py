"""Topics of ``explain`` about derived keys: what a request mixes in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...errors import UsageError, shown
from ...numeral import reading, readings
from ...wire.key import GuestFieldSelect, KeyReq, KeySel, KeySelect, RootKeySelect
from ..table import Row
from .topic import Question, Topic, kind_rows, word

if TYPE_CHECKING:
    from collections.abc import Iterator

HELP = "explain key-select 0x9, or guest_policy,measurement root=vmrk vmpl=1 svn=2"
ROOTS = {
    "vcek": (RootKeySelect.VCEK_OR_VLEK, KeySel.VCEK),
    "vlek": (RootKeySelect.VCEK_OR_VLEK, KeySel.VLEK),
    "vmrk": (RootKeySelect.VMRK, KeySel.VLEK_ELSE_VCEK),
}
"""Root keys by name: what selects each."""
MIXED = "vmpl, host_data, the digest of the ID or author key, and the selection itself"
_PAIR = re.compile(r"(?<!\w)(\w{1,40})\s{0,8}=\s{0,8}(\w{1,40})")


def key_request(text: str) -> KeyReq:
    """Return the key request that *text* describes. Raises UsageError."""
    given = {name.lower(): value for name, value in _PAIR.findall(text)}
    root = given.pop("root", "vcek").lower()
    if root not in ROOTS:
        raise UsageError(f"{shown(root)} is no root key: {', '.join(ROOTS)}", help=HELP)
    if unknown := given.keys() - {"vmpl", "svn"}:
        raise UsageError(f"a selection has no {shown(min(unknown))}", help=HELP)
    vmpl, svn = (reading(given.get(name, "0"), width=32).value for name in ("vmpl", "svn"))
    source, key = ROOTS[root]
    return KeyReq(
        select=KeySelect.of(root_key_select=source, key_sel=key),
        guest_field_select=_fields(_PAIR.sub(" ", text).replace(",", " ").split()),
        vmpl=vmpl,
        guest_svn=svn,
        tcb_version=0,
    )


def _fields(words: list[str]) -> GuestFieldSelect:
    if len(words) == 1 and words[0][:1].isdigit() and readings(words[0]):
        found = reading(words[0], possible=lambda value: not value & ~GuestFieldSelect.KNOWN)
        return GuestFieldSelect(found.value)
    try:
        return GuestFieldSelect.from_plain(words)
    except ValueError as exc:
        raise UsageError(str(exc), help=HELP) from None


def selection(question: Question) -> Iterator[Row]:
    """Explain what a key request mixes into the key."""
    request = key_request(question.text)
    fields, select = request.guest_field_select, request.select
    root = next(name for name, row in ROOTS.items() if row[0] == select.root_key_select)
    if select.root_key_select == RootKeySelect.VCEK_OR_VLEK:
        root = KeySel(select.key_sel).name.lower()
    yield Row("", "", "root key", root, RootKeySelect(select.root_key_select).doc)
    yield Row("", "", "guest_field_select", hex(fields), " ".join(fields.names()) or "none")
    yield Row("", "", "always mixed in", "", MIXED)


def selections() -> Iterator[Row]:
    """Yield the fields that can be selected, and the root keys."""
    yield from kind_rows(GuestFieldSelect)
    for name, (root, _) in ROOTS.items():
        yield Row("", "", f"root={name}", root.name, root.doc)


TOPICS = {
    "guest-fields": Topic(word(GuestFieldSelect), "guest_field_select of a key request"),
    "key-select": Topic(
        selection, "a selection for a derived key: what changes it", rows=selections
    ),
}
