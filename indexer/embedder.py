"""The one importer of clip_model: pictures and texts to embeddings, the model loaded when it is first needed.

Until then it answers what the weights file says, and embeds texts, without torch. n items, s image size, d dimension.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from clip_model.hub.shelf import Shelf as Shelf  # for those who may not import clip_model
from clip_model.int8.extra import lacking as int8_lacks
from clip_model.registry import ModelInfo, kept, resolve
from indexer import memory
from indexer.errors import ModelError, OtherModelError, as_model_error

if TYPE_CHECKING:
    from PIL import Image

    from clip_model.evaluation.measuring import Wanted
    from clip_model.inference import Encoder
    from clip_model.numpy_text.text_encoder import TextEncoder

Pixels = NDArray[np.uint8]
FEW_TEXTS = 1_000  # that NumPy embeds before torch would have been imported and done with them
FEW_CALLS = 100  # of a process, until torch is loaded beside them; one that ends meanwhile could crash on that
kept_model, int8_problem = kept, int8_lacks  # for those who may not import clip_model
NUMPY = "numpy"
_ANYWHERE = (("auto", "cpu", NUMPY), ("auto", "fp32", "int8"))  # devices and precisions of which NumPy's texts are


class Chosen(NamedTuple):
    """The model of a run, and whether a person asked for it: else it may not take over from another."""

    embedder: Embedder
    asked: bool


class Embedder:
    """A model by name; safe to call from many threads, which take turns at the network."""

    def __init__(
        self, model: str = "builtin", *, device: str = "auto", precision: str = "auto", converted: Path | None = None
    ) -> None:
        """Find the file of a model, by name or path, converted where it has to be; load nothing. May raise ModelError.

        `device`, `precision`: as of `load_encoder`; NUMPY: texts alone, no RoBERTa's. `converted`: a folder, None: one.
        """
        self._find, self._models = partial(resolve, models=converted), converted
        with as_model_error():
            self._info: ModelInfo = self._find(model)
        self.weights, self._wanted = self._info.path, (device, precision)
        self._lock, self._starting, self._text_lock = threading.Lock(), threading.Lock(), threading.Lock()
        self._loading: Future[None] | None = None
        self._asked_lightly = 0

    @property
    def is_current(self) -> bool:
        """Whether the model's file still is what it was when this was made."""
        with suppress(ValueError, OSError):
            return self._find(self.name).fingerprint == self.fingerprint
        return False

    @property
    def name(self) -> str:
        """What the model was asked for by; a path is absolute."""
        return self._info.name

    @property
    def fingerprint(self) -> str:
        """What tells its embeddings from those of any other model; see clip_model.registry."""
        return self._info.fingerprint

    @property
    def dim(self) -> int:
        """Dimension of the embeddings."""
        return self._info.dim

    @property
    def image_size(self) -> int:
        """Side of the square that the network sees, in pixels."""
        return self._info.image_size

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return "_encoder" in self.__dict__

    @property
    def holds_memory(self) -> bool:
        """Whether there is something to unload."""
        return self.loaded or "_light" in self.__dict__

    @property
    def loading(self) -> bool:
        """Whether the model is being loaded by a thread of its own."""
        return self._loading is not None and not self._loading.done()

    @property
    def device(self) -> str:
        """Where the model runs; loads it."""
        return self._ready().device

    @property
    def precision(self) -> str:
        """The number format it runs in; loads it."""
        return self._ready().precision

    def unload(self) -> None:
        """Give the model's memory back; it is loaded again when it is next needed."""
        with self._starting, self._lock:
            self._loading = None
            self.__dict__.pop("_encoder", None)
        self._let_go_of_light()
        gc.collect()
        memory.give_back()

    def plan(self) -> tuple[str, str]:
        """Device and precision that a load would choose, found out by trying the device; ModelError where it fails."""
        with as_model_error():
            if self.loaded:
                return self.device, self.precision
            from clip_model.precision import planned

            return planned(*self._wanted, self.weights)

    @property
    def prepare(self) -> Callable[[Image.Image], Pixels]:
        """Turns an upright picture into (s, s, 3) bytes for the network; needs no model, and can be pickled."""
        from clip_model.preprocessing.squares import CenterSquare

        return CenterSquare(self.image_size, self._info.resize)

    def embed_prepared(self, pixels: Sequence[Pixels]) -> NDArray[np.float16]:
        """Embeddings of what `prepare` gave: (n, d) float16, unit length; cores are left to those who prepare more."""
        with self._ready().sharing_cores():
            return self.embed_squares(pixels).astype(np.float16)

    def embed_squares(self, pixels: Sequence[Pixels]) -> NDArray[np.float32]:
        """Embeddings of what `prepare` gave, for a search: (n, d) float32, unit length."""
        return self._ready().encode_squares(pixels)

    def embed_cells(self, square: Pixels) -> tuple[NDArray[np.float32], bool]:
        """Embeddings of cells of what `prepare` gave: (h, w, d) float32, unit length; and whether it cut none off."""
        return self._ready().encode_cells(square), not self._info.resize.startswith("crop")

    def warm(self) -> None:
        """Have the model loaded beside other work; what goes wrong is raised by whoever needs it."""
        with self._starting:
            if self._loading is None and not self.loaded:
                self._loading = Future()
                threading.Thread(target=self._load, args=(self._loading,), name="model", daemon=True).start()

    def load(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Load the model unless it is; False where `stop`, asked ten times a second, said so before it was there."""
        self.warm()
        while self._loading is not None and not self._loading.done():
            if stop():
                return False
            wait([self._loading], timeout=0.1)
        self._ready()
        return True

    def embed_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embeddings of upright pictures: (n, d) float32, unit length."""
        return self._ready().encode_images(images)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings of texts: (n, d) float32, unit length; a few need no loaded model if NumPy runs its text tower."""
        texts = list(texts)
        with as_model_error():  # a model's own tokenizer may fail on a text
            if self.loaded or len(texts) > FEW_TEXTS or (encoder := self._text_encoder()) is None:
                return self._ready().encode_texts(texts)
            self._require_current()  # its weights are read where they were
            embeddings = encoder.encode_texts(texts)
            self._require_current()
        return embeddings

    def evaluate(self, data: Sequence[str], **wanted: Unpack[Wanted]) -> dict[str, Any]:
        """Measure the model on a data set: see `clip_model.evaluation.measuring.measure`, which says what it raises."""
        from clip_model.evaluation.measuring import measure

        return measure(self.embed_squares, self.embed_texts, data, wanted)

    def _load(self, loading: Future[None]) -> None:
        try:
            with suppress(ModelError):  # whoever needs the model meets it again, and says so
                self._ready()
        finally:
            loading.set_result(None)

    def _ready(self) -> Encoder:
        with self._lock:
            encoder = self._encoder
        self._let_go_of_light()
        return encoder

    def _let_go_of_light(self) -> None:
        with self._text_lock:  # else one that is just being made would stay
            self.__dict__.pop("_light", None)

    def _text_encoder(self) -> TextEncoder | None:
        """What embeds texts without torch; None where another device or precision is asked for, or it cannot."""
        if any(wanted not in known for wanted, known in zip(self._wanted, _ANYWHERE, strict=True)):
            return None
        with self._text_lock:
            self._asked_lightly += 1
            if self._asked_lightly > FEW_CALLS and self._wanted[0] != NUMPY:
                self.warm()  # a process that asks on: torch is the quicker once it is there
            return self._light

    @cached_property
    def _light(self) -> TextEncoder | None:
        self._require_current()
        with as_model_error():
            from clip_model.numpy_text.text_encoder import open_text_encoder

            encoder = open_text_encoder(self._info.path)
        self._require_current()
        return encoder

    @cached_property
    def _encoder(self) -> Encoder:
        """The model of the bytes that have this fingerprint: asked before they are loaded, and after."""
        self._require_current()
        with as_model_error():
            from clip_model.inference import load_encoder

            device, precision = self._wanted
            encoder = load_encoder(self._info.path, device=device, precision=precision, models=self._models)
        self._require_current()
        return encoder

    def _require_current(self) -> None:
        """See that the file is what it was; one that is not there is its reader's to tell."""
        path = Path(self.name) if self._info.source == "converted" else self._info.path
        if path.exists() and not self.is_current:  # which converts it again where that was cleared away
            raise OtherModelError(
                f"{path} is not the model that it was (fingerprint {self.fingerprint[:12]}). Put the old "
                f"file back, or run 'picsift index --model {self.name}' to embed the photos with the new one."
            )
