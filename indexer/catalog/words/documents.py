"""What is indexed of a photo: its own words, and the words of its file's and folders' names.

Functions on one connection; they write nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from indexer.catalog.database import in_chunks
from indexer.catalog.stores import edit_store, tag_store
from indexer.catalog.stores.description_store import keywords_of
from indexer.catalog.tables.photo_tables import FolderRow, PhotoRow, RootRow
from indexer.catalog.tables.tag_tables import PhotoTagRow, TagRow
from indexer.catalog.words.tokens import joined, tokens

if TYPE_CHECKING:
    from sqlalchemy import Connection


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
    query = select(
        *(PhotoRow.id, RootRow.path, FolderRow.path, PhotoRow.name, PhotoRow.title, PhotoRow.description)
    ).join_from(PhotoRow, FolderRow)
    found: dict[int, Document] = {}
    for chunk in in_chunks(photo_ids):
        rows = connection.execute(query.join(RootRow).where(PhotoRow.id.in_(chunk)))
        for number, root, folder, name, title, description in rows:
            given = edits.get(number, {})
            said = [given.get("title", title), given.get("description", description)]
            words = [*said, *(word.text for word in keywords.get(number, ())), *tags.get(number, ())]
            named = " ".join(filter(None, (_folders(root, folder), " ".join(tokens(name)))))
            found[number] = Document(joined(filter(None, words)), named)
    return found


@lru_cache(maxsize=4096)
def _folders(root: str, folder: str) -> str:
    """The words of a folder's names; of where the followed folder lies nothing, since all photos lie there."""
    return " ".join([*tokens(PurePath(root).name), *tokens(folder)])


def _tags_of(connection: Connection, photo_ids: Sequence[int]) -> dict[int, list[str]]:
    """The tags that were accepted for photos, each with its levels."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    query = select(PhotoTagRow.photo_id, TagRow.path).join_from(PhotoTagRow, TagRow)
    for chunk in in_chunks(photo_ids):
        accepted = (PhotoTagRow.photo_id.in_(chunk), PhotoTagRow.state == "accepted")
        for photo_id, path in connection.execute(query.where(*accepted).order_by(PhotoTagRow.photo_id, TagRow.path)):
            found[photo_id].append(" ".join(tag_store.path_of(path)))
    return found
