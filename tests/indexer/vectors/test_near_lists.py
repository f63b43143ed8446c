"""Lists of near rows: trained on a library, kept in step with it, and a quicker way to the same hits alone."""

from __future__ import annotations

import logging
import threading
import time

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.memory import memory_left
from indexer.vectors import file as vector_file
from indexer.vectors import scanning, training
from indexer.vectors.index import VectorIndex
from indexer.vectors.rows import IdMask
from tests.fuzzing import examples
from tests.indexer.unit_vectors import DIM, assert_nearest, unit

MODEL = "a" * 64


def opened(folder, *, dim=DIM, exact_up_to=0):
    return VectorIndex.open(folder, dim=dim, fingerprint=MODEL, device="cpu", exact_up_to=exact_up_to)


def tend(index):
    index.tend()
    index._training.wait()


def look_into(index, probes):
    """Have a search of any depth look into so many lists."""
    index.lists.probes = (probes,) * 3


def clustered(count, *, dim=DIM, seed=0, spread=0.15):
    """(count, dim) around forty centres, which are the same for every seed."""
    rows = unit(40, dim=dim, seed=99)[np.random.default_rng(seed).integers(0, 40, count)]
    rows = rows + spread * np.random.default_rng(seed + 1).standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def trained(tmp_path):
    """An index of 3,000 vectors in lists, of which all are looked into, and what it holds."""
    index, rows = opened(tmp_path / "index"), clustered(3000)
    index.add(np.arange(3000) * 3, rows)
    tend(index)
    look_into(index, len(index.lists.centroids))
    yield index, dict(zip((np.arange(3000) * 3).tolist(), rows, strict=True))
    index.close()


def test_a_small_index_has_no_lists_and_nothing_is_trained(tmp_path):
    index = opened(tmp_path, exact_up_to=3000)
    index.add(np.arange(3000), clustered(3000))
    tend(index)
    assert (index.lists, index.kind, index._training._thread) == (None, "flat-fp16", None)
    index.add([3000], unit(1))
    tend(index)
    assert index.kind == "ivf-fp16"
    index.remove([0])
    assert (index.lists, index.kind) == (None, "flat-fp16")
    index.close()


def test_what_was_measured_on_the_library_holds_for_other_queries(tmp_path):
    index, queries = opened(tmp_path, dim=64), clustered(300, dim=64, seed=7, spread=0.05)
    index.add(np.arange(8000), clustered(8000, dim=64, spread=0.05))
    tend(index)
    assert 0 < index.lists.probes[0] <= len(index.lists.centroids) // 4
    assert index.lists.recall[0] >= 0.99
    for k in (10, 32):
        wanted = index.search(queries, k, exact=True)
        shared = [
            np.isin(ours[0], theirs[0]).sum() for ours, theirs in zip(index.search(queries, k), wanted, strict=True)
        ]
        assert sum(shared) / (k * len(queries)) >= 0.985
    index.close()


def test_where_too_many_lists_would_be_needed_all_rows_are_looked_at(tmp_path):
    index, queries = opened(tmp_path, dim=64), unit(20, dim=64, seed=5)
    index.add(np.arange(3000), unit(3000, dim=64))  # nothing is near anything
    tend(index)
    assert index.lists.probes == (0, 0, 0)
    for ours, theirs in zip(index.search(queries, 10), index.search(queries, 10, exact=True), strict=True):
        assert ours[0].tolist() == theirs[0].tolist()
    index.close()


def test_scores_are_to_the_bit_those_of_the_exact_search(trained):
    index, stored = trained
    queries = clustered(20, seed=8)
    for k in (1, 10, 100, 1000):
        for ours, theirs in zip(index.search(queries, k), index.search(queries, k, exact=True), strict=True):
            assert [part.tolist() for part in ours] == [part.tolist() for part in theirs]
    assert_nearest(index.search(queries[:1], 10)[0], stored, queries[0], 10)


