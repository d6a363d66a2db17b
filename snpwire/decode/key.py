"""How a request for a key is read: for the product whose TCB version it has."""

from ..wire.key import KeyReq, KeyReqV2
from .tcb import tcb_versions

INTERPRETERS = dict.fromkeys((KeyReq, KeyReqV2), tcb_versions)
