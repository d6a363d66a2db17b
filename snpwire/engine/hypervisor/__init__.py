"""The hypervisor: every exit and what answers it."""
