"""Every single bit of what is verified, flipped: the check that fails is the right one.

All bits are tried: of a generated report and of every real one that has its certificates, of the
generated certificates and of every real one, of a revocation list. Signatures are really checked,
the report's too; what does not depend on the bit that was flipped is checked once and remembered,
by the very bytes that were checked, so that each bit costs one signature.
"""

from binascii import b2a_base64

import authority
import pytest
from authority import NOW, arrange, report
from realfiles import CHAINS, FOLDER, WEAK, certificate_files, needed, report_bytes

from snpwire.crypto import chain as chains
from snpwire.crypto import verify
from snpwire.crypto.allowance import ALLOWABLE
from snpwire.crypto.certificates import AMD_ROOTS, kind_of, load, load_crl
from snpwire.crypto.policy import AppraisalPolicy
from snpwire.errors import CertificateError
from snpwire.wire.report import REPORT_SIZE

CHUNKS = 8
"""How many tests share the bits of one file, for those who run several at once."""
SIGNED, R, S, UNUSED = range(0x2A0), range(0x2A0, 0x2D0), range(0x2E8, 0x318), range(0x330, 0x4A0)
OF_FIELDS = ("signature-algo", "signing-key", "hwid", "product", *ALLOWABLE)
"""What compares a report's fields besides ``tcb-``, and may break beside its signature."""


