"""specs/*.toml and snpwire.wire say the same, in both directions.

Each row of the specifications is paired with the class that declares it, by the row's name or by
the tables below. A row that is not paired fails, and so does a class without a row.
"""

from __future__ import annotations

import hmac
import re
import tomllib
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from pkgutil import iter_modules

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from snpwire import wire
from snpwire.bits import OpenEnum, Word
from snpwire.block import Block
from snpwire.crypto import amd_oids as extensions
from snpwire.crypto import kds
from snpwire.layout import Record
from snpwire.rules import commands
from snpwire.wire import (
    certs,
    cpuid,
    ghcb,
    mailbox,
    message,
    migration,
    msr,
    psc,
    report,
    status,
    svsm,
    tcb,
)
from snpwire.wire import command_table as command
from snpwire.wire.event import NOTHING, Count, Gpa, Operand, Unknown, Value, Zero
from snpwire.wire.events import EVENTS
from snpwire.wire.exits import KVM_ACCEPTED, ExitCode, event_of
from snpwire.wire.guid import MixedGuid, TextGuid
from snpwire.wire.operands import HvFeatures

SPECS = {
    path.stem: tomllib.loads(path.read_text())
    for path in sorted(Path(__file__).parents[1].joinpath("specs").glob("*.toml"))
}

# Rows whose class has another name than theirs.
STRUCTURES = {
    "ghcb_page": "ghcb:Page",
    "ghcb_page_hyperv_hypercall": "ghcb:HypervPage",
    "cert_table_entry": "certs:CertEntry",
    "tio_blob_table_entry": "certs:TioBlobEntry",
    "hv_doorbell_page": "doorbell:DoorbellPage",
    "hv_ext_int_info": "doorbell:ExtIntInfo",
    "svsm_caa": "svsm:Caa",
    "svsm_pvalidate_request": "svsm:PvalidateRequest",
    "svsm_attest_services": "svsm:AttestServices",
    "svsm_attest_single_service": "svsm:AttestSingleService",
    "svsm_services_manifest_header": "svsm:ServicesManifestHeader",
    "svsm_services_manifest_entry": "svsm:ServicesManifestEntry",
    "svsm_vtpm_send_command_request": "svsm:VtpmRequest",
    "svsm_vtpm_send_command_response": "svsm:VtpmResponse",
    "message_header": "message:Header",
    "attestation_report": "report:Report",
    "secrets_os_area": "secrets:OsArea",
}

WORDS = {
    "term_nae_info1": "operands:TermInfo",
    "ap_creation_info1": "operands:ApCreationInfo",
    "sev_tio_op_info1": "operands:SevTioOpInfo",
    "disable_alt_inj_info1": "operands:DisableAltInjInfo",
    "specific_eoi_info1": "operands:SpecificEoiInfo",
    "sw_exit_info_1_answer": "operands:ResponseInfo",
    "guest_request_info2": "operands:GuestRequestResult",
    "hv_doorbell_flags": "doorbell:DoorbellFlags",
    "hv_ext_int_status": "doorbell:ExtIntStatus",
    "svsm_rax": "svsm:SvsmCall",
    "svsm_pvalidate_entry": "svsm:PvalidateEntry",
    "report_key_select": "report:ReportSelect",
    "export_flags": "migration:MigrationFlags",
    "vmpl_perm_mask": "rmp_words:VmplMask",
    "rmp_base_msr": "rmp_words:RmpBase",
    "rmp_end_msr": "rmp_words:RmpEnd",
    "rmp_cfg_msr": "rmp_words:RmpCfg",
    "rmpadjust_rdx": "rmp_words:RmpAdjust",
    "npf_exitinfo1": "rmp_words:NpfInfo",
}

