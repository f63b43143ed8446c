"""The catalog against a model of it made of plain dictionaries, through random sequences of writes."""

import dataclasses
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database
from indexer.catalog.frame_ids import FIRST_FRAME, frame_id
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.records import CopiedPhoto, Counts, FailedPhoto, Move
from tests.fuzzing import examples
from tests.indexer.catalog_samples import DIM, new, vectors

NAMES = ["a.jpg", "b.jpg", "c_%.jpg", "\udce9.jpg"]
FOLDERS = ["", "x/", "x/y/", "X_%/"]
PATHS = st.sampled_from([folder + name for folder in FOLDERS for name in NAMES])
CONTENTS = st.sampled_from("PQRS")
FRAMES = {"P": 0, "Q": 0, "R": 1, "S": 3}  # R and S are videos with so many frames beside the poster
START = datetime(2020, 1, 1)
NOW = datetime(2024, 1, 1, tzinfo=UTC)


class CatalogModel(RuleBasedStateMachine):
    """`rows` is what the catalog should hold: id -> root, path, content (None: failed), day, missing."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.catalog = Catalog(open_database(self.folder / "library"))
        self.roots = [self.catalog.add_root(self.folder / name)[0] for name in ("one", "two")]
        self.models = [self.catalog.model(name, name, DIM).id for name in ("m", "n")]
        self.rows: dict[int, dict[str, object]] = {}
        self.embedded: dict[int, dict[int, np.ndarray]] = {model: {} for model in self.models}
        self.frames: dict[int, dict[int, np.ndarray]] = {model: {} for model in self.models}
        self.generations = dict.fromkeys(self.models, 0)
        self.seed = 0

    def teardown(self):
        self.catalog.close()
        shutil.rmtree(self.folder)

    def at(self, root, path):
        return next((n for n, row in self.rows.items() if (row["root"], row["path"]) == (root, path)), None)

    def drop(self, *ids):
        """Forget embeddings; gives the models that had some."""
        for model in self.models:
            for number in ids:
                self.frames[model].pop(number, None)
        return {model for model in self.models for number in ids if self.embedded[model].pop(number, None) is not None}

    def bump(self, models):
        for model in models:
            self.generations[model] += 1

    def used(self):
        return {row["content"] for row in self.rows.values()}

    def put(self, ids, root, paths, contents, day):
        """Write rows for ids that the catalog gave; gives the models that lost embeddings."""
        touched = set()
        for number, path, content in zip(ids, paths, contents, strict=True):
            assert self.at(root, path) in (None, number)
            if content is None or self.rows.get(number, {}).get("content") != content:
                touched |= self.drop(number)
            self.rows[number] = {"root": root, "path": path, "content": content, "day": day, "missing": False}
        return touched

    @rule(root=st.integers(0, 1), model=st.integers(0, 1), day=st.integers(0, 9), data=st.data())
    def store(self, root, model, day, data):
        paths = data.draw(st.lists(PATHS, min_size=1, max_size=4, unique=True))
        contents = [data.draw(CONTENTS) for _ in paths]
        self.seed += 1
        made = vectors(len(paths), self.seed)
        photos = [
            dataclasses.replace(
                new(path, content, taken_at=START + timedelta(days=day)),
                moments=tuple(2.0 * number for number in range(FRAMES[content])),
            )
            for path, content in zip(paths, contents, strict=True)
        ]
        frames = {
            path: vectors(FRAMES[content], 1000 + self.seed)
            for path, content in zip(paths, contents, strict=True)
            if FRAMES[content]
        }
        ids = self.catalog.store(self.roots[root].id, photos, self.models[model], made, frames)
        touched = self.put(ids, root, paths, contents, day)
        self.embedded[self.models[model]].update(zip(ids, made, strict=True))
        self.frames[self.models[model]].update(
            (n, frames[path]) for n, path in zip(ids, paths, strict=True) if path in frames
        )
        self.bump(touched | {self.models[model]})

    @rule(root=st.integers(0, 1), paths=st.lists(PATHS, min_size=1, max_size=3, unique=True))
    def fail(self, root, paths):
        ids = self.catalog.fail(self.roots[root].id, [FailedPhoto(path, 1, 1, "bad") for path in paths])
        self.bump(self.put(ids, root, paths, [None] * len(paths), None))

    @precondition(lambda self: any(row["content"] for row in self.rows.values()))
    @rule(root=st.integers(0, 1), paths=st.lists(PATHS, min_size=1, max_size=3, unique=True), data=st.data())
    def copy(self, root, paths, data):
        sound = sorted(number for number, row in self.rows.items() if row["content"])
        sources = [data.draw(st.sampled_from(sound)) for _ in paths]
        before = {n: dict(self.rows[n]) for n in sources}
        lent = {model: {n: self.embedded[model].get(n) for n in sources} for model in self.models}
        shown = {model: {n: self.frames[model].get(n) for n in sources} for model in self.models}
        contents = [before[source]["content"] for source in sources]
        copies = [CopiedPhoto(p, 10, 1, c, s) for p, c, s in zip(paths, contents, sources, strict=True)]
        ids = self.catalog.store_copies(self.roots[root].id, copies)
        touched = self.put(ids, root, paths, contents, None)
        for number, source in zip(ids, sources, strict=True):
            self.rows[number]["day"] = before[source]["day"]
            for model in self.models:
                if lent[model][source] is not None:
                    self.embedded[model][number] = lent[model][source]
                    if shown[model][source] is not None:
                        self.frames[model][number] = shown[model][source]
                    touched.add(model)
        self.bump(touched)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def move(self, data):
        ids = data.draw(st.lists(st.sampled_from(sorted(self.rows)), min_size=1, max_size=4, unique=True))
        targets = data.draw(
            st.lists(st.tuples(st.integers(0, 1), PATHS), min_size=len(ids), max_size=len(ids), unique=True)
        )
        held = self.used()
        victims = {self.at(*target) for target in targets} - {None, *ids}
        moves = [Move(n, self.roots[r].id, p, 1, 1) for n, (r, p) in zip(ids, targets, strict=True)]
        unused = self.catalog.move(moves)
        for number, (root, path) in zip(ids, targets, strict=True):
            self.rows[number] |= {"root": root, "path": path, "missing": False}
        for number in victims:
            del self.rows[number]
        self.bump(self.drop(*victims))
        assert sorted(unused) == sorted(held - self.used() - {None})

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def remove(self, data):
        ids = data.draw(st.lists(st.sampled_from(sorted(self.rows)), min_size=1, max_size=3, unique=True))
        held = {self.rows[number]["content"] for number in ids} - {None}
        unused = self.catalog.remove(ids)
        for number in ids:
            del self.rows[number]
        self.bump(self.drop(*ids))
        assert unused == sorted(held - self.used())

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), missing=st.booleans())
    def mark(self, data, missing):
        ids = data.draw(st.lists(st.sampled_from(sorted(self.rows)), max_size=4, unique=True))
        if missing:
            self.catalog.mark_missing(ids, NOW)
        else:
            self.catalog.mark_found(ids)
        for number in ids:
            self.rows[number]["missing"] = missing

    @rule()
    def reopen(self):
        self.catalog.close()
        self.catalog = Catalog(open_database(self.folder / "library"))

    @invariant()
    def rows_are_the_same(self):
        for place, root in enumerate(self.roots):
            for model in self.models:
                known = self.catalog.known(root.id, model_id=model).values()
                assert {(p.id, p.path, p.content_hash, p.state == "ok", p.missing, p.embedded) for p in known} == {
                    (n, row["path"], row["content"], bool(row["content"]), row["missing"], n in self.embedded[model])
                    for n, row in self.rows.items()
                    if row["root"] == place
                }
        shown = {photo.id: photo.path for photo in self.catalog.photos(list(self.rows))}
        assert shown == {n: self.roots[row["root"]].path / row["path"] for n, row in self.rows.items()}

    @invariant()
    def embeddings_are_the_same(self):
        for model in self.models:
            stored = {
                int(n): vector
                for ids, part in self.catalog.embeddings(model)
                for n, vector in zip(ids, part, strict=True)
            }
            expected = dict(self.embedded[model])
            for video, frames in self.frames[model].items():
                expected |= {frame_id(video, number): frame for number, frame in enumerate(frames, start=1)}
            assert stored.keys() == expected.keys()
            assert all(np.array_equal(stored[n], expected[n]) for n in stored)
            assert list(self.catalog.embedding_ids(model)) == sorted(expected)
            assert self.catalog.embedding_count(model) == len(expected)
            moments = self.catalog.moments(model, expected)
            assert moments == {n: 2.0 * (n // FIRST_FRAME - 1) for n in expected if n >= FIRST_FRAME}
            assert self.catalog.generation(model) == self.generations[model]
            lacking = {n for n, row in self.rows.items() if row["content"] and not row["missing"]} - expected.keys()
            assert list(self.catalog.lacking(model)) == sorted(lacking)

    @invariant()
    def filters_and_counts_are_the_same(self):
        sound = {n: row for n, row in self.rows.items() if row["content"]}
        missing = sum(1 for row in self.rows.values() if row["missing"])
        assert self.catalog.counts() == Counts(len(sound), len(self.rows) - len(sound), missing)
        wanted = PhotoFilter(after=START + timedelta(days=2), before=START + timedelta(days=7), folder="X")
        model = self.models[0]
        assert list(self.catalog.allowed_ids(model, wanted)) == sorted(
            n
            for n, row in sound.items()
            if n in self.embedded[model] and 2 <= row["day"] < 7 and row["path"].startswith("x/")
        )
        assert [root.photos for root in self.catalog.roots()] == [
            sum(1 for row in sound.values() if row["root"] == place) for place in (0, 1)
        ]


CatalogModel.TestCase.settings = settings(max_examples=examples(8), stateful_step_count=15)
TestCatalogModel = CatalogModel.TestCase
