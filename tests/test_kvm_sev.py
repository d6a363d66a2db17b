"""The refusals of KVM's commands are those of specs/kvm_sev.toml, in the same order."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from snpwire.wire.kvm_sev import COMMON, FORKS, REFUSALS, Errno, KvmSevCommand, refusals

SPEC = tomllib.loads((Path(__file__).parents[1] / "specs" / "kvm_sev.toml").read_text())
ROWS = {row["command"]: row["order"] for row in SPEC["refusals"]}
ARGUMENTS = {"", "policy", "type", "memory", "id-block", "features"}


def errors(order):
    return [line.partition(":")[0] for line in order]


def test_commands_with_refusals_are_those_of_the_specification():
    assert set(ROWS) == {"any", *(command.name for command in REFUSALS)}


@pytest.mark.parametrize("command", REFUSALS, ids=lambda command: command.name)
def test_a_command_is_refused_in_the_order_of_its_row(command):
    assert [row.errno.name for row in REFUSALS[command]] == errors(ROWS[command.name])


def test_what_every_command_is_refused_for_is_that_of_the_specification():
    assert [row.errno.name for row in COMMON] == errors(ROWS["any"])


def test_a_number_of_either_sign_gives_the_same_refusals_and_no_others():
    for command in KvmSevCommand:
        for errno in Errno:
            rows = refusals(command, -errno)

            assert rows == refusals(command, errno)
            assert {row.errno for row in rows} <= {errno}
            assert len({row.text for row in rows}) == len(rows)


def test_the_policy_decides_two_refusals_of_the_launch():
    rows = refusals(KvmSevCommand.SNP_LAUNCH_START, -22)

    assert [row.argument for row in rows].count("policy") == 2


def test_an_error_that_a_command_never_gives_has_no_refusal():
    assert refusals(KvmSevCommand.LAUNCH_FINISH, -17) == ()


def test_each_refusal_names_an_argument_that_is_known_and_a_text_of_its_own():
    rows = [row for order in (COMMON, *REFUSALS.values()) for row in order]

    assert {row.argument for row in rows} == ARGUMENTS
    assert all(row.text and "{" not in row.text for row in rows)


def test_forks_are_told_of_commands_that_can_be_refused():
    assert set(FORKS) <= set(REFUSALS)
