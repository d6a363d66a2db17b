import timeit
from base64 import b64encode
from datetime import timedelta

import authority
import pytest
from authority import (
    AFTER,
    BEFORE,
    NOW,
    ark,
    arrange,
    ask,
    certificate,
    pss,
    revocations,
    rsa_key,
    vcek,
)
from cryptography.hazmat.primitives.asymmetric import rsa
from realfiles import CHAINS, certificate_files, needed

from snpwire.crypto.certificates import (
    AMD_ROOTS,
    CertificateKind,
    check_issued,
    kind_of,
    load,
    load_crl,
    load_table,
    pin,
    product_in,
)
from snpwire.crypto.rfc5280 import check_dates, check_revoked
from snpwire.crypto.x509 import RsaKey
from snpwire.errors import CertificateError, SignatureError
from snpwire.wire.certs import CertTable, build_table

CHAIN = (vcek(), ask(), ark())
KEY, MIDDLE, ROOT = authority.chain()


def pem(der, label="CERTIFICATE"):
    text = b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


# Loading


def test_der_is_one_certificate():
    assert [row.der for row in load(CHAIN[0])] == [CHAIN[0]]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("text", [b"", b"Certificate:\n    Data: 0\n", b"\xef\xbb\xbf", b"0"])
def test_pem_may_hold_several_with_text_between(text, end):
    data = b"".join(text + pem(der) for der in CHAIN).replace(b"\n", end) + text

    assert [row.der for row in load(data)] == list(CHAIN)


def test_other_blocks_of_pem_are_passed_over():
    assert len(load(pem(b"secret", "PRIVATE KEY") + pem(CHAIN[1]))) == 1


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "there is no certificate: neither DER nor PEM"),
        (b"junk", "there is no certificate: neither DER nor PEM"),
        (pem(b"", "X509 CRL"), "there is no certificate: neither DER nor PEM"),
        (
            pem(CHAIN[0]) + b"\n" + pem(CHAIN[1]).replace(b"M", b"!", 1),
            "the PEM block that starts in line {line} has more than base64 in it",
        ),
        (
            b"text\n" + pem(CHAIN[0])[:-10],
            "the PEM block that starts in line 2 has no end",
        ),
        (
            pem(CHAIN[0]).replace(b"-----END CERTIFICATE-----\n", b"") + pem(CHAIN[1]),
            "the PEM block that starts in line 1 has more than base64 in it",
        ),
        (
            pem(b"0\0").replace(b"MAA=", b"MAB="),
            "the PEM block that starts in line 1 has bits set in its last digit that belong to no",
        ),
        (pem(b"\x30\x05"), "the DER is cut short: 5 bytes announced, 0 there at 0x0"),
        (CHAIN[0][:-1], "the DER is cut short"),
        (CHAIN[0] + b"\n", "1 bytes too many"),
    ],
)
def test_what_is_no_certificate_is_one_clear_line(data, text):
    line = pem(CHAIN[0]).count(b"\n") + 2
    with pytest.raises(CertificateError) as caught:
        load(data)

    assert str(caught.value).startswith(text.format(line=line))
    assert "\n" not in str(caught.value)


def test_a_block_inside_another_block_is_part_of_it():
    inner = pem(CHAIN[1])
    outer = b"-----BEGIN OTHER-----\n" + inner + b"-----END OTHER-----\n"

    assert [row.der for row in load(outer + pem(CHAIN[0]))] == [CHAIN[0]]
    with pytest.raises(CertificateError, match=r"^there is no certificate: neither DER nor PEM$"):
        load(outer)


def test_lines_are_counted_across_blocks():
    good = pem(CHAIN[0])
    bad = pem(CHAIN[1]).replace(b"M", b"!", 1)
    line = 3 * good.count(b"\n") + 3

    with pytest.raises(CertificateError, match=f"starts in line {line} has more than base64"):
        load(good + b"text\n" + good * 2 + b"more\n" + bad)


def blocks(count):
    """Return blocks of PEM that are passed over, each after a line of text."""
    return b"text\n-----BEGIN OTHER-----\nMAA=\n-----END OTHER-----\n" * count


def nested(count):
    """Return a block in which every line begins another."""
    return b"-----BEGIN OTHER-----\n" * count + b"-----END OTHER-----\n"


@pytest.mark.parametrize("make", [blocks, nested])
def test_eight_times_as_many_blocks_take_less_than_20_times_as_long(make):
    def seconds(count):
        data = make(count) + pem(CHAIN[0])
        return min(timeit.repeat(lambda: load(data), number=1, repeat=3))

    assert seconds(80_000) < 20 * seconds(10_000)


def test_a_table_is_taken_as_it_is():
    table = build_table(
        [
            ("GOOGLE_EXTRA_PLATFORM_INFO", b"not a certificate"),
            ("ARK", CHAIN[2]),
            ("VCEK", CHAIN[0]),
            ("CRL", revocations(rsa_key("ark"))),
            ("ASK", pem(CHAIN[1])),
        ],
        pages=True,
    )

    found, crl, notes = load_table(table)

    assert [row.der for row in found] == [CHAIN[2], CHAIN[0], CHAIN[1]]
    assert crl.issuer_name == "ARK-Milan"
    assert notes == ()
    assert load_table(CertTable.parse(bytes(4096))) == ([], None, ())


