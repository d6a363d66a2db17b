"""What binds a key to a report: a VCEK's or VLEK's extensions have to be its own, and to fit."""

import authority
import pytest
from authority import AMD, CHIP, CLASSIC, NOW, TURIN, amd, extension, integer, report, tlv

from snpwire.crypto.certificates import load
from snpwire.crypto.verify import verify

TURIN_CHIP = bytes(range(1, 9))
TURIN_REPORT = {
    "version": 5,
    "cpuid_fam_id": 0x1A,
    "cpuid_mod_id": 2,
    "chip_id": TURIN_CHIP + bytes(56),
    "reported_tcb": 0x5100_0000_0403_0201,
}
TURIN_KEY = amd(TURIN, "Turin-C1", hwid=TURIN_CHIP, struct=1)
VLEK = {"hwid": None, "csp": "CN=test.invalid"}


def checks(extensions, product="Milan", *, leaf=authority.vcek, **fields):
    """Return the checks of a report under a key with these extensions, by name."""
    kind = "SEV-VLEK-" if leaf is authority.vlek else "SEV-"
    given = [
        leaf(product, extensions=extensions),
        authority.ask(product, kind),
        authority.ark(product),
    ]
    found = verify(report(**fields), given, roots=authority.roots(), at=NOW)
    return {row.name: row for row in found.checks}


def failed(*arguments, **options):
    found = checks(*arguments, **options)
    return {row.name: row.reason for row in found.values() if row.state == "failed"}


def vlek_failed(extensions, **fields):
    return failed(extensions, leaf=authority.vlek, key_info=4, **fields)


def test_keys_of_amds_form_hold():
    assert failed(amd(CLASSIC)) == {}
    assert failed(amd(CLASSIC, "Milan")) == {}
    assert failed(TURIN_KEY, "Turin", **TURIN_REPORT) == {}
    assert vlek_failed(amd(CLASSIC, "Milan", **VLEK)) == {}


# structVersion


@pytest.mark.parametrize(
    ("struct", "says"), [(1, "says 1"), (7, "says 7"), (-1, "says -1"), (None, "does not say")]
)
def test_struct_version_is_that_of_the_report_s_tcb_order(struct, says):
    rows = amd(CLASSIC, struct=0 if struct is None else struct)
    rows = rows[1:] if struct is None else rows

    assert failed(rows) == {
        "struct-version": f"structVersion of the certificate {says},"
        " that of the report's TCB order is 0"
    }


def test_struct_version_of_milan_on_a_turin_is_refused():
    rows = amd(TURIN, "Turin", hwid=TURIN_CHIP, struct=0)

    assert list(failed(rows, "Turin", **TURIN_REPORT)) == ["struct-version"]


def test_struct_version_of_a_vlek_is_looked_at():
    assert list(vlek_failed(amd(CLASSIC, "Milan", struct=1, **VLEK))) == ["struct-version"]


# SPLs


@pytest.mark.parametrize("number", [1, 2, 3, 8])
def test_each_component_is_there(number):
    rows = amd({spl: level for spl, level in CLASSIC.items() if spl != number})
    names = {1: "boot-loader", 2: "tee", 3: "snp", 8: "microcode"}

    assert list(failed(rows)) == [f"tcb-{names[number]}"]


@pytest.mark.parametrize("number", [4, 5, 6, 7, 9])
def test_what_no_component_is_compared_with_is_zero(number):
    assert failed(amd({**CLASSIC, number: 1})) == {
        "tcb-others": f"others are set: 0x0 {'fmcSPL' if number == 9 else f'spl{number}'}"
    }
    assert failed(amd({**CLASSIC, number: 0})) == {}


def test_turin_has_an_fmc():
    other = {**TURIN, 9: 2}
    without = {spl: level for spl, level in TURIN.items() if spl != 9}

    for levels in (other, without):
        rows = amd(levels, "Turin", hwid=TURIN_CHIP, struct=1)
        assert list(failed(rows, "Turin", **TURIN_REPORT)) == ["tcb-fmc"]
    spare = amd({**TURIN, 4: 1}, "Turin", hwid=TURIN_CHIP, struct=1)
    assert list(failed(spare, "Turin", **TURIN_REPORT)) == ["tcb-others"]


@pytest.mark.parametrize("value", [b"\2\1\xc8", b"\2\2\1\0", b"\2\2\0\x08", b"\2\1\x08\0", b"\x08"])
def test_a_patch_level_that_is_none_is_refused(value):
    rows = [row for row in amd(CLASSIC) if row != extension((*AMD, 3, 3), integer(8))]
    rows.append(extension((*AMD, 3, 3), value))

    assert list(failed(rows)) == ["certificate-extensions"]


def test_an_unknown_extension_in_amds_arc_is_refused_and_another_is_not():
    unknown = extension((*AMD, 3, 10), integer(5))
    foreign = extension((1, 3, 6, 1, 4, 1, 3704, 2, 1), b"\5\0")

    assert list(failed([*amd(CLASSIC), unknown])) == ["certificate-extensions"]
    assert failed([*amd(CLASSIC), foreign]) == {}


# Chip


