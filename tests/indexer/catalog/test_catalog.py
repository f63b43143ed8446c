"""The catalog on a real database: what is written is read back, and embeddings go with the photos they belong to."""

import dataclasses
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.records import CopiedPhoto, Counts, FailedPhoto, Move
from indexer.catalog.stamps import NEVER
from indexer.catalog.stores import photo_queries
from indexer.errors import ModelError, RootError
from indexer.folders.ignoring import NOTHING_MORE
from tests.indexer.catalog_samples import DIM, metadata, new, vectors
from tests.indexer.odd_names import ODD_NAMES

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(open_database(tmp_path / "library"))
    yield catalog
    catalog.close()


@pytest.fixture
def root(catalog, tmp_path):
    return catalog.add_root(tmp_path / "photos")[0]


@pytest.fixture
def model(catalog):
    return catalog.model("tiny", "f1", DIM).id


@pytest.fixture
def other_model(catalog):
    return catalog.model("other", "f2", DIM).id


def paths(catalog, ids):
    return [photo.path.name for photo in catalog.photos(list(ids))]


# Roots


def test_a_root_is_made_once(catalog, tmp_path):
    first, below = catalog.add_root(tmp_path / "a")
    assert (first.path, below, first.photos, first.last_scan_at, first.problem) == (tmp_path / "a", "", 0, None, None)
    assert catalog.add_root(tmp_path / "a") == (first, "")
    assert catalog.add_root(tmp_path / "a" / "x" / ".." / "b") == (first, "b")
    assert catalog.roots() == [first]


