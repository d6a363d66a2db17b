"""Events of the IOMMU about the reverse map table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .record import Fact
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_DEVICE = re.compile(r"(?<![0-9a-fA-F:.])((?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): ")


def _device(fields: dict[str, Any], log: LogState) -> str:
    """Return the device, which stands in the event or before the message."""
    if "device" in fields:
        return str(fields["device"])
    if "devid" in fields:
        number = int(fields["devid"])
        return f"{number >> 8:02x}:{number >> 3 & 0x1F:02x}.{number & 7}"
    found = _DEVICE.search(log.line.text)
    return found[1] if found else ""


def _page_fault(fields: dict[str, Any], log: LogState) -> Fact:
    device = _device(fields, log)
    return Fact(
        f"device {device or 'unknown'}  gpa {fields['gpa']:#x}  vmg_tag {fields['vmg_tag']:#x}"
        f"  flags_rmp {fields['flags_rmp']:#x}  flags {fields['flags']:#x}",
        "the RMP refused a device's access: the page is private, or its entry has another size",
        cause="the device's buffer is a guest's private page, or part of a 2M entry",
        remedy="compare the entry of the page behind this guest address (snpwire log --only rmp)",
        fields={"device": device},
    )


def _hw_error(fields: dict[str, Any], log: LogState) -> Fact:
    device = _device(fields, log)
    return Fact(
        f"device {device or 'unknown'}  spa {fields['spa']:#x}  vmg_tag {fields['vmg_tag']:#x}"
        f"  flags {fields['flags']:#x}",
        "the IOMMU could not read the RMP's own memory at this address",
        fields={"device": device},
    )


_FAULT = "vmg_tag=0x{vmg_tag:x}, gpa=0x{gpa:x}, flags_rmp=0x{flags_rmp:x}, flags=0x{flags:x}]"
_ERROR = "vmg_tag=0x{vmg_tag:x}, spa=0x{spa:x}, flags=0x{flags:x}]"
FORMATS = (
    form(
        "iommu_page_fault",
        "iommu-rmp-fault",
        f"Event logged [RMP_PAGE_FAULT {_FAULT}",
        _page_fault,
        f"Event logged [RMP_PAGE_FAULT device={{device:a}}, {_FAULT}",
        f"Event logged [RMP_PAGE_FAULT devid=0x{{devid:x}}, {_FAULT}",
    ),
    form(
        "iommu_hw_error",
        "iommu-rmp-error",
        f"Event logged [RMP_HW_ERROR {_ERROR}",
        _hw_error,
        f"Event logged [RMP_HW_ERROR device={{device:a}}, {_ERROR}",
        f"Event logged [RMP_HW_ERROR devid=0x{{devid:x}}, {_ERROR}",
    ),
)
