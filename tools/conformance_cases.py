"""What each kind of row asks of the model: the same statuses, counts, payloads and page states."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conformance_host import (
    BUFFER,
    ENTRIES,
    Row,
    described,
    guest,
    host,
)

from snpwire.crypto import kdf as derive
from snpwire.crypto.sealing import Vmpck, open_raw
from snpwire.crypto.signing import check
from snpwire.crypto.x509 import EcKey
from snpwire.errors import SignatureError
from snpwire.wire.address import C_BIT
from snpwire.wire.command_table import CommandId
from snpwire.wire.message import HEADER_SIZE, Header, MsgType
from snpwire.wire.report import SIGNED, ReportRsp, Signature
from snpwire.wire.rmp import state_of

if TYPE_CHECKING:
    from snpwire.engine.firmware import Firmware
    from snpwire.engine.firmware.context import FirmwareGuest

PAGE = 0x1000
REPORT_AT = ReportRsp.SIZE - Signature.SIZE - SIGNED
INTERNAL = ("type", "ccxs", "es_head_index", "es_tail_index")
"""What AMD's firmware keeps of a guest and no guest or host can tell."""


class Case(NamedTuple):
    """One row: what was observed, and what the model does."""

    category: str
    name: str
    expected: Row
    found: Row

    @property
    def passed(self) -> bool:
        """Tell whether the model does what was observed."""
        return self.expected == self.found


def rmp_state(row: Row) -> Case:
    """Classify an entry."""
    found = state_of(int(row["q1"], 16), int(row["q2"], 16))
    name = f"rmp_state/{row['q1']}"
    return Case("rmp_state", name, {"state": row["state"]}, {"state": found.name})


def changed(before: dict[str, object], after: dict[str, object]) -> dict[str, object]:
    """Return what differs afterwards."""
    return {name: value for name, value in after.items() if before[name] != value}


def entry(fw: Firmware, address: int) -> tuple[int, int]:
    """Return the entry of a page, zero where it has none."""
    page = address >> 12
    return fw.table.entry(page) if page < fw.table.pages else (0, 0)


def plain_entry(lo: int, hi: int) -> Row:
    """Return an entry as rows write it."""
    return {"q1": f"{lo:016x}", "q2": f"{hi:016x}", "state": state_of(lo, hi).name}


def header(raw: bytes) -> Row:
    """Return a header by the rows' names, its reserved bytes among them."""
    tag, seqno, res0, algo, version, size, msg_type, msg_version, msg_size, res2, vmpck, rest = (
        Header.ENGINE.unpack(raw)
    )
    return {
        "tag": tag.hex(),
        "seqno": seqno,
        "res0": res0.hex(),
        "algo": algo,
        "hdr_version": version,
        "hdr_size": size,
        "msg_type": msg_type,
        "msg_version": msg_version,
        "msg_size": msg_size,
        "res2": int.from_bytes(res2, "little"),
        "vmpck": vmpck,
        "res3": rest[0],
        "res4": rest[1:3].hex(),
        "res5": rest[3:].hex(),
    }


def response(fw: Firmware, address: int, cipher: Vmpck, platform: Row) -> Row:
    """Return header and payload at *address*; a signature that holds is left out, with the tag."""
    at = address & (PAGE - 1)
    raw = fw.memory.read(address, PAGE - at)
    seen = header(raw[:HEADER_SIZE])
    payload = open_raw(cipher, raw[:HEADER_SIZE], raw[HEADER_SIZE : HEADER_SIZE + seen["msg_size"]])
    return unsigned({"header": seen, "payload": payload.hex()}, platform)


def unsigned(seen: Row, platform: Row) -> Row:
    """Return an answer without signature and tag where it carries a signature that holds."""
    payload = bytes.fromhex(seen["payload"])
    signature = (
        Signature.parse(payload[-Signature.SIZE :]) if len(payload) == ReportRsp.SIZE else None
    )
    if seen["header"]["msg_type"] != MsgType.REPORT_RSP or signature is None:
        return seen
    if not any(signature.build()):
        return seen
    body = payload[REPORT_AT : REPORT_AT + SIGNED]
    vlek = int.from_bytes(body[0x48:0x4C], "little") >> 2 & 7 == 1
    try:
        check(body, signature, public(platform, vlek=vlek))
    except SignatureError as exc:
        return {**seen, "signature": str(exc)}
    rest = {name: value for name, value in seen["header"].items() if name != "tag"}
    return {"header": rest, "payload": payload[: -Signature.SIZE].hex(), "signature": "holds"}


def public(platform: Row, *, vlek: bool) -> EcKey:
    """Return the public key that a row's reports are signed with."""
    name = "vlek" if vlek else "vcek"
    if f"{name}_pub_le" in platform:
        x, y = (int.from_bytes(bytes.fromhex(n), "little") for n in platform[f"{name}_pub_le"])
        return EcKey(x, y)
    secret = bytes.fromhex(platform["vlek"][7] if vlek else platform["vcek_hash"])
    label = derive.VLEK_LABEL if vlek else derive.VCEK_LABEL
    numbers = derive.key_pair(secret, label).public_key().public_numbers()
    return EcKey(numbers.x, numbers.y)


