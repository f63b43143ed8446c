"""The time of a file's last change of anything, and its number on its disk, beside what can be restored of a stamp.

They are not known of the photos that are there already; the next run takes them over without opening a file. And how
much of a date is known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns."""
    for name in ("ctime_ns", "inode"):
        op.add_column("photos", sa.Column(name, sa.BigInteger()))
    op.add_column("photos", sa.Column("taken_precision", sa.String()))


def downgrade() -> None:
    """Drop them."""
    for name in ("taken_precision", "inode", "ctime_ns"):
        op.drop_column("photos", name)
