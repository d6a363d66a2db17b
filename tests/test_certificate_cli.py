"""``snpwire decode cert`` and ``diff cert``: what is said, what is wrong, and whether it fits."""

import json
from base64 import b64encode
from datetime import UTC, datetime

import authority
import pytest
from authority import (
    AFTER,
    BEFORE,
    CLASSIC,
    TURIN,
    amd,
    ark,
    ask,
    certificate,
    extension,
    oid,
    revocations,
    rsa_key,
    tlv,
    vcek,
    vlek,
)
from hypothesis import given
from hypothesis import strategies as st
from realfiles import CHAINS, needed, real
from transcripts import call

from snpwire.crypto.certificate_file import certificate_file
from snpwire.crypto.issuer import CHECKS, Issuers
from snpwire.decode.certificate import certificate_document
from snpwire.decode.certificate_diff import certificate_changes
from snpwire.view.certificate import MOST
from snpwire.wire import CERTIFICATES
from snpwire.wire.certs import build_table
from snpwire.wire.report import KeyInfo

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD = datetime(2025, 1, 1, tzinfo=UTC)
ARK = rsa_key("ark")
UNKNOWN = (1, 2, 3, 4)
KEY, ROOT = vcek(), ark()
"""Signed once: another time they would have other signatures."""


