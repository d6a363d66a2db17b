"""Rows of commands: launches page by page, and single commands with what they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_cases import PAGE, Case, changed, plain_entry, visible
from conformance_host import BUFFER, ENTRIES, Row, areas, described, guest, host

from snpwire.engine.memory import AddressMap
from snpwire.wire.command_table import CommandId
from snpwire.wire.launch_commands import GuestStatus, LaunchFinish, LaunchStart

if TYPE_CHECKING:
    from collections.abc import Callable

    from snpwire.engine.firmware import Firmware
    from snpwire.engine.firmware.context import FirmwareGuest

GCTX = 0x100_0000
PERMISSIONS = 0x1122_3344_5566_7788
"""Second quadword of every page before it is launched."""
LARGE = 2


def launch(row: Row) -> Case:
    """Add the pages of a row to a guest, one after the other."""
    fw = host({"platform": {"fms": row["fms"]}})
    fw.contexts[GCTX >> 12] = made = guest(row["gctx"])
    expected, found = {}, {}
    for number, step in enumerate(row["steps"]):
        expected[str(number)] = _step_wanted(step)
        found[str(number)] = _step(fw, made, step)
    return Case("launch_digest", row["name"], expected, found)


def _step_wanted(step: Row) -> Row:
    wanted = {
        name: step[name]
        for name in ("status", "ld_after", "imd_after", "rmp_after", "rmp_after_q2")
    }
    if "page_after_stub_plain" in step:
        wanted["page"] = step["page_after_stub_plain"]
    return wanted


def _content(step: Row) -> bytes:
    """Return what lies in the page before; of a large one, chunks that start with their number."""
    if "data_rule" not in step:
        return bytes.fromhex(step["data"])
    base = bytes.fromhex(step["data_base"])
    return b"".join(number.to_bytes(4, "little") + base[4:] for number in range(512))


def _step(fw: Firmware, made: FirmwareGuest, step: Row) -> Row:
    address = step["page_paddr"]
    page = address >> 12
    fw.random = _listed(step.get("rng_draws", []))
    fw.table.set(GCTX >> 12, ENTRIES[step["gctx_page_state"]], 0)
    fw.table.set(page, int(step["rmp_before"], 16), PERMISSIONS)
    fw.memory.write(address & -PAGE, bytes(PAGE))
    fw.memory.write(address & -PAGE, _content(step))
    fw.memory.write(BUFFER, bytes.fromhex(step["cmdbuf"]))
    status = fw.mailbox(CommandId.SNP_LAUNCH_UPDATE, BUFFER)
    lo, hi = fw.table.entry(page)
    seen: Row = {
        "status": int(status),
        "ld_after": made.ld.hex(),
        "imd_after": made.imd.hex(),
        "rmp_after": f"{lo:016x}",
        "rmp_after_q2": f"{hi:016x}",
    }
    if "page_after_stub_plain" in step:
        key = 0 if status else made.asid
        data = fw.memory.read(address & -PAGE, PAGE, key)
        size = len(step["page_after_stub_plain"]) // 2
        seen["page"] = data.hex() if any(data[size:]) else data[:size].hex()
    return seen


def _listed(numbers: list[str]) -> Callable[[int], bytes]:
    """Return the random numbers that a row lists."""
    left = iter(numbers)
    return lambda size: bytes.fromhex(next(left))


def command(row: Row) -> Case:
    """Carry out one command."""
    name = row["command"]
    expected, found = COMMANDS[name](row)
    return Case(name, f"{name}/{row['name']}", {"status": row["status"], **expected}, found)


def _reclaim(row: Row) -> tuple[Row, Row]:
    fw, given = host(row), row["input"]
    fw.memory.remap(AddressMap(fw.memory.map.dram, fw.memory.map.rmp, areas(given["tmrs"])))
    for address, change in row["rmp"].items():
        before = change["before"]
        fw.table.set(int(address, 16) >> 12, int(before["q1"], 16), int(before["q2"], 16))
    fw.memory.write(BUFFER, given["page_paddr_size"].to_bytes(8, "little"))
    status = int(fw.mailbox(CommandId.SNP_PAGE_RECLAIM, BUFFER))
    now = {a: plain_entry(*fw.table.entry(int(a, 16) >> 12)) for a in row["rmp"]}
    wanted = {address: change["after"] for address, change in row["rmp"].items()}
    return {"rmp": wanted}, {"status": status, "rmp": now}


def _put(fw: Firmware, address: int, state: str, *, large: bool = False) -> None:
    """Give a page the state of that name, if it can have one."""
    page = (address & -PAGE) >> 12
    if state in ENTRIES and page < fw.table.pages and not fw.table.holds(address):
        fw.table.set(page, ENTRIES[state] | (LARGE if large else 0), 0)


def _guest_status(row: Row) -> tuple[Row, Row]:
    fw, given = host(row), row["input"]
    _put(fw, given["gctx_paddr"], given["gctx_page_state"])
    _put(fw, given["status_paddr"], given["status_page_state"])
    fw.contexts[GCTX >> 12] = guest(given["gctx"])
    blank = b"\xa5" * GuestStatus.SIZE
    fw.memory.write(given["status_paddr"], blank)
    words = (given["gctx_paddr"], given["status_paddr"])
    fw.memory.write(BUFFER, b"".join(word.to_bytes(8, "little") for word in words))
    status = int(fw.mailbox(CommandId.SNP_GUEST_STATUS, BUFFER))
    seen = fw.memory.read(given["status_paddr"], GuestStatus.SIZE)
    response = None if seen == blank else seen.hex()
    return {"answer": row["status_buffer"]}, {"status": status, "answer": response}


def _create(row: Row) -> tuple[Row, Row]:
    given = row["input"]
    fw = host({**row, "committed_tcb": given["committed_tcb"]})
    fw.random = _listed(row["rng_draws"])
    for address, change in row["rmp"].items():
        before = change["before"]
        fw.table.set(int(address, 16) >> 12, int(before["q1"], 16), int(before["q2"], 16))
    fw.memory.write(BUFFER, given["gctx_paddr"].to_bytes(8, "little"))
    status = int(fw.mailbox(CommandId.SNP_GCTX_CREATE, BUFFER))
    now = {a: plain_entry(*fw.table.entry(int(a, 16) >> 12)) for a in row["rmp"]}
    wanted = {address: change["after"] for address, change in row["rmp"].items()}
    untouched = not fw.contexts
    return (
        {"rmp": wanted, "untouched": row["gctx_untouched"]},
        {"status": status, "rmp": now, "untouched": untouched},
    )


def _start(row: Row) -> tuple[Row, Row]:
    given = row["input"]
    platform = {n: given[n] for n in ("smt_en", "fw_version")}
    counts = row["snp_guest_count"]
    platform |= {"snp_state": row["snp_state"], "snp_guest_count": counts[0]}
    fw = host({"platform": platform})
    fw.random = _listed(row["rng_draws"])
    _put(fw, GCTX, given["gctx_page_state"])
    made = fw.contexts[GCTX >> 12] = guest({"snp_state": given["gctx_snp_state"]})
    if given["ma_gctx"] is not None:
        agent = given["ma_gctx_paddr"]
        _put(fw, agent, given["ma_page_state"] or "CONTEXT")
        fw.contexts[agent >> 12] = guest(given["ma_gctx"])
    before = dict(described(made))
    fw.memory.write(BUFFER, bytes.fromhex(given["cmdbuf"]))
    assert len(given["cmdbuf"]) // 2 == LaunchStart.SIZE
    status = int(fw.mailbox(CommandId.SNP_LAUNCH_START, BUFFER))
    return (
        {"gctx": visible(row["gctx_changed"]), "guests": counts[1]},
        {
            "status": status,
            "gctx": changed(before, dict(described(made))),
            "guests": fw.chip.guest_count,
        },
    )


def _finish(row: Row) -> tuple[Row, Row]:
    fw, given = host(row), row["input"]
    _put(fw, GCTX, given["gctx_page_state"])
    made = fw.contexts[GCTX >> 12] = guest(given["gctx"])
    before = dict(described(made))
    buffer = LaunchFinish.parse(bytes.fromhex(given["cmdbuf"]))
    fw.memory.write(buffer.id_block_paddr, bytes.fromhex(given["id_block"]))
    fw.memory.write(buffer.id_auth_paddr, bytes.fromhex(given["id_auth"]))
    fw.memory.write(BUFFER, buffer.build())
    status = int(fw.mailbox(CommandId.SNP_LAUNCH_FINISH, BUFFER))
    after = changed(before, dict(described(made)))
    return {"gctx": visible(row["gctx_changed"])}, {"status": status, "gctx": after}


COMMANDS: dict[str, Callable[[Row], tuple[Row, Row]]] = {
    "SNP_PAGE_RECLAIM": _reclaim,
    "SNP_GUEST_STATUS": _guest_status,
    "SNP_GCTX_CREATE": _create,
    "SNP_LAUNCH_START": _start,
    "SNP_LAUNCH_FINISH": _finish,
}
