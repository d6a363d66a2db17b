"""pytest's markers, read: what a test says of its machine and of its faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from ..errors import SnpwireError, UsageError
from .scene import Scene, scene
from .trial import Trial, every_fault

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
FAULTS = ("snp_fault", "snp_every_fault")


def check(metafunc: pytest.Metafunc) -> None:
    """Read all markers of a test, and multiply one that asks for every fault.

    Raises CollectError, which stops the run before it starts.
    """
    test = metafunc.definition
    _told(test, lambda: scene_of(test))
    _told(test, lambda: trial_of(test))
    if "snp_fault" not in metafunc.fixturenames:
        if any(mark.name in FAULTS for mark in test.own_markers):
            raise pytest.Collector.CollectError(f"{test.nodeid}: faults need the fixture snp_guest")
    elif test.get_closest_marker("snp_every_fault"):
        names = _told(test, lambda: _every(test, port="snp_port" in metafunc.fixturenames))
        metafunc.parametrize("snp_fault", names, ids=names, indirect=True)


def _told(test: pytest.Item, read: Callable[[], T]) -> T:
    """Read something; say of which test it is where it is wrong."""
    try:
        return read()
    except SnpwireError as exc:
        help = f"; {exc.help}" if exc.help else ""
        raise pytest.Collector.CollectError(f"{test.nodeid}: {exc}{help}") from None


def scene_of(test: pytest.Item) -> Scene:
    """Return what a test is made on. Raises UsageError."""
    parts: dict[str, object] = {}
    for mark in reversed(list(test.iter_markers("snp"))):
        if mark.args:
            raise UsageError("the marker snp has names for its parts, such as profile='genoa'")
        parts |= mark.kwargs
    return scene(parts, test.name)


def trial_of(test: pytest.Item, name: str | None = None) -> Trial:
    """Return the faults that a test is marked with, and *name*. Raises UsageError."""
    marks = list(test.iter_markers("snp_fault"))
    if any(mark.kwargs for mark in marks):
        raise UsageError("the marker snp_fault has texts alone, such as 'busy*2'")
    texts = [text for mark in reversed(marks) for text in mark.args]
    return Trial([*texts, name] if name else texts)


def _every(test: pytest.Item, *, port: bool) -> list[str]:
    mark = test.get_closest_marker("snp_every_fault")
    if mark is None or mark.args or not mark.kwargs.keys() <= {"actors", "but"}:
        raise UsageError("the marker snp_every_fault has the parts actors and but")
    return every_fault(**mark.kwargs, port=port)