ENUMS = {
    "ghcb_usage": "ghcb:Usage",
    "svm_exit_code": "exits:ExitCode",
    "vmgexit_code": "exits:ExitCode",
    "term_reason_set": "operands:TermSet",
    "term_reason_spec": "operands:TermSpec",
    "term_reason_linux": "operands:TermLinux",
    "term_reason_amdese_svsm": "operands:TermAmdeseSvsm",
    "hv_doorbell_request": "operands:DoorbellRequest",
    "sev_tio_op_action": "operands:SevTioAction",
    "malformed_input_reason": "operands:MalformedReason",
    "ecdsa_curve": "launch:Curve",
    "command": "command:CommandId",
    "rmpupdate_result": "rmp_words:RmpUpdateResult",
    "rmpadjust_result": "rmp_words:RmpAdjustResult",
}

GUIDS = {
    "certificate": "certs:CertGuid",
    "tio": "certs:TioGuid",
    "svsm_service": "svsm:ServiceGuid",
}


def rows(table):
    return [row for spec in SPECS.values() for row in spec.get(table, [])]


def declared(*bases):
    """Every class of these kinds that a module of snpwire.wire declares, by its home."""
    found = {}
    for module in iter_modules(wire.__path__):
        members = vars(import_module(f"snpwire.wire.{module.name}"))
        for name, member in members.items():
            own = getattr(member, "__module__", "") == f"snpwire.wire.{module.name}"
            if own and isinstance(member, type) and issubclass(member, bases):
                found[f"{module.name}:{name}"] = member
    return found


def named_alike(table, base):
    """Pair each row with the class whose name, in snake case, is the row's."""
    homes = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", home.partition(":")[2]).lower(): home
        for home in declared(*base)
    }
    return {row["name"]: homes[row["name"]] for row in rows(table) if row["name"] in homes}


STRUCTURES = named_alike("structure", (Record, Block)) | STRUCTURES
WORDS = named_alike("word", (Word,)) | WORDS
ENUMS = named_alike("enum", (OpenEnum,)) | ENUMS
PAIRED = {"structure": STRUCTURES, "word": WORDS, "enum": ENUMS}


# Declared without a row of their own, and why.
UNPAIRED = {
    "msr:Msr": "the eight bytes around a word; the words have the rows",
    "msr:MsrWord": "stands for messages whose layout nobody gives",
    "operands:IoSegment": "numbering of the x86 instruction set, not of the document",
}

# Enumerated bits whose enumeration the row names in its notes alone, or not at all.
KINDS = {
    ("guest_request_info2", "fw_error"): "status:Status",
    ("ioio_info", "segment"): "operands:IoSegment",
}

OPERANDS = {
    "zero": Zero,
    "gpa": Gpa,
    "length": Count,
    "count": Count,
    "value": Value,
    "unknown": Unknown,
}

OTHER_TABLES = {
    *("meta", "event", "guid", "worked", "limits", "kvm", "kvm_scratch", "rule"),
    *("message", "check", "product", "kds", "oid"),
    "command",
    "page_state",
    "log_format",  # test_log_formats
    "refusals",  # test_kvm_sev
    "firmware_error",  # test_log_messages
    "register",
    "steps",
    *("evidence_json", "proto_message"),  # test_evidence_forms
}


# What the note of a field starts with where the field has a type of its own.
TYPE = re.compile(r"(structure|word|enum):(\w+)")


def load(home):
    module, _, name = home.partition(":")
    return getattr(import_module(f"snpwire.wire.{module}"), name)


def each(table):
    return pytest.mark.parametrize("row", rows(table), ids=lambda row: row["name"])


def number(value):
    return int(value, 0) if isinstance(value, str) else value


# Rows and classes are paired


def test_specs_have_no_table_that_nothing_compares():
    tables = {table for spec in SPECS.values() for table in spec}

    assert tables == OTHER_TABLES | PAIRED.keys()


@pytest.mark.parametrize("table", PAIRED)
def test_every_row_has_a_class_and_no_name_is_used_twice(table):
    names = [row["name"] for row in rows(table)]

    assert sorted(names) == sorted(PAIRED[table])