def place(fw: Firmware, address: int, row: Row) -> None:
    """Put a page's entry into the table, if it has one."""
    if "rmp_q1" in row and address >> 12 < fw.table.pages:
        fw.table.set(address >> 12, int(row["rmp_q1"], 16), int(row["rmp_q2"], 16))


def send(fw: Firmware, command: Row) -> int:
    """Hand a guest request over; return its status."""
    names = ("gctx_paddr", "request_paddr", "response_paddr")
    fw.memory.write(BUFFER, b"".join(command[name].to_bytes(8, "little") for name in names))
    return int(fw.mailbox(CommandId.SNP_GUEST_REQUEST, BUFFER))


def guest_request(row: Row) -> Case:
    """Send one message to a guest as a row has it."""
    fw, pages, command = host(row, row["rng_seed"]), row["pages"], row["command"]
    for page in pages.values():
        place(fw, page["paddr"], page)
    sender = fw.contexts[pages["gctx"]["paddr"] >> 12] = guest(row["gctx"])
    target = sender
    if "target_gctx" in row:
        target = fw.contexts[pages["target_gctx"]["paddr"] >> 12] = guest(row["target_gctx"])
    fw.memory.write(command["request_paddr"] & ~C_BIT, bytes.fromhex(row["request_page"]))
    before, target_before = dict(described(sender)), dict(described(target))
    entries = {page["paddr"]: entry(fw, page["paddr"]) for page in pages.values()}
    count = fw.chip.guest_count
    place_of_response = command["response_paddr"] & ~C_BIT
    blank = fw.memory.read(place_of_response, HEADER_SIZE)
    cipher = Vmpck.of_firmware(sender.vmpcks[row["request_header"]["vmpck"] & 3])
    found: Row = {"status": send(fw, command)}
    written = fw.memory.read(place_of_response, HEADER_SIZE) != blank
    found["response_written"] = written
    if written:
        found["answer"] = response(fw, place_of_response, cipher, row["platform"])
    found["counts"] = list(sender.counts)
    found["gctx"] = changed(before, dict(described(sender)))
    if "target_gctx" in row:
        found["target"] = changed(target_before, dict(described(target)))
    now = {address: entry(fw, address) for address in entries}
    found["rmp"] = {hex(a): plain_entry(*now[a]) for a in entries if entries[a] != now[a]}
    found["guests"] = fw.chip.guest_count - count
    return Case(row["category"], row["name"], _expected(row), found)


def _expected(row: Row) -> Row:
    expect, platform = row["expect"], row["platform"]
    wanted: Row = {"status": expect["status"], "response_written": expect["response_written"]}
    if expect["response_written"]:
        wanted["answer"] = unsigned(observed(expect), platform)
    wanted["counts"] = expect["msg_counts_after"]
    wanted["gctx"] = visible(expect["gctx_changed"])
    if "target_gctx" in row:
        wanted["target"] = visible(expect["target_gctx_changed"])
    wanted["rmp"] = expect["rmp_changed"]
    after = expect.get("snp_guest_count_after", platform["snp_guest_count"])
    wanted["guests"] = after - platform["snp_guest_count"]
    return wanted


def observed(expect: Row) -> Row:
    """Return header and payload of an answer that a row has."""
    seen = {n: v for n, v in expect["response_header"].items() if n != "auth_tag_hi16_zero"}
    return {"header": seen, "payload": expect["response_payload"]}


def visible(fields: Row) -> Row:
    """Return what a guest or a host can tell of a context."""
    return {name: value for name, value in fields.items() if name not in INTERNAL}


def sequences(row: Row) -> Case:
    """Send the messages of a row one after the other to one guest."""
    fw = host(row, row["rng_seed"])
    gctx = row["gctx_paddr"]
    fw.table.set(gctx >> 12, ENTRIES["CONTEXT"], 0)
    sender = fw.contexts[gctx >> 12] = guest(row["gctx"])
    expected: Row = {}
    found: Row = {}
    for number, step in enumerate(row["steps"]):
        expected[f"{number} {step['fault']}"] = wanted = {
            "status": step["status"],
            "before": step["msg_counts_before"],
            "after": step["msg_counts_after"],
        }
        if step["response_written"]:
            wanted["answer"] = unsigned(observed(step), row["platform"])
        found[f"{number} {step['fault']}"] = _step(fw, gctx, sender, step, row["platform"])
    return Case("sequences", row["name"], expected, found)


def _step(fw: Firmware, gctx: int, sender: FirmwareGuest, step: Row, platform: Row) -> Row:
    where = step["response_paddr"]
    fw.table.set(where >> 12, ENTRIES["FIRMWARE"], 0)
    fw.memory.write(step["request_paddr"] & -PAGE, bytes(PAGE))
    fw.memory.write(step["request_paddr"], bytes.fromhex(step["request_page"]))
    fw.memory.write(where & -PAGE, bytes(PAGE))
    before = list(sender.counts)
    status = send(fw, {**step, "gctx_paddr": gctx})
    seen: Row = {"status": status, "before": before, "after": list(sender.counts)}
    if any(fw.memory.read(where & -PAGE, PAGE)):
        cipher = Vmpck.of_firmware(sender.vmpcks[step["vmpck"]])
        seen["answer"] = response(fw, where, cipher, platform)
    return seen
