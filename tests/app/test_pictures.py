"""What leaves the library as a picture, and under which name."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from serving import photo_id, picture

from app import pictures
from app.pictures import PictureGoneError, safe_filename, shown_path, small_picture
from indexer.errors import ImageError


@pytest.fixture
def photo(services):
    return services.library.catalog.photo(photo_id(services, "blue.png"))


@pytest.mark.parametrize("outside", ["/etc/passwd", "{root}/../elsewhere.png", "{root}-beside/a.png"])
def test_a_path_outside_the_root_is_refused(services, world, photo, outside):
    (world.photos.parent / "elsewhere.png").write_bytes(picture())
    path = Path(outside.format(root=world.photos))
    with pytest.raises(PictureGoneError, match="outside"):
        pictures.original(replace(photo, path=path), services.library.catalog)


def test_a_photo_of_a_forgotten_root_is_refused(services, photo):
    with pytest.raises(PictureGoneError):
        pictures.original(replace(photo, root_id=99), services.library.catalog)


def test_a_loop_of_links_and_a_folder_are_refused(services, world, photo):
    (world.photos / "blue.png").unlink()
    (world.photos / "blue.png").symlink_to(world.photos / "blue.png")
    with pytest.raises(PictureGoneError):
        pictures.original(photo, services.library.catalog)
    (world.photos / "blue.png").unlink()
    (world.photos / "blue.png").mkdir()
    with pytest.raises(PictureGoneError):
        pictures.original(photo, services.library.catalog)


def test_a_thumbnail_is_never_made_of_other_content(services, world, photo):
    library = services.library
    library.thumbnails.remove(photo.content_hash)
    (world.photos / "blue.png").write_bytes(picture("red"))
    with pytest.raises(PictureGoneError, match="changed"):
        pictures.thumbnail(photo, library.catalog, library.thumbnails)
    assert not library.thumbnails.exists(photo.content_hash)


def test_a_failed_photo_has_its_reason_for_a_thumbnail(services, photo):
    failed = replace(photo, content_hash=None, reason="truncated JPEG")
    with pytest.raises(ImageError, match="truncated JPEG"):
        pictures.thumbnail(failed, services.library.catalog, services.library.thumbnails)


@pytest.mark.parametrize("format", ["SVG", "HTML", "TIFF", "HEIF", None])
def test_only_formats_that_run_nothing_are_shown_inline(services, photo, format):
    served = pictures.original(replace(photo, format=format), services.library.catalog)
    assert (served.inline, served.media_type) == (False, "application/octet-stream")


def test_names_are_made_safe():
    assert shown_path(Path(os.fsdecode(b"/a/\xff.jpg"))) == "/a/\ufffd.jpg"
    assert safe_filename(Path('/a/b"\r\nX-Evil: 1;c\\d.jpg')) == "b_X-Evil: 1_c_d.jpg"


def test_a_small_picture_is_small_and_only_of_pictures():
    assert small_picture(picture())[:4] == b"RIFF"
    with pytest.raises(ImageError):
        small_picture(b"text")
