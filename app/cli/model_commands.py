"""`picsift models`: which models there are, what each takes, which one answers; fetching, switching, removing."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app import model_table
from app.bootstrap import Services, build_services
from app.cli.indexing import bring_in_step
from app.cli.terminal import exits, output
from app.cli.terminal.logs import begin
from app.cli.terminal.options import JsonOption, LibraryOption, VerboseOption
from app.cli.terminal.progress import fetching
from app.model_table import ModelEntry
from app.printable import printable
from app.settings import Settings
from indexer.counted import counted
from indexer.embedder import Embedder, Shelf
from indexer.errors import LibraryError, as_model_error
from indexer.finishing import switch_at_once
from indexer.library import CATALOG, Library, open_library

models_app = typer.Typer(
    help="List models and what they take; fetch, use and remove them.", no_args_is_help=True, add_completion=False
)
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="As 'picsift models list' has it.", show_default=False)
]


class Layout(StrEnum):
    """Whose folder."""

    openclip = "openclip"
    huggingface = "huggingface"


@models_app.command("list")
@exits.reported
def list_command(library: LibraryOption = None, json: JsonOption = False, verbose: VerboseOption = False) -> None:
    """List what the library holds of each model, and the models that can be fetched."""
    settings = begin(verbose, library=library)
    found = model_table.entries(Shelf(settings.converted_models), _library(settings))
    if json:
        output.write_json([entry.document for entry in found])
        return
    width = max(len(printable(entry.name)) for entry in found)
    for entry in found:
        output.tell(_line(entry, width))


@models_app.command("info")
@exits.reported
def info_command(
    name: NameArgument, library: LibraryOption = None, json: JsonOption = False, verbose: VerboseOption = False
) -> None:
    """Say all that is known of a model."""
    settings = begin(verbose, library=library)
    found = model_table.find(name, Shelf(settings.converted_models), _library(settings))
    if json:
        output.write_json([entry.document for entry in found])
        return
    for entry in found:
        for line in _facts(entry):
            output.tell(line)


@models_app.command("pull")
@exits.reported
def pull_command(
    name: NameArgument,
    revision: Annotated[
        str | None,
        typer.Option("--revision", metavar="COMMIT", help="Let the name stand for this commit, branch or tag."),
    ] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Fetch a model from the hub, checked; goes on where it was cut short."""
    settings = begin(verbose)
    shelf = Shelf(settings.converted_models)
    with fetching(f"Fetching {name}", quiet=json) as show, as_model_error():
        shelf.pull(name, revision=revision, on_progress=show)
    embedder = Embedder(name, converted=settings.converted_models)  # converts it
    pin, taken = shelf.pin(name), shelf.fetched_bytes(name) + shelf.converted_bytes(embedder.fingerprint)
    document = {"model": name, "dim": embedder.dim, "commit": pin.commit if pin else None, "bytes": taken}
    output.say_done(
        f"{name} is here ({embedder.dim} dimensions, commit {pin.commit[:12] if pin else 'unknown'}, {_size(taken)}). "
        f"Search with it: picsift models use {name}",
        document,
        json=json,
    )


@models_app.command("use")
@exits.reported
def use_command(
    name: NameArgument, library: LibraryOption = None, json: JsonOption = False, verbose: VerboseOption = False
) -> None:
    """Let a model answer searches: at once if it has embedded everything, else when it has; the one before stays."""
    services = build_services(begin(verbose, library=library, model=name))
    catalog, embedder = services.library.catalog, services.embedder_for(name)
    embedder.load()  # what does not load cannot answer
    active = catalog.active_model()
    if active is not None and (active.name, active.fingerprint) == (embedder.name, embedder.fingerprint):
        output.say(f"the model {embedder.name!r} answers already.")
    elif switch_at_once(services.library, embedder.name, embedder.fingerprint):
        if active is not None and active.fingerprint == embedder.fingerprint:
            output.say(
                f"the model {embedder.name!r} answers already; the library knew it as {active.name!r} until now."
            )
        else:
            output.say(f"searches are answered by the model {embedder.name!r} from now on.")
        if active is not None and (away := catalog.embedded_only_by(active.id)):
            kept = counted(away, "photo that is away is", "photos that are away are")
            output.say(f"{kept} not embedded by it: run 'picsift index' once its folder is back.")
    else:
        _embed_all(services, json=json)
        return
    if json:
        output.write_json({"model": embedder.name, "active": True})


