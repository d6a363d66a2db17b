"""The markers of pytest: the machine and the faults of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from ..errors import SnpwireError, UsageError
from .fault_plan import FaultPlan, every_fault
from .machine_config import MachineConfig, machine_config
from .reports.corpus import report_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
FAULTS = ("snp_fault", "snp_every_fault")


def check(metafunc: pytest.Metafunc) -> None:
    """Check the markers of a test, and parametrise one for every fault or report.

    Raises CollectError, which stops the run before it starts.
    """
    test = metafunc.definition
    _read(test, lambda: config_of(test))
    _read(test, lambda: plan_of(test))
    if "snp_fault" not in metafunc.fixturenames:
        if any(mark.name in FAULTS for mark in test.own_markers):
            raise pytest.Collector.CollectError(f"{test.nodeid}: faults need the fixture snp_guest")
    elif test.get_closest_marker("snp_every_fault"):
        names = _read(test, lambda: _faults(test, port="snp_port" in metafunc.fixturenames))
        metafunc.parametrize("snp_fault", names, ids=names, indirect=True)
    if test.get_closest_marker("snp_every_report"):
        names = _read(test, lambda: _reports(test))
        if "snp_report" not in metafunc.fixturenames:
            raise pytest.Collector.CollectError(f"{test.nodeid}: it needs the fixture snp_report")
        metafunc.parametrize("snp_report", names, ids=names, indirect=True)


def _read(test: pytest.Item, read: Callable[[], T]) -> T:
    """Return what *read* does; its errors name the test."""
    try:
        return read()
    except SnpwireError as exc:
        help = f"; {exc.help}" if exc.help else ""
        raise pytest.Collector.CollectError(f"{test.nodeid}: {exc}{help}") from None


def config_of(test: pytest.Item) -> MachineConfig:
    """Return the machine configuration of a test. Raises UsageError."""
    parts: dict[str, object] = {}
    for mark in reversed(list(test.iter_markers("snp"))):
        if mark.args:
            raise UsageError("the marker snp has names for its parts, such as profile='genoa'")
        parts |= mark.kwargs
    return machine_config(parts, test.name)


def plan_of(test: pytest.Item, name: str | None = None) -> FaultPlan:
    """Return the faults of a test's markers, and *name*. Raises UsageError."""
    marks = list(test.iter_markers("snp_fault"))
    if any(mark.kwargs for mark in marks):
        raise UsageError("the marker snp_fault has texts alone, such as 'busy*2'")
    texts = [text for mark in reversed(marks) for text in mark.args]
    return FaultPlan([*texts, name] if name else texts)


def _faults(test: pytest.Item, *, port: bool) -> list[str]:
    return every_fault(**_parts(test, "snp_every_fault", "actors", "but"), port=port)


def _reports(test: pytest.Item) -> list[str]:
    return report_names(**_parts(test, "snp_every_report", "genuine", "acceptable", "profile"))


def _parts(test: pytest.Item, name: str, *known: str) -> Mapping[str, Any]:
    """Return the parts of the closest marker. Raises UsageError for one that it does not have."""
    mark = test.get_closest_marker(name)
    if mark is None or mark.args or not mark.kwargs.keys() <= set(known):
        parts = " and ".join((", ".join(known[:-1]), known[-1]))
        raise UsageError(f"the marker {name} has the parts {parts}")
    return mark.kwargs
