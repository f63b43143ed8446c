"""What people decided of photos that are gone, for when they are put back."""

import sqlalchemy as sa
from alembic import op

from indexer.catalog.tables.photo_tables import ExactText, UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the table; of photos that are gone by now nothing is known."""
    op.create_table(
        "kept_decisions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("root_id", sa.Integer(), sa.ForeignKey("roots.id", ondelete="CASCADE"), nullable=False),
        sa.Column("folder", ExactText(), nullable=False),
        sa.Column("name", ExactText(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("tag_id", sa.Integer(), sa.ForeignKey("tags.id", ondelete="CASCADE")),
        sa.Column("field", sa.String()),
        sa.Column("value", ExactText(), nullable=False),
        sa.Column("origin", ExactText(), nullable=False),
        sa.Column("score", sa.Double()),
        sa.Column("confidence", sa.Double()),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("kept_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("(tag_id IS NULL) = (field IS NOT NULL)", name="what"),
    )
    op.create_index("ix_kept_decisions_content_hash", "kept_decisions", ["content_hash"])
    op.create_index("ix_kept_decisions_tag_id", "kept_decisions", ["tag_id"])


def downgrade() -> None:
    """Drop it: what was kept is gone."""
    op.drop_table("kept_decisions")
