"""The model does what AMD's firmware was observed to do, where those rows are at hand."""

import conformance
import pytest
from realfiles import needed, real


@needed
@pytest.mark.parametrize("file", conformance.FILES)
def test_the_model_does_what_the_firmware_was_observed_to_do(file):
    judged = [case for _, case in conformance.cases(real("firmware"), file)]

    failed = [case.name for case in judged if not case.passed]
    assert judged
    assert failed == []


@needed
def test_every_category_has_a_line_and_the_last_one_counts(capsys):
    code = conformance.main([str(real("firmware")), "--only", "kdf"])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0].split() == ["kdf", "kdf", "271", "passed", "0", "failed"]
    assert lines[-1] == "271 passed, 0 failed"


@needed
def test_a_case_is_shown_side_by_side(capsys):
    code = conformance.main([str(real("firmware")), "--show", "key/vmpl/vmpck0_vmpl0"])

    out = capsys.readouterr().out
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[:3] == [
        ["key/vmpl/vmpck0_vmpl0", "passed"],
        ["observed", "model"],
        ["status", "0", "0"],
    ]
    assert ["answer.header.msg_type", "4", "4"] in lines
    assert "DIFFERS" not in out


def test_a_difference_is_named_where_it_is():
    zeros = "00" * 64
    case = conformance.Case(
        "category",
        "name",
        {"status": 0, "same": [1, {"deep": None}], "data": zeros + "ab" * 16, "gone": {}},
        {"status": 22, "same": [1, {"deep": None}], "data": zeros + "ac" * 16},
    )

    lines = [line.split() for line in conformance.side_by_side(case)]

    assert not case.passed
    assert lines == [
        ["name", "FAILED"],
        ["observed", "model"],
        ["status", "0", "22", "DIFFERS"],
        ["same[0]", "1", "1"],
        ["same[1].deep", "null", "null"],
        ["data+0x040", "ab" * 16, "ac" * 16, "DIFFERS"],
        ["gone", "{}", "-", "DIFFERS"],
    ]
