"""What the ccp driver says of devices of SNP guests (SEV-TIO), and of firmware servicing."""

from __future__ import annotations

from .phrase import phrase
from .template import form

_SFS = "seamless firmware servicing (SFS)"
FORMATS = (
    form(
        "tio_failed",
        "tio-off",
        "Failed to enable SEV-TIO: ret={rc:d} en={en:d} initdone={done:d} SEV={sev:d}",
        phrase("SEV-TIO not started", "{errno}; enabled {en}, initialised {done}"),
    ),
    form(
        "tio_status",
        "tio-status",
        "SEV-TIO status: EN={en:d} INIT_DONE={done:d} rq={req_min:d}..{req_max:d}"
        " rs={rsp_min:d}..{rsp_max:d} scr={scratch_min:d}..{scratch_max:d}"
        " out={out_min:d}..{out_max:d} dev={device_size:d} tdi={interface_size:d} algos={algos:x}",
        phrase(
            "SEV-TIO enabled {en}  initialised {done}",
            "buffers: request {req_min} to {req_max}, response {rsp_min} to {rsp_max}, scratch"
            " {scratch_min} to {scratch_max}, output {out_min} to {out_max} bytes",
        ),
    ),
    form(
        "tio_status_failed",
        "tio-off",
        "SEV-TIO STATUS failed with {rc:d}",
        phrase("TIO_STATUS failed", "{errno}"),
    ),
    form(
        "tsm_failed",
        "tio-off",
        "PCI/TSM registration failure: {rc:d}",
        phrase("SEV-TIO not offered to devices", "{errno}"),
    ),
    form(
        "tsm_on",
        "tio-device",
        ": TSM enabled",
        phrase("device under SEV-TIO", "the device came under the secure processor's care"),
    ),
    form("tsm_off", "tio-device", ": TSM disabled", phrase("device left SEV-TIO")),
    form(
        "tsm_mailbox",
        "tio-off",
        "CMA DOE MB must support SSESSION",
        phrase("device without secured messages", "its mailbox lacks them: no SEV-TIO"),
    ),
    form(
        "tsm_stream",
        "tio-off",
        "Stream for class={traffic_class:d} already registered",
        phrase("IDE stream taken  class {traffic_class}", "another one has this traffic class"),
    ),
    form(
        "tsm_forced",
        "tio-device",
        "Forcing CFG/TEE for {port:o}",
        phrase("root port {port}", "it does not say that it takes the requests; they are sent"),
    ),
    form(
        "sfs_off",
        "firmware-servicing",
        "psp does not support SFS",
        phrase("no SFS", f"the processor has no {_SFS}"),
    ),
    form(
        "sfs_on",
        "firmware-servicing",
        "SFS support is available",
        phrase("SFS", f"{_SFS}: firmware can be replaced while the machine runs"),
    ),
    form(
        "sfs_device",
        "firmware-servicing",
        "registered SFS device",
        phrase("SFS device", f"{_SFS} can be asked for"),
    ),
    form(
        "sfs_request",
        "firmware-servicing",
        ": in SFSIOC{request:o}",
        phrase("SFS request {request}", "a program asks for versions, or for an update"),
    ),
    form(
        "sfs_error",
        "firmware-servicing-failed",
        "ccp {ccp:v}: msg {message:p} failed with PSP error: {code:p},"
        " extended status: {extended:p}",
        phrase(
            "SFS command {message:#x} failed  error {code:#x}  extended {extended:#x}",
            "numbers of the secure processor's own, which no source names",
        ),
    ),
    form(
        "sfs_memory",
        "firmware-servicing-failed",
        "ccp {ccp:v}: Command Buffer HV-Fixed page allocation failed",
        phrase("no memory for SFS", "2 MiB for its command buffer are not there"),
    ),
    form(
        "sfs_uncached",
        "firmware-servicing",
        "ccp {ccp:v}: Command buffer {address:p} marked uncacheable",
        phrase("SFS buffer {address:#x} uncached"),
    ),
    form(
        "sfs_fixed",
        "firmware-servicing",
        "ccp {ccp:v}: Command buffer {address:p} to be marked as HV_Fixed",
        phrase("SFS buffer {address:#x} HV_FIXED", "from SNP_INIT on no guest gets these pages"),
    ),
    form(
        "sfs_cached",
        "firmware-servicing-failed",
        "ccp {ccp:v}: Set memory uc failed",
        phrase("SFS off", "its command buffer stays cached"),
    ),
    form(
        "sfs_file",
        "firmware-servicing-failed",
        "ccp {ccp:v}: firmware request failed for {file:o} ({rc:d})",
        phrase("package {file} not loaded", "{errno}"),
    ),
    form(
        "sfs_size",
        "firmware-servicing-failed",
        "SFS payload size {size:d} larger than maximum supported payload size of {limit:d}",
        phrase("package of {size} bytes refused", "at most {limit} bytes fit"),
    ),
)
