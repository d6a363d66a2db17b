"""What needs a key: guest messages, signatures, certificates.

No other layer imports ``cryptography``. Bytes, keys and times are arguments; nothing here reads a
file or a clock, and no key appears in a representation, a message or a pickle.
"""