def test_every_declaration_has_a_row():
    paired = {home for table in PAIRED.values() for home in table.values()}
    heads = {
        block.HEAD for block in declared(Block).values()
    }  # their fields are in the block's row
    homes = {
        home
        for home, kind in declared(Record, Word, OpenEnum).items()
        if kind not in heads and home not in UNPAIRED
    }

    assert homes - paired == set()


def test_a_block_without_a_row_is_made_of_parts_that_have_one():
    paired = {load(home) for table in (STRUCTURES, WORDS) for home in table.values()}
    blocks = {block for block in declared(Block).values() if block not in paired}
    parts = {part for block in blocks for part in (block.HEAD, block.ELEMENT.codec.type)}

    assert {part for part in parts if getattr(part, "SIZE", 1)} <= paired  # a head may have nothing


def test_exemptions_are_still_needed():
    paired = {home for table in PAIRED.values() for home in table.values()}

    assert UNPAIRED.keys() <= declared(Record, Word, OpenEnum).keys() - paired


def test_every_guid_type_has_a_set():
    assert sorted(GUIDS) == sorted({row["set"] for row in rows("guid")})
    assert set(GUIDS.values()) == {home for home, kind in declared(TextGuid).items() if kind.NAMES}


# Rows and classes agree


@each("structure")
def test_fields_lie_where_the_specification_has_them(row):
    record = load(STRUCTURES[row["name"]])
    fixed = record.HEAD if issubclass(record, Block) else record
    expected = [(f["name"], f["offset"], f["size"]) for f in row["fields"]]

    assert [(f.path, f.offset, f.size) for f in fixed.FIELDS] == expected
    assert row.get("size", row.get("head")) == fixed.SIZE


@each("structure")
def test_a_field_has_the_type_that_its_note_starts_with(row):
    record = load(STRUCTURES[row["name"]])
    for field in row["fields"]:
        expected = TYPE.match(field.get("note", ""))
        if expected:
            assert type_of(record, field) is load(PAIRED[expected[1]][expected[2]]), field["name"]


def type_of(record, field):
    fixed = record.HEAD if issubclass(record, Block) else record
    codec = fixed.tile(field["name"]).codec
    return (codec.item or codec).type  # of an array, the type of its elements


# ghcb.toml leaves some types to the reader; the others name them all.
@pytest.mark.parametrize(
    "row",
    [row for row in rows("structure") if row not in SPECS["ghcb"]["structure"]],
    ids=lambda row: row["name"],
)
def test_a_field_without_such_a_note_has_no_type_of_its_own(row):
    plain = [field for field in row["fields"] if not TYPE.match(field.get("note", ""))]
    record = load(STRUCTURES[row["name"]])

    assert {type_of(record, field) for field in plain} <= {int, bytes}


@pytest.mark.parametrize(
    "row", [row for row in rows("structure") if "element" in row], ids=lambda row: row["name"]
)
def test_elements_are_counted_as_the_specification_says(row):
    block = load(STRUCTURES[row["name"]])
    field, _, more = row["count"].partition(" + ")
    head = block.HEAD(**{field: 3}).build()
    value = block.parse(head + bytes(5 * row["element_size"]))

    assert block.ELEMENT.size == row["element_size"]
    assert len(value.elements) == 3 + int(more or 0)
    assert row.get("max", 0xFFFF_FFFF) == block.MAX
    assert "head_structure" not in row or block.HEAD is load(STRUCTURES[row["head_structure"]])
    assert row["element"] == "u32" or block.ELEMENT.codec.type is element_type(row["element"])


def element_type(name):
    return load(WORDS.get(name) or STRUCTURES[name])


@each("word")
def test_bits_lie_where_the_specification_has_them(row):
    word = load(WORDS[row["name"]])
    expected = [(b["name"], b["lsb"], b["width"]) for b in row["bits"]]

    assert sorted((b.name, b.low, b.width) for b in word.BITS.values()) == sorted(expected)
    assert row["width"] == word.WIDTH


