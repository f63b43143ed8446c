"""The index that a server searches: of the catalog as it is, whatever its file was."""

import sqlite3
import threading
from contextlib import closing

import pytest

from app.search.matches import Matches
from app.search.paging import pages
from app.search.query import Query
from indexer.vectors.index import VectorIndex
from tests.indexer.processes import wait_until


def opened(services):
    library = services.library
    model = library.catalog.active_model()
    index = VectorIndex.open(library.index_folder(model), dim=model.dim, fingerprint=model.fingerprint)
    return model, index


def test_a_file_that_lacks_a_photo_of_its_own_generation_is_mended_when_it_is_opened(services):
    model, index = opened(services)
    index.remove(index.ids()[:1])
    index.save(index.generation)
    assert len(opened(services)[1]) == 4
    assert len(services.search.live.index(model)) == 5


def test_it_is_the_same_one_while_nothing_changes_and_follows_what_does(world, services):
    model, _ = opened(services)
    index = services.search.live.index(model)
    assert services.search.live.index(model) is index and len(index) == 5
    services.library.catalog.set_setting("of no concern", "1")
    assert services.search.live.index(model) is index and len(index) == 5
    world.write("orange.png", "purple")
    world.index()
    assert len(services.search.live.index(model)) == 6


@pytest.fixture
def reads(services, monkeypatch):
    """The threads that read the index."""
    live, threads = services.search.live, []
    read = live._open

    def noted(model):
        threads.append(threading.current_thread().name)
        return read(model)

    monkeypatch.setattr(live, "_open", noted)
    return threads


def test_one_that_was_read_ahead_is_taken_and_follows_what_came_since(world, services, reads):
    live, model = services.search.live, services.library.catalog.active_model()
    live.read_ahead()
    wait_until(lambda: live._ahead is not None)
    world.write("orange.png", "purple")
    world.index()
    assert len(live.index(model)) == 6
    assert reads == ["index-file"]
    assert live._ahead is None


def test_one_that_was_read_ahead_and_is_of_another_model_is_not_taken(services, reads):
    live, model = services.search.live, services.library.catalog.active_model()
    live._ahead = VectorIndex(services.library.index_folder(model), dim=model.dim, fingerprint="f" * 64)
    assert len(live.index(model)) == 5
    assert reads == ["MainThread"]


def test_what_goes_wrong_ahead_is_met_by_who_asks(services, reads, monkeypatch):
    live, model = services.search.live, services.library.catalog.active_model()
    monkeypatch.setattr(live, "model", lambda: reads.append("asked") or 1 / 0)
    live.read_ahead()
    wait_until(lambda: reads == ["asked"])
    assert len(live.index(model)) == 5


def restoring(world):
    """Makes a backup of the library as it is; gives what puts that in its place."""
    file, backup = world.settings.library / "catalog.db", world.photos.parent / "backup.db"
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    return lambda: backup.exists() and backup.replace(file)


def test_it_is_that_of_a_restored_library_where_ids_come_again(world, services):
    search, found = services.search, lambda: search.search(Query(text="red", limit=1)).hits[0].photo.path.name
    restore = restoring(world)
    red = found()
    (world.photos / red).rename(world.photos / "crimson.png")
    world.write("orange.png", "orange")
    world.index()
    assert found() == "crimson.png"
    held = search.live.photos(search.live.index(search.live.model()))
    restore()
    assert found() == red
    assert len(held) == 6 and len(search.live.photos(search.live.index(search.live.model()))) == 5


def test_a_search_during_which_the_library_is_restored_is_answered_anew(world, services, monkeypatch):
    restore = restoring(world)
    gone = services.search.search(Query(text="red", limit=1)).hits[0].photo.path
    gone.unlink()
    world.index()
    world.write("scarlet.png", "red")
    world.index()
    catalog, searched = services.library.catalog, services.search._first

    def answered(*args, **kwargs):
        found = searched(*args, **kwargs)
        restore()
        return found

    monkeypatch.setattr(services.search, "_first", answered)
    found = services.search.search(Query(text="red", limit=1)).hits[0].photo
    assert found.path == gone and catalog.photo(found.id) == found


