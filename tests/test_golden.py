"""What the commands print, kept as transcripts that a reader can check against the documents.

``tools/transcripts.py`` fills them in; a line that changes is read again before it is kept.
"""

from __future__ import annotations

import re
from difflib import unified_diff
from pathlib import Path

import pytest
import transcripts

from snpwire.view.explain import TOPICS
from snpwire.wire import RECORDS
from snpwire.wire.events import EVENTS
from snpwire.wire.exits import ExitCode
from snpwire.wire.msr import MsrInfo
from snpwire.wire.operands import Action, MalformedReason, PscReturn, VmmError

ROOT = Path(__file__).parents[1]
GOLDEN = sorted(ROOT.glob("tests/golden/*.txt"))
TEXT = {path.stem: path.read_text() for path in GOLDEN}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_commands_print_what_they_printed(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NO_COLOR", "1")
    kept = path.read_text()

    now = transcripts.renewed(kept)

    changed = unified_diff(kept.splitlines(), now.splitlines(), "kept", "now", lineterm="")
    assert now == kept, "\n".join(["python tools/transcripts.py tests/golden/*.txt", *changed])


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_event_is_decoded(event):
    heading = f"  request: {event.title}  protocol 2"
    line = f"{ExitCode(event.code).name}"

    assert heading in TEXT["exits"]
    assert f" {line}" in TEXT["exits"]


@pytest.mark.parametrize(
    "event", [e for e in EVENTS if e.returns or e.result.label], ids=lambda event: event.name
)
def test_every_event_that_returns_something_is_answered(event):
    assert f"response to {ExitCode(event.code).name}" in TEXT["answers"]


@pytest.mark.parametrize("info", MsrInfo, ids=lambda info: info.name)
def test_every_message_of_the_msr_is_explained(info):
    assert re.search(rf"\[11:0\] info +\w+ +{info.name}: ", TEXT["msr"])


@pytest.mark.parametrize(
    "code", [*Action, *MalformedReason, *PscReturn, *VmmError], ids=lambda code: code.name
)
def test_every_code_of_a_response_is_decoded(code):
    assert f"{code.name}: {code.doc}" in TEXT["answers"]


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_is_explained(topic):
    assert f"$ snpwire explain {topic} " in TEXT["msr" if topic == "msr" else "explain"]


@pytest.mark.parametrize("kind", RECORDS)
def test_every_layout_is_printed(kind):
    assert f"$ snpwire layout {kind}\n{kind}  " in TEXT["layout"]


def test_no_transcript_shows_a_traceback():
    assert not [name for name, text in TEXT.items() if "Traceback" in text]
