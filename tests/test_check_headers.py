"""Comparing specs/ with kernel headers tells what agrees, what differs and what is absent."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "check_headers.py"
needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")

# Made up for this test; only the names are a kernel's.
PSC = """
#define VMGEXIT_PSC_MAX_COUNT 253  /* a comment
   over two lines */
#define GHCB_MSR_TERM_REQ \\
    0x100
struct psc_hdr { u16 cur_entry; u16 end_entry; u32 spare; } __packed;
struct psc_entry { u64 cur_page : 12, gfn : 40, operation : 4, pagesize : 1, spare : 7; } __packed;
"""
STATUS = "typedef enum { SEV_RET_NO_FW_CALL = -1, SEV_RET_SUCCESS = 0 } sev_ret_code;\n"


COMMANDS = """
enum sev_cmd { SEV_CMD_SNP_COMMIT = 0x0cb, SEV_CMD_MAX };
struct sev_data_snp_launch_start {
    u64 gctx_paddr; u64 policy; u64 ma_gctx_paddr;
    u32 ma_en:1; u32 imi_en:1; u32 spare:30;
    u32 desired_tsc_khz; u8 gosvw[16];
} __packed;
struct sev_data_range { u64 base; u32 page_count; u32 spare; } __packed;
struct sev_data_range_list {
    u32 num_elements; u32 spare; struct sev_data_range ranges[];
} __packed;
"""


def write_headers(folder, psc=PSC, status=STATUS, commands="", kvm=""):
    for name, text in {
        "arch/x86/include/asm/sev-common.h": psc,
        "include/linux/psp-sev.h": commands,
        "arch/x86/include/asm/kvm_host.h": kvm,
        "include/uapi/linux/psp-sev.h": status,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def check(*arguments):
    command = (sys.executable, TOOL, *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_gcc
def test_headers_that_agree_pass(tmp_path):
    result = check("--headers", write_headers(tmp_path))

    assert (result.returncode, result.stderr) == (0, "")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["psc_header", "2", "fields", "agree"] in lines
    assert ["psc_entry", "4", "bits", "agree"] in lines
    assert lines[-1][:4] == ["13", "passed,", "0", "failed,"]


@needs_gcc
def test_buffers_of_commands_are_compared_to_their_bits(tmp_path):
    result = check("--headers", write_headers(tmp_path, commands=COMMANDS))

    assert (result.returncode, result.stderr) == (0, "")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["launch_start", "5", "fields", "agree"] in lines
    assert ["launch_start_flags", "2", "bits", "agree"] in lines
    assert ["range_list", "1", "fields", "agree"] in lines
    assert ["command", "1", "codes", "agree"] in lines


@needs_gcc
def test_moved_bits_of_a_word_in_the_middle_are_named(tmp_path):
    moved = COMMANDS.replace("u32 ma_en:1; u32 imi_en:1", "u32 imi_en:1; u32 ma_en:1")

    result = check("--headers", write_headers(tmp_path, commands=moved))

    assert result.returncode == 1
    assert "  launch_start_flags.ma_en value: specs 0x1, headers 0x2\n" in result.stdout


@needs_gcc
def test_of_a_header_that_needs_others_the_macros_are_taken_alone(tmp_path):
    kvm = "enum a { B = NOT_HERE };\n#define PFERR_GUEST_RMP_MASK BIT_ULL(31)\n"

    result = check("--headers", write_headers(tmp_path, kvm=kvm))

    assert result.returncode == 0
    assert ["npf_exitinfo1", "1", "bits", "agree"] in map(str.split, result.stdout.splitlines())


@needs_gcc
def test_what_the_headers_lack_is_named(tmp_path):
    result = check("--headers", write_headers(tmp_path))

    _, _, status = result.stdout.partition("\nstatus ")
    assert "not in these headers: INVALID_PLATFORM_STATE" in status.splitlines()[1]
    assert re.search(r"^no counterpart in C:.* ap_creation_info1 ", result.stdout, re.MULTILINE)


@needs_gcc
def test_moved_field_is_named_with_both_offsets(tmp_path):
    moved = PSC.replace("u16 end_entry; u32 spare;", "u32 spare; u16 end_entry;")

    result = check("--headers", write_headers(tmp_path, psc=moved))

    assert result.returncode == 1
    assert "  psc_header.end_entry offset: specs 0x2, headers 0x6\n" in result.stdout
    assert " 1 failed, " in result.stdout


@needs_gcc
def test_moved_bits_are_named_with_both_masks(tmp_path):
    moved = PSC.replace("pagesize : 1, spare : 7", "spare : 7, pagesize : 1")

    result = check("--headers", write_headers(tmp_path, psc=moved))

    assert result.returncode == 1
    expected = "psc_entry.page_size value: specs 0x100000000000000, headers 0x8000000000000000"
    assert expected in result.stdout


@needs_gcc
def test_different_code_is_named_with_both_values(tmp_path):
    result = check("--headers", write_headers(tmp_path, status=STATUS.replace("SS = 0", "SS = 3")))

    assert result.returncode == 1
    assert "  status.SUCCESS value: specs 0x0, headers 0x3\n" in result.stdout


@needs_gcc
def test_declaration_that_does_not_compile_is_no_agreement(tmp_path):
    broken = PSC.replace("u32 spare", "strange_type spare")

    result = check("--headers", write_headers(tmp_path, psc=broken))

    assert result.returncode == 1
    assert "these headers do not compile" in result.stderr
    assert "strange_type" in result.stderr


@pytest.mark.parametrize(("option", "code"), [((), 0), (("--require",), 1)])
def test_missing_compiler_skips_unless_required(tmp_path, option, code):
    result = check("--headers", write_headers(tmp_path), "--cc", "no-such-compiler", *option)

    assert result.returncode == code
    assert result.stdout == "check_headers: skipped: no compiler no-such-compiler\n"


@needs_gcc
@pytest.mark.parametrize(("option", "code"), [((), 0), (("--require",), 1)])
def test_missing_headers_skip_unless_required(tmp_path, option, code):
    result = check("--headers", tmp_path, *option)

    assert result.returncode == code
    assert result.stdout == f"check_headers: skipped: no headers of a kernel in {tmp_path}\n"


@needs_gcc
def test_headers_without_a_known_name_skip(tmp_path):
    result = check("--headers", write_headers(tmp_path, psc="#define A 1\n", status="\n"))

    assert result.returncode == 0
    assert result.stdout.startswith("check_headers: skipped: ")
