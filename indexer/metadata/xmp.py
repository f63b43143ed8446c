"""What an XMP packet says of a photo, inside its file or beside it. What is unsound becomes None; nothing here raises.

The packet is parsed without entities, without network and up to a size; what stands before damage in it is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from indexer.metadata.dates import Taken, first_sound, parse_date, read_date
from indexer.metadata.gps_time import is_believable
from indexer.metadata.photo_metadata import Keyword, PhotoMetadata, merged, shot
from indexer.metadata.positions import degrees_of
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

if TYPE_CHECKING:
    from lxml import etree

MAX_BYTES = 32 << 20  # masks drawn by hand take megabytes
_MAX_ITEMS = 2_000  # of one list
_MAX_ATTRIBUTES = 2_000  # of one element: lxml looks each up anew among all, a million would take hours

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DC = "{http://purl.org/dc/elements/1.1/}"
_EXIF = "{http://ns.adobe.com/exif/1.0/}"
_EXIF_EX = "{http://cipa.jp/exif/1.0/}"
_TIFF = "{http://ns.adobe.com/tiff/1.0/}"
_XMP = "{http://ns.adobe.com/xap/1.0/}"
_PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
_CAMERA_RAW = "{http://ns.adobe.com/camera-raw-settings/1.0/}"
_AUX = "{http://ns.adobe.com/exif/1.0/aux/}"
_IPTC = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}"
_MICROSOFT = "{http://ns.microsoft.com/photo/1.0/}"
_LAST_KEYWORDS = _MICROSOFT + "LastKeywordXMP"
_KEYWORDS = (
    _DC + "subject",
    "{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject",
    "{http://www.digikam.org/ns/1.0/}TagsList",
    _LAST_KEYWORDS,
)
_DATES = (_EXIF + "DateTimeOriginal", _PHOTOSHOP + "DateCreated", _XMP + "CreateDate")
"""The photo's own date before that of its file: a scan of 2021 shows 1975."""
_GPS_DATE = _EXIF + "GPSTimeStamp"

_Properties = dict[str, list[str]]


def read_xmp(packet: bytes, source: str = "xmp") -> PhotoMetadata:
    """Read what is sound in a packet.

    Args:
        packet: XML in UTF-8, UTF-16 or UTF-32; one above MAX_BYTES, or with a document type, says nothing.
        source: what its keywords and its date are said to be from: "xmp" or "sidecar".
    """
    found = _properties(packet)
    return replace(
        shot(
            first_sound(_dates(found, source)),
            _position(found),
            _altitude(found),
            line(_first(found, _TIFF + "Make")),
            line(_first(found, _TIFF + "Model")),
        ),
        lens=line(_first(found, _EXIF_EX + "LensModel", _AUX + "Lens")),
        exposure_s=positive(_first(found, _EXIF + "ExposureTime"), MAX_EXPOSURE_S),
        f_number=positive(_first(found, _EXIF + "FNumber"), MAX_F_NUMBER),
        iso=whole(_first(found, _EXIF_EX + "PhotographicSensitivity", _EXIF + "ISOSpeedRatings"), 1, MAX_ISO),
        focal_mm=positive(_first(found, _EXIF + "FocalLength"), MAX_FOCAL_MM),
        focal_35mm_mm=positive(_first(found, _EXIF + "FocalLengthIn35mmFilm"), MAX_FOCAL_MM),
        gps_at=_received(found),
        rating=_rating(found),
        title=line(_first(found, _DC + "title", _PHOTOSHOP + "Headline")),
        description=paragraph(_first(found, _DC + "description", _EXIF + "UserComment")),
        city=line(_first(found, _PHOTOSHOP + "City")),
        region=line(_first(found, _PHOTOSHOP + "State")),
        country=line(_first(found, _PHOTOSHOP + "Country")),
        keywords=merged(Keyword(word, source) for name in _KEYWORDS for word in map(line, found.get(name, ())) if word),
    )


