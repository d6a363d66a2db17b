"""Addresses of AMD's key server: read back, judged part by part, and the one that was meant."""

import authority
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.crypto.certificates import load, load_crl
from snpwire.crypto.kds import addresses, document_address, document_addresses
from snpwire.crypto.kds_url import kds_url, kds_url_text, spls_of
from snpwire.errors import UsageError
from snpwire.finding import Severity
from snpwire.product import product_named
from snpwire.wire.report import KeyInfo, Report, SigningKey

HOST = "https://kdsintf.amd.com"
CHIP = "ab" * 64
MILAN = f"{HOST}/vcek/v1/Milan/{CHIP}?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115"
TURIN = f"{HOST}/vcek/v1/Turin/{CHIP[:16]}?fmcSPL=1&blSPL=2&teeSPL=3&snpSPL=4&ucodeSPL=81"
VLEK = f"{HOST}/vlek/v1/Genoa/cert?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115"


def said(url):
    return [(row.severity, row.text) for row in kds_url(url).findings]


def errors(url):
    return [text for severity, text in said(url) if severity is Severity.ERROR]


@pytest.mark.parametrize(
    ("url", "gives", "product"),
    [
        (MILAN, "VCEK, DER", "Milan"),
        (TURIN, "VCEK, DER", "Turin"),
        (f"{HOST}/vcek/v1/Genoa/cert_chain", "ASK and ARK, PEM", "Genoa"),
        (f"{HOST}/vlek/v1/Milan/cert_chain", "ASVK and ARK, PEM", "Milan"),
        (f"{HOST}/vcek/v1/Turin/crl", "revocation list, DER", "Turin"),
        (VLEK, "VLEK, DER", "Genoa"),
    ],
)
def test_a_right_address_is_read_and_built_again(url, gives, product):
    found = kds_url(url)

    assert errors(url) == []
    assert (found.gives, found.product, found.url) == (gives, product, url)


def test_the_parts_are_those_of_a_report():
    found = kds_url(MILAN)

    assert found.hwid == bytes.fromhex(CHIP)
    assert found.spls == {"blSPL": 3, "teeSPL": 0, "snpSPL": 8, "ucodeSPL": 115}
    assert (found.tcb, kds_url(TURIN).tcb) == ("0x7308000000000003", "0x5100000004030201")
    assert kds_url(MILAN.replace("blSPL=3&", "")).tcb == ""


@pytest.mark.parametrize(
    "url",
    [
        MILAN.removeprefix("https://"),
        f"  '{MILAN}'\n",
        f"<{MILAN}>",
        MILAN.replace("=3", "=03").replace("=0&", "=00&"),
        MILAN.replace(HOST, "HTTPS://KDSINTF.amd.com:443"),
        MILAN.replace(CHIP, CHIP.upper()),
        f"{MILAN}#fragment",
        MILAN.replace("blSPL=3&teeSPL=0", "teeSPL=0&blSPL=3"),
    ],
)
def test_other_spellings_are_the_same_address(url):
    assert said(url) == []
    assert kds_url(url).url == MILAN


