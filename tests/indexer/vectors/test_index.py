from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import faiss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.vectors import gpu_mirror
from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.index import VectorIndex
from indexer.vectors.torch_flat import TorchFlat
from tests.fuzzing import examples
from tests.indexer.unit_vectors import DIM, assert_nearest, unit

MODEL = "a" * 64


class RoundingFlat:
    """A CPU index that answers as a GPU in half precision may: scores a little off, at most 2,048 results."""

    def __init__(self, dim: int, number: int = 0):
        self.flat = faiss.IndexFlatIP(dim)
        self.searches = 0
        self.broken = False

    def add(self, rows):
        if self.broken:
            raise RuntimeError("out of memory on device 0\nat some line of C++")
        self.flat.add(rows)

    def reset(self):
        self.flat.reset()

    def search(self, queries, k):
        if self.broken:
            raise RuntimeError("CUDA error 719\nat some line of C++")
        assert 0 < k <= 2048
        self.searches += 1
        scores = self.flat.search(queries, self.flat.ntotal)
        noise = np.random.default_rng(0).uniform(-4.5e-4, 4.5e-4, scores[0].shape).astype(np.float32)
        noisy = scores[0] + noise
        order = np.argsort(-noisy, axis=1)[:, :k]
        return np.take_along_axis(noisy, order, 1), np.take_along_axis(scores[1], order, 1)


def torch_on_the_cpu(dim: int, number: int) -> TorchFlat:
    """What a GPU runs, on the CPU."""
    return TorchFlat(dim, "cpu")


@pytest.fixture(params=["cpu", "mapped", "mirror", "torch"], scope="module")
def kind(request):
    """On the CPU alone, in memory or in the file, and with a stand-in for the GPU."""
    return request.param


@pytest.fixture
def make(kind, tmp_path):
    """Open an index of the kind."""

    def open_index(dim: int = DIM, fingerprint: str = MODEL) -> VectorIndex:
        return opened(kind, tmp_path / "index", dim, fingerprint)

    return open_index


def opened(kind: str, folder: Path, dim: int = DIM, fingerprint: str = MODEL) -> VectorIndex:
    def mirror(dim, device):
        if kind in ("cpu", "mapped"):
            return None
        return gpu_mirror.open_mirror(dim, "cuda", RoundingFlat if kind == "mirror" else torch_on_the_cpu)

    return VectorIndex.open(folder, dim=dim, fingerprint=fingerprint, mirror=mirror, mapped=kind == "mapped")


@pytest.fixture(scope="module")
def filled(kind, tmp_path_factory):
    """One of each kind with 6,000 vectors, and what it holds; nothing that is asked of it changes it."""
    index, rows = opened(kind, tmp_path_factory.mktemp(kind) / "index"), unit(6000)
    ids = np.random.default_rng(2).permutation(1_000_000)[:6000]
    index.add(ids, rows)
    return index, ids, dict(zip(ids.tolist(), rows, strict=True))


def mirrored(tmp_path, *, dim=DIM, kept=None):
    """An index with the stand-in, which is put into `kept`."""

    def factory(dim, number):
        flat = RoundingFlat(dim)
        if kept is not None:
            kept.append(flat)
        return flat

    return VectorIndex.open(
        tmp_path / "index",
        dim=dim,
        fingerprint=MODEL,
        mirror=lambda dim, device: gpu_mirror.open_mirror(dim, "cuda:0", factory),
    )


def test_an_empty_index_finds_nothing(make):
    index = make()
    assert len(index) == 0
    assert index.ids().tolist() == []
    for ids, scores in index.search(unit(3), 5):
        assert (len(ids), len(scores)) == (0, 0)
    assert index.search(unit(0), 5) == []


