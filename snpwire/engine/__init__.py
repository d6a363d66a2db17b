"""The protocol at work without hardware: guest, hypervisor, secure processor, and what fails.

No I/O, no clock, no randomness of its own: all three are arguments, so the same seed gives the
same trace.
"""
