"""The rules of the GHCB MSR, of certificate tables, and of the smaller structures."""

from importlib import import_module
from pkgutil import iter_modules

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import BLOCKS, RECORDS, image_of

from snpwire import rules
from snpwire.context import BARE, Context, Decision, Direction
from snpwire.errors import UsageError
from snpwire.finding import Finding, Severity, bit_list
from snpwire.product import decide, entry_layout
from snpwire.rules import findings
from snpwire.rules import record as rules_record
from snpwire.wire.apic import ApicIdHeader, ApicIdList
from snpwire.wire.boot import CC_BLOB_MAGIC, CcBlob
from snpwire.wire.certs import CertEntry, CertGuid, CertTable, TioBlobEntry, TioGuid, build_table
from snpwire.wire.doorbell import DoorbellPage, ExtIntInfo
from snpwire.wire.exits import EVENTS
from snpwire.wire.guid import MixedGuid, TextGuid
from snpwire.wire.msr import Msr
from snpwire.wire.report import Report
from snpwire.wire.svsm import (
    AttestServices,
    AttestSingleService,
    Caa,
    PvalidateEntry,
    PvalidateHeader,
    PvalidateRequest,
    ServiceGuid,
    ServicesManifest,
    ServicesManifestEntry,
    ServicesManifestHeader,
    VtpmRequest,
    VtpmResponse,
)
from snpwire.wire.tcb import PRODUCTS

NOTE, WARNING, ERROR = Severity
REQUEST = Context(Direction.REQUEST, None)
RESPONSE = Context(Direction.RESPONSE, None)
ALL_ONES = ((1 << 52) - 1) << 12


def of(code: str, value: object, context: Context = BARE) -> list[Finding]:
    return [finding for finding in findings(value, context) if finding.code == code]


def the(code: str, value: object, context: Context = BARE) -> Finding:
    (finding,) = of(code, value, context)
    return finding


def shape(finding: Finding) -> tuple[Severity, str, int]:
    return finding.severity, finding.path, finding.offset


CHAPTERS = {kind.__module__.rpartition(".")[2] for kind in RECORDS + BLOCKS}
MODULES = {m.name: import_module(f"snpwire.rules.{m.name}") for m in iter_modules(rules.__path__)}


def test_a_chapter_has_rules_for_classes_of_its_own():
    for name in CHAPTERS & MODULES.keys():
        assert {kind.__module__ for kind in MODULES[name].RULES} == {f"snpwire.wire.{name}"}


def contexts(kind: type) -> st.SearchStrategy[Context]:
    """Any of the facts that a context has room for, whether they suit *kind* or not."""
    paths = [leaf.path for leaf in kind.parse(bytes(kind.SIZE)).leaves()]
    return st.builds(
        Context,
        direction=st.sampled_from([None, *Direction]),
        event=st.sampled_from([None, *EVENTS]),
        decisions=st.sampled_from([(), (Decision("direction", "request", "as asked for"),)]),
        gpa=st.sampled_from([None, 0, 0x1FF4, 0x1FF8]),
        absent=st.frozensets(st.sampled_from(paths), max_size=3) if paths else st.just(frozenset()),
        product=st.sampled_from([None, *(decide(Report(), product=p.name) for p in PRODUCTS)]),
        entry_layout=st.sampled_from([None, entry_layout("genoa"), entry_layout("turin")]),
    )


@given(st.data(), st.sampled_from(RECORDS + BLOCKS))
def test_no_bytes_of_any_kind_break_the_rules_themselves(data, kind):
    image = data.draw(image_of(kind))
    context = data.draw(contexts(kind))

    for finding in findings(kind.parse(image), context):
        assert finding.code
        assert finding.text
        assert finding.source
        assert 0 <= finding.offset <= len(image)
        assert finding.reason in range(7)


@pytest.mark.parametrize("context", [None, Direction.REQUEST, entry_layout("genoa")])
def test_what_is_known_is_a_context_and_nothing_else(context):
    with pytest.raises(UsageError, match="is no Context"):
        findings(Msr(value=0), context)


# What fits every record


@pytest.mark.parametrize(
    ("mask", "text"),
    [(1, "bit 0"), (3, "bits 1:0"), (0b1101, "bits 3:2, 0"), (1 << 63 | 1, "bits 63, 0")],
)
def test_bits_are_listed_as_in_the_manuals(mask, text):
    assert bit_list(mask) == text