def test_the_nearest_come_first_with_scores_of_half_storage(make):
    index, rows, queries = make(), unit(50), unit(7, seed=1)
    index.add(np.arange(100, 150), rows)
    stored = dict(zip(range(100, 150), rows, strict=True))
    for query, found in zip(queries, index.search(queries, 10), strict=True):
        assert_nearest(found, stored, query, 10)
        assert (found[0].dtype, found[1].dtype) == (np.int64, np.float32)


def test_one_query_may_come_as_a_row(make):
    index = make()
    index.add([4], unit(1))
    assert index.search(unit(1)[0], 1)[0][0].tolist() == [4]


def test_fewer_hits_than_asked_are_not_padded(make):
    index = make()
    index.add([3, 1, 2], unit(3))
    ids, scores = index.search(unit(1, seed=5), 10_000)[0]
    assert sorted(ids.tolist()) == [1, 2, 3]
    assert len(scores) == 3
    assert len(index.search(unit(1), 10_000, allowed=np.array([2, 99]))[0][0]) == 1
    assert len(index.search(unit(1), 0)[0][0]) == 0


@pytest.mark.parametrize("copies", [3, 40, 3000])
def test_ties_are_ordered_by_id_and_the_lowest_ids_are_kept(make, copies):
    index = make()
    ids = np.random.default_rng(0).permutation(copies) + 10
    index.add(ids, np.repeat(unit(1), copies, axis=0))
    index.add([1], -unit(1))
    found, scores = index.search(unit(1), 3)[0]
    assert found.tolist() == [10, 11, 12]
    assert len(set(scores.tolist())) == 1
    assert index.search(unit(1), 2, allowed=np.arange(11, 10_000))[0][0].tolist() == [11, 12]


@pytest.mark.parametrize("share", [0.0003, 0.01, 0.12, 0.13, 0.4, 0.9, 1.0])
@pytest.mark.parametrize("k", [1, 20, 700, 9000])
def test_search_among_allowed_ids_is_exact_at_any_share(filled, share, k):
    index, ids, stored = filled
    allowed = np.random.default_rng(3).choice(ids, int(6000 * share), replace=False)
    with_strangers = np.concatenate([allowed, [5_000_000, 5_000_000], allowed[:2]])
    query = unit(1, seed=9)
    found = index.search(query, k, allowed=with_strangers)[0]
    assert_nearest(found, stored, query[0], k, set(allowed.tolist()))


