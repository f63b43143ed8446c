"""The main path on real files: what people do to folders, and what the library makes of it."""

import os
import shutil
import threading

import numpy as np
import pytest

from clip_model.inference import load_encoder
from indexer import storing
from indexer.catalog.tag_records import Decision
from indexer.embedder import Embedder
from indexer.errors import LibraryLockedError, RootError
from indexer.library import open_library
from indexer.pictures import images
from indexer.pipeline import sync
from indexer.vectors import file as vector_file
from indexer.workers.isolation import WorkerPool
from tests.indexer.processes import NewThreads
from tests.indexer.worlds import draw


def counts(report):
    return (report.added, report.updated, report.moved, report.removed, report.unchanged, report.failed)


@pytest.fixture
def reads(monkeypatch):
    """The photos that are opened, whether to hash or, in a worker, to decode them."""
    opened = []
    run, hash_file = WorkerPool.run, images.hash_file

    def run_noted(pool, recipe, path, *rest):
        opened.append(path.name)
        return run(pool, recipe, path, *rest)

    monkeypatch.setattr(WorkerPool, "run", run_noted)
    monkeypatch.setattr(images, "hash_file", lambda path, **how: opened.append(path.name) or hash_file(path, **how))
    return opened


def test_photos_are_added_and_found_by_their_looks(world):
    for seed, name in enumerate(["a.jpg", "b.png", "sub/c.webp", "sub/deep/d.bmp"]):
        world.write(name, seed)
    report = world.sync()
    assert counts(report) == (4, 0, 0, 0, 0, 0)
    assert report.messages == []
    assert [world.nearest(seed) for seed in range(4)] == ["a.jpg", "b.png", "sub/c.webp", "sub/deep/d.bmp"]
    world.assert_agreement()


def test_a_second_run_opens_no_photo_and_loads_no_model(world, reads):
    for seed in range(3):
        world.write(f"{seed}.png", seed)
    world.write("broken.jpg", b"not a picture")
    world.sync()
    del reads[:]
    embedder = Embedder(str(world.model), device="cpu")
    report = world.sync(embedder=embedder)
    assert counts(report) == (0, 0, 0, 0, 3, 0)
    assert reads == []
    assert not embedder.loaded
    assert "1 file in" in report.messages[0]


def test_a_photo_that_fails_does_not_shift_its_neighbours(world):
    world.write("a.png", 1)
    world.write("b.png", b"not a picture")
    world.write("c.png", 3)
    report = world.sync(batch_size=3)
    assert counts(report) == (2, 0, 0, 0, 0, 1)
    ((path, reason),) = report.failures
    assert path == str(world.photos / "b.png")
    assert reason
    assert (world.nearest(1), world.nearest(3)) == ("a.png", "c.png")
    (failed,) = world.library.catalog.failures()
    assert failed.reason == reason
    world.assert_agreement()


def test_a_failed_photo_is_tried_again_when_it_changes(world):
    world.write("a.png", b"not a picture")
    world.sync()
    world.write("a.png", 1)
    assert counts(world.sync()) == (0, 1, 0, 0, 0, 0)
    assert world.nearest(1) == "a.png"


def test_a_photo_that_may_not_be_read_is_tried_again_by_every_run(world, monkeypatch):
    path = world.write("a.png", 1)
    access = os.access
    monkeypatch.setattr(os, "access", lambda file, mode: os.fspath(file) != os.fspath(path) and access(file, mode))
    run = WorkerPool.run
    refuse = True

    def run_unless_refused(pool, *call):
        if refuse:
            raise images.ImageError("it may not be read: permission denied")
        return run(pool, *call)

    monkeypatch.setattr(WorkerPool, "run", run_unless_refused)
    assert counts(world.sync()) == (0, 0, 0, 0, 0, 1)
    refuse = False
    assert counts(world.sync()) == (0, 1, 0, 0, 0, 0)


def test_a_moved_photo_keeps_its_row_and_its_vector(world, reads):
    for seed in range(4):
        world.write(f"{seed}.png", seed)
    world.sync()
    before = world.library.catalog.photo_at(world.photos / "1.png")
    (world.photos / "sub").mkdir()
    (world.photos / "1.png").rename(world.photos / "sub" / "renamed.png")
    del reads[:]
    embedder = Embedder(str(world.model), device="cpu")
    assert counts(world.sync(embedder=embedder)) == (0, 0, 1, 0, 3, 0)
    assert reads == ["renamed.png", "renamed.png"]  # hashed, then asked for its date, since its name is another
    assert not embedder.loaded
    after = world.library.catalog.photo_at(world.photos / "sub" / "renamed.png")
    assert after.id == before.id
    assert world.nearest(1) == "sub/renamed.png"
    world.assert_agreement()