def pem(*certificates, label="CERTIFICATE"):
    blocks = []
    for der in certificates:
        body = b64encode(der).decode()
        lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
        blocks.append(f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
    return "".join(blocks).encode()


def judged(data, at=NOW):
    return certificate_document(certificate_file(data), at)


def rows(data, at=NOW):
    """Return the rows of the first sheet by name."""
    return {row.name.strip(): row for row in judged(data, at).sheets[0].rows}


def codes(data, at=NOW):
    return {row.code for row in judged(data, at).findings}


def run(*words, given=b"", code=0):
    output, errors, ended = call(list(words), given)

    assert ended == code, (output, errors)
    return output.decode()


def refused(*words, given=b"", code=3):
    output, errors, ended = call(list(words), given)
    lines = errors.decode().splitlines()

    assert (output, ended) == (b"", code), errors
    assert lines[0].startswith("snpwire: ")
    assert [line[:6] for line in lines[1:]] in ([], ["help: "])
    return "\n".join(lines)


class TestSheet:
    def test_a_vcek_says_chip_tcb_and_dates(self):
        found = rows(vcek())

        assert judged(vcek()).sheets[0].title == f"VCEK  Milan-B0  {len(vcek())} bytes"
        assert (found["product"].value, found["stepping"].value) == ("Milan", "B0")
        assert found["tcb"].value == "0xc808000000000003"
        assert (found["snp"].value, found["microcode"].value) == ("8", "200")
        assert found["hwid"].value == authority.CHIP.hex()
        assert found["valid"][3:] == ("2024-06-01 to 2030-06-01", "now inside", "")
        assert found["signature"].value == "not checked"
        assert "SEV-Milan is not in this input" in found["signature"].text

    def test_a_turin_vcek_has_its_own_order(self):
        found = rows(vcek("Turin", amd(TURIN, "Turin", authority.CHIP[:8], struct=1)))

        assert found["tcb"].value == "0x5100000004030201"
        assert found["fmc"].value == "1"
        assert found["hwid"].text.startswith("8 bytes")

    def test_without_a_version_the_product_decides_the_order(self):
        given = amd(TURIN, "Turin", authority.CHIP[:8])[1:]

        assert rows(vcek("Turin", given))["tcb"].value == "0x5100000004030201"

    def test_a_tcb_that_is_not_whole_is_no_word(self):
        levels = {number: level for number, level in CLASSIC.items() if number != 8}

        found = rows(vcek(extensions=amd(levels)))

        assert found["tcb"].value == "not whole"
        assert found["snp"].value == "8"
        assert judged(vcek(extensions=amd(levels))).sheets[0].plain["tcb"]["word"] is None

    def test_an_order_that_is_not_known_is_said(self):
        found = rows(vcek(extensions=amd(CLASSIC, "Rome", struct=7)))

        assert "an order that is not known" in found["tcb"].text
        assert found["product"].text == "no product that is known"

    def test_reserved_levels_are_shown_if_they_are_not_zero(self):
        found = rows(vcek(extensions=amd({**CLASSIC, 5: 9})))

        assert found["spl5"][3:5] == ("9", "reserved, and not zero")
        assert "spl4" not in found

    def test_a_vlek_says_whose_it_is(self):
        found = rows(vlek())

        assert found["csp id"].value == "CN=test.invalid"
        assert "hwid" not in found
        assert found["key server"].text == "given to the provider that the key is of"

    def test_extensions_that_are_not_known_are_shown_as_bytes(self):
        given = [*amd(CLASSIC), extension(UNKNOWN, bytes(range(40)), critical=True)]

        found = rows(vcek(extensions=given))["unknown extension"]

        assert found.value.startswith("00 01 02")
        assert found.value.endswith(" .. 16 more")
        assert (found.text, found.flag) == ("1.2.3.4", "critical")

    @pytest.mark.parametrize(
        ("numbers", "value", "name", "text"),
        [
            ((2, 5, 29, 19), tlv(0x30), "basicConstraints", "no CA"),
            ((2, 5, 29, 15), tlv(3, b"\1\x06"), "keyUsage", "keyCertSign cRLSign"),
            ((2, 5, 29, 15), tlv(3, b"\0"), "keyUsage", "none"),
            ((2, 5, 29, 15), tlv(3, b"\0\0\x40"), "keyUsage", "bit 9"),
            ((2, 5, 29, 14), tlv(4, b"\1\2"), "subjectKeyIdentifier", "0102"),
            ((2, 5, 29, 14), tlv(5), "subjectKeyIdentifier", "05 00"),
            ((2, 5, 29, 35), tlv(0x30, tlv(0x80, b"\1")), "authorityKeyIdentifier", "01"),
            ((2, 5, 29, 20), authority.integer(77), "cRLNumber", "77"),
            ((2, 5, 29, 31), tlv(0x30), "cRLDistributionPoints", "30 00"),
            ((2, 5, 29, 31), b"", "cRLDistributionPoints", "empty"),
            (
                (2, 5, 29, 31),
                tlv(0x30, tlv(0x30, tlv(0xA0, tlv(0xA0, tlv(0x86, b"http://a"))))),
                "cRLDistributionPoints",
                "http://a",
            ),
        ],
    )
    def test_known_extensions_are_words(self, numbers, value, name, text):
        given = [*amd(CLASSIC), extension(numbers, value)]

        assert rows(vcek(extensions=given))[name].value == text

    def test_an_address_nested_without_end_is_no_address(self):
        value = tlv(0x86, b"http://a")
        for _ in range(12):
            value = tlv(0x30, value)

        found = rows(vcek(extensions=[*amd(CLASSIC), extension((2, 5, 29, 31), value)]))

        assert found["cRLDistributionPoints"].value.startswith("30 ")

    def test_a_root_that_is_not_pinned_is_not_amds(self):
        assert rows(ark())["root"][3:] == (
            "not AMD's",
            "the key is none that AMD publishes",
            "not pinned",
        )

    def test_a_certificate_of_others_is_shown_and_called_so(self):
        other = certificate("Another \x1b CA", "Another CA", ARK, ARK)

        found = rows(other)

        assert found["subject"].value == r"Another \x1b CA"
        assert found["subject"].text.startswith("not AMD's")
        assert "product" not in found
        assert codes(other) == {"cert-foreign"}

    def test_names_and_keys_that_are_missing_are_said(self):
        key = authority.ec_key("vcek")
        from cryptography.hazmat.primitives.asymmetric import ec

        other = ec.generate_private_key(ec.SECP256R1())

        assert rows(certificate("", "", ARK, ARK))["subject"].value == "no name"
        assert rows(certificate("SEV-VCEK", "A", other, ARK))["key"].value == "another kind"
        assert rows(certificate("SEV-VCEK", "A", key, ARK))["product"].value == "not given"

    @pytest.mark.parametrize(
        ("at", "text"),
        [
            (datetime(2024, 5, 31, tzinfo=UTC), "not valid yet"),
            (datetime(2031, 1, 1, tzinfo=UTC), "over since 2030-06-01 00:00:00 UTC"),
        ],
    )
    def test_a_certificate_that_is_not_valid_now_is_flagged(self, at, text):
        found = rows(vcek(), at)["valid"]

        assert (found.text, found.flag) == (text, "not valid now")
        assert codes(vcek(), at) == {"cert-dates"}

    def test_a_certificate_of_version_1_is_read(self):
        assert "tcb" not in rows(
            certificate("SEV-VCEK", "SEV-Milan", authority.ec_key("x"), ARK, version=1)
        )

    def test_other_algorithms_are_named(self):
        rsa = tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 11), tlv(5))
        short = authority.pss(salt=20)

        assert rows(vcek(inner=rsa, outer=rsa))["algorithm"].value == (
            "algorithm 1.2.840.113549.1.1.11, not AMD's"
        )
        assert "other parameters" in rows(vcek(inner=short, outer=short))["algorithm"].value


