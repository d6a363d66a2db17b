"""Commands that run the emulated machine."""
