"""The options that several commands share, with their bounds and their help."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.search.language.filter_fields import filter_of
from app.search.language.filter_words import NAMES
from app.search.query import MAX_LIMIT, MAX_OFFSET
from indexer.catalog.photo_filter import PhotoFilter


class Sort(StrEnum):
    """How hits are ordered."""

    relevance = "relevance"
    date = "date"


SortOption = Annotated[Sort, typer.Option("--sort", help="Best first, or all matches with the newest first.")]
LibraryOption = Annotated[
    Path | None,
    typer.Option("--library", metavar="DIR", help="The library's folder. [env: PICSIFT_LIBRARY]", show_default=False),
]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="NAME|PATH", help="Model to embed with. [default: the library's own]")
]
VideosOption = Annotated[
    bool | None,
    typer.Option(
        "--videos/--no-videos",
        help="Take new videos in, by a frame every two seconds, from now on; or no more.",
        show_default=False,
    ),
]
WatchOption = Annotated[
    bool, typer.Option("--watch", help="Also follow the library's folders, as 'picsift watch' does.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and no progress.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say on standard error what is being done.")]
MinRelevanceOption = Annotated[
    float | None,
    typer.Option("--min-relevance", min=0, max=1, help="List what fits at least so well; 0: all. [default: 0.5]"),
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=MAX_LIMIT, help="How many photos to list.")]
OffsetOption = Annotated[
    int,
    typer.Option(
        "--offset",
        min=0,
        max=MAX_OFFSET,
        help="How many hits to skip before, counted anew: of two pages while photos come or go the second may repeat "
        "or miss some. One larger --limit does not.",
    ),
]
AfterOption = Annotated[
    str | None, typer.Option("--after", metavar="DATE", help="Only photos of this year, month or day, or later.")
]
BeforeOption = Annotated[
    str | None, typer.Option("--before", metavar="DATE", help="Only photos from before this year, month or day.")
]
FolderOption = Annotated[
    str | None,
    typer.Option("--folder", metavar="NAME", help="Only photos below an absolute path, or below folders of this name."),
]
PlaceOption = Annotated[
    str | None,
    typer.Option("--place", metavar="NAME", help="Only photos from a city, region or country of this name."),
]


RightOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--right", metavar="PHOTO", help="A photo that is what you look for; several hold.", show_default=False
    ),
]
WrongOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--wrong", metavar="PHOTO", help="A photo that is not; several hold. It is not listed.", show_default=False
    ),
]
DiverseOption = Annotated[
    bool, typer.Option("--diverse", help="Photos that are like one before them, such as bursts, come later.")
]
AllCopiesOption = Annotated[
    bool, typer.Option("--all-copies", help="List each copy of a picture, and do not count them behind the first.")
]


def _filter_option(name: str, metavar: str, help: str) -> Any:
    return typer.Option(f"--{name}", metavar=metavar, help=help, show_default=False)


OnOption = Annotated[str | None, _filter_option("on", "DATE", "Only photos of this year, month or day.")]
YearOption = Annotated[str | None, _filter_option("year", "YEARS", "Only photos of a year, or of 2019..2021.")]
MonthOption = Annotated[str | None, _filter_option("month", "MONTH", "Only photos of this month of any year.")]
NearOption = Annotated[str | None, _filter_option("near", "LAT,LON,KM", "Only photos taken within a circle.")]
CameraOption = Annotated[str | None, _filter_option("camera", "WORDS", "Only photos of a camera of this name.")]
LensOption = Annotated[str | None, _filter_option("lens", "WORDS", "Only photos through a lens of this name.")]
NameOption = Annotated[str | None, _filter_option("name", "TEXT", "Only files with this in their name; * and ? hold.")]
TypeOption = Annotated[str | None, _filter_option("type", "TYPE", "Only photo, video, raw, or a format such as jpeg.")]
TagOption = Annotated[list[str] | None, _filter_option("tag", "TAG", "Only photos with this tag; several: with all.")]
KeywordOption = Annotated[
    list[str] | None, _filter_option("keyword", "WORDS", "Only photos whose files carry this keyword.")
]
TextOption = Annotated[
    list[str] | None,
    _filter_option("text", "WORDS", "Only photos with these words in title, description, keywords, tags or names."),
]
RatingOption = Annotated[str | None, _filter_option("rating", "STARS", "Only photos of 4, 3..5 or '>=4' stars.")]
WidthOption = Annotated[str | None, _filter_option("width", "PIXELS", "Only pictures so wide, such as '>=3000'.")]
HeightOption = Annotated[str | None, _filter_option("height", "PIXELS", "Only pictures so high, such as '>=3000'.")]
OrientationOption = Annotated[
    str | None, _filter_option("orientation", "SHAPE", "Only landscape, portrait or square pictures.")
]
IsOption = Annotated[list[str] | None, _filter_option("is", "WHAT", "Only favourite, video, raw...")]
HasOption = Annotated[list[str] | None, _filter_option("has", "WHAT", "Only photos that know their gps, date...")]
DuplicateOption = Annotated[
    str | None, _filter_option("duplicate", "YES/NO", "no: one of each picture; yes: what there are several of.")
]
NotOption = Annotated[list[str] | None, _filter_option("not", "FILTER", "Leave out what passes it: camera:canon.")]
TagArgument = Annotated[
    str, typer.Argument(metavar="TAG", help="Such as dog, or animal/dog where several have that name.")
]
FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE", help="Photos of the library.")]
PortOption = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="TCP port. [default: 7860]")]


@dataclass(frozen=True)
class Listing:
    """How many photos a command lists, and in which order."""

    limit: LimitOption = 20
    offset: OffsetOption = 0
    sort: SortOption = Sort.relevance
    min_relevance: MinRelevanceOption = None
    right: RightOption = None
    wrong: WrongOption = None
    diverse: DiverseOption = False
    all_copies: AllCopiesOption = False


@dataclass(frozen=True)
class Filters:
    """Which photos a command is about."""

    after: AfterOption = None
    before: BeforeOption = None
    folder: FolderOption = None
    place: PlaceOption = None
    on: OnOption = None
    year: YearOption = None
    month: MonthOption = None
    near: NearOption = None
    camera: CameraOption = None
    lens: LensOption = None
    name: NameOption = None
    type: TypeOption = None
    tag: TagOption = None
    keyword: KeywordOption = None
    text: TextOption = None
    rating: RatingOption = None
    width: WidthOption = None
    height: HeightOption = None
    orientation: OrientationOption = None
    is_: IsOption = None
    has: HasOption = None
    duplicate: DuplicateOption = None
    not_: NotOption = None

    @property
    def filter(self) -> PhotoFilter:
        """The photos that may be listed."""
        return filter_of({name: getattr(self, "is_" if name == "is" else name) for name in NAMES}, self.not_ or ())


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of the groups, `Listing` and `Filters`, that it has as parameters.

    Typer takes no groups of parameters: it is shown them one by one, where the command has the one.
    """
    groups = {
        parameter.name: parameter.annotation
        for parameter in inspect.signature(command).parameters.values()
        if parameter.annotation in (Listing, Filters)
    }

    @functools.wraps(command)
    def run(**given: Any) -> None:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**made, **given)

    shown: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        group = groups.get(parameter.name)
        parts = inspect.signature(group).parameters.values() if group else [parameter]
        shown += [part.replace(kind=inspect.Parameter.KEYWORD_ONLY) for part in parts]
    setattr(run, "__signature__", inspect.Signature(shown))  # noqa: B010 - mypy knows no such attribute
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return run
