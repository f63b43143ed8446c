"""What other programs do to photos between two runs: tags, moves, copies, rules; no picture is embedded twice."""

import os
import shutil
import struct

import numpy as np
import pytest
from PIL import Image

from indexer import storing
from indexer.embedder import Embedder
from indexer.folders.ignoring import FILE_NAME, Ignoring
from indexer.pictures.content import picture_hash as content
from tests.indexer.worlds import draw


def counts(report):
    return (report.added, report.updated, report.moved, report.removed, report.unchanged, report.failed)


def tag(path, make="Acme", size=40):
    """Write EXIF into a JPEG as other programs do: the coded picture stays, the file's size and time change."""
    exif = Image.Exif()
    exif[0x010F] = make
    exif[0x0131] = "x" * size
    body = exif.tobytes()
    source = path.read_bytes()
    start = 2
    while source[start + 1] in (0xE0, 0xE1):  # JFIF, and the EXIF of an earlier call
        if source[start + 1] == 0xE1:
            source = source[:start] + source[start + 2 + int.from_bytes(source[start + 2 : start + 4], "big") :]
        else:
            start += 2 + int.from_bytes(source[start + 2 : start + 4], "big")
    path.write_bytes(source[:start] + struct.pack(">HH", 0xFFE1, len(body) + 2) + body + source[start:])


def photo(world, name):
    return world.library.catalog.photo_at(world.photos / name)


def test_a_tag_written_by_another_program_keeps_the_vector_and_is_read(world, idle):
    for seed in range(3):
        world.write(f"{seed}.jpg", seed)
    world.sync()
    before, vector = photo(world, "1.jpg"), world.index().vector(photo(world, "1.jpg").id)
    tag(world.photos / "1.jpg")
    assert counts(world.sync(embedder=idle)) == (0, 1, 0, 0, 2, 0)
    after = photo(world, "1.jpg")
    assert (after.id, after.content_hash, after.camera_make) == (before.id, before.content_hash, "Acme")
    assert after.size == (world.photos / "1.jpg").stat().st_size != before.size
    np.testing.assert_array_equal(world.index().vector(after.id), vector)
    assert counts(world.sync(embedder=idle)) == (0, 0, 0, 0, 3, 0)
    world.assert_agreement()  # the thumbnail is still there


def test_a_turned_photo_is_embedded_again(world):
    world.write("a.jpg", 1)
    world.sync()
    image = draw(1)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(world.photos / "a.jpg", exif=exif)
    before = photo(world, "a.jpg")
    assert counts(world.sync()) == (0, 1, 0, 0, 0, 0)
    assert (photo(world, "a.jpg").content_hash != before.content_hash, photo(world, "a.jpg").width) == (True, 72)
    world.assert_agreement()


def test_a_photo_that_moved_and_was_tagged_meanwhile_is_found_again(world, idle):
    for seed in range(4):
        world.write(f"{seed}.jpg", seed)
    world.sync()
    ids = {seed: photo(world, f"{seed}.jpg").id for seed in range(4)}
    (world.photos / "new").mkdir()
    for seed, name in ((1, "new/1.jpg"), (2, "new/other name.jpg")):
        (world.photos / f"{seed}.jpg").rename(world.photos / name)
        tag(world.photos / name)
    assert counts(world.sync(embedder=idle)) == (0, 0, 2, 0, 2, 0)
    assert photo(world, "new/1.jpg").id == ids[1]
    assert photo(world, "new/other name.jpg").id == ids[2]
    assert photo(world, "new/1.jpg").camera_make == "Acme"
    assert counts(world.sync(embedder=idle)) == (0, 0, 0, 0, 4, 0)
    world.assert_agreement()


def test_namesakes_of_a_photo_that_moved_and_was_tagged_do_not_hide_it(world):
    gone = world.write("a.jpg", 1)
    world.sync()
    before = photo(world, "a.jpg")
    (world.photos / "new").mkdir()
    gone.rename(world.photos / "new" / "other name.jpg")
    tag(world.photos / "new" / "other name.jpg", size=4000)
    for seed in range(2, 6):  # nearer to the size that it had, each of them found by its name too
        world.write(f"{seed}/a.jpg", seed)
    assert counts(world.sync(allow_mass_removal=True)) == (4, 0, 1, 0, 0, 0)
    assert photo(world, "new/other name.jpg").id == before.id
    world.assert_agreement()


