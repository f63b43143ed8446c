"""The vectors of the built-in words under the built-in model, made beforehand, so that no first run embeds them.

`python -m app.tagging.shipped_vectors` makes the file anew, after a change of the model or the words; a test says when.
It is keyed by the model's fingerprint and each word's sentences: of another model, or of others, it knows nothing.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.tagging.vocabulary.vocabulary import load_vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).parent / "vocabulary" / "data" / "builtin_vectors.npz"


def shipped(fingerprint: str, dim: int, keys: Collection[str], file: Path = FILE) -> dict[str, NDArray[np.float32]]:
    """Those of the vectors (dim,) float32, unit length, that the file holds of this model; none where it is damaged.

    Args:
        fingerprint: of the model.
        dim: of its embeddings.
        keys: the SHA-256 of words' sentences, as `tag_vectors.key_of` gives it.
        file: made by `write`.
    """
    if not keys:
        return {}
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as held:
            if bytes(held["fingerprint"]).hex() != fingerprint:
                return {}
            names, vectors = held["keys"], held["vectors"].astype(np.float32)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return {}
    if (
        names.ndim != 2
        or names.dtype != np.uint8
        or vectors.shape != (len(names), dim)
        or not np.isfinite(vectors).all()
    ):
        return {}
    place = {bytes(name).hex(): number for number, name in enumerate(names)}
    found = {key: vectors[place[key]] for key in keys if key in place}
    return {key: vector / max(float(np.linalg.norm(vector)), 1e-6) for key, vector in found.items()}


def write(fingerprint: str, vectors: Mapping[str, NDArray[np.float32]], file: Path = FILE) -> None:
    """Write the vectors (d,) of words by their keys, as float16; whole or not at all."""
    partial = file.with_name(f".{file.name}.tmp.npz")
    names = np.stack([np.frombuffer(bytes.fromhex(key), np.uint8) for key in vectors])
    halves = np.stack(list(vectors.values())).astype(np.float16)
    np.savez(partial, fingerprint=np.frombuffer(bytes.fromhex(fingerprint), np.uint8), keys=names, vectors=halves)
    partial.replace(file)


def make(say: Callable[[str], object] = sys.stdout.write) -> None:
    """Embed the built-in words with the built-in model and write the file: half a minute on two cores."""
    from app.tagging.tag_vectors import encoded, key_of
    from indexer.embedder import Embedder

    embedder, tags = Embedder("builtin", device="cpu", precision="fp32"), load_vocabulary().tags
    vectors = encoded([tag.prompts for tag in tags], embedder)
    write(embedder.fingerprint, {key_of(tag.prompts): vector for tag, vector in zip(tags, vectors, strict=True)})
    say(f"{len(tags):,} words of {embedder.fingerprint[:12]} are in {FILE}\n")


if __name__ == "__main__":
    make()
