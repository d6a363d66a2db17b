"""The hypervisor: every exit, and its response to it."""
