"""What a decoder may do to the process that it runs in; called there by the tests through the recipe's `prepare`.

It imports within its functions what takes long to import: most of them run in a process that is there for one call.
"""

import ctypes
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

SEGFAULT, KILLED, LEFT, LOOP, HOARD, NATIVE_LOOP = 41, 43, 47, 53, 59, 61  # heights of pictures, in pixels


def divide(picture):
    return 1 // 0


def forever(picture=None):
    while True:
        time.sleep(0.05)


def crash():
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    ctypes.string_at(0)


def leave(status):
    os._exit(status)


def kill_itself(number):
    os.kill(os.getpid(), number)


def loop_without_letting_python_run():
    ctypes.PyDLL(None).pause()  # holds the interpreter's lock, as a C extension that hangs


def hoard():
    import numpy as np

    held = []
    while True:
        held.append(np.empty(16 << 20, dtype=np.uint8))  # unwritten: a busy machine shall not take long for it


def tell(path):
    """Say where this process is, then run on for ever."""
    Path(path).write_text(str(os.getpid()))
    forever()


def square_unless_hostile(picture):
    """The square of 32 pixels, except for pictures of some heights."""
    from clip_model.preprocessing.squares import CenterSquare

    hostile = {
        SEGFAULT: crash,
        KILLED: lambda: kill_itself(signal.SIGKILL),
        LEFT: lambda: leave(3),
        LOOP: forever,
        HOARD: hoard,
        NATIVE_LOOP: loop_without_letting_python_run,
    }
    hostile.get(picture.height, lambda: None)()
    return CenterSquare(32)(picture)


def weight():
    """Heavy packages that this process has imported to decode a JPEG, and whether it takes less than 80 MB."""
    import pickle
    from io import BytesIO

    from PIL import Image

    from clip_model.preprocessing.squares import CenterSquare
    from indexer.pictures.rendering import square_and_small

    target = BytesIO()
    Image.new("RGB", (40, 30)).save(target, "JPEG")
    pickle.dumps(square_and_small(target.getvalue(), CenterSquare(8), 8, 10_000))
    import indexer.workers.recipe

    heavy = {"numpy", "PIL.PdfImagePlugin"} & set(sys.modules)
    import indexer.workers.decoding  # noqa: F401

    heavy |= {"torch", "sqlalchemy", "faiss", "alembic", "gradio"} & set(sys.modules)
    return sorted(heavy), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 80 << 10


def meet(folder, count):
    """Return once so many calls have come to the folder: not before all of them are under way.

    How long that takes is the pool's business: of processes that stand back, on a busy machine, the last may come late.
    """
    descriptor, _ = tempfile.mkstemp(dir=folder)
    os.close(descriptor)
    while len(os.listdir(folder)) < count:  # noqa: PTH208 - the names alone
        time.sleep(0.01)