def test_a_tie_that_runs_past_the_page_is_cut_by_id(tmp_path):
    index = opened(tmp_path)
    rows = clustered(3000)
    rows[500:900] = rows[500]
    index.add(np.arange(3000)[::-1], rows)
    tend(index)
    look_into(index, 3)
    found = index.search(rows[500:501], 5)[0][0]
    assert found.tolist() == list(range(2100, 2105))  # row 899 has id 2100
    index.close()


def sums_exactly(rows):
    """Unit vectors in steps of 2**-10: no sum of their products is rounded, in whatever order it is taken."""
    return np.round(rows * 1024).astype(np.float32) / 1024


def by_numpy(stored, query, k, allowed):
    ids = np.array(sorted(set(allowed) & stored.keys()), np.int64)
    scores = np.stack([stored[at] for at in ids.tolist()]) @ query if len(ids) else np.empty(0, np.float32)
    order = np.lexsort((ids, -scores))[:k]
    return ids[order].tolist(), scores[order].tolist()


@pytest.mark.parametrize("share", [0.0, 0.005, 0.05, 0.2, 0.3, 0.6, 0.95, 1.0])
def test_a_filtered_search_is_to_the_bit_that_of_numpy_though_there_are_lists(tmp_path, monkeypatch, share):
    monkeypatch.setattr(scanning, "FEW_ROWS", 30)  # so that few are gathered, more selected, and many scored in blocks
    index, numbers, stored = opened(tmp_path), np.random.default_rng(11), {}

    def add(ids, rows):
        index.add(ids, rows)
        stored.update(zip(ids.tolist(), rows, strict=True))

    def remove(ids):
        assert index.remove(ids) == sum(stored.pop(at, None) is not None for at in ids.tolist())

    def compare():
        assert len(index.lists.centroids) > 100 and sorted(stored) == index.ids().tolist()
        look_into(index, 1)  # in which hardly any of the allowed stand
        allowed = np.flatnonzero(numbers.random(12_001) < share)
        marks = np.zeros(12_001, np.bool_)
        marks[allowed] = True
        queries = sums_exactly(clustered(3, seed=8))
        for k in (1, 20, 500):
            expected = [by_numpy(stored, query, k, allowed.tolist()) for query in queries]
            for among in (IdMask(marks), allowed):
                for asked in (queries, queries[:1]):
                    found = [(ids.tolist(), scores.tolist()) for ids, scores in index.search(asked, k, among)]
                    assert found == expected[: len(asked)]

    add(np.arange(3000) * 3, sums_exactly(clustered(3000)))
    tend(index)
    compare()
    add(np.append(np.arange(0, 900, 3), np.arange(10_000, 10_100)), sums_exactly(clustered(400, seed=21)))
    assert len(index.lists.strays) > 200
    compare()
    remove(np.append(np.arange(0, 9000, 15), 10_050))
    assert len(index.lists.strays) > 100
    compare()
    index.close()


def test_for_more_hits_than_was_measured_all_rows_are_looked_at(tmp_path):
    index = opened(tmp_path)
    index.add(np.arange(3000), clustered(3000))
    tend(index)
    look_into(index, 50)  # of 109, about 1,400 rows
    query = clustered(1, seed=6)
    theirs = index.search(query, 1025, exact=True)[0][0]
    assert index.search(query, 1025)[0][0].tolist() == theirs.tolist()
    ours = index.search(query, 1024)[0][0]
    assert len(ours) == 1024 and ours.tolist() != theirs[:1024].tolist()
    index.close()


def test_what_is_added_replaced_and_removed_after_training_counts_at_once(trained):
    index, stored = trained
    look_into(index, 2)
    new = unit(1, seed=77)[0]
    index.add([50_001], new[None])
    assert index.search(new, 1)[0][0].tolist() == [50_001]
    index.add([300], -new[None])  # from its list to the other end
    assert index.search(-new, 1)[0][0].tolist() == [300]
    index.add([300], new[None])
    assert index.search(new, 2)[0][0].tolist() == [300, 50_001]
    index.remove([300])
    assert index.search(new, 1)[0][0].tolist() == [50_001]
    assert 300 not in index.search(stored[300], 20)[0][0].tolist()
    index.remove(np.arange(0, 9000, 6))
    assert index.search(new, 1)[0][0].tolist() == [50_001]
    for at in (3, 33, 8997):
        assert index.search(stored[at], 1)[0][0].tolist() == [at]


