"""The index that a server searches: of the catalog as it is, whatever its file was."""

from indexer.vectors.index import VectorIndex


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
