"""The instants of photos, and the zone in which a clock is read whose offset nobody knows: this computer's."""

import sqlalchemy as sa
from alembic import op

from indexer.catalog import instants
from indexer.metadata.instants import local_zone_name

revision = "0010"
down_revision = "0009"

_STALE = (
    "CREATE TRIGGER instants_stale AFTER UPDATE OF taken_at, taken_offset_min ON photos "
    "WHEN (OLD.taken_at IS NOT NEW.taken_at OR OLD.taken_offset_min IS NOT NEW.taken_offset_min) "
    "AND OLD.taken_instant_us IS NEW.taken_instant_us "
    "BEGIN UPDATE photos SET taken_instant_us = NULL WHERE id = NEW.id; END"
)


def upgrade() -> None:
    """Add the column, filled for the photos that are there, and what keeps it true whoever writes dates."""
    op.add_column("photos", sa.Column("taken_instant_us", sa.BigInteger()))
    zone = sa.text("INSERT INTO settings (key, value) VALUES (:key, :zone) ON CONFLICT (key) DO NOTHING")
    op.get_bind().execute(zone, {"key": instants.ZONE, "zone": local_zone_name()})
    instants.settle_all(op.get_bind())
    op.create_index("ix_photos_taken_instant_us", "photos", ["taken_instant_us"])
    lacking = sa.text("taken_at IS NOT NULL AND taken_instant_us IS NULL")
    op.create_index("ix_photos_instant_due", "photos", ["id"], sqlite_where=lacking)
    op.execute(_STALE)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TRIGGER instants_stale")
    for name in ("ix_photos_instant_due", "ix_photos_taken_instant_us"):
        op.drop_index(name, "photos")
    op.drop_column("photos", "taken_instant_us")
    op.execute(sa.text("DELETE FROM settings WHERE key = :key").bindparams(key=instants.ZONE))