CHANGE = st.tuples(
    st.sampled_from(["add", "remove", "train", "reopen"]),
    st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True),
    st.integers(0, 10_000),
)


@settings(max_examples=examples(20))
@given(changes=st.lists(CHANGE, max_size=8), k=st.integers(1, 70))
def test_an_index_with_lists_answers_as_a_dictionary_does(tmp_path_factory, changes, k):
    folder, model = tmp_path_factory.mktemp("model"), {}
    index = opened(folder)
    for kind, ids, seed in [("add", list(range(30)), 1), ("train", [], 0), *changes]:
        if kind == "add":
            rows = clustered(len(ids), seed=seed)
            index.add(ids, rows)
            model |= dict(zip(ids, rows, strict=True))
        elif kind == "remove":
            assert index.remove(ids) == sum(model.pop(at, None) is not None for at in ids)
        elif kind == "train" and model:
            rows = training.in_lists(index.begin_copy(), index.vectors, DIM, lambda: None)
            assert index.adopt(rows)
        else:
            index.save(1)
            index = opened(folder)
        if index.lists is not None:
            look_into(index, len(index.lists.centroids))
        for query in clustered(2, seed=seed + 1):
            assert_nearest(index.search(query, k)[0], model, query, k)
            odd = np.arange(1, 61, 2)
            assert_nearest(index.search(query, k, odd)[0], model, query, k, set(odd.tolist()))


def test_what_changes_while_they_are_trained_is_taken_over(tmp_path):
    index, rows = opened(tmp_path), clustered(400)
    index.add(np.arange(400), rows)
    stored = dict(enumerate(rows))
    ids = index.begin_copy()
    calls = iter(range(1000))

    def change():
        at = next(calls)
        index.add([at, 1000 + at], clustered(2, seed=at + 50))
        stored.update(zip([at, 1000 + at], clustered(2, seed=at + 50), strict=True))
        index.remove([399 - at])
        stored.pop(399 - at)

    assert index.adopt(training.in_lists(ids, index.vectors, DIM, change))
    look_into(index, len(index.lists.centroids))
    assert sorted(stored) == index.ids().tolist() and next(calls) > 5
    for query in clustered(5, seed=2):
        assert_nearest(index.search(query, 50)[0], stored, query, 50)


def test_lists_of_rows_that_were_replaced_meanwhile_are_thrown_away(tmp_path):
    index = opened(tmp_path)
    index.add(np.arange(100), clustered(100))
    rows = training.in_lists(index.begin_copy(), index.vectors, DIM, lambda: None)
    index.replace_all([(np.arange(7), clustered(7).astype(np.float16))])
    assert not index.adopt(rows)
    assert len(index) == 7 and index.lists is None


def test_many_new_ones_and_some_far_from_all_lists_have_them_trained_anew(trained):
    index, _ = trained
    first = index.lists
    index.add(np.arange(20_000, 20_700), clustered(700, seed=3))
    assert not index.lists.are_worn
    tend(index)
    assert index.lists is first
    index.add(np.arange(30_000, 30_200), unit(200, seed=5))
    tend(index)
    assert index.lists is not first and not index.lists.are_worn
    second = index.lists
    index.add(
        np.arange(40_000, 40_100),
        np.tile(-unit(40, seed=99).mean(axis=0) / np.linalg.norm(unit(40, seed=99).mean(axis=0)), (100, 1)),
    )
    assert index.lists.are_worn
    tend(index)
    assert index.lists is not second and len(index) == 4000