@pytest.mark.parametrize("share", [0.01, 0.4, None])
@pytest.mark.parametrize("k", [1, 20, 700, 9000])
@pytest.mark.parametrize("together", [1, 3])
def test_a_least_score_cuts_what_would_be_found_without_it(filled, share, k, together):
    index, ids, _ = filled
    chosen = np.random.default_rng(3)
    allowed = None if share is None else chosen.choice(ids, int(6000 * share), replace=False)
    queries = unit(together, seed=9)
    whole = index.search(queries, k, allowed)
    least = [
        float(scores[max(0, len(scores) // 2 - at)]) for at, (_, scores) in enumerate(whole)
    ]  # a score that one has
    least[-1] = [2.0, -2.0][k % 2]
    for (ids_, scores), (all_ids, all_scores), bound in zip(
        index.search(queries, k, allowed, least=least), whole, least, strict=True
    ):
        np.testing.assert_array_equal(ids_, all_ids[all_scores >= np.float32(bound)])
        np.testing.assert_array_equal(scores, all_scores[all_scores >= np.float32(bound)])


def test_a_filter_far_from_the_query_is_exact_too(make):
    index, query = make(), unit(1)
    near = unit(8000, seed=4) * 0.1 + query
    rows = np.concatenate([near, -near])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index.add(np.arange(16_000), rows)
    allowed = np.arange(8000, 16_000)
    found = index.search(query, 10, allowed=allowed)[0]
    assert_nearest(found, dict(enumerate(rows)), query[0], 10, set(allowed.tolist()))


def test_no_allowed_id_means_no_hit(make):
    index = make()
    index.add([1, 2], unit(2))
    assert len(index.search(unit(1), 5, allowed=np.empty(0, np.int64))[0][0]) == 0
    assert len(index.search(unit(1), 5, allowed=np.array([77]))[0][0]) == 0


def test_an_id_that_is_there_is_replaced(make):
    index, rows = make(), unit(4)
    index.add([1, 2, 3], rows[:3])
    index.add([2, 9], np.stack([rows[3], rows[1]]))
    assert index.ids().tolist() == [1, 2, 3, 9]
    assert index.search(rows[3:], 1)[0][0].tolist() == [2]
    assert index.search(rows[1:2], 1)[0][0].tolist() == [9]
    np.testing.assert_array_equal(index.vector(2), rows[3].astype(np.float16))


def test_removal_keeps_the_others_and_passes_over_strangers(make):
    index, rows = make(), unit(6)
    index.add([6, 5, 4, 3, 2, 1], rows)
    assert index.remove([5, 2, 77, 5]) == 2
    assert index.remove([5]) == 0
    assert index.remove([]) == 0
    assert index.ids().tolist() == [1, 3, 4, 6]
    assert index.search(rows[2:3], 1)[0][0].tolist() == [4]
    left = {6: rows[0], 4: rows[2], 3: rows[3], 1: rows[5]}
    assert_nearest(index.search(rows[1:2], 9)[0], left, rows[1], 9)
    assert_nearest(index.search(rows[1:2], 2)[0], left, rows[1], 2)
    with pytest.raises(KeyError, match="photo 5 is not"):
        index.vector(5)


def test_the_same_scores_alone_in_a_batch_and_in_a_filter(make):
    index, rows, queries = make(), unit(3000), unit(20, seed=8)
    index.add(np.arange(3000), rows)
    batch = index.search(queries, 5)
    for at, (ids, scores) in enumerate(batch):
        alone = index.search(queries[at], 5)[0]
        few = index.search(queries[at], 5, allowed=ids)[0]
        assert alone[0].tolist() == few[0].tolist() == ids.tolist()
        assert alone[1].tolist() == few[1].tolist() == scores.tolist()


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        ([1], unit(1, dim=8), r"shape \(1, 16\).*\(1, 8\)"),
        ([1, 2], unit(1), r"shape \(2, 16\).*\(1, 16\)"),
        ([], unit(1), r"shape \(0, 16\)"),
        ([1], unit(1)[0], r"shape \(1, 16\).*\(16,\)"),
        ([1, 2], [[1.0] * 16, [1.0] * 15], "of one length"),
        ([1, 2], [["x"] * 16, ["y"] * 16], "rows of numbers"),
        ([1], np.full((1, 16), np.nan), "unit length.*id 1 has nan"),
        ([1], np.full((1, 16), np.inf), "unit length.*id 1 has inf"),
        ([7], np.zeros((1, 16)), r"unit length.*id 7 has 0\.0"),
        ([1], unit(1) * 1.02, "unit length"),
        ([1, 2, 1], unit(3), "stands twice"),
        ([-1], unit(1), "negative"),
        ([1.5], unit(1), "whole numbers"),
        ([[1]], unit(1), "whole numbers"),
        (["a"], unit(1), "whole numbers"),
    ],
)
def test_what_is_no_embedding_is_refused_and_changes_nothing(make, ids, vectors, message):
    index = make()
    index.add([1], unit(1, seed=3))
    with pytest.raises(ValueError, match=message):
        index.add(ids, vectors)
    assert index.ids().tolist() == [1]
    assert index.search(unit(1, seed=3), 1)[0][1][0] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        (unit(1, dim=8), r"shape \(q, 16\)"),
        (np.full((1, 16), np.nan), "finite"),
        (np.zeros((1, 1, 16)), "shape"),
        ([[1.0], [1.0, 2.0]], "one length"),
    ],
)
def test_what_is_no_query_is_refused(make, queries, message):
    with pytest.raises(ValueError, match=message):
        make().search(queries, 5)


