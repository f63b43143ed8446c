"""`picsift duplicates`: from options to the service that groups photos, from its groups to what is printed."""

from contextlib import closing
from typing import Annotated

import typer

from app.bootstrap import build_services
from app.cli.terminal import exits
from app.cli.terminal.logs import begin
from app.cli.terminal.options import Filters, JsonOption, LibraryOption, VerboseOption, with_groups
from app.duplicates.kinds import Kind

FILTERS = Filters()


@exits.reported
@with_groups
def duplicates_command(
    kind: Annotated[
        list[Kind] | None,
        typer.Option(
            "--kind",
            help="Only exact copies, near ones (re-saved, smaller, brighter), or bursts; several hold. [default: all]",
            show_default=False,
        ),
    ] = None,
    filters: Filters = FILTERS,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Group photos that are the same picture, nearly the same, or of one burst, and name the best. Nothing is deleted.

    In a pipe it prints a line for each photo: its group's number, a tab, best or what it is of it (exact, near, burst),
    a tab, its path.
    """
    from app.cli.terminal.duplicate_listing import show_duplicates
    from app.cli.terminal.progress import counting

    settings = begin(verbose, library=library)
    with closing(build_services(settings)) as services, counting("Comparing photos", quiet=json) as show:
        found = services.duplicates.find(kind or tuple(Kind), filters.filter, on_progress=show)
    show_duplicates(found, json=json)
