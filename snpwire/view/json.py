"""A document as JSON: names and values that build the same bytes again, or everything known."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ..bits import Flags, OpenEnum, Word
from ..errors import InputError, UsageError, shown
from ..layout import any_bit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..finding import Finding
    from ..layout import Leaf
    from .document import Document, Missing
    from .meaning import Meaning

STEP = re.compile(r"\.?([^.\[\]]+)|\[([0-9]{1,9})\]")
SKIPPED = 0xFFFF
"""Most elements of a list that a path may leave out before the one it names."""
LEAF_KEYS = {"offset", "size", "hex", "value", "text"}


def document(doc: Document, *, full: bool = False, only: Iterable[Leaf] | None = None) -> Any:
    """Return the object that ``--json`` prints; *full* makes each leaf an object of its own."""
    return {
        "schema": f"{doc.kind.name}/1",
        "fields": _fields(doc, full, only),
        **({"missing": _missing(doc, doc.missing)} if doc.missing else {}),
        "decisions": [decision._asdict() for decision in doc.decisions],
        **_exit(doc),
        **{key: value for key, value in _optional(doc).items() if value},
        "findings": [finding(f) for f in doc.findings],
    }


def _fields(doc: Document, full: bool, only: Iterable[Leaf] | None) -> Any:
    if not (full or only is not None or doc.absent or doc.redacted or doc.missing):
        return doc.value.to_plain()
    leaves = doc.leaves() if only is None else only
    # zeros may be left out of a record, whose size is fixed, but not after a block
    shown = [x for x in leaves if not x.gap or x.path == "rest" or any_bit(x.value)]
    return shape(shown, _full(doc) if full else _plain)


def _missing(doc: Document, missing: Missing) -> dict[str, Any]:
    """Return how far the bytes go, and those that are there of a field that is not whole."""
    out: dict[str, Any] = {"from": missing.start, "of": missing.of}
    if cut := doc.cut():
        value = cut.codec.to_plain(cut.value)
        out["cut"] = {"path": cut.path, "offset": cut.offset, "hex": value}
    return out


def _exit(doc: Document) -> dict[str, Any]:
    """Return the event and operands of a GHCB page, nothing for other kinds."""
    if not doc.is_ghcb:
        return {}
    event = doc.context.event
    if doc.context.direction is None:
        return {"event": None, "operands": {}}
    return {"event": event.name if event else None, "operands": _operands(doc.meanings)}


def _optional(doc: Document) -> dict[str, Any]:
    """Return the members that an object has only if they are not empty."""
    return {
        "product": _product(doc),
        "bits": {path: bits_of(m.value) for path, m in doc.meanings.items() if m.bits},
        "base": doc.base,
        "absent": sorted(doc.absent),
        "unknown": list(doc.unknown),
        "redacted": sorted(doc.redacted),
        "inner": [
            {"path": i.path, "offset": i.offset, "kind": i.kind, "fields": i.value.to_plain()}
            for i in doc.inner
        ],
        "refused": _refused(doc),
    }


def _product(doc: Document) -> dict[str, Any] | None:
    if doc.product is None:
        return None
    from .report import product_object

    return product_object(doc.product)


def _refused(doc: Document) -> dict[str, Any] | None:
    if doc.refused is None:
        return None
    how = {"status": doc.status} if doc.status else {"reason": doc.refused.reason}
    return {"finding": doc.refused.code} | how


def finding(found: Finding) -> dict[str, Any]:
    """Return a finding as an object."""
    return found._asdict() | {"severity": found.severity.name.lower()}


def dumps(value: Any, *, indent: int | None = 2) -> str:
    """Return *value* as JSON text."""
    return json.dumps(value, indent=indent)


def loads(text: str) -> Any:
    """Read JSON text strictly. Raises InputError, with the line."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_constant)
    except json.JSONDecodeError as exc:
        raise InputError(f"not JSON: {exc.msg} (column {exc.colno})", line=exc.lineno) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as exc:
        raise InputError(f"not JSON: {exc}") from None


