"""The commands by name, each imported and made when it is asked for: all of them take longer than a search."""

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import typer

from app.cli.terminal.heard import Heard

# Where each command is found, in the order of the help.
COMMANDS = {
    "index": "commands.index_command",
    "watch": "watching.watch_command",
    "forget": "indexing.forget_command",
    "search": "searching.search_command",
    "similar": "searching.similar_command",
    "duplicates": "duplicates.duplicates_command",
    "tag": "tagging.tag_commands.tag_command",
    "edit": "tagging.editing.edit_command",
    "import": "tagging.importing.import_command",
    "export": "tagging.exporting.export_command",
    "models": "model_commands.models_app",
    "evaluate": "evaluating.evaluate_command",
    "status": "commands.status_command",
    "serve": "commands.serve_command",
    "demo": "commands.demo_command",
    "doctor": "commands.doctor_command",
    "tags": "tagging.tag_commands.tags_app",
}


class Commands(Mapping[str, Any]):
    """The commands by name, each imported and made when it is first asked for."""

    def __getitem__(self, name: str) -> Any:
        return _command(name)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


@cache
def _command(name: str) -> Any:
    """What Typer makes of the function, or the group of them, that the name stands for: once in a process."""
    module, _, found = COMMANDS[name].rpartition(".")
    return _made(name, getattr(importlib.import_module(f"app.cli.{module}"), found))


def _made(name: str, found: Any) -> Any:
    """What Typer makes of a function, or of a group of them."""
    group = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        group.add_typer(found, name=name)
        return typer.main.get_group(group).commands[name]
    group.command(name, cls=Heard)(found)
    return typer.main.get_command(group)