def test_an_entry_that_cannot_be_read_is_passed_over_if_another_can():
    rows = [("VCEK", b"junk"), ("VCEK", CHAIN[0]), ("ASK", CHAIN[1][:-1]), ("ASK", CHAIN[1])]

    found, _, notes = load_table(build_table(rows))

    assert [row.der for row in found] == [CHAIN[0], CHAIN[1]]
    assert notes[0] == (
        "another VCEK of the table cannot be read: there is no certificate: neither DER nor PEM"
    )
    assert notes[1].startswith("another ASK of the table cannot be read: the DER is cut short")


def test_the_latest_list_of_a_table_is_taken():
    old, new = (
        revocations(rsa_key("ark"), serials=[serial], since=since)
        for serial, since in ((1, BEFORE), (2, NOW))
    )

    for rows in ([old, new], [new, old]):
        table = build_table([("CRL", row) for row in (*rows, b"junk")])
        assert load_table(table).crl.revoked == {2}


def test_a_table_names_the_entry_that_is_wrong():
    with pytest.raises(CertificateError, match=r"^VCEK: there is no certificate: neither DER nor"):
        load_table(build_table([("VCEK", b"junk")]))
    with pytest.raises(CertificateError, match=r"^ASK: the DER is cut short: .* at 0x0$"):
        load_table(build_table([("ASK", CHAIN[1][:-1])]))
    with pytest.raises(CertificateError, match=r"^ARK: it ends at .*, outside the "):
        load_table(build_table([("ARK", CHAIN[2])])[:-1])


def test_a_revocation_list_is_read_in_both_forms():
    made = revocations(rsa_key("ark"), serials=[5, 1 << 70], until=None)

    for data in (made, pem(made, "X509 CRL")):
        crl = load_crl(data)
        assert (crl.revoked, crl.next_update) == ({5, 1 << 70}, None)
        assert crl.this_update == BEFORE
    with pytest.raises(CertificateError, match=r"^expected one revocation list, got 2$"):
        load_crl(pem(made, "X509 CRL") * 2)
    with pytest.raises(CertificateError, match=r"^there is no revocation list: neither DER nor"):
        load_crl(b"")


# Which is which


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SEV-VCEK", CertificateKind.VCEK),
        ("SEV-VLEK", CertificateKind.VLEK),
        ("SEV-Milan", CertificateKind.ASK),
        ("SEV-VLEK-Milan", CertificateKind.ASVK),
        ("ARK-Turin", CertificateKind.ARK),
        ("ARK", CertificateKind.OTHER),
        ("", CertificateKind.OTHER),
        ("sev-vcek", CertificateKind.OTHER),
    ],
)
def test_the_subject_says_which_it_is(name, kind):
    row = KEY._replace(subject_name=name)

    assert kind_of(row) is kind
    if kind in (CertificateKind.ASK, CertificateKind.ASVK, CertificateKind.ARK):
        assert product_in(row) == name.rpartition("-")[2]


def test_certificates_are_sorted_out_whatever_their_order():
    assert arrange([KEY, MIDDLE, ROOT]) == (KEY, MIDDLE, ROOT, ())
    assert arrange([ROOT, KEY, MIDDLE, KEY]) == (KEY, MIDDLE, ROOT, ("they came in another order",))


def test_what_belongs_elsewhere_is_left_out_and_named():
    genoa = [load(made)[0] for made in (ask("Genoa"), ark("Genoa"))]
    stray = KEY._replace(der=b"x", subject_name="")

    chain = arrange([*genoa, KEY, MIDDLE, ROOT, stray])

    assert chain[:3] == (KEY, MIDDLE, ROOT)
    assert chain.notes == ("SEV-Genoa is not used", "ARK-Genoa is not used", "one is not used")


def test_a_name_that_somebody_chose_cannot_write_a_line_of_its_own():
    stray = KEY._replace(der=b"x", subject_name="SEV\n\x1b[32mok   root")

    chain = arrange([KEY, MIDDLE, ROOT, stray])

    assert chain.notes == (r"SEV\n\x1b[32mok   root is not used",)


def test_the_kind_that_signed_is_taken_of_two():
    vlek, asvk, _ = authority.vlek_chain()
    rows = [KEY, vlek, MIDDLE, asvk, ROOT]

    assert arrange(rows)[:3] == (KEY, MIDDLE, ROOT)
    assert arrange(rows, CertificateKind.VLEK)[:3] == (vlek, asvk, ROOT)


def test_a_chain_may_have_holes():
    assert arrange([]) == (None, None, None, ())
    assert arrange([ROOT]) == (None, None, ROOT, ())
    assert arrange([KEY]) == (KEY, None, None, ())
    assert arrange([MIDDLE, ROOT]) == (None, MIDDLE, ROOT, ())


