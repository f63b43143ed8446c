"""The part of the catalog that knows tags: each read one snapshot, each write one transaction.

The work is in `tag_store.py`, `suggestion_store.py` and `edit_store.py`. Every method may raise LibraryError.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from indexer.catalog import tag_changes
from indexer.catalog.database import reading, writing
from indexer.catalog.filters import known_tags
from indexer.catalog.stores import (
    description_store,
    edit_store,
    kept_store,
    setting_store,
    suggestion_store,
    tag_store,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Connection, Engine

    from indexer.catalog.records import DescribedPhoto
    from indexer.catalog.review.records import Asked, Key, Pending, Queue, Settled
    from indexer.catalog.tag_changes import Change
    from indexer.catalog.tag_records import Decision, Edit, PhotoTag, Suggestion, TagCounts, TagPath
    from indexer.metadata.photo_metadata import Keyword

_log = logging.getLogger(__name__)
_DAMAGED = (
    "what was renamed, merged and deleted cannot be read and counts no more; 'picsift tags restore --all' clears it"
)

_P = ParamSpec("_P")
_T = TypeVar("_T")


class TagCatalog:
    """Tags, suggestions, decisions, and what was learned from them."""

    def __init__(self, engine: Engine) -> None:
        """Work on an open database."""
        self._engine = engine
        self._warned = False

    # Tags

    def paths(self) -> dict[int, TagPath]:
        """Give every tag by its id, in the order of paths."""
        return self._read(tag_store.paths)

    def counts(self) -> list[TagCounts]:
        """Give every tag with how many photos have it in each state, in the order of paths."""
        return self._read(tag_store.counts)

    def decision_count(self) -> int:
        """Count what was decided, of all tags on all photos."""
        return self._read(suggestion_store.decision_count)

    def call(self, names: Mapping[str, Iterable[int]]) -> None:
        """Let these be the other names of tags, each with the ids of those that it means, and no others."""
        text = known_tags.written(names)
        if text != self._read(setting_store.setting, known_tags.SETTING):
            self._write(setting_store.set_setting, known_tags.SETTING, text)

    def make(self, paths: Iterable[TagPath]) -> dict[TagPath, int]:
        """Give the id of each tag, made if it is new."""
        return self._write(tag_store.made_ids, list(paths))

    def rename(self, old: TagPath, new: TagPath) -> int:
        """Give a tag and what lies under it another path; gives how many there were. TagError where it cannot be."""
        with writing(self._engine) as connection:
            count = tag_store.rename(connection, old, new)
            _note(connection, old, new)
            return count

    def merge(self, old: TagPath, new: TagPath) -> int:
        """Let a tag become part of another; gives how many photos' tags went over. TagError where it cannot be."""
        with writing(self._engine) as connection:
            count = tag_store.merge(connection, old, new, datetime.now(UTC))
            _note(connection, old, new, merged=True)
            return count

    def remove(self, path: TagPath) -> int:
        """Delete a tag with what lies under it; gives how many photos had one. TagError where there is none."""
        with writing(self._engine) as connection:
            count = tag_store.remove(connection, path)
            _note(connection, path, None)
            return count

    def changes(self) -> list[Change]:
        """Give where tags are that were renamed, merged and deleted (None); none, and a warning, of damage."""
        text = self._read(setting_store.setting, tag_changes.SETTING)
        try:
            return tag_changes.read(text)
        except ValueError:
            if not self._warned:
                _log.warning(_DAMAGED)
            self._warned = True
            return []

    def forget_changes(self, path: TagPath | None = None) -> int:
        """Let a vocabulary name this tag again, or all of them; gives how many changes were known."""
        with writing(self._engine) as connection:
            known = _changes(connection)
            kept = [change for change in known if path is not None and change[0] != path]
            setting_store.set_setting(connection, tag_changes.SETTING, tag_changes.written(kept))
            return len([old for old, new in known if old != new]) - len([old for old, new in kept if old != new])

    # Photos and their tags

    def of(self, photo_ids: Sequence[int]) -> dict[int, tuple[PhotoTag, ...]]:
        """Give the tags of photos, in every state; photos without any are left out."""
        return self._read(tag_store.tags_of, photo_ids)

    def decide(self, decisions: Sequence[Decision], *, firm: bool = True) -> int:
        """Accept and reject; gives how many changed something. Without `firm`, what was decided before stays.

        With it, a tag that was deleted and is accepted again counts as deleted no more.
        """
        with writing(self._engine) as connection:
            if firm and (known := _changes(connection)):
                kept = known
                for path in {decision.path for decision in decisions if decision.state == "accepted"}:
                    kept = tag_changes.taken_back(kept, path)
                if kept != known:
                    setting_store.set_setting(connection, tag_changes.SETTING, tag_changes.written(kept))
            return tag_store.decide(connection, decisions, datetime.now(UTC), firm=firm)

    def undecide(self, photo_ids: Sequence[int], tag_id: int) -> int:
        """Take decisions back; gives how many."""
        with writing(self._engine) as connection:  # the time is of when it may write: the review queue goes by it
            return tag_store.undecide(connection, photo_ids, tag_id, datetime.now(UTC))

    def pending(self, queue: Queue, after: Key | None, limit: int) -> tuple[list[Pending], int]:
        """Give the first suggestions of a queue, or those behind a key, and how many there are to be decided."""
        from indexer.catalog.review.queue import left, pending

        with reading(self._engine) as connection:
            return pending(connection, queue, after, limit), left(connection, queue.under)

    def beginning(self) -> datetime:
        """Give a moment, aware, behind all that was said of tags so far: when who pages through a queue begins."""
        from indexer.catalog.review.queue import beginning

        return self._read(beginning)

    def settle(self, asked: Sequence[Asked]) -> list[Settled]:
        """Take a person's words on suggestions in, all or none; gives what became of each. What was decided stays."""
        from indexer.catalog.review.settling import settle

        with writing(self._engine) as connection:
            return settle(connection, asked, datetime.now(UTC))

    def decided(self, tag_id: int) -> dict[int, bool]:
        """Give the photos that a tag was decided for, and whether it was accepted."""
        return self._read(suggestion_store.decided, tag_id)

    def with_keywords(self) -> list[int]:
        """Give the photos whose files name keywords, or that have a sidecar, sorted."""
        return self._read(description_store.with_keywords)

    def keywords(self, photo_ids: Sequence[int]) -> dict[int, tuple[Keyword, ...]]:
        """Give the keywords that photos' files name, with which of them does."""
        return self._read(description_store.keywords_of, photo_ids)

    def tagged(self) -> list[int]:
        """Give the photos that have a tag in any state, sorted."""
        return self._read(suggestion_store.tagged)

    def accepted(self) -> dict[int, list[int]]:
        """Give the ids of the tags that were accepted for each photo that has one."""
        return self._read(suggestion_store.accepted)

    def edits(self, photo_ids: Sequence[int]) -> dict[int, dict[str, str]]:
        """Give the titles, descriptions and ratings that were given to photos, by field."""
        return self._read(edit_store.edits, photo_ids)

    def edit(self, edits: Sequence[Edit], *, firm: bool = True) -> int:
        """Write edits; gives how many changed something. Without `firm`, an earlier edit stays."""
        return self._write(edit_store.edit, edits, datetime.now(UTC), firm=firm)

    def forget_edits(self, photos: Sequence[DescribedPhoto]) -> int:
        """Take back what was given to photos, and write what their files say; gives how many had something."""
        with writing(self._engine) as connection:
            kept_store.take_back(connection, [photo.photo_id for photo in photos], None)
            count = edit_store.forget(connection, [photo.photo_id for photo in photos])
            description_store.describe(connection, photos)
            return count

    # Models

    def suggest(
        self, model_id: int, photo_ids: Sequence[int], tag_ids: Sequence[int], found: Iterable[Suggestion]
    ) -> None:
        """Let these be the suggestions of these tags on these photos; decisions stay."""
        with writing(self._engine) as connection:
            suggestion_store.replace(connection, model_id, photo_ids, tag_ids, found, datetime.now(UTC))

    def clear_suggestions(self) -> int:
        """Take every suggestion away; gives how many there were."""
        return self._write(suggestion_store.drop_all)

    def fits(self, model_id: int) -> dict[int, tuple[str, NDArray[np.float32] | None]]:
        """Give what was learned of each tag under a model: JSON, and a classifier's vector (dim,) if there is one."""
        return self._read(suggestion_store.fits, model_id)

    def put_fit(self, model_id: int, tag_id: int, fit: str, vector: NDArray[np.float32] | None) -> None:
        """Keep what was learned of a tag."""
        self._write(suggestion_store.put_fit, model_id, tag_id, fit, vector, datetime.now(UTC))

    def drop_fit(self, model_id: int, tag_id: int) -> None:
        """Forget what was learned of a tag."""
        self._write(suggestion_store.drop_fit, model_id, tag_id)

    def prompt_vectors(self, model_id: int, keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Give those of these prompt vectors (dim,) that are kept."""
        return self._read(suggestion_store.prompt_vectors, model_id, keys)

    def put_prompt_vectors(self, model_id: int, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep prompt vectors (dim,) by their keys."""
        self._write(suggestion_store.put_prompt_vectors, model_id, vectors)

    def _read(self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with reading(self._engine) as connection:
            return work(connection, *args, **kwargs)

    def _write(self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with writing(self._engine) as connection:
            return work(connection, *args, **kwargs)


def _changes(connection: Connection) -> list[Change]:
    try:
        return tag_changes.read(setting_store.setting(connection, tag_changes.SETTING))
    except ValueError:
        return []


def _note(connection: Connection, old: TagPath, new: TagPath | None, *, merged: bool = False) -> None:
    changes = tag_changes.noted(_changes(connection), old, new, merged=merged)
    setting_store.set_setting(connection, tag_changes.SETTING, tag_changes.written(changes))
