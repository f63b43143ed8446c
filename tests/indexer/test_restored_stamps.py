"""Files that are written to and dated back, exchanged, filled in goes, or only touched: what is in them counts."""

import io
import os
import struct

import pytest
from PIL import Image
from sqlalchemy import text

from indexer.catalog.database import writing
from indexer.pictures import images
from indexer.workers.isolation import WorkerPool
from tests.indexer.worlds import draw
from tests.indexer.written import packet

LONG_AGO = (1_500_000_000, 1_500_000_000)


def counts(report):
    return (report.added, report.updated, report.moved, report.removed, report.unchanged, report.failed)


def photo(world, name):
    return world.library.catalog.photo_at(world.photos / name)


def put_back(path, content):
    """Other content of the same length in the very same file, with the time that it had."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def drawn(seed, kind, size=(96, 72), length=0):
    """A picture in a file, with zeros behind it up to a length."""
    whole = io.BytesIO()
    draw(seed, size).save(whole, kind)
    return whole.getvalue().ljust(length, b"\0")


@pytest.fixture
def hashed(monkeypatch):
    """The files that are opened, to hash them or in a worker."""
    opened, run, hash_file = [], WorkerPool.run, images.hash_file
    monkeypatch.setattr(images, "hash_file", lambda path, **how: opened.append(path.name) or hash_file(path, **how))
    monkeypatch.setattr(
        WorkerPool, "run", lambda pool, do, path, *o: opened.append(path.name) or run(pool, do, path, *o)
    )
    return opened


def test_a_photo_that_is_changed_in_place_and_dated_back_is_another_picture(world):
    path = world.write("a.bmp", 1)
    world.sync()
    before = photo(world, "a.bmp")
    put_back(path, drawn(2, "BMP"))
    assert counts(world.sync()) == (0, 1, 0, 0, 0, 0)
    after = photo(world, "a.bmp")
    assert after.id == before.id
    assert after.content_hash != before.content_hash
    assert world.nearest(2) == "a.bmp"
    world.assert_agreement()  # the old picture's thumbnail is gone, the new one's there
    assert counts(world.sync()) == (0, 0, 0, 0, 1, 0)


def test_two_photos_of_one_size_and_time_that_are_exchanged_keep_their_looks(world, idle):
    for name, seed in (("a.jpg", 1), ("b.jpg", 2), ("c.jpg", 3)):
        world.write(name, drawn(seed, "JPEG", length=8000))
        os.utime(world.photos / name, LONG_AGO)
    world.sync()
    a, b, aside = (world.photos / name for name in ("a.jpg", "b.jpg", "aside"))
    a.rename(aside), b.rename(a), aside.rename(b)
    assert counts(world.sync(embedder=idle)) == (0, 0, 2, 0, 1, 0)
    assert [world.nearest(seed) for seed in (1, 2, 3)] == ["b.jpg", "a.jpg", "c.jpg"]
    world.assert_agreement()


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "JPEG", "PNG"])
def test_a_file_made_in_full_length_and_filled_in_two_goes_is_taken_whole(world, kind):
    whole, path = drawn(7, kind, size=(400, 300)), world.photos / f"a.{kind.lower()}"
    path.write_bytes(whole[: len(whole) * 6 // 10].ljust(len(whole), b"\0"))
    os.utime(path, LONG_AGO)
    world.sync()  # a failed photo, or one that is half black
    put_back(path, whole)
    assert counts(world.sync()) == (0, 1, 0, 0, 0, 0)
    assert photo(world, path.name).content_hash == images.hash_file(path)
    assert photo(world, path.name).state == "ok"


def test_a_failed_file_is_tried_again_when_any_part_of_its_stamp_says_so(world):
    path = world.write("a.jpg", b"no picture")
    assert counts(world.sync()) == (0, 0, 0, 0, 0, 1)
    assert counts(world.sync()) == (0, 0, 0, 0, 0, 0)
    path.chmod(0o600)
    assert counts(world.sync()) == (0, 0, 0, 0, 0, 1)
    assert counts(world.sync()) == (0, 0, 0, 0, 0, 0)


def test_what_a_backup_program_touches_is_hashed_once_and_then_remembered(world, idle, hashed):
    for seed in range(3):
        world.write(f"{seed}.png", seed)
    world.sync()
    for path in world.photos.iterdir():
        os.link(path, world.photos.parent / f"backup-{path.name}")
    del hashed[:]
    assert counts(world.sync(embedder=idle)) == (0, 0, 0, 0, 3, 0)
    assert sorted(set(hashed)) == ["0.png", "1.png", "2.png"]
    del hashed[:]
    assert counts(world.sync(embedder=idle)) == (0, 0, 0, 0, 3, 0)
    assert hashed == []


def test_what_is_written_into_a_photo_that_is_dated_back_is_read(world, idle):
    def tagged(make):
        exif = Image.Exif()
        exif[0x010F] = make
        body, source = exif.tobytes(), drawn(1, "JPEG")
        return source[:2] + struct.pack(">HH", 0xFFE1, len(body) + 2) + body + source[2:]

    path = world.write("a.jpg", tagged("Acme One"))
    world.sync()
    put_back(path, tagged("Acme Two"))
    assert counts(world.sync(embedder=idle)) == (0, 1, 0, 0, 0, 0)
    assert photo(world, "a.jpg").camera_make == "Acme Two"


def test_a_sidecar_that_is_changed_and_dated_back_is_read(world, idle):
    world.write("a.png", 1)
    beside = world.write("a.png.xmp", packet(attributes='xmp:Rating="3"'))
    world.sync()
    put_back(beside, packet(attributes='xmp:Rating="4"'))
    assert counts(world.sync(embedder=idle)) == (0, 1, 0, 0, 0, 0)
    assert photo(world, "a.png").rating == 4


def as_an_older_picsift_left_it(world):
    with writing(world.library.catalog.engine) as connection:
        connection.execute(text("UPDATE photos SET ctime_ns = NULL, inode = NULL"))
        for number, sidecar in connection.execute(text("SELECT id, sidecar FROM photos WHERE sidecar <> ''")).all():
            size, rest = sidecar.split("-", 1)
            narrow = f"{size}-{rest.split(':')[0]}-{rest.split('-', 1)[1]}"
            connection.execute(text("UPDATE photos SET sidecar = :s WHERE id = :n"), {"s": narrow, "n": number})


def test_an_old_library_takes_the_wider_stamp_over_without_reading_a_photo(world, idle, hashed):
    for seed in range(3):
        world.write(f"sub/{seed}.bmp", seed)
    beside = world.write("sub/1.bmp.xmp", b"<x/>")
    world.sync()
    as_an_older_picsift_left_it(world)
    del hashed[:]
    assert counts(world.sync(embedder=idle)) == (0, 0, 0, 0, 3, 0)
    assert hashed == []
    for seed in range(3):
        found, status = photo(world, f"sub/{seed}.bmp"), (world.photos / f"sub/{seed}.bmp").stat()
        assert (found.ctime_ns, found.inode) == (status.st_ctime_ns, status.st_ino)
    put_back(world.photos / "sub/0.bmp", drawn(9, "BMP"))
    put_back(beside, b"<y/>")
    assert counts(world.sync()) == (0, 1, 0, 0, 2, 0)
    assert sorted(set(hashed)) == ["0.bmp", "1.bmp"]


def test_a_file_that_failed_under_an_old_stamp_is_tried_once_more(world):
    path = world.write("a.jpg", b"no picture")
    world.sync()
    whole = drawn(1, "JPEG", length=5000)
    world.write("b.jpg", b"\0" * len(whole))
    world.sync()
    put_back(world.photos / "b.jpg", whole)
    as_an_older_picsift_left_it(world)
    assert counts(world.sync()) == (0, 1, 0, 0, 0, 1)
    assert counts(world.sync()) == (0, 0, 0, 0, 1, 0)
    assert photo(world, path.name).state == "failed"


def test_a_file_that_was_written_to_is_looked_at_whatever_its_stamp(world):
    """As on a disk that keeps no time of a file's last change."""
    path = world.write("a.bmp", 1)
    world.sync()
    put_back(path, drawn(2, "BMP"))
    with writing(world.library.catalog.engine) as connection:
        connection.execute(text("UPDATE photos SET ctime_ns = :now"), {"now": path.stat().st_ctime_ns})
    assert counts(world.sync()) == (0, 0, 0, 0, 1, 0)
    assert counts(world.sync(written=[str(path)])) == (0, 1, 0, 0, 0, 0)
    assert world.nearest(2) == "a.bmp"
