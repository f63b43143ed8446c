"""A query's vector: its words, its picture, or both, embedded with the model that the library was embedded with.

It searches nothing. The vectors of the last texts are kept, so that paging embeds nothing again.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.picture_decoder import PictureDecoder
from app.query import Picture, Prepared, Query
from indexer.embedder import Embedder, Pixels
from indexer.errors import ImageError, ModelError, QueryError
from indexer.records import ModelRecord

Vector = NDArray[np.float32]

NOTHING = "the query is empty. Say what to look for, such as: two dogs on a beach"
_REMEMBERED = 256  # texts


class QueryEmbedder:
    """Embeds one query at a time; safe to call from many threads."""

    def __init__(self, embedder_for: Callable[[str], Embedder], decoder: PictureDecoder):
        self._embedder_for = embedder_for
        self._decoder = decoder
        self._lock = threading.Lock()
        self._texts: OrderedDict[tuple[str, str], Vector] = OrderedDict()

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
        key = (model.fingerprint, text)
        with self._lock:
            if key not in self._texts:
                self._texts[key] = self._embedder(model).embed_texts([text])[0]
            self._texts.move_to_end(key)
            while len(self._texts) > _REMEMBERED:
                self._texts.popitem(last=False)
            return self._texts[key]

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
            embedder = self._embedder_for(model.name)
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
