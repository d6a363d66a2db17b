"""How an input is read: raw, as text, a piece of it, or KVM's log; and what is said of it."""

import base64
import io
import json
import os
import random

import pytest
from transcripts import call, streams

from snpwire.capture import FORMS
from snpwire.cli.input import CHUNK, SNIFF, _size, load
from snpwire.context import Direction
from snpwire.errors import InputError
from snpwire.wire.ghcb import Page

SOURCE = random.Random(56421)
PAGE = SOURCE.randbytes(4096)
ZEROS = bytes(4096)


def log(*, snapshot=True, bitmap="001c0000,00000000,00000000,00000000", valid="1"):
    """Return a GHCB as KVM prints it, among other lines of a kernel log."""
    return (
        "[   12.000000] kvm: starting\n"
        f"[   12.345678] kvm_amd: GHCB (GPA=0000000001234000){' snapshot' if snapshot else ''}:\n"
        f"[   12.345679] kvm_amd: sw_exit_code        0000000000000072 is_valid: {valid}\n"
        f"[   12.345680] kvm_amd: sw_exit_info_1      0000000000000000 is_valid: {valid}\n"
        f"[   12.345681] kvm_amd: sw_exit_info_2      0000000000000000 is_valid: {valid}\n"
        "[   12.345682] kvm_amd: sw_scratch          0000000001234800 is_valid: 0\n"
        f"[   12.345683] kvm_amd: valid_bitmap        {bitmap}\n"
    ).encode()


def decode(*words, given=b""):
    """Return the JSON that decode prints, and its notes but the last, on findings."""
    output, errors, code = call(["decode", *words, "--json=full"], given)
    assert code == 0, errors
    notes = errors.decode().splitlines()
    assert notes[-1].startswith("note: findings: ")
    return json.loads(output), [note.removeprefix("note: ") for note in notes[:-1]]


def dump(data, group=1):
    rows = range(0, len(data), 16)
    return "".join(f"{at:08x}: {data[at : at + 16].hex(' ', group)}\n" for at in rows).encode()


def page_of(said):
    """Return the page that the leaves of a full JSON stand for."""
    data = bytearray(4096)
    for leaf in said["fields"].values():
        data[leaf["offset"] : leaf["offset"] + leaf["size"]] = bytes.fromhex(leaf["hex"])
    return bytes(data)


class TestForms:
    @pytest.mark.parametrize(
        ("text", "form"),
        [
            (PAGE, "raw"),
            (PAGE.hex().encode(), "hex"),
            (dump(PAGE), "hex"),
            (base64.b64encode(PAGE), "base64"),
            (base64.encodebytes(PAGE), "base64"),
        ],
    )
    @pytest.mark.parametrize("forced", [False, True])
    def test_every_form_is_the_same_page(self, text, form, forced):
        said, notes = decode("ghcb", *(["--from", form] if forced else []), given=text)

        assert page_of(said) == PAGE
        assert (notes == []) == (form == "raw")
        assert all("read as" in note for note in notes[:1])

    def test_the_forms_of_the_option_are_those_that_are_read(self):
        listed = call(["decode", "--help"])[0].decode()

        for form in (*FORMS, "kvm"):
            assert call(["decode", "ghcb", "--from", form], b"")[2] == 3  # not 2: it is known
            assert form in listed

    def test_groups_of_words_are_told(self):
        _, notes = decode("ghcb", "--from", "hex-le", given=dump(PAGE, 8))

        assert len(notes) == 2
        assert notes[0].startswith("read as ")

    def test_text_that_must_be_the_page_is_told(self):
        _, notes = decode("ghcb", given=b"0" * 4096)

        assert notes == ["taken as raw bytes: as hex it would be 2048 bytes"]