@pytest.mark.parametrize(
    ("url", "note"),
    [
        (MILAN.replace("&", "&amp;"), "read with the escaped &"),
        (MILAN.replace("&", "\\u0026"), "read with the escaped &"),
        (MILAN.replace("?", "%3F").replace("=", "%3D"), "escapes of a URL undone"),
        (MILAN.replace(CHIP, f"{CHIP[:60]}\n  {CHIP[60:]}"), "without the spaces"),
        (MILAN.replace(HOST, "https://cache.test/kds"), "'cache.test' is not AMD's key server"),
        (f"{HOST}/vcek/v1/Milan/crl?blSPL=3", "crl takes no parameters: 'blSPL=3'"),
        (VLEK, "gives a VLEK to the cloud provider it is of alone"),
    ],
)
def test_what_was_decided_is_a_note(url, note):
    assert any(note in text and severity is Severity.NOTE for severity, text in said(url))
    assert errors(url) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [("milan", "Milan"), ("Milan-B0", "Milan"), ("Siena", "Genoa"), ("BERGAMO", "Genoa")],
)
def test_a_product_of_another_spelling_is_a_warning(name, meant):
    url = MILAN.replace("Milan", name)

    assert said(url) == [(Severity.WARNING, f"'{name}' is called {meant} at the key server")]
    assert kds_url(url).url == MILAN.replace("Milan", meant)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (MILAN.replace("https", "http"), "the key server speaks https, not 'http'"),
        (MILAN.replace("v1", "v2"), "the version is v1, not 'v2'"),
        (MILAN.replace("/v1", ""), "there is no /v1 in it"),
        (MILAN.replace("vcek/", "VCEK/"), "'VCEK' is written vcek"),
        (MILAN.replace("Milan", "Naples"), "'Naples' has no SEV-SNP"),
        (MILAN.replace("Milan", "Mlan"), "there is no product 'Mlan': did you mean milan?"),
        (MILAN.replace("Milan", "Q"), "there is no product 'Q': products are: Turin Genoa Milan"),
        (MILAN.replace(CHIP, f"0x{CHIP}"), "the chip id has 0x before it"),
        (MILAN.replace(CHIP, f"{CHIP[:-1]}"), "the chip id is no hex: "),
        (MILAN.replace(CHIP, "CHIP_ID"), "the chip id is no hex: 'CHIP_ID'"),
        (MILAN.replace(CHIP, ""), "the chip id is missing: it stands behind the product"),
        (MILAN.replace(CHIP, "00" * 64), "the chip id is zero: the host has it masked"),
        (
            MILAN.replace(CHIP, CHIP[:16]),
            "a chip id of Milan has 128 digits, this has 16, as one of Turin has",
        ),
        (
            TURIN.replace(CHIP[:16], CHIP[:16] + "00" * 56),
            "a chip id of Turin has 16 digits, this has 128: it is the first 8 bytes of chip_id",
        ),
        (
            TURIN.replace(CHIP[:16], CHIP),
            "a chip id of Turin has 16 digits, this has 128, as one of Genoa and Milan has",
        ),
        (MILAN.replace(CHIP, CHIP[:20]), "a chip id of Milan has 128 digits, this has 20"),
        (
            TURIN.replace("fmcSPL=1&", ""),
            "fmcSPL is missing: Turin has fmcSPL blSPL teeSPL snpSPL ucodeSPL",
        ),
        (MILAN.replace("?", "?fmcSPL=1&"), "Milan has no fmcSPL"),
        (MILAN.replace("blSPL", "blspl"), "'blspl' is written blSPL"),
        (MILAN.replace("blSPL=3", "blSPL=3&blSPL=4"), "blSPL is there twice"),
        (MILAN + "&spl4=0", "there is no parameter 'spl4': "),
        (MILAN.replace("115", "0x73"), "ucodeSPL is decimal, and '0x73' is hex: 115"),
        (MILAN.replace("115", "d1"), "ucodeSPL is decimal, and 'd1' is hex: 209"),
        (MILAN.replace("115", "256"), "ucodeSPL is a number of 0 to 255, got '256'"),
        (MILAN.replace("115", ""), "ucodeSPL is a number of 0 to 255, got ''"),
        (MILAN.replace("115", "-1"), "ucodeSPL is a number of 0 to 255, got '-1'"),
        (VLEK.replace("cert?", f"{CHIP}?"), "a VLEK is at /cert, not at "),
        (VLEK.replace("&ucodeSPL=115", ""), "ucodeSPL is missing: "),
    ],
)
def test_what_is_wrong_is_named(url, error):
    assert [text for text in errors(url) if text.startswith(error)] != [], said(url)