def test_a_moved_folder_is_moves_only(world):
    for seed in range(6):
        world.write(f"old/{seed}.png", seed)
    world.sync()
    (world.photos / "old").rename(world.photos / "new")
    assert counts(world.sync()) == (0, 0, 6, 0, 0, 0)
    assert world.names() == [f"new/{seed}.png" for seed in range(6)]
    world.assert_agreement()


def test_two_photos_that_swap_names_keep_their_looks(world):
    a, b = world.write("a.png", 1), world.write("b.png", 2)
    world.sync()
    before = [world.library.catalog.photo_at(path).id for path in (a, b)]
    a.rename(world.photos / "tmp.png")
    b.rename(a)
    (world.photos / "tmp.png").rename(b)
    assert counts(world.sync()) == (0, 0, 2, 0, 0, 0)
    assert (world.nearest(1), world.nearest(2)) == ("b.png", "a.png")
    assert [world.library.catalog.photo_at(path).id for path in (b, a)] == before  # and so their tags
    world.assert_agreement()


def test_a_photo_that_was_copied_over_another_and_edited_then_stays_the_one_of_its_path(world):
    a, b = world.write("a.png", 1), world.write("b.png", 2)
    world.sync()
    before = [world.library.catalog.photo_at(path).id for path in (a, b)]
    shutil.copy2(a, b)
    world.write("a.png", 3)
    assert counts(world.sync()) == (0, 2, 0, 0, 0, 0)
    assert [world.library.catalog.photo_at(path).id for path in (a, b)] == before
    world.assert_agreement()


def test_a_photo_replaced_in_place_with_the_same_size_is_embedded_again(world):
    path = world.write("a.bmp", 1)  # every BMP of these measures has the same size
    size = path.stat().st_size
    world.sync()
    old = world.library.catalog.photo_at(path)
    world.write("a.bmp", 2)
    assert path.stat().st_size == size
    assert counts(world.sync()) == (0, 1, 0, 0, 0, 0)
    assert world.library.catalog.photo_at(path).id == old.id
    world.write("b.bmp", 3)
    world.sync()
    assert (world.nearest(2), world.nearest(3)) == ("a.bmp", "b.bmp")
    world.assert_agreement()  # the thumbnail of the old content is gone too


@pytest.mark.parametrize(("name", "updated"), [("IMG_20210704_101112.png", 0), ("a.png", 1)])
def test_a_touched_photo_is_unchanged_unless_nothing_else_dates_it(world, idle, name, updated):
    path = world.write(name, 1)
    world.sync()
    os.utime(path, (1_500_000_000, 1_500_000_000))
    assert counts(world.sync(embedder=idle)) == (0, updated, 0, 0, 1 - updated, 0)
    assert world.library.catalog.photo_at(path).mtime_ns == 1_500_000_000 * 10**9


def test_a_copy_takes_the_vector_of_its_original(world):
    path = world.write("a.png", 1)
    world.sync()
    shutil.copyfile(path, world.photos / "copy.png")
    embedder = Embedder(str(world.model), device="cpu")
    assert counts(world.sync(embedder=embedder)) == (1, 0, 0, 0, 1, 0)
    assert not embedder.loaded
    path.unlink()
    assert world.sync().removed == 1
    assert world.nearest(1) == "copy.png"
    world.assert_agreement()  # the thumbnail that both had is still there


def test_a_copy_that_another_program_wrote_into_has_what_was_decided_of_its_original(world):
    path = world.write("a.jpg", 1)
    world.sync()
    catalog = world.library.catalog
    catalog.tags.decide([Decision(catalog.photo_at(path).id, ("dog",), "accepted")])
    copy = world.photos / "copy.jpg"
    draw(1).save(copy, comment=b"the same picture")
    assert counts(world.sync()) == (1, 0, 0, 0, 1, 0)
    number = catalog.photo_at(copy).id
    assert [(tag.path, tag.state) for tag in catalog.tags.of([number])[number]] == [(("dog",), "accepted")]


