"""Memory: what the system could give, and what was freed and the C library keeps for later."""

import ctypes
from contextlib import suppress
from pathlib import Path


def give_back() -> None:
    """Give it back where the library is glibc, which keeps most of it unless it is told otherwise; no-op elsewhere."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def memory_left(table: Path = Path("/proc/meminfo")) -> int | None:
    """Return the bytes that are free or could be freed at once; None where the system does not say."""
    try:
        for line in table.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None