class TestSignature:
    def test_it_holds_by_an_issuer_of_the_same_input(self):
        sheets = judged(pem(ark(), vcek(), ask())).sheets

        states = [sheet.plain["signature"]["state"] for sheet in sheets]
        assert states == ["holds"] * 3
        assert sheets[0].plain["signature"]["reason"] == "signed by its own key"
        assert sheets[1].plain["signature"]["reason"] == "signed by SEV-Milan of this input"

    def test_it_fails_where_another_of_the_issuers_name_is_there(self):
        other = ask(serial=5)
        forged = certificate("SEV-Milan", "ARK-Milan", ARK, ARK, 5, [authority.CA])

        found = judged(pem(vcek(), forged))

        assert found.sheets[0].plain["signature"]["state"] == "failed"
        assert "cert-signature" in {row.code for row in found.findings}
        assert rows(pem(vcek(), forged))["signature"].flag == "refused"
        both = judged(pem(vcek(), forged, other))
        assert both.sheets[0].plain["signature"]["state"] == "holds"

    def test_a_list_is_checked_by_its_issuer(self):
        own = revocations(ARK)

        assert judged(own + ark()).sheets[0].plain["signature"]["state"] == "holds"
        bad = revocations(rsa_key("ask"))
        assert judged(bad + ark()).sheets[0].plain["signature"]["state"] == "failed"

    def test_no_more_than_so_many_are_checked(self):
        issuers = Issuers(certificate_file(pem(ark())).entries[0].document for _ in range(CHECKS))
        issuers._left = 0

        found = issuers.issuance(certificate_file(ask()).entries[0].document)

        assert (str(found.state), found.reason) == ("not checked", f"{CHECKS} others were checked")

    def test_certificates_that_sign_each_other_end(self):
        one = certificate("A", "B", ARK, ARK)
        two = certificate("B", "A", ARK, ARK)

        sheets = judged(pem(one, two)).sheets

        assert [sheet.plain["signature"]["root"] for sheet in sheets] == [None, None]

    @needed
    def test_real_chains_lead_to_the_pinned_root(self):
        for files in CHAINS.values():
            data = b"".join(
                content if content.startswith(b"-----") else pem(content)
                for content in (real("reports").joinpath(file).read_bytes() for file in files)
            )
            document = judged(data, datetime.now(UTC))

            roots = {sheet.plain["signature"]["root"] for sheet in document.sheets}
            assert len(roots) == 1
            assert roots.pop().startswith("AMD's ARK-")
            assert document.findings == ()


class TestFindings:
    @pytest.mark.parametrize(
        ("given", "found"),
        [
            (amd(CLASSIC, hwid=None), {"cert-missing"}),
            (amd({1: 3, 2: 0, 3: 8}), {"cert-missing"}),
            (amd(CLASSIC)[1:], {"cert-missing"}),
            (amd(CLASSIC, product=None), {"cert-missing"}),
            (amd(CLASSIC, csp="CN=x"), {"cert-csp-id"}),
            (amd(CLASSIC, "Rome"), {"cert-product"}),
            (amd(CLASSIC, "Genoa"), {"cert-product"}),
            (amd(CLASSIC, struct=9), {"cert-struct-version"}),
            (amd(CLASSIC, hwid=bytes(8)), {"cert-hwid"}),
            (amd(CLASSIC, hwid=b"123"), {"cert-extension"}),
            (amd(CLASSIC, "no product"), {"cert-extension"}),
            ([*amd(CLASSIC), extension((*authority.AMD, 99), b"\1")], {"cert-extension"}),
            ([*amd(CLASSIC), extension(UNKNOWN, b"", critical=True)], {"cert-usage"}),
        ],
    )
    def test_what_is_wrong_with_a_vcek_is_named(self, given, found):
        assert codes(vcek(extensions=given)) == found

    @pytest.mark.parametrize(
        ("made", "found"),
        [
            (vcek(), set()),
            (vlek(), set()),
            (ask(), set()),
            (ark(), {"cert-root"}),
            (ask(extensions=[]), {"cert-usage"}),
            (vlek(extensions=amd(CLASSIC, "Milan", csp="CN=x")), {"cert-hwid"}),
            (certificate("SEV-VCEK", "SEV-Milan", ARK, ARK, 0, amd(CLASSIC)), {"cert-key"}),
            (vcek(inner=authority.pss(), outer=authority.pss(salt=20)), {"cert-algorithm"}),
            (revocations(ARK), set()),
            (revocations(ARK, "SEV-Milan"), {"cert-foreign"}),
            (revocations(ARK, until=None), {"crl-dates"}),
            (revocations(ARK, until=OLD), {"crl-dates"}),
            (revocations(ARK, extra=[extension((2, 5, 29, 27), b"\2\1\1")]), {"crl-whole"}),
        ],
    )
    def test_what_is_wrong_with_others_is_named(self, made, found):
        assert codes(made) == found

    def test_bytes_behind_der_are_found(self):
        zeros, others = judged(vcek() + bytes(9)), judged(vcek() + b"more")

        assert [(row.code, row.severity.name) for row in zeros.findings] == [("cert-rest", "NOTE")]
        assert others.findings[0].severity.name == "WARNING"
        assert others.findings[0].offset == len(vcek())

    def test_what_cannot_be_read_beside_others_is_an_error(self):
        document = judged(pem(ask()) + pem(vcek()[:200]))

        assert [row.code for row in document.findings] == ["cert-unreadable"]
        assert document.sheets[1].plain["kind"] == "unreadable"
        assert "cut short" in document.sheets[1].plain["reason"]

    def test_fail_on_decides_the_exit_code(self):
        run("decode", "cert", given=ark())
        run("decode", "cert", "--fail-on", "warning", given=ark(), code=1)
        run("decode", "cert", "--fail-on", "error", given=ark())


