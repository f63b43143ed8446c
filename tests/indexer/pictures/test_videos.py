"""Videos in a library: found by their frames, followed like photos, left out unless they are asked for."""

import shutil
from datetime import datetime

import numpy as np
import pytest

from indexer.catalog.frame_ids import FIRST_FRAME, frame_id, photo_of
from indexer.embedder import Embedder
from indexer.errors import ImageError
from indexer.metadata import photo_metadata as metadata
from indexer.metadata.video_header import read_header
from indexer.pictures import videos
from tests.indexer.videos import BLUE, GREEN, RED, draw_video
from tests.indexer.worlds import draw


def picture(seed):
    return np.asarray(draw(seed, size=(96, 64)))


def film(world, name, seeds, seconds=2, **options):
    """A video that shows each drawn picture for two seconds."""
    path = world.photos / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return draw_video(path, [picture(seed) for seed in seeds for _ in range(seconds)], **options)


def found(world, seed):
    """Path and moment of the nearest to a drawn picture."""
    index, catalog = world.index(), world.library.catalog
    ids, _ = index.search(world.embedder.embed_images([draw(seed, size=(96, 64))]), 1)[0]
    (photo,) = catalog.photos([photo_of(int(ids[0]))])
    moment = catalog.moments(world.active.id, ids.tolist()).get(int(ids[0]), photo.poster_s)
    return photo.path.name, moment


def test_videos_are_left_out_and_that_is_said(world):
    world.write("a.png", 1)
    film(world, "b.mp4", [2])
    film(world, "c.MOV", [3])
    report = world.sync()
    assert report.added == 1 and world.names() == ["a.png"]
    assert [m for m in report.messages if "left out" in m and ": 2." in m and "--videos" in m]
    assert [m for m in world.sync().messages if "left out" in m]
    (world.photos / "x").mkdir()
    assert not [m for m in world.sync(world.photos / "x").messages if "left out" in m]


def test_every_frame_has_its_vector_and_the_video_is_one_photo(world):
    world.write("a.png", 1)
    film(world, "b.mp4", [2, 3, 4, 5])
    report = world.sync(videos=True)
    assert (report.added, report.failed) == (2, 0)
    assert world.names() == ["a.png", "b.mp4"]
    index = world.index()
    assert len(index) == 5
    assert found(world, 2) == ("b.mp4", pytest.approx(1, abs=1.01))
    assert found(world, 5) == ("b.mp4", pytest.approx(7, abs=1.01))
    assert found(world, 1) == ("a.png", None)
    (video,) = [p for p in world.library.catalog.photos(list(range(1, 9))) if p.path.name == "b.mp4"]
    assert (video.format, video.width, video.height) == ("MP4", 96, 64)
    assert video.duration_s == pytest.approx(8, abs=0.3) and video.poster_s == pytest.approx(5, abs=1.01)
    world.assert_agreement()


def test_a_vector_is_that_of_its_frame(world):
    film(world, "b.mp4", [2, 3, 4])
    world.sync(videos=True)
    index = world.index()
    for number, seed in ((1, 2), (2, 4)):  # the poster is the middle one
        expected = world.embedder.embed_images([draw(seed, size=(96, 64))])[0]
        assert float(index.vector(frame_id(1, number)).astype(np.float32) @ expected) > 0.95


def test_a_run_that_is_not_told_follows_what_the_library_was_told_last(world):
    film(world, "a.mp4", [1, 2])
    world.sync(videos=True)
    film(world, "b.mp4", [3, 4])
    assert world.sync().added == 1
    film(world, "c.mp4", [5, 6])
    report = world.sync(videos=False)
    assert report.added == 0 and report.removed == 0 and [m for m in report.messages if ": 1." in m]
    assert world.sync().added == 0
    assert world.names() == ["a.mp4", "b.mp4"]
    world.assert_agreement()


