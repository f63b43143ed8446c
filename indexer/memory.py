"""Memory: what the system could give, and what was freed and the C library keeps for later."""

import ctypes
import gc
from contextlib import suppress
from pathlib import Path, PurePosixPath


def give_back() -> None:
    """Give it back where the library is glibc, which keeps most of it unless it is told otherwise; no-op elsewhere."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def settle() -> None:
    """Look for no garbage any more among the objects that are there now, which stay as long as the process.

    With a model and a page that is a third of a million, and all threads wait for each such look for as many
    milliseconds. What refers to itself in a circle, and goes later, stays too.
    """
    gc.freeze()


def memory_left(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return the bytes that are free or could be freed at once; None where the system does not say.

    They are the fewest of the machine's and of those below the limit of each control group (of either version) that
    this process is in, as a container sets it.
    """
    left = []
    with suppress(OSError, ValueError, IndexError):
        lines = (proc / "meminfo").read_text(encoding="ascii").splitlines()
        left += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    with suppress(OSError, ValueError):
        for line in (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines():
            _number, kinds, path = line.split(":", 2)
            if not kinds:
                left += _left_in(groups, path, "memory.max", "memory.current", "inactive_file")
            elif "memory" in kinds.split(","):
                names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
                left += _left_in(groups / "memory", path, *names)
    return min(left, default=None)


def _left_in(mount: Path, path: str, limit: str, used: str, cached: str) -> list[int]:
    """The bytes left in a control group and in those above it, of those that have a limit."""
    left = []
    group = PurePosixPath(path.lstrip("/"))
    for folder in (mount / one for one in (group, *group.parents)):
        with suppress(OSError, ValueError):  # "max" is no number, and a container sees no group above its own
            free = int((folder / limit).read_text()) - int((folder / used).read_text())
            with suppress(OSError, ValueError):
                counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                free += int(counts.get(cached, 0))  # files' pages, which go first
            left.append(max(0, free))
    return left
