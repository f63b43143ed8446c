"""Writes of photos: sound, copied, failed, moved, missing, removed, and what each means for embeddings.

Functions on one connection, inside the caller's transaction; each bumps the generation of the models it touches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Select, bindparam, delete, insert, select, update

from indexer.catalog.database import in_chunks
from indexer.catalog.records import CopiedPhoto, FailedPhoto, NewPhoto
from indexer.catalog.stamps import stamp_columns
from indexer.catalog.stores import edit_store, embedding_store, frame_store, kept_store, suggestion_store
from indexer.catalog.stores.description_store import WRITTEN, columns_of, keep_unread, keywords_of, put_keywords
from indexer.catalog.stores.root_store import folder_ids, made_folder_ids, prune_folders, remove_root
from indexer.catalog.tables.photo_tables import FolderRow, PhotoRow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Connection

_PICTURE = ("width", "height", "format", "duration_s", "poster_s")


class Present(NamedTuple):
    """The row that a path has already."""

    id: int
    content_hash: str | None


def store(
    connection: Connection,
    root_id: int,
    photos: Sequence[NewPhoto],
    model_id: int,
    embeddings: NDArray[np.float16],
    now: datetime,
    frames: Mapping[str, NDArray[np.float16]],
) -> list[int]:
    """Insert or update photos and their embeddings (n, dim); other models keep theirs where the content is the same."""
    vectors = embedding_store.packed(connection, model_id, embeddings, len(photos))
    moving = [photo for photo in photos if photo.path in frames]
    shown = {photo.path: _frames(connection, model_id, photo, frames[photo.path]) for photo in moving}
    if not photos:
        return []
    present = locate(connection, root_id, [photo.path for photo in photos])
    touched = embedding_store.drop(connection, _replaced(present, photos))
    columns = columns_of(connection, [photo.metadata for photo in photos])
    values = {photo.path: row | _sound(photo, now) for photo, row in zip(photos, columns, strict=True)}
    beside = keep_unread(connection, photos, {path: row.id for path, row in present.items()}, values)
    ids = _write(connection, root_id, present, values, len(photos), now)
    words = {photo_id: photo.metadata.keywords for photo_id, photo in zip(ids, photos, strict=True)}
    put_keywords(connection, words, beside)
    embedding_store.bump(connection, touched | {model_id})
    embedding_store.put(connection, model_id, ids, vectors)
    videos = {number: shown[path] for path, number in zip(values, ids, strict=True) if path in shown}
    frame_store.put(connection, model_id, videos, embedding_store.generation(connection, model_id))
    return ids


def _frames(
    connection: Connection, model_id: int, video: NewPhoto, vectors: NDArray[np.float16]
) -> list[frame_store.Frame]:
    packed = embedding_store.packed(connection, model_id, vectors, len(video.moments))
    return [
        frame_store.Frame(number, *frame) for number, frame in enumerate(zip(video.moments, packed, strict=True), 1)
    ]


def store_copies(connection: Connection, root_id: int, copies: Sequence[CopiedPhoto], now: datetime) -> list[int]:
    """Insert or update photos as copies of others: embeddings come from there, and metadata where theirs is unread."""
    sources = _sources(connection, copies)
    # Read before anything is dropped: a source may itself become a copy in this call.
    vectors, frames = embedding_store.vectors_of(connection, sources.keys()), frame_store.of(connection, sources.keys())
    keywords = keywords_of(connection, list(sources))
    present = locate(connection, root_id, [copy.path for copy in copies])
    touched = embedding_store.drop(connection, _replaced(present, copies))
    own = {copy.path: copy.metadata for copy in copies if copy.metadata is not None}
    said = dict(zip(own, columns_of(connection, own.values()), strict=True))
    values = {c.path: sources[c.source_id] | said.get(c.path, {}) | _stamp(c) | _fresh(now) for c in copies}
    beside = keep_unread(connection, copies, {path: row.id for path, row in present.items()}, values)
    ids = _write(connection, root_id, present, values, len(copies), now)
    words = {
        photo_id: keywords.get(copy.source_id, ()) if copy.metadata is None else copy.metadata.keywords
        for photo_id, copy in zip(ids, copies, strict=True)
    }
    put_keywords(connection, words, beside)
    embedding_store.bump(connection, touched | vectors.keys())
    for model_id, by_photo in vectors.items():
        given = {
            photo_id: by_photo[copy.source_id]
            for copy, photo_id in zip(copies, ids, strict=True)
            if copy.source_id in by_photo
        }
        embedding_store.put(connection, model_id, list(given), given.values())
    for model_id, by_video in frames.items():
        whole = {source: found for source, found in by_video.items() if source in vectors.get(model_id, {})}
        shown = {i: whole[copy.source_id] for i, copy in zip(ids, copies, strict=True) if copy.source_id in whole}
        frame_store.put(connection, model_id, shown, embedding_store.generation(connection, model_id))
    return ids


def fail(connection: Connection, root_id: int, failures: Sequence[FailedPhoto], now: datetime) -> list[int]:
    """Insert or update files that are no photos, with the reason; what was embedded there before is dropped."""
    present = locate(connection, root_id, [failure.path for failure in failures])
    touched = embedding_store.drop(connection, [row.id for row in present.values()])
    nothing = dict.fromkeys(("content_hash", *_PICTURE, *WRITTEN))
    values = {
        failure.path: nothing | _stamp(failure) | _fresh(now) | {"state": "failed", "reason": failure.reason}
        for failure in failures
    }
    ids = _write(connection, root_id, present, values, len(failures), now)
    put_keywords(connection, dict.fromkeys(ids, ()))
    embedding_store.bump(connection, touched)
    return ids


def remove(connection: Connection, photo_ids: Sequence[int], now: datetime | None, spared: int = 0) -> list[str]:
    """Delete photos, keeping decisions unless `now` is None, and empty folders but `spared`; gives unused hashes."""
    kept_store.keep(connection, photo_ids, now)
    hashes, folders = set[str](), set[int]()
    for chunk in in_chunks(photo_ids):
        rows = select(PhotoRow.folder_id, PhotoRow.content_hash).where(PhotoRow.id.in_(chunk))
        for folder_id, content_hash in connection.execute(rows):
            folders.add(folder_id)
            hashes.update([content_hash] if content_hash else [])
    embedding_store.bump(connection, embedding_store.drop(connection, photo_ids))
    for chunk in in_chunks(photo_ids):
        connection.execute(delete(PhotoRow).where(PhotoRow.id.in_(chunk)))
    prune_folders(connection, folders - {spared})
    return unused(connection, hashes)


def forget(connection: Connection, root_id: int) -> tuple[int, list[str]]:
    """Delete a root and its photos; gives how many there were, and the content hashes that no photo has any more."""
    of_root = select(PhotoRow.id).join(FolderRow, PhotoRow.folder_id == FolderRow.id)
    ids = list(connection.execute(of_root.where(FolderRow.root_id == root_id)).scalars())
    unused = remove(connection, ids, None)
    remove_root(connection, root_id)
    return len(ids), unused


def unused(connection: Connection, hashes: Iterable[str]) -> list[str]:
    """Give those content hashes that no photo has, sorted."""
    asked = sorted(set(hashes))
    used: set[str | None] = set()
    for chunk in in_chunks(asked):
        used.update(connection.execute(select(PhotoRow.content_hash).where(PhotoRow.content_hash.in_(chunk))).scalars())
    return [content_hash for content_hash in asked if content_hash not in used]


def split(path: str) -> tuple[str, str]:
    """Cut a relative path into its folder ("" for the root) and its name."""
    return path.rpartition("/")[0], path.rpartition("/")[2]


def locate(connection: Connection, root_id: int, paths: Sequence[str]) -> dict[str, Present]:
    """Give the rows that these paths of a root have already."""
    parts = {split(path) for path in paths}
    folders = folder_ids(connection, root_id, {folder for folder, _ in parts})
    names = {number: folder for folder, number in folders.items()}
    wanted: defaultdict[int, list[str]] = defaultdict(list)
    for folder, name in sorted(part for part in parts if part[0] in folders):
        wanted[folders[folder]].append(name)
    found: dict[str, Present] = {}
    for folder_id, of_folder in wanted.items():
        folder = names[folder_id]
        for chunk in in_chunks(of_folder):
            for name, photo_id, content_hash in connection.execute(_in_folder(), {"folder": folder_id, "names": chunk}):
                found[f"{folder}/{name}" if folder else name] = Present(photo_id, content_hash)
    return found


@cache
def _in_folder() -> Select[Any, Any, Any]:
    """Folder by folder: of pairs of both values SQLite looks up the folders alone, and reads all that is in them."""
    query = select(PhotoRow.name, PhotoRow.id, PhotoRow.content_hash)
    return query.where(PhotoRow.folder_id == bindparam("folder"), PhotoRow.name.in_(bindparam("names", expanding=True)))


def _replaced(present: Mapping[str, Present], photos: Sequence[NewPhoto | CopiedPhoto]) -> list[int]:
    """Give the ids of the rows whose content is about to become another one."""
    pairs = ((present[photo.path], photo) for photo in photos if photo.path in present)
    return [row.id for row, photo in pairs if row.content_hash != photo.content_hash]


def _sources(connection: Connection, copies: Sequence[CopiedPhoto]) -> dict[int, dict[str, Any]]:
    """Give what each source photo says of its content; it must still be the content that the copies have."""
    columns = [getattr(PhotoRow, name) for name in ("content_hash", *_PICTURE, *WRITTEN)]
    found: dict[int, dict[str, Any]] = {}
    for chunk in in_chunks(sorted({copy.source_id for copy in copies})):
        sound = select(PhotoRow.id, *columns).where(PhotoRow.id.in_(chunk), PhotoRow.state == "ok")
        for row in connection.execute(sound).mappings():
            found[row["id"]] = {name: value for name, value in row.items() if name != "id"}
    for copy in copies:
        if found.get(copy.source_id, {}).get("content_hash") != copy.content_hash:
            raise ValueError(f"photo {copy.source_id} is not the content of {copy.path!r}: ask by_content() again")
    return found


def _stamp(photo: NewPhoto | CopiedPhoto | FailedPhoto) -> dict[str, Any]:
    return stamp_columns(photo) | {"sidecar": getattr(photo, "sidecar", None)}


def _fresh(now: datetime) -> dict[str, Any]:
    return {"state": "ok", "reason": None, "missing_since": None, "indexed_at": now}


def _sound(photo: NewPhoto, now: datetime) -> dict[str, Any]:
    return {name: getattr(photo, name) for name in ("content_hash", *_PICTURE)} | _stamp(photo) | _fresh(now)


def _write(
    connection: Connection,
    root_id: int,
    present: Mapping[str, Present],
    values: Mapping[str, dict[str, Any]],
    expected: int,
    now: datetime,
) -> list[int]:
    """Insert or update one row for each path, all with the same columns; gives their ids in the order of `values`.

    New ones have what was decided of their pictures; they and those with another picture what is kept of gone photos.
    """
    if (twice := expected - len(values)) != 0:
        raise ValueError(f"{twice} of {expected} photos have a path that occurs twice in one call")
    ids = {path: row.id for path, row in present.items()}
    known = {path: row.content_hash for path, row in present.items()}
    back = {path: c for path, row in values.items() if (c := row["content_hash"]) and c != known.get(path)}
    fresh = {path: content for path, content in back.items() if path not in ids}
    decided = suggestion_store.decided_of(connection, fresh.values())  # a source may itself become another picture
    if rows := [{"photo": ids[path], **row} for path, row in values.items() if path in ids]:
        connection.execute(update(PhotoRow).where(PhotoRow.id == bindparam("photo")), rows)
    if new := [path for path in values if path not in ids]:
        folders = made_folder_ids(connection, root_id, {split(path)[0] for path in new})
        rows = [{"folder_id": folders[split(path)[0]], "name": split(path)[1], **values[path]} for path in new]
        inserted = connection.execute(insert(PhotoRow).returning(PhotoRow.id, sort_by_parameter_order=True), rows)
        ids.update(zip(new, inserted.scalars(), strict=True))
    suggestion_store.inherit(connection, {ids[path]: decided[c] for path, c in fresh.items() if c in decided})
    kept_store.give_back(connection, root_id, {path: (ids[path], content) for path, content in back.items()}, now)
    edit_store.apply(connection, list(ids.values()))
    return [ids[path] for path in values]