def test_a_root_is_where_its_links_lead(catalog, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert catalog.add_root(tmp_path / "link")[0].path == (tmp_path / "real").resolve()


def test_a_folder_whose_links_go_round_is_refused(catalog, tmp_path):
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(RootError, match="round/below cannot be indexed: its links lead in a circle"):
        catalog.add_root(tmp_path / "round" / "below")
    with pytest.raises(RootError, match="lead in a circle"):
        catalog.add_root(tmp_path / "round")


def test_a_name_that_begins_like_a_root_is_another_root(catalog, tmp_path):
    first, _ = catalog.add_root(tmp_path / "pic")
    second, below = catalog.add_root(tmp_path / "pictures")
    assert first.id != second.id and below == ""


def test_a_wider_root_takes_over_those_inside_it(catalog, model, tmp_path):
    inner, _ = catalog.add_root(tmp_path / "all" / "x" / "inner")
    beside, _ = catalog.add_root(tmp_path / "all" / "beside")
    apart, _ = catalog.add_root(tmp_path / "apart")
    ids = catalog.store(inner.id, [new("top.jpg"), new("deep/er.jpg"), new("\udce9/o.jpg")], model, vectors(3))
    ids += catalog.store(beside.id, [new("top.jpg")], model, vectors(1))
    before = catalog.photos(ids)
    outer, below = catalog.add_root(tmp_path / "all")
    assert below == "" and outer.photos == 4
    assert [root.path for root in catalog.roots()] == [tmp_path / "all", tmp_path / "apart"]
    known = catalog.known(outer.id, model_id=model)
    assert [known[path].id for path in ("x/inner/top.jpg", "x/inner/deep/er.jpg", "x/inner/\udce9/o.jpg")] == ids[:3]
    assert known["beside/top.jpg"].id == ids[3]
    assert catalog.photos(ids) == [photo._replace(root_id=outer.id) for photo in before]
    assert catalog.add_root(tmp_path / "all" / "x")[1] == "x"
    assert catalog.known(apart.id, model_id=model) == {}


def test_a_hidden_folder_is_never_joined_with_a_root_that_does_not_reach_it(catalog, tmp_path):
    reaches = NOTHING_MORE.reaches
    hidden, _ = catalog.add_root(tmp_path / "home" / ".pictures", reaches)
    home, _ = catalog.add_root(tmp_path / "home", reaches)
    assert [root.id for root in catalog.roots()] == [home.id, hidden.id]
    assert catalog.add_root(tmp_path / "home" / ".pictures" / "sub", reaches) == (hidden, "sub")
    trash, below = catalog.add_root(tmp_path / "home" / "@eaDir" / "x", reaches)
    assert trash.id not in (home.id, hidden.id) and below == ""


def test_a_scan_is_noted(catalog, root):
    catalog.note_scan(root.id, "no drive \udce9")
    [noted] = catalog.roots()
    assert noted.problem == "no drive \udce9" and abs((noted.last_scan_at - datetime.now(UTC)).total_seconds()) < 60
    catalog.note_scan(root.id, None)
    assert catalog.roots()[0].problem is None


# Writing and reading back


def test_everything_about_a_photo_is_read_back(catalog, root, model):
    taken = datetime(2021, 7, 4, 10, 11, 12, 250_000)
    [number] = catalog.store(root.id, [new("sub/a.jpg", "h", taken_at=taken)], model, vectors(1))
    photo = catalog.photo(number)
    expected = {"id": number, "root_id": root.id, "path": root.path / "sub" / "a.jpg", "size": 10, "mtime_ns": 20}
    expected |= {"content_hash": "h", "state": "ok", "reason": None, "missing_since": None}
    expected |= {"width": 40, "height": 30, "format": "JPEG", "taken_at": taken}
    expected |= dataclasses.asdict(metadata(taken)) | {"indexed_at": photo.indexed_at, "companions": ()}
    expected |= {"duration_s": None, "poster_s": None, "ctime_ns": None, "inode": None}
    expected["taken_instant_us"] = round(taken.replace(tzinfo=UTC).timestamp() * 1e6) - 120 * 60 * 1_000_000
    del expected["gps_at"]  # only compared with
    assert photo._asdict() == expected
    assert abs((photo.indexed_at - datetime.now(UTC)).total_seconds()) < 60
    assert catalog.photo_at(root.path / "sub" / "a.jpg") == photo
    assert catalog.photo_at(root.path / "sub" / "b.jpg") is None
    assert catalog.photo_at(Path("/elsewhere/a.jpg")) is None
    assert np.array_equal(catalog.embedding_of(number, model), vectors(1)[0])


@pytest.mark.parametrize("folder", ["", "50%_off/", "\udcff/"])
def test_names_of_every_kind_are_read_back_exactly(catalog, root, model, folder):
    names = [folder + name for name in ODD_NAMES]
    ids = catalog.store(root.id, [new(name) for name in names], model, vectors(len(names)))
    known = catalog.known(root.id, model_id=model)
    assert {name: known[name].id for name in names} == dict(zip(names, ids, strict=True))
    assert [photo.path for photo in catalog.photos(ids)] == [root.path / name for name in names]
    again = catalog.store(root.id, [new(name) for name in names], model, vectors(len(names)))
    assert again == ids  # found again by their name, not entered twice


def test_a_name_that_is_no_utf8_is_stored_as_its_bytes(catalog, root, model, tmp_path):
    catalog.store(root.id, [new("\udce9.jpg"), new("é.jpg")], model, vectors(2))
    with closing(sqlite3.connect(tmp_path / "library" / "catalog.db")) as raw:
        assert raw.execute("SELECT name FROM photos ORDER BY id").fetchall() == [(b"\xe9.jpg",), ("é.jpg",)]


def test_text_that_no_encoding_knows_does_no_harm(catalog, root, model):
    catalog.fail(root.id, [FailedPhoto("a.jpg", 1, 1, "bad \ud800 \udce9")])
    assert "bad" in catalog.failures()[0].reason
    photo = new("b.jpg", camera_make="\udcff\0")
    assert catalog.photos(catalog.store(root.id, [photo], model, vectors(1)))[0].camera_make == "\udcff\0"


def test_times_and_sizes_at_the_edge_are_stored(catalog, root, model):
    catalog.store(root.id, [new("a.jpg", mtime_ns=2**70, size=2**40), new("b.jpg", mtime_ns=-5)], model, vectors(2))
    known = catalog.known(root.id, model_id=model)
    assert (known["a.jpg"].mtime_ns, known["a.jpg"].size, known["b.jpg"].mtime_ns) == (2**63 - 1, 2**40, -5)


def test_ids_come_in_the_order_of_the_photos(catalog, root, model):
    catalog.store(root.id, [new("b.jpg")], model, vectors(1))
    batch = [new(name) for name in ("d.jpg", "b.jpg", "x/c.jpg", "a.jpg")]
    ids = catalog.store(root.id, batch, model, vectors(4, seed=1))
    assert paths(catalog, ids) == ["d.jpg", "b.jpg", "c.jpg", "a.jpg"]
    for number, vector in zip(ids, vectors(4, seed=1), strict=True):
        assert np.array_equal(catalog.embedding_of(number, model), vector)


def test_known_speaks_of_one_model_and_one_subfolder(catalog, root, model, other_model):
    catalog.store(root.id, [new("a.jpg", "ha"), new("sub/b.jpg"), new("subway/c.jpg")], model, vectors(3))
    catalog.fail(root.id, [FailedPhoto("sub/deep/d.jpg", 3, 4, "cut off")])
    catalog.mark_missing([catalog.known(root.id, model_id=model)["a.jpg"].id], NOW)
    known = catalog.known(root.id, model_id=model)
    assert known["a.jpg"][1:9] == ("a.jpg", 10, 20, "ha", "ok", True, True, "")
    assert known["sub/deep/d.jpg"][1:9] == ("sub/deep/d.jpg", 3, 4, None, "failed", False, False, None)
    assert set(catalog.known(root.id, "sub", model_id=model)) == {"sub/b.jpg", "sub/deep/d.jpg"}
    assert not any(photo.embedded for photo in catalog.known(root.id, model_id=other_model).values())


def test_photos_come_in_the_order_asked_for_also_a_hundred_thousand(catalog, root, model):
    ids = catalog.store(root.id, [new(f"{n}.jpg") for n in range(5)], model, vectors(5))
    asked = [ids[3], 10**9, ids[0], ids[3]]
    assert [photo.id for photo in catalog.photos(asked)] == [ids[3], ids[0], ids[3]]
    assert len(catalog.photos(np.arange(100_000))) == 5
    assert catalog.photos([]) == [] and catalog.photo(10**9) is None


def test_writes_of_nothing_change_nothing(catalog, root, model):
    assert catalog.store(root.id, [], model, vectors(0)) == []
    assert (catalog.fail(root.id, []), catalog.store_copies(root.id, []), catalog.remove([])) == ([], [], [])
    assert catalog.move([]) == []
    catalog.mark_missing([], NOW)
    catalog.mark_found([])
    assert catalog.generation(model) == 0


# Embeddings and generations


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (vectors(1), r"expected \(2, 8\) float16 embeddings, got \(1, 8\)"),
        (vectors(2, dim=9), r"got \(2, 9\)"),
        (vectors(2).astype(np.float32), "got .* float32"),
        (vectors(2) * np.float16(2), "row 0 has length 2"),
        (np.stack([vectors(1)[0], np.full(DIM, np.nan, np.float16)]), "row 1 has length nan"),
        (np.stack([vectors(1)[0], np.zeros(DIM, np.float16)]), "row 1 has length 0"),
    ],
)
def test_embeddings_that_are_none_are_refused_and_nothing_is_written(catalog, root, model, wrong, words):
    with pytest.raises(ValueError, match=words):
        catalog.store(root.id, [new("a.jpg"), new("b.jpg")], model, wrong)
    assert catalog.counts() == Counts(0, 0, 0) and catalog.generation(model) == 0


