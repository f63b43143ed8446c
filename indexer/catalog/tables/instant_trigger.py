"""The trigger that takes a photo's instant away where its date changes without it, as a picsift that knows none writes.

What it leaves without one is due, and given it by `instants.py`: in the same transaction, or by the next that writes.
"""

from __future__ import annotations

from sqlalchemy import DDL, event

from indexer.catalog.tables.photo_tables import Base

TRIGGER = (
    "CREATE TRIGGER instants_stale AFTER UPDATE OF taken_at, taken_offset_min ON photos "
    "WHEN (OLD.taken_at IS NOT NEW.taken_at OR OLD.taken_offset_min IS NOT NEW.taken_offset_min) "
    "AND OLD.taken_instant_us IS NEW.taken_instant_us "
    "BEGIN UPDATE photos SET taken_instant_us = NULL WHERE id = NEW.id; END"
)

event.listen(Base.metadata, "after_create", DDL(TRIGGER))  # type: ignore[no-untyped-call]
