import os
import pickle
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.errors import EncodeError
from snpwire.wire.certs import (
    MAX_ENTRIES,
    CertEntry,
    CertGuid,
    CertTable,
    CertTableHead,
    TioGuid,
    build_table,
    certificates,
)
from snpwire.wire.guid import MixedGuid, TextGuid
from snpwire.wire.svsm import ServiceGuid

VCEK = "63da758d-e664-4564-adc5-f4b93be8accd"
GUIDS = [TextGuid, MixedGuid, CertGuid, TioGuid, ServiceGuid]
every_guid = pytest.mark.parametrize("kind", GUIDS, ids=lambda kind: kind.__name__)


# GUIDs


@given(st.binary(min_size=16, max_size=16))
def test_uuid_reads_both_orders_the_same(data):
    assert TextGuid(data).text == str(uuid.UUID(bytes=data))
    assert MixedGuid(data).text == str(uuid.UUID(bytes_le=data))
    assert TextGuid.from_text(TextGuid(data).text) == data
    assert MixedGuid.from_text(MixedGuid(data).text) == data


@every_guid
@given(data=st.binary(min_size=16, max_size=16))
def test_a_guid_survives_its_plain_form(kind, data):
    value = kind(data)

    assert kind.from_plain(value.to_plain()) == value
    assert type(pickle.loads(pickle.dumps(value))) is kind


@every_guid
def test_every_name_stands_for_its_guid(kind):
    for name, text in kind.NAMES.items():
        value = kind.from_plain(name.lower().replace("_", "-"))
        assert value.text == text
        assert value.to_plain() == ("ASK" if name == "ASVK" else name)
        assert value == kind.from_plain(text.upper()) == kind.from_plain(name)


def test_certificates_have_text_order_and_services_mixed_order():
    assert CertGuid.from_plain("VCEK").hex() == "63da758de6644564adc5f4b93be8accd"
    assert ServiceGuid.from_plain("VTPM").hex() == "ebf176c42301a5459641b4e7dde5bfe3"
    assert TioGuid.from_plain("TIO_REPORT") == uuid.UUID(TioGuid.NAMES["TIO_REPORT"]).bytes_le


@pytest.mark.parametrize(
    "text", [VCEK, VCEK.upper(), "{" + VCEK + "}", VCEK.replace("-", ""), "vcek", "VCEK"]
)
def test_every_spelling_of_a_guid_is_read(text):
    assert CertGuid.from_plain(text) == bytes.fromhex("63da758de6644564adc5f4b93be8accd")


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ("", "^expected a GUID, got ''$"),
        ("VCEKK", r"^expected a GUID, got 'VCEKK'; did you mean VCEK\?$"),
        (VCEK[:-1], "^expected a GUID, got "),
        ("{" + VCEK, "^expected a GUID, got "),
        (VCEK + "}", "^expected a GUID, got "),
        (VCEK + "\n", "^expected a GUID, got "),
        (VCEK.replace("6", "\u0666"), "^expected a GUID, got "),
        ("\ud800", "^expected a GUID, got "),
        (None, "^expected a GUID or its name, got None$"),
        (5, "^expected a GUID or its name, got 5$"),
        ([VCEK], "^expected a GUID or its name, got "),
    ],
)
def test_what_is_no_guid_is_refused(plain, text):
    with pytest.raises(ValueError, match=text):
        CertGuid.from_plain(plain)


@every_guid
def test_a_guid_has_sixteen_bytes(kind):
    assert kind() == bytes(16)
    assert kind().text == "00000000-0000-0000-0000-000000000000"
    for size in (0, 15, 17):
        with pytest.raises(ValueError, match=f"^expected 16 bytes, got {size}$"):
            kind(bytes(size))
    with pytest.raises(AttributeError):
        kind().name = "x"


def test_a_guid_shows_its_name():
    assert repr(CertGuid.from_plain(VCEK)) == "CertGuid.from_plain('VCEK')"
    assert repr(TextGuid.from_plain(VCEK)) == f"TextGuid.from_plain('{VCEK}')"


# The table


def entry(name, offset, length):
    return CertEntry(guid=CertGuid.from_plain(name), offset=offset, length=length).build()


def test_a_table_is_entries_then_a_zero_entry_then_certificates():
    image = build_table([("VCEK", b"first"), ("ark", b"second")])

    assert (
        image.hex()
        == (
            "63da758de6644564adc5f4b93be8accd" + "48000000" + "05000000"
            "c0b406a4a803495297433fb6014cd0ae" + "4d000000" + "06000000" + "00" * 24
        )
        + (b"first" + b"second").hex()
    )
    table = CertTable.parse(image)
    assert [e.guid.to_plain() for e in table.elements] == ["VCEK", "ARK"]
    assert table.rest == bytes(24) + b"firstsecond"


def test_a_table_fills_whole_pages_if_asked():
    assert len(build_table([("VCEK", b"x")], pages=True)) == 0x1000
    assert len(build_table([("VCEK", bytes(0x1000 - 48))], pages=True)) == 0x1000
    assert len(build_table([("VCEK", bytes(0x1000 - 47))], pages=True)) == 0x2000


