"""The options that several commands share, with their bounds and their help."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.search.query import MAX_LIMIT, MAX_OFFSET, make_filter
from indexer.catalog.records import PhotoFilter


class Sort(StrEnum):
    """How hits are ordered."""

    relevance = "relevance"
    date = "date"


SortOption = Annotated[Sort, typer.Option("--sort", help="Best first, or the best matches with the newest first.")]
LibraryOption = Annotated[
    Path | None,
    typer.Option("--library", metavar="DIR", help="The library's folder. [env: PICSIFT_LIBRARY]", show_default=False),
]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="Model to embed with. [default: the library's own]")
]
VideosOption = Annotated[
    bool | None,
    typer.Option(
        "--videos/--no-videos",
        help="Take new videos in, by a frame every two seconds, from now on; or no more.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and no progress.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say on standard error what is being done.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=MAX_LIMIT, help="How many photos to list.")]
OffsetOption = Annotated[int, typer.Option("--offset", min=0, max=MAX_OFFSET, help="How many photos to skip before.")]
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
TagArgument = Annotated[
    str, typer.Argument(metavar="TAG", help="Such as dog, or animal/dog where several have that name.")
]
FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE", help="Photos of the library.")]
PortOption = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="TCP port. [default: 7860]")]


@dataclass(frozen=True)
class Listing:
    """Which photos a command lists, and in which order."""

    limit: LimitOption = 20
    offset: OffsetOption = 0
    sort: SortOption = Sort.relevance
    after: AfterOption = None
    before: BeforeOption = None
    folder: FolderOption = None
    place: PlaceOption = None

    @property
    def filter(self) -> PhotoFilter:
        """The photos that may be listed."""
        return make_filter(self.after, self.before, self.folder, self.place)


def with_listing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command with a parameter `listing: Listing` an option for each of its fields.

    Typer takes no groups of parameters: it is shown them one by one, where the command has the one.
    """

    @functools.wraps(command)
    def run(**given: Any) -> None:
        listing = Listing(**{field.name: given.pop(field.name) for field in fields(Listing)})
        command(listing=listing, **given)

    shown: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        parts = inspect.signature(Listing).parameters.values() if parameter.annotation is Listing else [parameter]
        shown += [part.replace(kind=inspect.Parameter.KEYWORD_ONLY) for part in parts]
    setattr(run, "__signature__", inspect.Signature(shown))  # noqa: B010 - mypy knows no such attribute
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return run
