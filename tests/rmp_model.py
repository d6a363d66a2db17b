# ruff: noqa: PLR0911, PLR0912 -- one branch for each sentence of the facts, in their order
"""A slow model of the reverse map table, written from the words of the facts and nothing else.

It shares no code and no masks with the package: an entry is a dictionary of fields, a table a list
of them. Where the facts leave a question open, it takes the decision that the package documents.
"""

SUCCESS = 0
NPF, VC = 2, 3
TOUCH = 0x1_8000_0007
LOOK = 0x1_8000_0005
SIZEM = 0x8_0000_0000

FIELDS = {
    "assigned": (0, 1),
    "size": (1, 1),
    "immutable": (2, 1),
    "count": (3, 9),
    "gpa": (12, 39),
    "asid": (51, 10),
    "vmsa": (61, 1),
    "validated": (62, 1),
    "lock": (63, 1),
}

(INVALID, DEFAULT, HYPERVISOR, HV_FIXED, FIRMWARE, FIRMWARE_IOMMU, RECLAIM) = range(7)
(CONTEXT, METADATA, PRE_GUEST, PRE_SWAP, GUEST_INVALID, GUEST_VALID) = range(7, 13)

S = {
    "INVALID_PARAM": 0x16,
    "INVALID_PAGE_SIZE": 0x19,
    "INVALID_PAGE_STATE": 0x1A,
    "INVALID_MDATA_ENTRY": 0x1B,
    "INVALID_PAGE_OWNER": 0x1C,
    "INVALID_ADDRESS": 0x09,
    "INVALID_GUEST": 0x10,
}


def unpacked(lo, hi):
    entry = {name: lo >> low & (1 << width) - 1 for name, (low, width) in FIELDS.items()}
    entry["vmpl"] = [hi >> 8 * level & 0xFF for level in range(4)]
    entry["rest"] = hi >> 32
    return entry


def packed(entry):
    lo = sum(entry[name] << low for name, (low, _) in FIELDS.items())
    hi = entry["rest"] << 32 | sum(mask << 8 * n for n, mask in enumerate(entry["vmpl"]))
    return lo, hi


