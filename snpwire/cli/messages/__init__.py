"""Commands about guest messages and evidence."""
