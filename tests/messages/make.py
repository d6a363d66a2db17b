"""Make the files here anew: a TEST key, a TEST report with its chain, evidence; none is AMD's.

    python tests/messages/make.py

The keys of the chain are drawn at random and thrown away, so that every run makes other files.
"""

import sys
from base64 import encodebytes
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

import authority  # noqa: E402
import wrappings  # noqa: E402

from snpwire.wire.certs import build_table  # noqa: E402
from snpwire.wire.report import PlatformInfo  # noqa: E402


def pem(der):
    body = encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


POLICY = """\
vmpl = [0, 1]
forbid = ["migrate_ma"]
platform_info = {require = ["alias_check_complete"]}

[minimum]
reported_tcb = {snp = 8, microcode = 201}
current_version = "1.55.40"
"""
vcek, ask, ark = authority.vcek(), authority.ask(), authority.ark()
report = authority.report(
    report_data=bytes(range(64)),
    measurement=bytes(range(48)),
    report_id=bytes(range(32)),
    report_id_ma=b"\xff" * 32,
    platform_info=PlatformInfo(0x25),
    current_major=1,
    current_minor=55,
    current_build=40,
    committed_major=1,
    committed_minor=55,
    committed_build=40,
)
files = {
    "vmpck.txt": bytes(range(1, 33)).hex().encode() + b"\n",
    "report.bin": report,
    "vcek.der": vcek,
    "ask_ark.pem": (pem(ask) + pem(ark)).encode(),
    "ark.der": ark,
    "table.bin": build_table([("VCEK", vcek), ("ASK", ask), ("ARK", ark)], pages=True),
    "policy.toml": POLICY.encode(),
    **wrappings.samples(report, vcek, ask, ark),
}
for name, data in files.items():
    (HERE / name).write_bytes(data)
