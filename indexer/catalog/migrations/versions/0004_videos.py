"""Videos: photos with a duration and a poster, whose other frames have vectors of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns and the table."""
    for name in ("duration_s", "poster_s"):
        op.add_column("photos", sa.Column(name, sa.Double()))
    op.create_table(
        "frames",
        sa.Column("model_id", sa.Integer(), sa.ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("photo_id", sa.Integer(), sa.ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("moment_s", sa.Double(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_frames_generation", "frames", ["model_id", "generation"])
    op.create_index("ix_frames_photo_id", "frames", ["photo_id"])


def downgrade() -> None:
    """Drop them; videos stay as photos of their posters."""
    op.drop_table("frames")
    for name in ("duration_s", "poster_s"):
        op.drop_column("photos", name)