def test_known_videos_are_followed_in_runs_that_take_no_new_ones(world, monkeypatch):
    film(world, "a.mp4", [1, 2])
    film(world, "b.mp4", [3, 4])
    world.write("c.png", 5)
    world.sync(videos=True)
    ids = world.library.catalog.embedding_ids(world.active.id).tolist()
    monkeypatch.setattr(Embedder, "embed_prepared", None)  # nothing has to be embedded again
    (world.photos / "x").mkdir()
    (world.photos / "a.mp4").rename(world.photos / "x" / "moved.mp4")
    film(world, "new.mp4", [7])
    report = world.sync(videos=False)
    assert (report.moved, report.added, report.removed) == (1, 0, 0)
    assert world.library.catalog.embedding_ids(world.active.id).tolist() == ids
    assert world.names() == ["b.mp4", "c.png", "x/moved.mp4"]
    (world.photos / "b.mp4").unlink()
    assert world.sync(videos=False).removed == 1
    assert world.names() == ["c.png", "x/moved.mp4"]
    world.assert_agreement()


def test_a_changed_video_is_embedded_again(world):
    film(world, "a.mp4", [1, 2])
    world.sync(videos=True)
    film(world, "a.mp4", [3, 4, 5])
    assert world.sync().updated == 1
    assert len(world.index()) == 3 and found(world, 5)[0] == "a.mp4"
    world.assert_agreement()


@pytest.mark.parametrize("options", [{}, {"movflags": "faststart"}])  # faststart: tags move the pictures in the file
def test_tags_written_into_a_video_by_another_program_leave_its_vectors(world, monkeypatch, options):
    film(world, "a.mp4", [1, 2], options=options)
    world.sync(videos=True)
    monkeypatch.setattr(Embedder, "embed_prepared", None)
    film(world, "a.mp4", [1, 2], header={"title": "The sea " * 20}, options=options)
    report = world.sync()
    assert (report.updated, report.failed) == (1, 0)
    assert world.library.catalog.photo(1).title.startswith("The sea")
    world.assert_agreement()


def test_a_copy_shares_the_frames_and_nothing_is_embedded_twice(world, monkeypatch):
    film(world, "a.mp4", [1, 2, 3])
    world.sync(videos=True)
    monkeypatch.setattr(Embedder, "embed_prepared", None)
    shutil.copyfile(world.photos / "a.mp4", world.photos / "b.mp4")
    assert world.sync().added == 1
    assert len(world.index()) == 6
    (world.photos / "a.mp4").unlink()
    world.sync()
    assert len(world.index()) == 3 and world.names() == ["b.mp4"]
    world.assert_agreement()


def test_copies_that_come_together_are_embedded_once(world, monkeypatch):
    path = film(world, "a.mp4", [1, 2, 3])
    for name in "bcd":
        shutil.copyfile(path, world.photos / f"{name}.mp4")
    embed, seen = Embedder.embed_prepared, []
    monkeypatch.setattr(Embedder, "embed_prepared", lambda self, p: seen.append(len(p)) or embed(self, p))
    world.sync(videos=True)
    assert sum(seen) == 3 and len(world.index()) == 12
    world.assert_agreement()


def test_another_model_embeds_the_frames_too(world, other_model):
    film(world, "a.mp4", [1, 2, 3])
    world.write("b.png", 4)
    world.sync(videos=True)
    first = world.active
    world.sync(embedder=other_model)
    catalog = world.library.catalog
    assert world.active.id != first.id
    assert catalog.embedding_ids(world.active.id).tolist() == catalog.embedding_ids(first.id).tolist()


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x18ftypisom" + b"\0" * 64])
def test_a_broken_video_is_a_failure_and_the_rest_goes_on(world, content):
    world.write("a.mp4", content)
    film(world, "b.mp4", [1])
    report = world.sync(videos=True)
    assert (report.added, report.failed) == (1, 1) and world.names() == ["b.mp4"]
    film(world, "a.mp4", [2, 3])
    assert world.sync().updated == 1
    world.assert_agreement()


