"""``snpwire verify`` and ``explain kds``: every check named, and input that is none of it."""

import base64
import json
import re
import struct

import authority
import pytest
from realfiles import CHAINS, WEAK, needed, real
from transcripts import call

from snpwire.crypto import signing
from snpwire.wire.certs import build_table

NOW = ["--at", "2026-06-01"]
VERIFIED = ": verified without a policy: nothing was compared with what its owner wants"


def pem(*certificates):
    """Return certificates as PEM, with text between them as tools write it."""
    blocks = []
    for der in certificates:
        body = base64.encodebytes(der).decode()
        blocks.append(
            f"subject=TEST\n-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"
        )
    return "".join(blocks).encode()


@pytest.fixture
def files(tmp_path):
    """Return names of files with a report and a chain of the tests."""
    contents = {
        "report": authority.report(),
        "vcek": authority.vcek(),
        "ask": authority.ask(),
        "ark": authority.ark(),
        "chain.pem": pem(authority.ask(), authority.ark()),
        "all.pem": pem(authority.ark(), authority.vcek(), authority.ask()),
        "table": build_table(
            [("VCEK", authority.vcek()), ("ASK", authority.ask()), ("ARK", authority.ark())],
            pages=True,
        ),
        "crl": authority.revocations(authority.rsa_key("ark")),
        "revoked": authority.revocations(authority.rsa_key("ark"), serials=[0x10001]),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    return {name: str(tmp_path / name) for name in contents}


def verify(*words, given=b"", code=0):
    output, errors, ended = call(["verify", *words], given)

    assert ended == code, (output, errors)
    return output.decode()


def links(*words, given=b"", code=0):
    """Return every check by its name."""
    said = json.loads(verify(*words, "--json", given=given, code=code))

    assert said["schema"] == "verify/2"
    assert said["verified"] is (code == 0)
    return {row["name"]: row for row in said["checks"]}


def failing(*words, given=b""):
    return {
        name for name, row in links(*words, given=given, code=1).items() if row["state"] == "failed"
    }


def refused(*words, given=b"", code=3, command="verify"):
    output, errors, ended = call([command, *words], given)
    lines = errors.decode().splitlines()

    assert (output, ended) == (b"", code), errors
    assert lines[0].startswith("snpwire: ")
    assert [line[:6] for line in lines[1:]] in ([], ["help: "])
    return "\n".join(lines)


class TestOwnChain:
    def test_each_check_is_a_line_with_its_reason(self, files):
        output = verify(
            files["report"], files["vcek"], files["chain.pem"], "--root", files["ark"], *NOW
        )
        lines = output.splitlines()

        assert lines[-1] == files["report"] + VERIFIED
        assert {line[:13].rstrip() for line in lines[:-1]} == {"ok", "not checked"}
        assert any(line.startswith("ok           report-signature  ") for line in lines)
        assert "not checked  crl" in output

    def test_json_has_the_same_checks(self, files):
        words = [files["report"], files["all.pem"], "--root", files["ark"], *NOW]

        found = links(*words)

        assert found["root"]["state"] == "holds"
        assert found["crl"] == {
            "name": "crl",
            "state": "not checked",
            "reason": "no revocation list was given",
            "group": "authenticity",
            "option": "--crl",
        }
        assert list(found) == [line[13:].split()[0] for line in verify(*words).splitlines()[:-1]]

    @pytest.mark.parametrize(
        "names",
        [["vcek", "ask", "ark"], ["ark", "ask", "vcek"], ["chain.pem", "vcek"], ["all.pem"]],
        ids="-".join,
    )
    def test_certificates_come_in_any_order(self, names, files):
        given = [files[name] for name in names]

        found = links(files["report"], *given, "--root", files["ark"], *NOW)

        other = "they came in another order" in found["certificates"]["reason"]
        assert other == (names != ["vcek", "ask", "ark"])

    def test_a_certificate_table_is_taken_as_it_is(self, files):
        words = [files["report"], "--certs", files["table"], "--root", files["ark"], *NOW]

        assert links(*words)["report-signature"]["state"] == "holds"

    def test_a_chain_that_ends_elsewhere_says_so_plainly(self, files):
        output = verify(files["report"], files["all.pem"], *NOW, code=1)

        assert "FAILED       root" in output
        assert "the chain ends at 'ARK-Milan'" in output
        assert "which is not trusted; trusted: AMD's ARK-Milan, AMD's ARK-Genoa" in output
        assert output.endswith(f"{files['report']}: refused: root\n")

    def test_a_root_that_is_named_is_trusted_in_place_of_amds(self, files):
        found = links(files["report"], files["all.pem"], "--root", files["vcek"], *NOW, code=1)

        assert "AMD's" not in found["root"]["reason"].partition("trusted:")[2]

    def test_the_name_of_a_root_cannot_write_a_line_of_its_own(self, files, tmp_path):
        (tmp_path / "odd").write_bytes(authority.ark("Milan\n\x1b[32mok"))
        words = [files["report"], files["all.pem"], "--root", str(tmp_path / "odd"), *NOW]

        output = verify(*words)

        assert r"ARK-Milan\n\x1b[32mok of " in output
        assert "\x1b" not in output

    def test_a_chain_cut_short_is_named(self, files):
        assert failing(files["report"], files["vcek"], *NOW) == {
            "certificates",
            "vcek-signature",
            "root",
        }
        assert failing(files["report"], *NOW) == {"certificates", "root"}

    def test_dates_are_checked_for_now_or_a_time(self, files):
        chain = [files["report"], files["all.pem"], "--root", files["ark"]]

        assert failing(*chain, "--at", "2040-01-01") == {"vcek-dates", "ask-dates", "ark-dates"}
        assert failing(*chain, "--at", "2020-01-01T00:00:00Z") == {
            "vcek-dates",
            "ask-dates",
            "ark-dates",
        }
        assert call(["verify", *chain, "--json"])[2] in (0, 1)  # whatever now is

    def test_a_revocation_list_is_looked_at(self, files):
        chain = [files["report"], files["all.pem"], "--root", files["ark"], *NOW]

        assert links(*chain, "--crl", files["crl"])["crl"]["state"] == "holds"
        assert failing(*chain, "--crl", files["revoked"]) == {"crl"}

    def test_the_owner_s_keys_are_held_against_the_report(self, files, tmp_path):
        page, report = tmp_path / "auth", tmp_path / "owned"
        keys = authority.ec_key("id"), authority.ec_key("author")
        page.write_bytes(signing.sign_id_block(bytes(0x60), *keys).build())
        digests = [signing.key_digest(signing.id_key(key)) for key in keys]
        report.write_bytes(authority.report(id_key_digest=digests[0], author_key_digest=digests[1]))
        chain = [files["all.pem"], "--root", files["ark"], *NOW]
        owned = ["--id-key", str(page), "--author-key", str(page)]

        found = links(str(report), *chain, *owned)
        assert found["id-key"]["reason"] == "the digest is that of a key given"
        assert found["author-key"]["state"] == "holds"
        assert links(str(report), *chain)["id-key"]["option"] == "--id-key"
        assert failing(files["report"], *chain, *owned) == {"id-key", "author-key"}
        said = refused(str(report), *chain, "--id-key", files["vcek"])
        assert said.startswith(f"snpwire: {files['vcek']}: expected PEM, a key of 0x404 bytes")
        crossed = refused(str(report), *chain, "--id-key", "-", "--author-key", "-", code=2)
        assert "standard input can be only one of the inputs" in crossed

    def test_an_all_zero_report_is_a_failure_not_a_success(self, files):
        found = links("-", files["all.pem"], *NOW, given=bytes(0x4A0), code=1)

        assert found["report"]["reason"] == "every byte is zero: there is no report"

    def test_a_product_is_taken_as_given(self, files):
        words = [files["report"], files["all.pem"], "--root", files["ark"], *NOW]

        failed = failing(*words, "--product", "turin")
        assert "product" in failed
        assert "tcb-microcode" not in failed

    @pytest.mark.parametrize("at", [0x000, 0x050, 0x188, 0x29F])
    def test_a_flipped_bit_of_the_signed_part_breaks_the_signature(self, at, files, tmp_path):
        data = bytearray(authority.report())
        data[at] ^= 1
        (tmp_path / "flipped").write_bytes(data)
        words = [str(tmp_path / "flipped"), files["all.pem"], "--root", files["ark"], *NOW]

        assert "report-signature" in failing(*words)

    def test_a_report_in_hex_and_one_inside_a_file_are_read(self, files, tmp_path):
        chain = [files["all.pem"], "--root", files["ark"], *NOW]
        data = authority.report()
        (tmp_path / "image").write_bytes(bytes(0x20) + data + bytes(100))

        verify("-", *chain, given=data.hex().encode())
        verify(str(tmp_path / "image"), "--offset", "0x20", *chain)


POLICY = """
require = ["smt"]
forbid = ["debug", "migrate_ma"]
vmpl = [0, 1]
[minimum]
guest_svn = 0
reported_tcb = {snp = 8, microcode = 100}
"""


class TestPolicy:
    @pytest.fixture
    def chain(self, files):
        return [files["report"], files["all.pem"], "--root", files["ark"], *NOW]

    def test_toml_is_read(self, chain):
        found = links(*chain, "--policy", "-", given=POLICY.encode())

        assert found["policy-minimum.reported_tcb.snp"]["state"] == "holds"
        assert found["policy-require.smt"]["state"] == "holds"
        assert found["policy-vmpl"]["state"] == "holds"

    def test_json_is_read(self, chain):
        policy = {"minimum": {"reported_tcb": {"snp": 9}}, "forbid": ["smt"], "vmpl": [1]}
        policy |= {"measurement": "ab" * 48, "host_data": "00" * 32}

        given = json.dumps(policy).encode()

        assert failing(*chain, "--policy", "-", given=given) == {
            "policy-minimum.reported_tcb.snp",
            "policy-forbid.smt",
            "policy-vmpl",
            "policy-measurement",
        }

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("forbid = [", "neither a JSON object nor TOML"),
            ("{", "not JSON"),
            ("forbid = 'debug'", "forbid: expected a list of policy bits"),
            ("forbid = ['debgu']", "is no bit of the guest policy\nhelp: did you mean debug?"),
            ("measurment = '00'", "help: did you mean measurement?"),
            ("measurement = '00'", "measurement: expected 48 bytes in hex"),
            ("\xff", "not UTF-8 at byte 0x0"),
        ],
    )
    def test_a_rule_that_cannot_be_understood_is_one_line(self, text, expected, chain):
        said = refused(*chain, "--policy", "-", given=text.encode("latin-1"))

        assert said.startswith("snpwire: <stdin>: ")
        assert expected in said

    def test_a_policy_that_is_not_there_is_named(self, chain, tmp_path):
        said = refused(*chain, "--policy", str(tmp_path / "none"))

        assert said == f"snpwire: {tmp_path}/none: No such file or directory"