def test_no_certificates_are_one_zero_entry():
    assert build_table([]) == bytes(24)
    assert CertTable.parse(bytes(24)).elements == ()
    assert CertTable.parse(bytes(0x1000)).rest == bytes(0x1000)
    assert certificates(CertTable.parse(b"")) == []


@given(
    st.lists(
        st.tuples(st.sampled_from([n for n in CertGuid.NAMES if n != "ASVK"]), st.binary()),
        max_size=6,
    ),
    st.booleans(),
)
def test_what_was_laid_out_is_found_again(given_pairs, pages):
    found = certificates(CertTable.parse(build_table(given_pairs, pages=pages)))

    assert [(cert.name, cert.data) for cert in found] == given_pairs
    assert all(cert.problem == "" and cert.length == len(cert.data) for cert in found)


def test_the_entry_and_the_guid_of_a_certificate_are_kept():
    own = CertGuid(bytes(range(16)))

    (cert,) = certificates(CertTable.parse(build_table([(own, b"abc")])))

    assert cert.guid == own
    assert cert.name == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert (cert.offset, cert.length, cert.data) == (48, 3, b"abc")


@pytest.mark.parametrize(
    ("offset", "length", "data", "problem"),
    [
        (48, 4, b"data", ""),
        (52, 0, b"", ""),
        (47, 1, b"\0", "starts at 0x2f, inside the table, which ends at 0x30"),
        (0, 0, b"", "starts at 0x0, inside the table, which ends at 0x30"),
        (48, 5, b"data", "ends at 0x35, outside the 0x34 bytes there are"),
        (53, 0, b"", "ends at 0x35, outside the 0x34 bytes there are"),
        (0xFFFF_FFFF, 0xFFFF_FFFF, b"", "ends at 0x1fffffffe, outside the 0x34 bytes there are"),
    ],
)
def test_a_range_that_goes_astray_is_named(offset, length, data, problem):
    image = entry("VCEK", offset, length) + bytes(24) + b"data"

    (cert,) = certificates(CertTable.parse(image))

    assert (cert.data, cert.problem) == (data, problem)


def test_a_table_without_an_end_is_read_as_far_as_it_goes():
    table = CertTable.parse(entry("VCEK", 24, 2) + b"xy")

    assert len(table.elements) == 1
    assert certificates(table)[0].data == b"xy"
    assert certificates(table)[0].problem == ""


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table(image):
    table = CertTable.parse(image)

    assert table.build() == image
    assert len(certificates(table)) == len(table.elements)


def test_an_endless_table_stops_at_the_limit():
    table = CertTable.parse(b"\xff" * 24 * (MAX_ENTRIES + 10))

    assert len(table.elements) == MAX_ENTRIES
    assert len(certificates(CertTable.parse(build_table([("VCEK", b"")] * 682)))) == 682


# JSON


def test_json_builds_a_table_of_certificates():
    plain = {"certificates": [{"guid": "vcek", "data": "6162"}, {"guid": VCEK, "data": "0x"}]}

    value = CertTable.from_plain(plain)

    assert value.build() == build_table([("VCEK", b"ab"), ("VCEK", b"")])
    assert CertTable.from_plain(value.to_plain()) == value
    assert value.head == CertTableHead()


@pytest.mark.parametrize(
    ("plain", "path", "text"),
    [
        (None, "certificates", "expected a list, got None"),
        ([5], "certificates[0]", "expected an object of guid and data, got 5"),
        ([{"guid": "VCEK"}], "certificates[0]", "expected an object of guid and data, got {"),
        ([{"guid": "VCEX", "data": ""}], "certificates[0].guid", "expected a GUID, got 'VCEX'"),
        ([{"guid": "VCEK", "data": 5}], "certificates[0].data", "expected a string of hex digits"),
        ([{"guid": "VCEK", "data": ""}] * 683, "certificates", "there are at most 682, got 683"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_json_that_is_no_certificate_is_refused_with_its_place(plain, path, text):
    with pytest.raises(EncodeError) as caught:
        CertTable.from_plain({"certificates": plain})

    assert (caught.value.record, caught.value.path) == ("CertTable", path)
    assert caught.value.reason.startswith(text)


def test_both_forms_at_once_are_refused():
    with pytest.raises(EncodeError, match=r"^CertTable.certificates: no such field$"):
        CertTable.from_plain({"certificates": [], "rest": ""})


def test_a_name_that_is_no_guid_is_refused_when_a_table_is_built():
    with pytest.raises(EncodeError, match=r"^CertTable.certificates\[1\].guid: expected a GUID"):
        build_table([("VCEK", b""), ("VCEX", b"")])


def test_real_certificates_travel_in_a_table():
    folder = os.environ.get("SNPWIRE_VECTORS")
    if not folder:
        pytest.skip("SNPWIRE_VECTORS names no folder of real files")
    real = [path.read_bytes() for path in sorted(Path(folder, "reports").glob("*.der"))]
    sent = list(zip(("VCEK", "VLEK", "ASK", "ARK"), real, strict=False))

    table = CertTable.parse(build_table(sent, pages=True))

    assert real
    assert [(found.name, found.data) for found in certificates(table)] == sent