@each("word")
def test_bits_have_the_enumeration_that_the_specification_names(row):
    word = load(WORDS[row["name"]])
    for bits in row["bits"]:
        home = KINDS.get((row["name"], bits["name"]))
        home = ENUMS[bits["enum"]] if "enum" in bits else home

        assert word.BITS[bits["name"]].kind is (home and load(home)), bits["name"]


@pytest.mark.parametrize("home", sorted(set(ENUMS.values())))
def test_enumerations_have_the_members_of_their_rows(home):
    expected = {
        name: number(value)
        for row in rows("enum")
        if ENUMS[row["name"]] == home
        for name, value in row["members"].items()
    }

    assert {name: int(member) for name, member in load(home).__members__.items()} == expected


@pytest.mark.parametrize("home", sorted(set(ENUMS.values())))
def test_every_member_says_what_it_means(home):
    assert [member.name for member in load(home) if not member.doc] == []


@pytest.mark.parametrize("home", sorted(set(WORDS.values())))
def test_all_bits_say_what_they_mean(home):
    assert [field.name for field in load(home).BITS.values() if not field.doc] == []


ROW_ONLY = re.compile(r"(what|how|which|its|whose|who|where|it|they|them|this)\b", re.IGNORECASE)
"""Openings of a meaning that only the row beside it explains."""
TERMS = {"IA32_XSS"}
"""Terms of the manuals that are a meaning in one word."""


def field_meanings():
    for home, kind in declared(Record, Word, Block).items():
        fields = kind.FIELDS if issubclass(kind, Record) else ()
        fields = kind.BITS.values() if issubclass(kind, Word) else fields
        fields = (kind.ELEMENT,) if issubclass(kind, Block) else fields
        for field in fields:
            yield f"{home}.{getattr(field, 'path', '') or field.name}", field.doc


def test_a_meaning_stands_alone():
    members = {
        f"{home}.{member.name}": member.doc
        for home, kind in declared(OpenEnum).items()
        for member in kind
    }
    meanings = dict(field_meanings()) | members

    assert len(meanings) > 1400
    assert {name: doc for name, doc in meanings.items() if ROW_ONLY.match(doc)} == {}


def test_the_meaning_of_a_field_is_more_than_a_word():
    short = [name for name, doc in field_meanings() if len(doc.split()) < 2 and doc not in TERMS]

    assert short == []


@pytest.mark.parametrize("family", GUIDS)
def test_guids_have_names_text_and_order_of_their_rows(family):
    kind = load(GUIDS[family])
    mine = [row for row in rows("guid") if row["set"] == family]

    assert {row["name"]: row["text"] for row in mine} == kind.NAMES
    assert {row["order"] for row in mine} == {"mixed" if issubclass(kind, MixedGuid) else "text"}


# Events


def operand(text):
    table, _, name = text.partition(":")
    return load(PAIRED[table][name]) if name else OPERANDS[table]


def test_events_are_those_of_the_specification():
    assert sorted(event.name for event in EVENTS) == sorted(row["name"] for row in rows("event"))


@each("event")
def test_an_event_agrees_with_its_row(row):
    event = next(event for event in EVENTS if event.name == row["name"])

    assert ExitCode(row["code"]).known
    assert event.code == row["code"]
    assert sorted(event.required) == sorted(row["required"])
    assert sorted(event.returns) == sorted(row["returns"])
    assert event.info1.type is operand(row["info1"])
    assert event.info2.type is operand(row["info2"])


@each("event")
def test_what_an_event_needs_or_returns_has_a_label(row):
    event = next(event for event in EVENTS if event.name == row["name"])
    needed = {*row["required"], *row.get("conditional", ()), *row.get("unless", ())}
    returned = set(row["returns"])

    assert needed <= event.inputs.keys()
    assert returned - {"sw_exit_info_2"} == event.outputs.keys()
    assert ("sw_exit_info_2" in returned) == (event.result != NOTHING)


