import pytest

from snpwire.errors import EncodeError
from snpwire.wire.boot import CC_BLOB_MAGIC, ApJumpTable, CcBlob
from snpwire.wire.doorbell import DoorbellFlags, DoorbellPage, ExtIntInfo, ExtIntStatus
from snpwire.wire.operands import PscOperation, PscPageSize
from snpwire.wire.psc import MAX_ENTRIES, PscBuffer, PscEntry, PscHeader
from snpwire.wire.svsm import (
    CALLS,
    PvalidateEntry,
    PvalidateRequest,
    ServiceGuid,
    ServicesManifest,
    ServicesManifestEntry,
    ServicesManifestHeader,
    SvsmCall,
    SvsmCoreCall,
    SvsmProtocol,
    SvsmUefiMmCall,
    VtpmRequest,
)

# Entry values are the worked ones of specs/ghcb.toml: Linux's masks, compiled.
PRIVATE_4K = 0x0010_0000_1234_5000
SHARED_2M = 0x0120_0000_4000_0000


def test_an_entry_says_which_page_becomes_what():
    small, large = PscEntry(PRIVATE_4K), PscEntry(SHARED_2M)

    assert (small.gfn, small.operation, small.page_size) == (0x12345, 1, 0)
    assert small.operation is PscOperation.PRIVATE
    assert (large.gfn, large.operation, large.page_size) == (0x40000, 2, 1)
    assert large.page_size is PscPageSize.SIZE_2M
    assert (small.pages, large.pages) == (1, 512)
    assert PscEntry.of(gfn=0x12345, operation="private") == PRIVATE_4K


def test_the_last_entry_is_counted_too():
    value = PscBuffer(elements=[PRIVATE_4K, SHARED_2M])

    assert value.build().hex() == "0000010000000000" + "0050341200001000" + "0000004000002001"
    assert value.head == PscHeader(end_entry=1)
    assert PscBuffer.parse(value.build() + b"more").elements == value.elements
    assert PscBuffer.parse(value.build() + b"more").rest == b"more"
    assert PscBuffer.from_plain({"entries": [PRIVATE_4K, hex(SHARED_2M)]}) == value


def test_a_buffer_of_no_entries_counts_one_that_is_not_there():
    value = PscBuffer()

    assert value.build() == bytes(8)
    assert value.elements == ()
    assert len(PscBuffer.parse(bytes(16)).elements) == 1


def test_the_shared_buffer_bounds_the_entries():
    full = PscBuffer.parse(b"\0\0\xff\xff" + bytes(2028))

    assert len(full.elements) == MAX_ENTRIES == (2032 - 8) // 8
    assert full.head.end_entry == 0xFFFF
    assert PscBuffer.parse(b"\0\0\xff\xff" + bytes(4)).elements == ()
    with pytest.raises(EncodeError, match=r"^PscBuffer.entries at 0x008: there are at most 253"):
        PscBuffer(elements=[0] * 254)
    assert len(PscBuffer(elements=[0] * 253).elements) == 253


def test_reserved_bytes_of_the_header_are_kept_and_shown():
    value = PscBuffer.parse(bytes(4) + b"\1\0\0\0" + bytes(8))

    assert value.to_plain()["reserved_0x004"] == "01000000"
    assert PscBuffer.from_plain(value.to_plain()) == value


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ({"entries": [0, {"gfn": 1 << 40}]}, r"entries\[1\].gfn at 0x010: 0x10000000000 does not"),
        ({"entries": [{"operation": "prviate"}]}, r"entries\[0\].operation at 0x008: expected"),
        ({"end_entry": 65536}, "end_entry at 0x002: 0x10000 does not fit 2 bytes"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(plain, text):
    with pytest.raises(EncodeError, match=f"^PscBuffer.{text}"):
        PscBuffer.from_plain(plain)


# The other buffers of a guest


def test_a_pvalidate_list_counts_its_entries():
    entry = PvalidateEntry.of(pfn=0x12345, action=1, page_size="size-2m")
    value = PvalidateRequest(elements=[entry])

    assert value.build().hex() == "0100000000000000" + "0550341200000000"
    assert value.head.entries == 1
    assert entry.page_size is PscPageSize.SIZE_2M


def test_a_call_is_named_by_its_protocol():
    assert SvsmCall(0x1).call is SvsmCoreCall.PVALIDATE
    assert SvsmCall.of(protocol="uefi-mm", call_id=1).call is SvsmUefiMmCall.REQUEST
    assert SvsmCall(0x9_0000_0007).call == 7
    assert SvsmCall(0x9_0000_0007).protocol.to_plain() == 9
    assert set(CALLS) == set(SvsmProtocol)


def test_a_manifest_counts_its_services():
    vtpm = ServicesManifestEntry(guid=ServiceGuid.from_plain("vtpm"), offset=48, length=2)
    head = ServicesManifestHeader(
        guid=ServiceGuid.from_plain("manifest"), total_size=50, num_services=1
    )
    value = ServicesManifest(head, [vtpm], b"ab")

    assert value.build()[:4].hex() == "bb9e8463"  # mixed order
    assert value.to_plain()["services"] == [{"guid": "VTPM", "offset": 48, "length": 2}]
    assert ServicesManifest.from_plain(value.to_plain()) == value


def test_fields_of_a_vtpm_command_are_not_aligned():
    image = VtpmRequest(command=8, inbuf_size=0x0A, inbuf=b"\x80\x01" + bytes(0xFF5)).build()

    assert image[:11].hex() == "08000000" + "00" + "0a000000" + "8001"


def test_the_doorbell_page_holds_three_descriptors():
    page = DoorbellPage(
        vector=0x20,
        flags=DoorbellFlags.of(nmi=1, no_further_signal=1),
        vmpl2_info=ExtIntInfo(status=ExtIntStatus.of(vector_31=1), irr=[1] + [0] * 6),
    )
    image = page.build()

    assert image[:4].hex() == "20810000"
    assert image[0x80:0x88].hex() == "0000008001000000"
    assert page.to_plain()["flags"] == ["nmi", "no_further_signal"]


def test_boot_structures():
    blob = CcBlob(magic=CC_BLOB_MAGIC, secrets_phys=0x1000, cpuid_len=0x1000)

    assert blob.build()[:4] == b"AMDE"
    assert (blob.build()[0x08:0x0A], blob.build()[0x20:0x22]) == (b"\x00\x10", b"\x00\x10")
    assert ApJumpTable(ip=0x1234, cs=0xF000).build().hex() == "341200f0"