def test_a_copy_whose_original_changes_in_the_same_run_is_decoded_after_all(world, monkeypatch):
    path = world.write("z.bmp", 1)
    world.sync()
    shutil.copyfile(path, world.photos / "copy.bmp")
    catalog, original = world.library.catalog, world.library.catalog.photo_at(path)
    # The decoder is told of the original as it was; by the time the copy is written it is another photo.
    by_content = type(catalog).by_content
    asked = []

    def first_true_then_gone(self, hashes, *, model_id):
        asked.append(set(hashes))
        return by_content(self, asked[-1], model_id=model_id) if len(asked) == 1 else {}

    monkeypatch.setattr(type(catalog), "by_content", first_true_then_gone)
    assert counts(world.sync()) == (1, 0, 0, 0, 1, 0)
    monkeypatch.undo()
    assert len(asked) == 3  # before it was decoded, before it was written, and before it was embedded
    assert catalog.photo_at(world.photos / "copy.bmp").content_hash == original.content_hash
    world.assert_agreement()


def test_removed_photos_go_and_their_thumbnails_with_them(world):
    for seed in range(5):
        world.write(f"{seed}.png", seed)
    world.sync()
    (world.photos / "0.png").unlink()
    (world.photos / "1.png").unlink()
    assert counts(world.sync()) == (0, 0, 0, 2, 3, 0)
    assert world.names() == ["2.png", "3.png", "4.png"]
    world.assert_agreement()


def test_a_run_that_would_remove_more_than_half_removes_nothing_unless_told_to(world):
    for seed in range(5):
        world.write(f"{seed}.png", seed)
    world.sync()
    for seed in range(3):
        (world.photos / f"{seed}.png").unlink()
    report = world.sync()
    assert counts(report) == (0, 0, 0, 0, 2, 0)
    assert "3 of the 5 photos" in report.messages[0]
    assert "--allow-mass-removal" in report.messages[0]
    assert len(world.names()) == 5
    assert world.library.catalog.counts().missing == 3
    assert world.sync(allow_mass_removal=True).removed == 3
    assert world.names() == ["3.png", "4.png"]


def test_an_empty_mount_point_removes_nothing_and_the_photos_come_back(world):
    for seed in range(3):
        world.write(f"{seed}.png", seed)
    world.sync()
    drive = world.photos.rename(world.photos.with_name("drive"))
    world.photos.mkdir()
    report = world.sync()
    assert counts(report) == (0, 0, 0, 0, 0, 0)
    assert "3 photos are kept" in report.messages[0]
    assert world.library.catalog.counts().missing == 3
    assert world.nearest(1) == "1.png"  # still found
    world.photos.rmdir()
    drive.rename(world.photos)
    assert counts(world.sync()) == (0, 0, 0, 0, 3, 0)
    assert world.library.catalog.counts().missing == 0


def test_an_absent_root_removes_nothing(world):
    world.write("a.png", 1)
    world.sync()
    world.photos.rename(world.photos.with_name("unplugged"))
    report = world.sync()
    assert report.removed == 0
    assert "does not exist" in report.messages[0]
    assert world.names() == ["a.png"]
    assert world.library.catalog.roots()[0].problem is not None


@pytest.mark.parametrize("make", [lambda path: path.write_text("x"), lambda path: None], ids=["file", "absent"])
def test_a_folder_that_is_none_is_refused(world, make):
    path = world.photos / "thing"
    make(path)
    with pytest.raises(RootError, match="thing"):
        world.sync(path)
    assert world.library.catalog.roots() == []


def test_a_folder_inside_a_root_is_looked_at_alone(world):
    world.write("a/1.png", 1)
    world.write("b/2.png", 2)
    world.sync()
    world.write("a/3.png", 3)
    world.write("b/4.png", 4)
    (world.photos / "b" / "2.png").unlink()
    assert counts(world.sync(world.photos / "a")) == (1, 0, 0, 0, 1, 0)
    assert world.names() == ["a/1.png", "a/3.png", "b/2.png"]


def test_a_folder_around_a_root_takes_it_over_and_keeps_its_photos(world):
    world.write("a/1.png", 1)
    world.sync(world.photos / "a")
    photo = world.library.catalog.photo_at(world.photos / "a" / "1.png")
    world.write("b/2.png", 2)
    assert counts(world.sync(world.photos / "a", world.photos)) == (1, 0, 0, 0, 1, 0)
    (root,) = world.library.catalog.roots()
    assert root.path == world.photos
    assert world.library.catalog.photo_at(world.photos / "a" / "1.png").id == photo.id