def test_a_path_twice_in_one_call_is_refused(catalog, root, model):
    with pytest.raises(ValueError, match="1 of 2 photos have a path that occurs twice"):
        catalog.store(root.id, [new("a.jpg"), new("a.jpg")], model, vectors(2))
    assert catalog.counts() == Counts(0, 0, 0)


def test_an_unknown_model_is_refused(catalog, root):
    with pytest.raises(ValueError, match="no model with id 99"):
        catalog.store(root.id, [new("a.jpg")], 99, vectors(1))


def test_a_model_is_its_fingerprint(catalog, model, other_model):
    assert model != other_model
    assert catalog.model("renamed", "f1", DIM).id == model
    assert catalog.active_model() is None
    catalog.activate(other_model)
    catalog.activate(model)
    assert catalog.active_model() == catalog.model("renamed", "f1", DIM)
    with pytest.raises(ModelError, match=r"dimension 9.*vectors of 8"):
        catalog.model("renamed", "f1", 9)


def test_a_generation_grows_with_each_transaction_that_changes_vectors_and_no_other(catalog, root, model, other_model):
    seen = []

    def now():
        seen.append((catalog.generation(model), catalog.generation(other_model)))
        return seen[-1]

    ids = catalog.store(root.id, [new("a.jpg", "A"), new("b.jpg", "B")], model, vectors(2))
    assert now() == (1, 0)
    catalog.store(root.id, [new("a.jpg", "A")], other_model, vectors(1))
    assert now() == (1, 1)
    catalog.mark_missing(ids, NOW)
    catalog.mark_found(ids)
    catalog.move([Move(ids[0], root.id, "c.jpg", 1, 1)])
    catalog.fail(root.id, [FailedPhoto("z.jpg", 1, 1, "bad")])
    assert now() == (1, 1)
    catalog.store(root.id, [new("c.jpg", "another")], model, vectors(1))  # the other model loses its vector
    assert now() == (2, 2)
    catalog.fail(root.id, [FailedPhoto("b.jpg", 1, 1, "bad")])
    assert now() == (3, 2)
    catalog.remove([ids[0]])
    assert now() == (4, 2)
    catalog.remove([ids[1]])
    assert now() == (4, 2)


