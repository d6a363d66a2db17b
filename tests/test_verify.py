"""Every check of a verification fails alone, by name, and with a reason; so do policy rules."""

import json
from datetime import timedelta

import authority
import pytest
from authority import AFTER, BEFORE, NOW, amd, report
from realfiles import CHAINS, WEAK, certificate_files, needed, real, report_bytes

from snpwire.crypto.certificates import AMD_ROOTS, load, load_crl
from snpwire.crypto.id_keys import OwnerKeys
from snpwire.crypto.kds import addresses
from snpwire.crypto.policy import AppraisalPolicy
from snpwire.crypto.signing import id_key, key_digest, sign_id_block
from snpwire.crypto.verify import verify, verify_chain
from snpwire.errors import DecodeError, KeyFormatError, UsageError
from snpwire.wire.report import Report

CHAIN = authority.chain()
ROOTS = authority.roots()
REPORT = report()
TURIN = {"cpuid_fam_id": 0x1A, "cpuid_mod_id": 2, "chip_id": bytes(range(1, 9)) + bytes(56)}


STATES = {True: "holds", False: "failed", None: "not checked"}


def checks(data=REPORT, chain=CHAIN, **options):
    """Return every check by its name; a name stands for one."""
    found = verify(data, chain, **{"roots": ROOTS, "at": NOW, **options})
    by_name = {row.name: row for row in found.checks}

    assert len(by_name) == len(found.checks)
    assert found.verified is (not found.failed)
    return by_name


def names(found):
    return [row.name for row in found.values() if row.state == "failed"]


def holds(row):
    return row.state == "holds"


def chain_of(extensions, product="Milan"):
    made = (
        authority.vcek(product, extensions=extensions),
        authority.ask(product),
        authority.ark(product),
    )
    return [load(data)[0] for data in made]


# The whole


def test_every_check_of_a_genuine_report_holds():
    found = checks(at=NOW, crl=load_crl(authority.revocations(authority.rsa_key("ark"))))

    assert names(found) == []
    authentic = [row for row in found.values() if row.group == "authenticity"]
    assert [row.name for row in authentic if not holds(row)] == []
    assert [row.name for row in authentic] == [
        "signature-algo",
        "tcb-layout",
        "signature-reserved",
        "certificates",
        "report-signature",
        "signing-key",
        "certificate-extensions",
        "struct-version",
        "tcb-boot-loader",
        "tcb-tee",
        "tcb-snp",
        "tcb-microcode",
        "tcb-others",
        "hwid",
        "product",
        "product-ask",
        "product-ark",
        "vcek-signature",
        "ask-signature",
        "ark-signature",
        "root",
        "vcek-usage",
        "ask-usage",
        "ark-usage",
        "vcek-dates",
        "ask-dates",
        "ark-dates",
        "crl",
    ]
    assert [row.name for row in found.values()][len(authentic) :] == [
        "report-version",
        "debug",
        "migration",
        "policy-bits",
        "tcb-order",
        "key-info",
        "vmpl",
        "measurement",
        "report-data",
        "host-data",
        "id-key",
        "author-key",
        "chip-id",
        "minimum-tcb",
        "advisories",
    ]
    assert all(row.reason for row in found.values())


def test_what_was_not_asked_is_neither_good_nor_bad():
    found = checks()

    undecided = {row.name: row for row in found.values() if row.state == "not checked"}
    assert "crl" in undecided
    assert all(row.option for row in undecided.values())
    assert (found["crl"].reason, found["crl"].option) == ("no revocation list was given", "--crl")
    assert found["ark-dates"].reason == "valid 2024-06-01 to 2030-06-01"


def test_a_turin_report_is_compared_as_turins():
    own = amd(authority.TURIN, "Turin", hwid=bytes(range(1, 9)), struct=1)
    data = report(version=5, reported_tcb=0x5100_0000_0403_0201, **TURIN)

    found = checks(data, chain_of(own, "Turin"))

    assert names(found) == []
    assert found["tcb-fmc"].reason == "the report says 1, fmcSPL of the certificate says 1"
    wrong = checks(
        report(version=5, reported_tcb=0x5100_0000_0403_0202, **TURIN), chain_of(own, "Turin")
    )
    assert names(wrong) == ["tcb-fmc"]


