"""The daemon on a real folder, with native events and with polling: what people do to photos, and what befalls it."""

import errno
import os
import shutil
import time
from pathlib import Path

import pytest
from filelock import FileLock

from indexer.errors import DecoderStartError, ImageError, LibraryError, LibraryLockedError, ModelError
from indexer.pictures import images
from indexer.pipeline import sync
from indexer.watching import polling
from indexer.watching.retrying import Pauses, Retries
from indexer.watching.watcher import Watcher
from indexer.workers.isolation import WorkerPool
from tests.indexer.following import Followed, following, wait_until
from tests.indexer.worlds import draw

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(params=["native", "polling"])
def mode(request):
    return request.param


def test_a_new_photo_is_taken_and_an_old_one_stays(world, mode):
    world.write("old.png", 1)
    with following(world, mode=mode) as daemon:
        assert (daemon.total("added"), set(daemon.daemon.ways().values())) == (1, {mode})
        world.write("new.png", 2)
        daemon.wait_for(added=2)
    assert world.names() == ["new.png", "old.png"]
    world.assert_agreement()


def test_a_file_that_is_written_slowly_is_taken_once_and_whole(world, mode):
    whole = world.photos.parent / "whole.png"
    draw(5, (300, 200)).save(whole)
    content = whole.read_bytes()
    world.write("old.png", 1)
    with following(world, mode=mode, settle_ms=2000) as daemon:
        with (world.photos / "slow.png").open("wb") as file:
            for start in range(0, len(content), len(content) // 4):
                file.write(content[start : start + len(content) // 4])
                file.flush()
                time.sleep(0.1)  # the sender's pace, far below the settle time also on a busy machine
        daemon.wait_for(added=2)
        assert (daemon.total("failed"), daemon.total("updated")) == (0, 0)
    world.assert_agreement()


def test_a_file_that_grows_is_left_while_its_neighbour_is_taken(world, monkeypatch):
    monkeypatch.setattr("indexer.watching.daemon.PATIENCE_S", 0.5)
    world.write("old.png", 1)
    with following(world, mode="native", settle_ms=400) as daemon:
        with (world.photos / "growing.png").open("wb") as file:
            world.write("neighbour.png", 2)

            def taken_while_it_grows():
                file.write(b"x")
                file.flush()
                return daemon.total("added") >= 2

            wait_until(taken_while_it_grows, "the neighbour is taken")
            assert (daemon.total("added"), daemon.total("failed")) == (2, 0)
        daemon.wait_for(failed=1)
    assert world.names() == ["neighbour.png", "old.png"]


def test_moves_within_and_across_folders_keep_the_vector(world, mode):
    for name in ("a/one.png", "a/two.png", "b/three.png"):
        world.write(name, len(name) + ord(name[2]))
    with following(world, mode=mode) as daemon:
        (world.photos / "a/one.png").rename(world.photos / "a/uno.png")
        (world.photos / "a/two.png").rename(world.photos / "b/two.png")
        daemon.wait_for(moved=2, added=3, removed=0)
    assert world.names() == ["a/uno.png", "b/three.png", "b/two.png"]


def test_a_folder_that_moves_takes_its_photos_along_and_is_still_followed(world, mode):
    for seed in range(4):
        world.write(f"deep/er/{seed}.png", seed)
    with following(world, mode=mode) as daemon:
        (world.photos / "deep").rename(world.photos / "elsewhere")
        daemon.wait_for(moved=4, removed=0)
        world.write("elsewhere/er/new.png", 9)
        daemon.wait_for(added=5)
    assert "elsewhere/er/new.png" in world.names()


def test_an_editor_that_writes_by_rename_updates_the_photo(world, mode):
    photo = world.write("photo.png", 1)
    with following(world, mode=mode) as daemon:
        temporary = world.photos / "photo.png.tmp"
        draw(2).save(temporary, "PNG")
        temporary.replace(photo)
        daemon.wait_for(updated=1, added=1, removed=0, failed=0)
    assert world.nearest(2) == "photo.png"
    world.assert_agreement()


def test_a_sync_client_that_writes_by_temporary_name_adds_one_photo(world, mode):
    world.write("old.png", 1)
    with following(world, mode=mode) as daemon:
        temporary = world.write("~syncthing~new.png", 2)
        world.write(".syncthing.other.png.tmp.png", 3)
        world.write("marker.png", 4)
        daemon.wait_for(added=2)
        assert world.names() == ["marker.png", "old.png"]
        temporary.rename(world.photos / "new.png")
        daemon.wait_for(added=3, moved=0)
    assert world.names() == ["marker.png", "new.png", "old.png"]


def test_deleted_photos_and_folders_leave_the_library(world, mode):
    for seed in range(6):
        world.write(f"kept/{seed}.png", seed)
    world.write("kept/gone.png", 10)
    world.write("gone/one.png", 11)
    world.write("emptied/two.png", 12)
    with following(world, mode=mode) as daemon:
        (world.photos / "kept/gone.png").unlink()
        shutil.rmtree(world.photos / "gone")
        (world.photos / "emptied/two.png").unlink()
        daemon.wait_for(removed=3)
    assert world.names() == [f"kept/{seed}.png" for seed in range(6)]
    world.assert_agreement()


def test_a_new_folder_with_files_is_taken_with_all_below(world, mode):
    world.write("old.png", 1)
    outside = world.photos.parent / "outside"
    for seed in range(2, 5):
        (outside / "sub").mkdir(parents=True, exist_ok=True)
        draw(seed).save(outside / "sub" / f"{seed}.png")
    with following(world, mode=mode) as daemon:
        outside.rename(world.photos / "inside")
        world.write("fresh/er/5.png", 5)
        daemon.wait_for(added=5)
        world.write("inside/sub/later.png", 6)
        world.write("fresh/er/later.png", 7)
        daemon.wait_for(added=7)
    world.assert_agreement()


def test_a_burst_is_one_batch(world, mode):
    world.write("old.png", 1)
    ready = world.photos.parent / "ready"
    ready.mkdir()
    for seed in range(120):
        draw(1000 + seed, (24, 18)).save(ready / f"{seed:03}.png")
    with following(world, mode=mode, settle_ms=1500) as daemon:
        for seed in range(120):
            (world.photos / f"{seed % 3}").mkdir(exist_ok=True)
            shutil.copy(ready / f"{seed:03}.png", world.photos / f"{seed % 3}")
        daemon.wait_for(added=121)
        assert [report.added for report in daemon.reports] == [1, 120]


def test_what_happens_during_the_first_run_is_seen_too(world, mode):
    for seed in range(40):
        world.write(f"{seed}.png", seed)
    world.library.catalog.add_root(world.photos)
    with following(world, mode=mode) as daemon:
        world.write("late.png", 100)
        daemon.wait_for(added=41)


def test_hidden_folders_and_the_library_are_not_followed(world, tmp_path):
    world.write("old.png", 1)
    (world.photos / ".thumbnails").mkdir()
    with following(world, mode="native") as daemon:
        world.write(".thumbnails/small.png", 2)
        world.write("@eaDir/small.png", 3)
        world.write("marker.png", 4)
        daemon.wait_for(added=2)
        assert world.names() == ["marker.png", "old.png"]
        assert len(daemon.reports) == 2


def test_a_root_that_goes_away_keeps_its_photos_and_is_followed_again_when_it_is_back(world, mode):
    for seed in range(3):
        world.write(f"{seed}.png", seed)
    with following(world, mode=mode) as daemon:
        away = world.photos.with_name("away")
        world.photos.rename(away)
        wait_until(lambda: world.library.catalog.counts().missing == 3, "the photos are marked as missing")
        assert world.library.catalog.counts().photos == 3
        away.rename(world.photos)
        wait_until(lambda: world.library.catalog.counts().missing == 0, "the photos are back")
        world.write("new.png", 9)
        daemon.wait_for(added=4, removed=0)


def test_another_writer_is_waited_for(world):
    world.write("old.png", 1)
    with following(world, pauses=Pauses(first_s=0.05)) as daemon:
        with FileLock(world.library.folder / "writer.lock"):
            world.write("new.png", 2)
            wait_until(lambda: daemon.activity.now.state == "waiting", "it waits")
            assert "another picsift is writing" in daemon.activity.now.detail
            assert daemon.total("added") == 1
        daemon.wait_for(added=2)
        daemon.wait_idle()


def test_a_full_disk_stops_the_work_and_it_goes_on_by_itself(world, caplog):
    world.write("old.png", 1)
    with following(world, pauses=Pauses(first_s=0.05)) as daemon:
        engine = world.library.catalog.engine
        with engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        full = [pages]  # SQLite's own bound on the file makes it say what it says of a full disk
        from sqlalchemy import event

        def bound(connection, _record, _proxy):
            connection.execute(f"PRAGMA max_page_count = {full[0]}")

        event.listen(engine, "checkout", bound)
        for seed in range(120):
            draw(2000 + seed, (20, 14)).save(world.photos / f"{seed}-{'x' * 150}.png")
        wait_until(lambda: daemon.activity.now.state == "waiting", "it says that the disk is full")
        assert "is full" in daemon.activity.now.detail
        full[0] = 1_000_000
        wait_until(lambda: len(world.names()) == 121, "it goes on")
        daemon.wait_idle()
    world.assert_agreement()


def test_a_photo_that_cannot_be_read_now_is_tried_again(world, monkeypatch):
    """Root may read every file, so the answers of the system are those that others get."""
    world.write("old.png", 1)
    blocked = [True]
    as_it_is = os.access

    def access(path, mode, **options):
        return not (blocked[0] and str(path).endswith("new.png")) and as_it_is(path, mode, **options)

    run = WorkerPool.run

    def run_if_allowed(pool, recipe, path, *rest):
        if blocked[0] and path.name == "new.png":
            raise ImageError(f"{path} cannot be read: permission denied")
        return run(pool, recipe, path, *rest)

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(WorkerPool, "run", run_if_allowed)
    with following(world, retries=Retries((0.2, 0.2, 0.2))) as daemon:
        world.write("new.png", 2)
        daemon.wait_for(failed=1)
        wait_until(lambda: daemon.total("failed") >= 2, "it is tried again")
        blocked[0] = False
        daemon.wait_for(updated=1)
    assert world.names() == ["new.png", "old.png"]


def test_a_broken_photo_is_tried_again_when_it_changes(world, mode):
    world.write("old.png", 1)
    with following(world, mode=mode) as daemon:
        world.write("bad.png", b"no picture at all")
        daemon.wait_for(failed=1)
        world.write("bad.png", 2)
        daemon.wait_for(updated=1)
    assert world.names() == ["bad.png", "old.png"]


def test_a_file_that_is_filled_in_place_and_dated_back_is_taken_whole(world, mode):
    path = world.write("a.bmp", 1)
    half, before = path.read_bytes(), path.stat()
    path.write_bytes(half[: len(half) // 2].ljust(len(half), b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with following(world, mode=mode) as daemon:
        with path.open("r+b") as file:
            file.write(half)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        daemon.wait_for(updated=1)
    assert world.library.catalog.photo_at(path).content_hash == images.hash_file(path)
    world.assert_agreement()


def test_a_run_is_told_which_files_were_written_to_until_one_has_looked_at_them(world, monkeypatch):
    told, refused = [], [LibraryLockedError("busy")]

    def noted(*args, written, **options):
        told.append({Path(path).name for path in written})
        if "a.png" in told[-1] and refused:
            raise refused.pop()
        return sync(*args, written=written, **options)

    monkeypatch.setattr("indexer.watching.daemon.sync", noted)
    path = world.write("a.png", 1)
    with following(world, mode="native", pauses=Pauses(first_s=0.01)):
        path.open("r+b").close()
        wait_until(lambda: len(told) == 3, "the run that failed, and the one after it")
        world.write("b.png", 2)
        wait_until(lambda: len(told) == 4, "the next run")
    assert told == [set(), {"a.png"}, {"a.png"}, {"b.png"}]


def test_a_root_that_another_process_adds_is_followed(world, tmp_path):
    world.write("old.png", 1)
    more = tmp_path / "more"
    more.mkdir()
    draw(7).save(more / "seven.png")
    with following(world) as daemon:
        world.library.catalog.add_root(more)
        daemon.wait_for(added=2)
        draw(8).save(more / "eight.png")
        daemon.wait_for(added=3)


def test_a_jump_of_the_clock_looks_at_everything(world, monkeypatch):
    world.write("old.png", 1)
    with following(world, mode="native") as daemon:
        before = world.library.catalog.roots()[0].last_scan_at
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + 86_400)
        wait_until(lambda: world.library.catalog.roots()[0].last_scan_at > before, "a new look at the root")
        daemon.wait_idle()


def test_the_model_leaves_the_memory_and_comes_back(world):
    world.write("old.png", 1)
    with following(world, idle_unload_s=0.2) as daemon:
        wait_until(lambda: not world.embedder.loaded, "the model is unloaded")
        world.write("new.png", 2)
        daemon.wait_for(added=2)


def test_it_ends_at_once_in_the_middle_of_work_with_what_is_done_saved(world, monkeypatch):
    for seed in range(40):
        world.write(f"{seed}.png", 3000 + seed)
    world.library.catalog.add_root(world.photos)
    daemon = Followed(world, batch_size=8)
    embed, batches = world.embedder.embed_prepared, []

    def embed_and_wait(pixels):
        batches.append(len(pixels))
        if len(batches) > 1:
            assert daemon.stop.wait(60)
        return embed(pixels)

    monkeypatch.setattr(world.embedder, "embed_prepared", embed_and_wait)
    daemon.thread.start()
    wait_until(lambda: len(batches) > 1, "the first batch is embedded, and the second on its way")
    daemon.stop.set()
    daemon.thread.join(60)
    assert not daemon.thread.is_alive()
    assert daemon.error is None
    done = len(world.names())
    assert 1 <= batches[0] <= done < 40
    report = world.sync()
    assert (report.unchanged, report.added) == (done, 40 - done)


def test_a_decoder_that_is_killed_while_it_starts_is_waited_for(world, monkeypatch):
    world.write("old.png", 1)
    run, refusals = WorkerPool.run, []

    def run_unless_refused(pool, *call):
        if len(refusals) < 2:
            refusals.append(1)
            raise DecoderStartError("it ended with status -9")
        return run(pool, *call)

    with following(world, mode="polling", pauses=Pauses(first_s=0.05, longest_broken_s=0.05)) as daemon:
        monkeypatch.setattr(WorkerPool, "run", run_unless_refused)
        world.write("new.png", 2)
        daemon.wait_for(added=2)
    assert len(refusals) == 2


def test_a_moment_without_files_to_be_had_for_the_catalog_is_waited_for(world, monkeypatch):
    world.write("old.png", 1)
    with following(world, mode="polling") as daemon:
        roots, refusals = world.library.catalog.root_paths, []

        def refused():
            if len(refusals) < 3:
                refusals.append(1)
                raise LibraryError("catalog.db cannot be opened: too many open files")
            return roots()

        monkeypatch.setattr(type(world.library.catalog), "root_paths", lambda _: refused())
        wait_until(lambda: len(refusals) == 3 or daemon.error, "three refusals")
        world.write("new.png", 2)
        daemon.wait_for(added=2)


@pytest.mark.parametrize(
    "trouble",
    [
        OSError(errno.EMFILE, "Too many open files"),
        MemoryError(),
        ImportError("libtorch_cpu.so: cannot open shared object file: Too many open files"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("can't start new thread"),
        ModelError("the model cannot be read: Too many open files."),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("where", ["watcher", "model", "told"])
def test_trouble_that_passes_is_waited_for_wherever_it_is_met(world, monkeypatch, caplog, where, trouble):
    world.write("old.png", 1)
    met, told = [], []

    def meet(then):
        def first_refused(*args, **options):
            if told and len(met) < 2:
                met.append(1)
                raise trouble
            return then(*args, **options)

        return first_refused

    options = {"pauses": Pauses(first_s=0.02, longest_broken_s=0.02), "settle_ms": 40}
    if where == "watcher":
        monkeypatch.setattr(Watcher, "check", meet(Watcher.check))
    if where == "model":
        monkeypatch.setattr(world.embedder, "embed_prepared", meet(world.embedder.embed_prepared))
    with following(world, mode="polling", **options) as daemon:
        take = daemon.daemon._on_batch
        daemon.daemon._on_batch = meet(take) if where == "told" else take
        told.append(1)
        world.write("new.png", 2)
        wait_until(lambda: len(met) == 2 or (where == "told" and met) or daemon.error, "trouble")
        world.write("last.png", 3)
        wait_until(lambda: len(world.names()) == 3 or daemon.error, "both photos")
        daemon.wait_idle()
    said = [message for message in caplog.messages if message.startswith("work stops")]
    assert len(said) == len(set(said)) or where != "model"  # elsewhere it may have gone on in between


def test_a_model_that_cannot_be_used_from_the_start_ends_it(world, monkeypatch):
    world.write("a.png", 1)

    def refused(*_):
        raise ModelError("it is damaged.")

    monkeypatch.setattr(world.embedder, "load", refused)
    with pytest.raises(ModelError), following(world, mode="polling"):
        pass


def test_an_error_that_nobody_foresaw_ends_it(world, monkeypatch):
    def broken(*_, **__):
        raise KeyError("a defect")

    monkeypatch.setattr("indexer.watching.daemon.sync", broken)
    with pytest.raises(KeyError), following(world, mode="polling"):
        pass


def test_a_look_that_polling_cannot_make_is_made_again(world, monkeypatch):
    world.write("old.png", 1)
    with following(world, mode="polling") as daemon:
        scan, refused = polling.scan, []

        def scanned(*args, **options):
            if len(refused) < 2:
                refused.append(1)
                raise OSError(errno.EMFILE, "Too many open files")
            return scan(*args, **options)

        monkeypatch.setattr(daemon.daemon._watcher._poller, "_slowest_s", 0.05)
        monkeypatch.setattr(polling, "scan", scanned)
        wait_until(lambda: len(refused) == 2, "two refusals")
        world.write("new.png", 2)
        daemon.wait_for(added=2)
