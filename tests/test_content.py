"""What an input holds that nobody names: kinds, evidence, certificates, logs; where it lay."""

import base64
import gzip
import json

import authority
import pytest
import wrappings
from transcripts import call

from snpwire.wire import RECORDS
from snpwire.wire.ghcb import Page, ValidBitmap
from snpwire.wire.message import Header, MessagePage
from snpwire.wire.report import Report

MARKED = ["sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", "rax", "rcx"]
GHCB = Page(
    sw_exit_code=0x72, rax=7, valid_bitmap=ValidBitmap.from_plain(MARKED), protocol_version=2
).build()
REPORT = wrappings.vouching()
BLOB = wrappings.hcl(REPORT)
HEADER = Header(
    algo=1, hdr_version=1, hdr_size=0x60, msg_type=5, msg_version=1, msg_size=0x60, msg_seqno=1
).replace(auth_tag=bytes(range(16)) + bytes(16))
LOG = (
    b"[    1.000000] a line of something else\n"
    b"[    2.000000] SEV-ES guest requested termination: 0x0:0x2\n"
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Return a folder of inputs of every sort, in which the commands run."""
    inputs = {
        "ghcb.bin": GHCB,
        "ghcb": GHCB,
        "-x": GHCB,
        "log": GHCB,
        "hcl.bin": BLOB,
        "hcl.hex": BLOB.hex().encode(),
        "quote.bin": REPORT + wrappings.table(),
        "azure.json": wrappings.azure(BLOB, 1, authority.vcek()),
        "page.json": json.dumps({"pages": {"guest": base64.b64encode(GHCB).decode()}}).encode(),
        "vcek.der": authority.vcek(),
        "chain.pem": wrappings.pem(authority.ask(), authority.ark()).encode(),
        "report.bin": REPORT,
        "short.bin": REPORT[:400],
        "printed.txt": wrappings.printed(REPORT),
        "dmesg.txt": LOG,
        "dmesg.gz": gzip.compress(LOG, mtime=0),
        "prose.txt": b"nothing of ours is in here, and no more than that\n",
    }
    for name, data in inputs.items():
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(*words, given=b"", code=0):
    output, errors, ended = call(list(words), given)

    assert ended == code, errors
    return output.decode(), errors.decode()


def refused(*words, given=b"", code=3):
    output, errors = answer(*words, given=given, code=code)

    assert output == ""
    assert errors.startswith("snpwire: ")
    return errors.splitlines()


class TestWords:
    @pytest.mark.parametrize(
        "words",
        [
            ["ghcb.bin"],
            ["./ghcb"],
            ["ghcb"],
            ["./log"],
            ["--", "-x"],
            ["decode", "ghcb.bin"],
            ["decode", "./ghcb"],
            ["decode", "--", "-x"],
            ["decode", "auto", "ghcb"],
        ],
        ids=" ".join,
    )
    def test_a_file_is_decoded_as_what_it_is(self, files, words):
        output, errors = answer(*words)

        assert output == answer("decode", "ghcb", "ghcb.bin")[0]
        assert "note: taken as ghcb: sw_exit_code 0x72 is CPUID" in errors

    @pytest.mark.parametrize("words", [["-"], ["decode", "-"], ["decode", "auto"]], ids=" ".join)
    def test_so_is_standard_input(self, words):
        assert answer(*words, given=GHCB)[0] == answer("decode", "ghcb", given=GHCB)[0]

    @pytest.mark.parametrize(
        "options", [["--json"], ["--json=full"], ["--hex"], ["--fields", "rax"], ["--all"]]
    )
    def test_options_are_those_of_decode(self, files, options):
        expected = answer("decode", "ghcb", "ghcb.bin", *options)[0]

        assert answer("ghcb.bin", *options)[0] == expected
        assert answer("decode", "ghcb.bin", *options)[0] == expected

    def test_the_name_of_a_kind_alone_stays_that_kind(self, files):
        output, errors = answer("decode", "ghcb", given=GHCB)

        assert output.startswith("ghcb  4096 bytes")
        assert "taken as" not in errors

    def test_the_name_of_a_command_wins_over_that_of_a_file(self, files):
        assert "0 records" in answer("log", given=b"nothing\n")[1]

    @pytest.mark.parametrize(
        ("word", "said"),
        [
            ("decod", "Did you mean 'decode', 'encode'?"),
            ("nothing", "No such command 'nothing'."),
        ],
    )
    def test_a_word_that_is_neither_command_nor_file_is_refused(self, files, word, said):
        lines = refused(word, "ghcb.bin", code=2)

        assert said in lines[0]

    @pytest.mark.parametrize("word", ["nowhere.bin", "./nowhere", "a/b"])
    def test_a_path_of_no_file_is_one_that_cannot_be_read(self, files, word):
        assert refused(word) == [f"snpwire: {word}: No such file or directory"]

    def test_a_word_that_is_neither_kind_nor_file_is_refused(self, files):
        assert refused("decode", "gchb", code=2) == [
            "snpwire: there is no kind 'gchb', nor a file of that name",
            "help: did you mean ghcb?",
        ]
        assert refused("decode", "gchb", "ghcb.bin", code=2) == [
            "snpwire: there is no kind 'gchb'",
            "help: did you mean ghcb?",
        ]

    def test_words_in_the_wrong_order_are_put_right(self, files):
        assert refused("decode", "ghcb.bin", "ghcb", code=2) == [
            "snpwire: there is no kind 'ghcb.bin'",
            "help: decode ghcb ghcb.bin",
        ]

    def test_an_empty_word_is_no_file(self, files):
        assert "No such command ''" in refused("", code=2)[0]
        assert "there is no kind ''" in refused("decode", "", code=2)[0]

    @pytest.mark.parametrize("words", [[], ["--"]])
    def test_without_words_the_help_is_printed_whatever_the_input_is(self, words):
        output, _ = answer(*words, given=GHCB, code=2)

        assert output.startswith("Usage: snpwire [OPTIONS] COMMAND [ARGS]... | FILE")


class TestEvidence:
    @pytest.mark.parametrize(
        ("name", "place", "offset"),
        [
            ("hcl.bin", "offset 0x20", 0x20),
            ("hcl.hex", "offset 0x20", 0x20),
            ("quote.bin", "offset 0x0", 0),
            ("azure.json", "$.hcl_report, offset 0x20", None),
        ],
    )
    @pytest.mark.parametrize("kind", ["auto", "report"])
    def test_the_report_is_decoded_and_its_place_told(self, files, kind, name, place, offset):
        said = json.loads(answer("decode", kind, name, "--json")[0])

        assert said["schema"] == "report/1"
        assert said["fields"] == Report.parse(REPORT).to_plain()
        assert (said["source"]["place"], said["source"].get("offset")) == (place, offset)
        assert said.get("base", 0) == (offset or 0)

    def test_the_place_stands_above_the_rows(self, files):
        for words in ([], ["--hex"]):
            lines = answer("hcl.bin", *words)[0].splitlines()
            assert lines[0] == "HCL blob, 2600 bytes: report at offset 0x20"
            assert "report_data is sha256(claims): yes" in lines[2]

    def test_fields_alone_have_the_place_in_a_note(self, files):
        output, errors = answer("hcl.bin", "--fields", "version")

        assert output.splitlines()[0].split()[2] == "version"
        assert "note: HCL blob, 2600 bytes: report at offset 0x20" in errors

    def test_what_was_printed_is_built_again(self, files):
        said = answer("azure.json", "--json")[0]

        assert call(["encode", "report", "-"], said.encode())[0] == REPORT

    @pytest.mark.parametrize("name", ["hcl.bin", "azure.json", "quote.bin"])
    def test_identify_lists_it(self, files, name):
        lines = answer("identify", name)[0].splitlines()
        said = json.loads(answer("identify", name, "--json")[0])

        assert lines[0] == "100%  report  attestation report"
        assert "report at " in lines[1]
        assert said[0]["source"]["form"] in lines[1]

    def test_evidence_that_is_cut_is_no_beginning_of_a_report(self, files):
        (files / "cut.bin").write_bytes(BLOB[:768])

        for words in (["cut.bin"], ["decode", "report", "cut.bin"], ["identify", "cut.bin"]):
            assert "the HCL blob is cut at 768 bytes" in refused(*words)[0]

    def test_two_reports_are_not_chosen_from(self, files):
        other = list(authority.report(version=3))
        (files / "two.json").write_text(json.dumps({"a": list(REPORT), "b": other}))

        for words in (["two.json"], ["decode", "report", "two.json"]):
            assert "2 different reports" in refused(*words)[0]

    def test_json_that_breaks_off_is_told(self, files):
        (files / "cut.json").write_bytes((files / "azure.json").read_bytes()[:900])

        for words in (["cut.json"], ["decode", "report", "cut.json"]):
            assert "the JSON breaks off" in refused(*words)[0]

    def test_a_folder_of_configfs_tsm_is_read(self, files):
        folder = files / "entry"
        folder.mkdir()
        (folder / "outblob").write_bytes(REPORT)
        (folder / "provider").write_bytes(b"sev_guest\n")

        for words in (["entry"], ["./entry"], ["decode", "report", "entry"]):
            output, _ = answer(*words)
            assert output.startswith("TSM report, folder, ")
            assert "report  1184 bytes  attestation report" in output

    def test_another_folder_is_said_to_be_none(self, files):
        (files / "empty").mkdir()

        for words in (["empty"], ["decode", "report", "empty"], ["identify", "empty"]):
            assert refused(*words) == [
                "snpwire: empty: the folder has no outblob: it is none of configfs-tsm"
            ]
        assert refused("decode", "ghcb", "empty") == ["snpwire: empty: Is a directory"]


class TestMembers:
    @pytest.mark.parametrize("words", [["page.json"], ["decode", "ghcb", "page.json"]])
    def test_bytes_in_json_are_decoded_and_their_path_told(self, files, words):
        said = json.loads(answer(*words, "--json")[0])

        assert said["fields"] == Page.parse(GHCB).to_plain()
        assert said["source"] == {"form": "base64", "path": "$.pages.guest", "size": 4096}

    def test_bytes_of_another_kind_are_not(self, files):
        assert refused("decode", "report", "page.json") == [
            "snpwire: page.json: this is JSON, and nothing in it has the size of a report"
        ]
        assert "Hypercall" not in answer("page.json")[0]

    def test_two_values_are_not_chosen_from(self, files):
        pages = [GHCB, Page.parse(GHCB).replace(rax=8).build()]
        text = json.dumps([base64.b64encode(page).decode() for page in pages])
        (files / "two.json").write_text(text)

        for words in (["two.json"], ["decode", "ghcb", "two.json"]):
            assert " is in it 2 times: ghcb at $[0], ghcb at $[1]" in refused(*words)[0]

    def test_a_list_is_of_no_size_that_could_be_looked_for(self, files):
        output, _ = answer("decode", "psc", "page.json")

        assert output.startswith("psc  ")


class TestText:
    def test_a_report_that_is_printed_whole_is_put_together(self, files):
        said = json.loads(answer("printed.txt", "--json")[0])

        assert said["fields"] == Report.parse(REPORT).to_plain()
        assert "put together" in said["source"]["notes"][0]

    def test_a_report_that_is_printed_in_part_is_read_as_far(self, files):
        text = (files / "printed.txt").read_text()
        before, _, behind = text.partition("Chip ID")
        (files / "part.txt").write_text(before + behind[behind.index("Committed TCB") :])

        for words in (["part.txt"], ["decode", "report", "part.txt"]):
            said = json.loads(answer(*words, "--json")[0])
            assert said["absent"] == ["chip_id"]
            assert "chip_id" not in said["fields"]
            assert not [row for row in said["findings"] if row["path"] == "chip_id"]
            lines = answer(*words)[0].splitlines()
            assert lines[0].startswith("report as text of ")
            assert "not in this input: chip_id" in lines


class TestBeginning:
    @pytest.mark.parametrize(
        ("data", "kind"),
        [
            (REPORT[:0x38], "report"),
            (REPORT[:0x60], "report"),
            (REPORT[:-1], "report"),
            (HEADER.build(), "message"),
            (MessagePage(header=HEADER, payload=b"x" * 4000).build()[:192], "message"),
            (GHCB[:0x400], "ghcb"),
            (GHCB[:0xFF0], "ghcb"),
            (
                RECORDS["vmsa"]
                .type.from_plain({"efer": "0x1d01", "sev_features": ["snp_active"]})
                .build()[:1648],
                "vmsa",
            ),
            (
                RECORDS["secrets"]
                .type.from_plain({"version": 3, "fms": 0xA20F12, "vmpck0": bytes(range(32)).hex()})
                .build()[:0x100],
                "secrets",
            ),
        ],
    )
    def test_it_is_known_by_its_first_fields(self, data, kind):
        output, errors = answer("-", given=data)
        found = json.loads(answer("identify", "--json", given=data)[0])[0]

        assert output.startswith(f"{kind}  {len(data)} of {RECORDS[kind].type.SIZE} bytes")
        assert f"only {len(data)} of " in errors
        assert found["kind"] == kind
        assert found["score"] < 0.8

    @pytest.mark.parametrize(
        "data",
        [
            REPORT[:0x37],
            Report.parse(REPORT).replace(version=6).build()[:0x60],
            Report.parse(REPORT).replace(vmpl=4).build()[:0x60],
            Report.parse(REPORT).replace(signature_algo=2).build()[:0x60],
            HEADER.replace(hdr_size=0x61).build(),
            HEADER.replace(msg_size=0x61).build(),
            GHCB[:0x3FF],
            Page(sw_exit_code=0x72).build()[:0x400],
            Page.parse(GHCB).replace(reserved_0x000=b"\1" * 203).build()[:0x400],
            RECORDS["vmsa"].type.from_plain({"efer": "0x1d01"}).build()[:1648],
            RECORDS["vmsa"].type.from_plain({"efer": "0x01"}).build()[:1648],
            RECORDS["secrets"].type.from_plain({"version": 3}).build()[:0x100],
        ],
    )
    def test_without_their_shape_it_is_not(self, data):
        said = refused("-", given=data)[0]
        assert "nothing tells what this is" in said or "the report is cut" in said

    def test_a_message_that_is_whole_is_said_to_be(self):
        page = MessagePage(header=HEADER, payload=b"x" * 4000).build()

        whole, short = (answer("-", given=page[:end])[1] for end in (192, 191))

        assert "192 of 4096 bytes: the message is whole, its 96 sealed bytes end at 0x0c0" in whole
        assert "191 of 4096 bytes: what is from 0x0bf on is not there" in short

    def test_a_field_that_is_not_there_has_no_row(self, files):
        output, errors = answer("decode", "report", "short.bin", "--fields", "chip_id", code=3)

        assert output == ""
        assert errors.endswith("snpwire: chip_id at 0x1a0 is not among the 400 bytes\n")

    def test_json_of_a_beginning_is_not_encoded_as_a_whole(self, files):
        said = answer("short.bin", "--json")[0]

        lines = refused("encode", "report", "-", given=said.encode())

        assert "this JSON is no whole report: missing are" in lines[0]

    def test_zeros_behind_a_record_in_its_page_are_told(self, files):
        block = RECORDS["idblock"].type.from_plain({"version": 1, "policy": 0x30000}).build()

        output, errors = answer("decode", "idblock", given=block.ljust(4096, b"\0"))

        assert output.startswith("idblock  96 bytes")
        assert "note: 4000 bytes follow the 96 of idblock, all of them zero" in errors
        assert "expected 96 bytes" in refused("decode", "idblock", given=block.ljust(4096, b"x"))[0]
        assert refused("decode", "idblock", "--strict", given=block.ljust(4096, b"\0"))

    @pytest.mark.parametrize("size", [1185, 4095, 8192])
    def test_other_sizes_are_refused(self, size):
        data = bytes(range(1, 255)) * 5

        assert (
            "expected 1184 bytes" in refused("decode", "report", given=data.ljust(size, b"\1"))[0]
        )


class TestDiff:
    def test_what_both_have_is_compared(self, files):
        output, errors = answer("diff", "report", "report.bin", "short.bin", code=1)

        assert output == ""
        assert "note: 400 of 1184 bytes: what is from 0x190 on is not there" in errors
        assert "0 of 22 fields differ" in errors

    def test_two_beginnings_of_one_size_may_be_the_same(self, files):
        (files / "other.bin").write_bytes(REPORT[:399] + b"\xff")

        answer("diff", "report", "short.bin", "short.bin")
        output, _ = answer("diff", "report", "short.bin", "other.bin", code=1)

        assert output.splitlines()[0].split() == ["0x18b", "5", "reserved_0x18b"]

    def test_strict_refuses(self, files):
        lines = refused("diff", "report", "report.bin", "short.bin", "--strict")

        assert lines == ["snpwire: short.bin: Report: expected 1184 bytes, got 400"]


class TestCertificates:
    @pytest.mark.parametrize("name", ["vcek.der", "chain.pem"])
    def test_they_are_printed_as_decode_cert_does(self, files, name):
        output, errors = answer(name)

        assert output == answer("decode", "cert", name)[0]
        assert "note: taken as a " in errors
        assert json.loads(answer("identify", name, "--json")[0])[0]["kind"] == "cert"

    def test_a_report_may_be_held_against_them(self, files):
        assert "report.bin" in call(["vcek.der", "--report", "report.bin"], b"")[0].decode()
        assert refused("ghcb.bin", "--report", "report.bin", code=2) == [
            "snpwire: --report is for a certificate, not for ghcb"
        ]
        assert refused("decode", "ghcb", "ghcb.bin", "--report", "report.bin", code=2) == [
            "snpwire: --report is for a certificate, not for ghcb"
        ]

    def test_they_are_no_report(self, files):
        assert refused("decode", "report", "chain.pem") == [
            "snpwire: chain.pem: this is a PEM bundle of 2 certificates, not a report",
            "help: snpwire decode cert reads it",
        ]


class TestLog:
    @pytest.mark.parametrize("options", [[], ["--json"]])
    def test_its_records_are_printed(self, files, options):
        output, errors = answer("dmesg.txt", *options)

        assert output == answer("log", "dmesg.txt", *options)[0]
        assert errors.startswith("note: taken as a log: snpwire log prints the same\n")
        assert output == answer("-", *options, given=LOG)[0]

    @pytest.mark.parametrize("options", [["--hex"], ["--fields", "x"], ["--json=full"]])
    def test_what_a_log_has_no_use_for_is_refused(self, files, options):
        assert refused("dmesg.txt", *options, code=2)[0] == (
            "snpwire: dmesg.txt: this is a log, not one value"
        )

    def test_identify_says_which_line_told(self, files):
        lines = answer("identify", "dmesg.txt")[0].splitlines()

        assert lines == [
            " 90%  log  log with SNP events",
            "      line 2 is a message of type term",
        ]

    def test_a_log_is_read_though_part_of_it_looks_like_a_broken_dump(self, files):
        text = b"00 11 22 33\n00 11 22 3\n" * 20 + LOG

        assert "termination 0x0:0x2" in answer("-", given=text)[0]

    def test_a_log_that_is_packed_is_told(self, files):
        assert "this is gzip: zcat FILE | snpwire decode -" in refused("dmesg.gz")[0]
        assert "this is a zip archive" in refused("-", given=b"PK\x03\x04" + bytes(40))[0]

    def test_evidence_within_a_text_is_identified_without_a_word_on_the_text(self, files):
        text = b"POST / HTTP/1.1\n\n" + json.dumps({"report": REPORT.hex()}).encode()

        output, notes = answer("identify", "-", given=text)[:2]

        assert "report at line 3 > $.report" in output
        assert "raw bytes" not in notes

    def test_any_other_text_is_none(self, files):
        assert refused("prose.txt")[0].startswith(
            "snpwire: prose.txt: nothing tells what this is: a text of 50 bytes"
        )
        assert answer("identify", "prose.txt", code=1)[0].startswith("  0%  unknown")


def test_a_form_that_is_named_is_kept(files):
    assert refused("hcl.hex", "--from", "raw")[0].startswith(
        "snpwire: hcl.hex: nothing tells what this is"
    )
    assert answer("hcl.bin", "--offset", "0x20", "--length", "1184")[0].startswith(
        "report  1184 bytes at 0x20"
    )


def test_a_file_without_an_end_is_refused():
    assert "more bytes than the 16777216 that are read" in refused("/dev/zero")[0]


def test_a_list_of_a_part_of_a_report_is_that_part_or_has_two_readings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part").write_text(str([*REPORT[:400]]))
    (tmp_path / "either").write_text(str([3, 0, 0, 0, *bytes(52), 10, 0, 0, 0]))

    part, told, code = call(["decode", "part"])
    _, refused, failed = call(["decode", "either"])

    assert (code, failed) == (0, 3)
    assert b"400 of 1184 bytes" in part + told
    assert b"read as decimal" in told
    assert b"decimal or hex? nothing decides whether 10 is 10 or 16" in refused
