"""ExifTool, asked to read and write the metadata of files, by one process that is kept open (`kept_process.py`).

It sees files under names of ours alone, in a folder of its own: what a photo is called can be no option to it, and
no list of arguments breaks at a line end.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from app.tagging.exiftool import working_folder
from app.tagging.exiftool.kept_process import ExifToolError, KeptProcess, NoFolderError, Said
from app.tagging.exiftool.questions import Inside, inside, reading

PROGRAM = "exiftool"


def installed() -> str:
    """The program.

    Raises:
        ExifToolError: it is not installed.
    """
    if (found := shutil.which(PROGRAM)) is None:
        raise ExifToolError(
            "writing into photos needs ExifTool, which is not installed. Install it (Debian: apt install "
            "libimage-exiftool-perl; else https://exiftool.org), or export beside the photos."
        )
    return found


class ExifTool:
    """Works in a temporary folder; to be used in a `with`, by one thread at a time."""

    def __init__(self, parent: Path | None = None, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Make the folder in `parent`, None for the system's place for such; `stop` is asked while it works."""
        self._parent, self._stop = parent, stop

    def __enter__(self) -> Self:
        """Look for the program.

        Raises:
            ExifToolError: it is not installed.
        """
        found = installed()
        try:
            self.folder = working_folder.made(self._parent)
        except OSError as error:
            raise NoFolderError(f"ExifTool cannot be given a folder to work in: {error.strerror}") from error
        self._process = KeptProcess(found, self.folder, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process and remove the folder."""
        self._process.close()
        working_folder.removed(self.folder)

    def run(self, commands: Sequence[Sequence[str]]) -> list[Said]:
        """Run commands one after the other. Raises as `KeptProcess.ask` does; none after that one is run."""
        return [self._process.ask(command) for command in commands]

    def read(self, files: Sequence[Path]) -> list[Inside]:
        """The packets and blocks of files, whatever they are called, or why they cannot be told.

        Raises:
            StoppedError: it is to stop.
        """
        return [self._read(file) for file in files]

    def _read(self, file: Path) -> Inside:
        link = self.folder / "read0"
        with suppress(FileNotFoundError):
            link.unlink()
        try:
            link.symlink_to(file)
        except OSError:  # Windows, without the right to make links
            shutil.copyfile(file, link)
        try:
            return inside(*self.run(reading(link.name)))
        except ExifToolError as error:  # it costs this file alone
            return Inside(trouble=str(error))
