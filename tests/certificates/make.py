"""Make the files here anew: certificates and lists of the emulated CA, none of them AMD's.

    python tests/certificates/make.py

The emulated CA has fixed keys and dates, so that every run makes the same files.
"""

import sys
from base64 import encodebytes
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1])]

from snpwire.crypto import emulated_ca as ca  # noqa: E402
from snpwire.crypto.kdf import VCEK_LABEL, key_pair  # noqa: E402
from snpwire.crypto.signing import sign_report  # noqa: E402
from snpwire.product import product_named  # noqa: E402
from snpwire.wire.certs import build_table  # noqa: E402
from snpwire.wire.report import Report  # noqa: E402


def pem(der, label="CERTIFICATE"):
    body = encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n"


CHIP = bytes(range(1, 65))
KEY, OTHER = (key_pair(bytes([number]) * 32, VCEK_LABEL) for number in (1, 2))
OLD, NEW = 0x4405_0000_0000_0002, 0xDB18_0000_0000_0004
milan, turin = product_named("milan"), product_named("turin")
ask, ark = ca.chain(milan)
asvk, _ = ca.chain(milan, vlek=True)
vcek, newer = ca.vcek(milan, KEY, OLD, CHIP), ca.vcek(milan, OTHER, NEW, CHIP)
fields = {
    "version": 3,
    "signature_algo": 1,
    "policy": 0x30000,
    "cpuid_fam_id": 0x19,
    "cpuid_mod_id": 1,
    "chip_id": CHIP,
    **dict.fromkeys(("current_tcb", "reported_tcb", "committed_tcb"), OLD),
}
files = {
    "vcek.der": vcek,
    "vcek-newer.der": newer,
    "vcek-turin.pem": pem(ca.vcek(turin, KEY, 0x5100_0000_0401_0201, CHIP)).encode(),
    "vlek.der": ca.vlek(milan, KEY, OLD),
    "ask.der": ask,
    "ask-anew.der": ca.forged_chain(milan)[0],
    "ask_ark.pem": (pem(ask) + pem(ark)).encode(),
    "asvk_ark.pem": (pem(asvk) + pem(ark)).encode(),
    "crl.der": ca.crl(milan),
    "crl-revoked.pem": pem(ca.crl(milan, tuple(range(0x10001, 0x10020))), "X509 CRL").encode(),
    "table.bin": build_table([("VCEK", vcek), ("ASK", ask), ("ARK", ark)]),
    "report.bin": sign_report(Report(**fields).build(), KEY),
}
for name, data in files.items():
    (HERE / name).write_bytes(data)
