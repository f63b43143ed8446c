"""The demo: a library that is thrown away, of photos that installed packages ship. It downloads nothing.

It indexes and searches with the same services as for a person's own photos; `app/cli/commands.py` serves the page.
"""

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from app.bootstrap import Services, build_services
from app.built_in import STRONGER, limits_of
from app.cli.indexing import bring_in_step
from app.cli.terminal import output
from app.search.query import Query
from app.settings import Settings
from indexer.counted import counted
from indexer.errors import PicsiftError

# Photographs only, each once: no logos, test patterns or screenshots, of which these packages have as many.
PHOTOS = {
    "skimage": (
        "data/astronaut.png",
        "data/brick.png",
        "data/camera.png",
        "data/chelsea.png",
        "data/coffee.png",
        "data/coins.png",
        "data/grass.png",
        "data/gravel.png",
        "data/hubble_deep_field.jpg",
        "data/ihc.png",
        "data/moon.png",
        "data/motorcycle_left.png",
        "data/page.png",
        "data/retina.jpg",
        "data/rocket.jpg",
        "data/text.png",
    ),
    "gradio": (
        "media_assets/images/cheetah.jpg",
        "media_assets/images/cheetah1.jpg",
        "media_assets/images/lion.jpg",
        "media_assets/images/tower.jpg",
        "test_data/cheetah2.jpg",
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
QUERIES = ("a red motorcycle", "a cup of coffee", "a lion", "a cheetah")
BEYOND = "a cheetah left of a lion"  # each photo has one animal alone
ENOUGH = 15
SHOWN_HITS = 3
PHOTO_FOLDER = "photos"


@contextmanager
def throw_away_library(settings: Settings) -> Iterator[Services]:
    """Services over a new library in a temporary folder, with the photos beside it; all of it goes at the end.

    Raises:
        PicsiftError: no package here ships photos.
    """
    with tempfile.TemporaryDirectory(prefix="picsift-demo-", ignore_cleanup_errors=True) as folder:
        count = copy_photos(Path(folder, PHOTO_FOLDER))
        if not count:
            raise PicsiftError("no sample photos are installed. Run: pip install scikit-image")
        output.say(f"a library of {counted(count, 'sample photo')} in {folder}; it is removed at the end.")
        if count < ENOUGH:
            few = counted(count, "sample photo is", "sample photos are")
            output.say(f"only {few} installed; 'pip install scikit-image' brings more.")
        services = build_services(settings.model_copy(update={"library": Path(folder, "library")}), create=True)
        with closing(services):
            yield services


def _asked(services: Services, words: str) -> Query:
    """What `picsift search` would ask."""
    return Query(text=words, limit=SHOWN_HITS, min_relevance=services.settings.min_relevance)


def index_and_search(services: Services) -> bool:
    """Index the photos, then print what the example queries find; false when it was interrupted."""
    report, interrupted = bring_in_step(services, [services.settings.library.parent / PHOTO_FOLDER])
    output.show_report(report, json=False)
    if interrupted:
        return False
    for query in (*QUERIES, BEYOND):
        output.tell("")
        output.tell(f"picsift search {query!r}")
        result = services.search.search(_asked(services, query))
        output.show_hits(result, json=False)
    if (limits := limits_of(result.model)) is not None:
        output.say(f"the last one is beyond the model that answers, {result.model!r}: {limits}.")
    else:
        output.say(f"the model {result.model!r} answers; {STRONGER}.")
    return True


def find_photos() -> list[Path]:
    """The pictures that are installed here; no package is imported for it."""
    return [path for package, names in PHOTOS.items() for path in _installed(package, names)]


def copy_photos(folder: Path) -> int:
    """Copy them into `folder`, which is made; returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    found = find_photos()
    for path in found:
        shutil.copyfile(path, folder / path.name)
    return len(found)


def _installed(package: str, names: tuple[str, ...]) -> Iterator[Path]:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        yield from (path for name in names if (path := Path(folder, name)).is_file())
