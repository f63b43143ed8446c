"""Vocabularies as plain lists of words, as Lightroom's keyword lists, and as CSV tables: text -> entries; pure.

It opens no file and makes no prompts.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.tag_path import clean_path
from app.tagging.vocabulary.entries import Draft, Entry, TagPath
from indexer.counted import counted

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
"""A language code, such as de or pt-BR."""


@dataclass(frozen=True)
class _Line:
    depth: int  # tabs before it
    text: str
    where: str

    def inside(self, marks: str) -> str | None:
        """What stands in braces or brackets, when the whole line does."""
        inner = self.text.startswith(marks[0]) and self.text.endswith(marks[1])
        return self.text[1:-1] if inner else None


def read_words(draft: Draft, text: str) -> None:
    """Read a list of words: a tag in each line, below another by tabs or by '/'.

    `{word}` below a tag is its synonym, `[word]` a level that is no tag, a line with '#' before it a remark. Synonyms
    of a level that is no tag are passed over, since nothing is ever tagged with it.

    Raises:
        VocabularyError: if a line cannot be read.
    """
    parents: list[TagPath] = []  # the last path at each depth
    for line in _lines(draft, text):
        synonym, category = line.inside("{}"), line.inside("[]")
        if line.depth > len(parents) or (synonym is not None and not line.depth):
            raise draft.error(line.where, "it is indented for a parent that is not there: take a tab less, or name it")
        if synonym is not None:
            _add_synonym(draft, parents[line.depth - 1], synonym, line.where)
            continue
        below = parents[line.depth - 1] if line.depth else ()
        try:
            path = clean_path(below + draft.path(line.text if category is None else category, line.where))
        except ValueError as error:
            raise draft.error(line.where, str(error)) from None
        draft.add(path, Entry(category=category is not None), line.where)
        parents[line.depth :] = [path]


def _lines(draft: Draft, text: str) -> list[_Line]:
    lines = []
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        content = raw.strip()
        if not content or content.startswith("#"):
            continue
        indent = raw[: len(raw) - len(raw.lstrip())]
        if indent.strip("\t"):
            raise draft.error(f"line {number}", "it begins with blanks: indent with tabs, a tab for each level")
        lines.append(_Line(len(indent), content, f"line {number}"))
    return lines


def _add_synonym(draft: Draft, path: TagPath, word: str, where: str) -> None:
    entry = draft.entries[path]
    if not entry.category:
        draft.entries[path] = replace(entry, synonyms=draft.words((*entry.synonyms, word), where))


def read_table(draft: Draft, text: str) -> None:
    """Read a CSV table: a column `path` or `tag`, and perhaps `synonyms`, `prompts` and `label:<language>`.

    Several synonyms or prompts in a cell are separated by ';'. Columns are separated by a comma, a semicolon or a tab,
    whichever the header has most of.

    Raises:
        VocabularyError: if the table or a row cannot be read.
    """
    header_line = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=header_line.count), strict=True)
    header: list[str] = []
    try:
        for row in reader:
            where = f"line {reader.line_num}"
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not header:
                header = _header(draft, cells, where)
            elif any(cells[len(header) :]):
                parted = f"{len(cells):,} cells for {counted(len(header), 'column')}"
                raise draft.error(where, f"{parted}: quote a cell that holds the separator")
            else:
                _add_row(draft, dict(zip(header, cells, strict=False)), where)
    except csv.Error as error:
        raise draft.error(f"line {reader.line_num}", f"it is no CSV ({error}): save the table as CSV again") from None


def _header(draft: Draft, cells: Sequence[str], where: str) -> list[str]:
    header = ["path" if cell.casefold() == "tag" else _column(cell) for cell in cells]
    while header and not header[-1]:
        header.pop()  # spreadsheets leave empty columns at the end
    if header.count("path") != 1:
        raise draft.error(where, "the header needs one column 'path' or 'tag': name the column that holds the tags so")
    for name in header:
        if header.count(name) > 1:
            raise draft.error(where, f"the column '{name}' stands there twice: remove one")
        language = name.removeprefix("label:")
        if name not in ("path", "synonyms", "prompts") and (language == name or not LANGUAGE.fullmatch(language)):
            raise draft.error(
                where, f"'{name}' is no column of a vocabulary: use path, synonyms, prompts or label:de, or remove it"
            )
    return header


def _column(cell: str) -> str:
    """A column's name in its usual spelling; the language after 'label:' keeps its capitals."""
    kind, colon, language = cell.partition(":")
    return kind.strip().casefold() + colon + language.strip()


def _add_row(draft: Draft, row: Mapping[str, str], where: str) -> None:
    labels = {column.removeprefix("label:"): cell for column, cell in row.items() if column.startswith("label:")}
    path = draft.path(row.get("path", ""), where)
    entry = Entry(
        synonyms=draft.words(_cell(row, "synonyms"), where),
        prompts=draft.sentences(_cell(row, "prompts"), where),
        labels={language: draft.words([label], where)[0] for language, label in labels.items() if label},
    )
    draft.add(path, entry, where)


def _cell(row: Mapping[str, str], column: str) -> list[str]:
    return [part for part in row.get(column, "").split(";") if part.strip()]
