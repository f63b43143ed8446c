"""The tables around the embeddings: videos' frames, what could not be embedded, which generations there were.

Declarations only, as in `photo_tables.py`, where the embeddings themselves stand.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String

from indexer.catalog.tables.declaring import Mapped, mapped_column
from indexer.catalog.tables.photo_tables import Base, ExactText, UtcDateTime


class FrameRow(Base):
    """A frame of a video, its poster aside: when it is shown, and a vector as in `embeddings`."""

    __tablename__ = "frames"
    __table_args__ = (Index("ix_frames_generation", "model_id", "generation"),)

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True, index=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    moment_s: Mapped[float]
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    generation: Mapped[int] = mapped_column(BigInteger)


class EmbeddingFailureRow(Base):
    """A sound photo that a model has not embedded although that was tried, and why not the last time."""

    __tablename__ = "embedding_failures"

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True, index=True)
    reason: Mapped[str] = mapped_column(ExactText)
    failed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class GenerationRow(Base):
    """A generation of a model's embeddings, with a token that no other one ever has.

    Numbers come again after the database was restored from a backup; whoever remembers a number asks for its token.
    """

    __tablename__ = "generations"

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    token: Mapped[str] = mapped_column(String)