def chunk(size, number):
    """Return the bits of one of the chunks of *size* bytes."""
    return range(8 * size * number // CHUNKS, 8 * size * (number + 1) // CHUNKS)


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def remember(monkeypatch, module, name, key, *good):
    """Let a check pass at once for what passes it now, and for nothing else."""
    check = getattr(module, name)
    known = set()
    for arguments in good:
        check(*arguments)
        known.add(key(*arguments))

    def checked(*arguments):
        if key(*arguments) not in known:
            check(*arguments)

    monkeypatch.setattr(module, name, checked)


def steps(chain):
    key, intermediate, root, _ = chain
    return [(key, intermediate), (intermediate, root), (root, root)]


def remember_chain(monkeypatch, chain):
    def key(certificate, issuer):
        return certificate.der, issuer.der

    remember(monkeypatch, chains, "check_issued", key, *steps(chain))


def remember_report(monkeypatch, image, chain):
    def key(data, signature, public):
        return data, signature.r_number, signature.s_number, public

    signature = verify.Report.parse(image).signature
    remember(monkeypatch, verify, "check", key, (image[:0x2A0], signature, chain.key.key))


# Reports


def check_reports_bits(monkeypatch, image, chain, roots, bits, allow=()):
    """Flip each of *bits* of a report: the check that fails is that of its place."""
    policy = AppraisalPolicy(allow=frozenset(allow))
    rows = chain[:3]
    remember_chain(monkeypatch, chain)
    remember_report(monkeypatch, image, chain)
    assert verify.verify(image, rows, roots=roots, at=NOW, policy=policy).verified
    for bit in bits:
        found = verify.verify(flipped(image, bit), rows, roots=roots, at=NOW, policy=policy)
        names = [row.name for row in found.failed]
        assert not found.verified
        at = bit // 8
        if at in SIGNED:
            assert "report-signature" in names, hex(at)
            beside = {name for name in names if not name.startswith("tcb-")}
            assert beside <= {"report-signature", *OF_FIELDS}, hex(at)
        elif at in R or at in S:
            assert names == ["report-signature"], hex(at)
        elif at in UNUSED:
            assert names == ["signature-reserved"], hex(at)
        else:  # the upper bytes of a number make it another one, too
            assert names == ["signature-reserved", "report-signature"], hex(at)


@pytest.mark.parametrize("number", range(CHUNKS))
def test_every_bit_of_a_report_counts(number, monkeypatch):
    chain, roots = arrange(authority.chain()), authority.roots()

    check_reports_bits(monkeypatch, report(), chain, roots, chunk(REPORT_SIZE, number))


@needed
@pytest.mark.parametrize("number", range(CHUNKS))
@pytest.mark.parametrize("name", CHAINS)
def test_every_bit_of_a_real_report_counts(name, number, monkeypatch):
    chain = arrange(row for file in certificate_files(name) for row in load(file))

    check_reports_bits(
        monkeypatch,
        report_bytes(name),
        chain,
        AMD_ROOTS,
        chunk(REPORT_SIZE, number),
        allow=WEAK.get(name, ()),
    )


# Certificates, and a list of revoked ones


def check_certificates_bits(monkeypatch, chain, position, roots, number):
    """Flip each bit of a chunk: the certificate cannot be read, is another, or was not signed."""
    remember_chain(monkeypatch, chain)
    rows, image = list(chain[:3]), chain[position].der
    kind = kind_of(chain[position])
    own, below = (
        f"{kind.lower()}-signature",
        f"{kind_of(chain[max(position - 1, 0)]).lower()}-signature",
    )
    assert verify.verify_chain(rows, roots=roots, at=NOW).verified
    readable = 0
    for bit in chunk(len(image), number):
        try:
            (rows[position],) = load(flipped(image, bit))
        except CertificateError:
            continue
        readable += 1
        failed = verify.verify_chain(rows, roots=roots, at=NOW).failed
        names = {row.name for row in failed}
        if kind_of(rows[position]) == kind:
            assert own in names, hex(bit // 8)
            beside = {f"{kind.lower()}-usage", f"{kind.lower()}-dates"}
            assert names <= {own, below, "root", *beside}, hex(bit // 8)
        else:  # its own name was changed: it takes nobody's place
            assert "certificates" in names, hex(bit // 8)

    assert readable > len(image) * 8 // CHUNKS // 4


@pytest.mark.parametrize("number", range(CHUNKS))
@pytest.mark.parametrize("kind", ["VCEK", "ASK", "ARK", "VLEK"])
def test_every_bit_of_a_certificate_counts(kind, number, monkeypatch):
    chain = arrange(authority.vlek_chain() if kind == "VLEK" else authority.chain())
    position = next(at for at, row in enumerate(chain[:3]) if kind_of(row) == kind)

    check_certificates_bits(monkeypatch, chain, position, authority.roots(), number)


def real_certificates():
    """Return each real certificate once: the name of its report, and its place in the chain."""
    if not FOLDER:
        return []
    seen = {}
    for name in CHAINS:
        chain = arrange(row for file in certificate_files(name) for row in load(file))
        for position, row in enumerate(chain[:3]):
            seen.setdefault(row.der, (name, position))
    return list(seen.values())


@needed
@pytest.mark.parametrize("number", range(CHUNKS))
@pytest.mark.parametrize(("name", "position"), real_certificates())
def test_every_bit_of_a_real_certificate_counts(name, position, number, monkeypatch):
    chain = arrange(row for file in certificate_files(name) for row in load(file))

    check_certificates_bits(monkeypatch, chain, position, AMD_ROOTS, number)


def test_every_bit_of_a_revocation_list_counts(monkeypatch):
    chain, roots = arrange(authority.chain()), authority.roots()
    image = authority.revocations(authority.rsa_key("ark"), serials=[7])
    remember_chain(monkeypatch, chain)
    readable = 0
    for bit in range(8 * len(image)):
        try:
            crl = load_crl(flipped(image, bit))
        except CertificateError:
            continue
        readable += 1
        failed = verify.verify_chain(chain[:3], roots=roots, crl=crl, at=NOW).failed
        names = [row.name for row in failed]
        assert names == ["crl"], hex(bit // 8)

    assert readable > len(image) * 2


def test_a_bit_of_pem_that_is_flipped_changes_nothing_or_the_certificate():
    """Line ends may become other white space, and text around a block is free (RFC 7468)."""
    (made,) = load(authority.vcek())
    digits = b2a_base64(made.der, newline=False)
    lines = [digits[at : at + 64] for at in range(0, len(digits), 64)]
    text = b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])
    last = len(text) - 26 - len(lines[-1]) - 65
    same = 0
    for bit in [*range(8 * 100), *range(8 * last, 8 * len(text))]:
        try:
            found = load(flipped(text, bit))
        except CertificateError:
            continue
        if [row.der for row in found] == [made.der]:
            assert text[bit // 8] in b"\n-", bit
            same += 1
        else:
            failed = verify.verify_chain([*found, *authority.chain()[1:]], at=NOW).failed
            assert "vcek-signature" in {row.name for row in failed}

    assert same < 60