@pytest.mark.parametrize(
    "url",
    [
        MILAN.replace("https", "http"),
        MILAN.replace("/v1", ""),
        MILAN.replace(CHIP, f"0x{CHIP}"),
        MILAN.replace("blSPL", "BLSPL"),
        MILAN.replace("115", "0x73"),
        MILAN.replace("Milan", "milan"),
    ],
)
def test_the_address_that_was_meant_follows(url):
    assert said(url) != []
    assert kds_url(url).url == MILAN


@pytest.mark.parametrize(
    "url",
    [
        MILAN.replace("&ucodeSPL=115", ""),
        MILAN.replace("115", "256"),
        MILAN.replace(CHIP, "CHIP_ID"),
        MILAN.replace("Milan", "Q"),
        TURIN.replace(CHIP[:16], CHIP),
    ],
)
def test_what_does_not_follow_is_not_guessed(url):
    assert kds_url(url).url == ""


def test_a_number_beside_one_in_hex_is_not_guessed():
    found = kds_url(MILAN.replace("snpSPL=8", "snpSPL=16").replace("115", "d1"))

    texts = [row.text for row in found.findings]
    assert "snpSPL is 16 as decimal, or 22 if it is hex like the other: it is not guessed" in texts
    assert found.spls == {"blSPL": 3, "teeSPL": 0, "ucodeSPL": 209}
    assert found.url == ""


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (HOST, "names no certificate"),
        (f"{HOST}/", "no address of the key server"),
        (f"{HOST}/vcek/v1", "no address of the key server"),
        (f"{HOST}/vcek/v1/Milan/{CHIP}/more/of/it", "no address of the key server"),
        (f"{HOST}/cek/id/{CHIP}", "address of a CEK"),
        ("https://" + "a" * 5000, "an address has no 5008 characters"),
    ],
)
def test_what_is_no_address_is_refused(url, error):
    with pytest.raises(UsageError, match=error):
        kds_url(url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MILAN, MILAN),
        (" 'kdsintf.amd.com/vcek'", "kdsintf.amd.com/vcek"),
        ("/vcek/v1/Milan/crl", "/vcek/v1/Milan/crl"),
        ("/vlek/v1/Milan/crl", "/vlek/v1/Milan/crl"),
        (f"curl -o vcek.der '{MILAN}'", MILAN),
        (f"{MILAN}'; echo", MILAN),
        (f'Get "{MILAN}": dial tcp: no such host', MILAN),
        (f"Error: 404 for {MILAN}, try again", f"{MILAN},"),
        (f"{MILAN} returned 404", MILAN),
        (f"{MILAN[:70]}\n  {MILAN[70:]}\n\nmore of it", f"{MILAN[:70]}\n{MILAN[70:]}"),
        (f"{MILAN[:70]}\n{MILAN[70:]} 404\nmore", f"{MILAN[:70]}\n{MILAN[70:]}"),
        ("vcek.der", ""),
        ("./https.pem", ""),
        ("folder/vcek/v1.der", ""),
        ("-", ""),
    ],
)
def test_an_address_is_told_from_a_file_and_found_in_a_line(text, expected):
    assert kds_url_text(text) == expected


def test_what_stands_behind_an_address_in_a_line_is_no_part_of_it():
    assert kds_url(f"({MILAN}),").url == MILAN
    assert said(f"({MILAN}),") == []


def test_a_path_without_a_host_is_taken():
    assert kds_url("/vcek/v1/Milan/crl").url == f"{HOST}/vcek/v1/Milan/crl"


def test_parts_that_are_missing_have_no_address():
    empty = kds_url(MILAN)._replace(signer="")

    assert (empty.url, empty.gives) == ("", "nothing")


# Certificates and reports


