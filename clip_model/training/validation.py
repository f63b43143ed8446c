"""How a run is measured while it trains: `clip_model.evaluate` on the towers as they are now.

With a teacher as the text side its sentence vectors are computed once, before the first step.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from clip_model.evaluation.evaluate import Towers, evaluate, read_photos
from clip_model.precision import autocast
from clip_model.preprocessing.transforms import ImageTransform, upright
from clip_model.training.run import Run
from clip_model.training.teacher import SentenceVectors

_BATCH = 256


def validator(path: Path, vectors: SentenceVectors | None) -> Callable[[Run], dict[str, float]]:
    """A function that measures a run on a Parquet file; see `clip_model.evaluate` for the figures.

    Args:
        path: the file.
        vectors: the teacher's, where it is the text side; the file's texts are added to them.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is not such a file.
    """
    sources = read_photos(path)
    if vectors:
        vectors.add([text for photos in sources for text in photos.texts()])

    def validate(run: Run) -> dict[str, float]:
        run.model.eval()
        with torch.inference_mode():
            return evaluate(Towers(lambda images: _images(run, images), lambda texts: _texts(run, texts)), sources)

    return validate


def _images(run: Run, images: list[Image.Image]) -> list[list[float]]:
    vision = run.recipe.model.vision
    transform = ImageTransform(vision.image_size, vision.mean, vision.std)
    pixels = torch.stack([transform(upright(image)) for image in images]).contiguous(memory_format=torch.channels_last)
    with autocast(run.device, run.precision):
        features = run.model.encode_image(pixels.to(run.device))
    return _listed(features)


def _texts(run: Run, texts: list[str]) -> list[list[float]]:
    rows: list[list[float]] = []
    for start in range(0, len(texts), _BATCH):
        with autocast(run.device, run.precision):
            rows += _listed(run.encode_texts(texts[start : start + _BATCH]))
    return rows


def _listed(features: Tensor) -> list[list[float]]:
    rows: list[list[float]] = features.float().cpu().tolist()
    return rows