def test_a_negative_k_is_refused(make):
    with pytest.raises(ValueError, match="must not be negative"):
        make().search(unit(1), -1)


def test_embeddings_as_the_catalog_stores_them_are_taken_to_the_bit(make):
    index, halves = make(), unit(500, dim=DIM).astype(np.float16)
    index.add(np.arange(500), halves)
    np.testing.assert_array_equal(np.stack([index.vector(photo) for photo in range(500)]), halves)


def test_nbytes_is_what_vectors_and_ids_take(make):
    index = make()
    index.add(np.arange(1000), unit(1000))
    assert 1000 * (DIM * 2 + 8) <= index.nbytes <= 1000 * (DIM * 2 + 16)


def test_what_was_saved_is_opened(make):
    index, rows = make(), unit(300)
    index.add(np.arange(300, 0, -1), rows)
    index.remove([7])
    index.save(41)
    again = make()
    assert (again.problem, again.generation, len(again)) == (None, 41, 299)
    query = unit(1, seed=2)
    assert [part.tolist() for part in again.search(query, 20)[0]] == [
        part.tolist() for part in index.search(query, 20)[0]
    ]
    again.add([7], rows[:1])
    assert len(again) == 300


def test_an_empty_index_is_saved_and_opened(make):
    make().save(3)
    again = make()
    assert (again.problem, again.generation, len(again)) == (None, 3, 0)


@pytest.mark.parametrize(("dim", "fingerprint", "problem"), [(8, MODEL, "16 dim"), (DIM, "b" * 64, "another model")])
def test_vectors_of_two_models_never_meet(make, dim, fingerprint, problem):
    index = make()
    index.add([1], unit(1))
    index.save(5)
    other = make(dim=dim, fingerprint=fingerprint)
    assert (len(other), other.generation) == (0, 0)
    assert problem in (other.problem or "")


def test_a_damaged_file_gives_an_empty_index_that_can_be_used(make, tmp_path):
    index = make()
    index.add(np.arange(100), unit(100))
    index.save(5)
    (data,) = (tmp_path / "index").glob("*.bin")
    raw = bytearray(data.read_bytes())
    raw[-1] ^= 1
    data.write_bytes(raw)
    again = make()
    assert (len(again), again.generation) == (0, 0)
    assert "checksum" in (again.problem or "")
    again.add([1], unit(1))
    assert again.search(unit(1), 5)[0][0].tolist() == [1]
    again.save(6)
    assert make().problem is None


@pytest.mark.skipif(os.name != "posix", reason="a save could not remove the file")
def test_rows_that_are_mapped_are_not_copied_before_the_first_change(tmp_path):
    folder, rows = tmp_path / "index", unit(300)
    writer = opened("cpu", folder)
    writer.add(np.arange(300), rows)
    writer.save(1)
    index = opened("mapped", folder)
    assert index.vectors([5]).tolist() == writer.vectors([5]).tolist()
    assert not index._rows.halves().flags.writeable
    writer.remove(np.arange(100))
    writer.save(2)  # which removes the file that is mapped
    assert len(list(folder.glob("*.bin"))) == 1
    assert_nearest(index.search(rows[7], 5)[0], dict(enumerate(rows)), rows[7], 5)
    index.add([300], rows[:1])
    assert index._rows.halves().flags.writeable
    assert index.search(rows[:1], 2)[0][0].tolist() == [0, 300]


def test_a_faiss_that_looks_at_no_memory_but_its_own_copies(tmp_path, monkeypatch):
    folder, rows = tmp_path / "index", unit(30)
    index = opened("mapped", folder)
    index.add(np.arange(30), rows)
    index.save(1)
    monkeypatch.delattr(faiss, "MaybeOwnedVectorUInt8")
    again = opened("mapped", folder)
    assert again._rows.halves().flags.writeable
    assert again.search(rows[3], 1)[0][0].tolist() == [3]