class TestPieces:
    @pytest.fixture(params=["file", "stdin", "text in the middle", "hex", "hex on stdin"])
    def image(self, request, tmp_path):
        """Return the words and the input that stand for four pages, and whether it is text."""
        data = SOURCE.randbytes(4096) + ZEROS + PAGE + SOURCE.randbytes(100)
        if request.param == "text in the middle":
            data = b"a" * 4096 + ZEROS + PAGE + bytes(SNIFF)
        text = data.hex().encode() if request.param.startswith("hex") else data
        if request.param.endswith("stdin"):
            return ["-"], text
        file = tmp_path / "image"
        file.write_bytes(text)
        return [str(file)], b""

    @pytest.mark.parametrize(
        "words",
        [
            ["--page", "2"],
            ["--page", "0x2", "--length", "0x1000"],
            ["--offset", "8192"],
            ["--offset", "0x2000", "--length", "4_096"],
        ],
    )
    def test_a_piece_is_cut_out(self, image, words):
        name, given = image

        said, _ = decode("ghcb", *name, *words, given=given)

        assert page_of(said) == PAGE
        assert said["base"] == 0x2000

    def test_a_piece_of_a_file_is_told(self, tmp_path):
        file = tmp_path / "image"
        file.write_bytes(ZEROS + PAGE)

        assert decode("ghcb", str(file), "--page", "1")[1] == [
            "4096 bytes at 0x1000 of a larger file"
        ]

    def test_the_rest_is_a_piece_too(self, tmp_path):
        file = tmp_path / "image"
        file.write_bytes(ZEROS + bytes.fromhex("0000010011112222333344445555666677778888"))

        for words, given in (([str(file)], b""), (["-"], file.read_bytes())):
            said, notes = decode("psc", *words, "--offset", "4096", given=given)
            assert len(said["fields"]["entries"]) == 1
            assert said["fields"]["rest"]["offset"] == 16
            assert notes == (["the rest at 0x1000 of a larger file"] if given == b"" else [])

    def test_a_length_alone_begins_at_the_start(self):
        said, _ = decode("ghcb", "--length", "4096", given=PAGE + b"more")

        assert page_of(said) == PAGE
        assert "base" not in said

    def test_offsets_are_those_of_the_value_and_its_place_is_told(self):
        tree, _, _ = call(["decode", "ghcb", "--page", "1"], ZEROS + PAGE)

        assert tree.decode().split("\n")[0].startswith("ghcb  4096 bytes at 0x1000  ")
        assert b"0x1f8" in tree

    def test_every_view_has_the_same_offsets(self, tmp_path):
        file = tmp_path / "image"
        file.write_bytes(ZEROS + PAGE)
        words = ["decode", "ghcb", str(file), "--page", "1"]

        said, _ = decode(*words[1:])
        rows = call([*words, "--hex"])[0].decode().splitlines()

        hexed = {row.split()[-1]: row.split()[0] for row in rows if len(row) > 54}
        assert {path: int(at, 16) for path, at in hexed.items()} == {
            path: leaf["offset"] for path, leaf in said["fields"].items()
        }
        tree = call([*words, "--all"])[0].decode()
        for path, leaf in said["fields"].items():
            assert f"{leaf['offset']:#05x} {leaf['size']:>4}  {path} " in tree
        for finding in said["findings"]:
            if finding["path"] in said["fields"]:
                assert finding["offset"] == said["fields"][finding["path"]]["offset"]

    def test_a_character_cut_by_the_sample_is_still_text(self, tmp_path):
        file = tmp_path / "text"
        file.write_bytes(b"# " + "\u00e9".encode() * SNIFF)

        assert call(["decode", "ghcb", str(file), "--page", "1"])[2] == 0


