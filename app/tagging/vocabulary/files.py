"""Vocabulary files: from a path to a draft of checked entries. It reads TOML itself and leaves lists to their module.

It makes no prompts and loads no model.
"""

import difflib
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from app.tagging.vocabulary.entries import Draft, Entry, VocabularyError
from app.tagging.vocabulary.word_lists import LANGUAGE, read_table, read_words

MAX_BYTES = 16 * 2**20
GAP = "{}"


def read_file(path: Path) -> Draft:
    """Read a vocabulary, in the format that its name ends with.

    Raises:
        VocabularyError: if it is not there, cannot be read, holds no tag, or holds what is no vocabulary.
    """
    readers = {".toml": _read_toml, ".txt": read_words, ".csv": read_table, ".tsv": read_table}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise VocabularyError(
            f"{path}: a vocabulary is a file that ends with {', '.join(readers)}: rename or convert it."
        )
    draft = Draft(str(path), path.stem)
    reader(draft, _text(path))
    if not draft.entries:
        raise VocabularyError(f"{path} holds no tag: write one into each line, or see the built-in vocabulary.")
    return draft


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise VocabularyError(f"{path} is {'no file' if path.exists() else 'not there'}: check its name.")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise VocabularyError(f"{path} cannot be read: {error.strerror}. Check its permissions.") from None
    if len(content) > MAX_BYTES:
        raise VocabularyError(f"{path} is larger than {MAX_BYTES // 2**20} MiB: split the vocabulary.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise VocabularyError(f"{path}, line {line}: it is no UTF-8 text. Save the file as UTF-8.") from None
    if "\0" in text:
        raise VocabularyError(f"{path} is no text: it holds zero bytes. Save the vocabulary as UTF-8 text.")
    return text


def _read_toml(draft: Draft, text: str) -> None:
    try:
        content = tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError; a number of many digits another
        raise draft.error("the whole", f"it is no valid TOML: {error}. Correct it, and quote paths with '/'") from None
    _refuse_unknown(draft, "the top level", content, ("name", "templates", "tags"))
    if "name" in content:
        draft.name = draft.words([_string(draft, "name", content["name"])], "name")[0]
    for name, templates in _table(draft, "[templates]", content.get("templates", {})).items():
        draft.templates[name] = _template_set(draft, name, templates)
    for key, value in _table(draft, "[tags]", content.get("tags", {})).items():
        where = f"tag {key[:300]!r}"
        draft.add(draft.path(key, where), _entry(draft, where, _table(draft, where, value)), where)


def _template_set(draft: Draft, name: str, value: object) -> tuple[str, ...]:
    where = f"templates {name!r}"
    templates = _strings(draft, where, value)
    if not templates:
        raise draft.error(where, f"the set is empty: give it sentences with a gap {GAP}")
    for template in templates:
        if template.count(GAP) != 1 or len(template) > 200 or not template.isprintable():
            raise draft.error(where, f"{template[:60]!r} needs one gap {GAP}, as in 'a photo of a {GAP}'")
    return tuple(dict.fromkeys(templates))


def _entry(draft: Draft, where: str, value: dict[str, Any]) -> Entry:
    _refuse_unknown(draft, where, value, _KEYS)
    entry = Entry(**{key: _KEYS[key](draft, where, content) for key, content in value.items()})
    if entry.ambiguous and not (entry.synonyms or entry.prompts):
        raise draft.error(where, "an ambiguous label needs synonyms or prompts that tell what is meant")
    if entry.category and (entry.synonyms or entry.prompts):
        raise draft.error(where, "a category is no tag: take its synonyms and prompts out, or 'category = true'")
    return entry


def _refuse_unknown(draft: Draft, where: str, table: Iterable[str], known: Iterable[str]) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            close = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(names)}"
            raise draft.error(where, f"the key {key[:60]!r} is unknown; {hint}")


def _table(draft: Draft, where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise draft.error(where, 'a table is wanted, such as { synonyms = ["puppy"] }, or {} for none')
    return value


def _string(draft: Draft, where: str, value: object) -> str:
    if not isinstance(value, str):
        raise draft.error(where, f"a text in quotes is wanted, not {str(value)[:60]}")
    return value


def _strings(draft: Draft, where: str, value: object) -> list[str]:
    if not isinstance(value, list):
        raise draft.error(where, 'a list of texts is wanted, such as ["puppy", "hound"]')
    return [_string(draft, where, item) for item in value]


def _flag(draft: Draft, where: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise draft.error(where, f"true or false is wanted, not {str(value)[:60]}")
    return value


def _labels(draft: Draft, where: str, value: object) -> dict[str, str]:
    labels = _table(draft, where, value)
    for language in labels:
        if not LANGUAGE.fullmatch(language):
            raise draft.error(where, f"{language[:60]!r} is no language code: write de, fr or pt-BR")
    return {language: draft.words([_string(draft, where, label)], where)[0] for language, label in labels.items()}


_KEYS: dict[str, Callable[[Draft, str, object], Any]] = {
    "synonyms": lambda draft, where, value: draft.words(_strings(draft, where, value), where),
    "prompts": lambda draft, where, value: draft.sentences(_strings(draft, where, value), where),
    "labels": _labels,
    "templates": _string,
    "ambiguous": _flag,
    "exclusive": _flag,
    "category": _flag,
}
