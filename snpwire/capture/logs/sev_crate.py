"""Names and sentences that the sev crate, and tools built on it, have for the firmware's status."""

from __future__ import annotations

from ...wire.status import Status

_NAMES = {
    "invalidlen": Status.INVALID_LENGTH,
    "rbmodeexited": Status.EXIT_RING_BUFFER,
    "rmpinitfailed": Status.RMP_INITIALIZATION_FAILED,
}
"""Names that differ from the status's by more than case and underlines."""

SENTENCES = {
    "invalid platform state": Status.INVALID_PLATFORM_STATE,
    "invalid guest state": Status.INVALID_GUEST_STATE,
    "platform configuration invalid": Status.INVALID_CONFIG,
    "memory buffer too small": Status.INVALID_LENGTH,
    "platform is already owned": Status.ALREADY_OWNED,
    "invalid certificate": Status.INVALID_CERTIFICATE,
    "policy failure": Status.POLICY_FAILURE,
    "guest is inactive": Status.INACTIVE,
    "provided address is invalid": Status.INVALID_ADDRESS,
    "provided signature is invalid": Status.BAD_SIGNATURE,
    "provided measurement is invalid": Status.BAD_MEASUREMENT,
    "asid is already owned": Status.ASID_OWNED,
    "asid is invalid": Status.INVALID_ASID,
    "guest handle is invalid": Status.INVALID_GUEST,
    "issued command is invalid": Status.INVALID_COMMAND,
    "guest is active": Status.ACTIVE,
    "feature is unsupported": Status.UNSUPPORTED,
    "given parameter is invalid": Status.INVALID_PARAM,
    "sev platform observed a failed integrity check": Status.SECURE_DATA_INVALID,
    "the rmp page size is incorrect": Status.INVALID_PAGE_SIZE,
    "the rmp page state is incorrect": Status.INVALID_PAGE_STATE,
    "the metadata entry is invalid": Status.INVALID_MDATA_ENTRY,
    "the page ownership is incorrect": Status.INVALID_PAGE_OWNER,
    "the aead algorithm would have overflowed": Status.AEAD_OFLOW,
    "the rmp must be reinitialized": Status.RMP_INIT_REQUIRED,
    "firmware version anti-rollback": Status.BAD_VERSION,
    "installation of the committed firmware image required": Status.RESTORE_REQUIRED,
    "the key requested is invalid, not present, or not allowed": Status.INVALID_KEY,
}
"""Sentences of releases that print no number, in lower case and without a full stop."""


def status_of(words: str) -> Status | None:
    """Return the status that a name or a sentence of the crate stands for, or None."""
    text = words.strip().rstrip(".").lower()
    flat = text.replace("_", "")
    if found := SENTENCES.get(text, _NAMES.get(flat)):
        return found
    return next((s for s in Status if s.name.replace("_", "").lower() == flat), None)