def extension_named(packet: bytes) -> str | None:
    """The extension, without its dot, of the file that a sidecar says it belongs to; None where it says nothing."""
    found = _properties(packet)
    named = line(_first(found, _PHOTOSHOP + "SidecarForExtension"))
    file = line(_first(found, _CAMERA_RAW + "RawFileName")) or ""
    return (named or (file.rpartition(".")[2] if "." in file else "")).lstrip(".") or None


def last_keywords(packet: bytes) -> list[str]:
    """The keywords in the list of Windows, as they stand there."""
    return _properties(packet).get(_LAST_KEYWORDS, [])


def _properties(packet: bytes) -> _Properties:
    """Every property of the packet's resource with its values, be they an attribute, a text or a list."""
    from lxml import etree

    found: _Properties = {}
    try:
        # A packet needs no document type; without one there are no entities to expand, in any encoding.
        if len(packet) > MAX_BYTES or b"<!DOCTYPE" in packet.replace(b"\0", b""):
            return found
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, recover=True,
            remove_comments=True, remove_pis=True,
        )  # fmt: skip
        root = etree.fromstring(packet.strip(b"\0 \r\n\t") if packet[:2] not in _WIDE else packet, parser)
        for about in root.iter(_RDF + "Description") if root is not None else ():
            parent = about.getparent()
            if parent is not None and parent.tag != _RDF + "RDF":
                continue  # a structure inside a property
            for name in about.keys()[:_MAX_ATTRIBUTES]:
                found.setdefault(str(name), [str(about.get(name))])
            for element in about.iterchildren(tag=etree.Element):
                found.setdefault(str(element.tag), _values(element))
    except Exception:  # lxml raises what libxml2 finds, and damage costs fields only
        pass
    return found


_WIDE = (b"\xff\xfe", b"\xfe\xff")


def _values(element: etree._Element) -> list[str]:
    """The items of a list of any kind, the default language first, or the element's own text."""
    items = [item for kind in ("Bag", "Seq", "Alt") for item in element.iterfind(f"{_RDF}{kind}/{_RDF}li")]
    items.sort(key=lambda item: item.get(_LANGUAGE) != "x-default")
    return [item.text or "" for item in items[:_MAX_ITEMS]] if items else [element.text or ""]


def _first(found: _Properties, *names: str) -> str | None:
    """The first of these properties that is more than blanks."""
    return next((value for name in names for value in found.get(name, ())[:1] if value.strip()), None)


def _dates(found: _Properties, source: str) -> Iterator[Taken]:
    for name in _DATES:
        yield read_date((_first(found, name) or "")[:100], source=source)
    received = _received(found)
    if received is not None and is_believable(received):
        yield Taken(received, 0, "gps")


def _received(found: _Properties) -> datetime | None:
    """What a GPS receiver gave; UTC, whether it says so or not."""
    moment, offset = parse_date((_first(found, _GPS_DATE) or "")[:100])
    return moment if moment is None or not offset else moment - timedelta(minutes=offset)


def _position(found: _Properties) -> tuple[float | None, float | None]:
    latitude, longitude = (
        degrees_of(_first(found, _EXIF + name), letters, limit, _first(found, f"{_EXIF}{name}Ref"))
        for name, letters, limit in (("GPSLatitude", "NS", 90), ("GPSLongitude", "EW", 180))
    )
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None, None
    return latitude, longitude


def _altitude(found: _Properties) -> float | None:
    metres = number(_first(found, _EXIF + "GPSAltitude"))
    if metres is None or abs(metres) > MAX_ALTITUDE_M:
        return None
    return -metres if _first(found, _EXIF + "GPSAltitudeRef") == "1" else metres


def _rating(found: _Properties) -> int | None:
    stars = whole(_first(found, _XMP + "Rating"), -1, 5)
    return rating_of_percent(_first(found, _MICROSOFT + "Rating")) if stars is None else stars
