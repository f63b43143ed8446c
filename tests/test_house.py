"""The house: which way imports point, how large files and functions may be, what each package offers."""

import ast
import gc
import importlib
import re
import runpy
import statistics
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import LONGEST

ROOT = Path(__file__).parents[1]
ORDER = ["clip_model", "indexer", "app"]
LARGEST_FILE = 250
LARGEST_FUNCTION = 80
LEAST_MODULES, MOST_MODULES = 3, 16
EXPORTS = {
    "clip_model": ["CLIP", "PRESETS", "CLIPConfig", "Encoder", "load_encoder", "load_model", "save_model"],
    "indexer": ["Embedder", "Library", "PicsiftError", "Progress", "SyncReport", "open_library", "sync"],
    "app": ["Query", "SearchResult", "SearchService", "Services", "Settings", "build_services", "load_settings"],
}
"""Rooms below these export nothing: who needs a module names it."""

# Which of its own package's rooms a room may import; the modules at a package's top are rooms of their own. Imports
# inside functions count, and those for types alone too: to know a type is to know the room.
MAY_IMPORT = {
    "clip_model.average": "training",
    "clip_model.checkpoint": "checkpoints config header model registry stored_file",
    "clip_model.checkpoints": "config header mobile preprocessing sizes stored_file towers",
    "clip_model.config": "mobile",
    "clip_model.distill": "training",
    "clip_model.evaluate": "evaluation",
    "clip_model.evaluation": "evaluation.readers inference precision",
    "clip_model.features": "pretrained",
    "clip_model.pretrained": "checkpoint config evaluation model preprocessing sizes towers training",
    "clip_model.head_run": "pretrained",
    "clip_model.header": "config sizes stored_file",
    "clip_model.int8": "checkpoints config preprocessing stored_file",
    "clip_model.joint_run": "pretrained",
    "clip_model.hub": "checkpoints header int8 stored_file",
    "clip_model.inference": "checkpoint computing int8 model precision preprocessing registry towers",
    "clip_model.model": "config towers",
    "clip_model.numpy_text": "config header preprocessing sizes",
    "clip_model.precision": "config header int8",
    "clip_model.preprocessing": "config",
    "clip_model.registry": "checkpoints header hub stored_file",
    "clip_model.sizes": "config mobile",
    "clip_model.towers": "config mobile sizes",
    "clip_model.train": "training",
    "clip_model.training": "checkpoint config evaluation model precision preprocessing sizes stored_file towers",
    "indexer.catalog": "catalog.files catalog.filters catalog.journal catalog.migrations catalog.review catalog.stores "
    "catalog.words counted errors metadata",
    "indexer.catalog.columns": "catalog catalog.filters catalog.stores catalog.tables catalog.words errors",
    "indexer.catalog.files": "errors",
    "indexer.catalog.filters": "catalog catalog.stores catalog.tables catalog.words",
    "indexer.catalog.journal": "catalog catalog.stores catalog.tables",
    "indexer.catalog.migrations": "catalog.tables",
    "indexer.catalog.migrations.versions": "catalog catalog.tables metadata",
    "indexer.catalog.review": "catalog catalog.stores catalog.tables",
    "indexer.catalog.stores": "catalog catalog.tables errors metadata",
    "indexer.catalog.tables": "catalog.files",
    "indexer.catalog.words": "catalog catalog.filters catalog.stores catalog.tables errors",
    "indexer.embedder": "errors memory",
    "indexer.finishing": "catalog counted errors folders library vectors",
    "indexer.folders": "catalog counted errors library metadata pictures pictures.content workers",
    "indexer.forgetting": "catalog errors finishing library",
    "indexer.library": "catalog catalog.files errors pictures",
    "indexer.pictures": "errors metadata pictures.content",
    "indexer.pictures.content": "pictures",
    "indexer.pipeline": "catalog embedder finishing folders library pictures storing workers",
    "indexer.storing": "catalog embedder library metadata workers",
    "indexer.vectors": "counted errors memory",
    "indexer.watching": "catalog embedder errors folders library metadata pictures pipeline workers",
    "indexer.workers": "catalog errors metadata pictures",
    "app.bootstrap": "duplicates search search.paging settings tagging tagging.export tagging.vocabulary",
    "app.cli": "activities bootstrap built_in cli.terminal doctor duplicates model_table password_hash printable "
    "running search search.language settings status tagging.export web",
    "app.cli.tagging": "bootstrap cli.terminal printable tag_path tagging tagging.export",
    "app.cli.terminal": "activities built_in clock doctor duplicates printable search search.language settings status "
    "tag_path tagging",
    "app.doctor": "bootstrap built_in samples search settings status",
    "app.duplicates": "search",
    "app.launch": "cli cli.terminal running",
    "app.names": "printable",
    "app.search": "search.paging search.refinement search.words",
    "app.search.language": "printable search tag_path",
    "app.search.paging": "search search.refinement search.words",
    "app.search.refinement": "search",
    "app.search.words": "search",
    "app.settings": "password_hash trusted_proxies",
    "app.status": "activities bootstrap",
    "app.tagging": "search tag_path tagging.exiftool tagging.export tagging.vocabulary tagging.xmp",
    "app.tagging.export": "tag_path tagging.exiftool tagging.xmp",
    "app.tagging.vocabulary": "tag_path",
    "app.web": "bootstrap duplicates names printable running search search.language search.paging status tag_path "
    "tagging trusted_proxies web.door web.page web.tagging",
    "app.web.door": "password_hash running trusted_proxies web",
    "app.web.tagging": "printable tag_path tagging tagging.export web web.door",
    "app.web.page": "activities bootstrap built_in clock duplicates names printable search search.language "
    "search.paging web web.door",
}


