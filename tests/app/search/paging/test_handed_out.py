"""Pages of a library that changes between them, against the plain promise: nothing twice, and nothing left out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.search.background import Calibration
from app.search.matches import Matches
from app.search.paging.handed_out import NOBODY, are_among, unseen, unseen_contents, with_hits
from app.search.refinement import copies, diversity
from app.search.refinement.arrangement import Arrangement
from app.search.words import hybrid
from app.search.words.hybrid import Worded
from indexer.catalog.frame_ids import frame_id, photo_of
from tests.app.search.shelf import record
from tests.fuzzing import examples

HALF = Calibration(20.0, -10.0)  # relevance 0.5 at a cosine of 0.5
START = datetime(2020, 1, 1)


@dataclass(frozen=True)
class Photo:
    """What a test knows of one: `said` is what words say of it: "", "own" or "named"."""

    cosine: float
    content: str | None
    day: int
    said: str
    frames: int = 1


PHOTOS = st.builds(
    Photo,
    st.sampled_from([0.9, 0.8, 0.8, 0.7, 0.6, 0.51, 0.3]),
    st.sampled_from([None, "a", "b", "c"]),
    st.integers(0, 5),
    st.sampled_from(["", "", "own", "named"]),
    st.sampled_from([1, 1, 3]),
)


class Shelves:
    """A library whose photos come, go and change."""

    def __init__(self, photos):
        self.photos = dict(enumerate(photos, 1))
        self.latest = len(photos)
        self.unlisted = set()  # removed from the catalog, and not from the index yet

    def come(self, photo):
        self.latest += 1
        self.photos[self.latest] = photo

    def rows(self):
        """The ids of the index and their cosines, best first; equal ones in the order of their ids."""
        rows = [
            (frame_id(at, number), photo.cosine - number / 100)
            for at, photo in self.photos.items()
            for number in range(photo.frames)
        ]
        rows.sort(key=lambda row: (-row[1], row[0]))
        return np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float32)

    def nearest(self, k):
        ids, scores = self.rows()
        return ids[:k], scores[:k]

    def within(self, some):
        def nearest(k):
            ids, scores = self.rows()
            kept = np.isin(photo_of(ids), some)
            return ids[kept][:k], scores[kept][:k]

        return nearest

    def records(self, ids):
        return [
            record(at, f"/p/{at % 7}/{at}.jpg", START + timedelta(days=self.photos[at].day))._replace(
                content_hash=self.photos[at].content
            )
            for at in ids
            if at in self.photos and at not in self.unlisted
        ]

    def contents(self, ids):
        return {at: self.photos[at].content for at in ids if at in self.photos}

    def newest(self, ids, *, limit, offset):
        known = [at for at in ids.tolist() if at in self.photos]
        return sorted(known, key=lambda at: (-self.photos[at].day, -at))[offset : offset + limit]

    def matching(self):
        return {at for at, photo in self.photos.items() if photo.said or photo.cosine >= 0.5}

    def page(self, handed_out, limit, order="relevance", *, as_one=True, offset=0):
        said = np.array(sorted(at for at, photo in self.photos.items() if photo.said), np.int64)
        own = np.array([self.photos[at].said == "own" for at in said.tolist()], bool)

        def vectors(ids):
            angles = photo_of(ids) % 5 + ids / 1e14
            return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)

        found = Matches(
            self.nearest,
            self.records,
            HALF,
            0.5,
            (Worded(said, own), self.within) if len(said) else None,
            Arrangement(
                vectors, self.contents if as_one else None, lambda ids: np.ones(len(ids), bool), order == "diverse"
            ),
            None,
            handed_out,
        )
        return found.by_date(self.newest, limit, offset) if order == "date" else found.by_score(limit, offset)


CHANGES = st.lists(
    st.tuples(st.sampled_from(["come", "go", "change"]), st.integers(0, 60), PHOTOS), max_size=4
)  # between two pages


@pytest.fixture
def small(monkeypatch):
    """Blocks and pools so small that a few photos fill several."""
    monkeypatch.setattr(copies, "BLOCK", 4)
    monkeypatch.setattr(copies, "MOST", 12)
    monkeypatch.setattr(diversity, "POOL", 6)
    monkeypatch.setattr(hybrid, "DEPTH", 6)


def ids_of(found):
    return [photo.id for hit in found.hits for photo in (hit.photo, *hit.copies)]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("order", ["relevance", "date", "diverse"])
@given(st.lists(PHOTOS, max_size=25), st.lists(CHANGES, min_size=1, max_size=8), st.integers(1, 6), st.booleans())
@settings(max_examples=examples(60))
def test_whatever_comes_and_goes_no_hit_comes_twice_and_none_is_left_out(order, photos, changes, limit, as_one):
    shelves, handed_out, shown = Shelves(photos), NOBODY, []
    stayed = shelves.matching()
    for at in range(100):
        found = shelves.page(handed_out, limit, order, as_one=as_one)
        assert found.count == len(shelves.matching()), "counts are those of the whole query"
        assert len(found.hits) == limit or not found.has_more
        shown += ids_of(found)
        handed_out = with_hits(handed_out, found.hits)
        assert handed_out.tolist() == sorted(shown)
        if not found.has_more:
            break
        for kind, which, photo in changes[at] if at < len(changes) else ():
            there = sorted(shelves.photos)
            if kind == "come":
                shelves.come(photo)
            elif there and kind == "go":
                del shelves.photos[there[which % len(there)]]
            elif there:
                shelves.photos[there[which % len(there)]] = photo
        stayed &= shelves.matching()
    assert not found.has_more
    assert len(shown) == len(set(shown)), "a photo was shown twice"
    assert set(shown) >= shelves.matching() >= stayed, "a photo was left out"


def told(hit):
    return hit.photo.id, [copy.id for copy in hit.copies], hit.frame, hit.score, hit.found_by


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("as_one", [True, False])
@given(st.lists(PHOTOS, max_size=25), st.integers(1, 6))
@settings(max_examples=examples(40))
def test_where_nothing_changes_pages_are_those_at_offsets(as_one, photos, limit):
    shelves, handed_out = Shelves(photos), NOBODY
    for offset in range(0, 40, limit):
        theirs = shelves.page(NOBODY, limit, as_one=as_one, offset=offset)
        ours = shelves.page(handed_out, limit, as_one=as_one)
        assert list(map(told, ours.hits)) == list(map(told, theirs.hits))
        assert (ours.count, ours.has_more) == (theirs.count, theirs.has_more)
        handed_out = with_hits(handed_out, ours.hits)


def test_what_the_catalog_does_not_know_any_more_ends_no_page_early():
    shelves = Shelves([Photo(0.9 - at / 100, None, 0, "") for at in range(12)])
    shelves.unlisted = {1, 2, 3, 5}
    found = shelves.page(NOBODY, 2)
    assert (ids_of(found), found.has_more) == ([4, 6], True)
    found = shelves.page(with_hits(NOBODY, found.hits), 20)
    assert (ids_of(found), found.has_more) == ([7, 8, 9, 10, 11, 12], False)


def test_a_page_asks_for_no_more_than_one_at_an_offset():
    shelves, asked = Shelves([Photo(0.9 - at / 1000, None, 0, "") for at in range(60)]), []

    def order(k):
        asked.append(k)
        return shelves.nearest(k)

    ids, _ = unseen(order, np.arange(1, 31))(5)
    assert (ids.tolist(), asked) == ([31, 32, 33, 34, 35], [35])
    assert unseen(order, np.arange(1, 61))(5)[0].tolist() == []
    assert unseen(order, NOBODY) is order


def test_frames_of_a_video_go_with_it():
    shelves = Shelves([Photo(0.9, None, 0, "", frames=40), Photo(0.2, None, 0, "")])
    assert unseen(shelves.nearest, np.array([1]))(1)[0].tolist() == [2]


def test_what_was_handed_out_is_no_copy_of_anything():
    contents = unseen_contents(lambda ids: dict.fromkeys(ids, "same"), np.array([2, 4]))
    assert contents([1, 2, 3, 4, 5]) == {1: "same", 3: "same", 5: "same"}
    assert are_among(np.array([0, 2, 9]), np.array([2, 4])).tolist() == [False, True, False]