def test_the_same_content_again_keeps_the_vectors_of_other_models(catalog, root, model, other_model):
    [number] = catalog.store(root.id, [new("a.jpg", "A")], model, vectors(1))
    catalog.store(root.id, [new("a.jpg", "A", mtime_ns=99)], other_model, vectors(1, seed=1))
    assert np.array_equal(catalog.embedding_of(number, model), vectors(1)[0])
    assert np.array_equal(catalog.embedding_of(number, other_model), vectors(1, seed=1)[0])


def test_only_what_is_newer_is_streamed(catalog, root, model, other_model):
    first = catalog.store(root.id, [new(f"{n}.jpg") for n in range(7)], model, vectors(7))
    catalog.store(root.id, [new("0.jpg")], other_model, vectors(1))
    since = catalog.generation(model)
    batches = list(catalog.embeddings(model, batch_size=3))
    assert [len(ids) for ids, _ in batches] == [3, 3, 1]
    assert np.array_equal(np.concatenate([ids for ids, _ in batches]), first)
    stored = np.concatenate([part for _, part in batches])
    assert stored.dtype == np.float16 and np.array_equal(stored, vectors(7))
    assert list(catalog.embeddings(model, since=since)) == []
    later = catalog.store(root.id, [new("9.jpg"), new("3.jpg")], model, vectors(2, seed=5))
    [(ids, part)] = catalog.embeddings(model, since=since)
    assert list(ids) == sorted(later)
    assert np.array_equal(part[list(ids).index(later[0])], vectors(2, seed=5)[0])
    assert catalog.embedding_count(model) == 8 and list(catalog.embedding_ids(model)) == [*first, later[0]]


def test_a_stream_that_is_given_up_holds_nothing(catalog, root, model):
    catalog.store(root.id, [new(f"{n}.jpg") for n in range(9)], model, vectors(9))
    for _ in range(30):  # more than the pool has connections
        stream = catalog.embeddings(model, batch_size=2)
        next(stream)
        stream.close()
    assert catalog.engine.pool.checkedout() == 0


def test_what_a_model_lacks(catalog, root, model, other_model):
    ids = catalog.store(root.id, [new("a.jpg"), new("b.jpg"), new("c.jpg")], model, vectors(3))
    catalog.store(root.id, [new("b.jpg")], other_model, vectors(1))
    catalog.fail(root.id, [FailedPhoto("d.jpg", 1, 1, "bad")])
    assert list(catalog.lacking(other_model)) == [ids[0], ids[2]]
    catalog.mark_missing([ids[0]], NOW)
    assert list(catalog.lacking(other_model)) == [ids[2]] and list(catalog.lacking(model)) == []


# Failures, copies, moves, removals


