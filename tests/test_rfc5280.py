"""What a certificate may do in its place, and what a revocation list has to be (RFC 5280)."""

from datetime import timedelta

import authority
import pytest
from authority import (
    AFTER,
    BEFORE,
    CA,
    CLASSIC,
    NOW,
    amd,
    ark,
    ask,
    certificate,
    ec_key,
    extension,
    integer,
    oid,
    report,
    revocations,
    rsa_key,
    tlv,
    vcek,
)

from snpwire.crypto.amd_oids import NAMES
from snpwire.crypto.certificates import load, load_crl
from snpwire.crypto.rfc5280 import check_authority, check_leaf, check_revoked, key_usage
from snpwire.crypto.verify import verify, verify_chain
from snpwire.errors import CertificateError, SignatureError

KEY, MIDDLE, ROOT = authority.chain()
ROOTS = authority.roots()
FOREIGN = (1, 3, 6, 1, 4, 1, 99999, 1)
NAME_CONSTRAINTS = tlv(0x30, tlv(0xA1, tlv(0x30, tlv(0xA4, tlv(0x30)))))


def usage(bits, unused=1, *, critical=True):
    return extension((2, 5, 29, 15), tlv(3, bytes((unused, bits))), critical=critical)


def ca(*parts):
    return extension((2, 5, 29, 19), tlv(0x30, tlv(1, b"\xff"), *parts), critical=True)


def purposes(*numbers, critical=True):
    value = tlv(0x30, *(oid(*number) for number in numbers))
    return extension((2, 5, 29, 37), value, critical=critical)


def one(data):
    return load(data)[0]


def failed(*made):
    """Return what fails of a chain, with its reason."""
    found = verify_chain(list(made), roots=ROOTS, at=NOW)

    assert found.verified is (not found.failed)
    return {row.name: row.reason for row in found.failed}


def refused(check, *arguments):
    with pytest.raises(SignatureError) as caught:
        check(*arguments)
    return str(caught.value)


# Authorities


@pytest.mark.parametrize(
    "extensions",
    [
        [CA],
        [ca(integer(0))],
        [ca(integer(7)), usage(0x06)],
        [
            ca(integer(0)),
            usage(0x04),
        ],  # as AMD's ASKs have it: no zero left out, and cRLSign lacking
        [CA, extension(FOREIGN, b"\5\0")],
        [CA, extension((2, 5, 29, 14), tlv(4, bytes(20)))],
        [CA, extension((2, 5, 29, 37), b"no matter")],
    ],
)
def test_an_authority_may_issue(extensions):
    assert failed(vcek(), ask(extensions=extensions), ark()) == {}


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        ([], "it may not issue certificates: its basic constraints name no CA"),
        (
            [extension((2, 5, 29, 19), tlv(0x30), critical=True)],
            "it may not issue certificates: its basic constraints name no CA",
        ),
        (
            [extension((2, 5, 29, 19), b"\5\0", critical=True)],
            "an extension cannot be read: expected basic constraints",
        ),
        ([CA, usage(0x02)], "its key usage lacks keyCertSign"),
        ([CA, usage(0x02, critical=False)], "its key usage lacks keyCertSign"),
        ([CA, usage(0x80, 7)], "its key usage lacks keyCertSign"),
        ([CA, usage(0x05)], "an extension cannot be read: a bit string cannot be read"),
        ([CA, extension((2, 5, 29, 15), tlv(3, b"\0"))], "its key usage lacks keyCertSign"),
        (
            [CA, extension(FOREIGN, b"\5\0", critical=True)],
            "its critical extension 1.3.6.1.4.1.99999.1 is not known",
        ),
        (
            [CA, extension((2, 5, 29, 30), NAME_CONSTRAINTS, critical=True)],
            "it has name constraints, which are not carried out",
        ),
        (
            [CA, extension((2, 5, 29, 30), NAME_CONSTRAINTS)],
            "it has name constraints, which are not carried out",
        ),
        (
            [CA, extension((2, 5, 29, 36), tlv(0x30), critical=True)],
            "its critical extension 2.5.29.36 is not known",
        ),
        (
            [CA, purposes((1, 3, 6, 1, 5, 5, 7, 3, 1))],
            "its critical extension 2.5.29.37 is not known",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["SEV-", "SEV-VLEK-"])
def test_an_authority_that_may_not_issue_is_refused(kind, extensions, reason):
    leaf = authority.vlek() if "VLEK" in kind else vcek()
    name = "asvk-usage" if "VLEK" in kind else "ask-usage"

    found = failed(leaf, ask(kind=kind, extensions=extensions), ark())

    assert list(found) == [name]
    assert found[name].startswith(reason)


