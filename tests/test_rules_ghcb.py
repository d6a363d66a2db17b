"""Each rule of a GHCB page: one page that breaks it, and what the finding says."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import patched

from snpwire.context import Direction, context_of
from snpwire.finding import Finding, Severity
from snpwire.rules import findings
from snpwire.rules.ghcb import refusal
from snpwire.wire.event import Event
from snpwire.wire.events import EVENTS
from snpwire.wire.exits import ExitCode
from snpwire.wire.ghcb import HypervPage, Page, ValidBitmap

NOTE, WARNING, ERROR = Severity
EXIT = ("sw_exit_code", "sw_exit_info_1", "sw_exit_info_2")
GPA = 0x123_F000
SHARED = GPA + 0x800
ANSWERED = 0x0018_000E_0000_0000_8000_0000_0000_0000
"""The bitmap as KVM leaves it."""


def bits(*names: str) -> ValidBitmap:
    return ValidBitmap.from_plain(list(names))


def request(code: int, *marked: str, **fields: object) -> Page:
    """Return a request that marks what every exit marks, *marked*, and the registers given."""
    inputs = [name for name in fields if name in ValidBitmap.BITS]
    fields.setdefault("valid_bitmap", bits(*EXIT, *marked, *inputs))
    fields.setdefault("protocol_version", 2)
    return Page(sw_exit_code=code, **fields)


def response(code: int, **fields: object) -> Page:
    fields.setdefault("valid_bitmap", ANSWERED)
    fields.setdefault("protocol_version", 2)
    return Page(sw_exit_code=code, **fields)


def of(code: str, page: Page, **choices: object) -> list[Finding]:
    """Return the findings of *page* called *code*."""
    context = context_of(page, **choices)  # type: ignore[arg-type]
    return [finding for finding in findings(page, context) if finding.code == code]


def the(code: str, page: Page, **choices: object) -> Finding:
    """Return the one finding of *page* called *code*."""
    (finding,) = of(code, page, **choices)
    return finding


def shape(finding: Finding) -> tuple[Severity, str, int, int]:
    return finding.severity, finding.path, finding.offset, finding.reason


VMSA = 0x1_3000
CLEAN: dict[str, dict[str, int]] = {
    "CPUID": {"rax": 1, "rcx": 0},
    "IOIO_STRING": {
        "sw_exit_info_1": 0x03F8_021C,
        "sw_exit_info_2": 16,
        "sw_scratch": SHARED,
    },
    "IOIO_IN": {"sw_exit_info_1": 0x03F8_0211},
    "IOIO_OUT": {"sw_exit_info_1": 0x03F8_0210},
    "WRMSR": {"sw_exit_info_1": 1},
    "MMIO_READ": {"sw_exit_info_1": 0xFEE0_0000, "sw_exit_info_2": 4},
    "MMIO_WRITE": {"sw_exit_info_1": 0xFEE0_0000, "sw_exit_info_2": 8},
    "AP_JUMP_TABLE_SET": {"sw_exit_info_2": 0x9000},
    "AP_JUMP_TABLE_GET": {"sw_exit_info_1": 1},
    "SNP_GUEST_REQUEST": {"sw_exit_info_1": 0x1000, "sw_exit_info_2": 0x2000},
    "SNP_EXT_GUEST_REQUEST": {
        "sw_exit_info_1": 0x1000,
        "sw_exit_info_2": 0x2000,
        "rax": 0x4000,
        "rbx": 4,
    },
    "SNP_AP_CREATION": {"sw_exit_info_1": 0x3_0000_0001, "sw_exit_info_2": VMSA, "rax": 1},
    "SNP_HV_DOORBELL_PAGE": {"sw_exit_info_1": 1, "sw_exit_info_2": 0x5000},
    "GET_APIC_IDS": {"sw_exit_info_1": 0x6000, "rax": 1},
    "SECURE_AVIC_UNREGISTER": {"sw_exit_info_1": 1},
    "SEV_TIO_GUEST_REQUEST": {"sw_exit_info_1": 0x1000, "sw_exit_info_2": 0x2000},
    "TERM_REQUEST": {"sw_exit_info_1": 0x11},
    "UNSUPPORTED_EVENT": {"sw_exit_info_1": 0x72},
}


def clean(event: Event) -> Page:
    """Return a request of *event* with nothing wrong in it."""
    fields: dict[str, object] = dict.fromkeys(event.required, 0)
    if "sw_scratch" in event.required:
        fields["sw_scratch"] = SHARED
    fields |= CLEAN.get(event.name, {})
    page = request(event.code, **fields)
    one_entry = b"\0\0\0\0\0\0\0\0" + (0x0010_0000_1234_5000).to_bytes(8, "little")
    psc = event.name == "SNP_PAGE_STATE_CHANGE"
    return page.replace(shared_buffer=one_entry.ljust(0x7F0, b"\0")) if psc else page


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
@pytest.mark.parametrize("gpa", [None, GPA])
def test_a_correct_request_of_each_exit_raises_nothing_above_a_note(event, gpa):
    page = clean(event)

    assert [f for f in findings(page, context_of(page, gpa=gpa)) if f.severity > NOTE] == []


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_kvm_refuses_a_correct_request_only_where_it_does_not_serve_the_exit(event):
    finding = refusal(clean(event))
    served = event.code < 0x100 or event.code & 0xFFFF in {*range(1, 6), *range(0x10, 0x14)}
    served |= event.code >= 0x8000_FFFD

    assert (finding is None) == served
    assert served or finding.reason == 6


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_a_response_as_kvm_gives_it_raises_nothing_above_a_note(event):
    page = response(event.code)

    assert [f for f in findings(page) if f.severity > NOTE] == []


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_input_an_exit_needs_is_missed_when_it_is_not_marked(event):
    page = clean(event).replace(valid_bitmap=bits(*EXIT))
    found = of("missing-input", page) + of("certificate-buffer", page)

    assert {finding.path for finding in found} == set(event.required)


def test_findings_come_by_offset_and_the_worst_first():
    page = request(0x72, ghcb_usage=9, reserved_0x000=b"\1" + bytes(202), rcx=1)
    found = findings(page)

    assert found == sorted(found, key=lambda f: (f.offset, -f.severity))
    assert len(found) >= 3


def test_a_value_of_no_known_class_has_no_rules_but_those_for_all():
    from snpwire.wire.boot import ApJumpTable

    assert findings(ApJumpTable(ip=1)) == []


def test_judging_a_page_imports_no_rules_of_other_structures():
    program = (
        "import sys; from snpwire.wire.ghcb import Page; from snpwire.rules import findings;"
        "findings(Page(protocol_version=2));"
        "print(*[m for m in sys.modules if m.startswith('snpwire.')])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = result.stdout.decode().split()

    assert "snpwire.rules.request" in loaded
    assert not {"snpwire.rules.certs", "snpwire.rules.psc", "snpwire.rules.svsm"} & set(loaded)
    assert "numpy" not in loaded


# Rules of either direction


def test_a_usage_kvm_does_not_take_is_refused_before_all_else():
    page = request(0x72, ghcb_usage=7)
    finding = the("usage", page)

    assert shape(finding) == (ERROR, "ghcb_usage", 0xFFC, 2)
    assert finding.text == "ghcb_usage is 0x7, KVM takes 0 alone"
    assert finding.source == "Linux 6.12 sev_es_validate_vmgexit"
    assert refusal(page) == finding
    assert of("missing-input", page)


def test_a_page_of_hyper_v_is_not_judged_beyond_its_usage():
    page = request(0x72, ghcb_usage=1, reserved_0x000=bytes(range(203)))
    (finding,) = findings(page)

    assert finding.code == "usage"
    assert finding.text.endswith(
        "HYPERV_HYPERCALL has a layout of its own, the page is not judged further"
    )


def test_a_wrong_usage_in_a_response_is_no_refusal():
    finding = the("usage", response(0x72, ghcb_usage=7))

    assert shape(finding) == (WARNING, "ghcb_usage", 0xFFC, 0)


@pytest.mark.parametrize("version", [0, 3, 0xFFFF])
def test_a_protocol_version_that_does_not_exist_is_refused_by_openvmm(version):
    finding = the("protocol-version", request(0x6E, protocol_version=version))

    assert shape(finding) == (WARNING, "protocol_version", 0xFFA, 0)
    assert finding.text.startswith(f"protocol_version is {version}, there are 1 and 2; OpenVMM")
    assert finding.source == "OpenVMM, MSHV backend"


def test_version_1_is_worth_a_note_in_an_snp_exit_alone():
    page = request(0x8000_0011, protocol_version=1, sw_exit_info_1=0x1000)

    assert the("protocol-version", page).severity == NOTE
    assert of("protocol-version", request(0x6E, protocol_version=1)) == []


def test_coconuts_bits_of_the_bitmap_are_a_note():
    page = request(0x6E, valid_bitmap=bits(*EXIT) | 1 << 126 | 1 << 127)
    finding = the("bitmap-own-bits", page)

    assert shape(finding) == (NOTE, "valid_bitmap", 0x3FF, 0)
    assert finding.text == (
        "bits 127:126 of valid_bitmap stand for the bitmap itself;"
        " coconut-svsm sets them, Linux does not"
    )
    assert of("bitmap-no-field", page) == []


def test_bits_of_the_bitmap_that_stand_for_no_field_are_listed():
    finding = the("bitmap-no-field", request(0x6E, valid_bitmap=bits(*EXIT) | 1 << 9 | 3))

    assert shape(finding) == (WARNING, "valid_bitmap", 0x3F0, 0)
    assert finding.text == "bits 9, 1:0 of valid_bitmap stand for no field"


def test_bit_100_names_the_field_that_xen_has_there():
    finding = the("bitmap-no-field", request(0x6E, valid_bitmap=bits(*EXIT) | 1 << 100))

    assert finding.offset == 0x3FC
    assert "secure_avic_ctl to Xen alone" in finding.text


@pytest.mark.parametrize(("name", "offset"), [("rip", 0x3F5), ("rsp", 0x3F7)])
def test_registers_that_most_readings_reserve_are_a_note(name, offset):
    finding = the("disputed-field", request(0x6E, name))

    assert shape(finding) == (NOTE, "valid_bitmap", offset, 0)
    assert finding.text == (
        f"{name} is marked valid; only Linux and OpenVMM have it, and nobody reads it"
    )


def test_x87_state_has_no_bit():
    finding = the("no-valid-bit", request(0x6E, x87_state_gpa=0x7000))

    assert shape(finding) == (NOTE, "x87_state_gpa", 0x400, 0)
    assert finding.text == "x87_state_gpa is 0x7000: no bit of valid_bitmap can mark it valid"


def test_reserved_bytes_are_shown_from_the_first_that_is_not_zero():
    finding = the(
        "reserved-not-zero", request(0x6E, reserved_0x408=bytes(8) + b"\7\0\x09" + bytes(1005))
    )

    assert shape(finding) == (WARNING, "reserved_0x408", 0x410, 0)
    assert finding.text == "reserved bytes are not zero: 2 of 1016, from 0x410: 07 00 09"


def test_a_long_run_of_reserved_bytes_is_cut_off():
    finding = the("reserved-not-zero", request(0x6E, reserved_0x200=b"\1" * 264))

    assert finding.text.endswith("264 of 264, from 0x200:" + " 01" * 16 + " ...")


def test_a_hypercall_page_says_so():
    assert findings(HypervPage(ghcb_usage=1, protocol_version=2)) == []

    first, second = findings(HypervPage())

    assert (first.code, first.offset, second.code, second.offset) == (
        "protocol-version",
        0xFFA,
        "usage",
        0xFFC,
    )


# What a request marks


@pytest.mark.parametrize("field", EXIT)
def test_an_exit_field_that_is_not_marked_is_missing(field):
    page = request(0x6E, valid_bitmap=bits(*(name for name in EXIT if name != field)))
    finding = the("exit-field-missing", page, direction=Direction.REQUEST)

    assert shape(finding) == (ERROR, field, Page.tile(field).offset, 4)
    assert finding.text == f"{field} is not marked valid, every exit needs it"


def test_a_missing_register_names_the_exit_s_need():
    page = request(0x37, valid_bitmap=bits(*EXIT))
    finding = the("missing-input", page)

    assert shape(finding) == (ERROR, "rax", 0x1F8, 4)
    assert finding.text == "rax is not marked valid, this exit needs it"
    assert finding.source == "Linux 6.12 sev_es_validate_vmgexit"


def test_a_missing_register_of_an_exit_kvm_does_not_serve_has_no_reason():
    finding = the("missing-input", request(0x8000_0017))

    assert shape(finding) == (ERROR, "rax", 0x1F8, 0)
    assert finding.source == "newer Linux, edk2, linux-svsm"


def test_a_jump_table_request_that_has_no_row_needs_nothing():
    assert of("missing-input", request(0x8000_0005, sw_exit_info_1=2)) == []


def test_cpuid_leaf_d_needs_xcr0():
    page = request(0x72, rax=0xD, rcx=0)
    finding = the("missing-input", page)

    assert shape(finding) == (ERROR, "xcr0", 0x3E8, 4)
    assert finding.text == "xcr0 is not marked valid, CPUID leaf 0xd needs it"
    assert refusal(page) == finding


def test_cpuid_leaf_d_has_xss_from_protocol_2_on():
    finding = the("xss-missing", request(0x72, rax=0xD, rcx=1, xcr0=7))

    assert shape(finding) == (NOTE, "xss", 0x140, 0)
    assert of("xss-missing", request(0x72, rax=0xD, rcx=1, xcr0=7, protocol_version=1)) == []
    assert of("xss-missing", request(0x72, rax=0xD, rcx=1, xcr0=7, xss=0)) == []


def test_kvm_compares_all_of_rax_with_leaf_d():
    page = request(0x72, rax=0x1_0000_000D, rcx=0)
    finding = the("cpuid-leaf", page)

    assert shape(finding) == (NOTE, "rax", 0x1F8, 0)
    assert finding.text.startswith("rax is 0x10000000d: KVM compares all 64 bits")
    assert refusal(page) is None


def test_values_that_are_not_marked_are_listed_one_by_one():
    page = Page(
        sw_exit_code=0x6E,
        rbx=7,
        r15=9,
        sw_scratch=1,
        protocol_version=2,
        valid_bitmap=bits(*EXIT),
    )
    found = of("not-marked-valid", page)

    assert [(f.severity, f.path) for f in found] == [
        (NOTE, "rbx"),
        (NOTE, "r15"),
        (NOTE, "sw_scratch"),
    ]
    assert found[0].text == "rbx is 0x7 and not marked valid: Linux leaves stale registers"


# The exit code


def test_an_exit_kvm_does_not_take_is_a_note_with_a_reason():
    page = request(0x8000_0014, sw_exit_info_1=1, sw_exit_info_2=0x1000)
    finding = the("event-not-served", page)

    assert shape(finding) == (NOTE, "sw_exit_code", 0x390, 6)
    assert finding.text == (
        "exit 0x80000014 (SNP_HV_DOORBELL_PAGE) is known, but KVM 6.12 does not take it"
    )
    assert refusal(page) == finding


@pytest.mark.parametrize("code", [0x16, 0x19, 0x1B, 0x1C, 0x1D, 0x20, 0x21])
def test_an_exit_that_drafts_alone_have_says_so(code):
    finding = the("event-draft", request(0x8000_0000 + code))

    assert shape(finding) == (NOTE, "sw_exit_code", 0x390, 0)
    assert finding.text.startswith(f"exit {0x8000_0000 + code:#x} is in no published revision")


def test_an_exit_of_the_processor_is_none_of_the_page():
    finding = the("event-unknown", request(ExitCode.NPF))

    assert shape(finding) == (ERROR, "sw_exit_code", 0x390, 6)
    assert finding.text == (
        "exit 0x400 (NPF) is the processor's own, no guest sends it through the page"
    )


def test_an_exit_nobody_knows_is_refused():
    finding = the("event-unknown", request(0x8000_1234))

    assert shape(finding) == (ERROR, "sw_exit_code", 0x390, 6)
    assert finding.text == "exit 0x80001234 is none that is known"


def test_an_operand_without_a_use_is_a_note():
    finding = the("operand-not-zero", request(0x6E, sw_exit_info_2=5))

    assert shape(finding) == (NOTE, "sw_exit_info_2", 0x3A0, 0)
    assert finding.text == "sw_exit_info_2 is 0x5, this exit has no use for it"


def test_bits_of_an_operand_without_a_name_are_a_warning():
    finding = the("unknown-bits", request(0x7B, sw_exit_info_1=0x1_03F8_0212, rax=0))

    assert shape(finding) == (WARNING, "sw_exit_info_1", 0x398, 0)
    assert finding.text == "bits 32, 1 of 0x103f80212 should be zero: nothing gives a meaning"


def test_bits_of_a_register_that_is_not_marked_are_not_looked_at():
    page = request(0x8000_0013, sw_exit_info_1=2, valid_bitmap=bits(*EXIT), rax=1 << 20)

    assert of("unknown-bits", page) == []


# Ports, MSRs, MMIO


@pytest.mark.parametrize(
    ("info", "text"),
    [
        (
            0x03F8_0200,
            "operand sizes set in sw_exit_info_1: none; it takes exactly one",
        ),
        (
            0x03F8_0250,
            "operand sizes set in sw_exit_info_1: 8 and 32; it takes exactly one",
        ),
    ],
)
def test_a_port_access_has_one_operand_size(info, text):
    finding = the("ioio-size", request(0x7B, sw_exit_info_1=info, rax=0))

    assert shape(finding) == (WARNING, "sw_exit_info_1", 0x398, 0)
    assert finding.text == text


def test_a_port_access_without_an_address_size_is_as_coconut_sends_it():
    finding = the("ioio-address-size", request(0x7B, sw_exit_info_1=0x03F8_0010, rax=0))

    assert finding.severity == NOTE
    assert finding.text.endswith("coconut-svsm and OpenVMM leave it out")


def test_a_port_access_has_one_address_size():
    finding = the("ioio-address-size", request(0x7B, sw_exit_info_1=0x03F8_0310, rax=0))

    assert finding.severity == WARNING
    assert finding.text == (
        "address sizes set in sw_exit_info_1: 32 and 64 bits; at most one can be right"
    )


def test_only_strings_repeat():
    finding = the("ioio-rep", request(0x7B, sw_exit_info_1=0x03F8_0218, rax=0))

    assert shape(finding) == (WARNING, "sw_exit_info_1", 0x398, 0)


def string(info: int, count: int, **fields: object) -> Page:
    return request(0x7B, sw_exit_info_1=info, sw_exit_info_2=count, sw_scratch=SHARED, **fields)


def test_a_string_without_rep_has_one_element():
    finding = the("ioio-rep", string(0x03F8_0214, 2))

    assert shape(finding) == (WARNING, "sw_exit_info_2", 0x3A0, 0)
    assert of("ioio-rep", string(0x03F8_0214, 1)) == []


def test_a_string_of_nothing_is_a_note_and_needs_no_scratch_area():
    page = string(0x03F8_021C, 0, valid_bitmap=bits(*EXIT, "sw_scratch")).replace(sw_scratch=0)

    assert the("ioio-nothing", page).severity == NOTE
    assert of("scratch-area", page) == []


@pytest.mark.parametrize(("info", "count"), [(0x021C, 1 << 31), (0x024C, 1 << 30)])
def test_a_string_too_long_for_an_int_fails_kvm_run(info, count):
    page = string(0x03F8_0000 | info, count)
    finding = the("ioio-count", page)

    assert shape(finding) == (ERROR, "sw_exit_info_2", 0x3A0, 0)
    assert finding.text.endswith("KVM fails KVM_RUN")
    assert refusal(page) is None


def test_a_segment_that_does_not_exist_is_a_warning():
    finding = the("ioio-segment", string(0x03F8_1A1C, 1))

    assert finding.text == "segment 6 in sw_exit_info_1 is none: there are 0 (ES) to 5 (GS)"


def test_a_string_longer_than_the_shared_buffer_has_no_room():
    page = string(0x03F8_022C, 1017)
    finding = the("scratch-area", page, gpa=GPA)

    assert shape(finding) == (ERROR, "sw_scratch", 0x3A8, 3)
    assert finding.text == (
        "sw_scratch is 0x123f800: offset 0x800 of a page leaves 2032 bytes of the shared buffer"
        " (0x800 to 0xfef), this exit needs 2034"
    )
    assert of("scratch-area", string(0x03F8_022C, 1016), gpa=GPA) == []


def test_kvm_takes_any_first_operand_but_0_for_a_write():
    finding = the("msr-access", request(0x7C, sw_exit_info_1=2, rcx=0x10, rax=0, rdx=0))

    assert shape(finding) == (WARNING, "sw_exit_info_1", 0x398, 0)


def test_a_privilege_level_is_at_most_3():
    finding = the("cpl", request(0x81, rax=1, cpl=4))

    assert shape(finding) == (WARNING, "cpl", 0xCB, 0)
    assert finding.text == "cpl is 4, privilege levels are 0 to 3"


def mmio(length: int, **fields: object) -> Page:
    fields.setdefault("sw_scratch", SHARED)
    return request(0x8000_0001, sw_exit_info_1=0xFED0_0000, sw_exit_info_2=length, **fields)


def test_mmio_of_no_length_does_nothing():
    page = mmio(0, sw_scratch=0)

    assert the("mmio-length", page).severity == NOTE
    assert refusal(page) is None


def test_mmio_of_protocol_2_has_at_most_8_bytes():
    page = mmio(9)
    finding = the("mmio-length", page)

    assert shape(finding) == (ERROR, "sw_exit_info_2", 0x3A0, 5)
    assert finding.text == "sw_exit_info_2 is a length of 0x9, protocol 2 allows 0x8"
    assert refusal(page) == finding
    assert of("scratch-area", page) == []


def test_mmio_of_protocol_1_may_be_long():
    page = mmio(0x8000_0000, protocol_version=1)

    assert shape(the("mmio-length", page)) == (ERROR, "sw_exit_info_2", 0x3A0, 0)
    assert the("mmio-length", mmio(16, protocol_version=1)).severity == WARNING


def test_openvmm_takes_lengths_that_are_powers_of_two():
    finding = the("mmio-length", mmio(3))

    assert shape(finding) == (WARNING, "sw_exit_info_2", 0x3A0, 0)
    assert finding.source == "OpenVMM"


# The scratch area


def test_a_scratch_area_at_0_is_none():
    finding = the("scratch-area", mmio(4, sw_scratch=0))

    assert shape(finding) == (ERROR, "sw_scratch", 0x3A8, 3)
    assert finding.text == "sw_scratch is 0x0: there is no scratch area"


def test_without_the_page_s_address_only_the_offset_is_judged():
    page = mmio(8, sw_scratch=0x9FEC)
    finding = the("scratch-area", page)

    assert shape(finding) == (ERROR, "sw_scratch", 0x3A8, 3)
    assert finding.text == (
        "sw_scratch is 0x9fec: offset 0xfec of a page leaves 4 bytes of the shared buffer"
        " (0x800 to 0xfef), this exit needs 8; the page's own address is not known"
    )
    assert of("scratch-area", mmio(8, sw_scratch=0x9FE8)) == []


def test_in_front_of_the_shared_buffer_there_is_no_room():
    finding = the("scratch-area", mmio(8, sw_scratch=GPA + 0x7FC), gpa=GPA)

    assert "offset 0x7fc of a page leaves 0 bytes" in finding.text
    assert "not known" not in finding.text


def test_behind_the_shared_buffer_there_is_no_room():
    assert "leaves 0 bytes" in the("scratch-area", mmio(8, sw_scratch=GPA + 0xFF8)).text


def test_protocol_2_keeps_the_scratch_area_in_the_page_itself():
    finding = the("scratch-area", mmio(8, sw_scratch=0x5000), gpa=GPA)

    assert shape(finding) == (ERROR, "sw_scratch", 0x3A8, 3)
    assert finding.text == (
        "sw_scratch is 0x5000: it is not in the page itself, which is at 0x123f000;"
        " protocol 2 allows no other"
    )


def test_protocol_1_lets_it_lie_elsewhere():
    assert of("scratch-area", mmio(8, sw_scratch=0x5000, protocol_version=1), gpa=GPA) == []
    assert of("scratch-area", mmio(8, sw_scratch=0x5000, protocol_version=1)) == []
    assert of("scratch-area", mmio(4096, sw_scratch=0x5800, protocol_version=1)) == []


@pytest.mark.parametrize("place", [0x5000, 0x5800])
@pytest.mark.parametrize("gpa", [None, 0x5000])
def test_nowhere_is_there_more_room_than_65536_bytes(place, gpa):
    page = mmio(65537, sw_scratch=place, protocol_version=1)

    assert shape(the("scratch-area", page, gpa=gpa)) == (ERROR, "sw_scratch", 0x3A8, 3)


def test_a_scratch_area_elsewhere_is_at_most_65536_bytes():
    finding = the("scratch-area", mmio(65537, sw_scratch=0x5000, protocol_version=1), gpa=GPA)

    assert finding.text.endswith("outside the page KVM allows 65536 bytes, this exit needs 65537")


def test_a_scratch_area_does_not_leave_the_address_space():
    page = mmio(8, sw_scratch=(1 << 64) - 4, protocol_version=1)

    assert the("scratch-area", page).text.endswith("8 bytes from there leave the address space")


def test_openvmm_wants_the_start_of_the_shared_buffer():
    page = mmio(8, sw_scratch=GPA + 0x808)
    finding = the("scratch-not-at-start", page)

    assert shape(finding) == (NOTE, "sw_scratch", 0x3A8, 0)
    assert finding.source == "OpenVMM, MSHV backend"


# Guest requests and terminations


@pytest.mark.parametrize("code", [0x8000_0011, 0x8000_0012])
def test_request_and_response_start_on_pages(code):
    page = request(code, sw_exit_info_1=0x1008, sw_exit_info_2=0x2001, rax=0, rbx=0)
    found = of("page-unaligned", page)

    assert [shape(f) for f in found] == [
        (ERROR, "sw_exit_info_1", 0x398, 4),
        (ERROR, "sw_exit_info_2", 0x3A0, 4),
    ]
    assert found[0].text == "sw_exit_info_1 is 0x1008: the request page does not start on 4 KiB"


def test_request_and_response_are_two_pages():
    finding = the("pages-equal", request(0x8000_0011, sw_exit_info_1=0x1000, sw_exit_info_2=0x1000))

    assert shape(finding) == (ERROR, "sw_exit_info_2", 0x3A0, 4)
    assert "are both 0x1000" in finding.text


def test_the_pages_of_a_draft_have_no_reason():
    page = request(0x8000_0020, rax=0, rbx=0, rcx=0, rdx=0)

    assert the("pages-equal", page).reason == 0


def test_certificate_registers_are_needed_for_a_message_that_cannot_be_seen():
    page = request(0x8000_0012, sw_exit_info_1=0x1000, sw_exit_info_2=0x2000)
    found = of("certificate-buffer", page)

    assert [shape(f) for f in found] == [(WARNING, "rax", 0x1F8, 5), (WARNING, "rbx", 0x318, 5)]
    assert found[0].text == (
        "rax is not marked valid; KVM needs it if the message is MSG_REPORT_REQ,"
        " which stands in the request page and not here"
    )


def test_the_certificate_buffer_starts_on_a_page():
    page = request(0x8000_0012, sw_exit_info_1=0x1000, sw_exit_info_2=0x2000, rax=0x4010, rbx=1)
    finding = the("certificate-buffer", page)

    assert shape(finding) == (ERROR, "rax", 0x1F8, 5)
    assert finding.source == "Linux 6.12 snp_handle_ext_guest_req"


def test_a_termination_names_a_set_that_exists():
    finding = the("termination-set", request(0x8000_FFFE, sw_exit_info_1=0x13))

    assert shape(finding) == (NOTE, "sw_exit_info_1", 0x398, 0)
    assert finding.text == "reason set 3 is none that is known: 0, 1 and 15 are"


def test_a_termination_names_a_code_of_its_set():
    finding = the("termination-reason", request(0x8000_FFFE, sw_exit_info_1=0xFF1))

    assert finding.text == "reason 255 is none of the codes of set 1 (the Linux guest)"


def test_edk2_sends_the_data_of_an_unsupported_event():
    finding = the("vc-error-code", request(0x8000_FFFF, sw_exit_info_1=0x1234))

    assert (
        finding.text
        == "sw_exit_info_1 is 0x1234, no exit code; edk2 sends the exception's data here"
    )


def test_a_device_operation_is_one_of_four():
    finding = the("device-operation", request(0x8000_0021, sw_exit_info_1=4 << 32))

    assert finding.text == "action 4 in sw_exit_info_1 is none: there are 0 to 3"


# Processors


def test_a_jump_table_is_set_or_asked_for():
    page = request(0x8000_0005, sw_exit_info_1=2)
    finding = the("jump-table-request", page)

    assert shape(finding) == (ERROR, "sw_exit_info_1", 0x398, 5)
    assert refusal(page) == finding


def creation(info: int, vmsa: int = VMSA, **fields: object) -> Page:
    fields.setdefault("rax", 1)
    return request(0x8000_0013, sw_exit_info_1=info, sw_exit_info_2=vmsa, **fields)


def test_ap_creation_has_three_requests():
    finding = the("ap-request", creation(3))

    assert shape(finding) == (ERROR, "sw_exit_info_1", 0x398, 5)
    assert finding.text == "request 3 in sw_exit_info_1 is none: there are 0 to 2"


def test_kvm_6_12_refuses_any_vmpl():
    finding = the("ap-vmpl", creation(0x3_0001_0001))

    assert shape(finding) == (WARNING, "sw_exit_info_1", 0x398, 5)
    assert finding.text.startswith("the low half of sw_exit_info_1 is 0x10001, VMPL 1: KVM 6.12")


@pytest.mark.parametrize(
    ("vmsa", "problem"),
    [
        (0, "there is no VMSA"),
        (0x1_3010, "the VMSA does not start on 4 KiB"),
        (0x40_0000, "the VMSA starts a 2 MiB page, which KVM refuses for a processor erratum"),
    ],
)
def test_a_vmsa_has_a_page_that_starts_no_larger_one(vmsa, problem):
    finding = the("ap-vmsa", creation(1, vmsa))

    assert shape(finding) == (ERROR, "sw_exit_info_2", 0x3A0, 5)
    assert finding.text == f"sw_exit_info_2 is {vmsa:#x}: {problem}"


def test_to_destroy_takes_neither_vmsa_nor_rax():
    page = request(0x8000_0013, sw_exit_info_1=0x3_0000_0002)

    assert findings(page) == []


def test_kvm_6_12_wants_rax_to_destroy_at_another_vmpl():
    page = request(0x8000_0013, sw_exit_info_1=0x3_0001_0002)

    assert refusal(page).text == "rax is not marked valid, this exit needs it"


def test_doorbell_requests_are_four():
    finding = the("doorbell-request", request(0x8000_0014, sw_exit_info_1=4))

    assert shape(finding) == (ERROR, "sw_exit_info_1", 0x398, 0)


def test_a_doorbell_page_starts_on_a_page():
    page = request(0x8000_0014, sw_exit_info_1=1, sw_exit_info_2=0x1010)

    assert shape(the("doorbell-page", page)) == (ERROR, "sw_exit_info_2", 0x3A0, 0)


def test_only_set_has_a_use_for_a_doorbell_page():
    page = request(0x8000_0014, sw_exit_info_1=2, sw_exit_info_2=0x1000)

    assert (
        the("operand-not-zero", page).text == "sw_exit_info_2 is 0x1000, only SET has a use for it"
    )


def test_apic_ids_are_asked_for_with_a_buffer_and_pages_or_with_neither():
    assert of("apic-id-buffer", request(0x8000_0017, rax=0)) == []
    assert of("apic-id-buffer", request(0x8000_0017, sw_exit_info_1=0x1000, rax=1)) == []

    first = the("apic-id-buffer", request(0x8000_0017, rax=1))
    second = the("apic-id-buffer", request(0x8000_0017, sw_exit_info_1=0x1000, rax=0))

    assert first.text == "sw_exit_info_1 is 0x0 and rax 0x1: both or neither"
    assert second.text == "sw_exit_info_1 is 0x1000 and rax 0x0: both or neither"


def test_the_apic_id_buffer_starts_on_a_page():
    page = request(0x8000_0017, sw_exit_info_1=0x1001, rax=1)

    assert "does not start on 4 KiB" in the("apic-id-buffer", page).text


def test_a_vmpl_to_run_is_at_most_3():
    finding = the("run-vmpl", request(0x8000_0018, sw_exit_info_1=1 << 32))

    assert shape(finding) == (WARNING, "sw_exit_info_1", 0x398, 0)


def test_secure_avic_registers_or_gives_up():
    assert the("secure-avic-request", request(0x8000_001A, sw_exit_info_1=2)).severity == ERROR


def test_an_apic_backing_page_starts_on_a_page():
    page = request(0x8000_001A, rax=(1 << 64) - 1, rbx=0x1001)

    assert shape(the("secure-avic-page", page)) == (ERROR, "rbx", 0x318, 0)


def test_an_announcing_vector_fits_eight_bits():
    assert the("vector", request(0x8000_001B, sw_exit_info_1=0x100)).severity == WARNING


# Answers


def test_an_action_guests_do_not_know_is_an_error_to_them():
    finding = the("answer-action", response(0x6E, sw_exit_info_1=3))

    assert shape(finding) == (ERROR, "sw_exit_info_1", 0x398, 0)
    assert finding.text == "the action in sw_exit_info_1 is 0x3, guests know 0 to 2"


def test_the_high_half_of_the_action_has_no_meaning():
    finding = the("unknown-bits", response(0x6E, sw_exit_info_1=1 << 40))

    assert shape(finding) == (WARNING, "sw_exit_info_1", 0x398, 0)


def test_a_response_marks_both_operands():
    page = response(0x8000_0004, valid_bitmap=bits("sw_exit_info_1"))
    finding = the("answer-not-marked", page)

    assert shape(finding) == (WARNING, "sw_exit_info_2", 0x3A0, 0)


def test_a_register_that_does_not_come_back_is_refused_by_guests():
    finding = the("answer-not-returned", response(0x6E, valid_bitmap=bits(*EXIT[1:], "rax")))

    assert shape(finding) == (ERROR, "rdx", 0x310, 0)
    assert finding.text == "rdx is not marked valid, this exit returns it"


def test_what_a_draft_returns_is_a_note():
    page = response(0x8000_0021, valid_bitmap=bits(*EXIT[1:]))

    assert the("answer-not-returned", page).severity == NOTE


def test_a_response_to_a_port_access_may_return_rax_or_not():
    assert of("answer-not-returned", response(0x7B, valid_bitmap=bits(*EXIT[1:]))) == []


def test_a_refused_request_returns_no_registers():
    page = response(0x6E, sw_exit_info_1=2, sw_exit_info_2=4, valid_bitmap=bits(*EXIT[1:]))

    assert findings(page) == []


def test_a_refusal_has_a_reason_that_is_known():
    finding = the("unknown-code", response(0x6E, sw_exit_info_1=2, sw_exit_info_2=9))

    assert finding.text == "0x9 is a number that no source names"


def raised(event: int) -> Page:
    return response(0x7C, sw_exit_info_1=1, sw_exit_info_2=event)


def test_the_exception_kvm_raises_is_as_guests_want_it():
    finding = the("exception-error-code", raised(0x8000_030D))

    assert findings(raised(0x8000_030D)) == [finding]
    assert finding.severity == NOTE
    assert (
        finding.text == "sw_exit_info_2 is 0x8000030d: #GP without an error code; KVM sends it so"
    )


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (0x0000_0B0D, "bit 31, valid, is not set"),
        (0x8000_080D, "the type is 0, guests accept 3 (exception) alone"),
        (0x8000_0B0E, "the vector is 14, guests accept 13 (#GP) and 6 (#UD) alone"),
    ],
)
def test_an_exception_guests_do_not_accept_is_an_error(event, problem):
    finding = the("exception", raised(event))

    assert shape(finding) == (ERROR, "sw_exit_info_2", 0x3A0, 0)
    assert finding.text == f"sw_exit_info_2 is {event:#x}: {problem}"


def test_ud_has_no_error_code():
    assert the("exception-error-code", raised(0x8000_0B06)).severity == WARNING


def test_an_error_code_is_marked():
    finding = the("exception-error-code", raised(0x5_8000_0306))

    assert finding.text == "error code 0x5 is there but bit 11 does not mark it valid"


def result(info2: int, code: int = 0x8000_0012, **fields: object) -> Page:
    return response(code, sw_exit_info_2=info2, **fields)


def test_a_hypervisor_error_linux_does_not_know_costs_its_key():
    finding = the("guest-request-vmm", result(3 << 32))

    assert shape(finding) == (WARNING, "sw_exit_info_2", 0x3A0, 0)
    assert finding.text == (
        "sw_exit_info_2 is 0x0000000300000000: hypervisor error 0x3 is none that is known;"
        " Linux drops its key"
    )


def test_a_firmware_status_nobody_knows_is_a_note():
    assert the("guest-request-firmware", result(0x1E)).severity == NOTE


def test_busy_beside_a_firmware_status_is_no_busy_to_linux():
    finding = the("guest-request-mixed", result(2 << 32 | 0x16))

    assert finding.text.startswith(
        "sw_exit_info_2 is 0x0000000200000016: BUSY beside firmware status 0x16"
    )


def test_plain_busy_is_in_order():
    assert findings(result(2 << 32)) == []


def test_a_short_buffer_comes_with_the_pages_needed():
    page = result(1 << 32, rbx=4)
    silent = result(1 << 32, valid_bitmap=bits(*EXIT[1:]))

    assert findings(page) == []
    assert the("guest-request-length", result(1 << 32)).text.startswith("rbx is 0, beside")
    assert the("guest-request-length", silent).text.startswith("rbx is not marked valid")


def test_a_plain_request_has_no_buffer_to_be_short():
    finding = the("guest-request-length", result(1 << 32, 0x8000_0011))

    assert shape(finding) == (WARNING, "sw_exit_info_2", 0x3A0, 0)


def test_a_result_of_a_page_state_change_is_known():
    finding = the("unknown-code", result(7, 0x8000_0010))

    assert finding.text == "0x7 is a number that no source names"


def test_features_come_with_those_they_need():
    finding = the("feature-dependency", result(0b10, 0x8000_FFFD))

    assert shape(finding) == (WARNING, "sw_exit_info_2", 0x3A0, 0)
    assert finding.text == "snp_ap_creation is set without snp, which it needs"
    assert len(of("feature-dependency", result(0b1100, 0x8000_FFFD))) == 2
    assert findings(result(0b111111, 0x8000_FFFD)) == []


def test_features_without_a_name_are_a_warning():
    finding = the("unknown-bits", result(1 << 12, 0x8000_FFFD))

    assert finding.text == "bit 12 of 0x1000 should be zero: nothing gives a meaning"


def test_a_response_with_nothing_to_say_says_nothing():
    assert the("operand-not-zero", response(0x89, sw_exit_info_2=1)).text == (
        "sw_exit_info_2 is 0x1, this exit returns nothing in it"
    )


def test_the_response_of_a_jump_table_is_not_taken_for_that_of_its_first_row():
    assert findings(response(0x8000_0005, sw_exit_info_2=0x9000)) == []


def test_a_response_to_an_exit_nobody_knows_is_not_judged_by_what_it_carries():
    assert findings(response(0x8000_1234, sw_exit_info_2=0x9000)) == []


# Fields that are not known

REGISTERS = frozenset(ValidBitmap.BITS) - set(EXIT) - {"sw_scratch"}
TRACE = frozenset(tile.path for tile in Page.TILES) - set(EXIT)
"""What a tracepoint does not show."""


def test_a_log_shows_enough_to_find_a_missing_input():
    page = request(0x8000_0010, valid_bitmap=bits(*EXIT))
    context = context_of(page, absent=REGISTERS | {"shared_buffer", "protocol_version"})

    assert [f.code for f in findings(page, context)] == ["missing-input"]


def test_nothing_is_missed_where_the_bitmap_is_not_known():
    page = Page(sw_exit_code=0x72)
    context = context_of(page, direction=Direction.REQUEST, absent=TRACE)

    assert findings(page, context) == []


def test_a_trace_shows_pages_that_are_not_aligned():
    page = Page(sw_exit_code=0x8000_0011, sw_exit_info_1=0x1001, sw_exit_info_2=0x2000)
    context = context_of(page, direction=Direction.REQUEST, absent=TRACE)

    assert [f.code for f in findings(page, context)] == ["page-unaligned"]


def test_what_all_rows_need_is_missed_without_the_operand_that_chooses():
    absent = frozenset({"sw_exit_info_1"})
    page = request(0x7C, valid_bitmap=bits(*EXIT))

    assert [f.path for f in of("missing-input", page, absent=absent)] == ["rcx"]
    assert of("missing-input", request(0x7B), absent=absent) == []
    assert of("missing-input", request(0x8000_0013), absent=absent) == []


BOTH_WRONG = {"sw_exit_info_1": 0x1_1234_5678, "sw_exit_info_2": 0x1_1234_5678}


@pytest.mark.parametrize("code", sorted({event.code for event in EVENTS}))
@pytest.mark.parametrize("absent", [{"sw_exit_info_1"}, {"sw_exit_info_2"}])
def test_an_operand_that_is_not_known_is_not_judged(code, absent):
    page = request(code, **{**BOTH_WRONG, "rax": 0, "rbx": 0, "sw_scratch": SHARED})
    found = findings(page, context_of(page, absent=frozenset(absent)))

    assert not {f.path for f in found} & absent


def test_the_second_operand_of_a_doorbell_page_is_not_judged_unknown():
    page = request(0x8000_0014, sw_exit_info_1=1, sw_exit_info_2=5)

    assert of("doorbell-page", page, absent=frozenset({"sw_exit_info_2"})) == []


def test_the_elements_of_a_string_are_not_counted_unknown():
    page = string(0x03F8_0214, 5)

    assert of("ioio-rep", page, absent=frozenset({"sw_exit_info_2"})) == []


FIELDS = sorted({tile.path for tile in Page.TILES})
CODES = sorted({event.code for event in EVENTS} | {0x400, 0x8000_0019, 0x8000_1234})
NUMBERS = st.one_of(st.integers(0, 16), st.integers(0, (1 << 64) - 1), st.just(SHARED))


@st.composite
def pages(draw: st.DrawFn) -> Page:
    page = Page.parse(draw(patched(0x1000)))
    numbers = draw(st.lists(NUMBERS, min_size=6, max_size=6))
    names = ("sw_exit_info_1", "sw_exit_info_2", "sw_scratch", "rax", "rbx", "rcx")
    return page.replace(
        sw_exit_code=draw(st.sampled_from(CODES)),
        protocol_version=draw(st.integers(0, 3)),
        valid_bitmap=draw(st.sampled_from([0, bits(*EXIT), (1 << 128) - 1, ANSWERED])),
        ghcb_usage=draw(st.sampled_from([0, 0, 0, 1, 5])),
        **dict(zip(names, numbers, strict=True)),
    )


@given(
    pages(),
    st.sampled_from(Direction),
    st.sampled_from([None, GPA]),
    st.frozensets(st.sampled_from(FIELDS)),
)
def test_no_page_breaks_the_rules_themselves(page, direction, gpa, absent):
    context = context_of(page, direction=direction, gpa=gpa, absent=absent)

    for finding in findings(page, context):
        assert finding.code
        assert finding.text
        assert finding.source
        assert 0 <= finding.offset < 0x1000


@given(
    pages(),
    st.sampled_from(Direction),
    st.sampled_from([None, GPA]),
    st.frozensets(st.sampled_from(FIELDS)),
)
def test_no_finding_rests_on_a_field_that_is_not_known(page, direction, gpa, absent):
    other = page.replace(**{name: getattr(Page.parse(b"\xa5" * 0x1000), name) for name in absent})
    event = context_of(page, direction=direction).event
    context = context_of(page, direction=direction, gpa=gpa, absent=absent)._replace(event=event)

    assert findings(page, context) == findings(other, context)
