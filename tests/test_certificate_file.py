"""Files of certificates as people have them: what can be read of each, and what cannot."""

import timeit
from base64 import b64encode

import authority
import pytest
from authority import ark, ask, rsa_key, vcek, vlek
from hypothesis import given
from hypothesis import strategies as st

from snpwire.crypto.certificate_file import certificate_file
from snpwire.crypto.x509 import X509, Crl
from snpwire.errors import CertificateError
from snpwire.wire.certs import build_table

CHAIN = (vcek(), ask(), ark())
LIST = authority.revocations(rsa_key("ark"), serials=[3])
KEY = b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


def pem(der, label="CERTIFICATE"):
    text = b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def documents(data):
    return [row.document for row in certificate_file(data).entries]


def refusal(data):
    with pytest.raises(CertificateError) as caught:
        certificate_file(data)
    return caught.value


class TestDer:
    def test_one_document_is_one_entry(self):
        found = certificate_file(CHAIN[0])

        assert found.text == "a certificate in DER"
        assert [(row.place, row.offset, row.size) for row in found.entries] == [
            ("", 0, len(CHAIN[0]))
        ]
        assert found.entries[0].document.der == CHAIN[0]
        assert found.rest == b""

    def test_documents_in_a_row_are_entries_with_their_offsets(self):
        found = certificate_file(CHAIN[0] + LIST + CHAIN[1])

        at = len(CHAIN[0])
        assert found.text == "3 documents in DER"
        assert [type(row.document) for row in found.entries] == [X509, Crl, X509]
        assert [row.place for row in found.entries[:2]] == ["DER at 0x0", f"DER at {at:#x}"]
        assert [row.offset for row in found.entries] == [0, at, at + len(LIST)]

    @pytest.mark.parametrize("rest", [bytes(40), b"0", b"\x30\x00", b"more", KEY])
    def test_bytes_behind_it_are_kept(self, rest):
        found = certificate_file(CHAIN[0] + rest)

        assert (found.rest, found.rest_offset) == (rest, len(CHAIN[0]))

    @pytest.mark.parametrize("size", [300, 700, -1])
    def test_a_document_that_is_cut_short_is_refused_with_both_sizes(self, size):
        data = CHAIN[0][:size]

        exc = refusal(data)

        announced = len(CHAIN[0]) - 4
        assert str(exc) == (
            f"the DER is cut short: {announced} bytes announced, {len(data) - 4} there at 0x0"
        )
        assert exc.offset == 0

    def test_the_last_of_several_may_be_cut_short(self):
        found = certificate_file(CHAIN[0] + CHAIN[1][:400])

        assert found.entries[0].document.der == CHAIN[0]
        assert "cut short" in found.entries[1].problem.reason


class TestPem:
    def test_each_block_is_an_entry_with_its_line(self):
        data = b"subject=TEST\n" + pem(CHAIN[0]) + pem(LIST, "X509 CRL")

        found = certificate_file(data)

        line = 2 + pem(CHAIN[0]).count(b"\n")
        assert found.text == "a PEM bundle of 1 certificate, 1 revocation list"
        places = [row.place for row in found.entries]
        assert places == ["PEM block in line 2", f"PEM block in line {line}"]
        assert data[found.entries[1].offset :].startswith(b"-----BEGIN X509 CRL-----")
        assert found.entries[1].document.revoked == {3}

    def test_other_blocks_are_passed_over_and_named_but_never_shown(self):
        found = certificate_file(KEY + pem(CHAIN[0]) + pem(b"\1", "DH PARAMETERS"))

        assert len(found.entries) == 1
        assert found.notes[0] == "a private key in line 1 is passed over"
        assert found.notes[1].startswith("a block of DH PARAMETERS in line ")
        assert "c2VjcmV0" not in repr(found)

    @pytest.mark.parametrize(
        ("broken", "reason"),
        [
            (pem(CHAIN[1])[:300], "has no end"),
            (pem(CHAIN[1]).replace(b"M", b"!", 1), "has more than base64 in it"),
            (pem(CHAIN[1][:100]), "the DER is cut short"),
            (pem(CHAIN[1] + b"\0"), "1 bytes too many"),
            (pem(LIST), "expected a validity"),
        ],
    )
    def test_a_block_that_cannot_be_read_does_not_hide_the_others(self, broken, reason):
        found = certificate_file(pem(CHAIN[0]) + broken)

        assert found.entries[0].document.der == CHAIN[0]
        assert found.entries[1].document is None
        assert reason in found.entries[1].problem.reason

    def test_where_none_can_be_read_the_first_problem_is_raised(self):
        assert str(refusal(pem(CHAIN[0])[:400])) == (
            "the PEM block that starts in line 1 has no end"
        )
        exc = refusal(b"\n" + pem(CHAIN[0][:100]))
        assert str(exc).startswith("PEM block in line 2: the DER is cut short: ")
        assert exc.offset == 0

    @pytest.mark.parametrize(
        ("data", "text"),
        [
            (KEY, "this is a private key in PEM, not a certificate"),
            (
                pem(b"\1", "CERTIFICATE REQUEST"),
                "this is a certificate request in PEM, not a certificate",
            ),
            (pem(b"\1", "PKCS7"), "this is a PKCS #7 container in PEM, not a certificate"),
            (b"", "there is no certificate: the input is empty"),
            (
                b"hello",
                "there is no certificate: neither DER, PEM nor a certificate table, 5 bytes",
            ),
        ],
    )
    def test_what_is_none_is_named(self, data, text):
        assert str(refusal(data)) == text

    def test_what_openssl_prints_is_named_with_what_to_give_instead(self):
        text = b"Certificate:\n Signature Algorithm: x\n Validity\n Subject Public Key Info:\n"

        exc = refusal(text)

        assert str(exc).startswith("this is a certificate as OpenSSL prints it: ")
        assert exc.help.startswith("openssl x509 ")

    def test_the_older_format_of_sev_is_named_with_where_x509_is(self):
        data = b"\1" + bytes(0x23) + b"\x13" + bytes(0x13) + b"\0\x10\0\0" * 2

        exc = refusal(data)

        assert "in the format of SEV before SNP" in str(exc)
        assert "cert_chain" in exc.help

    @pytest.mark.parametrize(
        "block",
        [
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            b"-----BEGIN CERTIFICATE-----\n",
            b"-----BEGIN A-----\n-----BEGIN CERTIFICATE-----\n",
        ],
    )
    def test_time_grows_as_the_number_of_blocks(self, block):
        def seconds(count):
            def run():
                with pytest.raises(CertificateError):
                    certificate_file(block * count)

            return min(timeit.repeat(run, number=1, repeat=3))

        assert seconds(80_000) < 60 * seconds(8_000) + 0.5


