"""Every model that a library holds vectors of or that has a name: what it is, what it takes, whether it is here.

It reads, and loads no model; `remove` alone changes something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.errors import ModelError, as_model_error

if TYPE_CHECKING:
    from indexer.catalog.records import StoredModel
    from indexer.embedder import Shelf
    from indexer.library import Library

BUILT_IN, FETCHED, TO_FETCH, IN_PART, FILE, GONE = "built in", "fetched", "not fetched", "in part", "file", "gone"


@dataclass(frozen=True)
class ModelEntry:
    """A model, as far as the library, the names and the folder of models know it.

    Attributes:
        name: what `--model` takes.
        state: "built in", "fetched", "in part" (a download that was cut short), "not fetched", "file" (of a person's
            own), or "gone" (a file that is not there any more).
        active: whether it answers the library's searches.
        fingerprint: of the weights that embedded the library; None where none did.
        photos: of the library, that it has embedded.
        frames: of videos, likewise.
        lacking: photos of the library that it has yet to embed; None where it has embedded none.
        vector_bytes: of its vectors in the catalog.
        index_bytes: of its search index on disk.
        file_bytes: of what was fetched and converted.
        dim: dimension of the embeddings.
        image_size: side of the square that it sees, in pixels; None where the file would have to be read.
        parameters: how many numbers were learned; None likewise.
        zero_shot: published top-1 accuracy on ImageNet in percent; None where none is.
        licence: of the weights.
        languages: of the texts that it understands.
        repo: the hub's repository.
        commit: what is, or would be, fetched of it; None where the first download settles it.
    """

    name: str
    state: str
    active: bool
    fingerprint: str | None
    photos: int
    frames: int
    lacking: int | None
    vector_bytes: int
    index_bytes: int
    file_bytes: int
    dim: int
    image_size: int | None = None
    parameters: int | None = None
    zero_shot: float | None = None
    licence: str | None = None
    languages: str | None = None
    repo: str | None = None
    commit: str | None = None

    @property
    def bytes(self) -> int:
        """Everything that goes when it is removed."""
        return self.vector_bytes + self.index_bytes + self.file_bytes

    @property
    def document(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return asdict(self)


def entries(shelf: Shelf, library: Library | None) -> list[ModelEntry]:
    """What the library holds, in the order of its coming, then what has a name, in the registry's."""
    held = library.catalog.models() if library is not None else []
    found = [_entry(stored.model.name, stored, shelf, library) for stored in held]
    names = {entry.name for entry in found}
    return found + [_entry(name, None, shelf, None) for name in shelf.named if name not in names]


def find(name: str, shelf: Shelf, library: Library | None) -> list[ModelEntry]:
    """The entries of one name, or of the path that it is: several where a library holds an earlier one too.

    Raises:
        ModelError: there is none.
    """
    path = str(Path(name).expanduser().resolve())
    found = [entry for entry in entries(shelf, library) if entry.name in (name, path)]
    if not found:
        raise ModelError(f"no model is called {name!r}, and the library holds none. 'picsift models list' names them.")
    return found


def remove(name: str, shelf: Shelf, library: Library | None) -> int:
    """Drop what the library holds of a model that does not answer, and its fetched and converted files; the bytes.

    Of the model that answers, vectors of earlier weights of the same name go, if there are any.

    Raises:
        ModelError: it answers and there is nothing else of that name, or nothing is here of it.
        LibraryError: the library cannot be written, or another process does.
    """
    from indexer.forgetting import forget_model

    found = find(name, shelf, library)
    idle = [entry for entry in found if not entry.active]
    if not idle:
        raise ModelError(
            f"the model {found[0].name!r} answers this library's searches. Let another one take over first: "
            "picsift models use NAME"
        )
    if not any(entry.bytes or entry.fingerprint for entry in idle):
        raise ModelError(f"nothing of the model {name!r} is here.")
    freed = 0
    for entry in idle:
        held = next((each for each in _held(library) if each.model.fingerprint == entry.fingerprint), None)
        if library is not None and held is not None:
            forget_model(library, held.model)
            freed += entry.vector_bytes + entry.index_bytes
        if len(idle) == len(found) and entry.state != BUILT_IN:
            with as_model_error():
                freed += shelf.remove(entry.name, entry.fingerprint)
    return freed


def _held(library: Library | None) -> Iterator[StoredModel]:
    return iter(library.catalog.models() if library is not None else ())


def _entry(name: str, stored: StoredModel | None, shelf: Shelf, library: Library | None) -> ModelEntry:
    known, pin = shelf.named.get(name), shelf.pin(name)
    fetched = shelf.fetched_bytes(name) if known is not None else 0
    model = None if stored is None else stored.model
    own = FILE if Path(name).exists() else GONE
    index = 0
    if library is not None and model is not None:
        index = sum(file.stat().st_size for file in library.index_folder(model).glob("*") if file.is_file())
    return ModelEntry(
        name=name,
        state=own if known is None else _state_of_named(name, shelf, fetched),
        active=stored is not None and stored.active,
        fingerprint=None if model is None else model.fingerprint,
        photos=0 if stored is None else stored.photos,
        frames=0 if stored is None else stored.frames,
        lacking=None if library is None or model is None else len(library.catalog.lacking(model.id)),
        vector_bytes=0 if stored is None else stored.bytes,
        index_bytes=index,
        file_bytes=fetched + (shelf.converted_bytes(model.fingerprint) if model is not None else 0),
        dim=model.dim if model is not None else known.dim if known is not None else 0,
        image_size=None if known is None else known.image_size,
        parameters=None if known is None else known.parameters,
        zero_shot=None if known is None else known.zero_shot,
        licence=None if known is None else known.licence,
        languages=None if known is None else known.languages,
        repo=None if known is None else known.repo or None,
        commit=pin.commit if pin is not None else None if known is None else known.revision,
    )


def _state_of_named(name: str, shelf: Shelf, fetched: int) -> str:
    if not shelf.named[name].repo:
        return BUILT_IN
    if shelf.pulled(name) is not None:
        return FETCHED
    return IN_PART if fetched else TO_FETCH
