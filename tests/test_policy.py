"""Appraisal policies: what each rule means, and what is no rule."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.crypto.allowance import ALLOWABLE
from snpwire.crypto.appraisal import JUDGES
from snpwire.crypto.check import CheckGroup, CheckState
from snpwire.crypto.policy import AppraisalPolicy
from snpwire.crypto.policy_key import KEYS
from snpwire.crypto.policy_list import rule_rows
from snpwire.crypto.policy_rule import FLAGS, Subject
from snpwire.errors import UsageError
from snpwire.product import decide
from snpwire.wire.report import GuestPolicy, KeyInfo, PlatformInfo, Report
from snpwire.wire.tcb import TcbClassic

HUGE = hex(1 << 20_000)
REPORT = Report(
    version=5,
    guest_svn=2,
    policy=GuestPolicy(0x30000),
    platform_info=PlatformInfo(0x25),
    cpuid_fam_id=0x19,
    cpuid_mod_id=1,
    measurement=b"\x33" * 48,
    reported_tcb=int(TcbClassic.of(boot_loader=4, snp=29, microcode=222)),
    current_major=1,
    current_minor=55,
    current_build=40,
    current_mit_vector=0b1000,
    launch_mit_vector=0b1011,
)


def policy(text):
    return AppraisalPolicy.from_plain(tomllib.loads(text))


def subject(csp_id=None, **changes):
    report = REPORT.replace(**changes)
    return Subject(report, decide(report), csp_id)


def failing(text, csp_id=None, **changes):
    """Return the names of the rules that a report breaks."""
    checks = policy(text).check(subject(csp_id, **changes))

    assert {row.group for row in checks} == {CheckGroup.APPRAISAL}
    return [row.name for row in checks if row.state is not CheckState.HOLDS]


@pytest.mark.parametrize(
    "text",
    [
        'require = ["smt"]\nforbid = ["debug"]',
        "[policy]\nrequire = 0x30000\nforbid = 0x80000",
        '[policy]\nrequire = "0x30000"',
        "[policy]\nrequire = [16, 17]",
        "[platform_info]\nrequire = 0x24\nforbid = 0x2",
        '[platform_info]\nrequire = ["alias_check_complete", "bit_0", 2]',
        '[key_info]\nforbid = ["mask_chip_key"]',
        "[launch_mit_vector]\nrequire = 0b10\n[current_mit_vector]\nrequire = [3]",
        "[current_mit_vector]\nforbid = 0b111",
        "[minimum]\nreported_tcb = {snp = 29, microcode = 222}",
        '[minimum]\ncurrent_version = "1.55.40"',
        '[minimum]\ncurrent_version = "1.54.99"',
        '[minimum]\ncommitted_version = "0.0.0"\nguest_svn = 2\nversion = 3',
        f'measurement = "{"33" * 48}"',
        f'measurement = ["{"44" * 48}", "0x{"33" * 48}"]',
        "vmpl = [0, 1]",
        "vmpl = 0",
        'signing_key = ["vlek", "VCEK"]',
        "guest_svn = 2",
        "cpuid_mod_id = 1",
        "policy = 0x30000",
        'platform_info = [0, "0x25"]',
        "current_mit_vector = 8",
    ],
)
def test_a_report_keeps_a_rule(text):
    assert failing(text) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('forbid = ["smt"]', "policy-forbid.smt"),
        ('require = ["debug"]', "policy-require.debug"),
        ("[policy]\nrequire = 0xb0000", "policy-policy.require"),
        ("[platform_info]\nforbid = 0x26", "policy-platform_info.forbid"),
        ("[platform_info]\nrequire = [6]", "policy-platform_info.require"),
        ('[key_info]\nrequire = ["author_key_en"]', "policy-key_info.require"),
        ("[current_mit_vector]\nrequire = 5", "policy-current_mit_vector.require"),
        ("[launch_mit_vector]\nforbid = [0]", "policy-launch_mit_vector.forbid"),
        ("[minimum]\nreported_tcb = {snp = 30}", "policy-minimum.reported_tcb.snp"),
        ("[minimum]\nreported_tcb = {fmc = 0, snp = 1}", "policy-minimum.reported_tcb.fmc"),
        ("[minimum]\ncommitted_tcb = {snp = 1}", "policy-minimum.committed_tcb.snp"),
        ('[minimum]\ncurrent_version = "1.55.41"', "policy-minimum.current_version"),
        ('[minimum]\ncurrent_version = "2.0.0"', "policy-minimum.current_version"),
        ('[minimum]\ncommitted_version = "0.0.1"', "policy-minimum.committed_version"),
        ("[minimum]\nguest_svn = 3", "policy-minimum.guest_svn"),
        (f'measurement = "{"34" * 48}"', "policy-measurement"),
        (f'report_id = "{"34" * 32}"', "policy-report_id"),
        ("vmpl = [1, 2, 3]", "policy-vmpl"),
        ("policy = 0x30001", "policy-policy"),
        ("launch_mit_vector = [8, 9]", "policy-launch_mit_vector"),
        ('signing_key = "VLEK"', "policy-signing_key"),
        ('csp_id = "CN=x"', "policy-csp_id"),
    ],
)
def test_a_report_breaks_a_rule_by_its_name(text, name):
    assert failing(text) == [name]


class TestMeaning:
    @given(st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1))
    def test_flags_are_sets_whatever_their_size(self, mask, word):
        required = failing(f"[current_mit_vector]\nrequire = {mask}", current_mit_vector=word)
        forbidden = failing(f"[current_mit_vector]\nforbid = {mask}", current_mit_vector=word)

        assert (required == []) is (word & mask == mask)
        assert (forbidden == []) is (word & mask == 0)

    @given(st.tuples(*[st.integers(0, 255)] * 3), st.tuples(*[st.integers(0, 255)] * 3))
    def test_versions_are_compared_as_tuples(self, version, least):
        text = ".".join(map(str, least))
        fields = ("committed_major", "committed_minor", "committed_build")
        changes = dict(zip(fields, version, strict=True))

        found = failing(
            f'vmpl = 0\n[minimum]\ncommitted_version = "{text}"', current_mit_vector=0, **changes
        )

        assert (found == []) is (version >= least)

    @pytest.mark.parametrize("rule", ["{require = 1}", "{forbid = 0x100}", "0xff"])
    def test_before_version_5_nothing_is_known_of_mitigations(self, rule):
        found = failing(f"current_mit_vector = {rule}", version=3, current_mit_vector=0xFF)

        assert len(found) == 1

    @pytest.mark.parametrize(("csp", "holds"), [("CN=x", True), ("CN=y", False), (None, False)])
    def test_the_provider_is_that_of_the_certificate(self, csp, holds):
        assert (failing('csp_id = ["CN=x", "CN=z"]', csp) == []) is holds

    def test_a_reason_has_both_values(self):
        rules = policy('forbid = ["smt"]\n[minimum]\ncurrent_version = "1.55.41"')

        reasons = [row.reason for row in rules.check(subject())]

        assert reasons == [
            "smt of policy is 1, wanted 0",
            "firmware 1.55.40, wanted at least 1.55.41",
        ]

    def test_what_was_compared_is_known(self):
        text = 'csp_id = "x"\n[minimum]\nreported_tcb = {snp = 1, tee = 0}\nguest_svn = 0'

        assert policy(text).fields == {"csp_id", "reported_tcb"}

    def test_two_policies_are_both_kept(self):
        both = policy("vmpl = 0").joined(policy('allow = ["debug"]\nvmpl = 1'))

        assert [row.state for row in both.check(subject())] == ["holds", "failed"]
        assert both.allow == {"debug"}
        assert both.advisories is None

    @pytest.mark.parametrize(
        ("one", "other", "joined"),
        [(None, None, None), ((), None, ()), (("a",), ("b",), ("a", "b")), (("a",), (), ())],
    )
    def test_advisories_of_two_policies_are_joined(self, one, other, joined):
        first, second = AppraisalPolicy(advisories=one), AppraisalPolicy(advisories=other)

        assert first.joined(second).advisories == joined


EMPTY = [
    "",
    "# a comment",
    "[minimum]",
    "allow = []",
    "require = []",
    "forbid = []",
    "measurement = []",
    "[platform_info]",
    "[policy]\nrequire = []",
    "[policy]\nrequire = 0",
    "[minimum]\nreported_tcb = {}",
    "[minimum]\nreported_tcb = {snp = 0}\nguest_svn = 0",
    '[minimum]\ncurrent_version = "0.0.0"',
]


@pytest.mark.parametrize("text", EMPTY)
def test_a_policy_that_says_nothing_is_refused(text):
    with pytest.raises(UsageError):
        policy(text)


@pytest.mark.parametrize(
    ("text", "reason", "help"),
    [
        ('measurment = "00"', "measurment: a policy has no such rule", "did you mean measurement?"),
        ('allow = ["everything"]', "'everything' is no check", "debug, migration"),
        ('allow = ["debgu"]', "'debgu' is no check", "did you mean debug?"),
        ('allow = "debug"', "expected a list of checks, got 'debug'", ""),
        (f"allow = [{HUGE}]", "is no check", "they are: debug"),
        ('allow = ["report-signature"]', "is no check that can be allowed", ""),
        ('require = ["alias_check_complete"]', "no bit of the guest policy", "[platform_info]"),
        ('[platform_info]\nrequire = ["alias_check"]', "is no bit", "mean alias_check_complete?"),
        ('forbid = "debug"', "expected a list of policy bits", "[policy] forbid takes a mask"),
        ("forbid = 5", "expected a list of policy bits", "[policy] forbid takes a mask"),
        ('require = ["abi_minor"]', "'abi_minor' is no bit", ""),
        ("require = [3]", "abi_minor (bit 3) is a number", ""),
        ("require = [64]", "there is no bit 64, they are 0 to 63", ""),
        (f"require = [{HUGE}]", "there is no bit a value of type int", ""),
        ("require = [true]", "True is no bit of the guest policy", ""),
        ('[policy]\nreqire = ["smt"]', "policy: there is no rule 'reqire'", "mean require?"),
        ("[policy]\nminimum = 3", "there is no rule 'minimum'", "flags have no order"),
        ("[policy]\nrequire = 1e3", "expected a list of bits, or a mask, got 1000.0", ""),
        ("[policy]\nrequire = -1", "expected a list of bits, or a mask, got -1", ""),
        ('[policy]\nforbid = "80000"', "'80000' can be two numbers", "write 0x80000 (hex"),
        ('[policy]\nforbid = "x"', "expected a list of bits, or a mask, got 'x'", ""),
        ("[key_info]\nrequire = 4", "signing_key (bit 2) is a number", 'signing_key = "VCEK"'),
        ("[key_info]\nrequire = 0x100000000", "0x100000000 does not fit 32 bits", ""),
        (f"[launch_mit_vector]\nrequire = {HUGE}", "does not fit 64 bits", ""),
        ('[launch_mit_vector]\nrequire = ["x"]', "'x' is no bit", "numbers, or a mask"),
        ('policy = "smt"', "expected a table of bits, or a number", "[policy] with require"),
        ('platform_info = ["smt_en"]', "expected a table of bits, or", "[platform_info] with"),
        ("platform_info = []", "expected a table of bits, or", "[platform_info] with"),
        (f"policy = {HUGE}", "does not fit 64 bits", ""),
        ('require = ["smt"]\n[policy]\nforbid = 0x10000', "smt of policy is required and", ""),
        (
            "[platform_info]\nrequire = [6]\nforbid = [6]",
            "bit 6 of platform_info is required",
            "",
        ),
        ("minimum = 5", "minimum: expected an object, got 5", ""),
        ("[minimum]\ncurrent_mit_vector = 5", "no such minimum", "[current_mit_vector] has"),
        ("[minimum]\npolicy = 0x30000", "no such minimum", "[policy] has require and forbid"),
        ("[minimum]\nplatform_info = 1", "no such minimum", "[platform_info] has require"),
        ("[minimum]\nkey_info = 1", "no such minimum", "[key_info] has require and forbid"),
        ("[minimum]\nsignature_algo = 1", "no such minimum", "minima are: current_tcb"),
        ("[minimum]\ncurrent_minor = 55", "no such minimum", 'current_version = "1.55.40"'),
        ("[minimum]\ncommitted_build = 5", "no such minimum", 'committed_version = "1.55.40"'),
        ("[minimum]\nvmpl = 1", "no such minimum", "vmpl = [0, 1], at the top"),
        ("[minimum]\ngeust_svn = 1", "no such minimum", "did you mean guest_svn?"),
        ("[minimum]\nreported_tcb = 5", "expected an object of components, got 5", "{snp = 27"),
        ("[minimum]\nreported_tcb = {snpp = 2}", "has no 'snpp'", "did you mean snp?"),
        ("[minimum]\nreported_tcb = {snp = 256}", "snp: 256 does not fit 8 bits", ""),
        ("[minimum]\nreported_tcb = {snp = -1}", "expected a number, got -1", ""),
        ("[minimum]\nreported_tcb = {snp = true}", "expected a number, got True", ""),
        ("[minimum]\nreported_tcb = {snp = 1e308}", "expected a number, got 1e+308", ""),
        ("[minimum]\ncurrent_version = 155", "expected a version as text, got 155", "1.55.40"),
        ('[minimum]\ncurrent_version = "1.55"', "expected a version as text", "1.55.40"),
        ('[minimum]\ncurrent_version = "1.55.+4"', "expected a version as text", "1.55.40"),
        ('[minimum]\ncurrent_version = "1.55.256"', "has a part above 255", ""),
        (f"[minimum]\nguest_svn = {HUGE}", "does not fit 32 bits", ""),
        (
            "current_minor = 55",
            "current_minor: a policy has no such rule",
            'current_version = "1.55.40"',
        ),
        ('current_version = "1.2.3"', "no such rule", '[minimum] current_version = "1.55.40"'),
        ("signature_algo = 1", "signature_algo: a policy has no such rule", "--policy list prints"),
        ("vmpl = 1e308", "vmpl: expected a number, got 1e+308", ""),
        ("vmpl = true", "vmpl: expected a number, got True", ""),
        ("vmpl = -1", "does not fit 4 bytes", ""),
        (f"vmpl = {HUGE}", "does not fit 4 bytes", ""),
        ('measurement = "00"', "measurement: expected 48 bytes in hex, got '00'", ""),
        (f'measurement = "{"zz" * 48}"', "expected hex digits", ""),
        ("report_data = 5", "expected 64 bytes in hex, got 5", ""),
        ("csp_id = 5", "csp_id: expected the name of a provider, got 5", ""),
        ('csp_id = ""', "expected the name of a provider, got ''", ""),
        ('signing_key = "NONE"', "'NONE' signs no report", "VCEK, or VLEK"),
        ("signing_key = 7", "7 signs no report", "VCEK, or VLEK"),
    ],
)
def test_what_is_no_rule_is_an_error_that_names_it(text, reason, help):
    with pytest.raises(UsageError) as error:
        policy(text)

    assert reason in str(error.value)
    assert help in error.value.help


@pytest.mark.parametrize("plain", [None, [], 5, "allow"])
def test_a_policy_is_an_object(plain):
    with pytest.raises(UsageError, match="a policy is an object"):
        AppraisalPolicy.from_plain(plain)


def test_a_name_cannot_write_to_a_terminal():
    for text in ('"\\u001b[31m" = 1', '[minimum]\n"\\u001b[31m" = 1'):
        with pytest.raises(UsageError) as error:
            policy(text)
        assert "\x1b" not in str(error.value)


def test_every_rule_is_listed():
    rows = {name: (form, doc) for name, form, doc in rule_rows()}

    assert KEYS.keys() - {"minimum"} <= rows.keys()
    assert {f'allow = ["{name}"]' for name in ALLOWABLE} <= rows.keys()
    assert "alias_check_complete" in rows["platform_info"][1]
    assert all(doc for _, doc in rows.values())


def test_the_forms_that_are_listed_are_rules():
    for name, form, _ in rule_rows():
        if form and "7a1e" not in form:
            section, _, least = name.partition(".")
            text = f"{section} = {{{least} = {form}}}" if least else f"{name} = {form}"
            assert policy(text), name


def test_checks_that_can_be_allowed_are_those_that_are_made():
    assert {*JUDGES, "vmpl", "measurement", "claims"} == ALLOWABLE.keys()


def test_key_info_is_compared_by_its_bits():
    assert FLAGS["key_info"] is KeyInfo


SCALARS = (
    st.none() | st.booleans() | st.integers(-1, 2**65) | st.floats() | st.sampled_from(sorted(KEYS))
)
TEXTS = st.text(max_size=4) | st.sampled_from(["00" * 48, "1.55.40", "debug", "smt_en", "VLEK"])
PLAIN = st.recursive(
    SCALARS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["require", "forbid", "reported_tcb", "snp", "guest_svn"]) | TEXTS,
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(KEYS)) | TEXTS, PLAIN, max_size=3))
def test_an_object_is_a_policy_that_can_be_checked_or_an_error(plain):
    try:
        rules = AppraisalPolicy.from_plain(plain)
    except UsageError as exc:
        assert str(exc).isprintable()
        return

    rows = rules.check(subject())

    assert rules.allow <= ALLOWABLE.keys()
    assert len(rows) == len(rules.rules)