def test_a_code_without_a_name_is_a_warning():
    from snpwire.wire.ghcb import Page

    finding = next(rules_record.unknown(Page(ghcb_usage=5)))

    assert shape(finding) == (WARNING, "ghcb_usage", 0xFFC)
    assert finding.text == "0x5 is a number that no source names"


def test_a_code_within_a_word_is_a_warning():
    from snpwire.wire.psc import PscBuffer, PscEntry

    (finding,) = rules_record.unknown(PscBuffer(None, (PscEntry(5 << 52),)))

    assert shape(finding) == (WARNING, "entries[0].operation", 8)
    assert (
        list(rules_record.unknown_except(PscBuffer(None, (PscEntry(5 << 52),)), ["operation"]))
        == []
    )


def test_a_gap_that_is_not_known_is_not_judged():
    page = DoorbellPage(reserved_0x004=b"\1" + bytes(59))
    context = REQUEST._replace(absent=frozenset({"reserved_0x004"}))

    assert the("reserved-not-zero", page).offset == 4
    assert findings(page, context) == []


# The GHCB MSR


@pytest.mark.parametrize(
    "value",
    [
        0x1_2345_6000,
        0x0002_0001_3300_0001,
        0x002,
        0x8000_001F_4000_0004,
        0x1234_5678_4000_0005,
        0x006,
        0x1007,
        0x010,
        0x1234_5011,
        0x1234_5012,
        0x1234_5013,
        0x0010_0000_1234_5014,
        0x0020_0000_1234_5014,
        0x015,
        0x1_0000_0016,
        0x017,
        0x018,
        0x1234_5019,
        0x080,
        0x3081,
        0x1_1100,
        0x100,
    ],
)
def test_a_correct_message_raises_nothing(value):
    assert findings(Msr(value=value)) == []


@pytest.mark.parametrize(
    ("value", "code", "severity", "text"),
    [
        (0x000, "msr-no-page", ERROR, "the GHCB is at 0: KVM takes it for no page and resumes"),
        (0x003, "msr-reserved", WARNING, "message 0x003 is reserved; OpenVMM names it AP jump"),
        (0x008, "msr-unknown", ERROR, "message 0x008 is none that is known: KVM leaves the MSR"),
        (0xF01, "msr-vendor", NOTE, "message 0xf01 is Hyper-V's own"),
        (
            0x1002,
            "unknown-bits",
            WARNING,
            "bit 12 of 0x0000000000001002 should be zero in SEV_INFO_REQ",
        ),
        (0x0001_0002_3300_0001, "msr-versions", ERROR, "min_version is 2, max_version is 1: no"),
        (0x0004_0003_3300_0001, "msr-versions", ERROR, "versions 3 to 4 are offered, there are 1"),
        (0x0000_0000_3300_0001, "msr-versions", ERROR, "versions 0 to 0 are offered"),
        (0x0002_0001_0500_0001, "msr-encryption-bit", WARNING, "c_bit is 5, an encryption bit"),
        (ALL_ONES | 0x011, "msr-no-preference", NOTE, "all ones: the hypervisor has no preference"),
        (ALL_ONES | 0x013, "msr-refused", NOTE, "all ones: not the frame that was asked for"),
        (ALL_ONES | 0x019, "msr-refused", NOTE, "all ones: it failed, as OpenVMM has it"),
        (0x019, "msr-refused", NOTE, "0: no page was registered, as OpenVMM has it"),
        (0x014, "psc-operation", ERROR, "operation is 0, over the MSR there are 1 and 2"),
        (
            0x0030_0000_0000_1014,
            "psc-operation",
            ERROR,
            "operation is 3 (PSMASH, which the page protocol has), over the MSR",
        ),
        (0x0110_0000_0000_1014, "msr-large-page", WARNING, "bit 56 is set: OpenVMM takes it"),
        (0x8010_0000_0000_1014, "unknown-bits", WARNING, "bit 63 of 0x8010000000001014 should"),
        (0x8000_0000_0000_0015, "msr-failed", NOTE, "error_code is 0x80000000: the request failed"),
        (0x1_0000_0017, "msr-failed", NOTE, "error_code is 0x1: the request failed"),
        (0x4_0000_0016, "run-vmpl", WARNING, "vmpl is 4, a VMPL is 0 to 3"),
        (0x2081, "feature-dependency", WARNING, "snp_ap_creation is set without snp, which it"),
        (0x0100_1081, "unknown-bits", WARNING, "feature bit 12 (12 higher in the MSR) has no name"),
        (0x3100, "termination-set", NOTE, "reason set 3 is none that is known: 0, 1 and 15 are"),
        (0xFF_1100, "termination-reason", NOTE, "reason 255 is none of the codes of set 1 (the L"),
    ],
)
def test_a_message_with_something_wrong_says_what(value, code, severity, text):
    finding = the(code, Msr(value=value))

    assert shape(finding) == (severity, "value", 0)
    assert finding.text.startswith(text)
    assert finding.reason == 0


