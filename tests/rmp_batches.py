"""Random tables of a few regions and operations on them, and a table of plain numbers.

Draws come from ``random`` and not from Hypothesis: a case is a thousand entries and dozens of
operations, of which most must fit what is there to get anywhere. Hypothesis gives the seed.
"""

from rmp_model import Model

from snpwire.wire.rmp import RmpState, state_of

PAGES = 1024 + 5
"""Two regions of 2 MiB, and the beginning of one that the table does not cover."""
PLACES = [0, 1, 2, 3, 511, 512, 513, 514, 1023, 1024, 1025, PAGES - 1]
EDGES = [*PLACES, PAGES, 1536, 1 << 38]
FRAMES = [0, 1, 512, 513, 1024, (1 << 36) + 2, (2 << 36) + 1, (1 << 39) - 1]
RIGHTS = [0, 0x1F, 0x0F0F_0F1F, 0x0103_071F, 0xDEAD_BEEF_FFFF_FFFF]
STATES = {
    "free": 0,
    "firmware": 0x8000_0000_0000_0005,
    "context": 0xA000_0000_0000_0005,
    "metadata": 0x8001_0000_0000_0005,
    "iommu": 0x8002_0000_0000_1005,
    "reclaim": 1,
    "fixed": 4,
    "pre_guest": 0x8008_0000_0000_0005,
    "pre_swap": 0xC008_0000_0000_0005,
    "guest_invalid": 0x0008_0000_0000_0001,
    "guest_valid": 0x4008_0000_0000_0001,
}
"""A first quadword of each state; guests have ASID 1."""
GUESTS = ["pre_guest", "pre_swap", "guest_invalid", "guest_valid"]


class Plain:
    """A table of plain numbers."""

    def __init__(self, words):
        self.words = list(words)
        self.pages = len(self.words)
        self.counters = [0] * 2048

    def entry(self, page):
        return self.words[page]

    def set(self, page, lo, hi):
        assert 0 <= page < self.pages
        self.words[page] = lo, hi

    def state(self, page):
        inside = 0 <= page < self.pages
        return state_of(*self.words[page]) if inside else RmpState.DEFAULT


def rarely(rng, value, otherwise=0):
    """Return *value* in one of eight cases."""
    return value if rng.random() < 0.125 else otherwise


def page(rng):
    """Return a page number, mostly one of a few that lie at the edges of something."""
    return rng.choice(PLACES[:7]) if rng.random() < 0.7 else rng.choice(EDGES)


def of_state(rng, model, *states):
    """Return a page that is in one of *states*, if there is one; sometimes another."""
    known = [number for number in PLACES if model.state(number) in states]
    return rng.choice(known) if known and rng.random() < 0.9 else page(rng)


def entry(rng):
    """Return the quadwords of an entry: one that somebody would make, or any."""
    count = rarely(rng, rng.choice([1, 511])) << 3
    if rng.random() < 0.8:
        name = rng.choice(list(STATES))
        lo = STATES[name] | rarely(rng, 2)
        if name == "metadata" or name in GUESTS:
            lo |= rng.choice([0, 1, 512, 513]) << 12
        return lo | count, rng.choice(RIGHTS)
    lo = rng.randrange(8) | count | rng.choice(FRAMES) << 12
    return lo | rng.choice([0, 1, 2, 0x3FF]) << 51 | rng.randrange(8) << 61, rng.choice(RIGHTS)


def one_page(words, head, lo, hi):
    """Make a region of *words* one page of 2 MiB."""
    words[head] = lo & ~(0x1FF << 3) | 3, hi
    words[head + 1 : head + 512] = [(1, 0)] * 511


def alike(words, head, lo, hi):
    """Make a region of *words* 512 pages of a guest that follow one another."""
    words[head] = lo & ~2 | 511 << 3, hi
    for number in range(1, 512):
        words[head + number] = (lo & ~2 & ~(0x1FF << 3)) + (number << 12), hi


def firmware(words, head, lo, hi):
    """Make a region of *words* 512 pages of the firmware."""
    words[head : head + 512] = [(STATES["firmware"], 0)] * 512
    words[head] = STATES["firmware"] | 511 << 3, 0


def table(rng):
    """Return the words of a table: zeros, some entries, and maybe regions that belong together."""
    words = [(0, 0)] * PAGES
    for head in (0, 512):
        make = rng.choice([None, one_page, alike, firmware])
        if make is not None:
            lo = STATES[rng.choice(GUESTS)] | rng.choice([0, 512]) << 12
            make(words, head, lo, rng.choice(RIGHTS[:4]))
    for number in rng.sample(PLACES, rng.randrange(8)):
        words[number] = entry(rng)
    if rng.random() < 0.5:
        words[1] = STATES["context"], 0
        words[2] = words[1023] = STATES["metadata"] | 1 << 12, 0
        words[3] = STATES["firmware"], 0
    return words


def operand(rng):
    """Return an operand of RMPUPDATE, as the model takes it."""
    assigned = rng.random() < 0.6
    return {
        "assigned": int(assigned),
        "size": int(rng.random() < 0.3),
        "immutable": int(rng.random() < (0.2 if assigned else 0.05)),
        "gpa": rng.choice(FRAMES),
        "asid": rng.choice([0, 1, 2, 0x3FF]) if assigned else rarely(rng, 1),
        "reserved": rarely(rng, 1),
    }


def word(operand):
    """Return an operand of RMPUPDATE in the form of an entry."""
    number = operand["assigned"] | operand["size"] << 1 | operand["immutable"] << 2
    return number | operand["gpa"] << 12 | operand["asid"] << 51 | operand["reserved"] << 61


def named(rng, model, page):
    """Return the address and the ASID of the guest whose page it is; sometimes others."""
    gpa, asid = 0, 1
    if model.covered(page):
        entry, off = model.entries[page], 0
        if page % 512 and not entry["size"] and not entry["asid"] and model.head(page)["size"]:
            entry, off = model.head(page), page % 512
        gpa, asid = (entry["gpa"] + off) % (1 << 39), entry["asid"]
    return rarely(rng, rng.choice(FRAMES), gpa), rarely(rng, 1, asid)


def adjustment(rng):
    """Return rDX of RMPADJUST."""
    target = rng.choice([1, 1, 2, 3, 0, 4])
    return target | rng.choice([0, 1, 3, 0x1F]) << 8 | rng.randrange(2) << 16 | rarely(rng, 1 << 13)


def model(words):
    """Return a model of a table."""
    return Model(words)
