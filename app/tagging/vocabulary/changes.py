"""What a person changed about a vocabulary's tags: renamed, merged, deleted. The file stays as it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.tagging.vocabulary.entries import TagPath, VocabularyError
from app.tagging.vocabulary.vocabulary import Tag, Vocabulary
from indexer.catalog.tag_changes import Change, now


def changed(words: Vocabulary, changes: Sequence[Change]) -> Vocabulary:
    """The vocabulary as a person has it: tags stand at their new paths with the sentences that they had.

    A tag that was merged into another one of the vocabulary is gone; so is what was deleted.

    Args:
        words: as its file has it.
        changes: of the library; they speak of paths as files have them.

    Raises:
        VocabularyError: no tag is left.
    """
    if not any(now(path, changes) != path for path in (*(tag.path for tag in words.tags), *words.categories)):
        return words
    stayed = {tag.path for tag in words.tags if now(tag.path, changes) == tag.path}
    tags: dict[TagPath, Tag] = {}
    for tag in words.tags:
        path = now(tag.path, changes)
        if path == tag.path or (path is not None and path not in stayed and path not in tags):
            tags[path] = replace(tag, path=path)
    if not tags:
        raise VocabularyError(f"every tag of {words.name} was deleted. Take one back: picsift tags restore")
    moved = {path: now(path, changes) for path in (*words.exclusive, *words.categories)}
    return replace(
        words,
        changed=sum(now(tag.path, changes) != tag.path for tag in words.tags),
        tags=tuple(sorted(tags.values(), key=lambda tag: len(tag.path))),  # parents before their children
        exclusive=frozenset(path for old in words.exclusive if (path := moved[old]) is not None),
        categories={path: labels for old, labels in words.categories.items() if (path := moved[old]) is not None},
    )