@pytest.mark.parametrize(
    "row", [row for row in rows("event") if "info1_value" in row], ids=lambda row: row["name"]
)
def test_the_first_operand_selects_the_row(row):
    assert event_of(row["code"], row["info1_value"]).name == row["name"]


# Firmware commands


def test_commands_are_those_of_the_specification():
    assert [row["name"] for row in rows("command")] == [c.name for c in command.COMMANDS]


@each("command")
def test_a_command_agrees_with_its_row(row):
    mine = command.COMMANDS[command.CommandId[row["name"]]]
    expected = [(p["field"], p.get("structure"), p["direction"]) for p in row.get("points", ())]
    kinds = {load(home): name for name, home in STRUCTURES.items()}

    def structure(kind):
        return kinds[wire.kind(kind).type] if kind else None

    others = command.OTHER_LAYOUTS.get(mine.id, ())
    assert structure(mine.buffer) == row.get("buffer")
    assert [structure(kind) for kind in others] == row.get("also", [])
    assert mine.direction == row["direction"]
    assert mine.on_length == row.get("on_length", False)
    assert [(p.field, structure(p.kind), p.direction) for p in mine.pointers] == expected


def test_steps_are_those_of_the_specification():
    assert len(rows("steps")) == len(commands.CHECKS)
    assert {row["command"] for row in rows("steps")} == {number.name for number in commands.CHECKS}


@pytest.mark.parametrize("row", rows("steps"), ids=lambda row: row["command"])
def test_a_command_is_checked_in_the_order_of_its_row(row):
    expected = [line.partition(": ")[0] for line in row["order"]]
    steps = commands.CHECKS[command.CommandId[row["command"]]]

    assert [" or ".join(s.name for s in step.statuses) or "-" for step in steps] == expected
    assert all(step.text for step in steps)


def test_registers_of_the_mailbox_are_those_of_the_specification():
    keys = ("name", "role", "naples", "later")
    words = {name: load(home) for name, home in WORDS.items()}

    assert [tuple(row[key] for key in keys) for row in rows("register")] == [
        tuple(getattr(register, key) for key in keys) for register in mailbox.REGISTERS
    ]
    assert [words[row["ring"]].__name__ for row in rows("register")] == [
        register.ring for register in mailbox.REGISTERS
    ]


# Guest messages


def payload(name):
    return load(STRUCTURES[name])


def test_messages_are_those_of_the_specification():
    draft = {row["type"] for row in rows("message") if not row["versions"]}
    mine = {row["type"] for row in rows("message")} - draft

    assert {int(request) for request in message.MESSAGES} == mine
    assert {int(kind) for kind in message.MsgType if int(kind) % 2} == mine | draft


@pytest.mark.parametrize(
    "row", [row for row in rows("message") if row["versions"]], ids=lambda row: row["name"]
)
def test_a_message_has_the_payloads_of_its_row(row):
    declared_row = message.MESSAGES[message.MsgType(row["type"])]
    size = row.get("response_size", payload(row["response"]).SIZE)
    types = {v: wire.kind(name).type for v, name in declared_row.payloads.items()}

    assert types == dict(zip(row["versions"], map(payload, row["requests"]), strict=True))
    assert wire.kind(declared_row.reply).type is payload(row["response"])
    assert (declared_row.reply_size or 0) == size
    assert [declared_row.request.name, declared_row.response.name] == [
        f"{row['name']}_REQ",
        f"{row['name']}_RSP",
    ]


@pytest.mark.parametrize("row", rows("message"), ids=lambda row: row["name"])
def test_a_response_is_numbered_behind_its_request(row):
    request, response = message.MsgType(row["type"]), message.MsgType(row["type"] + 1)

    assert (request.name, response.name) == (f"{row['name']}_REQ", f"{row['name']}_RSP")


