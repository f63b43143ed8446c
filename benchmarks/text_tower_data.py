"""What `benchmarks/text_towers.py` teaches and measures with, made on a CPU and small enough to travel to a GPU.

    python benchmarks/text_tower_data.py --data DATA --wordnet /usr/share/wordnet --chunks CHUNKS --out FOLDER

DATA holds the Parquet shards `photos-*`, `train-*` and `val`. The photos' embeddings by the shipped image tower go to
CHUNKS, 512 a file; what is there is not computed again, and with `--ready` nothing is: what there is gets packed. View
0 of a photo is its middle square, view 1 a random crop. FOLDER then holds three files: `photos.npz` (embeddings as
bytes, those of `val` as float16), `texts.json.gz` (what photos are told, WordNet's nouns, sentences at large) and
`tower.safetensors` (the shipped model's text tower, float16).

Legend: n photos, v views, e dimension of the shared space.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from clip_model.checkpoint import load_model
from clip_model.inference import Encoder, load_encoder
from clip_model.preprocessing.transforms import upright
from clip_model.pretrained.features import view
from clip_model.pretrained.imagenet import _EMPTY as EMPTY
from clip_model.training import corpus

SHIPPED = Path("clip_model/weights/builtin.safetensors")
VIEWS = (("val", 0), ("photos-00", 0), ("train-02", 0), ("photos-01", 0), ("train-03", 0), ("photos-00", 1),
         ("train-04", 0), ("photos-01", 1))  # fmt: skip
# Of the shards of small photos: flickr8k and coco-sample stand larger in `photos-*`, and classes are seen enough.
SHARES = {"tiny-imagenet": 0.15, "miniplaces": 0.35, "flickr8k": 0.0, "coco-sample": 0.0}
OTHER_SHARE = 0.4
A_FILE, AT_ONCE = 512, 64
TOLD = ("captions", "label", "synonyms", "hypernyms")
SEEN = frozenset(
    ("04", "05", "06", "08", "11", "13", "15", "17", "18", "19", "20")
)  # files of lexnames(5WN): can be seen
HELD = 1000  # of the nouns that WordNet's tagged texts have, not taught but measured on
WIDE = 60_000


def embed(data: Path, chunks: Path, encoder: Encoder) -> None:
    """Compute what is missing of the photos' embeddings."""
    from pyarrow import parquet

    chunks.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as pool:
        for shard, number in VIEWS:
            table = parquet.read_table(data / f"{shard}.parquet", columns=["image", "source"])
            rows = _taken(shard, table["source"].to_pylist())
            for part, mine in enumerate(np.array_split(rows, -(-len(rows) // A_FILE))):
                path = chunks / f"{shard}-{number}-{part:03}.npz"
                if path.exists():
                    continue
                found = []
                for some in np.array_split(mine, -(-len(mine) // AT_ONCE)):
                    jobs = [(table["image"][int(row)].as_py(), encoder.image_size, number, int(row)) for row in some]
                    found.append(encoder.encode_squares(list(pool.map(_square, jobs))))
                partial = path.with_suffix(".part.npz")
                np.savez(partial, rows=mine, emb=np.concatenate(found).astype(np.float16))
                partial.rename(path)


def _taken(shard: str, sources: Sequence[str]) -> NDArray[np.int64]:
    rows = np.arange(len(sources))
    if not shard.startswith("train"):
        return rows
    chances = np.random.default_rng(int(shard[-1])).random(len(sources))
    return rows[chances < np.array([SHARES.get(source, OTHER_SHARE) for source in sources])]


def _square(job: tuple[bytes, int, int, int]) -> NDArray[np.uint8]:
    data, side, number, row = job
    with Image.open(io.BytesIO(data)) as image:
        return view(upright(image).convert("RGB"), side, number, (0, row))


def pack_photos(data: Path, chunks: Path, out: Path) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Write `photos.npz`; return what the photos that are taught are told, and what those of `val` are."""
    from pyarrow import parquet

    photos: list[dict[str, object]] = []
    places: dict[tuple[str, int], int] = {}
    embeddings, owners = [], []
    validation = []
    for shard in dict.fromkeys(shard for shard, _ in VIEWS):
        told = parquet.read_table(data / f"{shard}.parquet", columns=[*TOLD, "source"]).to_pylist()
        for path in sorted(chunks.glob(f"{shard}-?-???.npz")):
            with np.load(path) as file:
                rows, vectors = file["rows"], file["emb"]
            if shard == "val":
                validation.append((rows, vectors))
                continue
            for row in rows.tolist():
                if (shard, row) not in places:
                    places[shard, row] = len(photos)
                    photos.append({name: told[row][name] for name in TOLD})
                owners.append(places[shard, row])
            embeddings.append(vectors.astype(np.float32))
        if shard == "val":
            measured = told
    rows = np.concatenate([rows for rows, _ in validation])
    whole = np.concatenate(embeddings)
    scale = np.abs(whole).max(axis=1, keepdims=True) / 127
    np.savez(out / "photos.npz", views=np.round(whole / scale).astype(np.int8), owners=np.array(owners, np.int32),
             val=np.concatenate([vectors for _, vectors in validation])[np.argsort(rows)])  # fmt: skip
    return photos, [measured[row] for row in sorted(rows.tolist())]


def nouns(wordnet: Path) -> list[dict[str, object]]:
    """WordNet's nouns of what can be seen, each word in its most frequent sense.

    Returns:
        Of each synset its `words`, its `definition`, `above` (places in this list of all its kinds, itself among them),
        whether it `says` something as a kind, and whether it is found `often`, in WordNet's tagged texts.
    """
    firsts: dict[str, list[str]] = {}
    tagged: set[str] = set()
    for line in _lines(wordnet / "index.noun"):
        fields = line.split()
        firsts.setdefault(fields[-int(fields[2])], []).append(fields[0])
        if int(fields[-int(fields[2]) - 1]):
            tagged.add(fields[-int(fields[2])])
    read: dict[str, tuple[list[str], str, list[str], bool]] = {}
    for line in _lines(wordnet / "data.noun"):
        data, gloss = line.split(" | ", 1)
        fields = data.split()
        end = 4 + 2 * int(fields[3], 16)
        words = [word.replace("_", " ") for word in fields[4:end:2] if word.lower() in firsts.get(fields[0], ())]
        pointers = fields[end + 1 :]
        above = [pointers[i + 1] for i in range(0, len(pointers) - 3, 4) if pointers[i] in ("@", "@i")]
        definition = gloss.split(";")[0].split('"')[0].strip()
        says = fields[4].replace("_", " ") not in EMPTY
        read[fields[0]] = (words if fields[1] in SEEN else [], definition, above, says)
    place = {name: i for i, name in enumerate(name for name, (words, *_) in read.items() if words)}
    return [
        {"words": read[name][0], "definition": read[name][1], "says": read[name][3], "often": name in tagged,
         "above": [place[one] for one in _above(read, name) if one in place]}
        for name in place
    ]  # fmt: skip


def _above(read: dict[str, tuple[list[str], str, list[str], bool]], name: str) -> list[str]:
    found = [name]
    for one in found:  # grows meanwhile: nearest first
        found += [higher for higher in read[one][2] if higher not in found]
    return found


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        yield from (line for line in file if not line.startswith(" "))  # without the licence


def main() -> None:
    """Embed, read, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", type=Path, default=SHIPPED, help="the model whose image tower sees the photos")
    parser.add_argument("--data", required=True, type=Path, help="folder of the shards")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--chunks", required=True, type=Path, help="folder that keeps embeddings")
    parser.add_argument("--ready", action="store_true", help="pack what embeddings there are")
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if not args.ready:
        embed(args.data, args.chunks, load_encoder(args.init))
    photos, val = pack_photos(args.data, args.chunks, args.out)
    rng, lexicon = np.random.default_rng(0), nouns(args.wordnet)
    often = [i for i, noun in enumerate(lexicon) if noun["often"] and noun["says"]]
    held = sorted(rng.choice(often, HELD, replace=False).tolist())
    captions = list(chain.from_iterable(photo["captions"] for photo in photos))
    known = corpus.read_nouns(args.wordnet)[:22_000]
    wide = [*corpus.caption_parts(captions), *corpus.scene_sentences(known, WIDE // 2, rng)]
    wide = list(dict.fromkeys([*rng.permutation(wide)[: WIDE // 2].tolist(), *corpus.noun_phrases(known, rng)]))
    written = {"photos": photos, "val": val, "nouns": lexicon, "held": held, "wide": wide}
    (args.out / "texts.json.gz").write_bytes(gzip.compress(json.dumps(written).encode(), mtime=0))
    model = load_model(args.init)
    tensors = {name: value.half() for name, value in model.state_dict().items() if not name.startswith("visual.")}
    from safetensors.torch import save_file

    save_file(tensors, args.out / "tower.safetensors", {"config": json.dumps(model.config.to_dict())})
    views = np.load(args.out / "photos.npz")["views"]
    print(
        f"{len(photos)} photos, {len(views)} views, {len(lexicon)} synsets of {len(often)} often, {len(wide)} sentences"
    )
    for path in sorted(args.out.iterdir()):
        print(f"{path.name} {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
