"""What the firmware checks before it carries out a command, in its order, and what it answers.

Of AMD-ASPFW (Genoa, ABI 1.55.25, sev_mcmd.c), whose code was read; newer firmware has more. Where a
document says otherwise, this is what the code does. A step that hands on what another part of the
firmware answered has no status of its own.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from .command import CommandId as Id
from .status import Status

UNREACHED = "INVALID_ADDRESS or INVALID_CONFIG: "
LOW = "INVALID_PARAM: gctx_paddr has one of bits 11:0 set"
OFF = "INVALID_PLATFORM_STATE: SNP is not started"
GCTX_IN_RMP = "INVALID_PARAM: gctx_paddr lies in the RMP"
NO_GUEST = "INVALID_GUEST: the page at gctx_paddr is no CONTEXT"
THREE_LOW = "INVALID_PARAM: gctx_paddr, src_paddr or dst_paddr has one of bits 11:0 set"
THREE_IN_RMP = "INVALID_PARAM: gctx_paddr, src_paddr or dst_paddr lies in the RMP"
NOT_BEGUN = "INVALID_GUEST_STATE: the guest's launch has not begun"
NO_ASID = "INACTIVE: the guest has no ASID"
GUEST = (LOW, OFF, GCTX_IN_RMP, NO_GUEST)
SWAP = (
    "INVALID_PARAM: mdata_paddr is not 64-byte aligned, or its entry is in either page; without"
    " root_mdata_en, as in the next two",
    "INVALID_PAGE_STATE: the page of mdata_paddr is no METADATA",
    "INVALID_PAGE_OWNER: that page is another context's",
)
ACTIVATION = (
    "INVALID_ASID: asid is 2048 or more",
    "INVALID_CONFIG: pages are assigned to the ASID",
)

ROWS: dict[Id, tuple[str, ...]] = {
    Id.SNP_GCTX_CREATE: (
        LOW,
        OFF,
        GCTX_IN_RMP,
        "INVALID_PAGE_STATE: the page is not FIRMWARE",
        "INVALID_PAGE_SIZE: the page has 2 MiB",
        "INVALID_CONFIG: the page is not within one region of memory",
        UNREACHED + "the page cannot be reached",
    ),
    Id.SNP_LAUNCH_START: (
        "INVALID_PARAM: one of bits 11:0 of either address, or a reserved bit, is set",
        OFF,
        GCTX_IN_RMP,
        NO_GUEST,
        "INVALID_GUEST_STATE: a launch has begun",
        "INVALID_GUEST: ma_en, and the page at ma_gctx_paddr is no CONTEXT",
        "POLICY_FAILURE: ma_en, and the policy allows no migration agent",
        "POLICY_FAILURE: the agent has an agent itself",
        "POLICY_FAILURE: bit 17 of the policy is clear",
        "POLICY_FAILURE: the policy forbids SMT, which is on",
        "POLICY_FAILURE: the policy asks for a newer ABI",
        "POLICY_FAILURE: one of bits 63:21 of the policy is set",
        "POLICY_FAILURE: the policy has single_socket, and its agent's has not",
    ),
    Id.SNP_LAUNCH_UPDATE: (
        "INVALID_PARAM: one of bits 11:0 of either address, or a reserved field, is set",
        OFF,
        GCTX_IN_RMP,
        NO_GUEST,
        "INVALID_PARAM: page_paddr lies in the RMP",
        "INVALID_PAGE_STATE: the page is not PRE_GUEST",
        "INVALID_PAGE_SIZE: the RMP has the page at another size",
        "INVALID_ADDRESS: a page of 2 MiB is not aligned to that",
        "INVALID_PAGE_SIZE: VMSA, SECRETS or CPUID, and 2 MiB",
        "INVALID_PARAM: page_type is 0 or 7",
        "INVALID_GUEST_STATE: the guest is not being launched",
        NO_ASID,
        "INVALID_PAGE_OWNER: the page is another ASID's",
        "INVALID_PARAM: a migration image is launched, and imi_page is clear",
        "INVALID_PARAM: CPUID page: something reserved is set, or count is above 64",
        "INVALID_PARAM: CPUID page: a value is refused, and corrected where it lies",
    ),
    Id.SNP_LAUNCH_FINISH: (
        "INVALID_PARAM: one of bits 11:0 of gctx_paddr, or a reserved bit, is set",
        OFF,
        GCTX_IN_RMP,
        NO_GUEST,
        "INVALID_GUEST_STATE: the guest is not being launched, or is a migration image",
        NO_ASID,
        UNREACHED
        + "ID block or authentication cannot be read; with id_block_en, as all that follow",
        "BAD_MEASUREMENT: the digest is not that of the launch",
        "POLICY_FAILURE: the policy is not that of the launch",
        "INVALID_PARAM: an algorithm is not 1",
        "BAD_SIGNATURE: the ID key is on another curve, or on none",
        "BAD_SIGNATURE: the signature over the ID block does not fit",
        "BAD_SIGNATURE: auth_key_en, and the author key is on another curve, or on none",
        "BAD_SIGNATURE: auth_key_en, and the signature over the ID key does not fit",
    ),
    Id.SNP_ACTIVATE: (
        *GUEST,
        NOT_BEGUN,
        *ACTIVATION,
        "POLICY_FAILURE: the policy has single_socket, and there are several",
        "INVALID_ASID: asid is 0 or above 1006",
        "ASID_OWNED: the ASID is in use",
        "ACTIVE: the guest has an ASID",
        "DF_FLUSH_REQUIRED: the ASID is dirty on a core",
        "ASID_OWNED: the ASID is not clean on all cores",
        "INVALID_ASID: the ASID is one of SEV without ES",
    ),
    Id.SNP_ACTIVATE_EX: (
        "INVALID_PARAM: ex_len is not 0x20",
        "INVALID_PARAM: one of bits 11:0 of gctx_paddr, or something reserved, is set",
        OFF,
        GCTX_IN_RMP,
        NO_GUEST,
        NOT_BEGUN,
        *ACTIVATION,
        "INVALID_ASID: asid is 0 or above 1006",
        "UNSUPPORTED: the firmware has no table of APIC ids",
        "INVALID_PARAM: numids is 0 or above 1024",
        UNREACHED + "the ids cannot be read",
        "-: there is no such APIC id",
        "POLICY_FAILURE: single_socket, and the agent is not active, or on another socket",
        "POLICY_FAILURE: single_socket, and the cores are on several",
        "DF_FLUSH_REQUIRED: the ASID is dirty; at the first activation, as the next",
        "ASID_OWNED: the ASID is not clean on all cores",
        "ACTIVE: the guest has another ASID",
        "INVALID_ASID: the ASID is one of SEV without ES",
    ),
    Id.SNP_DECOMMISSION: (*GUEST, "ACTIVE: the ASID cannot be taken away"),
    Id.SNP_GUEST_STATUS: (
        LOW,
        "INVALID_PARAM: the status would cross a page",
        OFF,
        GCTX_IN_RMP,
        NO_GUEST,
        "INVALID_PARAM: status_paddr lies in the RMP",
        "INVALID_PAGE_STATE: the page is neither FIRMWARE nor beyond the RMP",
    ),
    Id.SNP_PAGE_RECLAIM: (
        "INVALID_PARAM: one of bits 11:1 is set",
        OFF,
        UNREACHED + "the page cannot be reached",
        "INVALID_ADDRESS: the page lies in the RMP",
        "INVALID_PAGE_SIZE: the RMP has the page at another size",
        "INVALID_ADDRESS: a page of 2 MiB is not aligned to that",
        "SUCCESS: immutable is 0 already; nothing is changed",
        "INVALID_PAGE_STATE: the page is CONTEXT, HV_FIXED, FIRMWARE_IOMMU or INVALID",
    ),
    Id.SNP_PAGE_UNSMASH: (
        "INVALID_PARAM: one of bits 20:0 is set",
        OFF,
        "INVALID_PARAM: the first page lies in the RMP",
        "INVALID_PAGE_STATE: the first page is beyond the RMP",
        "INVALID_ADDRESS: the 2 MiB reach into the RMP",
        "INVALID_PAGE_STATE: one of 512 has 2 MiB, is not immutable, is a VMSA, or no guest's",
        "INVALID_PAGE_STATE: the first guest address is not aligned to 2 MiB",
        "INVALID_PAGE_STATE: they differ in state, ASID or rights, or are not consecutive",
    ),
    Id.SNP_PAGE_SET_STATE: (
        "INVALID_LENGTH: length is not 0x10",
        "INVALID_PARAM: something reserved, or one of bits 11:0 of list_paddr, is set",
        OFF,
        "INVALID_ADDRESS: list_paddr cannot be reached",
        "INVALID_PARAM: the list: reserved, above 255, across its page, a base not of 2 MiB",
        "SUCCESS: a part that lies in the RMP is passed over",
        "INVALID_PAGE_STATE: a page is not FIRMWARE",
        "INVALID_ADDRESS: the RMP cannot be written",
    ),
    Id.SNP_PAGE_MD_INIT: (
        "INVALID_PARAM: one of bits 11:0 of either address is set",
        OFF,
        "INVALID_PARAM: either address lies in the RMP",
        NO_GUEST,
        "INVALID_PAGE_STATE: the page is not FIRMWARE",
        NOT_BEGUN,
    ),
    Id.SNP_PAGE_MOVE: (
        "INVALID_PARAM: one of bits 11:0 of an address, or something reserved, is set",
        OFF,
        THREE_IN_RMP,
        NO_GUEST,
        "INVALID_PAGE_SIZE: the RMP has either page at another size",
        NOT_BEGUN,
        NO_ASID,
        "INVALID_PAGE_STATE: not PRE_GUEST or PRE_SWAP to PRE_GUEST, nor METADATA to FIRMWARE",
        "INVALID_PAGE_OWNER: a guest's page: either is another ASID's",
        "INVALID_PAGE_OWNER: metadata: the page is another context's",
    ),
    Id.SNP_PAGE_SWAP_OUT: (
        "INVALID_PARAM: one of bits 11:0 of an address, or bit 3 or 63:5 of flags, is set",
        OFF,
        THREE_IN_RMP,
        NO_GUEST,
        *SWAP,
        "INVALID_PAGE_SIZE: the RMP has a page at another size",
        NOT_BEGUN,
        NO_ASID,
        "INVALID_PAGE_STATE: data or VMSA: source or destination is in no state for it",
        "INVALID_PAGE_OWNER: data or VMSA: the page is another ASID's",
        "INVALID_PAGE_STATE: metadata: source or destination is in no state for it",
        "INVALID_PAGE_OWNER: metadata: the page is another context's",
        "INVALID_PAGE_STATE: page_type is 3",
        "AEAD_OFLOW: the numbers to seal under are used up",
    ),
    Id.SNP_PAGE_SWAP_IN: (
        "INVALID_PARAM: one of bits 11:0 of an address, 0x20, or bits 63:5 of flags, is set",
        OFF,
        THREE_IN_RMP,
        NO_GUEST,
        *SWAP,
        NOT_BEGUN,
        NO_ASID,
        "INVALID_MDATA_ENTRY: the entry is not valid, or of another type than page_type",
        "INVALID_PAGE_SIZE: a page or the entry has another size",
        "INVALID_PAGE_STATE: data: the destination is not PRE_GUEST",
        "INVALID_ADDRESS: swap_in_place, and src_paddr is not dst_paddr",
        "INVALID_PARAM: swap_in_place, and metadata or VMSA",
        "INVALID_PAGE_STATE: metadata: the destination is not FIRMWARE",
        "INVALID_PAGE_SIZE: VMSA, and 2 MiB",
        "INVALID_PAGE_STATE: VMSA: the destination is not PRE_GUEST",
        "INVALID_PAGE_OWNER: data or VMSA: the destination is another ASID's",
        "BAD_MEASUREMENT: the page does not fit the tag of its entry",
    ),
    Id.SNP_DBG_DECRYPT: (
        THREE_LOW,
        OFF,
        THREE_IN_RMP,
        NO_GUEST,
        "INVALID_PAGE_STATE: the source is no guest's, or the destination not FIRMWARE",
        "INVALID_PAGE_OWNER: the source is another ASID's",
        "POLICY_FAILURE: the policy forbids debugging",
        NO_ASID,
    ),
    Id.SNP_DBG_ENCRYPT: (
        OFF,
        THREE_LOW,
        THREE_IN_RMP,
        NO_GUEST,
        "INVALID_PAGE_STATE: the destination is neither PRE_GUEST nor PRE_SWAP",
        "INVALID_PAGE_OWNER: the destination is another ASID's",
        "POLICY_FAILURE: the policy forbids debugging",
        NO_ASID,
    ),
    Id.SNP_GUEST_REQUEST: (
        LOW,
        OFF,
        "INVALID_PARAM: one of the three addresses lies in the RMP",
        NO_GUEST,
        "INVALID_PAGE_STATE: the page for the answer is not FIRMWARE",
        "INVALID_PAGE_SIZE: the page of the request, or for the answer, has 2 MiB",
        "INVALID_GUEST_STATE: the guest's launch is not finished",
        "INVALID_PARAM: the header of the request crosses its page",
        "-: the message is opened and answered: see decode message",
    ),
}


SOURCE = "AMD-ASPFW sev_mcmd.c"


class Step(NamedTuple):
    """One check, and the statuses that the firmware may answer where it fails."""

    text: str
    statuses: tuple[Status, ...]

    @classmethod
    def of(cls, row: str) -> Self:
        """Read ``STATUS or STATUS: what is refused``; a dash stands for no status."""
        names, _, text = row.partition(": ")
        return cls(text, tuple(Status[n] for n in names.split(" or ") if n != "-"))


START = (
    "HARDWARE_PLATFORM: the diagnostic mode is on",
    "INVALID_PLATFORM_STATE: SNP, or SEV without it, is started",
    "UNSUPPORTED: Bergamo, and its boot loader is too old",
    "HARDWARE_UNSAFE: the part is unlocked for debugging",
)
CORES = (
    "INVALID_CONFIG: encryption, MemEncMod, SNPEn or VMPLEn is off on a core, or SMKE is on",
    "INVALID_CONFIG: registers differ between cores",
    "INVALID_CONFIG: MtrrFixDramModEn is not the same on all",
    "INVALID_CONFIG: SmmLock is not the same on all",
    UNREACHED + "RMP_BASE to RMP_END is no memory that can be reached",
    "INVALID_CONFIG: RMP_BASE or the table's size is no multiple of 1 MiB",
    "UNSUPPORTED: RMP_BASE or RMP_END has the C-bit",
    "INVALID_CONFIG: the memory of system management is not where it was",
    "INVALID_CONFIG: the table is not within one region of memory",
    "INVALID_CONFIG: the RMP is to be set up, and VM_HSAVE_PA is set on a core",
    "RMP_INITIALIZATION_FAILED: the RMP cannot be set up",
    "-: the IOMMU cannot be made to heed it",
)
STOP = (
    "INVALID_PLATFORM_STATE: SEV without SNP is started",
    "SUCCESS: SNP is stopped already; nothing more is checked",
    "DF_FLUSH_REQUIRED: an ASID is not clean on all cores",
)

PLATFORM: dict[Id, tuple[str, ...]] = {
    Id.SNP_INIT: (*START, *CORES),
    Id.SNP_INIT_EX: (
        "INVALID_PARAM: a reserved bit or byte is set: flags 31:2, 0x4 to 0x7, 0x10 to 0x3f",
        *START,
        "RMP_INIT_REQUIRED: the RMP was not set up since the start, and init_rmp is clear",
        "RMP_INIT_REQUIRED: it was set up under another TCB, and init_rmp is clear",
        "INVALID_PARAM: list_paddr_en is set, and the RMP is not to be set up",
        *CORES,
    ),
    Id.SNP_SHUTDOWN: (*STOP, "HARDWARE_UNSAFE: state cannot be cleared"),
    Id.SNP_SHUTDOWN_EX: (
        *STOP,
        "INVALID_PARAM: length is not 8",
        "INVALID_PARAM: a reserved bit is set",
        "INVALID_PARAM: x86_snp_shutdown without iommu_snp_shutdown, or not to be had",
        "SHUTDOWN_INCOMPLETE: SNPEn cannot be cleared",
        "HARDWARE_UNSAFE: state cannot be cleared",
    ),
    Id.SNP_PLATFORM_STATUS: (
        "INVALID_PARAM: the status would cross a page",
        "INVALID_PARAM: status_paddr lies in the RMP; once SNP is started, as the next",
        "INVALID_PAGE_STATE: the page is neither FIRMWARE nor beyond the RMP",
        UNREACHED + "the status cannot be written",
    ),
    Id.SNP_DF_FLUSH: ("WBINVD_REQUIRED: a core has not written back its cache",),
    Id.SNP_CONFIG: (
        "INVALID_PARAM: something reserved is set",
        "INVALID_PARAM: reported_tcb is above the committed one",
    ),
    Id.SNP_COMMIT: ("INVALID_PARAM: length is not 4", "-: the image cannot be committed"),
    Id.SNP_DOWNLOAD_FIRMWARE_EX: (
        "INVALID_PLATFORM_STATE: SEV without SNP is started",
        "INVALID_PARAM: something reserved is set",
        "INVALID_ADDRESS: fw_paddr is no multiple of 32",
        "-: the boot loader refuses the image",
        "UPDATE_FAILED: the new firmware refuses the state; the old one runs on",
        "HARDWARE_UNSAFE: the old one cannot be brought back",
    ),
    Id.SNP_VLEK_LOAD: (
        "INVALID_PARAM: length, version or something reserved is wrong",
        UNREACHED + "the wrapped VLEK cannot be read",
        "BAD_SVN: its TCB version is not the reported one",
        "BAD_MEASUREMENT: it does not open",
    ),
    Id.SNP_FEATURE_INFO: (
        "INVALID_PARAM: length is not 0x10",
        "INVALID_ADDRESS: the answer is no multiple of 4, or would cross a page",
        "INVALID_PARAM: feature_info_paddr lies in the RMP; once SNP is started, as the next",
        "INVALID_PAGE_STATE: the page is neither FIRMWARE nor beyond the RMP",
        "INVALID_PARAM: ecx_in is above 1",
    ),
}
STEPS: dict[Id, tuple[Step, ...]] = {
    number: tuple(map(Step.of, rows)) for number, rows in (PLATFORM | ROWS).items()
}
"""The steps of each command of SNP whose handler was read."""
