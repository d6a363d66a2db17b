"""Read, build and replay what passes between an SEV-SNP guest, its hypervisor and the firmware."""

__all__ = ["__version__"]
__version__ = "0.1.0"
