"""A query's vector: its words, its picture, or both, embedded with the model that the library was embedded with.

It searches nothing. The vectors of the last texts are kept, so that paging embeds nothing again.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.search.batching import Batcher
from app.search.picture_decoder import PictureDecoder
from app.search.query import Picture, Prepared, Query
from app.search.weights import embedder_of
from indexer.catalog.records import ModelRecord
from indexer.embedder import Embedder, Pixels
from indexer.errors import ImageError, ModelError, QueryError

Vector = NDArray[np.float32]

NOTHING = "the query is empty. Say what to look for, such as: two dogs on a beach"
_REMEMBERED = 256  # texts


class QueryEmbedder:
    """Embeds queries, texts that wait together at once; safe to call from many threads."""

    def __init__(self, embedder_for: Callable[[str], Embedder], decoder: PictureDecoder):
        self._embedder_for = embedder_for
        self._decoder = decoder
        self._lock = threading.Lock()
        self._texts: OrderedDict[tuple[str, str], Vector] = OrderedDict()
        self._remembering = threading.Lock()
        self._together = Batcher(self._embed_texts)

    def vector(self, query: Query, model: ModelRecord) -> Vector:
        """Words, picture, or their weighted sum: (dim,), unit length.

        Raises:
            QueryError: the picture cannot be read.
            ModelError: the model cannot be loaded, or is not the one that the library was embedded with.
        """
        words = self._text_vector(query.text, model) if query.text else None
        if query.image is None:
            if words is None:
                raise QueryError(NOTHING)
            return words
        picture = self._image_vector(query.image, model)
        if words is None:
            return picture
        mixed: Vector = query.image_weight * picture + (1 - query.image_weight) * words
        norm = float(np.linalg.norm(mixed))
        if norm < 1e-6:
            raise QueryError("the words and the picture cancel each other out. Search for one of them.")
        return mixed / np.float32(norm)

    def _text_vector(self, text: str, model: ModelRecord) -> Vector:
        known = self._remembered(model, text)
        return self._together((model, text)) if known is None else known

    def _remembered(self, model: ModelRecord, text: str) -> Vector | None:
        key = (model.fingerprint, text)
        with self._remembering:
            if key in self._texts:
                self._texts.move_to_end(key)
            return self._texts.get(key)

    def _embed_texts(self, asked: Sequence[tuple[ModelRecord, str]]) -> list[Vector]:
        """Vectors of texts that wait together: those of one model in one call, equal ones once."""
        found: dict[tuple[str, str], Vector] = {}
        for model in {model.fingerprint: model for model, _ in asked}.values():
            texts = list(dict.fromkeys(text for other, text in asked if other.fingerprint == model.fingerprint))
            known = {text: vector for text in texts if (vector := self._remembered(model, text)) is not None}
            fresh = [text for text in texts if text not in known]
            if fresh:
                vectors = self._embedder(model).embed_texts(fresh)
                known |= {text: vector.copy() for text, vector in zip(fresh, vectors, strict=True)}
            found.update({(model.fingerprint, text): vector for text, vector in known.items()})
        self._remember(found)
        return [found[model.fingerprint, text] for model, text in asked]

    def _remember(self, vectors: dict[tuple[str, str], Vector]) -> None:
        with self._remembering:
            self._texts.update(vectors)
            while len(self._texts) > _REMEMBERED:
                self._texts.popitem(last=False)

    def _image_vector(self, picture: Picture, model: ModelRecord) -> Vector:
        with self._lock:
            embedder = self._embedder(model)
        square = _prepared(picture, embedder, self._decoder)  # may take a minute, in which texts are embedded
        with self._lock:
            vector: Vector = embedder.embed_squares([square])[0]
            return vector

    def _embedder(self, model: ModelRecord) -> Embedder:
        advice = "Run 'picsift index --model NAME' to embed the photos with another model."
        try:
            embedder = embedder_of(model, self._embedder_for)
        except ModelError as error:
            raise ModelError(
                f"the library was embedded with the model {model.name!r}, which cannot be used: {error} "
                f"Put it back where it was. {advice}"
            ) from error
        if embedder.fingerprint != model.fingerprint:
            raise ModelError(
                f"the model {model.name!r} is not the one the library was embedded with: its fingerprint is "
                f"{embedder.fingerprint[:12]}, the library's {model.fingerprint[:12]}. Put the old file back, "
                f"or run 'picsift index --model {model.name}' to embed the photos again."
            )
        return embedder


def _prepared(picture: Picture, embedder: Embedder, decoder: PictureDecoder) -> Pixels:
    """A query picture goes the way of every photo: decoded elsewhere, within bounds; upright, sRGB, a square."""
    if isinstance(picture, Prepared):
        if picture.side != embedder.image_size:
            raise QueryError("the library has another model since this picture was added. Add it again.")
        return picture.pixels
    if isinstance(picture, Image.Image):
        return embedder.prepare(picture.convert("RGB"))
    if isinstance(picture, Path) and not picture.exists():
        raise QueryError(f"there is no picture {picture}. Check its name.")
    try:
        return decoder.square(picture, embedder.prepare, embedder.image_size)
    except ImageError as error:
        named = picture if isinstance(picture, Path) else "the picture"
        raise QueryError(f"{named} cannot be searched by: {str(error).rstrip('.')}.") from error