def test_a_photo_that_moves_between_roots_keeps_its_row(world, tmp_path):
    for seed in range(3):
        world.write(f"one/{seed}.png", seed)
    other = tmp_path / "other"
    other.mkdir()
    draw(9).save(other / "9.png")
    roots = (world.photos / "one", other)
    world.sync(*roots)
    photo = world.library.catalog.photo_at(world.photos / "one" / "1.png")
    (world.photos / "one" / "1.png").rename(other / "1.png")
    assert counts(world.sync(*roots)) == (0, 0, 1, 0, 3, 0)
    assert world.library.catalog.photo_at(other / "1.png").id == photo.id


def test_names_of_every_kind_survive(world):
    names = ['100%_sure\'s "best".png', "zwei\nzeilen.png", "ümläut 写真 🏖.png", os.fsdecode(b"latin-\xe9.png")]
    for seed, name in enumerate(names):
        world.write(name, seed)
    world.sync()
    assert world.names() == sorted(names)
    assert [world.nearest(seed) for seed in range(4)] == names
    assert counts(world.sync()) == (0, 0, 0, 0, 4, 0)


def test_the_library_inside_a_root_is_not_indexed(tmp_path, tiny_model_path):
    library = open_library(tmp_path / "photos" / "library", create=True)
    draw(1).save(tmp_path / "photos" / "a.png")
    embedder = Embedder(str(tiny_model_path), device="cpu")
    for expected in (1, 0):
        assert sync(library, embedder, [tmp_path / "photos"]).added == expected


def test_a_picture_above_the_bound_is_refused_with_its_size(world):
    draw(1, size=(400, 300)).save(world.photos / "large.png")
    report = world.sync(max_pixels=100_000)
    assert report.failed == 1
    assert "400 x 300 pixels" in report.failures[0][1]


def test_two_writers_are_not_let_in(world):
    world.write("a.png", 1)
    with world.library.writer_lock(), pytest.raises(LibraryLockedError, match="another picsift"):
        sync(open_library(world.library_folder, create=False), world.embedder, [world.photos])
    assert world.sync().added == 1


def test_progress_is_told_to_the_end(world):
    for seed in range(4):
        world.write(f"{seed}.png", seed)
    world.write("bad.png", b"")
    told = []
    world.sync(on_progress=told.append)
    assert told[0].stage == "scan"
    embedding = [progress for progress in told if progress.stage == "embed" and progress.total]
    assert [progress.done for progress in embedding] == list(range(6))
    assert (embedding[-1].total, embedding[-1].failed) == (5, 1)
    assert told[-1].stage == "done"


def test_a_stopped_run_keeps_what_it_did_and_the_next_takes_up_the_rest(world):
    for seed in range(12):
        world.write(f"{seed:02}.png", seed)
    done, threads = [], NewThreads("decode", "hash", "model")
    report = world.sync(batch_size=2, on_progress=done.append, stop=lambda: done[-1].done >= 5)
    assert report.added == 5
    assert len(world.names()) == 5  # which can be searched already
    assert threads() == []
    world.assert_agreement()
    assert counts(world.sync()) == (7, 0, 0, 0, 5, 0)
    world.assert_agreement()


