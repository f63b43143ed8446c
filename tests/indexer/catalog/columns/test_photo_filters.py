"""Answers by SQL or by columns: never of a catalog as it was."""

import threading
from contextlib import nullcontext
from dataclasses import replace

import pytest
from sqlalchemy import event

from indexer.catalog.catalog import Catalog
from indexer.catalog.columns.photo_filters import PhotoFilters
from indexer.catalog.database import open_database
from indexer.catalog.photo_filter import Bounds, PhotoFilter
from indexer.catalog.tag_records import Decision
from tests import forked_code
from tests.indexer.catalog_samples import DIM, new, vectors

DOGS = PhotoFilter(tags=(("dog",),))
GOOD = PhotoFilter(rating=Bounds(3))


@pytest.fixture
def world(tmp_path):
    catalog = Catalog(open_database(tmp_path / "library"))
    model = catalog.model("one", "one", DIM).id
    root = catalog.add_root(tmp_path / "photos")[0]
    photos = [new(f"{number}.jpg", rating=number) for number in range(6)]
    ids = catalog.store(root.id, photos, model, vectors(len(photos)))
    yield catalog, model, root.id, ids
    catalog.close()


def by_columns(filters):
    """Whether the last answer was found in columns."""
    return filters._columns is not None


def test_the_first_question_is_sqls_and_the_second_is_not(world):
    catalog, model, _, ids = world
    filters = PhotoFilters(catalog)
    assert filters.allowed(model, GOOD).ids().tolist() == ids[3:]
    assert not by_columns(filters)
    asked = []
    event.listen(catalog.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    assert filters.allowed(model, GOOD).ids().tolist() == ids[3:]
    assert by_columns(filters)
    read = len(asked)
    assert read > 0
    for least in range(6):
        assert filters.allowed(model, PhotoFilter(rating=Bounds(least))).ids().tolist() == ids[least:]
    assert len(asked) == read  # nothing is read twice


def test_only_the_columns_asked_for_are_read(world):
    catalog, model, _, _ = world
    filters = PhotoFilters(catalog)
    for _ in range(2):
        filters.allowed(model, GOOD)
    assert set(filters._columns._kept) == {"ids", ("embedded", model), "rating"}


def test_every_change_is_seen_by_the_next_question(world):
    catalog, model, root, ids = world
    filters = PhotoFilters(catalog)

    def answers():
        return [filters.allowed(model, wanted).ids().tolist() for wanted in (GOOD, DOGS, GOOD, DOGS, GOOD, DOGS)]

    assert answers() == [ids[3:], []] * 3
    catalog.tags.decide([Decision(ids[0], ("dog",), "accepted")])
    assert answers() == [ids[3:], ids[:1]] * 3
    catalog.remove(ids[4:5])
    assert answers() == [[ids[3], ids[5]], ids[:1]] * 3
    late = catalog.store(root, [new("late.jpg", rating=5)], model, vectors(1))
    assert answers() == [[ids[3], ids[5], *late], ids[:1]] * 3
    catalog.store(root, [replace(new("late.jpg"), metadata=new("x", rating=1).metadata)], model, vectors(1))
    assert answers() == [[ids[3], ids[5]], ids[:1]] * 3


def test_what_another_process_writes_is_seen(world, tmp_path):
    catalog, model, _, ids = world
    filters = PhotoFilters(catalog)
    for _ in range(3):
        assert filters.allowed(model, DOGS).ids().tolist() == []
    assert by_columns(filters)
    code = (
        "import sys; from pathlib import Path\n"
        "from indexer.catalog.catalog import Catalog\n"
        "from indexer.catalog.database import open_database\n"
        "from indexer.catalog.tag_records import Decision\n"
        "catalog = Catalog(open_database(Path(sys.argv[1])))\n"
        "catalog.tags.decide([Decision(int(sys.argv[2]), ('dog',), 'accepted')])\n"
        "catalog.close()\n"
    )
    assert forked_code.run(code, tmp_path / "library", ids[1]).returncode == 0
    for _ in range(3):
        assert filters.allowed(model, DOGS).ids().tolist() == ids[1:2]


@pytest.mark.parametrize("held", [False, True])
def test_a_change_between_two_columns_is_no_mixture(world, held):
    """A photo loses its stars and gets a tag after the stars were read, and before the tags are: it never had both."""
    catalog, model, root, ids = world
    filters = PhotoFilters(catalog)
    for _ in range(2):
        filters.allowed(model, GOOD)
    columns = filters._columns
    read, changed = columns._reading, []

    def reading_after_a_change():
        if not changed:
            changed.append(True)
            catalog.store(root, [new("5.jpg", rating=1)], model, vectors(1))
            catalog.tags.decide([Decision(ids[5], ("dog",), "accepted")])
        return read()

    columns._reading = reading_after_a_change
    with catalog.version.held() if held else nullcontext():
        assert filters.allowed(model, replace(GOOD, tags=DOGS.tags)).ids().tolist() == []
    assert changed
    assert filters.allowed(model, GOOD).ids().tolist() == ids[3:5]
    assert filters.allowed(model, DOGS).ids().tolist() == ids[5:]


def test_many_threads_ask_while_the_catalog_changes(world):
    catalog, model, _, ids = world
    filters, wrong = PhotoFilters(catalog), []
    ended = threading.Event()

    def ask():
        while not ended.is_set():
            found = filters.allowed(model, replace(GOOD, tags=DOGS.tags)).ids().tolist()
            if found not in ([], [ids[5]]):
                wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        catalog.tags.decide([Decision(ids[5], ("dog",), "rejected" if number % 2 else "accepted")])
    ended.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert filters.allowed(model, replace(GOOD, tags=DOGS.tags)).ids().tolist() == []
