"""A decoded value as a person or a program wants to see it. Every view yields lines or objects."""
