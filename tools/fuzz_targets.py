"""What the fuzzer tries: functions of bytes that raise if anything is not as it should be.

A target raises `Broken` for a property that does not hold, and lets pass what the project raises
where it may not; both are failures. Where a target needs to be told something (a kind, a command),
the first bytes of its input say it, so that an input is one string of bytes and shrinks as one.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import fuzz_certificates as certificates
import fuzz_engine as engine
import fuzz_evidence as wrapping
import fuzz_files as files
import fuzz_host as host
import fuzz_messages as messages
import fuzz_process as process
import fuzz_seeds as seeds
from fuzz_mutations import BYTES, FIELDS
from fuzz_properties import VIEWS, answered, expect, file_of, judged, rebuilt, tiled
from fuzz_seeds import KINDS

from snpwire.capture import DecodedText, hextext, kernel_log, kvm_ghcb
from snpwire.capture.logs.page_words import DIRECTIONS
from snpwire.capture.logs.verdicts import Verdicts
from snpwire.context import Direction
from snpwire.decode import Hints, document
from snpwire.errors import DecodeError, InputError, SnpwireError, UsageError
from snpwire.layout import Record
from snpwire.rules.identify import candidates
from snpwire.view import json as views
from snpwire.view.explain import TOPICS
from snpwire.wire import RECORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuzz_mutations import Mutation


WAYS = (None, None, *Direction)
ENDS = re.compile(rb"\r\n|\r|\n")


def hex_text(data: bytes) -> None:
    """Read any text in every form: bytes come out, or an InputError that names a line there is."""
    found = {form: _reading(data, form) for form in hextext.FORMS}
    _reading(data, "auto", sizes=RECORDS["ghcb"].type.fits)
    _reading(data, "hex", sizes=lambda size: size % 3 == 0)
    expect(found["raw"] and found["raw"].data == data, "raw is not the input")
    auto = found["auto"]
    if auto:
        names = {"raw": "raw", "base64": "base64", "PEM": "base64", "decimal list": "decimal"}
        forced = found[names.get(auto.form, "hex")]
        expect(forced and forced.data == auto.data, f"auto differs from forced {auto.form}")
    words, memory = found["hex-le"], found["hex-be"]
    if words and memory:
        expect(len(words.data) == len(memory.data), "the byte order changes the length")
    read = found["hex"]
    if read and read.data:
        expect(hextext.read(read.data.hex().encode(), "hex").data == read.data, "not read again")
    if data:
        _written(data[:200])


def _reading(
    data: bytes, form: str, sizes: Callable[[int], bool] | None = None
) -> DecodedText | None:
    try:
        reading = hextext.read(data, form, sizes=sizes)
    except InputError as exc:
        lines = len(ENDS.findall(data)) + 1
        expect(exc.line is None or 1 <= exc.line <= lines, "an error names a line there is not")
        return None
    expect(type(reading.data) is bytes and reading.form, "the result is no reading")
    expect(all(isinstance(note, str) for note in reading.notes), "a note is no text")
    return reading


def _written(data: bytes) -> None:
    """Expect that what tools print of *data* is read back."""
    writers = (seeds.xxd, bytes.hex, seeds.hexdump)
    write = writers[zlib.crc32(data) % (3 if data[:16] * 2 != data[:32] else 2)]
    expect(hextext.read(write(data).encode(), "hex").data == data, "a dump is not read back")


def kvm(data: bytes) -> None:
    """Find KVM's blocks in any log."""
    text = data.decode("utf-8", "replace")
    try:
        blocks = kvm_ghcb.find(text)
    except InputError as exc:
        lines = len(ENDS.findall(data)) + 1
        expect(exc.line is not None and 1 <= exc.line <= lines, "an error names no line there is")
        return
    expect(kvm_ghcb.looks_like(text) or not blocks, "a block in what does not look like one")
    for block in blocks:
        numbers = (block.gpa, *block.values.values())
        expect(all(0 <= n < 1 << 64 for n in numbers), "a value has more than 64 bits")
        expect(0 <= block.bitmap < 1 << 128, "the bitmap has more than 128 bits")
    try:
        one = kvm_ghcb.parse(text)
    except InputError:
        expect(len(blocks) != 1, "the only block is refused")
    else:
        expect(blocks == [one], "parse and find differ")


