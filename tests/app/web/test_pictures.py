"""What leaves the library as a picture, and under which name."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import Request

from app.names import safe_filename, shown_path
from app.web import originals, pictures
from app.web.caching import caching_headers, file_tag
from app.web.originals import PictureGoneError
from indexer.errors import ImageError
from indexer.pictures.open_file import OpenFile, open_file, open_within
from tests.app.serving import photo_id, picture


@pytest.fixture
def photo(services):
    return services.library.catalog.photo(photo_id(services, "blue.png"))


def served(photo, services):
    """The bytes that would be sent for a photo's original, and whether a browser shows them."""
    with originals.opened(photo, services.library.catalog) as original:
        return original.file.held.read_bytes(), original.inline


@pytest.mark.parametrize("outside", ["/etc/passwd", "{root}/../elsewhere.png", "{root}-beside/a.png", "{root}"])
def test_a_path_outside_the_root_is_refused(services, world, photo, outside):
    (world.photos.parent / "elsewhere.png").write_bytes(picture())
    path = Path(outside.format(root=world.photos))
    with pytest.raises(PictureGoneError, match="outside"):
        served(photo._replace(path=path), services)


def test_a_photo_of_a_forgotten_root_is_refused(services, photo):
    with pytest.raises(PictureGoneError):
        served(photo._replace(root_id=99), services)


def test_what_is_no_file_is_refused_without_waiting_for_it(services, world, photo):
    path = world.photos / "blue.png"
    makers = [
        lambda: path.symlink_to(path),
        path.mkdir,
        lambda: os.mkfifo(path),
        lambda: path.symlink_to("/dev/zero"),
        lambda: None,
    ]
    path.unlink()
    for make in makers:
        make()
        with pytest.raises(PictureGoneError, match=r"cannot be read|changed"):
            served(photo, services)
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)


def test_a_link_to_what_is_no_picture_is_a_failed_photo_that_is_never_served(world, tmp_path):
    secret = tmp_path / "passwords"
    secret.write_text("not yours")
    (world.photos / "photo.jpg").symlink_to(secret)
    world.index()
    services = world.services()
    failed = services.library.catalog.photo(photo_id(services, "photo.jpg"))
    assert failed.content_hash is None
    assert (failed.size, failed.mtime_ns) == (secret.stat().st_size, secret.stat().st_mtime_ns)
    with pytest.raises(PictureGoneError, match="changed"):
        served(failed, services)
    with pytest.raises(PictureGoneError, match="changed"):
        pictures.preview(failed, services.library.catalog, services.decoder)


@pytest.mark.parametrize("folder", [False, True])
def test_behind_a_link_only_the_picture_that_was_indexed_is_served(world, tmp_path, folder):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "linked.png").write_bytes(picture("black"))
    if folder:
        (world.photos / "linked").symlink_to(elsewhere)
    else:
        (world.photos / "linked.png").symlink_to(elsewhere / "linked.png")
    world.index()
    services = world.services()
    linked = services.library.catalog.photo(photo_id(services, "linked.png"))
    for _ in range(2):
        assert served(linked, services) == (picture("black"), True)
    before = (elsewhere / "linked.png").stat()
    secret = b"\x89PNG not yours".ljust(before.st_size)
    (elsewhere / "linked.png").write_bytes(secret)
    os.utime(elsewhere / "linked.png", ns=(before.st_atime_ns, before.st_mtime_ns))  # size and time as they were
    with pytest.raises(PictureGoneError, match="changed"):
        served(linked, services)


def test_a_picture_that_was_changed_in_place_and_dated_back_has_another_tag_and_is_not_kept(services, world, photo):
    path = world.photos / "blue.png"
    request = Request({"type": "http", "query_string": f"v={photo.content_hash}".encode(), "headers": []})
    before = path.stat()
    assert "immutable" in caching_headers(request, photo, "tag", before)["Cache-Control"]
    with path.open("r+b") as file:
        file.write(picture("green")[: before.st_size])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "immutable" not in caching_headers(request, photo, "tag", path.stat())["Cache-Control"]
    assert file_tag(path.stat()) != file_tag(before)


def test_a_link_within_the_root_is_a_link(services, world, photo):
    (world.photos / "notes.txt").write_text("not yours")
    (world.photos / "blue.png").unlink()
    (world.photos / "blue.png").symlink_to("notes.txt")
    with pytest.raises(PictureGoneError, match="changed"):
        served(photo, services)


