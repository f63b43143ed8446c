"""The shipped vectors of the built-in words: whole, true, and of no use to another model."""

import numpy as np
import pytest

from app.tagging import shipped_vectors, tag_vectors
from app.tagging.shipped_vectors import FILE, make, shipped, write
from app.tagging.tag_vectors import encoded, key_of
from app.tagging.vocabulary.vocabulary import load_vocabulary
from indexer.embedder import Embedder
from tests.app.colours import ColourEmbedder, World

AGAIN = "make it anew: python -m app.tagging.shipped_vectors"


@pytest.fixture(scope="module")
def builtin():
    return Embedder("builtin", device="cpu", precision="fp32")


def test_every_word_is_there_under_the_built_in_model(builtin):
    keys = [key_of(tag.prompts) for tag in load_vocabulary().tags]
    found = shipped(builtin.fingerprint, builtin.dim, keys)
    assert found.keys() == set(keys), AGAIN
    assert all(abs(np.linalg.norm(vector) - 1) < 1e-5 for vector in found.values())


def test_they_are_what_the_model_says(builtin):
    tags = [load_vocabulary().tags[number] for number in (0, 7, 300, -1)]
    keys = [key_of(tag.prompts) for tag in tags]
    found = shipped(builtin.fingerprint, builtin.dim, keys)
    for key, vector in zip(keys, encoded([tag.prompts for tag in tags], builtin), strict=True):
        assert vector @ found[key] > 0.9999, AGAIN


def test_another_model_or_other_sentences_get_none(builtin):
    key = key_of(load_vocabulary().tags[0].prompts)
    assert shipped("c0" * 32, builtin.dim, [key]) == {}
    assert shipped(builtin.fingerprint, builtin.dim + 1, [key]) == {}
    assert shipped(builtin.fingerprint, builtin.dim, ["ab" * 32]) == {}


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "other", "nan"])
def test_a_damaged_file_counts_as_none(tmp_path, builtin, damage):
    file, key = tmp_path / "v.npz", key_of(load_vocabulary().tags[0].prompts)
    content = FILE.read_bytes()
    if damage == "nan":
        write(builtin.fingerprint, {key: np.full(builtin.dim, np.nan, np.float32)}, file)
    elif damage == "other":
        np.savez(file, keys=np.zeros(3))
    elif damage != "gone":
        file.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    assert shipped(builtin.fingerprint, builtin.dim, [key], file) == {}


def test_what_is_written_is_read(tmp_path):
    file = tmp_path / "v.npz"
    vectors = {"ab" * 32: np.array([0.6, 0.8], np.float32), "cd" * 32: np.array([1, 0], np.float32)}
    write("ef" * 32, vectors, file)
    found = shipped("ef" * 32, 2, list(vectors), file)
    assert all(np.allclose(found[key], vector, atol=1e-3) for key, vector in vectors.items())
    assert [path.name for path in tmp_path.iterdir()] == ["v.npz"]


def test_words_that_are_shipped_are_not_embedded_and_others_are(tmp_path, monkeypatch):
    world = World(tmp_path, ColourEmbedder())
    for name in ("red", "green"):
        world.write(f"{name}.png", name)
    world.index()
    services, told = world.services(), []
    tags = load_vocabulary().tags
    write(
        world.embedder.fingerprint,
        {key_of(t.prompts): np.eye(8, dtype=np.float32)[0] for t in tags[2:]},
        tmp_path / "v.npz",
    )
    monkeypatch.setattr(tag_vectors, "shipped", lambda *asked: shipped(*asked, tmp_path / "v.npz"))
    services.tagging.run(on_words=lambda done, total: told.append((done, total)))
    assert set(world.embedder.texts) == {sentence for tag in tags[:2] for sentence in tag.prompts}
    assert told == [(0, 2)]


def test_the_command_says_what_it_made(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("indexer.embedder.Embedder", lambda name, **kwargs: ColourEmbedder())
    monkeypatch.setattr(shipped_vectors.write, "__defaults__", (tmp_path / "v.npz",))
    make(said.append)
    assert "551 words of c0c0c0" in said[0]
    assert (tmp_path / "v.npz").exists()
