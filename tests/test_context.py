"""A page is read the way its bitmap says, unless somebody knows better."""

import pytest
from hypothesis import given
from strategies import patched

from snpwire.context import Direction, context_of, operands
from snpwire.wire.exits import ExitCode, events_of
from snpwire.wire.ghcb import Page, ValidBitmap


def page(*valid, code="CPUID", **fields):
    return Page(
        sw_exit_code=ExitCode.from_plain(code),
        valid_bitmap=ValidBitmap.from_plain([*valid]),
        **fields,
    )


@pytest.mark.parametrize(
    ("valid", "direction", "reason"),
    [
        (["sw_exit_code"], "request", "sw_exit_code is marked valid"),
        (["sw_exit_code", "sw_exit_info_1"], "request", "sw_exit_code is marked valid"),
        (["sw_exit_info_1"], "answer", "operands are marked valid, sw_exit_code is not"),
        (["sw_exit_info_2", "rax"], "answer", "operands are marked valid, sw_exit_code is not"),
        (["rax"], "request", "nothing tells: no exit field is marked valid"),
        ([], "request", "nothing tells: no exit field is marked valid"),
    ],
)
def test_the_bitmap_tells_the_direction(valid, direction, reason):
    context = context_of(page(*valid))

    assert context.direction == direction
    assert context.decisions == (("direction", direction, reason),)


@pytest.mark.parametrize("direction", Direction)
def test_a_direction_that_is_asked_for_is_taken(direction):
    context = context_of(page("sw_exit_code"), direction=direction)

    assert context.direction is direction
    assert context.decisions[0].reason == "as asked for"


def test_the_first_operand_selects_the_row_of_a_request():
    names = {
        context_of(page("sw_exit_code", code="MSR", sw_exit_info_1=write)).event.name
        for write in (0, 1)
    }

    assert names == {event.name for event in events_of(ExitCode.from_plain("MSR"))}


def test_a_response_is_read_by_the_first_row_of_its_exit():
    rows = events_of(ExitCode.from_plain("MSR"))

    assert context_of(page("sw_exit_info_1", code="MSR", sw_exit_info_1=1)).event == rows[0]


@pytest.mark.parametrize("direction", Direction)
def test_a_code_that_no_source_names_has_no_event(direction):
    unknown = Page(sw_exit_code=0x12345)
    context = context_of(unknown, direction=direction)

    roles = operands(unknown, context)

    assert context.event is None
    assert list(roles) == (
        [] if direction is Direction.REQUEST else ["sw_exit_info_1", "sw_exit_info_2"]
    )


def test_a_request_has_the_operands_of_its_event():
    asked = page("sw_exit_code")
    context = context_of(asked)

    roles = operands(asked, context)

    assert roles["sw_exit_info_1"] == context.event.info1
    assert roles["rax"] == context.event.inputs["rax"]


def test_a_response_has_an_action_and_what_the_exit_returns():
    answered = page("sw_exit_info_1")

    roles = operands(answered, context_of(answered))

    assert roles["sw_exit_info_1"].label == "action asked of the guest"
    assert "rax" in roles


def test_a_refusal_has_a_reason():
    refused = page("sw_exit_info_1", sw_exit_info_1=2, sw_exit_info_2=5)

    assert operands(refused, context_of(refused))["sw_exit_info_2"].label == "reason"


def test_what_the_caller_knows_is_kept():
    context = context_of(page(), gpa=0x1000, absent=frozenset({"rax"}))

    assert (context.gpa, context.absent) == (0x1000, {"rax"})


@given(image=patched(4096))
def test_every_page_can_be_read_both_ways(image):
    value = Page.parse(image)

    for direction in (None, *Direction):
        context = context_of(value, direction=direction)
        assert set(operands(value, context)) <= {tile.path for tile in Page.FIELDS}
