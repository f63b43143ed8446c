"""ReviewQueue: which suggestions to ask a person about next, and what becomes of the answers.

It shows nothing and learns nothing; the next run of tagging learns from what was decided.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from indexer.catalog.records import PhotoRecord
from indexer.catalog.review.records import Asked, Key, Order, Pending, Queue, Settled
from indexer.catalog.tag_records import TagPath
from indexer.errors import QueryError
from indexer.library import Library

MOST = 200  # suggestions of one page
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FOREIGN = "cursor: this is none that a page of this queue gave. Leave it out to begin at the first suggestion."


@dataclass(frozen=True)
class ReviewPage:
    """Some suggestions of a queue.

    Attributes:
        items: each with its photo.
        left: how many suggestions of the queue there are to be decided, wherever they stand.
        cursor: where the next page begins; None where this is the last one.
    """

    items: list[tuple[Pending, PhotoRecord]]
    left: int
    cursor: str | None


class ReviewQueue:
    """The suggestions of one library that nobody has decided on."""

    def __init__(self, library: Library):
        self._library = library

    def page(
        self, order: Order = "uncertain", under: TagPath | None = None, *, limit: int = 20, cursor: str | None = None
    ) -> ReviewPage:
        """The first suggestions, or those behind a cursor.

        Pages follow one another without a gap and without a repetition while decisions are made. What a run of tagging
        suggests meanwhile is met by whoever begins anew; so may be, in the order "frequent", the suggestions of a tag
        of which somebody took decisions back that are older than the first page.

        Args:
            order: "uncertain" or "frequent", as `Queue` says.
            under: a tag, with what lies under it; None is every tag.
            limit: suggestions, 1 to MOST.
            cursor: as the page before gave it.

        Raises:
            QueryError: the cursor is none, or of another order.
        """
        catalog = self._library.catalog
        if cursor is not None:
            since, after = _read(cursor, order)
        else:
            since, after = catalog.tags.beginning() if order == "frequent" else datetime.now(UTC), None
        found, left = catalog.tags.pending(Queue(order, under, since), after, limit + 1)
        shown = found[:limit]
        photos = {photo.id: photo for photo in catalog.photos([one.photo_id for one in shown])}
        following = _written(order, since, shown[-1].key) if len(found) > limit else None
        return ReviewPage([(one, photos[one.photo_id]) for one in shown if one.photo_id in photos], left, following)

    def settle(self, asked: Sequence[Asked]) -> list[Settled]:
        """Take words in, all of them or none; gives what became of each.

        A suggestion is decided once: what was decided before, here or elsewhere, stays until it is taken back.
        """
        return self._library.catalog.tags.settle(asked)


def _written(order: Order, since: datetime, key: Key) -> str:
    said = json.dumps([order, (since - _EPOCH) // timedelta(microseconds=1), *key])
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _read(cursor: str, order: Order) -> tuple[datetime, Key]:
    try:
        of, since_us, *key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        first, tag_id, second, photo_id = key
        if of != order or any(type(one) is not int or abs(one) >= 2**63 for one in (since_us, *key)):
            raise QueryError(_FOREIGN)
        return _EPOCH + timedelta(microseconds=since_us), (first, tag_id, second, photo_id)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise QueryError(_FOREIGN) from error