def test_limits_of_messages_agree():
    limits = SPECS["messages"]["limits"]

    assert limits["payload_offset"] == message.Header.SIZE == message.HEADER_SIZE
    assert limits["payload_max"] == message.PAYLOAD_MAX == 4096 - message.Header.SIZE
    assert (limits["aad_first"], limits["aad_last"]) == (message.AAD_START, message.AAD_END - 1)
    assert limits["aad_first"] == message.Header.tile("algo").offset
    assert (limits["tag_size"], limits["key_size"]) == (message.TAG_SIZE, message.KEY_SIZE)
    assert limits["keys"] == message.VMPCKS
    assert limits["cpuid_functions_max"] == cpuid.MAX_FUNCTIONS
    assert limits["context_size"] == migration.CONTEXT_SIZE == migration.GuestContext.SIZE
    assert limits["context_version"] == migration.CONTEXT_VERSION
    assert SPECS["cpuid"]["limits"]["functions_max"] == cpuid.MAX_FUNCTIONS


def test_checks_are_in_order_and_response_with_statuses_that_exist():
    commands = {row["command"]: [] for row in rows("check")}
    for row in rows("check"):
        commands[row["command"]].append(row)

    requests = {f"{row['name']}_REQ" for row in rows("message") if row["versions"]}
    assert commands.keys() == requests | {"SNP_GUEST_REQUEST"}
    for name, checks in commands.items():
        assert [check["order"] for check in checks] == list(range(1, len(checks) + 1)), name
        assert len({check["name"] for check in checks}) == len(checks), name
        moved = [check["counts"] for check in checks]
        assert moved == sorted(moved), name  # what has moved stays moved
    for row in rows("check"):
        assert set(row["status"]) <= status.Status.__members__.keys()
        assert row["channel"] == ("mailbox" if row["command"] == "SNP_GUEST_REQUEST" else "payload")


# The report, its product and its certificates


def test_limits_of_the_report_agree():
    limits = SPECS["report"]["limits"]

    assert limits["size"] == report.REPORT_SIZE == report.Report.SIZE
    assert limits["signed_first"] == 0
    assert limits["signed_last"] + 1 == report.SIGNED == report.Report.tile("signature").offset


def test_fields_of_later_versions_say_so():
    (row,) = (row for row in rows("structure") if row["name"] == "attestation_report")
    later = {f["name"]: f["since"] for f in row["fields"] if "since" in f}
    said = {tile.path: tile.doc for tile in report.Report.FIELDS if "reserved" in tile.doc}

    assert said.keys() == later.keys()
    for name, since in later.items():
        assert said[name].endswith(
            ("reserved in version 2",) if since == 3 else (f"reserved before version {since}",)
        )


def test_products_are_those_of_the_specification():
    expected = {}
    for row in rows("product"):
        same = row["family"], row["tcb"], row.get("kds", ""), row.get("chip_id")
        expected.setdefault((row["name"], *same), []).append(tuple(row["models"]))
    mine = {
        (p.name, p.family, f"tcb_{p.layout}", p.kds, p.chip_id_size): list(p.models)
        for p in tcb.PRODUCTS
    }

    assert mine == expected
    assert all(p.layout.word is load(WORDS[f"tcb_{p.layout}"]) for p in tcb.PRODUCTS)


def test_no_processor_is_two_products():
    ranges = sorted((row["family"], *row["models"]) for row in rows("product"))

    assert all(first <= last for _, first, last in ranges)
    assert all(a[0] < b[0] or a[2] < b[1] for a, b in pairwise(ranges))


@each("kds")
def test_an_address_is_made_as_the_specification_says(row):
    turin = row.get("tcb") == "tcb_turin"
    product = next(p for p in tcb.PRODUCTS if p.kds == ("Turin" if turin else "Milan"))
    word = load(WORDS[row.get("tcb", "tcb_classic")])
    parts = {name: number for number, name in enumerate(word.BITS, 11)}
    chip = bytes(range(64))
    signer = row["path"].split("/")[1].upper()
    value = report.Report(
        version=3,
        cpuid_fam_id=product.family,
        chip_id=chip,
        reported_tcb=word.of(**parts),
        key_info=report.KeyInfo.of(signing_key=signer),
    )
    hwid = chip[: product.chip_id_size].hex()
    url = "https://kdsintf.amd.com" + row["path"].format(product=product.kds, hwid=hwid, **parts)

    assert url in [address.url for address in kds.addresses(value)]


