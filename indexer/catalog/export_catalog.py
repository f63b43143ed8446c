"""The part of the catalog that keeps the journal of exports; the work is in `journal/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from indexer.catalog.database import reading, writing
from indexer.catalog.journal import export_store, letting_go
from indexer.catalog.journal.records import ours_at
from indexer.catalog.stores import companion_store, edit_store

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from indexer.catalog.journal.records import Export, Step, StepState
    from indexer.catalog.tag_records import TagPath


class ExportCatalog:
    """What was exported, file by file, with the way back. Every method may raise LibraryError."""

    def __init__(self, engine: Engine) -> None:
        """Work on an open database."""
        self._engine = engine

    def begin(self, kind: str) -> int:
        """Enter an export; gives its id."""
        with writing(self._engine) as connection:
            return export_store.begin(connection, kind, datetime.now(UTC))

    def plan(self, export_id: int, steps: Sequence[Step]) -> list[int]:
        """Write down files that are about to be written, in one transaction; gives their numbers."""
        with writing(self._engine) as connection:
            return export_store.plan(connection, export_id, steps)

    def settle(
        self,
        export_id: int,
        numbers: Sequence[int],
        state: StepState,
        reason: str | None = None,
        *,
        path: str | None = None,
    ) -> None:
        """Note what became of files, and where the one is if it was moved."""
        with writing(self._engine) as connection:
            export_store.settle(connection, export_id, numbers, state, reason, path=path)

    def finish(self, export_id: int, *, undone: bool = False) -> None:
        """Note that an export, or its undoing, has come to its end."""
        with writing(self._engine) as connection:
            export_store.finish(connection, export_id, datetime.now(UTC), undone=undone)

    def tidy(self) -> None:
        """Let go of old bytes and entries from which no undo makes anything; ends a forgetting that was killed."""
        letting_go.tidy(self._engine)

    def forget(self, export_ids: Sequence[int]) -> None:
        """Let go of the way back from exports; which tags they wrote stays. Ends one that was killed, too."""
        letting_go.forget(self._engine, export_ids)

    def size(self) -> tuple[int, int]:
        """Give how many entries of files the journal has, and about how many bytes they take."""
        with reading(self._engine) as connection:
            return export_store.size(connection)

    def held(self) -> int:
        """Give how many bytes of the way back can be let go still, which is soon told."""
        with reading(self._engine) as connection:
            return export_store.held(connection)

    def all(self) -> list[Export]:
        """Give every export, the latest first."""
        with reading(self._engine) as connection:
            return export_store.exports(connection)

    def steps(self, export_id: int, state: StepState) -> list[Step]:
        """Give the files of an export that are in a state."""
        with reading(self._engine) as connection:
            return export_store.steps(connection, export_id, state)

    def being_undone(self) -> list[Step]:
        """Give the files that were being put back when that was killed."""
        with reading(self._engine) as connection:
            return export_store.being_undone(connection)

    def unclear(self) -> list[Step]:
        """Give the files of which nobody knows whether exports wrote them."""
        with reading(self._engine) as connection:
            return export_store.unclear(connection)

    def written_beside(
        self, sidecars: Mapping[int, str], is_it: Callable[[int, str], bool] = lambda photo, digest: False
    ) -> dict[int, set[TagPath]]:
        """Give the tags that exports added to these photos' sidecars, by path, and nobody took back.

        `is_it` is asked of what was written elsewhere for a photo, by its digest: whether that lies here now.
        """
        with reading(self._engine) as connection:
            steps = export_store.written_beside(connection, list(sidecars))
        found = {photo: ours_at(sidecars[photo], done, partial(is_it, photo)) for photo, done in steps.items()}
        return {photo: tags for photo, tags in found.items() if tags}

    def written_into(self, contents: Mapping[int, str]) -> dict[int, set[TagPath]]:
        """Give the tags that exports added to these photos' files, by content hash, and nobody took back."""
        with reading(self._engine) as connection:
            return export_store.written_into(connection, contents)

    def exportable(self) -> list[int]:
        """Give the photos that have something to say: accepted tags, edits, or what an export wrote; sorted."""
        with reading(self._engine) as connection:
            return edit_store.exportable(connection)

    def sidecar_kinds(self) -> dict[str, int]:
        """Count the sidecars that are called as the photo with its suffix, "full", and without it, "short"."""
        with reading(self._engine) as connection:
            return companion_store.sidecar_kinds(connection)
