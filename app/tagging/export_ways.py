"""The ways of export that this machine has: into photos only where ExifTool is there and works, which is tried.

Tried is what an export does to each photo, with all its proofs, on a picture of our own; nothing else is written.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from PIL import Image

from app.tagging.exiftool.exiftool import ExifTool, installed
from app.tagging.exiftool.kept_process import ExifToolError, NoFolderError, StoppedError
from app.tagging.export import file_plan, file_writing
from app.tagging.export.file_plan import PlannedFile
from app.tagging.export.wishes import Wish
from indexer.catalog.records import PhotoRecord
from indexer.errors import PicsiftError
from indexer.pictures.content.picture_hash import hash_file

WayName = Literal["beside", "into", "table"]

SECONDS = 20.0  # that ExifTool may take over one small picture
TURN_S = 5.0  # that somebody waits for the try of another
AGAIN_S = 30.0  # that one which does not work is not tried again
_WORD = "picsift"

Stamp = tuple[str, int, int, int]

_lock = threading.Lock()
_known: set[Stamp] = set()  # programs that were found to work, as they were then
_useless_until: dict[Stamp, tuple[float, str]] = {}  # those that were not, and why


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
    if not _lock.acquire(timeout=TURN_S):
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
        until, said = _useless_until.get(stamp, (0.0, ""))
        if monotonic() < until:
            raise ExifToolError(said)
        reason = _trouble()
    except (OSError, RuntimeError, NoFolderError) as error:  # nothing that ExifTool did
        why = getattr(error, "strerror", None) or str(error)
        raise ExifToolError(f"ExifTool could not be tried: {why.rstrip('.')}. Ask again.") from error
    if reason:
        _useless_until.clear()
        _useless_until[stamp] = monotonic() + AGAIN_S, _useless(program, reason)
        raise ExifToolError(_useless_until[stamp][1])
    _known.add(stamp)


def _trouble() -> str | None:
    """What it does not do right; None where it does."""
    try:
        _try(_until(monotonic() + SECONDS))
    except StoppedError:
        return f"it took more than {SECONDS:.0f} s over one small picture"
    except NoFolderError:
        raise
    except PicsiftError as error:
        return str(error)
    return None


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
        empty: dict[str, Any] = dict.fromkeys(PhotoRecord._fields)
        photo = PhotoRecord(**{**empty, "id": 0, "path": path, "format": "JPEG", "content_hash": hash_file(path)})
        said = Wish(((_WORD,),), (), {})
        [found] = tool.read([path])
        file_writing.ready(PlannedFile(photo, said, file_plan.change(photo, said, found)), tool)
