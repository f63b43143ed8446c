"""ExifTool, asked to read and write the metadata of files: a process for a list of commands, then it is gone.

It sees files under names of ours alone, in a folder of its own: what a photo is called can be no option to it, and
no list of arguments breaks at a line end. Nothing that stays alive is left behind by a kill.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from json import loads
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

from app.tagging.export import working_folder
from indexer.errors import PicsiftError

PROGRAM = "exiftool"
SECONDS_A_COMMAND = 60.0
SECONDS_A_LOOK = 0.5  # between two looks at whether it is to stop
_DUMP = ("-j", "-G1:4", "-a", "-u", "-n", "-struct", "--File:all", "--System:all", "--ExifTool:all", "--Composite:all")


class ExifToolError(PicsiftError):
    """ExifTool is not installed, or does not do what it is asked."""


class HungError(ExifToolError):
    """It took too long over a command; `done` before it were done."""

    def __init__(self, done: int) -> None:
        """Note how many."""
        super().__init__(f"ExifTool took more than {SECONDS_A_COMMAND:.0f} s over it")
        self.done = done


class StoppedError(PicsiftError):
    """The caller does not want it any more."""


class Said(NamedTuple):
    """What a command wrote, and the first line of what it complained of, "" of nothing."""

    out: bytes
    trouble: str


class Inside(NamedTuple):
    """What a file holds: its XMP packet and its IPTC block, None where it has none, and why it cannot be told."""

    xmp: bytes | None = None
    iptc: bytes | None = None
    trouble: str = ""


class ExifTool:
    """Works in a temporary folder; to be used in a `with`."""

    def __init__(self, parent: Path | None = None, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Make the folder in `parent`, None for the system's place for such; `stop` is asked while it works."""
        self._parent, self._stop = parent, stop

    def __enter__(self) -> Self:
        """Look for the program.

        Raises:
            ExifToolError: it is not installed.
        """
        found = shutil.which(PROGRAM)
        if found is None:
            raise ExifToolError(
                "writing into photos needs ExifTool, which is not installed. Install it (Debian: apt install "
                "libimage-exiftool-perl; else https://exiftool.org), or export beside the photos, without --into-files."
            )
        self._program = found
        try:
            self.folder = working_folder.made(self._parent)
        except OSError as error:
            raise ExifToolError(f"ExifTool cannot be given a folder to work in: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the folder."""
        working_folder.removed(self.folder)

    def run(self, commands: Sequence[Sequence[str]]) -> list[Said]:
        """Run commands one after the other; their arguments hold no line end.

        Raises:
            ExifToolError: it could not be started, or ended early.
            HungError: it took too long over one of them.
            StoppedError: it is to stop.
        """
        mark = secrets.token_hex(8)
        lines = [[*command, "-echo3", mark, "-echo4", mark, "-execute"] for command in commands]
        asked = "".join(f"{argument}\n" for line in lines for argument in line)
        try:
            status, *streams = self._talk(asked.encode(), mark.encode())
        except OSError as error:
            raise ExifToolError(f"ExifTool cannot be started: {error.strerror}") from error
        outs, troubles = (stream.split(f"{mark}\n".encode()) for stream in streams)
        if len(outs) <= len(commands) or len(troubles) <= len(commands):
            raise ExifToolError(f"ExifTool ended early (status {status})")
        return [Said(outs[n], _first(troubles[n])) for n in range(len(commands))]

    def _talk(self, asked: bytes, mark: bytes) -> tuple[int, bytes, bytes]:
        """Status, output and complaints; it is killed where it hangs, or is to stop."""
        pipe, said = subprocess.PIPE, asked or None
        with subprocess.Popen(
            [self._program, "-config", "", "-@", "-"],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            cwd=self.folder,
            start_new_session=True,  # what ends picsift in a terminal does not end it in the middle
        ) as process:
            done, since = 0, monotonic()
            try:
                while True:
                    try:
                        out, trouble = process.communicate(said, timeout=SECONDS_A_LOOK)
                        return process.returncode, out, trouble
                    except subprocess.TimeoutExpired as late:
                        said, now = None, (late.stderr or b"").count(mark)  # written at once, unlike its output
                    if self._stop():
                        raise StoppedError("it was stopped")
                    if now > done:
                        done, since = now, monotonic()
                    if monotonic() - since > SECONDS_A_COMMAND:
                        raise HungError(done)
            finally:
                process.kill()

    def read(self, files: Sequence[Path]) -> list[Inside]:
        """The packets and blocks of files, whatever they are called, or why they cannot be told."""
        commands: list[list[str]] = []
        for number, file in enumerate(files):
            link = self.folder / f"read{number}"
            with suppress(FileNotFoundError):
                link.unlink()
            try:
                link.symlink_to(file)
            except OSError:  # Windows, without the right to make links
                shutil.copyfile(file, link)
            commands += reading(link.name)
        try:
            said = self.run(commands) if commands else []
        except HungError as error:
            at = min(error.done // 2, len(files) - 1)
            return [*self.read(files[:at]), Inside(trouble=str(error)), *self.read(files[at + 1 :])]
        except ExifToolError as error:  # one of them is to blame
            if len(files) == 1:
                return [Inside(trouble=str(error))]
            return [found for file in files for found in self.read([file])]
        return [inside(*said[at : at + 2]) for at in range(0, len(said), 2)]


def reading(name: str) -> list[list[str]]:
    """The two commands that read a file in the folder."""
    return [["-b", "-XMP", name], ["-b", "-IPTC", name]]


def inside(xmp: Said, iptc: Said) -> Inside:
    """What they said."""
    trouble = next((said.trouble for said in (xmp, iptc) if said.trouble.startswith("Error")), "")
    return Inside(xmp.out or None, iptc.out or None, trouble)


def dumping(name: str) -> list[str]:
    """The command that tells everything that a file says, to be compared."""
    return [*_DUMP, name]


def dumped(said: Said) -> dict[str, Any]:
    """What that said.

    Raises:
        ExifToolError: it cannot be read.
    """
    try:
        [found] = loads(said.out)
    except ValueError as error:
        raise ExifToolError(said.trouble or "ExifTool cannot read it") from error
    return {name: value for name, value in found.items() if name != "SourceFile"}


def _first(complaints: bytes) -> str:
    """The first complaint without the name that the file has here; an error goes before a warning."""
    lines = [line for line in complaints.decode(errors="replace").splitlines() if line.strip()]
    lines.sort(key=lambda line: not line.startswith("Error"))
    return lines[0].rpartition(" - ")[0] or lines[0] if lines else ""
