"""Profiles and CPUID tables: data that a user may give, and what is said where a part is wrong."""

from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire import engine
from snpwire.engine.cpuid_policy import CpuidPolicy, CpuidRule, cpuid_policy, published_policy
from snpwire.engine.profile import NAMES, profile, profile_named
from snpwire.errors import InputError, UsageError
from snpwire.wire.cpuid import CpuidFunction
from snpwire.wire.tcb import TcbTurin

GENOA = files(engine).joinpath("profiles", "genoa.toml").read_text()
FMS = 0x00A1_0F11


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_of_the_package_can_be_read_and_names_its_product(name):
    found = profile_named(name)

    family, model, _ = found.cpuid_bytes
    product = found.product
    assert product.family == family
    assert any(first <= model <= last for first, last in product.models)
    assert found.tcb


def test_a_profile_of_turin_has_turins_order_of_components():
    found = profile_named("turin")

    assert TcbTurin(found.tcb).fmc == 1
    assert TcbTurin(found.tcb).microcode == 81


def test_a_profile_that_nobody_has_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="there is no profile 'genova'") as caught:
        profile_named("genova")

    assert caught.value.help == "did you mean genoa?"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("fms = ", "# ", "profile mine: fms is missing"),
        ("minor = 55", "", "profile mine: firmware: minor is missing"),
        ("snp = 23", "", "profile mine: tcb: snp is missing"),
        ("snp = 23", "snp = 256", "profile mine: tcb: snp is no number of 8 bits but 256"),
        ("snp = 23", "snp = true", "profile mine: tcb: snp is no number of 8 bits but True"),
        ("[tcb]", "[tcb]\nfmc = 1", "profile mine: tcb: fmc is unknown"),
        ("report_version = 3", "report_version = 4", "only 2, 3 and 5 are known"),
        ('product = "Genoa"', 'product = "Genua"', "there is no product 'Genua'"),
        ('"smt_en"', '"smt"', "platform_info: 'smt' is no bit of PlatformInfo"),
        ("[tsc]", "[tsc", "profile mine is no TOML"),
        ("report_version", "colour = 1\nreport_version", "profile mine: colour is unknown"),
        ("[asids]", "[asid]", "profile mine: asids is missing"),
        ("snp = 99", "snp = 0", "profile mine: asids: snp is not from 1 to 1006 but 0"),
        ("snp = 99", "snp = 1007", "profile mine: asids: snp is not from 1 to 1006 but 1007"),
        (
            "reference_khz = 99800",
            "reference_khz = 0",
            "profile mine: tsc: reference_khz is not from 1 to 4294967295 but 0",
        ),
        ("report_version = 3", "firmware_ = 1\nreport_version = 3", "firmware_ is unknown"),
    ],
)
def test_a_profile_with_a_wrong_part_is_refused_by_its_name(old, new, text):
    assert old in GENOA
    with pytest.raises(InputError) as caught:
        profile(GENOA.replace(old, new), "mine")

    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_part_that_should_be_a_table_is_named():
    rest = GENOA[: GENOA.index("[firmware]")] + "firmware = 1\n"

    with pytest.raises(InputError, match="profile mine: firmware is no table but 1"):
        profile(rest, "mine")


def asked(policy, **fields):
    better, checked, held = policy.check(CpuidFunction(**fields).build(), 1)
    return CpuidFunction.parse(better), checked, held


def test_the_published_table_refuses_a_newer_processor_and_takes_an_older():
    policy = published_policy(FMS)

    newer, _, no = asked(policy, eax_in=1, eax=FMS + 1, ebx=0x800)
    older, _, yes = asked(policy, eax_in=1, eax=FMS - 0x100, ebx=0x800)

    assert (newer.eax, no) == (FMS, False)
    assert (older.eax, yes) == (FMS - 0x100, True)