def test_a_photo_that_fails_loses_what_was_known_of_its_content(catalog, root, model):
    [number] = catalog.store(root.id, [new("a.jpg", "A", taken_at=datetime(2020, 1, 1))], model, vectors(1))
    assert catalog.fail(root.id, [FailedPhoto("a.jpg", 7, 8, "cut off")]) == [number]
    photo = catalog.photo(number)
    assert (photo.state, photo.reason, photo.size, photo.mtime_ns) == ("failed", "cut off", 7, 8)
    assert (photo.content_hash, photo.width, photo.taken_at, photo.lens) == (None, None, None, None)
    assert catalog.embedding_of(number, model) is None and catalog.unused(["A"]) == ["A"]
    assert catalog.failures() == [photo]
    catalog.store(root.id, [new("a.jpg", "B")], model, vectors(1))
    assert (catalog.photo(number).state, catalog.photo(number).reason, catalog.failures()) == ("ok", None, [])


def test_failures_are_limited_the_latest_first(catalog, root):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        catalog.fail(root.id, [FailedPhoto(name, 1, 1, "bad")])
    assert [photo.path.name for photo in catalog.failures(2)] == ["c.jpg", "b.jpg"]


def test_a_copy_has_the_metadata_and_all_vectors_of_its_source(catalog, root, model, other_model):
    [source] = catalog.store(root.id, [new("a.jpg", "A", taken_at=datetime(2020, 1, 1))], model, vectors(1))
    catalog.store(root.id, [new("a.jpg", "A", taken_at=datetime(2020, 1, 1))], other_model, vectors(1, seed=1))
    [copy] = catalog.store_copies(root.id, [CopiedPhoto("x/b.jpg", 10, 77, "A", source)])
    one, two = catalog.photos([source, copy])
    same = {"id": copy, "path": root.path / "x" / "b.jpg", "mtime_ns": 77, "indexed_at": two.indexed_at}
    assert two == one._replace(**same)
    assert np.array_equal(catalog.embedding_of(copy, model), vectors(1)[0])
    assert np.array_equal(catalog.embedding_of(copy, other_model), vectors(1, seed=1)[0])
    assert (catalog.generation(model), catalog.generation(other_model)) == (2, 2)
    assert catalog.by_content(["A", "none"], model_id=model) == {"A": source}
    assert catalog.remove([source]) == [] and catalog.remove([copy]) == ["A"]


def test_two_photos_that_swapped_their_content_swap_their_vectors(catalog, root, model):
    a, b = catalog.store(root.id, [new("a.jpg", "A"), new("b.jpg", "B")], model, vectors(2))
    catalog.store_copies(root.id, [CopiedPhoto("a.jpg", 10, 1, "B", b), CopiedPhoto("b.jpg", 10, 1, "A", a)])
    assert np.array_equal(catalog.embedding_of(a, model), vectors(2)[1])
    assert np.array_equal(catalog.embedding_of(b, model), vectors(2)[0])
    assert (catalog.photo(a).content_hash, catalog.photo(b).content_hash) == ("B", "A")


def test_a_copy_of_itself_keeps_its_vectors(catalog, root, model):
    [number] = catalog.store(root.id, [new("a.jpg", "A")], model, vectors(1))
    catalog.store_copies(root.id, [CopiedPhoto("a.jpg", 10, 99, "A", number)])
    assert catalog.photo(number).mtime_ns == 99
    assert np.array_equal(catalog.embedding_of(number, model), vectors(1)[0])


def test_a_copy_of_what_is_no_longer_there_is_refused(catalog, root, model):
    [number] = catalog.store(root.id, [new("a.jpg", "A")], model, vectors(1))
    for wrong in (CopiedPhoto("b.jpg", 1, 1, "B", number), CopiedPhoto("b.jpg", 1, 1, "A", 99)):
        with pytest.raises(ValueError, match=r"is not the content of 'b\.jpg'"):
            catalog.store_copies(root.id, [wrong])


def test_only_sound_embedded_photos_lend_their_content(catalog, root, model, other_model):
    catalog.store(root.id, [new("a.jpg", "A")], model, vectors(1))
    assert catalog.by_content(["A"], model_id=other_model) == {}
    assert catalog.by_content([], model_id=model) == {}
    assert len(catalog.by_content([f"{n}" for n in range(50_000)] + ["A"], model_id=model)) == 1


