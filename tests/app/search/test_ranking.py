"""Pages of hits against the plain definition: sort everything, then slice."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.search.ranking import DATE_POOL, Hit, page
from indexer.catalog.records import PhotoRecord


def record(photo_id: int, path: str, taken_at: datetime | None = None) -> PhotoRecord:
    nothing = dict.fromkeys(set(PhotoRecord.__dataclass_fields__))
    known = {
        "id": photo_id,
        "root_id": 1,
        "path": Path(path),
        "state": "ok",
        "taken_at": taken_at,
        "indexed_at": datetime.now(UTC),
    }
    return PhotoRecord(**{**nothing, **known})


class Shelf:
    """Photos with given scores: `nearest` and `photos` as the index and the catalog would answer."""

    def __init__(
        self, scores: list[float], *, dates: list[datetime | None] | None = None, gone: frozenset[int] = frozenset()
    ):
        self.scores = np.array(scores, np.float32)
        # Paths run against the ids, so that an order by id is not taken for one by path.
        self.records = [
            record(at, f"/p/{len(scores) - at:06d}.jpg", dates[at] if dates else None) for at in range(len(scores))
        ]
        self.gone = gone

    def nearest(self, k):
        order = np.lexsort((np.arange(len(self.scores)), -self.scores))[:k]
        return order.astype(np.int64), self.scores[order]

    def photos(self, ids):
        return [self.records[at] for at in ids if at not in self.gone]

    def expected(self):
        hits = [Hit(photo, float(self.scores[photo.id])) for photo in self.records if photo.id not in self.gone]
        return sorted(hits, key=lambda hit: (-hit.score, str(hit.photo.path)))

    def page(self, limit, offset=0, sort="relevance"):
        return page(self.nearest, self.photos, limit=limit, offset=offset, sort=sort)


@given(st.lists(st.sampled_from([0.9, 0.5, 0.5, 0.1]), max_size=120), st.integers(1, 30), st.integers(0, 130))
def test_a_page_is_a_slice_of_the_whole_order_and_ties_go_by_path(scores, limit, offset):
    shelf = Shelf(scores)
    hits, more = shelf.page(limit, offset)
    assert hits == shelf.expected()[offset : offset + limit]
    assert more == (len(scores) > offset + limit)


def test_pages_put_together_hold_every_photo_once():
    shelf = Shelf([0.5] * 100)
    together = [hit for offset in range(0, 100, 7) for hit in shelf.page(7, offset)[0]]
    assert together == shelf.expected()


def test_an_empty_index_gives_an_empty_page():
    assert Shelf([]).page(5) == ([], False)


def test_a_photo_that_was_removed_meanwhile_is_left_out():
    shelf = Shelf([0.9, 0.8, 0.7], gone=frozenset({1}))
    assert [hit.photo.id for hit in shelf.page(3)[0]] == [0, 2]


def test_by_date_means_the_newest_of_the_best_first_and_undated_last():
    day = [datetime(2020, 1, 1), None, datetime(2022, 1, 1), datetime(2021, 1, 1)]
    hits, more = Shelf([0.9, 0.8, 0.7, 0.6], dates=day).page(3, sort="date")
    assert [hit.photo.id for hit in hits] == [2, 3, 0]
    assert more
    assert [hit.photo.id for hit in Shelf([0.9, 0.8, 0.7, 0.6], dates=day).page(3, 3, sort="date")[0]] == [1]


def test_by_date_no_photo_comes_in_that_is_not_among_the_best():
    newest_is_worst = [datetime(2000, 1, 1)] * DATE_POOL + [datetime(2024, 1, 1)]
    scores = [1 - at / 1000 for at in range(DATE_POOL + 1)]
    hits, more = Shelf(scores, dates=newest_is_worst).page(DATE_POOL, sort="date")
    assert DATE_POOL not in [hit.photo.id for hit in hits]
    assert not more


@pytest.mark.parametrize("sort", ["relevance", "date"])
def test_scores_are_plain_numbers_and_relevance_is_not_made_up(sort):
    (hit,) = Shelf([0.25]).page(1, sort=sort)[0]
    assert type(hit.score) is float
    assert hit.relevance is None