def test_a_root_is_held_to_the_same():
    assert list(failed(vcek(), ask(), ark(extensions=[]))) == ["ark-usage"]
    assert failed(vcek(), ask(), ark(extensions=[ca(integer(1))])) == {}
    assert failed(vcek(), ask(), ark(extensions=[ca(integer(0))])) == {
        "ark-usage": "its path length is 0, and 1 CA is below it"
    }


@pytest.mark.parametrize("version", [1, 2])
def test_extensions_need_version_3(version):
    reason = f"it is of version {version} and has extensions: they need version 3"

    assert failed(vcek(version=version), ask(), ark()) == {"vcek-usage": reason}
    assert failed(vcek(), ask(version=version), ark()) == {"ask-usage": reason}
    assert failed(vcek(), ask(version=version, extensions=[]), ark()) == {
        "ask-usage": f"it is of version {version}, and no CA: that needs 3"
    }


# The key that signs reports


@pytest.mark.parametrize(
    "more",
    [
        usage(0x80, 7),
        usage(0xC0, 6),
        extension(FOREIGN, b"\5\0"),
        purposes((2, 5, 29, 37, 0)),
        extension((2, 5, 29, 19), tlv(0x30), critical=True),
    ],
)
def test_a_key_may_sign_reports(more):
    found = verify(report(), [vcek(extensions=[*amd(CLASSIC), more]), ask(), ark()], roots=ROOTS)

    assert found.verified


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (usage(0x06), "its key usage lacks digitalSignature"),
        (usage(0x40, 6, critical=False), "its key usage lacks digitalSignature"),
        (
            extension(FOREIGN, b"\5\0", critical=True),
            "its critical extension 1.3.6.1.4.1.99999.1 is not known",
        ),
        (
            purposes((1, 3, 6, 1, 5, 5, 7, 3, 1)),
            "its extended key usage is another: '1.3.6.1.5.5.7.3.1'",
        ),
        (
            purposes((1, 3, 6, 1, 5, 5, 7, 3, 2), critical=False),
            "its extended key usage is another: '1.3.6.1.5.5.7.3.2'",
        ),
        (extension((2, 5, 29, 37), tlv(0x30)), "an extension cannot be read: purposes has 0 parts"),
        (extension((2, 5, 29, 19), b"\5\0"), "an extension cannot be read: expected basic"),
        (
            extension((2, 5, 29, 30), NAME_CONSTRAINTS, critical=True),
            "its critical extension 2.5.29.30 is not known",
        ),
    ],
)
def test_a_key_that_is_for_something_else_is_refused(more, reason):
    made = [vcek(extensions=[*amd(CLASSIC), more]), ask(), ark()]

    found = failed(*made)

    assert list(found) == ["vcek-usage"]
    assert found["vcek-usage"].startswith(reason)
    assert [row.name for row in verify(report(), made, roots=ROOTS, at=NOW).failed] == [
        "vcek-usage"
    ]


def test_amds_own_extensions_may_be_critical():
    own = [extension((*authority.AMD, 1), integer(0), critical=True), *amd(CLASSIC)[1:]]

    check_leaf(one(vcek(extensions=own)), NAMES)
    assert refused(check_leaf, one(vcek(extensions=own)), ()).startswith("its critical extension")


def test_a_leaf_given_as_root_is_no_root():
    found = verify(report(), [vcek(), ask(), ark()], roots=[vcek()], at=NOW)

    assert [row.name for row in found.failed] == ["root"]


def test_a_leaf_that_signs_certificates_is_no_authority():
    """The VCEK's own key as an ASK of the right name: not even an RSA key."""
    false_ask = certificate(
        "SEV-Milan", "ARK-Milan", ec_key("vcek"), rsa_key("ark"), extensions=[CA]
    )

    assert "vcek-signature" in failed(vcek(), false_ask, ark())


def test_dates_that_end_before_they_begin_hold_never():
    backwards = vcek(since=AFTER, until=BEFORE)

    for at in (BEFORE - timedelta(days=1), BEFORE, NOW, AFTER, AFTER + timedelta(days=1)):
        found = verify_chain([backwards, ask(), ark()], roots=ROOTS, at=at)
        assert "vcek-dates" in {row.name for row in found.failed}


# Lists


def listed(**changes):
    return load_crl(revocations(rsa_key("ark"), **changes))


def held(crl, root=ROOT, at=NOW):
    check_revoked(crl, MIDDLE, root, at)


