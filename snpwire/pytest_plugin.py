"""Fixtures and markers for tests without hardware; pytest finds them in the installed package.

pytest loads this module in every run, also where nobody asks for it: it imports nothing that takes
time until a fixture or a marker is used. ``-p no:snpwire`` leaves it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator, Iterator

    from pluggy import Result

    from .engine.guest.guest import Guest
    from .engine.machine import Machine
    from .engine.trace import TraceStep
    from .testing.fault_plan import Plan
    from .testing.machine_fixture import Rig
    from .testing.raw_guest import Port
    from .testing.reports.attestation import Certificates
    from .testing.reports.corpus import Sample

MARKERS = (
    "snp(profile, policy, seed, vcpus, vlek, image): what snp_machine and snp_guest are made of",
    "snp_fault(*faults): what goes wrong for snp_guest, as NAME[*TIMES][@STEP]",
    "snp_every_fault(actors, but): run the test once with each fault of the catalogue",
    "snp_every_report(genuine, profile): run the test once with each sample, right or wrong",
)
NAMES = {"snp", "snp_fault", "snp_every_fault", "snp_every_report"}
RIG: pytest.StashKey[Rig] = pytest.StashKey()
PASSED: pytest.StashKey[bool] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for text in MARKERS:
        config.addinivalue_line("markers", text)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Check what markers say before anything runs, and multiply what asks for all there is."""
    names = {mark.name for mark in metafunc.definition.iter_markers()}
    if names & NAMES:
        from .testing import pytest_markers as marks

        marks.check(metafunc)


@pytest.hookimpl(hookwrapper=True)  # which pytest before 8 knows as well
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Result[pytest.TestReport], None]:
    """Add the last steps of the machine to the report of a test that fails."""
    outcome = yield
    report = outcome.get_result()
    if call.when == "call":
        item.stash[PASSED] = report.passed
    if report.failed and RIG in item.stash:
        report.sections.append(("snpwire: the last steps", item.stash[RIG].story()))
    if call.when == "teardown" and RIG in item.stash:
        del item.stash[RIG]  # pytest keeps its items to the end, and a machine has memory


def _rig(request: pytest.FixtureRequest) -> Rig:
    item: pytest.Item = request.node
    return item.stash[RIG]


def _close(request: pytest.FixtureRequest, problem: str) -> None:
    """Fail a test that passed for what is found at its end."""
    if problem and request.node.stash.get(PASSED, False):
        pytest.fail(problem, pytrace=False)


@pytest.fixture
def snp_machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """Give a host: memory, an RMP table, a hypervisor and a secure processor.

    ``@pytest.mark.snp`` says which. A test that passes fails after all if a rule of the protocol
    was broken in it: a nonce used twice, an answer taken twice, a page that nobody owns.
    """
    from .testing.machine_fixture import Rig
    from .testing.pytest_markers import scene_of

    request.node.stash[RIG] = Rig(scene_of(request.node))
    yield _rig(request).machine
    _close(request, "; ".join(_rig(request).breaches()))


@pytest.fixture
def snp_fault(request: pytest.FixtureRequest) -> Iterator[Plan]:
    """Tell what goes wrong in this test, by its markers, and what has to come of it.

    A test that passes fails after all if a fault never struck.
    """
    from .testing.pytest_markers import plan_of

    plan = plan_of(request.node, getattr(request, "param", None))
    yield plan
    _close(request, plan.unmet() if plan.injections else "")


@pytest.fixture
def snp_guest(request: pytest.FixtureRequest, snp_machine: Machine, snp_fault: Plan) -> Guest:
    """Give a guest that was launched on ``snp_machine``, and meets the faults of ``snp_fault``."""
    from .errors import UsageError

    try:
        return _rig(request).launch(snp_fault)
    except UsageError as exc:
        problem = "; ".join(filter(None, (str(exc), exc.help)))
    pytest.fail(problem, pytrace=False)


@pytest.fixture
def snp_port(snp_machine: Machine, snp_guest: Guest) -> Port:
    """Give what lies below a guest's driver: the secrets page, and the way to the hypervisor.

    Of all faults those are left out that strike in a driver itself.
    """
    from .testing.raw_guest import Port

    return Port(snp_machine, snp_guest)


@pytest.fixture
def snp_steps(request: pytest.FixtureRequest, snp_machine: Machine) -> deque[TraceStep]:
    """Give the steps of ``snp_machine`` since its guest started: the last 1000, oldest first."""
    return _rig(request).steps


@pytest.fixture
def snp_certs(snp_machine: Machine) -> Certificates:
    """Give the certificates of the key that signs on ``snp_machine``: DER, and PEM."""
    from .testing.reports.attestation import certificates_of

    return certificates_of(snp_machine)


@pytest.fixture
def snp_report(request: pytest.FixtureRequest) -> Sample:
    """Give a report with all that a verifier needs: of ``snp_guest``, or one of every sample.

    With ``@pytest.mark.snp_every_report`` the test runs once with each; ``genuine`` says whether it
    has to be accepted, ``fails`` which links have to fail.
    """
    from .testing.reports.corpus import report_named, sample_of

    if hasattr(request, "param"):
        return report_named(request.param)
    guest = request.getfixturevalue("snp_guest")
    return sample_of(request.getfixturevalue("snp_machine"), guest)