class Model:
    """A table of entries and its counters."""

    def __init__(self, words):
        self.entries = [unpacked(lo, hi) for lo, hi in words]
        self.counters = [0] * 2048

    def words(self):
        return [packed(entry) for entry in self.entries]

    def covered(self, page):
        return 0 <= page < len(self.entries)

    def head(self, page):
        return self.entries[page - page % 512]

    def whole(self, page):
        """Tell whether the region of a page is one page of 2 MiB."""
        head = self.head(page)
        return head["assigned"] == 1 and head["size"] == 1

    def state(self, page):
        if not self.covered(page):
            return DEFAULT
        e = self.entries[page]
        whose = (e["assigned"], e["validated"], e["asid"] > 0, e["immutable"])
        kept, number = divmod(e["gpa"], 1 << 36)
        if whose == (0, 0, False, 0):
            return HYPERVISOR
        if whose == (0, 0, False, 1):
            return HV_FIXED
        if whose == (1, 0, False, 0) and e["lock"] == 0:
            return RECLAIM
        if whose == (1, 0, False, 1):
            if e["gpa"] == 0:
                return CONTEXT if e["vmsa"] else FIRMWARE
            if kept == 1 and number > 0:
                return METADATA
            if kept == 2 and number == 1 and e["vmsa"] == 0:
                return FIRMWARE_IOMMU
        if e["assigned"] and e["asid"]:
            if e["immutable"]:
                return PRE_SWAP if e["validated"] else PRE_GUEST
            return GUEST_VALID if e["validated"] else GUEST_INVALID
        return INVALID

    # ------------------------------------------------------------------ the host

    def count(self, entry, sign):
        if entry["assigned"] and entry["asid"]:
            pages = 512 if entry["size"] else 1
            changed = self.counters[entry["asid"]] + sign * pages
            self.counters[entry["asid"]] = changed % (1 << 64)

    def rmpupdate(self, page, new, guest_asid=0, in_use=False, rights=0x1F):
        """Take *new*: assigned, size, immutable, gpa, asid, and if a reserved bit is set."""
        if guest_asid != 0:
            return 2
        if not self.covered(page) or new["reserved"]:
            return 1
        if new["size"] == 1 and (page % 512 != 0 or not self.covered(page + 511)):
            return 1
        if new["assigned"] == 0 and (new["immutable"] == 1 or new["asid"] != 0):
            return 1
        if in_use:
            return 3
        old = dict(self.entries[page])
        if old["immutable"]:
            return 2
        first = page % 512 == 0
        whole = self.whole(page)
        if new["size"] == 0 and whole:
            return 4
        if new["size"] == 1 and not whole and old["count"] != 0:
            return 4
        entry = self.entries[page]
        same = all(old[name] == new[name] for name in ("assigned", "asid", "gpa", "size"))
        entry.update({k: new[k] for k in ("assigned", "size", "immutable", "gpa", "asid")})
        entry["lock"] = new["immutable"]
        if not same or new["asid"] == 0:
            entry.update(validated=0, vmsa=0, vmpl=[rights, 0, 0, 0])
        if new["size"] == 1:
            entry["count"] = 0
            if whole and not new["assigned"]:
                for number in range(page + 1, page + 512):
                    self.entries[number] = unpacked(0, 0)
            if new["assigned"] and not whole:
                for number in range(page + 1, page + 512):
                    self.entries[number] = unpacked(1, 0)
        elif not first and old["assigned"] != new["assigned"]:
            head = self.head(page)
            head["count"] = (head["count"] + (1 if new["assigned"] else -1)) % 512
            head["size"] = 0
        self.count(old, -1)
        self.count(entry, 1)
        return SUCCESS

    def psmash(self, page, guest_asid=0, in_use=False):
        if guest_asid != 0:
            return 2
        if not self.covered(page) or page % 512 != 0 or not self.covered(page + 511):
            return 1
        if in_use:
            return 3
        if not self.whole(page):
            return 7
        whole = self.entries[page]
        for number in range(512):
            part = whole | {"size": 0, "count": 0 if number else 511, "vmpl": list(whole["vmpl"])}
            if whole["asid"]:
                part["gpa"] = (whole["gpa"] + number) % (1 << 39)
            self.entries[page + number] = part
        return SUCCESS

    def rmpread(self, page, guest_asid=0):
        if guest_asid != 0:
            return 2, None
        if not self.covered(page):
            return 1, None
        e, head = self.entries[page], self.head(page)
        some = not self.whole(page) and (head["assigned"] or head["count"])
        size = e["size"] | (2 if some else 0)
        return 0, (e["gpa"] * 4096, e["assigned"], size, e["immutable"], e["asid"])

    # ------------------------------------------------------------------ the guest

    def own(self, page, gpa, asid):
        """Return the entry that speaks for a page of a guest; None if it is not the guest's."""
        if not self.covered(page):
            return None
        entry, first = self.entries[page], gpa
        if page % 512 and entry["size"] == 0 and entry["asid"] == 0 and self.head(page)["size"]:
            entry, first = self.head(page), gpa - page % 512
        if not entry["assigned"] or not entry["asid"] or entry["asid"] != asid:
            return None
        return entry if entry["gpa"] == first and not entry["immutable"] else None

    def pvalidate(self, page, gpa, asid, vmpl, size, validate):
        """Return EAX, the fault and the carry flag."""
        if vmpl != 0:
            return 2, None, False
        if size and gpa % 512:
            return 1, None, False
        entry = self.own(page, gpa, asid)
        if entry is None:
            return 0, (NPF, TOUCH), False
        if entry["size"] and not size:
            return 0, (NPF, TOUCH | SIZEM), False
        if size and not entry["size"]:
            return 6, None, False
        same = entry["validated"] == validate
        entry["validated"] = validate
        return 0, None, same

    def rmpadjust(self, page, gpa, rdx, asid, vmpl, size):
        target, mask, vmsa, rest = rdx & 0xFF, rdx >> 8 & 0x1F, rdx >> 16 & 1, rdx >> 13 & ~8
        if rest or target > 3 or (size and gpa % 512):
            return 1, None, False
        if target <= vmpl:
            return 2, None, False
        entry = self.own(page, gpa, asid)
        if entry is None:
            return 0, (NPF, TOUCH), False
        if entry["size"] and not size:
            return 0, (NPF, TOUCH | SIZEM), False
        if not entry["validated"]:
            return 0, (VC, 0x404), False
        if size and not entry["size"]:
            return 6, None, False
        if mask | entry["vmpl"][vmpl] != entry["vmpl"][vmpl]:
            return 2, None, False
        entry["vmpl"][target] = mask
        if vmpl == 0:
            entry["vmsa"] = vmsa
        return 0, None, False

    def rmpquery(self, page, gpa, target, asid, vmpl):
        """Return EAX, the fault, RDX and RCX."""
        if target > 3:
            return 1, None, 0, 0
        if target <= vmpl:
            return 2, None, 0, 0
        entry = self.own(page, gpa, asid)
        if entry is None:
            return 0, (NPF, LOOK), 0, 0
        if not entry["validated"]:
            return 0, (VC, 0x404), 0, 0
        rdx = target + entry["vmpl"][target] * 256 + entry["vmsa"] * 65536
        return 0, None, rdx, entry["size"]

    # ------------------------------------------------------------------ access

    def access(self, page, name, gpa, asid, vmpl, large):
        """Return the fault of an access, as Table 15-39 has it; None if there is none."""
        if name in ("HOST_READ", "HOST_FETCH", "GUEST_READ", "SNP_SHARED_READ"):
            return None
        refused = {
            "HOST_WRITE": (1, 0x8000_0003),
            "HOST_PAGE_TABLE": (1, 0x8000_0001),
            "GUEST_WRITE": (NPF, 0x1_8000_0007),
            "SNP_SHARED_WRITE": (NPF, 0x1_8000_0007),
            "GUEST_PAGE_TABLE": (NPF, 0x2_8000_0007),
            "VMRUN_VMCB": (4, 0),
            "VMRUN_AVIC": (5, 0),
        }
        if name in refused:
            if not self.covered(page):
                return None
            head, entry = self.head(page), self.entries[page]
            if entry["size"] == 0 and entry["asid"] == 0 and head["size"]:
                entry = head
            used = head["assigned"] or head["count"] if large else entry["assigned"]
            return refused[name] if used else None
        entry = self.own(page, gpa, asid)
        if name == "VMRUN_VMSA":
            return None if entry and entry["vmsa"] else (5, 0)
        code, wanted = {
            "SNP_READ": (0x5_8000_0005, 1),
            "SNP_WRITE": (0x5_8000_0007, 2),
            "SNP_FETCH": (0x5_8000_0015, 8),
            "SNP_FETCH_USER": (0x5_8000_0015, 4),
            "SNP_PAGE_TABLE": (0x6_8000_0007, 3),
        }[name]
        if entry is None:
            return NPF, code
        if entry["size"] != large:
            return NPF, code | SIZEM
        if not entry["validated"]:
            return VC, 0x404
        mask = entry["vmpl"][vmpl]
        if mask & wanted != wanted or mask & 3 == 2:
            return NPF, code | 0x10_0000_0000
        return None

    # ------------------------------------------------------------------ the firmware

    def size(self, page):
        return self.entries[page]["size"] if self.covered(page) else 0

    def reclaim(self, page, size):
        if size != self.size(page):
            return S["INVALID_PAGE_SIZE"]
        if size and page % 512:
            return S["INVALID_ADDRESS"]
        if not self.covered(page) or not self.entries[page]["immutable"]:
            return SUCCESS
        state = self.state(page)
        if state not in (METADATA, FIRMWARE, PRE_GUEST, PRE_SWAP):
            return S["INVALID_PAGE_STATE"]
        entry = self.entries[page]
        entry.update(immutable=0, lock=0)
        if state == METADATA:
            entry["gpa"] %= 1 << 36
        return SUCCESS

    def unsmash(self, page):
        if page % 512:
            return S["INVALID_PARAM"]
        if not self.covered(page) or not self.covered(page + 511):
            return S["INVALID_PAGE_STATE"]
        parts = self.entries[page : page + 512]
        first = parts[0]
        for number, e in enumerate(parts):
            if e["size"] or not e["immutable"] or e["vmsa"] or not e["asid"]:
                return S["INVALID_PAGE_STATE"]
            if self.state(page + number) != self.state(page) or e["asid"] != first["asid"]:
                return S["INVALID_PAGE_STATE"]
            if (e["vmpl"], e["rest"]) != (first["vmpl"], first["rest"]):
                return S["INVALID_PAGE_STATE"]
            if e["gpa"] != first["gpa"] + number:
                return S["INVALID_PAGE_STATE"]
        if first["gpa"] % 512:
            return S["INVALID_PAGE_STATE"]
        first.update(size=1, count=0)
        for e in parts[1:]:
            e.update(assigned=1, asid=0, immutable=0, lock=0)
        return SUCCESS

    def gctx_create(self, page):
        if self.state(page) != FIRMWARE:
            return S["INVALID_PAGE_STATE"]
        if self.size(page):
            return S["INVALID_PAGE_SIZE"]
        self.entries[page]["vmsa"] = 1
        return SUCCESS

    def decommission(self, page):
        if self.state(page) != CONTEXT:
            return S["INVALID_GUEST"]
        self.entries[page]["vmsa"] = 0
        return SUCCESS

    def launch_update(self, page, perms, asid, guest, page_type, size, content):
        if self.state(page) != PRE_GUEST:
            return S["INVALID_PAGE_STATE"]
        entry = self.entries[page]
        if entry["size"] != size:
            return S["INVALID_PAGE_SIZE"]
        if size and page % 512:
            return S["INVALID_ADDRESS"]
        if size and page_type in (2, 5, 6):
            return S["INVALID_PAGE_SIZE"]
        if page_type in (0, 7):
            return S["INVALID_PARAM"]
        if guest:
            return guest
        if entry["asid"] != asid:
            return S["INVALID_PAGE_OWNER"]
        if content:
            return content
        entry["vmpl"][1:] = [perms >> 8 & 0xFF, perms >> 16 & 0xFF, perms >> 24 & 0xFF]
        entry.update(validated=1, immutable=0, lock=0)
        if page_type == 2:
            entry["vmsa"] = 1
        return SUCCESS

    def md_init(self, page, context, guest):
        if self.state(context) != CONTEXT:
            return S["INVALID_GUEST"]
        if self.state(page) != FIRMWARE:
            return S["INVALID_PAGE_STATE"]
        if guest:
            return guest
        self.entries[page]["gpa"] = context + (1 << 36)
        return SUCCESS

    def set_hv_fixed(self, first, count):
        if first % 512 or first < 0 or count < 0:
            return S["INVALID_PARAM"]
        pages = [page for page in range(first, first + count) if self.covered(page)]
        for page in pages:
            lo, _ = packed(self.entries[page] | {"count": 0})
            if lo != 0x8000_0000_0000_0005:
                return S["INVALID_PAGE_STATE"]
        for head in (page for page in pages if page % 512 == 0):
            inside = sum(1 for page in pages if head < page < head + 512)
            if inside > self.entries[head]["count"]:
                return S["INVALID_ADDRESS"]
        for page in pages:
            count = self.entries[page]["count"] if page % 512 == 0 else 0
            self.entries[page] = unpacked(4, 0) | {"count": count}
        for page in pages:
            if page % 512:
                self.head(page)["count"] -= 1
        return SUCCESS

    def page_move(self, source, target, context, asid, guest, size):
        if self.state(context) != CONTEXT:
            return S["INVALID_GUEST"]
        if self.size(source) != size or self.size(target) != size:
            return S["INVALID_PAGE_SIZE"]
        if guest:
            return guest
        pair = self.state(source), self.state(target)
        private = pair in ((PRE_GUEST, PRE_GUEST), (PRE_SWAP, PRE_GUEST))
        if not private and pair != (METADATA, FIRMWARE):
            return S["INVALID_PAGE_STATE"]
        old, new = self.entries[source], self.entries[target]
        if private:
            if old["asid"] != asid or new["asid"] != asid:
                return S["INVALID_PAGE_OWNER"]
            new.update(gpa=old["gpa"], vmsa=old["vmsa"], vmpl=list(old["vmpl"]), rest=old["rest"])
            new.update(validated=old["validated"], immutable=0, lock=0)
            old.update(validated=0, immutable=0, lock=0)
            return SUCCESS
        if old["gpa"] % (1 << 36) != context:
            return S["INVALID_PAGE_OWNER"]
        new["gpa"] = old["gpa"]
        old.update(gpa=0, vmsa=0)
        return SUCCESS

    def keeper(self, context, root, mdata):
        if self.state(context) != CONTEXT:
            return S["INVALID_GUEST"]
        if not root:
            if self.state(mdata) != METADATA:
                return S["INVALID_PAGE_STATE"]
            if self.entries[mdata]["gpa"] % (1 << 36) != context:
                return S["INVALID_PAGE_OWNER"]
        return SUCCESS

    def swap_out(self, source, target, flags, context, asid, guest, mdata):
        size, kind, root = flags & 1, flags >> 1 & 3, flags >> 4 & 1
        status = self.keeper(context, root, mdata)
        if status:
            return status
        if self.size(source) != size or (self.covered(target) and self.size(target) != size):
            return S["INVALID_PAGE_SIZE"]
        if guest:
            return guest
        if kind == 3:
            return S["INVALID_PAGE_STATE"]
        wanted = (METADATA,) if kind == 1 else (PRE_GUEST, PRE_SWAP)
        if self.state(source) not in wanted or self.state(target) not in (FIRMWARE, DEFAULT):
            return S["INVALID_PAGE_STATE"]
        entry = self.entries[source]
        owner = entry["gpa"] % (1 << 36) == context if kind == 1 else entry["asid"] == asid
        if not owner:
            return S["INVALID_PAGE_OWNER"]
        entry.update({"gpa": 0, "vmsa": 0} if kind == 1 else {"validated": 0})
        return SUCCESS

    def swap_in(self, source, target, flags, context, asid, guest, entry, mdata, content):
        size, kind, placed, root = flags & 1, flags >> 1 & 3, flags >> 3 & 1, flags >> 4 & 1
        word, rights = entry
        status = self.keeper(context, root, mdata)
        if status:
            return status
        if guest:
            return guest
        held = {(0, 0): 0, (0, 1): 1, (1, 0): 2}.get((word >> 2 & 1, word >> 3 & 1))
        if held != kind or not word & 1:
            return S["INVALID_MDATA_ENTRY"]
        sizes = {self.size(target), word >> 4 & 1}
        if self.covered(source):
            sizes.add(self.size(source))
        if sizes != {size}:
            return S["INVALID_PAGE_SIZE"]
        state = self.state(target)
        if kind == 0 and state != PRE_GUEST:
            return S["INVALID_PAGE_STATE"]
        if kind == 0 and placed and source != target:
            return S["INVALID_ADDRESS"]
        if kind and placed:
            return S["INVALID_PARAM"]
        if kind == 1 and state != FIRMWARE:
            return S["INVALID_PAGE_STATE"]
        if kind == 2 and size:
            return S["INVALID_PAGE_SIZE"]
        if kind == 2 and state != PRE_GUEST:
            return S["INVALID_PAGE_STATE"]
        if kind != 1 and self.entries[target]["asid"] != asid:
            return S["INVALID_PAGE_OWNER"]
        if content:
            return content
        to = self.entries[target]
        if kind == 1:
            to["gpa"] = context + (1 << 36)
        else:
            to.update(gpa=(word >> 12) % (1 << 39), vmsa=int(kind == 2), validated=word >> 1 & 1)
            to.update(vmpl=[rights >> 8 * n & 0xFF for n in range(4)], rest=rights >> 32)
        return SUCCESS