def test_a_list_that_is_whole_and_fresh_holds():
    held(listed(serials=[7, 0x10101]))
    held(listed(extra=[extension((2, 5, 29, 20), integer(5))]))
    held(listed(serials=[7], entry_extra=[extension((2, 5, 29, 21), tlv(10, b"\1"))]))
    held(listed(version=1))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"until": None}, "the list does not say when the next one is due: no nextUpdate"),
        ({"until": BEFORE}, "the list was to be renewed on 2024-06-01"),
        ({"issuer": "ARK-Genoa"}, "the list is of 'ARK-Genoa', not of the root"),
        ({"serials": [0x10001]}, "serial 0x10001 is revoked"),
        ({"serials": [5, 0x10000]}, "serial 0x10000 is revoked"),
        (
            {"extra": [extension((2, 5, 29, 27), integer(1), critical=True)]},
            "the list has only what changed since another: a delta",
        ),
        (
            {"extra": [extension((2, 5, 29, 27), integer(1))]},
            "the list has only what changed since another: a delta",
        ),
        (
            {"extra": [extension((2, 5, 29, 28), tlv(0x30, tlv(0x81, b"\xff")), critical=True)]},
            "the list may be about some certificates alone: it says which",
        ),
        (
            {"extra": [extension((2, 5, 29, 28), tlv(0x30))]},
            "the list may be about some certificates alone: it says which",
        ),
        (
            {"extra": [extension(FOREIGN, b"\5\0", critical=True)]},
            "the list's critical extension 1.3.6.1.4.1.99999.1 is not known",
        ),
        (
            {"serials": [9], "entry_extra": [extension(FOREIGN, b"\5\0", critical=True)]},
            "the list's critical extension 1.3.6.1.4.1.99999.1 is not known",
        ),
        (
            {"version": 1, "extra": [extension((2, 5, 29, 20), integer(5))]},
            "the list is of version 1 and has extensions",
        ),
    ],
)
def test_a_list_that_says_too_little_is_refused(changes, reason):
    made = listed(**changes)

    assert refused(held, made) == reason
    found = verify_chain([KEY, MIDDLE, ROOT], roots=ROOTS, crl=made, at=NOW)
    assert [(row.name, row.reason) for row in found.failed] == [("crl", reason)]


def test_a_list_is_signed_by_the_root_which_may_sign_lists():
    may, may_not = (one(ark(extensions=[CA, usage(bits)])) for bits in (0x06, 0x04))

    held(listed(), may)
    assert refused(held, listed(), may_not) == (
        "the list's issuer may not sign lists: its key usage lacks cRLSign"
    )
    forged = load_crl(revocations(rsa_key("ask")))
    assert refused(held, forged) == "the list: the signature does not fit"
    odd = one(ark(extensions=[CA, usage(0x05)]))
    assert refused(held, listed(), odd).startswith("the list: a bit string cannot be read")


def test_a_list_of_the_future_is_refused():
    assert refused(held, listed(), ROOT, BEFORE - timedelta(days=1)) == (
        "the list is of 2024-06-01, later than asked for"
    )


def test_critical_in_one_entry_is_critical():
    """Two entries have the same extension, and only the second calls it critical."""
    rows = [
        tlv(
            0x30,
            integer(serial),
            authority.moment(BEFORE),
            tlv(0x30, extension(FOREIGN, b"\5\0", critical=critical)),
        )
        for serial, critical in ((7, False), (9, True))
    ]

    for order in (rows, rows[::-1]):
        assert refused(held, listed(entries=order)).endswith("is not known")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"tail": tlv(0xA1)}, "a revocation list has more parts than it may have"),
        ({"tail": tlv(0xA0)}, "extensions are not one sequence"),
        ({"entries": [tlv(0x30, integer(1))]}, "a revoked certificate has 1 parts, not 2 to 3"),
        ({"entries": [tlv(0x30, integer(1), integer(1))]}, "a time cannot be read"),
        (
            {"extra": [extension(FOREIGN, b""), extension(FOREIGN, b"")]},
            "extension 1.3.6.1.4.1.99999.1 occurs twice",
        ),
    ],
)
def test_a_list_of_another_shape_is_no_list(more, text):
    with pytest.raises(CertificateError, match=f"^{text}"):
        listed(**more)


def test_no_key_usage_allows_all():
    assert key_usage(ROOT) is None
    assert key_usage(one(ark(extensions=[usage(0x06)]))) == {5, 6}
    check_authority(ROOT, 1)
