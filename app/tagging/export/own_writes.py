"""What an export wrote, told to the catalog at once, so that the next run of the indexer finds nothing new.

Also what files say once what was given here is taken back. A file that is not what was written any more is left to the
next run: somebody else changed it meanwhile. And which tags in sidecars are ours to take out, wherever those are now.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from app.tagging.export import safe_write
from indexer.catalog.journal.records import GIVEN_UP
from indexer.catalog.records import DescribedPhoto, PhotoRecord
from indexer.catalog.stamps import changed_ns, inode_of, is_stamp_of
from indexer.catalog.tag_records import TagPath
from indexer.errors import ImageError
from indexer.library import Library
from indexer.metadata.describing import complete
from indexer.metadata.places import placed
from indexer.metadata.sidecar import SUFFIX, kept, name_in, stamp_beside
from indexer.pictures.content.picture_hash import LARGEST
from indexer.pictures.rereading import reread

_MAX_PIXELS = 1 << 31  # of files that were photos before; no pixel is decoded


def note(library: Library, written: Mapping[int, tuple[Path, str | None]]) -> None:
    """Read the words of photos again whose files, or sidecars, were written.

    Args:
        library: whose writer lock the caller holds.
        written: by photo the file, and the SHA-256 that it has now; None where it is gone.
    """
    if found := read_again(library, written):
        library.catalog.describe(found)


def read_again(library: Library, written: Mapping[int, tuple[Path, str | None] | None]) -> list[DescribedPhoto]:
    """What photos' files say now, with their stamps; those left out of which that cannot be told for sure.

    Args:
        library: to which they belong.
        written: as for `note`; None where neither the file nor its sidecar was.
    """
    described, folders = [], dict[Path, dict[str, str]]()
    for photo in library.catalog.photos(list(written)):
        file, digest = written[photo.id] or (None, None)
        try:
            if (folder := photo.path.parent) not in folders:
                names = [name for name in os.listdir(folder) if name.lower().endswith(SUFFIX)]  # noqa: PTH208
                folders[folder] = {name.lower(): name for name in names}
            found = _described(photo, file, digest, folders[folder])
        except (OSError, ValueError, ImageError):
            continue
        described += [found] if found is not None else []
    return described


def _described(
    photo: PhotoRecord, file: Path | None, digest: str | None, sidecars: Mapping[str, str]
) -> DescribedPhoto | None:
    status = photo.path.stat()
    if file != photo.path and not is_stamp_of(photo, status):
        return None  # the photo itself is another one than the indexer saw
    beside = stamp_beside(str(photo.path), sidecars)
    written = reread(photo.path, max_pixels=_MAX_PIXELS, max_bytes=LARGEST)
    metadata, read = complete(written, photo.path, sidecar=name_in(beside), mtime_ns=status.st_mtime_ns)
    if file is not None and safe_write.digest(file) != digest:
        return None
    stamp = (status.st_size, status.st_mtime_ns, kept(beside, read=read))
    return DescribedPhoto(photo.id, placed(metadata), *stamp, changed_ns(status), inode_of(status))


def beside(library: Library, sidecars: Mapping[int, Path]) -> dict[int, set[TagPath]]:
    """The tags that exports added to photos' sidecars and nobody took back.

    Also where they were written beside the photo at another place, and the sidecar is to the byte what was written
    there: else it may be another program's, whose tags are not ours to take out.
    """
    return library.catalog.exports.written_beside(
        {number: str(path) for number, path in sidecars.items()},
        lambda number, digest: digest != GIVEN_UP and digest == _digest(sidecars[number]),
    )


def _digest(sidecar: Path) -> str | None:
    try:
        return safe_write.digest(sidecar)
    except OSError:
        return None