def test_new_contents_replace_all_at_once_and_a_failure_leaves_the_old(make):
    index, rows = make(), unit(10)
    index.add(np.arange(5), rows[:5])

    def broken():
        yield np.array([7]), rows[7:8].astype(np.float16)
        assert index.search(rows[:1], 1)[0][0].tolist() == [0]  # the old one answers meanwhile
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError):
        index.replace_all(broken())
    assert index.ids().tolist() == [0, 1, 2, 3, 4]
    index.replace_all([(np.array([8, 9]), rows[8:].astype(np.float16))])
    assert index.ids().tolist() == [8, 9]
    assert index.search(rows[9:], 5)[0][0].tolist()[0] == 9


changes = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "reopen"]), st.lists(st.integers(0, 25), max_size=12, unique=True)),
    max_size=12,
)


@settings(max_examples=examples(30))
@given(steps=changes, k=st.integers(1, 30), seed=st.integers(0, 1000))
@pytest.mark.parametrize("way", ["cpu", "mapped", "mirror"])
def test_any_sequence_of_changes_equals_a_dictionary(tmp_path_factory, way, steps, k, seed):
    folder = tmp_path_factory.mktemp("sequence")

    def reopen():
        if way == "mirror":
            return mirrored(folder)
        return VectorIndex.open(folder / "index", dim=DIM, fingerprint=MODEL, device="cpu", mapped=way == "mapped")

    index, model = reopen(), {}
    for number, (step, ids) in enumerate(steps):
        if step == "add":
            rows = unit(len(ids), seed=seed + number)
            index.add(ids, rows)
            model.update(zip(ids, rows, strict=True))
        elif step == "remove":
            assert index.remove(ids) == len(set(ids) & set(model))
            model = {photo: row for photo, row in model.items() if photo not in ids}
        else:
            index.save(number)
            index = reopen()
    assert index.ids().tolist() == sorted(model)
    query = unit(1, seed=seed + 999)
    assert_nearest(index.search(query, k)[0], model, query[0], k)
    allowed = np.arange(5, 15)
    assert_nearest(index.search(query, k, allowed)[0], model, query[0], k, set(allowed.tolist()))


def test_searches_see_whole_states_while_another_thread_changes(make):
    """Each step replaces the vectors of all ids at once: no answer may mix two steps."""
    index, rows, stop, seen = make(), unit(20, seed=6), threading.Event(), []
    index.add(np.arange(500), np.repeat(rows[:1], 500, axis=0))

    def look():
        while not stop.is_set():
            for _ids, scores in index.search(rows, 600):
                seen.append((len(scores), len(set(scores.tolist()))))

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    for step in range(1, 60):
        index.add(np.arange(500), np.repeat(rows[step % 20][None], 500, axis=0))
        index.add(np.arange(500, 520), np.repeat(rows[step % 20][None], 20, axis=0))
        index.remove(np.arange(500, 520))
        if step % 20 == 0:
            index.save(step)
    stop.set()
    for looker in lookers:
        looker.join()
    assert len(seen) > 20
    assert {count for count, _ in seen} <= {500, 520}
    assert all(different <= (1 if count == 500 else 2) for count, different in seen)


def test_a_mirror_is_asked_and_gives_what_the_cpu_gives(tmp_path):
    kept = []
    index = mirrored(tmp_path, kept=kept)
    assert index.device == "cuda:0"
    rows, queries = unit(5000), unit(30, seed=1)
    index.add(np.arange(5000), rows)
    before = kept[0].searches
    alone = VectorIndex.open(tmp_path / "other", dim=DIM, fingerprint=MODEL, device="cpu")
    alone.add(np.arange(5000), rows)
    for k, allowed in [(10, None), (300, None), (1500, None), (4000, None), (10, np.arange(1000, 4000))]:
        ours, theirs = index.search(queries, k, allowed), alone.search(queries, k, allowed)
        for (ids, scores), (other_ids, other_scores) in zip(ours, theirs, strict=True):
            assert ids.tolist() == other_ids.tolist()
            assert scores.tolist() == other_scores.tolist()
    assert kept[0].searches > before


