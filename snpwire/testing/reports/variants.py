"""Genuine reports: what may vary between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...crypto.kdf import key_pair
from ...crypto.signing import sign_id_block
from ...engine.hypervisor.launch import DEFAULT_POLICY
from ...wire.launch import IdBlock
from ...wire.report import GuestPolicy, Report
from .attestation import Origin, evidence_of, older_tcb

if TYPE_CHECKING:
    from collections.abc import Callable

ID_KEY = key_pair(b"snpwire TEST owner".ljust(48, b"\0"), b"id key")
AUTHOR_KEY = key_pair(b"snpwire TEST owner".ljust(48, b"\0"), b"author key")
"""Keys of the guest owner, public for tests."""


class Variant(NamedTuple):
    """One way in which a genuine report may differ from the plain one."""

    name: str
    why: str
    change: Callable[[Origin], Origin]


def _with_policy(**bits: int) -> Callable[[Origin], Origin]:
    def change(origin: Origin) -> Origin:
        policy = int(GuestPolicy(DEFAULT_POLICY).replace(**bits))
        return origin._replace(image=origin.image._replace(policy=policy))

    return change


def _with_id_block(*, author: bool) -> Callable[[Origin], Origin]:
    """Launch with an ID block, which needs the launch digest beforehand."""

    def change(origin: Origin) -> Origin:
        plain = Report.parse(evidence_of(origin).report)
        block = IdBlock(
            ld=plain.measurement,
            family_id=b"family".ljust(16, b"\0"),
            image_id=b"image".ljust(16, b"\0"),
            version=1,
            guest_svn=7,
            policy=plain.policy,
        ).build()
        auth = sign_id_block(block, ID_KEY, AUTHOR_KEY if author else None).build()
        image = origin.image._replace(id_block=block, id_auth=auth, author=author)
        return origin._replace(image=image)

    return change


VARIANTS: tuple[Variant, ...] = (
    Variant("plain", "nothing is out of the ordinary", lambda origin: origin),
    Variant("vmpl1", "asked for at VMPL 1", lambda origin: origin._replace(vmpl=1)),
    Variant("vmpl3", "asked for at VMPL 3", lambda origin: origin._replace(vmpl=3)),
    Variant(
        "no-data",
        "no report data, as of a guest that binds nothing to its report",
        lambda origin: origin._replace(data=bytes(64)),
    ),
    Variant(
        "host-data",
        "the host gave data at the launch",
        lambda origin: origin._replace(image=origin.image._replace(host_data=bytes(range(32)))),
    ),
    Variant(
        "other-kernel",
        "another guest, with another launch digest",
        lambda origin: origin._replace(image=origin.image._replace(kernel=b"other" * 2000)),
    ),
    Variant("debug", "the host may debug the guest: it has no secrets", _with_policy(debug=1)),
    Variant("migratable", "a migration agent may move the guest", _with_policy(migrate_ma=1)),
    Variant("one-socket", "the guest may run on one socket alone", _with_policy(single_socket=1)),
    Variant("least-abi", "the guest asks for ABI 1.51", _with_policy(abi_major=1, abi_minor=51)),
    Variant(
        "id-block", "launched with an ID block, signed by an ID key", _with_id_block(author=False)
    ),
    Variant("author", "launched with an ID block and an author key", _with_id_block(author=True)),
    Variant(
        "older-tcb",
        "the platform reports an older TCB version than it runs",
        lambda origin: origin._replace(reported_tcb=older_tcb(origin.profile)),
    ),
    Variant(
        "masked-chip",
        "the host hides which chip it is",
        lambda origin: origin._replace(mask_id=True),
    ),
)