def test_a_copy_with_other_metadata_is_not_embedded_and_stays_a_copy(world, idle):
    first = world.write("a.jpg", 1)
    world.write("b.jpg", 2)
    world.sync()
    shutil.copyfile(first, world.photos / "copy.jpg")
    tag(world.photos / "copy.jpg")
    assert counts(world.sync(embedder=idle)) == (1, 0, 0, 0, 2, 0)
    copies = world.library.catalog.copies_of(photo(world, "a.jpg").id)
    assert [one.path.name for one in copies] == ["copy.jpg"]
    assert (photo(world, "copy.jpg").camera_make, photo(world, "a.jpg").camera_make) == ("Acme", None)
    assert world.library.catalog.copies_of(photo(world, "b.jpg").id) == []
    world.assert_agreement()


def test_copies_that_are_new_in_one_run_are_embedded_once(world, monkeypatch):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        world.write(name, 1)
        tag(world.photos / name, make=name, size=len(name) + ord(name[0]))
    embedded = []
    embed = Embedder.embed_prepared
    monkeypatch.setattr(
        Embedder, "embed_prepared", lambda self, pixels: embedded.append(len(pixels)) or embed(self, pixels)
    )
    assert counts(world.sync(batch_size=2)) == (3, 0, 0, 0, 0, 0)
    assert sum(embedded) == 1
    assert [photo(world, name).camera_make for name in ("a.jpg", "b.jpg", "c.jpg")] == ["a.jpg", "b.jpg", "c.jpg"]
    world.assert_agreement()


def test_a_copy_of_the_same_size_keeps_its_own_metadata(world):
    first = world.write("a.jpg", 1)
    tag(first, make="Acme")
    world.sync()
    shutil.copyfile(first, world.photos / "copy.jpg")
    tag(world.photos / "copy.jpg", make="Bcme")
    assert (world.photos / "copy.jpg").stat().st_size == first.stat().st_size
    assert counts(world.sync()) == (1, 0, 0, 0, 1, 0)
    assert (photo(world, "a.jpg").camera_make, photo(world, "copy.jpg").camera_make) == ("Acme", "Bcme")


def old_hashes(world):
    """Give every photo the hash that picsift kept first: that of its whole file."""
    catalog, thumbnails = world.library.catalog, world.library.thumbnails
    with catalog.engine.begin() as connection:
        for path in sorted(world.photos.rglob("*.jpg")):
            row, whole = catalog.photo_at(path), content.hash_file(path, whole=True)
            thumbnails.path(whole).parent.mkdir(parents=True, exist_ok=True)
            thumbnails.path(row.content_hash).rename(thumbnails.path(whole))
            connection.exec_driver_sql("UPDATE photos SET content_hash = ? WHERE id = ?", (whole, row.id))


def test_a_library_of_whole_file_hashes_is_not_embedded_again(world, idle):
    for seed in range(4):
        world.write(f"20210704_10111{seed}.jpg", seed)
    world.sync()
    old_hashes(world)
    assert counts(world.sync(embedder=idle)) == (0, 0, 0, 0, 4, 0)
    os.utime(world.photos / "20210704_101110.jpg", (1_500_000_000, 1_500_000_000))
    (world.photos / "20210704_101111.jpg").rename(world.photos / "moved.jpg")
    shutil.copyfile(world.photos / "20210704_101112.jpg", world.photos / "copy.jpg")
    assert counts(world.sync(embedder=idle)) == (1, 0, 1, 0, 3, 0)
    world.assert_agreement()


def test_old_hashes_keep_the_vectors_of_the_old_model_while_a_new_one_is_built(world):
    for seed in range(2):
        world.write(f"{seed}.jpg", seed)
    world.sync()
    old_hashes(world)
    catalog, first = world.library.catalog, world.active
    other = catalog.model("other", "f" * 64, world.embedder.dim)
    jobs = catalog.lacking(other.id)
    assert len(jobs) == 2
    with catalog.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE embeddings SET model_id = ?", (other.id,))
    assert counts(world.sync()) == (0, 2, 0, 0, 0, 0)  # the first model has to embed them once more
    assert catalog.embedding_count(other.id) == catalog.embedding_count(first.id) == 2


