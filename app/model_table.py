"""Every model that a library holds vectors of or that has a name: what it is, what it takes, whether it is here.

It reads, and loads no model; `remove` alone changes something.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from indexer.errors import ModelError, as_model_error

if TYPE_CHECKING:
    from indexer.catalog.records import ModelRecord, StoredModel
    from indexer.embedder import Shelf
    from indexer.library import Library

BUILT_IN, FETCHED, TO_FETCH, IN_PART, FILE, GONE = "built in", "fetched", "not fetched", "in part", "file", "gone"
EARLIER = "earlier"


@dataclass(frozen=True)
class ModelEntry:
    """A model, as far as the library, the names and the folder of models know it.

    Attributes:
        name: what `--model` takes.
        state: "built in", "fetched", "in part" (a download that was cut short), "not fetched", "earlier" (what
            the name stood for before it was fetched as another commit), "file" (of a person's own), or "gone" (a file
            that is not there any more).
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
    def weight_bytes(self) -> int | None:
        """About what the weights of one on the hub take in float32, as most are published; None of any other."""
        return 4 * self.parameters if self.parameters and self.repo else None

    @property
    def document(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return asdict(self) | {"weight_bytes": self.weight_bytes}


def entries(shelf: Shelf, library: Library | None) -> list[ModelEntry]:
    """What the library holds, in the order of its coming, then what has a name, in the registry's."""
    held = library.catalog.models() if library is not None else []
    found = [_entry(stored.model.name, stored, shelf, library) for stored in held]
    names = {entry.name for entry in found if entry.state != EARLIER}
    return found + [_entry(name, None, shelf, None) for name in shelf.named if name not in names]


def find(name: str, shelf: Shelf, library: Library | None) -> list[ModelEntry]:
    """The entries of one name, or of the path that it is: several where a library holds an earlier one too.

    Raises:
        ModelError: there is none.
    """
    path = os.path.realpath(os.path.expanduser(name))  # noqa: PTH111  an unknown user stays as written
    found = [entry for entry in entries(shelf, library) if entry.name in (name, path)]
    if not found:
        raise ModelError(f"no model is called {name!r}, and the library holds none. 'picsift models list' names them.")
    return found


def removable(name: str, shelf: Shelf, library: Library | None) -> list[ModelEntry]:
    """The entries that `remove` drops: of the model that answers those of earlier weights, if there are any.

    Raises:
        ModelError: it answers and there is nothing else of that name, or nothing is here of it.
    """
    found = find(name, shelf, library)
    answering = any(entry.active for entry in found)
    idle = [entry for entry in found if not entry.active and not (answering and entry.fingerprint is None)]
    if not idle:
        _refuse(f"the model {found[0].name!r} answers this library's searches")
    if not any(entry.bytes or entry.fingerprint for entry in idle):
        raise ModelError(f"nothing of the model {name!r} is here.")
    active = _answering(library)
    if active is not None and not answering and _shares_files(found[0].name, active, shelf):
        _refuse(f"the files of the model {found[0].name!r} answer this library's searches, as {active.name!r}")
    return idle


def remove(name: str, shelf: Shelf, library: Library | None) -> int:
    """Drop what the library holds of a model that does not answer, and its fetched and converted files; the bytes.

    Of the model that answers, vectors and files of earlier weights of the same name go, if there are any.

    Raises:
        ModelError: it answers and there is nothing else of that name, or nothing is here of it.
        LibraryError: the library cannot be written, or another process does.
    """
    from indexer.forgetting import forget_model

    idle, active = removable(name, shelf, library), _answering(library)
    siblings = [entry for entry in find(name, shelf, library) if entry.active]
    freed = 0
    for entry in idle:
        held = next((each for each in _held(library) if each.model.fingerprint == entry.fingerprint), None)
        if library is not None and held is not None:
            forget_model(library, held.model)
            freed += entry.vector_bytes + entry.index_bytes
        with as_model_error():
            freed += _remove_files(entry, siblings, shelf, active)
    return freed


def lost_vectors(found: Sequence[ModelEntry], library: Library | None) -> int:
    """How many photos some models have embedded that the one that answers has not: on a drive that is away, mostly."""
    models = [each.model for each in _held(library) if any(e.fingerprint == each.model.fingerprint for e in found)]
    return 0 if library is None else sum(library.catalog.embedded_only_by(model.id) for model in models)


def _remove_files(entry: ModelEntry, siblings: list[ModelEntry], shelf: Shelf, active: ModelRecord | None) -> int:
    """Delete what is on the shelf of an entry; of siblings, which answer under its name, nothing."""
    if entry.state == BUILT_IN or any(sibling.state == EARLIER for sibling in siblings):
        return 0
    if siblings or (entry.state == EARLIER and shelf.pulled(entry.name) is not None):
        return 0 if entry.fingerprint is None else shelf.remove_earlier(entry.name, entry.fingerprint)
    return shelf.remove(entry.name, entry.fingerprint, keep=None if active is None else active.fingerprint)


def _shares_files(name: str, active: ModelRecord, shelf: Shelf) -> bool:
    """Whether the model that answers under another name, mostly a path, is what was fetched under this one."""
    if name not in shelf.named or not shelf.named[name].repo:
        return False
    return shelf.holds(name, Path(active.name)) or shelf.fingerprint(name) == active.fingerprint


def _refuse(why: str) -> NoReturn:
    raise ModelError(f"{why}. Let another one take over first: picsift models use NAME")


def _answering(library: Library | None) -> ModelRecord | None:
    return None if library is None else library.catalog.active_model()


def _held(library: Library | None) -> Iterator[StoredModel]:
    return iter(library.catalog.models() if library is not None else ())


def _entry(name: str, stored: StoredModel | None, shelf: Shelf, library: Library | None) -> ModelEntry:
    known, model = shelf.named.get(name), None if stored is None else stored.model
    now, commit = (None, None) if known is None else (shelf.fingerprint(name), _commit(name, shelf))
    earlier = known is not None and model is not None and now not in (None, model.fingerprint)
    here = 0 if known is None else shelf.earlier_bytes(name) if earlier else shelf.fetched_bytes(name)
    weights = now if model is None else model.fingerprint
    own = FILE if Path(name).exists() else GONE
    index = 0
    if library is not None and model is not None:
        index = sum(file.stat().st_size for file in library.index_folder(model).glob("*") if file.is_file())
    return ModelEntry(
        name=name,
        state=own if known is None else EARLIER if earlier else _state_of_named(name, shelf, here),
        active=stored is not None and stored.active,
        fingerprint=None if model is None else model.fingerprint,
        photos=0 if stored is None else stored.photos,
        frames=0 if stored is None else stored.frames,
        lacking=None if library is None or model is None else len(library.catalog.lacking(model.id)),
        vector_bytes=0 if stored is None else stored.bytes,
        index_bytes=index,
        file_bytes=here + (shelf.converted_bytes(weights) if weights is not None else 0),
        dim=model.dim if model is not None else known.dim if known is not None else 0,
        image_size=None if known is None else known.image_size,
        parameters=None if known is None else known.parameters,
        zero_shot=None if known is None else known.zero_shot,
        licence=None if known is None else known.licence,
        languages=None if known is None else known.languages,
        repo=None if known is None else known.repo or None,
        commit=None if earlier else commit,
    )


def _commit(name: str, shelf: Shelf) -> str | None:
    """What a name stands for; where the note of it is damaged, `pull` says so."""
    with suppress(ValueError, OSError):
        if (pin := shelf.pin(name)) is not None:
            return pin.commit
    return shelf.named[name].revision


def _state_of_named(name: str, shelf: Shelf, fetched: int) -> str:
    if not shelf.named[name].repo:
        return BUILT_IN
    if shelf.pulled(name) is not None:
        return FETCHED
    return IN_PART if fetched else TO_FETCH