def test_moved_photos_keep_their_id_and_vectors_also_across_roots(catalog, root, model, tmp_path):
    away, _ = catalog.add_root(tmp_path / "away")
    a, b = catalog.store(root.id, [new("x/a.jpg", "A"), new("b.jpg", "B")], model, vectors(2))
    catalog.mark_missing([a], NOW)
    moves = [Move(a, away.id, "new/\udce9.jpg", 11, 22), Move(b, root.id, "x/c.jpg", 33, 44)]
    assert catalog.move(moves) == []
    assert catalog.photo(a).path == away.path / "new" / "\udce9.jpg" and catalog.photo(a).missing_since is None
    assert (catalog.photo(a).size, catalog.photo(a).mtime_ns, catalog.photo(a).content_hash) == (11, 22, "A")
    assert catalog.photo(b).path == root.path / "x" / "c.jpg"
    assert np.array_equal(catalog.embedding_of(a, model), vectors(2)[0])


def test_photos_move_in_a_circle(catalog, root, model):
    a, b, c = catalog.store(root.id, [new(f"{name}.jpg") for name in "abc"], model, vectors(3))
    ring = [(a, "b.jpg"), (b, "c.jpg"), (c, "a.jpg")]
    assert catalog.move([Move(number, root.id, path, 1, 1) for number, path in ring]) == []
    assert paths(catalog, [a, b, c]) == ["b.jpg", "c.jpg", "a.jpg"]


def test_a_move_onto_another_photo_removes_that_one(catalog, root, model):
    a, b = catalog.store(root.id, [new("a.jpg", "A"), new("b.jpg", "B")], model, vectors(2))
    assert catalog.move([Move(a, root.id, "b.jpg", 1, 1)]) == ["B"]
    assert catalog.photo(b) is None and paths(catalog, [a]) == ["b.jpg"]
    assert catalog.generation(model) == 2 and list(catalog.embedding_ids(model)) == [a]


def test_a_move_of_one_to_two_or_two_to_one_is_refused(catalog, root, model):
    a, b = catalog.store(root.id, [new("a.jpg"), new("b.jpg")], model, vectors(2))
    for wrong in ([(a, "x"), (a, "y")], [(a, "x"), (b, "x")]):
        with pytest.raises(ValueError, match="one path"):
            catalog.move([Move(number, root.id, path, 1, 1) for number, path in wrong])


def test_removal_tells_which_content_is_gone_and_forgets_empty_folders(catalog, root, model, tmp_path):
    ids = catalog.store(
        root.id, [new("x/a.jpg", "A"), new("x/b.jpg", "B"), new("c.jpg", "A"), new("d.jpg", "D")], model, vectors(4)
    )
    assert catalog.remove([ids[0], ids[1], ids[3], 10**9]) == ["B", "D"]
    assert catalog.known_sizes() == {10} and list(catalog.embedding_ids(model)) == [ids[2]]
    with closing(sqlite3.connect(tmp_path / "library" / "catalog.db")) as raw:
        assert raw.execute("SELECT path FROM folders").fetchall() == [("",)]


def test_an_id_is_never_used_twice(catalog, root, model):
    [first] = catalog.store(root.id, [new("a.jpg")], model, vectors(1))
    catalog.remove([first])
    [second] = catalog.store(root.id, [new("a.jpg")], model, vectors(1))
    assert second > first


def test_more_photos_than_a_statement_has_parameters(catalog, root, model):
    # Some builds of SQLite take far more than the usual 32,766, so that the test sets a limit of its own.
    @event.listens_for(catalog.engine, "connect")
    def limit(connection, _record):
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 10_200)

    catalog.close()
    many = [FailedPhoto(f"{n % 7}/{n}.jpg", n, n, "bad") for n in range(10_300)]
    ids = catalog.fail(root.id, many)
    assert catalog.fail(root.id, many) == ids
    catalog.mark_missing(ids, NOW)
    catalog.void_stamps(ids)
    assert catalog.counts() == Counts(photos=0, failed=10_300, missing=10_300)
    assert len(catalog.photos(ids)) == len(catalog.known_sizes()) == 10_300
    assert catalog.by_content(map(str, range(10_300)), model_id=model) == {}
    moves = [Move(number, root.id, f"{place}/m.jpg", 1, 1) for place, number in enumerate(ids)]
    assert catalog.move(moves) == [] and len(catalog.known(root.id, model_id=model)) == 10_300
    catalog.remove(ids)
    assert catalog.counts() == Counts(0, 0, 0)


