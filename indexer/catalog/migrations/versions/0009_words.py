"""The index of the words that photos carry, and the triggers that keep it; all photos' words are due.

They are indexed after it, in short transactions (`indexer.catalog.words.settling`). Where SQLite has no FTS5 the index
is left out, and made by the first picsift whose SQLite has it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_NOTES = "INSERT INTO words_due SELECT {} NOT IN (SELECT photo_id FROM words_due)"
_NEW, _OLD = "NEW.photo_id WHERE NEW.photo_id", "OLD.photo_id WHERE OLD.photo_id"
_WORDS = "('title', 'description')"
_OF_FOLDER = "id FROM photos WHERE folder_id = NEW.id AND id"
_OF_ROOT = "p.id FROM folders f JOIN photos p ON p.folder_id = f.id WHERE f.root_id = NEW.id AND p.id"
_OF_TAG = "photo_id FROM photo_tags WHERE tag_id = NEW.id AND state = 'accepted' AND photo_id"


def _if(*columns: str) -> str:
    return " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)


def _last(row: str) -> str:
    return f"substr({row}.path, length(rtrim({row}.path, replace({row}.path, '/', ''))) + 1)"


_TRIGGERS = {
    "photo_new": ("INSERT ON photos", "NEW.id WHERE NEW.id"),
    "photo_gone": ("DELETE ON photos", "OLD.id WHERE OLD.id"),
    "photo_changed": (
        "UPDATE OF folder_id, name, title, description ON photos "
        f"WHEN {_if('folder_id', 'name', 'title', 'description')}",
        "NEW.id WHERE NEW.id",
    ),
    "folder_moved": (f"UPDATE OF root_id, path ON folders WHEN {_if('root_id', 'path')}", _OF_FOLDER),
    "root_renamed": (f"UPDATE OF path ON roots WHEN {_last('OLD')} IS NOT {_last('NEW')}", _OF_ROOT),
    "keyword_new": ("INSERT ON keywords", _NEW),
    "keyword_changed": ("UPDATE ON keywords", _NEW),
    "keyword_moved": ("UPDATE OF photo_id ON keywords", _OLD),
    "keyword_gone": ("DELETE ON keywords", _OLD),
    "edit_new": (f"INSERT ON edits WHEN NEW.field IN {_WORDS}", _NEW),
    "edit_changed": ("UPDATE ON edits", _NEW),
    "edit_moved": ("UPDATE OF photo_id ON edits", _OLD),
    "edit_gone": (f"DELETE ON edits WHEN OLD.field IN {_WORDS}", _OLD),
    "tag_given": ("INSERT ON photo_tags WHEN NEW.state = 'accepted'", _NEW),
    "tag_decided": (
        "UPDATE OF tag_id, state ON photo_tags WHEN 'accepted' IN (OLD.state, NEW.state) "
        f"AND ({_if('tag_id', 'state')})",
        _NEW,
    ),
    "tag_moved": ("UPDATE OF photo_id ON photo_tags", _OLD),
    "tag_arrived": ("UPDATE OF photo_id ON photo_tags", _NEW),
    "tag_taken": ("DELETE ON photo_tags WHEN OLD.state = 'accepted'", _OLD),
    "tag_renamed": (f"UPDATE OF path ON tags WHEN {_if('path')}", _OF_TAG),
}


def upgrade() -> None:
    """Add them."""
    op.create_table("words_due", sa.Column("photo_id", sa.Integer(), primary_key=True, autoincrement=False))
    if op.get_bind().exec_driver_sql("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").scalar():
        op.execute("CREATE VIRTUAL TABLE photo_words USING fts5(own, named, tokenize = 'ascii')")
    for name, (when, photos) in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER words_{name} AFTER {when} BEGIN {_NOTES.format(photos)}; END")
    op.execute("INSERT INTO words_due SELECT id FROM photos")


def downgrade() -> None:
    """Drop them; nothing is lost that is not in other tables."""
    for name in _TRIGGERS:
        op.execute(f"DROP TRIGGER words_{name}")
    op.execute("DROP TABLE IF EXISTS photo_words")
    op.drop_table("words_due")