def modules(*packages):
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def name_of(path):
    """The dotted name of a module; of a package's __init__ that of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def all_names():
    return frozenset(name_of(path) for path in modules(*ORDER))


@cache
def nodes(path):
    """Every node of a file's syntax tree: parsed and walked once for all rules."""
    gc.disable()  # else all that was read is looked through again and again: half of the time
    try:
        return tuple(ast.walk(ast.parse(path.read_text())))
    finally:
        gc.enable()


@cache
def imported(path):
    """Every module of ours that a file imports, wherever in the file, as (dotted name, line)."""
    found = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} is a relative import: write where it leads"
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in all_names() else node.module for name in below]
        else:
            continue
        found += [(name, node.lineno) for name in names if name.split(".")[0] in ORDER]
    return found


def room_of(name):
    """The folder that a module stands in; a module at its package's top is a room of its own."""
    if (ROOT / name.replace(".", "/")).is_dir():
        return name
    return name if name.count(".") == 1 else name.rpartition(".")[0]


def functions(path):
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function):
    return (function.end_lineno or 0) - function.lineno + 1


def rooms():
    """Every folder of modules below the packages."""
    return sorted({path.parent for path in modules(*ORDER)} - {ROOT / package for package in ORDER})


# One test walks all files, and names every one that is wrong: a test for each file and rule took 26 s of pytest's own.


def test_imports_point_one_way():
    turned = [
        f"{path}:{line} imports {name}"
        for path in modules(*ORDER)
        for name, line in imported(path)
        if ORDER.index(name.split(".")[0]) > ORDER.index(path.relative_to(ROOT).parts[0])
    ]
    assert turned == [], "the arrow turns back"


def test_a_room_imports_only_rooms_that_the_table_allows():
    wrong = []
    for path in modules(*ORDER):
        room = room_of(name_of(path))
        package = room.split(".")[0]
        allowed = {package, room, *(f"{package}.{other}" for other in MAY_IMPORT.get(room, "").split())}
        for name, line in imported(path):
            if name.split(".")[0] == package and path.name != "__init__.py" and room_of(name) not in allowed:
                wrong.append(f"{path}:{line}: {room} may not import {room_of(name)}")
    assert wrong == []


def test_the_table_names_no_arrow_that_nobody_takes():
    taken = {(room_of(name_of(path)), room_of(name)) for path in modules(*ORDER) for name, _ in imported(path)}
    for room, others in MAY_IMPORT.items():
        package = room.split(".")[0]
        unused = [other for other in others.split() if (room, f"{package}.{other}") not in taken]
        assert unused == [], f"{room} does not import {unused}: take that out of the table"


def test_rooms_go_round_in_no_circle():
    """A room and those inside it count as one."""
    arrows = {}
    for room, others in MAY_IMPORT.items():
        package = room.split(".")[0]
        whole = ".".join(room.split(".")[:2])
        arrows.setdefault(whole, set()).update(
            {f"{package}.{other.split('.')[0]}" for other in others.split()} - {whole}
        )
    TopologicalSorter(arrows).prepare()  # raises CycleError, which names the circle


def test_rooms_are_neither_too_full_nor_too_empty():
    counts = {
        folder: len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
        for folder in [ROOT / package for package in ORDER] + rooms()
        if "migrations" not in folder.parts  # they grow by one with every change of the schema
    }
    assert {folder: count for folder, count in counts.items() if not LEAST_MODULES <= count <= MOST_MODULES} == {}