def test_a_vlek_is_not_bound_to_a_chip():
    data = report(key_info=4, chip_id=bytes(64))

    found = checks(data, authority.vlek_chain())

    assert names(found) == []
    assert found["hwid"][1:3] == ("not checked", "a VLEK is not bound to a chip")
    assert "vlek-signature" in found
    assert "asvk-signature" in found


def test_a_vlek_among_vceks_is_found_by_what_the_report_names():
    both = [*CHAIN, *authority.vlek_chain()]

    assert "vcek-signature" in checks(REPORT, both)
    assert "vlek-signature" in checks(report(key_info=4), both)


def test_an_all_zero_report_is_no_success():
    (row,) = verify(bytes(0x4A0), CHAIN).checks

    assert row[:3] == ("report", "failed", "every byte is zero: there is no report")


def test_a_report_of_another_size_is_refused():
    for size in (0, 0x49F, 0x4A1, 0x4C0):
        with pytest.raises(DecodeError, match=rf"^Report: expected 1184 bytes, got {size}$"):
            verify(bytes(size), CHAIN)


# The report


@pytest.mark.parametrize(
    ("fields", "name", "ok", "reason"),
    [
        (
            {"version": 6},
            "report-version",
            False,
            "version 6 is not known: a field may have another meaning",
        ),
        (
            {"version": 1},
            "report-version",
            False,
            "version 1 is not known: a field may have another meaning",
        ),
        ({"signature_algo": 0}, "signature-algo", False, "INVALID, 0"),
        ({"signature_algo": 7}, "signature-algo", False, "UNKNOWN_0x7, 7"),
        (
            {"key_info": 4},
            "signing-key",
            False,
            "the report names VLEK, the certificate is a VCEK",
        ),
        (
            {"key_info": 0x1C},
            "signing-key",
            False,
            "the report names NONE, the certificate is a VCEK",
        ),
        (
            {"reported_tcb": 0xC808_0000_0000_0004},
            "tcb-boot-loader",
            False,
            "the report says 4, blSPL of the certificate says 3",
        ),
        ({"reported_tcb": 0xC808_0000_0000_0103}, "tcb-tee", False, None),
        ({"reported_tcb": 0xC809_0000_0000_0003}, "tcb-snp", False, None),
        ({"reported_tcb": 0xC708_0000_0000_0003}, "tcb-microcode", False, None),
        ({"reported_tcb": 0xC808_0000_0001_0003}, "tcb-others", False, "others are set: 0x10000"),
        (
            {"chip_id": bytes(63) + b"\1"},
            "hwid",
            False,
            "the chip id is not the certificate's",
        ),
        ({"chip_id": bytes(64)}, "hwid", None, "the report has its chip id masked"),
        (
            {"cpuid_mod_id": 0x11},
            "product",
            False,
            "the certificate says 'Milan-B0', the report Genoa: "
            "the report has CPUID family 0x19 model 0x11",
        ),
        (
            {"version": 2},
            "product",
            None,
            "the certificate says 'Milan-B0', the report does not tell",
        ),
        (
            {"version": 2, "chip_id": bytes(64)},
            "tcb-layout",
            True,
            "the report does not tell; structVersion of the certificate is 0",
        ),
    ],
)
def test_a_report_that_does_not_fit_its_certificate(fields, name, ok, reason):
    found = checks(report(**fields))

    assert found[name].state == STATES[ok]
    assert reason is None or found[name].reason == reason
    assert names(found) == ([name] if ok is False else [])
    assert holds(found["report-signature"])


def test_a_masked_report_of_turin_has_the_layout_of_its_certificate():
    own = amd(authority.TURIN, "Turin", hwid=bytes(range(1, 9)), struct=1)
    data = report(version=2, chip_id=bytes(64), reported_tcb=0x5100_0000_0403_0201)

    found = checks(data, chain_of(own, "Turin"))

    assert names(found) == []
    assert holds(found["tcb-fmc"])


