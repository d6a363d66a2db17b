"""What can go wrong, and where."""
