"""Where the real files are: reports, certificates, what firmware answered. None is kept here."""

import gzip
import json
import os
from pathlib import Path

import pytest

FOLDER = os.environ.get("SNPWIRE_VECTORS", "")
needed = pytest.mark.skipif(not FOLDER, reason="real files: SNPWIRE_VECTORS names no folder")


def real(name):
    """Return a file of the folder."""
    return Path(FOLDER) / name


def rows(name):
    """Return the rows of a file of firmware answers."""
    with gzip.open(real("firmware") / f"{name}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


CHAINS = {
    "go-sev-guest--attestation.bin": (
        "go-sev-guest--vcek.der",
        "go-sev-guest--ask_ark_milan.pem",
    ),
    "virtee-sev--report_milan.hex": (
        "go-sev-guest--ask_ark_milan.pem",
        "virtee-sev--vcek_milan.der",
    ),
    "ms-tee-av--genoa_attestation_report.bin": (
        "ms-tee-av--genoa_ark.pem",
        "ms-tee-av--genoa_ask.pem",
        "ms-tee-av--genoa_vcek.pem",
    ),
    "ms-tee-av--turin_attestation_report.bin": (
        "ms-tee-av--turin_vcek.pem",
        "ms-tee-av--turin_ask.pem",
        "ms-tee-av--turin_ark.pem",
    ),
}
"""The files of certificates of each report, in no particular order."""
WEAK = {"go-sev-guest--attestation.bin": ["debug"]}
"""What real reports are refused for: one is of a guest that the host may debug."""


def report_bytes(name):
    """Return a real report; one of them is kept as hex."""
    data = real("reports").joinpath(name).read_bytes()
    return bytes.fromhex(data.decode()) if name.endswith(".hex") else data


def certificate_files(name):
    """Return the contents of the files of certificates of a report."""
    return [real("reports").joinpath(file).read_bytes() for file in CHAINS[name]]