@pytest.mark.parametrize("struct", [b"\2\1\2", b"\5\0"])
def test_a_layout_that_nothing_tells_is_said_to_be_assumed(struct):
    own = authority.extension((*authority.AMD, 1), struct)
    found = checks(report(version=2, chip_id=bytes(64)), chain_of([own]))

    assert found["tcb-layout"].state == "not checked"
    assert "the order assumed is that of Milan and Genoa" in found["tcb-layout"].reason
    alone = checks(report(version=2, chip_id=bytes(64)), [])["tcb-layout"]
    assert (alone.state, alone.option) == ("not checked", "--product")


def test_a_product_that_is_named_is_compared():
    found = checks(report(version=2), product="genoa")

    assert names(found) == ["product"]
    assert holds(checks(report(version=2), product="Milan")["product"])
    with pytest.raises(UsageError, match=r"^there is no product 'Rome'"):
        checks(product="Rome")


# The certificates


@pytest.mark.parametrize(
    ("extensions", "broken_ones"),
    [
        (amd(authority.CLASSIC, hwid=None), ["hwid"]),
        (amd(authority.CLASSIC, product=None), ["product"]),
        (amd(authority.CLASSIC, "Genoa"), ["product", "product-ask", "product-ark"]),
        (amd({**authority.CLASSIC, 5: 1}), ["tcb-others"]),
        (amd({**authority.CLASSIC, 9: 1}), ["tcb-others"]),
        (amd({1: 3, 2: 0, 3: 8}), ["tcb-microcode"]),
        (amd(authority.CLASSIC, hwid=bytes(9)), ["certificate-extensions"]),
        (
            [authority.CA],
            [
                "struct-version",
                "tcb-boot-loader",
                "tcb-tee",
                "tcb-snp",
                "tcb-microcode",
                "hwid",
                "product",
            ],
        ),
    ],
)
def test_extensions_have_to_fit_the_report(extensions, broken_ones):
    assert names(checks(chain=chain_of(extensions))) == broken_ones


def test_a_certificate_for_another_key_does_not_verify():
    made = authority.certificate(
        "SEV-VCEK",
        "SEV-Milan",
        authority.ec_key("another"),
        authority.rsa_key("ask"),
        serial=0,
        extensions=amd(authority.CLASSIC),
    )
    by_rsa = authority.certificate(
        "SEV-VCEK",
        "SEV-Milan",
        authority.rsa_key("ark"),
        authority.rsa_key("ask"),
        extensions=amd(authority.CLASSIC),
    )

    found = checks(chain=[*load(made), *CHAIN[1:]])
    assert names(found) == ["report-signature"]
    found = checks(chain=[*load(by_rsa), *CHAIN[1:]])
    assert found["report-signature"].reason == "the certificate has no key of P-384"


def test_a_chain_that_is_cut_short_says_where():
    for number, missing, reason in (
        (0, "VCEK or VLEK, ASK or ASVK, ARK", None),
        (1, "ASK or ASVK, ARK", "its issuer 'SEV-Milan' was not given"),
        (2, "ARK", "its issuer 'ARK-Milan' was not given"),
    ):
        found = checks(
            chain=CHAIN[:number], crl=load_crl(authority.revocations(authority.rsa_key("ark")))
        )

        assert found["certificates"].reason.endswith(f"missing: {missing}")
        assert found["root"][:3] == ("root", "failed", "the chain does not reach a root")
        assert not holds(found["crl"])
        if reason:
            assert found[("vcek-signature", "ask-signature")[number - 1]].reason == reason


def test_a_chain_is_verified_without_a_report():
    whole = checks(at=NOW)
    found = verify_chain(CHAIN, roots=ROOTS, at=NOW)
    alone = {row.name: row for row in found.checks}

    assert found.verified
    assert next(iter(alone)) == "certificates"
    assert [whole[name] for name in alone] == list(alone.values())
    late = verify_chain(CHAIN, at=AFTER + timedelta(days=1))
    assert [row.name for row in late.failed] == [
        "root",
        "vcek-dates",
        "ask-dates",
        "ark-dates",
    ]