def test_where_most_of_the_trained_rows_are_gone_all_that_are_left_are_looked_at(tmp_path):
    index, queries = opened(tmp_path, dim=64), clustered(60, dim=64, seed=7, spread=0.05)
    index.add(np.arange(8000), clustered(8000, dim=64, spread=0.05))
    tend(index)
    index.remove(np.arange(2000))
    assert index.kind == "ivf-fp16" and not index.lists.are_worn
    look_into(index, 1)
    index.remove(np.random.default_rng(3).permutation(np.arange(2000, 8000))[:5200])
    assert len(index) == 800
    for k in (10, 32, 100):
        for ours, theirs in zip(index.search(queries, k), index.search(queries, k, exact=True), strict=True):
            assert ours[0].tolist() == theirs[0].tolist()
    assert (index.lists, index.kind) == (None, "flat-fp16")
    tend(index)
    assert index.kind == "ivf-fp16" and index.lists.trained == 800
    index.close()


def test_searches_that_run_while_lists_are_swapped_find_what_is_there(tmp_path):
    index, rows = opened(tmp_path), clustered(2000)
    index.add(np.arange(2000), rows)
    wrong, ended = [], threading.Event()

    def search():
        while not ended.is_set():
            wrong.extend(at for at in (0, 999, 1500) if index.search(rows[at], 1)[0][0].tolist() != [at])

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for round_ in range(3):
        index.adopt(training.in_lists(index.begin_copy(), index.vectors, DIM, lambda: None))
        index.add([5000 + round_], unit(1, seed=round_))
        index.remove([700 + round_])
    ended.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_index_that_is_saved_in_the_order_of_its_lists_is_read_as_any_other(tmp_path):
    index, rows = opened(tmp_path), clustered(1000)
    index.add(np.arange(1000), rows)
    tend(index)
    index.add([3, 5000], unit(2, seed=9))
    index.remove([4])
    order = index._rows.table.by_row
    assert (np.diff(order) < 0).sum() > 10  # of the lists, not of the ids
    index.save(3)
    kept = {file.name for file in tmp_path.iterdir()} - {vector_file.POINTER, "save.lock"}
    assert kept == {vector_file.read_pointer(tmp_path).file}
    again = opened(tmp_path)
    assert (again.problem, again.generation, again.lists, again.kind) == (None, 3, None, "flat-fp16")
    assert again._rows.table.by_row.tolist() == order.tolist()
    expected = dict(enumerate(rows)) | {3: unit(2, seed=9)[0], 5000: unit(2, seed=9)[1]}
    del expected[4]
    ids = sorted(expected)
    assert again.ids().tolist() == ids
    assert again.vectors(ids).tolist() == np.stack([expected[at] for at in ids]).astype(np.float16).tolist()
    plain = opened(tmp_path / "plain")
    plain.add(ids, np.stack([expected[at] for at in ids]))
    queries = clustered(10, seed=8)
    for allowed in (None, np.arange(0, 1000, 3)):
        for ours, theirs in zip(again.search(queries, 20, allowed), plain.search(queries, 20, allowed), strict=True):
            assert [part.tolist() for part in ours] == [part.tolist() for part in theirs]
    tend(again)
    assert again.kind == "ivf-fp16"
    again.close()
    index.close()


def test_nothing_is_saved_over_what_another_process_has_saved_later(tmp_path):
    index = opened(tmp_path)
    index.add(np.arange(100), clustered(100))
    index.save(3)
    other = opened(tmp_path)
    other.add([200], unit(1))
    other.save(4)
    tend(index)
    index.save()
    again = opened(tmp_path)
    assert (again.generation, len(again)) == (4, 101)