@pytest.mark.parametrize("size", [0, 1 << 40])
def test_a_file_behind_a_link_whose_size_tells_that_it_is_another_is_not_read(
    services, world, photo, tmp_path, monkeypatch, size
):
    """Files of /proc have no size, and some have whoever reads them wait for ever."""
    with (tmp_path / "endless").open("wb") as endless:
        endless.truncate(size)
    (world.photos / "blue.png").unlink()
    (world.photos / "blue.png").symlink_to(tmp_path / "endless")
    monkeypatch.setattr(originals.images, "hash_file", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(PictureGoneError, match="changed"):
        served(photo, services)


def test_a_root_that_is_reached_through_a_link_is_no_link_within(tmp_path, world):
    (tmp_path / "way").symlink_to(world.photos)
    file = open_within(tmp_path / "way", Path("trip/../red.png"))
    assert file is not None
    file.close()


def test_a_file_that_is_put_in_the_place_of_one_that_was_checked_is_not_sent(services, world, photo, tmp_path):
    whole = (world.photos / "blue.png").read_bytes()
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    with originals.opened(photo, services.library.catalog) as original:
        (world.photos / "blue.png").unlink()
        (world.photos / "blue.png").symlink_to(secret)
        assert original.file.held.read_bytes() == whole
        with pytest.raises(ImageError, match="changed while it was read"):
            services.decoder.photo(original.file, [], 64, services.library.thumbnails.make)


@pytest.mark.parametrize("part", ["trip", "yellow.jpg"])
def test_a_link_that_is_put_in_the_way_after_the_look_is_not_followed(world, tmp_path, monkeypatch, part):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "yellow.jpg").write_text("not yours")
    place = world.photos / "trip" if part == "trip" else world.photos / "trip" / part
    real = os.open

    def swap(name, *args, **kwargs):
        if name == part:
            place.rename(tmp_path / "aside")
            place.symlink_to(elsewhere if part == "trip" else elsewhere / part)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", swap)
    monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, swap})
    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        open_within(world.photos, Path("trip/yellow.jpg"))


def test_two_looks_at_one_file_are_equal_until_it_changes(tmp_path):
    path = tmp_path / "a"
    path.write_text("a")

    def look() -> OpenFile:
        file = open_file(path)
        file.close()
        return file

    first = look()
    assert look() == first and hash(look()) == hash(first)
    path.write_text("longer")
    assert look() != first


def held_below(folder):
    """The folder, and what lies in it, as often as this process holds it open: an earlier test's is elsewhere."""
    known = {(status.st_dev, status.st_ino): path for path in [folder, *folder.rglob("*")] for status in [path.stat()]}
    found = []
    for descriptor in os.listdir("/dev/fd"):  # noqa: PTH208 - no paths, but numbers
        with suppress(OSError):  # that of the list itself, and what another thread closes meanwhile
            status = os.fstat(int(descriptor))
            found.append(known.get((status.st_dev, status.st_ino)))
    return [path for path in found if path is not None]


def test_what_is_held_open_is_seen(services, world, photo):
    with originals.opened(photo, services.library.catalog):
        assert held_below(world.photos) == [world.photos / "blue.png"]


def test_no_descriptor_stays_open(services, world, photo):
    assert held_below(world.photos) == []
    for _ in range(20):
        served(photo, services)
        with pytest.raises(PictureGoneError):
            served(photo._replace(path=world.photos / "gone.png"), services)
    assert held_below(world.photos) == []


def test_a_failed_photo_in_its_place_is_a_download(services, world, photo):
    (world.photos / "blue.png").write_bytes(b"damaged")
    failed = photo._replace(content_hash=None, reason="truncated PNG")
    assert served(failed, services) == (b"damaged", False)


def test_a_thumbnail_is_never_made_of_other_content(services, world, photo):
    library = services.library
    library.thumbnails.remove(photo.content_hash)
    (world.photos / "blue.png").write_bytes(picture("red"))
    with pytest.raises(PictureGoneError, match="changed"):
        pictures.thumbnail(photo, library.catalog, library.thumbnails, services.decoder)
    assert not library.thumbnails.exists(photo.content_hash)


def test_a_failed_photo_has_its_reason_for_a_thumbnail(services, photo):
    failed = photo._replace(content_hash=None, reason="truncated JPEG")
    library = services.library
    with pytest.raises(ImageError, match="truncated JPEG"):
        pictures.thumbnail(failed, library.catalog, library.thumbnails, services.decoder)


@pytest.mark.parametrize("format", ["SVG", "HTML", "TIFF", "HEIF", None])
def test_only_formats_that_run_nothing_are_shown_inline(services, photo, format):
    with originals.opened(photo._replace(format=format), services.library.catalog) as original:
        assert (original.inline, original.media_type) == (False, "application/octet-stream")


def test_names_are_made_safe():
    assert shown_path(Path(os.fsdecode(b"/a/\xff.jpg"))) == "/a/\ufffd.jpg"
    assert safe_filename(Path('/a/b"\r\nX-Evil: 1;c\\d.jpg')) == "b_X-Evil: 1_c_d.jpg"
    assert safe_filename(Path("/a/gpj.\u202eexe.jpg")) == "gpj._exe.jpg"
    assert safe_filename(Path("/a/a\x9b31m\u2028b\x1b.jpg")) == "a_31m_b_.jpg"
