"""How many files this process may have open, sockets among them; and what is said where that is too few."""

import asyncio
import errno
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

MOST_FILES = 65_536  # as many as are asked for where the system sets no limit
OUT_OF_FILES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = logging.getLogger(__name__)


def open_files() -> int:
    """How many files, sockets among them, this process may have open."""
    return MOST_FILES if resource is None else min(resource.getrlimit(resource.RLIMIT_NOFILE)[0] % 2**63, MOST_FILES)


def raise_open_files() -> None:
    """Raise that limit as far as a process may by itself."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # macOS takes less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def tell_once(every_s: float = 60.0, now_s: Callable[[], float] = time.monotonic) -> Callable[..., None]:
    """A handler for a loop's errors: that no file can be opened any more is told in a line, and once in `every_s`."""
    told_s = -every_s

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal told_s
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in OUT_OF_FILES:
            loop.default_exception_handler(context)
            return
        if now_s() - told_s >= every_s:
            told_s = now_s()
            log.warning("connections wait: %s (%d files may be open)", error.strerror, open_files())

    return handle