def test_a_large_page_of_openvmm_is_not_reported_twice():
    assert [f.code for f in findings(Msr(value=0x0110_0000_0000_1014))] == ["msr-large-page"]


def test_a_message_that_goes_the_wrong_way_is_a_warning():
    asked, answered = Msr(value=0x002), Msr(value=0x0002_0001_3300_0001)

    assert findings(asked, REQUEST) == findings(answered, RESPONSE) == []
    assert the("msr-direction", answered, REQUEST).text == (
        "SEV_INFO_RESP is a response, a guest does not write it"
    )
    assert the("msr-direction", asked, RESPONSE).text == (
        "SEV_INFO_REQ is a request: the hypervisor left the MSR as it was"
    )


# Certificates


def table(*certificates: tuple[str, bytes]) -> CertTable:
    return CertTable.parse(build_table(certificates, pages=True))


def entries(*rows: tuple[bytes, int, int], rest: bytes = bytes(24)) -> CertTable:
    made = tuple(CertEntry(guid=CertGuid(guid), offset=at, length=n) for guid, at, n in rows)
    return CertTable(None, made, rest)


VCEK = CertGuid.from_plain("VCEK")
ASK = CertGuid.from_plain("ASK")


def test_a_correct_table_raises_nothing():
    assert findings(table(("VCEK", b"v" * 900), ("ASK", b"a" * 1500), ("ARK", b"r" * 1500))) == []


def test_an_empty_table_says_that_there_are_no_certificates():
    finding = the("certs-empty", table())

    assert shape(finding) == (NOTE, "rest", 0)


def test_a_table_ends_with_zeros():
    finding = the("certs-no-end", entries((VCEK, 48, 4), rest=b"\0" * 7))

    assert shape(finding) == (ERROR, "rest", 24)
    assert finding.text == (
        "no entry of 24 zero bytes ends the table: behind entry 0 7 bytes follow"
    )


def test_a_table_of_more_entries_than_any_buffer_holds_has_no_end():
    value = CertTable.parse((bytes(VCEK) + b"\1" * 8) * 700)

    assert "behind entry 681 another entry follows" in the("certs-no-end", value).text


def test_a_table_that_holds_no_entry_at_all_has_no_end():
    finding = the("certs-no-end", CertTable.parse(bytes(7)))

    assert finding.text == "the table has 7 bytes, less than the entry of zeros that ends it"


def test_linux_has_room_for_four_pages():
    assert of("certs-size", table(("VCEK", b"v" * (0x4000 - 48)))) == []

    finding = the("certs-size", table(("VCEK", b"v" * 0x4000)))

    assert shape(finding) == (WARNING, "entries", 0)
    assert finding.text == "table and certificates have 0x5000 bytes, Linux has room for 0x4000"


def test_an_entry_without_a_guid_ends_the_table_for_linux():
    finding = the("certs-zero-guid", entries((bytes(16), 48, 0)))

    assert shape(finding) == (WARNING, "entries[0].guid", 0)


def test_a_known_guid_in_the_other_byte_order_is_recognised():
    swapped = bytes(MixedGuid.from_text(VCEK.text))
    finding = the("certs-swapped-guid", entries((swapped, 48, 0)))

    assert shape(finding) == (WARNING, "entries[0].guid", 0)
    assert finding.text == (
        "8d75da63-64e6-6445-adc5-f4b93be8accd is the GUID of VCEK in mixed byte order,"
        " here it is text order"
    )


