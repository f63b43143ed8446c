"""The ways of export that this machine has: into photos only where ExifTool is there and works, which is tried.

Tried is what an export does to each photo, with all its proofs, on a picture of our own; nothing else is written.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from PIL import Image

from app.tagging.exiftool.exiftool import ExifTool, installed
from app.tagging.exiftool.kept_process import ExifToolError, StoppedError
from app.tagging.export import file_plan, file_writing
from app.tagging.export.file_plan import PlannedFile
from app.tagging.export.wishes import Wish
from indexer.catalog.records import PhotoRecord
from indexer.errors import PicsiftError
from indexer.pictures.content.picture_hash import hash_file

WayName = Literal["beside", "into", "table"]

SECONDS = 20.0  # that ExifTool may take over one small picture
_WORD = "picsift"

_lock = threading.Lock()
_known: set[tuple[str, int, int, int]] = set()  # programs that were found to work, as they were then


@dataclass(frozen=True)
class Way:
    """A way of export.

    Attributes:
        name: "beside" the photos, as XMP files; "into" the photos themselves; as a "table".
        trouble: why there is none on this machine, a sentence; None where there is.
    """

    name: WayName
    trouble: str | None = None


def ways() -> list[Way]:
    """Every way, those that this machine has not among them."""
    try:
        require_into()
    except ExifToolError as error:
        return [Way("beside"), Way("into", str(error)), Way("table")]
    return [Way("beside"), Way("into"), Way("table")]


def require_into() -> None:
    """Have ExifTool write into a picture of our own, and prove that; once for a program that stays as it is.

    Raises:
        ExifToolError: it is not installed, or does not work; the message says why.
    """
    program = installed()
    if not _lock.acquire(timeout=SECONDS):
        raise ExifToolError("ExifTool is being tried by somebody else. Ask again.")
    try:
        _require(program)
    finally:
        _lock.release()


def _require(program: str) -> None:
    try:
        status = os.stat(program)  # noqa: PTH116  of what a link leads to, as it is started
        stamp = (os.path.realpath(program), status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp in _known:
            return
        _try(_until(monotonic() + SECONDS))
    except StoppedError as error:
        raise ExifToolError(_useless(program, f"it took more than {SECONDS:.0f} s over one small picture")) from error
    except OSError as error:
        raise ExifToolError(_useless(program, str(error.strerror or error))) from error
    except PicsiftError as error:
        raise ExifToolError(_useless(program, str(error))) from error
    _known.add(stamp)


def _until(end: float) -> Callable[[], bool]:
    return lambda: monotonic() > end


def _useless(program: str, reason: str) -> str:
    reason = reason.removesuffix(file_plan.ELSE_BESIDE).rstrip(" .")
    return (
        f"writing into photos needs ExifTool, and the one at {program} does not do it right: {reason}. Install it anew "
        "(https://exiftool.org), or export beside the photos."
    )


def _try(stop: Callable[[], bool]) -> None:
    with tempfile.TemporaryDirectory(prefix="picsift-exiftool-") as folder, ExifTool(stop=stop) as tool:
        path = Path(folder) / "photo.jpg"
        Image.new("RGB", (16, 16), "teal").save(path)
        empty: dict[str, Any] = dict.fromkeys(field.name for field in fields(PhotoRecord))
        photo = PhotoRecord(**{**empty, "id": 0, "path": path, "format": "JPEG", "content_hash": hash_file(path)})
        said = Wish(((_WORD,),), (), {})
        [found] = tool.read([path])
        file_writing.ready(PlannedFile(photo, said, file_plan.change(photo, said, found)), tool)
