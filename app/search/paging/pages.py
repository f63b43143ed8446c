"""Pages of hits: of what is near to what is looked for, or of what filters alone allow, without what was handed out.

It embeds nothing, and is told what is looked for and which photos are allowed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from app.search.hints import why_none
from app.search.index_pass import Look, count_held, nearest_but
from app.search.matches import Matches
from app.search.paging.handed_out import unseen_newest
from app.search.ranking import Hit, SearchResult, with_moments
from app.search.refinement.arrangement import Arrangement
from app.search.refinement.copies import by_date
from app.search.words.word_search import with_nearest, worded
from indexer.catalog.frame_ids import photo_of

if TYPE_CHECKING:
    from app.search.batching import Batcher
    from app.search.index_pass import Found
    from app.search.live_index import LiveIndex
    from app.search.paging.asked import Asked
    from app.search.recent_photos import RecentPhotos
    from app.search.words.unsaid import KnownWords
    from indexer.catalog.catalog import Catalog
    from indexer.catalog.columns.photo_set import PhotoSet
    from indexer.vectors.index import VectorIndex


@dataclass(frozen=True, eq=False)
class Pages:
    """Makes pages of one library's photos; safe to ask from many threads.

    Attributes:
        catalog: where the photos are listed.
        live: what the index holds.
        photos: looks photos up.
        words: that photos carry.
        passes: over the index, for queries that wait together.
    """

    catalog: Catalog
    live: LiveIndex
    photos: RecentPhotos
    words: KnownWords
    passes: Batcher[Look, Found]

    def nearest(
        self, asked: Asked, index: VectorIndex, started: float, allowed: PhotoSet | None, *, exact: bool = False
    ) -> SearchResult:
        """The page of what is near to what is looked for.

        Args:
            asked: which page; it says what is looked for, and which model answers.
            index: of that model.
            started: when the search began, by `time.perf_counter`.
            allowed: the photos that may be hits; None for all.
            exact: whether to look at all of them.
        """
        query, calibration, sought, model = asked.query, asked.calibration, asked.sought, asked.model
        assert sought is not None, "what is looked for has to be known"
        assert model is not None, "a model has to answer"
        frames = self.live.frames(index)
        contents = None if query.all_copies or query.filter.copies else self.photos.contents
        unwanted = np.array(sorted(asked.without), np.int64)
        if allowed is not None and len(unwanted):
            allowed = allowed.without(unwanted)
        held = count_held(index, unwanted)
        own = held + (int(np.count_nonzero(np.isin(photo_of(frames), unwanted))) if len(unwanted) else 0)
        total = len(index) - len(frames) - held if allowed is None else len(allowed)
        there = self.live.photos(index)
        among = there.without(unwanted) if allowed is None else allowed
        dated = query.sort == "date"
        look = Look(index, sought.vector, 0, allowed, exact=exact or dated)  # of all that match, however many
        sure = replace(look, exact=True)

        def reaching(least: float, k: int) -> Found:
            return nearest_but(self.passes, replace(look, k=k, least=least), unwanted, own)

        matches = Matches(
            lambda k: nearest_but(self.passes, replace(look, k=k), unwanted, own),
            self.photos,
            calibration,
            query.min_relevance,
            with_nearest(worded(self.words, query, among, there), replace(look, within=None)),
            Arrangement(index.vectors, contents, self.photos.may_be_copies, query.diverse),
            None if look.is_exact else lambda k: nearest_but(self.passes, replace(sure, k=k), unwanted, own),
            asked.handed_out,
            total if look.is_exact else 0,
            reaching if look.is_exact else None,
        )
        listed = partial(matches.by_date, self.catalog.newest) if dated else matches.by_score
        found = listed(query.limit, query.offset)
        if not (found.has_more or matches.looked_at_all or query.offset):  # at the end nothing may be left out
            return self.nearest(asked, index, started, allowed, exact=True)
        count = found.count if found.count is not None or calibration is None else total
        hint = matches.why_none() if total and count == 0 else self._hint(asked, total)
        hits = with_moments(found.hits, partial(self.catalog.moments, model.id))
        following = asked.following(hits, has_more=found.has_more)
        took_ms = (time.perf_counter() - started) * 1000
        return SearchResult(asked.name, model.name, total, took_ms, hits, found.has_more, hint, count, following)

    def newest(self, asked: Asked, started: float, allowed: PhotoSet | None) -> SearchResult:
        """The page of what filters alone allow, the newest first; where that is nothing, why.

        Args:
            asked: which page.
            started: when the search began, by `time.perf_counter`.
            allowed: the photos that may be hits; None for all.
        """
        query, catalog = asked.query, self.catalog
        total = catalog.counts().photos if allowed is None else len(allowed)
        if allowed is None:
            newest = unseen_newest(partial(catalog.newest, None), asked.handed_out)
        else:
            left = allowed.without(asked.handed_out) if len(asked.handed_out) else allowed
            newest = partial(catalog.newest, left.ids())
        as_one = not (query.all_copies or query.filter.copies)
        found, has_more = by_date(newest, self.photos, query.limit, query.offset, as_one=as_one)
        hits = [Hit(photo, None, moment_s=photo.poster_s, copies=copies) for photo, copies in found]
        hint = self._hint(asked, total)
        following = asked.following(hits, has_more=has_more)
        name = asked.model.name if asked.model else ""
        took_ms = (time.perf_counter() - started) * 1000
        return SearchResult(asked.name, name, total, took_ms, hits, has_more, hint, following=following)

    def _hint(self, asked: Asked, total: int) -> str | None:
        """Why no photo is left to look at, or what may have been meant by filters that pass none."""
        if total:
            return None
        query, catalog = asked.query, self.catalog
        wanted = query.filter if query.filter or query.unwanted else None
        embedded = catalog.embedded(asked.model.id) if asked.model else 0
        return why_none(wanted, catalog.counts(), embedded, catalog.folders, catalog.words.names)
