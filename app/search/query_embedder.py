"""A query's vector: its words, its picture, or both, embedded with the model that the library was embedded with.

It searches nothing. The vectors of the last texts are kept, so that paging embeds nothing again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.search.background import Sought
from app.search.batching import Batcher
from app.search.query import NOTHING, Picture, Prepared, Query, Region
from indexer.errors import ImageError, QueryError

if TYPE_CHECKING:
    from app.search.picture_decoder import PictureDecoder
    from indexer.catalog.records import ModelRecord
    from indexer.embedder import Embedder, Pixels

Vector = NDArray[np.float32]
Part = tuple[float, bool, Vector]
"""What a query looks for: how much it counts, whether it is a picture, and its vector of unit length."""

_REMEMBERED = 256  # texts
_NOTHING_LEFT = 1e-6  # of what is added up; single precision alone is off by as much
_USED = 9  # texts, one by one, after which an embedder is as quick as it gets


class QueryEmbedder:
    """Embeds queries, texts that wait together at once; safe to call from many threads."""

    def __init__(self, embedder_for: Callable[[ModelRecord], Embedder], decoder: PictureDecoder):
        self._embedder_for = embedder_for
        self._decoder = decoder
        self._lock = threading.Lock()
        self._texts: OrderedDict[tuple[str, str], Vector] = OrderedDict()
        self._remembering = threading.Lock()
        self._together = Batcher(self._embed_texts)

    def with_embedders(self, embedder_for: Callable[[ModelRecord], Embedder]) -> QueryEmbedder:
        """One that embeds by others, and remembers its own texts."""
        return QueryEmbedder(embedder_for, self._decoder)

    def warm_up(self, model: ModelRecord) -> None:
        """Have the whole model in memory, which words alone do not ask for, and used often enough to be quick.

        Raises:
            ModelError: the model cannot be loaded.
        """
        embedder = self._embedder_for(model)
        embedder.load()
        for number in range(_USED):
            embedder.embed_texts([f"a photo of {number}"])

    def sought(self, query: Query, model: ModelRecord) -> Sought:
        """Words, picture, or their weighted sum.

        Raises:
            QueryError: the picture cannot be read, or what is asked for cancels itself out.
            ModelError: the model cannot be loaded, or is not the one that the library was embedded with.
        """
        words = self._wanted(query, model)
        if query.image is None:
            if not words:
                raise QueryError(NOTHING)
            return _sum(words, "what is asked for cancels itself out. Take one of the terms away.")
        picture = (1.0, True, self._image_vector(query.image, model))
        if not words:
            return _sum([picture], NOTHING)
        whole = _sum(words, "what is asked for cancels itself out. Take one of the terms away.")
        share = 1 - query.image_weight
        mixed = [(share * weight / whole.length, is_picture, vector) for weight, is_picture, vector in words]
        mixed.append((query.image_weight, *picture[1:]))
        return _sum(mixed, "the words and the picture cancel each other out. Search for one of them.")

    def cut(self, file: Path, region: Region, model: ModelRecord) -> bytes:
        """The picture that a region of a file is, large enough for the network.

        Raises:
            QueryError: the file cannot be read.
        """
        if not file.exists():
            raise QueryError(f"there is no picture {file}. Check its name.")
        side = self._embedder_for(model).image_size
        try:
            return self._decoder.region(file, astuple(region), region.least_side(side))
        except ImageError as error:
            raise QueryError(f"{file} cannot be searched by: {str(error).rstrip('.')}.") from error

    def mean(self, vectors: Sequence[Vector]) -> Sought:
        """What pictures (each (d,) of unit length) have in common.

        Raises:
            QueryError: nothing, since they cancel each other out.
        """
        pictures = [(1.0, True, vector) for vector in vectors]
        return _sum(pictures, "these pictures have nothing in common. Search by fewer of them.")

    def _wanted(self, query: Query, model: ModelRecord) -> list[Part]:
        """The text, or the terms."""
        if not query.terms:
            return [(1.0, False, self._text_vector(query.text, model))] if query.text else []
        return [
            (term.weight, True, self._image_vector(term.picture, model))
            if term.picture
            else (term.weight, False, self._text_vector(term.text, model))
            for term in query.terms
        ]

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
                vectors = self._embedder_for(model).embed_texts(fresh)
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
            embedder = self._embedder_for(model)
        square = _prepared(picture, embedder, self._decoder)  # may take a minute, in which texts are embedded
        with self._lock:
            vector: Vector = embedder.embed_squares([square])[0]
            return vector


def _sum(parts: Sequence[Part], nothing_left: str) -> Sought:
    """The sum of the parts' vectors, each of unit length times its weight; a part of no weight is none."""
    parts = [part for part in parts if part[0]]
    if len(parts) == 1 and parts[0][0] > 0:
        return Sought(parts[0][2], parts=((1.0, parts[0][1]),))
    if not parts:
        raise QueryError(nothing_left)
    total = np.sum([weight * vector.astype(np.float64) for weight, _, vector in parts], axis=0)
    length = float(np.linalg.norm(total))
    if length < _NOTHING_LEFT * sum(abs(weight) for weight, *_ in parts):
        raise QueryError(nothing_left)
    return Sought((total / length).astype(np.float32), length, tuple((weight, picture) for weight, picture, _ in parts))


def _prepared(picture: Picture, embedder: Embedder, decoder: PictureDecoder) -> Pixels:
    """A query picture goes the way of every photo: decoded elsewhere, within bounds; upright, sRGB, a square."""
    if isinstance(picture, Prepared):
        if picture.side != embedder.image_size:
            raise QueryError("the library has another model since this picture was added. Add it again.")
        return picture.pixels
    if not isinstance(picture, bytes | Path):
        return embedder.prepare(picture.convert("RGB"))
    if isinstance(picture, Path) and not picture.exists():
        raise QueryError(f"there is no picture {picture}. Check its name.")
    try:
        return decoder.square(picture, embedder.prepare, embedder.image_size)
    except ImageError as error:
        named = picture if isinstance(picture, Path) else "the picture"
        raise QueryError(f"{named} cannot be searched by: {str(error).rstrip('.')}.") from error
