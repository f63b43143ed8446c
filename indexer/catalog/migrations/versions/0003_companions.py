"""The RAWs that lie beside photos: one photo with several files."""

import sqlalchemy as sa
from alembic import op

from indexer.catalog.tables.photo_tables import ExactText

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    photo = sa.ForeignKey("photos.id", ondelete="CASCADE")
    op.create_table(
        "companions",
        sa.Column("photo_id", sa.Integer(), photo, primary_key=True),
        sa.Column("name", ExactText(), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("companions")
