"""SearchService: a Query in, a SearchResult out. CLI, API and page share it.

It parses no text (`query.py`), embeds nothing (`query_embedder.py`), and makes no page (`paging/pages.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.search.background import Calibration, Sought
from app.search.index_pass import Look, index_passes, nearest_of
from app.search.library_background import LibraryBackground
from app.search.live_index import LiveIndex
from app.search.matches import matching
from app.search.paging.asked import Asked
from app.search.paging.pages import Pages
from app.search.query import (
    EVERYTHING,
    Cut,
    Query,
    Region,
    Source,
    Term,
    check,
    check_compared,
    check_page,
    check_sources,
)
from app.search.query_embedder import QueryEmbedder, Vector
from app.search.ranking import Hit, SearchResult
from app.search.recent_photos import RecentPhotos
from app.search.refinement.examples import Examples
from app.search.refinement.feedback import with_marks
from app.search.words.unsaid import KnownWords
from app.search.words.word_search import saying
from indexer.catalog.columns.photo_filters import PhotoFilters
from indexer.catalog.columns.photo_set import PhotoSet

if TYPE_CHECKING:
    from app.search.picture_decoder import PictureDecoder
    from indexer.catalog.records import ModelRecord
    from indexer.embedder import Embedder
    from indexer.library import Library

__all__ = ["Hit", "SearchResult", "SearchService"]


class SearchService:
    """Answers searches over one library with its active model; safe to call from many threads."""

    def __init__(
        self,
        library: Library,
        embedder_for: Callable[[ModelRecord], Embedder],
        decoder: PictureDecoder,
        *,
        live: LiveIndex | None = None,
        names: Callable[[], Sequence[str]] = tuple,
    ):
        """Open nothing yet.

        Args:
            library: where the photos are listed.
            embedder_for: the library's model -> its embedder; asked when a query has to be embedded.
            decoder: decodes query pictures.
            live: the index of its vectors; None: one is made.
            names: plain names of many things, which a query's relevance is measured against; none: it stays unknown.
        """
        self.live = live or LiveIndex(library)
        self._library = library
        self._embedder = QueryEmbedder(embedder_for, decoder)
        self._examples = Examples(library.catalog, self._embedder)
        self._photos = RecentPhotos(library.catalog)
        self._filters = PhotoFilters(library.catalog)
        self._words = KnownWords(library.catalog)
        self._pages = Pages(library.catalog, self.live, self._photos, self._words, index_passes())
        self._background = LibraryBackground(library, embedder_for, names)

    def search(self, query: Query) -> SearchResult:
        """The photos that carry the words or look like words and picture; of filters alone, the newest they allow.

        Raises:
            QueryError: nothing to look for, a text or page out of bounds, or a picture that cannot be read.
            EmptyLibraryError: nothing is indexed.
            ModelError: the library's model cannot be loaded.
        """
        started = time.perf_counter()
        check(query)
        return self.live.of_one_file(lambda: self._search(query, started))

    def _search(self, query: Query, started: float) -> SearchResult:
        model = self.live.model()
        allowed = self._allowed(query, model)
        asked = self._asked(query.text or _name(query.image), query, model)
        sought_for = bool(query.text.strip() or query.image)
        if not sought_for:
            check_compared(query)
        if allowed is not None and not (len(allowed) and sought_for):
            return self._pages.newest(asked, started, allowed)
        self.live.open_meanwhile(model)
        return self._first(asked, model, self._embedder.sought(query, model), started, allowed)

    def go_on(self, asked: Asked, *, limit: int | None = None) -> SearchResult:
        """The page behind that of a search whose `following` this is: the best hits that were not handed out before.

        So none is repeated, and none that matches throughout is left out, whatever comes and goes between two pages.

        Args:
            asked: as often as wanted: the page is the same as long as the library is.
            limit: hits wanted; None: as many as before.

        Raises:
            CursorGoneError: the library is of another model, or another one, by now.
            QueryError: the limit is out of bounds.
        """
        started = time.perf_counter()
        asked = asked if limit is None else replace(asked, query=replace(asked.query, limit=limit))
        check_page(asked.query)
        return self.live.of_one_file(lambda: self._go_on(asked, started))

    def _go_on(self, asked: Asked, started: float) -> SearchResult:
        model = self.live.model() if asked.model else None
        asked.expect(model, self._library.catalog.version()[0])
        if model is None:
            return self._pages.newest(asked, started, None)
        allowed = self._allowed(asked.query, model)
        if asked.sought is None or (allowed is not None and not len(allowed)):
            return self._pages.newest(asked, started, allowed)
        asked = replace(asked, without=self._examples.with_new_copies(asked.without, self._photos.contents))
        return self._pages.nearest(asked, self.live.index(model), started, allowed)

    def similar(self, sources: Source | Sequence[Source], query: Query = EVERYTHING) -> SearchResult:
        """Photos like a photo of the library (its id, or its path), like a picture, or like several of them together.

        A photo of the library is compared by its stored vector and needs no model; neither it nor a copy of it, with
        the same content, is among the hits. Several count as the mean of their vectors.

        Args:
            sources: at most MAX_SOURCES.
            query: which hits are wanted, by its filter, page, order, least relevance and marks; the rest is not read.

        Raises:
            QueryError: no photo has that id, a picture cannot be read, or there are none or too many.
            EmptyLibraryError: nothing is indexed.
        """
        started = time.perf_counter()
        examples: Sequence[Source] = sources if isinstance(sources, list | tuple) else (sources,)
        check_sources(len(examples))
        check_page(query)
        return self.live.of_one_file(lambda: self._similar(examples, query, started))

    def _similar(self, examples: Sequence[Source], query: Query, started: float) -> SearchResult:
        model = self.live.model()
        found = [self._examples.of(source, model) for source in examples]
        sought = self._embedder.mean([vector for vector, _ in found])
        own = self._examples.with_copies(photo_id for _, photo_id in found if photo_id is not None)
        query = replace(query, text="", terms=(), unwanted=())
        asked = self._asked(", ".join(filter(None, map(_name, examples))), query, model)
        return self._first(asked, model, sought, started, self._allowed(query, model), leave_out=own)

    def cut(self, file: Path, region: Region) -> Cut:
        """A region of a picture's file, to find photos like it; raises as `similar`."""
        return self._examples.cut(file, region, self.live.model())

    def with_embedders(self, embedder_for: Callable[[ModelRecord], Embedder]) -> SearchService:
        """The same search over the same index, for which others embed; nobody else's queries go with its own."""
        other = copy(self)
        other._embedder = self._embedder.with_embedders(embedder_for)
        other._examples = Examples(self._library.catalog, other._embedder)
        other._pages = replace(self._pages, passes=index_passes())
        return other

    def reading(self, query: Query) -> tuple[Vector, Calibration | None]:
        """The vector (d,) of what a query looks for, and how its cosines are read, if known; raises as `search`."""
        model = self.live.model()
        sought = self._embedder.sought(query, model)
        background = self._background.of(model, self.live.index(model))
        return sought.vector, background.calibration(sought) if background else None

    def photo_at(self, file: Path) -> int:
        """The id of the photo that lies there, to mark it. Raises QueryError where none does."""
        return self._examples.known_at(file)

    def stored_at(self, file: Path) -> int | None:
        """The id of the photo that lies there, where nothing has to be read to find photos like it; else None."""
        return self._examples.stored_at(file, self.live.model())

    def newest(self, *, limit: int = 20, offset: int = 0, all_copies: bool = False) -> SearchResult:
        """All photos, the newest first: nothing is looked for, and no model asked. Raises QueryError as `search`."""
        query, started = Query(limit=limit, offset=offset, all_copies=all_copies), time.perf_counter()
        check_page(query)
        return self._pages.newest(self._asked("", query, None), started, None)

    def warm_up(self) -> None:
        """Open the index, load the model, and tend both from now on: the first search is as quick as the second."""
        self.live.tends = True
        model = self.live.model()
        self._embedder.warm_up(model)
        self._background.of(model, self.live.index(model))

    def _asked(self, name: str, query: Query, model: ModelRecord | None) -> Asked:
        return Asked(name, query, model, self._library.catalog.version()[0])

    def _first(
        self,
        asked: Asked,
        model: ModelRecord,
        sought: Sought,
        started: float,
        allowed: PhotoSet | None,
        leave_out: Collection[int] = (),
    ) -> SearchResult:
        """The first page, or that at an offset, of what is sought by the marks of the query, too, without some."""
        query, index = asked.query, self.live.index(model)
        background = self._background.of(model, index, with_words=not all(picture for _, picture in sought.parts))
        calibration = background.calibration(sought) if background else None
        sought, calibration = with_marks(query, sought, calibration, background, index, self.live.photos(index))
        unwanted = {*leave_out, *self._examples.wrong(query, leave_out)}
        without = self._photos.contents(sorted(unwanted)) if unwanted else {}
        asked = replace(asked, sought=sought, calibration=calibration, without=without)
        return self._pages.nearest(asked, index, started, allowed)

    def _allowed(self, query: Query, model: ModelRecord) -> PhotoSet | None:
        """The photos that the filter and NOT leave; None for all."""
        allowed = self._filters.allowed(model.id, query.filter) if query.filter else None
        return self._without(query.unwanted, model, allowed) if query.unwanted else allowed

    def _without(self, unwanted: Sequence[Term], model: ModelRecord, allowed: PhotoSet | None) -> PhotoSet:
        """The photos allowed but for those that match one of the terms; of a video each frame counts."""
        background = self._background.of(model, index := self.live.index(model))
        left = self.live.photos(index) if allowed is None else allowed
        for term in unwanted:
            sought = self._embedder.sought(query := Query(terms=(replace(term, weight=1.0),)), model)
            calibration = background.calibration(sought) if background else None
            likely = matching(partial(nearest_of, Look(index, sought.vector, 0, exact=True)), calibration)
            left = left.without(likely).without(saying(self._words, query))
        return left


def _name(image: Source | None) -> str:
    return str(image) if isinstance(image, Path) else ""
