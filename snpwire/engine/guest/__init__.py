"""The guest: its driver, its memory, and its start."""
