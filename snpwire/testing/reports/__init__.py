"""Reports for tests of verifiers, good and bad."""
