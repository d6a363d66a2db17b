"""What help lists, typed there so that help imports nothing, against the tables."""

import re

from transcripts import call

from snpwire.view.topics import TOPICS
from snpwire.wire.message import NAMED


def help_of(command):
    output, errors, code = call([command, "--help"])

    assert (code, errors) == (0, b"")
    return output.decode()


def test_help_of_explain_lists_every_topic_and_no_other():
    listed = re.search(r"WHAT is one of\n(.*?)KIND@OFFSET", help_of("explain"), re.DOTALL)

    names = re.findall(r"[a-z0-9-]+", listed[1])
    assert sorted(names) == sorted(TOPICS)


def test_help_of_request_lists_every_message_that_has_a_name_and_no_other():
    listed = re.search(r"KIND is one of\n(.*?)\n\n", help_of("request"), re.DOTALL)

    names = [line.split()[0] for line in listed[1].splitlines()]
    assert sorted(names) == sorted([*NAMED, "raw"])
