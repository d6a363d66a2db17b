"""Maps of memory, as SVG."""
