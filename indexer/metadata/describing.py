"""One photo's metadata from all that speaks of it: its picture, its sidecar, its name, and its file's time last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image

from indexer.metadata.dates import Taken, first_sound, of_file_time, of_name
from indexer.metadata.exif import exif_of, read_metadata
from indexer.metadata.gps_time import compared, is_believable
from indexer.metadata.iptc import iptc_of
from indexer.metadata.photo_metadata import PhotoMetadata, inside, overlay, shot
from indexer.metadata.sidecar import read_sidecar
from indexer.metadata.xmp import read_xmp

_XMP = 700  # the tag of a TIFF


def metadata_of(image: Image.Image) -> PhotoMetadata:
    """What is written inside an open picture; damage costs the fields that it hits, never the photo."""
    packet = image.info.get("xmp")
    if isinstance(packet, str):
        packet = packet.encode(errors="replace")
    xmp = read_xmp(packet) if isinstance(packet, bytes) else PhotoMetadata()
    return inside(exif_of(image), iptc_of(image), xmp)


def metadata_in(exif: Image.Exif) -> PhotoMetadata:
    """What the directory of a TIFF says, where no picture is open: EXIF, and the XMP packet in it."""
    packet = exif.get(_XMP)
    xmp = read_xmp(packet) if isinstance(packet, bytes) else PhotoMetadata()
    return inside(read_metadata(exif), PhotoMetadata(), xmp)


def complete(written: PhotoMetadata, path: Path, *, sidecar: str, mtime_ns: int) -> tuple[PhotoMetadata, bool]:
    """What is written inside a photo, with what its surroundings say, and whether its sidecar could be read.

    Args:
        written: of `metadata_of()`.
        path: of the photo's file.
        sidecar: name of the sidecar beside it, "" for none. It has the last word, but not about the date.
        mtime_ns: of the photo's file.
    """
    beside = read_sidecar(path, sidecar) if sidecar else PhotoMetadata()
    known = overlay(written, beside) if sidecar and beside is not None else written
    known = overlay(known, _dated(of_name(path.name)))
    return _with_gps(known, of_file_time(mtime_ns)), beside is not None


def _with_gps(known: PhotoMetadata, written_at: Taken) -> PhotoMetadata:
    """The date that is believed, when a GPS receiver's is compared with the others; the file's own time is the last."""
    taken = Taken(known.taken_at, known.taken_offset_min, known.taken_source, known.taken_precision)
    if taken.source == "gps" and taken.at is not None and not is_believable(taken.at, written_at.at):
        taken = Taken()
    if taken.at is None:
        taken = first_sound([written_at])
    elif taken.source not in ("gps", "container"):
        taken = compared(taken, known.gps_at)
    known = replace(known, taken_at=taken.at, taken_offset_min=taken.offset_min)
    return replace(known, taken_source=taken.source, taken_precision=taken.precision)


def _dated(taken: Taken) -> PhotoMetadata:
    return shot(first_sound([taken]))