def decode(data: bytes) -> None:
    """Decode, show and rebuild bytes as the kind, and the way, that the first two bytes name."""
    which, how = data[:2].ljust(2, b"\0")
    name, body = KINDS[which % len(KINDS)], data[2:]
    kind = RECORDS[name]
    fits = kind.type.fits(len(body))
    try:
        kind.type.parse(body)
    except DecodeError:
        expect(not fits, "bytes that fit are refused")
    else:
        expect(fits, "bytes that do not fit are taken")
    least = body.ljust(kind.type.SIZE, b"\0")
    image = least[: kind.type.SIZE] if issubclass(kind.type, Record) else least
    value: Any = kind.type.parse(image)
    rebuilt(value, image, json.loads(json.dumps(value.to_plain())))
    tiled(value, image)
    hints = Hints()
    if name == "ghcb":
        place = value.sw_scratch & ~0xFFF
        hints = Hints(direction=WAYS[how % 4], gpa=(None, place, 0x1000)[how // 4 % 3])
    doc = document(kind, image, hints, base=how)
    judged(doc)
    VIEWS[how // 12 % len(VIEWS)](doc)


def beginning(data: bytes) -> None:
    """Decode what is there of a value that was cut: nothing is found that the whole has not."""
    which, how, end = data[:3].ljust(3, b"\0")
    name = KINDS[which % len(KINDS)]
    size = RECORDS[name].type.SIZE
    image = data[3:].ljust(size, b"\0")[:size]
    part = image[: max(end * size >> 8, 1)]
    if len(part) >= size:
        return
    whole, doc = document(name, image), document(name, part, strict=False)
    judged(doc)
    VIEWS[how % len(VIEWS)](doc)
    other = getattr(whole.value, "ghcb_usage", 0)  # at the end of a page: 0 is assumed, and said
    places = {(found.code, found.path) for found in whole.findings}  # a text may say less
    odd = [found for found in doc.findings if (found.code, found.path) not in places]
    expect(other or not odd, "a finding of what is not there")
    expect(all(found.offset < len(part) for found in doc.findings), "a finding past the end")
    there = [leaf for leaf in whole.value.leaves() if leaf.offset + leaf.size <= len(part)]
    expect([leaf.path for leaf in doc.leaves()] == [leaf.path for leaf in there], "other fields")


def from_json(data: bytes) -> None:
    """Build any JSON as the kind that the first byte names."""
    name = KINDS[data[0] % len(KINDS)] if data else "ghcb"
    try:
        fields = views.fields_of(views.loads(data[1:].decode("utf-8", "replace")), name)
        value = RECORDS[name].type.from_plain(fields)
    except SnpwireError as exc:
        expect(str(exc), "an error says nothing")
        return
    rebuilt(value, value.build(), value.to_plain())


def settings(data: bytes) -> None:
    """Place any values at any paths, and build what comes of it."""
    name = KINDS[data[0] % len(KINDS)] if data else "ghcb"
    root: dict[str, Any] = {}
    for line in data[1:].decode("utf-8", "replace").split("\n")[:50]:
        path, _, given = line.partition("=")
        if len(re.findall(r"\[\d{4,6}\]", path)) > 1:
            continue  # lists of lists of a million: what was asked for, and all memory
        try:
            views.place(root, path, given)
        except UsageError:
            continue
        at: Any = root
        for step, index in views.STEP.findall(path):
            at = at[step or int(index)]
        expect(at == given, "what was placed is not there")
    try:
        value = RECORDS[name].type.from_plain(root)
    except SnpwireError:
        return
    rebuilt(value, value.build(), value.to_plain())


def identify(data: bytes) -> None:
    """Ask what any bytes are."""
    found = candidates(data)
    scores = [one.score for one in found]
    expect(scores == sorted(scores, reverse=True), "the likeliest is not first")
    expect(all(0 <= score <= 1 for score in scores), "a score is no share of one")
    expect(len({one.kind for one in found}) == len(found), "a kind is named twice")
    for one in found:
        expect(one.evidence and all(map(str.isprintable, one.evidence)), "evidence says nothing")
        if one.kind in RECORDS:
            fits = RECORDS[one.kind].type.fits(len(data))
            expect(fits or len(data) < RECORDS[one.kind].type.SIZE, "a kind that does not fit")
            document(one.kind, data, strict=fits)
    names = {one.kind for one in found} - set(RECORDS)
    expect(found and names <= {"unknown"}, "a kind that there is not")


COMMANDS = [
    *("decode auto", "decode {kind}", "decode {kind} --json", "decode {kind} --json=full"),
    *("decode {kind} --hex", "decode {kind} --all --fail-on note", "decode ghcb --from kvm --json"),
    *("decode {kind} --from {form}", "decode {kind} --offset {n} --length {n}", "decode ghcb"),
    *("decode {kind} --page {n} --json", "decode ghcb --direction answer --gpa {n} --json"),
    *("decode {kind} --fields {line}", "decode {kind} --json --fields {line}"),
    *("decode {kind} --strict", "decode -", "-", "- --hex", "diff {kind} - {file} --strict"),
    *("identify", "identify --json", "identify --from {form} --offset {n}"),
    *("diff {kind} - {file}", "diff {kind} {file} - --json", "diff {kind} {file} -"),
    *("encode {kind} --hex", "encode {kind} --hex --set {line}", "encode {kind} - --set {line}"),
    *("explain {topic} {line}", "explain {topic} {line} --exit {next}", "explain {kind}@{line}"),
    *("explain {topic} {line} --json", "explain {topic} {line} --answer --info1 {next}"),
    *(
        "explain {line}",
        "explain {line} {next} --json",
        "explain {topic}",
        "explain key-select {line}",
    ),
    *("layout {line}", "decode {line}", "decode {kind} {file} --offset {n} --length {n}"),
    *("decode {kind} {file} --page 0 --hex", "identify {file} --from {form} --offset {n}"),
]
FORMS = [*hextext.FORMS, "kvm"]
TOPIC_NAMES = list(TOPICS)


def _words(data: bytes) -> tuple[list[str], bytes]:
    """Return the words of a command line, chosen by the first four bytes, and its input."""
    which, kind, some, count = data[:4].ljust(4, b"\0")
    given = data[4:]
    template = COMMANDS[which % len(COMMANDS)]
    line, _, rest = given.partition(b"\n")
    slots = {
        "kind": KINDS[kind % len(KINDS)],
        "form": FORMS[some % len(FORMS)],
        "topic": TOPIC_NAMES[some % len(TOPIC_NAMES)],
        "n": str(count),
        "line": line.decode("utf-8", "replace").replace("=@", "=").replace("\0", ""),
        "next": rest.partition(b"\n")[0].decode("utf-8", "replace"),
    }
    if "{file}" in template:
        half = len(given) // 2
        slots["file"] = file_of("other", given[half:])
        given = given[:half]
    words = [word.format_map(slots) for word in template.split()]
    return words, rest if "{line}" in template else given


def command(data: bytes) -> None:
    """Run a whole command line: an exit code it documents, and errors that are lines of ours."""
    words, given = _words(data)
    out, code = answered(words, given)
    verb = words[0]
    expect(not out or code < 2, f"{verb}: output in spite of an error")
    if code > 1 or any(word in ("-h", "--help") for word in words):
        return
    if "--json" in words or "--json=full" in words:
        json.loads(out)
    elif verb == "encode" and "--hex" in words:
        bytes.fromhex(out.decode())


def log(data: bytes) -> None:
    """Read any log, whole and in two pieces: the same records, every line counted once."""
    whole = kernel_log.Reader()
    found = [*whole.feed(data), *whole.close()]
    middle = data[0] * len(data) >> 8 if data else 0
    pieces = list(kernel_log.records([data[:middle], data[middle:]]))
    expect(found == pieces, "a log that is cut has other records")
    verdicts = Verdicts()
    for record in found:
        verdicts.feed(record)
    for lines, plain in verdicts.blocks(kernel_log.FAMILIES):
        expect(bool(lines) and bool(json.dumps(plain)), "a verdict says nothing")
    expect(whole.known + whole.passed == whole.lines, "lines are missing")
    for record in found:
        expect(1 <= record.line <= record.last <= whole.lines, "a record of no line")
        json.dumps(record.to_plain())


def capture(data: bytes) -> None:
    """Read what scripts and tracers print: pages decode as log and stream say, verdicts answer."""
    verdicts = Verdicts()
    for record in kernel_log.records([data]):
        verdicts.feed(record)
        plain = record.to_plain()
        json.dumps(plain)
        page, body = record.fields.get("page", ""), record.fields.get("data")
        if record.kind != "page" or body is None or page not in RECORDS:
            continue
        expect(plain["fields"]["data"] == body.hex(), "bytes of a page changed")
        absent = frozenset(record.fields.get("absent", ()))
        hints = Hints(DIRECTIONS.get(record.fields["way"]), absent=absent)
        try:
            doc = document(page, body, hints)
        except DecodeError:
            expect(record.consequence, "a page that is not whole is not said to be cut")
            continue
        judged(doc)
        if not absent:  # no JSON makes a page whole that is not
            VIEWS[record.line % len(VIEWS)](doc)
    for lines, plain in verdicts.blocks(kernel_log.FAMILIES):
        expect(bool(lines), "a verdict without words")
        json.dumps(plain)


class Target(NamedTuple):
    """Something to fuzz."""

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    mutations: tuple[Mutation, ...] = BYTES
    share: int = 2
    """How much of the time it gets."""


TARGETS: dict[str, Target] = {
    "hex": Target(hex_text, seeds.hex_seeds, share=5),
    "kvm": Target(kvm, seeds.log_seeds, share=1),
    "log": Target(log, seeds.kernel_log_seeds),
    "capture": Target(capture, seeds.kernel_log_seeds),
    "decode": Target(decode, seeds.image_seeds, (*FIELDS * 2, *BYTES), share=6),
    "beginning": Target(beginning, seeds.image_seeds, (*FIELDS * 2, *BYTES), share=2),
    "json": Target(from_json, seeds.json_seeds),
    "set": Target(settings, seeds.setting_seeds, share=1),
    "identify": Target(identify, lambda: [seed[2:] for seed in seeds.image_seeds()], share=1),
    "cli": Target(command, seeds.command_seeds, share=4),
    "message": Target(messages.message, messages.message_seeds),
    "evidence": Target(messages.evidence, messages.evidence_seeds),
    "certificate": Target(certificates.certificate, certificates.certificate_seeds),
    "wrapped": Target(wrapping.wrapped, wrapping.wrapped_seeds, share=2),
    "buffer": Target(host.buffer, host.buffer_seeds),
    "rmp": Target(host.rmp, host.rmp_seeds, (*BYTES, *(host.entry,) * 6)),
    "files": Target(files.files, files.file_seeds),
    "process": Target(process.process, process.process_seeds, share=3),
    "mailbox": Target(engine.mailbox, engine.mailbox_seeds, engine.STEPS, 3),
    "exits": Target(engine.exits, engine.exit_seeds, (*FIELDS * 2, *BYTES), 3),
}
