"""The Encoder: pictures and texts in, embeddings of unit length out, on whatever device works.

It reads no files but the model's, keeps no results, and never trains.
Legend: n items, b batch, s image size, d dimension of the shared space.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from operator import call
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from clip_model.checkpoint import load_model
from clip_model.computing.one_call import Texts
from clip_model.computing.single_thread import on_one_core
from clip_model.computing.unit_length import ROWS, unit
from clip_model.int8.kept import int8_tower
from clip_model.model import CLIP
from clip_model.precision import AUTO, INT8, choose_device, choose_precision, fitting, precision_name
from clip_model.preprocessing import transforms
from clip_model.preprocessing.tokenizers import tokenizer_of
from clip_model.registry import resolve
from clip_model.towers.cells import cell_features
from clip_model.towers.folding import made_ready

logger = logging.getLogger(__name__)

CPU_BATCH = 32
CONVOLUTIONS_CPU_BATCH = 16  # at 64 a layer's activations leave the caches: 224 images/s at 16, 183 at 32, 151 at 64
GPU_BATCH = 256
ONE_CORE_TEXTS = 64  # at most, on a CPU

Embeddings = NDArray[np.float32]


class Encoder:
    """A model ready to embed; safe to call from several threads, which take turns at each tower.

    Args:
        model: any CLIP; it is copied, and stays as it is.
        name: what to call it.
        fingerprint: what tells its weights from others.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", "bf16", "fp16" or "int8": of the network inside; results are float32 always.
            A model that is not fit for "int8" runs as by "auto", with a warning.
        batch_size: items computed at once; None is 32 on a CPU, 16 pictures for convolutions there, 256 on a GPU.
        models: the folder of converted models, in which image towers of "int8" are kept; None is the user's.

    Raises:
        ValueError: if the device or the precision is unknown or does not work here, or the model has another
            vocabulary than the tokenizer's.
    """

    def __init__(
        self,
        model: CLIP,
        *,
        name: str = "unnamed",
        fingerprint: str = "",
        device: str = AUTO,
        precision: str = AUTO,
        batch_size: int | None = None,
        models: Path | None = None,
    ) -> None:
        config, vision = model.config, model.config.vision
        self._tokenizer = tokenizer_of(config.text, model.tokenizer_data, name)
        self.name, self.fingerprint = name, fingerprint
        self.dim, self.image_size = config.embed_dim, vision.image_size
        self._device = choose_device(device)
        parameters = sum(parameter.numel() for parameter in model.visual.parameters())
        precision = fitting(precision, self._device, vision, parameters, name)
        self._dtype = choose_precision(precision, self._device)
        self.device = str(self._device)
        self.precision = INT8 if precision == INT8 else precision_name(self._dtype)
        self._model = copy.deepcopy(model).requires_grad_(False).float().cpu().eval()
        self._int8 = int8_tower(self._model.visual, config, fingerprint, models) if precision == INT8 else None
        self._layout = made_ready(self._model, self._model.visual, self._device, self._dtype)
        self.batch_size = batch_size or self._default_batch(self._layout)
        self._text_batch = batch_size or self._default_batch(torch.contiguous_format)
        self._transform = transforms.ImageTransform(self.image_size, vision.mean, vision.std, vision.resize)
        self._turn = threading.Lock()
        # A CPU runs a short text beside a batch of pictures; on a GPU both would claim the same memory.
        self._text_turn = threading.Lock() if self._device.type == "cpu" else self._turn
        self._encode_tokens = Texts(self._model, self._tokenizer, self._device)
        if self._device.type == "cpu":  # kernels are made in the first run, which took 1.8 times as long as later ones
            on_one_core(partial(self._encode_tokens, torch.zeros(1, 2, dtype=torch.int64)))
        logger.info("model %s runs on %s in %s", name, self.device, self.precision)

    def preprocess(self, image: Image.Image) -> Tensor:
        """Turn an upright picture into (3, s, s) float32 on the CPU; meant for the workers that decode."""
        return self._transform(image)

    @contextmanager
    def sharing_cores(self) -> Iterator[None]:
        """Within it, leave half of a CPU's threads to workers that decode: 25 photos/s against 21.

        An 8-bit tower goes on with as many threads as it was made with.
        """
        threads = torch.get_num_threads()
        torch.set_num_threads(threads // 2 if self._device.type == "cpu" and threads > 1 else threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Embed pictures of any size and mode, turned as their EXIF orientation says.

        Returns:
            (n, d) float32, unit length.

        Raises:
            ValueError: if the network gives no direction for a picture (NaN or zero), naming which.
        """
        parts, step = [np.empty((0, self.dim), dtype=np.float32)], self.batch_size  # which may shrink meanwhile
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # Pillow scales without the interpreter's lock
            for start in range(0, len(images), step):
                part = images[start : start + step]
                batch = [*pool.map(lambda image: self.preprocess(transforms.upright(image)), part)]
                parts.append(self._embed(self._encode_pixels, torch.stack(batch), "image", range(start, len(images))))
        return np.concatenate(parts)

    def encode_pixels(self, pixels: transforms.Pixels | Sequence[transforms.Pixels]) -> Embeddings:
        """Embed what `preprocess` gave.

        Args:
            pixels: (n, 3, s, s) float, normalised; or a sequence of n such (3, s, s).

        Returns:
            (n, d) float32, unit length.

        Raises:
            ValueError: if the shape is another, or the network gives no direction for a picture.
        """
        return self._embed(self._encode_pixels, transforms.stack_pixels(pixels, self.image_size), "image", ROWS)

    def encode_squares(self, squares: Sequence[NDArray[np.uint8]]) -> Embeddings:
        """Embed what a `CenterSquare` gave: bytes, which reach a GPU four times as fast and are normalised there.

        Args:
            squares: n of (s, s, 3), RGB.

        Returns:
            (n, d) float32, unit length.

        Raises:
            ValueError: if a shape is another, or the network gives no direction for a picture.
        """
        return self._embed(self._encode_squares, transforms.stack_squares(squares, self.image_size), "image", ROWS)

    def encode_cells(self, square: NDArray[np.uint8]) -> Embeddings:
        """Embed each cell of what a `CenterSquare` gave: (h, w, d) float32, unit length, row by row."""
        squares = transforms.stack_squares([square], self.image_size)
        pixels = transforms.normalize_batch(squares, self._transform.mean, self._transform.std)
        with self._turn, torch.inference_mode():
            pixels = pixels.to(self._device, self._dtype).contiguous(memory_format=self._layout)
            cells = cell_features(self._model.visual, pixels)[0].float()  # [h, w, d]
        return unit(cells.flatten(0, 1), "cell", range(cells.shape[0] * cells.shape[1])).reshape(cells.shape)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts; equal ones are computed once, and on a CPU a few of them on one core.

        Returns:
            (n, d) float32, unit length.

        Raises:
            ValueError: if the network gives no direction for a text, naming which.
        """
        if isinstance(texts, str):
            raise ValueError(f"expected a list of texts, got one text; write [{texts[:40]!r}]")
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        first = dict(zip(reversed(texts), reversed(range(len(texts))), strict=True))  # where each stands first
        rows = {text: row for row, text in enumerate(first)}
        tokens = self._tokenizer(list(rows))
        order = self._tokenizer.lengths(tokens).numpy().argsort()  # a batch computes no position after its last end
        few = len(order) <= ONE_CORE_TEXTS and self._device.type == "cpu"
        run, step = (on_one_core, self._text_batch) if few else (call, len(order))  # who comes waits for one batch
        compute, numbers = partial(self._embed, self._encode_tokens), [*first.values()]
        cuts = (order[at : at + step] for at in range(0, len(order), step))
        parts = [run(partial(compute, tokens[cut], "text", [numbers[row] for row in cut])) for cut in cuts]
        unique: Embeddings = np.concatenate(parts)[order.argsort()]
        return unique[[rows[text] for text in texts]]

    def _default_batch(self, layout: torch.memory_format) -> int:
        cpu_batch = CPU_BATCH if layout == torch.contiguous_format else CONVOLUTIONS_CPU_BATCH
        return cpu_batch if self._device.type == "cpu" else GPU_BATCH

    def _encode_squares(self, squares: Tensor) -> Tensor:
        if self._device.type == "cuda":
            squares = squares.pin_memory().to(self._device, non_blocking=True)  # three times the rate of other memory
        return self._encode_pixels(transforms.normalize_batch(squares, self._transform.mean, self._transform.std))

    def _encode_pixels(self, pixels: Tensor) -> Tensor:
        if self._int8 is not None:
            return self._int8(pixels.float())
        pixels = pixels.to(self._device, self._dtype).contiguous(memory_format=self._layout)
        return self._model.encode_image(pixels)

    def _embed(self, encode: Callable[..., Tensor], items: Tensor, what: str, numbers: Sequence[int]) -> Embeddings:
        """Run a tower over items in batches; `numbers` are what the caller knows them by, if not by their order."""
        if not len(items):
            return np.empty((0, self.dim), dtype=np.float32)
        parts: list[Embeddings] = []
        turn, start = self._text_turn if what == "text" else self._turn, 0
        while start < len(items):
            batch = items[start : start + (self._text_batch if what == "text" else self.batch_size)]
            try:
                with turn, torch.inference_mode():
                    parts.append(unit(encode(batch).float(), what, numbers[start:]))
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                self._shrink(len(batch) // 2)
            else:
                start += len(batch)
        return np.concatenate(parts)

    def _shrink(self, size: int) -> None:
        logger.warning("%s has no memory for %d items at once; going on with %d", self.device, self.batch_size, size)
        self.batch_size = self._text_batch = size
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def load_encoder(
    name: str | Path = "builtin", *, device: str = AUTO, precision: str = AUTO, models: Path | None = None
) -> Encoder:
    """Load a model by registered name or path, ready to embed; `models` is the folder of converted ones.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the model, the device or the precision is unknown or cannot be used; the message says why.
    """
    info = resolve(name, models=models)
    model, named = load_model(info.path), info.name
    return Encoder(model, name=named, fingerprint=info.fingerprint, device=device, precision=precision, models=models)
