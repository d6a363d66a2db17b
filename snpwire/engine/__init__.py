"""The protocol at work without hardware: guest, hypervisor, secure processor, and what fails.

No I/O, no clock, no randomness of its own: all three are arguments, so the same seed gives the
same trace.

``machine`` puts all of it together. The way of a request is that of the modules: ``guest``,
``driver`` and ``stream`` seal it, ``hypervisor`` and ``requests`` take the exit, ``host`` gives the
command, ``firmware`` opens the message and answers. ``memory``, ``entries`` and ``space`` are what
they work on; ``profile``, ``platform`` and ``policy`` say how; ``faults`` and ``catalogue`` what
goes wrong; ``trace``, ``invariants`` and ``trial`` what came of it.
"""