def test_a_photo_that_becomes_ignored_leaves_and_comes_back(world, idle):
    for seed in range(5):
        world.write(f"{'private/' if seed < 2 else ''}{seed}.jpg", seed)
    world.sync()
    rules = world.photos / FILE_NAME
    rules.write_text("private/\n")
    assert counts(world.sync(embedder=idle)) == (0, 0, 0, 2, 3, 0)
    assert world.names() == ["2.jpg", "3.jpg", "4.jpg"]
    rules.unlink()
    assert counts(world.sync()) == (2, 0, 0, 0, 3, 0)
    world.assert_agreement()
    assert counts(world.sync(ignoring=Ignoring(("private/",)))) == (0, 0, 0, 2, 3, 0)


def test_a_rule_that_would_empty_the_library_is_held_back_until_it_is_meant(world):
    for seed in range(5):
        world.write(f"{seed}.jpg", seed)
    world.sync()
    (world.photos / FILE_NAME).write_text("*\n")
    report = world.sync()
    assert counts(report) == (0, 0, 0, 0, 0, 0)
    assert "5 of them are passed over by ignore rules" in report.messages[0]
    assert world.library.catalog.counts().missing == 0  # their files are there
    assert len(world.names()) == 5
    assert world.sync(allow_mass_removal=True).removed == 5


def test_an_ignore_file_that_cannot_be_understood_is_named_and_costs_nothing(world):
    for seed in range(3):
        world.write(f"sub/{seed}.jpg", seed)
    world.write("a.jpg", 9)
    world.sync()
    (world.photos / "sub" / FILE_NAME).write_bytes("*.jpg".encode("utf-16"))
    world.write("sub/new.jpg", 10)
    report = world.sync()
    assert (report.added, report.removed) == (0, 0)
    assert any(FILE_NAME in message for message in report.messages)
    assert len(world.names()) == 4


def test_a_folder_that_a_rule_keeps_out_becomes_a_root_of_its_own(world):
    world.write("a.jpg", 1)
    world.write("private/b.jpg", 2)
    (world.photos / FILE_NAME).write_text("private/\n")
    world.sync()
    assert world.sync(world.photos / "private").added == 1
    assert [root.path.name for root in world.library.catalog.roots()] == ["photos", "private"]
    (world.photos / FILE_NAME).unlink()
    assert counts(world.sync(world.photos, world.photos / "private")) == (0, 0, 0, 0, 2, 0)  # and each photo once


def test_a_link_from_one_root_into_another_shows_nothing_twice(world, tmp_path):
    world.write("one/a.jpg", 1)
    world.write("two/sub/b.jpg", 2)
    (world.photos / "one" / "link").symlink_to(world.photos / "two" / "sub")
    (world.photos / "one" / "up").symlink_to(world.photos)
    (world.photos / "two" / "back").symlink_to(world.photos / "one")
    roots = (world.photos / "one", world.photos / "two")
    assert world.sync(*roots).added == 2
    assert world.names() == ["one/a.jpg", "two/sub/b.jpg"]
    (tmp_path / "alias").symlink_to(world.photos / "one")
    assert counts(world.sync(tmp_path / "alias")) == (0, 0, 0, 0, 1, 0)


def test_a_photo_moved_onto_another_takes_its_place(world, idle):
    for seed in range(4):
        world.write(f"{seed}.jpg", seed)
    world.sync()
    before = photo(world, "1.jpg")
    (world.photos / "1.jpg").replace(world.photos / "2.jpg")
    assert counts(world.sync(embedder=idle)) == (0, 0, 1, 1, 2, 0)
    assert photo(world, "2.jpg").id == before.id
    assert world.names() == ["0.jpg", "2.jpg", "3.jpg"]
    world.assert_agreement()


