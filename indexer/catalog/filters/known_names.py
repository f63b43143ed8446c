"""The names that photos have of what filters ask for, to say which of them may have been meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sqlalchemy import select

from indexer.catalog.filters.known_tags import KnownTags
from indexer.catalog.filters.words import spoken
from indexer.catalog.tables.photo_tables import KeywordRow, PhotoRow, PlaceRow
from indexer.catalog.tables.tag_tables import PhotoTagRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

Kind = Literal["place", "camera", "lens", "keyword", "tag"]
"""A filter that asks for names."""

_COLUMNS = {
    "camera": (PhotoRow.camera_make, PhotoRow.camera_model),
    "lens": (PhotoRow.lens,),
    "keyword": (KeywordRow.keyword,),
}


def names(connection: Connection, kind: Kind) -> list[str]:
    """Give the names of one kind, each once, sorted.

    Of a place its city, region and country, of a camera those of `words.spoken`, of a tag all its own.
    """
    if kind == "place":
        used = PlaceRow.id.in_(select(PhotoRow.place_id).where(PhotoRow.state == "ok"))  # places outlive their photos
        columns = select(PlaceRow.city, PlaceRow.region, PlaceRow.country).where(used).distinct()
        found = {name for row in connection.execute(columns) for name in row}
    elif kind == "tag":
        held = set(connection.execute(select(PhotoTagRow.tag_id).where(PhotoTagRow.state != "rejected")).scalars())
        found = KnownTags.of(connection).called(held)
    else:
        rows = connection.execute(select(*_COLUMNS[kind]).distinct())
        found = {name for row in rows for name in spoken(*row)}
    return sorted(filter(None, found))
