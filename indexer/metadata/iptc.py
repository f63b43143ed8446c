"""What a photo's IPTC-IIM block says. What is unsound becomes None; nothing here raises. Pillow parses the block."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from PIL import Image, IptcImagePlugin

from indexer.metadata.dates import Taken, first_sound, read_date
from indexer.metadata.photo_metadata import Keyword, PhotoMetadata, merged
from indexer.metadata.values import line, paragraph

_TITLE, _KEYWORDS, _DATE, _TIME, _CITY = (2, 5), (2, 25), (2, 55), (2, 60), (2, 90)
_REGION, _COUNTRY, _HEADLINE, _CAPTION = (2, 95), (2, 101), (2, 105), (2, 120)
_CLOCK = re.compile(r"(\d\d)(\d\d)(\d\d)([+-]\d{4})?", re.ASCII)


def iptc_of(image: Image.Image) -> PhotoMetadata:
    """Read what is sound in the block of an open JPEG or TIFF; other formats have none."""
    try:
        found = IptcImagePlugin.getiptcinfo(image) or {}  # type: ignore[arg-type]
    except Exception:  # Pillow raises what it likes on damage, which costs the block only
        found = {}
    taken = first_sound([_date(found)])
    words = found.get(_KEYWORDS, [])
    return PhotoMetadata(
        taken_at=taken.at,
        taken_offset_min=taken.offset_min,
        taken_source=taken.source,
        taken_precision=taken.precision,
        title=line(_one(found, _TITLE)) or line(_one(found, _HEADLINE)),
        description=paragraph(_one(found, _CAPTION)),
        city=line(_one(found, _CITY)),
        region=line(_one(found, _REGION)),
        country=line(_one(found, _COUNTRY)),
        keywords=merged(
            Keyword(word, "iptc") for word in map(line, words if isinstance(words, list) else [words]) if word
        ),
    )


def _one(found: Mapping[tuple[int, int], Any], field: tuple[int, int]) -> Any:
    value = found.get(field)
    return value[0] if isinstance(value, list) and value else value


def _date(found: Mapping[tuple[int, int], Any]) -> Taken:
    """The day created, and the time where there is one: 20090829 and 131808+0200."""
    day, clock = line(_one(found, _DATE)) or "", _CLOCK.match(line(_one(found, _TIME)) or "")
    if len(day) not in (4, 6, 8) or not day[:4].isdecimal():
        return Taken()
    time = f" {clock[1]}:{clock[2]}:{clock[3]}{clock[4] or ''}" if clock else ""
    return read_date(f"{day[:4]}-{day[4:6]}-{day[6:]}{time}", source="iptc")
