"""What could not be embedded, by model: a failure under one model says nothing of another's vectors."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "embedding_failures",
        sa.Column("model_id", sa.Integer(), sa.ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("photo_id", sa.Integer(), sa.ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failed_at", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_embedding_failures_photo_id", "embedding_failures", ["photo_id"])


def downgrade() -> None:
    """Drop it; those photos are tried again as before."""
    op.drop_table("embedding_failures")