def test_an_unknown_guid_is_a_note():
    finding = the("certs-unknown-guid", entries((b"\7" * 16, 48, 0)))

    assert shape(finding) == (NOTE, "entries[0].guid", 0)
    assert finding.text == "07070707-0707-0707-0707-070707070707 is no GUID that is known"


def test_a_guid_that_comes_twice_is_a_warning():
    finding = the("certs-repeated-guid", table(("VCEK", b"1"), ("ASK", b"2"), ("VCEK", b"3")))

    assert shape(finding) == (WARNING, "entries[2].guid", 48)
    assert finding.text == "entry 2 repeats the GUID of entry 0, VCEK"


def test_an_entry_points_behind_the_table():
    finding = the("certs-range", entries((VCEK, 40, 4), rest=bytes(64)))

    assert shape(finding) == (ERROR, "entries[0].offset", 0x10)
    assert finding.text == "VCEK starts at 0x28, inside the table, which ends at 0x30"


def test_an_entry_points_at_bytes_that_are_there():
    finding = the("certs-range", entries((VCEK, 48, 41), rest=bytes(64)))

    assert shape(finding) == (ERROR, "entries[0].length", 0x14)
    assert finding.text == "VCEK ends at 0x59, outside the 0x58 bytes there are"


def test_an_entry_of_no_length_is_a_warning():
    finding = the("certs-nothing", entries((VCEK, 48, 0)))

    assert shape(finding) == (WARNING, "entries[0].length", 0x14)


def test_entries_do_not_share_bytes():
    finding = the("certs-overlap", entries((VCEK, 80, 8), (ASK, 72, 9), rest=bytes(64)))

    assert shape(finding) == (WARNING, "entries[0].offset", 0x10)
    assert finding.text == "entry 0 starts at 0x50, entry 1 ends at 0x51"


def test_an_entry_within_a_longer_one_hides_no_later_overlap():
    value = entries(
        (VCEK, 96, 20), (ASK, 100, 2), (CertGuid.from_plain("ARK"), 110, 2), rest=bytes(64)
    )

    assert [f.path for f in of("certs-overlap", value)] == [
        "entries[1].offset",
        "entries[2].offset",
    ]


def test_a_blob_of_sev_tio_is_a_draft():
    assert [f.code for f in findings(TioBlobEntry(guid=TioGuid.from_plain("TIO_REPORT")))] == [
        "draft"
    ]


# Doorbell, APIC ids, boot


def test_a_doorbell_page_with_an_interrupt_raises_nothing():
    assert findings(DoorbellPage(vector=0x31, flags=0x81, no_eoi_required=1)) == []


def test_vectors_below_32_are_exceptions():
    finding = the("doorbell-vector", DoorbellPage(vector=14))

    assert shape(finding) == (WARNING, "vector", 0)
    assert finding.text == "vector is 14, interrupts have vectors from 32"


def test_doorbell_flags_without_a_name_are_a_warning():
    assert shape(the("unknown-bits", DoorbellPage(flags=0x4))) == (WARNING, "flags", 1)


def test_what_coconut_s_draft_adds_to_a_doorbell_page_is_a_note():
    page = DoorbellPage(per_vmpl_events=2, vmpl2_info=ExtIntInfo(status=0x40))
    found = of("doorbell-draft", page)

    assert [shape(f) for f in found] == [(NOTE, "per_vmpl_events", 3), (NOTE, "vmpl2_info", 0x80)]


def test_a_descriptor_has_vectors_of_interrupts():
    assert findings(ExtIntInfo(status=0x40)) == []
    assert shape(the("doorbell-vector", ExtIntInfo(status=3))) == (WARNING, "status", 0)
    assert of("unknown-bits", ExtIntInfo(status=1 << 13))


def apic(*ids: int, count: int | None = None, rest: bytes = b"") -> ApicIdList:
    return ApicIdList(ApicIdHeader(num_entries=len(ids) if count is None else count), ids, rest)


def test_apic_ids_differ():
    assert findings(apic(0, 1, 2, rest=bytes(8))) == []

    finding = the("apic-ids-repeated", apic(0, 1, 0))

    assert shape(finding) == (WARNING, "apic_ids[2]", 12)
    assert finding.text == "APIC id 0x0 is that of apic_ids[0] as well"


