"""Evidence with one thing out of the ordinary: the verdict, and the check that a refusal is by."""

import json
import re
import tomllib

import pytest
from evidence import write
from realfiles import FOLDER, needed, real
from transcripts import call

HASH = "33" * 48
OTHER_EXTENSION = "1.3.6.1.4.1.99999.7"
AMD = "1.3.6.1.4.1.3704.1"
TURIN, VLEK = {"product": "Turin"}, {"signer": "VLEK"}
ASK_CA = "ask|basic|constraint|certificate"

ACCEPTED = {
    "Milan": {},
    "Genoa": {"product": "Genoa"},
    "Turin": TURIN,
    "VLEK": VLEK,
    "VLEK of Turin": {**TURIN, **VLEK},
    "version 2": {"report": {"version": 2}},
    "version 3": {"report": {"version": 3}},
    "version 4": {"report": {"version": 4}},
    "VMPL 1": {"report": {"vmpl": 1}},
    "VMPL 3": {"report": {"vmpl": 3}},
    "nameless bit of platform_info": {**TURIN, "report": {"platform_info": 0x65}},
    "masked chip": {"report": {"chip_id": "00" * 64}},
    "provisional": {"report": {"current_tcb": {"snp": 30}}},
    "provisional twice": {
        "report": {"current_tcb": {"microcode": 224}, "committed_tcb": {"microcode": 223}}
    },
    "launched later": {"report": {"launch_tcb": {"snp": 31}}},
    "launched earlier": {"report": {"launch_tcb": {"snp": 1}}},
    "author key": {"report": {"key_info": 1, "author_key_digest": "77" * 48}},
    "twin signature": {"signature": {"s": "n-s"}},
    "unknown extension": {"vcek": {"extra": [[OTHER_EXTENSION, "0500", False]]}},
    "another order": {"order": ["ark", "ask", "vcek"]},
    "good list": {"crl": {}},
    "list of others": {"crl": {"revoked": [5, 0x20001]}},
    "VCEK of another TCB version first": {
        "order": ["vcek2", "vcek", "ask", "ark"],
        "vcek2": {"tcb": {"snp": 1}, "key": "other"},
    },
    "VCEK of another TCB version last": {
        "order": ["vcek", "ask", "ark", "vcek2"],
        "vcek2": {"tcb": {"snp": 1}, "key": "other"},
    },
    "VCEK that is expired beside the renewed one": {
        "order": ["vcek2", "vcek", "ask", "ark"],
        "vcek2": {"until": "2023-01-01"},
    },
    "ASK that is expired beside the renewed one": {
        "order": ["vcek", "ask2", "ask", "ark"],
        "ask2": {"until": "2023-01-01"},
    },
    "ASK of another key first": {
        "order": ["vcek", "ask2", "ask", "ark"],
        "ask2": {"key": "evil"},
    },
    "ARK of another key first": {
        "order": ["vcek", "ask", "ark2", "ark"],
        "ark2": {"key": "evil", "by": "evil"},
    },
    "chain of another product first": {
        "order": ["ask2", "ark2", "vcek", "ask", "ark"],
        "ask2": {"product": "Turin"},
        "ark2": {"product": "Turin"},
    },
    "VCEK beside a VLEK": {**VLEK, "order": ["vcek", "ask", "asvk", "vlek", "ark"]},
    "VLEK beside a VCEK": {"order": ["vlek", "asvk", "ask", "vcek", "ark"]},
    "debug allowed": {"report": {"policy": 0xB0000}, "options": ["--allow", "debug"]},
    "debug allowed by the policy": {
        "report": {"policy": 0xB0000},
        "policy": 'allow = ["debug"]',
    },
    "two allowed": {
        "report": {"policy": 0xF0000},
        "options": ["--allow", "debug", "--allow", "migration"],
    },
    "migration allowed": {"report": {"policy": 0x70000}, "options": ["--allow", "migration"]},
    "policy bits allowed": {"report": {"policy": 0x10000}, "options": ["--allow", "policy-bits"]},
    "VMPL 4 allowed": {"report": {"vmpl": 4}, "options": ["--allow", "vmpl"]},
    "TCB order allowed": {
        "report": {"current_tcb": {"snp": 1}},
        "options": ["--allow", "tcb-order"],
    },
    "version 6 allowed": {"report": {"version": 6}, "options": ["--allow", "report-version"]},
    "key_info allowed": {"report": {"key_info": 1 << 30}, "options": ["--allow", "key-info"]},
    "measurement allowed": {
        "report": {"measurement": "00" * 48},
        "options": ["--allow", "measurement"],
    },
    "measurement wanted": {"policy": f'measurement = "{HASH}"'},
    "measurement one of two": {"policy": f'measurement = ["{"00" * 48}", "{HASH}"]'},
    "options": {
        "options": [
            *("--measurement", HASH, "--report-data", "44" * 64, "--host-data", "55" * 32),
            *("--min-tcb", "snp=29,microcode=0xde", "--min-tcb", "boot_loader=4"),
        ]
    },
    "platform mask": {"policy": "[platform_info]\nrequire = 0x21\nforbid = 0x80"},
    "mitigations": {"policy": "[current_mit_vector]\nrequire = [0, 3]"},
    "provider": {**VLEK, "policy": 'csp_id = "CN=csp.invalid"'},
    "signing key": {**VLEK, "policy": 'signing_key = "VLEK"'},
    "firmware at the minimum": {"policy": '[minimum]\ncommitted_version = "1.55.41"'},
}

