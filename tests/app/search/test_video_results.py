"""Videos where they are searched and shown: one hit for each, at the moment that fits best."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.cli.terminal import documents
from app.clock import clock
from app.search.language.filter_fields import make_filter
from app.search.query import Query
from app.web import pictures
from app.web.api import build_api
from app.web.door.security import Gate
from app.web.originals import PictureGoneError
from app.web.page import gallery
from app.web.page.browsing import frame_of
from app.web.page.viewer import viewer
from tests.app.colours import NAMES, names
from tests.app.serving import photo_id
from tests.indexer.videos import draw_video


@pytest.fixture
def services(world):
    """The library of five photos, and two videos: one of three colours, one of one."""
    draw_video(world.photos / "film.mp4", [NAMES[name] for name in ("black", "green", "red") for _ in range(2)])
    draw_video(world.photos / "trip" / "blue.mov", [NAMES["blue"]] * 4)
    world.index(videos=True)
    return world.services()


@pytest.fixture
def client(services):
    with TestClient(Gate(build_api(services)), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def found(services, words, **rest):
    return services.search.search(Query(text=words, **rest))


def colour_of(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float).mean((0, 1))


def test_a_video_is_one_hit_at_its_best_moment(services):
    for words, moment in (("red", 5), ("green", 3), ("black", 1)):
        hits = found(services, words, limit=20).hits
        assert names(hits).count("film.mp4") == 1
        (film,) = [hit for hit in hits if hit.photo.path.name == "film.mp4"]
        assert film.moment_s == pytest.approx(moment, abs=1.01)
    result = found(services, "red", limit=20)
    assert (result.total, len(result.hits), result.has_more) == (7, 7, False)
    assert {hit.moment_s for hit in result.hits if hit.photo.duration_s is None} == {None}


def test_the_first_page_is_full_though_frames_crowd_the_front(world):
    draw_video(world.photos / "long.mp4", [NAMES["red"]] * 60)
    world.index(videos=True)
    hits = found(world.services(), "red", limit=4).hits
    assert len(hits) == 4 and {"red.png", "long.mp4"} <= set(names(hits))


def the_film(result):
    """Its hit; how it and a photo of the same colour stand to each other is rounding's."""
    (film,) = [hit for hit in result.hits if hit.photo.path.name == "film.mp4"]
    return film


def test_filters_hold_for_frames_as_for_their_videos(services):
    result = found(services, "blue", filter=make_filter(folder="trip"))
    assert names(result.hits)[0] == "blue.mov"
    assert result.total == 3 and set(names(result.hits)) == {"blue.mov", "yellow.jpg", "purple.jpg"}
    assert "film.mp4" not in names(found(services, "red", filter=make_filter(folder="trip")).hits)


def test_photos_like_a_video_are_others(services):
    hits = services.search.similar(photo_id(services, "film.mp4")).hits
    assert len(hits) == 6 and "film.mp4" not in names(hits)
    assert names(hits)[0] == "green.png"  # its poster is the one in the middle


def test_a_frame_that_went_while_its_hit_was_shown_is_said_to_be_gone(services):
    catalog, store = services.library.catalog, services.library.thumbnails
    film = catalog.photo(photo_id(services, "film.mp4"))
    with pytest.raises(PictureGoneError, match="no frame 9"):
        pictures.thumbnail(film, catalog, store, services.decoder, frame=9)
    (photo,) = catalog.photos([photo_id(services, "red.png")])
    with pytest.raises(PictureGoneError, match="no frame 1"):
        pictures.preview(photo, catalog, services.decoder, frame=1)


def test_the_api_names_the_moment_and_serves_its_frame(client, services):
    body = client.get("/api/v1/search", params={"q": "red", "limit": 3}).json()
    (film,) = [hit for hit in body["hits"] if hit["path"].endswith("film.mp4")]
    assert film["moment_s"] == pytest.approx(5, abs=1.01) and film["duration_s"] == pytest.approx(6, abs=0.3)
    about = client.get(f"/api/v1/photos/{film['id']}").json()
    assert (about["duration_s"], about["format"]) == (film["duration_s"], "MP4")
    tags = set()
    for kind in ("thumbnail", "preview"):
        for frame, colour in ((film["frame"], "red"), (0, "green")):
            answer = client.get(f"/api/v1/photos/{film['id']}/{kind}", params={"frame": frame})
            assert answer.headers["content-type"] == "image/webp"
            assert np.abs(colour_of(answer.content) - NAMES[colour]).max() < 60
            tags.add(answer.headers["etag"])
    assert len(tags) == 4
    for frame in (-1, 301, "x"):
        assert client.get(f"/api/v1/photos/{film['id']}/preview", params={"frame": frame}).status_code == 422
    assert client.get(f"/api/v1/photos/{film['id']}/preview", params={"frame": 77}).status_code == 410


def test_thumbnails_of_frames_are_made_again_when_missing(services, client):
    film = the_film(found(services, "red", limit=2))
    assert film.frame
    store = services.library.thumbnails
    kept = store.path(film.photo.content_hash, film.frame).read_bytes()
    store.remove(film.photo.content_hash)
    assert not store.path(film.photo.content_hash, film.frame).exists()
    again = client.get(f"/api/v1/photos/{film.photo.id}/thumbnail", params={"frame": film.frame}).content
    assert np.abs(colour_of(again) - colour_of(kept)).max() < 8
    assert store.path(film.photo.content_hash, film.frame).read_bytes() == again


def test_a_video_is_served_in_ranges_for_the_player(client, services, world):
    number = photo_id(services, "film.mp4")
    answer = client.get(f"/api/v1/photos/{number}/original", headers={"Range": "bytes=4-11"})
    assert (answer.status_code, answer.content) == (206, (world.photos / "film.mp4").read_bytes()[4:12])
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-disposition"].startswith("inline")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_shows_moment_and_player(services):
    result = found(services, "red", limit=2)
    film = the_film(result)
    tiles = gallery.tiles(result.hits)
    assert tiles.count('class="moment"') == 1 and f"▶ {clock(film.moment_s)}" in tiles
    assert f"&amp;frame={film.frame}" in tiles
    assert f'data-frame="{film.frame}"' in tiles
    frame, moment = frame_of(services, film.photo, str(film.frame))
    assert (frame, moment) == (film.frame, film.moment_s)
    large = viewer(film.photo, frame=frame, moment_s=moment)
    assert "<video controls" in large and f"#t={film.moment_s:.2f}" in large and "autoplay" not in large
    photo = services.library.catalog.photo(photo_id(services, "red.png"))
    for one, other in ((film.photo, None), (film.photo, 0), (film.photo, 299), (film.photo, "x"), (photo, film.frame)):
        assert frame_of(services, one, other) == (0, one.poster_s)


def test_the_documents_of_the_command_line_name_the_moment(services):
    hits = documents.search_document(found(services, "red", limit=2))["hits"]
    for key in ("moment_s", "duration_s"):
        assert {Path(hit["path"]).name: hit[key] is None for hit in hits} == {"red.png": True, "film.mp4": False}


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00"), (9.9, "0:09"), (59.99, "0:59"), (64, "1:04"), (3599, "59:59"), (3671, "1:01:11")]
)
def test_moments_are_written_as_players_do(seconds, said):
    assert clock(seconds) == said