class TestLog:
    def test_what_the_log_shows_is_decoded(self):
        said, notes = decode("ghcb", given=log())

        assert notes == ["a GHCB as KVM prints it"]
        assert sorted(said["fields"]) == [
            "sw_exit_code",
            "sw_exit_info_1",
            "sw_exit_info_2",
            "sw_scratch",
            "valid_bitmap",
        ]
        assert said["event"] == "CPUID"
        assert "rax" in said["absent"]
        assert len(said["absent"]) == len(Page.FIELDS) - 5

    def test_a_bitmap_that_kvm_cleared_is_absent(self):
        cleared = "00000000,00000000,00000000,00000000"

        said, _ = decode("ghcb", given=log(snapshot=False, bitmap=cleared, valid="0"))

        assert "valid_bitmap" in said["absent"]
        assert "valid_bitmap" not in said["fields"]

    @pytest.mark.parametrize("words", [[], ["--all"], ["--hex"], ["--fields", "rax,rcx,cpl"]])
    def test_what_is_absent_is_not_shown(self, words):
        shown = call(["decode", "ghcb", *words], log())[0].decode()

        rows = [line for line in shown.splitlines() if line.startswith("0x")]
        assert not [row for row in rows if "  rax" in row or "reserved_" in row or "  cpl" in row]
        if "--fields" in words:
            assert shown == ""
        else:
            assert any("sw_exit_code" in row for row in rows)

    def test_what_is_absent_is_listed(self):
        shown = call(["decode", "ghcb"], log())[0].decode()

        assert "not in this input: cpl dr7 " in shown

    def test_fields_that_are_shown_can_be_chosen(self):
        said, _ = decode("ghcb", "--fields", "sw_scratch,rax", given=log())

        assert list(said["fields"]) == ["sw_scratch"]

    @pytest.mark.parametrize("form", ["--json", "--json=full"])
    def test_its_json_is_no_page(self, form):
        printed, _, _ = call(["decode", "ghcb", form], log())

        output, errors, code = call(["encode", "ghcb"], printed)

        assert (output, code) == (b"", 3)
        assert b"is no whole ghcb" in errors
        fields = json.dumps(json.loads(printed)["fields"]).encode()
        built, _, code = call(["encode", "ghcb"], fields)
        assert code == 0
        assert Page.parse(built).sw_scratch == 0x1234800

    def test_its_gpa_is_known(self):
        near, _ = decode("ghcb", given=log())
        far, _ = decode("ghcb", "--gpa", "0x99999000", given=log())

        assert near["fields"] == far["fields"]

    def test_auto_and_identify_know_it(self):
        assert decode("auto", given=log())[0]["schema"] == "ghcb/1"
        assert json.loads(call(["identify", "--json"], log())[0])[0]["kind"] == "ghcb"
        assert b"note: a GHCB as KVM prints it" in call(["identify"], log())[1]

    def test_logs_are_compared_where_both_tell(self, tmp_path):
        file = tmp_path / "log"
        file.write_bytes(log())

        output, _, code = call(
            ["diff", "ghcb", str(file), "-"],
            log(bitmap="0,1,2,3".replace(",", ",0000000").zfill(35)),
        )

        assert code == 1
        assert output.count(b"\n") == 3

    def test_a_log_and_a_page_are_compared_where_both_tell(self, tmp_path):
        file = tmp_path / "log"
        file.write_bytes(log())

        for words in ([str(file), "-"], ["-", str(file)]):
            page = Page(sw_exit_code=0x72, sw_scratch=0x1234800, rax=7).build()
            given = page if words[1] == "-" else log()
            file.write_bytes(log() if words[1] == "-" else page)
            output, _, code = call(["diff", "ghcb", *words], given)
            assert code == 1
            assert b"valid_bitmap" in output
            assert b"rax\n" not in output
            assert output.count(b"\n") == 3

    def test_a_direction_is_taken_for_it_too(self):
        said, _ = decode("ghcb", "--direction", "answer", given=log())

        assert said["decisions"][0]["choice"] == Direction.RESPONSE

    def test_bytes_of_a_size_that_fits_may_look_like_a_broken_log(self):
        data = b"\xff\xfe\x01\x02GHCB (GPA=0000000000001000):"
        said = load_bytes(data, fits=lambda size: size >= 32)

        assert (said.data, said.log) == (data, None)
        with pytest.raises(InputError, match="has no sw_exit_code"):
            load_bytes(data, fits=lambda size: size > 32)