@models_app.command("export")
@exits.reported
def export_command(
    name: NameArgument,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new one, or an empty one.", show_default=False)],
    layout: Annotated[Layout, typer.Option("--format", help="Whose program is to load it.")] = Layout.openclip,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write a model, by name or path, as a folder that open_clip or transformers loads."""
    settings = begin(verbose)
    embedder = Embedder(name, converted=settings.converted_models)
    with as_model_error():
        otherwise = Shelf(settings.converted_models).export(embedder.weights, folder.absolute(), layout.value)
    document = {"model": name, "folder": str(folder.absolute()), "format": layout.value, "otherwise": otherwise or None}
    said = f"{name} is in {folder}, as {layout.value} has it. {otherwise}".rstrip()
    output.say_done(said, document, json=json)


@models_app.command("remove")
@exits.reported
def remove_command(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    without_library: Annotated[
        bool, typer.Option("--without-library", help="Remove the files although the library is not there.")
    ] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Drop a model that does not answer: its vectors, its index, its fetched and converted files. Tags stay."""
    settings = begin(verbose, library=library)
    shelf, opened = Shelf(settings.converted_models), _library(settings)
    if opened is None and not without_library:
        raise LibraryError(
            f"there is no library at {settings.library}. If its drive is away, plug it in: it may search with {name}. "
            "If there is none, add --without-library."
        )
    found = model_table.removable(name, shelf, opened)
    lost = model_table.lost_vectors(found, opened)
    others = (
        f"{counted(lost, 'of the photos is', 'of the photos are')} not embedded by the model that answers, mostly "
        "since a drive is away, and to be embedded again then."
    )
    if lost and yes:
        output.say(others)
    if not yes:
        size, photos = sum(entry.bytes for entry in found), sum(entry.photos for entry in found)
        vectors = f"the vectors of {counted(photos, 'photo')}"
        question = f"Remove {printable(found[0].name)}: {vectors} and its files, {_size(size)}?"
        typer.confirm(f"{others} {question}" if lost else question, abort=True, err=True)
    freed = model_table.remove(name, shelf, opened)
    said = f"{name} is removed: {_size(freed)}. A library's file keeps its size, and fills the room again."
    output.say_done(said, {"model": name, "freed_bytes": freed}, json=json)


def _library(settings: Settings) -> Library | None:
    """The library; None where none was made yet, since models are there without one."""
    return open_library(settings.library, create=False) if (settings.library / CATALOG).exists() else None


def _embed_all(services: Services, *, json: bool) -> None:
    """Index every folder of the library with the model that was asked for, as `picsift index --model` does."""
    folders = [root.path for root in services.library.catalog.roots()]
    if not folders:
        exits.usage(f"nothing is indexed yet. Run: picsift index FOLDER --model {services.settings.model}")
    report, interrupted = bring_in_step(services, folders, quiet=json)
    output.show_report(report, json=json)
    if interrupted:
        output.say("interrupted; what is done is saved, and the model of before answers. The same command goes on.")
        if services.embedder.loading:  # Python would wait for it, or crash on it
            services.close()
            exits.leave(exits.INTERRUPTED)
        raise SystemExit(exits.INTERRUPTED)


def _line(entry: ModelEntry, width: int) -> str:
    """One model: a star if it answers, its name and state, what the library holds of it, what it takes, what it is."""
    held = counted(entry.photos, "photo") if entry.fingerprint is not None else ""
    if entry.lacking:
        held += f", {entry.lacking:,} to do"
    here = _size(entry.bytes) if entry.bytes else ""
    figures = [f"{entry.dim} dim"]
    figures += [f"{entry.image_size} px"] if entry.image_size else []
    figures += [f"{entry.parameters / 1e6:,.0f} M"] if entry.parameters else []
    figures += [_size(entry.weight_bytes)] if entry.weight_bytes else []
    figures += [f"{entry.zero_shot:.1f} %"] if entry.zero_shot is not None else []
    figures += [entry.languages] if entry.languages not in (None, "English") else []
    parts = (f"{entry.name:<{width}}", f"{entry.state:<11}", f"{held:<24}", f"{here:>8}", "  ".join(figures))
    return f"{'*' if entry.active else ' '} {'  '.join(parts)}".rstrip()


def _facts(entry: ModelEntry) -> Iterator[str]:
    """Everything that is known of a model, a line each."""
    facts = {
        "name": entry.name,
        "state": entry.state + (", answers searches" if entry.active else ""),
        "hub": entry.repo,
        "commit": entry.commit,
        "dimensions": entry.dim or None,
        "picture": f"{entry.image_size} x {entry.image_size} pixels" if entry.image_size else None,
        "parameters": f"{entry.parameters:,}" if entry.parameters else None,
        "weights": f"about {_size(entry.weight_bytes)} in float32" if entry.weight_bytes else None,
        "zero-shot": f"{entry.zero_shot:.1f} % on ImageNet, as published" if entry.zero_shot is not None else None,
        "licence": entry.licence,
        "languages": entry.languages,
        "fingerprint": entry.fingerprint,
        "photos": f"{entry.photos:,} embedded, {entry.lacking:,} to do" if entry.lacking is not None else None,
        "frames": f"{entry.frames:,} of videos" if entry.frames else None,
        "vectors": _size(entry.vector_bytes) if entry.vector_bytes else None,
        "index": _size(entry.index_bytes) if entry.index_bytes else None,
        "files": _size(entry.file_bytes) if entry.file_bytes else None,
    }
    yield from (f"{name:<12} {value}" for name, value in facts.items() if value is not None)


def _size(count: int) -> str:
    """Bytes as a person reads them, in powers of a thousand as file managers and disks have them."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
