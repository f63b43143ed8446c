"""`picsift edit`: stars, titles and descriptions that a person gives photos."""

from typing import Annotated

import typer

from app.bootstrap import build_services
from app.cli.terminal import exits, output
from app.cli.terminal.logs import begin
from app.cli.terminal.options import FilesArgument, JsonOption, LibraryOption, VerboseOption
from app.tagging import editing
from app.tagging import lookup as tag_lookup
from indexer.catalog.tag_records import EditField
from indexer.counted import counted


@exits.reported
def edit_command(
    files: FilesArgument,
    rating: Annotated[
        int | None, typer.Option("--rating", min=-1, max=5, help="Stars: 0 is none, -1 rejected.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="A line.")] = None,
    description: Annotated[str | None, typer.Option("--description", metavar="TEXT", help="One line or more.")] = None,
    favourite: Annotated[
        bool | None,
        typer.Option("--favourite/--no-favourite", help="Five stars; or none, for those that have five."),
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Take back all that was given here: what the files say counts again.")
    ] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Give photos stars, a title or a description, in the library. Their files stay as they are until an export."""
    given: dict[EditField, str] = {}
    if rating is not None or favourite:
        given["rating"] = str(editing.FAVOURITE if favourite else rating)
    given |= {"title": title} if title is not None else {}
    given |= {"description": description} if description is not None else {}
    if rating is not None and favourite is not None:
        exits.usage("--rating and --favourite say the same: a favourite has five stars.")
    if forget == bool(given or favourite is not None):
        exits.usage("say what to give: --rating, --title, --description, --favourite; or --forget alone.")
    services = build_services(begin(verbose, library=library))
    photos = tag_lookup.photo_ids(services, files)
    if forget:
        changed = editing.forget(services.library, photos)
    else:
        changed = editing.edit(services.library, list(photos.values()), given)
        changed += editing.unfavour(services.library, list(photos.values())) if favourite is False else 0
    if json:
        output.write_json({"photos": len(photos), "changed": changed})
    elif forget:
        output.say(f"taken back for {changed:,} of {counted(len(photos), 'photo')}.")
    else:
        done = f"{counted(len(photos), 'photo')}, {counted(changed, 'change')}"
        output.say(f"{done}. 'picsift export' writes them for other programs.")
