"""Date, place, camera and orientation out of EXIF. What is unsound becomes None; nothing here raises.

The date is the camera's wall clock, with its offset from UTC where the file names one. It reads no XMP and no IPTC,
and takes no date from GPS, whose clock is not the one the photo was taken by.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

FIRST_YEAR, LAST_YEAR = 1826, 2100  # from the oldest photograph on; a clock set further ahead is wrong
_MAX_TEXT = 200
_MAX_ALTITUDE_M = 100_000
_PLACEHOLDERS = frozenset(("", "-", "--", "---", "----", "unknown", "none", "n/a", "default"))

# Which field the date came from: its tag, its fraction of a second, its offset.
_DATES = (
    ("original", Base.DateTimeOriginal, Base.SubsecTimeOriginal, Base.OffsetTimeOriginal),
    ("digitized", Base.DateTimeDigitized, Base.SubsecTimeDigitized, Base.OffsetTimeDigitized),
    ("modified", Base.DateTime, Base.SubsecTime, Base.OffsetTime),
)
_DATE = re.compile(
    r"(\d{4})[:\-/.](\d{1,2})[:\-/.](\d{1,2})"
    r"(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d+))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})", re.ASCII)


@dataclass(frozen=True)
class PhotoMetadata:
    """What a file says about its photo.

    Attributes:
        taken_at: naive, the wall clock where it was taken.
        taken_offset_min: minutes that clock was ahead of UTC.
        taken_source: "original", "digitized" or "modified".
        latitude: degrees, north positive.
        longitude: degrees, east positive.
        altitude: metres above sea level.
        camera_make: without padding.
        camera_model: without the make in front, so that make and model read well together.
        lens: the lens's model.
        orientation: EXIF's 1 to 8; 1 is upright.
    """

    taken_at: datetime | None = None
    taken_offset_min: int | None = None
    taken_source: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    lens: str | None = None
    orientation: int = 1


def metadata_of(image: Image.Image) -> PhotoMetadata:
    """Read the metadata of an open picture; damage in it costs the fields behind the damage, never the photo."""
    try:
        exif = image.getexif()
    except Exception:  # decoders of metadata raise whatever they like, and Pillow keeps what came before
        exif = getattr(image, "_exif", None) or Image.Exif()
    return read_metadata(exif)


def read_metadata(exif: Image.Exif) -> PhotoMetadata:
    """Read what is sound in EXIF.

    Args:
        exif: of `Image.getexif()`, or any.
    """
    photo, gps = _directory(exif, IFD.Exif), _directory(exif, IFD.GPSInfo)
    taken_at, offset, source = _taken(exif, photo)
    latitude, longitude = _position(gps)
    make = _text(_value(exif, Base.Make))
    orientation = _value(exif, Base.Orientation)
    return PhotoMetadata(
        taken_at=taken_at,
        taken_offset_min=offset,
        taken_source=source,
        latitude=latitude,
        longitude=longitude,
        altitude=None if latitude is None else _altitude(gps),
        camera_make=make,
        camera_model=_model(make, _text(_value(exif, Base.Model))),
        lens=_text(_value(photo, Base.LensModel)),
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
    )


def parse_date(text: str, subseconds: str = "") -> tuple[datetime | None, int | None]:
    """A date as EXIF writes it, and the offset in minutes where the same text holds one.

    Args:
        text: "2021:06:30 12:34:56", with a few neighbours that cameras and phones write.
        subseconds: the digits behind the second, where a field of its own holds them.

    Returns:
        (None, None) for anything that is no moment of the age of photography.
    """
    if not (found := _DATE.match(text.strip())):
        return None, None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    digits = re.match(r"\d*", found[7] or subseconds.strip(), re.ASCII)
    micros = int((digits[0] if digits else "")[:6].ljust(6, "0"))
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None, None
    try:
        return datetime(year, month, day, hour, minute, second, micros), parse_offset(found[8] or "")
    except ValueError:
        return None, None


def parse_offset(text: str) -> int | None:
    """Minutes ahead of UTC out of "+02:00", None where it is no offset that exists."""
    if text.strip() == "Z":
        return 0
    if not (found := _OFFSET.fullmatch(text.strip())):
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    minutes = -minutes if found[1] == "-" else minutes
    return minutes if int(found[3]) < 60 and -12 * 60 <= minutes <= 14 * 60 else None


def _taken(exif: Mapping[int, Any], photo: Mapping[int, Any]) -> tuple[datetime | None, int | None, str | None]:
    for source, tag, subseconds, offset in _DATES:
        text = _text(_value(exif if source == "modified" else photo, tag)) or ""
        moment, own_offset = parse_date(text, _text(_value(photo, subseconds)) or "")
        if moment is not None:
            minutes = parse_offset(_text(_value(photo, offset)) or "")
            return moment, own_offset if minutes is None else minutes, source
    return None, None, None


def _position(gps: Mapping[int, Any]) -> tuple[float | None, float | None]:
    latitude = _degrees(_value(gps, GPS.GPSLatitude), _value(gps, GPS.GPSLatitudeRef), "NS", 90)
    longitude = _degrees(_value(gps, GPS.GPSLongitude), _value(gps, GPS.GPSLongitudeRef), "EW", 180)
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None, None  # exactly 0, 0 is a receiver without a fix, not a photo taken in the Gulf of Guinea
    return latitude, longitude


def _degrees(value: Any, reference: Any, letters: str, limit: int) -> float | None:
    parts = [_number(part) for part in (value if isinstance(value, tuple | list) else (value,))]
    side = (_text(reference) or "")[:1].upper()
    if not 1 <= len(parts) <= 3 or side not in tuple(letters):
        return None
    degrees = 0.0
    for part, unit in zip(parts, (1, 60, 3600), strict=False):
        if part is None or part < 0:
            return None
        degrees += part / unit
    return (degrees if side == letters[0] else 0.0 - degrees) if degrees <= limit else None


def _altitude(gps: Mapping[int, Any]) -> float | None:
    metres = _number(_value(gps, GPS.GPSAltitude))
    if metres is None or abs(metres) > _MAX_ALTITUDE_M:
        return None
    return -metres if _value(gps, GPS.GPSAltitudeRef) in (1, b"\x01", "1") else metres


def _model(make: str | None, model: str | None) -> str | None:
    """The model without the make, or the make's first word, that many cameras repeat in front of it."""
    for prefix in (make, make.split()[0]) if make and model else ():
        if model and model.casefold().startswith(prefix.casefold() + " "):
            return model[len(prefix) :].strip() or model
    return model


def _directory(exif: Image.Exif, tag: int) -> Mapping[int, Any]:
    try:
        return dict(exif.get_ifd(tag))
    except Exception:  # as in metadata_of()
        return {}


def _value(directory: Mapping[int, Any], tag: int) -> Any:
    try:
        return directory.get(tag)  # of an Exif: decodes the field now
    except Exception:  # as in metadata_of()
        return None


def _text(value: Any) -> str | None:
    """A clean line: what comes before the first NUL, as UTF-8 where it is, without controls and padding."""
    if isinstance(value, str):
        value = value.encode("latin-1", "replace") if value.isascii() or max(value) <= "\xff" else value
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            value = value.decode("latin-1")
    if not isinstance(value, str):
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
    printable = "".join(letter if letter.isprintable() else " " for letter in value.split("\0", 1)[0])
    line = " ".join(printable.split())[:_MAX_TEXT].strip()
    return None if line.casefold() in _PLACEHOLDERS else line


def _number(value: Any) -> float | None:
    """A finite number; a rational of denominator 0 is none."""
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) else None
