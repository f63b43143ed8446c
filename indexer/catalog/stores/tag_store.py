"""Tags and who has them: made, listed, renamed, merged, deleted, accepted and rejected.

Functions on one connection, inside the caller's transaction. What models suggest is `suggestion_store.py`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, delete, func, insert, select, update

from indexer.catalog.database import IN_LIMIT, in_chunks
from indexer.catalog.stores import kept_store
from indexer.catalog.tables.photo_tables import ModelRow, PhotoRow
from indexer.catalog.tables.tag_tables import PhotoTagRow, TagFitRow, TagRow
from indexer.catalog.tag_records import MODEL, Decision, PhotoTag, TagCounts, TagPath
from indexer.errors import TagError

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SEPARATOR = "\x1f"  # the unit separator of ASCII: a control character, which no name may hold
_DECIDED = ("accepted", "rejected")


def stored(path: TagPath) -> str:
    """Give a path as its row holds it."""
    if not path or not all(path) or any(_SEPARATOR in name for name in path):
        raise ValueError(f"a tag's path is one or more names without control characters, not {path!r}")
    return _SEPARATOR.join(path)


def path_of(text: str) -> TagPath:
    """Give the levels of a stored path."""
    return tuple(text.split(_SEPARATOR))


def ids(connection: Connection, paths: Iterable[TagPath]) -> dict[TagPath, int]:
    """Give the ids of those tags that there are."""
    wanted = sorted({stored(path) for path in paths})
    found: dict[TagPath, int] = {}
    for chunk in in_chunks(wanted):
        rows = connection.execute(select(TagRow.id, TagRow.path).where(TagRow.path.in_(chunk)))
        found.update((path_of(text), number) for number, text in rows)
    return found


def made_ids(connection: Connection, paths: Iterable[TagPath]) -> dict[TagPath, int]:
    """Give the id of each tag, made if it is new."""
    wanted = set(paths)
    found = ids(connection, wanted)
    if new := sorted(wanted - found.keys()):
        connection.execute(insert(TagRow), [{"path": stored(path)} for path in new])
        found |= ids(connection, new)
    return found


def paths(connection: Connection) -> dict[int, TagPath]:
    """Give every tag by its id, in the order of paths."""
    rows = connection.execute(select(TagRow.id, TagRow.path).order_by(TagRow.path))
    return {number: path_of(text) for number, text in rows}


def counts(connection: Connection) -> list[TagCounts]:
    """Give every tag with how many photos have it, in the order of paths."""
    tallied = [func.count(case((PhotoTagRow.state == state, 1))) for state in ("suggested", *_DECIDED)]
    query = select(TagRow.id, TagRow.path, *tallied).outerjoin(PhotoTagRow, PhotoTagRow.tag_id == TagRow.id)
    rows = connection.execute(query.group_by(TagRow.id).order_by(TagRow.path))
    return [TagCounts(number, path_of(text), *numbers) for number, text, *numbers in rows]


def below(connection: Connection, path: TagPath) -> dict[int, TagPath]:
    """Give a tag, where it has a row, and everything under it."""
    return {number: found for number, found in paths(connection).items() if found[: len(path)] == path}


def tags_of(connection: Connection, photo_ids: Sequence[int]) -> dict[int, tuple[PhotoTag, ...]]:
    """Give what is known of the tags of photos, each photo's in the order of paths; photos without any are left out."""
    found: defaultdict[int, list[PhotoTag]] = defaultdict(list)
    query = (
        select(PhotoTagRow, TagRow.path, ModelRow.name)
        .join(TagRow, TagRow.id == PhotoTagRow.tag_id)
        .outerjoin(ModelRow, ModelRow.id == PhotoTagRow.model_id)
    )
    for chunk in in_chunks(photo_ids):
        for row in connection.execute(query.where(PhotoTagRow.photo_id.in_(chunk)).order_by(TagRow.path)):
            judged = (row.score, row.confidence, row.changed_at)
            tag = PhotoTag(row.tag_id, path_of(row.path), row.state, row.origin, row.name, *judged)
            found[row.photo_id].append(tag)
    return {number: tuple(tags) for number, tags in found.items()}


def decide(connection: Connection, decisions: Sequence[Decision], now: datetime, *, firm: bool = True) -> int:
    """Write decisions; gives how many changed something.

    Args:
        connection: in a transaction that writes.
        decisions: at most one for each photo and tag; photos that are gone are passed over.
        now: aware.
        firm: replace decisions that differ; else what was decided before stays, as for an import.
    """
    tag_ids = made_ids(connection, {decision.path for decision in decisions})
    wanted = {(tag_ids[d.path], d.photo_id): d for d in decisions}
    known = _states(connection, wanted)
    present = _present(connection, [d.photo_id for d in decisions])
    changed, new = [], []
    for (tag_id, photo_id), decision in wanted.items():
        state = known.get((tag_id, photo_id))
        values = {"state": decision.state, "origin": decision.origin, "changed_at": now}
        if photo_id not in present or state == decision.state or (state in _DECIDED and not firm):
            continue
        if state is None:
            new.append({"tag_id": tag_id, "photo_id": photo_id, **values})
        else:
            changed.append({"tag": tag_id, "photo": photo_id, **values})
    if new:
        connection.execute(insert(PhotoTagRow), new)
    if changed:
        one = (PhotoTagRow.tag_id == bindparam("tag")) & (PhotoTagRow.photo_id == bindparam("photo"))
        connection.execute(update(PhotoTagRow).where(one), changed)
    return len(new) + len(changed)