@pytest.mark.parametrize(
    ("xcr0", "size"),
    [(0x3, 0x240), (0x7, 0x340), (0x27, 0x380), (0x67, 0x580), (0xE7, 0x980), (0x2E7, 0x988)],
    ids=hex,
)
def test_the_size_of_the_state_follows_xcr0(xcr0, size):
    found, _, held = asked(published_policy(FMS), eax_in=0xD, xcr0_in=xcr0, eax=3, ebx=size)

    assert held
    assert found.ebx == size


def test_the_size_of_the_compacted_state_counts_what_is_there():
    found, _, held = asked(published_policy(FMS), eax_in=0xD, ecx_in=1, xcr0_in=0x207, xss_in=0x800)

    assert not held
    assert found.ebx == 0x240 + 0x100 + 0x8 + 0x10


def test_each_field_of_a_register_has_its_own_largest_value():
    found, _, held = asked(published_policy(FMS), eax_in=0x8000_0008, eax=0xFF30)

    assert not held
    assert found.eax == 0x3930


@given(
    st.sampled_from(sorted(published_policy(FMS).leaves)),
    st.lists(st.integers(0, 0xFFFF_FFFF), min_size=4, max_size=4),
    st.integers(0, 0x3FF),
)
def test_what_comes_back_corrected_is_taken_the_next_time(leaf, values, xcr0):
    fields = dict(zip(("eax", "ebx", "ecx", "edx"), values, strict=True))

    better, _, _ = asked(
        published_policy(FMS), eax_in=leaf[0], ecx_in=leaf[1], xcr0_in=xcr0, **fields
    )
    _, checked, held = published_policy(FMS).check(better.build(), 1)

    assert (checked, held) == (1, True)


def test_leaves_outside_the_architectural_ranges_are_passed_over():
    for leaf in (0x1_0000, 0x4000_0000, 0x7FFF_FFFF, 0x8001_0000, 0xFFFF_FFFF):
        _, checked, held = asked(CpuidPolicy({}), eax_in=leaf, eax=1)

        assert (checked, held) == (0, True)


def test_a_table_of_ones_own_is_read():
    text = "[[leaf]]\nin = [7, 0]\neax = 1\nebx = { allowed = 0xF0, fields = [[0xF0, 5]] }\n"

    policy = cpuid_policy(text, "mine", FMS)

    assert policy.leaves[7, 0][0] == CpuidRule(fixed_bits=0xFFFF_FFFF, fixed=1)
    assert asked(policy, eax_in=7, eax=1, ebx=0x6F)[0].ebx == 0x50


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x", "CPUID table mine is no TOML"),
        ("", "CPUID table mine: leaf is missing"),
        ("leaves = 1", "CPUID table mine: leaves is unknown"),
        ("leaf = [1]", "CPUID table mine: leaf 0: in is no pair of EAX and ECX but None"),
        ("[[leaf]]\nin = [1]", "leaf 0: in is no pair of EAX and ECX but [1]"),
        ("[[leaf]]\nin = [1, 0]\n[[leaf]]\nin = [1, 0]", "0x1 with ecx 0 is there already"),
        ("[[leaf]]\nin = [1, 0]\neix = 1", "leaf 0x1 ecx 0: eix is unknown"),
        ("[[leaf]]\nin = [1, 0]\neax = -1", "eax is neither a number nor a table but -1"),
        ("[[leaf]]\nin = [1, 0]\neax = { most = -1 }", "eax.most cannot be -1"),
        ("[[leaf]]\nin = [1, 0]\neax = { mast = 1 }", "eax.mast is unknown"),
        ("[[leaf]]\nin = [1, 0]\neax = { size = 'x' }", "eax.size cannot be 'x'"),
        ("[[leaf]]\nin = [1, 0]\neax = { fields = [[0, 1]] }", "eax.fields cannot be [[0, 1]]"),
    ],
)
def test_a_table_with_a_wrong_part_is_refused_by_its_name(text, reason):
    with pytest.raises(InputError) as caught:
        cpuid_policy(text, "mine", FMS)

    assert reason in str(caught.value)
