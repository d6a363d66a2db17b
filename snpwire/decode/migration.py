"""How guest contexts and their messages are read: for the product whose TCB versions they have."""

from ..wire.migration import AbsorbNomaReq, AbsorbReq, ExportRsp, GuestContext, ImportReq
from .tcb import tcb_versions

INTERPRETERS = dict.fromkeys(
    (GuestContext, ExportRsp, ImportReq, AbsorbReq, AbsorbNomaReq), tcb_versions
)
