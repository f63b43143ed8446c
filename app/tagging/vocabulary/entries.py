"""What a vocabulary file says about each tag, gathered and checked; pure.

It reads no file and makes no prompts: `vocabulary_files` and `vocabulary_lists` fill it, `vocabulary` makes tags of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.tag_path import clean_name, parse_path, path_text
from indexer.errors import PicsiftError

MAX_TAGS = 20_000
MAX_WORDS = 100  # synonyms, or prompts, of one tag
MAX_PROMPT = 500  # characters

TagPath = tuple[str, ...]


class VocabularyError(PicsiftError):
    """A vocabulary cannot be used; the message names the file, the line or tag, and what to do."""


@dataclass(frozen=True)
class Entry:
    """One tag or level, as the file has it.

    Attributes:
        synonyms: other words for it.
        prompts: whole phrases for the model.
        labels: language code -> label.
        templates: name of a template set; None means its parent's.
        ambiguous: the bare label makes no prompts.
        exclusive: its children exclude each other.
        category: a level that is no tag.
    """

    synonyms: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    templates: str | None = None
    ambiguous: bool = False
    exclusive: bool = False
    category: bool = False


@dataclass
class Draft:
    """A vocabulary in the making: its entries in order, parents before children."""

    file: str
    name: str
    templates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    entries: dict[TagPath, Entry] = field(default_factory=dict)
    declared: dict[TagPath, str] = field(default_factory=dict)  # path -> where the file has it

    def path(self, text: str, where: str) -> TagPath:
        """Read a tag's path.

        Raises:
            VocabularyError: if it is none.
        """
        try:
            return parse_path(text)
        except ValueError as error:
            raise self.error(where, str(error)) from None

    def add(self, path: TagPath, entry: Entry, where: str) -> None:
        """Take an entry in, and each parent that has not been named yet.

        Raises:
            VocabularyError: if the path was there already, or there are too many.
        """
        if path in self.declared:
            raise self.error(
                where, f"'{path_text(path)}' stands there twice, first in {self.declared[path]}: remove one"
            )
        for depth in range(1, len(path)):
            self.entries.setdefault(path[:depth], Entry())
        self.entries[path] = entry
        self.declared[path] = where
        if len(self.entries) > MAX_TAGS:
            raise self.error(where, f"there are more than {MAX_TAGS:,} tags: split the vocabulary, or leave some out")

    def words(self, values: Iterable[str], where: str) -> tuple[str, ...]:
        """Check synonyms, each once.

        Raises:
            VocabularyError: if one is no usable name.
        """
        try:
            return self._few(dict.fromkeys(clean_name(value) for value in values), where)
        except ValueError as error:
            raise self.error(where, str(error)) from None

    def sentences(self, values: Iterable[str], where: str) -> tuple[str, ...]:
        """Check prompts, each once.

        Raises:
            VocabularyError: if one is empty, too long, or has a gap.
        """
        prompts = dict.fromkeys(" ".join(value.split()) for value in values)
        for prompt in prompts:
            if not prompt or len(prompt) > MAX_PROMPT or not prompt.isprintable():
                raise self.error(where, f"a prompt is a phrase of 1 to {MAX_PROMPT} characters, not {prompt[:60]!r}")
            if "{}" in prompt:
                raise self.error(where, f"the prompt {prompt!r} has a gap: put it into a set under [templates]")
        return self._few(prompts, where)

    def error(self, where: str, what: str) -> VocabularyError:
        """An error that names the file and the line or tag."""
        return VocabularyError(f"{self.file}, {where}: {what}.")

    def _few(self, words: Iterable[str], where: str) -> tuple[str, ...]:
        kept = tuple(words)
        if len(kept) > MAX_WORDS:
            raise self.error(where, f"{len(kept)} synonyms or prompts are more than {MAX_WORDS}: leave some out")
        return kept
