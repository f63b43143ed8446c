"""`picsift search` and `picsift similar`: from options to a query, from a result to what is printed."""

import importlib
import os
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.bootstrap import Services, build_services
from app.cli.terminal import exits, output
from app.cli.terminal.logs import begin
from app.cli.terminal.options import Filters, JsonOption, LibraryOption, Listing, VerboseOption, with_groups
from app.search.language.parsing import parse
from app.search.query import Query, parse_region
from app.settings import Settings
from indexer.errors import QueryError

if TYPE_CHECKING:
    from app.search.embedders import Embedders
    from app.search.live_index import LiveIndex

LISTING = Listing()
FILTERS = Filters()
NoServerOption = Annotated[
    bool, typer.Option("--no-server", help="Let no 'picsift serve' answer that has the library open.")
]
_THREADS = "OPENBLAS_NUM_THREADS"


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
    no_server: NoServerOption = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find photos by words, by a picture, or by both.

    In a pipe it prints a line for each photo: its score, a tab, its path.
    """
    # A server is asked before any of this is imported (`app/launch.py`): here none answered, or none was to be asked.
    _compute_on_one_core()
    settings = begin(verbose, library=library)
    wanted = asked_for(query, listing, filters, settings)
    wanted = replace(wanted, image=image, image_weight=image_weight)
    embeds = bool(wanted.text.strip() or image)
    with closing(_services_for_one_question(settings, compares=embeds, embeds=embeds)) as services:
        result = services.search.search(_marked(wanted, listing, services))
        changed = changed_since(wanted, services)
    output.show_hits(result, json=json, first_rank=listing.offset + 1)
    if changed is not None:
        output.say(changed)


@exits.reported
@with_groups
def similar_command(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="A photo of the library, or any other picture; several: like all of them."),
    ],
    region: Annotated[
        str | None,
        typer.Option(
            "--region",
            metavar="X,Y,W,H",
            help="Only this part of the picture, as it is seen upright: 25%,10%,50%,40%, or in fractions.",
            show_default=False,
        ),
    ] = None,
    listing: Listing = LISTING,
    filters: Filters = FILTERS,
    library: LibraryOption = None,
    no_server: NoServerOption = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find photos like this one, a region of it, or several together; they and their copies are not listed."""
    settings = begin(verbose, library=library)
    wanted = alike(listing, filters, settings)
    part = None if region is None else parse_region(region)
    if part is not None and len(files) > 1:
        exits.usage("--region is of one picture, and several are named.")
    with closing(_services_for_one_question(settings, compares=True, embeds=False)) as services:
        sources = files if part is None else [services.search.cut(files[0], part)]
        result = services.search.similar(sources, _marked(wanted, listing, services))
    output.show_hits(result, json=json, first_rank=listing.offset + 1)


def asked_for(words: list[str] | None, listing: Listing, filters: Filters, settings: Settings) -> Query:
    """The query that words and options are; raises QueryError."""
    asked = parse(" ".join(words or []), pictures=True, beside=filters.filter)
    return _paged(asked, listing, settings)


def alike(listing: Listing, filters: Filters, settings: Settings) -> Query:
    """The query of photos like others that options are; raises QueryError."""
    return _paged(Query(filter=filters.filter), listing, settings)


def changed_since(query: Query, services: Services) -> str | None:
    """That a model of before has embedded the words, where it has; asked behind the search, which knows that model."""
    return services.embedders.changed(services.search.live.model()) if query.text.strip() else None


def _paged(query: Query, listing: Listing, settings: Settings) -> Query:
    """The query with the page and the order that are asked for."""
    return replace(
        query,
        limit=listing.limit,
        offset=listing.offset,
        sort=listing.sort.value,
        min_relevance=settings.min_relevance if listing.min_relevance is None else listing.min_relevance,
        diverse=listing.diverse,
        all_copies=listing.all_copies,
    )


def _marked(query: Query, listing: Listing, services: Services) -> Query:
    """The query with the photos that are marked, which have to be in the library."""
    right, wrong = (
        tuple(services.search.photo_at(file) for file in files or ()) for files in (listing.right, listing.wrong)
    )
    for file, photo_id in zip(listing.right or (), right, strict=True):
        if photo_id in wrong:
            raise QueryError(f"{file} is marked right and wrong. Take one of the marks away.")
    return replace(query, right=right, wrong=wrong)


def _services_for_one_question(settings: Settings, *, compares: bool, embeds: bool) -> Services:
    """On the CPU, unless a GPU is named: to start one, and to copy a library to it, takes longer than the answer.

    So does a copy of the vectors in memory. They are read, and the model that answers is found, all of whose file is
    read for that, while what else it takes is imported.

    Args:
        settings: what the person set.
        compares: the question is answered from the vectors, and not by filters alone.
        embeds: it is of words, or of pictures that may be strangers.
    """

    def begin(live: "LiveIndex", embedders: "Embedders") -> None:
        live.once = True
        if compares:
            live.read_ahead()
        if embeds:
            embedders.find_meanwhile(live.model)

    settings = settings.model_copy(update={"device": "cpu"}) if settings.device == "auto" else settings
    return build_services(settings, meanwhile=begin)


def _compute_on_one_core() -> None:
    """NumPy's products: those of one short text are over before a second core has woken up.

    Its library reads the variable as it is loaded, and nothing else shall: neither torch's nor that of other processes.
    """
    if _THREADS in os.environ or "numpy" in sys.modules:
        return
    os.environ[_THREADS] = "1"
    importlib.import_module("numpy")
    del os.environ[_THREADS]
