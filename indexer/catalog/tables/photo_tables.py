"""The database's tables as typed SQLAlchemy rows, with the column types that keep file names and times exact.

Declarations only: queries live in the stores, and the schema's history in `migrations/`.
A photo's path is its folder (relative to a root, posix) and its name, so that moving a root rewrites few rows.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from indexer.catalog.tables.declaring import DeclarativeBase, Mapped, mapped_column

RowId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only for INTEGER


class ExactText(TypeDecorator[str]):
    """Text that may hold what a file system holds: names that are no UTF-8 are stored as their bytes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Give text where it is sound, bytes where it carries surrogates."""
        if value is None or value.isascii():
            return value
        try:
            value.encode()
        except UnicodeEncodeError:
            return _to_bytes(value)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Give the text that was stored."""
        return os.fsdecode(value) if isinstance(value, bytes) else value


def _to_bytes(value: str) -> bytes:
    """Encode a file name, or, where it is none (a message that quotes half a character), what can be kept of it."""
    try:
        return os.fsencode(value)
    except UnicodeEncodeError:
        return value.encode(errors="backslashreplace")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware in Python, naive UTC in the database, which has no time zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to naive UTC; a naive moment is refused, because nobody knows which it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment needs a time zone, and {value!r} has none: use datetime.now(UTC)")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment back as aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """The base of all tables; constraint names are fixed so that migrations can address them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class RootRow(Base):
    """A folder on disk that the library follows."""

    __tablename__ = "roots"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    path: Mapped[str] = mapped_column(ExactText, unique=True)
    last_scan_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None] = mapped_column(ExactText)


class FolderRow(Base):
    """A folder below a root that holds photos; "" is the root itself."""

    __tablename__ = "folders"
    __table_args__ = (UniqueConstraint("root_id", "path"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(ExactText)


class PhotoRow(Base):
    """A file that is a photo, or should have been one: then `reason` says why it is not."""

    __tablename__ = "photos"
    __table_args__ = (
        UniqueConstraint("folder_id", "name"),
        CheckConstraint("state IN ('ok', 'failed')", name="state"),
        CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="reason"),
        Index("ix_photos_failed", "folder_id", sqlite_where=text("state = 'failed'")),
        Index("ix_photos_missing", "missing_since", sqlite_where=text("missing_since IS NOT NULL")),
        Index("ix_photos_instant_due", "id", sqlite_where=text("taken_at IS NOT NULL AND taken_instant_us IS NULL")),
        # An id is never used twice: the vector index, and whoever remembers an id, can only miss, not mistake, a photo.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folders.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(ExactText)
    size: Mapped[int] = mapped_column(BigInteger, index=True)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    content_hash: Mapped[str | None] = mapped_column(String, index=True)
    state: Mapped[str] = mapped_column(String)
    reason: Mapped[str | None] = mapped_column(ExactText)
    missing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    indexed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    format: Mapped[str | None] = mapped_column(String)
    orientation: Mapped[int | None] = mapped_column(Integer)
    taken_at: Mapped[datetime | None] = mapped_column(DateTime, index=True)
    taken_offset_min: Mapped[int | None] = mapped_column(Integer)
    taken_source: Mapped[str | None] = mapped_column(String)
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    altitude: Mapped[float | None]
    camera_make: Mapped[str | None] = mapped_column(ExactText)
    camera_model: Mapped[str | None] = mapped_column(ExactText)
    lens: Mapped[str | None] = mapped_column(ExactText)
    exposure_s: Mapped[float | None]
    f_number: Mapped[float | None]
    iso: Mapped[int | None] = mapped_column(Integer)
    focal_mm: Mapped[float | None]
    focal_35mm_mm: Mapped[float | None]
    rating: Mapped[int | None] = mapped_column(Integer)
    title: Mapped[str | None] = mapped_column(ExactText)
    description: Mapped[str | None] = mapped_column(ExactText)
    place_id: Mapped[int | None] = mapped_column(Integer, index=True)  # in places, of which none is ever deleted
    # Size, time and name of the XMP file beside it, "" for none; NULL where nobody has looked.
    sidecar: Mapped[str | None] = mapped_column(ExactText)
    duration_s: Mapped[float | None]  # of a video
    poster_s: Mapped[float | None]  # and when the frame that stands for it is shown
    ctime_ns: Mapped[int | None] = mapped_column(BigInteger)  # with `inode` part of the stamp; NULL where nobody looked
    inode: Mapped[int | None] = mapped_column(BigInteger)
    taken_precision: Mapped[str | None] = mapped_column(String)  # "month" or "year" where no more of the date is known
    # What photos are ordered by: microseconds of UTC from 1970, an integer since year 1 of a zone may be before it.
    taken_instant_us: Mapped[int | None] = mapped_column(BigInteger, index=True)


class PlaceRow(Base):
    """A place that photos were taken at; "" for a name that is not known."""

    __tablename__ = "places"
    __table_args__ = (UniqueConstraint("country", "region", "city"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    city: Mapped[str] = mapped_column(ExactText)
    region: Mapped[str] = mapped_column(ExactText)
    country: Mapped[str] = mapped_column(ExactText)


class KeywordRow(Base):
    """A keyword that a photo's files name, and which of them does; `position` keeps their order."""

    __tablename__ = "keywords"

    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    keyword: Mapped[str] = mapped_column(ExactText, index=True)
    source: Mapped[str] = mapped_column(String)


class ModelRow(Base):
    """A model with embeddings here. `generation` counts the transactions that changed its embeddings."""

    __tablename__ = "models"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(ExactText)
    fingerprint: Mapped[str] = mapped_column(String, unique=True)
    dim: Mapped[int] = mapped_column(Integer)
    active: Mapped[bool] = mapped_column(default=False)
    generation: Mapped[int] = mapped_column(BigInteger, default=0)


class EmbeddingRow(Base):
    """A photo's unit vector under one model, little-endian float16, and the generation that wrote it."""

    __tablename__ = "embeddings"
    __table_args__ = (Index("ix_embeddings_generation", "model_id", "generation"),)

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True, index=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    generation: Mapped[int] = mapped_column(BigInteger)


class CompanionRow(Base):
    """A RAW, or the video of a live photo, in the folder of a photo that is the same shot."""

    __tablename__ = "companions"

    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(ExactText, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    # The stamps of both files when what they say of their shot was compared; NULL where nobody has, or could.
    agreed: Mapped[str | None] = mapped_column(String)


class SettingRow(Base):
    """A value that belongs to the library rather than to a person or a machine."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(String, primary_key=True)
    value: Mapped[str] = mapped_column(ExactText)
