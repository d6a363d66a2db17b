"""The reverse map table as one array: what it says of many pages, and how instructions change it.

Declarations of an entry and the rules for its state are in ``snpwire.wire.rmp``.
"""
