"""For tests without hardware: machines, guests, faults, and what lies below a driver.

    machine = Machine(profile_named("genoa"), seed=1)
    guest = machine.add(policy=Policy.from_plain({"pages": "guest"}))
    report = guest.report(hashlib.sha512(b"nonce").digest(), vmpl=1)
    machine.inject(Injection.parse("alter-answer"))

The same seed gives the same bytes, and no time passes but the machine's own. pytest finds the
fixtures by itself (``pytest --markers``, ``pytest --fixtures``).
"""

from ..engine.catalogue import FAULTS
from ..engine.driver import Answer, Request
from ..engine.faults import Fault, Injection
from ..engine.guest import Attested, Guest
from ..engine.invariants import Watch
from ..engine.launch import Image
from ..engine.machine import Machine
from ..engine.outcome import Outcome, attempt
from ..engine.policy import Policy
from ..engine.profile import NAMES as PROFILES
from ..engine.profile import Profile, profile, profile_named
from ..engine.trace import Step, Trace
from ..errors import AccessError, DriverError, EngineError, StoppedError, UsageError
from .certificates import Certificates, certificates_of
from .plan import Plan, ended, every_fault
from .port import Port, Sent
from .samples import Sample, report_named, report_names, reports, sample_of

__all__ = [
    "FAULTS",
    "PROFILES",
    "AccessError",
    "Answer",
    "Attested",
    "Certificates",
    "DriverError",
    "EngineError",
    "Fault",
    "Guest",
    "Image",
    "Injection",
    "Machine",
    "Outcome",
    "Plan",
    "Policy",
    "Port",
    "Profile",
    "Request",
    "Sample",
    "Sent",
    "Step",
    "StoppedError",
    "Trace",
    "UsageError",
    "Watch",
    "attempt",
    "certificates_of",
    "ended",
    "every_fault",
    "profile",
    "profile_named",
    "report_named",
    "report_names",
    "reports",
    "sample_of",
]
