"""Advisories: what is known to be broken, and what a report says about it.

The table is ``advisories.toml``, dated and never complete, which each text that cites it says: that
an advisory is not cited is no sign that it is fixed. The rules of the table:

* Only what AMD says, or what two projects say that do not copy from each other, can fail a check.
  What one project says is a note; what is disputed is told as that.
* Microcode is compared for one CPUID model and stepping, or not at all: its level is the low byte
  of a patch's revision, and those of two steppings have nothing to do with each other.
* Mitigation vectors are sets, and reserved before version 5 of a report: no statement is made.
* A TCB version is compared in the reported, the committed and the current one. The reported one is
  that of the key, which old firmware can use as well; to the committed one a host can go back.
"""

from .catalogue import Advisory, AdvisoryTable, open_signs, table
from .sign import COMPONENTS, KINDS, Confidence, Sign, Told, bit_names, firmware_version

SILENCE = "whose silence means nothing"
"""What a text says that cites the table."""

__all__ = [
    "COMPONENTS",
    "KINDS",
    "SILENCE",
    "Advisory",
    "AdvisoryTable",
    "Confidence",
    "Sign",
    "Told",
    "bit_names",
    "firmware_version",
    "open_signs",
    "table",
]
