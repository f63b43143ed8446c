"""Which embedder has the weights that a library was embedded with. It loads none of them."""

from collections.abc import Callable

from indexer.catalog.records import ModelRecord
from indexer.embedder import Embedder, kept_model


def embedder_of(model: ModelRecord, embedder_for: Callable[[str], Embedder]) -> Embedder:
    """The embedder for a library's model: by its name, or by the name that its weights have in a newer picsift.

    The fingerprint of what is returned differs from the model's where nothing here has its weights any more.

    Raises:
        ModelError: there is no model of that name.
    """
    embedder = embedder_for(model.name)
    if embedder.fingerprint != model.fingerprint and (name := kept_model(model.fingerprint)) is not None:
        return embedder_for(name)
    return embedder
