"""Tags of photos, what was learned of them, edits, and the journal of exports."""

import sqlalchemy as sa
from alembic import op

from indexer.catalog.tables.photo_tables import ExactText, UtcDateTime

revision = "0005"
down_revision = "0004"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables; the library has no tags yet."""
    op.create_table(
        "tags",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("path", ExactText(), nullable=False),
        sa.UniqueConstraint("path"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "photo_tags",
        sa.Column("tag_id", sa.Integer(), sa.ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("photo_id", sa.Integer(), sa.ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("origin", ExactText(), nullable=False),
        sa.Column("model_id", sa.Integer(), sa.ForeignKey("models.id", ondelete="SET NULL")),
        sa.Column("score", sa.Double()),
        sa.Column("confidence", sa.Double()),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("state IN ('suggested', 'accepted', 'rejected')", name="state"),
    )
    op.create_index("ix_photo_tags_photo_id", "photo_tags", ["photo_id"])
    op.create_index("ix_photo_tags_model_id", "photo_tags", ["model_id"])
    _learned()
    _journal()


def _learned() -> None:
    op.create_table(
        "tag_fits",
        sa.Column("tag_id", sa.Integer(), sa.ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("model_id", sa.Integer(), sa.ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("fit", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary()),
        sa.Column("fitted_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "prompt_vectors",
        sa.Column("model_id", sa.Integer(), sa.ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "edits",
        sa.Column("photo_id", sa.Integer(), sa.ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("field", sa.String(), primary_key=True),
        sa.Column("value", ExactText(), nullable=False),
        sa.Column("origin", ExactText(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
    )


def _journal() -> None:
    op.create_table(
        "exports",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime()),
        sa.Column("undone_at", UtcDateTime()),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "export_steps",
        sa.Column("export_id", sa.Integer(), sa.ForeignKey("exports.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("photo_id", sa.Integer(), nullable=False),
        sa.Column("path", ExactText(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", ExactText()),
        sa.Column("before", sa.LargeBinary()),
        sa.Column("mtime_ns", sa.BigInteger()),
        sa.Column("mode", sa.Integer()),
        sa.Column("sha256_before", sa.String()),
        sa.Column("sha256_after", sa.String()),
        sa.Column("written", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('planned', 'done', 'failed', 'undone')", name="state"),
    )
    op.create_index("ix_export_steps_photo_id", "export_steps", ["photo_id"])


def downgrade() -> None:
    """Drop them: tags and decisions are gone."""
    for name in ("export_steps", "exports", "edits", "prompt_vectors", "tag_fits", "photo_tags", "tags"):
        op.drop_table(name)
