"""What ``explain`` concludes from a number, and what it knows of numbers without a topic."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transcripts import call

from snpwire.cli.engine.derivation import CHANGES, derivation
from snpwire.cli.options import number, printed
from snpwire.engine.firmware.processor import CommandRefusal
from snpwire.errors import UsageError
from snpwire.view.candidates import MOST, candidates
from snpwire.view.explain import TOPICS, Question, explain, subject
from snpwire.view.topics import OTHER_NAMES, REGISTERS, topic_named
from snpwire.view.topics.key import key_request
from snpwire.view.topics.tcb import ORDER, spelt
from snpwire.wire.key import GuestFieldSelect
from snpwire.wire.kvm_sev import KvmSevCommand
from snpwire.wire.registers import SevStatus
from snpwire.wire.report import GuestPolicy, Report
from snpwire.wire.tcb import TcbClassic, TcbLayout, TcbTurin

LEVELS = st.lists(st.integers(0, 255), min_size=5, max_size=5)
WHOLE = [topic for topic in TOPICS if topic not in ("exitinfo1", "exitinfo2", "rmp")]


def rows_of(what, text="", **options):
    return [
        (row.name.strip(), row.value, row.text) for row in explain(what, Question(text, **options))
    ]


def values_of(what, text="", **options):
    return {name: (value, note) for name, value, note in rows_of(what, text, **options)}


# Topics, registers, candidates


@pytest.mark.parametrize(
    "topic", [name for name in WHOLE if topic_named(name).bits or topic_named(name).rows]
)
def test_a_topic_alone_shows_all_that_it_has(topic):
    found = topic_named(topic)
    rows = [*explain(topic, Question(""))]

    assert rows
    if found.kind and not found.rows and not found.optional and hasattr(found.kind, "__members__"):
        assert [row.value for row in rows] == list(found.kind.__members__)


@pytest.mark.parametrize("topic", ["rmp", "exitinfo1", "cmdbuf"])
def test_a_topic_that_has_no_table_needs_a_value(topic):
    with pytest.raises(UsageError, match="needs a value"):
        list(explain(topic, Question("")))


@pytest.mark.parametrize("address", REGISTERS)
def test_a_register_is_found_by_its_number_in_each_spelling(address):
    for text in (
        f"{address:#x}",
        f"{address:x}",
        f"{address:X}h",
        f"{address >> 16:x}_{address & 0xFFFF:04x}",
    ):
        found = subject(text, Question("0x0"))

        assert found.topic == REGISTERS[address]
        assert found.notes[0].name == hex(address)


@pytest.mark.parametrize("name", ["SEV_STATUS", "sev-status", "MSR_SEV_STATUS", "msr-sev-status"])
def test_a_topic_is_found_as_the_kernel_spells_it(name):
    assert subject(name, Question("0x7")).topic == "sev-status"


@pytest.mark.parametrize(("name", "topic"), OTHER_NAMES.items())
def test_a_topic_is_found_by_the_name_that_programs_print(name, topic):
    spelling = name.replace("-", "_").upper()

    assert (
        subject(spelling, Question("")).topic
        == subject(f"MSR_AMD64_{spelling}", Question("")).topic
    )
    assert subject(name, Question("")).topic == topic


def test_an_msr_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(UsageError, match="0xc0011023") as caught:
        subject("0xc0011023", Question("0x1"))

    assert "0xc0010131" in caught.value.help


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("GHCB_TERM_NOT_VMPL0", ["0x1:0x3", "0xf:0x9"]),
        ("GHCB_SNP_UNSUPPORTED", ["0x0:0x2"]),
        ("SecretsPage", ["0x1:0x6"]),
    ],
)
def test_a_termination_is_found_by_the_name_of_its_reason(text, rows):
    assert [name for name, _, _ in rows_of("term", text)] == rows


@pytest.mark.parametrize("text", ["7 7 7", "0x7 7", "00000007 00000007"])
def test_a_register_that_all_cores_have_alike_is_explained_once(text):
    rows = rows_of("sev-status", text)

    assert rows[0][1].endswith("cores, all alike")
    assert rows[1][1] == "0x0000000000000007"


@pytest.mark.parametrize("text", ["7 3", "0x7 0x7 0x0"])
def test_a_register_that_the_cores_have_differently_is_refused(text):
    with pytest.raises(UsageError, match="the cores differ"):
        rows_of("sev-status", text)


def test_a_register_in_two_groups_is_no_register_of_two_cores():
    assert rows_of("rmp-base", "00000060 1d200000")[0][1] == "0x601d200000"


@pytest.mark.parametrize(
    "text",
    [
        *("(0xa5bf732fa2295afe, 0x1d)", "0xa5bf732fa2295afe,0x1d", "a5bf732fa2295afe 1d"),
        *("(0xa5bf732fa2295afe, 0x1d):", "0xa5bf732fa2295afe:0x1d"),
    ],
)
def test_both_words_of_an_iommu_are_explained_as_linux_prints_them(text):
    rows = rows_of("iommu-efr", text)
    values = {name: value for name, value, _ in rows}

    assert values["IommuEfr"] == "0xa5bf732fa2295afe"
    assert values["IommuEfr2"] == "0x000000000000001d"
    assert values["SNP"] == "supported"


@pytest.mark.parametrize("text", ["", "0x8000001f", "eax=1", "0x80000021 eax=1"])
def test_what_is_no_leaf_is_refused(text):
    with pytest.raises(UsageError, match="no leaf"):
        list(topic_named("cpuid").explain(Question(text)))


def test_a_number_alone_is_looked_for_in_every_topic_the_likeliest_first():
    names = [row.name for row in candidates("0x80000011")]

    assert names[0] == "exit"
    assert "npf" in names
    assert next(candidates("0xc0010131")).name == "sev-status"


def test_digits_alone_are_looked_for_in_both_readings():
    rows = [*candidates("22")]
    found = [(row.name, row.value) for row in rows]

    assert found[0] == ("read as", "0x22 (hex, without 0x) or 0x16 (decimal)")
    assert found[1] == ("status 0x16", "INVALID_PARAM")
    assert ("status 0x22", "BAD_VERSION") in found
    assert len(rows) == MOST + 2
    assert "topics more" in rows[-1].text


LIKELIEST = [
    ("0x80000011", "exit", "SNP_GUEST_REQUEST"),
    ("80000011", "exit 0x80000011", "SNP_GUEST_REQUEST"),
    ("0x30000", "policy", "smt reserved_must_be_one"),
    ("0xb0000", "policy", "smt reserved_must_be_one debug"),
    ("0x16", "status", "INVALID_PARAM"),
    ("0x7", "status", "POLICY_FAILURE"),
    ("0x1f", "status", "EXIT_RING_BUFFER"),
    ("0x27", "status", "INVALID_KEY"),
    ("27", "status 0x1b", "INVALID_MDATA_ENTRY"),
    ("0x72", "exit", "CPUID"),
    ("0x7b", "exit", "IOIO"),
    ("0x81", "exit", "VMMCALL"),
    ("0x400", "exit", "NPF"),
    ("0xa0", "command", "SNP_LAUNCH_START"),
    ("0xffffffffffffffff", "exit", "INVALID_VMCB"),
    ("0x200000000", "exitinfo2", "vmm_error=BUSY"),
    ("0x100000000", "exitinfo2", "vmm_error=INVALID_LEN"),
    ("0x7a014", "msr", "PSC_REQ"),
    ("-22", "errno", "-22 EINVAL"),
    ("-5", "errno", "-5 EIO"),
    ("0xffffffea", "errno", "-22 EINVAL"),
    ("0xc0010131", "sev-status", "register"),
    ("720896", "policy 0xb0000", "smt reserved_must_be_one debug"),
    ("0x7308000000000003", "tcb", "0x7308000000000003"),
    ("0xd315000000000004", "tcb", "0xd315000000000004"),
    ("0x25", "status", "RESTORE_REQUIRED"),
    ("0x80001006", "svsm-result", "PVALIDATE_FAIL_SIZE_MISMATCH"),
]


@pytest.mark.parametrize(("text", "topic", "value"), LIKELIEST)
def test_the_likeliest_topic_of_a_number_is_the_first(text, topic, value):
    rows = [row for row in candidates(text) if row.name != "read as"]

    assert (rows[0].name, rows[0].value) == (topic, value)


@pytest.mark.parametrize("text", ["24", "0x18"])
def test_an_exit_of_kvm_is_among_the_first(text):
    names = [row.value for row in candidates(text)]

    assert "SYSTEM_EVENT" in names[:4]


def test_what_fits_any_number_is_listed_only_if_little_else_does():
    assert "svsm" not in [row.name for row in candidates("0x16")]
    assert "svsm" not in [row.name for row in candidates("-22")]
    assert "svsm" in [row.name for row in candidates("0x200000000123")]


def test_a_summary_of_many_fields_ends_with_their_number():
    values = {row.name: row.value for row in candidates("0x1f")}

    assert values["features"] == "snp snp_ap_creation and 3 more"


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("SEV_STATE_WORKING", "State of SEV without SNP", "WORKING"),
        ("VMGEXIT_PSC_OP_PRIVATE", "Operation of a page state change", "PRIVATE"),
    ],
)
def test_a_name_of_no_topic_is_looked_for_in_all_enumerations(text, name, value):
    assert [(row.name, row.value) for row in candidates(text)] == [(name, value)]


@pytest.mark.parametrize("text", ["-22", "22", "EINVAL", "-EINVAL", "0xffffffea", "0x16", "-0x16"])
def test_an_error_number_is_explained_in_either_sign(text):
    rows = rows_of("errno", text)

    assert ("-22", "EINVAL") in [(name, value) for name, value, _ in rows]
    assert ("INIT2", "7 checks", "explain kvm-sev INIT2:-22") in rows


def test_an_error_number_that_no_ioctl_returns_is_unknown():
    assert rows_of("errno", "-71") == [("-71", "unknown", "")]


def test_a_name_alone_is_looked_for_in_every_enumeration():
    assert [row.name for row in candidates("VMMCALL")] == ["exit"]
    assert [(row.name, row.value) for row in candidates("InvalidParam")] == [
        ("status", "INVALID_PARAM")
    ]


@pytest.mark.parametrize("text", ["nothing", "-", "zz:zz", ""])
def test_what_nothing_has_is_refused(text):
    with pytest.raises(UsageError, match="there is nothing called"):
        list(explain(text, Question("")))


@given(
    st.one_of(st.integers(0, 1 << 70).map(hex), st.integers(-9, 99).map(str), st.text(max_size=12))
)
def test_anything_alone_is_found_or_refused_in_words(text):
    try:
        assert [*candidates(text)]
    except UsageError as exc:
        assert str(exc)


def test_text_read_as_a_number_is_pointed_out_in_every_topic():
    number = hex(int.from_bytes(b'{"a": 1}', "little"))

    for topic in ("policy", "sev-status", "tcb", "exitinfo1"):
        assert values_of(topic, number)["spells"][0] == '{"a": 1}'
    assert values_of("exitinfo1", "0x6f7420656d6f")["spells"][1].startswith(
        "all its bytes are ASCII: text"
    )


# Options


@pytest.mark.parametrize("text", ["4096", "0x1000", "0b1000000000000", "4_096", 4096])
def test_a_count_is_decimal_unless_it_is_marked(text):
    assert number(text) == 4096


@pytest.mark.parametrize(
    ("text", "reason"),
    [("ff", "no decimal number; in hex it is 0xff"), ("-1", "negative"), ("x", "is no number")],
)
def test_what_is_no_count_is_refused_with_the_reading_that_it_could_have(text, reason):
    with pytest.raises(Exception, match=re.escape(reason)):
        number(text)


@pytest.mark.parametrize(
    ("text", "value"), [("0x9f000", 0x9F000), ("9f000", 0x9F000), ("00012000", 0x12000), (0, 0)]
)
def test_an_address_is_read_as_it_is_printed(text, value):
    assert printed(text) == value


@pytest.mark.parametrize(
    ("text", "reason"), [("12000", "write 0x12000"), ("-1", "negative"), ("x", "is no number")]
)
def test_an_address_that_can_be_two_is_refused(text, reason):
    with pytest.raises(Exception, match=re.escape(reason)):
        printed(text)


def test_an_option_that_was_read_as_hex_says_so():
    output, errors, code = call(
        ["explain", "exitinfo2", "0x0", "--exit", "MSR", "--info1", "c0ffee"]
    )

    assert code == 0
    assert errors == b"note: c0ffee is read as 0xc0ffee: hex, without 0x\n"
    assert output


# Policies


@given(st.integers(0, (1 << 26) - 1))
def test_a_policy_is_refused_by_who_does_not_know_its_bits(bits):
    rows = rows_of("policy", hex(bits))
    refused = {name for name, value, _ in rows if value.startswith(("EINVAL", "POLICY_FAILURE"))}
    policy = GuestPolicy(bits)

    assert ("firmware" in refused) == (not policy.reserved_must_be_one or bits >> 21 != 0)
    assert ("KVM 7.3" in refused) == (not policy.reserved_must_be_one or bool(policy.migrate_ma))
    assert ("KVM 6.12" in refused) == bool(
        bits >> 21 or policy.migrate_ma or policy.single_socket or bits >> 16 & 3 != 3
    )


def test_each_condition_of_a_policy_is_told():
    values = values_of("policy", hex(0x3FF_FFFF & ~(1 << 16)))

    assert values["ABI"][1].startswith("the firmware's ABI is 255.255 or newer")
    for name in ("smt", "debug", "single_socket", "migrate_ma", "cxl_allow", "page_swap_disable"):
        assert values[name][0] == "if"


def test_more_bits_than_a_line_holds_are_counted():
    assert any("more" in text for _, _, text in rows_of("policy", hex((1 << 64) - 1)))


# TCB versions


@given(LEVELS)
def test_a_tcb_version_is_the_same_in_every_spelling(levels):
    turin = TcbTurin.of(**dict(zip(ORDER, levels, strict=True)))
    classic = TcbClassic.of(**dict(zip(ORDER[1:], levels[1:], strict=True)))
    fmc, bl, tee, snp, ucode = levels

    for text in (
        " ".join(map(str, levels)),
        ".".join(map(str, levels)),
        f"fmcSPL={fmc}&blSPL={bl}&teeSPL={tee}&snpSPL={snp}&ucodeSPL={ucode}",
        f"Microcode: {ucode}\nSNP: {snp}\nTEE: {tee}\nBoot Loader: {bl}\nFMC: {fmc}",
        f'{{"fmc": {fmc}, "bootloader": {bl}, "tee": {tee}, "snp": {snp}, "microcode": {ucode}}}',
        f"TcbVersion {{ fmc: Some({fmc}), bootloader: {bl}, tee: {tee}, snp: {snp},"
        f" microcode: {ucode} }}",
        f"FMC:{fmc:#x}, BootLoader:{bl:#x}, TEE:{tee:#x}, SNP:{snp:#x}, Microcode:{ucode:#x}",
    ):
        assert spelt(text, None)[:2] == (turin, TcbLayout.TURIN)
    for text in (
        f"{bl} {tee} {snp} {ucode}",
        f"({bl}, {tee}, {snp}, {ucode})",
        f"{{BlSpl:{bl} TeeSpl:{tee} Spl4:0 Spl5:0 SnpSpl:{snp} UcodeSpl:{ucode}}}",
        f"TCB Version:\n  Microcode:   {ucode}\n  SNP:         {snp}\n  TEE:         {tee}\n"
        f"  Boot Loader: {bl}\n  FMC:         None\n",
        f"BlSpl={bl} TeeSpl={tee} SnpSpl={snp} UcodeSpl={ucode}",
        f"Microcode: {ucode} SNP: {snp} TEE: {tee} Boot Loader: {bl} FMC: None",
    ):
        assert spelt(text, None)[:2] == (classic, TcbLayout.CLASSIC)
    assert spelt(classic.to_bytes(8, "little").hex(" "), None).value == classic
    assert spelt(f"{classic:#018x}", None).value == classic


@pytest.mark.parametrize("text", ["snp=256", "x", "1 2 3", "300 0 0 0", "snp=-1"])
def test_what_is_no_tcb_version_is_refused(text):
    with pytest.raises(UsageError):
        spelt(text, None)


def report_of(**tcbs):
    return Report(version=3, cpuid_fam_id=0x19, cpuid_mod_id=0x11, **tcbs).build()


def test_a_report_tells_who_sets_each_tcb_version_and_what_may_change():
    low, middle, high = (int(TcbClassic.of(snp=snp, microcode=9)) for snp in (5, 7, 8))
    data = report_of(current_tcb=high, committed_tcb=middle, reported_tcb=low, launch_tcb=middle)

    values = values_of("tcb", report=data)

    assert values["current_tcb"] == (f"{high:#018x}", "boot_loader 0 tee 0 snp 8 microcode 9")
    assert values["SNP_COMMIT"] == ("changes", "committed: snp 7 to 8; cannot be undone")
    assert (
        values["SNP_CONFIG"][1] == f"reported: from 0 to {middle:#018x}, more gives INVALID_PARAM"
    )
    assert values["now"][1] == "snp 5 to 7 would be possible"
    assert [name for name, _, _ in rows_of("tcb", report=data)].count("set by") == 4


def test_a_report_whose_versions_are_one_can_only_go_down():
    same = int(TcbClassic.of(snp=7))
    names = ("current_tcb", "committed_tcb", "reported_tcb", "launch_tcb")

    values = values_of("tcb", report=report_of(**dict.fromkeys(names, same)), product="genoa")

    assert values["SNP_COMMIT"] == ("changes nothing", "committed is what runs")
    assert "now" not in values


def test_a_report_is_read_from_its_file(tmp_path):
    file = tmp_path / "report.bin"
    file.write_bytes(report_of(current_tcb=1))

    output, errors, code = call(["explain", "tcb", "--report", str(file), "--json"])

    assert (code, errors) == (0, b"")
    assert json.loads(output)["rows"][1]["name"] == "current_tcb"


# Derived keys


@pytest.mark.parametrize("name", [*GuestFieldSelect.BITS][:6])
@pytest.mark.parametrize("root", ["vcek", "vlek", "vmrk"])
def test_a_selected_field_changes_the_key_and_no_other_does(name, root):
    before = {row: value for row, value, _ in keys(f"guest_policy root={root}")}
    rows = {row: value for row, value, _ in keys(f"{name} root={root}")}
    word = name.removeprefix("guest_") if name != "guest_svn" else name
    selected = next(row for row in rows if word in row)

    assert rows[selected] == "another key"
    assert before[selected] == ("another key" if name == "guest_policy" else "same key")
    assert rows["another chip"] == ("another key" if root == "vcek" else "same key")
    assert rows["the guest is launched again"] == ("another key" if root == "vmrk" else "same key")


def keys(text):
    output, errors, code = call(["explain", "key-select", *text.split(), "--json"])

    assert (code, errors) == (0, b"")
    return [
        (row["name"], row.get("value", ""), row.get("text", ""))
        for row in json.loads(output)["rows"]
    ]


def test_a_change_that_the_firmware_refuses_is_told():
    rows = {name: value for name, value, _ in keys("guest_svn svn=4")}

    assert rows["guest_svn of the request"] == "INVALID_PARAM"
    assert {name: value for name, value, _ in keys("0x40")}["the request"] == "INVALID_PARAM"


def test_every_change_begins_at_the_same_key():
    request = key_request("0x3f")

    assert {derivation(request).key() for _ in CHANGES} == {derivation(request).key()}
    with pytest.raises(CommandRefusal):
        derivation(key_request("0x40")).key()


# KVM


@pytest.mark.parametrize("command", KvmSevCommand, ids=lambda command: command.name)
def test_every_command_of_kvm_is_explained_with_each_spelling_of_an_error(command):
    texts = [
        f"{command.name}:-22",
        f"{command.name} EINVAL",
        f"KVM_SEV_{command.name} ret=-22",
        f"{command:d}:22",
    ]
    rows = [rows_of("kvm-sev", text) for text in texts]

    assert rows[0][1][:2] == ("-22", "EINVAL")
    assert all(row == rows[0] for row in rows)


@pytest.mark.parametrize("text", ["", " ", "nothing", "INIT2:nothing", "9999", ":"])
def test_what_is_no_command_of_kvm_is_refused(text):
    with pytest.raises(UsageError):
        list(topic_named("kvm-sev").explain(Question(text)))


# Where numbers and names are given besides


@pytest.mark.parametrize("exit", ["80000010", "SVM_VMGEXIT_PSC", "0x80000010,", "-2147483632"])
def test_the_exit_of_an_operand_is_read_by_the_same_rule(exit):
    name, _, _ = rows_of("exitinfo2", "0x0", exit=exit, response=True)[0]

    assert name == "SNP_PAGE_STATE_CHANGE"


def test_an_exit_of_an_operand_that_can_be_two_is_refused():
    with pytest.raises(UsageError, match="two numbers"):
        rows_of("exitinfo2", "0x0", exit="78", response=True)


@pytest.mark.parametrize(
    "text", ["0x94", "94", "94h", "148", "SnpGuestRequest", "SEV_CMD_SNP_GUEST_REQUEST"]
)
def test_a_command_is_found_by_each_form_of_its_number_and_name(text):
    output, errors, code = call(["decode", "command", "--id", text, "--length", "24"], bytes(24))

    assert (code, b"SNP_GUEST_REQUEST" in output) == (0, True), errors


@pytest.mark.parametrize("kind", [GuestPolicy, SevStatus])
def test_bits_by_name_are_a_word_and_no_number(kind):
    topic = topic_named({GuestPolicy: "policy", SevStatus: "sev-status"}[kind])

    assert (
        topic.reading(",".join(name for name, field in kind.BITS.items() if field.width == 1))
        is None
    )
    assert topic.reading("face").value == 0xFACE
    assert not topic.names("face")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("[3, 0, 0, 0, 0, 0, 8, 115]", 0x7308000000000003),
        ("TCB: bootloader 3 tee 0 snp 8 microcode 115", 0x7308000000000003),
        ("bootloader svn 3 microcode SVN 115", 0x7300000000000003),
        ("8288875114175397891", 0x7308000000000003),
    ],
)
def test_a_tcb_version_is_read_as_lists_and_words(text, number):
    assert spelt(text, None).value == number


@pytest.mark.parametrize("text", ["[3, 0, 0, 0, 0, 0, 8, 256]", "hello 5", "1 2 3"])
def test_what_is_neither_list_nor_words_of_a_tcb_version_is_refused(text):
    with pytest.raises(UsageError):
        spelt(text, None)


@pytest.mark.parametrize("topic", ["exit", "status", "command"])
def test_a_negative_number_that_is_no_code_is_an_error_number(topic):
    with pytest.raises(UsageError, match="-5 is none of its codes") as caught:
        subject(topic, Question("-5"))

    assert "explain errno -5" in str(caught.value.help)


def test_the_status_of_the_mailbox_is_no_guest_requests():
    text = values_of("cmdresp", "0x80000016")["[15:0] status"][1]

    assert text == "INVALID_PARAM: An argument is wrong."


def test_minus_one_beside_a_hypervisor_error_is_no_status():
    assert "not called" in values_of("exitinfo2", "0x2ffffffff")["[31:0] fw_error"][1]


@pytest.mark.parametrize(
    ("topic", "text", "number"),
    [
        ("exit", "exit_code: 0x80000013", "0x80000013"),
        ("exit", "code=0x400;", "0x400"),
        ("exit", "Error code: 0x404", "0x404"),
        ("platform-info", "PLATFORM_INFO: 0x25", "0x25"),
        ("msr", "GHCB MSR: 0x0000000000001002", "0x1002"),
        ("iommu-efr", "EFR 0x246577efa2254afa", "0x246577efa2254afa"),
        ("sev-status", "0xc0010131 0x7", "0x7"),
        ("sev-status", "c0010131 7", "0x7"),
    ],
)
def test_a_number_is_taken_from_behind_its_label(topic, text, number):
    assert subject(topic, Question(text)).question.text == number


@pytest.mark.parametrize("text", ["a: 0x1 b: 0x2", "label 17", "0x1: label"])
def test_what_is_not_one_labelled_number_is_left_as_it_is(text):
    assert subject("exit", Question(text)).question.text == text


def test_a_word_of_the_msr_is_no_reason_of_a_termination():
    with pytest.raises(UsageError, match="is no SET:CODE") as caught:
        rows_of("term", "0x21100")

    assert "explain msr 0x21100" in str(caught.value.help)


@pytest.mark.parametrize(
    ("text", "topic", "number"),
    [
        ("exit_code: 0x72", "exit", "0x72"),
        ("fw_error=0x16", "status", "0x16"),
        ("sev_status = 7", "sev-status", "0x7"),
        ("guest_policy: 30000", "policy", "0x30000"),
    ],
)
def test_a_label_alone_names_the_topic_of_the_number_behind_it(text, topic, number):
    found = subject(text, Question(""))

    assert (found.topic, found.question.text) == (topic, number)


@pytest.mark.parametrize(
    "text",
    [
        "CPU 0: 0x8000001f 0x00: eax=0x0000001b ebx=0x00004173 ecx=0x1fd edx=0x64",
        "0x8000001F: 0x0000001B 0x00004173 0x1FD 0x64",
        "0x8000001f 0x00: 0x0000001b 0x00004173 0x000001fd 0x00000064",
    ],
)
def test_a_leaf_is_read_with_its_registers_named_or_in_their_order(text):
    found = values_of("cpuid", text)

    assert found["SevLeafEax"][0] == "0x0000001b"
    assert found["SevLeafEdx"][0] == "0x00000064"


@pytest.mark.parametrize("text", ["8000001f 1", "eax=0x1", "0x8000001f"])
def test_a_leaf_without_its_registers_is_refused(text):
    with pytest.raises(UsageError, match="is no leaf"):
        rows_of("cpuid", text)


def test_the_features_of_an_iommu_are_read_from_the_line_of_the_kernel():
    line = "AMD-Vi: Extended features (0x246577efa2254afa, 0x10): PPR NX GT IA GA PC GA_vAPIC"

    assert rows_of("iommu-efr", line) == rows_of("iommu-efr", "(0x246577efa2254afa, 0x10)")
