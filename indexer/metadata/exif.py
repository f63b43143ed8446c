"""Date, place, camera, exposure and words out of EXIF. What is unsound becomes None; nothing here raises.

The date is the camera's wall clock, with its offset from UTC where the file names one; where only GPS knows it, it is
UTC. What else says something about a photo is read elsewhere: iptc.py, xmp.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from indexer.metadata.dates import Taken, first_sound, parse_date, parse_offset, read_date
from indexer.metadata.gps_time import is_believable
from indexer.metadata.photo_metadata import Keyword, PhotoMetadata, merged, shot
from indexer.metadata.values import (
    MAX_ALTITUDE_M,
    MAX_EXPOSURE_S,
    MAX_F_NUMBER,
    MAX_FOCAL_MM,
    MAX_ISO,
    line,
    number,
    paragraph,
    positive,
    rating_of_percent,
    whole,
)

_ISO_ELSEWHERE = 65535  # what a field of 16 bits says of an ISO that it cannot hold
_PERCENT = 0x4749  # RatingPercent
_COMMENT_ENCODINGS = {
    b"ASCII\0\0\0": "utf-8",
    b"UNICODE\0": "utf-16",
    b"JIS\0\0\0\0\0": "iso2022_jp",
    bytes(8): "utf-8",
}

# Which field the date came from: its tag, its fraction of a second, its offset.
_ORIGINAL = ("original", Base.DateTimeOriginal, Base.SubsecTimeOriginal, Base.OffsetTimeOriginal)
_DIGITIZED = ("digitized", Base.DateTimeDigitized, Base.SubsecTimeDigitized, Base.OffsetTimeDigitized)
_MODIFIED = ("modified", Base.DateTime, Base.SubsecTime, Base.OffsetTime)


def exif_of(image: Image.Image) -> PhotoMetadata:
    """Read the EXIF of an open picture; damage in it costs the fields behind the damage, never the photo."""
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
    orientation = _value(exif, Base.Orientation)
    dates, received = list(_dates(exif, photo, gps)), _gps_date(gps).at
    return replace(
        shot(
            first_sound(dates),
            _position(gps),
            _altitude(gps),
            line(_value(exif, Base.Make)),
            line(_value(exif, Base.Model)),
        ),
        lens=line(_value(photo, Base.LensModel)),
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
        exposure_s=_exposure(photo),
        f_number=_f_number(photo),
        iso=_iso(photo),
        focal_mm=positive(_value(photo, Base.FocalLength), MAX_FOCAL_MM),
        focal_35mm_mm=positive(_value(photo, Base.FocalLengthIn35mmFilm), MAX_FOCAL_MM),
        gps_at=received,
        rating=_rating(exif),
        title=line(_wide(_value(exif, Base.XPTitle))),
        description=_description(exif, photo),
        keywords=_keywords(exif),
    )


def _dates(exif: Mapping[int, Any], photo: Mapping[int, Any], gps: Mapping[int, Any]) -> Iterator[Taken]:
    """Every date, the most trusted first."""
    for source, tag, subseconds, offset in (_ORIGINAL, _DIGITIZED, _MODIFIED):
        text = line(_value(exif if source == "modified" else photo, tag)) or ""
        taken = read_date(text, line(_value(photo, subseconds)) or "", source)
        minutes = parse_offset(line(_value(photo, offset)) or "")
        taken = taken if minutes is None else taken._replace(offset_min=minutes)
        if source == "modified" and (received := _gps_date(gps)).at and is_believable(received.at, taken.at):
            yield received
        yield taken


def _gps_date(gps: Mapping[int, Any]) -> Taken:
    """The receiver's day and time, which are UTC; one without the other is no date."""
    time = _value(gps, GPS.GPSTimeStamp)
    parts = [number(part) for part in time] if isinstance(time, tuple | list) else []
    if len(parts) != 3 or any(part is None or part < 0 for part in parts):
        return Taken()
    hour, minute, second = (part or 0 for part in parts)
    if hour >= 24 or minute >= 60 or second > 60:
        return Taken()
    day = (line(_value(gps, GPS.GPSDateStamp)) or "")[:10]
    moment, _ = parse_date(f"{day} {int(hour):02}:{int(minute):02}:{int(second):02}")
    return Taken(moment, 0, "gps")


def _exposure(photo: Mapping[int, Any]) -> float | None:
    seconds = positive(_value(photo, Base.ExposureTime), MAX_EXPOSURE_S)
    apex = number(_value(photo, Base.ShutterSpeedValue))
    return seconds or (positive(2**-apex, MAX_EXPOSURE_S) if apex is not None and abs(apex) < 20 else None)


