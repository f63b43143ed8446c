"""How long a search takes, end to end: text in, hits with their metadata out, over a library of synthetic photos.

    python benchmarks/search.py                        # 300,000 photos, the built-in model; about 3 minutes
    python benchmarks/search.py --photos 20000 --queries 50
    python benchmarks/search.py --filters              # each filter beside none, see filters.py
    python benchmarks/search.py --filters after near   # these alone

Rows and vectors are synthetic, catalog, index, model and search service the real ones. The library is written by one
process and searched by a fresh one, so that the memory shown is what a search holds. Without a built-in model a
random one of 512 dimensions stands in, whose text tower is as large as a ViT-B/32's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import filters
import numpy as np
from rich.console import Console
from rich.table import Table

from app.search.picture_decoder import PictureDecoder
from app.search.query import Query
from app.search.search_service import SearchService
from indexer.catalog.photo_filter import PhotoFilter
from indexer.catalog.records import NewPhoto
from indexer.embedder import Embedder
from indexer.errors import ModelError
from indexer.library import Library, open_library
from indexer.metadata.photo_metadata import PhotoMetadata
from indexer.vectors.index import VectorIndex
from indexer.vectors.repair import refresh

_BATCH = 2048
_FIRST_DAY = datetime(2010, 1, 1)
_DAYS = 15 * 365
_CAMERAS = [
    ("Apple", "iPhone 12"),
    ("Canon", "EOS R6"),
    ("SONY", "ILCE-7M3"),
    ("FUJIFILM", "X-T4"),
    ("Google", "Pixel 7"),
]
_WHO = ("two dogs", "a child", "an old man", "a cat", "three friends", "a cyclist", "a bride", "some birds")
_DOES = ("running", "asleep", "laughing", "eating", "dancing", "waiting", "jumping", "reading")
_WHERE = ("on a beach", "in the snow", "at a market", "by the lake", "in a kitchen", "under a tree", "at night")


def main() -> None:
    """Build the library, search it in a fresh process, print the table."""
    options = _options()
    if options.measure:
        print(json.dumps(measure(Path(options.measure), options)))
        return
    if options.filters is not None:
        _show_filters(options)
        return
    with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as folder:
        model = options.model or _default_model(Path(folder))
        rows = build(Path(folder) / "library", model, options.photos)
        command = [sys.executable, __file__, "--measure", str(Path(folder) / "library"), "--model", model]
        command += ["--queries", str(options.queries), "--started", str(time.time())]
        child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    table = Table("measure", "value", title=f"search over {options.photos:,} photos, {os.cpu_count()} cores")
    for name, value in {**rows, **json.loads(child.stdout)}.items():
        table.add_row(name, value)
    Console(width=110).print(table)


def _show_filters(options: argparse.Namespace) -> None:
    """Build a library whose photos have all that filters ask for, and measure each filter."""
    with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as folder:
        place = options.library or Path(folder) / "library"
        model = options.model or str(_random_model(place.parent / "random.safetensors", width=128, layers=2))
        if not place.exists():
            build(place, model, options.photos, partial(filters.photo, count=options.photos))
            library = open_library(place, create=False)
            filters.tag(library, options.photos)
            library.catalog.close()
        library = open_library(place, create=False)
        embedder = Embedder(model)
        service = SearchService(library, lambda _: embedder, PictureDecoder())
        embedder.load()
        texts = _texts(1000 * options.queries)
        table = filters.measure(
            service, library, lambda text: embedder.embed_texts([text])[0], texts, options.queries, options.filters
        )
    Console(width=110).print(table)


def build(folder: Path, model_name: str, count: int, photo: Callable[[int], NewPhoto] | None = None) -> dict[str, str]:
    """Write `count` photos with clustered vectors through the catalog, and the index from them."""
    embedder = Embedder(model_name)
    (folder.parent / "photos").mkdir()
    library = open_library(folder, create=True)
    root, _ = library.catalog.add_root(folder.parent / "photos")
    model = library.catalog.model(embedder.name, embedder.fingerprint, embedder.dim)
    library.catalog.activate(model.id)
    started = time.perf_counter()
    for photos, vectors in _synthetic(count, embedder.dim, photo):
        library.catalog.store(root.id, photos, model.id, vectors)
    stored = time.perf_counter() - started
    index = VectorIndex.open(library.index_folder(model), dim=model.dim, fingerprint=model.fingerprint)
    started = time.perf_counter()
    refresh(index, library.catalog, model.id)
    rebuilt = time.perf_counter() - started
    started = time.perf_counter()
    index.save(index.generation)
    saved = time.perf_counter() - started
    library.catalog.close()
    return {
        "model": f"{Path(embedder.name).stem}, {embedder.dim} dimensions",
        "rows and vectors into the catalog": f"{stored:.1f} s ({count / stored:,.0f} photos/s)",
        "index rebuilt from the catalog and saved": f"{rebuilt:.2f} s",
        "index saved": f"{saved:.2f} s",
        "on disk, catalog and index": f"{_disk(folder, '*.db*'):,.0f} MB and {_disk(folder, '*.bin'):,.0f} MB",
    }


def measure(folder: Path, options: argparse.Namespace) -> dict[str, str]:
    """Search the library in this process, which has done nothing before."""
    texts = _texts(5 * options.queries + 1)
    library = open_library(folder, create=False)
    embedder = Embedder(options.model)
    service = SearchService(library, lambda _: embedder, PictureDecoder())
    imported = time.time() - options.started
    service.search(Query(text=texts.pop()))
    cold = f"{time.time() - options.started:.2f} s ({imported:.2f} s)"
    embedder.load()  # as a server does
    rows = {
        "cold start: process to first hits (of that, imports)": cold,
        "index opened, checksum and all": _timed_open(library),
    }
    year = PhotoFilter(after=datetime(2019, 1, 1), before=datetime(2020, 1, 1))
    most = PhotoFilter(after=datetime(2012, 1, 1))
    searches: dict[str, Callable[[int], object]] = {
        "text": lambda _: service.search(Query(text=texts.pop())),
        "text, 100 hits from the 400th on": lambda _: service.search(Query(text=texts.pop(), limit=100, offset=400)),
        "text, one year of fifteen": lambda _: service.search(Query(text=texts.pop(), filter=year)),
        "text, thirteen years of fifteen": lambda _: service.search(Query(text=texts.pop(), filter=most)),
        "text, one folder": lambda _: service.search(Query(text=texts.pop(), filter=PhotoFilter(folder="2019-07"))),
        "more like a photo": lambda number: service.similar(number + 1),
    }
    for name, search in searches.items():
        rows[f"{name}: median, 99th percentile"] = _latency(search, options.queries)
    rows |= _parts(library, embedder, service)
    rows["index on"] = service.live.index(service.live.model()).device
    rows["memory held (resident)"] = f"{_resident():,.0f} MB"
    return rows


def _parts(library: Library, embedder: Embedder, service: SearchService) -> dict[str, str]:
    """Where the time of a plain text search goes."""
    model = service.live.model()
    index = service.live.index(model)
    vector = embedder.embed_texts(["a photo"])
    ids = index.search(vector, 20)[0][0].tolist()
    return {
        "  of which the text's embedding": _latency(lambda n: embedder.embed_texts([f"a photo of {n} cats"]), 50),
        "  of which the index": _latency(lambda _: index.search(vector, 20), 50),
        "  of which the metadata of 20 hits": _latency(lambda _: library.catalog.photos(ids), 50),
    }


def _synthetic(
    count: int, dim: int, photo: Callable[[int], NewPhoto] | None
) -> Iterator[tuple[list[NewPhoto], np.ndarray]]:
    """Photos of fifteen years in monthly folders, with vectors in 2,000 clusters."""
    numbers = np.random.default_rng(0)
    centres = numbers.standard_normal((2000, dim), dtype=np.float32)
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start)
        vectors = centres[numbers.integers(0, 2000, size)] + 0.7 * numbers.standard_normal(
            (size, dim), dtype=np.float32
        )
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        made = [photo(number) if photo else _photo(number, numbers) for number in range(start, start + size)]
        yield made, vectors.astype(np.float16)


def _photo(number: int, numbers: np.random.Generator) -> NewPhoto:
    taken = _FIRST_DAY + timedelta(days=float(numbers.uniform(0, _DAYS)))
    make, camera = _CAMERAS[number % len(_CAMERAS)]
    metadata = PhotoMetadata(
        taken_at=taken.replace(microsecond=0) if number % 20 else None,
        taken_offset_min=60 if number % 2 else None,
        taken_source="original" if number % 20 else None,
        latitude=float(numbers.uniform(-60, 70)) if number % 3 == 0 else None,
        longitude=float(numbers.uniform(-180, 180)) if number % 3 == 0 else None,
        camera_make=make,
        camera_model=camera,
    )
    path = f"{taken:%Y}/{taken:%Y-%m}/IMG_{number:06d}.jpg"
    return NewPhoto(path, 3_000_000 + number, number, f"{number:032x}", 4032, 3024, "JPEG", metadata)


def _texts(count: int) -> list[str]:
    """Different queries: the service remembers the last texts, and shall have to embed each."""
    chooser = random.Random(0)
    parts = (_WHO, _DOES, _WHERE)
    return [" ".join([*map(chooser.choice, parts), str(number)]) for number in range(count)]


def _latency(search: Callable[[int], object], count: int) -> str:
    search(0)
    took = []
    for number in range(1, count):
        started = time.perf_counter()
        search(number)
        took.append((time.perf_counter() - started) * 1000)
    return f"{np.median(took):.1f} ms, {np.percentile(took, 99):.1f} ms"


def _timed_open(library: Library) -> str:
    model = library.catalog.active_model()
    assert model is not None
    started = time.perf_counter()
    VectorIndex.open(library.index_folder(model), dim=model.dim, fingerprint=model.fingerprint, device="cpu")
    return f"{time.perf_counter() - started:.2f} s"


def _resident() -> float:
    """Resident memory in MB, 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _disk(folder: Path, pattern: str) -> float:
    return sum(file.stat().st_size for file in folder.rglob(pattern)) / 1e6


