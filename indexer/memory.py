"""Memory that was freed and that the C library keeps for later, given back to the system."""

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Give it back where the library is glibc, which keeps most of it unless it is told otherwise; no-op elsewhere."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
