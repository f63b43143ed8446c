"""The least that a search over HTTP can be: one FastAPI handler that embeds the words and searches the index.

    python benchmarks/bare_server.py LIBRARY

`serve.py` starts it beside `picsift serve` and compares the two. It answers ids and scores: no paths, no metadata, no
filters, no gate. It listens on a free port of this machine, writes its address as `picsift serve` does, and ends with
SIGTERM.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from indexer.embedder import Embedder
from indexer.library import open_library
from indexer.vectors.index import VectorIndex


def build(folder: Path) -> FastAPI:
    """The application over a library's index and model."""
    library = open_library(folder, create=False)
    model = library.catalog.active_model()
    assert model is not None
    embedder = Embedder(model.name)
    index = VectorIndex.open(library.index_folder(model), dim=model.dim, fingerprint=model.fingerprint)
    embedder.load()
    embedder.embed_texts(["a photo"])
    app = FastAPI()

    @app.get("/api/v1/search")
    def search(q: str, limit: int = 20) -> list[dict[str, Any]]:
        ids, scores = index.search(embedder.embed_texts([q]), limit)[0]
        return [{"id": id_, "score": score} for id_, score in zip(ids.tolist(), scores.tolist(), strict=True)]

    return app


async def main() -> None:
    """Answer until told to stop."""
    app = build(Path(sys.argv[1]))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        sys.stderr.write(f"the bare handler answers at {address} until it is ended\n")
        sys.stderr.flush()
        await uvicorn.Server(uvicorn.Config(app, http="h11", log_config=None, access_log=False)).serve([listening])


if __name__ == "__main__":
    asyncio.run(main())
