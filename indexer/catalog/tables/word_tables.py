"""The index of the words that photos carry, and the triggers that note whose words may have changed.

FTS5's table is none that SQLAlchemy knows, nor are triggers: they are made as text, after the tables. How a photo's
words are indexed is known to `words/word_index.py`.
"""

from __future__ import annotations

from sqlalchemy import DDL, event

from indexer.catalog.tables.declaring import Mapped, mapped_column
from indexer.catalog.tables.photo_tables import Base, RowId


class WordsDueRow(Base):
    """A photo whose words have to be indexed anew, or taken out: between two transactions only where very many are."""

    __tablename__ = "words_due"

    photo_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)


INDEX = "CREATE VIRTUAL TABLE photo_words USING fts5(own, named, tokenize = 'ascii')"
"""`rowid` is the photo's id; the words come folded, see `words/tokens.py`."""


def _trigger(name: str, when: str, photos: str) -> str:
    """A trigger that notes photos; not by OR IGNORE, which gives way to what the statement that fires it says."""
    due = "NOT IN (SELECT photo_id FROM words_due)"
    return f"CREATE TRIGGER words_{name} AFTER {when} BEGIN INSERT INTO words_due {photos} {due}; END"


def _changed(*columns: str) -> str:
    return " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)


def _last(row: str) -> str:
    """The name of a root's folder, which is all that is indexed of its path; where / parts nothing, the whole path."""
    return f"substr({row}.path, length(rtrim({row}.path, replace({row}.path, '/', ''))) + 1)"


_WORDS = "('title', 'description')"
_OF_FOLDER = "SELECT id FROM photos WHERE folder_id = NEW.id AND id"
_OF_ROOT = "SELECT p.id FROM folders f JOIN photos p ON p.folder_id = f.id WHERE f.root_id = NEW.id AND p.id"
_OF_TAG = "SELECT photo_id FROM photo_tags WHERE tag_id = NEW.id AND state = 'accepted' AND photo_id"


def _of(row: str, column: str = "photo_id") -> str:
    return f"SELECT {row}.{column} WHERE {row}.{column}"


TRIGGERS = (
    _trigger("photo_new", "INSERT ON photos", _of("NEW", "id")),
    _trigger("photo_gone", "DELETE ON photos", _of("OLD", "id")),
    _trigger(
        "photo_changed",
        "UPDATE OF folder_id, name, title, description ON photos "
        f"WHEN {_changed('folder_id', 'name', 'title', 'description')}",
        _of("NEW", "id"),
    ),
    _trigger("folder_moved", f"UPDATE OF root_id, path ON folders WHEN {_changed('root_id', 'path')}", _OF_FOLDER),
    _trigger("root_renamed", f"UPDATE OF path ON roots WHEN {_last('OLD')} IS NOT {_last('NEW')}", _OF_ROOT),
    _trigger("keyword_new", "INSERT ON keywords", _of("NEW")),
    _trigger("keyword_changed", "UPDATE ON keywords", _of("NEW")),
    _trigger("keyword_moved", "UPDATE OF photo_id ON keywords", _of("OLD")),
    _trigger("keyword_gone", "DELETE ON keywords", _of("OLD")),
    _trigger("edit_new", f"INSERT ON edits WHEN NEW.field IN {_WORDS}", _of("NEW")),
    _trigger("edit_changed", "UPDATE ON edits", _of("NEW")),
    _trigger("edit_moved", "UPDATE OF photo_id ON edits", _of("OLD")),
    _trigger("edit_gone", f"DELETE ON edits WHEN OLD.field IN {_WORDS}", _of("OLD")),
    _trigger("tag_given", "INSERT ON photo_tags WHEN NEW.state = 'accepted'", _of("NEW")),
    _trigger(
        "tag_decided",
        "UPDATE OF tag_id, state ON photo_tags WHEN 'accepted' IN (OLD.state, NEW.state) "
        f"AND ({_changed('tag_id', 'state')})",
        _of("NEW"),
    ),
    _trigger("tag_moved", "UPDATE OF photo_id ON photo_tags", _of("OLD")),
    _trigger("tag_arrived", "UPDATE OF photo_id ON photo_tags", _of("NEW")),
    _trigger("tag_taken", "DELETE ON photo_tags WHEN OLD.state = 'accepted'", _of("OLD")),
    _trigger("tag_renamed", f"UPDATE OF path ON tags WHEN {_changed('path')}", _OF_TAG),
)
"""Of each way in which words can change, one; deletions that follow a deletion fire them too."""

for _statement in (INDEX, *TRIGGERS):
    event.listen(Base.metadata, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]