def test_a_list_that_was_cut_off_says_so():
    finding = the("cut-short", apic(0, 1, count=4))

    assert shape(finding) == (WARNING, "num_entries", 0)
    assert finding.text == "num_entries announces 4 elements, the bytes hold 2 of them"


def test_a_guest_has_a_processor():
    assert the("apic-ids-none", apic()).severity == WARNING


def blob(**fields: object) -> CcBlob:
    good = {
        "magic": CC_BLOB_MAGIC,
        "secrets_phys": 0x80_D000,
        "secrets_len": 0x1000,
        "cpuid_phys": 0x80_E000,
        "cpuid_len": 0x1000,
    }
    return CcBlob(**(good | fields))


def test_a_correct_blob_raises_nothing():
    assert findings(blob()) == []


def test_a_blob_has_its_magic():
    finding = the("cc-blob-magic", blob(magic=0x414D4445))

    assert shape(finding) == (ERROR, "magic", 0)
    assert finding.text == "magic is 0x414d4445, it has to be 0x45444d41"


@pytest.mark.parametrize(
    ("field", "value", "severity", "offset"),
    [("secrets_phys", 0, ERROR, 0x08), ("cpuid_phys", 0x10, WARNING, 0x18)],
)
def test_a_blob_names_two_pages(field, value, severity, offset):
    finding = the("cc-blob-page", blob(**{field: value}))

    assert shape(finding) == (severity, field, offset)
    assert finding.text == f"{field} is {value:#x}, no page starts there"


def test_a_blob_has_the_lengths_that_linux_wants():
    secrets = the("cc-blob-length", blob(secrets_len=0x2000))
    cpuid = the("cc-blob-length", blob(cpuid_len=0xFFF))

    assert shape(secrets) == (ERROR, "secrets_len", 0x10)
    assert secrets.text == "secrets_len is 0x2000, it has to be 0x1000"
    assert shape(cpuid) == (ERROR, "cpuid_len", 0x20)
    assert cpuid.text == "cpuid_len is 0xfff, it has to be 0x1000 at least"
    assert findings(blob(cpuid_len=0x2000)) == []


# SVSM


def test_a_calling_area_has_flags():
    assert findings(Caa(call_pending=1, mem_available=1)) == []

    first, second = of("caa-flag", Caa(call_pending=2, mem_available=3))

    assert shape(first) == (WARNING, "call_pending", 0)
    assert shape(second) == (WARNING, "mem_available", 1)
    assert the("caa-eoi", Caa(no_eoi_required=1)).severity == NOTE


def pvalidate(*rows: int, count: int | None = None, done: int = 0) -> PvalidateRequest:
    number = len(rows) if count is None else count
    return PvalidateRequest(
        PvalidateHeader(entries=number, next=done), tuple(map(PvalidateEntry, rows))
    )


def test_a_correct_pvalidate_request_raises_nothing():
    assert findings(pvalidate(0x1234_5004, 0x4000_0005, done=1)) == []


def test_there_are_at_most_510_entries_to_pvalidate():
    finding = the("pvalidate-count", pvalidate(4, count=511))

    assert shape(finding) == (ERROR, "entries", 0)
    assert finding.text == "entries is 511, there are at most 510"
    assert of("cut-short", pvalidate(4, count=511)) == []


def test_nothing_to_pvalidate_is_a_warning():
    assert the("pvalidate-count", pvalidate()).severity == WARNING


def test_a_pvalidate_request_that_was_cut_off_says_so():
    finding = the("cut-short", pvalidate(0x1004, count=3))

    assert finding.text == "entries is 3, the bytes hold 1 of them"


def test_the_next_entry_is_one_of_them_or_behind_the_last():
    assert of("pvalidate-next", pvalidate(0x1004, done=1)) == []

    finding = the("pvalidate-next", pvalidate(0x1004, done=2))

    assert shape(finding) == (ERROR, "next", 2)


def test_a_pvalidate_request_stays_in_its_page_where_its_address_is_known():
    value = pvalidate(0x1004)

    assert of("pvalidate-place", value) == []
    assert of("pvalidate-place", value, REQUEST) == []
    assert of("pvalidate-place", value, REQUEST._replace(gpa=0x1FF0)) == []
    assert "it leaves its page" in the("pvalidate-place", value, REQUEST._replace(gpa=0x1FF8)).text
    assert "starts on 8 bytes" in the("pvalidate-place", value, REQUEST._replace(gpa=0x1004)).text


