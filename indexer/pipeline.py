"""The main path: bring a library in step with the folders. Scan, compare, decode, embed, store.

The catalog is committed in small steps, so that a kill at any instant loses at most the last one. Nothing here knows a
file format, a query or a model.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from indexer.catalog.records import ModelRecord
from indexer.embedder import Embedder
from indexer.finishing import activate_first, check_vectors, drop_thumbnails, entered, finish, remove_leftovers
from indexer.folders.ignoring import NOTHING_MORE, Ignoring
from indexer.folders.reconcile import Settled, reconcile
from indexer.folders.removing import Removals
from indexer.library import Library
from indexer.pictures import images
from indexer.storing import Storing
from indexer.workers.decoding import Decoder, Job, Result, decode_in_turn, workers_for
from indexer.workers.isolation import WorkerPool
from indexer.workers.recipe import Recipe

logger = logging.getLogger(__name__)

DEFAULT_BATCH = 32
RUNNING = "sync running"  # a setting of the library: "1" while a run is under way, and after one that was killed
VIDEOS = "videos"  # a setting of the library: "1" where videos are taken in
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
        held_back: files from and to which photos seem to have moved, onto others that are kept: nothing was done.
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
    held_back: list[str] = field(default_factory=list)


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
    pool: WorkerPool | None = None,
    ignoring: Ignoring = NOTHING_MORE,
    leave: Callable[[str], bool] | None = None,
    videos: bool | None = None,
    removals: Removals | None = None,
    written: Collection[str] = (),
    asked: bool = True,
    lazy_index: bool = False,
    shallow: Sequence[Path] = (),
) -> SyncReport:
    """Bring the catalog and the index in step with the folders: scan, compare, decode, embed, store.

    Args:
        library: what is brought in step.
        embedder: the model; photos that it has not embedded yet are.
        folders: roots, or folders below them.
        workers: decoding processes; 0 is one for each core.
        batch_size: photos embedded at once; 0 is 32.
        max_pixels: a picture with more is refused.
        allow_mass_removal: remove even more than half of the photos of these folders' roots.
        on_progress: told how far the run is.
        stop: asked several times a second; True ends the run early, with everything done so far saved.
        pool: the processes that decode, kept by the caller between runs; None starts them for this run.
        ignoring: what is passed over, beside the defaults and what `.picsiftignore` files say.
        leave: absolute path -> whether a new or changed file is left for a later run: it is still being written.
        videos: whether new videos are taken in, from now on; None is as the library was last told. Known ones stay.
        removals: what earlier runs removed, kept by the caller, so that the bound on removals holds for all of them.
        written: absolute paths of files that were written to, whatever their stamps say.
        asked: whether a person asked for this model; else it has to be the one that answers, if any does.
        lazy_index: whether the search index on disk may stay a little behind the catalog.
        shallow: folders that are looked at too, but not those below them.

    Raises:
        LibraryError: the library cannot be written, or another process does.
        RootError: a folder cannot be indexed.
        ModelError: the model cannot be loaded, or is another one than answers and was not asked for.
        DecoderStartError: no process that decodes can be started.
    """
    begun, workers, batch_size = time.monotonic(), workers or os.cpu_count() or 1, batch_size or DEFAULT_BATCH
    tell, stopped = on_progress or (lambda progress: None), stop or (lambda: False)
    with library.writer_lock(), nullcontext(pool) if pool else WorkerPool() as processes:
        killed = _begin(library, videos)
        model = entered(library, embedder.name, embedder.fingerprint, embedder.dim, asked=asked)
        new = library.catalog.generation(model.id) == 0
        check_vectors(library, model)
        tell(Progress("scan"))
        settled = reconcile(
            *(library, folders, model.id),
            workers=workers,
            pool=processes,
            allow_mass_removal=allow_mass_removal,
            ignoring=ignoring,
            leave=leave,
            stop=stopped,
            videos=library.catalog.setting(VIDEOS) == "1",
            removals=removals,
            written=written,
            shallow=shallow,
        )
        total, ready = len(settled.jobs), partial(activate_first, library, model)
        storing = Storing(library, embedder, model, batch_size=batch_size, stop=stopped, loaded=ready)
        if settled.jobs and not stopped():
            decoder = _decoder(library, embedder, model, max_pixels, processes, settled.jobs)
            _work_off(settled.jobs, decoder, storing, tell, stopped, workers=workers, ahead=AHEAD * batch_size)
        loads = not stopped() and (model == library.catalog.active_model() or embedder.load(stopped))
        said = finish(library, model, settled, complete=loads and not stopped(), new=new, lazily=lazy_index)
        _end(library, killed=killed)
    tell(Progress("done", total, total, len(storing.failures), time.monotonic() - begun))
    return _report(settled, storing, settled.messages + said, time.monotonic() - begun)


def _begin(library: Library, videos: bool | None) -> bool:
    """Clean up before anything is written, and note that a run is under way; whether the one before was killed."""
    remove_leftovers(library)
    if videos is not None:
        library.catalog.set_setting(VIDEOS, str(int(videos)))
    killed = library.catalog.setting(RUNNING) == "1"
    library.catalog.set_setting(RUNNING, "1")
    return killed


def _end(library: Library, *, killed: bool) -> None:
    """Note that no run is under way; one that was killed before did not get to where it would have cleaned up."""
    if killed:
        drop_thumbnails(library, library.thumbnails.hashes())
    library.catalog.set_setting(RUNNING, "0")


def _report(settled: Settled, storing: Storing, messages: list[str], seconds: float) -> SyncReport:
    return SyncReport(
        added=storing.added,
        updated=storing.updated,
        moved=settled.moved,
        removed=settled.removed,
        unchanged=settled.unchanged + storing.unchanged,
        failed=len(storing.failures),
        seconds=round(seconds, 3),
        failures=storing.failures,
        messages=messages,
        temporary=storing.temporary,
        held_back=settled.held_back,
    )


def _decoder(
    library: Library, embedder: Embedder, model: ModelRecord, max_pixels: int, pool: WorkerPool, jobs: Sequence[Job]
) -> Decoder:
    def copy_of(content: str) -> int | None:
        return library.catalog.by_content([content], model_id=model.id).get(content)

    recipe = Recipe(embedder.prepare, library.thumbnails, embedder.image_size, max_pixels)
    sizes = frozenset(library.catalog.known_sizes({job.file.size for job in jobs}))
    return Decoder(recipe, pool, copy_of, sizes, embedder.warm)


def _work_off(
    jobs: Sequence[Job],
    decoder: Decoder,
    storing: Storing,
    tell: Callable[[Progress], None],
    stopped: Callable[[], bool],
    *,
    workers: int,
    ahead: int,
) -> None:
    """Decode, embed and store; then decode the copies whose original changed meanwhile."""
    decode = partial(decode_in_turn, workers=workers_for(jobs, workers), ahead=ahead, stop=stopped)
    _store(storing, decode(jobs, decoder), len(jobs), tell, stopped)
    without_copies = replace(decoder, sizes=frozenset[int]())
    _store(storing, decode(storing.again, without_copies), 0, tell, stopped)


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
    with closing(results):  # type: ignore[type-var]  # a generator: closing it ends the decoding
        for done, result in enumerate(results, start=1):
            storing.take(result)
            tell(Progress("embed", done, total, len(storing.failures), time.monotonic() - begun))
            if stopped():
                break
    storing.commit()
