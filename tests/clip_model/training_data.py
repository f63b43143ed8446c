"""A Parquet shard of drawn photos: coloured squares with labels, synonyms and captions."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

COLOURS = {"crimson": (200, 20, 60), "navy": (10, 10, 130), "lime": (50, 205, 50), "gold": (255, 215, 0)}
KINDS = {"crimson": ["red"], "navy": ["blue"], "lime": ["green"], "gold": ["yellow"]}
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("image", pa.binary()),
        ("captions", pa.list_(pa.string())),
        ("label", pa.string()),
        ("synonyms", pa.list_(pa.string())),
        ("hypernyms", pa.list_(pa.string())),
        ("kind", pa.string()),
        ("source", pa.string()),
    ]
)


def picture(colour, rng, size=(48, 40)):
    noise = rng.integers(-20, 20, (size[1], size[0], 3))
    pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP")
    return buffer.getvalue()


def damaged_dds():
    """A picture for which Pillow raises NotImplementedError: a DDS without a format of its pixels."""
    data, flags = io.BytesIO(), 80  # where those of the format are
    Image.new("RGB", (12, 8)).save(data, "DDS")
    return data.getvalue()[:flags] + bytes(4) + data.getvalue()[flags + 4 :]


def rows(number, seed=0):
    rng = np.random.default_rng(seed)
    names = list(COLOURS)
    for i in range(number):
        name = names[i % len(names)]
        labelled = i % 3 > 0
        yield {
            "key": f"drawn/{i}",
            "image": picture(COLOURS[name], rng),
            "captions": [] if labelled else [f"a square of {name} colour", f"{name} all over"],
            "label": name if labelled else "",
            "synonyms": [f"{name} colour"] if labelled else [],
            "hypernyms": KINDS[name] if labelled else [],
            "kind": "object" if labelled else "captioned",
            "source": "labelled" if labelled else "captioned",
        }


def write(path, number=60, seed=0, damaged=()):
    table = list(rows(number, seed))
    for i in damaged:
        table[i]["image"] = b"no picture" if i % 2 else damaged_dds()
    parquet.write_table(pa.Table.from_pylist(table, schema=SCHEMA), path)
    return path


def lying(path, side=40):
    """A photo whose upper half is red once it is turned as its EXIF says; as stored, its left half is."""
    stored = np.zeros((side, side, 3), dtype=np.uint8)
    stored[:, : side // 2] = (250, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter
    data = io.BytesIO()
    Image.fromarray(stored).save(data, "JPEG", quality=95, exif=exif)
    table = list(rows(1))
    table[0]["image"] = data.getvalue()
    parquet.write_table(pa.Table.from_pylist(table, schema=SCHEMA), path)
    return path