REFUSED = {
    # authenticity: the report
    "report_data changed": ("report-signature", {"after": [[0x50, "45"]]}),
    "reserved byte changed": ("report-signature", {"after": [[0x1EB, "01"]]}),
    "r of zero": ("report-signature", {"signature": {"r": "0"}}),
    "s of zero": ("report-signature", {"signature": {"s": "0"}}),
    "r of n": ("report-signature", {"signature": {"r": "n"}}),
    "s above n": ("report-signature", {"signature": {"s": "s+n"}}),
    "both 1": ("report-signature", {"signature": {"r": "1", "s": "1"}}),
    "numbers swapped": ("report-signature", {"signature": {"r": "s", "s": "r"}}),
    "padding of s": ("signature", {"after": [[0x318, "01"]]}),
    "byte behind the numbers": ("signature", {"after": [[0x330, "01"]]}),
    "another key signed": ("report-signature", {"signed_by": "OTHER"}),
    "no VCEK signed": (
        "report-signature",
        {
            "order": ["vcek2", "vcek", "ask", "ark"],
            "vcek2": {"tcb": {"snp": 1}, "key": "other"},
            "signed_by": "THIRD",
        },
    ),
    "algorithm 2": ("signature-algo", {"report": {"signature_algo": 2}}),
    "signed by none": ("sign|certificate", {"report": {"key_info": 7 << 2}}),
    "reserved signing key": ("sign|certificate", {"report": {"key_info": 3 << 2}}),
    "VLEK signs for a VCEK": ("sign|certificate", {**VLEK, "report": {"key_info": 0}}),
    "VCEK signs for a VLEK": ("sign|certificate", {"report": {"key_info": 4}}),
    "family that is not known": ("product", {"report": {"cpuid_fam_id": 0x1B}}),
    "no family": ("product|layout", {"report": {"cpuid_fam_id": 0, "cpuid_mod_id": 0}}),
    "another product": ("product", {"report": {"cpuid_mod_id": 0x11}}),
    # authenticity: the chain
    "nothing but the report": ("certificates", {"order": []}),
    "no ARK in the chain of another": (
        "root",
        {
            "order": ["vcek", "ask", "ark2"],
            "ark2": {"key": "evil", "by": "evil"},
            "ask": {"by": "evil"},
        },
    ),
    "leaf as root": ("root|certificates|ark", {"order": ["vcek"], "root": "vcek"}),
    "no ASK": ("certificates|ask|issuer", {"order": ["vcek", "ark"]}),
    "spoilt VCEK": ("vcek", {"vcek": {"spoil": True}}),
    "spoilt ASK": ("ask", {"ask": {"spoil": True}}),
    "VCEK by another authority": ("vcek", {"vcek": {"by": "asvk"}}),
    "salt of 20 bytes": ("vcek|certificate", {"vcek": {"salt": 20}}),
    "two algorithms": ("vcek|certificate", {"vcek": {"inner_differs": True}}),
    "ASK of another product": (
        "product|issuer|certificate|sign",
        {"ask": {"subject": "SEV-Genoa"}, "vcek": {"issuer": "SEV-Genoa"}},
    ),
    # RFC 5280
    "ASK is no CA": (ASK_CA, {"ask": {"ca": False}}),
    "ASK without basicConstraints": (ASK_CA, {"ask": {"constraints": False}}),
    "ASK of version 1": (ASK_CA + "|version", {"ask": {"version": 1, "bare": True}}),
    "version 1 with extensions": ("version|certificate|vcek", {"vcek": {"version": 1}}),
    "ASK without keyCertSign": ("ask|usage", {"ask": {"usage": "02"}}),
    "ASVK is no CA": ("asvk|constraint|certificate", {**VLEK, "asvk": {"ca": False}}),
    "unknown critical extension of the VCEK": (
        "vcek|critical",
        {"vcek": {"extra": [[OTHER_EXTENSION, "0500", True]]}},
    ),
    "unknown critical extension of the ASK": (
        "ask|critical",
        {"ask": {"extra": [[OTHER_EXTENSION, "0500", True]]}},
    ),
    "VCEK without digitalSignature": (
        "vcek|usage",
        {"vcek": {"extra": [["2.5.29.15", "03020106", True]]}},
    ),
    "VCEK for servers alone": (
        "vcek|usage",
        {"vcek": {"extra": [["2.5.29.37", "300a06082b06010505070301", True]]}},
    ),
    "VCEK expired": ("dates", {"vcek": {"until": "2026-05-31"}}),
    "VCEK of the future": ("dates", {"vcek": {"since": "2026-06-02"}}),
    "ASK expired": ("dates", {"ask": {"until": "2026-05-31"}}),
    "ARK expired": ("dates", {"ark": {"until": "2026-05-31"}}),
    "before all": ("dates", {"at": "2019-01-01"}),
    "after all": ("dates", {"at": "2049-06-01"}),
    # AMD's extensions
    "boot loader differs": ("tcb-boot-loader", {"vcek": {"tcb": {"boot_loader": 3}}}),
    "tee differs": ("tcb-tee", {"vcek": {"tcb": {"tee": 1}}}),
    "snp differs": ("tcb-snp", {"vcek": {"tcb": {"snp": 30}}}),
    "microcode differs": ("tcb-microcode", {"vcek": {"tcb": {"microcode": 1}}}),
    "fmc differs": ("tcb-fmc", {**TURIN, "vcek": {"tcb": {"fmc": 2}}}),
    "VLEK of another TCB version": ("tcb-snp", {**VLEK, "vlek": {"tcb": {"snp": 1}}}),
    "no microcode": ("microcode|extension", {"vcek": {"spl": {"ucodeSPL": "none"}}}),
    "negative": ("snp|extension", {"vcek": {"spl": {"snpSPL": "0201e3"}}}),
    "above 255": ("snp|extension", {"vcek": {"spl": {"snpSPL": 256 + 29}}}),
    "not minimal": ("snp|extension", {"vcek": {"spl": {"snpSPL": "0202001d"}}}),
    "followed by a byte": ("snp|extension", {"vcek": {"spl": {"snpSPL": "02011d00"}}}),
    "twice": ("snp|extension|certificate", {"vcek": {"extra": [[f"{AMD}.3.3", "02011d", False]]}}),
    "reserved level": ("tcb|spl|extension", {"vcek": {"spl": {"spl7": 1}}}),
    "fmc on Milan": ("tcb|spl|extension", {"vcek": {"spl": {"fmcSPL": 1}}}),
    "level without a name": (
        "tcb|spl|extension",
        {"vcek": {"extra": [[f"{AMD}.3.11", "020100", False]]}},
    ),
    "structVersion 2": ("struct|extension|layout", {"vcek": {"struct": 2}}),
    "no structVersion": ("struct|extension|layout", {"vcek": {"struct": "none"}}),
    "structVersion of Turin": ("struct|extension|layout|tcb", {"vcek": {"struct": 1}}),
    "another chip": ("hwid", {"vcek": {"hwid": "12" + "11" * 63}}),
    "short hwID": ("hwid|extension", {"vcek": {"hwid": "11" * 62}}),
    "hwID of Turin on Milan": ("hwid|extension", {"vcek": {"hwid": "11" * 8}}),
    "no hwID": ("hwid|extension", {"vcek": {"hwid": "none"}}),
    "chip id of a Turin beyond 8 bytes": ("hwid|chip", {**TURIN, "report": {"chip_id": "11" * 9}}),
    "cspID in a VCEK": ("csp|extension", {"vcek": {"csp": "CN=x"}}),
    "hwID in a VLEK": ("hwid|extension", {**VLEK, "vlek": {"hwid": "11" * 64}}),
    "no cspID in a VLEK": ("csp|extension", {**VLEK, "vlek": {"csp": "none"}}),
    "productName of another": ("product", {"vcek": {"product_name": "Genoa-B1"}}),
    "productName that is none": ("product", {"vcek": {"product_name": "Milan-B0-x"}}),
    # revocation
    "ASK revoked": ("crl", {"crl": {"revoked": [1, 0x10001]}}),
    "ASVK revoked": ("crl", {**VLEK, "crl": {"revoked": [0x10101]}}),
    "list expired": ("crl", {"crl": {"until": "2026-05-31"}}),
    "list of the future": ("crl", {"crl": {"since": "2026-06-02"}}),
    "list without an end": ("crl", {"crl": {"until": "none"}}),
    "list by another key": ("crl", {"crl": {"by": "evil"}}),
    "list of another name": ("crl", {"crl": {"issuer": "ARK-Turin"}}),
    "list of the ASK": ("crl", {"crl": {"by": "ask", "issuer": "SEV-Milan"}}),
    "delta list": ("crl|critical", {"crl": {"extra": [["2.5.29.27", "020101", True]]}}),
    "list of some": ("crl|critical", {"crl": {"extra": [["2.5.29.28", "30038101ff", True]]}}),
    "critical extension of a list": (
        "crl|critical",
        {"crl": {"extra": [[OTHER_EXTENSION, "0500", True]]}},
    ),
    "critical extension of an entry": (
        "crl|critical",
        {"crl": {"revoked": [9], "entry_extra": [[OTHER_EXTENSION, "0500", True]]}},
    ),
    "ARK without cRLSign": ("crl|usage", {"ark": {"usage": "04"}, "crl": {}}),
    # appraisal
    "debug": ("debug", {"report": {"policy": 0xB0000}}),
    "debug allowed, signature wrong": (
        "report-signature",
        {"report": {"policy": 0xB0000}, "after": [[0x60, "00"]], "options": ["--allow", "debug"]},
    ),
    "debug, and another allowed": (
        "debug",
        {"report": {"policy": 0xB0000}, "options": ["--allow", "migration"]},
    ),
    "migration": ("migration", {"report": {"policy": 0x70000}}),
    "agent": ("migration", {"report": {"policy": 0x70000, "report_id_ma": "66" * 32}}),
    "bit 17": ("policy-bits", {"report": {"policy": 0x10000}}),
    "nameless bit of the policy": ("policy-bits", {"report": {"policy": 0x30000 | 1 << 33}}),
    "VMPL 4": ("vmpl", {"report": {"vmpl": 4}}),
    "host asked": ("vmpl", {"report": {"vmpl": 0xFFFFFFFF}}),
    "reported above committed": ("tcb-order", {"report": {"committed_tcb": {"snp": 28}}}),
    "committed above current": (
        "tcb-order",
        {"report": {"committed_tcb": {"microcode": 223}}},
    ),
    "older in one part": (
        "tcb-order",
        {
            "report": {
                "committed_tcb": {"boot_loader": 2, "microcode": 240},
                "current_tcb": {"microcode": 240},
            }
        },
    ),
    "older in the fmc": ("tcb-order", {**TURIN, "report": {"current_tcb": {"fmc": 0}}}),
    "version 0": ("report-version", {"report": {"version": 0}}),
    "version 1": ("report-version", {"report": {"version": 1}}),
    "version 6": ("report-version", {"report": {"version": 6}}),
    "reserved bit of key_info": ("key-info", {"report": {"key_info": 1 << 5}}),
    "author without a key": ("key-info", {"report": {"key_info": 1, "id_key_digest": "77" * 48}}),
    "no measurement": ("measurement", {"report": {"measurement": "00" * 48}}),
    # policies and options
    "another measurement": ("policy-measurement", {"policy": f'measurement = "{"34" * 48}"'}),
    "another measurement, by option": (
        "policy-measurement",
        {"options": ["--measurement", "34" * 48]},
    ),
    "another nonce": ("policy-report_data", {"options": ["--report-data", "45" * 64]}),
    "other host data": ("policy-host_data", {"options": ["--host-data", "56" * 32]}),
    "option and policy differ": (
        "policy-measurement",
        {"policy": f'measurement = "{HASH}"', "options": ["--measurement", "34" * 48]},
    ),
    "TCB version below": ("minimum.reported_tcb.snp", {"options": ["--min-tcb", "snp=30"]}),
    "committed below the minimum": (
        "minimum.committed_tcb.snp",
        {
            "report": {"committed_tcb": {"snp": 20}},
            "options": ["--min-tcb", "snp=29", "--allow", "tcb-order"],
        },
    ),
    "component that there is not": (
        "minimum.reported_tcb.fmc",
        {"options": ["--min-tcb", "fmc=1"]},
    ),
    "firmware below": ("current_version", {"policy": '[minimum]\ncurrent_version = "1.55.42"'}),
    "build above, minor below": (
        "committed_version",
        {
            "report": {"committed_minor": 54, "committed_build": 255},
            "policy": '[minimum]\ncommitted_version = "1.55.40"',
        },
    ),
    "smt": ("forbid.smt", {"policy": 'forbid = ["smt"]'}),
    "alias check": (
        "platform_info",
        {
            "report": {"platform_info": 5},
            "policy": '[platform_info]\nrequire = ["alias_check_complete"]',
        },
    ),
    "mitigations are no number": (
        "current_mit_vector",
        {
            "report": {"current_mit_vector": 8},
            "policy": "[current_mit_vector]\nrequire = 5",
        },
    ),
    "mitigations of version 3": (
        "current_mit_vector",
        {
            "report": {"version": 3, "current_mit_vector": 255},
            "policy": "[current_mit_vector]\nrequire = 1",
        },
    ),
    "provider of another": ("csp_id", {**VLEK, "policy": 'csp_id = "CN=other.invalid"'}),
    "provider, and a VCEK": ("csp_id", {"policy": 'csp_id = "CN=csp.invalid"'}),
    "another kind of key": ("signing_key", {"policy": 'signing_key = "VLEK"'}),
    "advisory": (
        "advisory-AMD-SB-3015",
        {"report": {"platform_info": 5}, "options": ["--advisories"]},
    ),
    "advisory by name": (
        "advisory-AMD-SB-3016",
        {
            "report": {"committed_build": 30, "current_build": 30},
            "options": ["--advisories=AMD-SB-3016"],
        },
    ),
}

