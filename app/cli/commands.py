"""The command line: each command reads its options, calls a service, and prints what came back.

Rendering lives in `output.py` and `documents.py`, exit statuses in `exits.py`, the work in the services. A command is
imported and made from its signature when it is called: all of them together take longer than a search.
"""

import importlib.metadata
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.bootstrap import Services, build_services
from app.cli.command_table import Commands
from app.cli.terminal import exits, output
from app.cli.terminal.interrupts import usual_interrupts
from app.cli.terminal.logs import begin as _begin
from app.cli.terminal.options import (
    JsonOption,
    LibraryOption,
    ModelOption,
    PortOption,
    VerboseOption,
    VideosOption,
    WatchOption,
)
from app.cli.terminal.streams import prepare_streams

if TYPE_CHECKING:
    from app.running.notice import Origins


class _Group(exits.SafeUsage):
    """The program, whose commands are made when they are asked for."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Commands()  # type: ignore[assignment]  # nothing is added to it


app = typer.Typer(
    name="picsift",
    cls=_Group,
    help="Search your own photos by what is in them: local and private.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

NO_FOLDER = "no folder is named, and the library knows none yet. Name one: picsift index FOLDER"


@exits.reported
def index_command(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER", help="Folders of photos; without any, all that are known.", show_default=False
        ),
    ] = None,
    model: ModelOption = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, max=256, help="Decoding processes; 0: automatic.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=0, max=4096, help="Photos embedded at a time; 0: automatic.")
    ] = None,
    allow_mass_removal: Annotated[
        bool,
        typer.Option(
            "--allow-mass-removal", help="Also when more than half of the photos of a FOLDER are gone, or all of it."
        ),
    ] = False,
    videos: VideosOption = None,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Bring the library in step with folders of photos."""
    from app.cli import indexing

    settings = _begin(verbose, library=library, model=model, workers=workers, batch_size=batch_size, videos=videos)
    known = indexing.known_roots(settings)
    named = indexing.check_folders(folders or [], known, inside=allow_mass_removal)
    if not named and not settings.library.exists():
        exits.usage(NO_FOLDER)
    services = build_services(settings, create=bool(named))
    wanted = named or [root.path for root in services.library.catalog.roots()]
    if not wanted:
        exits.usage(NO_FOLDER)
    if allow_mass_removal and not named:
        output.say("--allow-mass-removal speaks for the folders that are named, and none is: it changes nothing.")
    allowed = allow_mass_removal and bool(named)
    report, interrupted = indexing.bring_in_step(services, wanted, allow_mass_removal=allowed, quiet=json)
    output.show_report(report, json=json)
    if interrupted:
        output.say("interrupted; what is done is saved. The same command goes on from here.")
        if services.embedder.loading:  # Python would wait for it, or crash on it
            services.close()
            exits.leave(exits.INTERRUPTED)
        raise SystemExit(exits.INTERRUPTED)


@exits.reported
def status_command(
    follow: Annotated[bool, typer.Option("--follow", help="Show what is being indexed, as it is done.")] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say what is in the library, on which device, in what health."""
    from app.cli import live_status
    from app.status import read_status

    if follow:
        settings = _begin(verbose, library=library)
        with exits.stop_on_signal(quiet=True) as stop:
            live_status.follow(settings.library, json=json, stop=stop)
        return
    output.show_status(read_status(build_services(_begin(verbose, library=library))), json=json)


@exits.reported
def serve_command(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: PortOption = None,
    set_password: Annotated[
        bool, typer.Option("--set-password", help="Ask for a password, store its hash, and serve nothing.")
    ] = False,
    root_path: Annotated[
        str | None, typer.Option("--root-path", metavar="PATH", help="What a proxy serves this below, as /photos.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option("--trusted-proxy", metavar="ADDRESS", help="A proxy whose X-Forwarded- headers are believed."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", metavar="NAME", help="Another name to answer to, where there is no password."),
    ] = None,
    watch: WatchOption = False,
    videos: VideosOption = None,
    library: LibraryOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Serve the page and the HTTP API until stopped. Beyond this machine only with a password."""
    from app.cli import password_entry, watching

    proxied = {"root_path": root_path, "trusted_proxy": trusted_proxy or None, "allowed_host": allowed_host or None}
    origins = _origins()  # before the settings are read
    settings = _begin(verbose, library=library, host=host, port=port, videos=videos, **proxied)
    if set_password:
        password_entry.ask_and_store(settings)
        return
    _give_memory_back()
    services = build_services(settings, create=True)
    with watching.alongside(services, wanted=watch):
        _serve(services, origins)


@exits.reported
def demo_command(
    port: PortOption = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop before the page.")] = False,
    verbose: VerboseOption = False,
) -> None:
    """Try picsift on sample photos, in a library that is thrown away afterwards."""
    from app.cli import demo

    origins = _origins()
    settings = _begin(verbose, port=port)
    _give_memory_back()
    with exits.cleanup_on_sigterm(), demo.throw_away_library(settings) as services:
        if not demo.index_and_search(services):
            raise KeyboardInterrupt
        if not no_serve:
            _serve(services, origins)


@exits.reported
def doctor_command(library: LibraryOption = None, json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """Try what works on this machine: GPU, FAISS, formats, limits, disk, the library."""
    from app.doctor import examine

    checks = list(examine(_begin(verbose, library=library)))
    output.show_checks(checks, json=json)
    if any(check.essential and not check.ok for check in checks):
        raise SystemExit(exits.FAILED)


@exits.reported
def _print_version(wanted: bool) -> None:
    if wanted:
        print(importlib.metadata.version("picsift"))  # noqa: T201
        sys.stdout.flush()
        raise typer.Exit


@app.callback()
def _picsift(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Search your own photos by what is in them: local and private."""


def main() -> None:
    """Run the command line; the console script."""
    prepare_streams()
    sys.excepthook = exits.show_unforeseen
    app()


def _give_memory_back() -> None:
    """Of the pictures that people send; before the first model is loaded."""
    from indexer.watching.pacing import give_memory_back

    give_memory_back()


def _origins() -> "Origins | None":
    """What this process's settings come from; None where that cannot be read, which reading the settings tells of."""
    from app.running.notice import Origins

    with suppress(OSError, ValueError):
        return Origins.now()
    return None


def _serve(services: Services, origins: "Origins | None") -> None:
    from app.cli.answering import Answering
    from app.web.server import serve

    settings = services.settings
    with exits.cleanup_on_sigterm(), usual_interrupts():
        commands = Answering(services) if settings.ask_server else None
        serve(services, settings.host, settings.port, commands=commands, origins=origins)
