"""What is indexed of a photo: its own words, and the words of its file's and folders' names.

Functions on one connection; they write nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import literal_column, select

from indexer.catalog.stores import edit_store, tag_store
from indexer.catalog.stores.description_store import keywords_of
from indexer.catalog.tables.by_id import ById
from indexer.catalog.tables.photo_tables import FolderRow, PhotoRow, RootRow
from indexer.catalog.tables.tag_tables import PhotoTagRow, TagRow
from indexer.catalog.words.tokens import joined, tokens

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select


class Document(NamedTuple):
    """The words of one photo, as `tokens.joined` writes them.

    Attributes:
        own: of its title, description and keywords, and of the tags that were accepted for it.
        named: of the folder that is followed, the folders below it, and its file.
    """

    own: str
    named: str


def documents(connection: Connection, photo_ids: Sequence[int]) -> dict[int, Document]:
    """Give the words of those of these photos that there are, failed ones among them."""
    edits = edit_store.edits(connection, photo_ids)
    keywords, tags = keywords_of(connection, photo_ids), _tags_of(connection, photo_ids)
    found: dict[int, Document] = {}
    for number, root, folder, name, title, description in _PHOTOS.rows(connection, photo_ids):
        given = edits.get(number, {})
        said = [given.get("title", title), given.get("description", description)]
        words = [*said, *(word.text for word in keywords.get(number, ())), *tags.get(number, ())]
        named = " ".join(filter(None, (_folders(root, folder), " ".join(tokens(name)))))
        found[number] = Document(joined(filter(None, words)), named)
    return found


def _photos_query() -> Select[*tuple[Any, ...]]:
    columns = (PhotoRow.id, RootRow.path, FolderRow.path, PhotoRow.name, PhotoRow.title, PhotoRow.description)
    return select(*columns).join_from(PhotoRow, FolderRow).join(RootRow)


_PHOTOS = ById(_photos_query, PhotoRow.id)


@lru_cache(maxsize=4096)
def _folders(root: str, folder: str) -> str:
    """The words of a folder's names; of where the followed folder lies nothing, since all photos lie there."""
    return " ".join([*tokens(PurePath(root).name), *tokens(folder)])


def _tags_of(connection: Connection, photo_ids: Sequence[int]) -> dict[int, list[str]]:
    """The tags that were accepted for photos, each with its levels."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for photo_id, path in _TAGS.rows(connection, photo_ids):
        found[photo_id].append(" ".join(tag_store.path_of(path)))
    return found


def _tags_query() -> Select[*tuple[Any, ...]]:
    tags = select(PhotoTagRow.photo_id, TagRow.path).join_from(PhotoTagRow, TagRow)
    return tags.where(PhotoTagRow.state == literal_column("'accepted'")).order_by(PhotoTagRow.photo_id, TagRow.path)


_TAGS = ById(_tags_query, PhotoTagRow.photo_id)