def load_bytes(data, **options):
    """Read bytes on standard input as a command does."""
    with streams(data):
        return load("-", **{"form": "auto", "piece": None, "fits": None} | options)


class TestSizes:
    """No more is read than could be meant, and what is too large is told with its size."""

    @pytest.fixture
    def big(self, tmp_path):
        """Return a file of zeros that is larger than any memory."""
        file = tmp_path / "big"
        with file.open("wb") as stream:
            stream.truncate(1 << 40)
        return str(file)

    def refused(self, *words, given=b""):
        output, errors, code = call(list(words), given)
        assert (output, code) == (b"", 3)
        return errors.decode()

    def test_a_file_that_is_too_large_is_told_with_its_size(self, big):
        assert self.refused("decode", "ghcb", big) == (
            f"snpwire: {big}: it has 1099511627776 bytes, more than the 65536 that are read\n"
            "help: --page N takes one 4 KiB page of it, --offset and --length any piece\n"
        )
        assert "more than the 16777216 that are read" in self.refused("decode", "certs", big)

    def test_no_piece_is_offered_of_a_file_that_is_read_whole(self, big):
        assert self.refused("encode", "ghcb", big) == (
            f"snpwire: {big}: it has 1099511627776 bytes, more than the 16777216 that are read\n"
        )

    def test_what_has_no_size_is_only_more(self):
        said = self.refused("decode", "ghcb", given=bytes(1 << 17))

        assert "<stdin>: it has more bytes than the 65536 that are read" in said

    def test_what_is_no_file_of_the_system_has_no_size(self):
        assert _size(io.BytesIO(b"some")) == 0

    def test_text_that_spells_too_much_is_told_with_its_size(self):
        said = self.refused("decode", "ghcb", given=b"00 " * (1 << 21))

        assert "it has 6291456 bytes, more than the 4194304 that are read" in said

    @pytest.mark.parametrize("rest", [[], ["--length", "99999999"]], ids=["the rest", "a length"])
    def test_a_piece_that_is_too_large_is_refused(self, rest, big):
        said = self.refused("decode", "certs", big, "--offset", "4096", *rest)

        assert "more than the 16777216 that are read" in said

    @pytest.mark.parametrize(
        "rest", [[], ["--length", "99999999999"]], ids=["the rest", "a length"]
    )
    def test_a_piece_of_what_never_ends_is_refused(self, rest):
        said = self.refused("decode", "certs", "/dev/zero", "--offset", "4096", *rest)

        assert "/dev/zero: it has more bytes than the 16777216 that are read" in said

    def test_a_piece_far_into_what_comes_but_once_is_found(self):
        given = bytes(2 * CHUNK + 4096) + PAGE + ZEROS
        said, _ = decode("ghcb", "--page", str(2 * CHUNK // 4096 + 1), given=given)

        assert page_of(said) == PAGE

    def test_a_piece_past_the_end_of_what_comes_but_once_tells_that_end(self):
        said = self.refused("decode", "ghcb", "--offset", "0x300000", given=bytes(0x212345))

        assert "offset 0x300000 is past the end, which is 0x212345" in said

    def test_a_file_that_is_cut_while_a_piece_is_read_is_told(self, tmp_path, monkeypatch):
        file = tmp_path / "image"
        file.write_bytes(bytes(8 * SNIFF))

        def cut(stream):
            size = _size(stream)
            os.truncate(file, 4 * SNIFF + 16)
            return size

        monkeypatch.setattr("snpwire.cli.input._size", cut)
        said = self.refused("decode", "ghcb", str(file), "--offset", str(4 * SNIFF))

        assert said == f"snpwire: {file}: it was cut to 0x40010 bytes while it was read\n"
