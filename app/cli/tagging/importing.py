"""`picsift import`: from options to what comes in, and what is said of it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.bootstrap import build_services
from app.cli.terminal import exits, output
from app.cli.terminal.logs import begin
from app.cli.terminal.options import JsonOption, LibraryOption, VerboseOption
from app.cli.terminal.output import say, tell
from app.cli.terminal.progress import counting
from app.tagging import tag_import
from app.tagging.tag_import import ImportReport
from app.tagging.takeout import from_takeout
from indexer.counted import counted

SHOWN = 10


@exits.reported
def import_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A table with the columns path and tag: .csv, .tsv, .jsonl or .parquet."),
    ] = None,
    keywords: Annotated[
        bool, typer.Option("--keywords", help="Take the keywords of the photos' own files and sidecars.")
    ] = False,
    takeout: Annotated[
        bool, typer.Option("--takeout", help="FILE is a folder of Google Takeout's that is indexed: read its JSON.")
    ] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Take tags in, accepted, with where they came from. What was decided here before stays."""
    if (file is None) != keywords or (takeout and file is None):
        exits.usage("name a file, or a folder with --takeout, or say --keywords.")
    services = build_services(begin(verbose, library=library))
    with counting("Reading tags", quiet=json) as show:
        if file is None:
            report = tag_import.from_keywords(services.library, show)
        elif takeout:
            report = from_takeout(services.library, file, show)
        else:
            report = tag_import.from_table(services.library, file, show)
    if json:
        output.write_json(asdict(report))
    else:
        _show(report)
    if report.refused or report.unknown:
        raise SystemExit(exits.FAILED)


def _show(report: ImportReport) -> None:
    for path in dict.fromkeys(report.unknown[:SHOWN]):
        say(f"no photo of the library: {path}")
    for where, reason in report.refused[:SHOWN]:
        say(f"{where} is left out: {reason}")
    left = len(report.unknown) + len(report.refused)
    tell(f"{counted(report.read, 'tag')} read, {report.changed:,} new, {left:,} left out")
