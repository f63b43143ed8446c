"""A model is its bytes, not its name: files that are replaced, switches by another process, a daemon and a server."""

import os
import shutil
from dataclasses import replace

import pytest

from app.search.embedders import Embedders, ModelChoice
from app.search.query import Query
from clip_model import inference
from clip_model.numpy_text import text_encoder
from indexer.embedder import Embedder
from indexer.errors import ModelError, OtherModelError
from indexer.watching.retrying import Pauses
from tests.app.colours import ColourEmbedder, names
from tests.app.colours import World as Colours
from tests.indexer.following import following, wait_until
from tests.indexer.worlds import World, another_model


def put_other_weights(path):
    """Another model of the same shape under the same name, with the old size and time."""
    before, data = path.stat(), bytearray(path.read_bytes())
    data[-4] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def weights(tmp_path, tiny_model_path):
    path = tmp_path / "mine.safetensors"
    shutil.copyfile(tiny_model_path, path)
    return path


@pytest.fixture
def own(tmp_path, weights):
    """Photos, and a library embedded with weights that may be replaced."""
    return World(tmp_path / "world", weights)


@pytest.fixture
def other_model(tmp_path):
    return another_model(tmp_path / "other.safetensors")


@pytest.fixture
def embedders():
    return Embedders(lambda name: Embedder(name, device="cpu", precision="fp32"))


def test_weights_that_were_replaced_are_not_loaded_under_the_old_fingerprint(weights):
    embedder = Embedder(str(weights), device="cpu", precision="fp32")
    kept = weights.read_bytes()
    embedder.load()
    put_other_weights(weights)
    embedder.embed_texts(["a dog"])  # those in memory are what they were
    embedder.unload()
    with pytest.raises(OtherModelError, match=r"is not the model that it was.*picsift index --model"):
        embedder.embed_texts(["a dog"])
    weights.write_bytes(kept)
    embedder.embed_texts(["a dog"])


def test_weights_that_are_replaced_while_they_are_loaded_are_not_used(weights, monkeypatch):
    load = inference.load_encoder

    def load_and_replace(path, **how):
        encoder = load(path, **how)
        put_other_weights(weights)
        return encoder

    monkeypatch.setattr(inference, "load_encoder", load_and_replace)
    with pytest.raises(OtherModelError):
        Embedder(str(weights), device="cpu", precision="fp32").load()


def test_weights_that_are_replaced_while_texts_are_embedded_without_torch_are_not_used(weights, monkeypatch):
    embedder = Embedder(str(weights))
    encode = text_encoder.TextEncoder.encode_texts

    def encode_and_replace(self, texts):
        embeddings = encode(self, texts)
        put_other_weights(weights)
        return embeddings

    embedder.embed_texts(["a dog"])
    monkeypatch.setattr(text_encoder.TextEncoder, "encode_texts", encode_and_replace)
    with pytest.raises(OtherModelError):
        embedder.embed_texts(["a dog"])
    assert not embedder.loaded


def test_one_embedder_is_made_for_each_model_and_another_when_its_file_is_replaced(weights, embedders):
    one = embedders.named(str(weights))
    one.embed_texts(["a dog"])
    assert embedders.named(str(weights)) is one
    assert embedders.named(f"{weights.parent}/./{weights.name}") is one
    put_other_weights(weights)
    other = embedders.named(str(weights))
    assert other.fingerprint != one.fingerprint


def test_a_library_keeps_the_model_in_memory_when_its_file_is_replaced(own, weights, embedders):
    own.write("a.png", 1)
    own.sync()
    loaded = embedders.of(own.active)
    loaded.load()
    put_other_weights(weights)
    assert embedders.of(own.active) is loaded
    loaded.unload()
    with pytest.raises(OtherModelError):
        embedders.of(own.active).embed_texts(["a dog"])


def test_a_run_that_was_not_asked_for_its_model_turns_nothing_back(own, other_model):
    own.write("a.png", 1)
    own.sync()
    own.sync(embedder=other_model)
    own.write("b.png", 2)
    with pytest.raises(OtherModelError, match="is answered by the model"):
        own.sync(asked=False)
    assert own.active.fingerprint == other_model.fingerprint
    assert own.sync(embedder=other_model, asked=False).added == 1
    assert own.active.fingerprint == other_model.fingerprint


def test_a_choice_is_the_model_asked_for_until_it_answers_and_then_whichever_does(own, other_model, embedders):
    catalog = own.library.catalog
    choose = ModelChoice(catalog, embedders, str(own.model))
    assert choose() == (embedders.named(str(own.model)), True)
    own.write("a.png", 1)
    own.sync()
    assert choose() == (embedders.of(own.active), False)
    own.sync(embedder=other_model)
    assert (choose().embedder.fingerprint, choose().asked) == (other_model.fingerprint, False)
    assert ModelChoice(catalog, embedders, None)().embedder.fingerprint == other_model.fingerprint


def test_a_daemon_goes_on_with_the_model_that_another_process_switched_to(own, other_model, embedders):
    own.write("a.png", 1)
    own.sync()
    with following(own, mode="native", choose=ModelChoice(own.library.catalog, embedders, str(own.model))) as daemon:
        own.sync(embedder=other_model)
        own.write("b.png", 2)
        daemon.wait_for(added=1)
        assert own.active.fingerprint == other_model.fingerprint
    catalog = own.library.catalog
    assert (catalog.embedding_count(own.active.id), len(catalog.lacking(own.active.id))) == (2, 0)
    own.assert_agreement()


def test_a_daemon_mixes_no_vectors_of_weights_that_were_replaced_while_the_model_was_away(own, weights, embedders):
    own.write("a.png", 1)
    own.sync()
    choose, pauses = ModelChoice(own.library.catalog, embedders, None), Pauses(first_s=0.05, longest_broken_s=0.05)
    with following(own, mode="native", choose=choose, pauses=pauses, idle_unload_s=0.01) as daemon:
        daemon.wait_idle()
        put_other_weights(weights)
        own.write("b.png", 2)
        wait_until(lambda: "not the" in daemon.activity.now.detail, "that it says so")
        assert own.library.catalog.photo_at(own.photos / "b.png") is None
        before = own.active
        own.sync(embedder=Embedder(str(weights), device="cpu", precision="fp32"))  # a person asks for it
        own.write("c.png", 3)
        daemon.wait_for(added=1)
    assert own.active.fingerprint != before.fingerprint
    assert own.library.catalog.embedding_count(own.active.id) == 3
    own.assert_agreement()


def test_a_server_answers_with_weights_that_were_replaced_and_indexed_again(tmp_path):
    world = Colours(tmp_path)
    for colour in ("red", "green", "blue"):
        world.write(f"{colour}.png", colour)
    world.index()
    search = world.services().search
    assert names(search.search(Query(text="green", limit=1)).hits) == ["green.png"]
    world.embedders["colours"] = ColourEmbedder(fingerprint="7a" * 32, turn=3)
    assert names(search.search(Query(text="blue", limit=1)).hits) == ["blue.png"]  # with the model in memory
    world.index()
    assert names(search.search(Query(text="red", limit=1)).hits) == ["red.png"]
    world.embedders["colours"] = replace(world.embedders["colours"], fingerprint="8b" * 32)
    with pytest.raises(ModelError, match="fingerprint is 8b8b8b"):
        world.services().search.search(Query(text="red"))
