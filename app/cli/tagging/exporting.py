"""`picsift export`: from options to the exports, from what they did or would do to what is printed."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from app.bootstrap import Services, build_services
from app.cli.terminal import exits, output
from app.cli.terminal.logs import begin
from app.cli.terminal.options import JsonOption, LibraryOption, VerboseOption
from app.cli.terminal.output import say
from app.cli.terminal.progress import counting
from app.tag_path import path_text
from app.tagging import export_ways
from app.tagging.export import table_export
from app.tagging.export.file_plan import PlannedFile
from app.tagging.export.plan_token import Outcome
from app.tagging.export.sidecar_plan import Naming, Planned, Refused
from app.tagging.export.table_export import Table
from app.tagging.export.way_back import ExportReport
from indexer.catalog.journal.records import Export
from indexer.counted import counted

SHOWN_REFUSALS = 20
LARGE_JOURNAL = 1 << 30  # bytes, from which on every export says what the journal takes


@exits.reported
def export_command(
    naming: Annotated[
        Naming, typer.Option("--naming", help="What new sidecars are called; auto is as most are already.")
    ] = Naming.auto,
    into_files: Annotated[
        bool, typer.Option("--into-files", help="Write into the photos themselves, XMP and IPTC, with ExifTool.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change, file by file.")] = False,
    undo: Annotated[
        int | None, typer.Option("--undo", metavar="ID", help="Put the files of an export back as they were.")
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="List the exports and their ids.")] = False,
    forget: Annotated[
        int | None,
        typer.Option("--forget", metavar="ID", help="Give up the way back from an export and from all before it."),
    ] = None,
    table: Annotated[
        Table | None, typer.Option("--table", help="Write a table of all tags, in every state, instead.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Where the table goes. [default: standard output]")
    ] = None,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write accepted tags to XMP files beside the photos, for other programs to read, or into the photos.

    Only with --into-files is a photo touched; its picture stays as it is, which is proved before anything is written.
    """
    others = undo is not None, history, forget is not None, table is not None
    if sum((dry_run, *others)) > 1:
        exits.usage("--dry-run, --undo, --history, --forget and --table exclude each other.")
    if into_files and (any(others) or naming is not Naming.auto):
        exits.usage("--into-files excludes --naming, --undo, --history, --forget and --table.")
    if target is not None and table is None:
        exits.usage("--output belongs to --table.")
    services = build_services(begin(verbose, library=library))
    exports = services.exports
    if into_files:
        export_ways.require_into()
    if table is not None:
        _write_table(services, table, target)
    elif history:
        _show_history(exports.history(), exports.journal_size(), json=json)
    elif forget is not None:
        _show_forgotten(exports.forget(forget), json=json)
    elif dry_run:
        _show_preview(exports.preview(naming, into_files=into_files), into_files=into_files, json=json)
    elif undo is not None:
        with exits.stop_on_signal() as stop:
            _end(exports.undo(undo, stop=stop.is_set), json=json, verb="put back")
    else:
        with exits.stop_on_signal() as stop, counting("Writing tags", quiet=json) as show:
            report = exports.run(naming, into_files=into_files, on_progress=show, stop=stop.is_set)
        if into_files and report.refused and not json:
            say("what is left alone may go beside the photos: 'picsift export', without --into-files.")
        if not json and (taken := services.library.catalog.exports.held()) > LARGE_JOURNAL:
            say(f"the way back from exports takes {output.shown_bytes(taken)}: see --history and --forget.")
        _end(report, json=json, verb="written")


def _write_table(services: Services, table: Table, target: Path | None) -> None:
    if target is None:
        table_export.stream(services.library, table, sys.stdout)
        return
    with counting("Writing tags", quiet=False) as show:
        count = table_export.write(services.library, table, target.absolute(), show)
    say(f"the tags of {counted(count, 'photo')} are in {target}.")


def _show_history(exports: list[Export], size: tuple[int, int], *, json: bool) -> None:
    if json:
        output.write_json([_entry(export) for export in exports])
        return
    for export in exports:
        end = "undone" if export.undone_at else "interrupted" if export.finished_at is None else "done"
        if export.put_back and not export.undone_at:
            end = f"{end}, {export.put_back:,} of them put back"
        if export.forgotten:
            end += ", no way back"
        elif export.kept_bytes:
            end += f", way back {output.shown_bytes(export.kept_bytes)}"
        when = f"{export.started_at.astimezone():%Y-%m-%d %H:%M}"
        output.tell(f"{export.id:>4}  {when}  {export.kind}  {counted(export.files, 'file')}  {end}")
    if not exports:
        say("nothing was exported yet.")
    elif size[0]:
        entries = counted(size[0], "entry of a file, which takes", "entries of files, which take")
        say(f"the journal has {entries} about {output.shown_bytes(size[1])}.")


