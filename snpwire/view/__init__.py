"""Views of a decoded value, for people and for programs: lines of text, or JSON objects."""