def test_a_vcek_names_the_chip_and_a_vlek_none():
    assert failed(amd(CLASSIC, hwid=None)) == {
        "hwid": "the certificate does not say for which chip it is"
    }
    assert failed(amd(CLASSIC, hwid=bytes(64))) == {"hwid": "the chip id is not the certificate's"}
    named = amd(CLASSIC, "Milan", hwid=CHIP, csp="CN=x")
    assert vlek_failed(named) == {
        "hwid": "the certificate of a VLEK names a chip, as none of AMD's does"
    }


def test_a_chip_has_the_size_of_its_product():
    short = amd(CLASSIC, hwid=CHIP[:8])
    long = amd(TURIN, "Turin", hwid=TURIN_CHIP + bytes(56), struct=1)

    assert failed(short, chip_id=CHIP[:8] + bytes(56)) == {
        "hwid": "hwID of the certificate has 8 bytes, a chip's has 64"
    }
    assert failed(long, "Turin", **TURIN_REPORT) == {
        "hwid": "hwID of the certificate has 64 bytes, a chip's has 8"
    }
    assert list(failed(short, version=2, chip_id=bytes(64))) == ["hwid"]


def test_a_chip_of_turin_ends_after_eight_bytes():
    fields = {**TURIN_REPORT, "chip_id": TURIN_CHIP + bytes(55) + b"\1"}

    assert failed(TURIN_KEY, "Turin", **fields) == {"hwid": "the chip id is not the certificate's"}


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_masked_chip_is_not_checked(wrapped):
    rows = amd(CLASSIC, hwid=tlv(4, CHIP) if wrapped else CHIP)

    found = checks(rows, chip_id=bytes(64))

    assert found["hwid"][1:3] == ("not checked", "the report has its chip id masked")
    assert failed(rows) == {}


# Provider


def test_a_vlek_names_its_provider_and_a_vcek_none():
    assert failed(amd(CLASSIC, csp="CN=x")) == {
        "certificate-csp-id": "the certificate of a VCEK has a VLEK's cspID, 'CN=x'"
    }
    assert vlek_failed(amd(CLASSIC, "Milan", hwid=None)) == {
        "certificate-csp-id": "the certificate has no cspID: it does not say whose the key is"
    }


def test_the_provider_of_a_vlek_is_shown():
    found = checks(amd(CLASSIC, "Milan", **VLEK), leaf=authority.vlek, key_info=4)

    assert found["certificate-csp-id"][:3] == (
        "certificate-csp-id",
        "holds",
        "cspID: the key is that of 'CN=test.invalid'",
    )


# Product


@pytest.mark.parametrize(
    ("name", "failing"),
    [
        ("Genoa", ["product", "product-ask", "product-ark"]),
        ("Rome", ["product", "product-ask", "product-ark"]),
        ("milan", ["certificate-extensions"]),
        ("Milan-B", ["certificate-extensions"]),
    ],
)
def test_a_certificate_is_of_the_report_s_product(name, failing):
    assert list(failed(amd(CLASSIC, name))) == failing


@pytest.mark.parametrize(
    ("family", "model"), [(0, 0), (0x1B, 0), (0x19, 0xFF), (0x17, 0x31), (0x1A, 0xFF)]
)
def test_a_processor_that_is_not_known_is_refused(family, model):
    found = failed(amd(CLASSIC), cpuid_fam_id=family, cpuid_mod_id=model)
    cpu = f"CPUID family {family:#x} model {model:#x}"
    reason = f"the certificate says 'Milan-B0'; the report's {cpu} is no product that is known"

    assert found == {"product": reason}


def test_a_product_that_is_asked_for_does_not_hide_the_report_s_own():
    given = [authority.vcek(), authority.ask(), authority.ark()]
    options = {"roots": authority.roots(), "at": NOW, "product": "milan"}

    other = verify(report(cpuid_mod_id=0x11), given, **options)
    unknown = verify(report(cpuid_mod_id=0xFF), given, **options)

    assert [row.name for row in other.failed] == ["product"]
    assert unknown.verified


def test_a_product_without_certificates_has_none():
    """Venice has a TCB order and no chain: the sources know no certificate of it."""
    fields = {**TURIN_REPORT, "cpuid_mod_id": 0x50}

    assert list(failed(TURIN_KEY, "Turin", **fields)) == ["product"]


@pytest.mark.parametrize("chip", [CHIP, bytes(64)])
def test_a_report_that_does_not_tell_the_product_takes_the_certificates_order(chip):
    found = checks(amd(CLASSIC), version=2, chip_id=chip)

    assert found["product"].state == "not checked"
    assert found["product"].option == "--product"


def test_a_product_of_another_order_is_refused():
    """The chip id is Milan's or Genoa's, and the certificate says Turin."""
    rows = amd(CLASSIC, "Turin")
    given = [
        authority.vcek("Turin", extensions=rows),
        authority.ask("Turin"),
        authority.ark("Turin"),
    ]

    found = verify(report(version=2), given, roots=authority.roots(), at=NOW)

    assert [row.name for row in found.failed] == ["product"]
    assert load(given[0])[0].issuer_name == "SEV-Turin"


def test_a_certificate_of_another_product_than_its_issuer_is_refused():
    given = [authority.vcek("Genoa"), authority.ask("Genoa"), authority.ark("Genoa")]

    found = verify(report(), given, roots=authority.roots(), at=NOW)

    assert [row.name for row in found.failed] == ["product-ask", "product-ark"]