def test_what_is_committed_while_a_query_is_embedded_is_seen(world, services, monkeypatch):
    sought, found = services.search._embedder.sought, lambda: services.search.search(Query(text="purple", limit=6))
    assert (found().total, len(found().hits)) == (5, 5)

    def slow(*asked):
        world.write("orange.png", "purple")
        world.index()
        return sought(*asked)

    monkeypatch.setattr(services.search._embedder, "sought", slow)
    now = found()
    assert (now.total, len(now.hits)) == (6, 6)


def test_a_search_asks_twice_whether_the_catalog_has_changed_and_the_next_sees_what_came_meanwhile(
    world, services, monkeypatch
):
    version, found = services.library.catalog.version, lambda: services.search.search(Query(text="purple", limit=6))
    assert len(found().hits) == 5
    asked, ask = [], version._asked
    monkeypatch.setattr(version, "_asked", lambda: asked.append(ask()) or asked[-1])
    assert len(found().hits) == 5
    assert len(asked) == 2
    world.write("orange.png", "purple")
    world.index()
    assert len(found().hits) == 6


@pytest.fixture
def large(world, services):
    """Services for which five photos are a large library."""
    assert services is not None
    world.settings = world.settings.model_copy(update={"exact_up_to": 4})
    return world.services()


def test_a_large_index_is_put_into_lists_by_a_process_that_stays_and_by_no_other(large):
    live = large.search.live
    before = [hit.photo.path for hit in large.search.search(Query(text="red")).hits]
    index = live.index(live.model())
    assert (index.kind, index._training._thread) == ("flat-fp16", None)
    large.search.warm_up()
    index._training.wait()
    assert live.index(live.model()) is index and index.kind == "ivf-fp16"
    assert [hit.photo.path for hit in large.search.search(Query(text="red")).hits] == before


def test_what_is_trained_is_ended_with_the_services(large):
    large.search.warm_up()
    live = large.search.live
    thread = live.index(live.model())._training._thread
    large.close()
    assert not thread.is_alive()


def test_that_nothing_matches_is_said_after_a_look_at_all_vectors(large, monkeypatch):
    live, asked, search = large.search.live, [], VectorIndex.search

    def noted(index, queries, k, allowed=None, *, exact=False, least=None):
        found = search(index, queries, k, allowed, exact=exact, least=least)
        if exact or allowed is not None:
            return found
        asked.append(found)
        return [(ids[:0], scores[:0]) for ids, scores in found]  # as if the lists had missed it

    before = large.search.search(Query(text="red"))
    large.search.warm_up()
    live.index(live.model())._training.wait()
    monkeypatch.setattr(VectorIndex, "search", noted)
    found = large.search.search(Query(text="red"))
    assert (found.matches, found.hint) == (before.matches, before.hint)
    assert [hit.photo.id for hit in found.hits] == [hit.photo.id for hit in before.hits] != []
    assert asked


def test_what_has_to_be_complete_is_looked_for_among_all_vectors(large, monkeypatch):
    asked, search = [], VectorIndex.search

    def noted(index, queries, k, allowed=None, *, exact=False, least=None):
        asked.append(exact)
        return search(index, queries, k, allowed, exact=exact, least=least)

    monkeypatch.setattr(VectorIndex, "search", noted)
    large.search.search(Query(text="red"))
    assert set(asked) == {False}
    asked.clear()
    large.search.search(Query(text="red", sort="date"))
    assert set(asked) == {True}


def test_a_first_look_into_lists_is_no_larger_in_a_larger_library(large, monkeypatch):
    totals = []

    def noted(*given):
        totals.append(given[-2])
        return Matches(*given)

    monkeypatch.setattr(pages, "Matches", noted)
    photos = large.search.search(Query(text="red")).total
    large.search.warm_up()
    large.search.live.index(large.search.live.model())._training.wait()
    large.search.search(Query(text="red", limit=1))
    large.search.search(Query(text="red", sort="date"))
    assert totals == [photos, 0, photos] != [0, 0, 0]
