"""`picsift search` and `picsift similar`: from options to a query, from a result to what is printed."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from app import exits, output
from app.bootstrap import build_services
from app.logs import begin
from app.options import (
    AfterOption,
    BeforeOption,
    FolderOption,
    JsonOption,
    LibraryOption,
    LimitOption,
    OffsetOption,
    PlaceOption,
    Sort,
    SortOption,
    VerboseOption,
)
from app.query import Query, make_filter, merge, parse


@exits.reported
def search_command(
    query: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help='What to look for; after:2021, before:2021-06-30, folder:Trip, place:"New York" may stand among it.',
            show_default=False,
        ),
    ] = None,
    image: Annotated[
        Path | None, typer.Option("--image", metavar="FILE", help="A picture to look for, alone or with words.")
    ] = None,
    image_weight: Annotated[
        float, typer.Option("--image-weight", min=0, max=1, help="Share of the picture when there are words too.")
    ] = 0.5,
    limit: LimitOption = 20,
    offset: OffsetOption = 0,
    sort: SortOption = Sort.relevance,
    after: AfterOption = None,
    before: BeforeOption = None,
    folder: FolderOption = None,
    place: PlaceOption = None,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find photos by words, by a picture, or by both.

    In a pipe it prints a line for each photo: its score, a tab, its path.
    """
    settings = begin(verbose, library=library)
    text, among = parse(" ".join(query or []))
    wanted = Query(
        text=text,
        image=image,
        filter=merge(among, make_filter(after, before, folder, place)),
        limit=limit,
        offset=offset,
        sort=sort.value,
        image_weight=image_weight,
    )
    with closing(build_services(settings)) as services:
        result = services.search.search(wanted)
    output.show_hits(result, json=json, first_rank=offset + 1)


@exits.reported
def similar_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A photo of the library, or any other picture.")],
    limit: LimitOption = 20,
    offset: OffsetOption = 0,
    sort: SortOption = Sort.relevance,
    after: AfterOption = None,
    before: BeforeOption = None,
    folder: FolderOption = None,
    place: PlaceOption = None,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find photos like this one."""
    settings = begin(verbose, library=library)
    wanted = make_filter(after, before, folder, place)
    with closing(build_services(settings)) as services:
        result = services.search.similar(file, limit=limit, offset=offset, filter=wanted, sort=sort.value)
    output.show_hits(result, json=json, first_rank=offset + 1)