def test_a_certificate_tells_where_it_came_from():
    turin = authority.amd(authority.TURIN, "Turin", authority.CHIP[:8], struct=1)
    made = {
        "VCEK": (authority.vcek(), f"/vcek/v1/Milan/{authority.CHIP.hex()}?blSPL=3&teeSPL=0"),
        "turin": (authority.vcek("Turin", turin), "/vcek/v1/Turin/0102030405060708?fmcSPL=1"),
        "VLEK": (authority.vlek(), "/vlek/v1/Milan/cert?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=200"),
        "ASK": (authority.ask("Genoa"), "/vcek/v1/Genoa/cert_chain"),
        "ASVK": (authority.ask("Genoa", "SEV-VLEK-"), "/vlek/v1/Genoa/cert_chain"),
        "ARK": (authority.ark("Turin"), "/vcek/v1/Turin/cert_chain"),
    }

    for data, path in made.values():
        url = document_address(load(data)[0]).url
        assert url.startswith(HOST + path)
        assert kds_url(url).url == url
        assert errors(url) == []


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (authority.amd(authority.CLASSIC, hwid=None), "the certificate has no hwID"),
        (authority.amd({1: 3, 2: 0, 3: 8}), "the certificate has no ucodeSPL"),
        (authority.amd({}, product=None), "the certificate names no product of the key server"),
        (authority.amd({}, product="Rome"), "the certificate names no product of the key server"),
    ],
)
def test_what_a_certificate_lacks_is_why_it_has_no_address(given, reason):
    certificate = load(authority.vcek(extensions=given))[0]

    assert document_address(certificate)[1:] == ("", reason)
    assert document_addresses(certificate)[0].url == ""


def test_a_list_has_an_address_by_its_issuer():
    key = authority.rsa_key("ark")
    crl = load_crl(authority.revocations(key, "ARK-Genoa"))

    assert document_addresses(crl) == [("CRL", f"{HOST}/vcek/v1/Genoa/crl", "")]
    assert document_address(load_crl(authority.revocations(key, "SEV-Genoa"))) is None
    assert document_address(load_crl(authority.revocations(key, "ARK-Rome"))) is None


@pytest.mark.parametrize("subject", ["Another", "ARK-Rome", ""])
def test_a_certificate_of_others_has_no_address(subject):
    key = authority.rsa_key("ark")
    certificate = load(authority.certificate(subject, subject, key, key))[0]

    assert document_address(certificate) is None
    with pytest.raises(UsageError, match="no such certificate"):
        document_addresses(certificate)


# Properties


LEVELS = st.integers(0, 255)


@given(st.sampled_from(["Milan", "Genoa", "Turin"]), st.data())
def test_a_report_and_a_certificate_have_one_address_that_reads_back(name, data):
    row = product_named(name)
    levels = {part: data.draw(LEVELS) for part in row.layout.word.BITS}
    word = row.layout.word.of(**levels)
    chip = data.draw(st.binary(min_size=row.chip_id_size, max_size=row.chip_id_size).filter(any))
    vlek = data.draw(st.booleans())
    signer = SigningKey.VLEK if vlek else SigningKey.VCEK
    info = KeyInfo.of(signing_key=signer.name)
    report = Report(version=2, chip_id=chip.ljust(64, b"\0"), reported_tcb=word, key_info=info)

    url = addresses(report, product=name.lower())[0].url
    found = kds_url(url)

    assert [row for row in found.findings if row.severity is not Severity.NOTE] == []
    assert found.url == url
    assert (found.hwid, found.product, found.tcb) == (
        None if vlek else chip,
        name,
        f"{int(word):#018x}",
    )
    assert list(found.spls) == spls_of(row)


@given(st.text(max_size=300))
def test_no_text_makes_it_fail(text):
    for start in ("", f"{HOST}/vcek/v1/", MILAN[:60], f"{HOST}/vcek/v1/Milan/{CHIP}?"):
        try:
            found = kds_url(start + text)
        except UsageError as exc:
            assert str(exc)
        else:
            assert found.url == "" or kds_url(found.url).url == found.url
