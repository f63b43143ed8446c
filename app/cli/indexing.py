"""`picsift index` between the command line and `sync()`: which folders, with which progress, stopped how.

The work itself is `indexer/pipeline.py`'s.
"""

import logging
import os
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from app.bootstrap import Services, build_services
from app.cli.terminal.exits import reported, stop_on_signal
from app.cli.terminal.logs import begin
from app.cli.terminal.options import LibraryOption, VerboseOption
from app.cli.terminal.output import say
from app.cli.terminal.progress import index_progress
from app.printable import printable
from app.settings import Settings
from indexer.counted import counted
from indexer.errors import PicsiftError, RootError
from indexer.forgetting import followed, forget
from indexer.library import CATALOG
from indexer.pipeline import Progress, SyncReport, sync
from indexer.watching.activity import ActivityLog
from indexer.workers.isolation import WorkerPool

log = logging.getLogger(__name__)


def check_folders(folders: Sequence[Path], known: Collection[Path] = (), *, inside: bool = False) -> list[Path]:
    """The folders as absolute paths; a root that the library knows may be absent, and what lies `inside` one too.

    Raises:
        RootError: one is not there, is a file, or may not be read.
    """
    checked = []
    for folder in folders:
        path = Path(os.path.abspath(os.path.expanduser(folder)))  # noqa: PTH100, PTH111 - the catalog resolves links
        may_be_absent = path in known or (inside and any(root in path.parents for root in known))
        if may_be_absent and not path.exists():
            checked.append(path)
            continue
        if not path.exists():
            raise RootError(f"there is no folder {path}. If it lies on a drive, plug it in; else check its name.")
        if not path.is_dir():
            raise RootError(f"{path} is a file. Name the folder that it lies in: {path.parent}")
        if not os.access(path, os.R_OK | os.X_OK):
            raise RootError(f"{path} may not be read. Change its permissions, or run as its owner.")
        checked.append(path)
    return checked


def known_roots(settings: Settings) -> set[Path]:
    """The folders that the library follows; none where there is no library yet."""
    if not (settings.library / CATALOG).exists():
        return set()
    with closing(build_services(settings)) as services:
        return {root.path for root in services.library.catalog.roots()}


@reported
def forget_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that was indexed.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    library: LibraryOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Take a folder out of the library, with what is known of its photos. The files stay as they are."""
    services = build_services(begin(verbose, library=library))
    path = Path(os.path.abspath(os.path.expanduser(folder)))  # noqa: PTH100, PTH111 - a folder that may be gone
    root = followed(services.library, path)
    if not yes:
        known = f"all that is known of its {counted(root.photos, 'photo')}"
        question = f"Forget {printable(root.path)} and {known}? The files stay as they are."
        typer.confirm(question, abort=True, err=True)
    photos = forget(services.library, path)
    say(f"{path} is forgotten: {counted(photos, 'photo has', 'photos have')} left the library. No file was touched.")


def bring_in_step(
    services: Services, folders: Sequence[Path], *, allow_mass_removal: bool = False, quiet: bool = False
) -> tuple[SyncReport, bool]:
    """Index the folders with progress on standard error; returns the report and whether a signal cut it short.

    Args:
        services: the opened library.
        folders: what to look through.
        allow_mass_removal: remove even more than half of a folder's photos.
        quiet: show no progress.
    """
    settings = services.settings
    activity = ActivityLog(services.library.folder, "index")
    pool = WorkerPool(timeout_s=settings.decode_timeout_s, memory_mb=settings.decode_memory_mb)

    def tell(progress: Progress) -> None:
        activity.progress(progress)
        if show is not None:
            show(progress)

    embedder, asked = services.model_choice()()
    active = services.library.catalog.active_model()
    if not quiet and active is not None and active.fingerprint != embedder.fingerprint:
        say(f"photos are embedded with another model, {embedder.name!r}; the one before answers until all of them are.")
    with closing(activity), stop_on_signal() as stop, index_progress(quiet=quiet) as show, pool:
        report = sync(
            services.library,
            embedder,
            folders,
            workers=settings.workers,
            batch_size=settings.batch_size,
            max_pixels=settings.max_pixels,
            allow_mass_removal=allow_mass_removal,
            on_progress=tell,
            stop=stop.is_set,
            pool=pool,
            ignoring=settings.ignoring,
            videos=settings.videos,
            asked=asked,
        )
        if not stop.is_set():
            tag_new(services, stop.is_set)
    return report, stop.is_set()


def tag_new(services: Services, stop: Callable[[], bool]) -> None:
    """Tag what a run brought, where that is switched on; what goes wrong is said, and the run has succeeded still."""
    try:
        done = services.tagging.run_if_automatic(stop)
    except PicsiftError as error:
        log.warning("the new photos are indexed, but not tagged: %s", error)
        return
    if done is not None and done.photos:
        log.info("tagged %s, %s", counted(done.photos, "photo"), counted(done.suggestions, "suggestion"))
