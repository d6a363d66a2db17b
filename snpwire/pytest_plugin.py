"""Fixtures and markers for tests without hardware; pytest finds them in the installed package.

pytest loads this module in every run, even unused: it imports nothing that takes time until a
fixture or a marker is used. ``-p no:snpwire`` disables it.
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
    from .testing.fault_plan import FaultPlan
    from .testing.machine_fixture import MachineFixture
    from .testing.raw_guest import Port
    from .testing.reports.attestation import AttestationCertificates
    from .testing.reports.corpus import Sample

MARKERS = (
    "snp(profile, policy, seed, vcpus, vlek, image): how to make snp_machine and snp_guest",
    "snp_fault(*faults): faults injected into requests of snp_guest, as NAME[*TIMES][@STEP]",
    "snp_every_fault(actors, but): run the test once with each fault of the catalogue",
    "snp_every_report(genuine, acceptable, profile): run the test once with each sample",
)
NAMES = {"snp", "snp_fault", "snp_every_fault", "snp_every_report"}
FIXTURE: pytest.StashKey[MachineFixture] = pytest.StashKey()
PASSED: pytest.StashKey[bool] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for text in MARKERS:
        config.addinivalue_line("markers", text)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Check the markers before anything runs; parametrise tests for every fault or report."""
    names = {mark.name for mark in metafunc.definition.iter_markers()}
    if names & NAMES:
        from .testing.pytest_markers import check

        check(metafunc)


@pytest.hookimpl(hookwrapper=True)  # works before pytest 8 too
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Result[pytest.TestReport], None]:
    """Add the last steps of the machine to the report of a test that fails."""
    outcome = yield
    report = outcome.get_result()
    if call.when == "call":
        item.stash[PASSED] = report.passed
    if report.failed and FIXTURE in item.stash:
        report.sections.append(("snpwire: the last steps", item.stash[FIXTURE].failure_text()))
    if call.when == "teardown" and FIXTURE in item.stash:
        del item.stash[FIXTURE]  # pytest keeps its items to the end, and a machine has memory


def _fixture(request: pytest.FixtureRequest) -> MachineFixture:
    item: pytest.Item = request.node
    return item.stash[FIXTURE]


def _close(request: pytest.FixtureRequest, problem: str) -> None:
    """Fail a test that passed if there is a problem at its end."""
    if problem and request.node.stash.get(PASSED, False):
        pytest.fail(problem, pytrace=False)


@pytest.fixture
def snp_machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """Return a host: memory, an RMP table, a hypervisor and a secure processor.

    ``@pytest.mark.snp`` configures it. A passing test fails at its end if it broke an invariant of
    the protocol: a nonce used twice, a response accepted twice, a page without an owner.
    """
    from .testing.machine_fixture import MachineFixture
    from .testing.pytest_markers import config_of

    request.node.stash[FIXTURE] = MachineFixture(config_of(request.node))
    yield _fixture(request).machine
    _close(request, "; ".join(_fixture(request).breaches()))


@pytest.fixture
def snp_fault(request: pytest.FixtureRequest) -> Iterator[FaultPlan]:
    """Return the faults injected by the markers of the test, and their expected outcomes.

    A passing test fails at its end if a fault was never triggered.
    """
    from .testing.pytest_markers import plan_of

    plan = plan_of(request.node, getattr(request, "param", None))
    yield plan
    _close(request, plan.missed() if plan.injections else "")


@pytest.fixture
def snp_guest(request: pytest.FixtureRequest, snp_machine: Machine, snp_fault: FaultPlan) -> Guest:
    """Return a guest launched on ``snp_machine``, with the faults of ``snp_fault`` injected."""
    from .errors import UsageError

    try:
        return _fixture(request).launch(snp_fault)
    except UsageError as exc:
        problem = "; ".join(filter(None, (str(exc), exc.help)))
    pytest.fail(problem, pytrace=False)


@pytest.fixture
def snp_port(snp_machine: Machine, snp_guest: Guest) -> Port:
    """Return a guest without a driver: the secrets page, shared pages and VMGEXIT.

    Faults within a driver are not injected.
    """
    from .testing.raw_guest import Port

    return Port(snp_machine, snp_guest)


@pytest.fixture
def snp_steps(request: pytest.FixtureRequest, snp_machine: Machine) -> deque[TraceStep]:
    """Return the steps of ``snp_machine`` since its guest started: the last 1000, oldest first."""
    return _fixture(request).steps


@pytest.fixture
def snp_certs(snp_machine: Machine) -> AttestationCertificates:
    """Return the certificates of the key that signs on ``snp_machine``: DER, and PEM."""
    from .testing.reports.attestation import certificates_of

    return certificates_of(snp_machine)


@pytest.fixture
def snp_report(request: pytest.FixtureRequest) -> Sample:
    """Return a report with all inputs of a verifier: of ``snp_guest``, or each sample.

    With ``@pytest.mark.snp_every_report`` the test runs once with each; ``acceptable`` says whether
    it must be accepted, ``genuine`` whether it is authentic, ``fails`` which checks must fail.
    """
    from .testing.reports.corpus import report_named, sample_of

    if hasattr(request, "param"):
        return report_named(request.param)
    guest = request.getfixturevalue("snp_guest")
    return sample_of(request.getfixturevalue("snp_machine"), guest)