# One against the next


def test_each_is_issued_by_the_next():
    check_issued(KEY, MIDDLE)
    check_issued(MIDDLE, ROOT)
    check_issued(ROOT, ROOT)


@pytest.mark.parametrize("at", [1, 300])
def test_a_changed_byte_is_a_wrong_signature(at):
    tbs = bytearray(KEY.signed.tbs)
    tbs[-at] ^= 1
    changed = KEY._replace(signed=KEY.signed._replace(tbs=bytes(tbs)))

    with pytest.raises(SignatureError, match=r"^the signature does not fit$"):
        check_issued(changed, MIDDLE)


def test_names_have_to_fit():
    genoa = load(ask("Genoa"))[0]

    with pytest.raises(SignatureError, match=r"^its issuer is 'SEV-Milan', not 'SEV-Genoa'$"):
        check_issued(KEY, genoa)


def test_an_issuer_has_to_have_a_key_that_can_be():
    other = MIDDLE._replace(key=KEY.key)
    even = MIDDLE._replace(key=RsaKey(MIDDLE.key.n, 4))
    negative = MIDDLE._replace(key=RsaKey(-MIDDLE.key.n, 65537))

    with pytest.raises(SignatureError, match=r"^'SEV-Milan' has no RSA key$"):
        check_issued(KEY, other)
    for row in (even, negative):
        with pytest.raises(SignatureError, match=r"^the RSA key of 'SEV-Milan' cannot be$"):
            check_issued(KEY, row)


@pytest.mark.parametrize(
    ("inner", "outer", "text"),
    [
        (pss(32), pss(32), "^the signature is not RSASSA-PSS with SHA-384 and 48 bytes of salt$"),
        (
            pss(digest=(1, 3, 14, 3, 2, 26)),
            pss(digest=(1, 3, 14, 3, 2, 26)),
            "^the signature is not",
        ),
        (pss(32), pss(), "^the signed part names another algorithm than the signature$"),
    ],
)
def test_the_algorithm_has_to_be_amds(inner, outer, text):
    row = load(vcek(inner=inner, outer=outer))[0]

    with pytest.raises(SignatureError, match=text):
        check_issued(row, MIDDLE)


def test_dates_are_checked_for_the_time_that_is_given():
    for at in (BEFORE, NOW, AFTER):
        check_dates(KEY, at)
    with pytest.raises(SignatureError, match=r"^it is not valid before 2024-06-01 00:00:00 UTC$"):
        check_dates(KEY, BEFORE - timedelta(seconds=1))
    with pytest.raises(SignatureError, match=r"^it is not valid after 2030-06-01 00:00:00 UTC$"):
        check_dates(KEY, AFTER + timedelta(seconds=1))


def test_a_revocation_list_is_the_roots_and_of_its_time():
    good = load_crl(revocations(rsa_key("ark"), serials=[7]))
    check_revoked(good, MIDDLE, ROOT, NOW)
    forged = load_crl(revocations(rsa_key("ask")))
    foreign = load_crl(revocations(rsa_key("ark"), issuer="ARK-Genoa"))
    revoked = load_crl(revocations(rsa_key("ark"), serials=[0x10001]))

    for crl, at, text in (
        (forged, NOW, "the list: the signature does not fit"),
        (foreign, NOW, "the list is of 'ARK-Genoa', not of the root"),
        (revoked, NOW, "serial 0x10001 is revoked"),
        (good, BEFORE - timedelta(days=1), "the list is of 2024-06-01, later than asked for"),
        (good, AFTER + timedelta(days=1), "the list was to be renewed on 2030-06-01"),
    ):
        with pytest.raises(SignatureError, match=f"^{text}$"):
            check_revoked(crl, MIDDLE, ROOT, at)


# Roots


def test_the_roots_of_amd_are_pinned_by_their_keys():
    assert sorted(AMD_ROOTS.values()) == [
        f"AMD's ARK-{name}" for name in ("Genoa", "Milan", "Turin")
    ]
    assert all(len(bytes.fromhex(digest)) == 32 for digest in AMD_ROOTS)
    assert pin(ROOT) not in AMD_ROOTS


def test_a_pin_is_of_the_key_whatever_else_the_certificate_says():
    other = rsa.generate_private_key(65537, 2048)
    again = load(ark(serial=99))[0]
    forged = load(certificate("ARK-Milan", "ARK-Milan", other, other))[0]

    assert pin(again) == pin(ROOT) != pin(forged)


@needed
@pytest.mark.parametrize("report", CHAINS)
def test_real_chains_end_at_a_pinned_root(report):
    rows = [row for file in certificate_files(report) for row in load(file)]

    key, middle, root, _ = arrange(rows, CertificateKind.VCEK)

    check_issued(key, middle)
    check_issued(middle, root)
    check_issued(root, root)
    assert AMD_ROOTS[pin(root)] == f"AMD's {root.subject_name}"