def test_an_absence_keeps_its_first_date(catalog, root, model):
    [number] = catalog.store(root.id, [new("a.jpg")], model, vectors(1))
    catalog.mark_missing([number], NOW)
    catalog.mark_missing([number], datetime.now(UTC))
    assert catalog.photo(number).missing_since == NOW and catalog.counts() == Counts(1, 0, 1)
    catalog.mark_found([number])
    assert catalog.photo(number).missing_since is None
    with pytest.raises(Exception, match="needs a time zone"):
        catalog.mark_missing([number], datetime(2024, 1, 1))


def test_a_stamp_that_is_void_is_no_files_and_takes_nothing_else(catalog, root, model):
    numbers = catalog.store(root.id, [new("a.jpg"), new("b.jpg")], model, vectors(2))
    before, generation = catalog.known(root.id, model_id=model), catalog.generation(model)
    catalog.void_stamps([])
    catalog.void_stamps(numbers[:1])
    assert catalog.known(root.id, model_id=model) == before | {"a.jpg": before["a.jpg"]._replace(mtime_ns=NEVER)}
    assert catalog.generation(model) == generation


def test_counts_and_roots_count_what_is_searchable(catalog, root, model):
    catalog.store(root.id, [new("a.jpg"), new("x/b.jpg")], model, vectors(2))
    catalog.fail(root.id, [FailedPhoto("c.jpg", 1, 1, "bad")])
    assert catalog.counts() == Counts(photos=2, failed=1, missing=0)
    assert catalog.roots()[0].photos == 2


def test_settings_are_kept(catalog, tmp_path):
    assert catalog.setting("a") is None
    catalog.set_setting("a", "1")
    catalog.set_setting("a", "zwei \udce9")
    assert Catalog(open_database(tmp_path / "library")).setting("a") == "zwei \udce9"


# Filters


@pytest.fixture
def dated(catalog, root, model, tmp_path):
    """Photos of three years in two roots, one without a date, one that failed, one that another model embedded."""
    away, _ = catalog.add_root(tmp_path / "away")
    day = {year: datetime(year, 6, 30) for year in (2019, 2020, 2021)}
    ids = catalog.store(
        root.id,
        [
            new("Holiday/Beach/a.jpg", taken_at=day[2019]),
            new("holiday/b.jpg", taken_at=day[2020]),
            new("100%/c_1.jpg", taken_at=day[2021]),
            new("d.jpg", taken_at=None),
        ],
        model,
        vectors(4),
    )
    ids += catalog.store(away.id, [new("Holiday/Beach/e.jpg", taken_at=day[2020])], model, vectors(1))
    catalog.fail(root.id, [FailedPhoto("Holiday/f.jpg", 1, 1, "bad")])
    catalog.store(away.id, [new("g.jpg", taken_at=day[2020])], catalog.model("other", "f2", DIM).id, vectors(1))
    return dict(zip("abcde", ids, strict=True))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "abcde"),
        ({"after": datetime(2020, 1, 1)}, "bce"),
        ({"before": datetime(2020, 1, 1)}, "a"),
        ({"after": datetime(2020, 6, 30), "before": datetime(2020, 6, 30, 0, 0, 1)}, "be"),
        ({"after": datetime(2020, 6, 30), "before": datetime(2020, 6, 30)}, ""),
        ({"before": datetime(2020, 6, 30)}, "a"),
        ({"folder": "HOLIDAY"}, "abe"),
        ({"folder": "holiday/beach"}, "ae"),
        ({"folder": "100%"}, "c"),
        ({"folder": "%"}, ""),
        ({"folder": "hol%"}, ""),
        ({"folder": "photos"}, "abcd"),
        ({"folder": "holiday", "after": datetime(2020, 1, 1)}, "be"),
        ({"folder": "away/holiday", "after": datetime(2020, 1, 1), "before": datetime(2021, 1, 1)}, "e"),
        ({"folder": "'; DROP TABLE photos"}, ""),
    ],
)
def test_filters_alone_and_together(catalog, model, dated, wanted, expected):
    assert list(catalog.allowed_ids(model, PhotoFilter(**wanted))) == sorted(dated[name] for name in expected)


