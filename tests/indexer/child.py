"""What a child process of the kill tests runs: one sync, in steps small enough that every moment can be hit."""

from pathlib import Path

from indexer import storing
from indexer.embedder import Embedder
from indexer.library import open_library
from indexer.pipeline import sync


def run(library: str, model: str, photos: str) -> None:
    storing.COMMIT_PHOTOS = 4
    embedder = Embedder(model, device="cpu", precision="fp32")
    sync(open_library(Path(library), create=True), embedder, [Path(photos)], workers=2, batch_size=2)
