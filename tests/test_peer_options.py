"""How go-sev-guest is asked for a verdict: the words, an owner's wishes, what cannot be asked."""

import tomllib
from base64 import b64encode

import peer_verdicts
import peers
import pytest
from evidence import write
from peer_verdicts import UntranslatedError, options, word_of

GO = peers.PEERS["go-sev-guest"]


def built():
    """Build the program that asks; skips where that cannot be done."""
    try:
        peers.program(GO)
    except peers.MissingError as exc:
        pytest.skip(str(exc))


def test_what_an_owner_wishes_is_put_in_the_words_of_go():
    policy = f"""
        allow = ["debug"]
        forbid = ["smt"]
        require = ["single_socket"]
        host_data = "{"01" * 32}"
        vmpl = [1]
        [platform_info]
        require = 0x24
        forbid = [1]
        [launch_mit_vector]
        require = [0, 2]
        [minimum]
        guest_svn = 3
        reported_tcb = {{snp = 27, microcode = 222}}
        current_version = "1.55.40"
    """

    assert options(tomllib.loads(policy), ["migration"]) == {
        "GuestPolicy": {"SMT": False, "Debug": True, "MigrateMA": True, "SingleSocket": True},
        "HostData": b64encode(b"\1" * 32).decode(),
        "VMPL": 1,
        "PlatformInfo": {
            "SMTEnabled": True,
            "TSMEEnabled": False,
            "TIOEnabled": True,
            "ECCEnabled": True,
            "AliasCheckComplete": True,
        },
        "MinimumLaunchMitigationVector": 5,
        "MinimumGuestSvn": 3,
        "MinimumTCB": {"SnpSpl": 27, "UcodeSpl": 222},
        "MinimumVersion": 0x137,
        "MinimumBuild": 40,
    }


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"allow": ["vmpl"]}, "allow vmpl"),
        ({"require": ["smt"]}, "policy.require smt"),
        ({"platform_info": {"forbid": 0x40}}, "platform_info.forbid bit 6"),
        ({"platform_info": {"forbid": ["ecc_en"]}}, "platform_info.forbid ecc_en"),
        ({"minimum": {"committed_tcb": {"snp": 1}}}, "minimum.committed_tcb"),
        ({"minimum": {"reported_tcb": {"fmc": 1}}}, "minimum.reported_tcb fmc"),
        ({"csp_id": "CN=x"}, "csp_id"),
        ({"vmpl": [0, 1]}, "vmpl"),
        ({"measurement": ["00" * 48]}, "measurement"),
        ({"current_mit_vector": {"forbid": 1}}, "current_mit_vector"),
    ],
)
def test_what_go_has_no_words_for_is_said(policy, said):
    with pytest.raises(UntranslatedError) as caught:
        options(policy)

    assert str(caught.value) == said


def test_every_bit_that_is_translated_has_the_name_that_it_has_here():
    for word in peer_verdicts.WORDS.values():
        assert {*word.forbid, *word.require} <= {*word.record.BITS}


def test_an_option_that_go_does_not_know_is_no_verdict(tmp_path):
    words = write({}, tmp_path)[1:]
    built()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peer_verdicts, "options", lambda *given: {"Misspelt": 1})
        with pytest.raises(peers.RefusedError, match='unknown field "Misspelt"'):
            peer_verdicts.theirs(GO, words)


def test_a_panic_is_a_refusal_that_says_so(tmp_path):
    words = write({"signer": "VLEK", "crl": {"until": "2025-01-01"}}, tmp_path)[1:]
    built()

    verdict = peer_verdicts.theirs(GO, words)

    assert verdict.word == "refuse"
    assert verdict.says.startswith("verify: panic: runtime error: invalid memory address")


def test_the_command_line_prints_both_verdicts(tmp_path, capsys):
    words = write({}, tmp_path)[1:]
    built()

    assert peers.main(["verify", *words]) == 0
    output = capsys.readouterr().out
    assert output.startswith("snpwire: accept\n")
    assert "\ngo-sev-guest: accept\n" in output

    assert peers.main(write({"product": "Turin"}, tmp_path)) == 1
    assert "\ngo-sev-guest: refuse\nverify: not an AMD KDS OID" in capsys.readouterr().out


def test_the_command_line_says_why_there_is_nothing_to_compare(tmp_path, capsys, monkeypatch):
    assert peers.main(write({"policy": 'csp_id = "CN=x"'}, tmp_path)) == 2
    assert capsys.readouterr().out == "skipped: go-sev-guest cannot be told: csp_id\n"

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert peers.main(write({}, tmp_path)) == 2
    assert capsys.readouterr().out == "skipped: go-sev-guest: go is not installed\n"


def test_a_policy_that_is_no_toml_cannot_be_told(tmp_path):
    words = write({"policy": "vmpl ="}, tmp_path)[1:]

    with pytest.raises(UntranslatedError, match=r"^the policy: Invalid value"):
        peer_verdicts.evidence(peer_verdicts.arguments(words))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--min-tcb", "snp=29"], "--min-tcb"),
        (["--advisories"], "--advisories"),
        (["--advisories", "AMD-SB-3015"], "--advisories"),
        (["--host-data", "5"], "host_data 5"),
        (["--host-data", "55"], "host_data of 1 bytes"),
        (["--measurement", "00" * 48], "two values of measurement"),
    ],
)
def test_options_that_go_has_no_words_for_are_said(more, said, tmp_path):
    words = write({"policy": f'measurement = "{"01" * 48}"', "options": more}, tmp_path)[1:]

    with pytest.raises(UntranslatedError) as caught:
        peer_verdicts.evidence(peer_verdicts.arguments(words))

    assert str(caught.value) == said


def test_options_and_a_policy_in_json_are_told(tmp_path):
    more = ["--measurement", "00" * 48, "--report-data", "01" * 64, "--host-data", "02" * 32]
    words = write({"policy": '{"vmpl": 1}', "options": more}, tmp_path)[1:]
    asked = peer_verdicts.evidence(peer_verdicts.arguments(words))

    assert asked["options"] == {
        "GuestPolicy": {"SMT": True},
        "VMPL": 1,
        "Measurement": b64encode(bytes(48)).decode(),
        "ReportData": b64encode(b"\1" * 64).decode(),
        "HostData": b64encode(b"\2" * 32).decode(),
    }
    assert asked["at"] == "2026-06-01T00:00:00+00:00"


def test_a_list_of_a_root_that_the_module_carries_cannot_be_told(tmp_path):
    words = write({"crl": {}}, tmp_path)[1:]
    place = words.index("--root")
    del words[place : place + 2]

    with pytest.raises(UntranslatedError, match=r"^a list of one of AMD's own roots$"):
        peer_verdicts.evidence(peer_verdicts.arguments(words))


def test_a_traceback_is_no_refusal(tmp_path, monkeypatch):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'Traceback (most recent call last):' >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(peer_verdicts.sys, "executable", str(broken))

    with pytest.raises(RuntimeError, match="Traceback"):
        peer_verdicts.ours([])


def test_a_report_in_hex_is_not_put_to_go(tmp_path, capsys):
    path = tmp_path / "report.hex"
    path.write_text("00" * 1184)

    with pytest.raises(SystemExit):
        peers.main(["verify", str(path)])

    assert "is no raw report of 1184 bytes" in capsys.readouterr().err


def test_evidence_that_cannot_be_read_is_refused_and_a_policy_is_not():
    assert [word_of(code, []) for code in (0, 1, 2, 3)] == [
        "accept",
        "refuse",
        "unusable",
        "refuse",
    ]
    assert word_of(3, ["--policy", "x"]) == "unusable"