class TestVerdict:
    @pytest.fixture
    def chain(self, files):
        return [files["report"], files["all.pem"], "--root", files["ark"], *NOW]

    def test_what_was_compared_makes_the_verdict(self, chain):
        digest = authority.MEASUREMENT.hex()
        compared = verify(*chain, "--measurement", digest)
        document = json.loads(verify(*chain, "--measurement", digest, "--json"))
        bare = json.loads(verify(*chain, "--json"))

        assert compared.endswith("report: verified\n")
        assert (document["verdict"], document["verified"]) == ("verified", True)
        assert (bare["verdict"], bare["verified"]) == ("verified without a policy", True)

    def test_what_is_allowed_alone_is_no_policy(self, chain):
        assert verify(*chain, "--allow", "debug").endswith(VERIFIED + "\n")
        assert verify(*chain, "--policy", "-", given=b'allow = ["debug"]').endswith(VERIFIED + "\n")

    def test_a_guest_that_may_be_debugged_is_refused_unless_that_is_allowed(self, chain, tmp_path):
        chain[0] = str(tmp_path / "debug")
        (tmp_path / "debug").write_bytes(authority.report(policy=0xB0000))

        refused_ = verify(*chain, code=1)
        allowed = verify(*chain, "--allow", "debug")

        assert refused_.endswith("debug: refused: debug\n")
        assert "FAILED       debug" in refused_
        assert "(--allow debug)" in refused_
        assert "allowed      debug" in allowed
        assert links(*chain, "--allow", "debug")["debug"]["state"] == "allowed"

    def test_what_was_compared_with_nothing_names_the_option(self, chain):
        output = verify(*chain)

        for name, option in (
            ("measurement", "--measurement"),
            ("report-data", "--report-data"),
            ("host-data", "--host-data"),
            ("minimum-tcb", "--min-tcb"),
            ("crl", "--crl"),
            ("advisories", "--advisories"),
        ):
            assert re.search(rf"not checked  {name} .*\({option}\)\n", output), name

    def test_options_compare(self, chain):
        good = ["--host-data", "00" * 32, "--report-data", "0x" + "00" * 64]

        found = links(*chain, *good, "--min-tcb", "snp=8,microcode=0xc8")

        assert found["policy-host_data"]["state"] == "holds"
        assert found["policy-minimum.committed_tcb.snp"]["state"] == "holds"
        assert not {"report-data", "host-data", "minimum-tcb"} & found.keys()
        assert failing(*chain, "--min-tcb", "snp=9") == {
            "policy-minimum.reported_tcb.snp",
            "policy-minimum.committed_tcb.snp",
        }
        assert failing(*chain, "--measurement", "00" * 48) == {"policy-measurement"}

    def test_options_and_the_policy_are_both_kept(self, chain):
        given = b'forbid = ["debug"]\n[minimum]\nguest_svn = 1\n'
        words = ["--policy", "-", "--measurement", "11" * 48]

        assert failing(*chain, *words, given=given) == {
            "policy-measurement",
            "policy-minimum.guest_svn",
        }

    def test_advisories_are_checks_if_asked_for(self, chain):
        every = links(*chain, "--advisories", code=1)
        one = failing(*chain, "--advisories=AMD-SB-1033, EntrySign")

        assert every["advisory-AMD-SB-3015"]["state"] == "failed"
        assert every["advisory-AMD-SB-3008"]["state"] == "not checked"
        assert one == {"advisory-AMD-SB-1033"}

    def test_quiet_is_the_exit_code_alone(self, chain):
        assert call(["verify", *chain, "--quiet"]) == (b"", b"", 0)
        assert call(["verify", *chain[:1], "--quiet"]) == (b"", b"", 1)
        assert "--json prints, and --quiet does not" in refused(*chain, "--quiet", "--json", code=2)

    def test_a_missing_certificate_is_named_with_where_to_get_it(self, files):
        words = ["verify", files["report"], files["vcek"], *NOW]
        output, errors, code = call(words)

        assert code == 1
        assert b"missing: ASK or ASVK, ARK" in output
        assert errors.decode() == (
            f"help: snpwire explain kds {files['report']} prints where AMD publishes them\n"
        )
        assert call([*words, "--json"])[1] == errors

    @pytest.mark.parametrize("how", ["root", "both"])
    def test_a_pipe_is_read_once(self, how, files):
        data = pem(authority.ark(), authority.ask(), authority.vcek())
        chain = [] if how == "root" else ["-"]

        verify(files["report"], *chain, "--root", "-", *NOW, given=data)

    def test_the_list_of_rules_needs_no_report(self):
        output = verify("--policy", "list")
        rules = json.loads(verify("--policy", "list", "--json"))["rules"]

        assert "minimum.current_version" in output
        assert "alias_check_complete" in output
        assert {
            key: cell
            for key, cell in next(row for row in rules if "debug" in row["rule"]).items()
            if key != "text"
        } == {"rule": 'allow = ["debug"]', "form": ""}

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["--allow", "debgu"], "--allow: 'debgu' is no check that can be\nmean debug?"),
            (["--allow", "all"], "--allow: 'all' is no check\nthey are: debug, migration"),
            (["--allow", "root"], "--allow: 'root' is no check that can be allowed\n"),
            (["--measurement", "00"], "--measurement: expected 48 bytes in hex, got '00'\n"),
            (["--measurement", "zz" * 48], "--measurement: expected hex digits\n"),
            (["--report-data", ""], "--report-data: expected 64 bytes in hex, got ''\n"),
            (["--host-data", "0"], "--host-data: expected 32 bytes in hex, got '0'\n"),
            (["--min-tcb", "snp"], "--min-tcb 'snp' is no PART=N\n--min-tcb snp=27"),
            (["--min-tcb", ""], "--min-tcb '' is no PART=N\n"),
            (["--min-tcb", "snp=x"], "--min-tcb 'snp=x' is no PART=N\n"),
            (["--min-tcb", "snpp=1"], "a TCB version has no 'snpp'\ndid you mean snp?"),
            (["--min-tcb", "x=1"], "a TCB version has no 'x'\ncomponents are: boot_loader"),
            (["--min-tcb", "snp=256"], "--min-tcb 'snp=256': a component has 1 to 255\n"),
            (["--min-tcb", "snp=0"], "--min-tcb 'snp=0': a component has 1 to 255\n"),
            (["--min-tcb", "snp=-1"], "--min-tcb 'snp=-1': a component has 1 to 255\n"),
            (["--min-tcb", "snp=1,snp=2"], "--min-tcb names snp twice\n"),
            (["--advisories=3020,AMD-SB-302"], "no advisory 'AMD-SB-302'\ndid you mean AMD"),
            (["--advisories="], "has no advisory ''\nsnpwire explain advisory lists all"),
        ],
    )
    def test_an_option_that_cannot_be_understood_is_one_line(self, words, expected, chain):
        said = refused(*chain, *words, code=2)
        reason, _, help = expected.partition("\n")

        assert reason in said.splitlines()[0]
        assert help in said.partition("\n")[2]

    def test_no_report_is_a_usage_error(self):
        assert "no report is named" in refused(code=2)


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"", "a report has 1184 bytes, got 0"),
            (b"\0" * 1183, "a report has 1184 bytes, got 1183"),
            (b"\0" * 1185, "got 1185\nhelp: --offset and --length cut it out"),
        ],
        ids=range(3),
    )
    def test_what_is_no_report_is_one_line(self, data, expected, files):
        assert expected in refused("-", files["all.pem"], given=data)

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"", "there is no certificate: neither DER nor PEM"),
            (b"hello", "there is no certificate: neither DER nor PEM"),
            (bytes(4096), "there is no certificate: neither DER nor PEM"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "that starts in line 1 has no end"),
            (pem(b"0\0").replace(b"MAA=", b"MA*="), "line 2 has more than base64 in it"),
            (authority.ark()[:-1], " at 0x"),
            (authority.ark()[:200], " at 0x"),
            (authority.ark() + b"\0", " at 0x"),
            (pem(authority.ark()[:300]), " at 0x"),
        ],
        ids=range(9),
    )
    def test_what_is_no_certificate_is_one_line(self, data, expected, files, tmp_path):
        (tmp_path / "wrong").write_bytes(data)

        for words in (["--root"], []):
            said = refused(files["report"], files["vcek"], *words, str(tmp_path / "wrong"))
            assert said.startswith(f"snpwire: {tmp_path}/wrong: ")
            assert expected in said

    def test_text_around_pem_is_no_junk(self, files, tmp_path):
        (tmp_path / "noisy").write_bytes(b"junk\n" + pem(authority.ask()) + b"\0more junk")

        words = [files["vcek"], str(tmp_path / "noisy"), files["ark"], "--root", files["ark"]]

        verify(files["report"], *words, *NOW)

    def test_a_table_that_is_cut_is_one_line(self, files, tmp_path):
        (tmp_path / "cut").write_bytes(
            build_table([("VCEK", authority.vcek()), ("ASK", authority.ask())])[:1000]
        )

        said = refused(files["report"], "--certs", str(tmp_path / "cut"))

        assert said.startswith(f"snpwire: {tmp_path}/cut: ")

    def test_a_table_whose_entry_is_no_certificate_is_one_line(self, files, tmp_path):
        (tmp_path / "odd").write_bytes(build_table([("VCEK", b"nonsense")]))

        said = refused(files["report"], "--certs", str(tmp_path / "odd"))

        assert said.startswith(f"snpwire: {tmp_path}/odd: VCEK: there is no certificate")

    def test_a_revocation_list_that_is_none_is_one_line(self, files):
        said = refused(files["report"], files["all.pem"], "--crl", files["report"])

        assert "there is no revocation list: neither DER nor PEM" in said

    @pytest.mark.parametrize("text", ["yesterday", "2026-13-01", ""])
    def test_a_time_that_is_none_is_one_line(self, text, files):
        said = refused(files["report"], "--at", text, code=2)

        assert said.startswith(f"snpwire: --at {text!r} is not a date\nhelp: 2026-03-31")

    def test_files_that_are_not_there_are_named(self, files, tmp_path):
        none = str(tmp_path / "none")
        expected = f"snpwire: {none}: No such file or directory"

        assert refused(none) == expected
        for words in ([none], ["--certs", none], ["--root", none], ["--crl", none]):
            assert refused(files["report"], *words) == expected

    def test_standard_input_is_one_thing(self):
        said = refused("-", "-", code=2)

        assert "standard input can be only one of the inputs" in said


