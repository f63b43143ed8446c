"""A thread that computes with one core: for a few short texts, whose layers are over before a second core has woken up.

Of 32 texts two cores spend twice the CPU of one, and where another program has the second core each layer waits until
that gets its turn: 1.4 s have been seen for what one core does in 45 ms.

torch keeps the number of threads for each thread of Python, and hands the last number that anybody set to threads that
are new to it. So the number is set once, in a thread of its own, rather than around each computation, where it would
also reach threads that begin meanwhile.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Result = TypeVar("Result")
_starting = threading.Lock()


def on_one_core(compute: Callable[[], Result]) -> Result:
    """What `compute` gives, worked out in the one thread of this process that uses one core."""
    try:
        with _starting:  # two at once would take each other's number for that of all threads
            thread = _thread()
        future = thread.submit(compute)
    except RuntimeError:  # Python is ending, and starts no thread for it any more
        return compute()
    return future.result()


@functools.cache
def _thread() -> ThreadPoolExecutor:
    threads = torch.get_num_threads()
    executor = ThreadPoolExecutor(1, "one-core")
    executor.submit(_take_one).result()
    torch.set_num_threads(threads)  # what threads that are new to torch begin with
    return executor


def _take_one() -> None:
    torch.get_num_threads()  # the first call in a thread takes the number that was set last, over its own
    torch.set_num_threads(1)
