"""The protocol at work without hardware: guest, hypervisor, secure processor, and what fails.

No I/O, no clock and no randomness: all three are arguments, so the same seed gives the same trace.

From the top: ``oracle`` knows what must come of a request, ``invariants`` what must hold whatever
goes wrong, and ``workload`` runs several guests at once. ``machine`` puts a host together.
``faults`` act on the three parties: ``guest`` seals a request and issues the exit, ``hypervisor``
takes the exit and issues the command, ``firmware`` opens the message and responds. ``profile`` and
``cpuid_policy`` are a product as data. ``simulation`` has time, chance and the trace, and
``memory`` is what all parties work on. A party knows only those below it.
"""