def undecide(connection: Connection, photo_ids: Sequence[int], tag_id: int, now: datetime) -> int:
    """Take decisions back: what a model had scored is a suggestion again, anything else is gone; gives how many."""
    kept_store.take_back(connection, photo_ids, tag_id)
    count = 0
    for chunk in in_chunks(photo_ids):
        decided = (PhotoTagRow.tag_id == tag_id, PhotoTagRow.photo_id.in_(chunk), PhotoTagRow.state.in_(_DECIDED))
        scored = PhotoTagRow.confidence.is_not(None)
        back = update(PhotoTagRow).where(*decided, scored)
        count += connection.execute(back.values(state="suggested", origin=MODEL, changed_at=now)).rowcount
        count += connection.execute(delete(PhotoTagRow).where(*decided, ~scored)).rowcount
    return count


def rename(connection: Connection, old: TagPath, new: TagPath) -> int:
    """Give a tag, and with it what lies under it, another path; gives how many tags were renamed.

    Raises:
        TagError: there is no such tag, the new path lies under the old one, or a tag stands there already.
    """
    moved = _known(connection, old)
    if new[: len(old)] == old and new != old:
        raise TagError(f"{_shown(new)} lies under {_shown(old)}, which cannot be moved into itself.")
    targets = {number: new + path[len(old) :] for number, path in moved.items()}
    taken = [path for path, number in ids(connection, targets.values()).items() if number not in moved]
    if taken:
        raise TagError(f"there is a tag {_shown(taken[0])} already. Merge the two instead.")
    rows = [{"tag": number, "target": stored(path)} for number, path in targets.items()]
    parked = [{"tag": number, "target": f"{_SEPARATOR}{number}"} for number in targets]
    for values in (parked, rows):  # in two steps, so that tags can take each other's paths
        connection.execute(update(TagRow).where(TagRow.id == bindparam("tag")).values(path=bindparam("target")), values)
    return len(targets)


def merge(connection: Connection, old: TagPath, new: TagPath, now: datetime) -> int:
    """Let a tag, and what lies under it, become part of another; gives how many photos' tags went over.

    Where both say something of a photo, a decision stands before a suggestion, and of two decisions the later one.

    Raises:
        TagError: there is no such tag, or one lies under the other.
    """
    moved = _known(connection, old)
    if new[: len(old)] == old or (old[: len(new)] == new and len(new) > len(old)):
        raise TagError(f"{_shown(old)} cannot be merged into {_shown(new)}, which is a part of it.")
    targets = made_ids(connection, [new + path[len(old) :] for path in moved.values()])
    count = 0
    for number, path in moved.items():
        count += _take_over(connection, number, targets[new + path[len(old) :]])
        kept_store.merge(connection, number, targets[new + path[len(old) :]])
    connection.execute(delete(TagRow).where(TagRow.id.in_(list(moved))))
    connection.execute(delete(TagFitRow).where(TagFitRow.tag_id.in_(list(targets.values()))))  # learned of less
    return count


def _take_over(connection: Connection, source: int, target: int) -> int:
    theirs = {row.photo_id: row for row in connection.execute(select(PhotoTagRow).where(PhotoTagRow.tag_id == target))}
    ours = connection.execute(select(PhotoTagRow).where(PhotoTagRow.tag_id == source)).all()
    winning = [row for row in ours if row.photo_id not in theirs or _before(row, theirs[row.photo_id])]
    for chunk in in_chunks([row.photo_id for row in winning]):
        rows = delete(PhotoTagRow).where(PhotoTagRow.tag_id == target, PhotoTagRow.photo_id.in_(chunk))
        connection.execute(rows)
        over = update(PhotoTagRow).where(PhotoTagRow.tag_id == source, PhotoTagRow.photo_id.in_(chunk))
        connection.execute(over.values(tag_id=target))
    return len(winning)


def _before(row: Any, other: Any) -> bool:
    decided = (row.state in _DECIDED, other.state in _DECIDED)
    return row.changed_at > other.changed_at if decided[0] == decided[1] else decided[0]


def remove(connection: Connection, path: TagPath) -> int:
    """Delete a tag with what lies under it, decisions and all; gives how many photos had one of them.

    Raises:
        TagError: there is no such tag.
    """
    gone = list(_known(connection, path))
    had = connection.execute(select(func.count(PhotoTagRow.photo_id.distinct())).where(PhotoTagRow.tag_id.in_(gone)))
    count = had.scalar_one()
    connection.execute(delete(TagRow).where(TagRow.id.in_(gone)))
    return count


def _shown(path: TagPath) -> str:
    return "/".join(name.replace("\\", "\\\\").replace("/", "\\/") for name in path)  # as people write it


def _known(connection: Connection, path: TagPath) -> dict[int, TagPath]:
    found = below(connection, path)
    if not found:
        raise TagError(f"there is no tag {_shown(path)}. 'picsift tags' lists those that there are.")
    return found


def _states(connection: Connection, pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], str]:
    by_tag: defaultdict[int, list[int]] = defaultdict(list)
    for tag_id, photo_id in pairs:
        by_tag[tag_id].append(photo_id)
    found: dict[tuple[int, int], str] = {}
    for tag_id, photo_ids in by_tag.items():
        for chunk in in_chunks(photo_ids, IN_LIMIT):
            query = select(PhotoTagRow.photo_id, PhotoTagRow.state).where(PhotoTagRow.tag_id == tag_id)
            rows = connection.execute(query.where(PhotoTagRow.photo_id.in_(chunk)))
            found.update(((tag_id, photo_id), state) for photo_id, state in rows)
    return found


def _present(connection: Connection, photo_ids: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for chunk in in_chunks(sorted(set(photo_ids))):
        found.update(connection.execute(select(PhotoRow.id).where(PhotoRow.id.in_(chunk))).scalars())
    return found