def test_a_save_that_comes_between_is_not_written_over(tmp_path, monkeypatch):
    index = opened(tmp_path)
    index.add(np.arange(100), clustered(100))
    index.save(3)
    other = opened(tmp_path)
    other.add([200], unit(1))
    locked = FileLock.acquire

    def after_another(lock, *args, **kwargs):
        monkeypatch.setattr(FileLock, "acquire", locked)
        other.save(4)
        return locked(lock, *args, **kwargs)

    monkeypatch.setattr(FileLock, "acquire", after_another)
    index.save()
    again = opened(tmp_path)
    assert (again.generation, len(again)) == (4, 101)


def test_closing_ends_the_thread_and_none_begins_after_it(tmp_path, monkeypatch):
    reached, begun = threading.Event(), threading.Event()

    def endless(ids, vectors, numbers, check):
        begun.set()
        while True:
            reached.wait(0.001)
            check()

    monkeypatch.setattr(training, "trained", endless)
    index = opened(tmp_path)
    index.add(np.arange(100), clustered(100))
    index.tend()
    assert begun.wait(20)
    assert index.search(unit(1), 3)[0][0].size == 3
    thread = index._training._thread
    index.tend()
    assert index._training._thread is thread  # one at a time
    index.close()
    assert not thread.is_alive()
    index.tend()
    assert index._training._thread is thread and index.lists is None


def test_training_that_fails_is_said_once_and_the_exact_search_goes_on(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(training, "trained", lambda *_: (_ for _ in ()).throw(MemoryError("no room")))
    index = opened(tmp_path)
    index.add(np.arange(100), clustered(100))
    with caplog.at_level(logging.WARNING):
        tend(index)
        tend(index)
    assert [record.getMessage().endswith("no room") for record in caplog.records] == [True]
    assert len(index.search(unit(1), 5)[0][0]) == 5
    assert index._changed is None  # nothing is noted for a copy that nobody will adopt


def test_where_memory_is_short_nothing_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "memory_left", lambda: 1000)
    index = opened(tmp_path)
    index.add(np.arange(100), clustered(100))
    tend(index)
    assert index.lists is None
    monkeypatch.setattr(training, "memory_left", lambda: 1_000_000_000)
    first = index._training._thread
    tend(index)
    assert index._training._thread is first  # not for each search
    index._training._not_before = time.monotonic()
    tend(index)
    assert index.lists is not None


def test_a_training_writes_no_file(tmp_path):
    index = opened(tmp_path)
    index.add(np.arange(100), clustered(100))
    index.save(3)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    index.add([200], unit(1))  # of a generation that is not said yet
    tend(index)
    assert index.lists is not None
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_the_memory_that_is_left_is_read_where_the_system_says_it(tmp_path):
    table = tmp_path / "meminfo"
    table.write_text("MemTotal: 9 kB\nMemAvailable:    7 kB\n")
    assert memory_left(tmp_path, tmp_path / "none") == 7168
    table.write_text("nothing\n")
    assert memory_left(tmp_path, tmp_path / "none") is None
    assert memory_left(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize(
    ("line", "place", "limit", "used", "cached"),
    [
        ("0::/box/one", "box", "memory.max", "memory.current", "inactive_file"),
        ("0::/box/one", ".", "memory.max", "memory.current", "inactive_file"),
        ("4:cpu,memory:/one", "memory/one", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ("4:memory:/far/one", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ],
)
def test_no_more_memory_is_left_than_a_container_may_have(tmp_path, line, place, limit, used, cached):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text(f"9:pids:/\n{line}\n")
    (tmp_path / "meminfo").write_text("MemAvailable: 7 kB\n")
    group = tmp_path / "groups" / place
    group.mkdir(parents=True)
    (group / limit).write_text("max\n")
    (group / used).write_text("4000\n")
    assert memory_left(tmp_path, tmp_path / "groups") == 7168
    (group / limit).write_text("5000\n")
    assert memory_left(tmp_path, tmp_path / "groups") == 1000
    (group / "memory.stat").write_text(f"anon 5\n{cached} 300\n")
    assert memory_left(tmp_path, tmp_path / "groups") == 1300
    (group / used).write_text("6000\n")
    assert memory_left(tmp_path, tmp_path / "groups") == 0
