"""The scripts that capture: they are listed, complete, in the wheel, and say what they need."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from transcripts import call

from snpwire.capture.kernel_log import records
from snpwire.capture.logs.formats import match
from snpwire.capture.recipe import NAMES, PARTS, named, recipe

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "snpwire" / "capture" / "recipes"
SHELL = [name for name in NAMES if name.endswith(".sh")]
PYTHON = [name for name in NAMES if name.endswith(".py")]
BPF = [name for name in NAMES if name.endswith(".bt")]


def printed(*words, code=0):
    output, errors, ended = call(["recipe", *words])

    assert ended == code, errors
    return output.decode(), errors.decode()


def test_the_list_has_every_script_with_a_line_that_fits_a_terminal():
    output, errors = printed()

    lines = output.splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES)
    assert {f"{name}.txt" for name in NAMES} == {path.name for path in FOLDER.iterdir()}
    assert max(map(len, lines)) <= 110
    assert errors == ""


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_printed_as_it_is_and_its_head_says_what_it_needs(name):
    output, errors = printed(name)

    head = recipe(name).head
    assert output == (FOLDER / f"{name}.txt").read_text()
    assert output.startswith("#!/")
    assert errors == ""
    assert set(head) >= {"captures", "needs", "misses", "read with"}
    assert list(head) == [part for part in PARTS if part in head]
    assert ("snpwire " in head["read with"]) or name == "snp.py"
    assert max(map(len, output.expandtabs(8).splitlines())) <= 116


@pytest.mark.parametrize("name", NAMES)
def test_what_reads_a_script_s_output_is_a_command_that_exists(name):
    words = re.findall(r"snpwire ([a-z]+)", recipe(name).head["read with"])

    for word in words:
        assert call([word, "--help"])[2] == 0


def test_the_ending_may_be_left_out_and_what_is_ambiguous_is_noted():
    pages, _ = printed("pages")
    guest, note = printed("guest")

    assert pages == recipe("pages.bt").text
    assert guest == recipe("guest.bt").text
    assert note == "note: this is guest.bt; there is guest.py as well\n"
    assert named("guest") == ["guest.bt", "guest.py"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("page.bt",), "there is no recipe 'page.bt'"),
        (("zzz",), "help: they are: events.sh"),
        (("-o", "x"), "-o is for one recipe"),
    ],
)
def test_a_recipe_that_there_is_not_is_a_wrong_use(words, reason):
    _, errors = printed(*words, code=2)

    assert reason in errors


def test_a_script_is_written_to_a_file_that_can_be_run(tmp_path):
    file = tmp_path / "pages.bt"

    output, errors = printed("pages", "-o", str(file))

    assert (output, file.read_text()) == ("", recipe("pages.bt").text)
    assert file.stat().st_mode & stat.S_IXUSR
    assert errors == f"note: {file}: run it with bpftrace as root\n"


def test_a_script_goes_to_a_device_and_the_device_stays_as_it_is():
    before = os.stat(os.devnull).st_mode

    _, errors = printed("snp", "-o", os.devnull)

    assert "run it with drgn" in errors
    assert os.stat(os.devnull).st_mode == before


@pytest.mark.parametrize("name", SHELL)
def test_shell_scripts_are_shell_and_say_how_they_are_used(name, tmp_path):
    file = tmp_path / name
    file.write_text(recipe(name).text)

    checked = subprocess.run(["sh", "-n", str(file)], capture_output=True, check=False)
    used = subprocess.run(["sh", str(file), "x"], capture_output=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, b"")
    assert (used.returncode, used.stderr[:6]) == (2, b"usage:")


@pytest.mark.parametrize("name", PYTHON)
def test_python_scripts_are_python_and_import_nothing_but_the_standard_library_and_drgn(name):
    tree = ast.parse(recipe(name).text)

    used = {node.module.partition(".")[0] for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)}  # fmt: skip
    used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import)
             for alias in node.names}  # fmt: skip
    assert used <= {*sys.stdlib_module_names, *(("drgn",) if name == "snp.py" else ())}
    assert ast.get_docstring(tree)


@pytest.mark.parametrize("name", ["guest.py", "devmem.py"])
def test_python_scripts_say_how_they_are_used(name, tmp_path):
    file = tmp_path / name
    file.write_text(recipe(name).text)

    used = subprocess.run([sys.executable, str(file)], capture_output=True, check=False)

    assert (used.returncode, used.stderr[:6]) == (1, b"usage:")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("zz",), "REPORT_DATA is hex"),
        (("00" * 65,), "REPORT_DATA has at most 64 bytes, not 65"),
    ],
)
def test_report_data_that_is_none_is_refused_before_the_guest_is_asked(words, reason, tmp_path):
    file = tmp_path / "guest.py"
    file.write_text(recipe("guest.py").text)

    used = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "out"), *words], capture_output=True, check=False
    )

    assert used.stderr.decode() == f"{reason}\n"
    assert not (tmp_path / "out").exists()


FORMAT = re.compile(r'printf\("([^"]*)\\n"')
VALUES = {
    "%llu": "1",
    "%d": "1",
    "%llx": "1",
    "0x%llx": "0x1",
    "0x%x": "0x94",
    "0x%016llx": "0x0000000000000001",
    "%rh": "00 01",
}


@pytest.mark.parametrize("name", BPF)
def test_what_bpftrace_scripts_print_is_a_record_with_every_value_by_its_name(name):
    formats = FORMAT.findall(recipe(name).text)

    for text in formats:
        line = re.sub(r"(?:0x)?%(?:016)?(?:llu|llx|rh|d|x)", lambda m: VALUES[m[0]], text)
        if line.startswith("no segment"):
            continue
        (record,) = records([line.encode()])
        names = re.findall(r"(\w+)=", line)
        assert match(" ".join(line.split()))
        assert set(names) <= {*record.fields, "t"}
    assert formats


@pytest.mark.parametrize("name", BPF)
def test_bpftrace_scripts_close_what_they_open(name):
    text = re.sub(r"/\*.*?\*/|\"[^\"]*\"", "", recipe(name).text, flags=re.DOTALL)

    for opening, closing in ("()", "{}"):
        assert text.count(opening) == text.count(closing) > 0


def test_what_probes_trace_is_read_by_the_names_that_they_have():
    text = recipe("probes.sh").text

    assert re.findall(r"t:snp/(\w+)_\$way|f:snp/(\w+) ", text)
    for name in ("ghcb_enter", "ghcb_exit", "command", "command_done"):
        assert name in text
    line = "ghcb_enter: (__probestub_kvm_vmgexit_enter+0x4/0x10 [kvm]) vcpu=0 cpl=0x0"
    (record,) = records([line.encode()])
    assert record.fields["page"] == "ghcb"


def test_the_wheel_has_the_scripts(tmp_path):
    pytest.importorskip("hatchling", reason="hatchling is not installed: nothing builds a wheel")
    made = subprocess.run(
        [sys.executable, "-c", "import sys; from hatchling.build import build_wheel;"
         " print(build_wheel(sys.argv[1]))", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    names = zipfile.ZipFile(tmp_path / made.stdout.split()[-1]).namelist()
    assert {f"snpwire/capture/recipes/{name}.txt" for name in NAMES} <= set(names)
