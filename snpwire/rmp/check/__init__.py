"""What can be wrong with a whole table."""
