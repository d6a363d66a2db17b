"""From bytes to a document: parse, decide how to read, judge."""