class TestCommand:
    @pytest.mark.parametrize("name", sorted(CERTIFICATES))
    def test_every_name_takes_every_certificate(self, name):
        assert run("decode", name, given=vcek()).startswith("VCEK  Milan-B0  ")
        assert run("decode", name, given=revocations(ARK)).startswith("CRL  Milan  ")

    @pytest.mark.parametrize(
        "spelled",
        [
            vcek(),
            pem(vcek()),
            pem(vcek()).replace(b"\n", b"\\n"),
            pem(vcek()).decode().encode("utf-16"),
            json.dumps({"vcekCert": pem(vcek()).decode()}).encode(),
            vcek().hex().encode(),
            b64encode(vcek()),
            build_table([("VCEK", vcek())]),
        ],
        ids=["der", "pem", "escaped", "utf-16", "json", "hex", "base64", "table"],
    )
    def test_a_certificate_is_read_in_each_spelling(self, spelled):
        said = json.loads(run("decode", "cert", "--json", given=spelled))

        assert said["schema"] == "cert/1"
        assert [row["hwid"] for row in said["entries"]] == [authority.CHIP.hex()]

    def test_a_piece_and_a_form_can_be_given(self, tmp_path):
        file = tmp_path / "blob"
        file.write_bytes(bytes(64) + vcek() + bytes(64))

        words = ["decode", "cert", str(file), "--offset", "64"]
        assert run(*words, "--length", str(len(vcek()))).startswith("VCEK")
        assert run("decode", "cert", "--from", "hex", given=vcek().hex().encode())
        assert "past the end" in refused("decode", "cert", str(file), "--offset", "99999")
        assert "hex" in refused("decode", "cert", "--from", "hex", given=b"xyz")

    @pytest.mark.parametrize(
        ("given", "text"),
        [
            (b"", "there is no certificate: the input is empty"),
            (pem(b"\1", label="PRIVATE KEY"), "this is a private key in PEM, not a certificate"),
            (pem(vcek())[:200], "the PEM block that starts in line 1 has no end"),
            (vcek()[:200], "the DER is cut short: "),
            (bytes(100), "neither DER, PEM nor a certificate table, 100 bytes"),
        ],
    )
    def test_what_is_no_certificate_is_one_line(self, given, text):
        assert text in refused("decode", "cert", given=given)

    def test_a_private_key_is_never_printed(self):
        secret = b"secret bytes of a key, 32 of them"
        given = pem(secret, label="EC PRIVATE KEY")

        for data in (given, given + pem(vcek()), vcek() + given):
            output, errors, _ = call(["decode", "cert"], data)
            for part in (b64encode(secret)[:12], secret.hex()[:12].encode(), b"secret"):
                assert part not in output + errors

    def test_many_certificates_are_capped_in_text_alone(self):
        given = pem(*[ark()] * (MOST + 5))

        text = run("decode", "cert", given=given)
        said = json.loads(run("decode", "cert", "--json", given=given))

        assert "... and 5 more: --json has all" in text
        assert "... and 53 more  [cert-root]" in text
        assert len(said["entries"]) == len(said["findings"]) == MOST + 5

    def test_revoked_serials_are_capped_in_text_alone(self):
        given = revocations(ARK, serials=range(1, 41))

        assert "40" in (text := run("decode", "crl", given=given))
        assert "0x10 ... and 24 more" in text
        said = json.loads(run("decode", "crl", "--json", given=given))
        assert said["entries"][0]["revoked"] == [hex(serial) for serial in range(1, 41)]

    def test_a_list_that_is_over_or_without_an_end_is_flagged(self):
        assert "over  (outdated)" in run("decode", "crl", given=revocations(ARK, until=OLD))
        found = rows(revocations(ARK, until=None))["next update"]
        assert (found.value, found.flag) == ("not given", "a verifier refuses such a list")

    @pytest.mark.parametrize("words", [["layout", "vcek"], ["encode", "vcek", "-"]])
    def test_certificates_are_no_record(self, words):
        assert "a vcek is ASN.1, not a record" in refused(*words, given=b"{}", code=2)

    @pytest.mark.parametrize("option", [["--hex"], ["--fields", "hwid"]])
    def test_options_of_records_are_refused(self, option):
        assert "not for a cert" in refused("decode", "cert", *option, given=vcek(), code=2)

    @pytest.mark.parametrize("given", [vcek(), pem(vcek(), ask())])
    def test_a_certificate_is_no_certificate_table(self, given):
        said = refused("decode", "certs", given=given)

        assert ", not a certificate table" in said
        assert "help: snpwire decode cert" in said

    def test_findings_of_a_table_are_capped_in_text_alone(self):
        given = bytes(range(1, 25)) * 100

        text = run("decode", "certs", given=given)
        said = json.loads(run("decode", "certs", "--json", given=given))

        assert text.count("[certs-unknown-guid;") == 16
        assert "... and 84 more  [certs-unknown-guid]" in text
        assert sum(row["code"] == "certs-unknown-guid" for row in said["findings"]) == 100