def test_an_absolute_folder_is_a_filter(catalog, root, model, dated, tmp_path):
    for folder, expected in ((root.path, "abcd"), (root.path / "holiday", "ab"), (tmp_path / "pho", "")):
        found = catalog.allowed_ids(model, PhotoFilter(folder=str(folder)))
        assert list(found) == sorted(dated[name] for name in expected)


def test_a_filter_that_most_photos_pass_still_speaks_of_one_model(catalog, root, model, monkeypatch):
    monkeypatch.setattr(photo_queries, "IN_LIMIT", 3)  # above it the ids are met with all that are embedded
    day = datetime(2020, 6, 30)
    ids = catalog.store(root.id, [new(f"x/{n}.jpg", taken_at=day) for n in range(5)], model, vectors(5))
    catalog.store(root.id, [new("x/0.jpg", "other", taken_at=day)], catalog.model("o", "o", DIM).id, vectors(1))
    for wanted in (PhotoFilter(after=day), PhotoFilter(folder="x")):
        assert list(catalog.allowed_ids(model, wanted)) == ids[1:]


def test_a_filter_with_a_zone_is_refused(catalog, model):
    with pytest.raises(ValueError, match="wall clock"):
        catalog.allowed_ids(model, PhotoFilter(after=NOW))


def test_an_empty_filter_is_false():
    assert not PhotoFilter() and not PhotoFilter(folder="") and PhotoFilter(before=datetime(2020, 1, 1))


# Several threads and processes


def test_threads_write_and_read_at_once(catalog, root, model):
    errors = []

    def write(part):
        try:
            for n in range(10):
                catalog.store(root.id, [new(f"{part}/{n}.jpg")], model, vectors(1))
                assert catalog.known(root.id, str(part), model_id=model)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and catalog.generation(model) == 40 and catalog.embedding_count(model) == 40


def test_a_reader_sees_whole_transactions_of_another_process_and_a_kill_leaves_them_whole(catalog, root, model):
    code = """
import sys
from pathlib import Path
from tests.indexer.catalog_samples import new, vectors
from indexer.catalog.stores import photo_queries
from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database
catalog = Catalog(open_database(Path(sys.argv[1])))
for step in range(100_000):
    catalog.store(int(sys.argv[2]), [new(f"{step}/{n}.jpg") for n in range(5)], int(sys.argv[3]), vectors(5))
    print(step, flush=True)
"""
    arguments = [sys.executable, "-c", code, Path(catalog.engine.url.database).parent, str(root.id), str(model)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as writer:
        for _ in range(8):
            assert writer.stdout.readline()
            assert len(catalog.embedding_ids(model)) % 5 == 0
        writer.kill()
        committed = [int(line) for line in writer.stdout.read().split()]
    count = catalog.embedding_count(model)
    assert count % 5 == 0 and count == 5 * catalog.generation(model) == catalog.counts().photos
    assert count >= 5 * (1 + max(committed, default=7))


@pytest.mark.parametrize(
    ("least", "places"), [(1, [0]), (2, [0, 3, 6]), (3, [0, 2, 4, 6]), (7, range(7)), (9, range(7))]
)
def test_a_sample_of_embeddings_is_spread_over_the_photos(catalog, root, model, least, places):
    numbers = catalog.store(root.id, [new(f"{n}.jpg") for n in range(7)], model, vectors(7))
    ids, sample = catalog.embedding_sample(model, least)
    assert ids.tolist() == [numbers[place] for place in places]
    assert np.array_equal(sample, vectors(7)[list(places)])
    assert [len(part) for part in catalog.embedding_sample(99, least)] == [0, 0]
