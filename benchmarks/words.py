"""What the index of words costs: the upgrade of a library that has none, its size, and what it adds to a search.

    python benchmarks/words.py                         # 300,000 photos of 512 dimensions; about 3 minutes
    python benchmarks/words.py --photos 20000 --rounds 50

Rows and vectors are synthetic: file names of cameras, folders by month and event, a title for every third photo, three
keywords for each of 30,000 words, an accepted tag for every tenth. The library is written as schema 8 and opened as
the product does. Searches with and without words take turns in one process; their texts are embedded beforehand.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from app.search import search_service
from app.search.picture_decoder import PictureDecoder
from app.search.query import Query
from app.search.search_service import SearchService
from indexer.catalog import database, migrations
from indexer.catalog.database import writing
from indexer.catalog.photo_filter import PhotoFilter
from indexer.library import open_library
from indexer.vectors.repair import refresh

DIM = 512
WORDS = 30_000
EVENTS = 2_000
_ROWS = 20_000


class Names:
    """Embeds a text as numbers that hang on it: what is measured comes after."""

    name, fingerprint, dim, image_size, device, precision = "random", "00" * 32, DIM, 32, "cpu", "fp32"
    is_current = loaded = True

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        """(n, DIM) float32, unit length."""
        made = np.stack([np.random.default_rng(len(one) * 7 + ord(one[-1])).standard_normal(DIM) for one in texts])
        unit: np.ndarray = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
        return unit


def main() -> None:
    """Write an old library, upgrade it, search it, print the table."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as folder:
        library_folder = Path(folder) / "library"
        write(library_folder, options.photos)
        before = _size(library_folder)
        started = time.perf_counter()
        library = open_library(library_folder, create=False)
        rows = {"upgrade from schema 8": f"{time.perf_counter() - started:.1f} s"}
        rows["catalog before and after"] = f"{before:,.0f} MB, {_size(library_folder):,.0f} MB"
        service = SearchService(library, lambda _: Names(), PictureDecoder())  # type: ignore[arg-type, return-value]
        model = service.live.model()
        refresh(service.live.index(model), library.catalog, model.id)
        rows |= searches(service, options.rounds)
        for asked in ("word7", "event3*", "img"):
            few = PhotoFilter(texts=(asked,))
            count = len(library.catalog.allowed_ids(model.id, few))
            took = _times([lambda few=few: library.catalog.allowed_ids(model.id, few)], options.rounds)[0]
            rows[f"filter text:{asked}, {count:,} photos"] = _shown(took)
        started = time.perf_counter()
        library.catalog.rename_root(1, Path(folder) / "Other photos")
        rows["root renamed, all words anew"] = f"{time.perf_counter() - started:.1f} s"
        library.catalog.close()
    table = Table("measure", "value", title=f"words of {options.photos:,} photos, {os.cpu_count()} cores")
    for name, value in rows.items():
        table.add_row(name, value)
    Console(width=110).print(table)


def searches(service: SearchService, rounds: int) -> dict[str, str]:
    """Medians and 99th percentiles of searches whose words few, many or no photos carry, beside those without words."""
    asked = {
        "no photo carries": "nobody says this",
        "few carry": "word7 word11",
        "one word": "word7",
        "event": "event3",
        "many carry": "word9",
        "a third carries": "title",
        "every name": "img",
    }
    rows: dict[str, str] = {}
    with_words = search_service.worded
    held = service.live.photos(service.live.index(service.live.model()))
    for name, words in asked.items():
        query = Query(text=words)
        found = with_words(service._library.catalog.words, query, held)

        def search(worded: Callable[..., object], query: Query = query) -> None:
            search_service.worded = worded  # type: ignore[assignment]
            service.search(query)

        without, both = _times([lambda: search(lambda *_: None), lambda: search(with_words)], rounds)
        count = 0 if found is None else len(found.ids)
        rows[f"{name} ({count:,} photos): pictures alone"] = _shown(without)
        rows[f"{name} ({count:,} photos): words and pictures"] = _shown(both)
    search_service.worded = with_words
    return rows


