"""The main path: bring a library in step with the folders. Scan, compare, decode, embed, store.

The catalog is committed in small steps, so that a kill at any instant loses at most the last one. Nothing here knows a
file format, a query or a model.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from indexer import images, vector_file
from indexer.decoding import Decoder, Result, decode_all
from indexer.embedder import Embedder
from indexer.library import Library
from indexer.reconcile import Settled, reconcile
from indexer.records import ModelRecord
from indexer.repair import refresh
from indexer.storing import Storing
from indexer.vector_index import VectorIndex

logger = logging.getLogger(__name__)

DEFAULT_BATCH = 32
RUNNING = "sync running"  # a setting of the library: "1" while a run is under way, and after one that was killed
AHEAD = 3  # batches of decoded photos that may wait for the network


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        stage: "scan", "embed" or "done".
        done: photos dealt with.
        total: photos to deal with.
        failed: how many of those done have failed.
        seconds: since the stage began.
    """

    stage: str
    done: int = 0
    total: int = 0
    failed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class SyncReport:
    """What a run did.

    Attributes:
        added: photos that are new.
        updated: photos whose file changed, or that a new model embedded.
        moved: photos whose file has another path now.
        removed: photos whose file is gone.
        unchanged: photos that are as they were.
        failed: files that could not be made photos of, in this run.
        seconds: of wall time.
        failures: path and reason of each failed file.
        messages: a sentence for each thing that a person should know.
        temporary: those of the failed whose failure may pass: they could not be read, or memory ran out.
    """

    added: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: int = 0
    seconds: float = 0.0
    failures: list[tuple[str, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    temporary: list[str] = field(default_factory=list)


def sync(
    library: Library,
    embedder: Embedder,
    folders: Sequence[Path],
    *,
    workers: int = 0,
    batch_size: int = 0,
    max_pixels: int = images.DEFAULT_MAX_PIXELS,
    allow_mass_removal: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    leave: Callable[[str], bool] | None = None,
) -> SyncReport:
    """Bring the catalog and the index in step with the folders: scan, compare, decode, embed, store.

    Args:
        library: what is brought in step.
        embedder: the model; photos that it has not embedded yet are.
        folders: roots, or folders below them.
        workers: decoding threads; 0 is one for each core.
        batch_size: photos embedded at once; 0 is 32.
        max_pixels: a picture with more is refused.
        allow_mass_removal: remove even more than half of a root's photos.
        on_progress: told how far the run is.
        stop: asked between photos; True ends the run early, with everything done so far saved.
        leave: absolute path -> whether a new or changed file is left for a later run: it is still being written.

    Raises:
        LibraryError: the library cannot be written, or another process does.
        RootError: a folder cannot be indexed.
        ModelError: the model cannot be loaded.
    """
    begun = time.monotonic()
    workers, batch_size = workers or os.cpu_count() or 1, batch_size or DEFAULT_BATCH
    tell, stopped = on_progress or (lambda progress: None), stop or (lambda: False)
    with library.writer_lock():
        killed = library.catalog.setting(RUNNING) == "1"
        library.catalog.set_setting(RUNNING, "1")
        library.thumbnails.remove_leftovers()
        model = library.catalog.model(embedder.name, embedder.fingerprint, embedder.dim)
        new = library.catalog.generation(model.id) == 0
        tell(Progress("scan"))
        settled = reconcile(
            library, folders, model.id, workers=workers, allow_mass_removal=allow_mass_removal, leave=leave
        )
        storing = Storing(library, embedder, model, batch_size=batch_size)
        if settled.jobs:
            if library.catalog.active_model() is None:  # the first: what it has embedded so far can be searched
                library.catalog.activate(model.id)
            decoder = _decoder(library, embedder, model, max_pixels)
            results = decode_all(settled.jobs, decoder, workers=workers, ahead=AHEAD * batch_size)
            _store(storing, results, len(settled.jobs), tell, stopped)
            no_copies = replace(decoder, sizes=frozenset[int]())
            _store(storing, decode_all(storing.again, no_copies, workers=workers, ahead=batch_size), 0, tell, stopped)
        messages = settled.messages + _finish(library, model, settled, complete=not stopped(), new=new)
        if killed:  # the run before this one did not get to its end, where it would have cleaned up
            _drop_thumbnails(library, library.thumbnails.hashes())
        library.catalog.set_setting(RUNNING, "0")
    tell(Progress("done", len(settled.jobs), len(settled.jobs), len(storing.failures), time.monotonic() - begun))
    return SyncReport(
        added=storing.added,
        updated=storing.updated,
        moved=settled.moved,
        removed=settled.removed,
        unchanged=settled.unchanged,
        failed=len(storing.failures),
        seconds=round(time.monotonic() - begun, 3),
        failures=storing.failures,
        messages=messages,
        temporary=storing.temporary,
    )


def _decoder(library: Library, embedder: Embedder, model: ModelRecord, max_pixels: int) -> Decoder:
    def copy_of(content: str) -> int | None:
        return library.catalog.by_content([content], model_id=model.id).get(content)

    sizes = frozenset(library.catalog.known_sizes())
    return Decoder(embedder.prepare, library.thumbnails, copy_of, sizes, embedder.image_size, max_pixels)


def _store(
    storing: Storing,
    results: Iterator[Result],
    total: int,
    tell: Callable[[Progress], None],
    stopped: Callable[[], bool],
) -> None:
    """Embed and commit what the decoder gives, until it ends or somebody says stop."""
    begun = time.monotonic()
    tell(Progress("embed", 0, total))
    with closing(results):  # type: ignore[type-var]  # a generator: closing it ends the decoding threads
        for done, result in enumerate(results, start=1):
            storing.take(result)
            tell(Progress("embed", done, total, len(storing.failures), time.monotonic() - begun))
            if stopped():
                break
    storing.commit()


def _finish(library: Library, model: ModelRecord, settled: Settled, *, complete: bool, new: bool) -> list[str]:
    """Let the model answer if it has everything, bring the index in step, drop thumbnails that no photo needs.

    The first index of a model is built, not repaired: nothing is said of it.
    """
    messages = []
    if complete and (said := _activate(library, model)):
        messages.append(said)
    if (said := update_index(library, model)) and not new:
        messages.append(said)
    _drop_thumbnails(library, settled.unused)
    return messages


def _drop_thumbnails(library: Library, contents: Iterable[str]) -> None:
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
        return (
            f"{lacking:,} photos are not embedded by the model {model.name!r} yet, so {active.name!r} goes on "
            f"answering. Run 'picsift index --model {model.name}' to embed them."
        )
    library.catalog.activate(model.id)
    return f"Searches are answered by the model {model.name!r} from now on." if active is not None else None


def update_index(library: Library, model: ModelRecord) -> str | None:
    """Bring the index file of a model in step with the catalog; a sentence where it had to be rebuilt."""
    folder, generation = library.index_folder(model), library.catalog.generation(model.id)
    if _is_current(folder, model, generation):
        return None
    index = VectorIndex.open(folder, dim=model.dim, fingerprint=model.fingerprint, device="cpu")
    said = refresh(index, library.catalog, model.id)
    if index.generation or len(index):
        index.save(index.generation)
    return said


def _is_current(folder: Path, model: ModelRecord, generation: int) -> bool:
    """Whether the saved index is that of this generation, told by its pointer alone: reading it all takes seconds."""
    try:
        pointer = vector_file.read_pointer(folder)
        size = (folder / pointer.file).stat().st_size
    except (vector_file.UnusableFileError, OSError):
        return False
    return (pointer.generation, pointer.fingerprint, pointer.bytes) == (generation, model.fingerprint, size)
