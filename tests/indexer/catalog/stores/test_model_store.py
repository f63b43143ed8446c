"""Models as a whole: what the library holds of each, and how one leaves without a trace of another one's."""

import pytest

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database
from indexer.catalog.records import FailedPhoto
from indexer.catalog.tag_records import Decision, Suggestion
from indexer.errors import ModelError
from indexer.finishing import switch_at_once
from indexer.forgetting import forget_model
from tests.indexer.catalog_samples import DIM, new, vectors
from tests.indexer.worlds import World, another_model


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(open_database(tmp_path / "library"))
    yield catalog
    catalog.close()


@pytest.fixture
def two(catalog, tmp_path):
    """Two models: the first answers, the second has embedded two of three photos."""
    root = catalog.add_root(tmp_path / "photos")[0]
    first, second = catalog.model("first", "f1", DIM), catalog.model("second", "f2", DIM)
    photos = [new("a.jpg"), new("b.jpg"), new("c.jpg")]
    catalog.store(root.id, photos, first.id, vectors(3))
    catalog.store(root.id, photos[:2], second.id, vectors(2))
    catalog.activate(first.id)
    return first, second, root


def test_what_each_model_holds_is_counted(catalog, two):
    held = catalog.models()
    assert [(each.model, each.active, each.photos, each.frames) for each in held] == [
        (two[0], True, 3, 0),
        (two[1], False, 2, 0),
    ]
    assert [each.bytes for each in held] == [3 * DIM * 2, 2 * DIM * 2]


@pytest.mark.parametrize("step", [1, 2, 4096])
def test_a_model_leaves_alone(catalog, two, step):
    first, second, root = two
    photo = int(catalog.embedding_ids(first.id)[0])
    number = catalog.tags.make([("dog",)])[("dog",)]
    catalog.tags.suggest(second.id, [photo], [number], [Suggestion(photo, number, 0.2, 0.7)])
    catalog.tags.decide([Decision(photo, ("cat",), "accepted")])
    catalog.note_failures(root.id, second.id, [FailedPhoto("c.jpg", 1, 1, "too dark")])
    catalog.drop_model(second.id, step=step)
    assert [each.model for each in catalog.models()] == [first]
    assert (catalog.embedding_count(first.id), catalog.embedding_count(second.id)) == (3, 0)
    assert {tag.path: (tag.state, tag.model) for tag in catalog.tags.of([photo])[photo]} == {
        ("dog",): ("suggested", None),
        ("cat",): ("accepted", None),
    }
    assert catalog.embedding_failures(second.id) == {}


def test_the_model_that_answers_stays(catalog, two):
    with pytest.raises(ValueError, match="answers searches"):
        catalog.drop_model(two[0].id)
    assert catalog.embedding_count(two[0].id) == 3


@pytest.fixture
def world(tmp_path, tiny_model_path):
    world = World(tmp_path, tiny_model_path)
    for seed, name in enumerate(("a.png", "b.png"), 1):
        world.write(name, seed)
    world.sync()
    return world


def test_a_complete_model_answers_at_once_and_then_the_other_can_go(world, tmp_path):
    other, library = another_model(tmp_path / "other.safetensors"), world.library
    before = library.catalog.active_model()
    assert not switch_at_once(library, other.name, other.fingerprint)
    world.sync(embedder=other)
    assert library.catalog.active_model().fingerprint == other.fingerprint
    assert switch_at_once(library, before.name, before.fingerprint)
    assert library.catalog.active_model() == before
    with pytest.raises(ModelError, match="answers this library's searches"):
        forget_model(library, before)
    assert switch_at_once(library, other.name, other.fingerprint)
    assert library.index_folder(before).is_dir()
    forget_model(library, before)
    assert not library.index_folder(before).exists()
    assert [each.model.fingerprint for each in library.catalog.models()] == [other.fingerprint]


def test_a_model_that_lacks_a_photo_does_not_answer_at_once(world, tmp_path):
    other = another_model(tmp_path / "other.safetensors")
    world.sync(embedder=other)
    before = world.embedder.fingerprint
    world.write("c.png", 3)
    world.sync(embedder=other)
    assert not switch_at_once(world.library, "before", before)
    assert world.library.catalog.active_model().fingerprint == other.fingerprint
