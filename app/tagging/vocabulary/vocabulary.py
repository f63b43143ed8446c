"""The words that photos are tagged with: tags in a hierarchy, each with sentences that a CLIP model understands.

It loads the built-in vocabulary or a person's own. It embeds nothing, and imports neither torch nor the model.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from app.tag_path import parse_path, path_text
from app.tagging.vocabulary.entries import Draft, Entry, TagPath, VocabularyError
from app.tagging.vocabulary.files import GAP, read_file

__all__ = ["Tag", "Vocabulary", "VocabularyError", "article", "fold", "load_vocabulary"]

BUILT_IN = Path(__file__).parent / "data" / "vocabulary.toml"
DEFAULT_TEMPLATES = "any"

_AN = re.compile(r"(?!eu|ewe|one\b|once|u[bkt][aeiou]|uni[^mn]|us[aeu])[aeiou]|hour|heir|honest")
_SPELLED_OUT = re.compile(r"[A-Z][A-Z0-9-]|[a-z]-|.\b")  # SUV, x-ray, X
_VOWEL_LETTERS = "aefhilmnorsx"  # an F, an X


@dataclass(frozen=True)
class Tag:
    """A word for what photos show.

    Attributes:
        path: its levels, the topmost first; the last is its label.
        synonyms: other words for it.
        prompts: sentences for the model, at least one: the plainest name first, label and synonyms in templates, then
            its own.
        labels: language code -> its label in that language.
    """

    path: TagPath
    synonyms: tuple[str, ...]
    prompts: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The tag's own name, without its parents'."""
        return self.path[-1]


@dataclass(frozen=True)
class Vocabulary:
    """Tags, parents before their children.

    Attributes:
        name: what the vocabulary is called.
        tags: in the order of the file; a parent that the file does not name stands before its first child.
        exclusive: paths of which at most one child holds for a photo; such a path may be a category.
        categories: levels that are no tags themselves -> their labels by language code.
        changed: tags of the file that a person renamed, merged or deleted.
    """

    name: str
    tags: tuple[Tag, ...]
    exclusive: frozenset[TagPath] = frozenset()
    categories: Mapping[TagPath, Mapping[str, str]] = field(default_factory=dict)
    changed: int = 0

    def find(self, word: str) -> list[Tag]:
        """Tags of this path, label, synonym or label in another language, in this order; any case, any accents."""
        try:
            path = fold(path_text(parse_path(word)))
        except ValueError:  # a search such as 'what/' is no path, and no mistake either
            path = ""
        found = self._by_path.get(path, {}) | self._by_word.get(fold(word), {})
        return list(found.values())

    @property
    def groups(self) -> list[list[int]]:
        """Places of the tags that exclude each other, group by group."""
        return [[n for n, tag in enumerate(self.tags) if tag.path[:-1] == above] for above in sorted(self.exclusive)]

    @cached_property
    def _by_path(self) -> dict[str, dict[TagPath, Tag]]:
        return _index((path_text(tag.path), tag) for tag in self.tags)

    @cached_property
    def _by_word(self) -> dict[str, dict[TagPath, Tag]]:
        labels = [(tag.label, tag) for tag in self.tags]
        synonyms = [(word, tag) for tag in self.tags for word in tag.synonyms]
        translations = [(word, tag) for tag in self.tags for word in tag.labels.values()]
        return _index([*labels, *synonyms, *translations])


def load_vocabulary(path: Path | None = None) -> Vocabulary:
    """Load a vocabulary from a .toml, .txt, .csv or .tsv file, or the built-in one.

    An own vocabulary may use the built-in template sets beside its own.

    Raises:
        VocabularyError: if the file cannot be used; it says where and why.
    """
    return _built_in() if path is None else _built(read_file(path), _built_in_draft().templates)


@cache
def plain_names() -> tuple[str, ...]:
    """What each tag of the built-in vocabulary is plainly called: several hundred names of everyday things."""
    return tuple(dict.fromkeys(tag.prompts[0] for tag in load_vocabulary().tags))


def article(word: str) -> str:
    """'an' or 'a', as the word before it wants: an umbrella, a unicorn, an hour, an SUV."""
    if _SPELLED_OUT.match(word):
        return "an" if word[0].lower() in _VOWEL_LETTERS else "a"
    return "an" if _AN.match(fold(word)) else "a"


@cache
def _built_in() -> Vocabulary:
    return _built(_built_in_draft(), {})


@cache
def _built_in_draft() -> Draft:
    return read_file(BUILT_IN)


def _built(draft: Draft, templates: Mapping[str, tuple[str, ...]]) -> Vocabulary:
    """Turn entries into tags, with a draft's own template sets before the given ones."""
    sets = {**templates, **draft.templates}
    parents = {path[:-1] for path in draft.entries}
    chosen: dict[TagPath, str] = {(): DEFAULT_TEMPLATES}
    tags = []
    for path, entry in draft.entries.items():
        where = draft.declared.get(path, "a parent")
        chosen[path] = entry.templates or chosen[path[:-1]]
        if chosen[path] not in sets:
            raise draft.error(where, f"there is no template set {chosen[path]!r}; there are {', '.join(sets)}")
        if entry.exclusive and path not in parents:
            raise draft.error(where, "it has no children to exclude each other: add some, or take 'exclusive' out")
        if not entry.category:
            tags.append(Tag(path, entry.synonyms, _prompts(path[-1], entry, sets[chosen[path]]), entry.labels))
    if not tags:
        raise VocabularyError(f"{draft.file} holds levels but no tag: add tags below them.")
    return Vocabulary(
        draft.name,
        tuple(tags),
        frozenset(path for path, entry in draft.entries.items() if entry.exclusive),
        {path: entry.labels for path, entry in draft.entries.items() if entry.category},
    )


def _prompts(label: str, entry: Entry, templates: Sequence[str]) -> tuple[str, ...]:
    names = entry.synonyms if entry.ambiguous else (label, *entry.synonyms)
    filled = [_fill(template, name) for name in names for template in templates]
    return tuple(dict.fromkeys((*names[:1], *filled, *entry.prompts)))


def _fill(template: str, name: str) -> str:
    before, _, after = template.partition(GAP)
    if before in ("a ", "an ") or before.endswith((" a ", " an ")):
        before = before.rstrip().rpartition(" ")[0].rstrip() + f" {article(name)} "
    return before.lstrip() + name + after


def fold(word: str) -> str:
    """A word without case and accents, and with single blanks."""
    if word.isascii():  # which most are: they have no accents, nor another way to be written
        return " ".join(word.casefold().split())
    letters = unicodedata.normalize("NFKD", word.casefold())
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def _index(words: Iterable[tuple[str, Tag]]) -> dict[str, dict[TagPath, Tag]]:
    index: dict[str, dict[TagPath, Tag]] = {}
    for word, tag in words:
        index.setdefault(fold(word), {}).setdefault(tag.path, tag)
    return index