def test_a_mirror_is_reloaded_when_dead_rows_pile_up(tmp_path):
    kept = []
    index, rows = mirrored(tmp_path, kept=kept), unit(1200)
    index.add(np.arange(1200), rows)
    for _ in range(3):
        index.add(np.arange(1200), rows)
    assert kept[0].flat.ntotal < 3 * 1200
    index.remove(np.arange(1, 1200))
    assert index.search(rows[5:6], 10)[0][0].tolist() == [0]


@pytest.mark.parametrize("moment", ["add", "search"])
def test_a_gpu_that_fails_later_is_given_up_loudly(tmp_path, caplog, moment):
    kept = []
    index, rows = mirrored(tmp_path, kept=kept), unit(100)
    index.add(np.arange(50), rows[:50])
    kept[0].broken = True
    with caplog.at_level(logging.WARNING):
        if moment == "add":
            index.add(np.arange(50, 100), rows[50:])
        assert index.search(rows[3:4], 1)[0][0].tolist() == [3]
    assert index.device == "cpu"
    assert len(caplog.records) == 1
    assert "the CPU does instead" in caplog.text
    assert "C++" not in caplog.text
    assert index.search(rows[:1], 1)[0][0].tolist() == [0]


class Wrong(RoundingFlat):
    def search(self, queries, k):
        scores, rows = super().search(queries, k)
        return scores * 0, rows


def raising(dim, number):
    raise RuntimeError("CUDA driver version is insufficient\nat line 12")


@pytest.mark.parametrize(("factory", "reason"), [(Wrong, "probe search gave"), (raising, "driver version is insuff")])
def test_a_gpu_that_fails_its_probe_is_not_used_and_the_reason_is_said(caplog, factory, reason):
    with caplog.at_level(logging.WARNING):
        assert gpu_mirror.open_mirror(DIM, "auto", factory) is None
    assert reason in caplog.text
    assert "line 12" not in caplog.text


@pytest.mark.parametrize("dim", [1, 2, 3, 16, 512])
def test_the_probe_accepts_a_sound_index_and_leaves_it_empty(dim):
    flat = RoundingFlat(dim)
    gpu_mirror.probe(flat, dim)
    assert flat.flat.ntotal == 0