def test_the_order_of_certificates_is_noted_and_does_no_harm():
    found = checks(chain=CHAIN[::-1])

    assert names(found) == []
    assert found["certificates"].reason == "VCEK ASK ARK, they came in another order"


def test_a_root_that_is_not_amds_is_named():
    found = checks(roots=AMD_ROOTS)

    assert names(found) == ["root"]
    reason = found["root"].reason
    assert reason.startswith("the chain ends at 'ARK-Milan', public key ")
    assert reason.endswith("trusted: AMD's ARK-Milan, AMD's ARK-Genoa, AMD's ARK-Turin")
    assert checks(roots={})["root"].reason.endswith("trusted: none")


def test_a_forged_root_with_the_right_name_is_not_trusted():
    forged = load(
        authority.certificate(
            "ARK-Milan",
            "ARK-Milan",
            authority.rsa_key("forger"),
            authority.rsa_key("forger"),
            extensions=[authority.CA],
        )
    )

    assert names(checks(chain=[*CHAIN[:2], *forged])) == ["ask-signature", "root"]


def test_dates_break_alone():
    late, early = checks(at=AFTER + timedelta(days=1)), checks(at=BEFORE - timedelta(days=1))

    assert names(late) == names(early) == ["vcek-dates", "ask-dates", "ark-dates"]
    short = [load(authority.vcek(until=NOW))[0], *CHAIN[1:]]
    assert names(checks(chain=short, at=NOW + timedelta(seconds=1))) == ["vcek-dates"]


def test_a_revoked_intermediate_fails_the_list_s_check():
    crl = load_crl(authority.revocations(authority.rsa_key("ark"), serials=[0x10001]))

    assert names(checks(crl=crl)) == ["crl"]
    assert checks(crl=crl)["crl"].reason == "serial 0x10001 is revoked"


# ID keys


def test_the_id_key_is_one_of_those_given():
    key = id_key(authority.ec_key("id"))
    data = report(id_key_digest=key_digest(key))

    def held(*keys, data=data):
        return checks(data, owner=OwnerKeys(id_keys=keys))

    assert holds(held(bytes(48), key_digest(key))["id-key"])
    assert holds(held(key.build())["id-key"])
    assert held(key.build())["author-key"].state == "not checked"
    assert names(held(bytes(48))) == ["id-key"]
    assert names(held()) == ["id-key"]
    assert held(bytes(48), data=REPORT)["id-key"].reason == (
        "the guest was launched without an ID block"
    )
    with pytest.raises(KeyFormatError):
        held(b"short")


def test_the_author_s_key_is_one_of_those_given():
    key = id_key(authority.ec_key("author"))
    data = report(author_key_digest=key_digest(key))

    page = sign_id_block(bytes(0x60), authority.ec_key("id"), authority.ec_key("author")).build()

    for given in (key.build(), page):
        assert holds(checks(data, owner=OwnerKeys(author_keys=[given]))["author-key"])
    wrong = checks(data, owner=OwnerKeys(author_keys=[bytes(48)]))
    assert wrong["author-key"].state == "failed"
    assert wrong["author-key"].reason == "the digest is that of none of the keys"
    found = checks(owner=OwnerKeys(author_keys=[bytes(48)]))
    assert found["author-key"].reason == "no author signed the ID key"


# AppraisalPolicy


def judged(plain, **fields):
    data = report(**fields)
    return checks(data, policy=AppraisalPolicy.from_plain(plain))


