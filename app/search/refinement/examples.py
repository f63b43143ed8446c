"""Photos of the library, and other pictures, as examples of what is looked for: each with its vector.

It searches nothing; photos of the library have their stored vectors and need no model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from app.search.query import Cut, Picture, Query, Region, Source
from app.search.query_embedder import QueryEmbedder, Vector
from indexer.errors import QueryError

if TYPE_CHECKING:
    from indexer.catalog.catalog import Catalog
    from indexer.catalog.records import ModelRecord


class Examples:
    """Finds the vectors of examples; safe to ask from many threads."""

    def __init__(self, catalog: Catalog, embedder: QueryEmbedder) -> None:
        """Look at nothing yet."""
        self._catalog = catalog
        self._embedder = embedder

    def of(self, source: Source, model: ModelRecord) -> tuple[Vector, int | None]:
        """The vector (d,) of an example, and its id where it is a photo of the library.

        Raises:
            QueryError: no photo has that id, or a picture cannot be read.
            ModelError: the model cannot be loaded.
        """
        if isinstance(source, Cut):
            return self._embedder.sought(Query(image=source.picture), model).vector, source.photo_id
        photo_id = source if isinstance(source, int) else self.id_of(source)
        vector = None if photo_id is None else self._stored(photo_id, model, known=isinstance(source, int))
        if vector is not None or isinstance(source, int):
            return cast(Vector, vector), photo_id
        return self._embedder.sought(Query(image=source), model).vector, None

    def cut(self, file: Path, region: Region, model: ModelRecord) -> Cut:
        """A region of a picture's file; raises as `of`."""
        return Cut(self._embedder.cut(file, region, model), self.id_of(file))

    def id_of(self, picture: Picture) -> int | None:
        """The id of the photo that lies there; None where none does."""
        photo = self._catalog.photo_at(picture) if isinstance(picture, Path) else None
        return None if photo is None else photo.id

    def known_at(self, file: Path) -> int:
        """The id of the photo that lies there.

        Raises:
            QueryError: none does.
        """
        found = self.id_of(file)
        if found is None:
            raise QueryError(f"{file} is no photo of the library, and photos of the library alone are marked.")
        return found

    def stored_at(self, file: Path, model: ModelRecord) -> int | None:
        """The id of the photo that lies there, where it has a vector, so that the file need not be read; else None."""
        photo_id = self.id_of(file)
        known = photo_id is not None and self._catalog.embedding_of(photo_id, model.id) is not None
        return photo_id if known else None

    def with_copies(self, photo_ids: Iterable[int]) -> set[int]:
        """These photos, and those with the same content."""
        ids = set(photo_ids)
        return ids | {copy.id for photo_id in ids for copy in self._catalog.copies_of(photo_id)}

    def with_new_copies(
        self, without: Mapping[int, str | None], contents: Callable[[list[int]], Mapping[int, str | None]]
    ) -> dict[int, str | None]:
        """Photos that are no hits, and what has become a copy of them since; of one whose picture is another now, none.

        Args:
            without: these photos, and their contents when they were named.
            contents: photos -> their contents now.
        """
        now = contents(list(without)) if without else {}
        same = [photo_id for photo_id, content in without.items() if content and now.get(photo_id) == content]
        new = self.with_copies(same).difference(without)
        return {**without, **(contents(sorted(new)) if new else {})}

    def wrong(self, query: Query, like: Collection[int]) -> set[int]:
        """The photos that are marked wrong, and their copies, which are marked with them.

        Args:
            query: whose marks count.
            like: photos that hits shall be like.

        Raises:
            QueryError: one of them is marked right, too, or is one that hits shall be like.
        """
        wrong = self.with_copies(query.wrong)
        if both := wrong.intersection(query.right):
            raise QueryError(
                f"photo {min(both)} is marked right, and a copy of it wrong. Take one of the marks away."
                f"{self._lies_at(min(both))}"
            )
        if both := wrong.intersection(like):
            raise QueryError(
                f"hits shall be like photo {min(both)}, and it, or a copy of it, is marked wrong. Take the mark away."
                f"{self._lies_at(min(both))}"
            )
        return wrong

    def _lies_at(self, photo_id: int) -> str:
        """Where a photo lies, for those who named it by its file; "" where it has gone meanwhile."""
        return "".join(f" The photo is {photo.path}." for photo in self._catalog.photos([photo_id]))

    def _stored(self, photo_id: int, model: ModelRecord, *, known: bool) -> Vector | None:
        vector = self._catalog.embedding_of(photo_id, model.id)
        if vector is None and known:
            raise QueryError(
                f"no photo with the id {photo_id} can be searched by. It was removed, or has to be indexed again."
            )
        return None if vector is None else vector.astype(np.float32)