def test_a_room_says_what_it_is_for_and_exports_nothing():
    trees = {room: ast.parse((room / "__init__.py").read_text()) for room in rooms() if "migrations" not in room.parts}
    assert [room for room, tree in trees.items() if not ast.get_docstring(tree)] == []
    full = [room for room, tree in trees.items() if len(tree.body) != 1]
    assert full == [], "a room's __init__ is its docstring alone, so that importing a module loads no other"


def test_one_module_of_the_indexer_imports_the_model_and_none_of_the_app_does():
    importers = {
        path.name
        for path in modules("indexer", "app")
        if any(name.split(".")[0] == "clip_model" for name, _ in imported(path))
    }
    assert importers == {"embedder.py"}


def test_files_and_functions_stay_small():
    lines = {path: len(path.read_text().splitlines()) for path in modules(*ORDER)}
    assert {path: count for path, count in lines.items() if count > LARGEST_FILE} == {}
    lengths = {f"{path}:{f.lineno} {f.name}": lines_of(f) for path in modules(*ORDER) for f in functions(path)}
    assert {function: length for function, length in lengths.items() if length > LARGEST_FUNCTION} == {}
    assert statistics.median(lengths.values()) <= 10


def test_every_file_is_a_noun():
    vague = {"utils", "helpers", "common", "misc", "util"}
    assert [path for path in modules(*ORDER, "tests", "benchmarks") if path.stem in vague] == []


def test_every_module_says_what_it_does():
    assert [path for path in modules(*ORDER) if not ast.get_docstring(nodes(path)[0])] == []


@pytest.mark.parametrize("package", ORDER)
def test_the_exports_are_these_and_all_can_be_had(package):
    module = importlib.import_module(package)
    assert module.__all__ == EXPORTS[package]
    for name in module.__all__:
        value = getattr(module, name)
        assert isinstance(value, dict) or value.__module__.startswith(package)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name


def test_the_command_line_starts_without_the_heavy_packages():
    code = (
        "import sys, app.cli.commands; "
        "heavy = ('torch', 'gradio', 'fastapi', 'alembic', 'faiss', 'transformers'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["train", "distill", "average", "evaluate"])
def test_what_was_run_by_name_still_is(module, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    monkeypatch.delitem(sys.modules, f"clip_model.{module}", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"clip_model.{module}", run_name="__main__")
    assert not ended.value.code
    assert f"python -m clip_model.{module}" in capsys.readouterr().out


def test_every_room_and_the_main_path_stand_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    tree = readme[readme.index("## Reading the code") : readme.index("## Licence")]
    named = [f"{room.name}/" for room in rooms() if "migrations" not in room.parts]
    top = [path.name for path in (ROOT / "indexer").glob("[!_]*.py")]
    assert [name for name in (*named, *top) if name not in tree] == []


def test_what_the_readme_names_is_there():
    readme = (ROOT / "README.md").read_text()
    tree = readme[readme.index("```\nclip_model/") + 4 : readme.index("\n```\n\n## Licence")]
    folders = [ROOT]
    for line in tree.splitlines():
        entry = line.lstrip().split("  ")[0]
        depth = (len(line) - len(line.lstrip())) // 2
        paths = [folders[depth] / name for name in entry.split(", ")]
        assert all(path.exists() for path in paths), line
        folders[depth + 1 :] = paths[:1]


def test_what_the_documents_link_to_is_there():
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    places = {path: _headings(path) for path in documents}
    lost = []
    for path in documents:
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            file, _, heading = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            if "://" not in link and not (target.exists() and (not heading or heading in places[target])):
                lost.append(f"{path.name}: {link}")
    assert lost == []


def _headings(path):
    """Their names in a link, as GitHub and others make them."""
    lines = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", lines, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


def test_every_command_stands_in_the_readme_and_has_help():
    import typer

    from app.cli.commands import app

    readme = (ROOT / "README.md").read_text()
    commands = typer.main.get_command(app).commands
    assert len(commands) >= 7
    for name, command in commands.items():
        assert f"picsift {name}" in readme
        assert command.help


def test_the_longest_tests_are_there_and_begin_first(request):
    longest = [ROOT / "tests" / name for name in LONGEST]
    assert all(path.is_file() for path in longest)
    files = list(dict.fromkeys(item.path for item in request.session.items))
    asked = [path for path in longest if path in files]
    assert files[: len(asked)] == asked


def test_tests_mirror_the_tree():
    """Each folder of tests is a package, and one of the same name stands in the house."""
    folders = {path.parent for path in modules("tests")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
    assert [folder for folder in folders if not (ROOT / folder.relative_to(ROOT / "tests")).is_dir()] == []
