"""The house: which way imports point, how large files and functions may be, what each package offers."""

import ast
import importlib
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ["clip_model", "indexer", "app"]
LARGEST_FILE = 250
LARGEST_FUNCTION = 80
EXPORTS = {
    "clip_model": ["CLIP", "PRESETS", "CLIPConfig", "Encoder", "load_encoder", "load_model", "save_model"],
    "indexer": ["Embedder", "Library", "PicsiftError", "Progress", "SyncReport", "open_library", "sync"],
    "app": ["Query", "SearchResult", "SearchService", "Services", "Settings", "build_services", "load_settings"],
}


def modules(*packages):
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path):
    """Every package of ours that a file imports, wherever in the file, as (package, line)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        yield from ((name.split(".")[0], node.lineno) for name in names if name.split(".")[0] in ORDER)


def functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", modules(*ORDER), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    own = path.relative_to(ROOT).parts[0]
    for package, line in imported(path):
        assert ORDER.index(package) <= ORDER.index(own), f"{path}:{line} imports {package}: the arrow turns back"


def test_one_module_of_the_indexer_imports_the_model_and_none_of_the_app_does():
    importers = {
        path.name for path in modules("indexer", "app") if any(package == "clip_model" for package, _ in imported(path))
    }
    assert importers == {"embedder.py"}


@pytest.mark.parametrize("path", modules(*ORDER), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path):
    assert len(path.read_text().splitlines()) <= LARGEST_FILE
    for function in functions(path):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= LARGEST_FUNCTION, f"{path}:{function.lineno} {function.name} has {length} lines"


def test_functions_are_short_in_the_middle():
    lengths = [(f.end_lineno or 0) - f.lineno + 1 for path in modules(*ORDER) for f in functions(path)]
    assert statistics.median(lengths) <= 10


@pytest.mark.parametrize("path", modules(*ORDER, "tests", "benchmarks"), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_is_a_noun(path):
    assert path.stem not in {"utils", "helpers", "common", "misc", "util"}


@pytest.mark.parametrize("path", modules(*ORDER), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_does(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


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
        "import sys, app.cli; "
        "heavy = ('torch', 'gradio', 'fastapi', 'alembic', 'faiss', 'transformers'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_every_file_of_the_packages_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    files = [path for path in modules(*ORDER) if path.name != "__init__.py"]
    missing = [str(path.relative_to(ROOT)) for path in files if path.name not in readme]
    assert [path for path in missing if "migrations" not in path] == []


def test_every_command_stands_in_the_readme_and_has_help():
    import typer

    from app.cli import app

    readme = (ROOT / "README.md").read_text()
    commands = typer.main.get_command(app).commands
    assert len(commands) >= 7
    for name, command in commands.items():
        assert f"picsift {name}" in readme
        assert command.help


def test_no_two_test_modules_share_a_name():
    """Test folders are no packages: pytest imports each module by its bare name, and a second one breaks the run."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name not in ("conftest.py", "__init__.py")]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
