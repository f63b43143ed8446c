"""What a browser may keep of a photo's pictures, and how it asks whether they are the same. It renders nothing."""

import os
import re
from email.utils import parsedate_to_datetime

from fastapi import HTTPException, Request
from fastapi.responses import Response

from indexer.catalog.records import PhotoRecord
from indexer.catalog.stamps import is_stamp_of


def content_tag(photo: PhotoRecord, frame: int) -> str:
    """The ETag of what is made from the content that was indexed, and from no other."""
    return f'"{photo.content_hash}-{frame}"'


_TAG = re.compile(r'(W/)?("[^"]*")')


def file_tag(seen: os.stat_result, frame: int = 0) -> str:
    """The ETag of what is made from a file as it is now; `seen` is taken before it is read."""
    times = f"{seen.st_mtime_ns:x}-{seen.st_ctime_ns:x}"  # the first can be set back
    return f'"{seen.st_size:x}-{times}-{seen.st_ino:x}-{frame}"'


def caching_headers(
    request: Request, photo: PhotoRecord, tag: str, seen: os.stat_result | None = None
) -> dict[str, str]:
    """For good where the request names the content, and that is what is sent; else to be asked for again."""
    indexed = seen is None or is_stamp_of(photo, seen)
    named = indexed and request.query_params.get("v") == photo.content_hash
    return {"ETag": tag, "Cache-Control": "private, max-age=31536000, immutable" if named else "private, no-cache"}


def unchanged(request: Request, headers: dict[str, str]) -> Response | None:
    """304 for a client that has what it asks for; None where it is to be sent."""
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    return None


def expect_the_same(request: Request, tag: str, seen: os.stat_result) -> None:
    """Refuse what is asked of an older file alone (RFC 9110, 13.1.1 and 13.1.4), to go on with a part of that one.

    Raises:
        HTTPException: 412.
    """
    wanted, since = request.headers.get("if-match"), request.headers.get("if-unmodified-since")
    if wanted is not None:
        same = wanted.strip() == "*" or any(not weak and one == tag for weak, one in _TAG.findall(wanted))
    else:
        same = since is None or int(seen.st_mtime) <= _seconds(since)
    if not same:
        raise HTTPException(412, "the file is another one by now. Ask for the whole of it.")


def _seconds(date: str) -> float:
    """An HTTP date as seconds since the epoch; what is none lies behind all others, and so counts for nothing."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return float("inf")
