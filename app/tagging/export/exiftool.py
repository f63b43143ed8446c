"""ExifTool, asked to read and write the metadata of files: a process for a list of commands, then it is gone.

It sees files under names of ours alone, in a folder of its own: what a photo is called can be no option to it, and
no list of arguments breaks at a line end. Nothing that stays alive is left behind by a kill.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from json import loads
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from indexer.errors import PicsiftError

PROGRAM = "exiftool"
FOLDER = "export-"  # where copies are written; what a kill left there the next export removes
SECONDS_A_COMMAND = 60.0
_DUMP = ("-j", "-G1:4", "-a", "-u", "-n", "-struct", "--File:all", "--System:all", "--ExifTool:all", "--Composite:all")


class ExifToolError(PicsiftError):
    """ExifTool is not installed, or does not do what it is asked."""


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

    def __init__(self, parent: Path | None = None) -> None:
        """Make the folder in `parent`, None for the system's place for such."""
        self._parent = parent

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
        self._temporary = tempfile.TemporaryDirectory(prefix=FOLDER, dir=self._parent, ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the folder."""
        self._temporary.cleanup()

    def run(self, commands: Sequence[Sequence[str]]) -> list[Said]:
        """Run commands one after the other; their arguments hold no line end.

        Raises:
            ExifToolError: it could not be started, took too long, or ended early.
        """
        mark = secrets.token_hex(8)
        lines = [[*command, "-echo3", mark, "-echo4", mark, "-execute"] for command in commands]
        asked = "".join(f"{argument}\n" for line in lines for argument in line)
        try:
            done = subprocess.run(
                [self._program, "-config", "", "-@", "-"],
                input=asked.encode(),
                capture_output=True,
                cwd=self.folder,
                check=False,
                timeout=SECONDS_A_COMMAND + len(commands),
            )
        except subprocess.TimeoutExpired as error:
            raise ExifToolError(f"ExifTool took more than {error.timeout:.0f} s") from error
        except OSError as error:
            raise ExifToolError(f"ExifTool cannot be started: {error.strerror}") from error
        outs, troubles = (stream.split(f"{mark}\n".encode()) for stream in (done.stdout, done.stderr))
        if len(outs) <= len(commands) or len(troubles) <= len(commands):
            raise ExifToolError(f"ExifTool ended early (status {done.returncode})")
        return [Said(outs[n], _first(troubles[n])) for n in range(len(commands))]

    def read(self, files: Sequence[Path]) -> list[Inside]:
        """The packets and blocks of files, whatever they are called, or why they cannot be told."""
        commands = []
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
