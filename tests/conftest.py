"""Fixtures that several packages' tests share: a tiny model, and photos that do not belong to the project."""

import gc
import importlib
import logging
import os
import random
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.fuzzing import load_profile
from tests.in_memory import DISK, made, place_on_disk, take_away

load_profile()
if "PYTEST_XDIST_WORKER" in os.environ:  # before torch and FAISS are loaded, and for every process that is started
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as many workers as cores would wait for one another's threads

LONGEST = (
    "app/web/page/test_browser.py",
    "app/web/page/test_reviewing.py",
    "app/web/page/test_refining.py",
    "app/web/page/test_keeping_up.py",
    "app/web/page/test_exporting.py",
    "app/web/page/test_managing.py",
    "app/web/page/test_match_slider.py",
    "indexer/catalog/test_database.py",
    "app/cli/test_commands.py",
    "app/cli/test_watching.py",
    "indexer/test_kill.py",
    "test_gate.py",
    "indexer/watching/test_daemon.py",
    "indexer/test_life.py",
    "indexer/vectors/test_index.py",
    "indexer/test_hostile.py",
)
"""Files that take a worker longest, the longest first; those of a group in a row (tests/scheduling.py)."""


def pytest_collection_modifyitems(items):
    """Begin with them: a worker that comes to one last would keep the other waiting."""
    first = {Path(__file__).parent / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: first.get(item.path, len(LONGEST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Have files that share what takes long to start go to one worker."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.scheduling import FilesThatShare

    return FilesThatShare(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Look for no garbage while all is imported: hundreds of looks at what stays, and a quarter of the time."""
    gc.disable()
    try:
        import_a_share(session.config)
        return (yield)
    finally:
        gc.enable()


def import_a_share(config):
    """Of several workers each begins with other files, so that each is compiled once, rather than by all at once."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    here = Path(__file__).parent
    if workers == 1 or any((config.rootpath / name).resolve() != here for name in config.args):
        return
    own = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    files = [path.relative_to(here.parent) for path in sorted(here.rglob("test_*.py"))]
    for path in files[own::workers]:
        with suppress(Exception, pytest.skip.Exception):  # which is told when it is collected
            importlib.import_module(".".join(path.with_suffix("").parts))


def pytest_collection_finish():
    """Let no collection of garbage look again at what was imported: a million objects, a third of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(700, 10, 50)
    let_logs_propagate("torch")


def let_logs_propagate(package):
    """Have pytest catch its records at the root: torch has 42 loggers, to each of which it goes six times a test."""
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and name.partition(".")[0] == package:
            logger.propagate = True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Have a test draw the same numbers in every run and in every order, and its fixtures too: none has to say it."""
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    """After pytest's look for garbage that could not be closed, let its second one, moments later, see what is new."""
    gc.freeze()


@pytest.fixture(scope="session")
def kept_workers():
    from tests.kept_workers import KeptWorkers

    workers = KeptWorkers()
    yield workers
    workers.close()


@pytest.fixture(scope="session")
def kept_exiftool():
    from tests.kept_exiftool import KeptExifTool

    kept = KeptExifTool()
    yield kept
    kept.close()


@pytest.fixture(scope="session")
def kept_models():
    from tests.kept_models import KeptModels

    return KeptModels()


@pytest.fixture(scope="session")
def ready_database():
    from tests.ready_database import ReadyDatabase

    return ReadyDatabase()


@pytest.fixture(scope="session")
def ready_statements():
    from tests.ready_statements import ReadyStatements

    return ReadyStatements()


@pytest.fixture(autouse=True)
def what_is_ready(request, monkeypatch):
    """What was made before, from libraries to ExifTool, but in tests that are about how it is made."""
    at = request.node.path.relative_to(Path(__file__).parent).parts[0]
    if at not in ("app", "indexer"):
        return
    request.getfixturevalue("ready_statements").install(monkeypatch)
    request.getfixturevalue("kept_models").install(monkeypatch)
    if request.node.get_closest_marker("synced") is None:
        from tests import unsynced

        unsynced.install(monkeypatch)
    for name, own in (
        ("kept_workers", "fresh_workers"),
        ("kept_exiftool", "fresh_exiftool"),
        ("ready_database", "fresh_schema"),
    ):
        if request.node.get_closest_marker(own) is None:
            request.getfixturevalue(name).install(monkeypatch)
    if request.node.get_closest_marker("fresh_workers") is not None:
        request.getfixturevalue("kept_workers").close()  # such tests count the processes that there are


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory):
    """The weights of a random CLIP with CLIP's whole vocabulary: 16 dimensions, 32-pixel pictures, milliseconds."""
    import torch

    from clip_model.checkpoint import save_model
    from clip_model.config import CLIPConfig, TextConfig, VisionConfig
    from clip_model.model import CLIP

    config = CLIPConfig(
        embed_dim=16,
        vision=VisionConfig(image_size=32, layers=2, width=32, patch_size=8, head_width=16),
        text=TextConfig(width=16, heads=2, layers=2),
    )
    path = tmp_path_factory.mktemp("tiny_model") / "tiny.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_model(CLIP(config), path, {"title": "tiny random CLIP"}, dtype=torch.float16)
    return path


@pytest.fixture(scope="session")
def disk():
    """A folder on the disk, where all others lie in memory too, which goes with the run (tests/in_memory.py)."""
    if DISK in os.environ:
        yield Path(os.environ[DISK])
        return
    folder, lock = made(place_on_disk())
    yield folder
    take_away(folder, lock)


@pytest.fixture
def tmp_path(request, tmp_path):
    """A folder of the test's own, on the disk for those that say `on_disk`."""
    if request.node.get_closest_marker("on_disk") is None:
        return tmp_path
    return Path(mkdtemp(dir=request.getfixturevalue("disk")))


@pytest.fixture(scope="session")
def shared_photos():
    """A folder of real photos beside the project."""
    folder = Path(__file__).parents[2] / "shared" / "photos"
    if not folder.is_dir():
        pytest.skip(f"needs the photos at {folder}, which are not part of the project")
    return folder