@pytest.mark.parametrize(
    ("rules", "name", "reason"),
    [
        ({"minimum": {"reported_tcb": {"snp": 8}}}, None, None),
        (
            {"minimum": {"reported_tcb": {"snp": 9, "tee": 0}}},
            "policy-minimum.reported_tcb.snp",
            "8, wanted at least 9",
        ),
        (
            {"minimum": {"committed_tcb": {"microcode": 201}}},
            "policy-minimum.committed_tcb.microcode",
            "200, wanted at least 201",
        ),
        (
            {"minimum": {"reported_tcb": {"fmc": 0}}},
            "policy-minimum.reported_tcb.fmc",
            "there is no fmc: the report has CPUID family 0x19 model 0x1",
        ),
        ({"minimum": {"guest_svn": 1}}, "policy-minimum.guest_svn", "0, wanted at least 1"),
        ({"minimum": {"guest_svn": 0, "version": 3}}, None, None),
        ({"require": ["smt"], "forbid": ["debug", "migrate_ma"]}, None, None),
        ({"require": ["debug"]}, "policy-require.debug", "debug of policy is 0, wanted 1"),
        ({"forbid": ["smt"]}, "policy-forbid.smt", "smt of policy is 1, wanted 0"),
        ({"measurement": authority.MEASUREMENT.hex()}, None, None),
        ({"measurement": ["11" * 48, "0x" + authority.MEASUREMENT.hex()]}, None, None),
        (
            {"measurement": ["11" * 48]},
            "policy-measurement",
            authority.MEASUREMENT.hex() + " is none of the 1 allowed",
        ),
        ({"host_data": "22" * 32}, "policy-host_data", None),
        ({"report_data": "22" * 64}, "policy-report_data", None),
        ({"vmpl": [1, 2]}, "policy-vmpl", "0 is none of the 2 allowed"),
        ({"vmpl": 0, "policy": "0x30000"}, None, None),
    ],
)
def test_a_rule_of_the_policy_breaks_by_its_name(rules, name, reason):
    found = judged(json.loads(json.dumps(rules)))

    assert names(found) == ([name] if name else [])
    assert any(name.startswith("policy-") for name in found)
    assert reason is None or found[name].reason == reason


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ([], r"a policy is an object, got \[\]"),
        ({"minimum": 3}, "minimum: expected an object, got 3"),
        (
            {"minimum": {"reported_tcb": 3}},
            "minimum.reported_tcb: expected an object of components",
        ),
        ({"minimum": {"reported_tcb": {"ucode": 3}}}, "minimum.reported_tcb: a TCB version has no"),
        (
            {"minimum": {"reported_tcb": {"snp": "3"}}},
            "minimum.reported_tcb.snp: expected a number",
        ),
        ({"minimum": {"guest_svn": -1}}, "minimum.guest_svn: expected a number, got -1"),
        ({"minimum": {"guest_svn": True}}, "minimum.guest_svn: expected a number, got True"),
        ({"minimum": {"measurement": 3}}, "minimum.measurement: there is no such minimum"),
        ({"minimum": {"svn": 3}}, "minimum.svn: there is no such minimum"),
        ({"require": "smt"}, "require: expected a list of policy bits, got 'smt'"),
        ({"require": ["smtt"]}, "require: 'smtt' is no bit of the guest policy"),
        ({"forbid": ["abi_minor"]}, "forbid: 'abi_minor' is no bit of the guest policy"),
        ({"forbid": [["smt"]]}, r"forbid: \['smt'\] is no bit of the guest policy"),
        ({"measurment": "00"}, "measurment: a policy has no such rule"),
        ({"signature": {}}, "signature: a policy has no such rule"),
        ({"measurement": []}, "measurement: no value is allowed"),
        ({"measurement": "00"}, "measurement: expected 48 bytes in hex, got '00'"),
        ({"measurement": "zz" * 48}, "measurement: expected hex digits"),
        ({"measurement": 5}, "measurement: expected 48 bytes in hex, got 5"),
        ({"vmpl": "x"}, "vmpl: expected a number, got 'x'"),
        ({"vmpl": [True]}, "vmpl: expected a number, got True"),
        ({"policy": "smtt"}, "policy: expected a table of bits, or a number"),
        ({1: 2}, "1: a policy has no such rule"),
    ],
)
def test_a_rule_that_cannot_be_understood_is_an_error(rules, text):
    with pytest.raises(UsageError, match=f"^{text}"):
        AppraisalPolicy.from_plain(rules)


