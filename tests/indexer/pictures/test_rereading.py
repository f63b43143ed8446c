"""Sidecars that come, change and go are noticed; the metadata is read again, and no photo is embedded for it."""

import os
import struct
import zlib

import pytest
from PIL import Image
from sqlalchemy import text

from indexer.catalog.database import writing
from indexer.embedder import Embedder
from indexer.errors import ImageError
from indexer.pictures.images import load
from indexer.pictures.rereading import reread
from indexer.workers.isolation import WorkerPool
from tests.indexer.written import exif, jpeg, listed, packet


def photo_of(world, name="a.jpg"):
    return world.library.catalog.photo_at(world.photos / name)


def counts(report):
    return (report.added, report.updated, report.unchanged, report.failed)


def unloaded(world):
    return Embedder(str(world.model), device="cpu")


def test_a_sidecar_that_comes_changes_and_goes_is_read_without_the_model(world):
    world.write("a.jpg", jpeg(exif=exif({18246: 1})))
    world.write("b.jpg", jpeg(seed=1))
    world.sync()
    embedder, generation = unloaded(world), world.library.catalog.generation(world.active.id)
    for number, body in enumerate(["dog", "cat, a large one"]):
        world.write("a.jpg.xmp", packet(listed("dc:subject", body), 'xmp:Rating="5"'))
        assert counts(world.sync(embedder=embedder)) == (0, 1, 1, 0), number
        assert (photo_of(world).keywords, photo_of(world).rating) == ((body,), 5)
        assert counts(world.sync(embedder=embedder)) == (0, 0, 2, 0)
    (world.photos / "a.jpg.xmp").unlink()
    assert counts(world.sync(embedder=embedder)) == (0, 1, 1, 0)
    assert (photo_of(world).keywords, photo_of(world).rating) == ((), 1)
    assert not embedder.loaded
    assert world.library.catalog.generation(world.active.id) == generation
    world.assert_agreement()


def test_a_sidecar_that_is_there_from_the_start_is_read_with_the_photo(world):
    world.write("trip/a.jpg", jpeg(exif=exif({271: "Acme"})))
    world.write("trip/A.XMP", packet(attributes='dc:title="Dog"'))
    world.sync()
    found = photo_of(world, "trip/a.jpg")
    assert (found.title, found.camera_make) == ("Dog", "Acme")
    assert counts(world.sync()) == (0, 0, 1, 0)


def test_a_photo_written_again_and_its_new_sidecar_are_both_read(world):
    world.write("a.jpg", jpeg())
    world.sync()
    os.utime(world.photos / "a.jpg", ns=(1, 1))
    world.write("a.xmp", packet(attributes='dc:title="Dog"'))
    embedder = unloaded(world)
    assert counts(world.sync(embedder=embedder)) == (0, 1, 0, 0)
    assert photo_of(world).title == "Dog"
    assert not embedder.loaded


def test_a_copy_with_a_sidecar_of_its_own_is_read_by_the_next_run(world):
    world.write("a.jpg", jpeg())
    world.sync()
    world.write("sub/b.jpg", jpeg())
    world.write("sub/b.jpg.xmp", packet(attributes='dc:title="Dog"'))
    world.sync()
    world.sync()
    assert (photo_of(world).title, photo_of(world, "sub/b.jpg").title) == (None, "Dog")
    assert counts(world.sync()) == (0, 0, 2, 0)


def test_photos_of_a_library_that_was_upgraded_are_read_again_once(world):
    gps = {1: "N", 2: (38.0, 42.0, 50.0), 3: "W", 4: (9.0, 8.0, 0.0)}
    world.write("a.jpg", jpeg(exif=exif(gps=gps)))
    world.write("b.png", 1)
    world.sync()
    with writing(world.library.catalog.engine) as connection:
        connection.execute(text("UPDATE photos SET sidecar = NULL, place_id = NULL, taken_at = NULL"))
    embedder = unloaded(world)
    assert counts(world.sync(embedder=embedder)) == (0, 2, 0, 0)
    assert counts(world.sync(embedder=embedder)) == (0, 0, 2, 0)
    assert not embedder.loaded
    assert (photo_of(world).city, photo_of(world).country) == ("Lisbon", "Portugal")
    assert photo_of(world, "b.png").taken_source == "file"


def test_a_photo_that_cannot_be_read_again_keeps_what_is_known(world, monkeypatch):
    def refused(*_):
        raise ImageError("its metadata cannot be read again")

    world.write("a.jpg", jpeg(exif=exif({271: "Acme"})))
    world.sync()
    world.write("a.jpg.xmp", packet(attributes='dc:title="Dog"'))
    for fails in (True, False):
        with monkeypatch.context() as patch:
            if fails:
                patch.setattr(WorkerPool, "run", refused)
            report = world.sync()
        assert (photo_of(world).camera_make, photo_of(world).state) == ("Acme", "ok")
        assert counts(report) == ((0, 0, 0, 1) if fails else (0, 1, 0, 0))
    assert photo_of(world).title == "Dog"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif", "jxl"])
def test_reading_again_finds_what_decoding_found(world, suffix):
    path = world.photos / f"a.{suffix}"
    main, photo = {271: "Acme", 272: "One", 274: 6}, {36867: "2021:07:04 10:11:12", 33437: 2.8}
    if suffix == "jxl":
        pytest.importorskip("pillow_jxl")
    Image.new("RGB", (32, 24), "red").save(path, exif=exif(main, photo).tobytes())
    decoded = load(path, min_side=16).decoded.metadata
    assert (decoded.camera_make, decoded.f_number) == ("Acme", 2.8)
    assert reread(path, max_pixels=10_000, max_bytes=10**6) == decoded


def test_what_follows_a_pngs_pixels_is_read_too(tmp_path):
    path, text = tmp_path / "a.png", b"XML:com.adobe.xmp\0\0\0\0\0" + packet(attributes='dc:title="Dog"')
    Image.new("RGB", (32, 24), "red").save(path)
    source, checksum = path.read_bytes(), zlib.crc32(b"iTXt" + text)
    late = struct.pack(">I", len(text)) + b"iTXt" + text + struct.pack(">I", checksum)
    path.write_bytes(source[:-12] + late + source[-12:])
    assert load(path, min_side=16).decoded.metadata.title == "Dog"
    assert reread(path, max_pixels=10_000, max_bytes=10**6).title == "Dog"


def test_bounds_hold_and_what_is_wrong_is_said(tmp_path):
    path = tmp_path / "a.jpg"
    with pytest.raises(ImageError, match="cannot be read again"):
        reread(path, max_pixels=10**6, max_bytes=10**6)
    path.write_bytes(jpeg())
    with pytest.raises(ImageError, match="larger than the bound of 99"):
        reread(path, max_pixels=10**6, max_bytes=99)
    with pytest.raises(ImageError, match="more than the bound"):
        reread(path, max_pixels=99, max_bytes=10**6)
