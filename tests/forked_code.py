"""Code that runs in a process of its own, which is there in milliseconds: forked from one that has imported us.

For tests about what another process does and leaves, killed or not. Those about how a process starts, what it imports
or how it takes signals start Python instead.
"""

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

PRELOADED = [
    "torch",
    "clip_model.inference",
    "indexer.pipeline",
    "indexer.library",
    "app.tagging.export.export_service",
]


class Ended(NamedTuple):
    """What a process left: its status, negative after a signal, and both streams."""

    returncode: int | None
    stdout: str
    stderr: str


def context():
    """Makes processes as `multiprocessing` does, by forking one that has no threads and that no test has touched."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(PRELOADED)
    return found


def run(code, *arguments, seconds=60):
    """Run `code` as `python -c` would: with `sys.argv`, and the environment and the working directory of now."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("stdout", "stderr")]
        for stream in streams:
            stream.touch()
        given = (code, [*map(str, arguments)], dict(os.environ), str(Path.cwd()), streams)
        process = context().Process(target=_begin, args=given, daemon=True)
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"it took more than {seconds} seconds")
        return Ended(process.exitcode, *(stream.read_text() for stream in streams))


def _begin(code, arguments, environment, directory, streams):
    for number, stream in enumerate(streams, start=1):
        os.dup2(os.open(stream, os.O_WRONLY), number)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