def test_a_policy_helps_with_names():
    with pytest.raises(UsageError) as caught:
        AppraisalPolicy.from_plain({"measurment": "00"})

    assert caught.value.help == "did you mean measurement?"


def test_an_empty_policy_is_an_error():
    with pytest.raises(UsageError, match="the policy is empty"):
        AppraisalPolicy.from_plain({})


# Addresses


def asked(product=None, **fields):
    value = Report(**{"version": 3, "cpuid_fam_id": 0x19, "cpuid_mod_id": 1, **fields})
    return {row.name: row for row in addresses(value, product=product)}


TCB = 0x4405_0000_0000_0002


def test_addresses_have_the_chip_and_its_tcb():
    found = asked(reported_tcb=TCB, chip_id=b"\xfe" + bytes(62) + b"\xc0")
    base = "https://kdsintf.amd.com/vcek/v1/Milan"

    chip = "fe" + "00" * 62 + "c0"
    assert found["VCEK"].url == f"{base}/{chip}?blSPL=2&teeSPL=0&snpSPL=5&ucodeSPL=68"
    assert found["chain"].url == f"{base}/cert_chain"
    assert found["CRL"].url == f"{base}/crl"


def test_a_turin_is_asked_for_by_eight_bytes():
    fields = {**TURIN, "reported_tcb": 0x5100_0000_0403_0201}

    assert asked(**fields)["VCEK"].url == (
        "https://kdsintf.amd.com/vcek/v1/Turin/0102030405060708"
        "?fmcSPL=1&blSPL=2&teeSPL=3&snpSPL=4&ucodeSPL=81"
    )


def test_a_vlek_is_asked_for_without_a_chip():
    found = asked(reported_tcb=TCB, key_info=4, cpuid_mod_id=0xA0)
    base = "https://kdsintf.amd.com/vlek/v1/Genoa"

    assert found["VLEK"].url == f"{base}/cert?blSPL=2&teeSPL=0&snpSPL=5&ucodeSPL=68"
    assert found["chain"].url == f"{base}/cert_chain"
    assert "VCEK" not in found


def test_a_masked_chip_has_no_address():
    row = asked()["VCEK"]

    assert (row.url, row.reason) == ("", "the report has its chip id masked")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"version": 2, "chip_id": b"\1" * 64}, "^the report does not say which product made it: "),
        (
            {"cpuid_fam_id": 0x1A, "cpuid_mod_id": 0x50},
            "^the key server has no certificates of Venice",
        ),
        ({"key_info": 0x1C}, "^no certificate belongs to a report whose signing key is NONE$"),
        (
            {"key_info": 0x8},
            "^no certificate belongs to a report whose signing key is UNKNOWN_0x2$",
        ),
    ],
)
def test_some_reports_have_no_address(fields, text):
    with pytest.raises(UsageError, match=text):
        asked(**fields)


def test_a_product_that_is_named_makes_the_address():
    found = asked("milan", version=2, chip_id=b"\1" * 64)

    assert found["VCEK"].url.startswith("https://kdsintf.amd.com/vcek/v1/Milan/0101")


# Real ones


def real_chain(name):
    return [row for file in certificate_files(name) for row in load(file)]


@needed
@pytest.mark.parametrize("name", CHAINS)
def test_real_reports_verify_up_to_amds_root(name):
    expected = json.loads(real("reports").joinpath("expected.json").read_text())[name]

    found = checks(report_bytes(name), real_chain(name), roots=AMD_ROOTS, at=NOW)

    assert names(found) == WEAK.get(name, [])
    given = AppraisalPolicy(allow=frozenset(WEAK.get(name, ())))
    assert verify(report_bytes(name), real_chain(name), at=NOW, policy=given).verified
    assert holds(found["report-signature"])
    assert holds(found["hwid"])
    assert found["root"].reason == f"the public key is that of AMD's ARK-{expected['product']}"
    forced = checks(
        report_bytes(name), real_chain(name), roots=AMD_ROOTS, product=expected["product"]
    )
    assert holds(forced["product"])
