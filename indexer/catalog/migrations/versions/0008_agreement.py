"""How the files of a pair were compared; of older libraries nobody has, and the next run does it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column."""
    op.add_column("companions", sa.Column("agreed", sa.String()))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("companions", "agreed")
