"""The first schema: roots, folders, photos, models, embeddings, settings."""

import sqlalchemy as sa
from alembic import op

from indexer.catalog.tables.photo_tables import ExactText, UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _roots_and_folders()
    _photos()
    _models_and_embeddings()
    op.create_table(
        "settings",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("value", ExactText(), nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("settings", "embeddings", "models", "photos", "folders", "roots"):
        op.drop_table(table)


def _roots_and_folders() -> None:
    op.create_table(
        "roots",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("path", ExactText(), nullable=False),
        sa.Column("last_scan_at", UtcDateTime()),
        sa.Column("problem", ExactText()),
        sa.UniqueConstraint("path"),
    )
    op.create_table(
        "folders",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("root_id", sa.Integer(), sa.ForeignKey("roots.id", ondelete="CASCADE"), nullable=False),
        sa.Column("path", ExactText(), nullable=False),
        sa.UniqueConstraint("root_id", "path"),
    )


def _photos() -> None:
    op.create_table(
        "photos",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("folder_id", sa.Integer(), sa.ForeignKey("folders.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", ExactText(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.String()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", ExactText()),
        sa.Column("missing_since", UtcDateTime()),
        sa.Column("indexed_at", UtcDateTime(), nullable=False),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("format", sa.String()),
        sa.Column("orientation", sa.Integer()),
        sa.Column("taken_at", sa.DateTime()),
        sa.Column("taken_offset_min", sa.Integer()),
        sa.Column("taken_source", sa.String()),
        sa.Column("latitude", sa.Double()),
        sa.Column("longitude", sa.Double()),
        sa.Column("altitude", sa.Double()),
        sa.Column("camera_make", ExactText()),
        sa.Column("camera_model", ExactText()),
        sa.Column("lens", ExactText()),
        sa.UniqueConstraint("folder_id", "name"),
        sa.CheckConstraint("state IN ('ok', 'failed')", name="state"),
        sa.CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="reason"),
        sqlite_autoincrement=True,
    )
    for column in ("size", "content_hash", "taken_at"):
        op.create_index(None, "photos", [column])
    op.create_index("ix_photos_failed", "photos", ["folder_id"], sqlite_where=sa.text("state = 'failed'"))
    op.create_index("ix_photos_missing", "photos", ["missing_since"], sqlite_where=sa.text("missing_since IS NOT NULL"))


def _models_and_embeddings() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", ExactText(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("fingerprint"),
    )
    photo = sa.ForeignKey("photos.id", ondelete="CASCADE")
    op.create_table(
        "embeddings",
        sa.Column("model_id", sa.Integer(), sa.ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("photo_id", sa.Integer(), photo, primary_key=True),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
    )
    op.create_index(None, "embeddings", ["photo_id"])
    op.create_index("ix_embeddings_generation", "embeddings", ["model_id", "generation"])
