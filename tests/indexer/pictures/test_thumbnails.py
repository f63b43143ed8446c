"""Thumbnails: small, shared by content, whole or not there."""

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.errors import LibraryError
from indexer.pictures.thumbnails import ThumbnailStore, encode, shrink

HASH = "ab" + "0123456789" * 3


@pytest.fixture
def store(tmp_path):
    return ThumbnailStore(tmp_path / "thumbnails")


def picture(size=(1000, 750)):
    return Image.linear_gradient("L").resize(size).convert("RGB")


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_thumbnail_is_a_small_webp_under_its_hash(store):
    path = store.write(HASH, picture())
    assert path == store.path(HASH) == store.folder / "ab" / f"{HASH}.webp"
    assert store.exists(HASH)
    with Image.open(path) as image:
        assert (image.format, image.size, image.mode) == ("WEBP", (384, 288), "RGB")
        assert abs(np.asarray(image, dtype=int) - np.asarray(picture().resize((384, 288)), dtype=int)).mean() < 3
    assert files_below(store.folder) == [f"ab/{HASH}.webp"]


def test_a_videos_frames_lie_beside_its_poster_and_go_with_it(store):
    paths = [store.write(HASH, picture()), store.keep(HASH, store.make(picture()), 1), store.keep(HASH, b"x", 12)]
    assert paths[1:] == [store.path(HASH, number) for number in (1, 12)]
    assert files_below(store.folder) == [f"ab/{HASH}.webp", f"ab/{HASH}/1.webp", f"ab/{HASH}/12.webp"]
    other = HASH[:-1] + "f"
    store.write(other, picture())
    store.remove(HASH)
    assert files_below(store.folder) == [f"ab/{other}.webp"]
    assert not (store.folder / "ab" / HASH).exists()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4000, 3000), (384, 288)), ((750, 1000), (288, 384)), ((100, 50), (100, 50)), ((1, 1), (1, 1)),
     ((384, 2), (384, 2)),
     ((5000, 500), (1152, 115)), ((2000, 400), (640, 128)), ((9000, 300), (1152, 38)), ((1000, 1), (1000, 1))],
)  # fmt: skip
def test_the_size_suits_a_gallery(size, expected):
    assert shrink(picture(size), 384).size == expected


def test_nothing_of_the_photo_but_its_pixels_is_in_it():
    image = picture((64, 64))
    image.info.update(icc_profile=b"x" * 99, exif=b"Exif\0\0secret place")
    assert b"secret" not in encode(image)


def test_a_thumbnail_that_exists_is_left_alone_and_an_empty_one_is_not(store):
    path = store.write(HASH, picture())
    before = path.read_bytes()
    assert store.write(HASH, Image.new("RGB", (10, 10))) == path
    assert path.read_bytes() == before
    path.write_bytes(b"")
    assert not store.exists(HASH)
    store.write(HASH, picture())
    assert path.read_bytes() == before


def test_remove_is_content_with_nothing_to_remove(store):
    store.remove(HASH)
    store.write(HASH, picture())
    store.remove(HASH)
    assert not store.exists(HASH)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "ab/../" + HASH, HASH.upper(), "ab", HASH + "\n", "g" * 32])
def test_only_hashes_lead_to_files(store, name):
    for method in (store.path, store.exists, store.remove, lambda name: store.write(name, picture())):
        with pytest.raises(ValueError, match="content hash"):
            method(name)


def test_a_folder_that_cannot_be_made_is_a_library_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = ThumbnailStore(tmp_path / "file" / "thumbnails")
    with pytest.raises(LibraryError, match=str(tmp_path / "file" / "thumbnails")):
        store.write(HASH, picture())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_a_library_error(store):
    store.folder.mkdir()
    store.folder.chmod(0o500)
    with pytest.raises(LibraryError, match="Permission denied"):
        store.write(HASH, picture())


def test_a_full_disk_is_a_library_error_and_leaves_nothing(store, monkeypatch):
    def full(self, content):
        with self.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(LibraryError, match=r"disk is full.*thumbnails"):
        store.write(HASH, picture())
    assert files_below(store.folder) == []


def test_an_interrupt_leaves_nothing(store, monkeypatch):
    def interrupted(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write(HASH, picture())
    assert files_below(store.folder) == []


def test_what_a_killed_process_left_can_be_swept(store):
    store.write(HASH, picture())
    (store.folder / "partial" / f"{HASH}-1-1.webp").write_bytes(b"half")
    assert store.remove_leftovers() == 1
    assert files_below(store.folder) == [f"ab/{HASH}.webp"]
    assert ThumbnailStore(store.folder / "none").remove_leftovers() == 0


def test_threads_that_write_the_same_thumbnail_do_not_disturb_each_other(store):
    barrier = threading.Barrier(8)

    def write(_):
        barrier.wait()
        return store.write(HASH, picture())

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, range(8))) == {store.path(HASH)}
    assert files_below(store.folder) == [f"ab/{HASH}.webp"]
