"""What bytes may be, and what is said for it."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import BLOCKS, image_of, patched
from strategies import RECORDS as CLASSES

from snpwire.context import BARE
from snpwire.rules import probes_host
from snpwire.rules import rmp as rules
from snpwire.rules.identify import PROBES, UNKNOWN, Candidate, candidates
from snpwire.wire import RECORDS
from snpwire.wire.apic import ApicIdList
from snpwire.wire.boot import CC_BLOB_MAGIC, CcBlob
from snpwire.wire.certs import CertEntry, CertGuid, build_table
from snpwire.wire.doorbell import DoorbellPage
from snpwire.wire.ghcb import HypervPage, Page, ValidBitmap
from snpwire.wire.guid import MixedGuid
from snpwire.wire.psc import PscBuffer, PscEntry, PscHeader
from snpwire.wire.rmp import SegmentTable
from snpwire.wire.svsm import (
    AttestServices,
    AttestSingleService,
    Caa,
    PvalidateEntry,
    PvalidateRequest,
    ServiceGuid,
    ServicesManifest,
    ServicesManifestEntry,
    ServicesManifestHeader,
    VtpmRequest,
    VtpmResponse,
)

VECTORS = Path(__file__).parent / "vectors"
MARKED = ["sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", "rax", "rcx"]
CPUID = Page(sw_exit_code=0x72, valid_bitmap=ValidBitmap.from_plain(MARKED), protocol_version=2)
RESPONSE = CPUID.replace(valid_bitmap=0x0018_000E_0000_0000_8000_0000_0000_0000)
PSC = PscBuffer(None, (PscEntry(0x0010_0000_1234_5000), PscEntry(0x0120_0000_4000_0000)))
SERVICES = AttestServices(nonce_size=64, nonce_gpa=0x1000)
TPM = b"\x80\x01\0\0\0\x0c\0\0\1\x44\0\0"
MANIFEST = ServicesManifest(
    ServicesManifestHeader(guid=ServiceGuid.from_plain("MANIFEST"), total_size=52, num_services=1),
    (ServicesManifestEntry(guid=ServiceGuid.from_plain("VTPM"), offset=48, length=4),),
    b"data",
)


def built(kind: str, **fields: object) -> bytes:
    return RECORDS[kind].type.from_plain(fields).build()


EXAMPLES: dict[str, bytes] = {
    "ghcb": CPUID.build(),
    "ghcb-hyperv": HypervPage(ghcb_usage=1, protocol_version=2, output_gpa=0x1000).build(),
    "msr": (0x0010_0000_1234_5014).to_bytes(8, "little"),
    "psc": PSC.build(),
    "certs": build_table([("VCEK", b"v" * 900), ("ASK", b"a" * 1500)], pages=True),
    "hv": DoorbellPage(vector=0x31).build(),
    "apic-ids": ApicIdList(None, (0, 1, 2, 3)).build(),
    "ap-jump-table": b"\x00\x10\x00\x9f",
    "cc-blob": CcBlob(magic=CC_BLOB_MAGIC, secrets_phys=0x1000).build(),
    "svsm-caa": Caa(call_pending=1, buffer=b"\x07" + bytes(0xFF7)).build(),
    "svsm-pvalidate": PvalidateRequest(None, (PvalidateEntry(0x1234_5004),) * 3).build(),
    "svsm-attest": SERVICES.build(),
    "svsm-attest-single": AttestSingleService(
        services=SERVICES, service_guid=ServiceGuid.from_plain("VTPM")
    ).build(),
    "svsm-manifest": MANIFEST.build(),
    "svsm-vtpm-req": VtpmRequest(
        command=8, inbuf_size=len(TPM), inbuf=TPM.ljust(0xFF7, b"\0")
    ).build(),
    "svsm-vtpm-rsp": VtpmResponse(outbuf_size=len(TPM), outbuf=TPM.ljust(0xFFC, b"\0")).build(),
    "report": (VECTORS / "report-genoa.bin").read_bytes(),
    "message": (VECTORS / "message-request.bin").read_bytes(),
    "secrets": (VECTORS / "secrets.bin").read_bytes(),
    "cpuid": (VECTORS / "cpuid-page.bin").read_bytes(),
    "vmsa": (VECTORS / "vmsa.bin").read_bytes(),
    "idblock": (VECTORS / "idblock.bin").read_bytes(),
    "idauth": (VECTORS / "idauth.bin").read_bytes(),
    "cmd-shutdown-ex": built("cmd-shutdown-ex", length=8, flags=["iommu_snp_shutdown"]),
    "cmd-commit": built("cmd-commit", length=4),
    "cmd-page-set-state": built("cmd-page-set-state", length=16, list_paddr=0x5000),
    "cmd-vlek-load": built("cmd-vlek-load", length=16, vlek_wrapped_paddr=0x1002),
    "cmd-feature-info": built("cmd-feature-info", length=16, ecx_in=1, feature_info_paddr=0x1000),
    "cmd-activate-ex": built(
        "cmd-activate-ex", ex_len=32, gctx_paddr=0x5000, asid=3, numids=2, ids_paddr=0x9000
    ),
    "cmd-download-ex": built("cmd-download-ex", length=24, fw_paddr=0x1000, fw_len=0x12345),
    "cmd-hv-report": built("cmd-hv-report", length=24, gctx_paddr=0x5000, hv_report_paddr=0x6000),
    "cmd-mitigation": built("cmd-mitigation", length=64, subcommand=1, vector="0x3"),
    "cmd-launch-start": built("cmd-launch-start", gctx_paddr=0x1_0100_0000, policy="0x30000"),
    "cmd-launch-update": built(
        "cmd-launch-update", gctx_paddr=0x1_0100_0000, page=2, page_paddr=0x1_0100_5000
    ),
    "guest-status": built("guest-status", policy="0x30000", asid=5, state="RUNNING"),
    "platform-status": built(
        "platform-status", api_major=1, api_minor=55, state="INIT", current_tcb=1
    ),
    "range-list": built(
        "range-list",
        ranges=[{"base": 0x1000, "page_count": 1}, {"base": 0xFD_0000_0000, "page_count": 512}],
    ),
    "page-info": built("page-info", length=0x70, page_type="NORMAL", gpa=0x1000),
    "rmp": built("rmp", lo="0x6010fffffffff001", hi="0x1f"),
    "rmpread": built("rmpread", gpa=0xFFFF_FFFF_F000, assigned=1, asid=2),
    "rst": built("rst", segments=[{"entry": "0x8800022"}, {"entry": "0x55b00080"}]).ljust(
        0x1000, b"\0"
    ),
}


def of(kind: str, data: bytes) -> Candidate | None:
    return next((found for found in candidates(data) if found.kind == kind), None)


def evidence(kind: str, data: bytes) -> tuple[str, ...]:
    found = of(kind, data)
    return found.evidence if found else ()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_of_each_kind_is_taken_for_it_first(kind):
    best, *others = candidates(EXAMPLES[kind])

    assert best.kind == kind
    assert all(other.score < best.score for other in others)


def test_every_kind_that_is_looked_for_has_a_name_people_know():
    assert set(PROBES) == set(EXAMPLES)
    assert set(PROBES) <= set(RECORDS)


def test_a_request_is_told_by_its_exit_code_and_bitmap():
    assert candidates(CPUID.build())[0] == Candidate(
        "ghcb",
        0.95,
        (
            "sw_exit_code 0x72 is CPUID and marked valid",
            "valid_bitmap marks fields alone: rax rcx sw_exit_code sw_exit_info_1 sw_exit_info_2",
            "protocol_version 2",
            "all reserved bytes are zero",
        ),
    )


def test_a_response_is_told_by_the_bitmap_kvm_leaves():
    best = candidates(RESPONSE.build())[0]

    assert best.kind == "ghcb"
    assert best.evidence[:2] == (
        "sw_exit_code 0x72 is CPUID and not marked valid, as in an answer",
        "valid_bitmap is what KVM leaves in an answer",
    )


def test_a_page_without_sign_of_an_exit_is_no_ghcb():
    assert of("ghcb", Page(protocol_version=2, rax=1).build()) is None
    assert of("ghcb", CPUID.replace(ghcb_usage=2).build()) is None
    assert of("ghcb", CPUID.replace(valid_bitmap=1, sw_exit_code=1).build()) is None


def test_what_is_missing_takes_its_share_of_the_score():
    odd = CPUID.replace(protocol_version=9, reserved_0x000=b"\1" * 203)

    assert evidence("ghcb", odd.build()) == evidence("ghcb", CPUID.build())[:2]


def test_a_hypercall_page_needs_its_usage():
    assert of("ghcb-hyperv", HypervPage(protocol_version=2).build()) is None


def test_an_msr_value_is_told_by_its_low_bits():
    assert evidence("msr", EXAMPLES["msr"]) == (
        "low twelve bits 0x014 are PSC_REQ",
        "all reserved bits are zero",
    )
    assert of("msr", (0x1_2345_6000).to_bytes(8, "little")).score == 0.5
    assert evidence("msr", (0x1002).to_bytes(8, "little")) == (
        "low twelve bits 0x002 are SEV_INFO_REQ",
    )
    assert of("msr", (0x008).to_bytes(8, "little")) is None


def test_a_page_state_change_is_told_by_header_and_operations():
    assert evidence("psc", PSC.build()) == (
        "cur_entry 0 and end_entry 1 fit 2 entries",
        "each entry has an operation that is known, and reserved bits of zero",
        "nothing follows the entries",
    )
    assert len(evidence("psc", PSC.build() + b"\1")) == 2


@pytest.mark.parametrize(
    "head",
    [
        PscHeader(end_entry=2),
        PscHeader(end_entry=1, cur_entry=3),
        PscHeader(end_entry=1, reserved_0x004=b"\1\0\0\0"),
    ],
)
def test_a_header_that_does_not_count_is_no_page_state_change(head):
    assert of("psc", PscBuffer(head, PSC.elements).build()) is None


@pytest.mark.parametrize("entry", [0, 1 << 63, 0x0010_0000_0000_0FFF])
def test_an_entry_without_an_operation_is_no_page_state_change(entry):
    assert of("psc", PscBuffer(None, (PscEntry(entry),)).build() + b"\1") is None


def test_certificates_are_told_by_their_guids():
    assert evidence("certs", EXAMPLES["certs"]) == (
        "VCEK's GUID at 0x0",
        "ASK's GUID at 0x18",
        "2 entries point at bytes behind the zero entry",
    )


def test_a_guid_in_the_other_byte_order_still_tells():
    swapped = MixedGuid.from_text(CertGuid.from_plain("ARK").text)
    entry = CertEntry(guid=CertGuid(swapped), offset=9999, length=1)

    assert evidence("certs", entry.build()) == ("ARK's GUID at 0x0, in mixed byte order",)


def test_a_table_of_unknown_guids_may_be_one_still():
    data = CertEntry(guid=CertGuid(b"\7" * 16), offset=48, length=4).build() + bytes(24) + b"cert"

    assert evidence("certs", data) == ("1 entries point at bytes behind the zero entry",)


def test_a_doorbell_page_is_told_by_a_pending_event_and_little_else():
    assert of("hv", DoorbellPage(vector=0x31).build()).score < 0.5
    assert len(evidence("hv", DoorbellPage(flags=1, software=b"\1" * 0xF00).build())) == 2
    assert of("hv", DoorbellPage(vector=3).build()) is None
    assert of("hv", DoorbellPage(no_eoi_required=1).build()) is None


def test_apic_ids_are_told_by_their_number():
    assert evidence("apic-ids", EXAMPLES["apic-ids"]) == (
        "num_entries 4 is the number of ids that follow, each another",
        "the ids ascend",
        "20 bytes hold them all",
    )
    assert len(evidence("apic-ids", ApicIdList(None, (2, 1)).build() + bytes(4))) == 1
    assert of("apic-ids", ApicIdList(None, (1, 1)).build()) is None
    assert of("apic-ids", ApicIdList(None, (1, 2), b"\1").build()) is None
    assert of("apic-ids", b"\xff" * 64) is None


def test_a_calling_area_needs_its_flag():
    assert of("svsm-caa", Caa(call_pending=2).build()) is None


def test_entries_to_pvalidate_are_pages():
    assert of("svsm-pvalidate", b"\2" + EXAMPLES["svsm-pvalidate"][1:]) is not None
    assert of("svsm-pvalidate", b"\4" + EXAMPLES["svsm-pvalidate"][1:]) is None
    assert of("svsm-pvalidate", PvalidateRequest(None, (PvalidateEntry(4),)).build()) is None


def test_attestation_needs_a_nonce_of_64_bytes():
    assert of("svsm-attest", AttestServices(nonce_size=63).build()) is None
    assert len(evidence("svsm-attest-single", AttestSingleService(services=SERVICES).build())) == 2


def test_a_manifest_of_another_size_is_one_still():
    assert evidence("svsm-manifest", MANIFEST.build() + b"x") == (
        "GUID of a services manifest at 0x0",
    )
    assert of("svsm-manifest", bytes(23) + b"\1") is None


def test_a_tpm_command_is_told_by_the_size_it_repeats():
    odd = VtpmRequest(command=8, inbuf_size=9, inbuf=TPM.ljust(0xFF7, b"\0"))

    assert evidence("svsm-vtpm-req", odd.build()) == (
        "command 8 is TPM_SEND_COMMAND, inbuf_size 9 fits",
        "TPM tag 0x8001",
    )
    assert of("svsm-vtpm-rsp", VtpmResponse(outbuf_size=4).build()) is None


HOST = [kind for kind in EXAMPLES if kind in probes_host.PROBES]


@pytest.mark.parametrize("kind", HOST)
def test_what_passes_between_host_and_firmware_is_never_loud(kind):
    assert of(kind, EXAMPLES[kind]).score <= 0.5


@pytest.mark.parametrize("kind", HOST)
def test_a_byte_more_or_a_sign_less_is_another_thing(kind):
    data = EXAMPLES[kind]

    assert of(kind, data + b"\1") is None
    assert of(kind, b"\xff" * len(data)) is None
    assert of(kind, bytes(len(data) - 1) + b"\2") is None


@given(st.binary(min_size=16, max_size=16))
def test_random_bytes_are_seldom_an_entry(data):
    found = of("rmp", data)

    assert found is None or found.score < 0.4


@pytest.mark.parametrize("size", [1, 8, 4096, 8192])
def test_zeros_tell_nothing(size):
    assert candidates(bytes(size)) == [Candidate(UNKNOWN, 0.0, (f"all {size} bytes are zero",))]


def test_no_bytes_are_nothing():
    assert candidates(b"") == [Candidate(UNKNOWN, 0.0, ("there are no bytes",))]


def test_bytes_without_a_sign_are_said_to_be_without():
    assert candidates(b"\xff" * 7) == [Candidate(UNKNOWN, 0.0, ("no kind fits these 7 bytes",))]


def test_an_image_of_several_pages_is_to_be_cut():
    best, last = candidates(EXAMPLES["certs"].ljust(0x2000, b"\0"))

    assert best.kind == "certs"
    assert last == Candidate(UNKNOWN, 0.0, ("2 pages of 4 KiB: cut one out to have it looked at",))


@given(
    st.one_of(
        st.binary(max_size=200),
        patched(0x1000),
        st.sampled_from(CLASSES + BLOCKS).flatmap(image_of),
    )
)
def test_every_candidate_decodes_as_its_kind(data):
    found = candidates(data)

    assert found
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    for candidate in found:
        assert candidate.evidence
        assert 0 <= candidate.score <= 1
        assert candidate.kind == UNKNOWN or RECORDS[candidate.kind].type.fits(len(data))


def test_noise_is_looked_at_no_further_than_its_first_flaw(monkeypatch):
    noise, seen = Random(1).randbytes(4096), []
    whole = rules.segments
    monkeypatch.setattr(
        rules, "segments", lambda *given: (seen.append(one) or one for one in whole(*given))
    )
    candidates(noise)

    assert len(seen) == 1
    assert len(list(whole(SegmentTable.parse(noise), BARE))) > 500
