"""What holds of every decoded value and of every view of it."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transcripts import call

from snpwire.decode import document
from snpwire.view import diff, tree
from snpwire.view import json as views
from snpwire.view.hex import annotated

if TYPE_CHECKING:
    from snpwire.view.document import Document


class Broken(Exception):  # noqa: N818  # it is found, not an error of the fuzzer
    """A property that does not hold."""


def expect(truth: object, said: str) -> None:
    """Raise Broken unless *truth* holds."""
    if not truth:
        raise Broken(said)


def rebuilt(value: Any, image: bytes, plain: Any) -> None:
    """Expect *value* to build *image*, and *plain* to make the same value."""
    expect(value.build() == image, "a byte is lost")
    again = type(value).from_plain(plain)
    expect(again == value and again.build() == image, "JSON makes another value")


def tiled(value: Any, image: bytes) -> None:
    """Expect the leaves of *value* to cover *image*, each byte once."""
    at = 0
    for leaf in value.leaves():
        expect(leaf.offset == at, "leaves leave a gap or overlap")
        at += leaf.size
    expect(at == len(image), "leaves do not reach the end")


def judged(doc: Document) -> None:
    """Expect findings to lie inside the value and to say something printable."""
    for found in doc.findings:
        expect(0 <= found.offset <= doc.size, "a finding lies outside the value")
        expect(found.code and found.text and found.source, "a finding says nothing")
        expect(found.text.isprintable() and found.path.isprintable(), "a finding is unprintable")


def _drawn(doc: Document) -> None:
    for everything in (False, True):
        for line in tree.tree(doc, everything=everything):
            expect(line.isprintable(), "a line of the tree is unprintable")


def _dumped(doc: Document) -> None:
    size, start = 0, None
    for line in annotated(doc):
        place, rest = line.split(None, 1)
        start = int(place, 16) if start is None else start
        expect(int(place, 16) == start + size, "annotated hex leaves a gap")
        folded = re.match(r"\.\. ([0-9]+) zero bytes", rest)
        size += int(folded[1]) if folded else len(rest.split("  ")[0].split())
    expect(size == doc.size, "annotated hex does not show every byte")


def _compared(doc: Document) -> None:
    expect(diff.changes(doc, doc) == [], "a value differs from itself")
    zero = document(doc.kind, bytes(doc.size), strict=doc.missing is None)
    changes = diff.changes(doc, zero)
    expect(bool(changes) or doc.value == zero.value, "a difference is not found")
    expect(
        all(line.isprintable() for line in diff.change_lines(changes)),
        "a difference is unprintable",
    )
    json.dumps(diff.change_objects(changes))


def _printed(doc: Document) -> None:
    name = doc.kind.name
    for full in (False, True):
        plain = views.loads(json.dumps(views.document(doc, full=full)))
        if doc.missing is None:  # otherwise it is refused, as it would be built with zeros
            rebuilt(doc.value, doc.value.build(), views.fields_of(plain, name))


COMPLAINTS = ("snpwire: ", "help: ", "note: ")


def answered(words: list[str], given: bytes = b"", *, negative: bool = False) -> tuple[bytes, int]:
    """Run a command line; expect a documented exit code, and errors that are lines of ours.

    A *negative* answer may be told as an error, with lines below it.
    """
    out, err, code = call(words, given)
    verb = words[0]
    expect(code in (0, 1, 2, 3), f"{verb}: exit code {code}")
    told = err.decode().split("\n")
    expect(told.pop() == "", f"{verb}: the last line on standard error has no end")
    if not (negative and code == 1):
        expect(len(told) <= 12, f"{verb}: many lines on standard error")
        expect(all(line.startswith(COMPLAINTS) for line in told), f"{verb}: a line of others")
        wrong = [line for line in told if line.startswith("snpwire: ")]
        expect(len(wrong) == (code > 1), f"{verb}: exit code {code} with {len(wrong)} complaints")
    return out, code


@cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="snpwire-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def file_of(name: str, data: bytes) -> str:
    """Write a file that commands can be given; return where it is."""
    path = _folder() / name
    path.write_bytes(data)
    return str(path)


VIEWS = (_drawn, _drawn, _dumped, _compared, _printed, _printed)
"""What is done with a document, one of them for each input."""
