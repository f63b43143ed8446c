"""The file of a photo, held open: which may leave the library, and as what. It decodes nothing.

A path may come to mean another file at any time, so that a file is opened first and judged then, and what was judged is
what is read. Inside the root it is served as it is now. Through a link, which may lead anywhere, only what was indexed
as a picture and still is that picture.
"""

import functools
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from app.names import shown_path
from app.printable import printable
from indexer.catalog.catalog import Catalog
from indexer.catalog.records import PhotoRecord
from indexer.errors import ImageError
from indexer.pictures import images
from indexer.pictures.open_file import OpenFile, open_file, open_within

# What browsers show without running anything in it; every other format is offered as a download.
SHOWN_INLINE = {
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "MP4": "video/mp4",
    "MOV": "video/mp4",  # under its own name browsers do not play what they could
    "MKV": "video/webm",
    "OGG": "video/ogg",
}
_MOST_MORE = 64 << 20  # bytes by which metadata may have made a file longer; one of a terabyte takes hours to hash
_REMEMBERED = 1024  # files behind links whose hash is known: a video is asked for in many pieces
_RANGE = rb"(?:[0-9]{1,999}-[0-9]{0,999}|-[0-9]{1,999})"
# Of ASCII digits: int() would take `1_0` and `+1` too. Lists may have empty elements, and blanks around their commas.
_RANGES = re.compile(rb"(?i:bytes)=[ \t,]*" + _RANGE + rb"[ \t]*(?:,[ \t]*(?:" + _RANGE + rb"[ \t]*)?)*")

log = logging.getLogger(__name__)


class PictureGoneError(Exception):
    """The photo's file is no longer there, or no longer the one that was indexed; the message says which."""


@dataclass(frozen=True)
class Original:
    """A photo's file, as it may be served while it is open."""

    file: OpenFile
    media_type: str
    inline: bool


class SentFile(FileResponse):
    """A file that is sent as long as it was when it was opened; one that holds less by now is broken off."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and no line of a log but one."""
        left: int | None = None
        short = False
        other = any(name == b"if-range" and value != self._tag() for name, value in scope["headers"])
        whole = other or scope["method"] == "HEAD"  # for GET alone has a range a meaning (RFC 9110, 14.2)
        scope = {**scope, "headers": [one for one in scope["headers"] if not _counts_for_nothing(*one, whole=whole)]}

        async def exactly(message: Message) -> None:
            nonlocal left, short
            if message["type"] == "http.response.start":
                length = Headers(raw=message["headers"]).get("content-length", "0")
                left = 0 if scope["method"] == "HEAD" else int(length)
                await send(message)
                return
            body = message.get("body", b"")[: left or 0]
            left = (left or 0) - len(body)
            ends = not message.get("more_body", False)
            short = ends and left > 0
            await send({**message, "body": body, "more_body": left > 0})
            if left == 0 and not ends:
                raise _SentError

        try:
            await super().__call__(scope, receive, exactly)
        except _SentError:
            return
        except (OSError, RuntimeError):  # its drive was unplugged; it ends before a part that was asked for
            if left is None:
                raise
            short = True
        if short:
            log.warning("%s was cut off, or cannot be read, while it was sent", printable(self.filename or ""))

    def _tag(self) -> bytes:
        """What alone says that a part goes with another. A date does not: a file may change twice in its second."""
        return self.headers["etag"].encode("latin-1")


def _counts_for_nothing(name: bytes, value: bytes, *, whole: bool) -> bool:
    """Whether it asks for a range, and none of bytes as RFC 9110 has it (14.1.2, 14.2), or what is sent is `whole`."""
    return name == b"range" and (whole or _RANGES.fullmatch(value) is None)


class _SentError(Exception):
    """All that was announced has left, though there is more by now."""


@contextmanager
def opened(photo: PhotoRecord, catalog: Catalog) -> Iterator[Original]:
    """The photo's file, open for as long as the block runs.

    Raises:
        PictureGoneError: it is gone, outside of its root, or behind a link and not what was indexed.
    """
    file = _open(photo, catalog)
    try:
        media_type = SHOWN_INLINE.get(photo.format or "") if photo.content_hash is not None else None
        yield Original(file, media_type or "application/octet-stream", inline=media_type is not None)
    finally:
        file.close()


def changed(photo: PhotoRecord) -> PictureGoneError:
    """What is raised of a file that is another one by now."""
    return PictureGoneError(f"{shown_path(photo.path)} has changed since it was indexed. Run: picsift index")


def _open(photo: PhotoRecord, catalog: Catalog) -> OpenFile:
    root, path = _root(photo, catalog), Path(os.path.normpath(photo.path))
    if not path.is_relative_to(root) or path == root:
        raise PictureGoneError(f"{shown_path(photo.path)} lies outside the library's folders.")
    try:
        file = open_within(root, path.relative_to(root))
        if file is not None:
            return file
        file = open_file(path)
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a loop of links
        raise _gone(photo) from None
    try:
        indexed = photo.content_hash if _may_be(photo, file.status.st_size) else None
        if indexed is None or _content_of(file, indexed) != indexed:
            raise changed(photo)
    except ImageError:
        file.close()
        raise _gone(photo) from None
    except BaseException:
        file.close()
        raise
    return file


def _may_be(photo: PhotoRecord, size: int) -> bool:
    """Whether a file of that size is worth reading: one of /proc has none, and may have its reader wait for ever."""
    return 0 < size <= photo.size + _MOST_MORE


@functools.lru_cache(_REMEMBERED)
def _content_of(file: OpenFile, like: str) -> str:
    return images.hash_file(file.held, like=[like])


def _root(photo: PhotoRecord, catalog: Catalog) -> Path:
    for root in catalog.roots():
        if root.id == photo.root_id:
            return root.path
    raise _gone(photo)


def _gone(photo: PhotoRecord) -> PictureGoneError:
    return PictureGoneError(
        f"{shown_path(photo.path)} cannot be read. If its drive is unplugged, plug it in; "
        "if the file was moved or deleted, run: picsift index"
    )