UNUSABLE = {
    "empty policy": {"policy": ""},
    "empty object": {"policy": "{}"},
    "comment": {"policy": "# nothing\n"},
    "empty table": {"policy": "[platform_info]\n"},
    "empty list": {"policy": "measurement = []\n"},
    "order of flags": {"policy": "[minimum]\nplatform_info = 5\n"},
    "misspelt": {"policy": "forbidd = ['debug']\n"},
    "allow of all": {"options": ["--allow", "all"]},
    "allow of a signature": {"options": ["--allow", "report-signature"]},
    "allow of nothing": {"options": ["--allow", ""]},
    "measurement of 47 bytes": {"options": ["--measurement", "33" * 47]},
    "TCB version of nothing": {"options": ["--min-tcb", "snp"]},
    "advisory that there is not": {"options": ["--advisories=AMD-SB-9999"]},
}


def verdict(recipe, folder):
    """Return the exit code of a recipe, and the checks that fail, as text."""
    output, errors, code = call([*write(recipe, folder), "--json"])
    said = errors.decode()

    assert "Traceback" not in said
    if code > 1:
        return code, [said]
    document = json.loads(output)
    assert document["verified"] is (code == 0)
    return code, [
        f"{row['name']}: {row['reason']}" for row in document["checks"] if row["state"] == "failed"
    ]


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_in_order_is_accepted(name, tmp_path):
    assert verdict(ACCEPTED[name], tmp_path) == (0, [])


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_is_refused_by_the_check_for_it(name, tmp_path):
    check, recipe = REFUSED[name]

    code, failed = verdict(recipe, tmp_path)

    assert code in ((1,) if "policy" in recipe else (1, 3))
    assert any(re.search(check, row, re.IGNORECASE) for row in failed), failed


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_understood_is_an_error(name, tmp_path):
    assert verdict(UNUSABLE[name], tmp_path)[0] in (2, 3)


def published():
    """Return the cases that are kept elsewhere, which are read in the same form."""
    file = real("evidence") / "cases.toml"
    return tomllib.loads(file.read_text())["case"] if FOLDER and file.exists() else []


@needed
@pytest.mark.parametrize("case", published(), ids=lambda case: case["name"])
def test_cases_kept_elsewhere_have_their_verdict(case, tmp_path):
    code, failed = verdict(case, tmp_path)

    fits = any(re.search(case.get("check", ""), row, re.IGNORECASE) for row in failed)
    right = {
        "accept": code == 0,
        "refuse": fits and (code == 1 or (code == 3 and "policy" not in case)),
        "unusable": code in (2, 3),
    }
    assert right[case["verdict"]], (code, failed)