@pytest.mark.skipif(hasattr(faiss, "StandardGpuResources"), reason="this FAISS knows GPUs")
def test_a_gpu_that_was_asked_for_and_is_not_there_is_missed_loudly(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        for device in ("auto", "cpu", "mps"):
            assert VectorIndex.open(tmp_path, dim=DIM, fingerprint=MODEL, device=device).device == "cpu"
        assert caplog.text == ""
        assert VectorIndex.open(tmp_path, dim=DIM, fingerprint=MODEL, device="cuda").device == "cpu"
    assert "torch cannot use it (no NVIDIA driver is there), and this FAISS sees 0 GPUs" in caplog.text


def test_a_driver_that_torch_cannot_use_is_told_and_the_cpu_searches(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(gpu_mirror, "driver_present", lambda: True)
    monkeypatch.setattr(gpu_mirror, "gpu_count", lambda: 0)
    monkeypatch.setattr(gpu_mirror, "TorchFlat", raising)
    with caplog.at_level(logging.WARNING):
        assert VectorIndex.open(tmp_path, dim=DIM, fingerprint=MODEL, device="auto").device == "cpu"
    assert "torch cannot use it (CUDA driver version is insufficient)" in caplog.text


def test_faiss_searches_on_a_gpu_that_torch_cannot_use(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(gpu_mirror, "driver_present", lambda: True)
    monkeypatch.setattr(gpu_mirror, "gpu_count", lambda: 1)
    monkeypatch.setattr(gpu_mirror, "TorchFlat", raising)
    monkeypatch.setattr(gpu_mirror, "flat_on_gpu", RoundingFlat)
    with caplog.at_level(logging.WARNING):
        assert VectorIndex.open(tmp_path, dim=DIM, fingerprint=MODEL, device="auto").device == "cuda:0"
    assert caplog.text == ""


def test_without_faiss_the_two_extras_are_named():
    code = (
        "import sys; sys.modules['faiss'] = None\n"
        "from pathlib import Path\n"
        "from indexer.vectors.index import VectorIndex\n"
        "from indexer.errors import FaissMissingError\n"
        "try: VectorIndex.open(Path('nowhere'), dim=4, fingerprint='x')\n"
        "except FaissMissingError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "picsift[cpu]" in done.stdout
    assert "picsift[gpu]" in done.stdout


def test_a_faiss_that_cannot_be_loaded_is_not_called_missing(tmp_path):
    (tmp_path / "faiss.py").write_text("raise ImportError('libcublas.so.12: cannot open shared object file')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from indexer.errors import FaissMissingError, PicsiftError\n"
        "from indexer.vectors.faiss_module import load_faiss\n"
        "try: load_faiss()\n"
        "except PicsiftError as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("PicsiftError ")
    assert "libcublas.so.12" in done.stdout


def test_importing_the_index_does_not_import_faiss():
    code = "import sys, indexer.vectors.index, indexer.vectors.repair; print('faiss' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.gpu
@pytest.mark.parametrize("way", ["torch", "faiss"])
def test_a_real_gpu_gives_what_the_cpu_gives(tmp_path, monkeypatch, way):
    if way == "faiss":
        if not gpu_mirror.gpu_count():
            pytest.skip("no GPU that FAISS can use (faiss-gpu and an NVIDIA driver)")
        monkeypatch.setattr(gpu_mirror, "driver_present", lambda: False)
    elif not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU that torch can use")
    rows, queries = unit(20_000, dim=512), unit(64, dim=512, seed=1)
    gpu = VectorIndex.open(tmp_path / "gpu", dim=512, fingerprint=MODEL, device="cuda")
    cpu = VectorIndex.open(tmp_path / "cpu", dim=512, fingerprint=MODEL, device="cpu")
    assert gpu.device == "cuda:0"
    for index in (gpu, cpu):
        index.add(np.arange(20_000), rows)
        index.remove(np.arange(0, 20_000, 7))
        index.add(np.arange(0, 100), rows[1000:1100])
    for k, allowed in [(1, None), (50, None), (3000, None), (20, np.arange(5000, 15_000))]:
        for ours, theirs in zip(gpu.search(queries, k, allowed), cpu.search(queries, k, allowed), strict=True):
            assert ours[0].tolist() == theirs[0].tolist()
            np.testing.assert_allclose(ours[1], theirs[1], atol=1e-3)
    assert gpu.device == "cuda:0"  # it did not fall back on the way


def test_load_faiss_gives_one_module():
    assert load_faiss() is faiss


def test_the_gpus_index_keeps_what_it_needs_alive(monkeypatch):
    """FAISS lets nothing else than its own list be set on an index, with a GPU and without."""
    resources = type("StandardGpuResources", (), {"setTempMemory": lambda self, count: None})

    class WithGpu:
        StandardGpuResources = resources
        GpuIndexFlatConfig = type("GpuIndexFlatConfig", (), {})

        @staticmethod
        def GpuIndexFlatIP(given, dim, config):
            assert config.useFloat16 and config.device == 0
            return faiss.IndexFlatIP(dim)

    monkeypatch.setattr(gpu_mirror, "load_faiss", WithGpu)
    index = gpu_mirror.flat_on_gpu(DIM, 0)
    assert [type(kept) for kept in index.referenced_objects] == [resources]
