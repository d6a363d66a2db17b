"""A test kit without hardware: reports for verifiers, guests, faults, and a raw guest for drivers.

pytest finds the fixtures by itself (``pytest --markers``, ``pytest --fixtures``). A verifier is
tested with every sample, a guest agent or driver with every fault::

    import pytest
    from my_service import MyDriver, accepts, attest

    from snpwire.testing import call_outcome

    @pytest.mark.snp_every_report
    def test_the_verifier_accepts_what_is_acceptable(snp_report):
        assert accepts(snp_report) is snp_report.acceptable, snp_report.why

    @pytest.mark.snp_every_fault
    def test_the_agent_ends_as_it_must(snp_guest, snp_fault):
        assert call_outcome(snp_guest, lambda: attest(snp_guest)) == snp_fault.expected()

    @pytest.mark.snp_every_fault(but=["firmware-dies", "firmware-times-out"])
    def test_the_driver_answers_when_it_can(snp_port, snp_fault):
        report = MyDriver(snp_port.secrets, snp_port.send, snp_port.sleep).report(b"n" * 64)

        assert (report is not None) is (not snp_fault.expected().errno)

    @pytest.mark.snp(profile="turin", policy={"throttle": {"burst": 1, "interval": 5}})
    @pytest.mark.snp_fault("alter-answer@3")
    def test_an_altered_answer_costs_the_key(snp_guest, snp_fault):
        snp_guest.report()
        snp_guest.key()

        assert str(call_outcome(snp_guest, snp_guest.report)) == "EBADMSG, key wiped"

The same without pytest, and by hand::

    from snpwire.testing import DriverError, HypervisorPolicy, Injection, Machine
    from snpwire.testing import profile_named, reports

    for sample in reports(acceptable=False, profile="genoa"):
        print(sample.name, sample.why, sample.fails)

    machine = Machine(profile_named("genoa"), seed=1)
    guest = machine.add(policy=HypervisorPolicy.from_plain({"certificates": "chain"}))
    report, table = guest.ext_report(b"n" * 64, vmpl=1)
    machine.inject(Injection.parse("busy*40"))
    try:
        guest.key()
    except DriverError as error:
        print(error.errno, machine.clock.now)

The same seed gives the same bytes, and time is that of the machine. The default seed of a test is
derived from its name.
"""

from ..engine.faults.catalogue import FAULTS
from ..engine.faults.fault import Fault
from ..engine.faults.injection import Injection
from ..engine.guest.guest import ExtendedReport, Guest
from ..engine.guest.request import Request, Response
from ..engine.hypervisor.launch import Image
from ..engine.hypervisor.policy import HypervisorPolicy
from ..engine.invariants import Watch
from ..engine.machine import Machine
from ..engine.oracle import attempt
from ..engine.outcome import Outcome
from ..engine.profile import NAMES as PROFILES
from ..engine.profile import Profile, profile, profile_named
from ..engine.trace import Trace, TraceStep
from ..errors import AccessError, DriverError, EngineError, ExitError, StoppedError, UsageError
from .fault_plan import FaultPlan, call_outcome, every_fault
from .raw_guest import ExitResult, Port
from .reports.attestation import AttestationCertificates, certificates_of
from .reports.corpus import Sample, report_named, report_names, reports, sample_of

__all__ = [
    "FAULTS",
    "PROFILES",
    "AccessError",
    "AttestationCertificates",
    "DriverError",
    "EngineError",
    "ExitError",
    "ExitResult",
    "ExtendedReport",
    "Fault",
    "FaultPlan",
    "Guest",
    "HypervisorPolicy",
    "Image",
    "Injection",
    "Machine",
    "Outcome",
    "Port",
    "Profile",
    "Request",
    "Response",
    "Sample",
    "StoppedError",
    "Trace",
    "TraceStep",
    "UsageError",
    "Watch",
    "attempt",
    "call_outcome",
    "certificates_of",
    "every_fault",
    "profile",
    "profile_named",
    "report_named",
    "report_names",
    "reports",
    "sample_of",
]
