"""What photos' files say of them: exposure, rating, words, keywords, places, and the stamp of the sidecar."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from indexer.catalog.tables.photo_tables import ExactText

revision = "0002"
down_revision = "0001"

_COLUMNS: tuple[tuple[str, Any], ...] = (
    ("exposure_s", sa.Double()),
    ("f_number", sa.Double()),
    ("iso", sa.Integer()),
    ("focal_mm", sa.Double()),
    ("focal_35mm_mm", sa.Double()),
    ("rating", sa.Integer()),
    ("title", ExactText()),
    ("description", ExactText()),
    ("place_id", sa.Integer()),
    ("sidecar", ExactText()),
)


def upgrade() -> None:
    """Add them; the next run reads them in, since no photo's sidecar has been looked for."""
    for name, kind in _COLUMNS:
        op.add_column("photos", sa.Column(name, kind))
    op.create_index("ix_photos_place_id", "photos", ["place_id"])
    op.create_table(
        "places",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("city", ExactText(), nullable=False),
        sa.Column("region", ExactText(), nullable=False),
        sa.Column("country", ExactText(), nullable=False),
        sa.UniqueConstraint("country", "region", "city"),
    )
    op.create_table(
        "keywords",
        sa.Column("photo_id", sa.Integer(), sa.ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("keyword", ExactText(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
    )
    op.create_index("ix_keywords_keyword", "keywords", ["keyword"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("keywords")
    op.drop_table("places")
    op.drop_index("ix_photos_place_id", "photos")
    for name, _ in reversed(_COLUMNS):
        op.drop_column("photos", name)
