"""A run's model, and its end: which model answers, the index file in step, thumbnails that no photo needs dropped."""

from __future__ import annotations

import re
import shutil
from collections import ChainMap, defaultdict
from collections.abc import Iterable

from indexer.catalog.records import ModelRecord
from indexer.counted import counted
from indexer.errors import OtherModelError
from indexer.folders.pairing import Paired
from indexer.folders.reconcile import Settled
from indexer.library import Library
from indexer.vectors import file as vector_file
from indexer.vectors.file import Pointer
from indexer.vectors.index import VectorIndex
from indexer.vectors.repair import refresh

BYTES_A_CHANGE = 1 << 20  # of the index file that may be written for each photo that came, changed or went, on average
_OF_INDEX = re.compile(r"[0-9a-f]{16}")
MOST_BEHIND = 2_500  # generations, of 10,000 that are remembered: an index behind those could only be made anew


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
    if not asked and active is not None:  # by whatever name its weights were found, it keeps the one that it has
        return active
    return library.catalog.model(name, fingerprint, dim)


def finish(
    library: Library, model: ModelRecord, settled: Settled, *, complete: bool, new: bool, lazily: bool = False
) -> list[str]:
    """Let the model answer if it has everything, bring the index in step, drop thumbnails that no photo needs.

    The first index of a model is built, not repaired: nothing is said of it. With `lazily` as for `update_index`.
    """
    keep_companions(library, settled)
    messages = []
    if complete and (said := _activate(library, model)):
        messages.append(said)
    if said := update_index(library, model, lazily=lazily):
        messages += [] if new else [said]
        drop_thumbnails(library, library.thumbnails.hashes())  # of photos that a restored catalog does not know
    drop_thumbnails(library, settled.unused)
    return messages


def switch_at_once(library: Library, name: str, fingerprint: str) -> bool:
    """Let a model answer from now on that has embedded every photo already; False, and nothing done, where it has not.

    The library knows it by this name from then on. Photos that are away do not count.

    Raises:
        LibraryError: the library cannot be written, or another process does.
    """
    with library.writer_lock():
        model = next((each.model for each in library.catalog.models() if each.model.fingerprint == fingerprint), None)
        if model is None or len(library.catalog.lacking(model.id)):
            return False
        library.catalog.model(name, fingerprint, model.dim)
        library.catalog.activate(model.id)
        update_index(library, model)
    return True


def activate_first(library: Library, model: ModelRecord) -> None:
    """Let the first model of a library answer at once: what it has embedded so far can be searched."""
    if library.catalog.active_model() is None:
        library.catalog.activate(model.id)


def keep_companions(library: Library, settled: Settled) -> None:
    """Note which files lie beside which photos, now that these are stored, each root's once; let go of what is done."""
    settled.jobs.clear()  # a first run has one for each photo, and what follows needs memory too
    of_root: defaultdict[int, list[tuple[tuple[str, bool], Paired]]] = defaultdict(list)
    for root_id, below, paired in settled.companions:
        of_root[root_id].append((below, paired))
    for root_id, looks in of_root.items():
        companions = {path: files for _, paired in looks for path, files in paired.companions.items()}
        agreed = {couple: kept for _, paired in looks for couple, kept in paired.agreed.items()}
        seen = ChainMap(*(paired.scan.files for _, paired in looks))
        library.catalog.keep_companions(root_id, seen, companions, agreed, [below for below, _ in looks])


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
            f"{counted(lacking, 'photo is', 'photos are')} not embedded by the model {model.name!r} yet, so {earlier} "
            f"goes on answering.{why} Run 'picsift index --model {model.name}' to embed what is left."
        )
    library.catalog.activate(model.id)
    return f"Searches are answered by the model {model.name!r} from now on." if active is not None else None


def remove_leftovers(library: Library) -> None:
    """Remove what kills left of thumbnails and of any model's index, which may be what fills the disk."""
    library.thumbnails.remove_leftovers()
    known = {library.index_folder_of(fingerprint).name for fingerprint in library.catalog.fingerprints()}
    for folder in library.folder.glob("index/*"):
        if folder.name in known or _OF_INDEX.fullmatch(folder.name) is None:
            vector_file.remove_leftovers(folder)
        else:  # of a model that was removed; were it wanted after all, it is made of the vectors again
            shutil.rmtree(folder, ignore_errors=True)


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


def update_index(library: Library, model: ModelRecord, *, lazily: bool = False) -> str | None:
    """Bring the index file of a model in step with the catalog; a sentence where it had to be rebuilt.

    With `lazily` it stays behind as long as that is little: whoever opens it takes up the rest from the catalog.
    """
    folder, pointer = library.index_folder(model), _pointer(library, model)
    generation = library.catalog.generation(model.id)
    if pointer is not None and _is_near(library, model, pointer, generation, lazily=lazily):
        return None
    index = VectorIndex.open(folder, dim=model.dim, fingerprint=model.fingerprint, device="cpu")
    said = refresh(index, library.catalog, model.id)
    if index.generation or len(index):
        index.save(index.generation)
    return said


def _pointer(library: Library, model: ModelRecord) -> Pointer | None:
    """What is said of a model's saved index, if it is there in full: reading it all takes seconds."""
    folder = library.index_folder(model)
    try:
        pointer = vector_file.read_pointer(folder)
        size = (folder / pointer.file).stat().st_size
    except (vector_file.UnusableFileError, OSError):
        return None
    return pointer if (pointer.fingerprint, pointer.bytes) == (model.fingerprint, size) else None


def _is_near(library: Library, model: ModelRecord, pointer: Pointer, generation: int, *, lazily: bool) -> bool:
    """Whether a saved index is that of this generation, or need not be made anew for what has changed since."""
    catalog, behind = library.catalog, generation - pointer.generation
    if pointer.token != catalog.token(model.id, pointer.generation) or behind < 0:  # of another past
        return False
    if not behind:
        return True
    if not lazily or behind > MOST_BEHIND:
        return False
    changes = max(behind, catalog.changed_since(model.id, pointer.generation))  # a removal leaves no vector to count
    return pointer.bytes > changes * BYTES_A_CHANGE
