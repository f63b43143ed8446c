"""Code that runs in a process of its own, which is there in milliseconds: forked from one that has imported us.

For tests about what another process does and leaves, killed or not. Those about how a process starts, what it imports
or how Python itself takes signals start Python instead.
"""

import gc
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, chdir
from functools import cache
from multiprocessing import forkserver, util
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

AT_IMPORT = dict(os.environ)
WORKING_FOLDER = Path.cwd()
SHORT = min(tempfile.gettempdir(), "/tmp", key=len)

PRELOADED = [
    "tests.no_garbage",  # before the others: while they are imported there is none
    "pytest",
    "torch",
    "faiss",
    "clip_model.inference",
    "indexer.catalog.migrations",
    "indexer.library",
    "indexer.pipeline",
    "indexer.watching.daemon",
    *("app.launch", "app.cli.commands", "app.cli.indexing", "app.cli.watching", "app.cli.searching"),
    *("app.cli.live_status", "app.cli.tagging.tag_commands", "app.running.asking"),
    *("app.search.dropped_pictures", "app.search.embedders"),
    *("clip_model.preprocessing.tokenizer", "ftfy", "pathspec", "rich.markdown", "typer.rich_utils"),
    "app.tagging.export.export_service",
    "app.web.server",
]


class Ended(NamedTuple):
    """What a process left: its status, negative after a signal, and both streams."""

    returncode: int | None
    stdout: str
    stderr: str


class Started:
    """A process that goes on beside the test, and is used as one of `subprocess` is; its three streams are text."""

    def __init__(self, code, arguments=(), cwd=None, env=None):
        pipes = [multiprocessing.Pipe(duplex=False) for _ in range(3)]
        theirs, ours = [pipes[0][0], pipes[1][1], pipes[2][1]], [pipes[0][1], pipes[1][0], pipes[2][0]]
        given = (code, [*map(str, arguments)], env or dict(os.environ), str(cwd or Path.cwd()), theirs)
        self._process = context().Process(target=_begin, args=given, daemon=True)
        self._process.start()
        self.stdin, self.stdout, self.stderr = (
            os.fdopen(os.dup(pipe.fileno()), mode, errors="surrogateescape")
            for pipe, mode in zip(ours, "wrr", strict=True)
        )
        for pipe in theirs + ours:
            pipe.close()
        self.pid, self.kill = self._process.pid, self._process.kill

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self.returncode

    def send_signal(self, number):
        if self.returncode is None:
            os.kill(self.pid, number)

    def wait(self, timeout=60):
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutError(f"it took more than {timeout} seconds")
        return self.returncode

    def communicate(self, timeout=60):
        """Close its input, and wait for its end; what it said meanwhile in its two other streams."""
        self.stdin.close()
        with ThreadPoolExecutor(2) as readers:
            said = [readers.submit(_read, stream) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except TimeoutError:
                self.kill()
                raise
        self.close()
        return tuple(stream.result() for stream in said)

    def close(self):
        """End it, whatever it does, and its streams."""
        self.kill()
        self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()


def _read(stream):
    return "" if stream.closed else stream.read()


@cache
def context():
    """Makes processes as `multiprocessing` does, by forking one that has no threads and that no test has touched.

    Whichever test is the first to ask, that process begins where and with what this module was imported: with the
    surroundings of a test it would be a different one for the tests after it, and the name of its socket, which may
    have 107 bytes, lies in the folder for temporary files, which a test may have set to one with a long name.
    """
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(PRELOADED)
    with ExitStack() as surroundings:
        surroundings.enter_context(patch.dict(os.environ, AT_IMPORT, clear=True))
        surroundings.enter_context(patch.object(tempfile, "tempdir", SHORT))
        surroundings.enter_context(chdir(WORKING_FOLDER))
        util.get_temp_dir()  # asks once, and keeps the answer
        forkserver.ensure_running()
    return found


def run(code, *arguments, seconds=60, **surroundings):
    """Run `code` as `python -c` would: with `sys.argv`, and the environment and the working directory of now."""
    process = Started(code, arguments, **surroundings)
    said = process.communicate(seconds)
    return Ended(process.returncode, *said)


def picsift(*arguments, **surroundings):
    """Start a command as a process that has imported its modules already."""
    return Started("from app.launch import main; main()", arguments, **surroundings)


def may_mount():
    """Whether code may go to a namespace of its own here, where anybody may mount."""
    return (
        bool(shutil.which("unshare")) and not subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode
    )


IN_A_NAMESPACE = """
import ctypes, os
from pathlib import Path

user, group, libc = os.geteuid(), os.getegid(), ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000 | 0x00020000):  # CLONE_NEWUSER, CLONE_NEWNS
    raise OSError(ctypes.get_errno(), "no namespace")
Path("/proc/self/setgroups").write_text("deny")
Path("/proc/self/uid_map").write_text(f"0 {user} 1")
Path("/proc/self/gid_map").write_text(f"0 {group} 1")
if libc.mount(b"none", b"/", None, 0x00040000 | 0x00004000, None):  # MS_PRIVATE, MS_REC
    raise OSError(ctypes.get_errno(), "what is mounted here is mounted everywhere")
"""
"""To stand before code that mounts: what `unshare -rm` does."""


def _begin(code, arguments, environment, directory, streams):
    gc.freeze()  # what was imported is no garbage, and to look at it is to copy it
    gc.enable()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in the background
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdin, sys.stdout = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rw"))
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # is the environment's to say
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
