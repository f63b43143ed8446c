"""The 1,000 classes that published classifiers know, with their synonyms and kinds: names for what a photo shows.

Reads WordNet's own files and the lists that `timm` and `open_clip` bring along, without importing either.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

from clip_model.training.data import Label

# Kinds that are true of nearly everything, and that nobody looks for.
_EMPTY = frozenset(
    """abstraction|artifact|attribute|causal agent|chordate|commodity|conveyance|consumer goods|container|covering
    |device|entity|equipment|group|implement|instrumentality|living thing|matter|natural object|object|organism|part
    |physical entity|physical object|placental|public transport|relation|solid|structure|substance|thing|unit
    |vertebrate|whole""".replace("\n", "")
    .replace(" |", "|")
    .replace("    ", "")
    .split("|")
)
Synset = tuple[list[str], list[str]]  # its words, and the places of the kinds that it belongs to


def imagenet_labels(wordnet: Path) -> list[Label]:
    """The classes in the order of the published classifiers' outputs.

    Args:
        wordnet: folder of WordNet's files.

    Raises:
        FileNotFoundError: if WordNet, timm or open_clip is missing.
    """
    synsets = _synsets(wordnet / "data.noun")
    identifiers = (_package("timm") / "data" / "_info" / "imagenet_synsets.txt").read_text().split()
    names = _class_names(_package("open_clip") / "zero_shot_metadata.py")
    return [
        Label(name, tuple(word for word in synsets[wnid[1:]][0] if word != name), kinds(synsets, wnid[1:]))
        for name, wnid in zip(names, identifiers, strict=True)
    ]


def kinds(synsets: dict[str, Synset], place: str) -> tuple[str, ...]:
    """What kind of thing a synset is, nearest first, without those that say nothing."""
    found: list[str] = []
    above = synsets[place][1]
    while above:
        words, higher = synsets[above[0]]
        if words[0] not in _EMPTY:
            found.append(words[0])
        above = higher
    return tuple(found)


def _synsets(path: Path) -> dict[str, Synset]:
    synsets: dict[str, Synset] = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.startswith(" "):  # the licence
                continue
            fields = line.split(" | ", 1)[0].split()
            end = 4 + 2 * int(fields[3], 16)
            words = [word.replace("_", " ") for word in fields[4:end:2]]
            pointers = fields[end + 1 :]
            above = [pointers[i + 1] for i in range(0, len(pointers) - 3, 4) if pointers[i] == "@"]
            synsets[fields[0]] = (words, above)
    return synsets


def _class_names(path: Path) -> list[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "IMAGENET_CLASSNAMES":
            return list(ast.literal_eval(node.value))
    raise FileNotFoundError(f"{path} holds no IMAGENET_CLASSNAMES")


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the classes' names stand in the package {name}: pip install 'picsift[bench]'")
    return Path(spec.origin).parent