class TestAddresses:
    def test_addresses_of_a_vcek_are_printed(self, files):
        output, errors, code = call(["explain", "kds", files["report"]])
        host = "https://kdsintf.amd.com/vcek/v1/Milan"

        assert (errors, code) == (b"", 0)
        assert [line.split() for line in output.decode().splitlines()] == [
            ["VCEK", f"{host}/{authority.CHIP.hex()}?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=200"],
            ["chain", f"{host}/cert_chain"],
            ["CRL", f"{host}/crl"],
        ]

    def test_json_has_them_too(self, files):
        said = json.loads(call(["explain", "kds", files["report"], "--json"])[0])

        assert [row["name"] for row in said["addresses"]] == ["VCEK", "chain", "CRL"]

    def test_a_vlek_is_asked_for_by_its_tcb(self):
        data = authority.report(key_info=4)

        output, _, _ = call(["explain", "kds", "-"], data)

        assert b"/vlek/v1/Milan/cert?blSPL=3" in output

    def test_a_masked_chip_has_no_address(self):
        output, _, _ = call(["explain", "kds"], authority.report(chip_id=bytes(64)))

        assert b"VCEK   none" in output
        assert b"the report has its chip id masked" in output

    def test_a_product_that_is_not_told_has_to_be_named(self):
        data = authority.report(version=2)

        said = refused("kds", given=data, code=2, command="explain")
        output, _, code = call(["explain", "kds", "--product", "genoa"], data)

        assert said.endswith("help: --product milan, genoa or turin")
        assert code == 0
        assert b"/vcek/v1/Genoa/" in output

    def test_a_report_that_nobody_signed_has_none(self):
        data = struct.pack("<L", 3) + authority.report(key_info=7 << 2)[4:]

        said = refused("kds", given=data, code=2, command="explain")

        assert "no certificate belongs to a report whose signing key is NONE" in said

    def test_what_is_no_report_is_one_line(self):
        assert "a report has 1184 bytes" in refused("kds", given=b"abcd", command="explain")