def write(folder: Path, count: int) -> None:
    """A library as picsift left it before it knew words."""
    folder.mkdir()
    engine = database._engine(folder / database.FILE_NAME, foreign_keys=False)
    database._write_ahead(engine)
    numbers = np.random.default_rng(0)
    with writing(engine) as connection:
        migrations.upgrade(connection, "0008")
        connection.execute(text("INSERT INTO roots (id, path) VALUES (1, '/home/me/Family photos')"))
        connection.execute(text("INSERT INTO models VALUES (1, 'random', :f, :d, 1, 1)"), {"f": "00" * 32, "d": DIM})
        connection.execute(text("INSERT INTO generations VALUES (1, 1, 'token')"))
        folders = [
            {"id": at + 1, "path": f"{2005 + at % 20}/{2005 + at % 20}-{1 + at % 12:02} event{at}"}
            for at in range(EVENTS)
        ]
        connection.execute(text("INSERT INTO folders (id, root_id, path) VALUES (:id, 1, :path)"), folders)
        tags = [{"id": at + 1, "path": f"things\x1ftag{at}"} for at in range(500)]
        connection.execute(text("INSERT INTO tags (id, path) VALUES (:id, :path)"), tags)
        for start in range(1, count + 1, _ROWS):
            _write_rows(connection, range(start, min(start + _ROWS, count + 1)), numbers)
    engine.dispose()


def _write_rows(connection: object, ids: range, numbers: np.random.Generator) -> None:
    run = connection.exec_driver_sql  # type: ignore[attr-defined]
    vectors = numbers.standard_normal((len(ids), DIM), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    titles = [f"Title of word{at % 997} with word{at % 499}" if at % 3 == 0 else None for at in ids]
    run(
        "INSERT INTO photos (id, folder_id, name, size, mtime_ns, content_hash, state, indexed_at, title) "
        "VALUES (?, ?, ?, ?, 1, ?, 'ok', '2026-01-01', ?)",
        [
            (at, 1 + at % EVENTS, f"IMG_{at:06}.jpg", at, f"{at:032x}", said)
            for at, said in zip(ids, titles, strict=True)
        ],
    )
    words = numbers.zipf(1.3, (len(ids), 3)) % WORDS
    run(
        "INSERT INTO keywords VALUES (?, ?, ?, 'file')",
        [
            (at, place, f"word{word}")
            for at, row in zip(ids, words.tolist(), strict=True)
            for place, word in enumerate(row)
        ],
    )
    run(
        "INSERT INTO photo_tags (tag_id, photo_id, state, origin, changed_at) "
        "VALUES (?, ?, 'accepted', 'person', '2026-01-01')",
        [(1 + at % 500, at) for at in ids if at % 10 == 0],
    )
    halves = vectors.astype("<f2")
    run(
        "INSERT INTO embeddings VALUES (1, ?, ?, 1)", [(at, row.tobytes()) for at, row in zip(ids, halves, strict=True)]
    )


def _times(calls: list[Callable[[], object]], rounds: int) -> list[np.ndarray]:
    """What each call takes, in ms, in turns."""
    took = np.zeros((len(calls), rounds + 3))
    for at in range(rounds + 3):
        for row, call in enumerate(calls):
            started = time.perf_counter()
            call()
            took[row, at] = (time.perf_counter() - started) * 1000
    return list(took[:, 3:])


def _shown(took: np.ndarray) -> str:
    return f"{np.median(took):.2f} ms, {np.percentile(took, 99):.2f} ms"


def _size(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.glob("catalog.db*")) / 1e6


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the index of words.")
    parser.add_argument("--photos", type=int, default=300_000, help="how many rows the library has (%(default)s)")
    parser.add_argument("--rounds", type=int, default=100, help="searches for each measure (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
