"""The tables around the embeddings: what could not be embedded.

Declarations only, as in `tables.py`, where the embeddings themselves stand.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from indexer.catalog.tables import Base, ExactText, UtcDateTime


class EmbeddingFailureRow(Base):
    """A sound photo that a model has not embedded although that was tried, and why not the last time."""

    __tablename__ = "embedding_failures"

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True, index=True)
    reason: Mapped[str] = mapped_column(ExactText)
    failed_at: Mapped[datetime] = mapped_column(UtcDateTime)
