"""Measure a model on a Parquet file of labelled and captioned photos, without training on it.

    python -m clip_model.evaluate --model builtin --val DATA/val.parquet [--json] [--probe]

takes about a minute for 4,000 photos and the built-in model on two cores. Each source in the file is measured alone:
labelled photos by zero-shot top-1 and top-5 among the labels that the source has there, captioned photos by Recall@1,
@5 and @10 in both directions. The columns read are `image`, `captions`, `label` and `source`.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from clip_model.evaluation.metrics import Floats, Labels, linear_probe, recalls, top_k_accuracy
from clip_model.evaluation.zero_shot import TEMPLATES, classifier_weights, prompts, unit_rows
from clip_model.precision import AUTO

logger = logging.getLogger(__name__)

RECALLS = (1, 5, 10)
TOPS = (1, 5)
_COLUMNS = ["image", "captions", "label", "source"]
_IMAGES_AT_ONCE = 256  # pictures held decoded


class Encodes(Protocol):
    """What is measured: an `Encoder`, or the two functions of a model in training as `Towers`."""

    def encode_images(self, images: list[Image.Image], /) -> ArrayLike:
        """Pictures -> (n, d), of any length."""

    def encode_texts(self, texts: list[str], /) -> ArrayLike:
        """Texts -> (n, d), of any length."""


@dataclass(frozen=True)
class Towers:
    """Two functions that together can be measured; what they return need not have unit length."""

    encode_images: Callable[[list[Image.Image]], ArrayLike]
    encode_texts: Callable[[list[str]], ArrayLike]


@dataclass(frozen=True)
class Photos:
    """The photos of one source.

    Attributes:
        source: its name.
        images: the files' bytes.
        labels: one a photo; empty strings where there are captions.
        captions: none, one or more a photo.
    """

    source: str
    images: list[bytes]
    labels: list[str]
    captions: list[list[str]]

    def texts(self) -> list[str]:
        """Return every text that measuring these photos encodes."""
        sentences = [sentence for name in self._names() for sentence in prompts(name, TEMPLATES)]
        return sentences + [caption for captions in self.captions for caption in captions]

    def classes(self) -> tuple[list[str], Labels]:
        """Return the labels that occur, sorted, and each labelled photo's place among them."""
        names = self._names()
        place = {name: i for i, name in enumerate(names)}
        return names, np.array([place[label] for label in self.labels if label], dtype=np.int64)

    def _names(self) -> list[str]:
        return sorted({label for label in self.labels if label})


