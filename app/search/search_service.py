"""SearchService: a Query in, a SearchResult out. CLI, API and page share it.

It parses no text (`query.py`), embeds nothing (`query_embedder.py`) and orders no hits (`ranking.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from app.search.background import Sought
from app.search.hints import folder_hint
from app.search.index_pass import Look, count_held, index_passes, nearest_but, nearest_of
from app.search.library_background import LibraryBackground
from app.search.live_index import LiveIndex
from app.search.matches import Matches, matching
from app.search.query import (
    EVERYTHING,
    Cut,
    Picture,
    Query,
    Region,
    Source,
    Term,
    check,
    check_page,
    check_sources,
)
from app.search.query_embedder import QueryEmbedder, Vector
from app.search.ranking import Hit, SearchResult
from app.search.recent_photos import RecentPhotos
from app.search.words.word_search import saying, with_nearest, worded
from indexer.catalog.columns.photo_filters import PhotoFilters
from indexer.catalog.columns.photo_set import PhotoSet
from indexer.catalog.frame_ids import frame_id, photo_of
from indexer.errors import QueryError

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
    ):
        """Open nothing yet.

        Args:
            library: where the photos are listed.
            embedder_for: the library's model -> its embedder; asked when a query has to be embedded.
            decoder: decodes query pictures.
            device: where the index shall live.
            names: plain names of many things, which a query's relevance is measured against; none: it stays unknown.
        """
        self.live = LiveIndex(library, device=device)
        self._library = library
        self._embedder = QueryEmbedder(embedder_for, decoder)
        self._passes = index_passes()
        self._photos = RecentPhotos(library.catalog)
        self._filters = PhotoFilters(library.catalog)
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
        allowed = None
        if query.filter:
            allowed = self._filters.allowed(model.id, query.filter)
        if query.unwanted:
            allowed = self._without(query.unwanted, model, allowed)
        if allowed is not None and not (len(allowed) and (query.text.strip() or query.image)):
            return self._newest(name, allowed, model.name, query, started)
        self.live.open_meanwhile(model)
        return self._answer(name, self._embedder.sought(query, model), model, query, started, allowed)

    def similar(self, sources: Source | Sequence[Source], query: Query = EVERYTHING) -> SearchResult:
        """Photos like a photo of the library (its id, or its path), like a picture, or like several of them together.

        A photo of the library is compared by its stored vector and needs no model; neither it nor a copy of it, with
        the same content, is among the hits. Several count as the mean of their vectors.

        Args:
            sources: at most MAX_SOURCES.
            query: which hits are wanted, by its filter, page, order and least relevance; the rest of it is not read.

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
        found = [self._example(source, model) for source in examples]
        sought = self._embedder.mean([vector for vector, _ in found])
        own = {photo_id for _, photo_id in found if photo_id is not None}
        own |= {copy.id for photo_id in own for copy in self._library.catalog.copies_of(photo_id)}
        allowed = self._filters.allowed(model.id, query.filter) if query.filter else None
        name = ", ".join(filter(None, map(_name, examples)))
        query = replace(query, text="", terms=())
        return self._answer(name, sought, model, query, started, allowed, leave_out=own)

    def cut(self, file: Path, region: Region) -> Cut:
        """A region of a picture's file, to find photos like it; raises as `similar`."""
        return Cut(self._embedder.cut(file, region, self.live.model()), self._id_of(file))

    def newest(self, *, limit: int = 20, offset: int = 0) -> SearchResult:
        """All photos, the newest first: nothing is looked for, and no model asked. Raises QueryError as `search`."""
        query, started = Query(limit=limit, offset=offset), time.perf_counter()
        check_page(query)
        return self._newest("", None, "", query, started)

    def warm_up(self) -> None:
        """Open the index and load the model, so that the first search is as quick as the second."""
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
        index = self.live.index(model)
        frames = self.live.frames(index)
        unwanted = np.array(sorted(leave_out), np.int64)
        if allowed is not None and len(unwanted):
            allowed = allowed.without(unwanted)
        held = count_held(index, unwanted)
        own = held + (int(np.count_nonzero(np.isin(photo_of(frames), unwanted))) if len(unwanted) else 0)
        background = self._background.of(model, index, with_words=not all(picture for _, picture in sought.parts))
        calibration = background.calibration(sought) if background else None
        total = len(index) - len(frames) - held if allowed is None else len(allowed)
        words = worded(self._library.catalog.words, query, self.live.photos(index) if allowed is None else allowed)
        matches = Matches(
            lambda k: nearest_but(self._passes, Look(index, sought.vector, k, allowed), unwanted, own),
            self._photos,
            calibration,
            query.min_relevance,
            with_nearest(words, Look(index, sought.vector, 0)),
        )
        if query.sort == "date":
            found = matches.by_date(self._library.catalog.newest, query.limit, query.offset)
        else:
            found = matches.by_score(query.limit, query.offset)
        hits = self._with_moments(found.hits, model)
        count = found.count if found.count is not None or calibration is None else total
        hint = matches.why_none() if total and count == 0 else None
        took_ms = (time.perf_counter() - started) * 1000
        return SearchResult(name, model.name, total, took_ms, hits, found.has_more, hint, count)

    def _without(self, unwanted: Sequence[Term], model: ModelRecord, allowed: PhotoSet | None) -> PhotoSet:
        """The photos allowed but for those that match one of the terms; of a video each frame counts."""
        index = self.live.index(model)
        background = self._background.of(model, index)
        left = self.live.photos(index) if allowed is None else allowed
        for term in unwanted:
            query = Query(terms=(replace(term, weight=1.0),))
            sought = self._embedder.sought(query, model)
            calibration = background.calibration(sought) if background else None
            look = Look(index, sought.vector, 0)
            left = left.without(matching(partial(nearest_of, look), calibration))
            left = left.without(saying(self._library.catalog.words, query))
        return left

    def _newest(self, name: str, allowed: PhotoSet | None, model: str, query: Query, started: float) -> SearchResult:
        """What the filters alone allow (None: all), the newest first; where that is nothing, why."""
        catalog = self._library.catalog
        ids = catalog.newest(None if allowed is None else allowed.ids(), limit=query.limit, offset=query.offset)
        total = catalog.counts().photos if allowed is None else len(allowed)
        hits = [Hit(photo, None, moment_s=photo.poster_s) for photo in self._photos(ids)]
        hint = None if total else folder_hint(query.filter.folder, catalog.folders)
        took_ms = (time.perf_counter() - started) * 1000
        return SearchResult(name, model, total, took_ms, hits, query.offset + len(ids) < total, hint)

    def _with_moments(self, hits: list[Hit], model: ModelRecord) -> list[Hit]:
        """The hits, those that are videos with the moment of their frame."""
        ids = {hit.photo.id: frame_id(hit.photo.id, hit.frame) for hit in hits if hit.frame}
        moments = self._library.catalog.moments(model.id, ids.values()) if ids else {}
        return [
            replace(hit, moment_s=moments.get(ids[hit.photo.id]) if hit.frame else hit.photo.poster_s) for hit in hits
        ]

    def _example(self, source: Source, model: ModelRecord) -> tuple[Vector, int | None]:
        """The vector of a source, and its id where it is a photo of the library."""
        if isinstance(source, Cut):
            return self._embedder.sought(Query(image=source.picture), model).vector, source.photo_id
        photo_id = source if isinstance(source, int) else self._id_of(source)
        vector = None if photo_id is None else self._stored(photo_id, model, known=isinstance(source, int))
        if vector is not None or isinstance(source, int):
            return cast(Vector, vector), photo_id
        return self._embedder.sought(Query(image=source), model).vector, None

    def _id_of(self, picture: Picture) -> int | None:
        photo = self._library.catalog.photo_at(picture) if isinstance(picture, Path) else None
        return None if photo is None else photo.id

    def _stored(self, photo_id: int, model: ModelRecord, *, known: bool) -> Vector | None:
        vector = self._library.catalog.embedding_of(photo_id, model.id)
        if vector is None and known:
            raise QueryError(
                f"no photo with the id {photo_id} can be searched by. It was removed, or has to be indexed again."
            )
        return None if vector is None else vector.astype(np.float32)


def _name(image: Source | None) -> str:
    return str(image) if isinstance(image, Path) else ""
