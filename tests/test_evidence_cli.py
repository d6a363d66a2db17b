"""``snpwire verify`` of evidence: its own certificates, its claims, and what cannot be read."""

import base64
import json
import resource

import authority
import pytest
import wrappings
from realfiles import needed, real
from transcripts import call

from snpwire.wire.certs import build_table

NOW = ["--at", "2026-06-01"]
REPORT = wrappings.vouching()
BLOB = wrappings.hcl(REPORT)
UNCOMPARED = ": verified without a policy: nothing was compared with what its owner wants"


@pytest.fixture
def files(tmp_path):
    """Return names of files: certificates, and evidence of each form."""
    ark = authority.ark()
    fields = wrappings.fields(REPORT)
    certificates = {"VCEK": authority.vcek(), "ASK": authority.ask(), "ARK": ark}
    rows = [{"cert_type": name, "data": list(der)} for name, der in certificates.items()]
    host = {
        "vcekCert": wrappings.pem(certificates["VCEK"]),
        "certificateChain": wrappings.pem(certificates["ASK"], ark),
        "tcbm": "C808000000000003",
    }
    contents = {
        "ark": ark,
        "ask": certificates["ASK"],
        "vcek": certificates["VCEK"],
        "report": REPORT,
        "hcl": BLOB,
        "hcl.hex": BLOB.hex().encode(),
        "azure": wrappings.azure(BLOB, 1, certificates["VCEK"]),
        "snp": json.dumps({"attestation_report": fields, "cert_chain": rows}).encode(),
        "quote": REPORT + wrappings.table(),
        "go": wrappings.go_attestation(REPORT),
        "cbor": wrappings.cbor({"outblob": REPORT, "auxblob": wrappings.table()}),
        "printed": wrappings.printed(REPORT),
        "host": json.dumps(host).encode(),
        "host.b64": base64.b64encode(json.dumps(host).encode()),
        "other": wrappings.hcl(authority.report()),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    return {name: str(tmp_path / name) for name in contents}


def verify(files, *words, code=0, given=b""):
    """Return output and errors of a verification against the root of the tests."""
    root = ["--root", files["ark"]] if "--root" not in words else []
    output, errors, ended = call(["verify", *words, *root, *NOW], given)

    assert ended == code, (output, errors)
    return output.decode(), errors.decode()


class TestForms:
    @pytest.mark.parametrize("name", ["snp", "quote", "go", "cbor"])
    def test_evidence_that_brings_its_chain_needs_no_more(self, name, files):
        output, errors = verify(files, files[name])

        assert output.endswith(f"{files[name]}{UNCOMPARED}\n")
        assert "certificates in it: VCEK ASK ARK\n" in output
        assert errors == ""

    @pytest.mark.parametrize("name", ["hcl", "printed", "report", "hcl.hex"])
    def test_what_brings_none_is_given_them(self, name, files):
        output, _ = verify(files, files[name], files["vcek"], files["ask"])

        assert output.endswith(f"{files[name]}{UNCOMPARED}\n")

    def test_certificates_beside_the_evidence_complete_its_own(self, files):
        output, _ = verify(files, files["azure"], files["ask"])

        assert "ok           certificates            VCEK ASK ARK" in output

    @pytest.mark.parametrize("name", ["host", "host.b64"])
    def test_certificates_of_a_host_are_taken_as_json(self, name, files):
        output, _ = verify(files, files["report"], files[name])

        assert "VCEK ASK ARK" in output

    def test_standard_input_may_be_evidence(self, files):
        with open(files["snp"], "rb") as file:
            output, _ = verify(files, "-", given=file.read())

        assert output.startswith("SNP evidence, ")
        assert output.endswith(f"<stdin>{UNCOMPARED}\n")

    def test_a_piece_may_be_evidence(self, files, tmp_path):
        whole = tmp_path / "whole"
        whole.write_bytes(bytes(64) + BLOB)

        output, errors = verify(
            files, str(whole), files["vcek"], files["ask"], "--offset", "64", "--length", "2600"
        )

        assert output.startswith("HCL blob, 2600 bytes: report at offset 0x20\n")
        assert "2600 bytes at 0x40 of a larger file" in errors

    def test_text_forced_to_be_hex_may_be_a_report_or_evidence(self, files, tmp_path):
        text = tmp_path / "report.hex"
        text.write_text(REPORT.hex())

        for file in (str(text), files["hcl.hex"]):
            _, errors = verify(files, file, files["vcek"], files["ask"], "--from", "hex")
            assert "read as hex" in errors

    def test_hex_of_a_report_is_no_evidence(self, files, tmp_path):
        text = tmp_path / "report.hex"
        text.write_text(REPORT.hex())

        output, _ = verify(files, str(text), files["vcek"], files["ask"])

        assert output.startswith("ok           signature-algo")

    def test_a_folder_of_configfs_is_evidence(self, files, tmp_path):
        folder = tmp_path / "report0"
        folder.mkdir()
        rows = {
            "outblob": REPORT,
            "auxblob": wrappings.table(),
            "inblob": REPORT[0x50:0x90],
            "provider": b"sev_guest\n",
            "generation": b"1\n",
        }
        for name, data in rows.items():
            (folder / name).write_bytes(data)

        output, _ = verify(files, str(folder))

        assert output.startswith("TSM report, folder, ")
        assert "report_data is what inblob asked for: yes\n" in output

    def test_json_has_the_place_outside_of_the_checks(self, files):
        output, _ = verify(files, files["azure"], files["ask"], "--json")
        said = json.loads(output)

        assert said["schema"] == "verify/2"
        assert said["evidence"]["place"] == "$.hcl_report, offset 0x20"
        assert said["evidence"]["claims"]["fits"] is True
        assert said["checks"][-1]["name"] == "claims"

    def test_a_report_by_itself_has_no_evidence_in_its_json(self, files):
        output, _ = verify(files, files["report"], files["vcek"], files["ask"], "--json")

        assert "evidence" not in json.loads(output)

    def test_quiet_says_nothing(self, files):
        assert verify(files, files["snp"], "--quiet") == ("", "")

    def test_addresses_of_certificates_are_printed_of_evidence_too(self, files):
        output, _, code = call(["explain", "kds", files["azure"]], b"")

        assert code == 0
        assert b"/vcek/v1/Milan/" in output

    @pytest.mark.parametrize(
        ("name", "product", "said", "wanted"),
        [
            ("VCEK", "Milan", "the product is that of the certificate beside the report: Milan", 0),
            ("ARK", "Milan", "does not say which product made it", 2),
            ("VCEK", "Moose", "does not say which product made it", 2),
        ],
    )
    def test_a_product_that_the_report_does_not_tell_is_that_of_its_vcek(
        self, name, product, said, wanted, files, tmp_path
    ):
        der = {"VCEK": authority.vcek(), "ARK": authority.ark()}[name]
        report = authority.report(version=2, cpuid_fam_id=0, cpuid_mod_id=0, cpuid_step=0)
        der = der.replace(b"SEV-Milan", b"SEV-" + product.encode())
        path = tmp_path / "evidence.json"
        path.write_text(json.dumps({"report": list(report), "chain": [list(der)]}))

        output, errors, code = call(["explain", "kds", str(path)], b"")

        assert said in errors.decode()
        assert code == wanted
        assert (b"/vcek/v1/Milan/" in output) == (wanted == 0)

    def test_a_certificate_that_cannot_be_read_names_no_product(self, files, tmp_path):
        report = authority.report(version=2, cpuid_fam_id=0, cpuid_mod_id=0, cpuid_step=0)
        table = build_table([("VCEK", b"no certificate")])
        path = tmp_path / "quote"
        path.write_bytes(report + table)

        _, errors, code = call(["explain", "kds", str(path)], b"")

        assert code == 2
        assert b"does not say which product" in errors

    def test_an_address_in_evidence_does_not_hide_its_report(self, files, tmp_path):
        url = "https://kdsintf.amd.com/vcek/v1/Genoa/crl"
        path = tmp_path / "evidence.json"
        path.write_text(json.dumps({"from": url, "report": REPORT.hex()}))
        line = json.dumps({"from": url}) + '{"a":1,"a":2}'

        output, _, _ = call(["explain", "kds", str(path)], b"")
        alone, _, _ = call(["explain", "kds", "-"], line.encode())

        assert b"/vcek/v1/Milan/" in output
        assert b"product  Genoa" in alone

    def test_certificates_lie_beside_a_report_as_they_are(self, files, tmp_path):
        other = (
            authority.vcek().replace(b"SEV-VCEK", b"SEVVVCEK").replace(b"SEV-Milan", b"SEV-MXXan")
        )
        broken = b"\x30\x82\x02\x10\x30\x82SEV-" + bytes(0x20E)
        rest = (
            authority.ask() + b"--" + authority.ark() + broken + other + b"\x30\x82\x0f\0\x30\x82"
        )
        path = tmp_path / "archive"
        path.write_bytes(b"head" + authority.vcek() + b"." + REPORT + rest)

        output, _ = verify(files, str(path))

        assert "certificates in it: VCEK ASK ARK\n" in output


class TestClaims:
    def test_claims_of_another_report_are_refused(self, files):
        output, _ = verify(files, files["other"], files["vcek"], files["ask"], code=1)

        assert "FAILED       claims" in output
        assert output.endswith(f"{files['other']}: refused: claims\n")

    def test_they_may_be_allowed_by_name(self, files, tmp_path):
        policy = tmp_path / "policy.toml"
        policy.write_text('allow = ["claims"]\n')

        for words in (["--allow", "claims"], ["--policy", str(policy)]):
            output, _ = verify(files, files["other"], files["vcek"], files["ask"], *words)
            assert "allowed      claims" in output

    def test_claims_that_fit_hold(self, files):
        output, _ = verify(files, files["hcl"], files["vcek"], files["ask"])

        assert "ok           claims" in output


class TestRefusals:
    def test_a_certificate_of_somebody_else_in_the_evidence_is_refused(self, files, tmp_path):
        path = tmp_path / "foreign"
        path.write_bytes(wrappings.azure(BLOB, 1, authority.vlek()))

        output, _ = verify(files, str(path), files["ask"], code=1)

        assert "refused: " in output
        assert "signing-key" in output.splitlines()[-1]

    def test_a_certificate_that_cannot_be_read_is_named_by_its_place(self, files, tmp_path):
        path = tmp_path / "broken"
        broken = bytes.fromhex("30820020") + b"SEV-VCEK".ljust(32, b".")
        path.write_bytes(wrappings.azure(BLOB, 1, broken))

        _, errors = verify(files, str(path), files["ask"], code=3)

        assert errors.startswith(f"snpwire: {path}: $.vcek: ")
        assert errors.count("\n") == 1

    def test_a_revocation_list_of_the_evidence_counts(self, files, tmp_path):
        path = tmp_path / "revoked"
        listed = authority.revocations(authority.rsa_key("ark"), serials=[0x10001])
        with open(files["snp"], "rb") as file:
            plain = json.loads(file.read())
        plain["cert_chain"].append({"cert_type": "CRL", "data": list(listed)})
        path.write_text(json.dumps(plain))

        output, _ = verify(files, str(path), code=1)

        assert "FAILED       crl" in output

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (BLOB[:500], "the HCL blob is cut at 500 bytes: its report has 468 of 1184 bytes"),
            (
                b'{"outblob": "", "provider": "sev_guest"}',
                "TSM report, JSON: there is no report in it",
            ),
            (b'{"a": 1}', "there is no report in this JSON"),
            (b'{"a": ', "line 1: the JSON breaks off or is broken"),
            (b"[" * 100_000, "the JSON is nested deeper than 100 levels"),
            (b"\x9f" * 100_000, "a report has 1184 bytes, got 100000"),
            (b"x" * 5_000_000, "5000000 bytes of text, more than the 4194304 that are read"),
            (
                b"Version: 2\nGuest SVN: 0\nPolicy: 0x30000\nVMPL: 0\nSignature Algorithm: 1\n"
                b"Platform Info: 0x1\n",
                "the text of a program lacks author_key_digest, chip_id, committed_build and ",
            ),
        ],
        ids=range(8),
    )
    def test_what_is_no_evidence_is_one_line(self, data, said, files):
        output, errors = verify(files, "-", code=3, given=data)

        assert output == ""
        assert errors.startswith("snpwire: <stdin>: ")
        assert said in errors.splitlines()[0]
        assert "Traceback" not in errors

    def test_a_certificate_is_no_report_and_a_key_no_certificate(self, files, tmp_path):
        key = tmp_path / "key.pem"
        key.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")

        _, report = verify(files, files["vcek"], code=3)
        _, certificate = verify(files, files["report"], str(key), code=3)

        assert "this is a certificate in DER, not a report\nhelp: snpwire decode cert" in report
        assert "this is a private key in PEM, not a certificate\n" in certificate

    def test_certificates_alone_are_no_report(self, files):
        _, errors = verify(files, files["host"], code=3)

        assert "certificates of the host (THIM), JSON: there is no report in it" in errors

    def test_a_file_of_json_without_certificates_is_no_certificate(self, files, tmp_path):
        path = tmp_path / "none.json"
        path.write_text('{"a": 1}')

        _, errors = verify(files, files["report"], str(path), code=3)

        assert "neither DER nor PEM" in errors

    def test_too_much_text_is_no_report(self, files, tmp_path):
        text = tmp_path / "text"
        text.write_bytes(b"\xef\xbb\xbf\n" * 2_000_000)

        _, errors = verify(files, str(text), code=3)

        assert "more than the 4194304 that are read" in errors

    def test_a_piece_of_another_size_is_no_report(self, files):
        _, errors = verify(files, files["report"], "--offset", "0", "--length", "1100", code=3)

        assert "the report is cut: 1100 of 1184 bytes" in errors

    def test_a_folder_of_something_else_is_one_line(self, files, tmp_path):
        _, errors = verify(files, str(tmp_path), code=3)

        assert errors == (
            f"snpwire: {tmp_path}: the folder has no outblob: it is none of configfs-tsm\n"
        )

    def test_gigabytes_of_json_are_refused_before_they_are_read(self, process, tmp_path):
        path = tmp_path / "large.json"
        with path.open("wb") as file:
            file.write(b'{"report": "')
            file.truncate(2 << 30)

        ended = process("verify", str(path))

        assert ended.returncode == 3
        assert b"it has 2147483648 bytes, more than the 16777216 that are read" in ended.stderr
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1 << 20  # KiB


@needed
@pytest.mark.parametrize(
    "row",
    [
        ("hcl-milan-claims-differ.bin", ["--allow", "claims"], "verified"),
        ("evidence-v0.json", [], "refused: claims"),
        ("tsm-report.json", [], "verified"),
        ("tsm-report.cbor", [], "verified"),
        ("report-with-certs.bin", [], "verified"),
        ("ioctl-answer.bin", [], "verified"),
        ("report-and-20-bytes.bin", [], "verified"),
        ("evidence.binarypb", [], "verified"),
        ("snpguest.json", [], "verified"),
        ("snp-evidence.json", [], "verified"),
    ],
    ids=lambda row: row[0],
)
def test_containers_of_real_reports_are_verified(row):
    import tomllib

    file, words, verdict = row
    rows = tomllib.loads(real("containers/containers.toml").read_text())["container"]
    given = next(each["verify"] for each in rows if each["file"] == file)
    folder = real("containers")
    chain = [str(folder / name) for name in given]

    output, errors, _ = call(
        ["verify", str(folder / file), *chain, *NOW, "--allow", "debug", *words], b""
    )

    assert f": {verdict}" in output.decode().splitlines()[-1], errors
