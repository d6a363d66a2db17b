"""The guest: its driver, its memory, and how it starts."""
