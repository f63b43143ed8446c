"""`picsift search` and `picsift similar`: from options to a query, from a result to what is printed."""

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from app.bootstrap import build_services
from app.cli.terminal import exits, output
from app.cli.terminal.logs import begin
from app.cli.terminal.options import Filters, JsonOption, LibraryOption, Listing, VerboseOption, with_groups
from app.search.language.filter_group import merge
from app.search.language.parsing import parse

LISTING = Listing()
FILTERS = Filters()


@exits.reported
@with_groups
def search_command(
    query: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help="What to look for: words, filters such as after:2021 or camera:canon among them (docs/queries.md).",
            show_default=False,
        ),
    ] = None,
    image: Annotated[
        Path | None, typer.Option("--image", metavar="FILE", help="A picture to look for, alone or with words.")
    ] = None,
    image_weight: Annotated[
        float, typer.Option("--image-weight", min=0, max=1, help="Share of the picture when there are words too.")
    ] = 0.5,
    listing: Listing = LISTING,
    filters: Filters = FILTERS,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find photos by words, by a picture, or by both.

    In a pipe it prints a line for each photo: its score, a tab, its path.
    """
    _compute_on_one_core()
    settings = begin(verbose, library=library)
    asked = parse(" ".join(query or []), pictures=True)
    wanted = replace(
        asked,
        image=image,
        filter=merge(asked.filter, filters.filter),
        limit=listing.limit,
        offset=listing.offset,
        sort=listing.sort.value,
        image_weight=image_weight,
        min_relevance=settings.min_relevance if listing.min_relevance is None else listing.min_relevance,
    )
    with closing(build_services(settings)) as services:
        result = services.search.search(wanted)
    output.show_hits(result, json=json, first_rank=listing.offset + 1)


@exits.reported
@with_groups
def similar_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A photo of the library, or any other picture.")],
    listing: Listing = LISTING,
    filters: Filters = FILTERS,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find photos like this one."""
    settings = begin(verbose, library=library)
    with closing(build_services(settings)) as services:
        result = services.search.similar(
            file,
            limit=listing.limit,
            offset=listing.offset,
            filter=filters.filter,
            sort=listing.sort.value,
            min_relevance=settings.min_relevance if listing.min_relevance is None else listing.min_relevance,
        )
    output.show_hits(result, json=json, first_rank=listing.offset + 1)


def _compute_on_one_core() -> None:
    """NumPy's products, before it is imported: those of one short text are over before a second core has woken up."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
