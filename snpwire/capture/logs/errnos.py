"""Names of the kernel's error numbers, as Linux numbers them on x86."""

from __future__ import annotations

ERRNOS: dict[int, tuple[str, str]] = {
    1: ("EPERM", "not permitted"),
    2: ("ENOENT", "not there"),
    4: ("EINTR", "interrupted by a signal"),
    5: ("EIO", "the other side failed"),
    6: ("ENXIO", "no such device or address"),
    7: ("E2BIG", "too long a list"),
    11: ("EAGAIN", "not now"),
    12: ("ENOMEM", "no memory"),
    13: ("EACCES", "access denied"),
    14: ("EFAULT", "bad address"),
    16: ("EBUSY", "in use"),
    17: ("EEXIST", "there already"),
    19: ("ENODEV", "no such device"),
    22: ("EINVAL", "bad argument"),
    25: ("ENOTTY", "the driver does not offer it"),
    28: ("ENOSPC", "no room"),
    30: ("EROFS", "the file system takes no writes"),
    34: ("ERANGE", "out of range"),
    38: ("ENOSYS", "not implemented"),
    61: ("ENODATA", "no data"),
    62: ("ETIME", "timer expired"),
    71: ("EPROTO", "protocol error"),
    74: ("EBADMSG", "not the message that was expected"),
    75: ("EOVERFLOW", "too large for its type"),
    95: ("EOPNOTSUPP", "not supported"),
    105: ("ENOBUFS", "no buffer"),
    110: ("ETIMEDOUT", "timed out"),
    512: ("ERESTARTSYS", "interrupted by a signal"),
}
"""Name and sense of each number, without its sign."""


def errno_name(number: int) -> str:
    """Return the name of *number*, whatever its sign, or the number itself."""
    return ERRNOS[abs(number)][0] if abs(number) in ERRNOS else str(number)


def errno_text(number: int) -> str:
    """Return what *number* says: its name and its sense."""
    if number == 0:
        return "0, no error"
    if abs(number) not in ERRNOS:
        return f"{number}, an error without a name here"
    name, sense = ERRNOS[abs(number)]
    return f"{number} {name}, {sense}"