def test_the_index_is_rebuilt_without_opening_a_photo(world, reads):
    for seed in range(3):
        world.write(f"{seed}.png", seed)
    world.sync()
    folder = world.library.index_folder(world.active)
    for damage in ("truncate", "delete", "flip"):
        data = folder / vector_file.read_pointer(folder).file
        if damage == "delete":
            data.unlink()
        else:
            content = bytearray(data.read_bytes())
            content[-1] ^= 1
            data.write_bytes(content[: len(content) // 2] if damage == "truncate" else content)
        del reads[:]
        if damage == "flip":  # the size is right: it shows when the index is read
            assert world.index().problem is not None
            continue
        report = world.sync()
        assert "rebuilt" in " ".join(report.messages)
        assert reads == []
        world.assert_agreement()


def test_a_new_model_takes_over_only_when_it_has_embedded_everything(world, other_model):
    for seed in range(6):
        world.write(f"{seed % 2}/{seed}.png", seed)
    world.sync()
    old = world.active
    report = world.sync(world.photos / "0", embedder=other_model)
    assert counts(report) == (0, 3, 0, 0, 0, 0)
    assert "3 photos are not embedded" in report.messages[0]
    assert world.active == old
    assert world.nearest(1) == "1/1.png"
    report = world.sync(embedder=other_model)
    assert counts(report) == (0, 3, 0, 0, 3, 0)
    assert world.active.fingerprint == other_model.fingerprint
    world.embedder = other_model
    assert world.nearest(5) == "1/5.png"
    world.assert_agreement()


def test_a_photo_that_changes_while_a_new_model_is_built_loses_its_old_vector(world, other_model):
    for seed in range(4):
        world.write(f"{seed % 2}/{seed}.png", seed)
    world.sync()
    world.write("0/0.png", 9)
    world.sync(world.photos / "0", embedder=other_model)
    photo = world.library.catalog.photo_at(world.photos / "0" / "0.png")
    assert world.library.catalog.embedding_of(photo.id, world.active.id) is None


def test_a_drive_that_goes_during_a_run_costs_nothing(world, other_model):
    for seed in range(6):
        world.write(f"{seed}.png", seed)
    world.sync()
    old, away = world.active, world.photos.with_name("away")

    def unplug(progress):
        if progress.stage == "embed" and world.photos.exists():
            world.photos.rename(away)

    report = world.sync(embedder=other_model, on_progress=unplug)
    assert counts(report) == (0, 0, 0, 0, 0, 6)
    assert world.active == old  # the new model has nothing to answer with
    assert world.library.catalog.counts().photos == 6
    assert world.nearest(3) == "3.png"
    away.rename(world.photos)
    assert counts(world.sync(embedder=other_model)) == (0, 6, 0, 0, 0, 0)
    assert world.active.fingerprint == other_model.fingerprint


def test_photos_that_swap_places_between_two_roots(world, tmp_path):
    for name, seed in (("one/a.png", 1), ("two/b.png", 2)):
        world.write(name, seed)
    roots = (world.photos / "one", world.photos / "two")
    world.sync(*roots)
    a, b = roots[0] / "a.png", roots[1] / "b.png"
    a.rename(tmp_path / "kept")
    b.rename(a)
    (tmp_path / "kept").rename(b)
    for path in (a, b):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    world.sync(*roots)
    assert (world.nearest(1), world.nearest(2)) == ("two/b.png", "one/a.png")
    world.assert_agreement()


def test_copies_crossing_between_two_roots_are_told_from_what_they_replace(world):
    one, two = world.photos / "one", world.photos / "two"
    world.write("one/a.png", 1)
    world.write("two/b.png", 2)
    world.sync(one, two)
    shutil.copyfile(one / "a.png", two / "copy.png")
    shutil.copyfile(two / "b.png", one / "copy.png")
    world.write("one/a.png", 3)
    world.write("two/b.png", 4)
    world.sync(one, two)
    found = [world.nearest(seed) for seed in (1, 2, 3, 4)]
    assert found == ["two/copy.png", "one/copy.png", "one/a.png", "two/b.png"]
    world.assert_agreement()


def test_a_picture_refused_by_a_setting_is_taken_when_the_setting_is_raised(world):
    world.write("a.png", 1)
    assert counts(world.sync(max_pixels=100)) == (0, 0, 0, 0, 0, 1)
    assert counts(world.sync()) == (0, 1, 0, 0, 0, 0)


def test_an_absent_root_goes_when_told_to_and_its_photos_move_to_where_they_are_now(world):
    for seed in range(3):
        world.write(f"old/{seed}.png", seed)
    world.sync(world.photos / "old")
    ids = world.library.catalog.embedding_ids(world.active.id).tolist()
    (world.photos / "old").rename(world.photos / "new")
    roots = (world.photos / "old", world.photos / "new")
    report = world.sync(*roots, allow_mass_removal=True)
    assert counts(report) == (0, 0, 3, 0, 0, 0)
    assert world.library.catalog.embedding_ids(world.active.id).tolist() == ids
    assert world.names() == [f"new/{seed}.png" for seed in range(3)]


def test_a_batch_with_a_picture_that_the_model_makes_nothing_of_fails_that_picture_alone(world, monkeypatch):
    for seed in range(3):
        world.write(f"{seed}.png", seed)
    embed, broken = Embedder.embed_prepared, []

    def refuse_one(self, pixels):
        if not broken:
            broken.append(pixels[1])
        if any(np.array_equal(one, broken[0]) for one in pixels):
            raise ValueError("no direction")
        return embed(self, pixels)

    monkeypatch.setattr(Embedder, "embed_prepared", refuse_one)
    report = world.sync()
    assert counts(report) == (2, 0, 0, 0, 0, 1)
    assert report.failures[0][0].endswith("1.png")


def test_a_picture_is_embedded_upright_and_once(world):
    image = draw(1, size=(96, 72))
    exif = image.getexif()
    exif[0x0112] = 6  # to be shown turned right by a quarter
    image.transpose(2).save(world.photos / "turned.png", exif=exif)  # 2: by 90 degrees to the left
    world.write("other.png", 2)
    world.sync()
    assert world.nearest(1) == "turned.png"
    decoded = images.load(world.photos / "turned.png", min_side=32).decoded.image
    assert decoded.getexif().get(0x0112) is None  # or a reader that minds EXIF would turn it again


def test_commits_are_small(world, monkeypatch):
    for seed in range(9):
        world.write(f"{seed}.png", seed)
    monkeypatch.setattr(storing, "COMMIT_PHOTOS", 3)
    stored = []
    store = type(world.library.catalog).store
    monkeypatch.setattr(
        type(world.library.catalog),
        "store",
        lambda self, root, photos, *rest: stored.append(len(photos)) or store(self, root, photos, *rest),
    )
    world.sync(batch_size=3)
    assert stored == [3, 3, 3]


@pytest.mark.parametrize("moment", ["scan", "hash"])
def test_told_to_stop_before_decoding_it_removes_nothing_and_the_next_run_takes_it_up(world, monkeypatch, moment):
    for seed in range(6):
        world.write(f"{seed % 2}/{seed}.png", seed)
    world.sync()
    (world.photos / "0" / "0.png").unlink()
    (world.photos / "0" / "2.png").rename(world.photos / "1" / "moved.png")
    world.write("1/new.png", 9)
    told = threading.Event()
    if moment == "hash":
        monkeypatch.setattr(images, "hash_file", lambda path, **how: told.set() or "nothing")
        for name in ("1.png", "3.png"):
            os.utime(world.photos / "1" / name, (1_500_000_000, 1_500_000_000))
    else:
        told.set()
    report = world.sync(workers=1, stop=told.is_set)
    monkeypatch.undo()
    assert counts(report)[:4] == (0, 0, 0, 0)
    assert len(world.names()) == 6
    touched = 2 if moment == "hash" else 0  # nothing but the file's time dates them
    assert counts(world.sync()) == (1, touched, 1, 1, 4 - touched, 0)
    world.assert_agreement()


def test_told_to_stop_while_the_model_loads_it_does_not_wait(world, monkeypatch):
    world.write("a.png", 1)
    loaded, told, waited = threading.Event(), threading.Event(), []
    monkeypatch.setattr(Embedder, "_ready", lambda self: told.set() or waited.append(loaded.wait(60)))
    report = world.sync(stop=told.is_set)
    assert not waited
    assert counts(report) == (0, 0, 0, 0, 0, 0)
    assert world.embedder.loading
    loaded.set()
    monkeypatch.undo()
    assert counts(world.sync()) == (1, 0, 0, 0, 0, 0)
    assert not world.embedder.loading


def test_told_to_stop_before_anything_is_done_it_loads_no_model(world, monkeypatch):
    world.write("a.png", 1)
    asked = []
    monkeypatch.setattr(Embedder, "load", lambda self, stop=None: asked.append(self))
    world.sync(stop=lambda: True)
    assert not asked
    assert world.library.catalog.active_model() is None


def test_a_pool_is_kept_between_runs(world):
    with WorkerPool() as pool:
        world.write("a.png", 1)
        world.sync(pool=pool)
        worker = pool.run(os.getpid)
        world.write("b.png", 2)
        world.sync(pool=pool)
        assert pool.run(os.getpid) == worker


def test_the_network_sees_the_same_numbers_through_a_worker(world):
    path = world.write("a.jpg", 1)
    world.sync(batch_size=1)
    encoder = load_encoder(world.model, device="cpu", precision="fp32")
    picture = images.load(path, min_side=encoder.image_size).decoded.image
    expected = encoder.encode_pixels([encoder.preprocess(picture)])[0].astype(np.float16)
    ids = world.library.catalog.embedding_ids(world.active.id)
    np.testing.assert_array_equal(world.index().vector(int(ids[0])), expected)
