"""What could not be embedded, by model, and tokens of the generations, whose numbers come again after a restore.

The index file of an older library has none, so that it is made anew, from the stored vectors.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "embedding_failures",
        sa.Column("model_id", sa.Integer(), sa.ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("photo_id", sa.Integer(), sa.ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failed_at", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_embedding_failures_photo_id", "embedding_failures", ["photo_id"])
    op.create_table(
        "generations",
        sa.Column("model_id", sa.Integer(), sa.ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True),
        sa.Column("token", sa.String(), nullable=False),
    )
    op.execute(
        "INSERT INTO generations (model_id, number, token) "
        "SELECT id, generation, lower(hex(randomblob(16))) FROM models WHERE generation > 0"
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("generations")
    op.drop_table("embedding_failures")