def _f_number(photo: Mapping[int, Any]) -> float | None:
    stop = positive(_value(photo, Base.FNumber), MAX_F_NUMBER)
    apex = number(_value(photo, Base.ApertureValue))
    return stop or (positive(round(2 ** (apex / 2), 1), MAX_F_NUMBER) if apex is not None and 0 < apex < 20 else None)


def _iso(photo: Mapping[int, Any]) -> int | None:
    for tag in (Base.ISOSpeedRatings, Base.RecommendedExposureIndex, Base.ISOSpeed, Base.StandardOutputSensitivity):
        value = _value(photo, tag)
        found = whole(value[0] if isinstance(value, tuple | list) and value else value, 1, MAX_ISO)
        if found is not None and (tag != Base.ISOSpeedRatings or found != _ISO_ELSEWHERE):
            return found
    return None


def _rating(exif: Mapping[int, Any]) -> int | None:
    stars = whole(_value(exif, Base.Rating), 0, 5)
    return rating_of_percent(_value(exif, _PERCENT)) if stars is None else stars


def _description(exif: Mapping[int, Any], photo: Mapping[int, Any]) -> str | None:
    written = (_value(exif, Base.ImageDescription), _comment(_value(photo, Base.UserComment)))
    wide = (_wide(_value(exif, tag)) for tag in (Base.XPComment, Base.XPSubject))
    return next((found for found in map(paragraph, (*written, *wide)) if found), None)


def _comment(value: Any) -> str | None:
    """UserComment: its first eight bytes name its encoding; what is mostly no text was written by the camera."""
    if not isinstance(value, bytes) or value[:8] not in _COMMENT_ENCODINGS:
        return None
    encoding = _COMMENT_ENCODINGS[value[:8]]
    if encoding == "utf-16" and value[8:10] not in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16-be" if value[8:9] == b"\0" else "utf-16-le"
    text = value[8:].decode(encoding, "replace").strip("\0 ")
    return text if sum(not letter.isprintable() or letter == "\ufffd" for letter in text) * 10 <= len(text) else None


def _keywords(exif: Mapping[int, Any]) -> tuple[Keyword, ...]:
    words = (_wide(_value(exif, Base.XPKeywords)) or "").replace(",", ";").split(";")
    return merged(Keyword(word, "exif") for word in map(line, words) if word)


def _wide(value: Any) -> str | None:
    """What Windows writes: UTF-16."""
    value = (
        bytes(part for part in value if isinstance(part, int) and 0 <= part < 256)
        if isinstance(value, tuple)
        else value
    )
    return value.decode("utf-16-le", "replace") if isinstance(value, bytes) else None


def _position(gps: Mapping[int, Any]) -> tuple[float | None, float | None]:
    latitude = _degrees(_value(gps, GPS.GPSLatitude), _value(gps, GPS.GPSLatitudeRef), "NS", 90)
    longitude = _degrees(_value(gps, GPS.GPSLongitude), _value(gps, GPS.GPSLongitudeRef), "EW", 180)
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None, None  # exactly 0, 0 is a receiver without a fix, not a photo taken in the Gulf of Guinea
    return latitude, longitude


def _degrees(value: Any, reference: Any, letters: str, limit: int) -> float | None:
    parts = [number(part) for part in (value if isinstance(value, tuple | list) else (value,))]
    side = (line(reference) or "")[:1].upper()
    if not 1 <= len(parts) <= 3 or side not in tuple(letters):
        return None
    degrees = 0.0
    for part, unit in zip(parts, (1, 60, 3600), strict=False):
        if part is None or part < 0 or (unit > 1 and part > 60):  # ExifTool writes 48' as 47' 60"
            return None
        degrees += part / unit
    return (degrees if side == letters[0] else 0.0 - degrees) if degrees <= limit else None


def _altitude(gps: Mapping[int, Any]) -> float | None:
    metres = number(_value(gps, GPS.GPSAltitude))
    if metres is None or abs(metres) > MAX_ALTITUDE_M:
        return None
    return -metres if _value(gps, GPS.GPSAltitudeRef) in (1, b"\x01", "1") else metres


def _directory(exif: Image.Exif, tag: int) -> Mapping[int, Any]:
    try:
        return dict(exif.get_ifd(tag))
    except Exception:  # as in exif_of()
        return {}


def _value(directory: Mapping[int, Any], tag: int) -> Any:
    try:
        return directory.get(tag)  # of an Exif: decodes the field now
    except Exception:  # as in exif_of()
        return None
