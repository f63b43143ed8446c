"""The tables of tags: what they are called, which photos have them, what was learned of them, and what was exported.

Declarations only, as in `photo_tables.py`; queries live in `tag_store.py`, `suggestion_store.py` and their neighbours.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, String, Text

from indexer.catalog.tables.declaring import Mapped, mapped_column
from indexer.catalog.tables.photo_tables import Base, ExactText, RowId, UtcDateTime


class TagRow(Base):
    """A tag that some photo has or may have; `path` is its levels, joined by a character that no name can hold."""

    __tablename__ = "tags"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    path: Mapped[str] = mapped_column(ExactText, unique=True)


class PhotoTagRow(Base):
    """What is known of one tag on one photo.

    A person's decision keeps what a model said before it. `origin` is "model" for a suggestion, else where the decision
    came from.
    """

    __tablename__ = "photo_tags"
    __table_args__ = (
        CheckConstraint("state IN ('suggested', 'accepted', 'rejected')", name="state"),
        Index("ix_photo_tags_photo_id", "photo_id"),
    )

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[str] = mapped_column(String)
    origin: Mapped[str] = mapped_column(ExactText)
    model_id: Mapped[int | None] = mapped_column(ForeignKey("models.id", ondelete="SET NULL"), index=True)
    score: Mapped[float | None]
    confidence: Mapped[float | None]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TagFitRow(Base):
    """What a tag's decisions taught about it under one model, as JSON with its numbers; `vector` is a classifier's."""

    __tablename__ = "tag_fits"

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    fit: Mapped[str] = mapped_column(Text)
    vector: Mapped[bytes | None] = mapped_column(LargeBinary)
    fitted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PromptVectorRow(Base):
    """The mean unit vector of a set of sentences under a model, little-endian float32; `key` is their SHA-256."""

    __tablename__ = "prompt_vectors"

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String, primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class EditRow(Base):
    """A title, description or rating that a person or an import gave a photo; it stands before what its files say."""

    __tablename__ = "edits"

    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True)
    field: Mapped[str] = mapped_column(String, primary_key=True)
    value: Mapped[str] = mapped_column(ExactText)
    origin: Mapped[str] = mapped_column(ExactText)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeptRow(Base):
    """One decision on a photo that is gone: of a tag, `value` its state, or of a `field` as in `edits`; by content.

    `root_id`, `folder` and `name` are where the photo lay, `kept_at` is when it went.
    """

    __tablename__ = "kept_decisions"
    __table_args__ = (CheckConstraint("(tag_id IS NULL) = (field IS NOT NULL)", name="what"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"))
    folder: Mapped[str] = mapped_column(ExactText)
    name: Mapped[str] = mapped_column(ExactText)
    content_hash: Mapped[str] = mapped_column(String, index=True)
    tag_id: Mapped[int | None] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), index=True)
    field: Mapped[str | None] = mapped_column(String)
    value: Mapped[str] = mapped_column(ExactText)
    origin: Mapped[str] = mapped_column(ExactText)
    score: Mapped[float | None]
    confidence: Mapped[float | None]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ExportRow(Base):
    """One export that writes beside photos or into them; `plan` is what it was asked for, as JSON."""

    __tablename__ = "exports"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(String)
    plan: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ExportStepRow(Base):
    """One file of an export: how it was before, zlib-compressed, None where it was not there, and its SHA-256 after.

    It is written before the file is touched. `mode` and `mtime_ns` are the permissions and the time it had before.
    """

    __tablename__ = "export_steps"
    __table_args__ = (CheckConstraint("state IN ('planned', 'done', 'failed', 'undone')", name="state"),)

    export_id: Mapped[int] = mapped_column(ForeignKey("exports.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    photo_id: Mapped[int] = mapped_column(Integer, index=True)  # no key: the photo may go, the way back must not
    path: Mapped[str] = mapped_column(ExactText)
    state: Mapped[str] = mapped_column(String)
    reason: Mapped[str | None] = mapped_column(ExactText)
    before: Mapped[bytes | None] = mapped_column(LargeBinary)
    mtime_ns: Mapped[int | None] = mapped_column(BigInteger)
    mode: Mapped[int | None] = mapped_column(Integer)
    sha256_before: Mapped[str | None] = mapped_column(String)
    sha256_after: Mapped[str | None] = mapped_column(String)
    written: Mapped[str] = mapped_column(Text)  # the tags that it added, as JSON: they are ours to take away again