@needed
class TestRealReports:
    @pytest.mark.parametrize("name", CHAINS)
    def test_each_verifies_with_its_files_in_any_order(self, name):
        report = str(real("reports") / name)
        chain = [str(real("reports") / file) for file in CHAINS[name]]

        weak = WEAK.get(name, [])
        allow = [word for check in weak for word in ("--allow", check)]

        for given in (chain, chain[::-1]):
            assert verify(report, *given, *NOW, *allow).endswith(f"{VERIFIED}\n")
            if weak:
                output = verify(report, *given, *NOW, code=1)
                assert output.endswith(f": refused: {', '.join(weak)}\n")
                assert f"(--allow {weak[0]})" in output

    @pytest.mark.parametrize("name", CHAINS)
    def test_one_flipped_bit_makes_it_fail(self, name):
        source = real("reports") / name
        text = source.read_bytes()
        data = bytearray(bytes.fromhex(text.decode()) if name.endswith(".hex") else text)
        chain = [str(real("reports") / file) for file in CHAINS[name]]

        for at in (0x50, 0x90, 0x29F, 0x2A0, 0x2E8):
            data[at] ^= 4
            assert "report-signature" in failing("-", *chain, *NOW, given=bytes(data))
            data[at] ^= 4

    @pytest.mark.parametrize("name", CHAINS)
    def test_a_table_of_its_certificates_does_as_well(self, name, tmp_path):
        from snpwire.crypto.certificates import kind_of, load

        rows = [row for file in CHAINS[name] for row in load((real("reports") / file).read_bytes())]
        table = build_table([(kind_of(row).value, row.der) for row in rows], pages=True)
        (tmp_path / "table").write_bytes(table)

        allow = [word for check in WEAK.get(name, ()) for word in ("--allow", check)]
        verify(str(real("reports") / name), "--certs", str(tmp_path / "table"), *NOW, *allow)

    def test_a_report_without_certificates_says_what_is_missing(self):
        report = str(real("reports") / "py-snp-utils--reportV5.bin")

        assert failing(report, *NOW) == {"certificates", "root"}

    @pytest.mark.parametrize("name", CHAINS)
    def test_addresses_name_the_product(self, name):
        report = str(real("reports") / name)
        product = next((p for p in ("genoa", "turin") if p in name), "milan")

        output, _, code = call(["explain", "kds", report, "--product", product])

        assert code == 0
        assert f"/vcek/v1/{product.title()}/" in output.decode()