def test_certificate_extensions_are_those_of_the_specification():
    mine = {
        **extensions.SPLS,
        extensions.STRUCT_VERSION: "structVersion",
        extensions.PRODUCT_NAME: "productName",
        extensions.HWID: "hwID",
        extensions.CSP_ID: "cspID",
    }

    assert {row["text"]: row["name"] for row in rows("oid")} == mine
    assert {row["name"] for row in rows("oid") if row["value"] == "integer"} == {
        "structVersion",
        *extensions.SPLS.values(),
    }
    assert {row["chip_id"] for row in rows("product") if "chip_id" in row} == set(
        extensions.HWID_SIZES
    )


# Limits, rules and what KVM takes


def test_limits_agree():
    limits = SPECS["ghcb"]["limits"]
    room = ghcb.SHARED_END - ghcb.SHARED_START

    assert limits["shared_buffer_size"] == room
    assert limits["psc_max_entries"] == psc.PscBuffer.MAX == (room - 8) // 8
    assert limits["svsm_pvalidate_max_entries"] == svsm.PvalidateRequest.MAX
    assert limits["linux_cert_blob_max"] // 24 == certs.MAX_ENTRIES


def test_kvm_accepts_the_same_codes():
    kvm = SPECS["ghcb"]["kvm"]

    assert set(kvm["accepted_exit_codes"]) == KVM_ACCEPTED
    assert HvFeatures(kvm["hv_features"]).names() == ["snp", "snp_ap_creation"]
    assert set(kvm["exit_marks_valid"]) <= {field.path for field in ghcb.Page.FIELDS}


def test_the_scratch_area_lies_in_the_shared_buffer():
    scratch = SPECS["ghcb"]["kvm_scratch"]

    assert scratch["in_page_first"] == ghcb.SHARED_START
    assert scratch["in_page_last"] == ghcb.SHARED_END - 1


def test_status_rules_agree():
    rules = {row["name"]: row for row in rows("rule")}
    marked = rules["write_back_page_state"]
    plain = status.Status[marked["means"]["status"]]

    assert marked["value"] == plain + status.WRITE_BACK_MARK
    assert marked["means"]["plus"] == status.WRITE_BACK_MARK
    assert rules["NO_FW_CALL"]["value"] % (1 << 32) == status.NO_FW_CALL


# Worked values


def check_word(row, kind):
    value = number(row["value"])
    word = kind(value)
    for name, expected in row["means"].items():
        field = kind.BITS[name]

        assert field.plain(word) == expected or field.value(word) == expected, name
    assert kind.of(**row["means"]) | word.unknown == value
    assert word.unknown == row.get("unknown", 0)


def check_msr(row):
    word = msr.word_of(number(row["value"]))

    assert type(word) is load(WORDS[row["word"]])
    check_word(row, type(word))


def check_enum(row):
    member = load(ENUMS[row["enum"]])(number(row["value"]))

    assert member.name == row["means"]["name"]


def check_bitmap(row):
    image = bytes.fromhex(row["bytes"])
    page = ghcb.Page.parse(bytes(0x3F0) + image + bytes(0xC00))
    groups = [f"{int(page.valid_bitmap) >> low & 0xFFFFFFFF:08x}" for low in (96, 64, 32, 0)]

    assert page.valid_bitmap.names() == row["means"]["valid"]
    assert ",".join(groups) == row["printed"]
    assert ghcb.Page(valid_bitmap=page.valid_bitmap).build()[0x3F0:0x400] == image


