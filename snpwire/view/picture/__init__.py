"""Maps, as SVG and PNG."""
