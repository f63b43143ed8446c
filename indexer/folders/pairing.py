"""A picture with its RAW, or a live photo's video, beside it is one photo: the others are its companions. Pure.

Beside it is: in the same folder and of the same name but for the suffix, upper and lower case being the same. A picture
may also carry the RAW's whole name (`IMG_1.CR2.jpg`), and Pixel phones' names of the two count as the same. Whether a
RAW, or a video, and a picture of one name are one shot is told by their files, and asked of others (agreement.py).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from indexer.catalog.records import FoundFile, KnownPhoto
from indexer.catalog.stamps import NEVER
from indexer.folders.comparison import ChangedFile, Changes
from indexer.folders.found import Scan
from indexer.pictures.raw_header import SUFFIXES as RAW_SUFFIXES
from indexer.pictures.videos import is_video_name

_BY_CAMERAS = ("jpg", "jpeg", "heic", "heif", "hif")  # which picture of several the camera most likely wrote
_LIVE = ("heic", "heif", "jpg", "jpeg")  # stills beside which phones write a live photo's .mov
_PIXEL = re.compile(r"\.raw-\d\d(\.mp)?\.(cover|original)$")  # PXL_20210704_101112345.RAW-01.COVER.jpg


Agreed = Mapping[tuple[str, str], str | None]
"""Couples that are one shot each, with what to keep of how their files were compared; None where that is to be done."""


class Couple(NamedTuple):
    """The paths of a picture and of a file that may belong to it."""

    picture: str
    second: str


class Paired(NamedTuple):
    """A scan without the companions, and these by the path of the picture that they belong to."""

    scan: Scan
    companions: dict[str, list[FoundFile]]
    agreed: Agreed


def by_name(couples: Sequence[Couple]) -> Agreed:
    """Take all couples for one shot each."""
    return dict.fromkeys(couples)


def pair(
    scan: Scan,
    failed: Collection[str] = (),
    one_shot: Callable[[Sequence[Couple]], Agreed] = by_name,
) -> Paired:
    """Take the RAWs and live photos' videos that lie beside a picture out of a scan.

    Args:
        scan: of a root, or of a folder below it.
        failed: pictures that cannot be read; beside one of them a RAW stays a photo of its own.
        one_shot: of couples of a picture and a RAW or a video, gives those that belong together.
    """
    seconds = [path for path in scan.files if is_second_name(path)]
    if not seconds:
        return Paired(scan, {}, {})
    wanted = {key for path in seconds for key in (_key(path), path.casefold())}
    pictures: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted((p for p in scan.files if _is_picture(p) and p not in failed), key=_rank):
        if (key := _key(path)) in wanted:
            pictures[key].append(path)
    couples = [
        Couple(picture, path)
        for path in seconds
        for key in dict.fromkeys((_key(path), path.casefold()))
        for picture in pictures.get(key, ())
        if is_raw_name(path) or _suffix(picture) in _LIVE
    ]
    agreed = one_shot(couples) if couples else {}
    companions: defaultdict[str, list[FoundFile]] = defaultdict(list)
    beside: set[str] = set()
    for one in couples:
        if one in agreed and one.second not in beside:
            beside.add(one.second)
            companions[one.picture].append(scan.files[one.second])
    files = {path: file for path, file in scan.files.items() if path not in beside}
    return Paired(replace(scan, files=files), dict(companions), agreed)


def take_over(
    changes: Changes, is_one: Callable[[KnownPhoto, FoundFile], bool] = lambda photo, file: True
) -> list[tuple[KnownPhoto, FoundFile]]:
    """Give a photo that lost its file to the other file of its pair, where that is new here.

    A picture that comes to lie beside a RAW becomes the RAW's photo, and a RAW whose picture is deleted becomes the
    picture's: the photo stays, and only what it looks like is decoded again. So it is with the video of a live photo.
    `changes` is brought up to date. `is_one` tells of a photo and a file of its name whether they are one shot.

    Returns:
        Each such photo, and the file that it has now.
    """
    new: defaultdict[tuple[str, bool], list[FoundFile]] = defaultdict(list)
    for file in changes.added if changes.missing else ():
        new[_key(file.path), is_second_name(file.path)].append(file)
    taken: list[tuple[KnownPhoto, FoundFile]] = []
    for photo in changes.missing:
        candidates = new.get((_key(photo.path), not is_second_name(photo.path)), [])
        if (found := next((one for one in candidates if is_one(photo, one)), None)) is not None:
            candidates.remove(found)
            taken.append((photo, found))
    photos, files = {photo.id for photo, _ in taken}, {file.path for _, file in taken}
    changes.missing = [photo for photo in changes.missing if photo.id not in photos]
    changes.added = [file for file in changes.added if file.path not in files]
    changes.changed += [
        ChangedFile(file, photo._replace(path=file.path, size=file.size, mtime_ns=NEVER, missing=False))
        for photo, file in taken
    ]
    return taken


def absorb(changes: Changes, companions: Mapping[str, Iterable[FoundFile]]) -> list[KnownPhoto]:
    """Take the photos out of `changes.missing` whose files are companions now, and were photos of their own."""
    beside = {file.path for files in companions.values() for file in files}
    absorbed = [photo for photo in changes.missing if photo.path in beside]
    changes.missing = [photo for photo in changes.missing if photo.path not in beside]
    return absorbed


def is_raw_name(path: str) -> bool:
    """Whether a file is named like a camera RAW."""
    return path[path.rfind(".") :].lower() in RAW_SUFFIXES


def is_second_name(path: str) -> bool:
    """Whether a file is named like one that may lie beside its picture: a RAW, or the video of a live photo."""
    return is_raw_name(path) or _suffix(path) == "mov"


def _is_picture(path: str) -> bool:
    return not is_raw_name(path) and not is_video_name(path)


def _suffix(path: str) -> str:
    return path[path.rfind(".") + 1 :].lower()


def _key(path: str) -> str:
    """What the two files of a pair have in common."""
    stem = path[: path.rfind(".")].casefold()
    return _PIXEL.sub("", stem) if ".raw-" in stem else stem


def _rank(path: str) -> tuple[int, str]:
    suffix = _suffix(path)
    return _BY_CAMERAS.index(suffix) if suffix in _BY_CAMERAS else len(_BY_CAMERAS), path