class TestFit:
    @pytest.fixture
    def report(self, tmp_path):
        def write(**fields):
            file = tmp_path / "report.bin"
            file.write_bytes(authority.report(**fields))
            return str(file)

        return write

    def fit(self, report, data, *more, code=0):
        words = ["decode", "cert", "--report", report, "--json", *more]
        return json.loads(run(*words, given=data, code=code))["fit"]

    def test_the_certificate_of_the_report_fits(self, report):
        found = self.fit(report(), pem(ark(), ask(), vcek()))

        assert found["fits"] is True
        assert [row["kind"] for row in found["certificates"]] == ["VCEK", "ARK", "ASK"]
        assert [row["differs"] for row in found["certificates"]] == [[], [], []]
        assert {row["fetch"] for row in found["certificates"]} == {None}

    @pytest.mark.parametrize(
        ("fields", "differs"),
        [
            ({"reported_tcb": 0xC809_0000_0000_0003}, ["tcb-snp", "report-signature"]),
            ({"chip_id": bytes(range(64, 128))}, ["hwid", "report-signature"]),
            ({"cpuid_mod_id": 0x11}, ["product", "report-signature"]),
            ({"key_info": KeyInfo.of(signing_key="VLEK")}, ["signing-key", "report-signature"]),
        ],
    )
    def test_the_part_that_differs_is_named_with_what_to_fetch(self, fields, differs, report):
        file = report(**fields)
        other = certificate(
            "SEV-VCEK", "SEV-Milan", authority.ec_key("other"), ARK, 0, amd(CLASSIC)
        )

        found = self.fit(file, other, code=1)["certificates"][0]

        assert found["differs"] == differs
        wanted = json.loads(run("explain", "kds", file, "--json"))["addresses"][0]["url"]
        assert found["fetch"] == wanted

    def test_both_chips_are_told(self, report):
        found = self.fit(report(chip_id=bytes(range(64))), vcek(), code=1)

        reasons = {row["name"]: row["reason"] for row in found["certificates"][0]["checks"]}
        assert reasons["hwid"] == (
            f"the report has the chip id {bytes(range(64)).hex()}, "
            f"hwID of the certificate is {authority.CHIP.hex()}"
        )
        nameless = vcek(extensions=amd(CLASSIC, hwid=None))
        found = self.fit(report(), nameless, code=1)["certificates"][0]
        assert found["checks"][-3]["reason"].endswith("does not say for which chip it is")

    @pytest.mark.parametrize("field", ["current_tcb", "committed_tcb", "launch_tcb"])
    def test_a_certificate_of_another_tcb_of_the_report_is_called_so(self, field, report):
        older = 0xC807_0000_0000_0003
        fields = dict.fromkeys(("current_tcb", "committed_tcb", "reported_tcb"), older)
        file = report(**fields | {field: 0xC808_0000_0000_0003})

        text = run("decode", "cert", "--report", file, given=vcek(), code=1)
        found = self.fit(file, vcek(), code=1)["certificates"][0]

        cause = f"it is of {field} of the report, whose key is that of reported_tcb"
        assert f"\n{cause}\n" in text
        assert found["cause"] == cause
        assert self.fit(report(), vcek())["certificates"][0]["cause"] == ""

    def test_a_masked_chip_has_no_address(self, report):
        file = report(chip_id=bytes(64), reported_tcb=1)

        text = run("decode", "cert", "--report", file, given=vcek(), code=1)

        assert "what to fetch instead is not told: the report has its chip id masked" in text

    def test_an_unknown_product_has_no_address(self, report):
        file = report(cpuid_fam_id=0x30)

        text = run("decode", "cert", "--report", file, given=ask(), code=1)

        assert "what to fetch instead is not told: " in text

    def test_authorities_are_compared_by_product(self, report):
        file = report()

        found = self.fit(file, pem(ask("Genoa"), ask(kind="SEV-VLEK-")), code=1)["certificates"]

        assert [row["differs"] for row in found] == [["product"], ["signing-key"]]
        assert found[0]["fetch"].endswith("/vcek/v1/Milan/cert_chain")

    def test_a_report_without_a_product_takes_that_of_its_key(self, report):
        file = report(version=2)

        assert self.fit(file, pem(vcek(), ask()))["fits"] is True
        assert self.fit(file, pem(vcek(), ask("Genoa")), code=1)["fits"] is False
        assert self.fit(file, ask(), "--product", "milan")["fits"] is True
        text = run("decode", "cert", "--report", file, given=ask(), code=1)
        assert "differs in nothing from" in text
        assert "product not compared" in text
        other = ask("Turin")
        assert self.fit(file, other, code=1)["certificates"][0]["differs"] == ["product"]
        assert self.fit(file, ask("Rome"), code=1)["certificates"][0]["differs"] == ["product"]

    def test_a_key_of_another_curve_and_certificates_of_others_do_not_fit(self, report):
        rsa = certificate("SEV-VCEK", "SEV-Milan", ARK, ARK, 0, amd(CLASSIC))
        other = certificate("Another", "Another", ARK, ARK)

        found = self.fit(report(), pem(rsa, other), code=1)["certificates"]

        assert found[0]["differs"] == ["report-signature"]
        assert found[0]["checks"][-1]["reason"] == "the certificate has no key of P-384"
        assert found[1]["differs"] == ["kind"]

    def test_extensions_that_cannot_be_read_do_not_fit(self, report):
        found = self.fit(report(), vcek(extensions=amd(CLASSIC, hwid=b"123")), code=1)

        assert found["certificates"][0]["differs"] == ["certificate-extensions"]

    def test_a_product_is_taken_only_from_a_key_that_names_one(self, report):
        bare = vcek(extensions=amd(CLASSIC, product="Rome"))
        file = report(version=2)

        found = self.fit(file, pem(bare, ask()), code=1)["certificates"]

        assert found[0]["differs"] == ["product"]
        assert found[1]["fits"] is False

    @pytest.mark.parametrize(
        ("words", "given", "code", "text"),
        [
            (["cert", "-", "--report", "-"], vcek(), 2, "only one of the inputs"),
            (["report", "--report", "x"], b"", 2, "--report is for a certificate, not for report"),
            (["cert", "--report", "nowhere"], vcek(), 3, "nowhere: No such file"),
        ],
    )
    def test_bad_inputs_are_refused(self, words, given, code, text):
        assert text in refused("decode", *words, given=given, code=code)

    def test_a_list_fits_no_report(self, report):
        words = ["decode", "cert", "--report", report()]

        assert "a revocation list fits no report" in refused(*words, given=revocations(ARK), code=2)


