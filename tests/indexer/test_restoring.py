"""A damaged database, and the two ways out that its message names."""

import sqlite3
from contextlib import closing

import pytest

from indexer.errors import LibraryError
from indexer.library import open_library

ADDED_SINCE = ("ctime_ns", "inode", "taken_precision", "taken_instant_us")  # columns that the older schema has not


def damaged(world):
    """A library with two photos whose database is damaged; gives the backup that was made of it with one."""
    file, backup = world.library.folder / "catalog.db", world.photos.parent / "backup.db"
    world.write("a.png", 1)
    world.sync()
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    world.write("b.png", 2)
    world.sync()
    world.library.catalog.close()
    content = bytearray(file.read_bytes())
    content[100:] = b"\x55" * (len(content) - 100)
    file.write_bytes(content)
    (world.library.folder / "catalog.db-wal").write_bytes(b"left by a kill")
    with pytest.raises(LibraryError) as caught:
        open_library(world.library.folder, create=True).catalog.roots()
    return backup, str(caught.value)


def move_away(world, message):
    """As the message says it."""
    for name in ("catalog.db", "catalog.db-wal", "catalog.db-shm"):
        path = world.library.folder / name
        assert str(path) in message
        if path.exists():
            path.rename(path.with_name(f"damaged-{name}"))


def test_moving_it_away_and_indexing_again_works(world):
    _, message = damaged(world)
    assert "index again" in message
    move_away(world, message)
    (world.photos / "a.png").unlink()  # so that ids come again under other photos
    world.write("c.png", 3)
    world.library = open_library(world.library.folder, create=True)
    assert world.sync().added == 2
    assert (world.nearest(2), world.nearest(3)) == ("b.png", "c.png")
    world.assert_agreement(kills=True)


def test_a_backup_in_its_place_works_and_no_vector_stands_under_another_photo(world):
    backup, message = damaged(world)
    assert "backup" in message
    move_away(world, message)
    backup.rename(world.library.folder / "catalog.db")
    (world.photos / "b.png").unlink()
    world.write("c.png", 3)  # takes the id, and the generation, that b.png had
    world.library = open_library(world.library.folder, create=False)
    report = world.sync()
    assert (report.added, report.unchanged) == (1, 1)
    assert any("rebuilt" in message for message in report.messages)
    assert (world.nearest(1), world.nearest(3)) == ("a.png", "c.png")
    world.assert_agreement(kills=True)


def test_a_folder_that_is_no_library_is_still_refused(tmp_path):
    (tmp_path / "thumbnails").mkdir()
    with pytest.raises(LibraryError, match="is not empty and holds no library"):
        open_library(tmp_path, create=True)


def test_an_older_library_is_taken_over_without_embedding_anything(world):
    for seed in range(2):
        world.write(f"{seed}.png", seed)
    world.sync()
    world.library.catalog.close()
    with closing(sqlite3.connect(world.library.folder / "catalog.db")) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        for table in ("generations", "embedding_failures", "photo_words", "words_due", "kept_decisions"):
            connection.execute(f"DROP TABLE {table}")
        for index in ("ix_photos_instant_due", "ix_photos_taken_instant_us"):
            connection.execute(f"DROP INDEX {index}")
        for column in ADDED_SINCE:
            connection.execute(f"ALTER TABLE photos DROP COLUMN {column}")
        connection.execute("ALTER TABLE companions DROP COLUMN agreed")
        connection.execute("UPDATE alembic_version SET version_num = '0005'")
        connection.commit()
    world.library = open_library(world.library.folder, create=False)
    report = world.sync()
    assert (report.updated, report.unchanged) == (0, 2)
    assert any("rebuilt from 2 stored" in message for message in report.messages)
    assert world.sync().messages == []
    world.assert_agreement()