def _entry(export: Export) -> dict[str, Any]:
    moments = {"started_at": export.started_at, "finished_at": export.finished_at, "undone_at": export.undone_at}
    shown = {name: None if moment is None else moment.isoformat() for name, moment in moments.items()}
    counts = {"files": export.files, "put_back": export.put_back, "kept_bytes": export.kept_bytes}
    return {"id": export.id, "kind": export.kind, **counts, **shown, "forgotten": export.forgotten}


def _show_forgotten(exports: list[Export], *, json: bool) -> None:
    if json:
        output.write_json([_entry(export) for export in exports])
        return
    freed = output.shown_bytes(sum(export.kept_bytes for export in exports))
    gone = counted(len(exports), "export")
    say(f"{gone} cannot be undone any more, which takes {freed} less in the library.")


def _show_preview(outcomes: Iterable[Outcome], *, into_files: bool, json: bool) -> None:
    if json:
        output.write_json_list(map(_document, outcomes))
        return
    counts = {"new": 0, "changed": 0, "left alone": 0, "as they should be": 0}
    for outcome in outcomes:
        if isinstance(outcome, Planned | PlannedFile):
            counts["new" if outcome.new else "changed"] += 1
            signs = [f"+{path_text(tag)}" for tag in outcome.added] + [f"-{path_text(tag)}" for tag in outcome.removed]
            told = ", ".join([*signs, *outcome.words, *(f"{part} completed" for part in outcome.completed)])
            output.tell(f"{'new' if outcome.new else 'change':<7} {outcome.path}  {told}")
            if isinstance(outcome, PlannedFile):
                _show_shortened(outcome.path, outcome.change.shortened)
        elif isinstance(outcome, Refused):
            counts["left alone"] += 1
            output.tell(f"leave   {outcome.path}  {outcome.reason}")
        else:
            counts["as they should be"] += 1
    say("nothing was written. " + ", ".join(f"{count:,} {kind}" for kind, count in counts.items()) + ".")
    if into_files and counts["changed"]:
        say("each is proved on a copy when it is written, and left alone where that fails.")


def _document(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {
        "photo": str(outcome.photo.path),
        "file": str(outcome.path),
        "outcome": type(outcome).__name__.lower(),
    }
    if isinstance(outcome, Refused):
        return found | {"reason": outcome.reason}
    if isinstance(outcome, Planned | PlannedFile):
        added, removed = ([path_text(tag) for tag in tags] for tags in (outcome.added, outcome.removed))
        found |= {"new": outcome.new, "added": added, "removed": removed, "words": list(outcome.words)}
        found["completed"] = list(outcome.completed)
    if isinstance(outcome, PlannedFile):
        found["shortened"] = list(outcome.change.shortened)
    return found


def _end(report: ExportReport, *, json: bool, verb: str) -> None:
    """Print what was done; exit status 1 where files were left alone, 130 where it was stopped."""
    if json:
        refused = [{"file": str(path), "reason": reason} for path, reason in report.refused]
        output.write_json(
            {
                **{"export": report.export, "written": report.written, "unchanged": report.unchanged},
                **{"refused": refused, "complete": report.complete},
                "shortened": [{"file": str(path), "texts": list(texts)} for path, texts in report.shortened],
            }
        )
    else:
        _show_end(report, verb)
    if not report.complete:
        raise SystemExit(exits.INTERRUPTED)
    if report.refused:
        raise SystemExit(exits.FAILED)


def _show_shortened(path: Path, texts: Iterable[str]) -> None:
    for text in texts:
        say(f"IPTC has no room for all of {text[:100]!r} in {path}; XMP has it whole.")


def _show_end(report: ExportReport, verb: str) -> None:
    for path, reason in report.refused[:SHOWN_REFUSALS]:
        say(f"left alone {path}: {reason}")
    if len(report.refused) > SHOWN_REFUSALS:
        say(f"and {len(report.refused) - SHOWN_REFUSALS:,} more; --json lists them all.")
    for path, texts in report.shortened[:SHOWN_REFUSALS]:
        _show_shortened(path, texts)
    output.tell(
        f"{counted(report.written, 'file')} {verb}, {report.unchanged:,} unchanged, {len(report.refused):,} left alone"
    )
    if report.export is not None and verb == "written":
        say(f"to put them back as they were: picsift export --undo {report.export}")
    if not report.complete:
        say("interrupted; what is done is in the journal. The same command goes on from here.")