class TestDiff:
    def diff(self, left, right):
        change = certificate_changes(
            [row.document for row in certificate_file(left).entries],
            [row.document for row in certificate_file(right).entries],
        )
        return [(row.verdict, [part.part for part in row.parts]) for row in change]

    def test_a_renewed_certificate_is_called_so(self):
        renewed = ask(serial=0x10002, since=NOW, until=datetime(2040, 1, 1, tzinfo=UTC))

        assert self.diff(ask(), renewed) == [
            (
                "renewed: new signature and dates over the same key; the right one is valid longer",
                ["not before", "not after", "serial", "signature"],
            )
        ]
        assert "the left one is valid longer" in self.diff(renewed, ask())[0][0]
        later = self.diff(ask(), ask(since=NOW))[0][0]
        assert later.endswith("both end at the same time")

    def test_one_signed_again_is_called_so(self):
        again = certificate("SEV-Milan", "ARK-Milan", rsa_key("ask"), ARK, 0x10001, [authority.CA])

        assert self.diff(ask(), again) == [
            ("signed anew: another signature over the same key and dates", ["signature"])
        ]

    @pytest.mark.parametrize(
        ("left", "right", "verdict"),
        [
            (KEY, KEY, "the same, byte by byte"),
            (vcek(), ask(), "VCEK and ASK are two kinds of key"),
            (ask(), ask(extensions=[]), "over the same key, but not the same in: basicConstraints"),
            (ask(), revocations(ARK), "a certificate and a revocation list: nothing to compare"),
            (revocations(ARK), revocations(ARK), "the same serials are revoked"),
            (
                revocations(ARK, serials=[1, 2]),
                revocations(ARK, serials=[2, 3, 4]),
                "2 serials more are revoked, 1 fewer",
            ),
        ],
    )
    def test_what_two_are_to_each_other_is_said(self, left, right, verdict):
        assert self.diff(left, right)[0][0] == verdict

    def test_why_the_key_of_a_report_is_another_is_said(self):
        def made(given, name="SEV-VCEK"):
            key = authority.ec_key("other")
            return certificate(name, "SEV-Milan", key, rsa_key("ask"), 0, given)

        newer = made(amd({**CLASSIC, 3: 9}))
        chip = made(amd(CLASSIC, hwid=bytes(range(64))))
        csp = made(amd(CLASSIC, "Milan", hwid=None, csp="CN=other"), "SEV-VLEK")

        assert self.diff(vcek(), newer) == [
            ("the keys of two TCB versions: snp", ["tcb snp", "key", "signature"])
        ]
        assert self.diff(vcek(), chip)[0][0] == "the keys of two chips"
        assert self.diff(vlek(), csp)[0][0] == "the keys of two providers"
        same = self.diff(vcek(), made(amd(CLASSIC)))[0][0]
        assert same == "another key, though chip and TCB version are the same"
        another = certificate("SEV-Milan", "ARK-Milan", ARK, ARK, 0x10001, [authority.CA])
        assert self.diff(ask(), another)[0][0] == "another key under the same name"
        assert self.diff(ask(), ask("Genoa"))[0][0].startswith("over the same key, but not")
        genoa = certificate("SEV-Genoa", "ARK-Genoa", ARK, ARK, 0x20001, [authority.CA])
        assert self.diff(ask(), genoa)[0][0] == "another key"

    def test_extensions_that_cannot_be_read_are_compared_as_bytes(self):
        left, right = (vcek(extensions=amd(CLASSIC, hwid=value)) for value in (b"123", b"124"))

        parts = self.diff(left, right)[0][1]

        assert parts[0] == "extension 1.3.6.1.4.1.3704.1.4"

    def test_bundles_are_paired_by_kind_and_name(self):
        renewed = ask(serial=0x10002, since=NOW)

        found = self.diff(pem(vcek(), ask(), ROOT), pem(ROOT, renewed, vlek()))

        assert [verdict.partition(":")[0] for verdict, _ in found] == [
            "only the left side has it",
            "renewed",
            "the same, byte by byte",
            "only the right side has it",
        ]

    def test_critical_is_a_part_of_an_extension(self):
        loose = ask(extensions=[extension((2, 5, 29, 19), tlv(0x30, tlv(1, b"\xff")))])

        change = certificate_changes(
            [certificate_file(ask()).entries[0].document],
            [certificate_file(loose).entries[0].document],
        )

        assert change[0].parts[0] == ("basicConstraints", "CA (critical)", "CA")

    def test_the_command_prints_both_values_and_exits_with_1(self, tmp_path):
        for name, data in (("a", vcek()), ("b", vcek(extensions=amd({**CLASSIC, 3: 9})))):
            (tmp_path / name).write_bytes(data)
        files = [str(tmp_path / name) for name in "ab"]

        text = run("diff", "cert", *files, code=1)
        said = json.loads(run("diff", "vcek", *files, "--json", code=1))

        assert "  tcb snp\n    - 8\n    + 9\n" in text
        assert said["schema"] == "diff-cert/1"
        assert said["changes"][0]["parts"][0] == {"part": "tcb snp", "left": "8", "right": "9"}
        assert run("diff", "cert", files[0], files[0]).endswith(": the same, byte by byte\n")
        assert "only one of the inputs" in refused("diff", "cert", "-", "-", code=2)

    def test_what_cannot_be_read_is_no_equality(self, tmp_path):
        file = tmp_path / "broken.pem"
        file.write_bytes(pem(ask()) + pem(vcek()[:100]))

        _, errors, code = call(["diff", "cert", str(file), str(file)])

        assert code == 1
        assert errors == b"note: 2 that cannot be read are not compared\n"

    def test_an_absent_part_is_called_absent(self, tmp_path):
        (tmp_path / "a").write_bytes(vcek())
        (tmp_path / "b").write_bytes(vcek(extensions=amd(CLASSIC, hwid=None)))

        text = run("diff", "cert", str(tmp_path / "a"), str(tmp_path / "b"), code=1)

        assert "    + absent\n" in text


