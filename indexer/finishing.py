"""A run's model, and its end: which model answers, the index file in step, thumbnails that no photo needs dropped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from indexer.catalog.records import ModelRecord
from indexer.errors import OtherModelError
from indexer.folders.reconcile import Settled
from indexer.library import Library
from indexer.vectors import file as vector_file
from indexer.vectors.index import VectorIndex
from indexer.vectors.repair import refresh


def entered(library: Library, name: str, fingerprint: str, dim: int, *, asked: bool) -> ModelRecord:
    """The model of a run in the catalog; one that nobody asked for has to be the one that answers, if any does.

    Raises:
        OtherModelError: it is not, since it was switched when this run had chosen, or its file was replaced.
    """
    active = library.catalog.active_model()
    if not asked and active is not None and active.fingerprint != fingerprint:
        raise OtherModelError(
            f"the library is answered by the model {active.name!r} (fingerprint {active.fingerprint[:12]}) now, not by "
            f"{name!r} ({fingerprint[:12]}). Run 'picsift index --model {name}' to have it take over."
        )
    return library.catalog.model(name, fingerprint, dim)


def finish(library: Library, model: ModelRecord, settled: Settled, *, complete: bool, new: bool) -> list[str]:
    """Let the model answer if it has everything, bring the index in step, drop thumbnails that no photo needs.

    The first index of a model is built, not repaired: nothing is said of it.
    """
    messages = []
    if complete and (said := _activate(library, model)):
        messages.append(said)
    if said := update_index(library, model):
        messages += [] if new else [said]
        drop_thumbnails(library, library.thumbnails.hashes())  # of photos that a restored catalog does not know
    drop_thumbnails(library, settled.unused)
    return messages


def drop_thumbnails(library: Library, contents: Iterable[str]) -> None:
    """Delete the thumbnails of those contents that no photo has any more."""
    for content in library.catalog.unused(contents):
        library.thumbnails.remove(content)


def _activate(library: Library, model: ModelRecord) -> str | None:
    """Another model takes over the answers once it has embedded every photo; until then the old one answers."""
    active = library.catalog.active_model()
    if active is not None and active.id == model.id:
        return None
    lacking = len(library.catalog.lacking(model.id))
    if active is not None and lacking:
        failed = list(library.catalog.embedding_failures(model.id).values())
        why = f" {len(failed):,} of them failed, the last because: {failed[0].rstrip('.')}." if failed else ""
        earlier = f"the {active.name!r} of before" if active.name == model.name else repr(active.name)
        return (
            f"{lacking:,} photos are not embedded by the model {model.name!r} yet, so {earlier} goes on "
            f"answering.{why} Run 'picsift index --model {model.name}' to embed them."
        )
    library.catalog.activate(model.id)
    return f"Searches are answered by the model {model.name!r} from now on." if active is not None else None


def remove_leftovers(library: Library) -> None:
    """Remove what kills left of thumbnails and of any model's index, which may be what fills the disk."""
    library.thumbnails.remove_leftovers()
    for folder in library.folder.glob("index/*"):
        vector_file.remove_leftovers(folder)


def check_vectors(library: Library, model: ModelRecord) -> None:
    """Find damaged vectors before a run compares, where the index is to be made of all of them anyway.

    What is damaged is dropped by being read, and so this run embeds it rather than the next one.
    """
    try:
        pointer = vector_file.read_pointer(library.index_folder(model))
        if (library.index_folder(model) / pointer.file).stat().st_size == pointer.bytes:
            return
    except (vector_file.UnusableFileError, OSError):
        pass
    for _ in library.catalog.embeddings(model.id):
        pass


def update_index(library: Library, model: ModelRecord) -> str | None:
    """Bring the index file of a model in step with the catalog; a sentence where it had to be rebuilt."""
    folder, generation = library.index_folder(model), library.catalog.generation(model.id)
    if _is_current(folder, model, generation, library.catalog.token(model.id, generation)):
        return None
    index = VectorIndex.open(folder, dim=model.dim, fingerprint=model.fingerprint, device="cpu")
    said = refresh(index, library.catalog, model.id)
    if index.generation or len(index):
        index.save(index.generation)
    return said


def _is_current(folder: Path, model: ModelRecord, generation: int, token: str | None) -> bool:
    """Whether the saved index is that of this generation, told by its pointer alone: reading it all takes seconds."""
    try:
        pointer = vector_file.read_pointer(folder)
        size = (folder / pointer.file).stat().st_size
    except (vector_file.UnusableFileError, OSError):
        return False
    said = (pointer.generation, pointer.token, pointer.fingerprint, pointer.bytes)
    return said == (generation, token, model.fingerprint, size)
