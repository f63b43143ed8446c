"""Which photos a search may return, as a plain value: conditions that hold together, and groups of which one holds.

What the words of a condition mean is decided in `filters/`; nothing is looked up here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from indexer.catalog.tag_records import TagPath

Orientation = Literal["landscape", "portrait", "square"]


@dataclass(frozen=True)
class Near:
    """A circle on the globe: its centre in degrees, and its radius in kilometres."""

    latitude: float
    longitude: float
    km: float


@dataclass(frozen=True)
class Bounds:
    """Numbers from `low` to `high`, both among them; None where there is no bound."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class PhotoFilter:
    """A photo passes when all of this holds for it; an empty filter passes every photo.

    Names and words are compared without regard to upper and lower case, and but for folders and files without regard to
    accents.

    Attributes:
        after: taken at this moment or later.
        before: taken before this moment.
        month: taken in this month of any year, 1 to 12.
        folder: an absolute folder, with what lies below it, or a sequence of whole folder names that occurs
            anywhere in a photo's folder ("Holiday/Beach").
        place: words that stand together in the name of a photo's city, region or country ("new york").
        near: taken within a circle.
        camera: words that stand together in the camera's make and model ("eos r5"), or in the make's first word and the
            model ("nikon d850").
        lens: the same of the lens.
        name: a part of the file's name; with * or ? a pattern of the whole name.
        kind: "photo", "video", "raw", or a format such as "jpeg".
        tags: each the names of a tag as they follow each other in its path; a photo has all of them, or what lies
            under them, suggested or accepted.
        keywords: each words that stand together in one of the keywords in a photo's files; a photo has all of them.
        texts: each words that stand together in a photo's title, description, keywords or accepted tags, or in the
            names of its file and folders; the last word may end with * and goes on then. All of them hold.
        rating: stars, -1 for a rejected photo; a photo without a rating does not pass.
        width: of the upright picture, in pixels.
        height: of the upright picture, in pixels.
        orientation: of the upright picture.
        favourite: whether it has five stars.
        has: what the photo must know of itself, see `HAS`.
        copies: False: of photos with the same picture only one passes; True: only those that there are more of.
        either: groups; of each at least one filter must pass.
        without: none of these filters may pass.
    """

    after: datetime | None = None
    before: datetime | None = None
    folder: str | None = None
    place: str | None = None
    tags: tuple[TagPath, ...] = ()
    month: int | None = None
    near: Near | None = None
    camera: str | None = None
    lens: str | None = None
    name: str | None = None
    kind: str | None = None
    keywords: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    rating: Bounds | None = None
    width: Bounds | None = None
    height: Bounds | None = None
    orientation: Orientation | None = None
    favourite: bool = False
    has: tuple[str, ...] = ()
    copies: bool | None = None
    either: tuple[tuple[PhotoFilter, ...], ...] = ()
    without: tuple[PhotoFilter, ...] = ()

    def __bool__(self) -> bool:
        """Whether this filter asks for anything at all."""
        return self != _NOTHING and any(getattr(self, field.name) not in (field.default, "") for field in fields(self))


_NOTHING = PhotoFilter()

HAS = ("gps", "date", "camera", "lens", "rating", "title", "description", "keywords", "tags", "place", "copies")
"""What `has` may name."""