class TestKds:
    def test_a_certificate_of_standard_input_is_known(self):
        output = run("explain", "kds", given=pem(vcek()))

        assert output.splitlines()[1].split() == [
            "chain",
            "https://kdsintf.amd.com/vcek/v1/Milan/cert_chain",
        ]

    def test_each_address_of_a_bundle_is_printed_once(self):
        output = run("explain", "kds", given=pem(vcek(), ask(), ark()))

        assert len(output.splitlines()) == len(set(output.splitlines())) == 4

    def test_an_address_in_a_file_is_read_back(self):
        url = run("explain", "kds", given=vcek()).split()[1]

        assert run("explain", "kds", url) == run("explain", "kds", given=f"{url}\n".encode())
        said = json.loads(run("explain", "kds", url, "--json"))
        assert said["url"] == url
        assert said["parts"]["snpSPL"] == "8"

    def test_an_address_in_a_line_of_a_program_is_found(self):
        url = run("explain", "kds", given=vcek()).split()[1]

        said = run("explain", "kds", f"curl -o vcek.der '{url}'")

        assert said == run("explain", "kds", url)
        assert said == run("explain", "kds", given=f"ERROR: 404 from {url}\n".encode())

    def test_a_wrong_address_exits_with_1_and_says_which_is_meant(self):
        url = run("explain", "kds", given=vcek()).split()[1]

        text = run("explain", "kds", url.replace("blSPL", "blspl"), code=1)

        assert text.splitlines()[-2:] == ["error    'blspl' is written blSPL", f"meant    {url}"]

    @pytest.mark.parametrize(
        ("words", "given", "code", "text"),
        [
            (["--product", "milan"], vcek(), 2, "a certificate says its product itself"),
            ([], certificate("A", "A", ARK, ARK), 2, "no such certificate"),
            ([], pem(b"\1", label="PRIVATE KEY"), 3, "this is a private key in PEM"),
            ([], b"xyz", 3, "<stdin>: a report has 1184 bytes, got 3"),
            ([], b"00000000  zz", 3, "<stdin>: line 1: 'z' is not a hex digit"),
        ],
    )
    def test_what_has_no_address_is_refused(self, words, given, code, text):
        assert text in refused("explain", "kds", "-", *words, given=given, code=code)

    def test_a_report_as_text_is_read(self):
        report = authority.report()

        output, errors, _ = call(["explain", "kds"], report.hex().encode())

        assert output.startswith(b"VCEK   https://")
        assert errors == b"note: read as hex\n"


