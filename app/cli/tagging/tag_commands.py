"""`picsift tag` and `picsift tags`: from options to the services of tags, from what they did to what is printed."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.bootstrap import build_services
from app.cli.tagging.tag_editing import tags_app
from app.cli.terminal import exits, output, tag_documents
from app.cli.terminal.logs import begin
from app.cli.terminal.options import FilesArgument, JsonOption, LibraryOption, VerboseOption
from app.cli.terminal.progress import counting_in_turn
from app.tag_path import path_text
from app.tagging import lookup as tag_lookup
from app.tagging.review import MOST
from app.tagging.tagging_service import TaggingReport
from indexer.catalog.filters import tag_filter
from indexer.counted import counted


class ReviewOrder(StrEnum):
    """Which suggestions come first."""

    uncertain = "uncertain"
    frequent = "frequent"


@exits.reported
def tag_command(
    vocabulary: Annotated[
        Path | None,
        typer.Option("--vocabulary", metavar="FILE", help="Tag with these words from now on: .toml, .csv or .txt."),
    ] = None,
    builtin: Annotated[bool, typer.Option("--builtin", help="Tag with the built-in words again.")] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Only what changed since the last time; all once it has doubled.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0.01, max=0.99, help="Least confidence of a suggestion, from now on."),
    ] = None,
    automatic: Annotated[
        bool | None,
        typer.Option("--auto/--no-auto", help="Tag new photos as they are indexed from now on; or no more."),
    ] = None,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Suggest tags for the photos of the library. No photo is opened, and no decision is written over."""
    if vocabulary is not None and builtin:
        exits.usage("--vocabulary and --builtin exclude each other.")
    services = build_services(begin(verbose, library=library))
    if vocabulary is not None or builtin:
        services.tagging.use(vocabulary)
    if automatic is not None:
        services.tagging.automatic = automatic
    stages = ("Embedding words", "Tagging photos")
    with exits.stop_on_signal() as stop, counting_in_turn(*stages, quiet=json) as (words, photos):
        report = services.tagging.run(
            only_new=new, threshold=threshold, on_progress=photos, on_words=words, stop=stop.is_set
        )
    _show_report(report, json=json)
    if not report.complete:
        raise SystemExit(exits.INTERRUPTED)


@tags_app.command("list")
@exits.reported
def list_command(
    tag: Annotated[str | None, typer.Argument(metavar="TAG", help="Only this one and what lies under it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also tags that no photo has.")] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """List the tags and how many photos have them: accepted, suggested, rejected."""
    services = build_services(begin(verbose, library=library))
    counts = services.library.catalog.tags.counts()
    if tag:
        meant = set(tag_filter.matching(tag_lookup.parsed(tag), {count.id: count.path for count in counts}))
        counts = [count for count in counts if count.id in meant]
    counts = [c for c in counts if every or c.accepted or c.suggested or c.rejected]
    fits = services.tagging.fits() if counts else {}
    if json:
        output.write_json([tag_documents.counted(count, fits.get(count.path)) for count in counts])
        return
    for count in counts:
        output.tell(tag_documents.line(count, fits.get(count.path)))
    if not counts:
        output.say("no photo has a tag yet. Suggest some: picsift tag")


@tags_app.command("show")
@exits.reported
def show_command(
    files: FilesArgument, library: LibraryOption = None, json: JsonOption = False, verbose: VerboseOption = False
) -> None:
    """Say which tags photos have, in which state, how sure the model is, and where each came from."""
    services = build_services(begin(verbose, library=library))
    ids = tag_lookup.photo_ids(services, files)
    found = services.library.catalog.tags.of(list(ids.values()))
    if json:
        output.write_json([tag_documents.tagged(file, found.get(number, ())) for file, number in ids.items()])
        return
    for file, photo_id in ids.items():
        output.tell(str(file))
        for tag in found.get(photo_id, ()):
            sure = "" if tag.confidence is None else f"{tag.confidence:.0%}"
            output.tell(f"  {tag.state:<9} {sure:>4}  {path_text(tag.path)}  ({tag.origin})")


@tags_app.command("review")
@exits.reported
def review_command(
    tag: Annotated[str | None, typer.Argument(metavar="TAG", help="Only this one and what lies under it.")] = None,
    order: Annotated[
        ReviewOrder, typer.Option("--order", help="The most uncertain first, or the tag with most suggestions.")
    ] = ReviewOrder.uncertain,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="How many.")] = 20,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """List suggestions that nobody has decided on, for 'picsift tags accept' and 'reject'; the page asks one by one."""
    services = build_services(begin(verbose, library=library))
    page = services.review.page(order.value, tag_lookup.find(services, tag) if tag else None, limit=limit)
    if json:
        output.write_json(tag_documents.to_review(page))
        return
    for one, photo in page.items:
        sure = "" if one.confidence is None else f"{one.confidence:.0%}"
        output.tell(f"{sure:>4}  {path_text(one.path)}  {photo.path}")
    output.say(f"{counted(page.left, 'suggestion is', 'suggestions are')} to be decided.")


def _show_report(report: TaggingReport, *, json: bool) -> None:
    if json:
        output.write_json(tag_documents.report(report))
        return
    for path, fit in sorted(report.learned.items()):
        output.say(f"learned {path_text(path)}: {tag_documents.learned(fit)}.")
    if report.changed:
        words = counted(report.changed, "word is", "words are")
        output.say(f"{words} renamed, merged or deleted: 'picsift tags restore' lists them.")
    if not report.complete:
        output.say("interrupted; what is done is saved. The same command goes on from here.")
    output.tell(
        f"{counted(report.photos, 'photo')}, {counted(report.tags, 'tag')} ({report.vocabulary}), "
        f"{counted(report.suggestions, 'suggestion')}, {report.seconds:.1f} s"
    )
