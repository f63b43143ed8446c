"""What an export into the photos themselves would write, and which photos are never written. It writes nothing.

The packet is made as that of a sidecar is (`xmp/merge.py`); IPTC, where a format holds it, says the same words.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.tagging.exiftool.exiftool import ExifTool
from app.tagging.exiftool.questions import Inside
from app.tagging.export import iptc_block, structure
from app.tagging.export.iptc_block import IptcError
from app.tagging.export.sidecar_plan import Completed, Refused, Unchanged, unwritable
from app.tagging.export.wishes import Wish, wish
from app.tagging.xmp.document import open_document
from app.tagging.xmp.merge import SidecarError, described, merged
from app.tagging.xmp.properties import resource
from indexer.catalog.records import PhotoRecord
from indexer.catalog.tag_records import PhotoTag, TagPath
from indexer.library import Library
from indexer.metadata.xmp import MAX_BYTES
from indexer.pictures.content.picture_hash import is_whole

ELSE_BESIDE = "Its tags can go beside it."
SUFFIXES = {
    **{"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif", "HEIF": ".heic"},
    **{"AVIF": ".avif", "JXL": ".jxl", "RAW": ".dng"},
}
"""Formats that ExifTool writes and whose coded picture is known for sure, with what ExifTool is to take them for."""
_WITH_IPTC = frozenset(("JPEG", "TIFF", "RAW"))
_EXTENDED = b"HasExtendedXMP"
_MOST_BYTES = 128 << 20  # of a file: it is held several times over while it is proved
_MOST_IN_JPEG = 65_502  # bytes of a packet, which is one segment
_UNSURE = f"the XMP in it is damaged, or written in a way that picsift cannot change safely. {ELSE_BESIDE}"


@dataclass(frozen=True)
class FileChange:
    """What is written into a file: its packet and its block, None where that stays as it is, and what they say.

    Attributes:
        xmp: the whole packet.
        iptc: the whole block.
        added: tags that the file does not hold yet.
        removed: tags that an export added, and that the photo has no more.
        shortened: texts that IPTC has no room for: keywords are left out of it, title and description cut.
        words: the names of what its packet says only now beside tags.
        completed: of "XMP" and "IPTC" which gets what the file, or the library, says elsewhere already. Where nothing
            is added, removed or said anew, this is why it changes.
    """

    xmp: bytes | None
    iptc: bytes | None
    added: tuple[TagPath, ...]
    removed: tuple[TagPath, ...]
    shortened: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    completed: tuple[Completed, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return self.xmp is not None or self.iptc is not None


@dataclass(frozen=True)
class PlannedFile:
    """A photo that an export would write into."""

    photo: PhotoRecord
    said: Wish
    change: FileChange
    new = False

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.photo.path

    @property
    def added(self) -> tuple[TagPath, ...]:
        """Tags that it does not hold yet."""
        return self.change.added

    @property
    def removed(self) -> tuple[TagPath, ...]:
        """Tags that are taken out again."""
        return self.change.removed

    @property
    def words(self) -> tuple[str, ...]:
        """The names of what it says only now beside tags."""
        return self.change.words

    @property
    def completed(self) -> tuple[Completed, ...]:
        """Which of its lists get what is said elsewhere already."""
        return self.change.completed


def plan(
    library: Library, photos: Sequence[PhotoRecord], tags: Mapping[int, Sequence[PhotoTag]], tool: ExifTool
) -> Iterator[PlannedFile | Refused | Unchanged]:
    """What becomes of each photo's file.

    Args:
        library: whose journal says which tags earlier exports wrote.
        photos: those that have something to say, or had.
        tags: what each has, in every state.
        tool: reads what the files say.
    """
    edits = library.catalog.tags.edits([photo.id for photo in photos])
    earlier = library.catalog.exports.written_into({photo.id: photo.content_hash or "" for photo in photos})
    said = {
        photo.id: wish(tags.get(photo.id, ()), earlier.get(photo.id, ()), edits.get(photo.id, {})) for photo in photos
    }
    reasons = {photo.id: _refusal(photo) for photo in photos if said[photo.id]}
    read = [photo for photo in photos if photo.id in reasons and reasons[photo.id] is None]
    found = dict(zip((photo.id for photo in read), tool.read([photo.path for photo in read]), strict=True))
    for photo in photos:
        if photo.id in found:
            yield _outcome(photo, said[photo.id], found[photo.id])
        elif reason := reasons.get(photo.id):
            yield Refused(photo, photo.path, reason)


def _outcome(photo: PhotoRecord, said: Wish, found: Inside) -> PlannedFile | Refused | Unchanged:
    try:
        planned = change(photo, said, found)
    except (SidecarError, IptcError) as error:
        return Refused(photo, photo.path, str(error))
    if not planned:
        return Unchanged(photo, photo.path)
    reason = unwritable(photo.path, exists=True) or _oddity(photo)
    return Refused(photo, photo.path, reason) if reason else PlannedFile(photo, said, planned)


def _oddity(photo: PhotoRecord) -> str | None:
    """Why nothing is written into a file, by how it is built."""
    try:
        structure.rest(photo.path.read_bytes(), photo.format or "")
    except structure.OddError as error:
        return f"{error} {ELSE_BESIDE}"
    except OSError as error:
        return f"it cannot be read: {error.strerror}."
    return None


def change(photo: PhotoRecord, said: Wish, found: Inside) -> FileChange:
    """What has to be written into a file that holds this.

    Raises:
        SidecarError: its XMP cannot be changed safely.
        IptcError: its IPTC cannot.
    """
    if found.trouble:
        raise SidecarError(f"ExifTool cannot read it: {found.trouble}. {ELSE_BESIDE}")
    if found.xmp is not None and (_EXTENDED in found.xmp or len(found.xmp) > MAX_BYTES):
        raise SidecarError(f"the XMP in it is spread over several parts, which would get lost. {ELSE_BESIDE}")
    if found.xmp is None and found.iptc is None and not (said.accepted or said.edits):
        return FileChange(None, None, (), ())
    with_iptc = photo.format in _WITH_IPTC
    try:
        foreign = iptc_block.keywords(found.iptc) if with_iptc else []
    except IptcError as error:
        raise IptcError(f"{error}. {ELSE_BESIDE}") from error
    try:
        before = described(found.xmp) if found.xmp is not None else None
        held = set(before.tags) if before else set()
        levels = {level for path in held for level in path}  # one that a tag of ours has too stays foreign
        more = [(word,) for word in foreign if word not in levels and (word,) not in said.gone]
        packet = merged(found.xmp, said.wanted(more))  # a list that is there hides what stands in IPTC alone
        words, texts, listed = _words(packet), described(packet), _words(found.xmp) if found.xmp is not None else []
    except SidecarError as error:
        raise SidecarError(_UNSURE) from error
    if photo.format == "JPEG" and packet != found.xmp and len(packet) > _MOST_IN_JPEG:
        raise SidecarError(f"the XMP in it would have {len(packet):,} bytes, too many for a JPEG. {ELSE_BESIDE}")
    held.update((word,) for word in foreign)
    added = tuple(tag for tag in said.accepted if tag not in held)
    removed = tuple(tag for tag in said.gone if tag in held)
    block, shortened = found.iptc, tuple[str, ...]()
    if with_iptc:
        gone = {level for tag in said.gone for level in tag} - set(words)
        title = texts.title if "title" in said.edits else None
        caption = texts.description if "description" in said.edits else None
        block, shortened = iptc_block.changed(found.iptc, words, gone, title=title, caption=caption)
    xmp, iptc = packet if packet != found.xmp else None, block if block and block != found.iptc else None
    new, told = {level for tag in added for level in tag}, said.changed(before, texts)
    sole = not (added or removed or told)
    lists: dict[Completed, bool] = {
        "XMP": xmp is not None and (sole or not new.issuperset(set(words).difference(listed))),
        "IPTC": iptc is not None and (sole or not new.issuperset(set(iptc_block.keywords(iptc)).difference(foreign))),
    }
    completed = tuple(name for name, more in lists.items() if more)
    return FileChange(xmp, iptc, added, removed, shortened, told, completed)


def _words(packet: bytes) -> list[str]:
    """The words of a packet's flat list."""
    return [path[0] for path in resource(open_document(packet).root).tag_lists().words if path]


