"""One process of ExifTool, kept open: asked one command after the other, each within a bounded time.

One that dies, is mute or is interrupted is killed, and the next command gets a fresh one. Open to its input, ExifTool
would wait for ever once whoever asks was killed: a guard between the two, which needs nobody's life, tells it to end.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import IO, NamedTuple

from indexer.errors import PicsiftError

SECONDS_A_COMMAND = 60.0
SECONDS_A_LOOK = 0.5  # between two looks at whether it is to stop
SECONDS_TO_END = 5.0  # after it was killed
COMMANDS_A_PROCESS = 5_000  # then a fresh one: whatever it gathers is let go
MOST_SAID = 1 << 30  # bytes in answer to one command
_LENGTH = 1 << 16
_ARGUMENT_BYTES = 4_096  # of all arguments of one command, so that it reaches the process whole or not at all
_KEPT_OPEN = ("-config", "", "-stay_open", "True", "-@", "-")
_GUARD = r"cat; printf '\n-stay_open\nFalse\n'"


class ExifToolError(PicsiftError):
    """ExifTool is not installed, or does not do what it is asked."""


class NoFolderError(ExifToolError):
    """There is no room for it to work in, which is nothing that it did."""


class HungError(ExifToolError):
    """It took too long over a command."""

    def __init__(self) -> None:
        """Say how long."""
        super().__init__(f"ExifTool took more than {SECONDS_A_COMMAND:.0f} s over it")


class StoppedError(PicsiftError):
    """The caller does not want it any more."""


class Said(NamedTuple):
    """What a command wrote, and the first line of what it complained of, "" of nothing."""

    out: bytes
    trouble: str


class KeptProcess:
    """Asked by one thread at a time; the process starts with the first command."""

    def __init__(self, program: str, folder: Path, stop: Callable[[], bool] = lambda: False) -> None:
        """Have `program` work in `folder`; `stop` is asked while it does."""
        self._program, self._folder, self._stop = program, folder, stop
        self._running: _Running | None = None

    def ask(self, command: Sequence[str]) -> Said:
        """Run one command.

        Args:
            command: its arguments, none of which can be taken for more than one line, or for a comment.

        Raises:
            ExifToolError: it could not be started, ended before its answer, or said more than can be.
            HungError: it took too long.
            StoppedError: it is to stop.
            ValueError: an argument would not arrive as it is.
        """
        _require_plain(command)
        if self._running is not None and self._running.is_spent():
            self.close()
        try:
            if self._running is None:
                self._running = _Running(self._program, self._folder)
            return self._running.ask(command, self._stop)
        except OSError as error:
            self.close()
            raise ExifToolError(f"ExifTool cannot be asked: {error.strerror}") from error
        except BaseException:  # whatever it would say yet belongs to no other command
            self.close()
            raise

    def close(self) -> None:
        """End the process; what it was at is given up."""
        if self._running is not None:
            self._running.end()
            self._running = None


class _Running:
    """A process with its guard, and what it has said since it was asked."""

    def __init__(self, program: str, folder: Path) -> None:
        pipe, apart = subprocess.PIPE, True  # in sessions of their own: what ends picsift in a terminal passes them by
        self._guard: subprocess.Popen[bytes] | None = None
        source: int | IO[bytes] | None = pipe
        if os.name == "posix":
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD],
                stdin=pipe,
                stdout=pipe,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=apart,
            )
            source = self._guard.stdout
        try:
            self._process = subprocess.Popen(
                [program, *_KEPT_OPEN],
                stdin=source,
                stdout=pipe,
                stderr=pipe,
                cwd=folder,
                bufsize=0,
                start_new_session=apart,
            )
        except BaseException:
            _end(self._guard)
            raise
        if self._guard is not None and self._guard.stdout is not None:
            self._guard.stdout.close()  # it is the other's alone
        self._input = (self._guard or self._process).stdin
        self._token, self._asked = secrets.token_hex(8), 0
        self._news: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
        for number, stream in enumerate((self._process.stdout, self._process.stderr)):
            threading.Thread(target=_listen, args=(stream, number, self._news), daemon=True).start()

    def is_spent(self) -> bool:
        """Whether it is dead, or was asked enough."""
        guard = self._guard is not None and self._guard.poll() is not None
        return guard or self._process.poll() is not None or self._asked >= COMMANDS_A_PROCESS

    def ask(self, command: Sequence[str], stop: Callable[[], bool]) -> Said:
        self._asked += 1
        mark = f"{self._token}-{self._asked}"  # no file can hold it, as it can hold "{ready1}"
        lines = (*command, "-q", "-echo3", mark, "-echo4", mark, "-execute")
        assert self._input is not None
        self._input.write("".join(f"{line}\n" for line in lines).encode())
        self._input.flush()
        out, trouble = self._answer(f"{mark}\n".encode(), stop)
        return Said(out, _first(trouble))

    def _answer(self, mark: bytes, stop: Callable[[], bool]) -> tuple[bytes, bytes]:
        """What it writes to both streams before the mark."""
        said, begun = (bytearray(), bytearray()), monotonic()
        looked = begun
        while not all(stream.endswith(mark) for stream in said):
            with suppress(Empty):
                number, news = self._news.get(timeout=SECONDS_A_LOOK)
                if not news:
                    raise ExifToolError(f"ExifTool ended early{self._status()}")
                said[number].extend(news)
            now = monotonic()
            if now - looked >= SECONDS_A_LOOK:
                looked = now
                if stop():
                    raise StoppedError("it was stopped")
            if now - begun > SECONDS_A_COMMAND:
                raise HungError
            if sum(map(len, said)) > MOST_SAID:
                raise ExifToolError("ExifTool says more of it than can be")
        out, trouble = (bytes(stream.removesuffix(mark)) for stream in said)
        return out, trouble

    def _status(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            return f" (status {self._process.wait(SECONDS_A_LOOK)})"
        return ""

    def end(self) -> None:
        _end(self._process)
        _end(self._guard)


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """Kill a process and what it started, and let go of what leads to it."""
    if process is None:
        return
    with suppress(OSError):  # it is gone
        if os.name == "posix" and process.returncode is None:
            os.killpg(process.pid, 9)
        process.kill()
    with suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(SECONDS_TO_END)


def _listen(stream: IO[bytes], number: int, news: SimpleQueue[tuple[int, bytes]]) -> None:
    """Tell what comes; nothing at the end."""
    with stream, suppress(OSError, ValueError):
        while part := os.read(stream.fileno(), _LENGTH):
            news.put((number, part))
    news.put((number, b""))


def _require_plain(command: Sequence[str]) -> None:
    """ValueError where ExifTool, which reads a line for each argument, would read other ones."""
    for argument in command:
        if argument != argument.strip() or not argument or argument.startswith("#") or not argument.isprintable():
            raise ValueError(f"{argument!r} does not reach ExifTool as one argument")
    if sum(len(argument.encode()) + 1 for argument in command) > _ARGUMENT_BYTES:
        raise ValueError("the command is too long to reach ExifTool in one piece")


def _first(complaints: bytes) -> str:
    """The first complaint without the name that the file has here; an error goes before a warning."""
    lines = [line for line in complaints.decode(errors="replace").splitlines() if line.strip()]
    lines.sort(key=lambda line: not line.startswith("Error"))
    return lines[0].rpartition(" - ")[0] or lines[0] if lines else ""