class TestTable:
    def test_each_entry_is_read(self):
        data = build_table([("VCEK", CHAIN[0]), ("ASK", pem(CHAIN[1])), ("CRL", LIST)])

        found = certificate_file(data)

        assert found.text == "a certificate table"
        places = ["entry 0, VCEK", "entry 1, ASK, PEM block in line 1", "entry 2, CRL"]
        assert [row.place for row in found.entries] == places
        assert [type(row.document) for row in found.entries] == [X509, X509, Crl]
        assert data[found.entries[0].offset :].startswith(CHAIN[0])
        assert data[found.entries[1].offset :].startswith(b"-----BEGIN")

    def test_entries_that_are_no_certificates_are_passed_over_or_unreadable(self):
        rows = [
            ("GOOGLE_EXTRA_PLATFORM_INFO", b"info"),
            ("VCEK", b"junk"),
            ("ASK", KEY),
            ("CRL", b"junk"),
            ("ARK", CHAIN[2]),
        ]

        found = certificate_file(build_table(rows))

        assert [row.document is None for row in found.entries] == [True, True, False]
        assert [note.partition(",")[0] for note in found.notes] == ["entry 0", "entry 2"]

    def test_an_entry_outside_of_the_table_is_unreadable(self):
        data = build_table([("VCEK", CHAIN[0]), ("ASK", CHAIN[1])])[:-1]

        found = certificate_file(data)

        assert found.entries[0].document.der == CHAIN[0]
        assert "outside the" in str(found.entries[1].problem)

    def test_a_table_with_nothing_that_can_be_read_is_refused(self):
        exc = refusal(build_table([("VCEK", b"junk")]))

        assert str(exc).startswith("entry 0, VCEK: ")

    def test_pem_among_other_bytes_is_read_as_a_verifier_reads_it(self):
        data = bytes(40) + pem(CHAIN[0]) + bytes(40) + KEY

        found = certificate_file(data)

        assert found.text == "PEM among other bytes"
        assert found.entries[0].document.der == CHAIN[0]
        assert (found.entries[0].offset, len(found.notes)) == (40, 1)
        assert "no certificate in it is whole" in str(refusal(bytes(40) + KEY))

    def test_pem_within_which_no_certificate_is_whole_is_refused(self):
        data = b"-----BEGIN A-----\n" + pem(CHAIN[0])

        assert str(refusal(data)) == (
            "this looks like a certificate in PEM, and no certificate in it is whole"
        )

    def test_a_table_without_certificates_is_refused(self):
        data = build_table([("GOOGLE_EXTRA_PLATFORM_INFO", b"info")])

        assert "this looks like a certificate table, and no certificate" in str(refusal(data))

    @pytest.mark.parametrize("data", [bytes(96), bytes(range(96))])
    def test_zeros_and_other_bytes_are_no_table(self, data):
        assert "neither DER, PEM nor a certificate table" in str(refusal(data))


# Properties


@given(st.lists(st.sampled_from([*CHAIN, vlek(), LIST]), min_size=1, max_size=5), st.booleans())
def test_every_document_comes_back_in_its_order(given, as_pem):
    labels = {LIST: "X509 CRL"}
    data = b"".join(pem(row, labels.get(row, "CERTIFICATE")) if as_pem else row for row in given)

    found = certificate_file(data)

    assert [row.size for row in found.entries] == [len(row) for row in given]
    assert [isinstance(row.document, Crl) for row in found.entries] == [
        row is LIST for row in given
    ]


@given(st.integers(0, 3), st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=4))))
def test_a_damaged_file_is_read_in_part_or_refused(which, patches):
    whole = [CHAIN[0], pem(CHAIN[0]) + pem(LIST, "X509 CRL"), LIST]
    whole.append(build_table([("VCEK", CHAIN[0]), ("ASK", CHAIN[1])]))
    data = bytearray(whole[which])
    for at, patch in patches:
        data[at : at + len(patch)] = patch

    try:
        found = certificate_file(bytes(data))
    except CertificateError as exc:
        assert str(exc)
    else:
        assert any(row.document for row in found.entries) or not found.entries
        assert all((row.document is None) == (row.problem is not None) for row in found.entries)