def _refusal(photo: PhotoRecord) -> str | None:
    """Why a photo is never written into; None where it may be."""
    if photo.missing_since is not None:
        return "the photo is not reachable now."
    if photo.duration_s is not None:
        return f"nothing is written into videos. {ELSE_BESIDE}"
    if photo.format == "RAW" and photo.path.suffix.lower() != ".dng":
        return f"nothing is written into camera RAWs. {ELSE_BESIDE}"
    if photo.format not in SUFFIXES:
        return f"that the picture in a {photo.format} stays as it is cannot be proved. {ELSE_BESIDE}"
    try:
        status = photo.path.lstat()
    except OSError as error:
        return f"it cannot be read: {error.strerror}."
    if stat.S_ISLNK(status.st_mode):
        return f"it is a link, and what it leads to may be others' too. {ELSE_BESIDE}"
    if not stat.S_ISREG(status.st_mode):
        return "it is no ordinary file any more."
    if status.st_nlink > 1:
        return f"it has {status.st_nlink} names (hard links), which would part. {ELSE_BESIDE}"
    if status.st_size > _MOST_BYTES:
        return f"it has {status.st_size:,} bytes; above {_MOST_BYTES:,} nothing is written into it. {ELSE_BESIDE}"
    if is_whole(photo.content_hash or ""):  # it would be another photo afterwards
        return f"the library knows it by its whole file, which would change. {ELSE_BESIDE}"
    return None
