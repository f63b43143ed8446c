"""Ctrl-C and SIGTERM as KeyboardInterrupt, raised where Python does not pass over it. Imports nothing of picsift."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN_S = 0.01
_IMPORTS = ("<frozen importlib._bootstrap>", "weakref.py", "_weakrefset.py")
_OF_SQLITE = ("file_connection.py", "instants.py")  # files of this program with functions that SQLite calls
_BACKGROUND = (*_IMPORTS, *_OF_SQLITE)  # files whose functions these are
_CALLED_BACK = ("cb", "_get_module_lock", "remove", "_remove", "take_row", "_of_row")


def interrupt(number: int, frame: FrameType | None) -> None:
    """A handler that raises KeyboardInterrupt, a moment later where it would be lost.

    Imports call weak references back, as does what is thrown away, and Python passes over what is raised there: the
    signal would have done nothing, and the lock of all imports might be kept for ever. Of what is raised in a function
    that SQLite calls it makes an error of the statement.
    """
    if not _is_lost_in(frame):
        raise KeyboardInterrupt
    again = threading.Timer(_AGAIN_S, _send, [number])
    again.daemon = True  # nothing waits for it where the process ends meanwhile
    again.start()


@contextmanager
def usual_interrupts() -> Iterator[None]:
    """Have Ctrl-C handled as by Python itself: asyncio takes over that handler alone, to close what it runs."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not interrupt:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)


def _is_lost_in(frame: FrameType | None) -> bool:
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or (code.co_name in _CALLED_BACK and code.co_filename.endswith(_BACKGROUND)):
            return True
        frame = frame.f_back
    return False


def _send(number: int) -> None:
    if os.name == "posix":
        os.kill(os.getpid(), number)  # ends a wait of the main thread as well
    else:
        import _thread

        _thread.interrupt_main(signal.Signals(number))