# Properties


@given(
    st.sampled_from([vcek(), vlek(), ask(), revocations(ARK, serials=[1])]),
    st.lists(st.tuples(st.integers(0, 1200), st.binary(min_size=1, max_size=3)), max_size=4),
)
def test_a_damaged_certificate_is_shown_or_refused_in_a_line(data, patches):
    image = bytearray(data)
    for at, patch in patches:
        image[at : at + len(patch)] = patch

    output, errors, code = call(["decode", "cert", "--json", "--from", "raw"], bytes(image))

    if code == 0:
        assert json.loads(output)["entries"]
    else:
        assert (code, output) == (3, b"")
        assert errors.startswith(b"snpwire: <stdin>: ")


@given(st.integers(0, 255), st.integers(0, 255), st.binary(min_size=64, max_size=64))
def test_levels_and_chip_come_back(snp, microcode, chip):
    given = amd({**CLASSIC, 3: snp, 8: microcode}, hwid=chip)

    plain = judged(vcek(extensions=given)).sheets[0].plain

    assert (plain["tcb"]["snp"], plain["spls"]["ucodeSPL"]) == (snp, microcode)
    assert int(plain["tcb"]["word"], 16) == microcode << 56 | snp << 48 | 3
    assert plain["hwid"] == chip.hex()
    assert (plain["not_before"], plain["not_after"]) == (
        f"{BEFORE:%Y-%m-%dT%H:%M:%SZ}",
        f"{AFTER:%Y-%m-%dT%H:%M:%SZ}",
    )
