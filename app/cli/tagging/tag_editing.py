"""`picsift tags accept`, `reject`, `rename` and so on: what a person says of tags."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.bootstrap import Services, build_services
from app.cli.terminal import exits, output
from app.cli.terminal.logs import begin
from app.cli.terminal.options import FilesArgument, JsonOption, LibraryOption, TagArgument, VerboseOption
from app.printable import printable
from app.tag_path import path_text
from app.tagging import lookup as tag_lookup
from app.tagging import tag_changing
from indexer.catalog.tag_records import Decision, TagPath, TagState
from indexer.counted import counted

_NO_DECISIONS = "What was accepted and rejected is not brought back."

tags_app = typer.Typer(
    help="List tags, and accept, reject, rename, merge, delete and restore them.",
    no_args_is_help=True,
    add_completion=False,
)


class Answer(StrEnum):
    """Whether a classifier may answer."""

    on = "on"
    off = "off"


@tags_app.command("accept")
@exits.reported
def accept_command(
    tag: TagArgument,
    files: FilesArgument,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say that photos have a tag. It is made if there is none of that name."""
    _decide(build_services(begin(verbose, library=library)), tag, files, "accepted", json=json)


@tags_app.command("reject")
@exits.reported
def reject_command(
    tag: TagArgument,
    files: FilesArgument,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say that photos do not have a tag: it is not suggested for them again."""
    _decide(build_services(begin(verbose, library=library)), tag, files, "rejected", json=json)


@tags_app.command("undecide")
@exits.reported
def undecide_command(
    tag: TagArgument,
    files: FilesArgument,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Take back what was said of a tag on photos."""
    services = build_services(begin(verbose, library=library))
    path = tag_lookup.find(services, tag)
    number = services.library.catalog.tags.make([path])[path]
    ids = list(tag_lookup.photo_ids(services, files).values())
    count = services.library.catalog.tags.undecide(ids, number)
    document = {"tag": path_text(path), "photos": len(ids), "changed": count}
    output.say_done(f"{path_text(path)}: {count:,} taken back.", document, json=json)


@tags_app.command("rename")
@exits.reported
def rename_command(
    old: TagArgument,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new path, such as pet/dog.")],
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Give a tag, with what lies under it, another path."""
    services = build_services(begin(verbose, library=library))
    path, target, count = tag_changing.rename(services, old, new)
    paths = counted(count, "tag has a new path", "tags have new paths")
    document = {"from": path_text(path), "to": path_text(target), "tags": count}
    output.say_done(f"{path_text(path)} is {path_text(target)} now; {paths}.", document, json=json)


@tags_app.command("merge")
@exits.reported
def merge_command(
    old: TagArgument,
    into: Annotated[str, typer.Argument(metavar="INTO", help="The tag that stays.")],
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Let one tag become part of another. A decision goes before a suggestion, and the later of two decisions."""
    services = build_services(begin(verbose, library=library))
    path, target, count = tag_changing.merge(services, old, into)
    over = f"{path_text(path)} is part of {path_text(target)} now; the tags of {counted(count, 'photo')} went over."
    output.say_done(over, {"from": path_text(path), "to": path_text(target), "photos": count}, json=json)


@tags_app.command("delete")
@exits.reported
def delete_command(
    tag: TagArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Delete a tag with what lies under it, and what was decided of it."""
    services = build_services(begin(verbose, library=library))
    path = tag_lookup.find(services, tag)
    if not yes:
        question = f"Delete {printable(path_text(path))} and what lies under it, decisions and all?"
        typer.confirm(question, abort=True, err=True)
    count = services.library.catalog.tags.remove(path)
    document = {"tag": path_text(path), "photos": count}
    output.say_done(f"{path_text(path)} is deleted; {counted(count, 'photo')} had it.", document, json=json)


@tags_app.command("restore")
@exits.reported
def restore_command(
    tag: Annotated[str | None, typer.Argument(metavar="TAG", help="In the vocabulary; none: list them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them, and what is damaged.")] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Let 'picsift tag' suggest a tag again that was renamed, merged or deleted; without one, list those."""
    if tag is not None and every:
        exits.usage("TAG and --all exclude each other.")
    services = build_services(begin(verbose, library=library))
    if every:
        count = tag_changing.restore_all(services)
        changes = counted(count, "change counts", "changes count")
        said = f"{changes} no more from the next 'picsift tag' on. {_NO_DECISIONS}"
        output.say_done(said, {"restored": count}, json=json)
        return
    if tag is None:
        _show_changes(tag_changing.changes(services), json=json)
        return
    path = tag_changing.restore(services, tag)
    said = f"{path_text(path)} is suggested again from the next 'picsift tag' on. {_NO_DECISIONS}"
    output.say_done(said, {"tag": path_text(path), "restored": 1}, json=json)


@tags_app.command("classifier")
@exits.reported
def classifier_command(
    tag: TagArgument,
    answer: Annotated[Answer, typer.Argument(metavar="on|off")],
    library: LibraryOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Let a tag's classifier answer where it is better than the words alone, or never."""
    services = build_services(begin(verbose, library=library))
    path = tag_lookup.find(services, tag)
    services.tagging.classify(path, answer is Answer.on)
    said = f"{path_text(path)}: the classifier is {answer.value} from the next 'picsift tag' on."
    output.say_done(said, {"tag": path_text(path), "classifier": answer.value}, json=json)


def _show_changes(changes: list[tuple[TagPath, TagPath | None]], *, json: bool) -> None:
    if json:
        output.write_json([{"from": path_text(old), "to": path_text(new) if new else None} for old, new in changes])
        return
    for old, new in changes:
        output.tell(f"{path_text(old)} {'is deleted' if new is None else f'is {path_text(new)}'}")


def _decide(services: Services, tag: str, files: list[Path], state: TagState, *, json: bool) -> None:
    ids = tag_lookup.photo_ids(services, files)
    path = tag_lookup.find_or_make(services, tag, make=state == "accepted")
    changed = services.library.catalog.tags.decide([Decision(number, path, state) for number in ids.values()])
    document = {"tag": path_text(path), "state": state, "photos": len(ids), "changed": changed}
    said = f"{path_text(path)}: {state} for {counted(len(ids), 'photo')}, {changed:,} of them new."
    output.say_done(said, document, json=json)
