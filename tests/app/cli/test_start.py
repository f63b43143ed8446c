"""What a command imports: less than a search takes, since every one of them waits for it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from numpy.lib import NumpyVersion

from app.cli import commands
from app.cli.command_table import COMMANDS, Commands
from tests.indexer.worlds import World

ROOT = Path(__file__).parents[3]
RUN = """
import atexit, gc, sys
looks = []
gc.callbacks.append(lambda phase, about: looks.append(phase))
if "looks for garbage" in {unwanted!r}:
    atexit.register(lambda: looks and print("imported: looks for garbage"))
if "looks at the end" in {unwanted!r}:
    atexit.register(lambda: gc.get_freeze_count() or print("imported: looks at the end"))
from app.launch import main
looks.clear()
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
for name in {unwanted!r}:
    if name in sys.modules:
        print("imported:", name)
"""


def imported(*arguments, unwanted):
    """Which of the modules a command imports, or whether it looks for garbage, and what else it prints."""
    code = RUN.format(unwanted=unwanted)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    lines = done.stdout.splitlines()
    found = [line.removeprefix("imported: ") for line in lines if line.startswith("imported: ")]
    return found, [line for line in lines if not line.startswith("imported: ")]


def test_all_commands_but_those_that_the_readme_names_take_json():
    def without(name, command):
        if below := getattr(command, "commands", None):
            return [found for under, one in below.items() for found in without(f"{name} {under}", one)]
        return [] if any("--json" in option.opts for option in command.params) else [name]

    assert [found for name, command in Commands().items() for found in without(name, command)] == [
        "forget", "serve", "demo",
    ]  # fmt: skip


def test_the_version_is_told_by_next_to_nothing():
    unwanted = ["torch", "faiss", "sqlalchemy", "numpy", "pydantic", "typer", "rich", "PIL"]
    found, lines = imported("--version", unwanted=unwanted)
    assert found == []
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("arguments", "more"), [(["--help"], []), (["search", "--help"], ["sqlalchemy", "numpy", "PIL", "lxml"])]
)
def test_help_needs_no_library_and_that_for_a_search_neither_numpy_nor_sqlalchemy(arguments, more):
    unwanted = ["torch", "faiss", "gradio", "fastapi", "alembic", "looks at the end", *more]
    found, lines = imported(*arguments, unwanted=unwanted)
    assert found == []
    assert any("search" in line for line in lines)


def test_a_search_for_words_needs_no_torch(tmp_path, tiny_model_path, monkeypatch):
    world = World(tmp_path, tiny_model_path)
    world.write("a.png", 1)
    world.sync()
    world.library.catalog.close()
    monkeypatch.setenv("PICSIFT_MIN_RELEVANCE", "0")
    unwanted = [
        "torch",
        "gradio",
        "fastapi",
        "alembic",
        "rich.table",
        "lxml",
        "app.tagging.tagging_service",
        "PIL.Image",
        *(["numpy.ma"] if NumpyVersion(numpy.__version__) >= "2.0.0" else []),  # numpy 1 imports it itself
        "indexer.catalog.tag_catalog",
        "indexer.catalog.export_catalog",
        "indexer.catalog.filters.passing",
        "av",
        "filelock",
        "pathspec",
        "looks for garbage",
        "looks at the end",
    ]
    found, lines = imported("search", "a", "dog", "--library", world.library_folder, unwanted=unwanted)
    assert found == []
    assert [line.split("\t")[1] for line in lines] == [str(world.photos / "a.png")]


def test_each_command_is_made_when_it_is_asked_for():
    made = Commands()
    assert list(made) == list(COMMANDS)
    assert made["search"] is made["search"]
    assert made["search"].name == "search"
    assert made.get("no-such-command") is None
    assert {name: command.name for name, command in made.items()} == {name: name for name in COMMANDS}


def test_the_group_of_tags_is_whole_in_a_new_process():
    code = "from app.cli.command_table import Commands; print(*Commands()['tags'].commands)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        "accept",
        "reject",
        "undecide",
        "rename",
        "merge",
        "delete",
        "restore",
        "classifier",
        "list",
        "show",
        "review",
    ]


def test_garbage_is_looked_for_as_usual_once_there_is_more_than_is_imported():
    code = """
import gc
from app import launch
usual, launch.IMPORTED, looks = gc.get_threshold(), gc.get_count()[0] + 5000, []
launch._look_for_less_garbage()
others = len(gc.callbacks)
gc.callbacks.append(lambda phase, about: looks.append(phase))
kept = [[] for _ in range(4000)]
assert not looks and gc.get_threshold() != usual
kept += [[] for _ in range(4000)]
assert looks and gc.get_threshold() == usual and len(gc.callbacks) == others
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("command", "thread", "status"), [("serve", True, 0), ("serve", True, 130), ("search", False, 0)]
)
def test_a_thread_that_still_loads_is_not_stopped_in_the_midst_of_it_and_a_search_not_taken_apart(
    command, thread, status
):
    """Python's end would, and torch then aborts the process; what is saved at the end is saved before."""
    code = f"""
import atexit, os, sys, threading, types
end = os._exit
os._exit = lambda status: print("at once", flush=True) or end(status)
def run():
    if {thread}:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    atexit.register(print, "saved")
    raise SystemExit({status})
sys.modules["app.cli.commands"] = types.SimpleNamespace(main=run)
from app.launch import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, command, "--no-server"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "saved\nat once\n", "")


def test_nothing_of_it_is_called_at_the_end_of_a_look_where_what_a_signal_raises_would_be_ignored():
    """A look takes long, a signal that comes meanwhile is heard in the next call, and the server would go on."""
    code = """
import gc
from app import launch
launch._look_for_less_garbage()
there, seen = gc.callbacks[-1], []
gc.callbacks.insert(0, lambda phase, about: seen.append((phase, there in gc.callbacks)))
gc.collect()
assert seen == [("start", True), ("stop", False)], seen
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_version_that_nobody_reads_is_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "app.launch", "--version"], stdout=nobody, stderr=subprocess.PIPE, check=False
        )
    assert b"Traceback" not in done.stderr


def test_the_program_offers_the_commands_of_the_table():
    import typer

    assert list(typer.main.get_command(commands.app).commands) == list(COMMANDS)
