"""SearchService: a Query in, a SearchResult out. CLI, API and page share it.

It parses no text (`query.py`), embeds nothing (`query_embedder.py`), and orders no hits (`matches.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.search.background import Calibration, Sought
from app.search.hints import hint_of
from app.search.index_pass import Look, count_held, index_passes, nearest_but, nearest_of
from app.search.library_background import LibraryBackground
from app.search.live_index import LiveIndex
from app.search.matches import Matches, matching
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
from app.search.ranking import Hit, SearchResult, with_moments
from app.search.recent_photos import RecentPhotos
from app.search.refinement.arrangement import Arrangement
from app.search.refinement.copies import by_date
from app.search.refinement.examples import Examples
from app.search.refinement.feedback import with_marks
from app.search.words.unsaid import KnownWords
from app.search.words.word_search import saying, with_nearest, worded
from indexer.catalog.columns.photo_filters import PhotoFilters
from indexer.catalog.columns.photo_set import PhotoSet
from indexer.catalog.frame_ids import photo_of

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
        device: str = "auto",
        names: Callable[[], Sequence[str]] = tuple,
        exact_up_to: int | None = None,
    ):
        """Open nothing yet.

        Args:
            library: where the photos are listed.
            embedder_for: the library's model -> its embedder; asked when a query has to be embedded.
            decoder: decodes query pictures.
            device: where the index shall live.
            names: plain names of many things, which a query's relevance is measured against; none: it stays unknown.
            exact_up_to: vectors up to which a search looks at all of them; None: as the index thinks best.
        """
        self.live = LiveIndex(library, device=device, exact_up_to=exact_up_to)
        self._library = library
        self._embedder = QueryEmbedder(embedder_for, decoder)
        self._examples = Examples(library.catalog, self._embedder)
        self._passes = index_passes()
        self._photos = RecentPhotos(library.catalog)
        self._filters = PhotoFilters(library.catalog)
        self._words = KnownWords(library.catalog)
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
        name = query.text or _name(query.image)
        allowed = self._filters.allowed(model.id, query.filter) if query.filter else None
        if query.unwanted:
            allowed = self._without(query.unwanted, model, allowed)
        sought_for = bool(query.text.strip() or query.image)
        if not sought_for:
            check_compared(query)
        if allowed is not None and not (len(allowed) and sought_for):
            return self._newest(name, allowed, model.name, query, started)
        self.live.open_meanwhile(model)
        return self._answer(name, self._embedder.sought(query, model), model, query, started, allowed)

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
        allowed = self._filters.allowed(model.id, query.filter) if query.filter else None
        name = ", ".join(filter(None, map(_name, examples)))
        query = replace(query, text="", terms=())
        return self._answer(name, sought, model, query, started, allowed, leave_out=own)

    def cut(self, file: Path, region: Region) -> Cut:
        """A region of a picture's file, to find photos like it; raises as `similar`."""
        return self._examples.cut(file, region, self.live.model())

    def with_embedders(self, embedder_for: Callable[[ModelRecord], Embedder]) -> SearchService:
        """The same search over the same index, for which others embed; nobody else's queries go with its own."""
        other = copy(self)
        other._embedder = self._embedder.with_embedders(embedder_for)
        other._examples = Examples(self._library.catalog, other._embedder)
        other._passes = index_passes()
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

    def newest(self, *, limit: int = 20, offset: int = 0, all_copies: bool = False) -> SearchResult:
        """All photos, the newest first: nothing is looked for, and no model asked. Raises QueryError as `search`."""
        query, started = Query(limit=limit, offset=offset, all_copies=all_copies), time.perf_counter()
        check_page(query)
        return self._newest("", None, "", query, started)

    def warm_up(self) -> None:
        """Open the index, load the model, and tend both from now on: the first search is as quick as the second."""
        self.live.tends = True
        model = self.live.model()
        self._embedder.warm_up(model)
        self._background.of(model, self.live.index(model))

    def _answer(
        self,
        name: str,
        sought: Sought,
        model: ModelRecord,
        query: Query,
        started: float,
        allowed: PhotoSet | None,
        leave_out: Collection[int] = (),
    ) -> SearchResult:
        """The page of hits that is asked for, among the photos `allowed`, None for all, without some."""
        frames = self.live.frames(index := self.live.index(model))
        background = self._background.of(model, index, with_words=not all(picture for _, picture in sought.parts))
        calibration = background.calibration(sought) if background else None
        contents = None if query.all_copies or query.filter.copies else self._photos.contents
        sought, calibration = with_marks(query, sought, calibration, background, index, self.live.photos(index))
        unwanted = np.array(sorted({*leave_out, *self._examples.wrong(query, leave_out)}), np.int64)
        if allowed is not None and len(unwanted):
            allowed = allowed.without(unwanted)
        held = count_held(index, unwanted)
        own = held + (int(np.count_nonzero(np.isin(photo_of(frames), unwanted))) if len(unwanted) else 0)
        total = len(index) - len(frames) - held if allowed is None else len(allowed)
        among = self.live.photos(index).without(unwanted) if allowed is None else allowed
        look = Look(index, sought.vector, 0, allowed, exact=query.sort == "date")  # of all that match, however many
        sure = replace(look, exact=True)
        matches = Matches(
            lambda k: nearest_but(self._passes, replace(look, k=k), unwanted, own),
            self._photos,
            calibration,
            query.min_relevance,
            with_nearest(worded(self._words, query, among), replace(look, within=None)),
            Arrangement(index.vectors, contents, query.diverse),
            None if look.is_exact else lambda k: nearest_but(self._passes, replace(sure, k=k), unwanted, own),
            total if look.is_exact else 0,
        )
        listed = partial(matches.by_date, self._library.catalog.newest) if query.sort == "date" else matches.by_score
        found = listed(query.limit, query.offset)
        count = found.count if found.count is not None or calibration is None else total
        hint = matches.why_none() if total and count == 0 else None
        hits = with_moments(found.hits, partial(self._library.catalog.moments, model.id))
        took_ms = (time.perf_counter() - started) * 1000
        return SearchResult(name, model.name, total, took_ms, hits, found.has_more, hint, count)

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

    def _newest(self, name: str, allowed: PhotoSet | None, model: str, query: Query, started: float) -> SearchResult:
        """What the filters alone allow (None: all), the newest first; where that is nothing, why."""
        catalog = self._library.catalog
        total = catalog.counts().photos if allowed is None else len(allowed)
        newest = partial(catalog.newest, None if allowed is None else allowed.ids())
        as_one = not (query.all_copies or query.filter.copies)
        found, has_more = by_date(newest, self._photos, query.limit, query.offset, as_one=as_one)
        hits = [Hit(photo, None, moment_s=photo.poster_s, copies=copies) for photo, copies in found]
        hint = None if total else hint_of(query.filter, catalog.folders, catalog.words.names)
        return SearchResult(name, model, total, (time.perf_counter() - started) * 1000, hits, has_more, hint)


def _name(image: Source | None) -> str:
    return str(image) if isinstance(image, Path) else ""
