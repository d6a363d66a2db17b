"""The commands of guest messages and reports: seal, open, verify."""

from typing import Annotated

import typer

from ..groups import Commands
from ..options import AsHex, Corrupt, File, Json, Output, PieceOptions, grouped
from .options import (
    AppraisalOptions,
    KeyOptions,
    OpenOptions,
    PayloadOptions,
    SealOptions,
    VerifyOptions,
)

SEAL = """Example: snpwire seal report-req --set vmpl=1 --key-file vmpck --seqno 1 -o page.bin

TYPE is the name or number of a message (report-req, tsc-info-req, 5), the kind of a payload\
 that only one message has, or raw with --type and --payload. Missing fields are zero."""
VERIFY = """Example: snpwire verify report.bin vcek.der ask_ark.pem --policy policy.toml

\b
These checks fail unless --allow names them, each once:
  debug, migration, policy-bits, vmpl, tcb-order, report-version, key-info, measurement,
  claims

\b
A policy, in TOML or JSON; --policy list prints all of its rules:
  allow = ["debug"]                as --allow
  forbid = ["migrate_ma"]          bits of the guest policy that are 0; require: that are 1
  measurement = "7a1e.."           a value of the report, or several
  platform_info = {require = ["alias_check_complete"]}
  [minimum]
  committed_tcb = {snp = 27}       parts of a TCB version
  current_version = "1.55.40\""""

COMMANDS = Commands()


@COMMANDS.command("seal", epilog=SEAL)
@grouped
def seal(
    *,
    what: Annotated[str, typer.Argument(metavar="TYPE", show_default=False)] = "",
    payload: PayloadOptions,
    key: KeyOptions,
    options: SealOptions,
    corrupt: Corrupt = (),
    output: Output = None,
    as_hex: AsHex = False,
) -> int:
    """Build, seal and write a guest message."""
    from .seal import seal as run

    return run(what, payload, key, options, corrupt, output=output, as_hex=as_hex)


@COMMANDS.command("open", epilog="Example: snpwire open page.bin --key-file vmpck")
@grouped
def open_(*, file: File = "-", key: KeyOptions, options: OpenOptions, piece: PieceOptions) -> int:
    """Authenticate and decrypt a guest message, or find out which input is wrong."""
    from .open import open_message

    return open_message(file, key, options, piece)


@COMMANDS.command("verify", epilog=VERIFY)
@grouped
def verify(
    *,
    report: Annotated[str, typer.Argument(metavar="REPORT", show_default=False)] = "",
    options: VerifyOptions,
    appraisal: AppraisalOptions,
    json: Json = False,
    piece: PieceOptions,
) -> int:
    """Verify an attestation report against its certificate chain and a policy.

    REPORT may be evidence that has a report in it, and its own certificates.
    """
    from .verify import verify as run

    return run(report, options, appraisal, piece, json=json)
