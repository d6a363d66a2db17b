"""What a report says of its guest and host: refused, allowed by name, or not compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.advisory import table
from snpwire.crypto.allowance import ALLOWABLE
from snpwire.crypto.appraisal import checks
from snpwire.crypto.check import CheckGroup, CheckState
from snpwire.crypto.policy import AppraisalPolicy
from snpwire.crypto.policy_rule import Subject
from snpwire.product import decide
from snpwire.wire.report import REPORT_SIZE, GuestPolicy, KeyInfo, PlatformInfo, Report
from snpwire.wire.tcb import TcbClassic, TcbTurin

NONE = frozenset()


def tcb(**parts):
    return int(TcbClassic.of(**{"boot_loader": 4, "snp": 29, "microcode": 222, **parts}))


SOUND = Report(
    version=5,
    policy=GuestPolicy(0x30000),
    platform_info=PlatformInfo(0x25),
    cpuid_fam_id=0x19,
    cpuid_mod_id=1,
    cpuid_step=1,
    measurement=b"\x33" * 48,
    report_id_ma=b"\xff" * 32,
    current_tcb=tcb(),
    committed_tcb=tcb(),
    reported_tcb=tcb(),
    launch_tcb=tcb(),
    current_mit_vector=0x3F,
    launch_mit_vector=0x3F,
    current_major=1,
    current_minor=55,
    current_build=41,
    committed_major=1,
    committed_minor=55,
    committed_build=41,
)


def appraised(rules=None, compared=NONE, csp_id=None, **changes):
    """Return the checks of a report, by name."""
    report = SOUND.replace(**changes)
    subject = Subject(report, decide(report), csp_id)
    rows = checks(subject, rules or AppraisalPolicy(), frozenset(compared))

    assert {row.group for row in rows} == {CheckGroup.APPRAISAL}
    assert len({row.name for row in rows}) == len(rows)
    return {row.name: row for row in rows}


def failing(**changes):
    return {name for name, row in appraised(**changes).items() if row.state is CheckState.FAILED}


WEAK = [
    ("debug", {"policy": GuestPolicy(0xB0000)}, "the host may read and change all memory"),
    ("migration", {"policy": GuestPolicy(0x70000)}, "none is bound"),
    (
        "migration",
        {"policy": GuestPolicy(0x70000), "report_id_ma": b"\x66" * 32},
        "a migration agent, one is bound",
    ),
    ("policy-bits", {"policy": GuestPolicy(0x10000)}, "bit 17 is clear"),
    ("policy-bits", {"policy": GuestPolicy(0x30000 | 1 << 40)}, "bit 40 of it has no name"),
    ("vmpl", {"vmpl": 4}, "VMPL 4, there are 0 to 3"),
    ("vmpl", {"vmpl": 0xFFFFFFFF}, "the host asked"),
    ("tcb-order", {"current_tcb": tcb(snp=28)}, "snp of reported_tcb is 29, of current_tcb 28"),
    ("tcb-order", {"committed_tcb": tcb(tee=1)}, "tee of committed_tcb is 1, of current_tcb 0"),
    (
        "tcb-order",
        {
            "committed_tcb": tcb(boot_loader=3, microcode=230),
            "current_tcb": tcb(microcode=230),
        },
        "boot_loader of reported_tcb is 4, of committed_tcb 3",
    ),
    ("report-version", {"version": 6}, "version 6 is not known"),
    ("key-info", {"key_info": KeyInfo(1 << 31)}, "bit 31 of key_info is set"),
    ("key-info", {"key_info": KeyInfo(1)}, "author_key_digest is zero"),
    ("measurement", {"measurement": bytes(48)}, "it is zero, no launch ends so"),
]


@pytest.mark.parametrize(("name", "changes", "reason"), WEAK)
class TestWeakReports:
    def test_it_is_refused_and_the_refusal_names_how_to_allow_it(self, name, changes, reason):
        rows = appraised(**changes)

        assert failing(**changes) == {name}
        assert reason in rows[name].reason
        assert rows[name].option == f"--allow {name}"

    def test_it_is_allowed_by_its_name_and_shown(self, name, changes, reason):
        row = appraised(AppraisalPolicy(allow=frozenset({name})), **changes)[name]

        assert row.state is CheckState.ALLOWED
        assert reason in row.reason

    def test_no_other_name_allows_it(self, name, changes, reason):
        others = AppraisalPolicy(allow=frozenset(ALLOWABLE) - {name})

        assert appraised(others, **changes)[name].state is CheckState.FAILED


@pytest.mark.parametrize("version", [0, 1])
def test_versions_before_2_are_refused(version):
    assert "report-version" in failing(version=version)


def test_a_sound_report_fails_nothing():
    assert failing() == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2, "cpuid_fam_id": 0, "cpuid_mod_id": 0, "cpuid_step": 0},
        {"version": 4},
        {"vmpl": 3},
        {"launch_tcb": tcb(microcode=225)},
        {"launch_tcb": 0},
        {"committed_tcb": tcb(microcode=223), "current_tcb": tcb(microcode=224)},
        {"key_info": KeyInfo(1), "author_key_digest": b"\1" * 48},
        {"key_info": KeyInfo(4)},
        {"platform_info": PlatformInfo(0x65)},
        {"reserved_0x1eb": b"\1"},
    ],
)
def test_what_is_odd_is_accepted(changes):
    assert failing(**changes) == set()


def test_provisional_firmware_is_said():
    row = appraised(current_tcb=tcb(microcode=224))["tcb-order"]

    assert row.reason.endswith("microcode: provisional, the host may go back to what is committed")


def test_bits_of_the_platform_and_reserved_bytes_are_shown():
    rows = appraised(platform_info=PlatformInfo(0x65), reserved_0x1eb=b"\1")

    assert "bit 6 of it has no name in any document" in rows["platform-info"].reason
    assert "IOMMU write safe" in rows["platform-info"].reason
    assert rows["reserved-bytes"].reason.startswith("reserved bytes at 0x1eb are not zero")
    assert not {"platform-info", "reserved-bytes"} & appraised().keys()


def test_a_turin_is_compared_in_its_own_order():
    high, low = (int(TcbTurin.of(fmc=n, boot_loader=3, snp=5, microcode=97)) for n in (2, 1))
    changes = {"cpuid_fam_id": 0x1A, "cpuid_mod_id": 2, "current_tcb": low, "committed_tcb": low}

    rows = appraised(reported_tcb=high, **changes)

    assert rows["tcb-order"].reason.startswith("fmc of reported_tcb is 2, of committed_tcb 1")


@given(st.binary(min_size=REPORT_SIZE, max_size=REPORT_SIZE), st.booleans())
def test_every_report_can_be_appraised(data, every):
    report = Report.parse(data)
    policy = AppraisalPolicy(advisories=() if every else None)

    rows = checks(Subject(report, decide(report)), policy, NONE)

    assert all(row.reason.isprintable() for row in rows)


@given(*[st.tuples(*[st.integers(0, 3)] * 4)] * 3)
def test_tcb_versions_are_ordered_by_component(reported, committed, current):
    names = ("boot_loader", "tee", "snp", "microcode")
    fields = {
        field: int(TcbClassic.of(**dict(zip(names, parts, strict=True))))
        for field, parts in (
            ("reported_tcb", reported),
            ("committed_tcb", committed),
            ("current_tcb", current),
        )
    }
    ordered = all(a <= b <= c for a, b, c in zip(reported, committed, current, strict=True))

    assert ("tcb-order" not in failing(**fields)) is ordered


class TestNotCompared:
    @pytest.mark.parametrize(
        ("name", "field", "option"),
        [
            ("measurement", "measurement", "--measurement"),
            ("report-data", "report_data", "--report-data"),
            ("host-data", "host_data", "--host-data"),
            ("id-key", "id_key_digest", "--id-key"),
            ("author-key", "author_key_digest", "--author-key"),
            ("chip-id", "chip_id", "chip_id in --policy"),
            ("vmpl", "vmpl", "vmpl in --policy"),
            ("minimum-tcb", "reported_tcb", "--min-tcb"),
        ],
    )
    def test_it_is_said_with_the_option_that_compares_it(self, name, field, option):
        row = appraised()[name]
        after = appraised(compared=[field]).get(name)

        assert (row.state, row.option) == (CheckState.NOT_CHECKED, option)
        assert after is None or after.state is CheckState.HOLDS

    def test_a_policy_compares_what_it_has_rules_for(self):
        policy = AppraisalPolicy.from_plain(
            {"measurement": "33" * 48, "vmpl": 0, "minimum": {"committed_tcb": {"snp": 29}}}
        )
        rows = appraised(policy)

        assert rows["policy-measurement"].state is CheckState.HOLDS
        assert rows["measurement"].state is rows["vmpl"].state is CheckState.HOLDS
        assert "minimum-tcb" not in rows

    def test_a_minimum_of_the_launch_says_nothing_of_what_runs(self):
        policy = AppraisalPolicy.from_plain({"minimum": {"launch_tcb": {"snp": 1}}})

        assert "minimum-tcb" in appraised(policy)

    def test_a_vlek_is_that_of_any_provider_unless_the_policy_names_one(self):
        named = AppraisalPolicy.from_plain({"csp_id": "CN=x"})
        vlek = KeyInfo(4)

        row = appraised(key_info=vlek, csp_id="CN=x")["csp-id"]

        assert (row.state, row.option) == (CheckState.NOT_CHECKED, "csp_id in --policy")
        assert "'CN=x'" in row.reason
        assert "csp-id" not in appraised()
        assert "csp-id" not in appraised(named, key_info=vlek, csp_id="CN=x")

    def test_a_rule_of_the_policy_cannot_be_allowed_away(self):
        policy = AppraisalPolicy.from_plain({"vmpl": 1, "allow": ["vmpl"]})
        bold = policy._replace(allow=frozenset({"policy-vmpl"}))

        assert appraised(policy)["policy-vmpl"].state is CheckState.FAILED
        assert appraised(bold)["policy-vmpl"].state is CheckState.FAILED


class TestAdvisories:
    EVERY = AppraisalPolicy(advisories=())

    def test_unless_asked_for_they_are_named_and_not_checked(self):
        rows = appraised(platform_info=PlatformInfo(5))

        row = rows["advisories"]
        assert (row.state, row.option) == (CheckState.NOT_CHECKED, "--advisories")
        assert table().date in row.reason
        assert "AMD-SB-3015" in row.reason
        assert not any(name.startswith("advisory-") for name in rows)

    def test_all_are_checks_if_asked_for_and_the_date_is_told(self):
        rows = appraised(self.EVERY)

        assert {name for name in rows if name.startswith("advisory-")} == {
            f"advisory-{row.id}" for row in table().advisories
        }
        assert table().date in rows["advisories"].reason

    def test_what_two_projects_say_fails_a_check(self):
        row = appraised(self.EVERY, platform_info=PlatformInfo(5))["advisory-AMD-SB-3015"]

        assert row.state is CheckState.FAILED
        assert "alias_check_complete clear (B)" in row.reason

    def test_what_amd_says_fails_a_check(self):
        changes = {"committed_build": 34}
        row = appraised(self.EVERY, **changes)["advisory-AMD-SB-3016"]

        assert row.state is CheckState.FAILED
        assert "committed firmware 1.55.34 is below 1.55.35 (A)" in row.reason

    def test_what_one_project_says_is_a_note(self):
        old = {field: tcb(snp=0x17) for field in ("reported_tcb", "committed_tcb", "current_tcb")}
        rows = appraised(self.EVERY, **old)

        assert rows["advisory-AMD-SB-3019"].state is CheckState.NOT_CHECKED
        assert (
            "note: reported_tcb has snp 0x17, below 0x18 (C)" in rows["advisory-AMD-SB-3019"].reason
        )
        assert rows["advisory-AMD-SB-3020"].state is CheckState.HOLDS
        assert "note: reported_tcb has snp 0x17" in rows["advisory-AMD-SB-3020"].reason

    def test_what_is_disputed_is_told_and_decides_nothing(self):
        row = appraised(self.EVERY, current_mit_vector=0)["advisory-AMD-SB-3030"]

        assert row.state is CheckState.NOT_CHECKED
        assert "disputed: snp 0x1d" in row.reason

    def test_what_a_report_cannot_tell_is_not_checked(self):
        rows = appraised(self.EVERY, version=3, current_mit_vector=0, launch_mit_vector=0)

        assert rows["advisory-AMD-SB-3034"].state is CheckState.NOT_CHECKED
        assert "not told before version 5" in rows["advisory-AMD-SB-3034"].reason
        assert rows["advisory-AMD-SB-3008"].state is CheckState.NOT_CHECKED

    def test_one_sign_that_is_not_told_is_no_proof(self):
        rows = appraised(self.EVERY, version=3, current_mit_vector=0, launch_mit_vector=0)

        assert rows["advisory-AMD-SB-3016"].state is CheckState.NOT_CHECKED

    def test_microcode_without_a_value_for_its_stepping_is_said(self):
        row = appraised(self.EVERY, cpuid_step=7)["advisory-AMD-SB-3020"]

        assert row.state is CheckState.HOLDS
        assert row.reason.endswith("no value is known for the microcode of this stepping")
        assert "microcode" not in appraised(self.EVERY)["advisory-AMD-SB-3020"].reason

    def test_they_are_asked_for_by_name(self):
        rows = appraised(AppraisalPolicy(advisories=("BadRAM", "AMD-SB-3015", "3020")))

        assert [name for name in rows if name.startswith("advisory-")] == [
            "advisory-AMD-SB-3015",
            "advisory-AMD-SB-3020",
        ]

    def test_they_cannot_be_allowed_away(self):
        policy = AppraisalPolicy(allow=frozenset(ALLOWABLE), advisories=())

        row = appraised(policy, platform_info=PlatformInfo(5))["advisory-AMD-SB-3015"]

        assert row.state is CheckState.FAILED