def test_a_photo_moved_onto_one_that_failed_takes_its_place(world, idle):
    world.write("1.jpg", 1)
    world.write("2.jpg", b"\xff\xd8\xff nothing")
    world.sync()
    before = photo(world, "1.jpg")
    (world.photos / "1.jpg").replace(world.photos / "2.jpg")
    assert counts(world.sync(embedder=idle, allow_mass_removal=True)) == (0, 0, 1, 0, 0, 0)
    assert photo(world, "2.jpg").id == before.id
    world.assert_agreement()


def test_photos_that_change_places_move_in_a_circle(world, idle):
    """What was decided of a photo goes with its picture, as where photos move up one by one."""
    for seed in range(4):
        world.write(f"{seed}.jpg", seed)
    world.sync()
    ids = [photo(world, f"{seed}.jpg").id for seed in range(4)]
    (world.photos / "0.jpg").rename(world.photos / "aside")
    for seed in (1, 2):
        (world.photos / f"{seed}.jpg").rename(world.photos / f"{seed - 1}.jpg")
    (world.photos / "aside").rename(world.photos / "2.jpg")
    assert counts(world.sync(embedder=idle)) == (0, 0, 3, 0, 1, 0)
    assert [photo(world, name).id for name in ("2.jpg", "0.jpg", "1.jpg", "3.jpg")] == ids
    world.assert_agreement()


@pytest.mark.parametrize("then", ["both swapped", "one swapped, the other edited"])
def test_copies_of_a_picture_change_places_by_their_numbers(world, then):
    a, b, x, y = (world.write(f"{name}.png", seed) for name, seed in zip("abxy", (1, 1, 2, 3), strict=True))
    os.utime(b, ns=(a.stat().st_atime_ns, a.stat().st_mtime_ns))
    world.sync()
    ids = {path: world.library.catalog.photo_at(path).id for path in (a, b, x, y)}
    for one, other in [(b, x), (a, y)] if then == "both swapped" else [(b, x)]:
        one.rename(world.photos / "aside")
        other.rename(one)
        (world.photos / "aside").rename(other)
    if then != "both swapped":
        world.write("a.png", 4)
    world.sync()
    now = {path: world.library.catalog.photo_at(path).id for path in (a, b, x, y)}
    assert (now[x], now[b]) == (ids[b], ids[x])
    assert (now[y], now[a]) == ((ids[a], ids[y]) if then == "both swapped" else (ids[y], ids[a]))
    world.assert_agreement()


def test_photos_that_change_places_and_times_are_not_embedded_again(world, idle, monkeypatch):
    """Nothing told of the circle: a photo is its place, its row stays there, and only the vectors change hands."""
    for seed in range(3):
        world.write(f"{seed}.jpg", seed)
    world.sync()
    ids = [photo(world, f"{seed}.jpg").id for seed in range(3)]
    (world.photos / "0.jpg").rename(world.photos / "aside")
    (world.photos / "1.jpg").rename(world.photos / "0.jpg")
    (world.photos / "aside").rename(world.photos / "1.jpg")
    for name in ("0.jpg", "1.jpg"):
        os.utime(world.photos / name, (1_600_000_000, 1_600_000_000))
    monkeypatch.setattr(storing, "COMMIT_PHOTOS", 1)  # the first is written before the second is looked up
    assert counts(world.sync(embedder=idle, batch_size=1)) == (0, 2, 0, 0, 1, 0)
    assert [photo(world, f"{seed}.jpg").id for seed in range(3)] == ids
    assert (world.nearest(0), world.nearest(1)) == ("1.jpg", "0.jpg")
    world.assert_agreement()


def test_photos_that_move_up_one_by_one_all_move(world, idle):
    """As a program that numbers photos anew does: 1 becomes 0, 2 becomes 1, 3 becomes 2."""
    for seed in range(5):
        world.write(f"{seed}.jpg", seed)
    world.sync()
    ids = [photo(world, f"{seed}.jpg").id for seed in range(5)]
    for seed in range(1, 4):
        (world.photos / f"{seed}.jpg").replace(world.photos / f"{seed - 1}.jpg")
    assert counts(world.sync(embedder=idle)) == (0, 0, 3, 1, 1, 0)
    assert [photo(world, name).id for name in ("0.jpg", "1.jpg", "2.jpg", "4.jpg")] == ids[1:]
    world.assert_agreement()
