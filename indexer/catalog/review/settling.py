"""What becomes of people's words on suggestions: each is weighed against what holds when it comes, and never repeated.

Functions on one connection, inside the caller's transaction, so that of two people who decide on the same suggestion
the first one's word stands, and the second is told so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from indexer.catalog.database import in_chunks
from indexer.catalog.review.records import Settled
from indexer.catalog.stores import tag_store
from indexer.catalog.tables.photo_tables import PhotoRow
from indexer.catalog.tables.tag_tables import PhotoTagRow
from indexer.catalog.tag_records import PERSON, Decision

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from indexer.catalog.review.records import Asked
    from indexer.catalog.tag_records import TagState

_DECIDED = ("accepted", "rejected")
_MEANT: dict[str | None, TagState] = {"accept": "accepted", "reject": "rejected"}
_States = dict[tuple[int, int], tuple["TagState | None", str, bool]]
"""By photo and tag: the state, who said it, and whether a model has scored it."""
_NONE: tuple[TagState | None, str, bool] = (None, PERSON, False)


def settle(connection: Connection, asked: Sequence[Asked], now: datetime) -> list[Settled]:
    """Take words in, in their order, and write what they come to; gives what became of each."""
    tag_ids = tag_store.ids(connection, {one.path for one in asked})
    paths = {number: path for path, number in tag_ids.items()}
    photos = sorted({one.photo_id for one in asked})
    present = _present(connection, photos)
    before = _states(connection, photos)
    states, told = dict(before), list[Settled]()
    for one in asked:
        if one.path not in tag_ids or one.photo_id not in present:
            told.append(Settled("gone", None))
            continue
        at = (one.photo_id, tag_ids[one.path])
        settled = _weighed(one, *states.get(at, _NONE))
        told.append(settled)
        if settled.became == "done":
            states[at] = (settled.state, PERSON, states.get(at, _NONE)[2])
    changed = {at: state[0] for at, state in states.items() if state != before.get(at, _NONE)}
    decided = {at: state for at, state in changed.items() if state is not None and state != "suggested"}
    tag_store.decide(connection, [Decision(at[0], paths[at[1]], state) for at, state in decided.items()], now)
    for photo, tag in changed.keys() - decided.keys():
        tag_store.undecide(connection, [photo], tag, now)
    return told


def _weighed(one: Asked, state: TagState | None, origin: str, scored: bool) -> Settled:
    if one.word == "undo":
        if state not in _DECIDED:
            return Settled("unchanged", state)
        if origin != PERSON or state != _MEANT[one.of]:
            return Settled("kept", state)  # what an import brought, or what somebody decided since
        return Settled("done", "suggested" if scored else None)
    wanted = _MEANT[one.word]
    if state in _DECIDED:
        return Settled("unchanged" if state == wanted else "kept", state)
    return Settled("done", wanted)


def _present(connection: Connection, photo_ids: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for chunk in in_chunks(photo_ids):
        found.update(connection.execute(select(PhotoRow.id).where(PhotoRow.id.in_(chunk))).scalars())
    return found


def _states(connection: Connection, photo_ids: Sequence[int]) -> _States:
    found: _States = {}
    columns = (PhotoTagRow.photo_id, PhotoTagRow.tag_id, PhotoTagRow.state, PhotoTagRow.origin, PhotoTagRow.confidence)
    for chunk in in_chunks(photo_ids):
        rows: Any = connection.execute(select(*columns).where(PhotoTagRow.photo_id.in_(chunk)))
        found.update(((row[0], row[1]), (row[2], row[3], row[4] is not None)) for row in rows)
    return found