@pytest.mark.parametrize(
    ("entry", "code", "text"),
    [
        (0x1006, "pvalidate-size", "page_size is 2, there are 0 (4 KiB) and 1 (2 MiB)"),
        (0x1005, "pvalidate-unaligned", "pfn is 0x1, a 2 MiB page starts at a multiple of 512"),
        (0x1014, "unknown-bits", "bit 4 of 0x1014 should be zero: nothing gives a meaning"),
    ],
)
def test_an_entry_to_pvalidate_is_a_page(entry, code, text):
    finding = the(code, pvalidate(0x2004, entry))

    assert finding.path == "list[1]"
    assert finding.offset == 16
    assert finding.text == text


def test_a_nonce_has_64_bytes():
    assert findings(AttestServices(nonce_size=64)) == []

    finding = the("attest-nonce", AttestServices(nonce_size=32))

    assert shape(finding) == (ERROR, "nonce_size", 0x18)
    assert finding.text == "nonce_size is 32, it has to be 64"


def single(guid: bytes, nonce: int = 64) -> AttestSingleService:
    services = AttestServices(nonce_size=nonce)
    return AttestSingleService(services=services, service_guid=ServiceGuid(guid))


VTPM = ServiceGuid.from_plain("VTPM")


def test_one_service_is_named_by_its_guid():
    assert findings(single(VTPM)) == []
    assert shape(the("attest-nonce", single(VTPM, 63)))[1:] == ("services.nonce_size", 0x18)
    assert shape(the("service-unknown", single(b"\7" * 16))) == (NOTE, "service_guid", 0x40)


def test_a_service_s_guid_in_the_other_byte_order_is_recognised():
    finding = the("service-swapped-guid", single(bytes(TextGuid.from_text(VTPM.text))))

    assert shape(finding) == (WARNING, "service_guid", 0x40)
    assert "is the GUID of VTPM in text order" in finding.text


def manifest(total: int = 52, at: int = 48, length: int = 4, guid: str = "MANIFEST") -> object:
    head = ServicesManifestHeader(
        guid=ServiceGuid.from_plain(guid), total_size=total, num_services=1
    )
    row = ServicesManifestEntry(guid=VTPM, offset=at, length=length)
    return ServicesManifest(head, (row,), b"data")


def test_a_correct_manifest_raises_nothing():
    assert findings(manifest()) == []


def test_a_manifest_has_its_guid():
    assert shape(the("manifest-guid", manifest(guid="VTPM"))) == (ERROR, "guid", 0)


def test_a_manifest_is_as_long_as_it_says():
    assert shape(the("manifest-size", manifest(total=53))) == (ERROR, "total_size", 0x10)
    assert the("manifest-size", manifest(total=51)).severity == NOTE


@pytest.mark.parametrize(("at", "length"), [(47, 1), (48, 5)])
def test_a_service_lies_behind_the_table_and_inside_the_manifest(at, length):
    finding = the("manifest-range", manifest(at=at, length=length))

    assert shape(finding) == (ERROR, "services[0].offset", 0x28)
    assert finding.text == f"{length:#x} bytes at {at:#x} are not within 0x30 to 0x34"


def test_a_vtpm_command_fits_its_page():
    good = VtpmRequest(command=8, inbuf_size=0xFF7)

    assert findings(good) == []
    assert shape(the("vtpm-command", good.replace(command=1))) == (ERROR, "command", 0)
    assert shape(the("vtpm-locality", good.replace(locality=1))) == (ERROR, "locality", 4)
    assert shape(the("vtpm-size", good.replace(inbuf_size=0xFF8))) == (ERROR, "inbuf_size", 5)
    assert of("vtpm-size", good.replace(inbuf_size=0))


def test_a_vtpm_response_fits_its_page():
    assert findings(VtpmResponse(outbuf_size=0xFFC)) == []

    finding = the("vtpm-size", VtpmResponse(outbuf_size=0xFFD))

    assert shape(finding) == (ERROR, "outbuf_size", 0)
    assert finding.text == "outbuf_size is 4093, at most 4092 fit the page"
