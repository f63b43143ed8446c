"""Photos with given scores, for tests of what makes pages of hits."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from app.search.ranking import Hit, page
from indexer.catalog.records import PhotoRecord
from indexer.metadata.instants import instant_us


def record(photo_id: int, path: str, taken_at: datetime | None = None) -> PhotoRecord:
    nothing = dict.fromkeys(PhotoRecord._fields)
    known = {
        "id": photo_id,
        "root_id": 1,
        "path": Path(path),
        "state": "ok",
        "taken_at": taken_at,
        "taken_instant_us": taken_at and instant_us(taken_at, None, UTC),
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

    def contents(self, ids):
        return {at: content for at in ids if at not in self.gone and (content := self.records[at].content_hash)}

    def may_be_copies(self, ids):
        contents = [self.records[at].content_hash for at in ids.tolist()]
        return np.array([content is not None and contents.count(content) > 1 for content in contents], bool)

    def expected(self):
        hits = [Hit(photo, float(self.scores[photo.id])) for photo in self.records if photo.id not in self.gone]
        return sorted(hits, key=lambda hit: (-hit.score, str(hit.photo.path)))

    def page(self, limit, offset=0):
        return page(self.nearest, self.photos, limit=limit, offset=offset)

    def newest(self, ids, *, limit, offset=0):
        taken = {at: self.records[at].taken_at for at in ids.tolist() if at not in self.gone}
        order = sorted(taken, key=lambda at: (taken[at] or datetime.min, -at), reverse=True)
        return order[offset : offset + limit]