def read_photos(path: Path) -> list[Photos]:
    """Read a Parquet file and sort its photos by source.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if pyarrow is not installed.
        ValueError: if it is no Parquet file, lacks a column, or a row holds something else.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("reading Parquet files needs pyarrow: install the extra 'train'") from error
    if not path.is_file():
        raise FileNotFoundError(f"no photos to measure on at {path}")
    try:
        rows = pyarrow.parquet.read_table(path, columns=_COLUMNS).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read as Parquet with the columns {_COLUMNS}: {error}") from error
    by_source: dict[str, Photos] = {}
    for number, row in enumerate(rows, 1):
        image, label, captions = row["image"], row["label"] or "", row["captions"] or []
        kinds = [type(image), type(captions), *map(type, (label, row["source"], *captions))]
        if kinds != [bytes, list, *[str] * (len(kinds) - 2)]:
            what = f"{path}, row {number}, from 1"
            raise ValueError(f"{what}: expected a picture's bytes, and texts, or use 'picsift evaluate'")
        photos = by_source.setdefault(row["source"], Photos(row["source"], [], [], []))
        photos.images.append(image)
        photos.labels.append(label)
        photos.captions.append(captions)
    return [by_source[source] for source in sorted(by_source)]


def evaluate_file(encoder: Encodes, path: Path, *, probe: bool = False) -> dict[str, float]:
    """Measure a model on all photos of a file; see `evaluate` for the figures."""
    return evaluate(encoder, read_photos(path), probe=probe)


def evaluate(encoder: Encodes, sources: Sequence[Photos], *, probe: bool = False) -> dict[str, float]:
    """Measure a model on each source.

    Args:
        encoder: the model.
        sources: photos, as `read_photos` gives them.
        probe: also fit a linear classifier on every other labelled photo and measure it on the rest.

    Returns:
        Shares in [0, 1] by name: "SOURCE.top1", "SOURCE.top5", "SOURCE.probe",
        "SOURCE.text_to_image.recall@K" and "SOURCE.image_to_text.recall@K".
    """
    results: dict[str, float] = {}
    for photos in sources:
        images = _encode_all(encoder, photos)
        measured = evaluate_source(encoder, images, photos, probe=probe)
        results |= {f"{photos.source}.{name}": value for name, value in measured.items()}
    return results


def evaluate_source(encoder: Encodes, images: Floats, photos: Photos, *, probe: bool = False) -> dict[str, float]:
    """Measure the (n, d) unit embeddings of one source's photos; the figures' names lack the source."""
    results: dict[str, float] = {}
    labelled = np.array([bool(label) for label in photos.labels])
    if labelled.any():
        results |= evaluate_labels(encoder, images[labelled], photos, probe=probe)
    if any(photos.captions):
        owners = np.repeat(np.arange(len(images)), [len(captions) for captions in photos.captions])
        texts = unit_rows(encoder.encode_texts([one for captions in photos.captions for one in captions]))
        results |= evaluate_retrieval(images[np.unique(owners)], texts, _renumber(owners))
    return results


def evaluate_labels(encoder: Encodes, images: Floats, photos: Photos, *, probe: bool = False) -> dict[str, float]:
    """Classify (n, d) embeddings of the labelled photos among the labels that occur."""
    names, labels = photos.classes()
    scores = images @ classifier_weights(encoder.encode_texts, names).T  # [n, classes]
    results = {f"top{k}": top_k_accuracy(scores, labels, k) for k in TOPS}
    if probe:
        fit = halves(labels)
        results["probe"] = linear_probe(images[fit], labels[fit], images[~fit], labels[~fit])
    return results


def halves(labels: Labels) -> NDArray[np.bool_]:
    """Which of n photos a probe is fitted on: every other one in the order of their labels.

    So both halves hold every label that two photos or more have.
    """
    fit = np.empty(len(labels), dtype=np.bool_)
    fit[np.argsort(labels, kind="stable")] = np.arange(len(labels)) % 2 == 0
    return fit


def evaluate_retrieval(images: Floats, texts: Floats, owners: Labels) -> dict[str, float]:
    """Find pictures by their captions and captions by their pictures.

    Args:
        images: (n, d) unit length.
        texts: (m, d) unit length; each picture may have several.
        owners: (m,) the row in `images` that each text describes.

    Returns:
        Recall@1, @5 and @10 in both directions. A picture has found its captions when one of them is among the K.
    """
    numbers = np.arange(len(images))
    found = {
        "text_to_image": recalls(texts, images, owners, numbers, RECALLS),
        "image_to_text": recalls(images, texts, numbers, owners, RECALLS),
    }
    return {f"{way}.recall@{k}": share for way, shares in found.items() for k, share in shares.items()}


def _encode_all(encoder: Encodes, photos: Photos) -> Floats:
    parts, files = [], photos.images
    for start in range(0, len(files), _IMAGES_AT_ONCE):
        end = min(start + _IMAGES_AT_ONCE, len(files))
        decoded = [_decoded(files[place], f"picture {place + 1} of {photos.source!r}") for place in range(start, end)]
        parts.append(unit_rows(encoder.encode_images(decoded)))
        logger.info("%d of %d photos", end, len(files))
    return np.concatenate(parts)


def _decoded(data: bytes, what: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data)).convert("RGB")
    except Exception as error:  # decoders raise whatever they like
        raise ValueError(f"{what}, from 1, cannot be read: {type(error).__name__}") from error


def _renumber(owners: NDArray[np.int64]) -> Labels:
    """Number the owners from 0 without gaps: photos without captions take no part in retrieval."""
    return np.unique(owners, return_inverse=True)[1].astype(np.int64)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m clip_model.evaluate", description="Measure a model on photos.")
    parser.add_argument("--model", default="builtin", help="a model's name, or the path of its weights")
    parser.add_argument("--val", type=Path, required=True, help="a Parquet file of labelled and captioned photos")
    parser.add_argument("--device", default=AUTO, help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--precision", default=AUTO, help="auto, fp32, bf16, fp16 or int8")
    parser.add_argument("--probe", action="store_true", help="also fit a linear classifier on half the labelled photos")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    from clip_model.inference import load_encoder

    args = _arguments(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        sources = read_photos(args.val)
        encoder = load_encoder(args.model, device=args.device, precision=args.precision)
        results = evaluate(encoder, sources, probe=args.probe)
    except (ValueError, OSError, ImportError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    lines = (f"{100 * value:6.2f} %  {name}" for name, value in results.items())
    sys.stdout.write((json.dumps(results) if args.json else "\n".join(lines)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
