"""Pictures that are searched by or looked at: decoded elsewhere, within bounds, while texts are answered."""

import gc
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from PIL import Image

from app.search.picture_decoder import PictureDecoder
from app.search.query import Prepared, Query
from app.web import pictures
from indexer.errors import ImageError, QueryError, TooLargeError
from tests.app.colours import World, names
from tests.app.serving import photo_id, picture, running
from tests.app.slow_colours import Held
from tests.indexer.processes import NewWorkers, wait_until

LIMIT_S = 60
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def bomb(side):
    """A small file of many pixels."""
    target = io.BytesIO()
    Image.new("1", (side, side)).save(target, "PNG")
    return target.getvalue()


@pytest.fixture
def held(world, tmp_path):
    """Decoding of query pictures waits until the test lets it go."""
    folder = tmp_path / "held"
    folder.mkdir()
    return Held(folder)


def test_a_picture_that_needs_too_much_memory_costs_a_sentence(world):
    world.index()
    world.settings = world.settings.model_copy(update={"decode_memory_mb": 64})
    search = world.services().search
    small = bomb(12_000)
    assert len(small) < 300_000
    with pytest.raises(QueryError, match=r"cannot be searched by: it needs more than 64 MB.*decode_memory_mb"):
        search.search(Query(image=small))
    assert names(search.search(Query(image=picture("green"), limit=1)).hits) == ["green.png"]


def test_a_picture_that_takes_too_long_costs_a_sentence(world, held):
    world.index()
    world.settings = world.settings.model_copy(update={"decode_timeout_s": 1})
    world.embedder.prepare = held
    with pytest.raises(QueryError, match="it took longer than 1 s"):
        world.services().search.search(Query(image=picture("green")))


@only_linux
@pytest.mark.fresh_workers
def test_previews_and_thumbnails_are_made_elsewhere_within_the_bounds_too(world):
    world.index()
    world.settings = world.settings.model_copy(update={"max_pixels": 500})
    services = world.services()
    catalog, store = services.library.catalog, services.library.thumbnails
    photo = catalog.photo(photo_id(services, "blue.png"))
    store.remove(photo.content_hash)
    workers = NewWorkers()
    for make in (
        lambda: pictures.preview(photo, catalog, services.decoder),
        lambda: pictures.thumbnail(photo, catalog, store, services.decoder),
    ):
        with pytest.raises(TooLargeError, match="pixels"):
            make()
        assert len(workers()) == 1


def test_more_pixels_than_allowed_are_refused():
    decoder = PictureDecoder(max_pixels=1000)
    with pytest.raises(ImageError, match="pixels"):
        decoder.square(picture(), abs, 16)
    decoder.close()


def test_words_are_answered_while_a_picture_is_decoded(services, world, held):
    world.embedder.prepare = held
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(services.search.search, Query(image=picture("green"), limit=1))
        wait_until(held.begun, LIMIT_S)
        assert names(services.search.search(Query(text="blue", limit=1)).hits) == ["blue.png"]
        assert not slow.done()
        held.let_go()
        assert names(slow.result(LIMIT_S).hits) == ["green.png"]


def test_uploads_wait_for_their_turn_and_none_is_lost_while_words_are_answered(
    services, world, held, monkeypatch, tmp_path
):
    """More uploads than the server has threads: two are decoded at once, and a search finds a thread nevertheless."""
    world.embedder.prepare = held
    count = 48
    with (
        running(services, monkeypatch, tmp_path) as address,
        httpx.Client(base_url=address, timeout=LIMIT_S, limits=httpx.Limits(max_connections=count + 1)) as client,
        ThreadPoolExecutor(count) as threads,
    ):
        half = count // 2
        sent = [threads.submit(client.post, "/api/v1/pictures", content=picture("green")) for _ in range(half)]
        upload = {"file": ("a.png", picture("blue"), "image/png")}
        sent += [
            threads.submit(client.post, "/api/v1/search", files=upload, data={"limit": 1}) for _ in range(count - half)
        ]
        wait_until(lambda: held.begun() == 2, LIMIT_S)
        answer = client.get("/api/v1/search", params={"q": "red", "limit": 1})
        assert answer.json()["hits"][0]["path"].endswith("/red.png")
        assert held.begun() == 2 and not any(one.done() for one in sent)
        held.let_go()
        answers = [one.result(LIMIT_S) for one in sent]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["token"] for answer in answers[:half]}) == half == len(services.dropped)
    assert all(answer.json()["hits"][0]["path"].endswith("/blue.png") for answer in answers[half:])


@only_linux
@pytest.mark.fresh_workers
def test_processes_are_kept_for_a_while_and_then_end():
    workers = NewWorkers()
    decoder = PictureDecoder(rest_after_s=0.2)
    for _ in range(2):
        with pytest.raises(ImageError):
            decoder.square(b"no picture", abs, 16)
        wait_until(lambda: workers() == [], LIMIT_S)
    decoder.close()


@only_linux
@pytest.mark.fresh_workers
@pytest.mark.parametrize("how", ["close", "forget"])
def test_no_process_outlives_its_decoder(how):
    workers = NewWorkers()

    def use():
        decoder = PictureDecoder()
        with pytest.raises(ImageError):
            decoder.square(b"no picture", abs, 16)
        assert len(workers()) == 1
        if how == "close":
            decoder.close()

    use()
    gc.collect()
    wait_until(lambda: workers() == [], LIMIT_S)


def test_a_prepared_picture_is_searched_by_and_not_by_another_network(tmp_path):
    world = World(tmp_path)
    world.write("green.png", "green")
    world.index()
    services = world.services()
    pixels = world.embedder.prepare(Image.new("RGB", (4, 4), (0, 230, 0)))
    prepared = Prepared(world.embedder.image_size, pixels)
    assert names(services.search.search(Query(image=prepared)).hits) == ["green.png"]
    with pytest.raises(QueryError, match="another model"):
        services.search.search(Query(image=replace(prepared, side=224)))