def _default_model(folder: Path) -> str:
    """The built-in model, or a random one where there is none."""
    try:
        return Embedder("builtin").name
    except ModelError as error:
        print(f"{error} A random model is searched with instead.", file=sys.stderr)
    return str(_random_model(folder / "random.safetensors", width=512, layers=12))


def _random_model(path: Path, *, width: int, layers: int) -> Path:
    """A model of 512 dimensions and random weights, whose text tower is so large."""
    from clip_model.checkpoint import save_model
    from clip_model.config import CLIPConfig, TextConfig, VisionConfig
    from clip_model.model import CLIP

    config = CLIPConfig(
        embed_dim=512,
        vision=VisionConfig(image_size=32, layers=1, width=64, patch_size=16, head_width=64),
        text=TextConfig(width=width, heads=width // 64, layers=layers),
    )
    if not path.exists():
        save_model(CLIP(config), path, {"title": "random weights"})
    return path


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure search end to end.")
    parser.add_argument("--photos", type=int, default=300_000, help="how many rows the library has (%(default)s)")
    parser.add_argument("--queries", type=int, default=200, help="searches for each measure (%(default)s)")
    parser.add_argument("--model", help="name or path of the model (builtin, or a random one where there is none)")
    parser.add_argument("--filters", nargs="*", metavar="NAME", help="measure each filter, or these, beside none")
    parser.add_argument("--library", type=Path, help="where --filters keeps its library and model for another run")
    parser.add_argument("--measure", help=argparse.SUPPRESS)  # the library, in the fresh process
    parser.add_argument("--started", type=float, default=0.0, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