def fields_of(plain: Any, kind: str) -> Any:
    """Return the fields of an object that ``--json`` printed, or *plain* if it has no schema.

    Raises InputError if it is of another kind.
    """
    fields = plain
    if isinstance(plain, dict) and "schema" in plain:
        schema, absent = plain["schema"], plain.get("absent")
        if schema != f"{kind}/1":
            raise InputError(f'"schema" is {shown(schema)}, expected "{kind}/1"')
        if missing := plain.get("missing"):
            raise InputError(
                f"this JSON is no whole {kind}: missing are {shown(missing)}",
                help='give "fields" alone to build it with zeros in their place',
            )
        if absent:
            raise InputError(
                f"this JSON is no whole {kind}: absent are {shown(absent)}",
                help='give "fields" alone to build it with zeros in their place',
            )
        if plain.get("redacted"):
            raise InputError(
                f"this JSON has no keys: redacted are {shown(plain['redacted'])}",
                help="decode without --redact, or put other values in their place",
            )
        fields = plain.get("fields")
    try:
        return _leafless(fields)
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> InputError:
    return InputError("not JSON that means a record: nested too deeply")


def shape(leaves: Iterable[Leaf], convert: Callable[[Leaf], Any]) -> dict[str, Any]:
    """Return nested objects and lists for leaves by their paths."""
    root: dict[str, Any] = {}
    for leaf in leaves:
        place(root, leaf.path, convert(leaf))
    return root


def place(root: dict[str, Any], path: str, value: Any) -> None:
    """Put *value* at *path* (``entries[2].gfn``), making parents as needed. Raises UsageError."""
    steps = [name or int(index) for name, index in STEP.findall(path)]
    if not steps or "".join(m.group() for m in STEP.finditer(path)) != path:
        raise UsageError(f"{shown(path)} is no path", help="paths look like rax or entries[2].gfn")
    at: Any = root
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if isinstance(step, int):
            if not isinstance(at, list):
                raise UsageError(f"{path!r}: what is before [{step}] is not a list")
            if step > len(at) + SKIPPED:
                raise UsageError(f"{path!r}: [{step}] is too far behind the end of the list")
            at.extend({} for _ in range(step + 1 - len(at)))
        elif not isinstance(at, dict):
            raise UsageError(f"{path!r}: what is before {step!r} is not an object")
        if following is None:
            at[step] = value
            return
        fresh: Any = [] if isinstance(following, int) else {}
        child = at[step] if isinstance(step, int) else at.get(step)
        if not child and type(child) is not type(fresh):
            at[step] = child = fresh
        at = child


def _plain(leaf: Leaf) -> Any:
    return leaf.codec.to_plain(leaf.value)


def _full(doc: Document) -> Callable[[Leaf], Any]:
    data = doc.value.build()

    def digits(leaf: Leaf) -> str:
        redacted = leaf.path in doc.redacted
        return leaf.value if redacted else data[leaf.offset : leaf.offset + leaf.size].hex()

    def full(leaf: Leaf) -> Any:
        meaning = doc.meaning(leaf)
        return {
            "offset": leaf.offset,
            "size": leaf.size,
            "hex": digits(leaf),
            "value": _plain(leaf),
            "text": meaning.text or leaf.doc,
        }

    return full


def _operands(meanings: dict[str, Meaning]) -> dict[str, Any]:
    """Return each operand of an exit: its role, its number or code, its bits."""
    return {name: _operand(meaning) for name, meaning in meanings.items() if meaning.operand}


def _operand(meaning: Meaning) -> dict[str, Any]:
    value = meaning.value
    out: dict[str, Any] = {"text": meaning.text}
    if isinstance(value, OpenEnum | Flags):
        out["value"] = value.to_plain()
    else:
        out["value"] = f"{int(value):#018x}"
    if isinstance(value, Word) and not isinstance(value, Flags):
        out["bits"] = bits_of(value)
    return out


def bits_of(word: Word) -> dict[str, Any]:
    """Return the fields of a word by name."""
    return {field.name: field.plain(word) for field in word.BITS.values()}


def _leafless(plain: Any) -> Any:
    """Undo ``--json=full``: put each leaf's value in the place of its object."""
    if isinstance(plain, list):
        return [_leafless(item) for item in plain]
    if isinstance(plain, dict):
        if plain.keys() == LEAF_KEYS:
            return plain["value"]
        return {name: _leafless(value) for name, value in plain.items()}
    return plain


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        left = dict.fromkeys(found)
        twice = next(name for name, _ in pairs if left.pop(name, name) is not None)
        raise ValueError(f"{shown(twice)} appears twice in one object")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