def test_frames_that_are_too_large_are_refused_before_they_are_decoded(world):
    film(world, "a.mp4", [1])
    report = world.sync(videos=True, max_pixels=96 * 64 - 1)
    assert report.failed == 1 and "max_pixels" in report.failures[0][1]


def test_each_frame_is_told_of_before_it_is_decoded(tmp_path):
    path, told = draw_video(tmp_path / "a.mp4", [picture(1)] * 6), []
    loaded = videos.load(
        path,
        prepare=np.asarray,
        thumbnail=lambda frame: told.append("made") or b"",
        min_side=16,
        max_pixels=10**6,
        on_frame=lambda: told.append("next"),
    )
    assert len(loaded.pixels) == 3
    assert told == ["next", "made", "next", "made", "next", "made", "next"]


def test_the_poster_is_a_frame_that_shows_something(world):
    black = np.zeros((64, 96, 3), np.uint8)
    draw_video(world.photos / "a.mp4", [black] * 6 + [picture(1)] * 2)
    world.sync(videos=True)
    assert world.library.catalog.photo(1).poster_s == pytest.approx(7, abs=1.01)


def test_photos_come_before_videos(world):
    film(world, "a.mp4", [1, 2])
    for seed in range(3, 9):
        world.write(f"{seed}.png", seed)
    world.sync(videos=True, workers=1, batch_size=1)
    photos = world.library.catalog.photos(list(range(1, 8)))
    assert [photo.path.suffix for photo in photos] == [".png"] * 6 + [".mp4"]


def test_the_video_of_a_live_photo_is_its_companion(world):
    world.write("IMG_1.jpg", 1)
    film(world, "IMG_1.MOV", [2])
    film(world, "IMG_2.MOV", [3])
    film(world, "IMG_1.mp4", [4])
    world.sync(videos=True)
    assert world.names() == ["IMG_1.jpg", "IMG_1.mp4", "IMG_2.MOV"]
    photo = next(p for p in world.library.catalog.photos([1, 2, 3]) if p.path.name == "IMG_1.jpg")
    assert [path.name for path in photo.companions] == ["IMG_1.MOV"]


def test_a_still_that_comes_beside_its_video_takes_its_place(world):
    film(world, "IMG_1.MOV", [2, 3])
    world.write("other.jpg", 9)
    world.sync(videos=True)
    number = world.library.catalog.photo_at(world.photos / "IMG_1.MOV").id
    world.write("IMG_1.jpg", 1)
    world.sync()
    photo = world.library.catalog.photo(number)
    assert photo.path.name == "IMG_1.jpg" and photo.duration_s is None and world.nearest(1) == "IMG_1.jpg"
    world.assert_agreement()


def test_without_its_still_a_live_photos_video_is_a_video(world):
    world.write("IMG_1.jpg", 1)
    world.write("other.jpg", 9)
    film(world, "IMG_1.MOV", [2, 3])
    world.sync(videos=True)
    (world.photos / "IMG_1.jpg").unlink()
    world.sync()
    assert world.names() == ["IMG_1.MOV", "other.jpg"] and len(world.index()) == 3
    world.assert_agreement()


