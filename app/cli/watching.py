"""`picsift watch`, and the daemon beside the server: which folders, how batches are shown, how it ends.

The work itself is `indexer/watching/daemon.py`'s.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from app.bootstrap import Services, build_services
from app.cli import indexing, service_unit
from app.cli.terminal import exits
from app.cli.terminal.documents import report_document
from app.cli.terminal.logs import begin_service
from app.cli.terminal.options import LibraryOption, ModelOption, VerboseOption, VideosOption
from app.cli.terminal.output import say, tell
from app.printable import printable
from indexer.errors import LibraryLockedError, NewerLibraryError, PicsiftError
from indexer.pipeline import SyncReport
from indexer.watching.retrying import Pauses

log = logging.getLogger(__name__)

NO_FOLDER = "no folder is named, and the library knows none yet. Name one: picsift watch FOLDER"
LONGEST_STOP_S = 10.0
AGAIN_S = 10.0  # until folders are followed again that were not any more, at first
LOCKED_S = 1.0  # between two looks at whether another process still writes to the library
SHOWN_FAILURES = 10


@exits.reported
def watch_command(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folders of photos to add to those that are followed.",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = None,
    max_cpu: Annotated[
        int | None,
        typer.Option("--max-cpu", min=1, max=100, metavar="PERCENT", help="Of all processors, on average."),
    ] = None,
    install_service: Annotated[
        bool, typer.Option("--install-service", help="Write a systemd user unit or a launchd agent that runs this.")
    ] = False,
    print_only: Annotated[bool, typer.Option("--print", help="Print that file instead of writing it.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace that file if there is one.")] = False,
    videos: VideosOption = None,
    library: LibraryOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on a line for each batch.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Write the log as JSON lines.")] = False,
    verbose: VerboseOption = False,
) -> None:
    """Index, then follow changes of the folders until stopped."""
    if (print_only or force) and not install_service:
        exits.usage("--print and --force belong to --install-service.")
    settings = begin_service(verbose, log_json=log_json, library=library, model=model, max_cpu=max_cpu, videos=videos)
    wanted = indexing.check_folders(folders or [], indexing.known_roots(settings))
    if install_service:
        options = ["--model", model] if model else []
        options += ["--max-cpu", str(max_cpu)] if max_cpu else []
        options += [] if videos is None else ["--videos" if videos else "--no-videos"]
        service_unit.install(settings, wanted, options, print_only=print_only, force=force)
        return
    if not wanted and not settings.library.exists():
        exits.usage(NO_FOLDER)
    with closing(build_services(settings, create=bool(wanted))) as services:
        if not wanted and not services.library.catalog.root_paths():
            exits.usage(NO_FOLDER)
        with exits.stop_on_signal() as stop:
            add_folders(services, wanted, stop)
            log.info("following %s", ", ".join(printable(root.path) for root in services.library.catalog.root_paths()))
            follow(services, stop, command="watch", on_batch=_show_json if json else _show)
        if services.embedder.loading:  # Python would wait for it, or crash on it
            services.close()
            exits.leave(0)


def add_folders(services: Services, folders: Sequence[Path], stop: threading.Event) -> None:
    """Add folders to those that the library follows, once no other process writes to it, or until `stop` is set.

    A run that is under way holds the numbers of the roots that it works on, and a new root may take them over.
    """
    waited = False
    while folders and not stop.is_set():
        try:
            with services.library.writer_lock():
                for folder in folders:
                    services.library.catalog.add_root(folder, services.settings.ignoring.reaches)
            return
        except LibraryLockedError as error:
            if not waited:
                log.warning("waiting: %s", error)
            waited = True
            stop.wait(LOCKED_S)


def follow(services: Services, stop: threading.Event, *, command: str, on_batch: Callable[[SyncReport], None]) -> None:
    """Run the daemon in this thread, with a low priority, until `stop` is set.

    Args:
        services: what it shares with whoever else is in this process.
        stop: ends it at the next safe point.
        command: what it is said to be run by; a server's model stays loaded, for its searches.
        on_batch: told of each batch.
    """
    from indexer.watching.activity import ActivityLog
    from indexer.watching.daemon import Daemon
    from indexer.watching.pacing import give_memory_back, lower_priority
    from indexer.workers.isolation import WorkerPool

    # The network's libraries keep code for every size of batch that they met; a daemon meets all of them.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    settings = services.settings

    def told(report: SyncReport) -> None:
        on_batch(report)
        if report.added or report.updated:
            indexing.tag_new(services, stop.is_set)

    if command == "watch":
        give_memory_back()
    if command == "watch" or sys.platform == "linux":  # elsewhere it would slow the server's answers down
        lower_priority()
    with closing(ActivityLog(services.library.folder, command)) as activity:
        Daemon(
            services.library,
            services.embedder,
            activity,
            choose=services.model_choice(),
            settle_ms=settings.settle_ms,
            idle_unload_s=settings.idle_unload_s if command == "watch" else 0,
            max_cpu=settings.max_cpu,
            workers=settings.workers,
            batch_size=settings.batch_size,
            max_pixels=settings.max_pixels,
            pool=WorkerPool(timeout_s=settings.decode_timeout_s, memory_mb=settings.decode_memory_mb),
            ignoring=settings.ignoring,
            videos=settings.videos,
            on_batch=told,
        ).run(stop)


@contextmanager
def alongside(services: Services, *, wanted: bool) -> Iterator[None]:
    """The daemon in a thread for as long as the block runs, if it is wanted."""
    if not wanted:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_follow_quietly, args=(services, stop), name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LONGEST_STOP_S)


def _follow_quietly(services: Services, stop: threading.Event) -> None:
    """Follow beside the server; after an error that nobody foresaw, or that a person sees to, again after a pause."""
    pauses = Pauses(first_s=AGAIN_S)
    while not stop.is_set():
        try:
            follow(services, stop, command="serve", on_batch=lambda report: log.info("%s", line(report)))
        except NewerLibraryError as error:
            log.error("the folders are not followed any more: %s", error)
            return
        except Exception as error:
            pause_s = pauses.broken()
            why = error if isinstance(error, PicsiftError) else f"{type(error).__name__}: {error}"
            foreseen = isinstance(error, PicsiftError)
            log.error("the folders are not followed for %.0f s: %s", pause_s, why, exc_info=not foreseen)
            stop.wait(pause_s)


def line(report: SyncReport) -> str:
    """One batch as a person reads it."""
    counts = [(getattr(report, name), name) for name in ("added", "updated", "moved", "removed", "failed")]
    told = ", ".join(f"{count:,} {name}" for count, name in counts if count) or "everything is in step"
    return f"{told}; {report.seconds:.1f} s"


def _show(report: SyncReport) -> None:
    _print(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}  {line(report)}")
    for path, reason in report.failures[:SHOWN_FAILURES]:
        _print(f"{'':19}  failed {path}: {reason}")


def _show_json(report: SyncReport) -> None:
    _print(dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **report_document(report)}))


def _print(text: str) -> None:
    """A line on standard output; where nobody reads it any more, the folders are followed nevertheless."""
    try:
        tell(text)
    except BrokenPipeError:
        say("nobody reads the output any more.")