def check_guid(row):
    spec = next(guid for guid in rows("guid") if guid["name"] == row["guid"])
    kind = load(GUIDS[spec["set"]])
    image = bytes.fromhex(row["bytes"])

    assert kind(image).text == spec["text"]
    assert kind.from_text(spec["text"]) == image
    assert kind(image).to_plain() == row["guid"]


def check_bytes(row):
    record = load(STRUCTURES[row["structure"]])
    tile = record.tile(row["field"])
    image = bytes.fromhex(row["bytes"])
    value = record(**{row["field"]: row["means"]["value"]})

    assert value.build()[tile.offset : tile.end] == image
    assert image.decode() == row["means"]["text"]


def check_fields(row):
    record = load(STRUCTURES[row["structure"]])
    tile = record.tile(row["field"])
    image = bytes.fromhex(row["bytes"])
    value = record(**row["means"])
    end = tile.offset + len(image)

    assert value.build()[tile.offset : end] == image
    assert {record.tile(name).end <= end for name in row["means"]} == {True}


def check_product(row):
    family, model, _ = number(row["value"]).to_bytes(3, "big")

    assert tcb.product_of(family, model).name == row["means"]["name"]


def check_sealed(row):
    keys = ("key", "iv", "aad", "plain", "bytes", "tag")
    key, iv, aad, plain, sealed, tag = (bytes.fromhex(row[name]) for name in keys)
    header = message.Header(**row["means"])
    limits = SPECS["messages"]["limits"]

    assert AESGCM(key).encrypt(iv, plain, aad) == sealed + tag
    assert header.build()[limits["aad_first"] : limits["aad_last"] + 1] == aad
    assert iv == header.msg_seqno.to_bytes(8, "little") + bytes(4)
    assert (len(key), len(iv), len(tag)) == tuple(
        limits[name] for name in ("key_size", "iv_size", "tag_size")
    )
    assert len(plain) == header.msg_size == load(STRUCTURES[row["structure"]]).SIZE


def check_derived(row):
    key, context, derived = (bytes.fromhex(row[name]) for name in ("key", "context", "bytes"))
    mixed = row["label"].encode() + b"\0" + context + (8 * len(derived)).to_bytes(4, "little")
    block = hmac.digest(key, (1).to_bytes(4, "little") + mixed, "sha256")

    assert block == derived
    # Past the first word the context has the fields of the request, at the same places.
    request = load(STRUCTURES["key_req"]).parse(context[:0x20])
    means = dict(row["means"])
    assert int.from_bytes(context[0x20:0x28], "little") == means.pop("policy")
    assert {name: int(getattr(request, name)) for name in means} == means


def check_tweak(row):
    record = load(STRUCTURES["vmsa"])
    tiles = [record.tile(name) for name in row["means"]["names"]]
    quadwords = {place // 8 for tile in tiles for place in range(tile.offset, tile.end)}
    image = bytes.fromhex(row["bytes"])

    assert sum(1 << place for place in quadwords) == int.from_bytes(image, "little")
    assert len(image) == load(STRUCTURES["secrets_page"]).tile("vmsa_tweak_bitmap").size


CHECKS = {
    "msr": check_msr,
    "word": lambda row: check_word(row, load(WORDS[row["word"]])),
    "enum": check_enum,
    "bitmap": check_bitmap,
    "guid": check_guid,
    "bytes": check_bytes,
    "fields": check_fields,
    "product": check_product,
    "sealed": check_sealed,
    "derived": check_derived,
    "tweak": check_tweak,
}


@pytest.mark.parametrize("row", rows("worked"), ids=lambda row: row.get("value", row.get("bytes")))
def test_a_worked_value_means_what_the_specification_says(row):
    CHECKS[row["kind"]](row)


def test_an_operand_type_is_an_integer_of_some_kind():
    for event in EVENTS:
        operands = [event.info1, event.info2, event.result]
        for each_one in [*operands, *event.inputs.values(), *event.outputs.values()]:
            assert isinstance(each_one, Operand)
            assert issubclass(each_one.type, int)