def test_what_the_header_says_is_what_the_photo_says(world):
    header = {"creation_time": "2021-07-04T10:11:12Z", "title": "At the sea", "location": "+52.5200+013.4050+034.0/"}
    film(world, "a.mp4", [1], header=header)
    world.sync(videos=True)
    photo = world.library.catalog.photo(1)
    assert (photo.taken_at, photo.taken_offset_min) == (datetime(2021, 7, 4, 10, 11, 12), 0)
    assert photo.taken_source == "container" and photo.title == "At the sea"
    assert photo.city == "Berlin" or photo.country == "Germany"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            {"com.apple.quicktime.creationdate": "2021-07-04T12:11:12+0200", "creation_time": "2021-07-04T10:11:12Z"},
            {"taken_at": datetime(2021, 7, 4, 12, 11, 12), "taken_offset_min": 120, "taken_source": "original"},
        ),
        ({"creation_time": "1904-01-01T00:00:00.000000Z"}, {"taken_at": None, "taken_source": None}),
        ({"date": "2021"}, {"taken_at": None}),
        ({"date": "1993-08"}, {"taken_at": datetime(1993, 8, 1), "taken_precision": "month"}),
        ({"date": "1993:08:00 00:00:00"}, {"taken_at": datetime(1993, 8, 1), "taken_precision": "month"}),
        ({"date": "1993:  :     :  :  "}, {"taken_at": datetime(1993, 1, 1), "taken_precision": "year"}),
        ({"date": "20210704"}, {"taken_at": datetime(2021, 7, 4), "taken_precision": None}),
        (
            {"com.apple.quicktime.creationdate": "2021-07-04T12:61:12+0200"},
            {"taken_at": datetime(2021, 7, 4), "taken_offset_min": 120, "taken_source": "original"},
        ),
        (
            {"creation_time": "2021-07-32T10:11:12Z"},
            {"taken_at": datetime(2021, 7, 1), "taken_precision": "month", "taken_source": "container"},
        ),
        (
            {"com.apple.quicktime.location.ISO6709": "-33.8568+151.2153+010.5/"},
            {"latitude": -33.8568, "longitude": 151.2153, "altitude": 10.5},
        ),
        ({"location": "+00.0000+000.0000/"}, {"latitude": None, "longitude": None}),
        ({"location": "+99.0000+000.0000/"}, {"latitude": None, "longitude": None}),
        ({"location": "nowhere"}, {"latitude": None, "longitude": None}),
        ({"location": "+52.5200+013.4050+99999999.0/"}, {"latitude": 52.52, "altitude": None}),
        (
            {"com.apple.quicktime.make": "Apple", "com.apple.quicktime.model": "Apple iPhone 12"},
            {"camera_make": "Apple", "camera_model": "iPhone 12"},
        ),
        ({"TITLE": "Loud\0rest", "comment": "x" * 9000}, {"title": "Loud", "description": "x" * 5000}),
        ({}, {"taken_at": None, "title": None}),
    ],
)
def test_headers_are_read_as_far_as_they_are_sound(header, expected):
    read = read_header(header)
    assert isinstance(read, metadata.PhotoMetadata)
    assert {name: getattr(read, name) for name in expected} == expected


def test_the_name_dates_a_video_before_the_clock_of_its_container(world):
    film(world, "VID_20210704_121112.mp4", [1], header={"creation_time": "2021-07-04T10:11:12Z"})
    world.sync(videos=True)
    photo = world.library.catalog.photo(1)
    assert (photo.taken_at, photo.taken_source) == (datetime(2021, 7, 4, 12, 11, 12), "name")


def test_a_frame_is_read_again_at_its_moment(tmp_path):
    path = draw_video(tmp_path / "a.mp4", [RED] * 2 + [GREEN] * 2 + [BLUE] * 2)
    for moment, colour in ((0, RED), (3, GREEN), (5.8, BLUE), (99, BLUE)):
        frame = videos.frame_at(path, moment, min_side=32, max_pixels=10**6)
        assert np.abs(np.asarray(frame, float).mean((0, 1)) - colour).max() < 60
    with pytest.raises(ImageError):
        videos.frame_at(tmp_path / "none.mp4", 0, min_side=32, max_pixels=10**6)


def test_frames_belong_to_no_photo_that_can_be_asked_for(world):
    film(world, "a.mp4", [1, 2])
    world.sync(videos=True)
    ids = world.library.catalog.embedding_ids(world.active.id)
    assert [photo.id for photo in world.library.catalog.photos(ids.tolist())] == [1]
    assert (ids >= FIRST_FRAME).sum() == 1
